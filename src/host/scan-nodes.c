/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel made of devices: DRM nodes; and what it knows of where they are: slots, IOMMUs. */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/pci-path.h"
#include "host/smbios.h"

#define DRM    "sys/class/drm"
#define SLOTS  "sys/bus/pci/slots"
#define UNITS  "sys/class/iommu"
#define NVIDIA "proc/driver/nvidia/gpus"
#define SMBIOS "sys/firmware/dmi/tables/DMI"

static UsherDevice *find_device(const UsherInventory *inventory, const char *address)
{
	/* Not finished, but this thread's own and sorted: the bus is listed by name. */
	for (unsigned i = 0; address != NULL && i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		if (strcmp(device->address, address) == 0)
			return device;
	}
	return NULL;
}

/* "card0" and "renderD128"; "card0-HDMI-A-1" is a socket of it. */
static bool is_node(const char *name)
{
	static const char *const prefixes[] = { "card", "renderD" };
	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		const char *rest = name + strlen(prefixes[i]);
		if (g_str_has_prefix(name, prefixes[i]) && rest[0] != '\0' &&
			strspn(rest, "0123456789") == strlen(rest))
			return true;
	}
	return false;
}

static void scan_drm(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, DRM);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		if (!is_node(names->pdata[i]))
			continue;
		g_autofree char *path = g_strconcat(DRM "/", names->pdata[i], NULL);
		g_autofree char *target = usher_tree_link(tree, path);
		g_autofree char *address = target != NULL ? usher_pci_path_last(target) : NULL;
		UsherDevice *device = find_device(inventory, address);
		if (device != NULL)
			g_ptr_array_add(device->drm, g_strdup(names->pdata[i]));
	}
}

/* A slot is named by what is printed beside it, its address has no function: "0000:01:00". */
static void scan_slots(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, SLOTS);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat(SLOTS "/", names->pdata[i], "/address", NULL);
		g_autofree char *address = usher_tree_read(tree, path);
		size_t length = address != NULL ? strlen(g_strstrip(address)) : 0;
		for (unsigned j = 0; length > 0 && j < inventory->devices->len; j++) {
			UsherDevice *device = inventory->devices->pdata[j];
			if (device->physical_function == NULL && device->slot_label == NULL &&
				strncmp(device->address, address, length) == 0 &&
				device->address[length] == '.')
				device->slot_label = g_strdup(names->pdata[i]);
		}
	}
}

/* A slot has the function at its address, or what hangs on the port that is there. */
static bool is_in_slot(const UsherDevice *device, const char *slot)
{
	size_t length = strlen(slot);
	const char *port = device->parent != NULL ? device->parent : "";
	bool is_there = strncmp(device->address, slot, length) == 0 &&
		device->address[length] == '.' && !usher_device_is_bridge(device);
	return is_there || (strncmp(port, slot, length) == 0 && port[length] == '.');
}

/* What firmware says of slots; root alone may read it. */
static void scan_smbios(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GBytes) table = usher_tree_read_bytes(tree, SMBIOS);
	gsize length = 0;
	const uint8_t *bytes = table != NULL ? g_bytes_get_data(table, &length) : NULL;
	UsherSmbios structure;
	for (size_t at = 0; bytes != NULL && usher_smbios_take(bytes + at, length - at, &structure);
		at += structure.size) {
		g_autofree char *label = NULL, *slot = NULL;
		if (!usher_smbios_slot(&structure, &label, &slot))
			continue;
		for (unsigned i = 0; i < inventory->devices->len; i++) {
			UsherDevice *device = inventory->devices->pdata[i];
			if (device->slot_label == NULL && device->physical_function == NULL &&
				is_in_slot(device, slot))
				device->slot_label = g_strdup(label);
		}
	}
}

static void scan_units(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) units = usher_tree_list(tree, UNITS);
	for (unsigned i = 0; units != NULL && i < units->len; i++) {
		g_autofree char *path = g_strconcat(UNITS "/", units->pdata[i], "/devices", NULL);
		g_autoptr(GPtrArray) members = usher_tree_list(tree, path);
		g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
		for (unsigned j = 0; members != NULL && j < members->len; j++)
			g_hash_table_add(set, members->pdata[j]);
		for (unsigned j = 0; members != NULL && j < inventory->devices->len; j++) {
			UsherDevice *device = inventory->devices->pdata[j];
			if (device->iommu_unit == NULL &&
				g_hash_table_contains(set, device->address))
				device->iommu_unit = g_strdup(units->pdata[i]);
		}
	}
}

/* "GPU UUID: \t GPU-…", of GPUs that the vendor's driver has. */
static void scan_nvidia(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, NVIDIA);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		UsherDevice *device = find_device(inventory, names->pdata[i]);
		g_autofree char *path =
			g_strconcat(NVIDIA "/", names->pdata[i], "/information", NULL);
		g_autofree char *text = device != NULL ? usher_tree_read(tree, path) : NULL;
		const char *at = text != NULL ? strstr(text, "GPU UUID:") : NULL;
		if (at == NULL)
			continue;
		at += strlen("GPU UUID:");
		at += strspn(at, " \t");
		size_t length = strcspn(at, " \t\n");
		if (g_str_has_prefix(at, "GPU-") && memchr(at, '?', length) == NULL)
			device->facts->uuid = g_strndup(at, length);
	}
}

void usher_scan_nodes(const UsherTree *tree, UsherInventory *inventory)
{
	scan_drm(tree, inventory);
	scan_slots(tree, inventory);
	scan_smbios(tree, inventory);
	scan_units(tree, inventory);
	scan_nvidia(tree, inventory);
}
