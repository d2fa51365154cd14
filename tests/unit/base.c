/* SPDX-License-Identifier: Apache-2.0 */
/* The base room: errors, texts, JSON, records, tables, files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/record.h"
#include "base/table.h"
#include "base/text.h"

static void assert_problem(GError **error, UsherErrorCode code, const char *part)
{
	g_assert_nonnull(*error);
	g_assert_cmpstr(
		usher_error_code_name(usher_error_code(*error)), ==, usher_error_code_name(code));
	if (strstr((*error)->message, part) == NULL)
		g_error("'%s' is not in '%s'", part, (*error)->message);
	g_clear_error(error);
}

static void test_error_codes(void)
{
	for (unsigned i = 0; i < USHER_ERROR_N_CODES; i++) {
		UsherErrorCode code;
		g_assert_true(usher_error_code_parse(usher_error_code_name(i), &code));
		g_assert_cmpuint(code, ==, i);
		g_assert_cmpuint(usher_error_code_http(i), >=, 400);
	}
	UsherErrorCode code = USHER_ERROR_BUSY;
	g_assert_false(usher_error_code_parse("teapot", &code));
	g_assert_cmpuint(code, ==, USHER_ERROR_BUSY);
}

static void test_error_errno(void)
{
	static const struct {
		int errnum;
		UsherErrorCode code;
		const char *text;
	} rows[] = {
		{ EBUSY, USHER_ERROR_BUSY, "bind x: Device or resource busy (EBUSY)" },
		{ ENODEV, USHER_ERROR_NOT_FOUND, "bind x: No such device (ENODEV)" },
		{ EACCES, USHER_ERROR_DENIED, "(EACCES)" },
		{ ETIMEDOUT, USHER_ERROR_UNAVAILABLE, "(ETIMEDOUT)" },
		{ EIO, USHER_ERROR_HOST, "(EIO)" },
		{ 4095, USHER_ERROR_HOST, "(?)" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		usher_error_errno(&error, rows[i].errnum, "bind %s", "x");
		assert_problem(&error, rows[i].code, rows[i].text);
	}
	usher_error_errno(NULL, EIO, "nobody listens");
}

static void test_error_details(void)
{
	g_autoptr(GError) error = NULL;
	usher_error_set(&error, USHER_ERROR_BUSY, "it is %s", "taken");
	g_assert_null(usher_error_object(error));
	usher_error_set_object(error, "vm/win11");
	usher_error_set_hint(error, "usher vm stop win11");
	g_prefix_error(&error, "start: ");
	g_autoptr(GError) copy = g_error_copy(error);
	g_assert_cmpstr(copy->message, ==, "start: it is taken");
	g_assert_cmpstr(usher_error_object(copy), ==, "vm/win11");
	g_assert_cmpstr(usher_error_hint(copy), ==, "usher vm stop win11");
	usher_error_set_hint(copy, NULL);
	g_assert_null(usher_error_hint(copy));

	g_autoptr(GError) other = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "gone");
	g_assert_cmpuint(usher_error_code(other), ==, USHER_ERROR_INTERNAL);
	usher_error_set_object(other, "vm/win11");
	g_assert_null(usher_error_object(other));
	usher_error_set_object(NULL, "vm/win11");
}

static void test_text_numbers(void)
{
	uint32_t value = 7;
	uint64_t wide;
	g_autoptr(GError) error = NULL;
	g_assert_true(usher_text_parse_u32("255", 255, &value, &error));
	g_assert_cmpuint(value, ==, 255);
	static const char *const bad[] = { "", "256", "-1", "+1", " 1", "1 ", "0x1", "1a",
		"99999999999999999999" };
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_false(usher_text_parse_u32(bad[i], 255, &value, &error));
		assert_problem(&error, USHER_ERROR_INVALID, bad[i]);
		g_assert_cmpuint(value, ==, 255);
	}
	g_assert_true(usher_text_parse_hex("0x8086", 0xffff, &wide, &error));
	g_assert_cmpuint(wide, ==, 0x8086);
	g_assert_true(usher_text_parse_hex("10dE", 0xffff, &wide, &error));
	g_assert_cmpuint(wide, ==, 0x10de);
	g_assert_true(usher_text_parse_u64("18446744073709551615", UINT64_MAX, &wide, &error));
	g_assert_cmpuint(wide, ==, UINT64_MAX);
	g_assert_false(usher_text_parse_hex("10000", 0xffff, &wide, NULL));
	g_assert_false(usher_text_parse_hex("0x", 0xffff, &wide, NULL));
	g_assert_false(usher_text_parse_hex("xyz", 0xffff, &wide, NULL));
}

static void test_text_names(void)
{
	static const char *const good[] = { "a", "0", "n1", "gpu-pool", "node.example.org",
		"a--b" };
	static const char *const bad[] = { "", "-a", "a-", ".a", "a.", "A", "a_b", "a b", "ä",
		"a/b" };
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_true(usher_text_is_name(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(usher_text_is_name(bad[i]));
	g_autofree char *longest = g_strnfill(USHER_NAME_MAX, 'a');
	g_autofree char *too_long = g_strnfill(USHER_NAME_MAX + 1, 'a');
	g_assert_true(usher_text_is_name(longest));
	g_assert_false(usher_text_is_name(too_long));
}

static void test_text_times(void)
{
	int64_t time;
	g_autoptr(GError) error = NULL;
	g_assert_true(usher_text_parse_time("2026-01-31T12:00:00.250Z", &time, &error));
	g_assert_cmpint(time, ==, INT64_C(1769860800250000));
	g_autofree char *text = usher_text_print_time(time);
	g_assert_cmpstr(text, ==, "2026-01-31T12:00:00.250Z");
	static const char *const bad[] = { "", "2026-01-31", "2026-01-31T12:00:00",
		"2026-01-31T12:00:00+01:00", "2026-13-31T12:00:00Z", "yesterday" };
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_false(usher_text_parse_time(bad[i], &time, &error));
		assert_problem(&error, USHER_ERROR_INVALID, "is no time like");
	}
}

static void test_text_lists(void)
{
	static const char *const words[] = { "one", "two", "three", NULL };
	static const char *const none[] = { NULL };
	g_autofree char *joined = usher_text_join(words, ", ");
	g_assert_cmpstr(joined, ==, "one, two, three");
	g_autofree char *empty = usher_text_join(none, ", ");
	g_assert_cmpstr(empty, ==, "");
	g_autoptr(GPtrArray) array = g_ptr_array_new();
	g_ptr_array_add(array, (void *) (uintptr_t) words[0]);
	g_ptr_array_add(array, (void *) (uintptr_t) words[1]);
	g_autofree char *pair = usher_text_join_array(array, " and ");
	g_assert_cmpstr(pair, ==, "one and two");
}

static void test_text_nearest(void)
{
	static const char *const words[] = { "vendor", "device", "driver", "slot", NULL };
	g_assert_cmpstr(usher_text_nearest("vendr", words), ==, "vendor");
	g_assert_cmpstr(usher_text_nearest("drivers", words), ==, "driver");
	g_assert_cmpstr(usher_text_nearest("slto", words), ==, "slot");
	g_assert_null(usher_text_nearest("temperature", words));
	g_assert_null(usher_text_nearest("", words));
	g_autofree char *huge = g_strnfill(100000, 'v');
	g_assert_null(usher_text_nearest(huge, words));
}

static void test_text_random(void)
{
	static const uint8_t bytes[] = { 0, 25, 26, 31, 32, 255 };
	g_autofree char *text = usher_text_from_random(bytes, sizeof bytes);
	g_assert_cmpstr(text, ==, "az27a7");
}

typedef struct BadRow {
	const char *text;
	const char *part;
} BadRow;

static void test_json_refuses(void)
{
	static const BadRow rows[] = {
		{ "", "line 1, column 0" },
		{ "{", "line 1" },
		{ "{}x", "line 1, column 3" },
		{ "{} {}", "line 1, column 4" },
		{ "{\n\"a\": 1,\n\"a\": 2}", "line 3" },
		{ "[1,]", "line 1" },
		{ "{\"a\":\"\xff\"}", "line 1" },
		{ "\"a\\u0000b\"", "line 1" },
		{ "[1e999]", "line 1" },
		{ "[99999999999999999999]", "line 1" },
		{ "nul", "line 1" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(usher_json_parse(rows[i].text, strlen(rows[i].text), &error));
		assert_problem(&error, USHER_ERROR_INVALID, rows[i].part);
	}
}

static char *nested(size_t depth)
{
	GString *text = g_string_new(NULL);
	for (size_t i = 0; i < depth; i++)
		g_string_append_c(text, '[');
	g_string_append(text, "\"]]]\\\"[[[\"");
	for (size_t i = 0; i < depth; i++)
		g_string_append_c(text, ']');
	return g_string_free(text, FALSE);
}

static void test_json_depth(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *deepest = nested(USHER_JSON_MAX_DEPTH);
	g_autoptr(UsherJson) json = usher_json_parse(deepest, strlen(deepest), &error);
	g_assert_no_error(error);
	g_assert_nonnull(json);
	g_autofree char *deeper = nested(USHER_JSON_MAX_DEPTH + 1);
	g_assert_null(usher_json_parse(deeper, strlen(deeper), &error));
	assert_problem(&error, USHER_ERROR_INVALID, "deeper than 64");
	g_autofree char *absurd = nested(100000);
	g_assert_null(usher_json_parse(absurd, strlen(absurd), &error));
	assert_problem(&error, USHER_ERROR_INVALID, "deeper than 64");
}

static void test_json_reads(void)
{
	static const char text[] = "{\"b\":[1,\"two\",null,2.5],\"a\":true,\"n\":-7}";
	g_autoptr(UsherJson) json = usher_json_parse(text, strlen(text), NULL);
	g_assert_nonnull(json);
	const UsherJson *list = usher_json_get(json, "b");
	g_assert_cmpuint(usher_json_length(list), ==, 4);
	g_assert_cmpint(usher_json_int(usher_json_at(list, 0)), ==, 1);
	g_assert_cmpstr(usher_json_string(usher_json_at(list, 1)), ==, "two");
	g_assert_cmpuint(usher_json_type(usher_json_at(list, 2)), ==, USHER_JSON_NULL);
	g_assert_cmpuint(usher_json_type(usher_json_at(list, 3)), ==, USHER_JSON_REAL);
	g_assert_null(usher_json_at(list, 4));
	g_assert_null(usher_json_get(json, "zz"));
	g_assert_null(usher_json_get(list, "a"));
	g_assert_true(usher_json_get_bool(json, "a", false));
	g_assert_true(usher_json_get_bool(json, "n", true));
	g_assert_cmpint(usher_json_get_int(json, "n", 0), ==, -7);
	g_assert_cmpint(usher_json_get_int(json, "a", 5), ==, 5);
	g_assert_null(usher_json_get_string(json, "n"));
	g_autoptr(GString) keys = g_string_new(NULL);
	const char *key = NULL;
	const UsherJson *value;
	while (usher_json_next(json, &key, &value))
		g_string_append(keys, key);
	g_assert_cmpstr(keys->str, ==, "ban");
}

static void test_json_round_trip(void)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"null",
		"true",
		"\"\"",
		"-9223372036854775808",
		"9223372036854775807",
		"{\"b\":[1,{\"x\":null}],\"a\":\"ä\\\"\\\\\\u000a\"}",
		"2.5",
		"[1.0,-0.0,1e300]",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(UsherJson) json = usher_json_parse(texts[i], strlen(texts[i]), NULL);
		g_assert_nonnull(json);
		for (unsigned pretty = 0; pretty < 2; pretty++) {
			UsherJsonWriter *writer = usher_json_writer_new(pretty != 0);
			usher_json_write_value(writer, json);
			g_autofree char *written = usher_json_writer_finish(writer);
			g_autoptr(UsherJson) again =
				usher_json_parse(written, strlen(written), NULL);
			g_assert_nonnull(again);
			g_assert_true(usher_json_equal(json, again));
		}
	}
}

static void test_json_writes(void)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "name", "a\tb\"\\");
	usher_json_put_string(writer, "none", NULL);
	usher_json_put_string(writer, "bytes", "\xff!");
	usher_json_put_int(writer, "n", -3);
	usher_json_put_bool(writer, "on", false);
	usher_json_key(writer, "list");
	usher_json_begin_array(writer);
	usher_json_write_int(writer, 1);
	usher_json_begin_object(writer);
	usher_json_end_object(writer);
	usher_json_end_array(writer);
	usher_json_key(writer, "empty");
	usher_json_begin_array(writer);
	usher_json_end_array(writer);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_assert_cmpstr(text, ==,
		"{\n"
		"  \"name\": \"a\\u0009b\\\"\\\\\",\n"
		"  \"none\": null,\n"
		"  \"bytes\": \"\xef\xbf\xbd!\",\n"
		"  \"n\": -3,\n"
		"  \"on\": false,\n"
		"  \"list\": [\n"
		"    1,\n"
		"    {}\n"
		"  ],\n"
		"  \"empty\": []\n"
		"}");
	g_autoptr(UsherJsonWriter) dropped = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_array(dropped);
}

typedef struct Leg {
	char *key;
	char *shoe;
	int64_t size;
} Leg;
USHER_RECORD_DECLARE(Leg, leg)

static const UsherField leg_fields[] = {
	{ "key", USHER_FIELD_STRING, offsetof(Leg, key) },
	{ "shoe", USHER_FIELD_STRING, offsetof(Leg, shoe), USHER_FIELD_REQUIRED },
	{ "size", USHER_FIELD_INT, offsetof(Leg, size) },
	{ NULL },
};
USHER_RECORD_DEFINE(Leg, leg, "leg", leg_fields)

typedef struct Animal {
	char *name;
	char *nick;
	int64_t age, weight;
	bool tame;
	int64_t born;
	unsigned kind, mood;
	GPtrArray *tags;
	Leg *best;
	GPtrArray *legs;
	GPtrArray *by_key;
	UsherJson *notes;
} Animal;
USHER_RECORD_DECLARE(Animal, animal)

static const char *const kinds[] = { "cat", "dog", NULL };
static const char *const moods[] = { "unknown", "glad", "sad", NULL };
static const UsherField animal_fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(Animal, name), USHER_FIELD_REQUIRED },
	{ "nick", USHER_FIELD_STRING, offsetof(Animal, nick), USHER_FIELD_OMIT },
	{ "age", USHER_FIELD_INT, offsetof(Animal, age) },
	{ "weight", USHER_FIELD_INT, offsetof(Animal, weight), USHER_FIELD_NULLABLE },
	{ "tame", USHER_FIELD_BOOL, offsetof(Animal, tame) },
	{ "born", USHER_FIELD_TIME, offsetof(Animal, born) },
	{ "kind", USHER_FIELD_ENUM, offsetof(Animal, kind), USHER_FIELD_REQUIRED, kinds },
	{ "mood", USHER_FIELD_ENUM, offsetof(Animal, mood), USHER_FIELD_NULLABLE, moods },
	{ "tags", USHER_FIELD_STRINGS, offsetof(Animal, tags), USHER_FIELD_OMIT },
	{ "best", USHER_FIELD_RECORD, offsetof(Animal, best), 0, NULL, &leg_type },
	{ "legs", USHER_FIELD_RECORDS, offsetof(Animal, legs), 0, NULL, &leg_type },
	{ "by_key", USHER_FIELD_KEYED, offsetof(Animal, by_key), 0, NULL, &leg_type },
	{ "notes", USHER_FIELD_JSON, offsetof(Animal, notes) },
	{ NULL },
};
USHER_RECORD_DEFINE(Animal, animal, "animal", animal_fields)

static const char whole_animal[] =
	"{\"name\":\"tom\",\"nick\":\"t\",\"age\":3,\"weight\":4,\"tame\":true,"
	"\"born\":\"2026-01-31T12:00:00.000Z\",\"kind\":\"dog\",\"mood\":\"sad\",\"tags\":[\"a\","
	"\"b\"],"
	"\"best\":{\"key\":null,\"shoe\":\"x\",\"size\":1},"
	"\"legs\":[{\"key\":\"l\",\"shoe\":\"y\",\"size\":0}],"
	"\"by_key\":{\"0000:01:00.0\":{\"shoe\":\"z\",\"size\":2}},\"notes\":{\"any\":[1]}}";

static void test_record_round_trip(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Animal) animal = usher_record_parse(&animal_type, whole_animal, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(animal->tags->len, ==, 2);
	g_assert_cmpstr(animal->tags->pdata[1], ==, "b");
	const Leg *keyed = animal->by_key->pdata[0];
	g_assert_cmpstr(keyed->key, ==, "0000:01:00.0");
	g_assert_cmpstr(keyed->shoe, ==, "z");
	g_autoptr(Animal) copy = animal_dup(animal);
	g_autofree char *text = usher_record_print(&animal_type, copy);
	g_assert_cmpstr(text, ==, whole_animal);
}

static void test_record_nulls(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Animal) animal = usher_record_parse(&animal_type,
		"{\"name\":\"tom\",\"kind\":\"cat\",\"weight\":null,\"best\":null,\"age\":null}",
		&error);
	g_assert_no_error(error);
	g_assert_cmpint(animal->weight, ==, USHER_INT_NULL);
	g_assert_cmpint(animal->age, ==, 0);
	g_assert_cmpuint(animal->mood, ==, 0);
	g_assert_cmpuint(animal->legs->len, ==, 0);
	g_autofree char *text = usher_record_print(&animal_type, animal);
	g_assert_cmpstr(text, ==,
		"{\"name\":\"tom\",\"age\":0,\"weight\":null,\"tame\":false,\"born\":null,"
		"\"kind\":\"cat\",\"mood\":null,\"best\":null,\"legs\":[],\"by_key\":{},\"notes\":"
		"null}");
	animal_free(NULL);
}

static void test_record_refuses(void)
{
	static const BadRow rows[] = {
		{ "[]", "must be an object, is an array" },
		{ "{\"kind\":\"cat\"}", "name: is missing (in: animal)" },
		{ "{\"name\":null,\"kind\":\"cat\"}", "name: must be a text, is null" },
		{ "{\"name\":\"t\",\"kind\":\"cow\"}", "kind: 'cow' is none of: cat, dog" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"mood\":\"unknown\"}",
			"mood: 'unknown' is none of: glad, sad" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"wings\":2}",
			"wings: there is no such field (in: animal)" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"age\":2.5}",
			"age: must be a number, is a fraction" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"tame\":1}",
			"tame: must be true or false, is a number" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"born\":\"now\"}", "born: 'now' is no time" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"tags\":{}}",
			"tags: must be an array, is an object" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"tags\":[\"a\",1]}",
			"tags[1]: must be a text" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"legs\":[{\"shoe\":\"a\"},{\"shoe\":1}]}",
			"legs[1].shoe: must be a text" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"best\":{}}",
			"best.shoe: is missing (in: leg)" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"by_key\":[]}", "by_key: must be an object" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"by_key\":{\"k\":{}}}",
			"by_key.k.shoe: is missing" },
		{ "{\"name\":\"t\",\"kind\":\"cat\",\"by_key\":{\"k\":{\"shoe\":\"a\",\"key\":"
		  "\"k\"}}}",
			"key: there is no such field" },
		{ "{\"name\":", "JSON, line 1" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(usher_record_parse(&animal_type, rows[i].text, &error));
		assert_problem(&error, USHER_ERROR_INVALID, rows[i].part);
		g_assert_null(usher_record_parse(&animal_type, rows[i].text, NULL));
	}
}

static void test_table(void)
{
	static const char *const headers[] = { "NAME", "STATE", "WHY", NULL };
	static const char *const first[] = { "käse", NULL, "it is", NULL };
	static const char *const second[] = { "n", "ready", "", NULL };
	g_autoptr(UsherTable) table = usher_table_new(headers);
	usher_table_add(table, first);
	usher_table_add(table, second);
	g_autofree char *text = usher_table_print(table);
	g_assert_cmpstr(text, ==,
		"NAME  STATE  WHY\n"
		"käse  -      it is\n"
		"n     ready  -\n");
	usher_table_free(NULL);
}

static char *make_folder(void)
{
	GError *error = NULL;
	char *folder = g_dir_make_tmp("usher-base-XXXXXX", &error);
	g_assert_no_error(error);
	return folder;
}

static void test_file_replace(void)
{
	g_autofree char *folder = make_folder();
	g_autofree char *path = g_build_filename(folder, "file", NULL);
	g_autoptr(GError) error = NULL;
	static const char *const texts[] = { "old\n", "", "newer and longer\n" };
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_assert_true(usher_file_replace(path, texts[i], strlen(texts[i]), 0600, &error));
		g_autofree char *text = NULL;
		g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
		g_assert_cmpstr(text, ==, texts[i]);
	}
	struct stat info;
	g_assert_cmpint(stat(path, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0600);

	g_autofree char *read = usher_file_read(AT_FDCWD, path, &error);
	g_assert_cmpstr(read, ==, "newer and longer");

	g_autofree char *lost = g_build_filename(folder, "no", "file", NULL);
	g_assert_false(usher_file_replace(lost, "x", 1, 0600, &error));
	assert_problem(&error, USHER_ERROR_NOT_FOUND, lost);
	/* A folder in the way: the old stays and no temporary file is left. */
	g_autofree char *blocked = g_build_filename(folder, "blocked", NULL);
	g_assert_true(usher_folder_make(blocked, 0700, &error));
	g_assert_false(usher_file_replace(blocked, "x", 1, 0600, &error));
	assert_problem(&error, USHER_ERROR_HOST, blocked);
	g_autofree char *left = g_strconcat(blocked, ".new", NULL);
	g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));

	g_assert_cmpint(g_rmdir(blocked), ==, 0);
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_file_read(void)
{
	g_autofree char *folder = make_folder();
	g_autofree char *path = g_build_filename(folder, "big", NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *big = g_strnfill(64 * 1024 + 1, 'x');
	g_assert_true(usher_file_replace(path, big, 64 * 1024, 0600, &error));
	g_autofree char *text = usher_file_read(AT_FDCWD, path, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(strlen(text), ==, 64 * 1024);
	g_assert_true(usher_file_replace(path, big, 64 * 1024 + 1, 0600, &error));
	g_assert_null(usher_file_read(AT_FDCWD, path, &error));
	assert_problem(&error, USHER_ERROR_INVALID, "larger than 64 KiB");
	g_assert_null(usher_file_read(AT_FDCWD, folder, &error));
	assert_problem(&error, USHER_ERROR_HOST, "EISDIR");
	g_assert_null(usher_link_read(AT_FDCWD, path, &error));
	assert_problem(&error, USHER_ERROR_HOST, "EINVAL");

	g_autofree char *link = g_build_filename(folder, "link", NULL);
	g_assert_cmpint(symlink("../over/there", link), ==, 0);
	g_autofree char *target = usher_link_read(AT_FDCWD, link, &error);
	g_assert_cmpstr(target, ==, "../over/there");
	g_assert_cmpint(g_unlink(link), ==, 0);
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/error/codes", test_error_codes);
	g_test_add_func("/base/error/errno", test_error_errno);
	g_test_add_func("/base/error/details", test_error_details);
	g_test_add_func("/base/text/numbers", test_text_numbers);
	g_test_add_func("/base/text/names", test_text_names);
	g_test_add_func("/base/text/times", test_text_times);
	g_test_add_func("/base/text/lists", test_text_lists);
	g_test_add_func("/base/text/nearest", test_text_nearest);
	g_test_add_func("/base/text/random", test_text_random);
	g_test_add_func("/base/json/refuses", test_json_refuses);
	g_test_add_func("/base/json/depth", test_json_depth);
	g_test_add_func("/base/json/reads", test_json_reads);
	g_test_add_func("/base/json/round-trip", test_json_round_trip);
	g_test_add_func("/base/json/writes", test_json_writes);
	g_test_add_func("/base/record/round-trip", test_record_round_trip);
	g_test_add_func("/base/record/nulls", test_record_nulls);
	g_test_add_func("/base/record/refuses", test_record_refuses);
	g_test_add_func("/base/table", test_table);
	g_test_add_func("/base/file/replace", test_file_replace);
	g_test_add_func("/base/file/read", test_file_read);
	return g_test_run();
}
