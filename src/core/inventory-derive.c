/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from what was read of all devices together. */
#include <string.h>

#include "core/guard.h"
#include "core/inventory-parts.h"
#include "core/passthrough.h"
#include "core/unit.h"

static int compare_devices(const void *one, const void *other)
{
	const UsherDevice *const *a = one, *const *b = other;
	return usher_device_compare(*a, *b);
}

static int compare_blocks(const void *one, const void *other)
{
	const UsherBlock *const *a = one, *const *b = other;
	return strcmp((*a)->name, (*b)->name);
}

static int compare_nets(const void *one, const void *other)
{
	const UsherNet *const *a = one, *const *b = other;
	return strcmp((*a)->name, (*b)->name);
}

static void derive_companions(const GPtrArray *near, UsherDevice *device)
{
	g_ptr_array_set_size(device->companions, 0);
	for (unsigned i = 0; i < near->len; i++) {
		const UsherDevice *other = near->pdata[i];
		if (usher_unit_is_companion(device, other))
			g_ptr_array_add(device->companions, g_strdup(other->address));
	}
}

void usher_inventory_derive_verdict(
	const UsherInventory *inventory, const GPtrArray *near, UsherDevice *device)
{
	g_clear_pointer(&device->guard, usher_guard_result_free);
	g_clear_pointer(&device->passthrough, usher_passthrough_free);
	device->guard = usher_guard_ask(inventory->guard, device, near);
	device->passthrough = usher_passthrough_among(inventory, device, near);
}

static void derive_verdicts(UsherInventory *inventory)
{
	g_clear_pointer(&inventory->guard, usher_guard_free);
	inventory->guard = usher_guard_new(inventory);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		g_autoptr(GPtrArray) near = usher_inventory_near_at(inventory, i, indexes);
		usher_inventory_derive_verdict(inventory, near, device);
	}
}

void usher_inventory_add_function(const UsherDevice *physical, const UsherDevice *device)
{
	GPtrArray *functions = physical->virtual_functions;
	if (!g_ptr_array_find_with_equal_func(functions, device->address, g_str_equal, NULL))
		g_ptr_array_add(functions, g_strdup(device->address));
}

/* Routing ids of virtual functions rise with their index (PCIe 6.0, 9.2.1.2), so the order of
 * addresses is theirs. */
static void derive_virtual_functions(const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = usher_inventory_at(inventory, i);
		unsigned place = device->physical_function != NULL
			? usher_inventory_place(inventory, device->physical_function)
			: USHER_NOWHERE;
		if (place != USHER_NOWHERE && place != i)
			usher_inventory_add_function(usher_inventory_at(inventory, place), device);
	}
}

/* An index tells with its physical function who a virtual one is. */
static void derive_index(const UsherInventory *inventory, const UsherDevice *physical)
{
	for (unsigned i = 0; i < physical->virtual_functions->len; i++) {
		unsigned place =
			usher_inventory_place(inventory, physical->virtual_functions->pdata[i]);
		UsherDevice *virtual = place != USHER_NOWHERE ? inventory->devices->pdata[place]
							      : NULL;
		if (virtual == NULL ||
			g_strcmp0(virtual->physical_function, physical->address) != 0)
			continue;
		if (virtual->facts == NULL)
			virtual->facts = usher_device_facts_new();
		virtual->facts->vf_index = i;
	}
}

/* only: addresses, NULL: all. */
static bool is_wanted(const UsherDevice *device, GHashTable *only)
{
	return only == NULL || g_hash_table_contains(only, device->address);
}

static UsherDevice *find_owner(const UsherInventory *inventory, const char *usb, const char *pci)
{
	const UsherDevice *device = usb != NULL ? usher_inventory_find_text(inventory, usb) : NULL;
	if (device == NULL && pci != NULL)
		device = usher_inventory_find_text(inventory, pci);
	return (UsherDevice *) (uintptr_t) device;
}

/* Virtual functions may be given another address at any time; a function with several devices has
 * the lowest, so that their order does not matter. */
static void derive_nets(const UsherInventory *inventory, GHashTable *only)
{
	for (unsigned i = 0; i < inventory->nets->len; i++) {
		const UsherNet *net = inventory->nets->pdata[i];
		UsherDevice *device = find_owner(inventory, net->usb, net->pci);
		if (device == NULL || !is_wanted(device, only))
			continue;
		g_ptr_array_add(device->nets, g_strdup(net->name));
		if (net->mac == NULL || device->physical_function != NULL)
			continue;
		if (device->facts == NULL)
			device->facts = usher_device_facts_new();
		char **mac = &device->facts->mac;
		if (*mac == NULL || strcmp(net->mac, *mac) < 0) {
			g_free(*mac);
			*mac = g_strdup(net->mac);
		}
	}
}

