/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Names of PCI vendors, devices and classes from udev's hardware database: data of this machine,
 * also for a host that is read from a recording. One thread at a time.
 */
#include "core/device.h"

typedef struct UsherNames UsherNames;
/* Never NULL: without a database all names are numbers. */
UsherNames *usher_names_open(void);
void usher_names_free(UsherNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherNames, usher_names_free)
/* Fills vendor, device and class_name by the ids: "NVIDIA Corporation", or "Vendor 10de". */
void usher_names_fill(UsherNames *names, UsherDevice *device);
