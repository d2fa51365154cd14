/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assignments in a file that a shell sources (POSIX, 2.10). Read are comments, assignments with any
 * quoting, export and line continuations; other commands are passed over as long as they have
 * nothing to do with our variables. Where one is assigned under a condition, in a function, or by a
 * command that is not understood, the file is refused with the line.
 */
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "core/doctor/boot-text.h"

static const char *const variables[] = { "GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT", NULL };
#define PREFIX "GRUB_CMDLINE_LINUX"

typedef struct Shell {
	const char *path, *text;
	size_t at;
	unsigned depth; /* of if, case, loops and functions */
	GPtrArray *places;
	GError **error;
} Shell;

static bool blame(const Shell *shell, size_t at, const char *why)
{
	return usher_boot_text_blame(shell->path, shell->text, at, why, shell->error);
}

static bool is_name_char(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

static bool is_command_end(char c)
{
	return c == '\0' || c == '\n' || c == ';';
}

static size_t skip_continuation(const char *text, size_t at)
{
	if (text[at] != '\\')
		return at;
	if (text[at + 1] == '\n')
		return at + 2;
	return text[at + 1] == '\r' && text[at + 2] == '\n' ? at + 3 : at;
}

static void skip_blanks(Shell *shell)
{
	for (;;) {
		char c = shell->text[shell->at];
		size_t next = skip_continuation(shell->text, shell->at);
		if (c == ' ' || c == '\t' || c == '\r')
			next = shell->at + 1;
		if (next == shell->at)
			return;
		shell->at = next;
	}
}

/* ---- words ---- */

#define NO_END SIZE_MAX

/* Behind the closing one of a pair that may be nested and may hold quotes. */
static size_t skip_nested(const char *text, size_t at, char open, char close)
{
	unsigned depth = 0;
	char quote = 0;
	for (; text[at] != '\0'; at++) {
		char c = text[at];
		if (c == '\\' && quote != '\'' && text[at + 1] != '\0')
			at++;
		else if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == open)
			depth++;
		else if (c == close && --depth == 0)
			return at + 1;
	}
	return NO_END;
}

static size_t skip_backquotes(const char *text, size_t at)
{
	for (at++; text[at] != '\0' && text[at] != '`'; at++) {
		if (text[at] == '\\' && text[at + 1] != '\0')
			at++;
	}
	return text[at] == '`' ? at + 1 : NO_END;
}

/* Behind a variable or a command whose output stands there; at itself: it is none. */
static size_t skip_expansion(const char *text, size_t at)
{
	if (text[at] == '`')
		return skip_backquotes(text, at);
	if (text[at] != '$')
		return at;
	char next = text[at + 1];
	if (next == '(')
		return skip_nested(text, at + 1, '(', ')');
	if (next == '{')
		return skip_nested(text, at + 1, '{', '}');
	if (!is_name_char(next))
		return at;
	size_t end = at + 1;
	while (is_name_char(text[end]))
		end++;
	return end;
}

/* A word while it is read: what it says, and from where to where each byte of that stands. */
typedef struct Word {
	GString *cooked;
	GArray *spans;
	GArray *pieces;
} Word;

static void add_char(const Word *word, char c, size_t begin, size_t end)
{
	UsherBootPiece span = { begin, end, (char) word->pieces->len };
	g_string_append_c(word->cooked, c);
	g_array_append_val(word->spans, span);
}

static void add_piece(const Word *word, size_t begin, size_t end, char quote)
{
	UsherBootPiece piece = { begin, end, quote };
	if (quote != 0 || end > begin)
		g_array_append_val(word->pieces, piece);
}

static bool is_escape(char quote, char next)
{
	return quote == 0 || (next != '\0' && strchr("$`\"\\", next) != NULL);
}

/* One byte, escape or expansion. */
static size_t read_char(const char *text, size_t at, char quote, const Word *word)
{
	size_t next = quote != '\'' ? skip_continuation(text, at) : at;
	if (next != at)
		return next;
	next = quote != '\'' ? skip_expansion(text, at) : at;
	if (next == NO_END)
		return NO_END;
	if (next != at) {
		add_char(word, USHER_BOOT_UNKNOWN, at, next);
		return next;
	}
	if (text[at] == '\\' && quote != '\'' && text[at + 1] != '\0' &&
		is_escape(quote, text[at + 1])) {
		add_char(word, text[at + 1], at, at + 2);
		return at + 2;
	}
	add_char(word, text[at], at, at + 1);
	return at + 1;
}

