/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual machines: taken in, given requests, started, stopped. */
#include "cluster/private.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/plan.h"

#define SECOND          G_TIME_SPAN_SECOND
#define MARK_TIMEOUT    (30 * SECOND)
#define EXAMINE_TIMEOUT (30 * SECOND)
#define START_TIMEOUT   (180 * SECOND)
#define UNPLUG_TIMEOUT  (60 * SECOND)
#define RETURN_TIMEOUT  (120 * SECOND)
/* Beside what the guest may take to go off: for the devices to come home. */
#define STOP_TIMEOUT (60 * SECOND)
#define MAX_COUNT    64

/* One wish about a vm, and the operation that comes of it. */
typedef struct UsherWish {
	const UsherAsk *ask;
	const char *name;
	const char *node;
	const char *group, *request;
	const UsherRequest *new_request;
	bool without_devices, force, now;
	int64_t timeout_us;
	UsherOperation *operation;
} UsherWish;

static UsherOperation *fulfil(
	UsherCluster *cluster, UsherWish *wish, UsherAttempt attempt, GError **error)
{
	if (usher_cluster_attempt(cluster, wish->ask->dry_run, attempt, wish, error)) {
		g_assert(wish->operation != NULL);
		return wish->operation;
	}
	usher_operation_free(wish->operation);
	return NULL;
}

/* The wish's operation anew: an attempt may be the second. */
static UsherOperation *begin(UsherCluster *cluster, UsherWish *wish, UsherOperationKind kind,
	const char *node, int64_t timeout_us)
{
	usher_operation_free(wish->operation);
	g_autofree char *object = g_strconcat("vm/", wish->name, NULL);
	wish->operation = usher_operation_begin(cluster, wish->ask, kind, node, object, timeout_us);
	return wish->operation;
}

static void stage(UsherCluster *cluster, UsherTxn *txn, const UsherWish *wish)
{
	if (!wish->ask->dry_run)
		usher_operation_stage(cluster, txn, wish->operation);
}

static bool node_is_there(UsherCluster *cluster, const char *node, GError **error)
{
	if (usher_cluster_node_is_live(cluster, node))
		return true;
	usher_error_set(error, USHER_ERROR_UNAVAILABLE, "node %s does not answer", node);
	return false;
}

static const UsherVm *find_idle_vm(UsherCluster *cluster, const char *name, GError **error)
{
	const UsherVm *vm = usher_cluster_find(cluster, USHER_TABLE_VM, "vm", name, error);
	g_autofree char *object = g_strconcat("vm/", name, NULL);
	if (vm == NULL || !usher_cluster_is_idle(cluster, object, error))
		return NULL;
	return vm;
}

/* The guest of that name on the node, or on the only node that has one. */
static const UsherGuestInfo *find_guest(UsherCluster *cluster, const char *name,
	const char *wanted_node, const char **out_node, GError **error)
{
	const UsherGuestInfo *found = NULL;
	g_autoptr(GPtrArray) nodes = usher_world_list(cluster->world, USHER_TABLE_NODE, "");
	for (unsigned i = 0; i < nodes->len; i++) {
		const UsherNodeInfo *node = nodes->pdata[i];
		if (wanted_node != NULL && strcmp(node->name, wanted_node) != 0)
			continue;
		g_autofree char *prefix = g_strconcat(node->name, "/", NULL);
		g_autoptr(GPtrArray) guests =
			usher_world_list(cluster->world, USHER_TABLE_GUEST, prefix);
		for (unsigned j = 0; j < guests->len; j++) {
			const UsherGuestInfo *guest = guests->pdata[j];
			if (strcmp(guest->name, name) != 0)
				continue;
			if (found != NULL) {
				usher_error_set(error, USHER_ERROR_INVALID,
					"there is a domain '%s' on several nodes: name one by "
					"--node",
					name);
				return NULL;
			}
			found = guest;
			*out_node = node->name;
		}
	}
	if (found == NULL)
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no domain '%s'%s%s", name,
			wanted_node != NULL ? " on node " : "",
			wanted_node != NULL ? wanted_node : "");
	return found;
}

