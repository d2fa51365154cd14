/* SPDX-License-Identifier: Apache-2.0 */
/* Leases on this node: their states, and what becomes of those that no task looks after. */
#include "node/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"

/* How often a write that has not come back is asked after. */
#define FENCE_CHECK_US (5 * G_TIME_SPAN_SECOND)
/* A return is tried for so long. */
#define RETURN_TIMEOUT_US (3600 * G_TIME_SPAN_SECOND)

UsherHolding *usher_node_hold(UsherNode *node, const UsherLease *lease)
{
	UsherHolding *holding = g_new0(UsherHolding, 1);
	holding->lease = usher_lease_dup(lease);
	g_hash_table_replace(node->holdings, g_strdup(lease->id), holding);
	return holding;
}

void usher_holding_free(UsherHolding *holding)
{
	usher_lease_free(holding->lease);
	g_free(holding);
}

void usher_node_move_lease(
	UsherNode *node, UsherHolding *holding, UsherLeaseState state, const char *reason)
{
	UsherLease *lease = holding->lease;
	if (lease->state == state && g_strcmp0(lease->reason, reason) == 0)
		return;
	g_assert(usher_lease_state_may_reach(lease->state, state));
	lease->state = state;
	g_free(lease->reason);
	lease->reason = g_strdup(reason);
	holding->version++;
	g_autoptr(GError) error = NULL;
	g_autofree char *object = g_strconcat("lease/", lease->id, NULL);
	if (!usher_node_note_lease(node, holding, &error))
		usher_log(USHER_LOG_ERROR, object, "journal: %s", error->message);
	usher_log(USHER_LOG_INFO, object, "%s of %s is %s%s%s", lease->device->address,
		lease->guest->name, usher_lease_state_name(state), reason != NULL ? ": " : "",
		reason != NULL ? reason : "");
}

static bool is_on_vfio(UsherNode *node, const UsherWas *was)
{
	const UsherDevice *device = usher_inventory_find_text(node->seen, was->address);
	return device != NULL && usher_was_is_of(was, device) &&
		g_strcmp0(device->driver, "vfio-pci") == 0;
}

static void keep_held(UsherNode *node, const UsherLease *lease)
{
	for (unsigned i = 0; i < lease->was->len; i++) {
		const UsherWas *was = lease->was->pdata[i];
		if (!is_on_vfio(node, was) || g_strcmp0(was->driver, "vfio-pci") == 0)
			continue;
		usher_node_note_held(node, was, /* is_held */ true);
		g_hash_table_replace(node->held, g_strdup(was->address), usher_was_dup(was));
	}
}

void usher_node_release(UsherNode *node, UsherHolding *holding, const char *reason)
{
	if (!holding->is_of_other_boot)
		keep_held(node, holding->lease);
	holding->bar = USHER_BAR_NONE;
	if (!usher_lease_state_is_end(holding->lease->state))
		usher_node_move_lease(node, holding, USHER_LEASE_RELEASED, reason);
}

static void ask_after_fences(void *data);

static void watch_fences(UsherNode *node)
{
	UsherClock *clock = node->ports.clock;
	if (node->fence_timer == 0)
		node->fence_timer =
			clock->ops->after(clock, FENCE_CHECK_US, ask_after_fences, node);
}

void usher_node_bar(UsherNode *node, UsherHolding *holding, UsherBar bar, const char *reason)
{
	holding->bar = bar;
	usher_node_move_lease(node, holding, USHER_LEASE_FAILED, reason);
	if (bar == USHER_BAR_FENCE)
		watch_fences(node);
}

bool usher_node_is_in_flight(UsherNode *node, const UsherLease *lease)
{
	UsherHost *host = node->ports.host;
	if (host->ops->in_flight(host, lease->device->address))
		return true;
	for (unsigned i = 0; i < lease->companions->len; i++) {
		if (host->ops->in_flight(host, lease->companions->pdata[i]))
			return true;
	}
	return false;
}

static void ask_after_fences(void *data)
{
	UsherNode *node = data;
	node->fence_timer = 0;
	bool has_fences = false, has_open = false;
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const UsherHolding *holding = value;
		if (holding->bar != USHER_BAR_FENCE)
			continue;
		bool is_fenced = usher_node_is_in_flight(node, holding->lease);
		has_fences |= is_fenced;
		has_open |= !is_fenced;
	}
	if (has_fences)
		watch_fences(node);
	if (has_open)
		(void) usher_node_observe(node);
}

