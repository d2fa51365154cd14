/* SPDX-License-Identifier: Apache-2.0 */
#include "core/inventory.h"

#include <string.h>

#include "core/guard.h"
#include "core/passthrough.h"
#include "core/unit.h"

#define NOWHERE UINT_MAX

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

static void free_device(void *device)
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
	inventory->devices = g_ptr_array_new_with_free_func(free_device);
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

/* Where the PCI function with this address is. */
static unsigned find_text(const UsherInventory *inventory, const char *address)
{
	UsherDevice wanted = { .address = (char *) (uintptr_t) address };
	unsigned place = find_place(inventory, &wanted);
	bool is_there = place < inventory->devices->len &&
		usher_device_compare(device_at(inventory, place), &wanted) == 0;
	return is_there ? place : NOWHERE;
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
		unsigned place = find_text(inventory, device->virtual_functions->pdata[i]);
		if (place != NOWHERE)
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

static void derive_verdict(
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
		g_autoptr(GPtrArray) near = near_at(inventory, i, indexes);
		derive_verdict(inventory, near, device);
	}
}

static void add_virtual_function(const UsherDevice *physical, const UsherDevice *device)
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
		const UsherDevice *device = device_at(inventory, i);
		unsigned place = device->physical_function != NULL
			? find_text(inventory, device->physical_function)
			: NOWHERE;
		if (place != NOWHERE && place != i)
			add_virtual_function(device_at(inventory, place), device);
	}
}

