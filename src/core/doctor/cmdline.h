/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The kernel's command line as words: which words say the same, contradict each other or are lists,
 * and what has to change so that something is said. Where the words stand is not known here. Pure.
 */
#include <glib.h>
#include <stdbool.h>

/* Splits as the kernel does (lib/cmdline.c, next_arg): at blanks, but not between double quotes.
 * Words borrow nothing: begin and end are offsets in text. What is behind "--" is init's, and left
 * out. False: a quote is not closed. */
typedef struct UsherWordSpan {
	size_t begin, end;
} UsherWordSpan;
bool usher_cmdline_split(const char *text, GArray *out_spans);

/* "vfio_pci.ids=…" and "vfio-pci.ids=…" have the same key. */
bool usher_cmdline_same_key(const char *word, const char *other);
/* Letters, digits and ._:,=/+@-: means itself in every file that holds a command line. */
bool usher_cmdline_is_plain(const char *word);

typedef enum {
	USHER_WORDS_SAID,    /* nothing to do */
	USHER_WORDS_ADD,     /* behind the last word */
	USHER_WORDS_REPLACE, /* the word at index by text */
	USHER_WORDS_DROP,    /* the word at index */
} UsherWordsStep;

/* The next step so that words (of const char *, NULL: one that is not known) say wanted. */
UsherWordsStep usher_cmdline_want(
	const GPtrArray *words, const char *wanted, unsigned *out_index, char **out_text);
/* The next step so that words do not say unwanted, until they are SAID. */
UsherWordsStep usher_cmdline_refuse(
	const GPtrArray *words, const char *unwanted, unsigned *out_index, char **out_text);
