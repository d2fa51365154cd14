/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/filter.h"

#include <string.h>

#include "base/error.h"
#include "core/rules/tree.h"

static bool is_ordered(UsherRuleOperator operator, int order)
{
	switch ((unsigned) operator) {
	case USHER_RULE_EQ:
		return order == 0;
	case USHER_RULE_NE:
		return order != 0;
	case USHER_RULE_LT:
		return order < 0;
	case USHER_RULE_LE:
		return order <= 0;
	case USHER_RULE_GT:
		return order > 0;
	case USHER_RULE_GE:
		return order >= 0;
	default:
		g_assert_not_reached();
	}
}

/* ASCII letters only: what hardware calls itself has no others worth folding. */
static bool contains_any_case(const char *text, const char *part)
{
	size_t length = strlen(part);
	for (;; text++) {
		if (g_ascii_strncasecmp(text, part, length) == 0)
			return true;
		if (*text == '\0')
			return false;
	}
}

static bool begins_with(const char *text, const char *part, bool any_case)
{
	return any_case ? g_ascii_strncasecmp(text, part, strlen(part)) == 0
			: g_str_has_prefix(text, part);
}

static bool ends_with(const char *text, const char *part, bool any_case)
{
	size_t length = strlen(text), part_length = strlen(part);
	return part_length <= length && begins_with(text + length - part_length, part, any_case);
}

static bool compare_text(const UsherTerm *term, const char *value, bool *out_holds, GError **error)
{
	bool any_case = term->field->type == USHER_RULE_HEX;
	switch ((unsigned) term->operator) {
	case USHER_RULE_RX:
		return usher_regex_search(term->regex, value, out_holds, error);
	case USHER_RULE_BW:
		*out_holds = begins_with(value, term->text, any_case);
		return true;
	case USHER_RULE_EW:
		*out_holds = ends_with(value, term->text, any_case);
		return true;
	case USHER_RULE_CS:
		*out_holds = strstr(value, term->text) != NULL;
		return true;
	case USHER_RULE_CT:
		*out_holds = contains_any_case(value, term->text);
		return true;
	default:
		*out_holds =
			is_ordered(term->operator, any_case ? g_ascii_strcasecmp(value, term->text)
							    : strcmp(value, term->text));
		return true;
	}
}

static bool compare_number(const UsherTerm *term, const UsherRuleValue *value)
{
	if (!value->has_number)
		return term->operator== USHER_RULE_NE;
	int order = (value->number > term->number) - (value->number < term->number);
	return is_ordered(term->operator, order);
}

bool usher_term_compare(const UsherTerm *term, const UsherDevice *device, GString *scratch,
	bool *out_holds, GError **error)
{
	UsherRuleValue value = { 0 };
	term->field->get(device, scratch, &value);
	switch (term->field->type) {
	case USHER_RULE_TEXT:
	case USHER_RULE_HEX:
		if (compare_text(term, value.text, out_holds, error))
			return true;
		g_prefix_error(error, "%s of %s, regular expression '%s': ", term->field->name,
			device->address != NULL ? device->address : "a device", term->text);
		return false;
	case USHER_RULE_NUMBER:
		*out_holds = compare_number(term, &value);
		return true;
	case USHER_RULE_FLAG:
		*out_holds = is_ordered(term->operator, value.flag != term->flag);
		return true;
	case USHER_RULE_N_TYPES:
		break;
	}
	g_assert_not_reached();
}

/* Stops at the first term that decides. */
static bool holds(const UsherTerm *term, const UsherDevice *device, GString *scratch,
	bool *out_holds, GError **error)
{
	if (term->kind == USHER_TERM_COMPARE)
		return usher_term_compare(term, device, scratch, out_holds, error);
	bool result = false;
	for (unsigned i = 0; i < term->terms->len; i++) {
		if (!holds(term->terms->pdata[i], device, scratch, &result, error))
			return false;
		if (result == (term->kind == USHER_TERM_OR))
			break;
	}
	*out_holds = term->kind == USHER_TERM_NOT ? !result : result;
	return true;
}

bool usher_filter_match(
	const UsherFilter *filter, const UsherDevice *device, bool *out_matches, GError **error)
{
	g_autoptr(GString) scratch = g_string_new(NULL);
	return holds(filter->root, device, scratch, out_matches, error);
}

static const char *find_volatile(const UsherTerm *term)
{
	if (term->kind == USHER_TERM_COMPARE)
		return term->field->is_stable ? NULL : term->field->name;
	const char *found = NULL;
	for (unsigned i = 0; found == NULL && i < term->terms->len; i++)
		found = find_volatile(term->terms->pdata[i]);
	return found;
}

const char *usher_filter_volatile_field(const UsherFilter *filter)
{
	return find_volatile(filter->root);
}
