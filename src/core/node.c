/* SPDX-License-Identifier: Apache-2.0 */
#include "core/node.h"

static const UsherField info_fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(UsherNodeInfo, name), USHER_FIELD_REQUIRED },
	{ "guest_of", USHER_FIELD_STRING, offsetof(UsherNodeInfo, guest_of) },
	{ "machine_id", USHER_FIELD_STRING, offsetof(UsherNodeInfo, machine_id) },
	{ "boot_id", USHER_FIELD_STRING, offsetof(UsherNodeInfo, boot_id) },
	{ "instance", USHER_FIELD_STRING, offsetof(UsherNodeInfo, instance) },
	{ "kernel", USHER_FIELD_STRING, offsetof(UsherNodeInfo, kernel) },
	{ "agent_version", USHER_FIELD_STRING, offsetof(UsherNodeInfo, agent_version) },
	{ "ready", USHER_FIELD_BOOL, offsetof(UsherNodeInfo, ready) },
	{ "devices", USHER_FIELD_INT, offsetof(UsherNodeInfo, devices) },
	{ "last_seen", USHER_FIELD_TIME, offsetof(UsherNodeInfo, last_seen) },
	{ "revision", USHER_FIELD_INT, offsetof(UsherNodeInfo, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherNodeInfo, usher_node_info, "node", info_fields)

static const UsherField live_fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(UsherNodeLive, name), USHER_FIELD_REQUIRED },
	{ "session", USHER_FIELD_STRING, offsetof(UsherNodeLive, session), USHER_FIELD_REQUIRED },
	{ "revision", USHER_FIELD_INT, offsetof(UsherNodeLive, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherNodeLive, usher_node_live, "live node", live_fields)

static const UsherField active_fields[] = {
	{ "object", USHER_FIELD_STRING, offsetof(UsherActive, object), USHER_FIELD_REQUIRED },
	{ "operation", USHER_FIELD_STRING, offsetof(UsherActive, operation), USHER_FIELD_REQUIRED },
	{ "revision", USHER_FIELD_INT, offsetof(UsherActive, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherActive, usher_active, "active operation", active_fields)

static const UsherField event_fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherEvent, id) },
	{ "revision", USHER_FIELD_INT, offsetof(UsherEvent, revision) },
	{ "time", USHER_FIELD_TIME, offsetof(UsherEvent, time) },
	{ "actor", USHER_FIELD_STRING, offsetof(UsherEvent, actor) },
	{ "action", USHER_FIELD_STRING, offsetof(UsherEvent, action) },
	{ "object", USHER_FIELD_STRING, offsetof(UsherEvent, object) },
	{ "message", USHER_FIELD_STRING, offsetof(UsherEvent, message) },
	{ "details", USHER_FIELD_JSON, offsetof(UsherEvent, details) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherEvent, usher_event, "event", event_fields)
