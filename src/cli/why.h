/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Sentences in short: the one word of a table for why the host needs a device, or why it cannot be
 * given as it is. The sentences are core's (guard, passthrough); what is in no row of the table
 * here is shown as it is, with "-" for blanks.
 */
#include <glib.h>

/* "holds /" → "root-fs". Given. */
char *usher_cli_why_word(const char *sentence);
/* The name of a model without the words that tell nothing in a column, and cut when it is still
 * long: "82574L Gigabit Network Connection" → "82574L Gigabit". Given. */
char *usher_cli_short_name(const char *name);
/* At most width characters, dots for what is left out; where there is one, between two words. */
char *usher_cli_cut(const char *text, unsigned width);
