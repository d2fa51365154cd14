/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Nodes as the control plane keeps them, and events. Values. */
#include "base/record.h"

/* What a node's agent said when its session began. */
typedef struct UsherNodeInfo {
	char *name;
	char *guest_of;
	char *machine_id, *boot_id, *instance;
	char *kernel, *agent_version;
	bool ready;
	int64_t devices;
	int64_t last_seen; /* when the session began; later ones are kept in memory */
	int64_t revision;
} UsherNodeInfo;
USHER_RECORD_DECLARE(UsherNodeInfo, usher_node_info)

/* A node's liveness: goes with its session. */
typedef struct UsherNodeLive {
	char *name;
	char *session;
	int64_t revision;
} UsherNodeLive;
USHER_RECORD_DECLARE(UsherNodeLive, usher_node_live)

/* The one operation an object has under way. */
typedef struct UsherActive {
	char *object;
	char *operation;
	int64_t revision;
} UsherActive;
USHER_RECORD_DECLARE(UsherActive, usher_active)

typedef struct UsherEvent {
	char *id;
	int64_t revision;
	int64_t time;
	char *actor;
	char *action; /* "created", "leased", … */
	char *object;
	char *message;
	UsherJson *details;
} UsherEvent;
USHER_RECORD_DECLARE(UsherEvent, usher_event)
