/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Identity: which known record is this device that was seen? Facts tell; a fact that is present on
 * both sides and differs excludes, a missing fact says nothing. */
#include "core/inventory.h"

/* The record (borrowed, of records: UsherDevice with id) of the device; NULL: it is new. */
const UsherDevice *usher_identity_match(const GPtrArray *records, const UsherDevice *seen);
