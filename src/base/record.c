/* SPDX-License-Identifier: Apache-2.0 */
#include "base/record.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* The one place that turns an offset into a typed pointer. */
#define AT(T, record, field) ((T *) (void *) ((char *) (record) + (field)->offset))
#define AT_CONST(T, record, field) \
	((T const *) (const void *) ((const char *) (record) + (field)->offset))

void *usher_record_new(const UsherRecordType *type)
{
	void *record = g_malloc0(type->size);
	for (const UsherField *field = type->fields; field->name != NULL; field++) {
		if (field->type == USHER_FIELD_STRINGS)
			*AT(GPtrArray *, record, field) = g_ptr_array_new_with_free_func(g_free);
		else if (field->type == USHER_FIELD_RECORDS || field->type == USHER_FIELD_KEYED)
			*AT(GPtrArray *, record, field) =
				g_ptr_array_new_with_free_func(field->record->free);
		else if (field->type == USHER_FIELD_INT &&
			(field->flags & USHER_FIELD_NULLABLE) != 0)
			*AT(int64_t, record, field) = USHER_INT_NULL;
	}
	return record;
}

void usher_record_free(const UsherRecordType *type, void *record)
{
	if (record == NULL)
		return;
	for (const UsherField *field = type->fields; field->name != NULL; field++) {
		switch (field->type) {
		case USHER_FIELD_STRING:
			g_free(*AT(char *, record, field));
			break;
		case USHER_FIELD_STRINGS:
		case USHER_FIELD_RECORDS:
		case USHER_FIELD_KEYED:
			g_clear_pointer(AT(GPtrArray *, record, field), g_ptr_array_unref);
			break;
		case USHER_FIELD_RECORD:
			usher_record_free(field->record, *AT(void *, record, field));
			break;
		case USHER_FIELD_JSON:
			g_clear_pointer(AT(UsherJson *, record, field), usher_json_unref);
			break;
		case USHER_FIELD_INT:
		case USHER_FIELD_BOOL:
		case USHER_FIELD_TIME:
		case USHER_FIELD_ENUM:
			break;
		}
	}
	g_free(record);
}

static void dup_field(const UsherField *field, void *copy, const void *record)
{
	switch (field->type) {
	case USHER_FIELD_STRING:
		*AT(char *, copy, field) = g_strdup(*AT_CONST(char *, record, field));
		return;
	case USHER_FIELD_INT:
	case USHER_FIELD_TIME:
		*AT(int64_t, copy, field) = *AT_CONST(int64_t, record, field);
		return;
	case USHER_FIELD_BOOL:
		*AT(bool, copy, field) = *AT_CONST(bool, record, field);
		return;
	case USHER_FIELD_ENUM:
		*AT(unsigned, copy, field) = *AT_CONST(unsigned, record, field);
		return;
	case USHER_FIELD_STRINGS: {
		GPtrArray *const *from = AT_CONST(GPtrArray *, record, field);
		for (unsigned i = 0; i < (*from)->len; i++)
			g_ptr_array_add(*AT(GPtrArray *, copy, field),
				g_strdup(g_ptr_array_index(*from, i)));
		return;
	}
	case USHER_FIELD_RECORD: {
		void *const *from = AT_CONST(void *, record, field);
		if (*from != NULL)
			*AT(void *, copy, field) = usher_record_dup(field->record, *from);
		return;
	}
	case USHER_FIELD_RECORDS:
	case USHER_FIELD_KEYED: {
		GPtrArray *const *from = AT_CONST(GPtrArray *, record, field);
		for (unsigned i = 0; i < (*from)->len; i++)
			g_ptr_array_add(*AT(GPtrArray *, copy, field),
				usher_record_dup(field->record, g_ptr_array_index(*from, i)));
		return;
	}
	case USHER_FIELD_JSON: {
		UsherJson *const *from = AT_CONST(UsherJson *, record, field);
		if (*from != NULL)
			*AT(UsherJson *, copy, field) = usher_json_ref(*from);
		return;
	}
	}
	g_assert_not_reached();
}

