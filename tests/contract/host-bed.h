/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A host and what a test does to it beside the port's steps: the fake one, or this very machine,
 * which then must be the lab's. Both have the lab's devices at the lab's addresses.
 */
#include "ports/host.h"

/* A network card, alone in its IOMMU group. */
#define NIC     "0000:01:00.0"
#define NIC_IDS "8086:10d3:020000"
/* A display and its audio, which share one. */
#define DISPLAY     "0000:03:00.0"
#define DISPLAY_IDS "1234:1111:030000"
#define AUDIO       "0000:03:00.1"
#define AUDIO_IDS   "8086:2668:040300"
/* A physical function; its driver leaves the virtual ones enabled when it is unbound. */
#define PF     "0000:04:00.0"
#define PF_IDS "1b36:0010:010802"
/* A card without an IOMMU group. */
#define LONER "0000:81:00.0"
/* Where a card is plugged in, and pulled out. */
#define PLUGGED "0000:06:00.0"

#define VFIO "vfio-pci"

typedef struct HostBed HostBed;

/* Users are guests: each opens groups for itself. Numbers are errnos, 0: done. */
typedef struct HostBedOps {
	const char *name;
	int (*open)(HostBed *bed, const char *address, const char *user);
	void (*close)(HostBed *bed, const char *address);
	int (*set_vfs)(HostBed *bed, const char *address, const char *number);
	/* Begun when they return; a device that somebody has open stays for now. */
	void (*plug)(HostBed *bed);
	void (*unplug)(HostBed *bed);
	/* Removes the device and finds it again. */
	void (*rescan)(HostBed *bed, const char *address);
	/* Lets so much time pass, with its events. */
	void (*pass)(HostBed *bed, unsigned ms);
	void (*free)(HostBed *bed);
} HostBedOps;

struct HostBed {
	const HostBedOps *ops;
	UsherHost *host;
};

HostBed *host_bed_fake_new(void);
/* NULL with error set: not the lab machine. */
HostBed *host_bed_real_new(GError **error);
