/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Errors: one GError domain whose few codes tell the caller what it can do, a sentence for the
 * operator, and where it helps the object it is about and a hint. Any thread may use it.
 */
#include <glib.h>
#include <stdbool.h>

typedef enum {
	USHER_ERROR_INVALID,     /* what was asked makes no sense: ask differently */
	USHER_ERROR_NOT_FOUND,   /* the named thing does not exist */
	USHER_ERROR_CONFLICT,    /* somebody else has it, or it changed meanwhile */
	USHER_ERROR_DENIED,      /* not allowed, or refused by the guard */
	USHER_ERROR_BUSY,        /* in use right now */
	USHER_ERROR_HOST,        /* the kernel or the hypervisor refused */
	USHER_ERROR_UNAVAILABLE, /* try later */
	USHER_ERROR_INTERNAL,    /* our fault */
	USHER_ERROR_N_CODES,
} UsherErrorCode;

#define USHER_ERROR usher_error_quark()
GQuark usher_error_quark(void);

void usher_error_set(GError **error, UsherErrorCode code, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* The sentence is followed by what errnum means and its name: "…: Device or resource busy (EBUSY)". */
void usher_error_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The object ("vm/win11") and the hint (a runnable command) of an error; NULL where it has none or
 * is of another domain. The setters copy and do nothing when error is NULL. */
const char *usher_error_object(const GError *error);
const char *usher_error_hint(const GError *error);
void usher_error_set_object(GError *error, const char *object);
void usher_error_set_hint(GError *error, const char *hint);

/* The errno that usher_error_errno was given, 0: none. */
int usher_error_errnum(const GError *error);

/* Codes of other domains read as INTERNAL. */
UsherErrorCode usher_error_code(const GError *error);
const char *usher_error_code_name(UsherErrorCode code);
unsigned usher_error_code_http(UsherErrorCode code);
/* False when no code has that name. */
bool usher_error_code_parse(const char *name, UsherErrorCode *out_code);