void *usher_record_dup(const UsherRecordType *type, const void *record)
{
	void *copy = usher_record_new(type);
	for (const UsherField *field = type->fields; field->name != NULL; field++)
		dup_field(field, copy, record);
	return copy;
}

static bool expect_type(const UsherJson *json, UsherJsonType wanted, GError **error)
{
	if (usher_json_type(json) == wanted)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID, "must be %s, is %s",
		usher_json_type_name(wanted), usher_json_type_name(usher_json_type(json)));
	return false;
}

static bool read_enum(const UsherField *field, void *record, const UsherJson *json, GError **error)
{
	if (!expect_type(json, USHER_JSON_STRING, error))
		return false;
	unsigned first = (field->flags & USHER_FIELD_NULLABLE) != 0 ? 1 : 0;
	for (unsigned i = first; field->names[i] != NULL; i++) {
		if (strcmp(field->names[i], usher_json_string(json)) == 0) {
			*AT(unsigned, record, field) = i;
			return true;
		}
	}
	g_autofree char *known = usher_text_join(field->names + first, ", ");
	usher_error_set(
		error, USHER_ERROR_INVALID, "'%s' is none of: %s", usher_json_string(json), known);
	return false;
}

/* Between a name or index and the error of its value: "requests[1].count: must be a number". The error
 * of an object begins with the name of a member. */
static const char *joint(const UsherField *field, const UsherJson *value)
{
	return field->record != NULL && usher_json_type(value) == USHER_JSON_OBJECT ? "." : ": ";
}

static bool read_items(
	const UsherField *field, GPtrArray *items, const UsherJson *json, GError **error)
{
	if (!expect_type(json, USHER_JSON_ARRAY, error))
		return false;
	for (size_t i = 0; i < usher_json_length(json); i++) {
		const UsherJson *item = usher_json_at(json, i);
		void *read = NULL;
		if (field->type == USHER_FIELD_RECORDS)
			read = usher_record_read(field->record, item, error);
		else if (expect_type(item, USHER_JSON_STRING, error))
			read = g_strdup(usher_json_string(item));
		if (read == NULL) {
			g_prefix_error(error, "[%zu]%s", i, joint(field, item));
			return false;
		}
		g_ptr_array_add(items, read);
	}
	return true;
}

/* A keyed record without its key, which is the member's name. */
static UsherRecordType type_without_key(const UsherField *field)
{
	return (UsherRecordType){ .name = field->record->name,
		.size = field->record->size,
		.fields = field->record->fields + 1 };
}

static bool read_keyed(
	const UsherField *field, GPtrArray *items, const UsherJson *json, GError **error)
{
	const UsherRecordType keyed = type_without_key(field);
	if (!expect_type(json, USHER_JSON_OBJECT, error))
		return false;
	const char *key = NULL;
	const UsherJson *value;
	while (usher_json_next(json, &key, &value)) {
		void *item = usher_record_read(&keyed, value, error);
		if (item == NULL) {
			g_prefix_error(error, "%s%s", key, joint(field, value));
			return false;
		}
		*AT(char *, item, field->record->fields) = g_strdup(key);
		g_ptr_array_add(items, item);
	}
	return true;
}

