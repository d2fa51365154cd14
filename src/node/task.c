/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: operations being carried out. What to do comes from decide.c, how from step.c. */
#include "node/task-parts.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

/* As facts_from: the time to look has not come. */
#define NOT_YET UINT64_MAX

UsherTask *usher_task_new(UsherNode *node, const UsherOperation *operation, UsherTaskState state)
{
	UsherTask *task = g_new0(UsherTask, 1);
	task->node = node;
	task->operation = usher_operation_dup(operation);
	task->state = state;
	task->steps = g_ptr_array_new_with_free_func(usher_step_type.free);
	return task;
}

static void cancel_timer(UsherTask *task)
{
	UsherClock *clock = task->node->ports.clock;
	if (task->timer != 0)
		clock->ops->cancel(clock, task->timer);
	task->timer = 0;
}

void usher_task_free(UsherTask *task)
{
	cancel_timer(task);
	usher_operation_free(task->operation);
	g_ptr_array_unref(task->steps);
	g_free(task);
}

void usher_task_changed(UsherTask *task)
{
	task->version++;
}

char *usher_task_log_name(const UsherTask *task)
{
	return g_strconcat("operation/", task->operation->id, NULL);
}

UsherTask *usher_node_task_of_lease(UsherNode *node, const char *lease)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->tasks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherTask *task = value;
		if (task->state != USHER_TASK_ENDED &&
			g_ptr_array_find_with_equal_func(
				task->operation->leases, lease, g_str_equal, NULL))
			return task;
	}
	return NULL;
}

/* Whether the task can still do something for the lease. A fenced one is brought home by a return of
 * the node's own, when its write has come back. */
static bool is_in_reach(const UsherTask *task, const UsherHolding *holding)
{
	if (holding->bar == USHER_BAR_FENCE)
		return task->is_own && !usher_node_is_in_flight(task->node, holding->lease);
	return holding->bar == USHER_BAR_NONE;
}

/* The task's leases that are not given up; borrowed. */
GPtrArray *usher_task_holdings(UsherTask *task)
{
	GPtrArray *holdings = g_ptr_array_new();
	for (unsigned i = 0; i < task->operation->leases->len; i++) {
		UsherHolding *holding = g_hash_table_lookup(
			task->node->holdings, task->operation->leases->pdata[i]);
		if (holding != NULL && is_in_reach(task, holding))
			g_ptr_array_add(holdings, holding);
	}
	return holdings;
}

/* ---- what people see of it ---- */

UsherOperationStep *usher_task_shown_step(UsherTask *task)
{
	return task->operation->steps->pdata[task->first_shown + task->at];
}

void usher_task_show_state(UsherTask *task, UsherOperationStep *shown, UsherStepState state)
{
	shown->state = state;
	shown->at = usher_node_wall(task->node);
	usher_task_changed(task);
}

static void show_batch(UsherTask *task)
{
	task->first_shown = task->operation->steps->len;
	for (unsigned i = 0; i < task->steps->len; i++) {
		UsherOperationStep *shown = usher_operation_step_new();
		shown->text = usher_step_print(task->steps->pdata[i]);
		g_ptr_array_add(task->operation->steps, shown);
	}
	usher_task_changed(task);
}

/* What was running or waiting when the decision changed. */
static void close_shown(UsherTask *task, UsherStepState running_became)
{
	for (unsigned i = 0; i < task->operation->steps->len; i++) {
		UsherOperationStep *shown = task->operation->steps->pdata[i];
		if (shown->state == USHER_STEP_RUNNING)
			usher_task_show_state(task, shown, running_became);
	}
	for (unsigned i = task->operation->steps->len; i-- > 0;) {
		const UsherOperationStep *shown = task->operation->steps->pdata[i];
		if (shown->state == USHER_STEP_WAITING)
			g_ptr_array_remove_index(task->operation->steps, i);
	}
}

/* ---- turning back and ending ---- */

void usher_task_set_error(UsherTask *task, const GError *error)
{
	UsherOperation *operation = task->operation;
	usher_problem_free(operation->error);
	UsherProblem *problem = usher_problem_of(error);
	g_autofree char *why = g_steal_pointer(&problem->message);
	problem->message = usher_operation_refusal(operation->kind, operation->object, why);
	if (problem->object == NULL)
		problem->object = g_strdup(operation->object);
	operation->error = problem;
}

void usher_task_begin_undo(UsherTask *task, const GError *error)
{
	g_assert(!task->undoing);
	g_autofree char *object = usher_task_log_name(task);
	usher_log(USHER_LOG_NOTICE, object, "is undone: %s", error->message);
	task->undoing = true;
	task->failures = 0;
	usher_task_set_error(task, error);
	close_shown(task, USHER_STEP_FAILED);
	g_ptr_array_set_size(task->steps, 0);
	usher_task_changed(task);
}

