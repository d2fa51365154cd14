/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A lease: one request met. This guest has that device, from → until. A record and a state table;
 * who may write which state is cluster/'s business.
 */
#include "core/device.h"

typedef enum {
	USHER_LEASE_RESERVED,
	USHER_LEASE_PREPARING,
	USHER_LEASE_READY,
	USHER_LEASE_ATTACHED,
	USHER_LEASE_RETURNING,
	USHER_LEASE_RELEASED,
	USHER_LEASE_FAILED,
	USHER_LEASE_N_STATES,
} UsherLeaseState;

typedef struct UsherGuestRef {
	char *kind; /* "vm" */
	char *name;
} UsherGuestRef;
USHER_RECORD_DECLARE(UsherGuestRef, usher_guest_ref)

typedef struct UsherDeviceRef {
	char *id;
	char *address;
} UsherDeviceRef;
USHER_RECORD_DECLARE(UsherDeviceRef, usher_device_ref)

typedef struct UsherLease {
	char *id; /* "l-" + 10 */
	UsherGuestRef *guest;
	char *tenant;
	char *parent;
	char *request;
	char *group;
	char *node;
	UsherDeviceRef *device;
	GPtrArray *companions; /* addresses: what is taken from the host with it */
	UsherJson *slice;
	unsigned state; /* UsherLeaseState */
	char *reason;
	int64_t since, until;
	char *operation;
	UsherJson *override;
	GPtrArray *was;  /* of UsherWas */
	char *unit;      /* its ledger's name */
	char *uuid;      /* of the guest when it was taken */
	char *give_back; /* "host" or "hold": the return policy that was in force */
	int64_t revision;
} UsherLease;
USHER_RECORD_DECLARE(UsherLease, usher_lease)

const char *usher_lease_state_name(UsherLeaseState state);
bool usher_lease_state_parse(const char *name, UsherLeaseState *out_state);
/* One step of the table. */
bool usher_lease_state_may_move(UsherLeaseState from, UsherLeaseState to);
/* In any number of steps: a report may tell the last of several. True for to == from. */
bool usher_lease_state_may_reach(UsherLeaseState from, UsherLeaseState to);
/* Released and failed. */
bool usher_lease_state_is_end(UsherLeaseState state);
