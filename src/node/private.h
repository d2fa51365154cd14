/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of node/ share. */
#include "node/decide.h"
#include "node/node.h"

typedef enum {
	USHER_TASK_UNCLAIMED, /* the control plane has not yet said that it is ours */
	USHER_TASK_IDLE,      /* something is to be found out before anything is decided */
	USHER_TASK_WAITING,   /* for something to change */
	USHER_TASK_STEPPING,
	USHER_TASK_ENDED,
} UsherTaskState;

/* An operation that is carried out here. */
typedef struct UsherTask {
	UsherNode *node;
	UsherOperation *operation; /* as it will be reported */
	UsherTaskState state;
	bool is_own; /* began here: a guest went off by another hand */
	bool resumed, undoing, given_up;
	bool guest_touched, guest_started, guest_asked;
	bool has_changed;     /* a step was taken that has to be undone */
	GPtrArray *steps;     /* of UsherStep: the batch being taken */
	unsigned at;          /* in steps */
	unsigned first_shown; /* operation->steps' index of the batch's first */
	bool is_working;      /* a job is out */
	uint64_t
		facts_from; /* decide only on an observation that began with this number or later */
	unsigned failures;  /* of undoing, in a row */
	unsigned timer;
	uint64_t version, sent, acknowledged;
} UsherTask;

/* Why the devices of a lease that failed are given to nobody. */
typedef enum {
	USHER_BAR_NONE,
	USHER_BAR_FENCE,      /* a kernel write has not come back */
	USHER_BAR_QUARANTINE, /* bringing them home failed for good */
} UsherBar;

/* A lease this node knows of. */
typedef struct UsherHolding {
	UsherLease *lease;
	UsherBar bar;
	bool is_of_other_boot;
	uint64_t version, sent, acknowledged;
} UsherHolding;

/* A device as it is reported. */
typedef struct UsherTracked {
	char *id;
	char *text; /* as it would be reported now; NULL: no longer seen */
	char *sent, *acknowledged;
	bool was_seen;
} UsherTracked;

/* Jobs and calls that are out when the node is freed find it gone. */
typedef struct UsherNodeRef {
	UsherNode *node;
	int count;
} UsherNodeRef;
UsherNodeRef *usher_node_ref_take(UsherNode *node);
/* NULL when the node is gone. */
UsherNode *usher_node_ref_drop(UsherNodeRef *ref);

struct UsherNode {
	char *name, *instance, *kernel;
	UsherNodePorts ports;
	UsherNodeReady ready_func;
	void *ready_data;
	bool is_ready;
	UsherNodeRef *self;

	/* what was observed */
	UsherInventory *seen;
	GPtrArray *guests;    /* NULL: the hypervisor does not answer */
	uint64_t observation; /* number of the last one that is complete */
	uint64_t began;       /* number of the last one that began */
	bool is_observing, observe_again;
	unsigned observe_timer;
	int64_t observe_wait; /* the last wait after one that failed */

	/* what is known and being done */
	GHashTable *tasks;    /* operation id → UsherTask */
	GHashTable *holdings; /* lease id → UsherHolding */
	GHashTable *held;     /* address → UsherWas: what a held device had before */
	GHashTable *tracked;  /* record id → UsherTracked */
	GPtrArray *named;  /* of UsherDevice: what is seen, by name; NULL until there are records */
	GPtrArray *unsure; /* of UsherDevice: records that may be something that is seen */
	GPtrArray *
		records; /* of UsherDevice: all that were ever seen; NULL until the control plane has told */
	unsigned journal_lines;
	unsigned fence_timer;

	/* the exchange with the control plane */
	char *session;
	bool is_exchanging, exchange_again;
	unsigned exchange_timer;
	bool is_backing_off;
	int64_t backoff; /* the last wait before trying again */
	char *guests_text, *guests_sent, *guests_acknowledged;
};

/* ---- node.c ---- */
/* Something changed: decide what can be decided, tell what is to be told. */
void usher_node_look_again(UsherNode *node);
char *usher_node_new_id(UsherNode *node, const char *prefix);
int64_t usher_node_wall(UsherNode *node);

/* ---- observe.c ---- */
/* Looks at host and guests; the number of an observation that begins after now. */
uint64_t usher_node_observe(UsherNode *node);

/* ---- devices.c ---- */
/* Finds out who what is seen is. After each look, before anything is decided on it. */
void usher_node_recognize(UsherNode *node);
/* Brings up to date what is to be reported of the devices. */
void usher_node_track_devices(UsherNode *node);
/* The records the control plane has: who the devices are. */
void usher_node_learn_records(UsherNode *node, GPtrArray *records);
/* The record id of what is seen, NULL: it was never seen before. Borrowed until devices are tracked. */
const char *usher_node_id_of(UsherNode *node, const UsherDevice *seen);
void usher_tracked_free(UsherTracked *tracked);

/* ---- task.c ---- */
UsherTask *usher_task_new(UsherNode *node, const UsherOperation *operation, UsherTaskState state);
void usher_task_free(UsherTask *task);
/* Goes on with it as far as it goes now. */
void usher_task_advance(UsherTask *task);
void usher_task_changed(UsherTask *task);
/* The task, not ended, that looks after the lease; NULL: none. */
UsherTask *usher_node_task_of_lease(UsherNode *node, const char *lease);

/* ---- settle.c ---- */
UsherHolding *usher_node_hold(UsherNode *node, const UsherLease *lease);
void usher_holding_free(UsherHolding *holding);
/* A lease's new state; written to the journal and reported. reason may be NULL. */
void usher_node_move_lease(
	UsherNode *node, UsherHolding *holding, UsherLeaseState state, const char *reason);
/* Ends the lease: released, what stays held is remembered. */
void usher_node_release(UsherNode *node, UsherHolding *holding, const char *reason);
/* The lease fails: its devices could not be brought home. */
void usher_node_bar(UsherNode *node, UsherHolding *holding, UsherBar bar, const char *reason);
bool usher_node_is_in_flight(UsherNode *node, const UsherLease *lease);
/* Compares leases that no task looks after with what was observed. */
void usher_node_settle(UsherNode *node);
/* Where the lease's devices shall be when it ends. of UsherWas, given. */
GPtrArray *usher_node_home_of(UsherNode *node, const UsherHolding *holding, bool undoing);

/* ---- memory.c: the journal ---- */
bool usher_node_remember(UsherNode *node, GError **error);
bool usher_node_note_task(UsherNode *node, const UsherTask *task, GError **error);
bool usher_node_note_lease(UsherNode *node, const UsherHolding *holding, GError **error);
bool usher_node_note_step(
	UsherNode *node, const UsherTask *task, const UsherStep *step, GError **error);
void usher_node_note_held(UsherNode *node, const UsherWas *was, bool is_held);
/* The control plane knows of its end: nothing needs to be remembered. */
void usher_node_note_forget(UsherNode *node, const char *id);

/* ---- exchange.c ---- */
/* Something is to be reported, or may be wanted. */
void usher_node_exchange(UsherNode *node);
