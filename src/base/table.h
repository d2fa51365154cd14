/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A table for people: upper-case headers, columns as wide as their widest cell, no tabs. */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherTable UsherTable;
/* headers ends with NULL. */
UsherTable *usher_table_new(const char *const *headers);
void usher_table_free(UsherTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherTable, usher_table_free)
/* As many cells as headers; NULL and "" print as "-". Copied. */
void usher_table_add(UsherTable *table, const char *const *cells);
/* Without the header line when there are no headers wanted; ends with a newline, or is empty when
 * the table is. */
char *usher_table_print(const UsherTable *table);