static bool is_word_end(char c)
{
	return c == '\0' || strchr(" \t\r\n;&|<>()", c) != NULL;
}

/* From shell->at to where the piece ends; false: it has no end. */
static bool read_piece(Shell *shell, char quote, const Word *word)
{
	const char *text = shell->text;
	size_t begin = shell->at, at = begin;
	while (quote != 0 ? text[at] != quote && text[at] != '\0'
			  : !is_word_end(text[at]) && text[at] != '\'' && text[at] != '"') {
		at = read_char(text, at, quote, word);
		if (at == NO_END)
			return false;
	}
	if (quote != 0 && text[at] == '\0')
		return false;
	add_piece(word, begin, at, quote);
	shell->at = quote != 0 ? at + 1 : at;
	return true;
}

static bool read_word(Shell *shell, const Word *word)
{
	size_t begin = shell->at;
	while (!is_word_end(shell->text[shell->at])) {
		char c = shell->text[shell->at];
		char quote = c == '\'' || c == '"' ? c : 0;
		shell->at += quote != 0 ? 1 : 0;
		if (!read_piece(shell, quote, word))
			return blame(shell, begin, "a quote is not closed");
	}
	return true;
}

/* ---- assignments ---- */

/* The length of NAME= or NAME+= at this place; 0: it is no assignment. */
static size_t match_assignment(const char *text)
{
	size_t length = 0;
	while (is_name_char(text[length]))
		length++;
	if (length == 0 || g_ascii_isdigit(text[0]))
		return 0;
	if (text[length] == '=')
		return length + 1;
	return text[length] == '+' && text[length + 1] == '=' ? length + 2 : 0;
}

static bool refers_to(const char *value, size_t length, const char *name)
{
	g_autofree char *text = g_strndup(value, length);
	size_t name_length = strlen(name);
	for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at, '$')) {
		at += at[1] == '{' ? 2 : 1;
		if (strncmp(at, name, name_length) == 0 && !is_name_char(at[name_length]))
			return true;
	}
	return false;
}

static size_t find_statement_begin(const char *text, size_t at)
{
	while (at > 0 && text[at - 1] != '\n' && text[at - 1] != ';')
		at--;
	return at + strspn(text + at, " \t");
}

/* The assignment at shell->at, whose name and "=" take length bytes; behind its value then. */
static bool read_assignment(Shell *shell, size_t length, UsherBootPlace **out_place)
{
	const char *text = shell->text;
	size_t begin = shell->at;
	g_autofree char *name = g_strndup(text + begin, strcspn(text + begin, "+="));
	g_autoptr(GString) cooked = g_string_new(NULL);
	g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(UsherBootPiece));
	g_autoptr(UsherBootPlace) place =
		usher_boot_place_new(name, find_statement_begin(text, begin));
	Word word = { cooked, spans, place->pieces };
	shell->at = begin + length;
	if (!read_word(shell, &word))
		return false;
	if (!g_strv_contains(variables, name))
		return true;
	place->is_shell = true;
	place->value = begin + length;
	place->value_end = place->end = shell->at;
	place->appends = text[begin + length - 2] == '+' ||
		refers_to(text + place->value, place->value_end - place->value, name);
	if (shell->depth > 0)
		return blame(shell, begin, "is set only under a condition");
	if (!usher_boot_place_fill(place, cooked->str, spans))
		return blame(shell, begin, "a quote of the kernel's is not closed");
	*out_place = g_steal_pointer(&place);
	return true;
}

/* ---- commands ---- */

static void count_keyword(Shell *shell, const char *word)
{
	static const char *const opens[] = { "if", "case", "for", "while", "until", "{", NULL };
	static const char *const closes[] = { "fi", "esac", "done", "}", NULL };
	if (g_strv_contains(opens, word))
		shell->depth++;
	else if (g_strv_contains(closes, word) && shell->depth > 0)
		shell->depth--;
}

