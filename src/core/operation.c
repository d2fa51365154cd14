/* SPDX-License-Identifier: Apache-2.0 */
#include "core/operation.h"

#include <string.h>

#include "base/error.h"

typedef struct UsherOperationRow {
	const char *name;
	unsigned to;
} UsherOperationRow;

#define TO(s) (1U << USHER_OPERATION_##s)
static const UsherOperationRow rows[USHER_OPERATION_N_STATES] = {
	[USHER_OPERATION_PROPOSED] = { "proposed", TO(QUEUED) | TO(CANCELLED) },
	[USHER_OPERATION_QUEUED] = { "queued", TO(RUNNING) | TO(FAILED) | TO(CANCELLED) },
	[USHER_OPERATION_RUNNING] = { "running", TO(DONE) | TO(FAILED) | TO(UNDONE) },
	[USHER_OPERATION_DONE] = { "done", 0 },
	[USHER_OPERATION_FAILED] = { "failed", 0 },
	[USHER_OPERATION_CANCELLED] = { "cancelled", 0 },
	[USHER_OPERATION_UNDONE] = { "undone", 0 },
};
#undef TO

static const char *const state_names[] = {
	"proposed",
	"queued",
	"running",
	"done",
	"failed",
	"cancelled",
	"undone",
	NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == USHER_OPERATION_N_STATES + 1);

static const char *const step_state_names[] = { "waiting", "running", "done", "failed", "undone",
	NULL };

const char *const usher_operation_kind_names[] = {
	[USHER_KIND_VM_START] = "vm-start",
	[USHER_KIND_VM_STOP] = "vm-stop",
	[USHER_KIND_VM_ADOPT] = "vm-adopt",
	[USHER_KIND_VM_FORGET] = "vm-forget",
	[USHER_KIND_VM_DETACH] = "vm-detach",
	[USHER_KIND_RETURN] = "return",
	[USHER_KIND_DEVICE_RETURN] = "device-return",
	[USHER_KIND_GUEST_EXAMINE] = "guest-examine",
	[USHER_N_KINDS] = NULL,
};

static const char *const refusals[USHER_N_KINDS] = {
	[USHER_KIND_VM_START] = "can't be started",
	[USHER_KIND_VM_STOP] = "can't be stopped",
	[USHER_KIND_VM_ADOPT] = "can't be adopted",
	[USHER_KIND_VM_FORGET] = "can't be forgotten",
	[USHER_KIND_VM_DETACH] = "can't be detached from its devices",
	[USHER_KIND_RETURN] = "does not let go of its devices",
	[USHER_KIND_DEVICE_RETURN] = "can't be returned",
	[USHER_KIND_GUEST_EXAMINE] = "can't be examined",
};

static const UsherField step_fields[] = {
	{ "text", USHER_FIELD_STRING, offsetof(UsherOperationStep, text), USHER_FIELD_REQUIRED },
	{ "state", USHER_FIELD_ENUM, offsetof(UsherOperationStep, state), 0, step_state_names },
	{ "at", USHER_FIELD_TIME, offsetof(UsherOperationStep, at) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherOperationStep, usher_operation_step, "step", step_fields)

static const UsherField problem_fields[] = {
	{ "code", USHER_FIELD_STRING, offsetof(UsherProblem, code), USHER_FIELD_REQUIRED },
	{ "message", USHER_FIELD_STRING, offsetof(UsherProblem, message), USHER_FIELD_REQUIRED },
	{ "object", USHER_FIELD_STRING, offsetof(UsherProblem, object) },
	{ "hint", USHER_FIELD_STRING, offsetof(UsherProblem, hint), USHER_FIELD_OMIT },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherProblem, usher_problem, "error", problem_fields)

static const UsherField operation_fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherOperation, id), USHER_FIELD_REQUIRED },
	{ "kind", USHER_FIELD_ENUM, offsetof(UsherOperation, kind), USHER_FIELD_REQUIRED,
		usher_operation_kind_names },
	{ "node", USHER_FIELD_STRING, offsetof(UsherOperation, node) },
	{ "object", USHER_FIELD_STRING, offsetof(UsherOperation, object) },
	{ "state", USHER_FIELD_ENUM, offsetof(UsherOperation, state), USHER_FIELD_REQUIRED,
		state_names },
	{ "steps", USHER_FIELD_RECORDS, offsetof(UsherOperation, steps), 0, NULL,
		&usher_operation_step_type },
	{ "needs", USHER_FIELD_STRINGS, offsetof(UsherOperation, needs) },
	{ "based_on", USHER_FIELD_INT, offsetof(UsherOperation, based_on) },
	{ "error", USHER_FIELD_RECORD, offsetof(UsherOperation, error), 0, NULL,
		&usher_problem_type },
	{ "actor", USHER_FIELD_STRING, offsetof(UsherOperation, actor) },
	{ "deadline", USHER_FIELD_TIME, offsetof(UsherOperation, deadline) },
	{ "created", USHER_FIELD_TIME, offsetof(UsherOperation, created) },
	{ "ended", USHER_FIELD_TIME, offsetof(UsherOperation, ended) },
	{ "leases", USHER_FIELD_STRINGS, offsetof(UsherOperation, leases) },
	{ "arguments", USHER_FIELD_JSON, offsetof(UsherOperation, arguments) },
	{ "answer", USHER_FIELD_JSON, offsetof(UsherOperation, answer), USHER_FIELD_OMIT },
	{ "cancel", USHER_FIELD_BOOL, offsetof(UsherOperation, cancel) },
	{ "revision", USHER_FIELD_INT, offsetof(UsherOperation, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherOperation, usher_operation, "operation", operation_fields)

const char *usher_operation_state_name(UsherOperationState state)
{
	g_assert(state < USHER_OPERATION_N_STATES);
	return rows[state].name;
}

bool usher_operation_state_is_end(UsherOperationState state)
{
	g_assert(state < USHER_OPERATION_N_STATES);
	return rows[state].to == 0;
}

bool usher_operation_state_may_move(UsherOperationState from, UsherOperationState to)
{
	g_assert(from < USHER_OPERATION_N_STATES && to < USHER_OPERATION_N_STATES);
	return (rows[from].to & (1U << to)) != 0;
}

UsherProblem *usher_problem_of(const GError *error)
{
	UsherProblem *problem = usher_problem_new();
	problem->code = g_strdup(usher_error_code_name(usher_error_code(error)));
	problem->message = g_strdup(error->message);
	problem->object = g_strdup(usher_error_object(error));
	problem->hint = g_strdup(usher_error_hint(error));
	return problem;
}

void usher_problem_raise(const UsherProblem *problem, GError **error)
{
	UsherErrorCode code = USHER_ERROR_INTERNAL;
	(void) usher_error_code_parse(problem->code, &code);
	usher_error_set(error, code, "%s", problem->message);
	if (error == NULL)
		return;
	usher_error_set_object(*error, problem->object);
	usher_error_set_hint(*error, problem->hint);
}

char *usher_operation_refusal(UsherOperationKind kind, const char *object, const char *why)
{
	g_assert(kind < USHER_N_KINDS);
	const char *slash = strchr(object, '/');
	g_assert(slash != NULL);
	return g_strdup_printf(
		"%.*s '%s' %s: %s", (int) (slash - object), object, slash + 1, refusals[kind], why);
}
