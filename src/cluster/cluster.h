/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The control plane: who gets what. Objects live in the store, read through a mirror of it in
 * memory; each write is one transaction. Knows the ports only. Main thread; nothing blocks.
 */
#include "core/node.h"
#include "core/report.h"
#include "core/vm.h"
#include "ports/clock.h"
#include "ports/store.h"

typedef struct UsherCluster UsherCluster;

/* Ports are borrowed and outlive the cluster. Fails when the store cannot be read. */
UsherCluster *usher_cluster_new(UsherStore *store, UsherClock *clock, GError **error);
void usher_cluster_free(UsherCluster *cluster);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherCluster, usher_cluster_free)

/* Who asks, and how. */
typedef struct UsherAsk {
	const char *actor;  /* "uid 0" */
	bool dry_run;       /* check everything, write nothing */
	int64_t timeout_us; /* how long what it begins may take; 0: as long as is usual */
	int64_t expect; /* revision the object must have; USHER_ANY_REVISION; 0: must not exist */
} UsherAsk;
#define USHER_ANY_REVISION (-1)

/* Objects that can be read, listed and watched. */
typedef enum {
	USHER_OBJECT_GROUP,
	USHER_OBJECT_RULE,
	USHER_OBJECT_VM,
	USHER_OBJECT_LEASE,
	USHER_OBJECT_OPERATION,
	USHER_OBJECT_NODE,
	USHER_OBJECT_DEVICE, /* named by record id or NODE/ADDRESS */
	USHER_OBJECT_EVENT,
	USHER_OBJECT_N_KINDS,
} UsherObjectKind;
/* "group"; the plural with an s is the collection's name in URLs. */
extern const char *const usher_object_kind_names[USHER_OBJECT_N_KINDS + 1];

/* The newest revision the mirror has. */
int64_t usher_cluster_revision(UsherCluster *cluster);
/* The object with its status, as the contract shows it; NOT_FOUND names it. out_revision may be NULL. */
bool usher_cluster_show(UsherCluster *cluster, UsherObjectKind kind, const char *name,
	UsherJsonWriter *writer, int64_t *out_revision, GError **error);
/* Writes the objects, not the array around them, sorted by name, those after the name (NULL: all), at
 * most limit (0: all); *out_next is the name to go on after, NULL at the end. node limits devices and
 * leases; all includes ended leases and operations. */
typedef struct UsherListQuery {
	const char *node;
	bool all;
	const char *after;
	size_t limit;
} UsherListQuery;
void usher_cluster_list(UsherCluster *cluster, UsherObjectKind kind, const UsherListQuery *query,
	UsherJsonWriter *writer, char **out_next);

/* Changes of objects after a revision, oldest first; object NULL: deleted. Returns false with CONFLICT
 * when the log before since is gone. *out_upto: everything up to it has been told. */
typedef void (*UsherObjectChanged)(UsherObjectKind kind, const char *name, int64_t revision,
	const char *object_json, void *data);
bool usher_cluster_changes(UsherCluster *cluster, unsigned kinds_mask, int64_t since, size_t limit,
	UsherObjectChanged func, void *data, int64_t *out_upto, GError **error);
/* Tells that the revision advanced; ids are never 0. */
unsigned usher_cluster_listen(UsherCluster *cluster, UsherStoreAdvanced func, void *data);
void usher_cluster_unlisten(UsherCluster *cluster, unsigned id);

/* Groups and rules. The name in the record is the object's. */
bool usher_cluster_group_put(
	UsherCluster *cluster, const UsherAsk *ask, const UsherGroup *group, GError **error);
bool usher_cluster_group_delete(
	UsherCluster *cluster, const UsherAsk *ask, const char *name, GError **error);
bool usher_cluster_rule_put(
	UsherCluster *cluster, const UsherAsk *ask, const UsherRule *rule, GError **error);
bool usher_cluster_rule_delete(
	UsherCluster *cluster, const UsherAsk *ask, const char *name, GError **error);
/* Writes a rule for each device ("ADDRESS" or "NODE/ADDRESS"). group_type: of a group that is made on
 * the way, NULL: it must exist. Writes { "group", "rules": […], "matches": [ { "node", "address",
 * "rule", "guard" } ] }. A guarded device is DENIED with its proof and nothing is written. */
bool usher_cluster_make_resource(UsherCluster *cluster, const UsherAsk *ask,
	const GPtrArray *devices, const char *group, const char *group_type, bool like,
	UsherJsonWriter *writer, GError **error);

/* What takes steps answers an operation: it has begun, not ended; what needs no step answers one that
 * is done. With dry_run it is a proposed one that is not kept. Given to the caller. */
UsherOperation *usher_cluster_vm_adopt(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	const char *node, GError **error);
UsherOperation *usher_cluster_vm_forget(
	UsherCluster *cluster, const UsherAsk *ask, const char *name, GError **error);
UsherOperation *usher_cluster_vm_start(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	bool without_devices, GError **error);
/* timeout_us: how long the guest may take to go off when asked. */
UsherOperation *usher_cluster_vm_stop(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	bool force, int64_t timeout_us, GError **error);
/* Adds a request (its id is given here); count 0 reads as 1. */
bool usher_cluster_vm_attach(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	const UsherRequest *request, GError **error);
/* Removes the request with that id, or the one of that group. now: takes its devices out of the
 * running guest first; otherwise devices stay until the guest stops. */
UsherOperation *usher_cluster_vm_detach(UsherCluster *cluster, const UsherAsk *ask,
	const char *name, const char *group, const char *request, bool now, GError **error);
/* Asks the node about the definition of a domain, adopted or not; the answer is in the operation. */
UsherOperation *usher_cluster_guest_examine(UsherCluster *cluster, const UsherAsk *ask,
	const char *name, const char *node, GError **error);
/* A held device goes back to the driver it had. */
UsherOperation *usher_cluster_device_return(
	UsherCluster *cluster, const UsherAsk *ask, const char *device, GError **error);
/* Asks the operation to undo; one that has not begun ends at once. */
UsherOperation *usher_cluster_operation_cancel(
	UsherCluster *cluster, const UsherAsk *ask, const char *id, GError **error);

/* The node's side of it, see ports/control.h. Given to the caller. */
UsherWants *usher_cluster_exchange(
	UsherCluster *cluster, const UsherReport *report, GError **error);
