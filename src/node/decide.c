/* SPDX-License-Identifier: Apache-2.0 */
#include "node/decide.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

const UsherGuestInfo *usher_find_guest(const GPtrArray *guests, const char *uuid)
{
	for (unsigned i = 0; guests != NULL && i < guests->len; i++) {
		const UsherGuestInfo *guest = guests->pdata[i];
		if (g_strcmp0(guest->uuid, uuid) == 0)
			return guest;
	}
	return NULL;
}

bool usher_guest_has(const UsherGuestInfo *guest, const char *lease)
{
	return guest != NULL &&
		g_ptr_array_find_with_equal_func(guest->leases, lease, g_str_equal, NULL);
}

bool usher_guest_is_on(const UsherGuestInfo *guest)
{
	return guest != NULL && guest->state != USHER_GUEST_SHUT_OFF;
}

static bool has_crashed(const UsherGuestInfo *guest)
{
	return guest != NULL && guest->state == USHER_GUEST_CRASHED;
}

static const char *name_of(const UsherSituation *situation)
{
	return strchr(situation->operation->object, '/') + 1;
}

static const char *argument(const UsherSituation *situation, const char *key)
{
	const UsherJson *arguments = situation->operation->arguments;
	return arguments != NULL ? usher_json_get_string(arguments, key) : NULL;
}

static const UsherGuestInfo *guest_of(const UsherSituation *situation)
{
	return usher_find_guest(situation->guests, argument(situation, "uuid"));
}

static void add_guest_step(const UsherSituation *situation, GPtrArray *steps, UsherStepKind kind)
{
	UsherStep *step = usher_step_new();
	step->kind = kind;
	step->guest = g_strdup(name_of(situation));
	step->uuid = g_strdup(argument(situation, "uuid"));
	g_ptr_array_add(steps, step);
}

static UsherDecision wait_for_hypervisor(char **out_wait)
{
	*out_wait = g_strdup("the hypervisor does not answer");
	return USHER_DECIDE_WAIT;
}

static UsherDecision fail_without_guest(const UsherSituation *situation, GError **error)
{
	usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no domain '%s' with uuid %s",
		name_of(situation), argument(situation, "uuid"));
	return USHER_DECIDE_FAIL;
}

/* Steps that bring the devices of the leases home that the guest does not have; false: there are none
 * to take. */
static bool bring_home(
	const UsherSituation *situation, const UsherGuestInfo *guest, GPtrArray *steps)
{
	for (unsigned i = situation->n_cases; i-- > 0;) {
		const UsherCase *one = &situation->cases[i];
		if (!usher_guest_has(guest, one->lease->id))
			usher_plan_give_back(situation->seen, one->home, steps);
	}
	return steps->len > 0;
}

/* The start came as far as the guest: where it was given any, another hand may have taken one out since. */
static bool has_come(const UsherSituation *situation, const UsherGuestInfo *guest)
{
	for (unsigned i = 0; i < situation->n_cases; i++) {
		if (usher_guest_has(guest, situation->cases[i].lease->id))
			return true;
	}
	return usher_guest_is_on(guest) && situation->operation->leases->len == 0;
}

/* It came further than a start that was broken off, whatever became of it. */
static bool has_run(const UsherSituation *situation, const UsherGuestInfo *guest)
{
	return situation->guest_started || guest->state == USHER_GUEST_RUNNING ||
		has_crashed(guest);
}

static UsherDecision undo_start(const UsherSituation *situation, GPtrArray *steps, char **out_wait)
{
	const UsherGuestInfo *guest = guest_of(situation);
	if (situation->guests == NULL && situation->guest_touched && situation->n_cases > 0) {
		*out_wait = g_strdup(
			"the hypervisor does not answer whether the guest has the devices");
		return USHER_DECIDE_WAIT;
	}
	if (has_come(situation, guest)) {
		/* It got there after all: what runs is not torn down. What has never run is. */
		if (has_run(situation, guest))
			return USHER_DECIDE_DONE;
		if (situation->given_up)
			return USHER_DECIDE_UNDONE;
		add_guest_step(situation, steps, USHER_STEP_GUEST_POWER_OFF);
		return USHER_DECIDE_STEPS;
	}
	return bring_home(situation, guest, steps) ? USHER_DECIDE_STEPS : USHER_DECIDE_UNDONE;
}

static UsherDecision refuse_running(
	const UsherSituation *situation, const UsherGuestInfo *guest, GError **error)
{
	usher_error_set(error, USHER_ERROR_CONFLICT, "domain '%s' %s", name_of(situation),
		has_crashed(guest) ? "has crashed and is kept as it is: stop it with --force first"
				   : "was started by another hand, without its devices");
	return USHER_DECIDE_FAIL;
}

