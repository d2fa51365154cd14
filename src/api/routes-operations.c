/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

/* With a preference to wait the answer is held until the operation has ended. */
UsherHttpResponse *usher_route_operation_show(const UsherCall *call, GError **error)
{
	unsigned seconds = usher_call_wait(call);
	if (seconds == 0 || usher_call_query(call, "watch") != NULL)
		return usher_route_show(call, error);
	return usher_reply_wait(call, call->names[0], seconds, 200);
}

UsherHttpResponse *usher_route_operation_cancel(const UsherCall *call, GError **error)
{
	if (!usher_call_no_body(call, error))
		return NULL;
	UsherOperation *operation =
		usher_cluster_operation_cancel(call->cluster, &call->ask, call->names[0], error);
	return operation != NULL ? usher_reply_operation(call, operation, error) : NULL;
}