void usher_task_undo(UsherTask *task, const GError *error)
{
	usher_task_begin_undo(task, error);
	usher_task_look(task);
}

static void end(UsherTask *task, UsherOperationState state)
{
	g_assert(usher_operation_state_is_end(state));
	cancel_timer(task);
	task->operation->state = state;
	task->operation->ended = usher_node_wall(task->node);
	task->state = USHER_TASK_ENDED;
	usher_task_changed(task);
	g_autofree char *object = usher_task_log_name(task);
	g_autoptr(GError) error = NULL;
	if (!usher_node_note_task(task->node, task, &error))
		usher_log(USHER_LOG_ERROR, object, "journal: %s", error->message);
	usher_log(USHER_LOG_INFO, object, "%s of %s is %s%s%s",
		usher_operation_kind_names[task->operation->kind], task->operation->object,
		usher_operation_state_name(state), task->operation->error != NULL ? ": " : "",
		task->operation->error != NULL ? task->operation->error->message : "");
}

/* Some of its leases failed: what it did is not all that was asked. */
static bool has_barred(UsherTask *task)
{
	for (unsigned i = 0; i < task->operation->leases->len; i++) {
		const UsherHolding *holding = g_hash_table_lookup(
			task->node->holdings, task->operation->leases->pdata[i]);
		if (holding != NULL && holding->bar != USHER_BAR_NONE)
			return true;
	}
	return false;
}

static void settle_leases(UsherTask *task, bool is_done)
{
	UsherNode *node = task->node;
	const UsherProblem *problem = task->operation->error;
	/* What a start gave and the guest has no longer is returned by itself. */
	bool is_home = is_done != (task->operation->kind == USHER_KIND_VM_START);
	g_autoptr(GPtrArray) holdings = usher_task_holdings(task);
	for (unsigned i = 0; i < holdings->len; i++) {
		UsherHolding *holding = holdings->pdata[i];
		const UsherGuestInfo *guest = usher_find_guest(node->guests, holding->lease->uuid);
		bool is_end = usher_lease_state_is_end(holding->lease->state);
		if (usher_guest_has(guest, holding->lease->id) && !is_end)
			usher_node_move_lease(node, holding, USHER_LEASE_ATTACHED, NULL);
		else if (is_home)
			usher_node_release(
				node, holding, problem != NULL ? problem->message : NULL);
	}
}

static void forget_held(UsherTask *task)
{
	const char *address = usher_json_get_string(task->operation->arguments, "address");
	const UsherWas *was = g_hash_table_lookup(task->node->held, address);
	if (was == NULL)
		return;
	usher_node_note_held(task->node, was, /* is_held */ false);
	g_hash_table_remove(task->node->held, address);
}

static void end_done(UsherTask *task)
{
	close_shown(task, USHER_STEP_DONE);
	if (!has_barred(task))
		g_clear_pointer(&task->operation->error, usher_problem_free);
	settle_leases(task, /* is_done */ true);
	if (task->operation->kind == USHER_KIND_DEVICE_RETURN)
		forget_held(task);
	end(task, task->operation->error == NULL ? USHER_OPERATION_DONE : USHER_OPERATION_FAILED);
}

static void end_undone(UsherTask *task)
{
	close_shown(task, USHER_STEP_FAILED);
	for (unsigned i = 0; task->has_changed && i < task->operation->steps->len; i++) {
		UsherOperationStep *shown = task->operation->steps->pdata[i];
		if (shown->state == USHER_STEP_DONE)
			usher_task_show_state(task, shown, USHER_STEP_UNDONE);
	}
	settle_leases(task, /* is_done */ false);
	bool is_undone = (task->has_changed || task->operation->cancel) && !has_barred(task) &&
		!task->given_up;
	end(task, is_undone ? USHER_OPERATION_UNDONE : USHER_OPERATION_FAILED);
}

/* ---- deciding ---- */

/* The device that was leased is still at its address. */
static bool is_still_there(UsherNode *node, const UsherLease *lease, GError **error)
{
	const UsherDevice *device = usher_inventory_find_text(node->seen, lease->device->address);
	const char *id = device != NULL ? usher_node_id_of(node, device) : NULL;
	if (g_strcmp0(id, lease->device->id) == 0)
		return true;
	usher_error_set(error, USHER_ERROR_CONFLICT,
		"%s is at %s now, not the device that was leased",
		device != NULL ? "another device" : "nothing", lease->device->address);
	return false;
}

