/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A journal in a file, behind ports/journal.h. */
#include "ports/journal.h"

/* Made when it is missing (its folder must be there); a torn last line is cut off. */
UsherJournal *usher_journal_file_open(const char *path, GError **error);
