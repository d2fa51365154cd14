/* SPDX-License-Identifier: Apache-2.0 */
/* Units, companions and what is taken together; and passthrough, which depends on them. */
#include "core/unit.h"

#include "base/text.h"
#include "inventory-text.h"

typedef struct UnitRow {
	const char *name;
	const char *world;
	const char *device;
	const char *unit;       /* addresses with blanks between */
	const char *taken;      /* likewise, the device first */
	const char *companions; /* likewise */
} UnitRow;

#define CARD \
	"dev 0000:00:01.0 060400 group=1\n" \
	"dev 0000:01:00.0 030000 group=1 id=d-gpu\n" \
	"dev 0000:01:00.1 040300 group=1\n"

#define PORTS \
	"dev 0000:05:00.0 020000 group=7 id=d-pf0\ndev 0000:05:00.1 020000 group=8\n" \
	"dev 0000:05:10.0 020000 group=9 pf=0000:05:00.0\n" \
	"dev 0000:05:10.1 020000 group=10 pf=0000:05:00.1\n" \
	"dev 0000:05:10.2 020000 group=11 pf=0000:05:00.0\n"

static const UnitRow rows[] = {
	{ "alone", "dev 0000:02:00.0 020000 group=2\ndev 0000:03:00.0 020000 group=3\n",
		"0000:02:00.0", "0000:02:00.0", "0000:02:00.0", "" },
	{ "card-without-iommu",
		"dev 0000:01:00.0 030000\ndev 0000:01:00.1 040300\ndev 0000:02:00.0 020000\n",
		"0000:01:00.1", "0000:01:00.0 0000:01:00.1", "0000:01:00.1 0000:01:00.0",
		"0000:01:00.0" },
	{ "card-and-its-bridge", CARD, "0000:01:00.0", "0000:01:00.0 0000:01:00.1",
		"0000:01:00.0 0000:01:00.1", "0000:00:01.0 0000:01:00.1" },
	{ "bridge", CARD, "0000:00:01.0", "0000:00:01.0", "0000:00:01.0 0000:01:00.0 0000:01:00.1",
		"0000:01:00.0 0000:01:00.1" },
	{ "group-over-slots",
		"dev 0000:03:00.0 0c0330 group=15\ndev 0000:03:00.1 010601 group=15\n"
		"dev 0000:20:00.0 060400 group=15\ndev 0000:23:00.0 020000 group=15\n",
		"0000:23:00.0", "0000:03:00.0 0000:03:00.1 0000:23:00.0",
		"0000:23:00.0 0000:03:00.0 0000:03:00.1",
		"0000:03:00.0 0000:03:00.1 0000:20:00.0" },
	{ "chain-of-group-and-slot",
		"dev 0000:01:00.0 020000 group=1\ndev 0000:01:00.1 020000 group=2\n"
		"dev 0000:02:00.0 020000 group=2\n",
		"0000:01:00.0", "0000:01:00.0 0000:01:00.1 0000:02:00.0",
		"0000:01:00.0 0000:01:00.1", "0000:01:00.1" },
	{ "physical-function", PORTS, "0000:05:00.0",
		"0000:05:00.0 0000:05:00.1 0000:05:10.0 0000:05:10.1 0000:05:10.2",
		"0000:05:00.0 0000:05:00.1", "0000:05:00.1" },
	/* 05:10.0 to .2 look like functions of one slot and are not. */
	{ "virtual-function", PORTS, "0000:05:10.2",
		"0000:05:00.0 0000:05:00.1 0000:05:10.0 0000:05:10.1 0000:05:10.2", "0000:05:10.2",
		"" },
	{ "other-domain", "dev 0000:01:00.0 020000\ndev 10000:01:00.0 020000\n", "0000:01:00.0",
		"0000:01:00.0", "0000:01:00.0", "" },
};

static char *join_addresses(const GPtrArray *devices)
{
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();
	for (unsigned i = 0; i < devices->len; i++)
		g_ptr_array_add(addresses, ((const UsherDevice *) devices->pdata[i])->address);
	return usher_text_join_array(addresses, " ");
}

