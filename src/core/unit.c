/* SPDX-License-Identifier: Apache-2.0 */
#include "core/unit.h"

#include <string.h>

/* An array has no const pointers; whoever takes it out again treats it as const. */
static void *borrow(const UsherDevice *device)
{
	return (void *) (uintptr_t) device;
}

/* What was pulled out is tied to nothing; another device may be at its address. */
static bool is_there(const UsherDevice *device)
{
	return device->state != USHER_DEVICE_ABSENT;
}

/* The functions of a slot are one card. Those of a virtual function's "slot" are not: its device
 * number is only the upper part of a routing id. */
static bool is_same_slot(const UsherDevice *one, const UsherDevice *other)
{
	if (one->physical_function != NULL || other->physical_function != NULL)
		return false;
	size_t length = strlen(one->address);
	return length > 0 && length == strlen(other->address) &&
		memcmp(one->address, other->address, length - 1) == 0;
}

static bool is_same_group(const UsherDevice *one, const UsherDevice *other)
{
	return one->iommu_group != USHER_INT_NULL && one->iommu_group == other->iommu_group;
}

bool usher_unit_is_companion(const UsherDevice *one, const UsherDevice *other)
{
	return one != other && one->kind == USHER_DEVICE_PCI && other->kind == USHER_DEVICE_PCI &&
		(is_same_slot(one, other) || is_same_group(one, other));
}

static bool is_function_of(const UsherDevice *virtual, const UsherDevice *physical)
{
	return g_strcmp0(virtual->physical_function, physical->address) == 0;
}

static bool is_tied(const UsherDevice *one, const UsherDevice *other)
{
	return usher_unit_is_companion(one, other) || is_function_of(one, other) ||
		is_function_of(other, one);
}

static int compare_addresses(const void *one, const void *other)
{
	const UsherDevice *const *a = one, *const *b = other;
	return usher_device_compare(*a, *b);
}

GPtrArray *usher_unit_of(const GPtrArray *devices, const UsherDevice *device)
{
	GPtrArray *unit = g_ptr_array_new();
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	g_ptr_array_add(unit, borrow(device));
	g_hash_table_add(seen, borrow(device));
	/* The list grows while it is walked, until nothing is tied to any of its members. */
	for (unsigned i = 0; i < unit->len && !usher_device_is_bridge(device); i++) {
		for (unsigned j = 0; j < devices->len; j++) {
			UsherDevice *other = devices->pdata[j];
			if (is_there(other) && !usher_device_is_bridge(other) &&
				is_tied(unit->pdata[i], other) && g_hash_table_add(seen, other))
				g_ptr_array_add(unit, other);
		}
	}
	g_ptr_array_sort(unit, compare_addresses);
	g_assert(unit->len > 0);
	return unit;
}

char *usher_unit_name(const GPtrArray *unit)
{
	for (unsigned i = 0; i < unit->len; i++) {
		const UsherDevice *member = unit->pdata[i];
		if (member->id != NULL && g_str_has_prefix(member->id, "d-"))
			return g_strconcat("u-", member->id + 2, NULL);
	}
	return NULL;
}

GPtrArray *usher_unit_taken_with(const GPtrArray *devices, const UsherDevice *device)
{
	GPtrArray *taken = g_ptr_array_new();
	g_ptr_array_add(taken, borrow(device));
	for (unsigned i = 0; i < devices->len; i++) {
		UsherDevice *other = devices->pdata[i];
		if (is_there(other) && usher_unit_is_companion(device, other) &&
			!usher_device_is_bridge(other))
			g_ptr_array_add(taken, other);
	}
	return taken;
}
