/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's lines: what the node has begun and not ended. Each is an object with the boot id
 * and one of "operation", "lease" (whole records, the last one counts), "held" (with or without
 * "gone"), "step" (what is about to be done) and "forget" (an id).
 */
#include "node/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"

/* The journal is written anew when it has so many lines. */
#define MAX_LINES 2000

static UsherJsonWriter *begin_line_of(UsherNode *node, bool is_of_other_boot)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	UsherHost *host = node->ports.host;
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "boot", is_of_other_boot ? NULL : host->ops->boot_id(host));
	return writer;
}

static UsherJsonWriter *begin_line(UsherNode *node)
{
	return begin_line_of(node, /* is_of_other_boot */ false);
}

static char *end_line(UsherJsonWriter *writer)
{
	usher_json_end_object(writer);
	return usher_json_writer_finish(writer);
}

static char *task_line(UsherNode *node, const UsherTask *task)
{
	UsherJsonWriter *writer = begin_line(node);
	usher_json_key(writer, "operation");
	usher_record_write(&usher_operation_type, task->operation, writer);
	usher_json_put_bool(writer, "own", task->is_own);
	return end_line(writer);
}

/* One of an earlier boot stays that, however often the journal is written anew. */
static char *lease_line(UsherNode *node, const UsherHolding *holding)
{
	UsherJsonWriter *writer = begin_line_of(node, holding->is_of_other_boot);
	usher_json_key(writer, "lease");
	usher_record_write(&usher_lease_type, holding->lease, writer);
	usher_json_put_int(writer, "bar", (int64_t) holding->bar);
	return end_line(writer);
}

static char *held_line(UsherNode *node, const UsherWas *was, bool is_held)
{
	UsherJsonWriter *writer = begin_line(node);
	usher_json_key(writer, "held");
	usher_record_write(&usher_was_type, was, writer);
	usher_json_put_string(writer, "address", was->address);
	usher_json_put_bool(writer, "gone", !is_held);
	return end_line(writer);
}

/* What is still to be remembered, in as few lines as it takes. */
static bool rewrite(UsherNode *node, GError **error)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(lines, lease_line(node, value));
	g_hash_table_iter_init(&iter, node->tasks);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(lines, task_line(node, value));
	g_hash_table_iter_init(&iter, node->held);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(lines, held_line(node, value, /* is_held */ true));
	UsherJournal *journal = node->ports.journal;
	node->journal_lines = lines->len;
	return journal->ops->replace(journal, lines, error);
}

static bool append(UsherNode *node, char *line, GError **error)
{
	g_autofree char *owned = line;
	UsherJournal *journal = node->ports.journal;
	if (node->journal_lines >= MAX_LINES && !rewrite(node, error))
		return false;
	node->journal_lines++;
	return journal->ops->append(journal, owned, error);
}

bool usher_node_note_task(UsherNode *node, const UsherTask *task, GError **error)
{
	return append(node, task_line(node, task), error);
}

bool usher_node_note_lease(UsherNode *node, const UsherHolding *holding, GError **error)
{
	return append(node, lease_line(node, holding), error);
}

bool usher_node_note_step(
	UsherNode *node, const UsherTask *task, const UsherStep *step, GError **error)
{
	UsherJsonWriter *writer = begin_line(node);
	g_autofree char *text = usher_step_print(step);
	usher_json_put_string(writer, "step", text);
	usher_json_put_string(writer, "of", task->operation->id);
	return append(node, end_line(writer), error);
}

static void append_or_log(UsherNode *node, char *line)
{
	g_autoptr(GError) error = NULL;
	if (!append(node, line, &error))
		usher_log(USHER_LOG_ERROR, NULL, "journal: %s", error->message);
}

void usher_node_note_held(UsherNode *node, const UsherWas *was, bool is_held)
{
	append_or_log(node, held_line(node, was, is_held));
}

void usher_node_note_forget(UsherNode *node, const char *id)
{
	UsherJsonWriter *writer = begin_line(node);
	usher_json_put_string(writer, "forget", id);
	append_or_log(node, end_line(writer));
}

/* ---- reading ---- */

static bool recall_operation(UsherNode *node, const UsherJson *line, GError **error)
{
	UsherOperation *operation =
		usher_record_read(&usher_operation_type, usher_json_get(line, "operation"), error);
	if (operation == NULL)
		return false;
	bool is_over = usher_operation_state_is_end(operation->state);
	UsherTask *task =
		usher_task_new(node, operation, is_over ? USHER_TASK_ENDED : USHER_TASK_IDLE);
	task->is_own = usher_json_get_bool(line, "own", false);
	task->resumed = task->guest_touched = task->has_changed = true;
	usher_task_changed(task);
	g_hash_table_replace(node->tasks, g_strdup(operation->id), task);
	usher_operation_free(operation);
	return true;
}