static bool stage_adopt(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherWish *wish = data;
	g_autofree char *object = g_strconcat("vm/", wish->name, NULL);
	if (usher_world_get(cluster->world, USHER_TABLE_VM, wish->name) != NULL) {
		usher_error_set(
			error, USHER_ERROR_CONFLICT, "vm '%s' is adopted already", wish->name);
		return false;
	}
	const char *node;
	const UsherGuestInfo *guest = find_guest(cluster, wish->name, wish->node, &node, error);
	if (guest == NULL || !usher_cluster_is_idle(cluster, object, error) ||
		!node_is_there(cluster, node, error))
		return false;
	if (!guest->persistent) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"domain '%s' is transient: define it first", wish->name);
		return false;
	}
	UsherOperation *operation = begin(cluster, wish, USHER_KIND_VM_ADOPT, node, MARK_TIMEOUT);
	usher_operation_argue(operation, "uuid", guest->uuid);
	usher_operation_argue(operation, "backend", guest->backend);
	stage(cluster, txn, wish);
	return true;
}

UsherOperation *usher_cluster_vm_adopt(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	const char *node, GError **error)
{
	UsherWish wish = { .ask = ask, .name = name, .node = node };
	return fulfil(cluster, &wish, stage_adopt, error);
}

static bool stage_examine(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherWish *wish = data;
	const char *node;
	const UsherGuestInfo *guest = find_guest(cluster, wish->name, wish->node, &node, error);
	g_autofree char *object = g_strconcat("domain/", wish->name, NULL);
	if (guest == NULL || !usher_cluster_is_idle(cluster, object, error) ||
		!node_is_there(cluster, node, error))
		return false;
	usher_operation_free(wish->operation);
	wish->operation = usher_operation_begin(
		cluster, wish->ask, USHER_KIND_GUEST_EXAMINE, node, object, EXAMINE_TIMEOUT);
	usher_operation_argue(wish->operation, "uuid", guest->uuid);
	stage(cluster, txn, wish);
	return true;
}

UsherOperation *usher_cluster_guest_examine(UsherCluster *cluster, const UsherAsk *ask,
	const char *name, const char *node, GError **error)
{
	UsherWish wish = { .ask = ask, .name = name, .node = node };
	return fulfil(cluster, &wish, stage_examine, error);
}

static bool stage_forget(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherWish *wish = data;
	const UsherVm *vm = find_idle_vm(cluster, wish->name, error);
	if (vm == NULL)
		return false;
	g_autoptr(GPtrArray) leases = usher_cluster_leases_of_vm(cluster, wish->name);
	if (leases->len > 0) {
		const UsherLease *lease = leases->pdata[0];
		usher_error_set(error, USHER_ERROR_BUSY,
			"vm '%s' has %s by lease %s: stop it first", wish->name,
			lease->device->address, lease->id);
		return false;
	}
	if (!node_is_there(cluster, vm->home, error))
		return false;
	UsherOperation *operation =
		begin(cluster, wish, USHER_KIND_VM_FORGET, vm->home, MARK_TIMEOUT);
	usher_operation_argue(operation, "uuid", vm->uuid);
	stage(cluster, txn, wish);
	return true;
}

UsherOperation *usher_cluster_vm_forget(
	UsherCluster *cluster, const UsherAsk *ask, const char *name, GError **error)
{
	UsherWish wish = { .ask = ask, .name = name };
	return fulfil(cluster, &wish, stage_forget, error);
}

static bool stage_attach(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherWish *wish = data;
	const UsherRequest *asked = wish->new_request;
	const UsherVm *vm = usher_cluster_find(cluster, USHER_TABLE_VM, "vm", wish->name, error);
	if (vm == NULL ||
		usher_cluster_find(cluster, USHER_TABLE_GROUP, "group", asked->group, error) ==
			NULL)
		return false;
	if (asked->count < 0 || asked->count > MAX_COUNT) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "count must be from 1 to %d", MAX_COUNT);
		return false;
	}
	g_autoptr(UsherVm) changed = usher_vm_dup(vm);
	UsherRequest *request = usher_request_dup(asked);
	g_free(request->id);
	request->id = usher_cluster_new_id(cluster, "r-");
	request->count = asked->count == 0 ? 1 : asked->count;
	g_ptr_array_add(changed->requests, request);
	usher_world_put(cluster->world, txn, USHER_TABLE_VM, vm->name, changed);
	g_autofree char *object = g_strconcat("vm/", vm->name, NULL);
	usher_cluster_tell(cluster, txn, wish->ask->actor, "attached", object,
		"%s requests %" G_GINT64_FORMAT " of group %s", object, request->count,
		request->group);
	return true;
}

