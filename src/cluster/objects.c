/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as people see them: records with their derived status, lists and changes of them. */
#include "cluster/private.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

const char *const usher_object_kind_names[] = {
	[USHER_OBJECT_GROUP] = "group",
	[USHER_OBJECT_RULE] = "rule",
	[USHER_OBJECT_VM] = "vm",
	[USHER_OBJECT_LEASE] = "lease",
	[USHER_OBJECT_OPERATION] = "operation",
	[USHER_OBJECT_NODE] = "node",
	[USHER_OBJECT_DEVICE] = "device",
	[USHER_OBJECT_EVENT] = "event",
	[USHER_OBJECT_N_KINDS] = NULL,
};

/* The mirrored ones have the same numbers. */
G_STATIC_ASSERT((int) USHER_OBJECT_DEVICE == (int) USHER_TABLE_DEVICE);
G_STATIC_ASSERT((int) USHER_OBJECT_NODE == (int) USHER_TABLE_NODE);

static GPtrArray *node_names(UsherCluster *cluster)
{
	GPtrArray *names = g_ptr_array_new();
	g_autoptr(GPtrArray) nodes = usher_world_list(cluster->world, USHER_TABLE_NODE, "");
	for (unsigned i = 0; i < nodes->len; i++) {
		const UsherNodeInfo *node = nodes->pdata[i];
		g_ptr_array_add(names, node->name);
	}
	return names;
}

typedef struct UsherCounts {
	int64_t members, free, leased, ineligible;
} UsherCounts;

static bool device_is_leased(const UsherView *view, const UsherDevice *device)
{
	for (unsigned i = 0; i < view->ledgers->len; i++) {
		const UsherLedgerEntry *entry =
			usher_ledger_holder(view->ledgers->pdata[i], device->id);
		if (entry != NULL)
			return entry->lease != NULL;
	}
	return false;
}

static void count_members(
	UsherCluster *cluster, const UsherGroup *group, const char *node, UsherCounts *counts)
{
	g_autoptr(UsherView) view = usher_view_new(cluster, node);
	g_autoptr(GPtrArray) members = usher_place_members(&view->node, group, NULL);
	for (unsigned i = 0; members != NULL && i < members->len; i++) {
		const UsherMember *member = members->pdata[i];
		counts->members++;
		if (member->why_not == NULL && usher_cluster_node_is_live(cluster, node))
			counts->free++;
		else if (device_is_leased(view, member->device))
			counts->leased++;
		else
			counts->ineligible++;
	}
}

static void write_group_status(
	UsherCluster *cluster, const UsherGroup *group, UsherJsonWriter *writer)
{
	UsherCounts counts = { 0 };
	g_autoptr(GPtrArray) nodes = node_names(cluster);
	for (unsigned i = 0; i < nodes->len; i++)
		count_members(cluster, group, nodes->pdata[i], &counts);
	usher_json_put_int(writer, "members", counts.members);
	usher_json_put_int(writer, "free", counts.free);
	usher_json_put_int(writer, "leased", counts.leased);
	usher_json_put_int(writer, "ineligible", counts.ineligible);
	usher_json_key(writer, "fits");
	usher_json_begin_array(writer);
	usher_json_end_array(writer);
}

static void write_rule_status(UsherCluster *cluster, const UsherRule *rule, UsherJsonWriter *writer)
{
	int64_t matches = 0;
	g_autoptr(UsherGroup) group = usher_group_new();
	group->name = g_strdup(rule->group);
	g_autoptr(GPtrArray) nodes = node_names(cluster);
	g_autoptr(GPtrArray) only = g_ptr_array_new();
	g_autoptr(UsherRule) enabled = usher_rule_dup(rule);
	enabled->enabled = true;
	g_ptr_array_add(only, enabled);
	for (unsigned i = 0; i < nodes->len; i++) {
		g_autoptr(UsherView) view = usher_view_new(cluster, nodes->pdata[i]);
		view->node.rules = only;
		g_autoptr(GPtrArray) members = usher_place_members(&view->node, group, NULL);
		matches += members != NULL ? members->len : 0;
	}
	usher_json_put_int(writer, "matches", matches);
}

