/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes report, taken into the store; what is wanted of them, read from it. */
#include "cluster/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

/* How long a node counts as there without a word; it speaks at least every third of it. */
#define SESSION_TTL_US (90 * G_TIME_SPAN_SECOND)
/* Guests written in one transaction. */
#define GUESTS_AT_ONCE 50

typedef struct UsherIntake {
	const UsherReport *report;
	const void *item; /* what of it this attempt takes in */
	char *session;
	unsigned from; /* first guest of this transaction */
} UsherIntake;

/* ---- the session ---- */

static void fill_node(UsherCluster *cluster, const UsherReport *report, UsherNodeInfo *node)
{
	node->name = g_strdup(report->node);
	node->machine_id = g_strdup(report->machine_id);
	node->boot_id = g_strdup(report->boot_id);
	node->instance = g_strdup(report->instance);
	node->kernel = g_strdup(report->kernel);
	node->agent_version = g_strdup(report->agent_version);
	node->ready = report->ready;
	node->devices = report->devices_total;
	node->last_seen = cluster->clock->ops->wall(cluster->clock);
}

/* While the first lives, only itself, come back after a crash or a reboot, may take its place. */
static bool may_be_node(UsherCluster *cluster, const UsherReport *report, GError **error)
{
	const UsherNodeInfo *node = usher_world_get(cluster->world, USHER_TABLE_NODE, report->node);
	if (node == NULL || !usher_cluster_node_is_live(cluster, report->node))
		return true;
	bool is_machine = g_strcmp0(node->machine_id, report->machine_id) == 0;
	bool is_boot = g_strcmp0(node->boot_id, report->boot_id) == 0;
	bool is_instance = g_strcmp0(node->instance, report->instance) == 0;
	if (is_machine && (is_instance || !is_boot))
		return true;
	usher_error_set(error, USHER_ERROR_CONFLICT,
		"node %s is another %s, and it lives (machine-id %s)", report->node,
		is_machine ? "agent of this machine" : "machine", node->machine_id);
	return false;
}

static bool stage_session(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	UsherIntake *intake = data;
	if (!may_be_node(cluster, intake->report, error))
		return false;
	const char *name = intake->report->node;
	g_autoptr(UsherNodeInfo) node = usher_node_info_new();
	fill_node(cluster, intake->report, node);
	g_autoptr(UsherNodeLive) live = usher_node_live_new();
	live->name = g_strdup(name);
	live->session = g_strdup(intake->session);
	usher_world_put(cluster->world, txn, USHER_TABLE_NODE, name, node);
	usher_world_put_for_session(
		cluster->world, txn, USHER_TABLE_LIVE, name, live, intake->session);
	g_autofree char *object = g_strconcat("node/", name, NULL);
	g_autofree char *actor = g_strconcat("agent ", name, NULL);
	usher_cluster_tell(cluster, txn, actor, "joined", object, "node %s is there", name);
	return true;
}

static char *open_session(UsherCluster *cluster, const UsherReport *report, GError **error)
{
	if (!usher_text_is_name(report->node)) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "'%s' is no name for a node", report->node);
		return NULL;
	}
	if (!usher_world_refresh(cluster->world, error) || !may_be_node(cluster, report, error))
		return NULL;
	const UsherNodeLive *before =
		usher_world_get(cluster->world, USHER_TABLE_LIVE, report->node);
	g_autofree char *old = before != NULL ? g_strdup(before->session) : NULL;
	UsherIntake intake = { .report = report };
	intake.session = cluster->store->ops->session_open(cluster->store, SESSION_TTL_US, error);
	if (intake.session == NULL)
		return NULL;
	if (!usher_cluster_attempt(cluster, /* dry_run */ false, stage_session, &intake, error)) {
		(void) cluster->store->ops->session_close(cluster->store, intake.session, NULL);
		g_free(intake.session);
		return NULL;
	}
	if (old != NULL)
		(void) cluster->store->ops->session_close(cluster->store, old, NULL);
	return intake.session;
}

static bool renew_session(UsherCluster *cluster, const UsherReport *report, GError **error)
{
	if (!usher_world_refresh(cluster->world, error))
		return false;
	const UsherNodeLive *live = usher_world_get(cluster->world, USHER_TABLE_LIVE, report->node);
	g_autoptr(GError) problem = NULL;
	if (live != NULL && strcmp(live->session, report->session) == 0 &&
		cluster->store->ops->session_renew(cluster->store, report->session, &problem))
		return true;
	usher_error_set(
		error, USHER_ERROR_UNAVAILABLE, "the session of node %s has ended", report->node);
	return false;
}