/* Words after which a command begins. */
static bool is_prefix_keyword(const char *word)
{
	static const char *const words[] = { "if", "then", "else", "elif", "while", "until", "do",
		"{", "!", "export", NULL };
	return g_strv_contains(words, word);
}

/* A command that is no assignment, to its end. */
static bool pass_over(Shell *shell, size_t begin)
{
	g_autoptr(GString) cooked = g_string_new(NULL);
	g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(UsherBootPiece));
	g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(UsherBootPiece));
	Word word = { cooked, spans, pieces };
	const char *text = shell->text;
	for (;;) {
		skip_blanks(shell);
		char c = text[shell->at];
		if (is_command_end(c))
			break;
		if (c == '#') {
			shell->at += strcspn(text + shell->at, "\n");
			break;
		}
		if (c == '<' && text[shell->at + 1] == '<')
			return blame(shell, begin, "a text inside of the script");
		size_t first = shell->at;
		if (is_word_end(c))
			shell->at++;
		else if (!read_word(shell, &word))
			return false;
		if (shell->at == first + 1 && c == '{')
			shell->depth++;
	}
	g_autofree char *command = g_strndup(text + begin, shell->at - begin);
	if (strstr(command, PREFIX) != NULL)
		return blame(shell, begin, "a command that usher does not understand");
	return true;
}

/* Assignments in a row; a command behind them gets them as its environment only. */
static bool read_assignments(Shell *shell)
{
	const char *text = shell->text;
	size_t begin = shell->at, length;
	g_autoptr(GPtrArray) row =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_place_free);
	while ((length = match_assignment(text + shell->at)) > 0) {
		UsherBootPlace *place = NULL;
		if (!read_assignment(shell, length, &place))
			return false;
		if (place != NULL)
			g_ptr_array_add(row, place);
		skip_blanks(shell);
	}
	if (!is_command_end(text[shell->at]) && text[shell->at] != '#')
		return pass_over(shell, begin);
	while (row->len > 0)
		g_ptr_array_add(shell->places, g_ptr_array_steal_index(row, 0));
	return true;
}

/* The word at shell->at as it is written, up to where a word ends. */
static char *peek_word(const Shell *shell)
{
	size_t end = shell->at;
	while (!is_word_end(shell->text[end]))
		end++;
	return g_strndup(shell->text + shell->at, end - shell->at);
}

static bool read_command(Shell *shell)
{
	size_t begin = shell->at;
	for (;;) {
		if (match_assignment(shell->text + shell->at) > 0)
			return read_assignments(shell);
		g_autofree char *word = peek_word(shell);
		count_keyword(shell, word);
		if (!is_prefix_keyword(word))
			break;
		bool is_export = strcmp(word, "export") == 0;
		shell->at += strlen(word);
		skip_blanks(shell);
		char c = shell->text[shell->at];
		if (is_command_end(c) || c == '#')
			return true;
		/* "export NAME" changes no value. */
		if (is_export && match_assignment(shell->text + shell->at) == 0)
			begin = shell->at + strcspn(shell->text + shell->at, "\n;");
		if (is_export && begin > shell->at) {
			shell->at = begin;
			return true;
		}
	}
	return pass_over(shell, begin);
}

/* A last line that goes on: what is put behind it would be part of it. */
static bool is_ended(const Shell *shell)
{
	size_t end = strlen(shell->text);
	end -= end > 0 && shell->text[end - 1] == '\n' ? 1 : 0;
	end -= end > 0 && shell->text[end - 1] == '\r' ? 1 : 0;
	return end == 0 || shell->text[end - 1] != '\\' ||
		blame(shell, end - 1, "a line that goes on, and does not");
}

GPtrArray *usher_boot_shell_places(const char *path, const char *text, GError **error)
{
	g_autoptr(GPtrArray) places =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_place_free);
	Shell shell = { path, text, 0, 0, places, error };
	for (;;) {
		skip_blanks(&shell);
		char c = text[shell.at];
		if (c == '\0')
			break;
		if (c == '#')
			shell.at += strcspn(text + shell.at, "\n");
		else if (is_command_end(c) || is_word_end(c))
			shell.at++;
		else if (!read_command(&shell))
			return NULL;
	}
	return is_ended(&shell) ? g_steal_pointer(&places) : NULL;
}
