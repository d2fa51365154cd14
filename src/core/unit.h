/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A unit: what cannot be given to two guests independently — the connected component of IOMMU
 * group, slot and PF–VF relations. Bridges belong to no unit: they stay with the host. Records of
 * devices that are absent belong to none but their own.
 */
#include "core/inventory.h"

/* Devices (borrowed from the inventory), sorted by address; the device itself is among them, so it
 * is never empty. A bridge's unit is the bridge alone. */
GPtrArray *usher_unit_of(const GPtrArray *devices, const UsherDevice *device);
/* The unit's name in the ledger: "u-" and the rest of the id of its first member with one; NULL
 * when no member has an id. */
char *usher_unit_name(const GPtrArray *unit);
/* Another function of its slot, or another member of its IOMMU group. */
bool usher_unit_is_companion(const UsherDevice *one, const UsherDevice *other);
/* What must leave the host together with the device when it is given whole: the members of its
 * slot and IOMMU group that are no bridges, itself first. Borrowed. */
GPtrArray *usher_unit_taken_with(const GPtrArray *devices, const UsherDevice *device);
