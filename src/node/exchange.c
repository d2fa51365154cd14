/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange with the control plane: what it does not know yet, and what it wants. */
#include "node/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"

/* A third of the session's life, so that two may be lost. */
#define RENEW_US       (30 * G_TIME_SPAN_SECOND)
#define FIRST_RETRY_US (500 * G_TIME_SPAN_MILLISECOND)
/* Records in one report beside the devices, so that it stays under its limits. */
#define MAX_ITEMS 50

/* ---- what is told ---- */

static void add_devices(UsherNode *node, UsherReport *report)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->tracked);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherTracked *tracked = value;
		bool is_full = report->devices->len + report->gone->len == USHER_REPORT_MAX_DEVICES;
		g_clear_pointer(&tracked->sent, g_free);
		if (tracked->text == NULL && tracked->was_seen && !is_full) {
			g_ptr_array_add(report->gone, g_strdup(tracked->id));
		} else if (tracked->text != NULL &&
			g_strcmp0(tracked->text, tracked->acknowledged) != 0 && !is_full) {
			tracked->sent = g_strdup(tracked->text);
			g_ptr_array_add(report->devices,
				usher_record_parse(&usher_device_type, tracked->text, NULL));
		}
	}
}

static void add_guests(UsherNode *node, UsherReport *report)
{
	if (node->guests == NULL)
		return;
	g_autoptr(GString) text = g_string_new(NULL);
	for (unsigned i = 0; i < node->guests->len; i++) {
		g_autofree char *one =
			usher_record_print(&usher_guest_info_type, node->guests->pdata[i]);
		g_string_append(text, one);
	}
	g_clear_pointer(&node->guests_sent, g_free);
	if (g_strcmp0(text->str, node->guests_acknowledged) == 0)
		return;
	node->guests_sent = g_strdup(text->str);
	report->has_guests = true;
	for (unsigned i = 0; i < node->guests->len; i++)
		g_ptr_array_add(report->guests, usher_guest_info_dup(node->guests->pdata[i]));
}

static void add_tasks(UsherNode *node, UsherReport *report)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->tasks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherTask *task = value;
		task->sent = task->acknowledged;
		if (task->version == task->acknowledged || report->operations->len == MAX_ITEMS)
			continue;
		task->sent = task->version;
		g_ptr_array_add(report->operations, usher_operation_dup(task->operation));
	}
}

static void add_leases(UsherNode *node, UsherReport *report)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherHolding *holding = value;
		holding->sent = holding->acknowledged;
		if (holding->version == holding->acknowledged || report->leases->len == MAX_ITEMS)
			continue;
		holding->sent = holding->version;
		g_ptr_array_add(report->leases, usher_lease_dup(holding->lease));
	}
}

static UsherReport *make_report(UsherNode *node)
{
	UsherHost *host = node->ports.host;
	UsherReport *report = usher_report_new();
	report->node = g_strdup(node->name);
	report->session = g_strdup(node->session);
	report->machine_id = g_strdup(host->ops->machine_id(host));
	report->boot_id = g_strdup(host->ops->boot_id(host));
	report->instance = g_strdup(node->instance);
	report->kernel = g_strdup(node->kernel);
	report->agent_version = g_strdup(USHER_VERSION);
	report->ready = node->is_ready;
	report->devices_total = node->seen != NULL ? node->seen->devices->len : 0;
	/* The answer to the first tells who the devices are: nothing else before. */
	if (node->session == NULL)
		return report;
	add_devices(node, report);
	add_guests(node, report);
	add_tasks(node, report);
	add_leases(node, report);
	return report;
}

static bool has_something(const UsherNode *node, const UsherReport *report)
{
	return node->session == NULL || report->devices->len > 0 || report->gone->len > 0 ||
		report->has_guests || report->operations->len > 0 || report->leases->len > 0;
}

