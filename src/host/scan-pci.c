/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/names.h"
#include "host/pci-ids.h"
#include "host/pci-path.h"

#define DEVICES "sys/bus/pci/devices"

/* What a scan of all functions has open. */
typedef struct Reader {
	const UsherTree *tree;
	int devices; /* the folder of links */
	UsherNames *names;
} Reader;

static char *print_hex(uint32_t value, unsigned n_digits)
{
	char *text = g_malloc(n_digits + 1);
	text[n_digits] = '\0';
	for (unsigned i = n_digits; i-- > 0; value >>= 4)
		text[i] = "0123456789abcdef"[value & 0xf];
	return text;
}

/* Serial numbers are of cards: a virtual function has its physical one's. */
static void fill_ids(int folder, UsherDevice *device)
{
	UsherPciIds ids;
	bool is_virtual = device->physical_function != NULL;
	if (!usher_pci_ids_read(folder, &ids, is_virtual ? NULL : &device->serial))
		return;
	device->facts->serial = g_strdup(device->serial);
	device->vendor_id = print_hex(ids.vendor, 4);
	device->device_id = print_hex(ids.device, 4);
	device->class_code = print_hex(ids.class_code, 6);
	if (ids.has_revision)
		device->revision = print_hex(ids.revision, 2);
	if (!ids.has_subsystem)
		return;
	device->subsystem_vendor_id = print_hex(ids.subsystem_vendor, 4);
	device->subsystem_device_id = print_hex(ids.subsystem_device, 4);
}

static void fill_place(const Reader *reader, int folder, UsherDevice *device)
{
	g_autofree char *target = usher_link_read(reader->devices, device->address, NULL);
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

static void list_functions(int folder, UsherDevice *device)
{
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

/* Their number is counted by links: sriov_numvfs takes the device's lock in many kernels. Folders
 * of devices are long, so they are listed only where there may be such links. */
static void fill_functions(int folder, UsherDevice *device)
{
	int64_t total;
	if (usher_attr_read_int(folder, "sriov_totalvfs", &total) && total >= 0)
		device->sriov_total = total;
	g_autofree char *first = usher_attr_link_name(folder, "virtfn0");
	if (first != NULL)
		list_functions(folder, device);
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
	const Reader *reader, const char *address, UsherInventory *inventory)
{
	g_autofree char *path = g_strconcat(DEVICES "/", address, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(reader->tree, path);
	if (folder < 0)
		return NULL;
	UsherDevice *device = usher_device_new();
	device->address = g_strdup(address);
	device->facts = usher_device_facts_new();
	device->physical_function = usher_attr_link_name(folder, "physfn");
	fill_ids(folder, device);
	fill_place(reader, folder, device);
	fill_functions(folder, device);
	fill_abilities(folder, device);
	fill_display(folder, device, inventory);
	/* Of a recording: no kernel is behind it that could hang. */
	if (!usher_tree_is_live(reader->tree))
		device->driver_override = usher_attr_read(folder, "driver_override");
	usher_names_fill(reader->names, device);
	return device;
}

/* As the kernel prints it. */
static bool is_address(const char *name)
{
	UsherPciAddr addr;
	char text[USHER_PCI_ADDR_TEXT];
	return usher_pci_addr_parse(name, &addr, NULL) &&
		strcmp(name, usher_pci_addr_print(addr, text)) == 0;
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
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, DEVICES);
	const Reader reader = { tree, folder, names };
	inventory->boot_display_known = true;
	if (addresses == NULL)
		g_ptr_array_add(inventory->notes, g_strdup("/" DEVICES " could not be read"));
	for (unsigned i = 0; addresses != NULL && i < addresses->len; i++) {
		UsherDevice *device = is_address(addresses->pdata[i])
			? read_device(&reader, addresses->pdata[i], inventory)
			: NULL;
		if (device != NULL)
			g_ptr_array_add(inventory->devices, device);
	}
	inventory->has_iommu = has_iommu(tree, inventory);
}
