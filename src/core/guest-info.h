/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Guests as a hypervisor shows them, and the devices to start one with. Values. */
#include "base/record.h"

typedef enum {
	USHER_GUEST_UNKNOWN,
	USHER_GUEST_RUNNING,
	USHER_GUEST_PAUSED,
	USHER_GUEST_SHUT_OFF,
	USHER_GUEST_CRASHED,
	USHER_GUEST_N_STATES,
} UsherGuestState;

const char *usher_guest_state_name(UsherGuestState state);

/* One guest as the hypervisor shows it. */
typedef struct UsherGuestInfo {
	char *name;
	char *uuid;
	char *backend;       /* "libvirt" */
	unsigned state;      /* UsherGuestState */
	bool persistent;     /* its definition stays when it goes off */
	bool managed_save;   /* its memory is saved for the next plain start */
	char *mark;          /* the vm id we wrote into it, NULL: not ours */
	char *mark_uuid;     /* the uuid it was written for: another one is a clone */
	GPtrArray *leases;   /* leases whose devices it has now */
	GPtrArray *hostdevs; /* PCI addresses of all host devices it has now, ours or not */
} UsherGuestInfo;
USHER_RECORD_DECLARE(UsherGuestInfo, usher_guest_info)

/* A device to start a guest with. */
typedef struct UsherGuestDevice {
	char *lease;
	char *address;
} UsherGuestDevice;
USHER_RECORD_DECLARE(UsherGuestDevice, usher_guest_device)
