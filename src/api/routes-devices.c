/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: into a group, and back to the host. */
#include "api/call.h"
#include "base/error.h"

typedef struct MakeBody {
	GPtrArray *devices;
	char *group;
	char *type;
	bool like;
} MakeBody;
static const UsherField make_fields[] = {
	{ "devices", USHER_FIELD_STRINGS, offsetof(MakeBody, devices), USHER_FIELD_REQUIRED },
	{ "group", USHER_FIELD_STRING, offsetof(MakeBody, group), USHER_FIELD_REQUIRED },
	{ "type", USHER_FIELD_STRING, offsetof(MakeBody, type) },
	{ "like", USHER_FIELD_BOOL, offsetof(MakeBody, like) },
	{ NULL },
};
static const UsherRecordType make_type = { "resource to make", sizeof(MakeBody), make_fields,
	NULL };

static char *make_resource(const UsherCall *call, const MakeBody *body, GError **error)
{
	if (body->devices->len == 0) {
		usher_error_set(error, USHER_ERROR_INVALID, "devices: name one at least");
		return NULL;
	}
	g_autoptr(UsherJsonWriter) writer = usher_json_writer_new(/* pretty */ false);
	if (!usher_cluster_make_resource(call->cluster, &call->ask, body->devices, body->group,
		    body->type, body->like, writer, error))
		return NULL;
	return usher_json_writer_finish(g_steal_pointer(&writer));
}

UsherHttpResponse *usher_route_make_resource(const UsherCall *call, GError **error)
{
	MakeBody *body = usher_call_record(call, &make_type, error);
	if (body == NULL)
		return NULL;
	g_autofree char *result = make_resource(call, body, error);
	g_autofree char *object = g_strconcat("group/", body->group, NULL);
	usher_record_free(&make_type, body);
	if (result == NULL)
		return NULL;
	if (!call->ask.dry_run)
		return usher_http_response_new(200, "application/json", g_steal_pointer(&result));
	g_autofree char *step = g_strconcat("write rules of ", object, NULL);
	return usher_reply_proposal(call, "make-resource", object, step, result);
}

UsherHttpResponse *usher_route_device_return(const UsherCall *call, GError **error)
{
	if (!usher_call_no_body(call, error))
		return NULL;
	g_autofree char *device = usher_call_device(call);
	UsherOperation *operation =
		usher_cluster_device_return(call->cluster, &call->ask, device, error);
	return operation != NULL ? usher_reply_operation(call, operation, error) : NULL;
}
