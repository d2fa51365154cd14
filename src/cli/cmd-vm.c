/* SPDX-License-Identifier: Apache-2.0 */
/* usher vm. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"

bool usher_cmd_vm_list(UsherCli *cli, GError **error)
{
	return usher_cmd_list(cli, usher_cli_noun("vm"), "", error);
}

bool usher_cmd_vm_show(UsherCli *cli, GError **error)
{
	return usher_cmd_show(cli, usher_cli_noun("vm"), error);
}

/* The vm as it is now, or one line. */
static bool print_vm(UsherCli *cli, const char *did, GError **error)
{
	const char *name = usher_cli_arg(cli, 0);
	if (cli->format != USHER_FORMAT_JSON) {
		usher_cli_say(cli, "vm/%s %s", name, did);
		return true;
	}
	g_autofree char *path = usher_cli_path("vms", name, NULL);
	g_autoptr(UsherJson) vm = usher_cli_get(cli, path, error);
	if (vm == NULL)
		return false;
	usher_cli_print_json(vm);
	return true;
}

/* body is given. */
static bool operate(
	UsherCli *cli, const char *verb, UsherJsonWriter *body, const char *did, GError **error)
{
	g_autofree char *path = usher_cli_path("vms", usher_cli_arg(cli, 0), verb, NULL);
	g_autoptr(UsherJson) operation = usher_cli_operate(cli, path, body, error);
	if (operation == NULL)
		return false;
	return usher_cli_print_begun(cli, operation) || print_vm(cli, did, error);
}

bool usher_cmd_vm_adopt(UsherCli *cli, GError **error)
{
	UsherJsonWriter *body = usher_cli_body();
	if (usher_cli_has(cli, "node"))
		usher_json_put_string(body, "node", usher_cli_text(cli, "node"));
	if (usher_cli_has(cli, "take-hostdevs"))
		usher_json_put_bool(body, "take_hostdevs", true);
	if (usher_cli_has(cli, "add-ports"))
		usher_json_put_bool(body, "add_ports", true);
	return operate(cli, "adopt", body, "adopted", error);
}

/* There is no vm to show any more: with --json, the one that was. */
bool usher_cmd_vm_forget(UsherCli *cli, GError **error)
{
	const char *name = usher_cli_arg(cli, 0);
	g_autofree char *path = usher_cli_path("vms", name, NULL);
	g_autofree char *action = usher_cli_path("vms", name, "forget", NULL);
	g_autoptr(UsherJson) was = usher_cli_get(cli, path, error);
	g_autoptr(UsherJson) operation =
		was != NULL ? usher_cli_operate(cli, action, usher_cli_body(), error) : NULL;
	if (operation == NULL)
		return false;
	if (usher_cli_print_begun(cli, operation))
		return true;
	if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(was);
	else
		usher_cli_say(cli, "vm/%s forgotten", name);
	return true;
}

/* --option K=V, as JSON where V is a number or true or false, as text otherwise. */
static bool write_options(UsherCli *cli, UsherJsonWriter *body, GError **error)
{
	const GPtrArray *options = usher_cli_texts(cli, "option");
	if (options == NULL)
		return true;
	usher_json_key(body, "options");
	usher_json_begin_object(body);
	for (unsigned i = 0; i < options->len; i++) {
		const char *option = options->pdata[i];
		const char *equals = strchr(option, '=');
		if (equals == NULL || equals == option)
			return usher_cli_misuse(
				cli, error, "--option is KEY=VALUE, not '%s'", option);
		g_autofree char *key = g_strndup(option, (size_t) (equals - option));
		g_autoptr(UsherJson) value = usher_json_parse(equals + 1, strlen(equals + 1), NULL);
		bool is_plain = value != NULL &&
			(usher_json_type(value) == USHER_JSON_INT ||
				usher_json_type(value) == USHER_JSON_BOOL);
		usher_json_key(body, key);
		if (is_plain)
			usher_json_write_value(body, value);
		else
			usher_json_write_string(body, equals + 1);
	}
	usher_json_end_object(body);
	return true;
}

bool usher_cmd_vm_attach(UsherCli *cli, GError **error)
{
	const char *group = usher_cli_text(cli, "group");
	if (group == NULL)
		return usher_cli_misuse(cli, error, "usher vm attach needs --group GROUP");
	g_autoptr(UsherJsonWriter) body = usher_cli_body();
	usher_json_put_string(body, "group", group);
	uint32_t count;
	if (usher_cli_has(cli, "count")) {
		(void) usher_text_parse_u32(usher_cli_text(cli, "count"), UINT32_MAX, &count, NULL);
		usher_json_put_int(body, "count", count);
	}
	usher_json_put_bool(body, "required", !usher_cli_has(cli, "optional"));
	if (usher_cli_has(cli, "now"))
		usher_json_put_bool(body, "now", true);
	if (!write_options(cli, body, error))
		return false;
	g_autofree char *path = usher_cli_path("vms", usher_cli_arg(cli, 0), "attach", NULL);
	g_autoptr(UsherJson) vm = usher_cli_write(cli, "POST", path, g_steal_pointer(&body), error);
	if (vm == NULL)
		return false;
	if (usher_cli_has(cli, "dry-run"))
		usher_cli_print_plan(cli, vm);
	else if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(vm);
	else
		usher_cli_say(cli, "vm/%s requests group/%s from its next start on",
			usher_cli_arg(cli, 0), group);
	return true;
}

bool usher_cmd_vm_detach(UsherCli *cli, GError **error)
{
	bool has_group = usher_cli_has(cli, "group");
	if (has_group == usher_cli_has(cli, "request"))
		return usher_cli_misuse(
			cli, error, "usher vm detach needs either --group GROUP or --request ID");
	UsherJsonWriter *body = usher_cli_body();
	usher_json_put_string(body, has_group ? "group" : "request",
		usher_cli_text(cli, has_group ? "group" : "request"));
	if (usher_cli_has(cli, "now"))
		usher_json_put_bool(body, "now", true);
	return operate(cli, "detach", body, "changed", error);
}

static void put_timeout(UsherCli *cli, UsherJsonWriter *body)
{
	uint32_t seconds;
	bool is_given = usher_cli_has(cli, "timeout") &&
		usher_text_parse_u32(usher_cli_text(cli, "timeout"), UINT32_MAX, &seconds, NULL);
	if (is_given)
		usher_json_put_int(body, "timeout_seconds", seconds);
}

bool usher_cmd_vm_start(UsherCli *cli, GError **error)
{
	UsherJsonWriter *body = usher_cli_body();
	if (usher_cli_has(cli, "without-devices"))
		usher_json_put_bool(body, "without_devices", true);
	put_timeout(cli, body);
	return operate(cli, "start", body, "started", error);
}

bool usher_cmd_vm_stop(UsherCli *cli, GError **error)
{
	if (usher_cli_has(cli, "force") && usher_cli_has(cli, "timeout"))
		return usher_cli_misuse(cli, error, "--force does not wait: it takes no --timeout");
	UsherJsonWriter *body = usher_cli_body();
	if (usher_cli_has(cli, "force"))
		usher_json_put_bool(body, "force", true);
	put_timeout(cli, body);
	return operate(cli, "stop", body, "stopped", error);
}
