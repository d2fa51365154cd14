/* SPDX-License-Identifier: Apache-2.0 */
/* Groups, rules, and turning a device into both. */
#include "cluster/private.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/guard.h"
#include "core/rules/filter.h"

static bool name_is_legal(const char *noun, const char *name, GError **error)
{
	if (name != NULL && usher_text_is_name(name))
		return true;
	usher_error_set(error, USHER_ERROR_INVALID,
		"'%s' is no name for a %s: 1 to 63 of a-z, 0-9, '.' and '-', a letter or digit at "
		"both ends",
		name != NULL ? name : "", noun);
	return false;
}

/* What If-Match and If-None-Match ask. */
static bool revision_is_expected(UsherCluster *cluster, const UsherAsk *ask, UsherWorldTable table,
	const char *noun, const char *name, GError **error)
{
	int64_t revision = usher_world_revision_of(cluster->world, table, name);
	if (ask->expect == USHER_ANY_REVISION || ask->expect == revision)
		return true;
	if (ask->expect == 0)
		usher_error_set(error, USHER_ERROR_CONFLICT, "%s '%s' exists already", noun, name);
	else
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"%s '%s' has changed: it is at revision %" G_GINT64_FORMAT
			", not %" G_GINT64_FORMAT,
			noun, name, revision, ask->expect);
	g_autofree char *object = g_strdup_printf("%s/%s", noun, name);
	if (error != NULL)
		usher_error_set_object(*error, object);
	return false;
}

typedef struct UsherPut {
	const UsherAsk *ask;
	UsherWorldTable table;
	const char *noun, *name;
	const void *record; /* NULL: delete */
} UsherPut;

static bool stage_put(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	const UsherPut *put = data;
	g_autofree char *object = g_strdup_printf("%s/%s", put->noun, put->name);
	if (!revision_is_expected(cluster, put->ask, put->table, put->noun, put->name, error))
		return false;
	bool exists = usher_world_get(cluster->world, put->table, put->name) != NULL;
	usher_world_put(cluster->world, txn, put->table, put->name, put->record);
	usher_cluster_tell(cluster, txn, put->ask->actor, exists ? "updated" : "created", object,
		"%s %s", object, exists ? "was changed" : "was created");
	return true;
}

bool usher_cluster_group_put(
	UsherCluster *cluster, const UsherAsk *ask, const UsherGroup *group, GError **error)
{
	if (!name_is_legal("group", group->name, error))
		return false;
	UsherPut put = { ask, USHER_TABLE_GROUP, "group", group->name, group };
	return usher_cluster_attempt(cluster, ask->dry_run, stage_put, &put, error);
}

bool usher_cluster_rule_put(
	UsherCluster *cluster, const UsherAsk *ask, const UsherRule *rule, GError **error)
{
	if (!name_is_legal("rule", rule->name, error))
		return false;
	g_autoptr(UsherFilter) filter = usher_filter_parse(rule->filter, error);
	if (filter == NULL || !usher_world_refresh(cluster->world, error))
		return false;
	if (usher_cluster_find(cluster, USHER_TABLE_GROUP, "group", rule->group, error) == NULL)
		return false;
	UsherPut put = { ask, USHER_TABLE_RULE, "rule", rule->name, rule };
	return usher_cluster_attempt(cluster, ask->dry_run, stage_put, &put, error);
}

/* The vms whose requests name the group, joined; NULL: none. */
static char *users_of(UsherCluster *cluster, const char *group)
{
	g_autoptr(GPtrArray) users = g_ptr_array_new();
	g_autoptr(GPtrArray) vms = usher_world_list(cluster->world, USHER_TABLE_VM, "");
	for (unsigned i = 0; i < vms->len; i++) {
		const UsherVm *vm = vms->pdata[i];
		for (unsigned j = 0; j < vm->requests->len; j++) {
			const UsherRequest *request = vm->requests->pdata[j];
			if (strcmp(request->group, group) == 0) {
				g_ptr_array_add(users, vm->name);
				break;
			}
		}
	}
	return users->len > 0 ? usher_text_join_array(users, ", ") : NULL;
}

static bool stage_delete(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	const UsherPut *put = data;
	g_autofree char *object = g_strdup_printf("%s/%s", put->noun, put->name);
	if (usher_cluster_find(cluster, put->table, put->noun, put->name, error) == NULL ||
		!revision_is_expected(cluster, put->ask, put->table, put->noun, put->name, error))
		return false;
	usher_world_delete(cluster->world, txn, put->table, put->name);
	usher_cluster_tell(
		cluster, txn, put->ask->actor, "deleted", object, "%s was deleted", object);
	return true;
}

