/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/private.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

#define MAX_ATTEMPTS 16

UsherCluster *usher_cluster_new(UsherStore *store, UsherClock *clock, GError **error)
{
	UsherWorld *world = usher_world_new(store, error);
	if (world == NULL)
		return NULL;
	UsherCluster *cluster = g_new0(UsherCluster, 1);
	cluster->store = store;
	cluster->clock = clock;
	cluster->world = world;
	cluster->last_seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	usher_operation_watch_deadlines(cluster);
	return cluster;
}

void usher_cluster_free(UsherCluster *cluster)
{
	if (cluster == NULL)
		return;
	if (cluster->deadline_timer != 0)
		cluster->clock->ops->cancel(cluster->clock, cluster->deadline_timer);
	g_hash_table_unref(cluster->last_seen);
	usher_world_free(cluster->world);
	g_free(cluster);
}

bool usher_cluster_attempt(
	UsherCluster *cluster, bool dry_run, UsherAttempt attempt, void *data, GError **error)
{
	for (unsigned i = 0;; i++) {
		if (!usher_world_refresh(cluster->world, error))
			return false;
		g_autoptr(UsherTxn) txn = usher_txn_new();
		if (!attempt(cluster, txn, data, error))
			return false;
		if (dry_run || usher_txn_writes(txn)->len == 0)
			return true;
		g_autoptr(GError) problem = NULL;
		if (usher_world_commit(cluster->world, txn, &problem)) {
			usher_operation_watch_deadlines(cluster);
			return true;
		}
		if (usher_error_code(problem) != USHER_ERROR_CONFLICT || i == MAX_ATTEMPTS) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
	}
}

char *usher_cluster_new_id(UsherCluster *cluster, const char *prefix)
{
	uint8_t bytes[10];
	cluster->clock->ops->random(cluster->clock, bytes, sizeof bytes);
	g_autofree char *letters = usher_text_from_random(bytes, sizeof bytes);
	return g_strconcat(prefix, letters, NULL);
}

void usher_cluster_tell(UsherCluster *cluster, UsherTxn *txn, const char *actor, const char *action,
	const char *object, const char *format, ...)
{
	g_autoptr(UsherEvent) event = usher_event_new();
	event->time = cluster->clock->ops->wall(cluster->clock);
	g_autofree char *id = usher_cluster_new_id(cluster, "");
	/* Sorted by time: 16 digits last until the year 2286. */
	event->id = g_strdup_printf("%016" G_GINT64_MODIFIER "d-%s", event->time, id);
	event->actor = g_strdup(actor);
	event->action = g_strdup(action);
	event->object = g_strdup(object);
	va_list args;
	va_start(args, format);
	event->message = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree char *key = g_strconcat(USHER_EVENT_PREFIX, event->id, NULL);
	g_autofree char *text = usher_record_print(&usher_event_type, event);
	usher_txn_put(txn, key, text);
}

const void *usher_cluster_find(UsherCluster *cluster, UsherWorldTable table, const char *noun,
	const char *name, GError **error)
{
	const void *record = usher_world_get(cluster->world, table, name);
	if (record == NULL) {
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no %s '%s'", noun, name);
		g_autofree char *object = g_strdup_printf("%s/%s", noun, name);
		if (error != NULL)
			usher_error_set_object(*error, object);
	}
	return record;
}

const UsherActive *usher_cluster_active(UsherCluster *cluster, const char *object)
{
	return usher_world_get(cluster->world, USHER_TABLE_ACTIVE, object);
}

bool usher_cluster_is_idle(UsherCluster *cluster, const char *object, GError **error)
{
	const UsherActive *active = usher_cluster_active(cluster, object);
	if (active == NULL)
		return true;
	const UsherOperation *operation =
		usher_world_get(cluster->world, USHER_TABLE_OPERATION, active->operation);
	usher_error_set(error, USHER_ERROR_BUSY, "%s is busy with operation %s (%s)", object,
		active->operation,
		operation != NULL ? usher_operation_kind_names[operation->kind] : "unknown");
	if (error != NULL)
		usher_error_set_object(*error, object);
	return false;
}

