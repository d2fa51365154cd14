/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <string.h>

typedef struct UsherErrorPrivate {
	char *object;
	char *hint;
	int errnum;
} UsherErrorPrivate;

static const struct {
	const char *name;
	unsigned http;
} codes[USHER_ERROR_N_CODES] = {
	[USHER_ERROR_INVALID] = { "invalid", 400 },
	[USHER_ERROR_NOT_FOUND] = { "not-found", 404 },
	[USHER_ERROR_CONFLICT] = { "conflict", 409 },
	[USHER_ERROR_DENIED] = { "denied", 403 },
	[USHER_ERROR_BUSY] = { "busy", 423 },
	[USHER_ERROR_HOST] = { "host", 502 },
	[USHER_ERROR_UNAVAILABLE] = { "unavailable", 503 },
	[USHER_ERROR_INTERNAL] = { "internal", 500 },
};
G_STATIC_ASSERT(G_N_ELEMENTS(codes) == USHER_ERROR_N_CODES);

static void usher_error_private_init(UsherErrorPrivate *private)
{
	*private = (UsherErrorPrivate){ 0 };
}

static void usher_error_private_copy(const UsherErrorPrivate *from, UsherErrorPrivate *to)
{
	to->object = g_strdup(from->object);
	to->hint = g_strdup(from->hint);
	to->errnum = from->errnum;
}

static void usher_error_private_clear(UsherErrorPrivate *private)
{
	g_free(private->object);
	g_free(private->hint);
}

/* The macro writes gpointer casts that our warnings would refuse. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
static UsherErrorPrivate *usher_error_get_private(const GError *error);
GQuark usher_error_quark(void);
G_DEFINE_EXTENDED_ERROR(UsherError, usher_error)
#pragma GCC diagnostic pop

static UsherErrorPrivate *private_of(const GError *error)
{
	return error != NULL && error->domain == USHER_ERROR ? usher_error_get_private(error)
							     : NULL;
}

void usher_error_set(GError **error, UsherErrorCode code, const char *format, ...)
{
	g_assert(code < USHER_ERROR_N_CODES);
	if (error == NULL)
		return;
	va_list args;
	va_start(args, format);
	g_assert(*error == NULL);
	*error = g_error_new_valist(USHER_ERROR, (int) code, format, args);
	va_end(args);
}

static UsherErrorCode code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return USHER_ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return USHER_ERROR_DENIED;
	case EBUSY:
		return USHER_ERROR_BUSY;
	case EAGAIN:
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case ETIMEDOUT:
		return USHER_ERROR_UNAVAILABLE;
	default:
		return USHER_ERROR_HOST;
	}
}

void usher_error_errno(GError **error, int errnum, const char *format, ...)
{
	if (error == NULL)
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	const char *name = strerrorname_np(errnum);
	usher_error_set(error, code_of_errno(errnum), "%s: %s (%s)", what, g_strerror(errnum),
		name != NULL ? name : "?");
	private_of(*error)->errnum = errnum;
}

int usher_error_errnum(const GError *error)
{
	const UsherErrorPrivate *private = private_of(error);
	return private != NULL ? private->errnum : 0;
}

const char *usher_error_object(const GError *error)
{
	UsherErrorPrivate *private = private_of(error);
	return private != NULL ? private->object : NULL;
}

const char *usher_error_hint(const GError *error)
{
	UsherErrorPrivate *private = private_of(error);
	return private != NULL ? private->hint : NULL;
}

void usher_error_set_object(GError *error, const char *object)
{
	UsherErrorPrivate *private = private_of(error);
	if (private == NULL)
		return;
	g_free(private->object);
	private->object = g_strdup(object);
}

void usher_error_set_hint(GError *error, const char *hint)
{
	UsherErrorPrivate *private = private_of(error);
	if (private == NULL)
		return;
	g_free(private->hint);
	private->hint = g_strdup(hint);
}

UsherErrorCode usher_error_code(const GError *error)
{
	g_assert(error != NULL);
	if (error->domain != USHER_ERROR || error->code < 0 || error->code >= USHER_ERROR_N_CODES)
		return USHER_ERROR_INTERNAL;
	return (UsherErrorCode) error->code;
}

const char *usher_error_code_name(UsherErrorCode code)
{
	g_assert(code < USHER_ERROR_N_CODES);
	return codes[code].name;
}

unsigned usher_error_code_http(UsherErrorCode code)
{
	g_assert(code < USHER_ERROR_N_CODES);
	return codes[code].http;
}

bool usher_error_code_parse(const char *name, UsherErrorCode *out_code)
{
	for (unsigned i = 0; i < USHER_ERROR_N_CODES; i++) {
		if (strcmp(codes[i].name, name) == 0) {
			*out_code = (UsherErrorCode) i;
			return true;
		}
	}
	return false;
}