/* ---- devices and guests ---- */

static bool stage_node(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	(void) error;
	const UsherReport *report = ((UsherIntake *) data)->report;
	const UsherNodeInfo *known =
		usher_world_get(cluster->world, USHER_TABLE_NODE, report->node);
	if (known == NULL ||
		(known->ready == report->ready && known->devices == report->devices_total))
		return true;
	g_autoptr(UsherNodeInfo) node = usher_node_info_new();
	fill_node(cluster, report, node);
	usher_world_put(cluster->world, txn, USHER_TABLE_NODE, report->node, node);
	return true;
}

/* The device as it is with this report. NULL: nobody knows it. */
static const UsherDevice *device_with(
	UsherCluster *cluster, const UsherReport *report, const char *id)
{
	for (unsigned i = 0; i < report->devices->len; i++) {
		const UsherDevice *device = report->devices->pdata[i];
		if (g_strcmp0(device->id, id) == 0)
			return device;
	}
	g_autofree char *name = g_strdup_printf("%s/%s", report->node, id);
	return usher_world_get(cluster->world, USHER_TABLE_DEVICE, name);
}

/* All of the entry's devices are with the host or held, or gone: none is still on its way. */
static bool is_at_peace(
	UsherCluster *cluster, const UsherReport *report, const UsherLedgerEntry *entry)
{
	for (unsigned i = 0; i < entry->devices->len; i++) {
		const char *id = entry->devices->pdata[i];
		const UsherDevice *device = device_with(cluster, report, id);
		bool is_gone = device == NULL || device->state == USHER_DEVICE_ABSENT ||
			g_ptr_array_find_with_equal_func(report->gone, id, g_str_equal, NULL);
		if (!is_gone && device->state != USHER_DEVICE_HOST &&
			device->state != USHER_DEVICE_HELD)
			return false;
	}
	return true;
}

/* What is at peace again is no longer fenced or in quarantine. */
static void stage_cleared(UsherCluster *cluster, UsherTxn *txn, const UsherReport *report,
	const UsherDevice *device, GHashTable *cleared)
{
	g_autofree char *prefix = g_strconcat(report->node, "/", NULL);
	g_autoptr(GPtrArray) ledgers = usher_world_list(cluster->world, USHER_TABLE_LEDGER, prefix);
	for (unsigned i = 0; i < ledgers->len; i++) {
		const UsherLedger *ledger = ledgers->pdata[i];
		const UsherLedgerEntry *entry = usher_ledger_holder(ledger, device->id);
		if (entry == NULL || entry->lease != NULL || !is_at_peace(cluster, report, entry) ||
			!g_hash_table_add(cleared, ledger->unit))
			continue;
		g_autoptr(UsherLedger) after = usher_ledger_clear(ledger, device->id);
		g_autofree char *name = g_strconcat(prefix, ledger->unit, NULL);
		usher_world_put(cluster->world, txn, USHER_TABLE_LEDGER, name, after);
	}
}

static char *follow_address(const GHashTable *moved, const char *address)
{
	const char *now = g_hash_table_lookup((GHashTable *) (uintptr_t) moved, address);
	return g_strdup(now != NULL ? now : address);
}

/* Leases hold ids; where nothing was done yet at the old addresses, they follow to the new ones. */
static void stage_moved_leases(
	UsherCluster *cluster, UsherTxn *txn, const char *node, const GHashTable *moved)
{
	g_autoptr(GPtrArray) leases = usher_cluster_leases_on(cluster, node);
	for (unsigned i = 0; i < leases->len; i++) {
		const UsherLease *known = leases->pdata[i];
		if (known->state != USHER_LEASE_RESERVED)
			continue;
		g_autoptr(UsherLease) lease = usher_lease_dup(known);
		g_free(lease->device->address);
		lease->device->address = follow_address(moved, known->device->address);
		for (unsigned j = 0; j < known->companions->len; j++) {
			g_free(lease->companions->pdata[j]);
			lease->companions->pdata[j] =
				follow_address(moved, known->companions->pdata[j]);
		}
		usher_world_put(cluster->world, txn, USHER_TABLE_LEASE, lease->id, lease);
	}
}

/* So many are told each by itself; more, as when buses shift, in one event: a transaction is small. */
#define MOVED_TOLD_EACH 8

