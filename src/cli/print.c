/* SPDX-License-Identifier: Apache-2.0 */
/* How things look: tables, documents, lines, and the sentence about a failure. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/error.h"
#include "cli/cli.h"

const UsherJson *usher_cli_member(const UsherJson *object, const char *path)
{
	g_auto(GStrv) names = g_strsplit(path, ".", -1);
	const UsherJson *value = object;
	for (size_t i = 0; names[i] != NULL && value != NULL; i++)
		value = usher_json_get(value, names[i]);
	return value != NULL && usher_json_type(value) != USHER_JSON_NULL ? value : NULL;
}

static char *join_cells(const UsherJson *array)
{
	GString *joined = g_string_new(NULL);
	for (size_t i = 0; i < usher_json_length(array); i++) {
		g_autofree char *cell = usher_cli_cell(usher_json_at(array, i));
		g_string_append_printf(joined, "%s%s", i > 0 ? "," : "", cell != NULL ? cell : "-");
	}
	return g_string_free(joined, FALSE);
}

/* Text of others goes to a terminal: no control characters in it. */
static char *printable(const char *text)
{
	char *copy = g_utf8_make_valid(text, -1);
	for (char *c = copy; *c != '\0'; c++) {
		if (g_ascii_iscntrl(*c))
			*c = '?';
	}
	return copy;
}

char *usher_cli_cell(const UsherJson *value)
{
	if (value == NULL)
		return NULL;
	switch (usher_json_type(value)) {
	case USHER_JSON_STRING:
		return printable(usher_json_string(value));
	case USHER_JSON_INT:
		return g_strdup_printf("%" G_GINT64_FORMAT, usher_json_int(value));
	case USHER_JSON_BOOL:
		return g_strdup(usher_json_bool(value) ? "yes" : "no");
	case USHER_JSON_ARRAY:
		return join_cells(value);
	case USHER_JSON_REAL:
	case USHER_JSON_OBJECT: {
		UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
		usher_json_write_value(writer, value);
		return usher_json_writer_finish(writer);
	}
	case USHER_JSON_NULL:
		return NULL;
	}
	g_assert_not_reached();
}

void usher_cli_print_json(const UsherJson *json)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_write_value(writer, json);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

void usher_cli_print_line(const UsherJson *json)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_write_value(writer, json);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
	(void) fflush(stdout);
}

static void print_value(const UsherJson *value, unsigned depth);

/* One member a line; what has members of its own follows indented. */
static void print_member(const char *name, const UsherJson *value, unsigned depth)
{
	UsherJsonType type = usher_json_type(value);
	bool is_empty_object = type == USHER_JSON_OBJECT;
	const char *key = NULL;
	const UsherJson *member;
	if (type == USHER_JSON_OBJECT && usher_json_next(value, &key, &member))
		is_empty_object = false;
	bool has_objects = type == USHER_JSON_ARRAY && usher_json_length(value) > 0 &&
		usher_json_type(usher_json_at(value, 0)) == USHER_JSON_OBJECT;
	if ((type == USHER_JSON_OBJECT && !is_empty_object) || has_objects) {
		printf("%*s%s:\n", (int) depth * 2, "", name);
		print_value(value, depth + 1);
		return;
	}
	g_autofree char *cell = is_empty_object ? NULL : usher_cli_cell(value);
	printf("%*s%s: %s\n", (int) depth * 2, "", name,
		cell != NULL && cell[0] != '\0' ? cell : "-");
}

static void print_value(const UsherJson *value, unsigned depth)
{
	if (usher_json_type(value) == USHER_JSON_ARRAY) {
		for (size_t i = 0; i < usher_json_length(value); i++) {
			printf("%*s-\n", (int) depth * 2, "");
			print_value(usher_json_at(value, i), depth + 1);
		}
		return;
	}
	const char *name = NULL;
	const UsherJson *member;
	while (usher_json_next(value, &name, &member))
		print_member(name, member, depth);
}

void usher_cli_print_object(const UsherCli *cli, const UsherNoun *noun, const UsherJson *object)
{
	if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(object);
	else if (cli->format == USHER_FORMAT_NAME)
		printf("%s\n", usher_cli_name_of(noun, object));
	else
		print_value(object, 0);
}

void usher_cli_say(const UsherCli *cli, const char *format, ...)
{
	if (usher_cli_has(cli, "quiet"))
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	printf("%s\n", text);
}

static bool is_terminal(int fd)
{
	return isatty(fd) == 1;
}

/* Headings alone are coloured. */
static const char *colour(const char *code)
{
	const char *no_color = usher_env_get("NO_COLOR");
	bool wants_none = no_color != NULL && no_color[0] != '\0';
	return is_terminal(STDERR_FILENO) && !wants_none ? code : "";
}

void usher_cli_note(const UsherCli *cli, const char *format, ...)
{
	if (!is_terminal(STDERR_FILENO) || usher_cli_has(cli, "quiet"))
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	fprintf(stderr, "%s\n", text);
}

static void print_error_json(const GError *error)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_key(writer, "error");
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "code", usher_error_code_name(usher_error_code(error)));
	usher_json_put_string(writer, "message", error->message);
	usher_json_put_string(writer, "object", usher_error_object(error));
	usher_json_key(writer, "causes");
	usher_json_begin_array(writer);
	usher_json_end_array(writer);
	usher_json_put_string(writer, "hint", usher_error_hint(error));
	usher_json_end_object(writer);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

void usher_cli_print_error(const UsherCli *cli, const GError *error)
{
	if (cli->format == USHER_FORMAT_JSON && !cli->is_answered)
		print_error_json(error);
	(void) fflush(stdout);
	g_autofree char *sentence = printable(error->message);
	fprintf(stderr, "%susher:%s %s\n", colour("\033[1;31m"), colour("\033[0m"), sentence);
	const char *hint = usher_error_hint(error);
	if (hint != NULL && is_terminal(STDERR_FILENO))
		fprintf(stderr, "%shint:%s %s\n", colour("\033[1;36m"), colour("\033[0m"), hint);
}
