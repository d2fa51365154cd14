/* SPDX-License-Identifier: Apache-2.0 */
/* Why a device does not match: the comparisons that would have to come out otherwise. */
#include "core/rules/filter.h"

#include "core/rules/tree.h"

typedef struct Search {
	const UsherDevice *device;
	GString *scratch;
	GPtrArray *reasons;
} Search;

static void append_value(const Search *search, const UsherTerm *term, GString *text)
{
	UsherRuleValue value = { 0 };
	term->field->get(search->device, search->scratch, &value);
	switch (term->field->type) {
	case USHER_RULE_TEXT:
	case USHER_RULE_HEX:
		usher_rule_append_quoted(text, value.text);
		return;
	case USHER_RULE_NUMBER:
		if (value.has_number)
			g_string_append_printf(text, "%" G_GINT64_FORMAT, value.number);
		else
			g_string_append(text, "none");
		return;
	case USHER_RULE_FLAG:
		g_string_append(text, value.flag ? "true" : "false");
		return;
	case USHER_RULE_N_TYPES:
		break;
	}
	g_assert_not_reached();
}

static void add_reason(const Search *search, const UsherTerm *term, bool is_wanted)
{
	GString *text = g_string_new(is_wanted ? NULL : "not ");
	usher_term_append(term, text);
	g_string_append_printf(text, ": its %s is ", term->field->name);
	append_value(search, term, text);
	g_ptr_array_add(search->reasons, g_string_free(text, FALSE));
}

static bool explain(const Search *search, const UsherTerm *term, bool is_wanted, GError **error);

static bool explain_comparison(
	const Search *search, const UsherTerm *term, bool is_wanted, GError **error)
{
	bool holds;
	if (!usher_term_compare(term, search->device, search->scratch, &holds, error))
		return false;
	if (holds != is_wanted)
		add_reason(search, term, is_wanted);
	return true;
}

/* One that comes out right is enough: then what is in the way of the others is no reason. */
static bool explain_any(const Search *search, const UsherTerm *term, bool is_wanted, GError **error)
{
	unsigned before = search->reasons->len;
	for (unsigned i = 0; i < term->terms->len; i++) {
		unsigned n = search->reasons->len;
		if (!explain(search, term->terms->pdata[i], is_wanted, error))
			return false;
		if (search->reasons->len > n)
			continue;
		g_ptr_array_set_size(search->reasons, (gint) before);
		return true;
	}
	return true;
}

/* Reasons why the term does not come out as wanted; none: it does. */
static bool explain(const Search *search, const UsherTerm *term, bool is_wanted, GError **error)
{
	if (term->kind == USHER_TERM_COMPARE)
		return explain_comparison(search, term, is_wanted, error);
	if (term->kind == USHER_TERM_NOT)
		return explain(search, term->terms->pdata[0], !is_wanted, error);
	if ((term->kind == USHER_TERM_OR) == is_wanted)
		return explain_any(search, term, is_wanted, error);
	for (unsigned i = 0; i < term->terms->len; i++) {
		if (!explain(search, term->terms->pdata[i], is_wanted, error))
			return false;
	}
	return true;
}

GPtrArray *usher_filter_explain(
	const UsherFilter *filter, const UsherDevice *device, GError **error)
{
	g_autoptr(GString) scratch = g_string_new(NULL);
	g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
	const Search search = { device, scratch, reasons };
	return explain(&search, filter->root, /* is_wanted */ true, error)
		? g_steal_pointer(&reasons)
		: NULL;
}
