/* SPDX-License-Identifier: Apache-2.0 */
/* Asking usherd. */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"

#define PAGE           "limit=5000"
#define ASK_TIMEOUT_MS 60000U

UsherClient *usher_cli_client(UsherCli *cli, GError **error)
{
	if (cli->client == NULL)
		cli->client = usher_client_new(cli->server, error);
	return cli->client;
}

char *usher_cli_path(const char *part, ...)
{
	GString *path = g_string_new("/v1");
	va_list args;
	va_start(args, part);
	for (const char *name = part; name != NULL; name = va_arg(args, const char *)) {
		g_autofree char *escaped = usher_client_escape(name);
		g_string_append_printf(path, "/%s", escaped);
	}
	va_end(args);
	return g_string_free(path, FALSE);
}

UsherJsonWriter *usher_cli_body(void)
{
	UsherJsonWriter *body = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(body);
	return body;
}

static UsherJson *parse_answer(const UsherAnswer *answer, GError **error)
{
	UsherJson *json = usher_json_parse(answer->body, strlen(answer->body), error);
	if (json == NULL)
		g_prefix_error(error, "usherd's answer: ");
	return json;
}

UsherJson *usher_cli_ask(
	UsherCli *cli, const char *method, const char *path, UsherJsonWriter *body, GError **error)
{
	g_autofree char *text = NULL;
	if (body != NULL) {
		usher_json_end_object(body);
		text = usher_json_writer_finish(body);
	}
	UsherClientRequest request = {
		.method = method, .path = path, .body = text, .timeout_ms = ASK_TIMEOUT_MS
	};
	UsherClient *client = usher_cli_client(cli, error);
	g_autoptr(UsherAnswer) answer =
		client != NULL ? usher_client_send(client, &request, error) : NULL;
	return answer != NULL ? parse_answer(answer, error) : NULL;
}

UsherJson *usher_cli_write(
	UsherCli *cli, const char *method, const char *path, UsherJsonWriter *body, GError **error)
{
	g_autofree char *dry = g_strconcat(path, "?dry_run=1", NULL);
	return usher_cli_ask(cli, method, usher_cli_has(cli, "dry-run") ? dry : path, body, error);
}

UsherJson *usher_cli_get(UsherCli *cli, const char *path, GError **error)
{
	return usher_cli_ask(cli, "GET", path, NULL, error);
}

static char *page_path(const char *collection, const char *query, const char *after)
{
	if (after == NULL)
		return g_strdup_printf("/v1/%s?%s" PAGE, collection, query);
	g_autofree char *escaped = usher_client_escape(after);
	return g_strdup_printf("/v1/%s?%s" PAGE "&after=%s", collection, query, escaped);
}

GPtrArray *usher_cli_list(UsherCli *cli, const char *collection, const char *query,
	int64_t *out_revision, GError **error)
{
	g_autoptr(GPtrArray) items =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_json_unref);
	g_autofree char *after = NULL;
	bool is_first = true;
	do {
		g_autofree char *path = page_path(collection, query, after);
		g_autoptr(UsherJson) page = usher_cli_get(cli, path, error);
		if (page == NULL)
			return NULL;
		const UsherJson *array = usher_json_get(page, "items");
		for (size_t i = 0; i < usher_json_length(array); i++)
			g_ptr_array_add(items, usher_json_ref(usher_json_at(array, i)));
		/* A watch goes on from the first page: what changed since is told again. */
		if (is_first && out_revision != NULL)
			*out_revision = usher_json_get_int(page, "revision", 0);
		is_first = false;
		g_free(after);
		after = g_strdup(usher_json_get_string(page, "next"));
	} while (after != NULL);
	return g_steal_pointer(&items);
}
