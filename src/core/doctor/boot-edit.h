/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Changes of boot files, and the way back. Both are idempotent. Pure. */
#include "core/doctor/boot.h"

/* Changes the files (of UsherBootFile), which together make one command line and are read in this
 * order, so that it says what the wish wants; what was done is put at the end of edits. INVALID
 * with the line that can't be read; then nothing was changed. */
bool usher_boot_edit_words(
	GPtrArray *files, const UsherBootWish *wish, GPtrArray *edits, GError **error);
/* Lines of a file that are missing are put at its end; one that begins as key does (NULL: none) is
 * replaced instead. A file that is not there is made. */
void usher_boot_edit_line(UsherBootFile *file, const char *key, const char *line, GPtrArray *edits);

/* Undoes the edits, last first. What somebody else changed in these files stays; what somebody made
 * of our own words or lines is a sentence in conflicts, and then no file is changed. Edits that
 * never came to be, or are undone already, are no conflict. */
void usher_boot_undo(const GPtrArray *edits, GPtrArray *files, GPtrArray *conflicts);