static void test_row(const void *data)
{
	const UnitRow *row = data;
	g_autoptr(UsherInventory) inventory = inventory_of_text(row->world);
	const UsherDevice *device = usher_inventory_find_text(inventory, row->device);
	g_autoptr(GPtrArray) unit = usher_unit_of(inventory->devices, device);
	g_autoptr(GPtrArray) taken = usher_unit_taken_with(inventory->devices, device);
	g_autofree char *unit_text = join_addresses(unit);
	g_autofree char *taken_text = join_addresses(taken);
	g_autofree char *companions = usher_text_join_array(device->companions, " ");
	g_assert_cmpstr(unit_text, ==, row->unit);
	g_assert_cmpstr(taken_text, ==, row->taken);
	g_assert_cmpstr(companions, ==, row->companions);
	/* Whoever is asked in a unit, the unit is the same. */
	for (unsigned i = 0; i < unit->len; i++) {
		g_autoptr(GPtrArray) again = usher_unit_of(inventory->devices, unit->pdata[i]);
		g_autofree char *again_text = join_addresses(again);
		g_assert_cmpstr(again_text, ==, row->unit);
	}
}

static void test_name(void)
{
	g_autoptr(UsherInventory) inventory = inventory_of_text(CARD PORTS);
	const UsherDevice *audio = usher_inventory_find_text(inventory, "01:00.1");
	g_autoptr(GPtrArray) unit = usher_unit_of(inventory->devices, audio);
	g_autofree char *name = usher_unit_name(unit);
	g_assert_cmpstr(name, ==, "u-gpu");
	const UsherDevice *bridge = usher_inventory_find_text(inventory, "00:01.0");
	g_autoptr(GPtrArray) alone = usher_unit_of(inventory->devices, bridge);
	g_assert_null(usher_unit_name(alone));
}

/* What was pulled out goes with nothing, not even with what is at its address now. */
static void test_absent(void)
{
	g_autoptr(UsherInventory) inventory = inventory_of_text(
		"dev 0000:01:00.0 030000 group=1\ndev 0000:01:00.1 040300 group=1\n");
	UsherDevice *display = inventory->devices->pdata[0], *gone = inventory->devices->pdata[1];
	g_autoptr(UsherDevice) other = usher_device_dup(gone);
	gone->state = USHER_DEVICE_ABSENT;
	g_autoptr(GPtrArray) devices = g_ptr_array_new();
	g_ptr_array_add(devices, display);
	g_ptr_array_add(devices, gone);
	g_autoptr(GPtrArray) alone = usher_unit_of(devices, display);
	g_autoptr(GPtrArray) taken_alone = usher_unit_taken_with(devices, display);
	g_assert_cmpuint(alone->len, ==, 1);
	g_assert_cmpuint(taken_alone->len, ==, 1);
	g_ptr_array_add(devices, other);
	g_autoptr(GPtrArray) both = usher_unit_of(devices, display);
	g_autoptr(GPtrArray) taken = usher_unit_taken_with(devices, display);
	g_assert_cmpuint(both->len, ==, 2);
	g_assert_true(both->pdata[1] == other);
	g_assert_cmpuint(taken->len, ==, 2);
	g_assert_true(taken->pdata[1] == other);
}

/* Virtual functions are in their order, whatever the order they were found in. */
static void test_virtual_functions(void)
{
	g_autoptr(UsherInventory) inventory = inventory_of_text(
		"dev 0000:06:10.0 020000 pf=0000:05:00.0\ndev 0000:05:10.2 020000 pf=0000:05:00.0\n"
		"dev 0000:05:10.0 020000 pf=0000:05:00.0\ndev 0000:05:00.0 020000\n");
	const UsherDevice *physical = usher_inventory_find_text(inventory, "0000:05:00.0");
	g_autofree char *functions = usher_text_join_array(physical->virtual_functions, " ");
	g_assert_cmpstr(functions, ==, "0000:05:10.0 0000:05:10.2 0000:06:10.0");
	g_assert_cmpint(physical->sriov_active, ==, 3);
}

