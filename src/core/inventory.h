/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The inventory: what one look at a host found — its devices and what of the host's life hangs
 * on them (block devices, mounts, network devices, routes). Built by host/, then immutable and
 * shared by reference count; decisions are functions of it.
 */
#include "core/device.h"

/* A block device: where it hangs and what lies below it. */
typedef struct UsherBlock {
	char *name;        /* "nvme0n1p2" */
	char *devno;       /* "259:2" */
	char *pci;         /* address of the nearest PCI function above, NULL: virtual */
	char *parent;      /* of a partition: its disk */
	GPtrArray *slaves; /* names: dm, md and bcache lie on these */
	char *backing;     /* loop: its file */
	char *mapper;      /* dm: its name under /dev/mapper */
	char *claim;       /* "/etc/fstab for /srv": a file of the host names it */
	char *signature;   /* file system, LVM, … as udev recognised; NULL: none */
	bool is_unprobed;  /* udev has not looked: there may be one */
	char *usb;         /* address of the nearest USB device above, NULL: none */
} UsherBlock;

/* A mounted file system or active swap. */
typedef struct UsherMount {
	char *devno; /* "259:2"; "0:…" for file systems without one block device */
	char *source;
	char *target; /* "/", or "swap" */
	char *type;
} UsherMount;

/* A network device. */
typedef struct UsherNet {
	char *name;
	char *pci;         /* NULL: virtual */
	char *usb;         /* NULL: it is no USB device's */
	char *mac;         /* the permanent one; NULL: unknown */
	bool is_virtual;   /* the kernel made it; false: hardware, on PCI or elsewhere */
	bool is_inner;     /* a bridge, a veth, a tap: who is behind it runs on this host, too */
	GPtrArray *lowers; /* names: what a bond, bridge, VLAN, macvlan… stands on */
} UsherNet;

/* A default route, or the way to somebody the host must keep talking with. */
typedef struct UsherRoute {
	char *interface; /* network device */
	bool is_v6;
	char *use;  /* "an SSH session", NULL: it is a default route */
	char *peer; /* of such a use: the other's address */
} UsherRoute;

/* Somebody else has, or will have, the PCI function: as a file of the host says. */
typedef struct UsherTaker {
	char *address;
	char *kind, *name; /* as UsherForeign has them */
} UsherTaker;

/* Why the host needs a device whose IOMMU group has a `direct` reserved region. */
#define USHER_NEED_FIRMWARE_MEMORY "has memory that firmware goes on using"

typedef struct UsherGuard UsherGuard;

typedef struct UsherInventory {
	GPtrArray *devices; /* of UsherDevice, sorted by address */
	UsherGuard *guard;  /* what the host needs, worked out; of a finished one */
	GArray *by_group;   /* of unsigned: indexes of devices in an IOMMU group, by group */
	GPtrArray *blocks;  /* of UsherBlock, sorted by name */
	GPtrArray *mounts;
	GPtrArray *nets; /* sorted by name */
	GPtrArray *routes;
	GPtrArray *takers;
	GPtrArray *
		needs; /* of UsherGuardReason: what else the host has of a device, as a TPM; proof leads
			   * down to it */
	bool has_iommu;
	bool iommu_unknown; /* it is a part of a host, and does not tell */
	/* false: they could not be read; claims are what files of the host say of disks */
	bool blocks_known, claims_known, routes_known, inputs_known;
	bool boot_display_known; /* false: a VGA device does not say */
	bool other_console;      /* a serial line or another display can serve as console */
	GPtrArray *notes;        /* sentences on what could not be read */
} UsherInventory;

void usher_block_free(UsherBlock *block);
void usher_mount_free(UsherMount *mount);
void usher_net_free(UsherNet *net);
void usher_route_free(UsherRoute *route);
void usher_taker_free(UsherTaker *taker);

/* Empty arrays, ready to be filled, then treated as const. */
UsherInventory *usher_inventory_new(void);
UsherInventory *usher_inventory_ref(const UsherInventory *inventory);
void usher_inventory_unref(UsherInventory *inventory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherInventory, usher_inventory_unref)

/* Sorts, and derives companions, virtual functions and guard results from what was read. */
void usher_inventory_finish(UsherInventory *inventory);
/* The same for one that has nothing yet but those functions of last that were read again, by
 * address in read; those that are in read and not in it have gone. All else is as in last, and
 * shared with it: what was read, and what was derived of devices that are not near a changed one. */
void usher_inventory_finish_again(
	UsherInventory *inventory, const UsherInventory *last, GHashTable *read);
/* All that may be tied to the device, in a finished inventory: of its slot, of its IOMMU group, and
 * its virtual functions; itself among them. Sorted by address, borrowed. What is in it is not yet
 * tied: core/unit says. */
GPtrArray *usher_inventory_near(const UsherInventory *inventory, const UsherDevice *device);
/* NULL when there is none. */
const UsherDevice *usher_inventory_find(const UsherInventory *inventory, UsherPciAddr addr);
const UsherDevice *usher_inventory_find_text(const UsherInventory *inventory, const char *address);
