/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/names.h"
#include "host/pci-ids.h"
#include "host/pci-path.h"
#include "host/vpd.h"

#define DEVICES "sys/bus/pci/devices"

/* What a scan of all functions has open. */
typedef struct Reader {
	const UsherTree *tree;
	UsherNames *names;
	int devices;       /* the folder of links */
	int parent;        /* the folder that the last one was in, −1: none */
	char *parent_path; /* "pci0000:00/0000:00:02.0" */
} Reader;

static void reader_clear(Reader *reader)
{
	usher_fd_close(reader->devices);
	usher_fd_close(reader->parent);
	g_free(reader->parent_path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

/* Neighbours are in one folder: a way through the tree for each of them would take longer than most
 * of what is read there. −1: the link is not as the kernel makes it, or the folder has gone. */
static int open_beside(Reader *reader, const char *address, const char *target)
{
	static const char up[] = "../../../devices/";
	const char *path = target + strlen(up);
	const char *name = strrchr(target, '/');
	if (!g_str_has_prefix(target, up) || name < path || strcmp(name + 1, address) != 0 ||
		strstr(path, "..") != NULL)
		return -1;
	size_t length = (size_t) (name - path);
	if (reader->parent_path == NULL || strlen(reader->parent_path) != length ||
		memcmp(reader->parent_path, path, length) != 0) {
		g_free(reader->parent_path);
		usher_fd_close(reader->parent);
		reader->parent_path = g_strndup(path, length);
		g_autofree char *parent = g_strconcat("sys/devices/", reader->parent_path, NULL);
		reader->parent = usher_tree_open_folder(reader->tree, parent);
	}
	return reader->parent < 0
		? -1
		: usher_fd_open(reader->parent, address, O_PATH | O_DIRECTORY | O_NOFOLLOW, NULL);
}

static int open_device(Reader *reader, const char *address, const char *target)
{
	int folder = target != NULL ? open_beside(reader, address, target) : -1;
	if (folder >= 0)
		return folder;
	g_autofree char *path = g_strconcat(DEVICES "/", address, NULL);
	return usher_tree_open_folder(reader->tree, path);
}

static char *print_hex(uint32_t value, unsigned n_digits)
{
	char *text = g_malloc(n_digits + 1);
	text[n_digits] = '\0';
	for (unsigned i = n_digits; i-- > 0; value >>= 4)
		text[i] = "0123456789abcdef"[value & 0xf];
	return text;
}

static bool is_asleep(int folder)
{
	g_autofree char *state = usher_attr_read(folder, "power_state");
	return g_strcmp0(state, "D3cold") == 0;
}

/* Configuration space of a virtual function doesn't say who it is, and its serial number is its
 * physical function's. What sleeps in reality is not woken for a look. */
static void fill_ids(const Reader *reader, int folder, UsherDevice *device, GPtrArray *notes)
{
	UsherPciIds ids;
	bool is_virtual = device->physical_function != NULL;
	bool is_by_attributes =
		is_virtual || (usher_tree_is_live(reader->tree) && is_asleep(folder));
	if (!(is_by_attributes && usher_pci_attributes_read(folder, &ids)) &&
		!usher_pci_ids_read(folder, &ids, is_by_attributes ? NULL : &device->serial)) {
		g_ptr_array_add(
			notes, g_strdup_printf("who %s is could not be read", device->address));
		return;
	}
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

static void fill_place(const char *target, int folder, UsherDevice *device)
{
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
	if (device->physical_function == NULL)
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
	/* A virtual one has none of its own, and no bridge has any. */
	if (device->physical_function != NULL || usher_device_is_bridge(device))
		return;
	if (!usher_attr_read_int(folder, "sriov_totalvfs", &total) || total < 0)
		return;
	device->sriov_total = total;
	g_autofree char *first = usher_attr_link_name(folder, "virtfn0");
	if (first != NULL)
		list_functions(folder, device);
}

/* reset_method is read without a lock of the device (drivers/pci/pci.c, reset_method_show). */
static void fill_abilities(int folder, UsherDevice *device)
{
	device->driver = usher_attr_link_name(folder, "driver");
	device->reset_methods = usher_attr_read(folder, "reset_method");
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

/* Of a recording: no kernel and no card is behind it that could hang. */
static void fill_recorded(int folder, UsherDevice *device)
{
	device->driver_override = usher_attr_read(folder, "driver_override");
	g_auto(UsherFd) fd = usher_vpd_is_asked(device)
		? usher_fd_open(folder, "vpd", O_RDONLY | O_NONBLOCK | O_NOFOLLOW, NULL)
		: -1;
	uint8_t bytes[USHER_VPD_MAX];
	size_t length;
	if (fd >= 0 && usher_fd_read(fd, bytes, sizeof bytes, &length, NULL))
		device->facts->vpd_serial = usher_vpd_serial(bytes, length);
}

/* A device that goes while it is read is left out. */
static UsherDevice *read_device(Reader *reader, const char *address, UsherInventory *inventory)
{
	g_autofree char *target = usher_link_read(reader->devices, address, NULL);
	g_auto(UsherFd) folder = open_device(reader, address, target);
	if (folder < 0)
		return NULL;
	UsherDevice *device = usher_device_new();
	device->address = g_strdup(address);
	device->facts = usher_device_facts_new();
	device->physical_function = usher_attr_link_name(folder, "physfn");
	fill_ids(reader, folder, device, inventory->notes);
	fill_place(target, folder, device);
	fill_functions(folder, device);
	fill_abilities(folder, device);
	fill_display(folder, device, inventory);
	if (!usher_tree_is_live(reader->tree))
		fill_recorded(folder, device);
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

static bool has_group(const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (device->iommu_group != USHER_INT_NULL)
			return true;
	}
	return false;
}

/* A function with all its attributes, as `resource` is one, and without a group is in none. */
static bool has_attributes(const UsherTree *tree, const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		g_autofree char *path =
			g_strconcat(DEVICES "/", device->address, "/resource", NULL);
		g_autofree char *text = usher_tree_read(tree, path);
		if (text != NULL)
			return true;
	}
	return false;
}

static void scan_iommu(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) units = usher_tree_list(tree, "sys/class/iommu");
	inventory->has_iommu = units != NULL ? units->len > 0 : has_group(inventory);
	inventory->iommu_unknown = units == NULL && !inventory->has_iommu &&
		!usher_tree_is_whole(tree) && !has_attributes(tree, inventory);
}

void usher_scan_pci_at(const UsherTree *tree, const GPtrArray *addresses, UsherInventory *inventory)
{
	g_autoptr(UsherNames) names = usher_names_open();
	g_auto(Reader) reader = { tree, names, usher_tree_open_folder(tree, DEVICES), -1, NULL };
	inventory->boot_display_known = true;
	for (unsigned i = 0; i < addresses->len; i++) {
		UsherDevice *device = is_address(addresses->pdata[i])
			? read_device(&reader, addresses->pdata[i], inventory)
			: NULL;
		if (device != NULL)
			g_ptr_array_add(inventory->devices, device);
	}
}

void usher_scan_pci(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) addresses = usher_tree_list(tree, DEVICES);
	if (addresses == NULL) {
		g_ptr_array_add(inventory->notes, g_strdup("/" DEVICES " could not be read"));
		addresses = g_ptr_array_new();
	}
	usher_scan_pci_at(tree, addresses, inventory);
	if (usher_tree_is_live(tree) && geteuid() != 0)
		g_ptr_array_add(inventory->notes,
			g_strdup("serial numbers of PCI functions were not read: "
				 "only root reads all of their configuration space"));
	scan_iommu(tree, inventory);
}
