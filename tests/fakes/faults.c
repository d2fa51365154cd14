/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/faults.h"

#include <string.h>

#include "base/error.h"

const char *const fake_fault_names[] = { "error", "hang", "death before", "death after" };

void fake_faults_tell(const FakeFaults *faults, const char *what, const char *object)
{
	if (faults->done != NULL)
		faults->done(what, object, faults->done_data);
}

static bool goes_wrong(FakeFaults *faults, const char *name)
{
	faults->calls++;
	if (faults->only == NULL)
		return faults->calls == faults->at;
	if (strcmp(faults->only, name) != 0)
		return false;
	faults->only = NULL;
	return true;
}

FakeCall fake_faults_call(FakeFaults *faults, FakeProcess process, const char *name, GError **error)
{
	if (faults->is_dead[process]) {
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "%s: the caller is dead", name);
		return FAKE_CALL_REFUSE;
	}
	if (g_strcmp0(faults->always, name) == 0) {
		faults->hit = name;
		usher_error_set(error, USHER_ERROR_HOST, "%s: it never works (EIO)", name);
		return FAKE_CALL_REFUSE;
	}
	if (!goes_wrong(faults, name))
		return FAKE_CALL_DO;
	faults->hit = name;
	switch (faults->fault) {
	case FAKE_FAULT_ERROR:
		usher_error_set(error, USHER_ERROR_HOST, "%s: a fault was put here (EIO)", name);
		return FAKE_CALL_REFUSE;
	case FAKE_FAULT_HANG:
		usher_error_set(
			error, USHER_ERROR_UNAVAILABLE, "%s: did not come back in time", name);
		return FAKE_CALL_DO_LATE;
	case FAKE_FAULT_DEATH_BEFORE:
		faults->is_dead[process] = true;
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "%s: the caller is dead", name);
		return FAKE_CALL_REFUSE;
	case FAKE_FAULT_DEATH_AFTER:
		faults->is_dead[process] = true;
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "%s: the caller is dead", name);
		return FAKE_CALL_DO_AND_REFUSE;
	case FAKE_N_FAULTS:
		break;
	}
	g_assert_not_reached();
}
