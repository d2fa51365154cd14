/* SPDX-License-Identifier: Apache-2.0 */
/* usher group, usher rule: what is written as a whole. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "core/rules/filter.h"

#define WRITE_TIMEOUT_MS 60000U
#define MAX_TRIES        5

bool usher_cmd_group_list(UsherCli *cli, GError **error)
{
	return usher_cmd_list(cli, usher_cli_noun("group"), "", error);
}

bool usher_cmd_group_show(UsherCli *cli, GError **error)
{
	return usher_cmd_show(cli, usher_cli_noun("group"), error);
}

bool usher_cmd_rule_list(UsherCli *cli, GError **error)
{
	return usher_cmd_list(cli, usher_cli_noun("rule"), "", error);
}

bool usher_cmd_rule_show(UsherCli *cli, GError **error)
{
	return usher_cmd_show(cli, usher_cli_noun("rule"), error);
}

/* A flag that becomes a member. */
typedef struct Member {
	const char *flag;
	const char *member;
	UsherJsonType type; /* string, int, or bool: the flag's being there */
	bool value;         /* of a bool */
} Member;

static const Member group_members[] = {
	{ "type", "type", USHER_JSON_STRING },
	{ "description", "description", USHER_JSON_STRING },
	{ "return", "return", USHER_JSON_STRING },
	{ "priority", "priority", USHER_JSON_INT },
	{ "enable", "enabled", USHER_JSON_BOOL, true },
	{ "disable", "enabled", USHER_JSON_BOOL, false },
	{ NULL },
};
static const Member rule_members[] = {
	{ "group", "group", USHER_JSON_STRING },
	{ "filter", "filter", USHER_JSON_STRING },
	{ "node", "node", USHER_JSON_STRING },
	{ "enable", "enabled", USHER_JSON_BOOL, true },
	{ "disable", "enabled", USHER_JSON_BOOL, false },
	{ NULL },
};

static void write_member(const UsherCli *cli, const Member *member, UsherJsonWriter *body)
{
	const char *text = usher_cli_text(cli, member->flag);
	uint32_t number = 0;
	usher_json_key(body, member->member);
	switch (member->type) {
	case USHER_JSON_BOOL:
		usher_json_write_bool(body, member->value);
		return;
	case USHER_JSON_INT:
		(void) usher_text_parse_u32(
			text, UINT32_MAX, &number, NULL); /* was judged as a flag */
		usher_json_write_int(body, number);
		return;
	case USHER_JSON_STRING:
		/* What stands for null. */
		if (text[0] == '\0' || strcmp(text, "by-class") == 0)
			usher_json_write_null(body);
		else
			usher_json_write_string(body, text);
		return;
	case USHER_JSON_NULL:
	case USHER_JSON_REAL:
	case USHER_JSON_ARRAY:
	case USHER_JSON_OBJECT:
		break;
	}
	g_assert_not_reached();
}

static bool is_set(const UsherCli *cli, const Member *members, const char *name)
{
	for (const Member *member = members; member->flag != NULL; member++) {
		if (strcmp(member->member, name) == 0 && usher_cli_has(cli, member->flag))
			return true;
	}
	return false;
}

/* The object as it is with the flags' members in the place of its own; status stays behind. */
static UsherJsonWriter *make_body(const UsherCli *cli, const Member *members, const UsherJson *old)
{
	UsherJsonWriter *body = usher_cli_body();
	const char *name = NULL;
	const UsherJson *value;
	while (old != NULL && usher_json_next(old, &name, &value)) {
		if (strcmp(name, "status") == 0 || strcmp(name, "revision") == 0 ||
			is_set(cli, members, name))
			continue;
		usher_json_key(body, name);
		usher_json_write_value(body, value);
	}
	for (const Member *member = members; member->flag != NULL; member++) {
		if (usher_cli_has(cli, member->flag))
			write_member(cli, member, body);
	}
	return body;
}

typedef struct Put {
	const UsherNoun *noun;
	const Member *members;
	bool is_new;
} Put;

static char *put_path(const UsherCli *cli, const Put *put)
{
	g_autofree char *path = usher_cli_path(put->noun->collection, usher_cli_arg(cli, 0), NULL);
	return g_strconcat(path, usher_cli_has(cli, "dry-run") ? "?dry_run=1" : "", NULL);
}