static void write_vm_status(UsherCluster *cluster, const UsherVm *vm, UsherJsonWriter *writer)
{
	const UsherGuestInfo *guest = usher_cluster_guest_of(cluster, vm);
	bool is_known = guest != NULL && usher_cluster_node_is_live(cluster, vm->home);
	usher_json_put_string(writer, "state",
		usher_guest_state_name(is_known ? guest->state : USHER_GUEST_UNKNOWN));
	g_autoptr(GPtrArray) leases = usher_cluster_leases_of_vm(cluster, vm->name);
	usher_json_key(writer, "leases");
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < leases->len; i++) {
		const UsherLease *lease = leases->pdata[i];
		usher_json_write_string(writer, lease->id);
	}
	usher_json_end_array(writer);
}

static void write_vm(UsherCluster *cluster, const UsherVm *vm, UsherJsonWriter *writer)
{
	const UsherGuestInfo *guest = usher_cluster_guest_of(cluster, vm);
	bool runs = guest != NULL &&
		(guest->state == USHER_GUEST_RUNNING || guest->state == USHER_GUEST_PAUSED);
	g_autoptr(UsherVm) shown = usher_vm_dup(vm);
	shown->node = runs ? g_strdup(vm->home) : NULL;
	usher_record_write_members(&usher_vm_type, shown, writer);
}

static void write_node(UsherCluster *cluster, const UsherNodeInfo *node, UsherJsonWriter *writer)
{
	bool is_live = usher_cluster_node_is_live(cluster, node->name);
	const int64_t *last_seen = g_hash_table_lookup(cluster->last_seen, node->name);
	g_autofree char *seen =
		usher_text_print_time(last_seen != NULL ? *last_seen : node->last_seen);
	usher_json_put_string(writer, "name", node->name);
	usher_json_put_string(writer, "guest_of", node->guest_of);
	usher_json_put_int(writer, "revision", node->revision);
	usher_json_key(writer, "status");
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "state", is_live && node->ready ? "ready" : "unreachable");
	usher_json_key(writer, "pending");
	usher_json_begin_array(writer);
	usher_json_end_array(writer);
	usher_json_put_string(writer, "kernel", node->kernel);
	usher_json_put_string(writer, "agent_version", node->agent_version);
	usher_json_put_int(writer, "devices", node->devices);
	usher_json_put_string(writer, "last_seen", seen);
	usher_json_end_object(writer);
}

static bool has_member(const GPtrArray *members, const UsherDevice *device)
{
	for (unsigned i = 0; members != NULL && i < members->len; i++) {
		const UsherMember *member = members->pdata[i];
		if (member->device == device)
			return true;
	}
	return false;
}

static void write_device(const UsherView *view, const UsherDevice *device, UsherJsonWriter *writer)
{
	g_autoptr(UsherDevice) shown = usher_device_dup(device);
	for (unsigned i = 0; i < view->ledgers->len && shown->lease == NULL; i++) {
		const UsherLedgerEntry *entry =
			usher_ledger_holder(view->ledgers->pdata[i], device->id);
		shown->lease = entry != NULL ? g_strdup(entry->lease) : NULL;
	}
	for (unsigned i = 0; i < view->groups->len; i++) {
		const UsherGroup *group = view->groups->pdata[i];
		g_autoptr(GPtrArray) members = usher_place_members(&view->node, group, NULL);
		if (has_member(members, device))
			g_ptr_array_add(shown->groups, g_strdup(group->name));
	}
	usher_record_write(&usher_device_type, shown, writer);
}

static void begin_status(UsherJsonWriter *writer)
{
	usher_json_key(writer, "status");
	usher_json_begin_object(writer);
}