static void tell_moved(UsherCluster *cluster, UsherTxn *txn, const char *node,
	const GPtrArray *sentences, const GPtrArray *ids)
{
	g_autofree char *actor = g_strconcat("agent ", node, NULL);
	for (unsigned i = 0; sentences->len <= MOVED_TOLD_EACH && i < sentences->len; i++) {
		g_autofree char *object =
			g_strdup_printf("device/%s/%s", node, (char *) ids->pdata[i]);
		usher_cluster_tell(
			cluster, txn, actor, "moved", object, "%s", (char *) sentences->pdata[i]);
	}
	if (sentences->len <= MOVED_TOLD_EACH)
		return;
	g_autofree char *object = g_strconcat("node/", node, NULL);
	g_autofree char *all = usher_text_join_array(sentences, ", ");
	usher_cluster_tell(cluster, txn, actor, "moved", object, "%u devices of %s: %s",
		sentences->len, node, all);
}

/* Records that are at another address than before. */
static void stage_moved(UsherCluster *cluster, UsherTxn *txn, const UsherReport *report)
{
	g_autoptr(GHashTable) moved = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) sentences = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	for (unsigned i = 0; i < report->devices->len; i++) {
		const UsherDevice *device = report->devices->pdata[i];
		g_autofree char *name = g_strdup_printf("%s/%s", report->node, device->id);
		const UsherDevice *known =
			usher_world_get(cluster->world, USHER_TABLE_DEVICE, name);
		if (known == NULL || device->state == USHER_DEVICE_ABSENT ||
			strcmp(known->address, device->address) == 0)
			continue;
		g_hash_table_insert(moved, known->address, device->address);
		g_ptr_array_add(ids, device->id);
		g_ptr_array_add(sentences,
			g_strdup_printf("%s moved from %s to %s", device->id, known->address,
				device->address));
	}
	if (sentences->len == 0)
		return;
	tell_moved(cluster, txn, report->node, sentences, ids);
	stage_moved_leases(cluster, txn, report->node, moved);
}

static bool stage_devices(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	const UsherReport *report = ((UsherIntake *) data)->report;
	if (report->devices->len + report->gone->len > USHER_REPORT_MAX_DEVICES) {
		usher_error_set(error, USHER_ERROR_INVALID, "a report of more than %d devices",
			USHER_REPORT_MAX_DEVICES);
		return false;
	}
	g_autoptr(GHashTable) cleared = g_hash_table_new(g_str_hash, g_str_equal);
	stage_moved(cluster, txn, report);
	for (unsigned i = 0; i < report->devices->len; i++) {
		g_autoptr(UsherDevice) device = usher_device_dup(report->devices->pdata[i]);
		if (device->id == NULL || strlen(device->id) > USHER_NAME_MAX) {
			usher_error_set(
				error, USHER_ERROR_INVALID, "device %s has no id", device->address);
			return false;
		}
		g_free(device->node);
		device->node = g_strdup(report->node);
		g_autofree char *name = g_strdup_printf("%s/%s", report->node, device->id);
		usher_world_put(cluster->world, txn, USHER_TABLE_DEVICE, name, device);
		stage_cleared(cluster, txn, report, device, cleared);
	}
	for (unsigned i = 0; i < report->gone->len; i++) {
		g_autofree char *name =
			g_strdup_printf("%s/%s", report->node, (char *) report->gone->pdata[i]);
		const UsherDevice *known =
			usher_world_get(cluster->world, USHER_TABLE_DEVICE, name);
		if (known == NULL ||
			(known->state == USHER_DEVICE_ABSENT && known->identity_problem == NULL))
			continue;
		g_autoptr(UsherDevice) absent = usher_device_dup(known);
		absent->state = USHER_DEVICE_ABSENT;
		g_clear_pointer(&absent->identity_problem, g_free);
		usher_world_put(cluster->world, txn, USHER_TABLE_DEVICE, name, absent);
	}
	return true;
}

static bool guests_are_equal(const UsherGuestInfo *one, const UsherGuestInfo *other)
{
	g_autofree char *text = usher_record_print(&usher_guest_info_type, one);
	g_autofree char *other_text = usher_record_print(&usher_guest_info_type, other);
	return strcmp(text, other_text) == 0;
}

static bool report_has_guest(const UsherReport *report, const char *uuid)
{
	for (unsigned i = 0; i < report->guests->len; i++) {
		const UsherGuestInfo *guest = report->guests->pdata[i];
		if (strcmp(guest->uuid, uuid) == 0)
			return true;
	}
	return false;
}

static bool stage_guests(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	(void) error;
	const UsherIntake *intake = data;
	const UsherReport *report = intake->report;
	unsigned end = MIN(intake->from + GUESTS_AT_ONCE, report->guests->len);
	for (unsigned i = intake->from; i < end; i++) {
		const UsherGuestInfo *guest = report->guests->pdata[i];
		g_autofree char *name = g_strdup_printf("%s/%s", report->node, guest->uuid);
		const UsherGuestInfo *known =
			usher_world_get(cluster->world, USHER_TABLE_GUEST, name);
		if (known == NULL || !guests_are_equal(known, guest))
			usher_world_put(cluster->world, txn, USHER_TABLE_GUEST, name, guest);
	}
	return true;
}

