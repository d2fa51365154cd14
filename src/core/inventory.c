/* SPDX-License-Identifier: Apache-2.0 */
#include "core/inventory.h"

#include <string.h>

#include "core/guard.h"
#include "core/passthrough.h"
#include "core/unit.h"

void usher_block_free(UsherBlock *block)
{
	if (block == NULL)
		return;
	g_free(block->name);
	g_free(block->devno);
	g_free(block->pci);
	g_free(block->parent);
	g_clear_pointer(&block->slaves, g_ptr_array_unref);
	g_free(block->backing);
	g_free(block->mapper);
	g_free(block->claim);
	g_free(block->signature);
	g_free(block);
}

void usher_mount_free(UsherMount *mount)
{
	if (mount == NULL)
		return;
	g_free(mount->devno);
	g_free(mount->source);
	g_free(mount->target);
	g_free(mount->type);
	g_free(mount);
}

void usher_net_free(UsherNet *net)
{
	if (net == NULL)
		return;
	g_free(net->name);
	g_free(net->pci);
	g_clear_pointer(&net->lowers, g_ptr_array_unref);
	g_free(net);
}

void usher_route_free(UsherRoute *route)
{
	if (route == NULL)
		return;
	g_free(route->interface);
	g_free(route->use);
	g_free(route->peer);
	g_free(route);
}

static void free_device(void *device)
{
	usher_device_free(device);
}

static void free_block(void *block)
{
	usher_block_free(block);
}

static void free_mount(void *mount)
{
	usher_mount_free(mount);
}

static void free_net(void *net)
{
	usher_net_free(net);
}

static void free_route(void *route)
{
	usher_route_free(route);
}

static void free_need(void *need)
{
	usher_guard_reason_free(need);
}

UsherInventory *usher_inventory_new(void)
{
	UsherInventory *inventory = g_atomic_rc_box_new0(UsherInventory);
	inventory->devices = g_ptr_array_new_with_free_func(free_device);
	inventory->blocks = g_ptr_array_new_with_free_func(free_block);
	inventory->mounts = g_ptr_array_new_with_free_func(free_mount);
	inventory->nets = g_ptr_array_new_with_free_func(free_net);
	inventory->routes = g_ptr_array_new_with_free_func(free_route);
	inventory->needs = g_ptr_array_new_with_free_func(free_need);
	inventory->notes = g_ptr_array_new_with_free_func(g_free);
	return inventory;
}

UsherInventory *usher_inventory_ref(const UsherInventory *inventory)
{
	return g_atomic_rc_box_acquire((void *) (uintptr_t) inventory);
}

static void clear_inventory(void *data)
{
	UsherInventory *inventory = data;
	g_ptr_array_unref(inventory->devices);
	g_ptr_array_unref(inventory->blocks);
	g_ptr_array_unref(inventory->mounts);
	g_ptr_array_unref(inventory->nets);
	g_ptr_array_unref(inventory->routes);
	g_ptr_array_unref(inventory->needs);
	g_ptr_array_unref(inventory->notes);
}

void usher_inventory_unref(UsherInventory *inventory)
{
	if (inventory != NULL)
		g_atomic_rc_box_release_full(inventory, clear_inventory);
}

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

static void derive_companions(const GPtrArray *devices, UsherDevice *device)
{
	g_ptr_array_set_size(device->companions, 0);
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDevice *other = devices->pdata[i];
		if (usher_unit_is_companion(device, other))
			g_ptr_array_add(device->companions, g_strdup(other->address));
	}
}

static void derive_verdicts(const UsherInventory *inventory)
{
	g_autoptr(UsherGuard) guard = usher_guard_new(inventory);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		g_clear_pointer(&device->guard, usher_guard_result_free);
		g_clear_pointer(&device->passthrough, usher_passthrough_free);
		device->guard = usher_guard_ask(guard, device);
		device->passthrough = usher_passthrough_of(inventory, device);
	}
}

static UsherDevice *find_by_address(const GPtrArray *devices, const char *address)
{
	for (unsigned i = 0; i < devices->len; i++) {
		UsherDevice *device = devices->pdata[i];
		if (strcmp(device->address, address) == 0)
			return device;
	}
	return NULL;
}

/* Routing ids of virtual functions rise with their index (PCIe 6.0, 9.2.1.2), so the order of
 * addresses is theirs. */
static void derive_virtual_functions(const GPtrArray *devices)
{
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDevice *device = devices->pdata[i];
		UsherDevice *physical = device->physical_function == NULL
			? NULL
			: find_by_address(devices, device->physical_function);
		if (physical != NULL &&
			!g_ptr_array_find_with_equal_func(
				physical->virtual_functions, device->address, g_str_equal, NULL))
			g_ptr_array_add(physical->virtual_functions, g_strdup(device->address));
	}
}

void usher_inventory_finish(UsherInventory *inventory)
{
	g_ptr_array_sort(inventory->devices, compare_devices);
	g_ptr_array_sort(inventory->blocks, compare_blocks);
	g_ptr_array_sort(inventory->nets, compare_nets);
	derive_virtual_functions(inventory->devices);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		device->type = usher_device_type_of_class(usher_device_class(device));
		device->sriov_active = device->virtual_functions->len;
		derive_companions(inventory->devices, device);
	}
	derive_verdicts(inventory);
}

const UsherDevice *usher_inventory_find(const UsherInventory *inventory, UsherPciAddr addr)
{
	char text[USHER_PCI_ADDR_TEXT];
	UsherDevice wanted = { .address = usher_pci_addr_print(addr, text) };
	unsigned low = 0, high = inventory->devices->len;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const UsherDevice *device = inventory->devices->pdata[middle];
		int order = usher_device_compare(&wanted, device);
		if (order == 0)
			return device;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const UsherDevice *usher_inventory_find_text(const UsherInventory *inventory, const char *address)
{
	UsherPciAddr addr;
	if (usher_pci_addr_parse(address, &addr, NULL))
		return usher_inventory_find(inventory, addr);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (strcmp(device->address, address) == 0)
			return device;
	}
	return NULL;
}