bool usher_cluster_vm_attach(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	const UsherRequest *request, GError **error)
{
	UsherWish wish = { .ask = ask, .name = name, .new_request = request };
	return usher_cluster_attempt(cluster, ask->dry_run, stage_attach, &wish, error);
}

static const UsherRequest *find_request(
	const UsherVm *vm, const char *group, const char *id, GError **error)
{
	const UsherRequest *found = NULL;
	for (unsigned i = 0; i < vm->requests->len; i++) {
		const UsherRequest *request = vm->requests->pdata[i];
		bool is_it = id != NULL ? strcmp(request->id, id) == 0
					: g_strcmp0(request->group, group) == 0;
		if (!is_it)
			continue;
		if (found != NULL) {
			usher_error_set(error, USHER_ERROR_INVALID,
				"vm '%s' has several requests of group %s: name one by --request",
				vm->name, group);
			return NULL;
		}
		found = request;
	}
	if (found == NULL)
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "vm '%s' has no request %s%s",
			vm->name, id != NULL ? "" : "of group ", id != NULL ? id : group);
	return found;
}

static bool stage_detach(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherWish *wish = data;
	const UsherVm *vm = find_idle_vm(cluster, wish->name, error);
	const UsherRequest *request =
		vm != NULL ? find_request(vm, wish->group, wish->request, error) : NULL;
	if (request == NULL)
		return false;
	UsherOperation *operation =
		begin(cluster, wish, USHER_KIND_VM_DETACH, vm->home, UNPLUG_TIMEOUT);
	usher_operation_argue(operation, "uuid", vm->uuid);
	usher_operation_argue(operation, "request", request->id);
	g_autoptr(GPtrArray) leases = usher_cluster_leases_of_vm(cluster, vm->name);
	for (unsigned i = 0; wish->now && i < leases->len; i++) {
		const UsherLease *lease = leases->pdata[i];
		if (g_strcmp0(lease->request, request->id) == 0)
			g_ptr_array_add(operation->leases, g_strdup(lease->id));
	}
	if (operation->leases->len > 0) {
		if (!node_is_there(cluster, vm->home, error))
			return false;
		stage(cluster, txn, wish);
		return true;
	}
	usher_operation_end_at_once(cluster, operation);
	if (!wish->ask->dry_run)
		usher_operation_stage_end(cluster, txn, operation);
	return true;
}

UsherOperation *usher_cluster_vm_detach(UsherCluster *cluster, const UsherAsk *ask,
	const char *name, const char *group, const char *request, bool now, GError **error)
{
	UsherWish wish = {
		.ask = ask, .name = name, .group = group, .request = request, .now = now
	};
	return fulfil(cluster, &wish, stage_detach, error);
}

static GPtrArray *enough_lease_ids(UsherCluster *cluster, const UsherVm *vm)
{
	GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < vm->requests->len; i++) {
		const UsherRequest *request = vm->requests->pdata[i];
		for (int64_t n = 0; n < request->count; n++)
			g_ptr_array_add(ids, usher_cluster_new_id(cluster, "l-"));
	}
	return ids;
}

/* The group's policy; by class, storage and network stay held, the rest goes to the host. */
static const char *return_policy(const UsherGroup *group, const UsherDevice *device)
{
	if (group->give_back != USHER_RETURN_BY_CLASS)
		return group->give_back == USHER_RETURN_HOLD ? "hold" : "host";
	return device->type == USHER_TYPE_STORAGE || device->type == USHER_TYPE_NETWORK ? "hold"
											: "host";
}

