/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A boot that is tried before it is kept: what was prepared is booted once, and becomes the default
 * only when it was seen up, with a way into the host. Whatever else happens, the boot after it is
 * the old one. Pure: node/boot-try carries it out.
 *
 *            armed ──boots with the words──▶ running ──a way in works──▶ kept
 *              │                               │
 *              └──boots without them──▶ failed ◀──is booted again, or time runs out
 */
#include "core/doctor/boot.h"

typedef enum {
	USHER_TRY_NONE,
	USHER_TRY_ARMED,
	USHER_TRY_RUNNING,
	USHER_TRY_KEPT,
	USHER_TRY_FAILED,
	USHER_TRY_N_STATES,
} UsherTryState;

const char *usher_boot_try_state_name(UsherTryState state);

/* What the agent sees of this boot. */
typedef struct UsherTrySeen {
	const char *boot_id;
	const char *cmdline; /* of the running kernel */
	bool has_way_in;     /* an address, a server that answers: somebody can mend this host */
	int64_t up_us;       /* since the boot */
} UsherTrySeen;

/* What a boot may take until there is a way in; then it is booted no more. */
#define USHER_TRY_DEADLINE_US (INT64_C(600) * 1000 * 1000)

/* May a try in this state become one in that? Of the picture above. */
bool usher_boot_try_may_move(UsherTryState from, UsherTryState to);
/* The state that a try is in now. */
UsherTryState usher_boot_try_judge(const UsherBootTry *attempt, const UsherTrySeen *seen);
/* Becomes so, in this boot; only where it may. wish: of a new try, else NULL. */
void usher_boot_try_move(
	UsherBootTry *attempt, UsherTryState state, const char *boot_id, const UsherBootWish *wish);
