/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the parts of the inventory share: places are indexes of devices. */
#include <limits.h>

#include "core/inventory.h"

#define USHER_NOWHERE UINT_MAX

static inline const UsherDevice *usher_inventory_at(const UsherInventory *inventory, unsigned place)
{
	return inventory->devices->pdata[place];
}

static inline int usher_inventory_compare_places(const void *one, const void *other)
{
	const unsigned *a = one, *b = other;
	return (*a > *b) - (*a < *b);
}

/* Where the PCI function with this address is; USHER_NOWHERE. */
unsigned usher_inventory_place(const UsherInventory *inventory, const char *address);
void usher_inventory_index_groups(UsherInventory *inventory);
/* Adds the device at a place to by_group. */
void usher_inventory_index_group_of(UsherInventory *inventory, unsigned place);
/* As usher_inventory_near. places is where it works; what was in there is lost. */
GPtrArray *usher_inventory_near_at(const UsherInventory *inventory, unsigned place, GArray *places);
/* For lists of devices. */
void usher_inventory_drop_device(void *device);
void usher_inventory_sort(GPtrArray *devices);

/* One more virtual function, unless it is there. */
void usher_inventory_add_function(const UsherDevice *physical, const UsherDevice *device);
/* What of the lists is the devices': nets, blocks, who else has them. only: addresses, NULL: all. */
void usher_inventory_derive_lists(const UsherInventory *inventory, GHashTable *only);
/* Type, indexes of virtual functions, companions. */
void usher_inventory_derive_device(const UsherInventory *inventory, unsigned place, GArray *places);
/* What the guard says of it, and what can be done with it. */
void usher_inventory_derive_verdict(
	const UsherInventory *inventory, const GPtrArray *near, UsherDevice *device);