GPtrArray *usher_node_home_of(UsherNode *node, const UsherHolding *holding, bool undoing)
{
	const UsherLease *lease = holding->lease;
	GPtrArray *home = g_ptr_array_new_with_free_func(usher_was_type.free);
	/* The boot has brought them home to what this boot wants. */
	if (holding->is_of_other_boot)
		return home;
	bool is_hold = g_strcmp0(lease->give_back, "hold") == 0;
	for (unsigned i = 0; i < lease->was->len; i++) {
		const UsherWas *was = lease->was->pdata[i];
		bool was_held = g_hash_table_contains(node->held, was->address);
		/* Undone, it is as it was: held if it was held. One that only came half the way is not. */
		if ((undoing ? was_held : is_hold) && is_on_vfio(node, was))
			continue;
		g_ptr_array_add(home, usher_was_dup(was));
	}
	return home;
}

/* Whether the lease's devices are to come home though nobody asked. */
static bool is_to_be_returned(UsherNode *node, const UsherHolding *holding)
{
	const UsherLease *lease = holding->lease;
	bool is_over = usher_lease_state_is_end(lease->state) && holding->bar == USHER_BAR_NONE;
	if (is_over || holding->bar == USHER_BAR_QUARANTINE || lease->was->len == 0 ||
		holding->is_of_other_boot)
		return false;
	if (holding->bar == USHER_BAR_FENCE && usher_node_is_in_flight(node, lease))
		return false;
	return !usher_guest_has(usher_find_guest(node->guests, lease->uuid), lease->id) &&
		usher_node_task_of_lease(node, lease->id) == NULL;
}

static int compare_ids(const void *one, const void *other)
{
	const char *const *a = one, *const *b = other;
	return strcmp(*a, *b);
}

static void add_leases_to_return(UsherNode *node, const char *uuid, UsherOperation *operation)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const UsherHolding *holding = value;
		if (g_strcmp0(holding->lease->uuid, uuid) == 0 && is_to_be_returned(node, holding))
			g_ptr_array_add(operation->leases, g_strdup(holding->lease->id));
	}
	g_ptr_array_sort(operation->leases, compare_ids);
}

/* Its own operation for leases of one guest that nobody asked to be returned. */
static void begin_return(UsherNode *node, const UsherLease *lease)
{
	g_autoptr(UsherOperation) operation = usher_operation_new();
	operation->id = usher_node_new_id(node, "op-");
	operation->kind = USHER_KIND_RETURN;
	operation->node = g_strdup(node->name);
	operation->object = g_strdup_printf("%s/%s", lease->guest->kind, lease->guest->name);
	operation->state = USHER_OPERATION_RUNNING;
	operation->actor = g_strconcat("agent ", node->name, NULL);
	operation->created = usher_node_wall(node);
	operation->deadline = operation->created + RETURN_TIMEOUT_US;
	g_autofree char *arguments = g_strdup_printf("{\"uuid\":\"%s\"}", lease->uuid);
	operation->arguments = usher_json_parse(arguments, strlen(arguments), NULL);
	add_leases_to_return(node, lease->uuid, operation);
	UsherTask *task = usher_task_new(node, operation, USHER_TASK_IDLE);
	task->is_own = true;
	task->facts_from = node->observation;
	usher_task_changed(task);
	g_hash_table_insert(node->tasks, g_strdup(operation->id), task);
	g_autofree char *object = g_strconcat("operation/", operation->id, NULL);
	usher_log(USHER_LOG_NOTICE, object, "%s no longer has %s: it is returned",
		lease->guest->name, lease->device->address);
}

static void settle_one(UsherNode *node, UsherHolding *holding)
{
	const UsherLease *lease = holding->lease;
	if (usher_guest_has(usher_find_guest(node->guests, lease->uuid), lease->id)) {
		if (lease->state != USHER_LEASE_ATTACHED && holding->bar == USHER_BAR_NONE)
			usher_node_move_lease(node, holding, USHER_LEASE_ATTACHED, NULL);
	} else if (is_to_be_returned(node, holding)) {
		begin_return(node, lease);
	} else if (holding->bar == USHER_BAR_NONE) {
		usher_node_release(node, holding,
			holding->is_of_other_boot ? "the host was started again"
						  : "nothing had been done for it");
	}
}

void usher_node_settle(UsherNode *node)
{
	g_autoptr(GList) ids =
		g_list_sort(g_hash_table_get_keys(node->holdings), (GCompareFunc) g_strcmp0);
	for (GList *id = ids; id != NULL; id = id->next) {
		UsherHolding *holding = g_hash_table_lookup(node->holdings, id->data);
		bool is_over = usher_lease_state_is_end(holding->lease->state) &&
			holding->bar == USHER_BAR_NONE;
		/* Who has it now, only the hypervisor knows; that nobody kept it over a boot, we do. */
		bool is_known = node->guests != NULL || holding->is_of_other_boot;
		if (!is_over && is_known &&
			usher_node_task_of_lease(node, holding->lease->id) == NULL)
			settle_one(node, holding);
	}
}