bool usher_cluster_node_is_live(UsherCluster *cluster, const char *node)
{
	return usher_world_get(cluster->world, USHER_TABLE_LIVE, node) != NULL;
}

const UsherGuestInfo *usher_cluster_guest_of(UsherCluster *cluster, const UsherVm *vm)
{
	g_autofree char *name = g_strdup_printf("%s/%s", vm->home, vm->uuid);
	return usher_world_get(cluster->world, USHER_TABLE_GUEST, name);
}

static GPtrArray *leases_where(UsherCluster *cluster, const char *vm, const char *node)
{
	GPtrArray *leases = usher_world_list(cluster->world, USHER_TABLE_LEASE, "");
	for (unsigned i = leases->len; i-- > 0;) {
		const UsherLease *lease = leases->pdata[i];
		bool is_wanted = !usher_lease_state_is_end(lease->state) &&
			(vm == NULL || strcmp(lease->guest->name, vm) == 0) &&
			(node == NULL || strcmp(lease->node, node) == 0);
		if (!is_wanted)
			g_ptr_array_remove_index(leases, i);
	}
	return leases;
}

GPtrArray *usher_cluster_leases_of_vm(UsherCluster *cluster, const char *vm)
{
	return leases_where(cluster, vm, NULL);
}

GPtrArray *usher_cluster_leases_on(UsherCluster *cluster, const char *node)
{
	return leases_where(cluster, NULL, node);
}

static int compare_addresses(const void *one, const void *other)
{
	const UsherDevice *const *a = one, *const *b = other;
	UsherPciAddr first = { 0 }, second = { 0 };
	(void) usher_pci_addr_parse((*a)->address, &first, NULL);
	(void) usher_pci_addr_parse((*b)->address, &second, NULL);
	return usher_pci_addr_compare(first, second);
}

static GHashTable *busy_devices(UsherCluster *cluster)
{
	GHashTable *busy = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) all = usher_world_list(cluster->world, USHER_TABLE_ACTIVE, "device/");
	for (unsigned i = 0; i < all->len; i++) {
		const UsherActive *active = all->pdata[i];
		g_hash_table_add(busy, strchr(active->object, '/') + 1);
	}
	return busy;
}

UsherView *usher_view_new(UsherCluster *cluster, const char *node)
{
	g_autofree char *prefix = g_strconcat(node, "/", NULL);
	UsherView *view = g_new0(UsherView, 1);
	view->devices = usher_world_list(cluster->world, USHER_TABLE_DEVICE, prefix);
	g_ptr_array_sort(view->devices, compare_addresses);
	view->ledgers = usher_world_list(cluster->world, USHER_TABLE_LEDGER, prefix);
	view->groups = usher_world_list(cluster->world, USHER_TABLE_GROUP, "");
	view->rules = usher_world_list(cluster->world, USHER_TABLE_RULE, "");
	view->busy = busy_devices(cluster);
	view->node = (UsherPlaceNode){ node, view->devices, view->groups, view->rules,
		view->ledgers, view->busy };
	return view;
}

void usher_view_free(UsherView *view)
{
	if (view == NULL)
		return;
	g_ptr_array_unref(view->devices);
	g_ptr_array_unref(view->groups);
	g_ptr_array_unref(view->rules);
	g_ptr_array_unref(view->ledgers);
	g_hash_table_unref(view->busy);
	g_free(view);
}

int64_t usher_cluster_revision(UsherCluster *cluster)
{
	(void) usher_world_refresh(cluster->world, NULL);
	return usher_world_revision(cluster->world);
}

unsigned usher_cluster_listen(UsherCluster *cluster, UsherStoreAdvanced func, void *data)
{
	return cluster->store->ops->listen(cluster->store, func, data);
}

void usher_cluster_unlisten(UsherCluster *cluster, unsigned id)
{
	cluster->store->ops->unlisten(cluster->store, id);
}