static UsherLease *lease_of_pick(UsherCluster *cluster, const UsherView *view, const UsherVm *vm,
	const UsherPick *pick, const char *operation)
{
	UsherLease *lease = usher_lease_new();
	lease->id = g_strdup(pick->lease);
	lease->guest = usher_guest_ref_new();
	lease->guest->kind = g_strdup("vm");
	lease->guest->name = g_strdup(vm->name);
	lease->tenant = g_strdup("provider");
	lease->request = g_strdup(pick->request->id);
	lease->group = g_strdup(pick->request->group);
	lease->node = g_strdup(view->node.name);
	lease->device = usher_device_ref_new();
	lease->device->id = g_strdup(pick->device->id);
	lease->device->address = g_strdup(pick->device->address);
	for (unsigned i = 1; i < pick->taken->len; i++) {
		const UsherDevice *companion = pick->taken->pdata[i];
		g_ptr_array_add(lease->companions, g_strdup(companion->address));
	}
	lease->state = USHER_LEASE_RESERVED;
	lease->since = cluster->clock->ops->wall(cluster->clock);
	lease->operation = g_strdup(operation);
	lease->unit = g_strdup(pick->ledger->unit);
	lease->uuid = g_strdup(vm->uuid);
	lease->give_back = g_strdup(
		return_policy(usher_place_group(&view->node, pick->request->group), pick->device));
	return lease;
}

/* Reserves the picks: leases, and the ledgers as they are after the last pick of each unit. */
static void stage_picks(UsherCluster *cluster, UsherTxn *txn, const UsherView *view,
	const UsherVm *vm, const GPtrArray *picks, UsherOperation *operation)
{
	g_autoptr(GHashTable) units = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) relied = g_hash_table_new(g_str_hash, g_str_equal);
	for (unsigned i = picks->len; i-- > 0;) {
		const UsherPick *pick = picks->pdata[i];
		if (g_hash_table_add(units, pick->ledger->unit)) {
			g_autofree char *name =
				g_strdup_printf("%s/%s", view->node.name, pick->ledger->unit);
			usher_world_put(
				cluster->world, txn, USHER_TABLE_LEDGER, name, pick->ledger);
		}
		for (unsigned j = 0; j < pick->taken->len; j++) {
			const UsherDevice *device = pick->taken->pdata[j];
			g_autofree char *name =
				g_strdup_printf("%s/%s", view->node.name, device->id);
			if (!g_hash_table_add(relied, device->id))
				continue;
			usher_world_rely_on(cluster->world, txn, USHER_TABLE_DEVICE, name);
			/* Only a held one may be on its way to the host. */
			g_autofree char *object = g_strconcat("device/", device->id, NULL);
			if (device->state == USHER_DEVICE_HELD)
				usher_world_rely_on(
					cluster->world, txn, USHER_TABLE_ACTIVE, object);
		}
	}
	for (unsigned i = 0; i < picks->len; i++) {
		g_autoptr(UsherLease) lease =
			lease_of_pick(cluster, view, vm, picks->pdata[i], operation->id);
		usher_world_put(cluster->world, txn, USHER_TABLE_LEASE, lease->id, lease);
		g_ptr_array_add(operation->leases, g_strdup(lease->id));
	}
}

/* What the node would do, as far as it is known here. */
static void preview_steps(UsherCluster *cluster, const UsherView *view, const UsherVm *vm,
	const GPtrArray *picks, UsherOperation *operation)
{
	g_autoptr(UsherInventory) seen = usher_inventory_new();
	for (unsigned i = 0; i < view->devices->len; i++)
		g_ptr_array_add(seen->devices, usher_device_dup(view->devices->pdata[i]));
	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(usher_step_type.free);
	for (unsigned i = 0; i < picks->len; i++) {
		g_autoptr(UsherLease) lease =
			lease_of_pick(cluster, view, vm, picks->pdata[i], operation->id);
		(void) usher_plan_take(seen, lease, steps, NULL);
	}
	UsherStep *start = usher_step_new();
	start->kind = USHER_STEP_GUEST_START;
	start->guest = g_strdup(vm->name);
	g_ptr_array_add(steps, start);
	for (unsigned i = 0; i < steps->len; i++) {
		UsherOperationStep *step = usher_operation_step_new();
		step->text = usher_step_print(steps->pdata[i]);
		g_ptr_array_add(operation->steps, step);
	}
}

static void stage_want(UsherCluster *cluster, UsherTxn *txn, const UsherVm *vm, UsherWant want)
{
	g_autoptr(UsherVm) changed = usher_vm_dup(vm);
	changed->want = want;
	usher_world_put(cluster->world, txn, USHER_TABLE_VM, vm->name, changed);
}

