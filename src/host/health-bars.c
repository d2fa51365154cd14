/* SPDX-License-Identifier: Apache-2.0 */
#include "host/health-parts.h"

/* include/linux/ioport.h */
#define IORESOURCE_IO     UINT64_C(0x00000100)
#define IORESOURCE_MEM    UINT64_C(0x00000200)
#define IORESOURCE_MEM_64 UINT64_C(0x00100000)
#define IORESOURCE_UNSET  UINT64_C(0x20000000)
/* include/linux/pci.h: rows of `resource` after which those of bridges come; with SR-IOV six rows
 * of virtual functions are between. */
#define ROM_ROW 6U
#define N_ROWS  13U

static void add_bar(const UsherDevice *device, unsigned index, const char *line, GPtrArray *bars)
{
	char *rest;
	uint64_t start = g_ascii_strtoull(line, &rest, 16);
	uint64_t end = g_ascii_strtoull(rest, &rest, 16);
	uint64_t flags = g_ascii_strtoull(rest, NULL, 16);
	if (!(flags & (IORESOURCE_IO | IORESOURCE_MEM)) || end < start)
		return;
	UsherPciBar *bar = g_new0(UsherPciBar, 1);
	bar->address = g_strdup(device->address);
	bar->index = index;
	bar->bytes = end - start + 1;
	bar->is_assigned = !(flags & IORESOURCE_UNSET) && start != 0;
	bar->is_64_bit = flags & IORESOURCE_MEM_64;
	g_ptr_array_add(bars, bar);
}

void usher_health_bars(
	const UsherTree *tree, const UsherInventory *inventory, UsherHostFacts *facts)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (device->kind != USHER_DEVICE_PCI || usher_device_is_bridge(device) ||
			device->physical_function != NULL)
			continue;
		g_autofree char *path =
			g_strdup_printf("sys/bus/pci/devices/%s/resource", device->address);
		g_autofree char *text = usher_tree_read(tree, path);
		if (text == NULL)
			continue;
		facts->bars_known = true;
		g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
		for (unsigned row = 0; lines[row] != NULL && row < N_ROWS; row++) {
			if (row != ROM_ROW)
				add_bar(device, row, lines[row], facts->bars);
		}
	}
}
