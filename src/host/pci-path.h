/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The PCI functions in a path of sysfs: "../../devices/pci0000:00/0000:00:02.0/0000:01:00.0/…".
 * Text only.
 */
#include <glib.h>

/* Address of the last one: the nearest function above whatever the path leads to; NULL: none. */
char *usher_pci_path_last(const char *path);
/* The one before the last; NULL: the last is on a root bus. */
char *usher_pci_path_parent(const char *path);
/* The chain without the bus numbers that firmware may give otherwise next time: "00:02.0/00.0".
 * NULL when there is no function in the path. */
char *usher_pci_path_shape(const char *path);
