/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/promise.h"

#include <string.h>

static const char *const state_names[] = { "due", "kept", "broken", "unknown", NULL };

static const UsherField fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherPromise, id), USHER_FIELD_REQUIRED },
	{ "state", USHER_FIELD_ENUM, offsetof(UsherPromise, state), 0, state_names },
	{ "seen", USHER_FIELD_STRING, offsetof(UsherPromise, seen) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherPromise, usher_promise, "promise", fields)

static UsherPromiseState state_of(const UsherFinding *finding)
{
	switch ((UsherFindingStatus) finding->status) {
	case USHER_FINDING_OK:
		return USHER_PROMISE_KEPT;
	case USHER_FINDING_UNKNOWN:
		return USHER_PROMISE_UNKNOWN;
	case USHER_FINDING_WARN:
	case USHER_FINDING_FAIL:
		return USHER_PROMISE_BROKEN;
	}
	g_assert_not_reached();
}

/* Of several findings with that id, as one a device, the worst counts. */
static void compare(UsherPromise *promise, const GPtrArray *findings)
{
	promise->state = USHER_PROMISE_UNKNOWN;
	bool is_found = false;
	for (unsigned i = 0; i < findings->len; i++) {
		const UsherFinding *finding = findings->pdata[i];
		if (strcmp(finding->id, promise->id) != 0 ||
			(is_found && promise->state != USHER_PROMISE_KEPT))
			continue;
		is_found = true;
		promise->state = state_of(finding);
		if (promise->state != USHER_PROMISE_KEPT)
			promise->seen = g_strdup(finding->seen);
	}
}

GPtrArray *usher_doctor_keep(const GPtrArray *findings, const GPtrArray *promised, bool is_rebooted)
{
	GPtrArray *promises = g_ptr_array_new_with_free_func(usher_promise_type.free);
	for (unsigned i = 0; i < promised->len; i++) {
		UsherPromise *promise = usher_promise_new();
		promise->id = g_strdup(promised->pdata[i]);
		promise->state = USHER_PROMISE_DUE;
		if (is_rebooted)
			compare(promise, findings);
		g_ptr_array_add(promises, promise);
	}
	return promises;
}
