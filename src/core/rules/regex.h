/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Regular expressions with a limit on the work of one search. Compiled to machine code where that
 * is allowed; where it is not, they work all the same. Shared by threads once made.
 */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherRegex UsherRegex;

typedef enum {
	USHER_REGEX_COMPILED, /* where possible */
	USHER_REGEX_INTERPRETED,
} UsherRegexMode;

/* INVALID: what is wrong, and at which character of the pattern. */
UsherRegex *usher_regex_new(const char *pattern, UsherRegexMode mode, GError **error);
void usher_regex_free(UsherRegex *regex);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherRegex, usher_regex_free)
/* Whether it is found anywhere in the text. INVALID: the limit was hit, so nobody knows. */
bool usher_regex_search(const UsherRegex *regex, const char *text, bool *out_found, GError **error);
