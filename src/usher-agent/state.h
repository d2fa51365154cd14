/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The agent's folder: who this agent is, across restarts, and the lock that keeps a second agent
 * out. The kernel drops the lock with the process.
 */
#include <glib.h>

typedef struct UsherState UsherState;
/* Makes the folder and what is missing in it. BUSY: another agent has it. */
UsherState *usher_state_open(const char *folder, GError **error);
void usher_state_free(UsherState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherState, usher_state_free)
/* Made once, by chance. */
const char *usher_state_instance(const UsherState *state);
/* A file in it. Given to the caller. */
char *usher_state_path(const UsherState *state, const char *name);
