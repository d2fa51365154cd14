/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that wait for an operation to end. */
#include <string.h>

#include "api/call.h"

typedef struct Wait {
	UsherPending pending;
	UsherCluster *cluster;
	UsherClock *clock;
	char *id;
	char *location;
	unsigned seconds;
	unsigned status; /* of an operation that has not ended */
	unsigned listener, timer;
	bool is_over;
} Wait;

static void wake(Wait *wait)
{
	if (wait->pending.wake != NULL)
		wait->pending.wake(wait->pending.wake_data);
}

static void on_advance(void *data)
{
	wake(data);
}

static void on_timeout(void *data)
{
	Wait *wait = data;
	wait->timer = 0;
	wait->is_over = true;
	wake(wait);
}

static bool has_ended(const char *operation)
{
	g_autoptr(UsherJson) json = usher_json_parse(operation, strlen(operation), NULL);
	const char *name = usher_json_get_string(json, "state");
	for (UsherOperationState state = 0; state < USHER_OPERATION_N_STATES; state++) {
		if (g_strcmp0(usher_operation_state_name(state), name) == 0)
			return usher_operation_state_is_end(state);
	}
	return false;
}

static UsherHttpResponse *poll_wait(UsherPending *pending)
{
	Wait *wait = (Wait *) pending;
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherJsonWriter) writer = usher_json_writer_new(/* pretty */ false);
	if (!usher_cluster_show(
		    wait->cluster, USHER_OBJECT_OPERATION, wait->id, writer, NULL, &error))
		return usher_http_problem(error, 0);
	g_autofree char *text = usher_json_writer_finish(g_steal_pointer(&writer));
	bool is_end = has_ended(text);
	if (!is_end && !wait->is_over)
		return NULL;
	g_autofree char *applied = g_strdup_printf("wait=%u", wait->seconds);
	UsherHttpResponse *response = usher_http_response_new(
		is_end ? 200 : wait->status, "application/json", g_steal_pointer(&text));
	usher_http_response_set_header(response, "Location", wait->location);
	usher_http_response_set_header(response, "Preference-Applied", applied);
	return response;
}

static void free_wait(UsherPending *pending)
{
	Wait *wait = (Wait *) pending;
	usher_cluster_unlisten(wait->cluster, wait->listener);
	if (wait->timer != 0)
		wait->clock->ops->cancel(wait->clock, wait->timer);
	g_free(wait->id);
	g_free(wait->location);
	g_free(wait);
}

static const UsherPendingOps wait_ops = { poll_wait, free_wait };

UsherHttpResponse *usher_reply_wait(
	const UsherCall *call, const char *id, unsigned seconds, unsigned status)
{
	Wait *wait = g_new0(Wait, 1);
	wait->pending.ops = &wait_ops;
	wait->cluster = call->cluster;
	wait->clock = call->clock;
	wait->id = g_strdup(id);
	wait->location = g_strdup_printf("%s/operations/%s", call->scope, id);
	wait->seconds = seconds;
	wait->status = status;
	wait->listener = usher_cluster_listen(call->cluster, on_advance, wait);
	wait->timer = wait->clock->ops->after(
		wait->clock, (int64_t) seconds * G_USEC_PER_SEC, on_timeout, wait);
	return usher_http_response_later(&wait->pending);
}
