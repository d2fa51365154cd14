/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Filters: the language of resource rules and of lists, as pure values.
 *
 *	filter     = term { "or" term }
 *	term       = factor { "and" factor }
 *	factor     = "not" factor | "(" filter ")" | comparison
 *	comparison = field operator value
 *	operator   = "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "bw" | "ew" | "cs" | "ct" | "rx"
 *	value      = string | number | "true" | "false"
 *	string     = "'" { any character, a quote doubled } "'"
 *	number     = [ "-" ] digits
 *
 * Words are lower case. Texts compare by their bytes, those of hexadecimal digits in any case. A
 * text the device lacks is empty; a number it lacks is equal to nothing and neither less nor
 * greater.
 */
#include "core/device.h"

#define USHER_FILTER_MAX_SIZE  ((size_t) 64 * 1024)
#define USHER_FILTER_MAX_DEPTH 100 /* of parentheses and "not" */
#define USHER_FILTER_MAX_REGEX 100

typedef struct UsherFilter UsherFilter;

/* INVALID: "line 1, column 8: expected an operator (eq, …), found 'is'". */
UsherFilter *usher_filter_parse(const char *text, GError **error);
void usher_filter_free(UsherFilter *filter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherFilter, usher_filter_free)

/* INVALID: a regular expression took too long on this device; whether it matches is not known. A
 * filter may be used by several threads at once. */
bool usher_filter_match(
	const UsherFilter *filter, const UsherDevice *device, bool *out_matches, GError **error);
/* Why the device does not match: the comparisons that would have to come out otherwise, with what the
 * device has there, "vendor ct 'Intel': its vendor is 'AMD'". Of char *; empty: it matches. NULL:
 * INVALID as above. */
GPtrArray *usher_filter_explain(
	const UsherFilter *filter, const UsherDevice *device, GError **error);
/* The filter with one space between words and no needless parentheses; parses to the same. */
char *usher_filter_print(const UsherFilter *filter);
/* The first field whose value says where a device is and not who it is, NULL: there is none. */
const char *usher_filter_volatile_field(const UsherFilter *filter);

/* The most stable facts that single the device out among all_devices of its node: its serial
 * number, its model, its place on the board; last its address. */
char *usher_filter_of_device(const UsherDevice *device, const GPtrArray *all_devices);
/* All devices of its model. */
char *usher_filter_like_device(const UsherDevice *device);
