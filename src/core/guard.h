/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guard: may this device be taken from the host? A pure function of an inventory; the agent
 * asks it on facts read at that moment, everybody else for a preview. Only FREE may be taken: what
 * could not be read is UNKNOWN for storage, network, displays and USB, and must be refused.
 */
#include "core/inventory.h"

/* For the device and all that would be taken with it (its unit's members but bridges); the reasons
 * name the device each is about. Given to the caller. */
UsherGuardResult *usher_guard_judge(const UsherInventory *inventory, const UsherDevice *device);
/* One sentence: "0000:04:00.0 holds / (/ → /dev/nvme0n1p2 → nvme0n1 → 0000:04:00.0)". */
char *usher_guard_explain(const UsherGuardResult *result);

/* The same for many devices: what the host needs is worked out once. Borrows the inventory. */
UsherGuard *usher_guard_new(const UsherInventory *inventory);
/* What guard found out, for an inventory with the same block and network devices, routes and needs. */
UsherGuard *usher_guard_again(const UsherGuard *guard, const UsherInventory *inventory);
void usher_guard_free(UsherGuard *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherGuard, usher_guard_free)
/* near: what usher_inventory_near says of the device. */
UsherGuardResult *usher_guard_ask(
	const UsherGuard *guard, const UsherDevice *device, const GPtrArray *near);

/* Why a device of this class stays with the host whatever it does; NULL: it may leave. */
const char *usher_guard_class_reason(const UsherDevice *device);
