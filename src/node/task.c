/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: operations being carried out. What to do comes from decide.c; here it is done. */
#include "node/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "core/guard.h"

/* One kernel write: longer, and the device is fenced. */
#define WRITE_TIMEOUT_US (10 * G_TIME_SPAN_SECOND)
/* So many failures of one thing end the trying. */
#define MAX_FAILURES 3
#define RETRY_US     (200 * G_TIME_SPAN_MILLISECOND)
/* As facts_from: the time to look has not come. */
#define NOT_YET UINT64_MAX

/* A step on its way: copies only, it is touched by a worker. */
typedef struct UsherJob {
	UsherNodeRef *ref;
	UsherNodePorts ports;
	char *task; /* operation id */
	UsherStep *step;
	char *vm;
	int64_t revision;
	GPtrArray *devices; /* of UsherGuestDevice, of a start */
	char *answer;       /* to a question */
	GError *error;
} UsherJob;

static void take_next_step(UsherTask *task);

static void job_free(UsherJob *job)
{
	g_free(job->task);
	g_free(job->vm);
	g_free(job->answer);
	usher_step_free(job->step);
	g_ptr_array_unref(job->devices);
	g_clear_error(&job->error);
	g_free(job);
}

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

static char *log_name(const UsherTask *task)
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
static GPtrArray *holdings_of(UsherTask *task)
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

static UsherOperationStep *shown_step(UsherTask *task)
{
	return task->operation->steps->pdata[task->first_shown + task->at];
}

static void show_state(UsherTask *task, UsherOperationStep *shown, UsherStepState state)
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
			show_state(task, shown, running_became);
	}
	for (unsigned i = task->operation->steps->len; i-- > 0;) {
		const UsherOperationStep *shown = task->operation->steps->pdata[i];
		if (shown->state == USHER_STEP_WAITING)
			g_ptr_array_remove_index(task->operation->steps, i);
	}
}

/* ---- turning back and ending ---- */

static void set_error(UsherTask *task, const GError *error)
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

static void begin_undo(UsherTask *task, const GError *error)
{
	g_assert(!task->undoing);
	g_autofree char *object = log_name(task);
	usher_log(USHER_LOG_NOTICE, object, "is undone: %s", error->message);
	task->undoing = true;
	task->failures = 0;
	set_error(task, error);
	close_shown(task, USHER_STEP_FAILED);
	g_ptr_array_set_size(task->steps, 0);
	usher_task_changed(task);
}

static void undo_and_look(UsherTask *task, const GError *error)
{
	begin_undo(task, error);
	task->state = USHER_TASK_IDLE;
	task->facts_from = usher_node_observe(task->node);
}

static void end(UsherTask *task, UsherOperationState state)
{
	g_assert(usher_operation_state_is_end(state));
	cancel_timer(task);
	task->operation->state = state;
	task->operation->ended = usher_node_wall(task->node);
	task->state = USHER_TASK_ENDED;
	usher_task_changed(task);
	g_autofree char *object = log_name(task);
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
	g_autoptr(GPtrArray) holdings = holdings_of(task);
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
			show_state(task, shown, USHER_STEP_UNDONE);
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

static bool is_going_forward(const UsherTask *task)
{
	return task->operation->kind == USHER_KIND_VM_START && !task->undoing;
}

static void begin_batch(UsherTask *task, GPtrArray *steps, const GPtrArray *holdings)
{
	close_shown(task, USHER_STEP_DONE);
	g_autoptr(GError) error = NULL;
	if (is_going_forward(task) && !prepare_leases(task, holdings, &error)) {
		undo_and_look(task, error);
		return;
	}
	if (!is_going_forward(task))
		return_leases(task, holdings);
	g_ptr_array_unref(task->steps);
	task->steps = g_ptr_array_ref(steps);
	task->at = 0;
	show_batch(task);
	if (!usher_node_note_task(task->node, task, &error)) {
		if (is_going_forward(task)) {
			undo_and_look(task, error);
			return;
		}
		g_autofree char *object = log_name(task);
		usher_log(USHER_LOG_ERROR, object, "journal: %s", error->message);
	}
	task->state = USHER_TASK_STEPPING;
	take_next_step(task);
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
		g_autofree char *object = log_name(task);
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
	g_autoptr(GPtrArray) holdings = holdings_of(task);
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
	g_autoptr(GPtrArray) holdings = holdings_of(task);
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
		begin_undo(task, error);
		decide(task);
		return;
	}
	g_assert_not_reached();
}

/* ---- taking steps ---- */

static bool guard_allows(const UsherJob *job, GError **error)
{
	UsherHost *host = job->ports.host;
	g_autoptr(UsherInventory) seen = host->ops->look(host, USHER_LOOK_AFRESH, error);
	if (seen == NULL)
		return false;
	const UsherDevice *device = usher_inventory_find_text(seen, job->step->address);
	if (device == NULL) {
		usher_error_set(
			error, USHER_ERROR_NOT_FOUND, "there is no device %s", job->step->address);
		return false;
	}
	g_autoptr(UsherGuardResult) result = usher_guard_judge(seen, device);
	if (result->verdict == USHER_VERDICT_FREE)
		return true;
	g_autofree char *why = usher_guard_explain(result);
	usher_error_set(error, USHER_ERROR_DENIED, "the host needs %s: %s", device->address, why);
	return false;
}

