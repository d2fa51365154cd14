/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of objects as people and programs want them: tables, CSV, names, documents. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/why.h"

#define GAP          2  /* between columns */
#define NARROWEST    12 /* what is left of a column that gives way */
#define NO_LIMIT     UINT32_MAX
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_."

const char *usher_cli_name_of(const UsherNoun *noun, const UsherJson *object)
{
	const UsherJson *name = usher_cli_member(object, noun->name_member);
	return name != NULL && usher_json_type(name) == USHER_JSON_STRING ? usher_json_string(name)
									  : "-";
}

/* A column that is a member of the objects and nothing else; its texts are its own. */
static UsherColumn *column_of_member(const char *member)
{
	UsherColumn *column = g_new0(UsherColumn, 1);
	g_autofree char *header = g_ascii_strup(member, -1);
	column->header = g_intern_string(header);
	column->member = g_intern_string(member);
	return column;
}

static UsherColumn *copy_column(const UsherColumn *column)
{
	UsherColumn *copy = g_new(UsherColumn, 1);
	*copy = *column;
	return copy;
}

static const UsherColumn *find_column(const UsherNoun *noun, const char *word)
{
	for (const UsherColumn *column = noun->columns; column->header != NULL; column++) {
		if (g_ascii_strcasecmp(column->header, word) == 0)
			return column;
	}
	return NULL;
}

static bool is_member(const char *word, const GPtrArray *items)
{
	if (word[0] == '\0' || strspn(word, NAME_LETTERS) != strlen(word))
		return false;
	g_autofree char *first = g_strndup(word, strcspn(word, "."));
	return items->len == 0 || usher_json_get(items->pdata[0], first) != NULL;
}

/* Given; NULL with a usage error. */
static UsherColumn *choose_column(UsherCli *cli, const UsherNoun *noun, const char *word,
	const GPtrArray *items, GError **error)
{
	const UsherColumn *column = find_column(noun, word);
	if (column != NULL)
		return copy_column(column);
	if (is_member(word, items))
		return column_of_member(word);
	g_autoptr(GPtrArray) known = g_ptr_array_new_with_free_func(g_free);
	for (column = noun->columns; column->header != NULL; column++)
		g_ptr_array_add(known, g_ascii_strdown(column->header, -1));
	g_autofree char *names = usher_text_join_array(known, ", ");
	(void) usher_cli_misuse(cli, error,
		"there is no column '%s': columns are %s and the members of --json", word, names);
	return NULL;
}

static void choose_own_columns(UsherCli *cli, const UsherNoun *noun)
{
	bool is_all = cli->format == USHER_FORMAT_WIDE || cli->format == USHER_FORMAT_CSV;
	for (const UsherColumn *column = noun->columns; column->header != NULL; column++) {
		if (!column->is_wide || is_all)
			g_ptr_array_add(cli->columns, copy_column(column));
	}
}

bool usher_cli_choose_columns(UsherCli *cli, const UsherNoun *noun, const char *words,
	const GPtrArray *items, GError **error)
{
	g_clear_pointer(&cli->columns, g_ptr_array_unref);
	cli->columns = g_ptr_array_new_with_free_func(g_free);
	memset(cli->widths, 0, sizeof cli->widths);
	if (words == NULL) {
		choose_own_columns(cli, noun);
		return true;
	}
	g_auto(GStrv) parts = g_strsplit(words, ",", -1);
	if (g_strv_length(parts) > USHER_CLI_MAX_COLUMNS)
		return usher_cli_misuse(
			cli, error, "--columns takes at most %d columns", USHER_CLI_MAX_COLUMNS);
	for (unsigned i = 0; parts[i] != NULL; i++) {
		UsherColumn *column = choose_column(cli, noun, parts[i], items, error);
		if (column == NULL)
			return false;
		g_ptr_array_add(cli->columns, column);
	}
	return true;
}

static void need_columns(UsherCli *cli, const UsherNoun *noun)
{
	if (cli->columns == NULL)
		(void) usher_cli_choose_columns(cli, noun, NULL, NULL, NULL);
}

/* NULL: nothing. */
static char *cell_of(const UsherColumn *column, const UsherJson *object, bool is_whole)
{
	if (is_whole && column->whole != NULL)
		return column->whole(object);
	if (column->cell != NULL)
		return column->cell(object);
	return usher_cli_cell(usher_cli_member(object, column->member));
}

