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
	inventory->by_group = g_array_new(FALSE, FALSE, sizeof(unsigned));
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
	g_array_unref(inventory->by_group);
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

static const UsherDevice *device_at(const UsherInventory *inventory, unsigned index)
{
	return inventory->devices->pdata[index];
}

/* Groups count from 0; none comes before them. */
static int64_t group_at(const UsherInventory *inventory, unsigned position)
{
	unsigned index = g_array_index(inventory->by_group, unsigned, position);
	return device_at(inventory, index)->iommu_group;
}

static int compare_by_group(const void *one, const void *other, void *data)
{
	const unsigned *a = one, *b = other;
	int64_t m = device_at(data, *a)->iommu_group, n = device_at(data, *b)->iommu_group;
	return m != n ? (m > n) - (m < n) : (*a > *b) - (*a < *b);
}

static void index_groups(UsherInventory *inventory)
{
	g_array_set_size(inventory->by_group, 0);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (device_at(inventory, i)->iommu_group != USHER_INT_NULL)
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
		if (usher_device_compare(device_at(inventory, middle), wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of the address up to the function. */
static bool is_of_slot(const UsherDevice *one, const UsherDevice *other)
{
	size_t length = strlen(one->address);
	return length > 0 && one->kind == other->kind && length == strlen(other->address) &&
		memcmp(one->address, other->address, length - 1) == 0;
}

static void add_index(GArray *indexes, unsigned index)
{
	g_array_append_val(indexes, index);
}

/* place: where the device is. */
static void add_slot(const UsherInventory *inventory, unsigned place, GArray *indexes)
{
	const UsherDevice *device = device_at(inventory, place);
	unsigned first = place;
	while (first > 0 && is_of_slot(device_at(inventory, first - 1), device))
		first--;
	for (unsigned i = first; i < inventory->devices->len; i++) {
		if (!is_of_slot(device_at(inventory, i), device))
			break;
		add_index(indexes, i);
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
		add_index(indexes, g_array_index(all, unsigned, i));
	}
}

static void add_functions(
	const UsherInventory *inventory, const UsherDevice *device, GArray *indexes)
{
	for (unsigned i = 0; i < device->virtual_functions->len; i++) {
		UsherDevice wanted = { .address = device->virtual_functions->pdata[i] };
		unsigned place = find_place(inventory, &wanted);
		if (place < inventory->devices->len &&
			usher_device_compare(device_at(inventory, place), &wanted) == 0)
			add_index(indexes, place);
	}
}

static int compare_indexes(const void *one, const void *other)
{
	const unsigned *a = one, *b = other;
	return (*a > *b) - (*a < *b);
}

/* indexes is where it works; what was in there is lost. */
static GPtrArray *near_at(const UsherInventory *inventory, unsigned place, GArray *indexes)
{
	const UsherDevice *device = device_at(inventory, place);
	g_array_set_size(indexes, 0);
	add_slot(inventory, place, indexes);
	add_group(inventory, device, indexes);
	add_functions(inventory, device, indexes);
	if (indexes->len > 1)
		g_array_sort(indexes, compare_indexes);
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
	g_assert(place < inventory->devices->len && device_at(inventory, place) == device);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	return near_at(inventory, place, indexes);
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

static void derive_verdicts(const UsherInventory *inventory)
{
	g_autoptr(UsherGuard) guard = usher_guard_new(inventory);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		g_autoptr(GPtrArray) near = near_at(inventory, i, indexes);
		g_clear_pointer(&device->guard, usher_guard_result_free);
		g_clear_pointer(&device->passthrough, usher_passthrough_free);
		device->guard = usher_guard_ask(guard, device, near);
		device->passthrough = usher_passthrough_among(inventory, device, near);
	}
}

/* Routing ids of virtual functions rise with their index (PCIe 6.0, 9.2.1.2), so the order of
 * addresses is theirs. */
static void derive_virtual_functions(const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = device_at(inventory, i);
		UsherDevice wanted = { .address = device->physical_function };
		unsigned place = wanted.address != NULL ? find_place(inventory, &wanted) : i;
		if (place == i || place == inventory->devices->len ||
			usher_device_compare(device_at(inventory, place), &wanted) != 0)
			continue;
		GPtrArray *functions = device_at(inventory, place)->virtual_functions;
		if (!g_ptr_array_find_with_equal_func(
			    functions, device->address, g_str_equal, NULL))
			g_ptr_array_add(functions, g_strdup(device->address));
	}
}

/* An index tells with its physical function who a virtual one is. */
static void derive_index(const UsherInventory *inventory, const UsherDevice *physical)
{
	for (unsigned i = 0; i < physical->virtual_functions->len; i++) {
		UsherDevice wanted = { .address = physical->virtual_functions->pdata[i] };
		unsigned place = find_place(inventory, &wanted);
		if (place == inventory->devices->len ||
			usher_device_compare(device_at(inventory, place), &wanted) != 0)
			continue;
		UsherDevice *virtual = inventory->devices->pdata[place];
		if (virtual->facts == NULL)
			virtual->facts = usher_device_facts_new();
		virtual->facts->vf_index = i;
	}
}

static UsherDevice *find_owner(const UsherInventory *inventory, const char *usb, const char *pci)
{
	const UsherDevice *device =
		usb != NULL ? usher_inventory_find_text(inventory, usb) : NULL;
	if (device == NULL && pci != NULL)
		device = usher_inventory_find_text(inventory, pci);
	return (UsherDevice *) (uintptr_t) device;
}

/* Virtual functions may be given another address at any time; a function with several devices has
 * the lowest, so that their order does not matter. */
static void derive_nets(const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->nets->len; i++) {
		const UsherNet *net = inventory->nets->pdata[i];
		UsherDevice *device = find_owner(inventory, net->usb, net->pci);
		if (device == NULL)
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
static void derive_blocks(const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->blocks->len; i++) {
		const UsherBlock *block = inventory->blocks->pdata[i];
		UsherDevice *device = find_owner(inventory, block->usb, block->pci);
		if (block->devno == NULL || block->parent != NULL)
			continue;
		if (device != NULL)
			g_ptr_array_add(device->blocks, g_strdup(block->name));
		for (unsigned j = 0; device == NULL && j < block->slaves->len; j++) {
			const UsherBlock *path = find_block(inventory, block->slaves->pdata[j]);
			UsherDevice *controller = path != NULL && path->devno == NULL
				? find_owner(inventory, NULL, path->pci)
				: NULL;
			if (controller != NULL)
				g_ptr_array_add(controller->blocks, g_strdup(block->name));
		}
	}
}

/* A folder's listing is sorted already, as a rule. */
static void sort_devices(GPtrArray *devices)
{
	for (unsigned i = 1; i < devices->len; i++) {
		if (usher_device_compare(devices->pdata[i - 1], devices->pdata[i]) > 0) {
			g_ptr_array_sort(devices, compare_devices);
			return;
		}
	}
}

void usher_inventory_finish(UsherInventory *inventory)
{
	sort_devices(inventory->devices);
	g_ptr_array_sort(inventory->blocks, compare_blocks);
	g_ptr_array_sort(inventory->nets, compare_nets);
	index_groups(inventory);
	derive_virtual_functions(inventory);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		device->type = device->kind == USHER_DEVICE_USB
			? USHER_TYPE_USB
			: usher_device_type_of_class(usher_device_class(device));
		device->sriov_active = device->virtual_functions->len;
		derive_index(inventory, device);
		g_autoptr(GPtrArray) near = near_at(inventory, i, indexes);
		derive_companions(near, device);
	}
	derive_nets(inventory);
	derive_blocks(inventory);
	derive_verdicts(inventory);
}

const UsherDevice *usher_inventory_find(const UsherInventory *inventory, UsherPciAddr addr)
{
	char text[USHER_PCI_ADDR_TEXT];
	UsherDevice wanted = { .address = usher_pci_addr_print(addr, text) };
	unsigned place = find_place(inventory, &wanted);
	bool is_there = place < inventory->devices->len &&
		usher_device_compare(device_at(inventory, place), &wanted) == 0;
	return is_there ? device_at(inventory, place) : NULL;
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