static UsherDecision start_off(const UsherSituation *situation, const UsherGuestInfo *guest,
	GPtrArray *steps, GError **error)
{
	if (situation->resumed) {
		usher_error_set(
			error, USHER_ERROR_UNAVAILABLE, "usher-agent stopped in the middle of it");
		return USHER_DECIDE_FAIL;
	}
	if (situation->guest_started) {
		usher_error_set(error, USHER_ERROR_HOST,
			"domain '%s' went off as soon as it was started", name_of(situation));
		return USHER_DECIDE_FAIL;
	}
	if (guest->managed_save) {
		usher_error_set(error, USHER_ERROR_DENIED,
			"domain '%s' has a saved memory image, that would be lost: start it once "
			"without "
			"usher, or drop the image with 'virsh managedsave-remove %s'",
			guest->name, guest->name);
		return USHER_DECIDE_FAIL;
	}
	for (unsigned i = 0; i < situation->n_cases; i++) {
		if (!usher_plan_take(situation->seen, situation->cases[i].lease, steps, error))
			return USHER_DECIDE_FAIL;
	}
	add_guest_step(situation, steps, USHER_STEP_GUEST_START);
	return USHER_DECIDE_STEPS;
}

static UsherDecision decide_start(
	const UsherSituation *situation, GPtrArray *steps, char **out_wait, GError **error)
{
	if (situation->undoing)
		return undo_start(situation, steps, out_wait);
	if (situation->guests == NULL)
		return wait_for_hypervisor(out_wait);
	const UsherGuestInfo *guest = guest_of(situation);
	if (guest == NULL)
		return fail_without_guest(situation, error);
	if (!usher_guest_is_on(guest))
		return start_off(situation, guest, steps, error);
	if (!has_come(situation, guest))
		return refuse_running(situation, guest, error);
	if (has_run(situation, guest))
		return USHER_DECIDE_DONE;
	/* A hypervisor that was killed in the middle of a start leaves it so for good. */
	*out_wait = g_strdup_printf(
		"%s does not run yet: it is %s", guest->name, usher_guest_state_name(guest->state));
	return USHER_DECIDE_WAIT;
}

static UsherDecision stop_running(const UsherSituation *situation, const UsherGuestInfo *guest,
	GPtrArray *steps, char **out_wait, GError **error)
{
	if (situation->undoing)
		return USHER_DECIDE_UNDONE;
	if (g_strcmp0(argument(situation, "force"), "yes") == 0) {
		add_guest_step(situation, steps, USHER_STEP_GUEST_POWER_OFF);
		return USHER_DECIDE_STEPS;
	}
	if (has_crashed(guest)) {
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"vm '%s' has crashed and can't power off by itself: stop it with --force",
			name_of(situation));
		return USHER_DECIDE_FAIL;
	}
	int64_t off_until = INT64_MAX;
	const char *until = argument(situation, "off_until");
	if (until != NULL)
		(void) usher_text_parse_time(until, &off_until, NULL);
	if (situation->now >= off_until) {
		usher_error_set(error, USHER_ERROR_UNAVAILABLE,
			"it was asked to power off and did not in time: it runs on");
		return USHER_DECIDE_FAIL;
	}
	if (!situation->guest_asked) {
		add_guest_step(situation, steps, USHER_STEP_GUEST_ASK_OFF);
		add_guest_step(situation, steps, USHER_STEP_GUEST_AWAIT_OFF);
		return USHER_DECIDE_STEPS;
	}
	*out_wait = g_strdup_printf("%s has been asked to power off", name_of(situation));
	return USHER_DECIDE_WAIT;
}

static UsherDecision decide_stop(
	const UsherSituation *situation, GPtrArray *steps, char **out_wait, GError **error)
{
	if (situation->guests == NULL && !situation->undoing)
		return wait_for_hypervisor(out_wait);
	const UsherGuestInfo *guest = guest_of(situation);
	if (situation->guests == NULL || usher_guest_is_on(guest))
		return stop_running(situation, guest, steps, out_wait, error);
	return bring_home(situation, guest, steps) ? USHER_DECIDE_STEPS : USHER_DECIDE_DONE;
}

static UsherDecision decide_return(
	const UsherSituation *situation, GPtrArray *steps, char **out_wait)
{
	if (situation->guests == NULL)
		return wait_for_hypervisor(out_wait);
	return bring_home(situation, guest_of(situation), steps) ? USHER_DECIDE_STEPS
								 : USHER_DECIDE_DONE;
}

static UsherDecision decide_mark(const UsherSituation *situation, bool is_wanted, GPtrArray *steps,
	char **out_wait, GError **error)
{
	if (situation->guests == NULL)
		return situation->undoing ? USHER_DECIDE_UNDONE : wait_for_hypervisor(out_wait);
	const UsherGuestInfo *guest = guest_of(situation);
	if (guest == NULL && !is_wanted)
		return USHER_DECIDE_DONE;
	if (guest == NULL)
		return situation->undoing ? USHER_DECIDE_UNDONE
					  : fail_without_guest(situation, error);
	bool is_marked = g_strcmp0(guest->mark, name_of(situation)) == 0 &&
		g_strcmp0(guest->mark_uuid, guest->uuid) == 0;
	bool is_as_before = is_wanted ? guest->mark == NULL : is_marked;
	if (situation->undoing && (is_as_before || situation->given_up))
		return USHER_DECIDE_UNDONE;
	if (!situation->undoing && (is_wanted ? is_marked : guest->mark == NULL))
		return USHER_DECIDE_DONE;
	bool writes = is_wanted != situation->undoing;
	add_guest_step(situation, steps, writes ? USHER_STEP_GUEST_MARK : USHER_STEP_GUEST_UNMARK);
	return USHER_DECIDE_STEPS;
}

