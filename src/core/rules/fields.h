/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The fields of filters: one table for lexer, matcher, printer and documentation. A new field is
 * one row and its getter.
 */
#include "core/device.h"

typedef enum {
	USHER_RULE_TEXT,
	USHER_RULE_HEX, /* a text of hexadecimal digits: upper and lower case are the same */
	USHER_RULE_NUMBER,
	USHER_RULE_FLAG,
	USHER_RULE_N_TYPES,
} UsherRuleType;

typedef enum {
	USHER_RULE_EQ,
	USHER_RULE_NE,
	USHER_RULE_LT,
	USHER_RULE_LE,
	USHER_RULE_GT,
	USHER_RULE_GE,
	USHER_RULE_BW,
	USHER_RULE_EW,
	USHER_RULE_CS,
	USHER_RULE_CT,
	USHER_RULE_RX,
	USHER_RULE_N_OPERATORS,
} UsherRuleOperator;
/* "eq", …; ends with NULL. */
extern const char *const usher_rule_operator_names[USHER_RULE_N_OPERATORS + 1];

/* What a device has there; the member of the field's type. */
typedef struct UsherRuleValue {
	const char *text; /* borrowed from the device or from scratch, never NULL */
	bool has_number;
	int64_t number;
	bool flag;
} UsherRuleValue;

typedef struct UsherRuleField {
	const char *name;
	UsherRuleType type;
	bool is_stable; /* it stays with the device, wherever it is and whoever drives it */
	/* scratch is for texts that have to be put together. */
	void (*get)(const UsherDevice *device, GString *scratch, UsherRuleValue *value);
	const char *means; /* for documentation */
} UsherRuleField;

/* In the order of the documentation. */
const UsherRuleField *usher_rule_fields(size_t *out_n);
/* NULL: there is no such field. */
const UsherRuleField *usher_rule_field_find(const char *name);
/* The field a person who typed that name probably meant, or NULL. */
const char *usher_rule_field_nearest(const char *name);
/* Bits of the operators that fields of the type have. */
unsigned usher_rule_type_operators(UsherRuleType type);