static bool read_value(const UsherField *field, void *record, const UsherJson *json, GError **error)
{
	switch (field->type) {
	case USHER_FIELD_STRING:
		if (!expect_type(json, USHER_JSON_STRING, error))
			return false;
		*AT(char *, record, field) = g_strdup(usher_json_string(json));
		return true;
	case USHER_FIELD_INT:
		if (!expect_type(json, USHER_JSON_INT, error))
			return false;
		*AT(int64_t, record, field) = usher_json_int(json);
		return true;
	case USHER_FIELD_BOOL:
		if (!expect_type(json, USHER_JSON_BOOL, error))
			return false;
		*AT(bool, record, field) = usher_json_bool(json);
		return true;
	case USHER_FIELD_TIME:
		return expect_type(json, USHER_JSON_STRING, error) &&
			usher_text_parse_time(
				usher_json_string(json), AT(int64_t, record, field), error);
	case USHER_FIELD_ENUM:
		return read_enum(field, record, json, error);
	case USHER_FIELD_KEYED:
		return read_keyed(field, *AT(GPtrArray *, record, field), json, error);
	case USHER_FIELD_STRINGS:
	case USHER_FIELD_RECORDS:
		return read_items(field, *AT(GPtrArray *, record, field), json, error);
	case USHER_FIELD_RECORD:
		*AT(void *, record, field) = usher_record_read(field->record, json, error);
		return *AT(void *, record, field) != NULL;
	case USHER_FIELD_JSON:
		*AT(UsherJson *, record, field) = usher_json_ref(json);
		return true;
	}
	g_assert_not_reached();
}

static const UsherField *find_field(const UsherRecordType *type, const char *name)
{
	for (const UsherField *field = type->fields; field->name != NULL; field++) {
		if (strcmp(field->name, name) == 0)
			return field;
	}
	return NULL;
}

static bool read_member(const UsherRecordType *type, void *record, const char *name,
	const UsherJson *value, GError **error)
{
	const UsherField *field = find_field(type, name);
	if (field == NULL) {
		usher_error_set(error, USHER_ERROR_INVALID, "%s: there is no such field (in: %s)",
			name, type->name);
		return false;
	}
	if (usher_json_type(value) == USHER_JSON_NULL && (field->flags & USHER_FIELD_REQUIRED) == 0)
		return true;
	if (read_value(field, record, value, error))
		return true;
	bool is_list = field->type == USHER_FIELD_STRINGS || field->type == USHER_FIELD_RECORDS;
	bool is_indexed = is_list && usher_json_type(value) == USHER_JSON_ARRAY;
	g_prefix_error(error, "%s%s", name, is_indexed ? "" : joint(field, value));
	return false;
}

void *usher_record_read(const UsherRecordType *type, const UsherJson *json, GError **error)
{
	if (!expect_type(json, USHER_JSON_OBJECT, error))
		return NULL;
	void *record = usher_record_new(type);
	const char *name = NULL;
	const UsherJson *value;
	bool is_good = true;
	while (is_good && usher_json_next(json, &name, &value))
		is_good = read_member(type, record, name, value, error);
	for (const UsherField *field = type->fields; is_good && field->name != NULL; field++) {
		if ((field->flags & USHER_FIELD_REQUIRED) == 0 ||
			usher_json_get(json, field->name) != NULL)
			continue;
		usher_error_set(error, USHER_ERROR_INVALID, "%s: is missing (in: %s)", field->name,
			type->name);
		is_good = false;
	}
	if (is_good)
		return record;
	usher_record_free(type, record);
	return NULL;
}

void *usher_record_parse(const UsherRecordType *type, const char *text, GError **error)
{
	g_autoptr(UsherJson) json = usher_json_parse(text, strlen(text), error);
	return json != NULL ? usher_record_read(type, json, error) : NULL;
}

static bool is_empty(const UsherField *field, const void *record)
{
	switch (field->type) {
	case USHER_FIELD_INT:
		return *AT_CONST(int64_t, record, field) ==
			((field->flags & USHER_FIELD_NULLABLE) != 0 ? USHER_INT_NULL : 0);
	case USHER_FIELD_TIME:
		return *AT_CONST(int64_t, record, field) == 0;
	case USHER_FIELD_BOOL:
		return !*AT_CONST(bool, record, field);
	case USHER_FIELD_ENUM:
		return *AT_CONST(unsigned, record, field) == 0;
	case USHER_FIELD_STRINGS:
	case USHER_FIELD_RECORDS:
	case USHER_FIELD_KEYED:
		return (*AT_CONST(GPtrArray *, record, field))->len == 0;
	case USHER_FIELD_STRING:
	case USHER_FIELD_RECORD:
	case USHER_FIELD_JSON:
		return *AT_CONST(void *, record, field) == NULL;
	}
	g_assert_not_reached();
}

