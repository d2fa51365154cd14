/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/hid.h"
#include "host/pci-path.h"
#include "host/usb-path.h"

/* A serial line or a hypervisor's console: "ttyS0", "ttyAMA0", "hvc0". Screens are "tty0", and what
 * is none of these ("ttynull", "netcon0", "pstore-1") is nothing to sit at. */
static bool is_line(const char *name)
{
	return (g_str_has_prefix(name, "tty") && g_ascii_isupper(name[3])) ||
		g_str_has_prefix(name, "ttysclp") || g_str_has_prefix(name, "hvc") ||
		g_str_has_prefix(name, "xvc");
}

/* "ttyS0  -W- (EC p a)  4:64" */
static bool has_console_line(const UsherTree *tree)
{
	g_autofree char *text = usher_tree_read(tree, "proc/consoles");
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 2);
		if (words[0] != NULL && is_line(words[0]))
			return true;
	}
	return false;
}

/* With a driver that shows pictures: it made a card or a frame buffer below the device. */
static bool shows_pictures(const UsherTree *tree, const UsherDevice *device)
{
	static const char *const folders[] = { "drm", "graphics" };
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path =
			g_strconcat("sys/bus/pci/devices/", device->address, "/", folders[i], NULL);
		g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
		if (folder >= 0)
			return true;
	}
	return false;
}

void usher_scan_consoles(const UsherTree *tree, UsherInventory *inventory)
{
	inventory->other_console = has_console_line(tree);
	for (unsigned i = 0; i < inventory->devices->len && !inventory->other_console; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (usher_device_class(device) >> 16 == 0x03 && !device->boot_display &&
			inventory->boot_display_known && shows_pictures(tree, device))
			inventory->other_console = true;
	}
}

static bool has_device(const UsherInventory *inventory, const char *address)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (strcmp(device->address, address) == 0)
			return true;
	}
	return false;
}

/* proof leads down to the device, and ends with NULL. */
static void add_need(
	UsherInventory *inventory, const char *address, const char *why, const char *const *proof)
{
	UsherGuardReason *reason = usher_guard_reason_new();
	reason->device = g_strdup(address);
	reason->why = g_strdup(why);
	for (size_t i = 0; proof[i] != NULL; i++)
		g_ptr_array_add(reason->proof, g_strdup(proof[i]));
	g_ptr_array_add(inventory->needs, reason);
}

static char *address_of_link(const UsherTree *tree, const char *folder, const char *name)
{
	g_autofree char *path = g_strconcat(folder, "/", name, NULL);
	g_autofree char *target = usher_tree_link(tree, path);
	return target != NULL ? usher_pci_path_last(target) : NULL;
}

static void need_tpm(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, "sys/class/tpm");
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *address = address_of_link(tree, "sys/class/tpm", names->pdata[i]);
		const char *proof[] = { names->pdata[i], NULL };
		if (address != NULL)
			add_need(inventory, address, "is the host's TPM", proof);
	}
}

static const UsherMount *find_mount_of_type(const UsherInventory *inventory, const char *type)
{
	for (unsigned i = 0; i < inventory->mounts->len; i++) {
		const UsherMount *mount = inventory->mounts->pdata[i];
		if (strcmp(mount->type, type) == 0)
			return mount;
	}
	return NULL;
}

/* Where the host is itself a guest: folders of its hypervisor, mounted through a virtio device.
 * Which of several is not always told, so all of them stay. Virtio 1.2, 5: ids. */
static void need_shared_folders(const UsherTree *tree, UsherInventory *inventory)
{
	static const struct {
		const char *type;
		uint32_t id;
	} kinds[] = { { "9p", 9 }, { "virtiofs", 26 } };
	static const char devices[] = "sys/bus/virtio/devices";
	g_autoptr(GPtrArray) names = usher_tree_list(tree, devices);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat(devices, "/", names->pdata[i], NULL);
		g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
		g_autofree char *address = address_of_link(tree, devices, names->pdata[i]);
		uint32_t id;
		if (folder < 0 || address == NULL ||
			!usher_attr_read_hex(folder, "device", UINT16_MAX, &id))
			continue;
		for (size_t j = 0; j < G_N_ELEMENTS(kinds); j++) {
			const UsherMount *mount = find_mount_of_type(inventory, kinds[j].type);
			if (mount == NULL || id != kinds[j].id)
				continue;
			g_autofree char *why =
				g_strdup_printf("brings %s from the hypervisor", mount->target);
			const char *proof[] = { mount->target, kinds[j].type, names->pdata[i],
				NULL };
			add_need(inventory, address, why, proof);
		}
	}
}

/* Escape to D, the keys that no power button or remote control has: what udev's input_id asks. */
static bool is_keyboard(const UsherTree *tree, const char *input)
{
	g_autofree char *path = g_strconcat("sys/class/input/", input, "/capabilities/key", NULL);
	g_autofree char *text = usher_tree_read(tree, path);
	if (text == NULL || !g_str_has_prefix(input, "input"))
		return false;
	const char *last = strrchr(g_strstrip(text), ' ');
	uint64_t keys;
	return usher_text_parse_hex(last != NULL ? last + 1 : text, UINT64_MAX, &keys, NULL) &&
		(keys & 0xfffffffe) == 0xfffffffe;
}

