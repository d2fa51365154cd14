/* SPDX-License-Identifier: Apache-2.0 */
#include "host/bars.h"

#include "base/text.h"

/* linux/ioport.h */
#define FLAG_IO       0x00000100U
#define FLAG_MEMORY   0x00000200U
#define FLAG_PREFETCH 0x00002000U
#define FLAG_64_BIT   0x00100000U
#define FLAG_UNSET    0x20000000U

/* "0x00000000e0000000 0x00000000efffffff 0x000000000014220c": first and last byte, flags
 * (drivers/pci/pci-sysfs.c, resource_show) */
static bool parse_line(const char *line, UsherBar *bar)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	uint64_t values[3];
	if (g_strv_length(words) != G_N_ELEMENTS(values))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		if (!usher_text_parse_hex(words[i], UINT64_MAX, &values[i], NULL))
			return false;
	}
	uint64_t flags = values[2];
	if ((flags & (FLAG_IO | FLAG_MEMORY)) == 0 || values[1] < values[0] ||
		values[1] - values[0] == UINT64_MAX)
		return false;
	bar->size = values[1] - values[0] + 1;
	bar->is_io = (flags & FLAG_IO) != 0;
	bar->is_64_bit = (flags & FLAG_64_BIT) != 0;
	bar->is_prefetchable = (flags & FLAG_PREFETCH) != 0;
	bar->is_unassigned = (flags & FLAG_UNSET) != 0 || (values[0] == 0 && !bar->is_io);
	return true;
}

GArray *usher_bars_parse(const char *text, unsigned n)
{
	GArray *bars = g_array_new(FALSE, FALSE, sizeof(UsherBar));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; i < n && lines[i] != NULL; i++) {
		UsherBar bar = { .index = i };
		if (parse_line(lines[i], &bar))
			g_array_append_val(bars, bar);
	}
	return bars;
}
