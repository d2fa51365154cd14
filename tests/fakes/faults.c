/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/faults.h"

#include "base/error.h"

const char *const fake_fault_names[] = { "error", "hang", "death before", "death after" };

FakeCall fake_faults_call(FakeFaults *faults, FakeProcess process, const char *name, GError **error)
{
	if (faults->is_dead[process]) {
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "%s: the caller is dead", name);
		return FAKE_CALL_REFUSE;
	}
	if (++faults->calls != faults->at)
		return FAKE_CALL_DO;
	faults->hit = name;
	switch (faults->fault) {
	case FAKE_FAULT_ERROR:
		usher_error_set(error, USHER_ERROR_HOST, "%s: a fault was put here (EIO)", name);
		return FAKE_CALL_REFUSE;
	case FAKE_FAULT_HANG:
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "%s: did not come back in time", name);
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