/* object NULL: the headers. nothing: how an empty cell looks. */
static GPtrArray *cells_of(const UsherCli *cli, const UsherJson *object, const char *nothing)
{
	GPtrArray *cells = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < cli->columns->len; i++) {
		const UsherColumn *column = cli->columns->pdata[i];
		g_autofree char *cell = object == NULL
			? g_strdup(column->header)
			: cell_of(column, object, cli->format != USHER_FORMAT_TABLE);
		bool is_empty = cell == NULL || cell[0] == '\0';
		g_ptr_array_add(cells, is_empty ? g_strdup(nothing) : g_steal_pointer(&cell));
	}
	g_assert(cells->len <= USHER_CLI_MAX_COLUMNS);
	return cells;
}

static void widen(UsherCli *cli, const GPtrArray *cells)
{
	for (unsigned i = 0; i < cells->len; i++)
		cli->widths[i] = MAX(cli->widths[i], (unsigned) g_utf8_strlen(cells->pdata[i], -1));
}

/* Of the terminal; what is piped is not cut. */
static unsigned line_width(void)
{
	struct winsize size;
	if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ||
		size.ws_col == 0)
		return NO_LIMIT;
	return size.ws_col;
}

static void fit(UsherCli *cli)
{
	unsigned room = line_width(), width = 0;
	if (room == NO_LIMIT || cli->format != USHER_FORMAT_TABLE)
		return;
	for (unsigned i = 0; i < cli->columns->len; i++)
		width += cli->widths[i] + (i > 0 ? GAP : 0);
	for (unsigned i = 0; i < cli->columns->len && width > room; i++) {
		const UsherColumn *column = cli->columns->pdata[i];
		if (!column->gives_way || cli->widths[i] <= NARROWEST)
			continue;
		unsigned less = MIN(width - room, cli->widths[i] - NARROWEST);
		cli->widths[i] -= less;
		width -= less;
	}
}

static void print_cells(const UsherCli *cli, const GPtrArray *cells)
{
	g_autoptr(GString) line = g_string_new(NULL);
	for (unsigned i = 0; i < cells->len; i++) {
		const UsherColumn *column = cli->columns->pdata[i];
		const char *cell = cells->pdata[i];
		bool is_long = (unsigned) g_utf8_strlen(cell, -1) > cli->widths[i];
		g_autofree char *shown = is_long && column->gives_way
			? usher_cli_cut(cell, cli->widths[i])
			: g_strdup(cell);
		g_string_append(line, shown);
		for (unsigned n = (unsigned) g_utf8_strlen(shown, -1);
			i + 1 < cells->len && n < cli->widths[i] + GAP; n++)
			g_string_append_c(line, ' ');
	}
	printf("%s\n", line->str);
}

static void print_heading(char *(*heading)(const UsherJson *), const UsherJson *object, char **last)
{
	if (heading == NULL)
		return;
	char *text = heading(object);
	if (g_strcmp0(text, *last) != 0)
		printf("%s%s:\n", *last != NULL ? "\n" : "", text);
	g_free(*last);
	*last = text;
}

static void print_table(UsherCli *cli, const GPtrArray *items, char *(*heading)(const UsherJson *) )
{
	bool has_headers = !usher_cli_has(cli, "no-headers");
	g_autoptr(GPtrArray) headers = cells_of(cli, NULL, "-");
	g_autoptr(GPtrArray) rows =
		g_ptr_array_new_with_free_func((GDestroyNotify) g_ptr_array_unref);
	if (has_headers)
		widen(cli, headers);
	for (unsigned i = 0; i < items->len; i++) {
		g_ptr_array_add(rows, cells_of(cli, items->pdata[i], "-"));
		widen(cli, rows->pdata[i]);
	}
	fit(cli);
	if (has_headers)
		print_cells(cli, headers);
	g_autofree char *last = NULL;
	for (unsigned i = 0; i < rows->len; i++) {
		print_heading(heading, items->pdata[i], &last);
		print_cells(cli, rows->pdata[i]);
	}
}

/* RFC 4180, with the line ends of here. */
static void print_csv_line(const GPtrArray *cells)
{
	for (unsigned i = 0; i < cells->len; i++) {
		const char *cell = cells->pdata[i];
		printf("%s", i > 0 ? "," : "");
		if (strpbrk(cell, ",\"\n\r") == NULL) {
			printf("%s", cell);
			continue;
		}
		g_auto(GStrv) parts = g_strsplit(cell, "\"", -1);
		g_autofree char *doubled = g_strjoinv("\"\"", parts);
		printf("\"%s\"", doubled);
	}
	printf("\n");
}

