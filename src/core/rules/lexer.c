/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/lexer.h"

#include <string.h>

#include "base/error.h"

#define SHOWN_MAX 40

void usher_token_clear(UsherToken *token)
{
	g_free(token->text);
	*token = (UsherToken){ 0 };
}

char *usher_token_print(const UsherToken *token)
{
	if (token->kind == USHER_TOKEN_END)
		return g_strdup("the end");
	bool is_long = g_utf8_strlen(token->text, -1) > SHOWN_MAX;
	g_autofree char *shown = g_utf8_substring(
		token->text, 0, is_long ? SHOWN_MAX : g_utf8_strlen(token->text, -1));
	return g_strdup_printf("%s'%s%s'", token->kind == USHER_TOKEN_STRING ? "the string " : "",
		shown, is_long ? "…" : "");
}

void usher_token_raise(
	const UsherToken *found, const char *expected, const char *meant, GError **error)
{
	g_autofree char *shown = usher_token_print(found);
	g_autofree char *guess =
		meant != NULL ? g_strdup_printf("; did you mean '%s'?", meant) : NULL;
	usher_error_set(error, USHER_ERROR_INVALID, "line %u, column %u: expected %s, found %s%s",
		found->line, found->column, expected, shown, guess != NULL ? guess : "");
}

/* GLib's macro for it casts const away. */
static const char *next_character(const char *at)
{
	return at + g_utf8_skip[(unsigned char) *at];
}

/* One character on; columns count characters. */
static void step(UsherLexer *lexer)
{
	bool is_newline = *lexer->at == '\n';
	lexer->at = next_character(lexer->at);
	lexer->column = is_newline ? 1 : lexer->column + 1;
	lexer->line += is_newline ? 1 : 0;
}

bool usher_lexer_init(UsherLexer *lexer, const char *text, GError **error)
{
	*lexer = (UsherLexer){ text, 1, 1 };
	const char *end;
	if (g_utf8_validate(text, -1, &end))
		return true;
	while (lexer->at < end)
		step(lexer);
	usher_error_set(error, USHER_ERROR_INVALID,
		"line %u, column %u: expected UTF-8, found the byte %02x", lexer->line,
		lexer->column, (unsigned char) *end);
	return false;
}

static bool is_word(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

static void read_word(UsherLexer *lexer, UsherToken *token)
{
	const char *begin = lexer->at;
	while (is_word(*lexer->at))
		step(lexer);
	token->kind = USHER_TOKEN_WORD;
	token->text = g_strndup(begin, (size_t) (lexer->at - begin));
}

/* "12ab" is one bad number, not a number and a word. */
static bool read_number(UsherLexer *lexer, UsherToken *token, GError **error)
{
	const char *begin = lexer->at;
	if (*lexer->at == '-')
		step(lexer);
	while (is_word(*lexer->at) || *lexer->at == '.')
		step(lexer);
	token->kind = USHER_TOKEN_NUMBER;
	token->text = g_strndup(begin, (size_t) (lexer->at - begin));
	gint64 number;
	if (g_ascii_string_to_signed(token->text, 10, INT64_MIN + 1, INT64_MAX, &number, NULL)) {
		token->number = number;
		return true;
	}
	usher_token_raise(token, "a whole number of at most 63 bits", NULL, error);
	return false;
}

static bool read_string(UsherLexer *lexer, UsherToken *token, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	step(lexer);
	for (;;) {
		const char *begin = lexer->at;
		if (*begin == '\0') {
			usher_error_set(error, USHER_ERROR_INVALID,
				"line %u, column %u: expected a quote at the end of the string "
				"that begins "
				"here, found the end",
				token->line, token->column);
			return false;
		}
		step(lexer);
		if (*begin == '\'') {
			if (*lexer->at != '\'')
				break;
			step(lexer);
		}
		g_string_append_len(text, begin, (gssize) (next_character(begin) - begin));
	}
	token->kind = USHER_TOKEN_STRING;
	token->text = g_string_free(g_steal_pointer(&text), FALSE);
	return true;
}

static void read_other(UsherLexer *lexer, UsherToken *token)
{
	const char *begin = lexer->at;
	step(lexer);
	token->kind = *begin == '(' ? USHER_TOKEN_OPEN
		: *begin == ')'     ? USHER_TOKEN_CLOSE
				    : USHER_TOKEN_OTHER;
	token->text = g_strndup(begin, (size_t) (lexer->at - begin));
}

bool usher_lexer_next(UsherLexer *lexer, UsherToken *token, GError **error)
{
	usher_token_clear(token);
	while (*lexer->at == ' ' || *lexer->at == '\t' || *lexer->at == '\n' || *lexer->at == '\r')
		step(lexer);
	token->line = lexer->line;
	token->column = lexer->column;
	char c = *lexer->at;
	if (c == '\0')
		token->kind = USHER_TOKEN_END;
	else if (c == '\'')
		return read_string(lexer, token, error);
	else if (g_ascii_isdigit(c) || (c == '-' && g_ascii_isdigit(lexer->at[1])))
		return read_number(lexer, token, error);
	else if (is_word(c))
		read_word(lexer, token);
	else
		read_other(lexer, token);
	return true;
}