static bool stage_group_delete(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	const UsherPut *put = data;
	g_autofree char *users = users_of(cluster, put->name);
	if (users != NULL) {
		usher_error_set(error, USHER_ERROR_CONFLICT, "group '%s' is requested by %s",
			put->name, users);
		return false;
	}
	if (!stage_delete(cluster, txn, data, error))
		return false;
	g_autoptr(GPtrArray) rules = usher_world_list(cluster->world, USHER_TABLE_RULE, "");
	for (unsigned i = 0; i < rules->len; i++) {
		const UsherRule *rule = rules->pdata[i];
		if (strcmp(rule->group, put->name) == 0)
			usher_world_delete(cluster->world, txn, USHER_TABLE_RULE, rule->name);
	}
	return true;
}

bool usher_cluster_group_delete(
	UsherCluster *cluster, const UsherAsk *ask, const char *name, GError **error)
{
	UsherPut put = { ask, USHER_TABLE_GROUP, "group", name, NULL };
	return usher_cluster_attempt(cluster, ask->dry_run, stage_group_delete, &put, error);
}

bool usher_cluster_rule_delete(
	UsherCluster *cluster, const UsherAsk *ask, const char *name, GError **error)
{
	UsherPut put = { ask, USHER_TABLE_RULE, "rule", name, NULL };
	return usher_cluster_attempt(cluster, ask->dry_run, stage_delete, &put, error);
}

typedef struct UsherMaking {
	const UsherAsk *ask;
	const GPtrArray *devices;
	const char *group, *group_type;
	bool like;
	GPtrArray *rules; /* of UsherRule, what was staged */
} UsherMaking;

/* The device "ADDRESS" or "NODE/ADDRESS" means, in its node's view. */
static const UsherDevice *find_device(
	UsherCluster *cluster, const char *text, UsherView **out_view, GError **error)
{
	const char *slash = strchr(text, '/');
	g_autofree char *wanted_node =
		slash != NULL ? g_strndup(text, (size_t) (slash - text)) : NULL;
	UsherPciAddr addr;
	char address[USHER_PCI_ADDR_TEXT];
	if (!usher_pci_addr_parse(slash != NULL ? slash + 1 : text, &addr, error))
		return NULL;
	(void) usher_pci_addr_print(addr, address);

	const UsherDevice *found = NULL;
	g_autoptr(GPtrArray) nodes = usher_world_list(cluster->world, USHER_TABLE_NODE, "");
	for (unsigned i = 0; i < nodes->len; i++) {
		const UsherNodeInfo *node = nodes->pdata[i];
		if (wanted_node != NULL && strcmp(wanted_node, node->name) != 0)
			continue;
		g_autoptr(UsherView) view = usher_view_new(cluster, node->name);
		for (unsigned j = 0; j < view->devices->len; j++) {
			const UsherDevice *device = view->devices->pdata[j];
			if (strcmp(device->address, address) != 0 ||
				device->state == USHER_DEVICE_ABSENT)
				continue;
			if (found != NULL) {
				usher_error_set(error, USHER_ERROR_INVALID,
					"device %s is on several nodes: say NODE/%s", address,
					address);
				g_clear_pointer(out_view, usher_view_free);
				return NULL;
			}
			found = device;
			*out_view = g_steal_pointer(&view);
			break;
		}
	}
	if (found == NULL)
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no device %s%s%s", address,
			wanted_node != NULL ? " on node " : "",
			wanted_node != NULL ? wanted_node : "");
	return found;
}

/* GROUP-ID: one rule a device, the same one when it is made again. */
static UsherRule *rule_for(
	const UsherMaking *making, const UsherView *view, const UsherDevice *device)
{
	UsherRule *rule = usher_rule_new();
	const char *letters = g_str_has_prefix(device->id, "d-") ? device->id + 2 : device->id;
	rule->name = making->like
		? g_strdup_printf("%s-%s-%s", making->group, device->vendor_id, device->device_id)
		: g_strdup_printf("%s-%s", making->group, letters);
	rule->group = g_strdup(making->group);
	rule->node = making->like ? NULL : g_strdup(view->node.name);
	rule->filter = making->like ? usher_filter_like_device(device)
				    : usher_filter_of_device(device, view->devices);
	rule->enabled = true;
	rule->system_created = true;
	return rule;
}

