/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a virtual machine. */
#include "api/call.h"
#include "base/error.h"

#define DEFAULT_STOP_SECONDS 120
#define MAX_SECONDS          (24 * 60 * 60)

typedef struct AdoptBody {
	char *node;
	bool take_hostdevs, add_ports;
} AdoptBody;
static const UsherField adopt_fields[] = {
	{ "node", USHER_FIELD_STRING, offsetof(AdoptBody, node) },
	{ "take_hostdevs", USHER_FIELD_BOOL, offsetof(AdoptBody, take_hostdevs) },
	{ "add_ports", USHER_FIELD_BOOL, offsetof(AdoptBody, add_ports) },
	{ NULL },
};
static const UsherRecordType adopt_type = { "vm to adopt", sizeof(AdoptBody), adopt_fields, NULL };

typedef struct ExamineBody {
	char *node;
} ExamineBody;
static const UsherField examine_fields[] = {
	{ "node", USHER_FIELD_STRING, offsetof(ExamineBody, node) },
	{ NULL },
};
static const UsherRecordType examine_type = { "question", sizeof(ExamineBody), examine_fields,
	NULL };

typedef struct AttachBody {
	char *group;
	int64_t count;
	bool required;
	UsherJson *options;
	bool now;
} AttachBody;
static const UsherField attach_fields[] = {
	{ "group", USHER_FIELD_STRING, offsetof(AttachBody, group), USHER_FIELD_REQUIRED },
	{ "count", USHER_FIELD_INT, offsetof(AttachBody, count) },
	{ "required", USHER_FIELD_BOOL, offsetof(AttachBody, required) },
	{ "options", USHER_FIELD_JSON, offsetof(AttachBody, options) },
	{ "now", USHER_FIELD_BOOL, offsetof(AttachBody, now) },
	{ NULL },
};
static const UsherRecordType attach_type = { "request", sizeof(AttachBody), attach_fields, NULL };

typedef struct DetachBody {
	char *group;
	char *request;
	bool now;
} DetachBody;
static const UsherField detach_fields[] = {
	{ "group", USHER_FIELD_STRING, offsetof(DetachBody, group) },
	{ "request", USHER_FIELD_STRING, offsetof(DetachBody, request) },
	{ "now", USHER_FIELD_BOOL, offsetof(DetachBody, now) },
	{ NULL },
};
static const UsherRecordType detach_type = { "request to remove", sizeof(DetachBody), detach_fields,
	NULL };

typedef struct StartBody {
	bool without_devices;
	int64_t timeout_seconds;
} StartBody;
static const UsherField start_fields[] = {
	{ "without_devices", USHER_FIELD_BOOL, offsetof(StartBody, without_devices) },
	{ "timeout_seconds", USHER_FIELD_INT, offsetof(StartBody, timeout_seconds),
		USHER_FIELD_NULLABLE },
	{ NULL },
};
static const UsherRecordType start_type = { "start", sizeof(StartBody), start_fields, NULL };

typedef struct StopBody {
	bool force;
	int64_t timeout_seconds;
} StopBody;
static const UsherField stop_fields[] = {
	{ "force", USHER_FIELD_BOOL, offsetof(StopBody, force) },
	{ "timeout_seconds", USHER_FIELD_INT, offsetof(StopBody, timeout_seconds),
		USHER_FIELD_NULLABLE },
	{ NULL },
};
static const UsherRecordType stop_type = { "stop", sizeof(StopBody), stop_fields, NULL };

/* NULL with error stays NULL. */
static UsherHttpResponse *reply(const UsherCall *call, UsherOperation *operation, GError **error)
{
	return operation != NULL ? usher_reply_operation(call, operation, error) : NULL;
}

static UsherOperation *adopt(const UsherCall *call, const AdoptBody *body, GError **error)
{
	if (body->take_hostdevs || body->add_ports) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"vm %s: this usher does not change the definition of a "
			"domain: it takes no %s",
			call->names[0], body->take_hostdevs ? "take_hostdevs" : "add_ports");
		return NULL;
	}
	return usher_cluster_vm_adopt(call->cluster, &call->ask, call->names[0], body->node, error);
}

UsherHttpResponse *usher_route_vm_adopt(const UsherCall *call, GError **error)
{
	AdoptBody *body = usher_call_record(call, &adopt_type, error);
	if (body == NULL)
		return NULL;
	UsherOperation *operation = adopt(call, body, error);
	usher_record_free(&adopt_type, body);
	return reply(call, operation, error);
}

/* Of any domain, adopted or not. */
UsherHttpResponse *usher_route_vm_examine(const UsherCall *call, GError **error)
{
	ExamineBody *body = usher_call_record(call, &examine_type, error);
	if (body == NULL)
		return NULL;
	UsherOperation *operation = usher_cluster_guest_examine(
		call->cluster, &call->ask, call->names[0], body->node, error);
	usher_record_free(&examine_type, body);
	return reply(call, operation, error);
}