void usher_cluster_write(UsherCluster *cluster, UsherObjectKind kind, const char *name,
	const void *record, UsherJsonWriter *writer)
{
	if (kind == USHER_OBJECT_DEVICE) {
		g_autofree char *node = g_strndup(name, strcspn(name, "/"));
		g_autoptr(UsherView) view = usher_view_new(cluster, node);
		write_device(view, record, writer);
		return;
	}
	usher_json_begin_object(writer);
	switch (kind) {
	case USHER_OBJECT_GROUP:
		usher_record_write_members(&usher_group_type, record, writer);
		begin_status(writer);
		write_group_status(cluster, record, writer);
		usher_json_end_object(writer);
		break;
	case USHER_OBJECT_RULE:
		usher_record_write_members(&usher_rule_type, record, writer);
		begin_status(writer);
		write_rule_status(cluster, record, writer);
		usher_json_end_object(writer);
		break;
	case USHER_OBJECT_VM:
		write_vm(cluster, record, writer);
		begin_status(writer);
		write_vm_status(cluster, record, writer);
		usher_json_end_object(writer);
		break;
	case USHER_OBJECT_NODE:
		write_node(cluster, record, writer);
		break;
	case USHER_OBJECT_LEASE:
		usher_record_write_members(&usher_lease_type, record, writer);
		break;
	case USHER_OBJECT_OPERATION:
		usher_record_write_members(&usher_operation_type, record, writer);
		break;
	case USHER_OBJECT_EVENT:
		usher_record_write_members(&usher_event_type, record, writer);
		break;
	case USHER_OBJECT_DEVICE:
	case USHER_OBJECT_N_KINDS:
		g_assert_not_reached();
	}
	usher_json_end_object(writer);
}

/* The key of a device named NODE/ADDRESS, NODE/ID or by its id alone. NULL: there is none. */
static char *device_key(UsherCluster *cluster, const char *name)
{
	const char *slash = strchr(name, '/');
	const char *last = slash != NULL ? slash + 1 : name;
	g_autofree char *node = slash != NULL ? g_strndup(name, (size_t) (slash - name)) : NULL;
	g_autoptr(GPtrArray) nodes = node_names(cluster);
	for (unsigned i = 0; i < nodes->len; i++) {
		if (node != NULL && strcmp(nodes->pdata[i], node) != 0)
			continue;
		g_autoptr(UsherView) view = usher_view_new(cluster, nodes->pdata[i]);
		for (unsigned j = 0; j < view->devices->len; j++) {
			const UsherDevice *device = view->devices->pdata[j];
			bool is_it = strcmp(device->id, last) == 0 ||
				(slash != NULL && strcmp(device->address, last) == 0);
			if (is_it)
				return g_strdup_printf("%s/%s", view->node.name, device->id);
		}
	}
	return NULL;
}

static bool show_event(UsherCluster *cluster, const char *id, UsherJsonWriter *writer,
	int64_t *out_revision, GError **error)
{
	g_autofree char *key = g_strconcat(USHER_EVENT_PREFIX, id, NULL);
	g_autoptr(UsherStoreItem) item = cluster->store->ops->get(cluster->store, key, error);
	if (item == NULL) {
		g_prefix_error(error, "event '%s': ", id);
		return false;
	}
	g_autoptr(UsherEvent) event = usher_record_parse(&usher_event_type, item->value, error);
	if (event == NULL)
		return false;
	event->revision = item->revision;
	if (out_revision != NULL)
		*out_revision = item->revision;
	usher_cluster_write(cluster, USHER_OBJECT_EVENT, id, event, writer);
	return true;
}

