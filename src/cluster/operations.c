/* SPDX-License-Identifier: Apache-2.0 */
/* Operations and leases: how they begin, what follows from their end. */
#include "cluster/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"

/* A little later than the deadline, so that it has surely passed. */
#define DEADLINE_SLACK_US (100 * G_TIME_SPAN_MILLISECOND)

UsherOperation *usher_operation_begin(UsherCluster *cluster, const UsherAsk *ask,
	UsherOperationKind kind, const char *node, const char *object, int64_t timeout_us)
{
	UsherOperation *operation = usher_operation_new();
	operation->id = usher_cluster_new_id(cluster, "op-");
	operation->kind = kind;
	operation->node = g_strdup(node);
	operation->object = g_strdup(object);
	operation->state = ask->dry_run ? USHER_OPERATION_PROPOSED : USHER_OPERATION_QUEUED;
	operation->based_on = usher_world_revision(cluster->world);
	operation->actor = g_strdup(ask->actor);
	operation->created = cluster->clock->ops->wall(cluster->clock);
	operation->deadline =
		operation->created + (ask->timeout_us > 0 ? ask->timeout_us : timeout_us);
	return operation;
}

void usher_operation_argue(UsherOperation *operation, const char *key, const char *value)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	const char *name = NULL;
	const UsherJson *member;
	while (operation->arguments != NULL &&
		usher_json_next(operation->arguments, &name, &member)) {
		usher_json_key(writer, name);
		usher_json_write_value(writer, member);
	}
	usher_json_put_string(writer, key, value);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_clear_pointer(&operation->arguments, usher_json_unref);
	operation->arguments = usher_json_parse(text, strlen(text), NULL);
	g_assert(operation->arguments != NULL);
}

const char *usher_operation_argument(const UsherOperation *operation, const char *key)
{
	return operation->arguments != NULL ? usher_json_get_string(operation->arguments, key)
					    : NULL;
}

void usher_operation_end_at_once(UsherCluster *cluster, UsherOperation *operation)
{
	operation->state = USHER_OPERATION_DONE;
	operation->ended = cluster->clock->ops->wall(cluster->clock);
}

void usher_operation_stage(UsherCluster *cluster, UsherTxn *txn, const UsherOperation *operation)
{
	g_assert(operation->state != USHER_OPERATION_PROPOSED);
	usher_world_put(cluster->world, txn, USHER_TABLE_OPERATION, operation->id, operation);
	if (usher_operation_state_is_end(operation->state))
		return;
	g_autoptr(UsherActive) active = usher_active_new();
	active->object = g_strdup(operation->object);
	active->operation = g_strdup(operation->id);
	usher_world_put(cluster->world, txn, USHER_TABLE_ACTIVE, operation->object, active);
	usher_cluster_tell(cluster, txn, operation->actor,
		usher_operation_kind_names[operation->kind], operation->object,
		"operation %s has begun", operation->id);
}

static void stage_vm_adopted(UsherCluster *cluster, UsherTxn *txn, const UsherOperation *operation)
{
	const char *name = strchr(operation->object, '/') + 1;
	g_autoptr(UsherVm) vm = usher_vm_new();
	vm->name = g_strdup(name);
	vm->home = g_strdup(operation->node);
	vm->backend = g_strdup(usher_operation_argument(operation, "backend"));
	vm->uuid = g_strdup(usher_operation_argument(operation, "uuid"));
	usher_world_put(cluster->world, txn, USHER_TABLE_VM, name, vm);
}

static void stage_vm_detached(
	UsherCluster *cluster, UsherTxn *txn, const UsherOperation *operation, const UsherVm *vm)
{
	const char *request = usher_operation_argument(operation, "request");
	g_autoptr(UsherVm) changed = usher_vm_dup(vm);
	for (unsigned i = changed->requests->len; i-- > 0;) {
		const UsherRequest *one = changed->requests->pdata[i];
		if (g_strcmp0(one->id, request) == 0)
			g_ptr_array_remove_index(changed->requests, i);
	}
	usher_world_put(cluster->world, txn, USHER_TABLE_VM, vm->name, changed);
}

