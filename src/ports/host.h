/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a node may ask of its Linux host. look, apply and in_flight may block for seconds: workers
 * only. They may be called from several threads at once. watch and free: main thread.
 */
#include "core/inventory.h"
#include "core/plan.h"

typedef struct UsherHost UsherHost;
/* Something about devices changed: look again. Main thread. */
typedef void (*UsherHostChanged)(void *data);

typedef enum {
	/* Everything, read at this moment: the ground for taking a device from the host. */
	USHER_LOOK_AFRESH,
	/* What is known to have changed is read again; what changes without a sign, as mounts and
	 * routes, may be a minute old. */
	USHER_LOOK_CHANGES,
} UsherLookKind;

typedef struct UsherHostOps {
	const char *name;
	/* Given to the caller. */
	UsherInventory *(*look)(UsherHost *host, UsherLookKind kind, GError **error);
	/* Takes one host step of the table and verifies it by reading back; steps already true succeed.
	 * The device's identity is checked through the opened directory before the write. UNAVAILABLE
	 * after timeout_us: the write may still be on its way, see in_flight. NOT_FOUND: no such
	 * device; CONFLICT: another device is at the address; BUSY and HOST as the kernel refused. */
	bool (*apply)(UsherHost *host, const UsherStep *step, int64_t timeout_us, GError **error);
	/* A write to the device has not come back: it is fenced whatever sysfs shows. */
	bool (*in_flight)(UsherHost *host, const char *address);
	/* An id of this boot, and of this machine. Owned by the host. */
	const char *(*boot_id)(UsherHost *host);
	const char *(*machine_id)(UsherHost *host);
	void (*watch)(UsherHost *host, UsherHostChanged func, void *data);
	void (*free)(UsherHost *host);
} UsherHostOps;

struct UsherHost {
	const UsherHostOps *ops;
};
