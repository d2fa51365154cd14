/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of cluster/ share. */
#include "cluster/cluster.h"
#include "cluster/world.h"
#include "core/place/choose.h"

struct UsherCluster {
	UsherStore *store;
	UsherClock *clock;
	UsherWorld *world;
	unsigned deadline_timer;
	GHashTable *last_seen; /* node → int64_t, wall time of its last exchange */
};

/* Decides on the world as it is and stages what follows; called again when the world has changed
 * before the commit. An error ends it. */
typedef bool (*UsherAttempt)(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error);
/* Refreshes, attempts, commits (not with dry_run or when nothing was staged), again on conflict. */
bool usher_cluster_attempt(
	UsherCluster *cluster, bool dry_run, UsherAttempt attempt, void *data, GError **error);

/* prefix and ten letters. */
char *usher_cluster_new_id(UsherCluster *cluster, const char *prefix);
/* Stages an event. */
void usher_cluster_tell(UsherCluster *cluster, UsherTxn *txn, const char *actor, const char *action,
	const char *object, const char *format, ...) G_GNUC_PRINTF(6, 7);

/* A record by name or NOT_FOUND: "there is no vm 'x'". Borrowed from the world. */
const void *usher_cluster_find(UsherCluster *cluster, UsherWorldTable table, const char *noun,
	const char *name, GError **error);
/* NULL when nobody has it. */
const UsherActive *usher_cluster_active(UsherCluster *cluster, const char *object);
/* BUSY when the object has an operation under way. */
bool usher_cluster_is_idle(UsherCluster *cluster, const char *object, GError **error);
bool usher_cluster_node_is_live(UsherCluster *cluster, const char *node);
/* The guest a vm stands for as its node reported it, NULL: unknown. */
const UsherGuestInfo *usher_cluster_guest_of(UsherCluster *cluster, const UsherVm *vm);
/* Leases that have not ended, of the vm, or on the node. Borrowed, sorted by id. */
GPtrArray *usher_cluster_leases_of_vm(UsherCluster *cluster, const char *vm);
GPtrArray *usher_cluster_leases_on(UsherCluster *cluster, const char *node);

/* One node as place/ wants to see it: borrowed from the world, with its own arrays. */
typedef struct UsherView {
	UsherPlaceNode node;
	GPtrArray *devices, *groups, *rules, *ledgers;
	GHashTable *busy;
} UsherView;
UsherView *usher_view_new(UsherCluster *cluster, const char *node);
void usher_view_free(UsherView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherView, usher_view_free)

/* An operation that is not staged yet: queued, or proposed with dry_run. */
UsherOperation *usher_operation_begin(UsherCluster *cluster, const UsherAsk *ask,
	UsherOperationKind kind, const char *node, const char *object, int64_t timeout_us);
/* Adds { key: value } to its arguments. */
void usher_operation_argue(UsherOperation *operation, const char *key, const char *value);
const char *usher_operation_argument(const UsherOperation *operation, const char *key);
/* Ends one that needs no steps. */
void usher_operation_end_at_once(UsherCluster *cluster, UsherOperation *operation);
/* Stages it, and that its object is busy with it. */
void usher_operation_stage(UsherCluster *cluster, UsherTxn *txn, const UsherOperation *operation);
/* Stages its end: what follows from it for the object, no longer busy. */
void usher_operation_stage_end(UsherCluster *cluster, UsherTxn *txn, const UsherOperation *ended);
/* Stages a lease's new state and what follows for its ledger. bar: "fence" or "quarantine" for a lease
 * that failed. */
void usher_lease_stage(
	UsherCluster *cluster, UsherTxn *txn, const UsherLease *lease, const char *bar);
/* Stages the end of the oldest operations and leases that ended, where there are many. */
void usher_cluster_prune(UsherCluster *cluster, UsherTxn *txn);
/* Looks after operations that no node takes up in time. */
void usher_operation_watch_deadlines(UsherCluster *cluster);

/* Writes a record with its status. */
void usher_cluster_write(UsherCluster *cluster, UsherObjectKind kind, const char *name,
	const void *record, UsherJsonWriter *writer);
