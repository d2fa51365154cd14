/* SPDX-License-Identifier: Apache-2.0 */
#include "host/health-parts.h"

#include "host/bars.h"

static void add_bar(const UsherDevice *device, const UsherBar *read, GPtrArray *bars)
{
	UsherPciBar *bar = g_new0(UsherPciBar, 1);
	bar->address = g_strdup(device->address);
	bar->index = read->index;
	bar->bytes = read->size;
	bar->is_assigned = !read->is_unassigned;
	bar->is_64_bit = read->is_64_bit;
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
		g_autoptr(GArray) read = usher_bars_parse(text, USHER_BARS_ALL);
		for (unsigned j = 0; j < read->len; j++) {
			const UsherBar *bar = &g_array_index(read, UsherBar, j);
			if (bar->index != USHER_BAR_ROM)
				add_bar(device, bar, facts->bars);
		}
	}
}