static void acknowledge(UsherNode *node)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->tracked);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherTracked *tracked = value;
		if (tracked->sent == NULL)
			continue;
		g_free(tracked->acknowledged);
		tracked->acknowledged = g_steal_pointer(&tracked->sent);
		tracked->was_seen = true;
	}
	g_hash_table_iter_init(&iter, node->tasks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherTask *task = value;
		task->acknowledged = task->sent;
	}
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherHolding *holding = value;
		holding->acknowledged = holding->sent;
	}
	if (node->guests_sent == NULL)
		return;
	g_free(node->guests_acknowledged);
	node->guests_acknowledged = g_steal_pointer(&node->guests_sent);
}

static void acknowledge_gone(UsherNode *node, const UsherReport *report)
{
	for (unsigned i = 0; i < report->gone->len; i++) {
		UsherTracked *tracked = g_hash_table_lookup(node->tracked, report->gone->pdata[i]);
		if (tracked == NULL)
			continue;
		tracked->was_seen = false;
		g_clear_pointer(&tracked->acknowledged, g_free);
	}
}

/* ---- what is wanted ---- */

static void want_operation(UsherNode *node, const UsherOperation *wanted)
{
	UsherTask *task = g_hash_table_lookup(node->tasks, wanted->id);
	if (task == NULL) {
		bool is_begun = wanted->state != USHER_OPERATION_QUEUED;
		task = usher_task_new(
			node, wanted, is_begun ? USHER_TASK_IDLE : USHER_TASK_UNCLAIMED);
		task->resumed = task->guest_touched = task->has_changed = is_begun;
		task->operation->state = USHER_OPERATION_RUNNING;
		usher_task_changed(task);
		g_hash_table_insert(node->tasks, g_strdup(wanted->id), task);
	}
	task->operation->cancel |= wanted->cancel;
	if (task->state == USHER_TASK_UNCLAIMED && wanted->state == USHER_OPERATION_RUNNING) {
		task->state = USHER_TASK_IDLE;
		task->facts_from = usher_node_observe(node);
	}
}

static bool has_operation(const UsherWants *wants, const char *id)
{
	for (unsigned i = 0; i < wants->operations->len; i++) {
		const UsherOperation *operation = wants->operations->pdata[i];
		if (strcmp(operation->id, id) == 0)
			return true;
	}
	return false;
}

static bool has_lease(const UsherWants *wants, const char *id)
{
	for (unsigned i = 0; i < wants->leases->len; i++) {
		const UsherLease *lease = wants->leases->pdata[i];
		if (strcmp(lease->id, id) == 0)
			return true;
	}
	return false;
}

/* Tasks that the control plane has ended, or knows the end of. */
static void drop_tasks(UsherNode *node, const UsherWants *wants)
{
	GHashTableIter iter;
	void *id, *value;
	g_hash_table_iter_init(&iter, node->tasks);
	while (g_hash_table_iter_next(&iter, &id, &value)) {
		UsherTask *task = value;
		if (has_operation(wants, id))
			continue;
		if (task->state == USHER_TASK_UNCLAIMED) {
			g_hash_table_iter_remove(&iter);
		} else if (task->state != USHER_TASK_ENDED) {
			/* It was ended over there while it goes on here: it should not. */
			task->operation->cancel |= task->acknowledged > 0 && !task->is_own;
		} else if (task->acknowledged == task->version) {
			usher_node_note_forget(node, id);
			g_hash_table_iter_remove(&iter);
		}
	}
}

static void drop_leases(UsherNode *node, const UsherWants *wants)
{
	GHashTableIter iter;
	void *id, *value;
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, &id, &value)) {
		const UsherHolding *holding = value;
		const UsherLease *lease = holding->lease;
		if (has_lease(wants, id))
			continue;
		bool is_over = usher_lease_state_is_end(lease->state) &&
			holding->bar == USHER_BAR_NONE && holding->acknowledged == holding->version;
		bool never_was = lease->state == USHER_LEASE_RESERVED &&
			usher_node_task_of_lease(node, id) == NULL;
		if (is_over)
			usher_node_note_forget(node, id);
		if (is_over || never_was)
			g_hash_table_iter_remove(&iter);
	}
}

