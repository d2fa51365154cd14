/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A plan: the ordered steps that turn what is into what is wanted. Plans are functions of facts:
 * planning again after a crash gives the steps that are left, and the undo of a half-done plan is
 * the plan that brings the devices home from wherever they are now.
 */
#include "core/inventory.h"
#include "core/lease.h"

/* Host steps first: usher_step_kind_is_host. */
typedef enum {
	USHER_STEP_LOAD_MODULE,  /* driver: the module */
	USHER_STEP_SET_OVERRIDE, /* driver: the text, NULL clears it */
	USHER_STEP_UNBIND,       /* driver: the one it must be bound to */
	USHER_STEP_BIND,         /* driver: the one it must be bound to afterwards */
	USHER_STEP_GUEST_START,
	USHER_STEP_GUEST_ASK_OFF, /* presses the power button */
	USHER_STEP_GUEST_AWAIT_OFF, /* done when the guest is off; the node waits, no port is called */
	USHER_STEP_GUEST_POWER_OFF,
	USHER_STEP_GUEST_MARK, /* writes who the domain is for us */
	USHER_STEP_GUEST_UNMARK,
	USHER_STEP_GUEST_UNPLUG,  /* takes the lease's devices out of the running guest */
	USHER_STEP_GUEST_EXAMINE, /* asks the hypervisor for its definition */
	USHER_STEP_N_KINDS,
} UsherStepKind;

typedef struct UsherStep {
	unsigned kind;
	char *address;  /* of the device a host step changes */
	char *identity; /* "8086:10d3:020000": what must be at that address when it is written to */
	char *driver;
	char *guest, *uuid; /* of a guest step */
	char *lease;        /* of an unplug */
	bool takes;         /* takes the device from the host: the guard judges it right before */
} UsherStep;
USHER_RECORD_DECLARE(UsherStep, usher_step)

const char *usher_step_kind_name(UsherStepKind kind);
bool usher_step_kind_is_host(UsherStepKind kind);
/* "bind 0000:01:00.0 to vfio-pci" */
char *usher_step_print(const UsherStep *step);

/* What each of the lease's devices has now, for lease->was. NOT_FOUND when one is gone, UNAVAILABLE
 * when one does not tell. */
GPtrArray *usher_plan_observe_was(
	const UsherInventory *seen, const UsherLease *lease, GError **error);
/* Host steps that bind the lease's devices to vfio-pci; none when they are already. CONFLICT when
 * another device is at the address than lease->was is of. */
bool usher_plan_take(
	const UsherInventory *seen, const UsherLease *lease, GPtrArray *steps, GError **error);
/* Host steps that bring the devices of was back to driver and override; none where they are home, gone or
 * another one is in their place. Never fails: what cannot be known, and what another hand has done since,
 * is left. */
void usher_plan_give_back(const UsherInventory *seen, const GPtrArray *was, GPtrArray *steps);
