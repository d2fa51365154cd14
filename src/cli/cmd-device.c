/* SPDX-License-Identifier: Apache-2.0 */
/* usher device. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/device-columns.h"
#include "cli/devices.h"
#include "core/rules/filter.h"

/* What --type, --filter, --free and --all ask for. */
typedef struct Wanted {
	char **types; /* NULL: all */
	UsherFilter *filter;
	bool only_free;
	bool with_hubs;
} Wanted;

static void wanted_clear(Wanted *wanted)
{
	g_clear_pointer(&wanted->types, g_strfreev);
	g_clear_pointer(&wanted->filter, usher_filter_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wanted, wanted_clear)

static bool read_wanted(UsherCli *cli, Wanted *wanted, GError **error)
{
	const char *types = usher_cli_text(cli, "type");
	wanted->types = types != NULL ? g_strsplit(types, ",", -1) : NULL;
	for (size_t i = 0; types != NULL && wanted->types[i] != NULL; i++) {
		if (g_strv_contains(usher_device_type_names, wanted->types[i]))
			continue;
		g_autofree char *known = usher_text_join(usher_device_type_names, ", ");
		return usher_cli_misuse(
			cli, error, "--type is one of %s, not '%s'", known, wanted->types[i]);
	}
	wanted->only_free = usher_cli_has(cli, "free");
	wanted->with_hubs = usher_cli_has(cli, "all");
	const char *filter = usher_cli_text(cli, "filter");
	wanted->filter = filter != NULL ? usher_filter_parse(filter, error) : NULL;
	return filter == NULL || wanted->filter != NULL;
}

static bool is_wanted(const Wanted *wanted, const UsherJson *device, bool *out_is, GError **error)
{
	const char *type = usher_json_get_string(device, "type");
	*out_is = (wanted->types == NULL ||
			  (type != NULL &&
				  g_strv_contains((const char *const *) wanted->types, type))) &&
		(wanted->with_hubs || !usher_json_get_bool(device, "hub", false)) &&
		(!wanted->only_free || usher_cli_device_is_free(device));
	if (!*out_is || wanted->filter == NULL)
		return true;
	g_autoptr(UsherDevice) record = usher_record_read(&usher_device_type, device, error);
	return record != NULL && usher_filter_match(wanted->filter, record, out_is, error);
}

static int compare_addresses(const void *one, const void *other)
{
	const UsherJson *devices[] = { *(UsherJson *const *) one, *(UsherJson *const *) other };
	const char *texts[2];
	UsherPciAddr addrs[2] = { { 0 }, { 0 } };
	for (size_t i = 0; i < 2; i++) {
		texts[i] = usher_json_get_string(devices[i], "address");
		if (texts[i] == NULL || !usher_pci_addr_parse(texts[i], &addrs[i], NULL))
			return g_strcmp0(texts[0], usher_json_get_string(devices[1], "address"));
	}
	int order = usher_pci_addr_compare(addrs[0], addrs[1]);
	return order != 0 ? order
			  : g_strcmp0(usher_json_get_string(devices[0], "node"),
				    usher_json_get_string(devices[1], "node"));
}

static GPtrArray *fetch_devices(UsherCli *cli, GError **error)
{
	const char *node = usher_cli_text(cli, "node");
	bool all_nodes = usher_cli_has(cli, "all-nodes");
	if (node != NULL && all_nodes) {
		(void) usher_cli_misuse(cli, error, "--node and --all-nodes exclude each other");
		return NULL;
	}
	if (node == NULL && !all_nodes)
		return usher_cli_scan_devices(cli, error);
	if (cli->root != NULL) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"device list --%s asks usherd: it takes no --root",
			node != NULL ? "node" : "all-nodes");
		return NULL;
	}
	g_autofree char *escaped = node != NULL ? usher_client_escape(node) : NULL;
	g_autofree char *query = node != NULL ? g_strdup_printf("node=%s&", escaped) : g_strdup("");
	GPtrArray *devices = usher_cli_list(cli, "devices", query, NULL, error);
	if (devices != NULL)
		g_ptr_array_sort(devices, compare_addresses);
	return devices;
}

/* Borrows the devices; NULL with an error. */
static GPtrArray *select_devices(UsherCli *cli, const GPtrArray *devices, GError **error)
{
	g_auto(Wanted) wanted = { 0 };
	if (!read_wanted(cli, &wanted, error))
		return NULL;
	g_autoptr(GPtrArray) shown = g_ptr_array_new();
	for (unsigned i = 0; i < devices->len; i++) {
		bool is_shown;
		if (!is_wanted(&wanted, devices->pdata[i], &is_shown, error))
			return NULL;
		if (is_shown)
			g_ptr_array_add(shown, devices->pdata[i]);
	}
	return g_steal_pointer(&shown);
}

