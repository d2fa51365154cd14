/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The node's own log of what it is about to do: lines that survive a crash once append has
 * returned. Quick calls (one fsync), any one thread at a time.
 */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherJournal UsherJournal;

typedef struct UsherJournalOps {
	const char *name;
	/* On disk when it returns true. line has no newline. */
	bool (*append)(UsherJournal *journal, const char *line, GError **error);
	/* All whole lines, oldest first; a torn last line is left out. Of char *. */
	GPtrArray *(*read)(UsherJournal *journal, GError **error);
	/* Puts these lines in the place of all: old or new, never half. */
	bool (*replace)(UsherJournal *journal, const GPtrArray *lines, GError **error);
	void (*free)(UsherJournal *journal);
} UsherJournalOps;

struct UsherJournal {
	const UsherJournalOps *ops;
};