/* Nothing to do, or a refusal, for a vm that is not off; true: it is off and may be started. */
static bool may_start(UsherCluster *cluster, const UsherVm *vm, bool *out_runs, GError **error)
{
	*out_runs = false;
	if (!node_is_there(cluster, vm->home, error))
		return false;
	const UsherGuestInfo *guest = usher_cluster_guest_of(cluster, vm);
	if (guest == NULL) {
		usher_error_set(error, USHER_ERROR_NOT_FOUND,
			"node %s has no domain '%s' with uuid %s any more", vm->home, vm->name,
			vm->uuid);
		return false;
	}
	if (guest->state == USHER_GUEST_SHUT_OFF)
		return true;
	if (guest->state == USHER_GUEST_CRASHED) {
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"it has crashed and is kept as it is: stop it with --force first");
		return false;
	}
	g_autoptr(GPtrArray) leases = usher_cluster_leases_of_vm(cluster, vm->name);
	if (leases->len == 0 && vm->requests->len > 0) {
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"it is %s already, started by another hand without its devices: stop it "
			"first",
			usher_guest_state_name(guest->state));
		return false;
	}
	*out_runs = true;
	return true;
}

static bool stage_start(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherWish *wish = data;
	const UsherVm *vm = find_idle_vm(cluster, wish->name, error);
	bool runs;
	if (vm == NULL || !may_start(cluster, vm, &runs, error))
		return false;
	UsherOperation *operation =
		begin(cluster, wish, USHER_KIND_VM_START, vm->home, START_TIMEOUT);
	if (runs) {
		usher_operation_end_at_once(cluster, operation);
		return true;
	}
	usher_operation_argue(operation, "uuid", vm->uuid);
	g_autoptr(UsherVm) wanted = usher_vm_dup(vm);
	if (wish->without_devices)
		g_ptr_array_set_size(wanted->requests, 0);
	g_autoptr(UsherView) view = usher_view_new(cluster, vm->home);
	g_autoptr(GPtrArray) ids = enough_lease_ids(cluster, wanted);
	g_autoptr(GPtrArray) picks = usher_place_choose(
		&view->node, wanted, ids, cluster->clock->ops->wall(cluster->clock), error);
	if (picks == NULL)
		return false;
	if (wish->ask->dry_run) {
		preview_steps(cluster, view, vm, picks, operation);
		return true;
	}
	stage_picks(cluster, txn, view, vm, picks, operation);
	stage_want(cluster, txn, vm, USHER_WANT_RUNNING);
	usher_operation_stage(cluster, txn, operation);
	return true;
}

UsherOperation *usher_cluster_vm_start(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	bool without_devices, GError **error)
{
	UsherWish wish = { .ask = ask, .name = name, .without_devices = without_devices };
	g_autoptr(GError) problem = NULL;
	UsherOperation *operation = fulfil(cluster, &wish, stage_start, &problem);
	if (operation != NULL)
		return operation;
	if (usher_error_object(problem) == NULL) {
		g_autofree char *object = g_strconcat("vm/", name, NULL);
		g_autofree char *why = g_steal_pointer(&problem->message);
		problem->message = usher_operation_refusal(USHER_KIND_VM_START, object, why);
		usher_error_set_object(problem, object);
	}
	g_propagate_error(error, g_steal_pointer(&problem));
	return NULL;
}

static bool stage_stop(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherWish *wish = data;
	const UsherVm *vm = find_idle_vm(cluster, wish->name, error);
	if (vm == NULL || !node_is_there(cluster, vm->home, error))
		return false;
	UsherOperation *operation =
		begin(cluster, wish, USHER_KIND_VM_STOP, vm->home, wish->timeout_us + STOP_TIMEOUT);
	usher_operation_argue(operation, "uuid", vm->uuid);
	usher_operation_argue(operation, "force", wish->force ? "yes" : "no");
	g_autofree char *until = usher_text_print_time(operation->created + wish->timeout_us);
	usher_operation_argue(operation, "off_until", until);
	g_autoptr(GPtrArray) leases = usher_cluster_leases_of_vm(cluster, vm->name);
	for (unsigned i = 0; i < leases->len; i++) {
		const UsherLease *lease = leases->pdata[i];
		g_ptr_array_add(operation->leases, g_strdup(lease->id));
	}
	const UsherGuestInfo *guest = usher_cluster_guest_of(cluster, vm);
	bool is_off = guest == NULL || guest->state == USHER_GUEST_SHUT_OFF;
	if (is_off && leases->len == 0) {
		usher_operation_end_at_once(cluster, operation);
		return true;
	}
	if (wish->ask->dry_run)
		return true;
	stage_want(cluster, txn, vm, USHER_WANT_STOPPED);
	usher_operation_stage(cluster, txn, operation);
	return true;
}

