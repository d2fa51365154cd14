/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a goal asks of the next boot. A pure function of what was read. */
#include "core/doctor/boot.h"
#include "core/doctor/finding.h"

/* address: of the device to be held for guests; NULL: the host as a whole. Empty where the host is
 * ready, or where nothing of its boot can help. */
UsherBootWish *usher_doctor_wish(const UsherHostFacts *facts, const UsherInventory *inventory,
	UsherGoal goal, const char *address);
