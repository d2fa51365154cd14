/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who holds a device: processes with one of its nodes open (VFIO, DRM, NVIDIA, block, input, USB,
 * sound and whatever else the kernel made a node for). Looks at /proc alone, opens no node, takes
 * no lock of a device. May take a moment where there are many processes.
 */
#include "core/inventory.h"
#include "host/tree.h"

typedef struct UsherHolder {
	char *address;    /* of the device: PCI, or USB where the inventory has it */
	char *controller; /* of a USB device: the PCI function it hangs on; else NULL */
	int64_t pid;
	char *name;       /* of the program, as the kernel keeps it */
	char *unit;       /* of systemd; NULL: in none */
	char *domain;     /* of libvirt, when it is its QEMU; else NULL */
	GPtrArray *paths; /* the nodes: "/dev/vfio/12" */
} UsherHolder;
USHER_RECORD_DECLARE(UsherHolder, usher_holder)

/* Of UsherHolder, by address and pid. out_unseen: processes that may hold something and may not be
 * looked into; at least one when other users' processes are hidden altogether. */
GPtrArray *usher_holders_find(
	const UsherTree *tree, const UsherInventory *inventory, unsigned *out_unseen);

/* Pure, for tests. The unit in the text of /proc/PID/cgroup; NULL: none. */
char *usher_holders_unit(const char *cgroup);
/* The domain in the words of a QEMU's command line (ends with NULL); NULL: none. */
char *usher_holders_domain(const char *const *words);
