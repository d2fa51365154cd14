/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/filter.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/rules/lexer.h"
#include "core/rules/tree.h"

typedef struct Parser {
	UsherLexer lexer;
	UsherToken token; /* the next one, not used yet */
	unsigned depth;
	unsigned n_regex;
} Parser;

static UsherTerm *parse_factor(Parser *parser, GError **error);
static UsherTerm *parse_chain(Parser *parser, UsherTermKind kind, GError **error);

static void free_term(void *term)
{
	usher_term_free(term);
}

void usher_term_free(UsherTerm *term)
{
	if (term == NULL)
		return;
	g_clear_pointer(&term->terms, g_ptr_array_unref);
	g_free(term->text);
	usher_regex_free(term->regex);
	g_free(term);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherTerm, usher_term_free)

void usher_filter_free(UsherFilter *filter)
{
	if (filter == NULL)
		return;
	usher_term_free(filter->root);
	g_free(filter);
}

static UsherTerm *term_new(UsherTermKind kind)
{
	UsherTerm *term = g_new0(UsherTerm, 1);
	term->kind = kind;
	if (kind != USHER_TERM_COMPARE)
		term->terms = g_ptr_array_new_with_free_func(free_term);
	return term;
}

static bool go_on(Parser *parser, GError **error)
{
	return usher_lexer_next(&parser->lexer, &parser->token, error);
}

static bool is_word(const Parser *parser, const char *word)
{
	return parser->token.kind == USHER_TOKEN_WORD && strcmp(parser->token.text, word) == 0;
}

static bool parse_field(Parser *parser, UsherTerm *term, GError **error)
{
	const char *meant = NULL;
	if (parser->token.kind == USHER_TOKEN_WORD) {
		term->field = usher_rule_field_find(parser->token.text);
		if (term->field != NULL)
			return go_on(parser, error);
		meant = usher_rule_field_nearest(parser->token.text);
	}
	usher_token_raise(&parser->token, "a field, 'not' or '('", meant, error);
	return false;
}

static char *list_operators(unsigned operators)
{
	const char *names[USHER_RULE_N_OPERATORS + 1] = { NULL };
	unsigned n = 0;
	for (unsigned i = 0; i < USHER_RULE_N_OPERATORS; i++) {
		if ((operators & (1U << i)) != 0)
			names[n++] = usher_rule_operator_names[i];
	}
	return usher_text_join(names, ", ");
}

/* What people write who come from elsewhere. */
static const char *guess_operator(const char *text)
{
	static const struct {
		const char *text, *means;
	} rows[] = {
		{ "=", "eq" },
		{ "!", "ne" },
		{ "<", "lt" },
		{ ">", "gt" },
		{ "~", "rx" },
		{ "is", "eq" },
		{ "contains", "ct" },
		{ "like", "ct" },
		{ "matches", "rx" },
	};
	g_autofree char *lower = g_ascii_strdown(text, -1);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (strcmp(rows[i].text, lower) == 0)
			return rows[i].means;
	}
	return usher_text_nearest(lower, usher_rule_operator_names);
}

static bool parse_operator(Parser *parser, UsherTerm *term, GError **error)
{
	static const char *const of_types[USHER_RULE_N_TYPES] = {
		[USHER_RULE_TEXT] = "an operator",
		[USHER_RULE_HEX] = "an operator",
		[USHER_RULE_NUMBER] = "an operator for numbers",
		[USHER_RULE_FLAG] = "an operator for true and false",
	};
	unsigned operators = usher_rule_type_operators(term->field->type);
	for (unsigned i = 0; i < USHER_RULE_N_OPERATORS; i++) {
		if ((operators & (1U << i)) != 0 && is_word(parser, usher_rule_operator_names[i])) {
			term->operator= i;
			return go_on(parser, error);
		}
	}
	g_autofree char *names = list_operators(operators);
	g_autofree char *expected = g_strdup_printf("%s (%s)", of_types[term->field->type], names);
	bool may_guess =
		parser->token.kind == USHER_TOKEN_WORD || parser->token.kind == USHER_TOKEN_OTHER;
	const char *meant = may_guess ? guess_operator(parser->token.text) : NULL;
	bool is_itself = meant != NULL && strcmp(meant, parser->token.text) == 0;
	usher_token_raise(&parser->token, expected, is_itself ? NULL : meant, error);
	return false;
}

static bool compile_regex(Parser *parser, UsherTerm *term, const UsherToken *at, GError **error)
{
	if (++parser->n_regex > USHER_FILTER_MAX_REGEX) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"line %u, column %u: expected at most %d regular expressions, found more",
			at->line, at->column, USHER_FILTER_MAX_REGEX);
		return false;
	}
	g_autoptr(GError) problem = NULL;
	term->regex = usher_regex_new(term->text, USHER_REGEX_COMPILED, &problem);
	if (term->regex != NULL)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID,
		"line %u, column %u: expected a regular expression, found a bad one: %s", at->line,
		at->column, problem->message);
	return false;
}

static bool parse_text(Parser *parser, UsherTerm *term, GError **error)
{
	if (parser->token.kind != USHER_TOKEN_STRING) {
		usher_token_raise(&parser->token, "a string in single quotes", NULL, error);
		return false;
	}
	term->text = g_strdup(parser->token.text);
	if (term->operator== USHER_RULE_RX && !compile_regex(parser, term, &parser->token, error))
		return false;
	return go_on(parser, error);
}

static bool parse_number(Parser *parser, UsherTerm *term, GError **error)
{
	if (parser->token.kind != USHER_TOKEN_NUMBER) {
		usher_token_raise(&parser->token, "a number", NULL, error);
		return false;
	}
	term->number = parser->token.number;
	return go_on(parser, error);
}