UsherOperation *usher_cluster_vm_stop(UsherCluster *cluster, const UsherAsk *ask, const char *name,
	bool force, int64_t timeout_us, GError **error)
{
	UsherWish wish = { .ask = ask, .name = name, .force = force, .timeout_us = timeout_us };
	return fulfil(cluster, &wish, stage_stop, error);
}

typedef struct UsherReturning {
	const UsherAsk *ask;
	const char *device;
	UsherOperation *operation;
} UsherReturning;

static const UsherDevice *find_by_name(UsherCluster *cluster, const char *name, GError **error)
{
	g_autoptr(GPtrArray) devices = usher_world_list(cluster->world, USHER_TABLE_DEVICE, "");
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDevice *device = devices->pdata[i];
		g_autofree char *full = g_strdup_printf("%s/%s", device->node, device->address);
		/* One that is absent has no address any more: another may be there. */
		bool is_there = device->state != USHER_DEVICE_ABSENT;
		bool is_at = strcmp(full, name) == 0 || strcmp(device->address, name) == 0;
		if (strcmp(device->id, name) == 0 || (is_there && is_at))
			return device;
	}
	usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no device '%s'", name);
	return NULL;
}

/* Nobody is given a part of its unit while it goes home: a lease would be of a device without vfio-pci. */
static bool rely_on_free_unit(
	UsherCluster *cluster, UsherTxn *txn, const UsherDevice *device, GError **error)
{
	g_autoptr(UsherView) view = usher_view_new(cluster, device->node);
	g_autofree char *unit = usher_place_free_unit(&view->node, device, error);
	if (unit == NULL) {
		g_prefix_error(error, "device %s can't be returned: ", device->address);
		return false;
	}
	g_autofree char *ledger = g_strdup_printf("%s/%s", device->node, unit);
	g_autofree char *name = g_strdup_printf("%s/%s", device->node, device->id);
	usher_world_rely_on(cluster->world, txn, USHER_TABLE_LEDGER, ledger);
	usher_world_rely_on(cluster->world, txn, USHER_TABLE_DEVICE, name);
	return true;
}

static bool stage_return(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherReturning *returning = data;
	const UsherDevice *device = find_by_name(cluster, returning->device, error);
	if (device == NULL || !node_is_there(cluster, device->node, error))
		return false;
	if (device->state != USHER_DEVICE_HELD || device->was == NULL) {
		usher_error_set(error, USHER_ERROR_CONFLICT, "device %s is not held: it is %s",
			device->address, usher_device_state_name(device->state));
		return false;
	}
	g_autofree char *object = g_strconcat("device/", device->id, NULL);
	if (!usher_cluster_is_idle(cluster, object, error) ||
		!rely_on_free_unit(cluster, txn, device, error))
		return false;
	usher_operation_free(returning->operation);
	returning->operation = usher_operation_begin(cluster, returning->ask,
		USHER_KIND_DEVICE_RETURN, device->node, object, RETURN_TIMEOUT);
	usher_operation_argue(returning->operation, "address", device->address);
	usher_operation_argue(returning->operation, "driver", device->was->driver);
	usher_operation_argue(
		returning->operation, "driver_override", device->was->driver_override);
	usher_operation_argue(returning->operation, "identity", device->was->identity);
	if (!returning->ask->dry_run)
		usher_operation_stage(cluster, txn, returning->operation);
	return true;
}

UsherOperation *usher_cluster_device_return(
	UsherCluster *cluster, const UsherAsk *ask, const char *device, GError **error)
{
	UsherReturning returning = { .ask = ask, .device = device };
	if (usher_cluster_attempt(cluster, ask->dry_run, stage_return, &returning, error))
		return returning.operation;
	usher_operation_free(returning.operation);
	return NULL;
}
