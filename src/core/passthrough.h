/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What can be done with a device as the host is now: given whole, or cut into vGPUs. About what the
 * hardware and the kernel allow; what the host needs is the guard's matter. Pure.
 */
#include "core/inventory.h"

/* Given to the caller. */
UsherPassthrough *usher_passthrough_of(const UsherInventory *inventory, const UsherDevice *device);
/* The same with what usher_inventory_near says of the device. */
UsherPassthrough *usher_passthrough_among(
	const UsherInventory *inventory, const UsherDevice *device, const GPtrArray *near);