static char *examine(UsherGuest *guest, const UsherStep *step, GError **error)
{
	g_autoptr(UsherGuestHealth) health =
		guest->ops->examine(guest, step->guest, step->uuid, error);
	if (health == NULL)
		return NULL;
	g_autoptr(GPtrArray) findings = usher_doctor_examine_guest(health);
	return usher_doctor_print(findings, /* pretty */ false);
}

static void take_guest_step(UsherJob *job)
{
	UsherGuest *guest = job->ports.guest;
	const UsherStep *step = job->step;
	switch ((UsherStepKind) step->kind) {
	case USHER_STEP_GUEST_START:
		(void) guest->ops->start(guest, step->guest, step->uuid, job->devices, &job->error);
		return;
	case USHER_STEP_GUEST_ASK_OFF:
		(void) guest->ops->ask_off(guest, step->guest, step->uuid, &job->error);
		return;
	case USHER_STEP_GUEST_POWER_OFF:
		(void) guest->ops->power_off(guest, step->guest, step->uuid, &job->error);
		return;
	case USHER_STEP_GUEST_MARK:
		(void) guest->ops->mark(
			guest, step->guest, step->uuid, job->vm, job->revision, &job->error);
		return;
	case USHER_STEP_GUEST_UNMARK:
		(void) guest->ops->mark(guest, step->guest, step->uuid, NULL, 0, &job->error);
		return;
	case USHER_STEP_GUEST_UNPLUG:
		(void) guest->ops->unplug(guest, step->guest, step->uuid, step->lease, &job->error);
		return;
	case USHER_STEP_GUEST_EXAMINE:
		job->answer = examine(guest, step, &job->error);
		return;
	case USHER_STEP_LOAD_MODULE:
	case USHER_STEP_SET_OVERRIDE:
	case USHER_STEP_UNBIND:
	case USHER_STEP_BIND:
	case USHER_STEP_GUEST_AWAIT_OFF:
	case USHER_STEP_N_KINDS:
		break;
	}
	g_assert_not_reached();
}

static void take_step(void *data)
{
	UsherJob *job = data;
	if (!usher_step_kind_is_host(job->step->kind)) {
		take_guest_step(job);
		return;
	}
	UsherHost *host = job->ports.host;
	if (job->step->takes && !guard_allows(job, &job->error))
		return;
	(void) host->ops->apply(host, job->step, WRITE_TIMEOUT_US, &job->error);
}

/* The lease whose device or companion has the address. */
static UsherHolding *holding_at(UsherTask *task, const char *address)
{
	g_autoptr(GPtrArray) holdings = holdings_of(task);
	for (unsigned i = 0; address != NULL && i < holdings->len; i++) {
		UsherHolding *holding = holdings->pdata[i];
		if (strcmp(holding->lease->device->address, address) == 0 ||
			g_ptr_array_find_with_equal_func(
				holding->lease->companions, address, g_str_equal, NULL))
			return holding;
	}
	return NULL;
}

static void retry(UsherTask *task)
{
	UsherClock *clock = task->node->ports.clock;
	task->state = USHER_TASK_IDLE;
	task->facts_from = NOT_YET;
	cancel_timer(task);
	task->timer = clock->ops->after(clock, RETRY_US * MAX(task->failures, 1), wake, task);
}

/* A device does not come home: tried again, and given up for good in the end. */
static void fail_to_give_back(UsherTask *task, const UsherJob *job)
{
	UsherHolding *holding = holding_at(task, job->step->address);
	bool is_fenced = holding != NULL && usher_node_is_in_flight(task->node, holding->lease);
	task->failures++;
	if (!is_fenced && task->failures < MAX_FAILURES) {
		retry(task);
		return;
	}
	if (task->operation->error == NULL)
		set_error(task, job->error);
	task->failures = 0;
	if (holding != NULL)
		usher_node_bar(task->node, holding,
			is_fenced ? USHER_BAR_FENCE : USHER_BAR_QUARANTINE, job->error->message);
	else if (task->undoing)
		task->given_up =
			true; /* no lease's device: a held one that was to be returned is stuck */
	else
		begin_undo(task, job->error);
	task->state = USHER_TASK_IDLE;
	task->facts_from = usher_node_observe(task->node);
}

/* A guest's step of undoing: tried again, and left as it is in the end. */
static void fail_to_undo(UsherTask *task)
{
	if (++task->failures < MAX_FAILURES) {
		retry(task);
		return;
	}
	task->given_up = true;
	task->state = USHER_TASK_IDLE;
	task->facts_from = usher_node_observe(task->node);
}

