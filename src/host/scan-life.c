/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/pci-path.h"

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

static void add_need(
	UsherInventory *inventory, const char *address, const char *why, const char *const *proof)
{
	UsherGuardReason *reason = usher_guard_reason_new();
	reason->device = g_strdup(address);
	reason->why = g_strdup(why);
	for (size_t i = 0; proof[i] != NULL; i++)
		g_ptr_array_add(reason->proof, g_strdup(proof[i]));
	g_ptr_array_add(reason->proof, g_strdup(address));
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

/* Where all keyboards hang on one controller and no line leads in, it is the way in. */
static void need_keyboard(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, "sys/class/input");
	g_autofree char *only = NULL;
	const char *input = NULL;
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat("sys/class/input/", names->pdata[i], NULL);
		g_autofree char *target = usher_tree_link(tree, path);
		if (target == NULL || strstr(target, "/virtual/") != NULL ||
			!is_keyboard(tree, names->pdata[i]))
			continue;
		g_autofree char *address = usher_pci_path_last(target);
		if (address == NULL || (only != NULL && strcmp(only, address) != 0))
			return;
		input = names->pdata[i];
		g_free(only);
		only = g_steal_pointer(&address);
	}
	const char *proof[] = { "keyboard", input, NULL };
	if (only != NULL && !has_console_line(tree))
		add_need(inventory, only, "has the last keyboard, and no serial line is a console",
			proof);
}

void usher_scan_needs(const UsherTree *tree, UsherInventory *inventory)
{
	need_keyboard(tree, inventory);
	need_tpm(tree, inventory);
	need_shared_folders(tree, inventory);
}