/* An index tells with its physical function who a virtual one is. */
static void derive_index(const UsherInventory *inventory, const UsherDevice *physical)
{
	for (unsigned i = 0; i < physical->virtual_functions->len; i++) {
		unsigned place = find_text(inventory, physical->virtual_functions->pdata[i]);
		UsherDevice *virtual = place != NOWHERE ? inventory->devices->pdata[place] : NULL;
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
		unsigned place = find_text(inventory, taker->address);
		UsherDevice *device = place != NOWHERE ? inventory->devices->pdata[place] : NULL;
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

static void derive_rest(const UsherInventory *inventory, unsigned place, GArray *indexes)
{
	UsherDevice *device = inventory->devices->pdata[place];
	device->type = device->kind == USHER_DEVICE_USB
		? USHER_TYPE_USB
		: usher_device_type_of_class(usher_device_class(device));
	device->sriov_active = device->virtual_functions->len;
	derive_index(inventory, device);
	g_autoptr(GPtrArray) near = near_at(inventory, place, indexes);
	derive_companions(near, device);
}

void usher_inventory_finish(UsherInventory *inventory)
{
	sort_devices(inventory->devices);
	g_ptr_array_sort(inventory->blocks, compare_blocks);
	g_ptr_array_sort(inventory->nets, compare_nets);
	index_groups(inventory);
	derive_virtual_functions(inventory);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++)
		derive_rest(inventory, i, indexes);
	derive_nets(inventory, NULL);
	derive_blocks(inventory, NULL);
	derive_foreign(inventory, NULL);
	derive_verdicts(inventory);
}

/* ---- again, of what has changed ---- */

/* Between an inventory and the one that was made of it. */
typedef struct Merge {
	UsherInventory *inventory;
	const UsherInventory *last;
	unsigned *moved;  /* index in last → index now, NOWHERE: gone, or read again */
	bool *is_own;     /* by index now: no other inventory has it, it may be written */
	bool *is_touched; /* by index now: what is derived of it may differ */
} Merge;

static void merge_clear(Merge *merge)
{
	g_free(merge->moved);
	g_free(merge->is_own);
	g_free(merge->is_touched);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Merge, merge_clear)

static void share_list(GPtrArray **to, GPtrArray *from)
{
	g_ptr_array_unref(*to);
	*to = g_ptr_array_ref(from);
}

/* All that is not the devices, whatever the inventory has. */
static void share_rest(UsherInventory *inventory, const UsherInventory *last)
{
	share_list(&inventory->blocks, last->blocks);
	share_list(&inventory->mounts, last->mounts);
	share_list(&inventory->nets, last->nets);
	share_list(&inventory->routes, last->routes);
	share_list(&inventory->takers, last->takers);
	share_list(&inventory->needs, last->needs);
	for (unsigned i = 0; i < last->notes->len; i++) {
		if (!g_ptr_array_find_with_equal_func(
			    inventory->notes, last->notes->pdata[i], g_str_equal, NULL))
			g_ptr_array_add(inventory->notes, g_strdup(last->notes->pdata[i]));
	}
	inventory->has_iommu = last->has_iommu;
	inventory->blocks_known = last->blocks_known;
	inventory->claims_known = last->claims_known;
	inventory->routes_known = last->routes_known;
	inventory->inputs_known = last->inputs_known;
	inventory->boot_display_known = last->boot_display_known;
	inventory->other_console = last->other_console;
}

static void add_own(Merge *merge, UsherDevice *device)
{
	unsigned index = merge->inventory->devices->len;
	merge->is_own[index] = merge->is_touched[index] = true;
	g_ptr_array_add(merge->inventory->devices, device);
}

/* fresh: sorted, given. */
static void merge_devices(Merge *merge, GPtrArray *fresh, GHashTable *read)
{
	const GPtrArray *before = merge->last->devices;
	g_autofree bool *is_read = g_new0(bool, before->len + 1);
	GHashTableIter iter;
	void *address;
	g_hash_table_iter_init(&iter, read);
	while (g_hash_table_iter_next(&iter, &address, NULL)) {
		unsigned place = find_text(merge->last, address);
		if (place != NOWHERE)
			is_read[place] = true;
	}
	unsigned next = 0;
	for (unsigned i = 0; i < before->len; i++) {
		UsherDevice *device = before->pdata[i];
		while (next < fresh->len && usher_device_compare(fresh->pdata[next], device) <= 0)
			add_own(merge, fresh->pdata[next++]);
		merge->moved[i] = is_read[i] ? NOWHERE : merge->inventory->devices->len;
		if (!is_read[i])
			g_ptr_array_add(merge->inventory->devices, usher_device_share(device));
	}
	while (next < fresh->len)
		add_own(merge, fresh->pdata[next++]);
}

static void insert_by_group(UsherInventory *inventory, unsigned index)
{
	int64_t group = device_at(inventory, index)->iommu_group;
	GArray *all = inventory->by_group;
	if (group == USHER_INT_NULL)
		return;
	unsigned position = find_group(inventory, group);
	while (position < all->len && group_at(inventory, position) == group &&
		g_array_index(all, unsigned, position) < index)
		position++;
	g_array_insert_val(all, position, index);
}

/* Those that stay keep their order. */
static void merge_groups(Merge *merge)
{
	UsherInventory *inventory = merge->inventory;
	const GArray *before = merge->last->by_group;
	for (unsigned i = 0; i < before->len; i++) {
		unsigned index = merge->moved[g_array_index(before, unsigned, i)];
		if (index != NOWHERE)
			g_array_append_val(inventory->by_group, index);
	}
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (merge->is_own[i])
			insert_by_group(inventory, i);
	}
}

static bool is_function_of(const UsherInventory *inventory, unsigned place, const char *physical)
{
	return g_strcmp0(device_at(inventory, place)->physical_function, physical) == 0;
}

/* Functions of one that was read again and does not itself say so: among what was read with it,
 * among those it had, and if it was not there, anywhere. */