static void take_in(UsherNode *node, UsherWants *wants)
{
	if (wants->has_records)
		usher_node_learn_records(node, wants->records);
	for (unsigned i = 0; i < wants->operations->len; i++)
		want_operation(node, wants->operations->pdata[i]);
	drop_tasks(node, wants);
	for (unsigned i = 0; i < wants->leases->len; i++) {
		const UsherLease *lease = wants->leases->pdata[i];
		if (!g_hash_table_contains(node->holdings, lease->id))
			(void) usher_node_hold(node, lease);
	}
	drop_leases(node, wants);
}

/* ---- one exchange ---- */

static void try_again(void *data)
{
	UsherNode *node = data;
	node->exchange_timer = 0;
	node->is_backing_off = false;
	node->exchange_again = true;
	usher_node_exchange(node);
}

static void set_timer(UsherNode *node, int64_t wait)
{
	UsherClock *clock = node->ports.clock;
	if (node->exchange_timer != 0)
		clock->ops->cancel(clock, node->exchange_timer);
	node->exchange_timer = clock->ops->after(clock, wait, try_again, node);
}

static void fail(UsherNode *node, const GError *error)
{
	usher_log(USHER_LOG_WARNING, NULL, "control plane: %s", error->message);
	/* The session may have ended: another is asked for, and everything is told again. */
	if (g_error_matches(error, USHER_ERROR, USHER_ERROR_UNAVAILABLE))
		g_clear_pointer(&node->session, g_free);
	node->is_backing_off = true;
	node->backoff = CLAMP(node->backoff * 2, FIRST_RETRY_US, RENEW_US);
	set_timer(node, node->backoff);
}

/* It may be another store: all that was acknowledged is told again. */
static void forget_acknowledged(UsherNode *node)
{
	g_clear_pointer(&node->guests_acknowledged, g_free);
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->tasks);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		((UsherTask *) value)->acknowledged = 0;
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		((UsherHolding *) value)->acknowledged = 0;
}

typedef struct UsherExchange {
	UsherNodeRef *ref;
	UsherReport *report;
} UsherExchange;

static void answered(UsherWants *wants, const GError *error, void *data)
{
	UsherExchange *exchange = data;
	UsherNode *node = usher_node_ref_drop(exchange->ref);
	g_autoptr(UsherReport) report = exchange->report;
	g_free(exchange);
	if (node == NULL) {
		usher_wants_free(wants);
		return;
	}
	node->is_exchanging = false;
	if (error != NULL) {
		fail(node, error);
		return;
	}
	g_autoptr(UsherWants) answer = wants;
	node->backoff = 0;
	bool is_first = report->session == NULL;
	g_free(node->session);
	node->session = g_strdup(answer->session);
	if (is_first) {
		forget_acknowledged(node);
		usher_log(USHER_LOG_INFO, NULL, "control plane: node %s is known", node->name);
	} else {
		acknowledge(node);
		acknowledge_gone(node, report);
	}
	take_in(node, answer);
	set_timer(node, RENEW_US);
	usher_node_look_again(node);
	usher_node_exchange(node);
}

void usher_node_exchange(UsherNode *node)
{
	if (node->is_exchanging || node->is_backing_off || node->seen == NULL)
		return;
	g_autoptr(UsherReport) report = make_report(node);
	if (!has_something(node, report) && !node->exchange_again)
		return;
	node->exchange_again = false;
	node->is_exchanging = true;
	UsherExchange *exchange = g_new0(UsherExchange, 1);
	exchange->ref = usher_node_ref_take(node);
	exchange->report = g_steal_pointer(&report);
	UsherControl *control = node->ports.control;
	control->ops->exchange(control, exchange->report, answered, exchange);
}