/* The leases are about to be prepared: what their devices have now goes to the journal first. */
static bool prepare_leases(UsherTask *task, const GPtrArray *holdings, GError **error)
{
	UsherNode *node = task->node;
	for (unsigned i = 0; i < holdings->len; i++) {
		UsherHolding *holding = holdings->pdata[i];
		if (holding->lease->was->len > 0)
			continue;
		if (!is_still_there(node, holding->lease, error))
			return false;
		GPtrArray *was = usher_plan_observe_was(node->seen, holding->lease, error);
		if (was == NULL)
			return false;
		for (unsigned j = 0; j < was->len; j++) {
			const UsherWas *seen = was->pdata[j];
			const UsherWas *held = g_hash_table_lookup(node->held, seen->address);
			bool is_held = held != NULL && g_strcmp0(seen->driver, "vfio-pci") == 0 &&
				g_strcmp0(seen->identity, held->identity) == 0;
			if (!is_held)
				continue;
			usher_was_free(was->pdata[j]);
			was->pdata[j] = usher_was_dup(held);
		}
		g_ptr_array_unref(holding->lease->was);
		holding->lease->was = was;
		holding->lease->state = USHER_LEASE_PREPARING;
		holding->version++;
		if (!usher_node_note_lease(node, holding, error))
			return false;
	}
	return true;
}

static void return_leases(UsherTask *task, const GPtrArray *holdings)
{
	UsherNode *node = task->node;
	for (unsigned i = 0; i < holdings->len; i++) {
		UsherHolding *holding = holdings->pdata[i];
		const UsherGuestInfo *guest = usher_find_guest(node->guests, holding->lease->uuid);
		if (!usher_guest_has(guest, holding->lease->id) &&
			usher_lease_state_may_reach(holding->lease->state, USHER_LEASE_RETURNING))
			usher_node_move_lease(
				node, holding, USHER_LEASE_RETURNING, holding->lease->reason);
	}
}

bool usher_task_is_going_forward(const UsherTask *task)
{
	return task->operation->kind == USHER_KIND_VM_START && !task->undoing;
}

static void begin_batch(UsherTask *task, GPtrArray *steps, const GPtrArray *holdings)
{
	close_shown(task, USHER_STEP_DONE);
	g_autoptr(GError) error = NULL;
	if (usher_task_is_going_forward(task) && !prepare_leases(task, holdings, &error)) {
		usher_task_undo(task, error);
		return;
	}
	if (!usher_task_is_going_forward(task))
		return_leases(task, holdings);
	g_ptr_array_unref(task->steps);
	task->steps = g_ptr_array_ref(steps);
	task->at = 0;
	show_batch(task);
	if (!usher_node_note_task(task->node, task, &error)) {
		if (usher_task_is_going_forward(task)) {
			usher_task_undo(task, error);
			return;
		}
		g_autofree char *object = usher_task_log_name(task);
		usher_log(USHER_LOG_ERROR, object, "journal: %s", error->message);
	}
	task->state = USHER_TASK_STEPPING;
	usher_task_take_next_step(task);
}

void usher_task_look(UsherTask *task)
{
	task->state = USHER_TASK_IDLE;
	task->facts_from = usher_node_observe(task->node);
}

static void wake(void *data)
{
	UsherTask *task = data;
	UsherNode *node = task->node;
	task->timer = 0;
	if (task->facts_from == NOT_YET)
		task->facts_from = usher_node_observe(node);
	usher_task_advance(task);
	usher_node_exchange(node);
}

void usher_task_look_later(UsherTask *task, int64_t delay_us)
{
	UsherClock *clock = task->node->ports.clock;
	task->state = USHER_TASK_IDLE;
	task->facts_from = NOT_YET;
	cancel_timer(task);
	task->timer = clock->ops->after(clock, delay_us, wake, task);
}

/* When something ends that is waited for, by the wall clock; INT64_MAX: nothing does. */
static int64_t next_end(const UsherTask *task, int64_t now)
{
	const UsherJson *arguments = task->operation->arguments;
	const char *text = arguments != NULL ? usher_json_get_string(arguments, "off_until") : NULL;
	int64_t ends[] = { task->operation->deadline, INT64_MAX }, next = INT64_MAX;
	if (text != NULL)
		(void) usher_text_parse_time(text, &ends[1], NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(ends) && !task->undoing; i++) {
		if (ends[i] > now)
			next = MIN(next, ends[i]);
	}
	return next;
}

/* Wakes it when the deadline, or the time a guest may take to go off, has passed. */
static void await(UsherTask *task)
{
	int64_t now = usher_node_wall(task->node), until = next_end(task, now);
	cancel_timer(task);
	if (until == INT64_MAX)
		return;
	UsherClock *clock = task->node->ports.clock;
	task->timer = clock->ops->after(clock, until - now + G_TIME_SPAN_MILLISECOND, wake, task);
}