static bool parse_flag(Parser *parser, UsherTerm *term, GError **error)
{
	term->flag = is_word(parser, "true");
	if (term->flag || is_word(parser, "false"))
		return go_on(parser, error);
	usher_token_raise(&parser->token, "true or false", NULL, error);
	return false;
}

static bool parse_value(Parser *parser, UsherTerm *term, GError **error)
{
	switch (term->field->type) {
	case USHER_RULE_TEXT:
	case USHER_RULE_HEX:
		return parse_text(parser, term, error);
	case USHER_RULE_NUMBER:
		return parse_number(parser, term, error);
	case USHER_RULE_FLAG:
		return parse_flag(parser, term, error);
	case USHER_RULE_N_TYPES:
		break;
	}
	g_assert_not_reached();
}

static UsherTerm *parse_comparison(Parser *parser, GError **error)
{
	g_autoptr(UsherTerm) term = term_new(USHER_TERM_COMPARE);
	if (!parse_field(parser, term, error) || !parse_operator(parser, term, error) ||
		!parse_value(parser, term, error))
		return NULL;
	return g_steal_pointer(&term);
}

static UsherTerm *parse_not(Parser *parser, GError **error)
{
	g_autoptr(UsherTerm) term = term_new(USHER_TERM_NOT);
	UsherTerm *denied = go_on(parser, error) ? parse_factor(parser, error) : NULL;
	if (denied == NULL)
		return NULL;
	g_ptr_array_add(term->terms, denied);
	return g_steal_pointer(&term);
}

/* The end of a filter or of parentheses. */
static bool expect_end(Parser *parser, UsherTokenKind kind, GError **error)
{
	static const char *const words[] = { "and", "or", NULL };
	if (parser->token.kind == kind)
		return true;
	bool is_end = kind == USHER_TOKEN_END;
	bool may_guess = parser->token.kind == USHER_TOKEN_WORD;
	g_autofree char *lower = may_guess ? g_ascii_strdown(parser->token.text, -1) : NULL;
	usher_token_raise(&parser->token, is_end ? "'and', 'or' or the end" : "'and', 'or' or ')'",
		may_guess ? usher_text_nearest(lower, words) : NULL, error);
	return false;
}

static UsherTerm *parse_parentheses(Parser *parser, GError **error)
{
	g_autoptr(UsherTerm) term =
		go_on(parser, error) ? parse_chain(parser, USHER_TERM_OR, error) : NULL;
	if (term == NULL || !expect_end(parser, USHER_TOKEN_CLOSE, error) || !go_on(parser, error))
		return NULL;
	return g_steal_pointer(&term);
}

static UsherTerm *parse_factor(Parser *parser, GError **error)
{
	bool is_not = is_word(parser, "not");
	if (!is_not && parser->token.kind != USHER_TOKEN_OPEN)
		return parse_comparison(parser, error);
	if (parser->depth == USHER_FILTER_MAX_DEPTH) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"line %u, column %u: expected at most %d levels of 'not' and parentheses, "
			"found more",
			parser->token.line, parser->token.column, USHER_FILTER_MAX_DEPTH);
		return NULL;
	}
	parser->depth++;
	UsherTerm *term = is_not ? parse_not(parser, error) : parse_parentheses(parser, error);
	parser->depth--;
	return term;
}

/* (a and b) and c is a and b and c: printing and parsing again gives the same tree. */
static void add_flat(UsherTerm *chain, UsherTerm *term)
{
	if (term->kind != chain->kind) {
		g_ptr_array_add(chain->terms, term);
		return;
	}
	g_ptr_array_extend_and_steal(chain->terms, g_steal_pointer(&term->terms));
	usher_term_free(term);
}

static UsherTerm *parse_link(Parser *parser, UsherTermKind kind, GError **error)
{
	return kind == USHER_TERM_OR ? parse_chain(parser, USHER_TERM_AND, error)
				     : parse_factor(parser, error);
}

/* Terms with "or" between them, or factors with "and". */
static UsherTerm *parse_chain(Parser *parser, UsherTermKind kind, GError **error)
{
	const char *word = kind == USHER_TERM_OR ? "or" : "and";
	g_autoptr(UsherTerm) first = parse_link(parser, kind, error);
	if (first == NULL || !is_word(parser, word))
		return g_steal_pointer(&first);
	g_autoptr(UsherTerm) chain = term_new(kind);
	add_flat(chain, g_steal_pointer(&first));
	while (is_word(parser, word)) {
		UsherTerm *next = go_on(parser, error) ? parse_link(parser, kind, error) : NULL;
		if (next == NULL)
			return NULL;
		add_flat(chain, next);
	}
	return g_steal_pointer(&chain);
}

static UsherTerm *parse_all(Parser *parser, const char *text, GError **error)
{
	if (!usher_lexer_init(&parser->lexer, text, error) || !go_on(parser, error))
		return NULL;
	g_autoptr(UsherTerm) root = parse_chain(parser, USHER_TERM_OR, error);
	if (root == NULL || !expect_end(parser, USHER_TOKEN_END, error))
		return NULL;
	return g_steal_pointer(&root);
}

UsherFilter *usher_filter_parse(const char *text, GError **error)
{
	size_t length = strlen(text);
	if (length > USHER_FILTER_MAX_SIZE) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"a filter of %zu bytes: at most %zu are allowed", length,
			USHER_FILTER_MAX_SIZE);
		return NULL;
	}
	Parser parser = { 0 };
	UsherTerm *root = parse_all(&parser, text, error);
	usher_token_clear(&parser.token);
	if (root == NULL)
		return NULL;
	UsherFilter *filter = g_new0(UsherFilter, 1);
	filter->root = root;
	return filter;
}
