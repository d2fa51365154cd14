/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"

struct UsherJsonWriter {
	GString *text;
	bool pretty;
	bool after_key;
	bool has_member; /* of the innermost open container */
	GArray *open;    /* of bool: has_member of the containers around it */
};

/* jansson limits its depth at 2048 when it is compiled: ours is checked on the text, before it
 * builds anything. Strings are skipped; malformed text is left to the parser. */
static bool is_too_deep(const char *text, size_t length)
{
	size_t depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > USHER_JSON_MAX_DEPTH)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

UsherJson *usher_json_parse(const char *text, size_t length, GError **error)
{
	if (is_too_deep(text, length)) {
		usher_error_set(error, USHER_ERROR_INVALID, "JSON is nested deeper than %d levels",
			USHER_JSON_MAX_DEPTH);
		return NULL;
	}
	json_error_t problem;
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
	if (json == NULL)
		usher_error_set(error, USHER_ERROR_INVALID, "JSON, line %d, column %d: %s",
			problem.line, problem.column, problem.text);
	return json;
}

/* jansson counts references atomically where the compiler can, also through const. */
UsherJson *usher_json_ref(const UsherJson *json)
{
	union {
		const json_t *constant;
		json_t *counted;
	} value = { .constant = json };
	return json_incref(value.counted);
}

void usher_json_unref(UsherJson *json)
{
	json_decref(json);
}

UsherJsonType usher_json_type(const UsherJson *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return USHER_JSON_OBJECT;
	case JSON_ARRAY:
		return USHER_JSON_ARRAY;
	case JSON_STRING:
		return USHER_JSON_STRING;
	case JSON_INTEGER:
		return USHER_JSON_INT;
	case JSON_REAL:
		return USHER_JSON_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return USHER_JSON_BOOL;
	case JSON_NULL:
		return USHER_JSON_NULL;
	}
	g_assert_not_reached();
}

const char *usher_json_type_name(UsherJsonType type)
{
	static const char *const names[] = {
		[USHER_JSON_NULL] = "null",
		[USHER_JSON_BOOL] = "true or false",
		[USHER_JSON_INT] = "a number",
		[USHER_JSON_REAL] = "a fraction",
		[USHER_JSON_STRING] = "a text",
		[USHER_JSON_ARRAY] = "an array",
		[USHER_JSON_OBJECT] = "an object",
	};
	g_assert(type < G_N_ELEMENTS(names));
	return names[type];
}

bool usher_json_equal(const UsherJson *one, const UsherJson *other)
{
	return json_equal(one, other) == 1;
}

const UsherJson *usher_json_get(const UsherJson *object, const char *key)
{
	return json_object_get(object, key);
}

size_t usher_json_length(const UsherJson *array)
{
	return json_array_size(array);
}

const UsherJson *usher_json_at(const UsherJson *array, size_t index)
{
	return json_array_get(array, index);
}

bool usher_json_next(const UsherJson *object, const char **key, const UsherJson **out_value)
{
	g_autoptr(UsherJson) counted = usher_json_ref(object);
	void *at = *key == NULL ? json_object_iter(counted)
				: json_object_iter_next(counted, json_object_key_to_iter(*key));
	if (at == NULL)
		return false;
	*key = json_object_iter_key(at);
	*out_value = json_object_iter_value(at);
	return true;
}

const char *usher_json_string(const UsherJson *json)
{
	return json_string_value(json);
}

int64_t usher_json_int(const UsherJson *json)
{
	return (int64_t) json_integer_value(json);
}

bool usher_json_bool(const UsherJson *json)
{
	return json_is_true(json);
}

const char *usher_json_get_string(const UsherJson *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t usher_json_get_int(const UsherJson *object, const char *key, int64_t fallback)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? (int64_t) json_integer_value(value) : fallback;
}

