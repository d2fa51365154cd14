/* SPDX-License-Identifier: Apache-2.0 */
/* usher lease, node, operation, event, status, api, version. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"

bool usher_cmd_lease_list(UsherCli *cli, GError **error)
{
	const char *query = usher_cli_has(cli, "all") ? "all=1&" : "";
	return usher_cmd_list(cli, usher_cli_noun("lease"), query, error);
}

bool usher_cmd_lease_show(UsherCli *cli, GError **error)
{
	return usher_cmd_show(cli, usher_cli_noun("lease"), error);
}

bool usher_cmd_node_list(UsherCli *cli, GError **error)
{
	return usher_cmd_list(cli, usher_cli_noun("node"), "", error);
}

bool usher_cmd_node_show(UsherCli *cli, GError **error)
{
	return usher_cmd_show(cli, usher_cli_noun("node"), error);
}

bool usher_cmd_operation_list(UsherCli *cli, GError **error)
{
	const char *query = usher_cli_has(cli, "all") ? "all=1&" : "";
	return usher_cmd_list(cli, usher_cli_noun("operation"), query, error);
}

bool usher_cmd_operation_show(UsherCli *cli, GError **error)
{
	return usher_cmd_show(cli, usher_cli_noun("operation"), error);
}

bool usher_cmd_operation_follow(UsherCli *cli, GError **error)
{
	const char *id = usher_cli_arg(cli, 0);
	g_autoptr(UsherJson) operation = usher_cli_follow(cli, id, error);
	if (operation == NULL)
		return false;
	if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(operation);
	else
		usher_cli_say(cli, "operation/%s done", id);
	return true;
}

bool usher_cmd_operation_cancel(UsherCli *cli, GError **error)
{
	const char *id = usher_cli_arg(cli, 0);
	g_autofree char *path = usher_cli_path("operations", id, "cancel", NULL);
	g_autoptr(UsherJson) operation =
		usher_cli_write(cli, "POST", path, usher_cli_body(), error);
	if (operation == NULL)
		return false;
	if (cli->format == USHER_FORMAT_JSON || usher_cli_has(cli, "dry-run"))
		usher_cli_print_plan(cli, operation);
	else
		usher_cli_say(cli, "operation/%s is asked to undo", id);
	return true;
}

bool usher_cmd_event_list(UsherCli *cli, GError **error)
{
	return usher_cmd_list(cli, usher_cli_noun("event"), "", error);
}

/* The path as it is given; what it answers as it comes. */
static bool print_api_line(const char *line, void *data)
{
	(void) data;
	printf("%s\n", line);
	(void) fflush(stdout);
	return !ferror(stdout);
}

static bool read_data(const char *data, char **out_text, GError **error)
{
	if (data == NULL || data[0] != '@') {
		*out_text = g_strdup(data);
		return true;
	}
	const char *path = strcmp(data, "@-") == 0 ? "/dev/stdin" : data + 1;
	g_autoptr(GError) problem = NULL;
	if (g_file_get_contents(path, out_text, NULL, &problem))
		return true;
	usher_error_set(error, USHER_ERROR_INVALID, "%s", problem->message);
	return false;
}

bool usher_cmd_api(UsherCli *cli, GError **error)
{
	g_autofree char *method = g_ascii_strup(usher_cli_arg(cli, 0), -1);
	const char *path = usher_cli_arg(cli, 1);
	g_autofree char *data = NULL;
	if (path[0] != '/')
		return usher_cli_misuse(
			cli, error, "a path begins with /, like /v1/groups: '%s'", path);
	UsherClient *client = usher_cli_client(cli, error);
	if (client == NULL || !read_data(usher_cli_text(cli, "data"), &data, error))
		return false;
	if (strcmp(method, "GET") == 0 && data == NULL) {
		bool is_stream =
			strstr(path, "watch=1") != NULL || g_str_has_prefix(path, "/v1/watch?");
		if (is_stream)
			return usher_client_stream(client, path, -1, print_api_line, NULL, error) !=
				USHER_STREAM_FAILED;
	}
	UsherClientRequest request = { .method = method, .path = path, .body = data };
	g_autoptr(UsherAnswer) answer = usher_client_ask(client, &request, error);
	if (answer == NULL)
		return false;
	if (answer->status >= 400) {
		usher_client_raise(answer, error);
		return false;
	}
	g_autoptr(UsherJson) json = usher_json_parse(answer->body, strlen(answer->body), NULL);
	if (json != NULL)
		usher_cli_print_json(json);
	else
		printf("%s", answer->body);
	return true;
}

bool usher_cmd_version(UsherCli *cli, GError **error)
{
	(void) error;
	if (cli->format != USHER_FORMAT_JSON) {
		printf("usher %s\n", USHER_VERSION);
		return true;
	}
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "version", USHER_VERSION);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
	return true;
}
