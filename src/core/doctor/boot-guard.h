/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The guard's word on what is to be kept off the host from its boot on. Pure. */
#include "core/doctor/boot.h"
#include "core/inventory.h"

/* DENIED with the reason, when the host needs a function that the wish holds, or one that would
 * have to leave the host with it. Losing the screen is no reason here: it is asked about. */
bool usher_boot_may_hold(
	const UsherInventory *inventory, const UsherBootWish *wish, GError **error);
