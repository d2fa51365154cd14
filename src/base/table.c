/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

struct UsherTable {
	unsigned n_columns;
	GPtrArray *cells; /* row by row, headers first */
};

UsherTable *usher_table_new(const char *const *headers)
{
	UsherTable *table = g_new0(UsherTable, 1);
	while (headers[table->n_columns] != NULL)
		table->n_columns++;
	table->cells = g_ptr_array_new_with_free_func(g_free);
	usher_table_add(table, headers);
	return table;
}

void usher_table_free(UsherTable *table)
{
	if (table == NULL)
		return;
	g_ptr_array_unref(table->cells);
	g_free(table);
}

void usher_table_add(UsherTable *table, const char *const *cells)
{
	for (unsigned i = 0; i < table->n_columns; i++) {
		bool is_empty = cells[i] == NULL || cells[i][0] == '\0';
		g_ptr_array_add(table->cells, g_strdup(is_empty ? "-" : cells[i]));
	}
}

static unsigned column_width(const UsherTable *table, unsigned column)
{
	glong width = 0;
	for (unsigned i = column; i < table->cells->len; i += table->n_columns)
		width = MAX(width, g_utf8_strlen(table->cells->pdata[i], -1));
	return (unsigned) width;
}

char *usher_table_print(const UsherTable *table)
{
	g_autofree unsigned *widths = g_new0(unsigned, table->n_columns);
	for (unsigned i = 0; i < table->n_columns; i++)
		widths[i] = column_width(table, i);
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < table->cells->len; i++) {
		const char *cell = table->cells->pdata[i];
		unsigned column = i % table->n_columns;
		g_string_append(text, cell);
		if (column == table->n_columns - 1) {
			g_string_append_c(text, '\n');
			continue;
		}
		for (glong pad = g_utf8_strlen(cell, -1); pad < (glong) widths[column] + 2; pad++)
			g_string_append_c(text, ' ');
	}
	return g_string_free(text, FALSE);
}
