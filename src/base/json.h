/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * JSON: a strict reader (limits, no doubled keys, no trailing text) over jansson, and a writer over
 * GString that keeps the order in which it is called. Values read are immutable and counted; they
 * may be shared by threads. Nothing here touches a file.
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USHER_JSON_MAX_DEPTH 64

typedef struct json_t UsherJson;

typedef enum {
	USHER_JSON_NULL,
	USHER_JSON_BOOL,
	USHER_JSON_INT,
	USHER_JSON_REAL,
	USHER_JSON_STRING,
	USHER_JSON_ARRAY,
	USHER_JSON_OBJECT,
} UsherJsonType;

/* INVALID with line and column; deeper than USHER_JSON_MAX_DEPTH and doubled keys are refused. */
UsherJson *usher_json_parse(const char *text, size_t length, GError **error);
UsherJson *usher_json_ref(const UsherJson *json);
void usher_json_unref(UsherJson *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherJson, usher_json_unref)

UsherJsonType usher_json_type(const UsherJson *json);
const char *usher_json_type_name(UsherJsonType type);
bool usher_json_equal(const UsherJson *one, const UsherJson *other);

/* Members: NULL when the value is no object or lacks the key. */
const UsherJson *usher_json_get(const UsherJson *object, const char *key);
size_t usher_json_length(const UsherJson *array);
const UsherJson *usher_json_at(const UsherJson *array, size_t index);
/* Iterates an object in the order of its text: false at the end. *key begins as NULL. */
bool usher_json_next(const UsherJson *object, const char **key, const UsherJson **out_value);

/* Values; the short forms give the fallback when the member is absent or of another type. */
const char *usher_json_string(const UsherJson *json);
int64_t usher_json_int(const UsherJson *json);
bool usher_json_bool(const UsherJson *json);
const char *usher_json_get_string(const UsherJson *object, const char *key);
int64_t usher_json_get_int(const UsherJson *object, const char *key, int64_t fallback);
bool usher_json_get_bool(const UsherJson *object, const char *key, bool fallback);

/* Writer: commas and indentation are its own. A key belongs to the value that follows it. */
typedef struct UsherJsonWriter UsherJsonWriter;
UsherJsonWriter *usher_json_writer_new(bool pretty);
void usher_json_writer_free(UsherJsonWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherJsonWriter, usher_json_writer_free)
/* Frees the writer, gives its text; every object and array must be closed. */
char *usher_json_writer_finish(UsherJsonWriter *writer);

void usher_json_begin_object(UsherJsonWriter *writer);
void usher_json_end_object(UsherJsonWriter *writer);
void usher_json_begin_array(UsherJsonWriter *writer);
void usher_json_end_array(UsherJsonWriter *writer);
void usher_json_key(UsherJsonWriter *writer, const char *key);
void usher_json_write_string(UsherJsonWriter *writer, const char *value); /* NULL writes null */
void usher_json_write_int(UsherJsonWriter *writer, int64_t value);
void usher_json_write_bool(UsherJsonWriter *writer, bool value);
void usher_json_write_null(UsherJsonWriter *writer);
void usher_json_write_value(UsherJsonWriter *writer, const UsherJson *value);
/* key and value at once */
void usher_json_put_string(UsherJsonWriter *writer, const char *key, const char *value);
void usher_json_put_int(UsherJsonWriter *writer, const char *key, int64_t value);
void usher_json_put_bool(UsherJsonWriter *writer, const char *key, bool value);