static bool stage_guests_gone(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	(void) error;
	const UsherReport *report = ((UsherIntake *) data)->report;
	g_autofree char *prefix = g_strconcat(report->node, "/", NULL);
	g_autoptr(GPtrArray) known = usher_world_list(cluster->world, USHER_TABLE_GUEST, prefix);
	for (unsigned i = 0, n = 0; i < known->len && n < GUESTS_AT_ONCE; i++) {
		const UsherGuestInfo *guest = known->pdata[i];
		if (report_has_guest(report, guest->uuid))
			continue;
		g_autofree char *name = g_strconcat(prefix, guest->uuid, NULL);
		usher_world_delete(cluster->world, txn, USHER_TABLE_GUEST, name);
		n++;
	}
	return true;
}

static bool take_in_guests(UsherCluster *cluster, UsherIntake *intake, GError **error)
{
	if (!intake->report->has_guests)
		return true;
	for (intake->from = 0; intake->from < intake->report->guests->len;
		intake->from += GUESTS_AT_ONCE) {
		if (!usher_cluster_attempt(
			    cluster, /* dry_run */ false, stage_guests, intake, error))
			return false;
	}
	return usher_cluster_attempt(
		cluster, /* dry_run */ false, stage_guests_gone, intake, error);
}

/* ---- leases and operations ---- */

/* Fence or quarantine, as the report says of the lease's device. */
static const char *bar_of(UsherCluster *cluster, const UsherReport *report, const UsherLease *lease)
{
	g_autofree char *name = g_strdup_printf("%s/%s", report->node, lease->device->id);
	const UsherDevice *device = usher_world_get(cluster->world, USHER_TABLE_DEVICE, name);
	return device != NULL && device->state == USHER_DEVICE_FENCED ? "fence" : "quarantine";
}

static bool stage_lease(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	(void) error;
	const UsherIntake *intake = data;
	const UsherLease *reported = intake->item;
	const UsherLease *known = usher_world_get(cluster->world, USHER_TABLE_LEASE, reported->id);
	if (known == NULL || g_strcmp0(known->node, intake->report->node) != 0 ||
		!usher_lease_state_may_reach(known->state, reported->state))
		return true;
	g_autoptr(UsherLease) lease = usher_lease_dup(known);
	lease->state = reported->state;
	g_free(lease->reason);
	lease->reason = g_strdup(reported->reason);
	if (reported->was->len > 0) {
		g_ptr_array_set_size(lease->was, 0);
		for (unsigned i = 0; i < reported->was->len; i++)
			g_ptr_array_add(lease->was, usher_was_dup(reported->was->pdata[i]));
	}
	if (usher_lease_state_is_end(lease->state) && lease->until == 0)
		lease->until = cluster->clock->ops->wall(cluster->clock);
	if (lease->state == known->state && g_strcmp0(lease->reason, known->reason) == 0 &&
		lease->was->len == known->was->len)
		return true;
	usher_lease_stage(cluster, txn, lease, bar_of(cluster, intake->report, lease));
	g_autofree char *object = g_strconcat("lease/", lease->id, NULL);
	g_autofree char *actor = g_strconcat("agent ", intake->report->node, NULL);
	usher_cluster_tell(cluster, txn, actor, usher_lease_state_name(lease->state), object,
		"%s %s: %s%s%s", lease->guest->name, lease->device->address,
		usher_lease_state_name(lease->state), lease->reason != NULL ? ": " : "",
		lease->reason != NULL ? lease->reason : "");
	return true;
}

/* The node's own operation, that is new here. */
static void stage_own_operation(UsherCluster *cluster, UsherTxn *txn, const UsherIntake *intake)
{
	const UsherOperation *reported = intake->item;
	g_autoptr(UsherOperation) own = usher_operation_dup(reported);
	g_free(own->node);
	own->node = g_strdup(intake->report->node);
	if (usher_operation_state_is_end(own->state)) {
		if (own->ended == 0)
			own->ended = cluster->clock->ops->wall(cluster->clock);
		usher_operation_stage_end(cluster, txn, own);
		return;
	}
	/* Its object may be busy with another that will fail: what the node does by itself goes on. */
	usher_world_put(cluster->world, txn, USHER_TABLE_OPERATION, own->id, own);
}