/* A guest that went off by another hand is wanted neither running nor stopped. */
static void stage_vm_unwanted(UsherCluster *cluster, UsherTxn *txn, const UsherVm *vm)
{
	if (vm->want == USHER_WANT_NOTHING)
		return;
	g_autoptr(UsherVm) changed = usher_vm_dup(vm);
	changed->want = USHER_WANT_NOTHING;
	usher_world_put(cluster->world, txn, USHER_TABLE_VM, vm->name, changed);
}

static void stage_done(UsherCluster *cluster, UsherTxn *txn, const UsherOperation *ended)
{
	const char *name = strchr(ended->object, '/') + 1;
	const UsherVm *vm = usher_world_get(cluster->world, USHER_TABLE_VM, name);
	switch ((UsherOperationKind) ended->kind) {
	case USHER_KIND_VM_ADOPT:
		stage_vm_adopted(cluster, txn, ended);
		return;
	case USHER_KIND_VM_FORGET:
		if (vm != NULL)
			usher_world_delete(cluster->world, txn, USHER_TABLE_VM, name);
		return;
	case USHER_KIND_VM_DETACH:
		if (vm != NULL)
			stage_vm_detached(cluster, txn, ended, vm);
		return;
	case USHER_KIND_RETURN:
		if (vm != NULL)
			stage_vm_unwanted(cluster, txn, vm);
		return;
	case USHER_KIND_VM_START:
	case USHER_KIND_VM_STOP:
	case USHER_KIND_DEVICE_RETURN:
	case USHER_KIND_GUEST_EXAMINE:
		return;
	case USHER_N_KINDS:
		break;
	}
	g_assert_not_reached();
}

void usher_operation_stage_end(UsherCluster *cluster, UsherTxn *txn, const UsherOperation *ended)
{
	g_assert(usher_operation_state_is_end(ended->state) && ended->ended != 0);
	usher_world_put(cluster->world, txn, USHER_TABLE_OPERATION, ended->id, ended);
	const UsherActive *active = usher_cluster_active(cluster, ended->object);
	if (active != NULL && strcmp(active->operation, ended->id) == 0)
		usher_world_delete(cluster->world, txn, USHER_TABLE_ACTIVE, ended->object);
	if (ended->state == USHER_OPERATION_DONE)
		stage_done(cluster, txn, ended);
	usher_cluster_prune(cluster, txn);
	usher_cluster_tell(cluster, txn, ended->actor, usher_operation_kind_names[ended->kind],
		ended->object, "operation %s is %s%s%s", ended->id,
		usher_operation_state_name(ended->state), ended->error != NULL ? ": " : "",
		ended->error != NULL ? ended->error->message : "");
}

void usher_lease_stage(
	UsherCluster *cluster, UsherTxn *txn, const UsherLease *lease, const char *bar)
{
	usher_world_put(cluster->world, txn, USHER_TABLE_LEASE, lease->id, lease);
	if (!usher_lease_state_is_end(lease->state))
		return;
	g_autofree char *name = g_strdup_printf("%s/%s", lease->node, lease->unit);
	const UsherLedger *ledger = usher_world_get(cluster->world, USHER_TABLE_LEDGER, name);
	if (ledger == NULL)
		return;
	int64_t now = cluster->clock->ops->wall(cluster->clock);
	g_autoptr(UsherLedger) after = lease->state == USHER_LEASE_FAILED
		? usher_ledger_bar(ledger, lease->id, bar, lease->reason, now)
		: usher_ledger_free_lease(ledger, lease->id);
	usher_world_put(cluster->world, txn, USHER_TABLE_LEDGER, name, after);
}

/* Ends an operation that its node never took up, and frees what was reserved for it. */
static void stage_never_begun(UsherCluster *cluster, UsherTxn *txn, const UsherOperation *operation,
	UsherOperationState state, UsherErrorCode code, const char *why)
{
	int64_t now = cluster->clock->ops->wall(cluster->clock);
	for (unsigned i = 0; i < operation->leases->len; i++) {
		const UsherLease *lease = usher_world_get(
			cluster->world, USHER_TABLE_LEASE, operation->leases->pdata[i]);
		if (lease == NULL || lease->state != USHER_LEASE_RESERVED)
			continue;
		g_autoptr(UsherLease) released = usher_lease_dup(lease);
		released->state = USHER_LEASE_RELEASED;
		released->reason = g_strdup(why);
		released->until = now;
		usher_lease_stage(cluster, txn, released, NULL);
	}
	g_autoptr(UsherOperation) ended = usher_operation_dup(operation);
	ended->state = state;
	ended->ended = now;
	ended->error = usher_problem_new();
	ended->error->code = g_strdup(usher_error_code_name(code));
	ended->error->message = g_strdup(why);
	ended->error->object = g_strdup(operation->object);
	usher_operation_stage_end(cluster, txn, ended);
}

