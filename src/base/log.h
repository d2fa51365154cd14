/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The daemons' log: one line a decision, with fields that name what it is about. To the journal
 * where standard error is connected to it, to standard error as text otherwise. Any thread.
 * Libraries (core, host, guests, store) return errors and do not log.
 */
#include <glib.h>
#include <stdbool.h>

typedef enum {
	USHER_LOG_ERROR = 3, /* syslog's numbers */
	USHER_LOG_WARNING = 4,
	USHER_LOG_NOTICE = 5,
	USHER_LOG_INFO = 6,
	USHER_LOG_DEBUG = 7,
} UsherLogLevel;

/* Name of the program, and the least important level that is written. Once, at start. */
void usher_log_init(const char *program, UsherLogLevel least);
/* object: "lease/l-…", "operation/op-…" or NULL. */
void usher_log(UsherLogLevel level, const char *object, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
