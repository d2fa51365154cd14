/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A parsed filter: a tree of terms, immutable once it is parsed. */
#include "core/rules/fields.h"
#include "core/rules/filter.h"
#include "core/rules/regex.h"

typedef enum {
	USHER_TERM_OR,
	USHER_TERM_AND,
	USHER_TERM_NOT,
	USHER_TERM_COMPARE,
} UsherTermKind;

typedef struct UsherTerm {
	UsherTermKind kind;
	GPtrArray *
		terms; /* of UsherTerm: of or and and at least two, none of their own kind; of not one */
	/* Of a comparison. */
	const UsherRuleField *field;
	UsherRuleOperator operator;
	char *text;
	int64_t number;
	bool flag;
	UsherRegex *regex;
} UsherTerm;

struct UsherFilter {
	UsherTerm *root;
};

void usher_term_free(UsherTerm *term);
/* Of a comparison: whether it is true of the device. */
bool usher_term_compare(const UsherTerm *term, const UsherDevice *device, GString *scratch,
	bool *out_holds, GError **error);
/* Of a comparison: "vendor ct 'Intel'". */
void usher_term_append(const UsherTerm *term, GString *text);
/* 'it''s' */
void usher_rule_append_quoted(GString *text, const char *value);
