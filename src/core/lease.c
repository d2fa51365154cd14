/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lease.h"

#include <string.h>

typedef struct UsherLeaseRow {
	const char *name;
	unsigned to;
} UsherLeaseRow;

#define TO(s) (1U << USHER_LEASE_##s)
static const UsherLeaseRow rows[USHER_LEASE_N_STATES] = {
	[USHER_LEASE_RESERVED] = { "reserved", TO(PREPARING) | TO(RELEASED) | TO(FAILED) },
	[USHER_LEASE_PREPARING] = { "preparing", TO(READY) | TO(RETURNING) | TO(FAILED) },
	[USHER_LEASE_READY] = { "ready", TO(ATTACHED) | TO(RETURNING) | TO(FAILED) },
	[USHER_LEASE_ATTACHED] = { "attached", TO(RETURNING) | TO(FAILED) },
	[USHER_LEASE_RETURNING] = { "returning", TO(RELEASED) | TO(FAILED) },
	[USHER_LEASE_RELEASED] = { "released", 0 },
	[USHER_LEASE_FAILED] = { "failed", 0 },
};
#undef TO

static const char *const state_names[] = {
	"reserved",
	"preparing",
	"ready",
	"attached",
	"returning",
	"released",
	"failed",
	NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == USHER_LEASE_N_STATES + 1);

static const UsherField guest_fields[] = {
	{ "kind", USHER_FIELD_STRING, offsetof(UsherGuestRef, kind), USHER_FIELD_REQUIRED },
	{ "name", USHER_FIELD_STRING, offsetof(UsherGuestRef, name), USHER_FIELD_REQUIRED },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherGuestRef, usher_guest_ref, "guest", guest_fields)

static const UsherField device_fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherDeviceRef, id), USHER_FIELD_REQUIRED },
	{ "address", USHER_FIELD_STRING, offsetof(UsherDeviceRef, address), USHER_FIELD_REQUIRED },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherDeviceRef, usher_device_ref, "device", device_fields)

static const UsherField lease_fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherLease, id), USHER_FIELD_REQUIRED },
	{ "guest", USHER_FIELD_RECORD, offsetof(UsherLease, guest), 0, NULL,
		&usher_guest_ref_type },
	{ "tenant", USHER_FIELD_STRING, offsetof(UsherLease, tenant) },
	{ "parent", USHER_FIELD_STRING, offsetof(UsherLease, parent) },
	{ "request", USHER_FIELD_STRING, offsetof(UsherLease, request) },
	{ "group", USHER_FIELD_STRING, offsetof(UsherLease, group) },
	{ "node", USHER_FIELD_STRING, offsetof(UsherLease, node) },
	{ "device", USHER_FIELD_RECORD, offsetof(UsherLease, device), 0, NULL,
		&usher_device_ref_type },
	{ "companions", USHER_FIELD_STRINGS, offsetof(UsherLease, companions) },
	{ "slice", USHER_FIELD_JSON, offsetof(UsherLease, slice) },
	{ "state", USHER_FIELD_ENUM, offsetof(UsherLease, state), USHER_FIELD_REQUIRED,
		state_names },
	{ "reason", USHER_FIELD_STRING, offsetof(UsherLease, reason) },
	{ "since", USHER_FIELD_TIME, offsetof(UsherLease, since) },
	{ "until", USHER_FIELD_TIME, offsetof(UsherLease, until) },
	{ "operation", USHER_FIELD_STRING, offsetof(UsherLease, operation) },
	{ "override", USHER_FIELD_JSON, offsetof(UsherLease, override) },
	{ "was", USHER_FIELD_KEYED, offsetof(UsherLease, was), 0, NULL, &usher_was_type },
	{ "unit", USHER_FIELD_STRING, offsetof(UsherLease, unit) },
	{ "uuid", USHER_FIELD_STRING, offsetof(UsherLease, uuid) },
	{ "return", USHER_FIELD_STRING, offsetof(UsherLease, give_back) },
	{ "revision", USHER_FIELD_INT, offsetof(UsherLease, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherLease, usher_lease, "lease", lease_fields)

const char *usher_lease_state_name(UsherLeaseState state)
{
	g_assert(state < USHER_LEASE_N_STATES);
	return rows[state].name;
}

bool usher_lease_state_parse(const char *name, UsherLeaseState *out_state)
{
	for (unsigned i = 0; i < USHER_LEASE_N_STATES; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			*out_state = (UsherLeaseState) i;
			return true;
		}
	}
	return false;
}

bool usher_lease_state_may_move(UsherLeaseState from, UsherLeaseState to)
{
	g_assert(from < USHER_LEASE_N_STATES && to < USHER_LEASE_N_STATES);
	return (rows[from].to & (1U << to)) != 0;
}

bool usher_lease_state_may_reach(UsherLeaseState from, UsherLeaseState to)
{
	g_assert(from < USHER_LEASE_N_STATES && to < USHER_LEASE_N_STATES);
	unsigned reached = 1U << from;
	for (unsigned before = 0; before != reached;) {
		before = reached;
		for (unsigned i = 0; i < USHER_LEASE_N_STATES; i++) {
			if ((before & (1U << i)) != 0)
				reached |= rows[i].to;
		}
	}
	return (reached & (1U << to)) != 0;
}

bool usher_lease_state_is_end(UsherLeaseState state)
{
	return state == USHER_LEASE_RELEASED || state == USHER_LEASE_FAILED;
}
