/* SPDX-License-Identifier: Apache-2.0 */
/* Nouns as tables, and what list and show of most of them are. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/device-columns.h"

static char *time_cell(const UsherJson *object, const char *member)
{
	g_autofree char *text = usher_cli_cell(usher_cli_member(object, member));
	const char *dot = text != NULL ? strchr(text, '.') : NULL;
	if (dot == NULL)
		return g_steal_pointer(&text);
	return g_strdup_printf("%.*sZ", (int) (dot - text), text);
}

static char *since_cell(const UsherJson *object)
{
	return time_cell(object, "since");
}

static char *created_cell(const UsherJson *object)
{
	return time_cell(object, "created");
}

static char *seen_cell(const UsherJson *object)
{
	return time_cell(object, "status.last_seen");
}

static char *event_time_cell(const UsherJson *object)
{
	return time_cell(object, "time");
}

static char *guest_cell(const UsherJson *object)
{
	g_autofree char *kind = usher_cli_cell(usher_cli_member(object, "guest.kind"));
	g_autofree char *name = usher_cli_cell(usher_cli_member(object, "guest.name"));
	return name != NULL ? g_strdup_printf("%s/%s", kind != NULL ? kind : "?", name) : NULL;
}

/* "nics:2,gpu:1?": the question mark stands for optional. */
static char *requests_cell(const UsherJson *object)
{
	const UsherJson *requests = usher_json_get(object, "requests");
	GString *text = g_string_new(NULL);
	for (size_t i = 0; i < usher_json_length(requests); i++) {
		const UsherJson *request = usher_json_at(requests, i);
		g_autofree char *group = usher_cli_cell(usher_cli_member(request, "group"));
		g_string_append_printf(text, "%s%s:%" G_GINT64_FORMAT "%s", i > 0 ? "," : "", group,
			usher_json_get_int(request, "count", 1),
			usher_json_get_bool(request, "required", true) ? "" : "?");
	}
	return g_string_free(text, FALSE);
}

static char *error_cell(const UsherJson *object)
{
	return usher_cli_cell(usher_cli_member(object, "error.message"));
}

static const UsherColumn group_columns[] = {
	{ "NAME", "name" },
	{ "TYPE", "type" },
	{ "MEMBERS", "status.members" },
	{ "FREE", "status.free" },
	{ "LEASED", "status.leased" },
	{ "INELIGIBLE", "status.ineligible" },
	{ "ENABLED", "enabled" },
	{ "RETURN", "return", .is_wide = true },
	{ "PRIORITY", "priority", .is_wide = true },
	{ "DESCRIPTION", "description", .is_wide = true },
	{ NULL },
};
static const UsherColumn rule_columns[] = {
	{ "NAME", "name" },
	{ "GROUP", "group" },
	{ "NODE", "node" },
	{ "MATCHES", "status.matches" },
	{ "ENABLED", "enabled" },
	{ "FILTER", "filter" },
	{ NULL },
};
static const UsherColumn vm_columns[] = {
	{ "NAME", "name" },
	{ "HOME", "home" },
	{ "STATE", "status.state" },
	{ "WANT", "want" },
	{ "REQUESTS", .cell = requests_cell },
	{ "LEASES", "status.leases" },
	{ "BACKEND", "backend", .is_wide = true },
	{ "UUID", "uuid", .is_wide = true },
	{ NULL },
};
static const UsherColumn lease_columns[] = {
	{ "LEASE", "id" },
	{ "GUEST", .cell = guest_cell },
	{ "GROUP", "group" },
	{ "NODE", "node" },
	{ "DEVICE", "device.address" },
	{ "STATE", "state" },
	{ "COMPANIONS", "companions", .is_wide = true },
	{ "OPERATION", "operation", .is_wide = true },
	{ "REASON", "reason", .is_wide = true },
	{ "SINCE", .cell = since_cell },
	{ NULL },
};
static const UsherColumn node_columns[] = {
	{ "NAME", "name" },
	{ "STATE", "status.state" },
	{ "DEVICES", "status.devices" },
	{ "KERNEL", "status.kernel" },
	{ "AGENT", "status.agent_version" },
	{ "PENDING", "status.pending", .is_wide = true },
	{ "SEEN", .cell = seen_cell },
	{ NULL },
};
static const UsherColumn operation_columns[] = {
	{ "OPERATION", "id" },
	{ "KIND", "kind" },
	{ "OBJECT", "object" },
	{ "NODE", "node" },
	{ "STATE", "state" },
	{ "ACTOR", "actor", .is_wide = true },
	{ "ERROR", .cell = error_cell, .is_wide = true },
	{ "SINCE", .cell = created_cell },
	{ NULL },
};
static const UsherColumn event_columns[] = {
	{ "TIME", .cell = event_time_cell },
	{ "ACTOR", "actor" },
	{ "ACTION", "action" },
	{ "OBJECT", "object" },
	{ "ID", "id", .is_wide = true },
	{ "MESSAGE", "message" },
	{ NULL },
};

