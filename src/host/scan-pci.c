/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/names.h"
#include "host/pci-ids.h"
#include "host/pci-path.h"

#define DEVICES "sys/bus/pci/devices"

static void fill_ids(int folder, UsherDevice *device)
{
	UsherPciIds ids;
	if (!usher_pci_ids_read(folder, &ids))
		return;
	device->vendor_id = g_strdup_printf("%04x", ids.vendor);
	device->device_id = g_strdup_printf("%04x", ids.device);
	device->class_code = g_strdup_printf("%06x", ids.class_code);
	if (ids.has_revision)
		device->revision = g_strdup_printf("%02x", ids.revision);
	if (!ids.has_subsystem)
		return;
	device->subsystem_vendor_id = g_strdup_printf("%04x", ids.subsystem_vendor);
	device->subsystem_device_id = g_strdup_printf("%04x", ids.subsystem_device);
}

static void fill_place(const UsherTree *tree, int folder, UsherDevice *device)
{
	g_autofree char *path = g_strconcat(DEVICES "/", device->address, NULL);
	g_autofree char *target = usher_tree_link(tree, path);
	if (target != NULL) {
		device->parent = usher_pci_path_parent(target);
		device->facts->path = usher_pci_path_shape(target);
	}
	g_autofree char *group = usher_attr_link_name(folder, "iommu_group");
	uint32_t number;
	if (group != NULL && usher_text_parse_u32(group, INT32_MAX, &number, NULL))
		device->iommu_group = number;
	int64_t node;
	if (usher_attr_read_int(folder, "numa_node", &node) && node >= 0)
		device->numa_node = node;
	device->slot_label = usher_attr_read(folder, "label");
}

static int compare_by_index(const void *one, const void *other)
{
	const char *const *a = one, *const *b = other;
	uint32_t m = 0, n = 0;
	(void) usher_text_parse_u32(*a + strlen("virtfn"), UINT16_MAX, &m, NULL);
	(void) usher_text_parse_u32(*b + strlen("virtfn"), UINT16_MAX, &n, NULL);
	return (m > n) - (m < n);
}

/* Their number is counted by links: sriov_numvfs takes the device's lock in many kernels. */
static void fill_functions(int folder, UsherDevice *device)
{
	device->physical_function = usher_attr_link_name(folder, "physfn");
	int64_t total;
	if (usher_attr_read_int(folder, "sriov_totalvfs", &total) && total >= 0)
		device->sriov_total = total;
	g_autoptr(GPtrArray) names = usher_attr_list(folder, ".");
	g_autoptr(GPtrArray) links = g_ptr_array_new();
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		if (g_str_has_prefix(names->pdata[i], "virtfn"))
			g_ptr_array_add(links, names->pdata[i]);
	}
	g_ptr_array_sort(links, compare_by_index);
	for (unsigned i = 0; i < links->len; i++) {
		char *address = usher_attr_link_name(folder, links->pdata[i]);
		if (address != NULL)
			g_ptr_array_add(device->virtual_functions, address);
	}
}

/* reset_method and mdev_supported_types are read without a lock of the device
 * (drivers/pci/pci.c, reset_method_show). */
static void fill_abilities(int folder, UsherDevice *device)
{
	device->driver = usher_attr_link_name(folder, "driver");
	device->reset_methods = usher_attr_read(folder, "reset_method");
	g_autoptr(GPtrArray) types = usher_attr_list(folder, "mdev_supported_types");
	for (unsigned i = 0; types != NULL && i < types->len; i++)
		g_ptr_array_add(device->mdev_types, g_strdup(types->pdata[i]));
}

static void fill_display(int folder, UsherDevice *device, UsherInventory *inventory)
{
	if (usher_device_class(device) >> 8 != 0x0300)
		return;
	int64_t is_boot;
	if (usher_attr_read_int(folder, "boot_vga", &is_boot))
		device->boot_display = is_boot != 0;
	else
		inventory->boot_display_known = false;
}

/* A device that goes while it is read is left out. */
static UsherDevice *read_device(
	const UsherTree *tree, const char *address, UsherInventory *inventory)
{
	g_autofree char *path = g_strconcat(DEVICES "/", address, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (folder < 0)
		return NULL;
	UsherDevice *device = usher_device_new();
	device->address = g_strdup(address);
	device->facts = usher_device_facts_new();
	fill_ids(folder, device);
	fill_place(tree, folder, device);
	fill_functions(folder, device);
	fill_abilities(folder, device);
	fill_display(folder, device, inventory);
	if (device->physical_function == NULL)
		device->serial = usher_pci_serial_read(folder);
	device->facts->serial = g_strdup(device->serial);
	return device;
}

static bool has_iommu(const UsherTree *tree, const UsherInventory *inventory)
{
	g_autoptr(GPtrArray) units = usher_tree_list(tree, "sys/class/iommu");
	if (units != NULL)
		return units->len > 0;
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (device->iommu_group != USHER_INT_NULL)
			return true;
	}
	return false;
}

void usher_scan_pci(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) addresses = usher_tree_list(tree, DEVICES);
	g_autoptr(UsherNames) names = usher_names_open();
	inventory->boot_display_known = true;
	if (addresses == NULL)
		g_ptr_array_add(inventory->notes, g_strdup("/" DEVICES " could not be read"));
	for (unsigned i = 0; addresses != NULL && i < addresses->len; i++) {
		UsherPciAddr addr;
		if (!usher_pci_addr_parse(addresses->pdata[i], &addr, NULL))
			continue;
		UsherDevice *device = read_device(tree, addresses->pdata[i], inventory);
		if (device == NULL)
			continue;
		usher_names_fill(names, device);
		g_ptr_array_add(inventory->devices, device);
	}
	inventory->has_iommu = has_iommu(tree, inventory);
}