/* One try; *out_is_stale: somebody else wrote in between. */
static UsherAnswer *try_put(UsherCli *cli, const Put *put, bool *out_is_stale, GError **error)
{
	*out_is_stale = false;
	UsherClient *client = usher_cli_client(cli, error);
	if (client == NULL)
		return NULL;
	g_autoptr(UsherAnswer) read = NULL;
	g_autoptr(UsherJson) old = NULL;
	if (!put->is_new) {
		g_autofree char *path =
			usher_cli_path(put->noun->collection, usher_cli_arg(cli, 0), NULL);
		UsherClientRequest get = {
			.method = "GET", .path = path, .timeout_ms = WRITE_TIMEOUT_MS
		};
		read = usher_client_send(client, &get, error);
		old = read != NULL ? usher_json_parse(read->body, strlen(read->body), error) : NULL;
		if (old == NULL)
			return NULL;
	}
	UsherJsonWriter *body = make_body(cli, put->members, old);
	usher_json_end_object(body);
	g_autofree char *text = usher_json_writer_finish(body);
	g_autofree char *path = put_path(cli, put);
	UsherClientRequest request = {
		.method = "PUT",
		.path = path,
		.body = text,
		.if_match = read != NULL ? read->etag : NULL,
		.if_none_match_any = put->is_new,
		.timeout_ms = WRITE_TIMEOUT_MS,
	};
	g_autoptr(UsherAnswer) answer = usher_client_ask(client, &request, error);
	if (answer == NULL || answer->status < 400)
		return g_steal_pointer(&answer);
	*out_is_stale = answer->status == 412;
	usher_client_raise(answer, error);
	return NULL;
}

static bool put_object(UsherCli *cli, const Put *put, GError **error)
{
	if (usher_cli_has(cli, "enable") && usher_cli_has(cli, "disable"))
		return usher_cli_misuse(cli, error, "--enable and --disable exclude each other");
	g_autoptr(UsherAnswer) answer = NULL;
	for (unsigned i = 0; answer == NULL; i++) {
		g_autoptr(GError) problem = NULL;
		bool is_stale;
		answer = try_put(cli, put, &is_stale, &problem);
		if (answer == NULL && (!is_stale || put->is_new || i == MAX_TRIES)) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
	}
	g_autoptr(UsherJson) object = usher_json_parse(answer->body, strlen(answer->body), error);
	if (object == NULL)
		return false;
	if (usher_cli_has(cli, "dry-run"))
		usher_cli_print_plan(cli, object);
	else if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(object);
	else
		usher_cli_say(cli, "%s/%s %s", put->noun->kind, usher_cli_arg(cli, 0),
			put->is_new ? "created" : "updated");
	return true;
}

static bool delete_object(UsherCli *cli, const UsherNoun *noun, GError **error)
{
	g_autofree char *path = usher_cli_path(noun->collection, usher_cli_arg(cli, 0), NULL);
	g_autoptr(UsherJson) was = usher_cli_write(cli, "DELETE", path, NULL, error);
	if (was == NULL)
		return false;
	if (usher_cli_has(cli, "dry-run"))
		usher_cli_print_plan(cli, was);
	else if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(was);
	else
		usher_cli_say(cli, "%s/%s deleted", noun->kind, usher_cli_arg(cli, 0));
	return true;
}

bool usher_cmd_group_create(UsherCli *cli, GError **error)
{
	Put put = { usher_cli_noun("group"), group_members, /* is_new */ true };
	if (!usher_cli_has(cli, "type"))
		return usher_cli_misuse(cli, error, "usher group create needs --type TYPE");
	return put_object(cli, &put, error);
}

bool usher_cmd_group_update(UsherCli *cli, GError **error)
{
	Put put = { usher_cli_noun("group"), group_members, /* is_new */ false };
	return put_object(cli, &put, error);
}

bool usher_cmd_group_delete(UsherCli *cli, GError **error)
{
	return delete_object(cli, usher_cli_noun("group"), error);
}

bool usher_cmd_rule_create(UsherCli *cli, GError **error)
{
	Put put = { usher_cli_noun("rule"), rule_members, /* is_new */ true };
	if (!usher_cli_has(cli, "group") || !usher_cli_has(cli, "filter"))
		return usher_cli_misuse(
			cli, error, "usher rule create needs --group GROUP and --filter FILTER");
	return put_object(cli, &put, error);
}

bool usher_cmd_rule_update(UsherCli *cli, GError **error)
{
	Put put = { usher_cli_noun("rule"), rule_members, /* is_new */ false };
	return put_object(cli, &put, error);
}

bool usher_cmd_rule_delete(UsherCli *cli, GError **error)
{
	return delete_object(cli, usher_cli_noun("rule"), error);
}