bool usher_cluster_show(UsherCluster *cluster, UsherObjectKind kind, const char *name,
	UsherJsonWriter *writer, int64_t *out_revision, GError **error)
{
	if (!usher_world_refresh(cluster->world, error))
		return false;
	if (kind == USHER_OBJECT_EVENT)
		return show_event(cluster, name, writer, out_revision, error);
	g_autofree char *found = kind == USHER_OBJECT_DEVICE ? device_key(cluster, name) : NULL;
	UsherWorldTable table = (UsherWorldTable) kind;
	const char *key = found != NULL ? found : name;
	const void *record =
		usher_cluster_find(cluster, table, usher_object_kind_names[kind], key, error);
	if (record == NULL)
		return false;
	if (out_revision != NULL)
		*out_revision = usher_world_revision_of(cluster->world, table, key);
	usher_cluster_write(cluster, kind, key, record, writer);
	return true;
}

typedef struct UsherListing {
	UsherCluster *cluster;
	UsherObjectKind kind;
	const UsherListQuery *query;
	UsherJsonWriter *writer;
	UsherView *view; /* of the node whose devices are being listed */
	size_t n;
	char *last;
	bool is_cut;
} UsherListing;

static bool is_listed(const UsherListing *listing, const char *name, const void *record)
{
	const char *node = listing->query->node;
	if (listing->kind == USHER_OBJECT_LEASE) {
		const UsherLease *lease = record;
		return (listing->query->all || !usher_lease_state_is_end(lease->state)) &&
			(node == NULL || strcmp(lease->node, node) == 0);
	}
	if (listing->kind == USHER_OBJECT_OPERATION) {
		const UsherOperation *operation = record;
		return listing->query->all || !usher_operation_state_is_end(operation->state);
	}
	if (listing->kind == USHER_OBJECT_DEVICE && node != NULL) {
		size_t length = strlen(node);
		return strncmp(name, node, length) == 0 && name[length] == '/';
	}
	return true;
}

static bool list_one(const char *name, const void *record, void *data)
{
	UsherListing *listing = data;
	if (!is_listed(listing, name, record))
		return true;
	if (listing->query->limit > 0 && listing->n == listing->query->limit) {
		listing->is_cut = true;
		return false;
	}
	listing->n++;
	g_free(listing->last);
	listing->last = g_strdup(name);
	if (listing->kind != USHER_OBJECT_DEVICE) {
		usher_cluster_write(listing->cluster, listing->kind, name, record, listing->writer);
		return true;
	}
	g_autofree char *node = g_strndup(name, strcspn(name, "/"));
	if (listing->view == NULL || strcmp(listing->view->node.name, node) != 0) {
		usher_view_free(listing->view);
		const UsherDevice *device = record;
		listing->view = usher_view_new(listing->cluster, device->node);
	}
	write_device(listing->view, record, listing->writer);
	return true;
}

static void list_events(UsherListing *listing)
{
	g_autofree char *after = listing->query->after != NULL
		? g_strconcat(USHER_EVENT_PREFIX, listing->query->after, NULL)
		: NULL;
	UsherStore *store = listing->cluster->store;
	g_autoptr(GPtrArray) items =
		store->ops->list(store, USHER_EVENT_PREFIX, after, listing->query->limit, NULL);
	for (unsigned i = 0; items != NULL && i < items->len; i++) {
		const UsherStoreItem *item = items->pdata[i];
		g_autoptr(UsherEvent) event =
			usher_record_parse(&usher_event_type, item->value, NULL);
		if (event == NULL)
			continue;
		event->revision = item->revision;
		g_free(listing->last);
		listing->last = g_strdup(event->id);
		listing->n++;
		usher_cluster_write(
			listing->cluster, USHER_OBJECT_EVENT, event->id, event, listing->writer);
	}
	listing->is_cut = listing->query->limit > 0 && listing->n == listing->query->limit;
}

