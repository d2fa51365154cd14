/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where words of the kernel command line stand in a file, to the byte, so that one can be put in,
 * replaced or dropped and all else stays as somebody wrote it: assignments of a shell file as
 * /etc/default/grub, the line of /etc/kernel/cmdline, "options" of a boot loader entry. Pure.
 */
#include "core/doctor/boot.h"

typedef struct UsherBootWord {
	char *text;        /* as the kernel reads it; NULL: a variable is in it */
	size_t begin, end; /* in the file */
	bool is_whole;     /* of one piece: no quote begins or ends inside of it */
} UsherBootWord;

/* Between two quotes, or outside of any. */
typedef struct UsherBootPiece {
	size_t begin, end; /* without the quotes */
	char quote;        /* 0: none */
} UsherBootPiece;

typedef struct UsherBootPlace {
	char *variable;          /* "GRUB_CMDLINE_LINUX", "options"; NULL: the line */
	size_t begin, end;       /* of the statement, without its line end */
	size_t value, value_end; /* of the value, quotes and all */
	bool is_shell;
	bool appends; /* to what the variable was before */
	GArray *pieces;
	GPtrArray *words;
} UsherBootPlace;
void usher_boot_place_free(UsherBootPlace *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherBootPlace, usher_boot_place_free)

/* In their order; empty where the file has none yet. NULL and INVALID with the line that can't be
 * read: then the file is to be left alone. The text is not NULL. */
GPtrArray *usher_boot_places(const char *path, const char *text, GError **error);

/* The same text with a word put in behind the index-th of the place (-1: before the first). */
char *usher_boot_text_insert(
	const char *text, const UsherBootPlace *place, int index, const char *word);
/* NULL word: dropped, with the blanks before it. */
char *usher_boot_text_replace(
	const char *text, const UsherBootPlace *place, unsigned index, const char *word);
/* With a new statement at the end that assigns the word. */
char *usher_boot_text_add_statement(const char *path, const char *text, const char *word);
/* Which variable that one assigns. NULL: the line. */
const char *usher_boot_text_new_variable(const char *path);
/* The bytes from begin to end replaced. */
char *usher_boot_text_splice(const char *text, size_t begin, size_t end, const char *by);
/* Without what is from begin to end and its line end. */
char *usher_boot_text_cut_line(const char *text, size_t begin, size_t end);

/* shell.c: assignments of the kernel's command line in a file that GRUB's scripts source. */
GPtrArray *usher_boot_shell_places(const char *path, const char *text, GError **error);

/* For those who make places. */
UsherBootPlace *usher_boot_place_new(const char *variable, size_t begin);
/* cooked: the value as the kernel reads it, USHER_BOOT_UNKNOWN for what is not known; spans: of
 * UsherBootPiece, from where to where each of its bytes stands, and in quote the number of its
 * piece. False: a quote of the kernel's is not closed. */
#define USHER_BOOT_UNKNOWN '\001'
bool usher_boot_place_fill(UsherBootPlace *place, const char *cooked, const GArray *spans);
/* INVALID: "etc/default/grub:3: <why>: <the line>". Returns false. */
bool usher_boot_text_blame(
	const char *path, const char *text, size_t at, const char *why, GError **error);
