/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The words of a filter. Whether a word makes sense where it is, is the parser's business. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
	USHER_TOKEN_WORD,
	USHER_TOKEN_STRING,
	USHER_TOKEN_NUMBER,
	USHER_TOKEN_OPEN,
	USHER_TOKEN_CLOSE,
	USHER_TOKEN_OTHER, /* a character that begins nothing */
	USHER_TOKEN_END,
} UsherTokenKind;

typedef struct UsherToken {
	UsherTokenKind kind;
	char *text; /* as written; of a string: what is quoted */
	int64_t number;
	unsigned line, column; /* of its first character, from 1 */
} UsherToken;
void usher_token_clear(UsherToken *token);

typedef struct UsherLexer {
	const char *at;
	unsigned line, column;
} UsherLexer;

/* text is borrowed. INVALID: not UTF-8, with its place. */
bool usher_lexer_init(UsherLexer *lexer, const char *text, GError **error);
/* *token is cleared before. INVALID: a string without its end, a number out of range. */
bool usher_lexer_next(UsherLexer *lexer, UsherToken *token, GError **error);

/* "'vendr'", "the end": how an error names it. */
char *usher_token_print(const UsherToken *token);
/* INVALID: "line 1, column 2: expected X, found Y". */
void usher_token_raise(
	const UsherToken *found, const char *expected, const char *meant, GError **error);
