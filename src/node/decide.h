/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is to be done next for an operation: a pure function of what was just observed. Asked again
 * after each batch of steps, after a crash and whenever something changed; done is what the world
 * says, not what was once tried.
 */
#include "core/guest-info.h"
#include "core/inventory.h"
#include "core/lease.h"
#include "core/operation.h"
#include "core/plan.h"

/* A lease of the operation, and where its devices shall be when it ends. */
typedef struct UsherCase {
	const UsherLease *lease;
	const GPtrArray *home; /* of UsherWas; empty: they stay where they are */
} UsherCase;

typedef struct UsherSituation {
	const UsherOperation *operation;
	const UsherInventory *seen;
	const GPtrArray *guests; /* of UsherGuestInfo; NULL: the hypervisor does not answer */
	const UsherCase *cases;
	unsigned n_cases;
	int64_t now;        /* wall time */
	bool undoing;       /* bring everything back to where it was */
	bool given_up;      /* that does not work either: leave it */
	bool resumed;       /* begun by an agent that is no more */
	bool guest_touched; /* its start may have been tried */
	bool guest_started; /* its start has succeeded once */
	bool guest_asked;   /* its power button was pressed */
} UsherSituation;

typedef enum {
	USHER_DECIDE_STEPS, /* take these, then ask again */
	USHER_DECIDE_WAIT,  /* for something to change; the text says for what */
	USHER_DECIDE_DONE,
	USHER_DECIDE_UNDONE, /* everything is back */
	USHER_DECIDE_FAIL,   /* with the error: undo where something is to be undone */
} UsherDecision;

/* steps: of UsherStep, empty, filled with STEPS. out_wait: a sentence, with WAIT. */
UsherDecision usher_decide(
	const UsherSituation *situation, GPtrArray *steps, char **out_wait, GError **error);

/* The guest of that uuid, NULL: none. */
const UsherGuestInfo *usher_find_guest(const GPtrArray *guests, const char *uuid);
/* The guest has the lease's devices now. */
bool usher_guest_has(const UsherGuestInfo *guest, const char *lease);
/* It is not off: one that crashed and is kept as it is has its devices still. */
bool usher_guest_is_on(const UsherGuestInfo *guest);
