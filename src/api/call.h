/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A call: one request that has found its route, as the handlers see it; and the answers they give.
 * Private to api/.
 */
#include "api/auth.h"
#include "api/message.h"
#include "cluster/cluster.h"

#define USHER_CALL_MAX_NAMES 2

typedef struct UsherCall UsherCall;
/* NULL exactly when error is set. */
typedef UsherHttpResponse *(*UsherRouteFunc)(const UsherCall *call, GError **error);

typedef struct UsherRoute {
	const char *method;
	const char *pattern; /* "/v1/vms/{name}/start" */
	UsherRouteFunc run;
	UsherRole least;
	UsherObjectKind kind; /* of the object the first name names; USHER_OBJECT_N_KINDS: none */
	const char *query;    /* names of the parameters it takes, space separated */
} UsherRoute;

/* Ends with a row without a method. */
extern const UsherRoute usher_routes[];

struct UsherCall {
	const UsherRoute *route;
	const UsherHttpRequest *request;
	UsherCluster *cluster;
	UsherClock *clock;
	const char *names[USHER_CALL_MAX_NAMES]; /* of the pattern, in its order */
	const char *scope;                       /* what paths begin with: "/v1" */
	GHashTable *query;
	UsherAsk ask;
	bool must_exist; /* If-Match: * */
};

/* The query. Flags are 1, true, 0 or false. */
const char *usher_call_query(const UsherCall *call, const char *name);
bool usher_call_flag(const UsherCall *call, const char *name, bool *out_flag, GError **error);
bool usher_call_number(const UsherCall *call, const char *name, uint64_t max, uint64_t fallback,
	uint64_t *out_number, GError **error);
/* Prefer: wait=N, at most five minutes; 0: none. */
unsigned usher_call_wait(const UsherCall *call);

/* The body as JSON, an empty one as {}; as a record. */
UsherJson *usher_call_json(const UsherCall *call, GError **error);
void *usher_call_record(const UsherCall *call, const UsherRecordType *type, GError **error);
/* What takes no fields: an empty body or {}. */
bool usher_call_no_body(const UsherCall *call, GError **error);

/* What the path names, as one name: of devices NODE/ADDRESS, too. Given to the caller. */
char *usher_call_device(const UsherCall *call);

/* Answers. The object with its ETag: */
UsherHttpResponse *usher_reply_object(const UsherCall *call, UsherObjectKind kind, const char *name,
	unsigned status, GError **error);
UsherHttpResponse *usher_reply_json(unsigned status, UsherJsonWriter *writer);
/* The operation that a write without steps would be: shown by a dry run, never kept. result: a
 * JSON document that the write would answer, or NULL. */
UsherHttpResponse *usher_reply_proposal(const UsherCall *call, const char *kind, const char *object,
	const char *step, const char *result);
/* operation is given. 202 and where to look; 200 when it has ended or is only proposed; waits when
 * that is preferred. */
UsherHttpResponse *usher_reply_operation(
	const UsherCall *call, UsherOperation *operation, GError **error);
/* The operation when it has ended or the time is over; status: of one that has not ended. */
UsherHttpResponse *usher_reply_wait(
	const UsherCall *call, const char *id, unsigned seconds, unsigned status);

/* Handlers, by noun; see routes.c. */
UsherHttpResponse *usher_route_about(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_health(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_list(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_show(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_watch(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_group_put(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_group_delete(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_rule_put(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_rule_delete(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_vm_adopt(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_vm_examine(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_vm_forget(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_vm_attach(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_vm_detach(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_vm_start(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_vm_stop(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_make_resource(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_device_return(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_operation_show(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_operation_cancel(const UsherCall *call, GError **error);
UsherHttpResponse *usher_route_exchange(const UsherCall *call, GError **error);