static void print_csv(const UsherCli *cli, const GPtrArray *items)
{
	g_autoptr(GPtrArray) headers = cells_of(cli, NULL, "");
	for (unsigned i = 0; i < headers->len; i++) {
		char *name = headers->pdata[i];
		headers->pdata[i] = g_ascii_strdown(name, -1);
		g_free(name);
	}
	if (!usher_cli_has(cli, "no-headers"))
		print_csv_line(headers);
	for (unsigned i = 0; i < items->len; i++) {
		g_autoptr(GPtrArray) cells = cells_of(cli, items->pdata[i], "");
		print_csv_line(cells);
	}
}

static void print_array(const GPtrArray *items)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < items->len; i++)
		usher_json_write_value(writer, items->pdata[i]);
	usher_json_end_array(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

void usher_cli_print_sections(UsherCli *cli, const UsherNoun *noun, const GPtrArray *items,
	char *(*heading)(const UsherJson *) )
{
	need_columns(cli, noun);
	switch (cli->format) {
	case USHER_FORMAT_JSON:
		print_array(items);
		return;
	case USHER_FORMAT_NAME:
		for (unsigned i = 0; i < items->len; i++)
			printf("%s\n", usher_cli_name_of(noun, items->pdata[i]));
		return;
	case USHER_FORMAT_CSV:
		print_csv(cli, items);
		return;
	case USHER_FORMAT_TABLE:
	case USHER_FORMAT_WIDE:
		print_table(cli, items, heading);
		return;
	}
	g_assert_not_reached();
}

void usher_cli_print_items(UsherCli *cli, const UsherNoun *noun, const GPtrArray *items)
{
	usher_cli_print_sections(cli, noun, items, NULL);
}

void usher_cli_print_row(UsherCli *cli, const UsherNoun *noun, const UsherJson *object)
{
	need_columns(cli, noun);
	if (cli->format == USHER_FORMAT_JSON) {
		usher_cli_print_line(object);
	} else if (cli->format == USHER_FORMAT_NAME) {
		printf("%s\n", usher_cli_name_of(noun, object));
	} else {
		bool is_csv = cli->format == USHER_FORMAT_CSV;
		g_autoptr(GPtrArray) cells = cells_of(cli, object, is_csv ? "" : "-");
		if (is_csv) {
			print_csv_line(cells);
		} else {
			widen(cli, cells);
			print_cells(cli, cells);
		}
	}
	(void) fflush(stdout);
}

/* What items are sorted by: a number where the member is one. */
typedef struct Key {
	char *text; /* NULL: it lacks it */
	int64_t number;
	bool is_number;
	void *item;
} Key;

static void key_clear(void *data)
{
	Key *key = data;
	g_free(key->text);
}

static Key key_of(const UsherColumn *column, void *item)
{
	const UsherJson *value =
		column->cell == NULL ? usher_cli_member(item, column->member) : NULL;
	bool is_number = value != NULL && usher_json_type(value) == USHER_JSON_INT;
	return (Key){ cell_of(column, item, /* is_whole */ true),
		is_number ? usher_json_int(value) : 0, is_number, item };
}

static int compare_keys(const void *one, const void *other, void *data)
{
	const Key *a = one, *b = other;
	const bool *is_reverse = data;
	if (a->text == NULL || b->text == NULL)
		return (a->text == NULL) - (b->text == NULL);
	int order = a->is_number && b->is_number ? (a->number > b->number) - (a->number < b->number)
						 : strcmp(a->text, b->text);
	return *is_reverse ? -order : order;
}

bool usher_cli_sort(
	UsherCli *cli, const UsherNoun *noun, const char *field, GPtrArray *items, GError **error)
{
	bool is_reverse = field[0] == '-';
	g_autofree UsherColumn *column =
		choose_column(cli, noun, field + (is_reverse ? 1 : 0), items, error);
	if (column == NULL)
		return false;
	g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(Key));
	g_array_set_clear_func(keys, key_clear);
	for (unsigned i = 0; i < items->len; i++) {
		Key key = key_of(column, items->pdata[i]);
		g_array_append_val(keys, key);
	}
	g_array_sort_with_data(keys, compare_keys, &is_reverse);
	for (unsigned i = 0; i < items->len; i++)
		items->pdata[i] = g_array_index(keys, Key, i).item;
	return true;
}
