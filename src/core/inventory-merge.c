/* SPDX-License-Identifier: Apache-2.0 */
/* An inventory of another one and of what has changed since. */
#include <string.h>

#include "core/guard.h"
#include "core/inventory-parts.h"

/* Between an inventory and the one that was made of it. */
typedef struct Merge {
	UsherInventory *inventory;
	const UsherInventory *last;
	unsigned *moved;  /* index in last → index now, USHER_NOWHERE: gone, or read again */
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
	inventory->iommu_unknown = last->iommu_unknown;
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
		unsigned place = usher_inventory_place(merge->last, address);
		if (place != USHER_NOWHERE)
			is_read[place] = true;
	}
	unsigned next = 0;
	for (unsigned i = 0; i < before->len; i++) {
		UsherDevice *device = before->pdata[i];
		while (next < fresh->len && usher_device_compare(fresh->pdata[next], device) <= 0)
			add_own(merge, fresh->pdata[next++]);
		merge->moved[i] = is_read[i] ? USHER_NOWHERE : merge->inventory->devices->len;
		if (!is_read[i])
			g_ptr_array_add(merge->inventory->devices, usher_device_share(device));
	}
	while (next < fresh->len)
		add_own(merge, fresh->pdata[next++]);
}

/* Those that stay keep their order. */
static void merge_groups(Merge *merge)
{
	UsherInventory *inventory = merge->inventory;
	const GArray *before = merge->last->by_group;
	for (unsigned i = 0; i < before->len; i++) {
		unsigned index = merge->moved[g_array_index(before, unsigned, i)];
		if (index != USHER_NOWHERE)
			g_array_append_val(inventory->by_group, index);
	}
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (merge->is_own[i])
			usher_inventory_index_group_of(inventory, i);
	}
}

static bool is_function_of(const UsherInventory *inventory, unsigned place, const char *physical)
{
	return g_strcmp0(usher_inventory_at(inventory, place)->physical_function, physical) == 0;
}

/* Functions of one that was read again and does not itself say so: among what was read with it,
 * among those it had, and if it was not there, anywhere. */
static void find_functions(const Merge *merge, const char *physical, GArray *indexes)
{
	const UsherInventory *inventory = merge->inventory;
	unsigned before = usher_inventory_place(merge->last, physical);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if ((merge->is_own[i] || before == USHER_NOWHERE) &&
			is_function_of(inventory, i, physical))
			g_array_append_val(indexes, i);
	}
	const GPtrArray *functions = before != USHER_NOWHERE
		? usher_inventory_at(merge->last, before)->virtual_functions
		: NULL;
	for (unsigned i = 0; functions != NULL && i < functions->len; i++) {
		unsigned place = usher_inventory_place(inventory, functions->pdata[i]);
		if (place != USHER_NOWHERE && !merge->is_own[place] &&
			is_function_of(inventory, place, physical))
			g_array_append_val(indexes, place);
	}
	g_array_sort(indexes, usher_inventory_compare_places);
}

static void merge_virtual_functions(const Merge *merge)
{
	const UsherInventory *inventory = merge->inventory;
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = usher_inventory_at(inventory, i);
		if (!merge->is_own[i])
			continue;
		g_array_set_size(indexes, 0);
		find_functions(merge, device->address, indexes);
		for (unsigned j = 0; j < indexes->len; j++)
			usher_inventory_add_function(device,
				usher_inventory_at(inventory, g_array_index(indexes, unsigned, j)));
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
		unsigned then = usher_inventory_place(merge->last, address);
		if (then != USHER_NOWHERE)
			g_ptr_array_unref(usher_inventory_near_at(merge->last, then, indexes));
		for (unsigned i = 0; then != USHER_NOWHERE && i < indexes->len; i++) {
			unsigned index = merge->moved[g_array_index(indexes, unsigned, i)];
			if (index != USHER_NOWHERE)
				merge->is_touched[index] = true;
		}
		unsigned now = usher_inventory_place(merge->inventory, address);
		if (now != USHER_NOWHERE)
			g_ptr_array_unref(usher_inventory_near_at(merge->inventory, now, indexes));
		for (unsigned i = 0; now != USHER_NOWHERE && i < indexes->len; i++)
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
			? usher_inventory_place(merge->inventory, copy->physical_function)
			: USHER_NOWHERE;
		/* It gets its index again from there. */
		if (copy->facts != NULL &&
			(physical == USHER_NOWHERE || merge->is_touched[physical]))
			copy->facts->vf_index = USHER_INT_NULL;
	}
}

void usher_inventory_finish_again(
	UsherInventory *inventory, const UsherInventory *last, GHashTable *read)
{
	g_assert(last->guard != NULL);
	g_autoptr(GPtrArray) fresh = g_steal_pointer(&inventory->devices);
	usher_inventory_sort(fresh);
	g_ptr_array_set_free_func(fresh, NULL);
	unsigned most = last->devices->len + fresh->len;
	inventory->devices = g_ptr_array_new_full(most, usher_inventory_drop_device);
	g_auto(Merge) merge = { inventory, last, g_new(unsigned, last->devices->len + 1),
		g_new0(bool, most + 1), g_new0(bool, most + 1) };
	share_rest(inventory, last);
	merge_devices(&merge, fresh, read);
	merge_groups(&merge);
	merge_virtual_functions(&merge);
	touch_near(&merge, read);
	own_touched(&merge);
	usher_inventory_derive_lists(inventory, read);
	inventory->guard = usher_guard_again(last->guard, inventory);
	g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (merge.is_touched[i])
			usher_inventory_derive_device(inventory, i, indexes);
	}
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		if (!merge.is_touched[i])
			continue;
		g_autoptr(GPtrArray) near = usher_inventory_near_at(inventory, i, indexes);
		usher_inventory_derive_verdict(inventory, near, inventory->devices->pdata[i]);
	}
}
