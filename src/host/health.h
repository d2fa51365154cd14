/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the doctor is told of a host: read like the inventory, from this machine or a folder that holds
 * another's /sys, /proc, /etc. Takes no lock of a device. What cannot be read stays unknown.
 */
#include "core/doctor/facts.h"
#include "host/tree.h"

/* inventory: of the same host. */
UsherHostFacts *usher_health_read(const UsherTree *tree, const UsherInventory *inventory);
