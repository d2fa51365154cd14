/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/regex.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"

/* Honest patterns on names of devices take some hundred steps; so many take about a millisecond. */
#define MATCH_LIMIT    50000
#define HEAP_LIMIT_KIB 8192
/* Repeats of repeats unfold when they are compiled, up to 64 KiB of code; a short pattern and few
 * levels keep that in the milliseconds. */
#define PATTERN_MAX ((PCRE2_SIZE) 1000)
#define NESTING_MAX 50

struct UsherRegex {
	pcre2_code *code;
	pcre2_match_context *limits;
	uint32_t options;
};

static pcre2_code *compile(const char *pattern, int *out_problem, PCRE2_SIZE *out_offset)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	g_assert(context != NULL);
	(void) pcre2_set_max_pattern_length(context, PATTERN_MAX);
	(void) pcre2_set_parens_nest_limit(context, NESTING_MAX);
	/* What hardware calls itself need not be UTF-8: such bytes match nothing. */
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	pcre2_code *code = pcre2_compile(
		(PCRE2_SPTR) pattern, strlen(pattern), options, out_problem, out_offset, context);
	pcre2_compile_context_free(context);
	return code;
}

UsherRegex *usher_regex_new(const char *pattern, UsherRegexMode mode, GError **error)
{
	int problem;
	PCRE2_SIZE offset;
	pcre2_code *code = compile(pattern, &problem, &offset);
	if (code == NULL) {
		PCRE2_UCHAR8 text[256] = "";
		(void) pcre2_get_error_message(problem, text, sizeof text);
		usher_error_set(error, USHER_ERROR_INVALID, "%s at its character %zu",
			(const char *) text, offset + 1);
		return NULL;
	}
	UsherRegex *regex = g_new0(UsherRegex, 1);
	regex->code = code;
	/* It fails where memory must not be both written and run: the interpreter is left then. */
	if (mode == USHER_REGEX_COMPILED)
		(void) pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	else
		regex->options = PCRE2_NO_JIT;
	regex->limits = pcre2_match_context_create(NULL);
	g_assert(regex->limits != NULL);
	(void) pcre2_set_match_limit(regex->limits, MATCH_LIMIT);
	(void) pcre2_set_heap_limit(regex->limits, HEAP_LIMIT_KIB);
	return regex;
}

void usher_regex_free(UsherRegex *regex)
{
	if (regex == NULL)
		return;
	pcre2_match_context_free(regex->limits);
	pcre2_code_free(regex->code);
	g_free(regex);
}

static int search(const UsherRegex *regex, const char *text, uint32_t options)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	g_assert(data != NULL);
	int rc = pcre2_match(
		regex->code, (PCRE2_SPTR) text, strlen(text), 0, options, data, regex->limits);
	pcre2_match_data_free(data);
	return rc;
}

bool usher_regex_search(const UsherRegex *regex, const char *text, bool *out_found, GError **error)
{
	int rc = search(regex, text, regex->options);
	/* The compiled code has less stack than the interpreter has heap. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = search(regex, text, PCRE2_NO_JIT);
	if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
		*out_found = rc >= 0;
		return true;
	}
	PCRE2_UCHAR8 problem[256] = "";
	(void) pcre2_get_error_message(rc, problem, sizeof problem);
	usher_error_set(error, USHER_ERROR_INVALID, "it takes too long on '%s' (%s)", text,
		(const char *) problem);
	return false;
}