void usher_cluster_list(UsherCluster *cluster, UsherObjectKind kind, const UsherListQuery *query,
	UsherJsonWriter *writer, char **out_next)
{
	(void) usher_world_refresh(cluster->world, NULL);
	UsherListing listing = {
		.cluster = cluster, .kind = kind, .query = query, .writer = writer
	};
	if (kind == USHER_OBJECT_EVENT)
		list_events(&listing);
	else
		usher_world_foreach_after(
			cluster->world, (UsherWorldTable) kind, query->after, list_one, &listing);
	usher_view_free(listing.view);
	*out_next = listing.is_cut ? g_strdup(listing.last) : NULL;
	g_free(listing.last);
}

/* What a changed key means for objects: the object of that record, or the vm a guest stands for. */
static bool object_of_key(UsherCluster *cluster, const UsherStoreItem *item,
	UsherObjectKind *out_kind, char **out_name)
{
	if (g_str_has_prefix(item->key, USHER_EVENT_PREFIX)) {
		*out_kind = USHER_OBJECT_EVENT;
		*out_name = g_strdup(item->key + strlen(USHER_EVENT_PREFIX));
		return true;
	}
	UsherWorldTable table;
	const char *name;
	if (!usher_world_split_key(item->key, &table, &name))
		return false;
	if ((int) table <= (int) USHER_OBJECT_DEVICE) {
		*out_kind = (UsherObjectKind) table;
		*out_name = g_strdup(name);
		return true;
	}
	if (table == USHER_TABLE_LIVE) {
		*out_kind = USHER_OBJECT_NODE;
		*out_name = g_strdup(name);
		return true;
	}
	if (table != USHER_TABLE_GUEST)
		return false;
	const char *uuid = strchr(name, '/') + 1;
	g_autoptr(GPtrArray) vms = usher_world_list(cluster->world, USHER_TABLE_VM, "");
	for (unsigned i = 0; i < vms->len; i++) {
		const UsherVm *vm = vms->pdata[i];
		if (g_strcmp0(vm->uuid, uuid) != 0)
			continue;
		*out_kind = USHER_OBJECT_VM;
		*out_name = g_strdup(vm->name);
		return true;
	}
	return false;
}

/* The object's text as the change left it; as it is now where the key isn't the object's own. */
static char *object_text(
	UsherCluster *cluster, UsherObjectKind kind, const char *name, const UsherStoreItem *item)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	UsherWorldTable table;
	const char *key_name;
	bool is_own = kind == USHER_OBJECT_EVENT ||
		(usher_world_split_key(item->key, &table, &key_name) && (int) table == (int) kind);
	bool is_there;
	if (is_own && item->value != NULL && kind != USHER_OBJECT_EVENT) {
		void *record = usher_world_parse(table, item, NULL);
		is_there = record != NULL;
		if (is_there) {
			usher_cluster_write(cluster, kind, name, record, writer);
			usher_world_type(table)->free(record);
		}
	} else {
		is_there = !(is_own && item->value == NULL) &&
			usher_cluster_show(cluster, kind, name, writer, NULL, NULL);
	}
	if (is_there)
		return usher_json_writer_finish(writer);
	usher_json_writer_free(writer);
	return NULL;
}

bool usher_cluster_changes(UsherCluster *cluster, unsigned kinds_mask, int64_t since, size_t limit,
	UsherObjectChanged func, void *data, int64_t *out_upto, GError **error)
{
	if (!usher_world_refresh(cluster->world, error))
		return false;
	g_autoptr(GPtrArray) items =
		cluster->store->ops->changes(cluster->store, "", since, limit, error);
	if (items == NULL)
		return false;
	*out_upto = since;
	for (unsigned i = 0; i < items->len; i++) {
		const UsherStoreItem *item = items->pdata[i];
		UsherObjectKind kind;
		g_autofree char *name = NULL;
		*out_upto = item->revision;
		if (!object_of_key(cluster, item, &kind, &name) || (kinds_mask & (1U << kind)) == 0)
			continue;
		g_autofree char *text = object_text(cluster, kind, name, item);
		func(kind, name, item->revision, text, data);
	}
	return true;
}