bool usher_json_get_bool(const UsherJson *object, const char *key, bool fallback)
{
	const json_t *value = json_object_get(object, key);
	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

UsherJsonWriter *usher_json_writer_new(bool pretty)
{
	UsherJsonWriter *writer = g_new0(UsherJsonWriter, 1);
	writer->text = g_string_new(NULL);
	writer->pretty = pretty;
	writer->open = g_array_new(FALSE, FALSE, sizeof(bool));
	return writer;
}

void usher_json_writer_free(UsherJsonWriter *writer)
{
	if (writer == NULL)
		return;
	if (writer->text != NULL)
		g_string_free(writer->text, TRUE);
	g_array_unref(writer->open);
	g_free(writer);
}

char *usher_json_writer_finish(UsherJsonWriter *writer)
{
	g_assert(writer->open->len == 0 && !writer->after_key);
	char *text = g_string_free(g_steal_pointer(&writer->text), FALSE);
	usher_json_writer_free(writer);
	return text;
}

static void begin_line(UsherJsonWriter *writer)
{
	if (!writer->pretty || writer->open->len == 0)
		return;
	g_string_append_c(writer->text, '\n');
	for (unsigned i = 0; i < writer->open->len; i++)
		g_string_append(writer->text, "  ");
}

static void begin_value(UsherJsonWriter *writer)
{
	if (!writer->after_key) {
		if (writer->has_member)
			g_string_append_c(writer->text, ',');
		begin_line(writer);
	}
	writer->after_key = false;
	writer->has_member = true;
}

static void begin_container(UsherJsonWriter *writer, char bracket)
{
	begin_value(writer);
	g_string_append_c(writer->text, bracket);
	g_array_append_val(writer->open, writer->has_member);
	writer->has_member = false;
}

static void end_container(UsherJsonWriter *writer, char bracket)
{
	g_assert(writer->open->len > 0 && !writer->after_key);
	bool had_member = writer->has_member;
	writer->has_member = g_array_index(writer->open, bool, writer->open->len - 1);
	g_array_set_size(writer->open, writer->open->len - 1);
	if (had_member && writer->pretty) {
		g_string_append_c(writer->text, '\n');
		for (unsigned i = 0; i < writer->open->len; i++)
			g_string_append(writer->text, "  ");
	}
	g_string_append_c(writer->text, bracket);
}

void usher_json_begin_object(UsherJsonWriter *writer)
{
	begin_container(writer, '{');
}

void usher_json_end_object(UsherJsonWriter *writer)
{
	end_container(writer, '}');
}

void usher_json_begin_array(UsherJsonWriter *writer)
{
	begin_container(writer, '[');
}

void usher_json_end_array(UsherJsonWriter *writer)
{
	end_container(writer, ']');
}

static void append_quoted(GString *text, const char *value)
{
	g_string_append_c(text, '"');
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			g_string_append_printf(text, "\\%c", *c);
		else if ((unsigned char) *c < 0x20)
			g_string_append_printf(text, "\\u%04x", (unsigned char) *c);
		else
			g_string_append_c(text, *c);
	}
	g_string_append_c(text, '"');
}

void usher_json_key(UsherJsonWriter *writer, const char *key)
{
	g_assert(!writer->after_key && writer->open->len > 0);
	begin_value(writer);
	append_quoted(writer->text, key);
	g_string_append(writer->text, writer->pretty ? ": " : ":");
	writer->after_key = true;
}

void usher_json_write_string(UsherJsonWriter *writer, const char *value)
{
	begin_value(writer);
	if (value == NULL) {
		g_string_append(writer->text, "null");
		return;
	}
	/* What hardware and guests call themselves need not be UTF-8; JSON must be. */
	g_autofree char *valid =
		g_utf8_validate(value, -1, NULL) ? NULL : g_utf8_make_valid(value, -1);
	append_quoted(writer->text, valid != NULL ? valid : value);
}

void usher_json_write_int(UsherJsonWriter *writer, int64_t value)
{
	begin_value(writer);
	g_string_append_printf(writer->text, "%" G_GINT64_FORMAT, value);
}

void usher_json_write_bool(UsherJsonWriter *writer, bool value)
{
	begin_value(writer);
	g_string_append(writer->text, value ? "true" : "false");
}

void usher_json_write_null(UsherJsonWriter *writer)
{
	begin_value(writer);
	g_string_append(writer->text, "null");
}

static void write_members(UsherJsonWriter *writer, const UsherJson *value)
{
	g_autoptr(UsherJson) object = usher_json_ref(value);
	const char *key;
	json_t *member;
	json_object_foreach(object, key, member)
	{
		usher_json_key(writer, key);
		usher_json_write_value(writer, member);
	}
}

void usher_json_write_value(UsherJsonWriter *writer, const UsherJson *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		usher_json_begin_object(writer);
		write_members(writer, value);
		usher_json_end_object(writer);
		return;
	case JSON_ARRAY:
		usher_json_begin_array(writer);
		for (size_t i = 0; i < json_array_size(value); i++)
			usher_json_write_value(writer, json_array_get(value, i));
		usher_json_end_array(writer);
		return;
	case JSON_STRING:
		usher_json_write_string(writer, json_string_value(value));
		return;
	case JSON_INTEGER:
		usher_json_write_int(writer, (int64_t) json_integer_value(value));
		return;
	case JSON_REAL: {
		char number[G_ASCII_DTOSTR_BUF_SIZE];
		begin_value(writer);
		g_string_append(writer->text,
			g_ascii_dtostr(number, sizeof number, json_real_value(value)));
		/* 1.0 is printed as 1, which would be read as another type. */
		if (strpbrk(number, ".e") == NULL)
			g_string_append(writer->text, ".0");
		return;
	}
	case JSON_TRUE:
	case JSON_FALSE:
		usher_json_write_bool(writer, json_is_true(value));
		return;
	case JSON_NULL:
		usher_json_write_null(writer);
		return;
	}
	g_assert_not_reached();
}

void usher_json_put_string(UsherJsonWriter *writer, const char *key, const char *value)
{
	usher_json_key(writer, key);
	usher_json_write_string(writer, value);
}

void usher_json_put_int(UsherJsonWriter *writer, const char *key, int64_t value)
{
	usher_json_key(writer, key);
	usher_json_write_int(writer, value);
}

void usher_json_put_bool(UsherJsonWriter *writer, const char *key, bool value)
{
	usher_json_key(writer, key);
	usher_json_write_bool(writer, value);
}
