/* SPDX-License-Identifier: Apache-2.0 */
#include "core/inventory.h"

#include <string.h>

#include "core/guard.h"
#include "core/inventory-parts.h"

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
	g_free(block->usb);
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
	g_free(net->usb);
	g_free(net->mac);
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

void usher_taker_free(UsherTaker *taker)
{
	if (taker == NULL)
		return;
	g_free(taker->address);
	g_free(taker->kind);
	g_free(taker->name);
	g_free(taker);
}

void usher_inventory_drop_device(void *device)
{
	usher_device_drop(device);
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

static void free_taker(void *taker)
{
	usher_taker_free(taker);
}

static void free_need(void *need)
{
	usher_guard_reason_free(need);
}

UsherInventory *usher_inventory_new(void)
{
	UsherInventory *inventory = g_atomic_rc_box_new0(UsherInventory);
	inventory->devices = g_ptr_array_new_with_free_func(usher_inventory_drop_device);
	inventory->by_group = g_array_new(FALSE, FALSE, sizeof(unsigned));
	inventory->blocks = g_ptr_array_new_with_free_func(free_block);
	inventory->mounts = g_ptr_array_new_with_free_func(free_mount);
	inventory->nets = g_ptr_array_new_with_free_func(free_net);
	inventory->routes = g_ptr_array_new_with_free_func(free_route);
	inventory->takers = g_ptr_array_new_with_free_func(free_taker);
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
	usher_guard_free(inventory->guard);
	g_ptr_array_unref(inventory->devices);
	g_array_unref(inventory->by_group);
	g_ptr_array_unref(inventory->blocks);
	g_ptr_array_unref(inventory->mounts);
	g_ptr_array_unref(inventory->nets);
	g_ptr_array_unref(inventory->routes);
	g_ptr_array_unref(inventory->takers);
	g_ptr_array_unref(inventory->needs);
	g_ptr_array_unref(inventory->notes);
}

void usher_inventory_unref(UsherInventory *inventory)
{
	if (inventory != NULL)
		g_atomic_rc_box_release_full(inventory, clear_inventory);
}

/* Groups count from 0; none comes before them. */
static int64_t group_at(const UsherInventory *inventory, unsigned position)
{
	unsigned index = g_array_index(inventory->by_group, unsigned, position);
	return usher_inventory_at(inventory, index)->iommu_group;
}

static int compare_by_group(const void *one, const void *other, void *data)
{
	const unsigned *a = one, *b = other;
	int64_t m = usher_inventory_at(data, *a)->iommu_group,
		n = usher_inventory_at(data, *b)->iommu_group;
	return m != n ? (m > n) - (m < n) : (*a > *b) - (*a < *b);
}

void usher_inventory_index_groups(UsherInventory *inventory)
{
	g_array_set_size(inventory->by_group, 0);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (usher_inventory_at(inventory, i)->iommu_group != USHER_INT_NULL)
			g_array_append_val(inventory->by_group, i);
	}
	g_array_sort_with_data(inventory->by_group, compare_by_group, inventory);
}

