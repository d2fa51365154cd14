/* SPDX-License-Identifier: Apache-2.0 */
#include "core/guest-info.h"

#include <stddef.h>

static const char *const state_names[] = {
	[USHER_GUEST_UNKNOWN] = "unknown",
	[USHER_GUEST_RUNNING] = "running",
	[USHER_GUEST_PAUSED] = "paused",
	[USHER_GUEST_SHUT_OFF] = "shut-off",
	[USHER_GUEST_CRASHED] = "crashed",
	[USHER_GUEST_N_STATES] = NULL,
};

static const UsherField info_fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(UsherGuestInfo, name), USHER_FIELD_REQUIRED },
	{ "uuid", USHER_FIELD_STRING, offsetof(UsherGuestInfo, uuid), USHER_FIELD_REQUIRED },
	{ "backend", USHER_FIELD_STRING, offsetof(UsherGuestInfo, backend) },
	{ "state", USHER_FIELD_ENUM, offsetof(UsherGuestInfo, state), 0, state_names },
	{ "persistent", USHER_FIELD_BOOL, offsetof(UsherGuestInfo, persistent) },
	{ "managed_save", USHER_FIELD_BOOL, offsetof(UsherGuestInfo, managed_save) },
	{ "mark", USHER_FIELD_STRING, offsetof(UsherGuestInfo, mark) },
	{ "mark_uuid", USHER_FIELD_STRING, offsetof(UsherGuestInfo, mark_uuid) },
	{ "leases", USHER_FIELD_STRINGS, offsetof(UsherGuestInfo, leases) },
	{ "hostdevs", USHER_FIELD_STRINGS, offsetof(UsherGuestInfo, hostdevs) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherGuestInfo, usher_guest_info, "guest", info_fields)

static const UsherField device_fields[] = {
	{ "lease", USHER_FIELD_STRING, offsetof(UsherGuestDevice, lease), USHER_FIELD_REQUIRED },
	{ "address", USHER_FIELD_STRING, offsetof(UsherGuestDevice, address),
		USHER_FIELD_REQUIRED },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherGuestDevice, usher_guest_device, "guest device", device_fields)

const char *usher_guest_state_name(UsherGuestState state)
{
	g_assert(state < USHER_GUEST_N_STATES);
	return state_names[state];
}
