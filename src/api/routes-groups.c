/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and rules: what people write as a whole, by name. */
#include "api/call.h"
#include "base/error.h"

#include <string.h>

/* A writer takes what a reader got: status is there to be read and is passed over. */
static UsherJson *body_without_status(const UsherCall *call, GError **error)
{
	g_autoptr(UsherJson) body = usher_call_json(call, error);
	if (body == NULL || usher_json_get(body, "status") == NULL)
		return g_steal_pointer(&body);
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	const char *name = NULL;
	const UsherJson *value;
	while (usher_json_next(body, &name, &value)) {
		if (strcmp(name, "status") == 0)
			continue;
		usher_json_key(writer, name);
		usher_json_write_value(writer, value);
	}
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	return usher_json_parse(text, strlen(text), error);
}

/* The path names it; a body that names it too must say the same. */
static bool take_name(const UsherCall *call, char **name, GError **error)
{
	if (*name == NULL)
		*name = g_strdup(call->names[0]);
	if (strcmp(*name, call->names[0]) == 0)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID, "the path names '%s', the body '%s'",
		call->names[0], *name);
	return false;
}

static bool does_exist(const UsherCall *call)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	bool exists = usher_cluster_show(
		call->cluster, call->route->kind, call->names[0], writer, NULL, NULL);
	usher_json_writer_free(writer);
	return exists;
}

static UsherHttpResponse *reply_put(const UsherCall *call, bool existed, GError **error)
{
	const char *noun = usher_object_kind_names[call->route->kind];
	if (!call->ask.dry_run)
		return usher_reply_object(
			call, call->route->kind, call->names[0], existed ? 200 : 201, error);
	g_autofree char *kind = g_strdup_printf("%s-%s", noun, existed ? "update" : "create");
	g_autofree char *object = g_strdup_printf("%s/%s", noun, call->names[0]);
	g_autofree char *step = g_strdup_printf("%s %s", existed ? "update" : "create", object);
	return usher_reply_proposal(call, kind, object, step, NULL);
}

UsherHttpResponse *usher_route_group_put(const UsherCall *call, GError **error)
{
	g_autoptr(UsherJson) body = body_without_status(call, error);
	g_autoptr(UsherGroup) group =
		body != NULL ? usher_record_read(&usher_group_type, body, error) : NULL;
	if (group == NULL || !take_name(call, &group->name, error))
		return NULL;
	if (usher_json_get(body, "enabled") == NULL)
		group->enabled = true;
	bool existed = does_exist(call);
	if (!usher_cluster_group_put(call->cluster, &call->ask, group, error))
		return NULL;
	return reply_put(call, existed, error);
}

UsherHttpResponse *usher_route_rule_put(const UsherCall *call, GError **error)
{
	g_autoptr(UsherJson) body = body_without_status(call, error);
	g_autoptr(UsherRule) rule =
		body != NULL ? usher_record_read(&usher_rule_type, body, error) : NULL;
	if (rule == NULL || !take_name(call, &rule->name, error))
		return NULL;
	if (usher_json_get(body, "enabled") == NULL)
		rule->enabled = true;
	bool existed = does_exist(call);
	if (!usher_cluster_rule_put(call->cluster, &call->ask, rule, error))
		return NULL;
	return reply_put(call, existed, error);
}

typedef bool (*DeleteFunc)(
	UsherCluster *cluster, const UsherAsk *ask, const char *name, GError **error);

/* Answers the object as it was. */
static UsherHttpResponse *delete_object(const UsherCall *call, DeleteFunc func, GError **error)
{
	g_autoptr(UsherHttpResponse) was =
		usher_reply_object(call, call->route->kind, call->names[0], 200, error);
	if (was == NULL || !func(call->cluster, &call->ask, call->names[0], error))
		return NULL;
	if (!call->ask.dry_run)
		return g_steal_pointer(&was);
	const char *noun = usher_object_kind_names[call->route->kind];
	g_autofree char *kind = g_strconcat(noun, "-delete", NULL);
	g_autofree char *object = g_strdup_printf("%s/%s", noun, call->names[0]);
	g_autofree char *step = g_strconcat("delete ", object, NULL);
	return usher_reply_proposal(call, kind, object, step, NULL);
}

UsherHttpResponse *usher_route_group_delete(const UsherCall *call, GError **error)
{
	return delete_object(call, usher_cluster_group_delete, error);
}

UsherHttpResponse *usher_route_rule_delete(const UsherCall *call, GError **error)
{
	return delete_object(call, usher_cluster_rule_delete, error);
}
