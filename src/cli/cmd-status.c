/* SPDX-License-Identifier: Apache-2.0 */
/* usher, usher status: a few lines, and what to type next. Never a wall of help. */
#include <stdio.h>

#include "base/error.h"
#include "cli/devices.h"

static void print_next(void)
{
	printf("\nnext:\n"
	       "  usher device list                               what this host has\n"
	       "  usher device make-resource ADDRESS --group G    let guests have a device\n"
	       "  usher vm adopt NAME                             take in a virtual machine\n"
	       "  usher vm start NAME                             start it with its devices\n"
	       "  usher help                                      all commands\n");
}

static unsigned count_in_state(const GPtrArray *items, const char *state)
{
	unsigned n = 0;
	for (unsigned i = 0; i < items->len; i++) {
		g_autofree char *is =
			usher_cli_cell(usher_cli_member(items->pdata[i], "status.state"));
		n += g_strcmp0(is, state) == 0 ? 1 : 0;
	}
	return n;
}

typedef struct Status {
	GPtrArray *nodes, *groups, *vms, *leases, *operations;
} Status;

static void status_clear(Status *status)
{
	GPtrArray *lists[] = { status->nodes, status->groups, status->vms, status->leases,
		status->operations };
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		g_clear_pointer(&lists[i], g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Status, status_clear)

static bool fetch_status(UsherCli *cli, Status *status, GError **error)
{
	return (status->nodes = usher_cli_list(cli, "nodes", "", NULL, error)) != NULL &&
		(status->groups = usher_cli_list(cli, "groups", "", NULL, error)) != NULL &&
		(status->vms = usher_cli_list(cli, "vms", "", NULL, error)) != NULL &&
		(status->leases = usher_cli_list(cli, "leases", "", NULL, error)) != NULL &&
		(status->operations = usher_cli_list(cli, "operations", "", NULL, error)) != NULL;
}

static void print_status(const Status *status)
{
	unsigned n_ready = count_in_state(status->nodes, "ready");
	printf("nodes       %u ready, %u not\n", n_ready, status->nodes->len - n_ready);
	printf("groups      %u\n", status->groups->len);
	printf("vms         %u running of %u\n", count_in_state(status->vms, "running"),
		status->vms->len);
	printf("leases      %u\n", status->leases->len);
	printf("operations  %u under way\n", status->operations->len);
}

static void print_status_json(const Status *status)
{
	unsigned n_ready = count_in_state(status->nodes, "ready");
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_put_int(writer, "nodes", status->nodes->len);
	usher_json_put_int(writer, "nodes_ready", n_ready);
	usher_json_put_int(writer, "groups", status->groups->len);
	usher_json_put_int(writer, "vms", status->vms->len);
	usher_json_put_int(writer, "vms_running", count_in_state(status->vms, "running"));
	usher_json_put_int(writer, "leases", status->leases->len);
	usher_json_put_int(writer, "operations", status->operations->len);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

/* Without usherd there is still this host. */
static bool print_host(UsherCli *cli, const char *why, GError **error)
{
	g_autoptr(GPtrArray) devices = usher_cli_scan_devices(cli, error);
	if (devices == NULL)
		return false;
	if (cli->format == USHER_FORMAT_JSON) {
		UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
		usher_json_begin_object(writer);
		usher_json_put_int(writer, "devices", devices->len);
		usher_json_put_string(writer, "server", NULL);
		usher_json_end_object(writer);
		g_autofree char *text = usher_json_writer_finish(writer);
		printf("%s\n", text);
		return true;
	}
	printf("devices     %u on this host\n", devices->len);
	printf("usherd      %s\n", why);
	print_next();
	return true;
}

bool usher_cmd_status(UsherCli *cli, GError **error)
{
	if (cli->root != NULL)
		return print_host(cli, "not asked: --root", error);
	g_auto(Status) status = { 0 };
	g_autoptr(GError) problem = NULL;
	if (fetch_status(cli, &status, &problem)) {
		if (cli->format == USHER_FORMAT_JSON) {
			print_status_json(&status);
			return true;
		}
		print_status(&status);
		print_next();
		return true;
	}
	if (usher_error_code(problem) == USHER_ERROR_UNAVAILABLE ||
		usher_error_code(problem) == USHER_ERROR_DENIED)
		return print_host(cli, problem->message, error);
	g_propagate_error(error, g_steal_pointer(&problem));
	return false;
}
