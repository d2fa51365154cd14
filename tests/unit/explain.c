/* SPDX-License-Identifier: Apache-2.0 */
/* "May I pass this through?", answered in sentences. */
#include "core/explain.h"

#include "inventory-text.h"

typedef struct ExplainRow {
	const char *name;
	const char *world;
	const char *device;
	const char *answer; /* "+ for" and "- against", a line each */
} ExplainRow;

static const ExplainRow rows[] = {
	{ "free-card",
		"iommu\nconsole\ndev 0000:01:00.0 030000 group=1\ndev 0000:01:00.1 040300 "
		"group=1\n",
		"0000:01:00.0",
		"+ the host has another console\n"
		"+ it can be given together with 0000:01:00.1\n" },
	{ "free-alone", "iommu\ndev 0000:01:00.0 020000 group=1 driver=vfio-pci\n", "0000:01:00.0",
		"+ no route that the host needs leads over it\n"
		"+ it can be given alone: IOMMU group 1 has no other device that would go with "
		"it\n"
		"+ it is bound to vfio-pci already\n" },
	{ "root-disk",
		"iommu\ndev 0000:04:00.0 010802 group=4\nblock sda 8:0 pci=0000:04:00.0\n"
		"mount 8:0 /dev/sda /\n",
		"0000:04:00.0", "- it holds / (/ → /dev/sda → 0000:04:00.0)\n" },
	{ "companion-of-route",
		"iommu\ndev 0000:04:00.0 0c0330 group=4\ndev 0000:05:00.0 020000 group=4\n"
		"net eth0 pci=0000:05:00.0\nroute eth0\n",
		"0000:04:00.0",
		"- 0000:05:00.0, in its IOMMU group, carries the default route (default route → "
		"eth0 → 0000:05:00.0)\n" },
	{ "bridge", "iommu\ndev 0000:00:01.0 060400 group=4\n", "0000:00:01.0",
		"- it is a PCI bridge (class 060400 → 0000:00:01.0)\n" },
	{ "hub", "iommu\ndev usb:1-4 090000 hub\n", "usb:1-4",
		"- it is a hub\n"
		"+ neither a disk, nor an uplink, nor the last keyboard of the host is behind "
		"it\n" },
	{ "no-iommu", "dev 0000:01:00.0 020000 override-unknown\n", "0000:01:00.0",
		"- its driver_override could not be read, so it could not be put back\n"
		"- no IOMMU is active on this host\n"
		"+ no route that the host needs leads over it\n" },
	{ "unknown", "iommu\nno-blocks\ndev 0000:01:00.0 010601 group=2\n", "0000:01:00.0",
		"- it may hold a file system of the host: block devices could not be read\n" },
};

static void test_row(const void *data)
{
	const ExplainRow *row = data;
	g_autoptr(UsherInventory) inventory = inventory_of_text(row->world);
	const UsherDevice *device = usher_inventory_find_text(inventory, row->device);
	g_autoptr(GPtrArray) reasons = usher_explain_device(inventory, device);
	g_autoptr(GString) text = g_string_new(NULL);
	for (unsigned i = 0; i < reasons->len; i++) {
		const UsherExplainReason *reason = reasons->pdata[i];
		g_string_append_printf(
			text, "%c %s\n", reason->is_for ? '+' : '-', reason->sentence);
	}
	g_assert_cmpstr(text->str, ==, row->answer);
	g_assert_cmpint(usher_explain_is_yes(reasons), ==, strchr(row->answer, '-') != row->answer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/explain/", rows[i].name, NULL);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	return g_test_run();
}
