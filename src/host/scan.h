/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The scan: one look at a host. Takes no lock of a device, so that a driver that hangs does not
 * hang whoever looks; driver_override, which does, is read through usher-helper. May take a
 * second: not on the main thread of a daemon.
 */
#include "core/inventory.h"
#include "host/helper.h"

/* root: "", "/" or NULL for this machine, else a folder that holds /sys, /proc, …; helper may be
 * NULL, then driver_override of this machine stays unknown. An error only when root is no folder:
 * what cannot be read is a note. */
UsherInventory *usher_scan(const char *root, UsherHelper *helper, GError **error);
/* The same where all is known to be as in last but functions at these addresses (a set of texts),
 * their drivers and what hangs on them in sysfs: those are read, and what follows from them. What
 * else changed meanwhile is not seen. Reads all where that is simpler. */
UsherInventory *usher_scan_again(const char *root, UsherHelper *helper, const UsherInventory *last,
	GHashTable *addresses, GError **error);