/* Whose loss would leave no keyboard: the controller on which all hang, and where there is but one,
 * itself too. */
typedef struct Keyboards {
	char *input, *pci, *usb; /* of the first */
	unsigned n;
	bool is_spread; /* they hang on several controllers, or on none */
} Keyboards;

static void keyboards_clear(Keyboards *keyboards)
{
	g_free(keyboards->input);
	g_free(keyboards->pci);
	g_free(keyboards->usb);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Keyboards, keyboards_clear)

static void count_keyboard(Keyboards *keyboards, const char *input, const char *target)
{
	g_autofree char *pci = usher_pci_path_last(target);
	keyboards->n++;
	keyboards->is_spread |=
		pci == NULL || (keyboards->pci != NULL && strcmp(keyboards->pci, pci) != 0);
	if (keyboards->input != NULL)
		return;
	keyboards->input = g_strdup(input);
	keyboards->pci = g_steal_pointer(&pci);
	keyboards->usb = usher_usb_path_last(target);
}

static void need_keyboard(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, "sys/class/input");
	bool has_line = has_console_line(tree);
	g_auto(Keyboards) keyboards = { 0 };
	inventory->inputs_known = names != NULL || has_line;
	if (!inventory->inputs_known)
		g_ptr_array_add(inventory->notes, g_strdup("/sys/class/input could not be read"));
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat("sys/class/input/", names->pdata[i], NULL);
		g_autofree char *target = usher_tree_link(tree, path);
		if (target != NULL && strstr(target, "/virtual/") == NULL &&
			is_keyboard(tree, names->pdata[i]))
			count_keyboard(&keyboards, names->pdata[i], target);
	}
	const char *proof[] = { "keyboard", keyboards.input, NULL };
	bool is_usb =
		keyboards.n == 1 && keyboards.usb != NULL && has_device(inventory, keyboards.usb);
	if (keyboards.n > 0 && !keyboards.is_spread && !has_line)
		add_need(inventory, is_usb ? keyboards.usb : keyboards.pci,
			"has the last keyboard, and no serial line is a console", proof);
}

static bool is_power_device(const UsherTree *tree, const char *name)
{
	g_autofree char *path =
		g_strconcat("sys/bus/hid/devices/", name, "/report_descriptor", NULL);
	g_autoptr(GBytes) descriptor = usher_tree_read_bytes(tree, path);
	gsize length = 0;
	const uint8_t *bytes = descriptor != NULL ? g_bytes_get_data(descriptor, &length) : NULL;
	return bytes != NULL && usher_hid_is_power_device(bytes, length);
}

static void need_power_supply(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, "sys/bus/hid/devices");
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat("sys/bus/hid/devices/", names->pdata[i], NULL);
		g_autofree char *target = usher_tree_link(tree, path);
		g_autofree char *usb = target != NULL ? usher_usb_path_last(target) : NULL;
		const char *proof[] = { "UPS", names->pdata[i], NULL };
		if (usb != NULL && has_device(inventory, usb) &&
			is_power_device(tree, names->pdata[i]))
			add_need(inventory, usb, "watches the host's UPS", proof);
	}
}

/* Memory of a device that firmware goes on using: vfio refuses its group (drivers/iommu/iommu.c,
 * iommu_device_claim_dma_owner). */
static void need_of_group(int groups, UsherInventory *inventory, const char *group)
{
	g_autofree char *path = g_strconcat(group, "/reserved_regions", NULL);
	g_autofree char *text = usher_attr_read_below(groups, path);
	if (text == NULL)
		return;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	uint32_t number;
	for (unsigned i = 0; lines[i] != NULL; i++) {
		if (!g_str_has_suffix(g_strstrip(lines[i]), " direct") ||
			!usher_text_parse_u32(group, INT32_MAX, &number, NULL))
			continue;
		g_autofree char *name = g_strconcat("IOMMU group ", group, NULL);
		const char *proof[] = { lines[i], name, NULL };
		for (unsigned j = 0; j < inventory->devices->len; j++) {
			const UsherDevice *device = inventory->devices->pdata[j];
			if (device->iommu_group == number && !usher_device_is_bridge(device))
				add_need(inventory, device->address, USHER_NEED_FIRMWARE_MEMORY,
					proof);
		}
		return;
	}
}

static void need_firmware(const UsherTree *tree, UsherInventory *inventory)
{
	static const char groups[] = "sys/kernel/iommu_groups";
	g_autoptr(GPtrArray) names = usher_tree_list(tree, groups);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, groups);
	for (unsigned i = 0; names != NULL && folder >= 0 && i < names->len; i++)
		need_of_group(folder, inventory, names->pdata[i]);
}

void usher_scan_needs(const UsherTree *tree, UsherInventory *inventory)
{
	need_keyboard(tree, inventory);
	need_tpm(tree, inventory);
	need_power_supply(tree, inventory);
	need_firmware(tree, inventory);
	need_shared_folders(tree, inventory);
}