const UsherNoun usher_nouns[] = {
	{ "group", "groups", "name", group_columns },
	{ "rule", "rules", "name", rule_columns },
	{ "vm", "vms", "name", vm_columns },
	{ "lease", "leases", "id", lease_columns },
	{ "node", "nodes", "name", node_columns },
	{ "operation", "operations", "id", operation_columns },
	{ "event", "events", "id", event_columns },
	{ "device", "devices", "address", usher_device_columns },
	{ NULL },
};

const UsherNoun *usher_cli_noun(const char *kind)
{
	const UsherNoun *noun = usher_nouns;
	while (strcmp(noun->kind, kind) != 0)
		noun++;
	return noun;
}

/* Following a list: from where it was read, across restarts of usherd. */
typedef struct Following {
	UsherCli *cli;
	const UsherNoun *noun;
	int64_t revision;
	bool is_reset;
} Following;

static void print_gone(const Following *following, const UsherJson *line)
{
	const char *name = usher_json_get_string(line, "id");
	if (following->cli->format != USHER_FORMAT_JSON) {
		printf("%s/%s is gone\n", following->noun->kind, name);
		(void) fflush(stdout);
		return;
	}
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "kind", following->noun->kind);
	usher_json_put_string(writer, following->noun->name_member, name);
	usher_json_put_bool(writer, "deleted", true);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
	(void) fflush(stdout);
}

static bool on_line(const char *text, void *data)
{
	Following *following = data;
	g_autoptr(UsherJson) line = usher_json_parse(text, strlen(text), NULL);
	const char *type = line != NULL ? usher_json_get_string(line, "type") : NULL;
	following->is_reset = g_strcmp0(type, "reset") == 0;
	if (type == NULL || following->is_reset)
		return false;
	if (strcmp(type, "put") == 0)
		usher_cli_print_row(
			following->cli, following->noun, usher_json_get(line, "object"));
	else if (strcmp(type, "delete") == 0)
		print_gone(following, line);
	following->revision = usher_json_get_int(line, "revision", following->revision);
	return !ferror(stdout);
}

/* Ends only by a signal, when nobody reads any more, or when usherd says no. */
static bool follow_list(Following *following, const char *query, GError **error)
{
	UsherClient *client = usher_cli_client(following->cli, error);
	if (client == NULL)
		return false;
	for (;;) {
		g_autofree char *path = g_strdup_printf("/v1/%s?%swatch=1&since=%" G_GINT64_FORMAT,
			following->noun->collection, query, following->revision);
		g_autoptr(GError) problem = NULL;
		UsherStreamEnd end =
			usher_client_stream(client, path, -1, on_line, following, &problem);
		if (end == USHER_STREAM_ENOUGH && !following->is_reset)
			return true;
		if (following->is_reset) {
			usher_error_set(error, USHER_ERROR_UNAVAILABLE,
				"the changes since revision %" G_GINT64_FORMAT
				" are no longer known: begin again",
				following->revision);
			return false;
		}
		if (problem != NULL && usher_error_code(problem) != USHER_ERROR_UNAVAILABLE) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		g_usleep(300 * 1000);
	}
}

bool usher_cmd_list(UsherCli *cli, const UsherNoun *noun, const char *query, GError **error)
{
	Following following = { .cli = cli, .noun = noun };
	g_autoptr(GPtrArray) items =
		usher_cli_list(cli, noun->collection, query, &following.revision, error);
	if (items == NULL)
		return false;
	if (!usher_cli_has(cli, "watch")) {
		usher_cli_print_items(cli, noun, items);
		return true;
	}
	if (cli->format == USHER_FORMAT_JSON) {
		for (unsigned i = 0; i < items->len; i++)
			usher_cli_print_line(items->pdata[i]);
	} else {
		usher_cli_print_items(cli, noun, items);
	}
	(void) fflush(stdout);
	return follow_list(&following, query, error);
}

bool usher_cmd_show(UsherCli *cli, const UsherNoun *noun, GError **error)
{
	g_autofree char *path = usher_cli_path(noun->collection, usher_cli_arg(cli, 0), NULL);
	g_autoptr(UsherJson) object = usher_cli_get(cli, path, error);
	if (object == NULL)
		return false;
	usher_cli_print_object(cli, noun, object);
	return true;
}