static const UsherBlock *find_block(const UsherInventory *inventory, const char *name)
{
	for (unsigned i = 0; i < inventory->blocks->len; i++) {
		const UsherBlock *block = inventory->blocks->pdata[i];
		if (strcmp(block->name, name) == 0)
			return block;
	}
	return NULL;
}

/* Disks alone: partitions are theirs. A disk of several paths is each controller's. */
static void derive_blocks(const UsherInventory *inventory, GHashTable *only)
{
	for (unsigned i = 0; i < inventory->blocks->len; i++) {
		const UsherBlock *block = inventory->blocks->pdata[i];
		UsherDevice *device = find_owner(inventory, block->usb, block->pci);
		if (block->devno == NULL || block->parent != NULL)
			continue;
		if (device != NULL && is_wanted(device, only))
			g_ptr_array_add(device->blocks, g_strdup(block->name));
		for (unsigned j = 0; device == NULL && j < block->slaves->len; j++) {
			const UsherBlock *path = find_block(inventory, block->slaves->pdata[j]);
			UsherDevice *controller = path != NULL && path->devno == NULL
				? find_owner(inventory, NULL, path->pci)
				: NULL;
			if (controller != NULL && is_wanted(controller, only))
				g_ptr_array_add(controller->blocks, g_strdup(block->name));
		}
	}
}

static void add_foreign(UsherDevice *device, const char *kind, const char *name)
{
	for (unsigned i = 0; i < device->foreign->len; i++) {
		const UsherForeign *foreign = device->foreign->pdata[i];
		if (strcmp(foreign->kind, kind) == 0 && strcmp(foreign->name, name) == 0)
			return;
	}
	UsherForeign *foreign = usher_foreign_new();
	foreign->kind = g_strdup(kind);
	foreign->name = g_strdup(name);
	g_ptr_array_add(device->foreign, foreign);
}

/* A mediated device that lives was made for somebody. */
static void derive_foreign(const UsherInventory *inventory, GHashTable *only)
{
	for (unsigned i = 0; i < inventory->takers->len; i++) {
		const UsherTaker *taker = inventory->takers->pdata[i];
		unsigned place = usher_inventory_place(inventory, taker->address);
		UsherDevice *device =
			place != USHER_NOWHERE ? inventory->devices->pdata[place] : NULL;
		if (device != NULL && is_wanted(device, only))
			add_foreign(device, taker->kind, taker->name);
	}
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		for (unsigned j = 0; j < device->mdevs->len && is_wanted(device, only); j++) {
			const UsherMdev *mdev = device->mdevs->pdata[j];
			add_foreign(device, "mdev", mdev->uuid);
		}
	}
}

void usher_inventory_derive_lists(const UsherInventory *inventory, GHashTable *only)
{
	derive_nets(inventory, only);
	derive_blocks(inventory, only);
	derive_foreign(inventory, only);
}

/* A folder's listing is sorted already, as a rule. */
void usher_inventory_sort(GPtrArray *devices)
{
	for (unsigned i = 1; i < devices->len; i++) {
		if (usher_device_compare(devices->pdata[i - 1], devices->pdata[i]) > 0) {
			g_ptr_array_sort(devices, compare_devices);
			return;
		}
	}
}

void usher_inventory_derive_device(const UsherInventory *inventory, unsigned place, GArray *indexes)
{
	UsherDevice *device = inventory->devices->pdata[place];
	device->type = device->kind == USHER_DEVICE_USB
		? USHER_TYPE_USB
		: usher_device_type_of_class(usher_device_class(device));
	device->sriov_active = device->virtual_functions->len;
	derive_index(inventory, device);
	g_autoptr(GPtrArray) near = usher_inventory_near_at(inventory, place, indexes);
	derive_companions(near, device);
}

void usher_inventory_finish(UsherInventory *inventory)
{
	usher_inventory_sort(inventory->devices);
	g_ptr_array_sort(inventory->blocks, compare_blocks);
	g_ptr_array_sort(inventory->nets, compare_nets);
	usher_inventory_index_groups(inventory);
	derive_virtual_functions(inventory);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++)
		usher_inventory_derive_device(inventory, i, indexes);
	usher_inventory_derive_lists(inventory, NULL);
	derive_verdicts(inventory);
}
