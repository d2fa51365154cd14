/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guard: may this device be taken from the host? A pure function of an inventory; the agent
 * asks it on facts read at that moment, everybody else for a preview.
 */
#include "core/inventory.h"

/* For the device and all that would be taken with it (its unit's members but bridges); the reasons
 * name the device each is about. Given to the caller. */
UsherGuardResult *usher_guard_judge(const UsherInventory *inventory, const UsherDevice *device);
/* One sentence: "0000:04:00.0 holds / (/ → /dev/nvme0n1p2 → nvme0n1 → 0000:04:00.0)". */
char *usher_guard_explain(const UsherGuardResult *result);