static UsherDecision decide_detach(
	const UsherSituation *situation, GPtrArray *steps, char **out_wait)
{
	if (situation->guests == NULL)
		return situation->undoing ? USHER_DECIDE_UNDONE : wait_for_hypervisor(out_wait);
	const UsherGuestInfo *guest = guest_of(situation);
	for (unsigned i = 0; i < situation->n_cases; i++) {
		const UsherLease *lease = situation->cases[i].lease;
		if (!usher_guest_has(guest, lease->id))
			continue;
		if (situation->undoing)
			return USHER_DECIDE_UNDONE;
		add_guest_step(situation, steps, USHER_STEP_GUEST_UNPLUG);
		UsherStep *step = steps->pdata[steps->len - 1];
		step->lease = g_strdup(lease->id);
		step->address = g_strdup(lease->device->address);
	}
	if (steps->len > 0)
		return USHER_DECIDE_STEPS;
	return bring_home(situation, guest, steps) ? USHER_DECIDE_STEPS : USHER_DECIDE_DONE;
}

/* One that is stuck on the way goes back to where it was held. */
static UsherDecision undo_device_return(const UsherSituation *situation, GPtrArray *steps)
{
	const UsherDevice *device =
		usher_inventory_find_text(situation->seen, argument(situation, "address"));
	if (device == NULL || device->driver != NULL || situation->given_up)
		return USHER_DECIDE_UNDONE;
	g_autoptr(UsherLease) lease = usher_lease_new();
	lease->device = usher_device_ref_new();
	lease->device->address = g_strdup(argument(situation, "address"));
	UsherWas *was = usher_was_new();
	was->address = g_strdup(lease->device->address);
	was->identity = g_strdup(argument(situation, "identity"));
	g_ptr_array_add(lease->was, was);
	bool is_planned = usher_plan_take(situation->seen, lease, steps, NULL);
	return is_planned && steps->len > 0 ? USHER_DECIDE_STEPS : USHER_DECIDE_UNDONE;
}

static UsherDecision decide_device_return(const UsherSituation *situation, GPtrArray *steps)
{
	if (situation->undoing)
		return undo_device_return(situation, steps);
	g_autoptr(GPtrArray) home = g_ptr_array_new_with_free_func(usher_was_type.free);
	UsherWas *was = usher_was_new();
	was->address = g_strdup(argument(situation, "address"));
	was->driver = g_strdup(argument(situation, "driver"));
	was->driver_override = g_strdup(argument(situation, "driver_override"));
	was->identity = g_strdup(argument(situation, "identity"));
	g_ptr_array_add(home, was);
	usher_plan_give_back(situation->seen, home, steps);
	return steps->len > 0 ? USHER_DECIDE_STEPS : USHER_DECIDE_DONE;
}

/* A question: nothing of it is to be undone. */
static UsherDecision decide_examine(
	const UsherSituation *situation, GPtrArray *steps, char **out_wait, GError **error)
{
	if (situation->operation->answer != NULL)
		return USHER_DECIDE_DONE;
	if (situation->undoing)
		return USHER_DECIDE_UNDONE;
	if (situation->guests == NULL)
		return wait_for_hypervisor(out_wait);
	if (guest_of(situation) == NULL)
		return fail_without_guest(situation, error);
	add_guest_step(situation, steps, USHER_STEP_GUEST_EXAMINE);
	return USHER_DECIDE_STEPS;
}

UsherDecision usher_decide(
	const UsherSituation *situation, GPtrArray *steps, char **out_wait, GError **error)
{
	g_assert(steps->len == 0);
	switch ((UsherOperationKind) situation->operation->kind) {
	case USHER_KIND_VM_START:
		return decide_start(situation, steps, out_wait, error);
	case USHER_KIND_VM_STOP:
		return decide_stop(situation, steps, out_wait, error);
	case USHER_KIND_VM_ADOPT:
		return decide_mark(situation, /* is_wanted */ true, steps, out_wait, error);
	case USHER_KIND_VM_FORGET:
		return decide_mark(situation, /* is_wanted */ false, steps, out_wait, error);
	case USHER_KIND_VM_DETACH:
		return decide_detach(situation, steps, out_wait);
	case USHER_KIND_RETURN:
		return decide_return(situation, steps, out_wait);
	case USHER_KIND_DEVICE_RETURN:
		return decide_device_return(situation, steps);
	case USHER_KIND_GUEST_EXAMINE:
		return decide_examine(situation, steps, out_wait, error);
	case USHER_N_KINDS:
		break;
	}
	g_assert_not_reached();
}