static bool stage_overdue(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	(void) data;
	(void) error;
	int64_t now = cluster->clock->ops->wall(cluster->clock);
	g_autoptr(GPtrArray) operations =
		usher_world_list(cluster->world, USHER_TABLE_OPERATION, "");
	for (unsigned i = 0; i < operations->len; i++) {
		const UsherOperation *operation = operations->pdata[i];
		if (operation->state != USHER_OPERATION_QUEUED || operation->deadline > now)
			continue;
		g_autofree char *why =
			g_strdup_printf("node %s did not take it up in time", operation->node);
		stage_never_begun(cluster, txn, operation, USHER_OPERATION_FAILED,
			USHER_ERROR_UNAVAILABLE, why);
		/* One a transaction: two could touch the same ledger. */
		return true;
	}
	return true;
}

static void end_overdue(void *data)
{
	UsherCluster *cluster = data;
	cluster->deadline_timer = 0;
	g_autoptr(GError) error = NULL;
	if (!usher_cluster_attempt(cluster, /* dry_run */ false, stage_overdue, NULL, &error))
		usher_log(USHER_LOG_WARNING, NULL, "end what is overdue: %s", error->message);
	usher_operation_watch_deadlines(cluster);
}

void usher_operation_watch_deadlines(UsherCluster *cluster)
{
	if (cluster->deadline_timer != 0)
		cluster->clock->ops->cancel(cluster->clock, cluster->deadline_timer);
	cluster->deadline_timer = 0;
	int64_t soonest = INT64_MAX;
	g_autoptr(GPtrArray) operations =
		usher_world_list(cluster->world, USHER_TABLE_OPERATION, "");
	for (unsigned i = 0; i < operations->len; i++) {
		const UsherOperation *operation = operations->pdata[i];
		if (operation->state == USHER_OPERATION_QUEUED)
			soonest = MIN(soonest, operation->deadline);
	}
	if (soonest == INT64_MAX)
		return;
	int64_t wait =
		MAX(soonest - cluster->clock->ops->wall(cluster->clock), 0) + DEADLINE_SLACK_US;
	cluster->deadline_timer =
		cluster->clock->ops->after(cluster->clock, wait, end_overdue, cluster);
}

typedef struct UsherCancelling {
	const UsherAsk *ask;
	const char *id;
} UsherCancelling;

static bool stage_cancel(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	const UsherCancelling *cancelling = data;
	const UsherOperation *operation = usher_cluster_find(
		cluster, USHER_TABLE_OPERATION, "operation", cancelling->id, error);
	if (operation == NULL)
		return false;
	if (usher_operation_state_is_end(operation->state)) {
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"operation %s has ended already: it is %s", operation->id,
			usher_operation_state_name(operation->state));
		return false;
	}
	if (operation->state == USHER_OPERATION_QUEUED) {
		g_autofree char *why = g_strdup_printf("cancelled by %s", cancelling->ask->actor);
		stage_never_begun(cluster, txn, operation, USHER_OPERATION_CANCELLED,
			USHER_ERROR_CONFLICT, why);
		return true;
	}
	g_autoptr(UsherOperation) asked = usher_operation_dup(operation);
	asked->cancel = true;
	usher_world_put(cluster->world, txn, USHER_TABLE_OPERATION, asked->id, asked);
	usher_cluster_tell(cluster, txn, cancelling->ask->actor, "cancelled", asked->object,
		"operation %s was asked to undo", asked->id);
	return true;
}

UsherOperation *usher_cluster_operation_cancel(
	UsherCluster *cluster, const UsherAsk *ask, const char *id, GError **error)
{
	UsherCancelling cancelling = { ask, id };
	if (!usher_cluster_attempt(cluster, ask->dry_run, stage_cancel, &cancelling, error))
		return NULL;
	return usher_operation_dup(usher_world_get(cluster->world, USHER_TABLE_OPERATION, id));
}
