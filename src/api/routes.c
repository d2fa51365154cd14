/* SPDX-License-Identifier: Apache-2.0 */
/* The route table. api/openapi.yaml describes exactly these; a test holds both equal. */
#include "api/call.h"

#define NONE  USHER_OBJECT_N_KINDS
#define WRITE "dry_run"

#define ROW(method, pattern, run, kind, query) \
	{ \
		method, pattern, run, USHER_ROLE_ADMIN, kind, query \
	}
#define LIST(collection, kind) \
	ROW("GET", "/v1/" collection, usher_route_list, kind, "after all limit node since watch")
#define SHOW(collection, kind) \
	ROW("GET", "/v1/" collection "/{name}", usher_route_show, kind, "since watch")

const UsherRoute usher_routes[] = {
	{ "GET", "/healthz", usher_route_health, USHER_ROLE_NOBODY, NONE, "" },
	{ "GET", "/readyz", usher_route_health, USHER_ROLE_NOBODY, NONE, "" },
	ROW("GET", "/v1", usher_route_about, NONE, ""),
	ROW("GET", "/v1/watch", usher_route_watch, NONE, "all kinds node since"),

	LIST("groups", USHER_OBJECT_GROUP),
	SHOW("groups", USHER_OBJECT_GROUP),
	ROW("PUT", "/v1/groups/{name}", usher_route_group_put, USHER_OBJECT_GROUP, WRITE),
	ROW("DELETE", "/v1/groups/{name}", usher_route_group_delete, USHER_OBJECT_GROUP, WRITE),

	LIST("rules", USHER_OBJECT_RULE),
	SHOW("rules", USHER_OBJECT_RULE),
	ROW("PUT", "/v1/rules/{name}", usher_route_rule_put, USHER_OBJECT_RULE, WRITE),
	ROW("DELETE", "/v1/rules/{name}", usher_route_rule_delete, USHER_OBJECT_RULE, WRITE),

	LIST("vms", USHER_OBJECT_VM),
	SHOW("vms", USHER_OBJECT_VM),
	ROW("POST", "/v1/vms/{name}/adopt", usher_route_vm_adopt, USHER_OBJECT_VM, WRITE),
	ROW("POST", "/v1/vms/{name}/examine", usher_route_vm_examine, USHER_OBJECT_VM, WRITE),
	ROW("POST", "/v1/vms/{name}/forget", usher_route_vm_forget, USHER_OBJECT_VM, WRITE),
	ROW("POST", "/v1/vms/{name}/attach", usher_route_vm_attach, USHER_OBJECT_VM, WRITE),
	ROW("POST", "/v1/vms/{name}/detach", usher_route_vm_detach, USHER_OBJECT_VM, WRITE),
	ROW("POST", "/v1/vms/{name}/start", usher_route_vm_start, USHER_OBJECT_VM, WRITE),
	ROW("POST", "/v1/vms/{name}/stop", usher_route_vm_stop, USHER_OBJECT_VM, WRITE),

	LIST("leases", USHER_OBJECT_LEASE),
	SHOW("leases", USHER_OBJECT_LEASE),

	LIST("operations", USHER_OBJECT_OPERATION),
	ROW("GET", "/v1/operations/{name}", usher_route_operation_show, USHER_OBJECT_OPERATION,
		"since watch"),
	ROW("POST", "/v1/operations/{name}/cancel", usher_route_operation_cancel,
		USHER_OBJECT_OPERATION, WRITE),

	LIST("nodes", USHER_OBJECT_NODE),
	SHOW("nodes", USHER_OBJECT_NODE),
	ROW("POST", "/v1/nodes/{name}/exchange", usher_route_exchange, USHER_OBJECT_NODE, ""),

	LIST("devices", USHER_OBJECT_DEVICE),
	SHOW("devices", USHER_OBJECT_DEVICE),
	ROW("GET", "/v1/devices/{node}/{address}", usher_route_show, USHER_OBJECT_DEVICE,
		"since watch"),
	ROW("POST", "/v1/devices/make-resource", usher_route_make_resource, NONE, WRITE),
	ROW("POST", "/v1/devices/{name}/return", usher_route_device_return, USHER_OBJECT_DEVICE,
		WRITE),
	ROW("POST", "/v1/devices/{node}/{address}/return", usher_route_device_return,
		USHER_OBJECT_DEVICE, WRITE),

	LIST("events", USHER_OBJECT_EVENT),
	SHOW("events", USHER_OBJECT_EVENT),
	{ NULL },
};
