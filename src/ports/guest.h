/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a node may ask of a hypervisor. All but watch and free may block for seconds: workers only,
 * one call at a time. UNAVAILABLE: the hypervisor does not answer; watch's func is called when it
 * does again.
 */
#include "core/doctor/guest.h"
#include "core/guest-info.h"

typedef enum {
	USHER_CAN_TRANSIENT_DEFINITION = 1 << 0,
	USHER_CAN_HOT_PLUG = 1 << 1,
	USHER_CAN_VETO_START = 1 << 2,
	USHER_CAN_OWN_START = 1 << 3,
	USHER_CAN_PICK_DEVICES = 1 << 4,
	USHER_CAN_TELL_RELEASE = 1 << 5,
} UsherGuestCan;

typedef struct UsherGuest UsherGuest;
/* Something about guests, or the hypervisor's being there, changed: look again. Main thread. */
typedef void (*UsherGuestChanged)(void *data);

typedef struct UsherGuestOps {
	const char *name;
	unsigned can; /* UsherGuestCan */
	/* All guests, of UsherGuestInfo, sorted by name. */
	GPtrArray *(*list)(UsherGuest *guest, GError **error);
	/* Starts a shut-off guest with the devices (of UsherGuestDevice), which are bound and verified.
	 * Its persistent definition is as before when this returns, whatever the result. DENIED: a saved
	 * memory image waits; BUSY: it runs; NOT_FOUND: no such guest, or another uuid. */
	bool (*start)(UsherGuest *guest, const char *name, const char *uuid,
		const GPtrArray *devices, GError **error);
	/* Presses its power button; returns at once. */
	bool (*ask_off)(UsherGuest *guest, const char *name, const char *uuid, GError **error);
	/* Off is success, also when it was already. */
	bool (*power_off)(UsherGuest *guest, const char *name, const char *uuid, GError **error);
	/* Writes { vm, uuid, revision } into its definition; vm NULL removes it. */
	bool (*mark)(UsherGuest *guest, const char *name, const char *uuid, const char *vm,
		int64_t revision, GError **error);
	/* Takes the lease's devices out of the running guest and waits until they are out. */
	bool (*unplug)(UsherGuest *guest, const char *name, const char *uuid, const char *lease,
		GError **error);
	/* What its definition is like; host_memory_kb is the host's. Given. */
	UsherGuestHealth *(*examine)(
		UsherGuest *guest, const char *name, const char *uuid, GError **error);
	void (*watch)(UsherGuest *guest, UsherGuestChanged func, void *data);
	void (*free)(UsherGuest *guest);
} UsherGuestOps;

struct UsherGuest {
	const UsherGuestOps *ops;
};
