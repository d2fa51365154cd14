/* SPDX-License-Identifier: Apache-2.0 */
/* What has ended is kept for people to look at, and not for ever: the oldest make room. */
#include "cluster/private.h"

/* Of each kind, and how many go in one transaction at most. */
#define KEEP_ENDED    500
#define PRUNE_AT_ONCE 5

typedef struct UsherEnded {
	const char *name;
	int64_t at;
} UsherEnded;

static int compare_ends(const void *one, const void *other)
{
	const UsherEnded *a = one, *b = other;
	return a->at < b->at ? -1 : a->at > b->at;
}

static void stage_oldest(UsherCluster *cluster, UsherTxn *txn, UsherWorldTable table, GArray *ended)
{
	g_array_sort(ended, compare_ends);
	for (unsigned i = 0; i < PRUNE_AT_ONCE && ended->len > KEEP_ENDED + i; i++)
		usher_world_delete(
			cluster->world, txn, table, g_array_index(ended, UsherEnded, i).name);
}

static bool note_operation(const char *name, const void *record, void *data)
{
	const UsherOperation *operation = record;
	UsherEnded ended = { name, operation->ended };
	if (usher_operation_state_is_end(operation->state))
		g_array_append_val((GArray *) data, ended);
	return true;
}

static bool note_lease(const char *name, const void *record, void *data)
{
	const UsherLease *lease = record;
	UsherEnded ended = { name, lease->until };
	if (usher_lease_state_is_end(lease->state))
		g_array_append_val((GArray *) data, ended);
	return true;
}

void usher_cluster_prune(UsherCluster *cluster, UsherTxn *txn)
{
	g_autoptr(GArray) operations = g_array_new(FALSE, FALSE, sizeof(UsherEnded));
	usher_world_foreach_after(
		cluster->world, USHER_TABLE_OPERATION, NULL, note_operation, operations);
	stage_oldest(cluster, txn, USHER_TABLE_OPERATION, operations);
	g_autoptr(GArray) leases = g_array_new(FALSE, FALSE, sizeof(UsherEnded));
	usher_world_foreach_after(cluster->world, USHER_TABLE_LEASE, NULL, note_lease, leases);
	stage_oldest(cluster, txn, USHER_TABLE_LEASE, leases);
}