static void test_find(void)
{
	g_autoptr(UsherInventory) inventory = inventory_of_text(CARD PORTS);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		g_assert_true(usher_inventory_find_text(inventory, device->address) == device);
	}
	g_assert_null(usher_inventory_find_text(inventory, "0000:01:00.2"));
	g_assert_null(usher_inventory_find_text(inventory, "usb:1-1"));
	g_autoptr(UsherInventory) again = usher_inventory_ref(inventory);
	g_assert_true(again == inventory);
}

typedef struct PassthroughRow {
	const char *name;
	const char *world;
	const char *whole;
	const char *vgpu;
	const char *because; /* with "; " between */
} PassthroughRow;

/* Always about 0000:01:00.0. */
static const PassthroughRow passthrough_rows[] = {
	{ "card", "iommu\n" CARD, "yes", "", "" },
	{ "no-iommu", "dev 0000:01:00.0 030000\n", "after-fix", "",
		"no IOMMU is active on this host" },
	{ "outside", "iommu\ndev 0000:01:00.0 030000\n", "no", "", "it is in no IOMMU group" },
	{ "bridge", "iommu\ndev 0000:01:00.0 060400 group=1\n", "no", "", "it is a PCI bridge" },
	{ "with-isa", "iommu\ndev 0000:01:00.0 040300 group=1\ndev 0000:00:1f.0 060100 group=1\n",
		"no", "", "0000:00:1f.0 in its IOMMU group is the ISA bridge" },
	{ "with-host-bridge",
		"iommu\ndev 0000:01:00.0 030000 group=1\ndev 0000:00:01.0 060000 group=1\n", "yes",
		"", "" },
	{ "with-bound-host-bridge",
		"iommu\ndev 0000:01:00.0 030000 group=1\ndev 0000:00:01.0 060000 group=1 "
		"driver=k10temp\n",
		"no", "",
		"0000:00:01.0 in its IOMMU group is a host bridge and has the driver k10temp" },
	{ "with-functions",
		"iommu\ndev 0000:01:00.0 020000 group=1\ndev 0000:01:10.0 020000 group=2 "
		"pf=0000:01:00.0\n",
		"after-fix", "", "1 of its virtual functions are active" },
	{ "denied", "iommu\ndev 0000:01:00.0 0b4000 group=1 vendor=8086 device=37c8\n", "after-fix",
		"", "vfio-pci refuses it unless loaded with disable_denylist=1" },
	{ "gvt-g",
		"iommu\ndev 0000:01:00.0 030000 group=1 mdev=i915-GVTg_V5_4 mdev=i915-GVTg_V5_8\n",
		"yes", "gvt-g", "" },
	{ "nvidia", "iommu\ndev 0000:01:00.0 030200 group=1 mdev=nvidia-222\n", "yes",
		"nvidia-mdev", "" },
	{ "other-mdev", "iommu\ndev 0000:01:00.0 00ff00 group=1 mdev=lab-small\n", "yes", "mdev",
		"" },
};

static void test_passthrough(const void *data)
{
	const PassthroughRow *row = data;
	g_autoptr(UsherInventory) inventory = inventory_of_text(row->world);
	const UsherDevice *device = usher_inventory_find_text(inventory, "0000:01:00.0");
	g_autofree char *vgpu = usher_text_join_array(device->passthrough->vgpu, " ");
	g_autofree char *because = usher_text_join_array(device->passthrough->because, "; ");
	g_assert_cmpstr(device->passthrough->whole, ==, row->whole);
	g_assert_cmpstr(vgpu, ==, row->vgpu);
	g_assert_cmpstr(because, ==, row->because);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/unit/", rows[i].name, NULL);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/unit/name", test_name);
	g_test_add_func("/unit/absent", test_absent);
	g_test_add_func("/inventory/virtual-functions", test_virtual_functions);
	g_test_add_func("/inventory/find", test_find);
	for (size_t i = 0; i < G_N_ELEMENTS(passthrough_rows); i++) {
		g_autofree char *path =
			g_strconcat("/passthrough/", passthrough_rows[i].name, NULL);
		g_test_add_data_func(path, &passthrough_rows[i], test_passthrough);
	}
	return g_test_run();
}