static void write_items(const UsherField *field, const GPtrArray *items, UsherJsonWriter *writer)
{
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < items->len; i++) {
		if (field->type == USHER_FIELD_RECORDS)
			usher_record_write(field->record, items->pdata[i], writer);
		else
			usher_json_write_string(writer, items->pdata[i]);
	}
	usher_json_end_array(writer);
}

static void write_keyed(const UsherField *field, const GPtrArray *items, UsherJsonWriter *writer)
{
	const UsherRecordType keyed = type_without_key(field);
	usher_json_begin_object(writer);
	for (unsigned i = 0; i < items->len; i++) {
		usher_json_key(writer, *AT_CONST(char *, items->pdata[i], field->record->fields));
		usher_record_write(&keyed, items->pdata[i], writer);
	}
	usher_json_end_object(writer);
}

static void write_value(const UsherField *field, const void *record, UsherJsonWriter *writer)
{
	switch (field->type) {
	case USHER_FIELD_STRING:
		usher_json_write_string(writer, *AT_CONST(char *, record, field));
		return;
	case USHER_FIELD_INT:
		if ((field->flags & USHER_FIELD_NULLABLE) != 0 && is_empty(field, record))
			usher_json_write_null(writer);
		else
			usher_json_write_int(writer, *AT_CONST(int64_t, record, field));
		return;
	case USHER_FIELD_BOOL:
		usher_json_write_bool(writer, *AT_CONST(bool, record, field));
		return;
	case USHER_FIELD_TIME: {
		g_autofree char *time = is_empty(field, record)
			? NULL
			: usher_text_print_time(*AT_CONST(int64_t, record, field));
		usher_json_write_string(writer, time);
		return;
	}
	case USHER_FIELD_ENUM: {
		bool is_null =
			(field->flags & USHER_FIELD_NULLABLE) != 0 && is_empty(field, record);
		usher_json_write_string(
			writer, is_null ? NULL : field->names[*AT_CONST(unsigned, record, field)]);
		return;
	}
	case USHER_FIELD_STRINGS:
	case USHER_FIELD_RECORDS:
		write_items(field, *AT_CONST(GPtrArray *, record, field), writer);
		return;
	case USHER_FIELD_KEYED:
		write_keyed(field, *AT_CONST(GPtrArray *, record, field), writer);
		return;
	case USHER_FIELD_RECORD:
		if (is_empty(field, record))
			usher_json_write_null(writer);
		else
			usher_record_write(field->record, *AT_CONST(void *, record, field), writer);
		return;
	case USHER_FIELD_JSON:
		if (is_empty(field, record))
			usher_json_write_null(writer);
		else
			usher_json_write_value(writer, *AT_CONST(UsherJson *, record, field));
		return;
	}
	g_assert_not_reached();
}

void usher_record_write_members(
	const UsherRecordType *type, const void *record, UsherJsonWriter *writer)
{
	for (const UsherField *field = type->fields; field->name != NULL; field++) {
		if ((field->flags & USHER_FIELD_OMIT) != 0 && is_empty(field, record))
			continue;
		usher_json_key(writer, field->name);
		write_value(field, record, writer);
	}
}

void usher_record_write(const UsherRecordType *type, const void *record, UsherJsonWriter *writer)
{
	usher_json_begin_object(writer);
	usher_record_write_members(type, record, writer);
	usher_json_end_object(writer);
}

char *usher_record_print(const UsherRecordType *type, const void *record)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_record_write(type, record, writer);
	return usher_json_writer_finish(writer);
}
