/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of rules: what parses prints, and what is printed parses to the same. */
#include "fuzz.h"

#include "core/rules/filter.h"

static UsherDevice *make_device(void)
{
	UsherDevice *device = usher_device_new();
	device->address = g_strdup("0000:01:00.0");
	device->vendor_id = g_strdup("8086");
	device->device_id = g_strdup("10d3");
	device->class_code = g_strdup("020000");
	device->vendor = g_strdup("Intel Corporation");
	device->device = g_strdup("82574L Gigabit Network Connection");
	return device;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = fuzz_text(data, size);
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherFilter) filter = usher_filter_parse(text, &error);
	g_assert((filter == NULL) == (error != NULL));
	if (filter == NULL)
		return 0;
	g_autofree char *printed = usher_filter_print(filter);
	g_autoptr(UsherFilter) again = usher_filter_parse(printed, NULL);
	if (strlen(printed) > USHER_FILTER_MAX_SIZE) /* spaces between words make it longer */
		return 0;
	g_assert_nonnull(again);
	g_autofree char *printed_again = usher_filter_print(again);
	g_assert_cmpstr(printed, ==, printed_again);
	g_autoptr(UsherDevice) device = make_device();
	bool matches = false, matches_again = false;
	bool is_known = usher_filter_match(filter, device, &matches, NULL);
	bool is_known_again = usher_filter_match(again, device, &matches_again, NULL);
	g_assert(is_known == is_known_again && matches == matches_again);
	return 0;
}
