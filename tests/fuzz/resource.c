/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a function's base address registers. */
#include "fuzz.h"

#include "host/bars.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *) data, size);
	g_autoptr(GArray) bars = usher_bars_parse(text, USHER_BARS_ALL);
	g_assert(bars->len <= USHER_BARS_ALL);
	for (unsigned i = 0; i < bars->len; i++) {
		const UsherBar *bar = &g_array_index(bars, UsherBar, i);
		g_assert(bar->size > 0 && bar->index < USHER_BARS_ALL);
	}
	return 0;
}