static bool make_one(
	UsherCluster *cluster, UsherTxn *txn, UsherMaking *making, const char *text, GError **error)
{
	g_autoptr(UsherView) view = NULL;
	const UsherDevice *device = find_device(cluster, text, &view, error);
	if (device == NULL)
		return false;
	if (device->guard != NULL && device->guard->verdict == USHER_VERDICT_REFUSED) {
		g_autofree char *proof = usher_guard_explain(device->guard);
		usher_error_set(error, USHER_ERROR_DENIED, "device %s can't be given: %s",
			device->address, proof);
		return false;
	}
	g_autoptr(UsherRule) rule = rule_for(making, view, device);
	if (!name_is_legal("rule", rule->name, error))
		return false;
	for (unsigned i = 0; i < making->rules->len; i++) {
		const UsherRule *other = making->rules->pdata[i];
		if (strcmp(other->name, rule->name) == 0)
			return true;
	}
	usher_world_put(cluster->world, txn, USHER_TABLE_RULE, rule->name, rule);
	g_autofree char *object = g_strconcat("rule/", rule->name, NULL);
	usher_cluster_tell(cluster, txn, making->ask->actor, "created", object,
		"%s: %s is now in group %s", rule->filter, device->address, making->group);
	g_ptr_array_add(making->rules, g_steal_pointer(&rule));
	return true;
}

static bool stage_group_on_the_way(
	UsherCluster *cluster, UsherTxn *txn, const UsherMaking *making, GError **error)
{
	if (usher_world_get(cluster->world, USHER_TABLE_GROUP, making->group) != NULL)
		return true;
	if (making->group_type == NULL)
		return usher_cluster_find(
			       cluster, USHER_TABLE_GROUP, "group", making->group, error) != NULL;
	if (!name_is_legal("group", making->group, error))
		return false;
	g_autoptr(UsherGroup) group = usher_group_new();
	group->name = g_strdup(making->group);
	group->enabled = true;
	while (usher_group_type_names[group->type] != NULL &&
		strcmp(usher_group_type_names[group->type], making->group_type) != 0)
		group->type++;
	if (usher_group_type_names[group->type] == NULL) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "'%s' is no type of group", making->group_type);
		return false;
	}
	usher_world_put(cluster->world, txn, USHER_TABLE_GROUP, group->name, group);
	g_autofree char *object = g_strconcat("group/", group->name, NULL);
	usher_cluster_tell(
		cluster, txn, making->ask->actor, "created", object, "%s was created", object);
	return true;
}

static bool stage_making(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherMaking *making = data;
	g_ptr_array_set_size(making->rules, 0);
	if (!stage_group_on_the_way(cluster, txn, making, error))
		return false;
	for (unsigned i = 0; i < making->devices->len; i++) {
		if (!make_one(cluster, txn, making, making->devices->pdata[i], error))
			return false;
	}
	return true;
}

static void write_matches(UsherCluster *cluster, const UsherMaking *making, UsherJsonWriter *writer)
{
	g_autoptr(UsherGroup) group = usher_group_new();
	group->name = g_strdup(making->group);
	g_autoptr(GPtrArray) nodes = usher_world_list(cluster->world, USHER_TABLE_NODE, "");
	for (unsigned i = 0; i < nodes->len; i++) {
		const UsherNodeInfo *node = nodes->pdata[i];
		g_autoptr(UsherView) view = usher_view_new(cluster, node->name);
		view->node.rules = making->rules;
		g_autoptr(GPtrArray) members = usher_place_members(&view->node, group, NULL);
		for (unsigned j = 0; members != NULL && j < members->len; j++) {
			const UsherMember *member = members->pdata[j];
			usher_json_begin_object(writer);
			usher_json_put_string(writer, "node", node->name);
			usher_json_put_string(writer, "address", member->device->address);
			usher_json_put_string(writer, "rule", member->rule);
			usher_json_put_string(writer, "why_not", member->why_not);
			usher_json_end_object(writer);
		}
	}
}

bool usher_cluster_make_resource(UsherCluster *cluster, const UsherAsk *ask,
	const GPtrArray *devices, const char *group, const char *group_type, bool like,
	UsherJsonWriter *writer, GError **error)
{
	UsherMaking making = {
		.ask = ask,
		.devices = devices,
		.group = group,
		.group_type = group_type,
		.like = like,
	};
	making.rules = g_ptr_array_new_with_free_func(usher_rule_type.free);
	if (!usher_cluster_attempt(cluster, ask->dry_run, stage_making, &making, error)) {
		g_ptr_array_unref(making.rules);
		return false;
	}
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "group", group);
	usher_json_key(writer, "rules");
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < making.rules->len; i++)
		usher_record_write(&usher_rule_type, making.rules->pdata[i], writer);
	usher_json_end_array(writer);
	usher_json_key(writer, "matches");
	usher_json_begin_array(writer);
	write_matches(cluster, &making, writer);
	usher_json_end_array(writer);
	usher_json_end_object(writer);
	g_ptr_array_unref(making.rules);
	return true;
}
