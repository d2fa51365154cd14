/* SPDX-License-Identifier: Apache-2.0 */
/* The agents' side of nodes. */
#include <string.h>

#include "api/call.h"
#include "base/error.h"

UsherHttpResponse *usher_route_exchange(const UsherCall *call, GError **error)
{
	g_autoptr(UsherReport) report = usher_call_record(call, &usher_report_type, error);
	if (report == NULL)
		return NULL;
	if (g_strcmp0(report->node, call->names[0]) != 0) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"the path names node '%s', the report '%s'", call->names[0],
			report->node != NULL ? report->node : "");
		return NULL;
	}
	g_autoptr(UsherWants) wants = usher_cluster_exchange(call->cluster, report, error);
	if (wants == NULL)
		return NULL;
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_record_write(&usher_wants_type, wants, writer);
	return usher_reply_json(200, writer);
}
