/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Records: a struct described by a table of its fields, so that reading it from JSON, writing,
 * copying and freeing it are one piece of code. Reading is strict: unknown fields, wrong types and
 * missing required fields are INVALID and named by their path ("requests[1].count").
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

typedef enum {
	USHER_FIELD_STRING, /* char *, NULL is null */
	USHER_FIELD_INT,    /* int64_t; with NULLABLE, USHER_INT_NULL is null and the start value */
	USHER_FIELD_BOOL,   /* bool */
	USHER_FIELD_TIME,   /* int64_t, microseconds since 1970 UTC, 0 is null; RFC 3339 in JSON */
	USHER_FIELD_ENUM,   /* unsigned, an index into names; with NULLABLE, names[0] is null */
	USHER_FIELD_STRINGS, /* GPtrArray * of char *, never NULL in a record made by this module */
	USHER_FIELD_RECORD,  /* struct *, NULL is null */
	USHER_FIELD_RECORDS, /* GPtrArray * of struct *, never NULL likewise */
	USHER_FIELD_KEYED, /* the same array; in JSON an object keyed by the records' first field */
	USHER_FIELD_JSON,  /* UsherJson *, NULL is null; any value */
} UsherFieldType;

enum {
	USHER_FIELD_REQUIRED = 1 << 0, /* must be in what is read, and not null */
	USHER_FIELD_NULLABLE = 1 << 1, /* int; enum: the first name stands for null */
	USHER_FIELD_OMIT = 1 << 2,     /* not written when it is null, empty, zero or false */
};

#define USHER_INT_NULL INT64_MIN

typedef struct UsherRecordType UsherRecordType;

typedef struct UsherField {
	const char *name;
	UsherFieldType type;
	size_t offset;
	unsigned flags;
	const char *const *names; /* enum: ends with NULL */
	const UsherRecordType *record;
} UsherField;

struct UsherRecordType {
	const char *name; /* of the object, for errors: "lease" */
	size_t size;
	const UsherField *fields; /* ends with a field without a name */
	GDestroyNotify free;      /* frees one record: usher_record_free bound to this type */
};

/* Zeroed, its arrays empty. */
void *usher_record_new(const UsherRecordType *type);
void *usher_record_read(const UsherRecordType *type, const UsherJson *json, GError **error);
void *usher_record_parse(const UsherRecordType *type, const char *text, GError **error);
void usher_record_write(const UsherRecordType *type, const void *record, UsherJsonWriter *writer);
/* The members alone, for an object that has others too. */
void usher_record_write_members(
	const UsherRecordType *type, const void *record, UsherJsonWriter *writer);
char *usher_record_print(const UsherRecordType *type, const void *record);
void *usher_record_dup(const UsherRecordType *type, const void *record);
void usher_record_free(const UsherRecordType *type, void *record);

/* Boilerplate of a record type in a header and in its file. */
#define USHER_RECORD_DECLARE(Type, prefix) \
	extern const UsherRecordType prefix##_type; \
	Type *prefix##_new(void); \
	Type *prefix##_dup(const Type *record); \
	void prefix##_free(Type *record); \
	G_DEFINE_AUTOPTR_CLEANUP_FUNC(Type, prefix##_free)

#define USHER_RECORD_DEFINE(Type, prefix, json_name, field_table) \
	static void prefix##_free_any(void *record) \
	{ \
		usher_record_free(&prefix##_type, record); \
	} \
	const UsherRecordType prefix##_type = { json_name, sizeof(Type), field_table, \
		prefix##_free_any }; \
	Type *prefix##_new(void) \
	{ \
		return usher_record_new(&prefix##_type); \
	} \
	Type *prefix##_dup(const Type *record) \
	{ \
		return usher_record_dup(&prefix##_type, record); \
	} \
	void prefix##_free(Type *record) \
	{ \
		usher_record_free(&prefix##_type, record); \
	}
