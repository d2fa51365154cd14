/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
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
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (usher_device_class(device) >> 16 == 0x03 && !device->boot_display &&
			inventory->boot_display_known && shows_pictures(tree, device))
			inventory->other_console = true;
	}
}

void usher_scan_needs(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, "sys/class/tpm");
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat("sys/class/tpm/", names->pdata[i], NULL);
		g_autofree char *target = usher_tree_link(tree, path);
		char *address = target != NULL ? usher_pci_path_last(target) : NULL;
		if (address == NULL)
			continue;
		UsherGuardReason *reason = usher_guard_reason_new();
		reason->device = address;
		reason->why = g_strdup("is the host's TPM");
		g_ptr_array_add(reason->proof, g_strdup(names->pdata[i]));
		g_ptr_array_add(reason->proof, g_strdup(address));
		g_ptr_array_add(inventory->needs, reason);
	}
}