UsherHttpResponse *usher_route_vm_forget(const UsherCall *call, GError **error)
{
	if (!usher_call_no_body(call, error))
		return NULL;
	return reply(call,
		usher_cluster_vm_forget(call->cluster, &call->ask, call->names[0], error), error);
}

static bool attach(
	const UsherCall *call, const UsherJson *json, const AttachBody *body, GError **error)
{
	if (body->now) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"vm %s: this usher gives devices when a guest starts, not while it runs: "
			"leave now out",
			call->names[0]);
		return false;
	}
	if (usher_json_get(json, "count") != NULL && body->count < 1) {
		usher_error_set(error, USHER_ERROR_INVALID, "count must be 1 or more");
		return false;
	}
	g_autoptr(UsherRequest) request = usher_request_new();
	request->group = g_strdup(body->group);
	request->count = body->count;
	request->required = usher_json_get_bool(json, "required", true);
	request->options = body->options != NULL ? usher_json_ref(body->options) : NULL;
	return usher_cluster_vm_attach(call->cluster, &call->ask, call->names[0], request, error);
}

UsherHttpResponse *usher_route_vm_attach(const UsherCall *call, GError **error)
{
	g_autoptr(UsherJson) json = usher_call_json(call, error);
	AttachBody *body = json != NULL ? usher_record_read(&attach_type, json, error) : NULL;
	if (body == NULL)
		return NULL;
	bool is_done = attach(call, json, body, error);
	g_autofree char *step =
		g_strdup_printf("give vm/%s a request for group/%s", call->names[0], body->group);
	usher_record_free(&attach_type, body);
	if (!is_done)
		return NULL;
	if (!call->ask.dry_run)
		return usher_reply_object(call, USHER_OBJECT_VM, call->names[0], 200, error);
	g_autofree char *object = g_strconcat("vm/", call->names[0], NULL);
	return usher_reply_proposal(call, "vm-attach", object, step, NULL);
}

static UsherOperation *detach(const UsherCall *call, const DetachBody *body, GError **error)
{
	if ((body->group == NULL) == (body->request == NULL)) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"vm %s: name the group or the request, one of them", call->names[0]);
		return NULL;
	}
	return usher_cluster_vm_detach(call->cluster, &call->ask, call->names[0], body->group,
		body->request, body->now, error);
}

UsherHttpResponse *usher_route_vm_detach(const UsherCall *call, GError **error)
{
	DetachBody *body = usher_call_record(call, &detach_type, error);
	if (body == NULL)
		return NULL;
	UsherOperation *operation = detach(call, body, error);
	usher_record_free(&detach_type, body);
	return reply(call, operation, error);
}

/* A number of seconds that was asked for, or the usual one. */
static bool read_timeout(int64_t asked, int64_t usual, int64_t *out_us, GError **error)
{
	int64_t seconds = asked == USHER_INT_NULL ? usual : asked;
	if (asked != USHER_INT_NULL && (seconds < 1 || seconds > MAX_SECONDS)) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"timeout_seconds is a number from 1 to %d", MAX_SECONDS);
		return false;
	}
	*out_us = seconds * G_USEC_PER_SEC;
	return true;
}

static UsherOperation *start(const UsherCall *call, const StartBody *body, GError **error)
{
	UsherAsk ask = call->ask;
	if (!read_timeout(body->timeout_seconds, 0, &ask.timeout_us, error))
		return NULL;
	return usher_cluster_vm_start(
		call->cluster, &ask, call->names[0], body->without_devices, error);
}

UsherHttpResponse *usher_route_vm_start(const UsherCall *call, GError **error)
{
	StartBody *body = usher_call_record(call, &start_type, error);
	if (body == NULL)
		return NULL;
	UsherOperation *operation = start(call, body, error);
	usher_record_free(&start_type, body);
	return reply(call, operation, error);
}

static UsherOperation *stop(const UsherCall *call, const StopBody *body, GError **error)
{
	int64_t timeout_us;
	if (!read_timeout(body->timeout_seconds, DEFAULT_STOP_SECONDS, &timeout_us, error))
		return NULL;
	return usher_cluster_vm_stop(
		call->cluster, &call->ask, call->names[0], body->force, timeout_us, error);
}

UsherHttpResponse *usher_route_vm_stop(const UsherCall *call, GError **error)
{
	StopBody *body = usher_call_record(call, &stop_type, error);
	if (body == NULL)
		return NULL;
	UsherOperation *operation = stop(call, body, error);
	usher_record_free(&stop_type, body);
	return reply(call, operation, error);
}
