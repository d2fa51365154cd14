/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

#define MAX_WAIT_SECONDS 300

const char *usher_call_query(const UsherCall *call, const char *name)
{
	return g_hash_table_lookup(call->query, name);
}

bool usher_call_flag(const UsherCall *call, const char *name, bool *out_flag, GError **error)
{
	const char *text = usher_call_query(call, name);
	bool is_on = text != NULL && (strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
	bool is_off = text == NULL || strcmp(text, "0") == 0 || strcmp(text, "false") == 0;
	if (!is_on && !is_off) {
		usher_error_set(error, USHER_ERROR_INVALID, "%s is 1 or 0, not '%s'", name, text);
		return false;
	}
	*out_flag = is_on;
	return true;
}

bool usher_call_number(const UsherCall *call, const char *name, uint64_t max, uint64_t fallback,
	uint64_t *out_number, GError **error)
{
	const char *text = usher_call_query(call, name);
	if (text == NULL) {
		*out_number = fallback;
		return true;
	}
	if (usher_text_parse_u64(text, max, out_number, error))
		return true;
	g_prefix_error(error, "%s: ", name);
	return false;
}

/* RFC 7240: preferences that are not understood are passed over. */
unsigned usher_call_wait(const UsherCall *call)
{
	const char *prefer = usher_http_request_header(call->request, "prefer");
	if (prefer == NULL)
		return 0;
	g_auto(GStrv) preferences = g_strsplit_set(prefer, ",;", -1);
	for (size_t i = 0; preferences[i] != NULL; i++) {
		const char *preference = g_strstrip(preferences[i]);
		uint32_t seconds;
		if (g_str_has_prefix(preference, "wait=") &&
			usher_text_parse_u32(
				preference + strlen("wait="), UINT32_MAX, &seconds, NULL))
			return MIN(seconds, MAX_WAIT_SECONDS);
	}
	return 0;
}

UsherJson *usher_call_json(const UsherCall *call, GError **error)
{
	const GString *body = call->request->body;
	if (body->len == 0)
		return usher_json_parse("{}", 2, error);
	UsherJson *json = usher_json_parse(body->str, body->len, error);
	if (json == NULL)
		g_prefix_error(error, "the body: ");
	return json;
}

void *usher_call_record(const UsherCall *call, const UsherRecordType *type, GError **error)
{
	g_autoptr(UsherJson) json = usher_call_json(call, error);
	return json != NULL ? usher_record_read(type, json, error) : NULL;
}

bool usher_call_no_body(const UsherCall *call, GError **error)
{
	g_autoptr(UsherJson) json = usher_call_json(call, error);
	if (json == NULL)
		return false;
	const char *name = NULL;
	const UsherJson *value;
	if (usher_json_type(json) == USHER_JSON_OBJECT && !usher_json_next(json, &name, &value))
		return true;
	usher_error_set(
		error, USHER_ERROR_INVALID, "%s takes no body but {}", call->route->pattern);
	return false;
}

char *usher_call_device(const UsherCall *call)
{
	return call->names[1] != NULL ? g_strconcat(call->names[0], "/", call->names[1], NULL)
				      : g_strdup(call->names[0]);
}

UsherHttpResponse *usher_reply_json(unsigned status, UsherJsonWriter *writer)
{
	return usher_http_response_new(
		status, "application/json", usher_json_writer_finish(writer));
}

UsherHttpResponse *usher_reply_object(const UsherCall *call, UsherObjectKind kind, const char *name,
	unsigned status, GError **error)
{
	g_autoptr(UsherJsonWriter) writer = usher_json_writer_new(/* pretty */ false);
	int64_t revision;
	if (!usher_cluster_show(call->cluster, kind, name, writer, &revision, error))
		return NULL;
	UsherHttpResponse *response = usher_reply_json(status, g_steal_pointer(&writer));
	g_autofree char *etag = g_strdup_printf("\"%" G_GINT64_FORMAT "\"", revision);
	usher_http_response_set_header(response, "ETag", etag);
	return response;
}

static void write_step(UsherJsonWriter *writer, const char *text)
{
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "text", text);
	usher_json_put_string(writer, "state", "waiting");
	usher_json_put_string(writer, "at", NULL);
	usher_json_end_object(writer);
}

static void write_result(UsherJsonWriter *writer, const char *result)
{
	if (result == NULL)
		return;
	g_autoptr(UsherJson) json = usher_json_parse(result, strlen(result), NULL);
	g_assert(json != NULL);
	usher_json_key(writer, "result");
	usher_json_write_value(writer, json);
}

UsherHttpResponse *usher_reply_proposal(const UsherCall *call, const char *kind, const char *object,
	const char *step, const char *result)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "id", NULL);
	usher_json_put_string(writer, "kind", kind);
	usher_json_put_string(writer, "node", NULL);
	usher_json_put_string(writer, "object", object);
	usher_json_put_string(writer, "state", "proposed");
	usher_json_key(writer, "steps");
	usher_json_begin_array(writer);
	write_step(writer, step);
	usher_json_end_array(writer);
	usher_json_key(writer, "needs");
	usher_json_begin_array(writer);
	usher_json_end_array(writer);
	usher_json_put_int(writer, "based_on", usher_cluster_revision(call->cluster));
	usher_json_put_string(writer, "error", NULL);
	usher_json_put_string(writer, "actor", call->ask.actor);
	usher_json_put_string(writer, "deadline", NULL);
	usher_json_put_int(writer, "revision", 0);
	write_result(writer, result);
	usher_json_end_object(writer);
	return usher_reply_json(200, writer);
}

UsherHttpResponse *usher_reply_operation(
	const UsherCall *call, UsherOperation *operation, GError **error)
{
	g_autoptr(UsherOperation) owned = operation;
	bool is_end = usher_operation_state_is_end(owned->state);
	bool is_proposed = owned->state == USHER_OPERATION_PROPOSED;
	unsigned seconds = is_end || is_proposed ? 0 : usher_call_wait(call);
	if (seconds > 0)
		return usher_reply_wait(call, owned->id, seconds, 202);
	g_autoptr(GError) problem = NULL;
	UsherHttpResponse *response = usher_reply_object(
		call, USHER_OBJECT_OPERATION, owned->id, is_end ? 200 : 202, &problem);
	if (response != NULL) {
		g_autofree char *location =
			g_strdup_printf("%s/operations/%s", call->scope, owned->id);
		usher_http_response_set_header(response, "Location", location);
		return response;
	}
	/* One that is proposed, or had nothing to do, is not kept. */
	if (!is_end && !is_proposed) {
		g_propagate_error(error, g_steal_pointer(&problem));
		return NULL;
	}
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_record_write(&usher_operation_type, owned, writer);
	return usher_reply_json(200, writer);
}