/* The first of a group in by_group; where it would be. */
static unsigned find_group(const UsherInventory *inventory, int64_t group)
{
	unsigned low = 0, high = inventory->by_group->len;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (group_at(inventory, middle) < group)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where a device of this address is, or would be. */
static unsigned find_place(const UsherInventory *inventory, const UsherDevice *wanted)
{
	unsigned low = 0, high = inventory->devices->len;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (usher_device_compare(usher_inventory_at(inventory, middle), wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where the PCI function with this address is. */
unsigned usher_inventory_place(const UsherInventory *inventory, const char *address)
{
	UsherDevice wanted = { .address = (char *) (uintptr_t) address };
	unsigned place = find_place(inventory, &wanted);
	bool is_there = place < inventory->devices->len &&
		usher_device_compare(usher_inventory_at(inventory, place), &wanted) == 0;
	return is_there ? place : USHER_NOWHERE;
}

void usher_inventory_index_group_of(UsherInventory *inventory, unsigned index)
{
	int64_t group = usher_inventory_at(inventory, index)->iommu_group;
	GArray *all = inventory->by_group;
	if (group == USHER_INT_NULL)
		return;
	unsigned position = find_group(inventory, group);
	while (position < all->len && group_at(inventory, position) == group &&
		g_array_index(all, unsigned, position) < index)
		position++;
	g_array_insert_val(all, position, index);
}

/* Of the address up to the function. */
static bool is_of_slot(const UsherDevice *one, const UsherDevice *other)
{
	size_t length = strlen(one->address);
	return length > 0 && one->kind == other->kind && length == strlen(other->address) &&
		memcmp(one->address, other->address, length - 1) == 0;
}

/* place: where the device is. */
static void add_slot(const UsherInventory *inventory, unsigned place, GArray *indexes)
{
	const UsherDevice *device = usher_inventory_at(inventory, place);
	unsigned first = place;
	while (first > 0 && is_of_slot(usher_inventory_at(inventory, first - 1), device))
		first--;
	for (unsigned i = first; i < inventory->devices->len; i++) {
		if (!is_of_slot(usher_inventory_at(inventory, i), device))
			break;
		g_array_append_val(indexes, i);
	}
}

static void add_group(const UsherInventory *inventory, const UsherDevice *device, GArray *indexes)
{
	if (device->iommu_group == USHER_INT_NULL)
		return;
	const GArray *all = inventory->by_group;
	for (unsigned i = find_group(inventory, device->iommu_group); i < all->len; i++) {
		if (group_at(inventory, i) != device->iommu_group)
			break;
		g_array_append_val(indexes, g_array_index(all, unsigned, i));
	}
}

static void add_functions(
	const UsherInventory *inventory, const UsherDevice *device, GArray *indexes)
{
	for (unsigned i = 0; i < device->virtual_functions->len; i++) {
		unsigned place =
			usher_inventory_place(inventory, device->virtual_functions->pdata[i]);
		if (place != USHER_NOWHERE)
			g_array_append_val(indexes, place);
	}
}

/* indexes is where it works; what was in there is lost. */
GPtrArray *usher_inventory_near_at(const UsherInventory *inventory, unsigned place, GArray *indexes)
{
	const UsherDevice *device = usher_inventory_at(inventory, place);
	g_array_set_size(indexes, 0);
	add_slot(inventory, place, indexes);
	add_group(inventory, device, indexes);
	add_functions(inventory, device, indexes);
	if (indexes->len > 1)
		g_array_sort(indexes, usher_inventory_compare_places);
	GPtrArray *near = g_ptr_array_sized_new(indexes->len);
	for (unsigned i = 0; i < indexes->len; i++) {
		unsigned index = g_array_index(indexes, unsigned, i);
		if (i == 0 || g_array_index(indexes, unsigned, i - 1) != index)
			g_ptr_array_add(near, inventory->devices->pdata[index]);
	}
	return near;
}

GPtrArray *usher_inventory_near(const UsherInventory *inventory, const UsherDevice *device)
{
	unsigned place = find_place(inventory, device);
	g_assert(place < inventory->devices->len && usher_inventory_at(inventory, place) == device);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	return usher_inventory_near_at(inventory, place, indexes);
}

const UsherDevice *usher_inventory_find(const UsherInventory *inventory, UsherPciAddr addr)
{
	char text[USHER_PCI_ADDR_TEXT];
	UsherDevice wanted = { .address = usher_pci_addr_print(addr, text) };
	unsigned place = find_place(inventory, &wanted);
	bool is_there = place < inventory->devices->len &&
		usher_device_compare(usher_inventory_at(inventory, place), &wanted) == 0;
	return is_there ? usher_inventory_at(inventory, place) : NULL;
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
