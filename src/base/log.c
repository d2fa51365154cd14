/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The one hidden global: the sink. */
static struct {
	const char *program;
	UsherLogLevel least;
	bool to_journal;
} sink = { "usher", USHER_LOG_INFO, false };

void usher_log_init(const char *program, UsherLogLevel least)
{
	sink.program = program;
	sink.least = least;
	sink.to_journal = g_log_writer_is_journald(fileno(stderr));
}

static void write_journal(UsherLogLevel level, const char *object, const char *message)
{
	char priority[2] = { (char) ('0' + level), '\0' };
	const GLogField fields[] = {
		{ "MESSAGE", message, -1 },
		{ "PRIORITY", priority, -1 },
		{ "SYSLOG_IDENTIFIER", sink.program, -1 },
		{ "USHER_OBJECT", object, -1 },
	};
	size_t n = object != NULL ? 4 : 3;
	(void) g_log_writer_journald(G_LOG_LEVEL_MESSAGE, fields, n, NULL);
}

void usher_log(UsherLogLevel level, const char *object, const char *format, ...)
{
	if (level > sink.least)
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *message = g_strdup_vprintf(format, args);
	va_end(args);
	if (sink.to_journal) {
		write_journal(level, object, message);
		return;
	}
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%H:%M:%S");
	fprintf(stderr, "%s %s: %s%s%s\n", time, sink.program, object != NULL ? object : "",
		object != NULL ? ": " : "", message);
}