static bool stage_operation(UsherCluster *cluster, UsherTxn *txn, void *data, GError **error)
{
	(void) error;
	const UsherIntake *intake = data;
	const UsherOperation *reported = intake->item;
	const UsherOperation *known =
		usher_world_get(cluster->world, USHER_TABLE_OPERATION, reported->id);
	if (known == NULL) {
		if (reported->kind == USHER_KIND_RETURN && strchr(reported->object, '/') != NULL)
			stage_own_operation(cluster, txn, intake);
		return true;
	}
	if (usher_operation_state_is_end(known->state) ||
		g_strcmp0(known->node, intake->report->node) != 0)
		return true;
	g_autoptr(UsherOperation) operation = usher_operation_dup(known);
	operation->state = reported->state;
	g_ptr_array_set_size(operation->steps, 0);
	for (unsigned i = 0; i < reported->steps->len; i++)
		g_ptr_array_add(
			operation->steps, usher_operation_step_dup(reported->steps->pdata[i]));
	g_ptr_array_set_size(operation->needs, 0);
	for (unsigned i = 0; i < reported->needs->len; i++)
		g_ptr_array_add(operation->needs, g_strdup(reported->needs->pdata[i]));
	usher_problem_free(operation->error);
	operation->error = reported->error != NULL ? usher_problem_dup(reported->error) : NULL;
	if (reported->answer != NULL && operation->answer == NULL)
		operation->answer = usher_json_ref(reported->answer);
	if (!usher_operation_state_is_end(operation->state)) {
		usher_world_put(
			cluster->world, txn, USHER_TABLE_OPERATION, operation->id, operation);
		return true;
	}
	operation->ended = cluster->clock->ops->wall(cluster->clock);
	usher_operation_stage_end(cluster, txn, operation);
	return true;
}

static bool take_in_each(UsherCluster *cluster, UsherIntake *intake, const GPtrArray *items,
	UsherAttempt attempt, GError **error)
{
	for (unsigned i = 0; i < items->len; i++) {
		intake->item = items->pdata[i];
		if (!usher_cluster_attempt(cluster, /* dry_run */ false, attempt, intake, error))
			return false;
	}
	return true;
}

/* ---- the answer ---- */

static UsherWants *read_wants(
	UsherCluster *cluster, const char *node, const char *session, bool with_records)
{
	UsherWants *wants = usher_wants_new();
	wants->session = g_strdup(session);
	wants->revision = usher_world_revision(cluster->world);
	g_autoptr(GPtrArray) operations =
		usher_world_list(cluster->world, USHER_TABLE_OPERATION, "");
	for (unsigned i = 0; i < operations->len; i++) {
		const UsherOperation *operation = operations->pdata[i];
		if (g_strcmp0(operation->node, node) == 0 &&
			!usher_operation_state_is_end(operation->state))
			g_ptr_array_add(wants->operations, usher_operation_dup(operation));
	}
	g_autoptr(GPtrArray) leases = usher_cluster_leases_on(cluster, node);
	for (unsigned i = 0; i < leases->len; i++)
		g_ptr_array_add(wants->leases, usher_lease_dup(leases->pdata[i]));
	if (!with_records)
		return wants;
	g_autofree char *prefix = g_strconcat(node, "/", NULL);
	g_autoptr(GPtrArray) records = usher_world_list(cluster->world, USHER_TABLE_DEVICE, prefix);
	wants->has_records = true;
	for (unsigned i = 0; i < records->len; i++)
		g_ptr_array_add(wants->records, usher_device_dup(records->pdata[i]));
	return wants;
}

UsherWants *usher_cluster_exchange(UsherCluster *cluster, const UsherReport *report, GError **error)
{
	bool is_new = report->session == NULL;
	g_autofree char *session = NULL;
	if (is_new)
		session = open_session(cluster, report, error);
	else if (renew_session(cluster, report, error))
		session = g_strdup(report->session);
	if (session == NULL)
		return NULL;
	int64_t *seen = g_new(int64_t, 1);
	*seen = cluster->clock->ops->wall(cluster->clock);
	g_hash_table_replace(cluster->last_seen, g_strdup(report->node), seen);
	UsherIntake intake = { .report = report };
	bool is_taken = usher_cluster_attempt(cluster, false, stage_node, &intake, error) &&
		usher_cluster_attempt(cluster, false, stage_devices, &intake, error) &&
		take_in_guests(cluster, &intake, error) &&
		take_in_each(cluster, &intake, report->leases, stage_lease, error) &&
		take_in_each(cluster, &intake, report->operations, stage_operation, error);
	return is_taken ? read_wants(cluster, report->node, session, is_new) : NULL;
}