static bool recall_lease(UsherNode *node, const UsherJson *line, bool is_this_boot, GError **error)
{
	g_autoptr(UsherLease) lease =
		usher_record_read(&usher_lease_type, usher_json_get(line, "lease"), error);
	if (lease == NULL)
		return false;
	UsherHolding *holding = usher_node_hold(node, lease);
	int64_t bar = usher_json_get_int(line, "bar", 0);
	holding->version = 1;
	holding->is_of_other_boot = !is_this_boot;
	holding->bar = is_this_boot && bar == USHER_BAR_QUARANTINE ? USHER_BAR_QUARANTINE
		: is_this_boot && bar == USHER_BAR_FENCE           ? USHER_BAR_FENCE
								   : USHER_BAR_NONE;
	return true;
}

static bool recall_held(UsherNode *node, const UsherJson *line, bool is_this_boot)
{
	const UsherJson *held = usher_json_get(line, "held");
	const char *address = usher_json_get_string(line, "address");
	if (address == NULL)
		return false;
	if (usher_json_get_bool(line, "gone", false) || !is_this_boot) {
		g_hash_table_remove(node->held, address);
		return true;
	}
	UsherWas *was = usher_was_new();
	was->address = g_strdup(address);
	was->driver = g_strdup(usher_json_get_string(held, "driver"));
	was->driver_override = g_strdup(usher_json_get_string(held, "driver_override"));
	was->identity = g_strdup(usher_json_get_string(held, "identity"));
	g_hash_table_replace(node->held, g_strdup(address), was);
	return true;
}

static bool recall(UsherNode *node, const char *text, GError **error)
{
	g_autoptr(UsherJson) line = usher_json_parse(text, strlen(text), error);
	if (line == NULL)
		return false;
	UsherHost *host = node->ports.host;
	bool is_this_boot =
		g_strcmp0(usher_json_get_string(line, "boot"), host->ops->boot_id(host)) == 0;
	const char *forget = usher_json_get_string(line, "forget");
	if (usher_json_get(line, "operation") != NULL)
		return recall_operation(node, line, error);
	if (usher_json_get(line, "lease") != NULL)
		return recall_lease(node, line, is_this_boot, error);
	if (usher_json_get(line, "held") != NULL)
		return recall_held(node, line, is_this_boot);
	if (forget != NULL) {
		g_hash_table_remove(node->tasks, forget);
		g_hash_table_remove(node->holdings, forget);
	}
	return true;
}

/* What it was being undone for already is the reason still. */
static void end_by_reboot(UsherTask *task)
{
	UsherOperation *operation = task->operation;
	task->state = USHER_TASK_ENDED;
	operation->state = USHER_OPERATION_FAILED;
	usher_task_changed(task);
	if (operation->error != NULL)
		return;
	operation->error = usher_problem_new();
	operation->error->code = g_strdup(usher_error_code_name(USHER_ERROR_UNAVAILABLE));
	operation->error->message = g_strdup("the host was started again in the middle of it");
	operation->error->object = g_strdup(operation->object);
}

/* Operations of another boot: nothing of them is left to be done or undone. */
static void end_other_boots(UsherNode *node)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->tasks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherTask *task = value;
		bool is_open = task->state != USHER_TASK_ENDED;
		bool is_old = false;
		for (unsigned i = 0; i < task->operation->leases->len; i++) {
			const UsherHolding *holding = g_hash_table_lookup(
				node->holdings, task->operation->leases->pdata[i]);
			is_old |= holding != NULL && holding->is_of_other_boot;
		}
		if (is_open && is_old)
			end_by_reboot(task);
	}
}

bool usher_node_remember(UsherNode *node, GError **error)
{
	UsherJournal *journal = node->ports.journal;
	g_autoptr(GPtrArray) lines = journal->ops->read(journal, error);
	if (lines == NULL)
		return false;
	for (unsigned i = 0; i < lines->len; i++) {
		if (recall(node, lines->pdata[i], error))
			continue;
		g_prefix_error(error, "journal, line %u: ", i + 1);
		return false;
	}
	end_other_boots(node);
	return rewrite(node, error);
}