static void fail(UsherTask *task, const UsherJob *job)
{
	g_autofree char *object = log_name(task);
	g_autofree char *text = usher_step_print(job->step);
	usher_log(USHER_LOG_WARNING, object, "%s: %s", text, job->error->message);
	bool is_host = usher_step_kind_is_host(job->step->kind);
	bool is_away =
		!is_host && g_error_matches(job->error, USHER_ERROR, USHER_ERROR_UNAVAILABLE);
	if (is_away && ++task->failures < MAX_FAILURES) {
		/* What became of it, nobody knows: look, then decide anew. */
		show_state(task, shown_step(task), USHER_STEP_WAITING);
		retry(task);
		return;
	}
	show_state(task, shown_step(task), USHER_STEP_FAILED);
	if (is_host && !is_going_forward(task)) {
		fail_to_give_back(task, job);
		return;
	}
	if (task->undoing) {
		fail_to_undo(task);
		return;
	}
	undo_and_look(task, job->error);
}

static void note_success(UsherTask *task, const UsherJob *job)
{
	const UsherStep *step = job->step;
	if (job->answer != NULL) {
		g_clear_pointer(&task->operation->answer, usher_json_unref);
		task->operation->answer = usher_json_parse(job->answer, strlen(job->answer), NULL);
	}
	show_state(task, shown_step(task), USHER_STEP_DONE);
	task->guest_started |= step->kind == USHER_STEP_GUEST_START;
	task->guest_asked |= step->kind == USHER_STEP_GUEST_ASK_OFF;
	bool is_harmless = step->kind == USHER_STEP_LOAD_MODULE ||
		step->kind == USHER_STEP_GUEST_ASK_OFF || step->kind == USHER_STEP_GUEST_EXAMINE;
	task->has_changed |= !is_harmless;
	if (!is_harmless)
		task->failures = 0;
	task->at++;
}

static void step_is_over(void *data)
{
	UsherJob *job = data;
	UsherNode *node = usher_node_ref_drop(job->ref);
	UsherTask *task = node != NULL ? g_hash_table_lookup(node->tasks, job->task) : NULL;
	if (task == NULL) {
		job_free(job);
		return;
	}
	task->is_working = false;
	if (job->error == NULL)
		note_success(task, job);
	else
		fail(task, job);
	job_free(job);
	usher_task_advance(task);
	usher_node_exchange(node);
}

/* What the guest gets: the lease's device and, as one device with several functions, those companions
 * that share its slot. */
static GPtrArray *guest_devices(UsherTask *task)
{
	GPtrArray *devices = g_ptr_array_new_with_free_func(usher_guest_device_type.free);
	g_autoptr(GPtrArray) holdings = holdings_of(task);
	for (unsigned i = 0; i < holdings->len; i++) {
		const UsherLease *lease = ((UsherHolding *) holdings->pdata[i])->lease;
		UsherPciAddr addr, other;
		bool is_known = usher_pci_addr_parse(lease->device->address, &addr, NULL);
		for (unsigned j = 0; j <= lease->companions->len; j++) {
			const char *address =
				j == 0 ? lease->device->address : lease->companions->pdata[j - 1];
			if (!is_known || !usher_pci_addr_parse(address, &other, NULL) ||
				!usher_pci_addr_is_same_slot(addr, other))
				continue;
			UsherGuestDevice *device = usher_guest_device_new();
			device->lease = g_strdup(lease->id);
			device->address = g_strdup(address);
			g_ptr_array_add(devices, device);
		}
	}
	return devices;
}

static void send_step(UsherTask *task, const UsherStep *step)
{
	UsherNode *node = task->node;
	UsherJob *job = g_new0(UsherJob, 1);
	job->ref = usher_node_ref_take(node);
	job->ports = node->ports;
	job->task = g_strdup(task->operation->id);
	job->step = usher_step_dup(step);
	job->vm = g_strdup(strchr(task->operation->object, '/') + 1);
	job->revision = task->operation->revision;
	job->devices = guest_devices(task);
	const UsherHolding *holding = holding_at(task, step->address);
	bool is_host = usher_step_kind_is_host(step->kind);
	const char *lane = !is_host ? "guest" : holding != NULL ? holding->lease->unit : "host";
	task->is_working = true;
	UsherClock *clock = node->ports.clock;
	clock->ops->work(clock, lane, take_step, step_is_over, job);
}

static void take_next_step(UsherTask *task)
{
	if (task->at == task->steps->len) {
		task->state = USHER_TASK_IDLE;
		task->facts_from = usher_node_observe(task->node);
		return;
	}
	const UsherStep *step = task->steps->pdata[task->at];
	show_state(task, shown_step(task), USHER_STEP_RUNNING);
	if (step->kind == USHER_STEP_GUEST_AWAIT_OFF) {
		task->at++;
		take_next_step(task);
		return;
	}
	g_autoptr(GError) error = NULL;
	if (!usher_node_note_step(task->node, task, step, &error)) {
		g_autofree char *object = log_name(task);
		usher_log(USHER_LOG_ERROR, object, "journal: %s", error->message);
		if (is_going_forward(task)) {
			undo_and_look(task, error);
			return;
		}
	}
	task->guest_touched |= step->kind == USHER_STEP_GUEST_START;
	send_step(task, step);
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
		undo_and_look(task, error);
	if (task->state == USHER_TASK_STEPPING) {
		take_next_step(task);
		return;
	}
	if (task->node->observation >= task->facts_from)
		decide(task);
}
