/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Resource-rule filters: `field operator value`, combined with and, or, not and parentheses. Pure;
 * a parsed filter is immutable and may be matched by several threads.
 */
#include "core/device.h"

typedef struct UsherFilter UsherFilter;

/* INVALID with line, column and what was expected. */
UsherFilter *usher_filter_parse(const char *text, GError **error);
void usher_filter_free(UsherFilter *filter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherFilter, usher_filter_free)

/* False with error only when a regular expression hits its match limit. */
bool usher_filter_match(const UsherFilter *filter, const UsherDevice *device, bool *out_matches,
			GError **error);
/* Text that parses to the same filter. */
char *usher_filter_print(const UsherFilter *filter);
/* The first field used that does not stay with a device (its address, say), NULL: none. */
const char *usher_filter_volatile_field(const UsherFilter *filter);

/* Made of the most stable facts that single the device out among all (of UsherDevice). */
char *usher_filter_of_device(const UsherDevice *device, const GPtrArray *all);
/* All that look the same: vendor_device_hex eq '8086:10d3'. */
char *usher_filter_like_device(const UsherDevice *device);
