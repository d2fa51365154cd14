/* SPDX-License-Identifier: Apache-2.0 */
#include "core/vm.h"

#include <stddef.h>

const char *const usher_group_type_names[] = {
	[USHER_GROUP_PCI] = "pci",
	[USHER_GROUP_VGPU] = "vgpu",
	[USHER_GROUP_SRIOV_NIC] = "sriov-nic",
	[USHER_GROUP_USB] = "usb",
	[USHER_GROUP_HOST_GPU] = "host-gpu",
	[USHER_GROUP_N_TYPES] = NULL,
};
static const char *const return_names[] = { "by-class", "host", "hold", NULL };
static const char *const want_names[] = { "nothing", "running", "stopped", NULL };

static const UsherField group_fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(UsherGroup, name) },
	{ "type", USHER_FIELD_ENUM, offsetof(UsherGroup, type), USHER_FIELD_REQUIRED,
		usher_group_type_names },
	{ "description", USHER_FIELD_STRING, offsetof(UsherGroup, description) },
	{ "enabled", USHER_FIELD_BOOL, offsetof(UsherGroup, enabled) },
	{ "priority", USHER_FIELD_INT, offsetof(UsherGroup, priority) },
	{ "return", USHER_FIELD_ENUM, offsetof(UsherGroup, give_back), USHER_FIELD_NULLABLE,
		return_names },
	{ "settings", USHER_FIELD_JSON, offsetof(UsherGroup, settings) },
	{ "revision", USHER_FIELD_INT, offsetof(UsherGroup, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherGroup, usher_group, "group", group_fields)

static const UsherField rule_fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(UsherRule, name) },
	{ "group", USHER_FIELD_STRING, offsetof(UsherRule, group), USHER_FIELD_REQUIRED },
	{ "node", USHER_FIELD_STRING, offsetof(UsherRule, node) },
	{ "filter", USHER_FIELD_STRING, offsetof(UsherRule, filter), USHER_FIELD_REQUIRED },
	{ "enabled", USHER_FIELD_BOOL, offsetof(UsherRule, enabled) },
	{ "system_created", USHER_FIELD_BOOL, offsetof(UsherRule, system_created) },
	{ "revision", USHER_FIELD_INT, offsetof(UsherRule, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherRule, usher_rule, "rule", rule_fields)

static const UsherField request_fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherRequest, id) },
	{ "group", USHER_FIELD_STRING, offsetof(UsherRequest, group), USHER_FIELD_REQUIRED },
	{ "count", USHER_FIELD_INT, offsetof(UsherRequest, count) },
	{ "required", USHER_FIELD_BOOL, offsetof(UsherRequest, required) },
	{ "options", USHER_FIELD_JSON, offsetof(UsherRequest, options) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherRequest, usher_request, "request", request_fields)

static const UsherField vm_fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(UsherVm, name) },
	{ "home", USHER_FIELD_STRING, offsetof(UsherVm, home) },
	{ "node", USHER_FIELD_STRING, offsetof(UsherVm, node) },
	{ "backend", USHER_FIELD_STRING, offsetof(UsherVm, backend) },
	{ "uuid", USHER_FIELD_STRING, offsetof(UsherVm, uuid) },
	{ "want", USHER_FIELD_ENUM, offsetof(UsherVm, want), USHER_FIELD_NULLABLE, want_names },
	{ "requests", USHER_FIELD_RECORDS, offsetof(UsherVm, requests), 0, NULL,
		&usher_request_type },
	{ "revision", USHER_FIELD_INT, offsetof(UsherVm, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherVm, usher_vm, "vm", vm_fields)