static void find_functions(const Merge *merge, const char *physical, GArray *indexes)
{
	const UsherInventory *inventory = merge->inventory;
	unsigned before = find_text(merge->last, physical);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if ((merge->is_own[i] || before == NOWHERE) &&
			is_function_of(inventory, i, physical))
			add_index(indexes, i);
	}
	const GPtrArray *functions =
		before != NOWHERE ? device_at(merge->last, before)->virtual_functions : NULL;
	for (unsigned i = 0; functions != NULL && i < functions->len; i++) {
		unsigned place = find_text(inventory, functions->pdata[i]);
		if (place != NOWHERE && !merge->is_own[place] &&
			is_function_of(inventory, place, physical))
			add_index(indexes, place);
	}
	g_array_sort(indexes, compare_indexes);
}

static void merge_virtual_functions(const Merge *merge)
{
	const UsherInventory *inventory = merge->inventory;
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = device_at(inventory, i);
		if (!merge->is_own[i])
			continue;
		g_array_set_size(indexes, 0);
		find_functions(merge, device->address, indexes);
		for (unsigned j = 0; j < indexes->len; j++)
			add_virtual_function(
				device, device_at(inventory, g_array_index(indexes, unsigned, j)));
	}
}

/* What was near one that was read again, then or now. */
static void touch_near(const Merge *merge, GHashTable *read)
{
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	GHashTableIter iter;
	void *address;
	g_hash_table_iter_init(&iter, read);
	while (g_hash_table_iter_next(&iter, &address, NULL)) {
		unsigned then = find_text(merge->last, address);
		if (then != NOWHERE)
			g_ptr_array_unref(near_at(merge->last, then, indexes));
		for (unsigned i = 0; then != NOWHERE && i < indexes->len; i++) {
			unsigned index = merge->moved[g_array_index(indexes, unsigned, i)];
			if (index != NOWHERE)
				merge->is_touched[index] = true;
		}
		unsigned now = find_text(merge->inventory, address);
		if (now != NOWHERE)
			g_ptr_array_unref(near_at(merge->inventory, now, indexes));
		for (unsigned i = 0; now != NOWHERE && i < indexes->len; i++)
			merge->is_touched[g_array_index(indexes, unsigned, i)] = true;
	}
}

static void own_touched(const Merge *merge)
{
	void **devices = merge->inventory->devices->pdata;
	for (unsigned i = 0; i < merge->inventory->devices->len; i++) {
		if (!merge->is_touched[i] || merge->is_own[i])
			continue;
		UsherDevice *copy = usher_device_dup(devices[i]);
		usher_device_drop(devices[i]);
		devices[i] = copy;
		unsigned physical = copy->physical_function != NULL
			? find_text(merge->inventory, copy->physical_function)
			: NOWHERE;
		/* It gets its index again from there. */
		if (copy->facts != NULL && (physical == NOWHERE || merge->is_touched[physical]))
			copy->facts->vf_index = USHER_INT_NULL;
	}
}

void usher_inventory_finish_again(
	UsherInventory *inventory, const UsherInventory *last, GHashTable *read)
{
	g_assert(last->guard != NULL);
	g_autoptr(GPtrArray) fresh = g_steal_pointer(&inventory->devices);
	g_ptr_array_sort(fresh, compare_devices);
	g_ptr_array_set_free_func(fresh, NULL);
	unsigned most = last->devices->len + fresh->len;
	inventory->devices = g_ptr_array_new_full(most, free_device);
	g_auto(Merge) merge = { inventory, last, g_new(unsigned, last->devices->len + 1),
		g_new0(bool, most + 1), g_new0(bool, most + 1) };
	share_rest(inventory, last);
	merge_devices(&merge, fresh, read);
	merge_groups(&merge);
	merge_virtual_functions(&merge);
	touch_near(&merge, read);
	own_touched(&merge);
	derive_nets(inventory, read);
	derive_blocks(inventory, read);
	derive_foreign(inventory, read);
	inventory->guard = usher_guard_again(last->guard, inventory);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (merge.is_touched[i])
			derive_rest(inventory, i, indexes);
	}
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (!merge.is_touched[i])
			continue;
		g_autoptr(GPtrArray) near = near_at(inventory, i, indexes);
		derive_verdict(inventory, near, inventory->devices->pdata[i]);
	}
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
