/* SPDX-License-Identifier: Apache-2.0 */
/* A task's steps, one after the other, each in a worker. */
#include "node/task-parts.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "core/guard.h"

/* One kernel write: longer, and the device is fenced. */
#define WRITE_TIMEOUT_US (10 * G_TIME_SPAN_SECOND)
/* So many failures of one thing end the trying. */
#define MAX_FAILURES 3
#define RETRY_US     (200 * G_TIME_SPAN_MILLISECOND)

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
	return usher_doctor_print(findings, /* promises */ NULL, /* pretty */ false);
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
	g_autoptr(GPtrArray) holdings = usher_task_holdings(task);
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
	usher_task_look_later(task, RETRY_US * MAX(task->failures, 1));
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
		usher_task_set_error(task, job->error);
	task->failures = 0;
	if (holding != NULL)
		usher_node_bar(task->node, holding,
			is_fenced ? USHER_BAR_FENCE : USHER_BAR_QUARANTINE, job->error->message);
	else if (task->undoing)
		task->given_up =
			true; /* no lease's device: a held one that was to be returned is stuck */
	else
		usher_task_begin_undo(task, job->error);
	usher_task_look(task);
}

/* A guest's step of undoing: tried again, and left as it is in the end. */
static void fail_to_undo(UsherTask *task)
{
	if (++task->failures < MAX_FAILURES) {
		retry(task);
		return;
	}
	task->given_up = true;
	usher_task_look(task);
}

static void fail(UsherTask *task, const UsherJob *job)
{
	g_autofree char *object = usher_task_log_name(task);
	g_autofree char *text = usher_step_print(job->step);
	usher_log(USHER_LOG_WARNING, object, "%s: %s", text, job->error->message);
	bool is_host = usher_step_kind_is_host(job->step->kind);
	bool is_away =
		!is_host && g_error_matches(job->error, USHER_ERROR, USHER_ERROR_UNAVAILABLE);
	if (is_away && ++task->failures < MAX_FAILURES) {
		/* What became of it, nobody knows: look, then decide anew. */
		usher_task_show_state(task, usher_task_shown_step(task), USHER_STEP_WAITING);
		retry(task);
		return;
	}
	usher_task_show_state(task, usher_task_shown_step(task), USHER_STEP_FAILED);
	if (is_host && !usher_task_is_going_forward(task)) {
		fail_to_give_back(task, job);
		return;
	}
	if (task->undoing) {
		fail_to_undo(task);
		return;
	}
	usher_task_undo(task, job->error);
}

static void note_success(UsherTask *task, const UsherJob *job)
{
	const UsherStep *step = job->step;
	if (job->answer != NULL) {
		g_clear_pointer(&task->operation->answer, usher_json_unref);
		task->operation->answer = usher_json_parse(job->answer, strlen(job->answer), NULL);
	}
	usher_task_show_state(task, usher_task_shown_step(task), USHER_STEP_DONE);
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
	g_autoptr(GPtrArray) holdings = usher_task_holdings(task);
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

void usher_task_take_next_step(UsherTask *task)
{
	if (task->at == task->steps->len) {
		usher_task_look(task);
		return;
	}
	const UsherStep *step = task->steps->pdata[task->at];
	usher_task_show_state(task, usher_task_shown_step(task), USHER_STEP_RUNNING);
	if (step->kind == USHER_STEP_GUEST_AWAIT_OFF) {
		task->at++;
		usher_task_take_next_step(task);
		return;
	}
	g_autoptr(GError) error = NULL;
	if (!usher_node_note_step(task->node, task, step, &error)) {
		g_autofree char *object = usher_task_log_name(task);
		usher_log(USHER_LOG_ERROR, object, "journal: %s", error->message);
		if (usher_task_is_going_forward(task)) {
			usher_task_undo(task, error);
			return;
		}
	}
	task->guest_touched |= step->kind == USHER_STEP_GUEST_START;
	send_step(task, step);
}
