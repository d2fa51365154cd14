/* SPDX-License-Identifier: Apache-2.0 */
#include "node/private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

UsherNodeRef *usher_node_ref_take(UsherNode *node)
{
	node->self->count++;
	return node->self;
}

UsherNode *usher_node_ref_drop(UsherNodeRef *ref)
{
	UsherNode *node = ref->node;
	g_assert(ref->count > 0);
	if (--ref->count == 0)
		g_free(ref);
	return node;
}

char *usher_node_new_id(UsherNode *node, const char *prefix)
{
	uint8_t bytes[10];
	node->ports.clock->ops->random(node->ports.clock, bytes, sizeof bytes);
	g_autofree char *letters = usher_text_from_random(bytes, sizeof bytes);
	return g_strconcat(prefix, letters, NULL);
}

int64_t usher_node_wall(UsherNode *node)
{
	return node->ports.clock->ops->wall(node->ports.clock);
}

static void advance_all(UsherNode *node)
{
	/* A task may end, and another begin, while this goes on. */
	g_autoptr(GList) ids = g_hash_table_get_keys(node->tasks);
	ids = g_list_sort(ids, (GCompareFunc) g_strcmp0);
	for (GList *id = ids; id != NULL; id = id->next) {
		UsherTask *task = g_hash_table_lookup(node->tasks, id->data);
		if (task != NULL)
			usher_task_advance(task);
	}
}

void usher_node_look_again(UsherNode *node)
{
	if (node->seen == NULL)
		return;
	usher_node_settle(node);
	advance_all(node);
	usher_node_track_devices(node);
	usher_node_exchange(node);
	if (node->is_ready)
		return;
	node->is_ready = true;
	if (node->ready_func != NULL)
		node->ready_func(node->ready_data);
	usher_node_exchange(node);
}

static void host_changed(void *data)
{
	(void) usher_node_observe(data);
}

static void control_changed(void *data)
{
	UsherNode *node = data;
	node->is_backing_off = false;
	node->exchange_again = true;
	usher_node_exchange(node);
}

static void free_task(void *task)
{
	usher_task_free(task);
}

static void free_holding(void *holding)
{
	usher_holding_free(holding);
}

static void free_tracked(void *tracked)
{
	usher_tracked_free(tracked);
}

UsherNode *usher_node_new(const char *name, const char *instance, const char *kernel,
	const UsherNodePorts *ports, UsherNodeReady ready, void *data, GError **error)
{
	g_assert(usher_text_is_name(name));
	g_autoptr(UsherNode) node = g_new0(UsherNode, 1);
	node->name = g_strdup(name);
	node->instance = g_strdup(instance);
	node->kernel = g_strdup(kernel);
	node->ports = *ports;
	node->ready_func = ready;
	node->ready_data = data;
	node->self = g_new0(UsherNodeRef, 1);
	node->self->node = node;
	node->self->count = 1;
	node->tasks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_task);
	node->holdings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_holding);
	node->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, usher_was_type.free);
	node->tracked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_tracked);
	if (!usher_node_remember(node, error))
		return NULL;
	ports->host->ops->watch(ports->host, host_changed, node);
	ports->guest->ops->watch(ports->guest, host_changed, node);
	ports->control->ops->watch(ports->control, control_changed, node);
	(void) usher_node_observe(node);
	return g_steal_pointer(&node);
}

void usher_node_free(UsherNode *node)
{
	if (node == NULL)
		return;
	const UsherNodePorts *ports = &node->ports;
	ports->host->ops->watch(ports->host, NULL, NULL);
	ports->guest->ops->watch(ports->guest, NULL, NULL);
	ports->control->ops->watch(ports->control, NULL, NULL);
	if (node->exchange_timer != 0)
		ports->clock->ops->cancel(ports->clock, node->exchange_timer);
	if (node->observe_timer != 0)
		ports->clock->ops->cancel(ports->clock, node->observe_timer);
	if (node->fence_timer != 0)
		ports->clock->ops->cancel(ports->clock, node->fence_timer);
	node->self->node = NULL;
	(void) usher_node_ref_drop(node->self);
	g_hash_table_unref(node->tasks);
	g_hash_table_unref(node->holdings);
	g_hash_table_unref(node->held);
	g_hash_table_unref(node->tracked);
	g_clear_pointer(&node->records, g_ptr_array_unref);
	g_clear_pointer(&node->named, g_ptr_array_unref);
	g_clear_pointer(&node->unsure, g_ptr_array_unref);
	g_clear_pointer(&node->guests, g_ptr_array_unref);
	g_clear_pointer(&node->seen, usher_inventory_unref);
	g_free(node->session);
	g_free(node->guests_text);
	g_free(node->guests_sent);
	g_free(node->guests_acknowledged);
	g_free(node->name);
	g_free(node->instance);
	g_free(node->kernel);
	g_free(node);
}