bool usher_cmd_device_list(UsherCli *cli, GError **error)
{
	const UsherNoun *noun = usher_cli_noun("device");
	g_auto(Wanted) checked = { 0 }; /* before anything is asked or read */
	if (!read_wanted(cli, &checked, error))
		return false;
	g_autoptr(GPtrArray) devices = fetch_devices(cli, error);
	g_autoptr(GPtrArray) shown = devices != NULL ? select_devices(cli, devices, error) : NULL;
	if (shown == NULL)
		return false;
	const char *sort = usher_cli_text(cli, "sort");
	if (sort != NULL && !usher_cli_sort(cli, noun, sort, shown, error))
		return false;
	const char *grouping = usher_cli_text(cli, "group-by");
	const char *by = NULL;
	UsherHeadingFunc heading = grouping != NULL ? usher_cli_grouping(grouping, &by) : NULL;
	if (by != NULL && !usher_cli_sort(cli, noun, by, shown, error))
		return false;
	if (!usher_cli_choose_columns(cli, noun, usher_cli_text(cli, "columns"), shown, error))
		return false;
	usher_cli_print_sections(cli, noun, shown, heading);
	return true;
}

static void print_matches(const UsherJson *result)
{
	const UsherJson *rules = usher_json_get(result, "rules");
	const UsherJson *matches = usher_json_get(result, "matches");
	for (size_t i = 0; i < usher_json_length(rules); i++) {
		g_autofree char *name =
			usher_cli_cell(usher_cli_member(usher_json_at(rules, i), "name"));
		g_autofree char *filter =
			usher_cli_cell(usher_cli_member(usher_json_at(rules, i), "filter"));
		printf("write rule/%s: %s\n", name, filter);
	}
	for (size_t i = 0; i < usher_json_length(matches); i++) {
		const UsherJson *match = usher_json_at(matches, i);
		g_autofree char *node = usher_cli_cell(usher_cli_member(match, "node"));
		g_autofree char *address = usher_cli_cell(usher_cli_member(match, "address"));
		g_autofree char *why = usher_cli_cell(usher_cli_member(match, "why_not"));
		printf("  matches %s/%s%s%s\n", node, address, why != NULL ? ", not free: " : "",
			why != NULL ? why : "");
	}
}

bool usher_cmd_device_make_resource(UsherCli *cli, GError **error)
{
	const char *group = usher_cli_text(cli, "group");
	if (group == NULL)
		return usher_cli_misuse(
			cli, error, "usher device make-resource needs --group GROUP");
	UsherJsonWriter *body = usher_cli_body();
	usher_json_key(body, "devices");
	usher_json_begin_array(body);
	for (unsigned i = 0; i < cli->args->len; i++)
		usher_json_write_string(body, usher_cli_arg(cli, i));
	usher_json_end_array(body);
	usher_json_put_string(body, "group", group);
	if (usher_cli_has(cli, "type"))
		usher_json_put_string(body, "type", usher_cli_text(cli, "type"));
	if (usher_cli_has(cli, "like"))
		usher_json_put_bool(body, "like", true);
	g_autoptr(UsherJson) answer =
		usher_cli_write(cli, "POST", "/v1/devices/make-resource", body, error);
	if (answer == NULL)
		return false;
	bool is_dry = usher_cli_has(cli, "dry-run");
	if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(answer);
	else if (is_dry)
		print_matches(usher_json_get(answer, "result"));
	else
		usher_cli_say(cli, "group/%s has %zu more, by %zu of its rules", group,
			usher_json_length(usher_json_get(answer, "matches")),
			usher_json_length(usher_json_get(answer, "rules")));
	return true;
}

bool usher_cmd_device_return(UsherCli *cli, GError **error)
{
	g_autofree char *name = usher_cli_resolve_device(cli, usher_cli_arg(cli, 0), error);
	if (name == NULL)
		return false;
	g_auto(GStrv) parts = g_strsplit(name, "/", 2);
	g_autofree char *bare = usher_cli_path("devices", parts[0], parts[1], NULL);
	g_autofree char *path = g_strconcat(bare, "/return", NULL);
	g_autoptr(UsherJson) operation = usher_cli_operate(cli, path, usher_cli_body(), error);
	if (operation == NULL)
		return false;
	if (usher_cli_print_begun(cli, operation))
		return true;
	if (cli->format != USHER_FORMAT_JSON) {
		usher_cli_say(cli, "device/%s returned", name);
		return true;
	}
	g_autoptr(UsherJson) device = usher_cli_get(cli, bare, error);
	if (device == NULL)
		return false;
	usher_cli_print_json(device);
	return true;
}
