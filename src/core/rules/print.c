/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/filter.h"

#include "core/rules/tree.h"

void usher_rule_append_quoted(GString *text, const char *value)
{
	g_string_append_c(text, '\'');
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '\'')
			g_string_append_c(text, '\'');
		g_string_append_c(text, *c);
	}
	g_string_append_c(text, '\'');
}

void usher_term_append(const UsherTerm *term, GString *text)
{
	const char *name = usher_rule_operator_names[term->operator];
	g_string_append_printf(text, "%s %s ", term->field->name, name);
	switch (term->field->type) {
	case USHER_RULE_TEXT:
	case USHER_RULE_HEX:
		usher_rule_append_quoted(text, term->text);
		return;
	case USHER_RULE_NUMBER:
		g_string_append_printf(text, "%" G_GINT64_FORMAT, term->number);
		return;
	case USHER_RULE_FLAG:
		g_string_append(text, term->flag ? "true" : "false");
		return;
	case USHER_RULE_N_TYPES:
		break;
	}
	g_assert_not_reached();
}

/* Kinds are in the order in which they bind: what binds less than its surroundings needs
 * parentheses. */
static void print_term(const UsherTerm *term, UsherTermKind around, GString *text)
{
	bool needs_parentheses = term->kind < around;
	if (needs_parentheses)
		g_string_append_c(text, '(');
	if (term->kind == USHER_TERM_COMPARE)
		usher_term_append(term, text);
	if (term->kind == USHER_TERM_NOT)
		g_string_append(text, "not ");
	for (unsigned i = 0; term->terms != NULL && i < term->terms->len; i++) {
		if (i > 0)
			g_string_append(text, term->kind == USHER_TERM_AND ? " and " : " or ");
		print_term(term->terms->pdata[i], term->kind, text);
	}
	if (needs_parentheses)
		g_string_append_c(text, ')');
}

char *usher_filter_print(const UsherFilter *filter)
{
	GString *text = g_string_new(NULL);
	print_term(filter->root, USHER_TERM_OR, text);
	return g_string_free(text, FALSE);
}