static void begin_waiting(UsherTask *task, const char *for_what)
{
	if (task->state != USHER_TASK_WAITING) {
		g_autofree char *object = usher_task_log_name(task);
		usher_log(USHER_LOG_INFO, object, "waits: %s", for_what);
	}
	bool is_shown = task->operation->needs->len == 1 &&
		strcmp(task->operation->needs->pdata[0], for_what) == 0;
	if (!is_shown) {
		g_ptr_array_set_size(task->operation->needs, 0);
		g_ptr_array_add(task->operation->needs, g_strdup(for_what));
		usher_task_changed(task);
	}
	task->state = USHER_TASK_WAITING;
	await(task);
}

static UsherDecision ask(UsherTask *task, const GPtrArray *holdings, GPtrArray *steps,
	char **out_wait, GError **error)
{
	UsherNode *node = task->node;
	g_autofree UsherCase *cases = g_new0(UsherCase, holdings->len);
	g_autoptr(GPtrArray) homes =
		g_ptr_array_new_with_free_func((GDestroyNotify) g_ptr_array_unref);
	for (unsigned i = 0; i < holdings->len; i++) {
		const UsherHolding *holding = holdings->pdata[i];
		GPtrArray *home = usher_node_home_of(node, holding, task->undoing);
		g_ptr_array_add(homes, home);
		cases[i] = (UsherCase){ holding->lease, home };
	}
	const UsherSituation situation = {
		.operation = task->operation,
		.seen = node->seen,
		.guests = node->guests,
		.cases = cases,
		.n_cases = holdings->len,
		.now = usher_node_wall(node),
		.undoing = task->undoing,
		.given_up = task->given_up,
		.resumed = task->resumed,
		.guest_touched = task->guest_touched,
		.guest_started = task->guest_started,
		.guest_asked = task->guest_asked,
	};
	return usher_decide(&situation, steps, out_wait, error);
}

/* Devices with a write on its way are fenced, whatever they look like. */
static void fence_in_flight(UsherTask *task)
{
	g_autoptr(GPtrArray) holdings = usher_task_holdings(task);
	for (unsigned i = 0; i < holdings->len; i++) {
		UsherHolding *holding = holdings->pdata[i];
		if (usher_node_is_in_flight(task->node, holding->lease))
			usher_node_bar(task->node, holding, USHER_BAR_FENCE,
				"a kernel write has not come back");
	}
}

static void decide(UsherTask *task)
{
	fence_in_flight(task);
	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(usher_step_type.free);
	g_autoptr(GPtrArray) holdings = usher_task_holdings(task);
	g_autofree char *wait = NULL;
	g_autoptr(GError) error = NULL;
	UsherDecision decision = ask(task, holdings, steps, &wait, &error);
	if (decision != USHER_DECIDE_WAIT && task->operation->needs->len > 0) {
		g_ptr_array_set_size(task->operation->needs, 0);
		usher_task_changed(task);
	}
	switch (decision) {
	case USHER_DECIDE_STEPS:
		begin_batch(task, steps, holdings);
		return;
	case USHER_DECIDE_WAIT:
		begin_waiting(task, wait);
		return;
	case USHER_DECIDE_DONE:
		end_done(task);
		return;
	case USHER_DECIDE_UNDONE:
		end_undone(task);
		return;
	case USHER_DECIDE_FAIL:
		usher_task_begin_undo(task, error);
		decide(task);
		return;
	}
	g_assert_not_reached();
}

static bool is_to_be_undone(UsherTask *task, GError **error)
{
	if (task->undoing || task->operation->kind == USHER_KIND_RETURN)
		return false;
	if (task->operation->cancel) {
		usher_error_set(error, USHER_ERROR_CONFLICT, "operation %s was cancelled",
			task->operation->id);
		return true;
	}
	if (usher_node_wall(task->node) < task->operation->deadline)
		return false;
	usher_error_set(error, USHER_ERROR_UNAVAILABLE, "it was not done in time%s%s",
		task->operation->needs->len > 0 ? ": " : "",
		task->operation->needs->len > 0 ? (char *) task->operation->needs->pdata[0] : "");
	return true;
}

void usher_task_advance(UsherTask *task)
{
	if (task->state == USHER_TASK_UNCLAIMED || task->state == USHER_TASK_ENDED ||
		task->is_working)
		return;
	g_autoptr(GError) error = NULL;
	if (is_to_be_undone(task, &error))
		usher_task_undo(task, error);
	if (task->state == USHER_TASK_STEPPING) {
		usher_task_take_next_step(task);
		return;
	}
	if (task->node->observation >= task->facts_from)
		decide(task);
}
