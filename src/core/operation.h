/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An operation: a plan being proposed, run or undone; the object for everything that takes steps. */
#include "base/record.h"

typedef enum {
	USHER_OPERATION_PROPOSED,
	USHER_OPERATION_QUEUED,
	USHER_OPERATION_RUNNING,
	USHER_OPERATION_DONE,
	USHER_OPERATION_FAILED, /* refused or failed, nothing was changed or what was is undone */
	USHER_OPERATION_CANCELLED, /* asked to stop before anything was done */
	USHER_OPERATION_UNDONE,    /* stopped on the way, and everything is as it was */
	USHER_OPERATION_N_STATES,
} UsherOperationState;

const char *usher_operation_state_name(UsherOperationState state);
bool usher_operation_state_is_end(UsherOperationState state);
bool usher_operation_state_may_move(UsherOperationState from, UsherOperationState to);

typedef enum {
	USHER_STEP_WAITING,
	USHER_STEP_RUNNING,
	USHER_STEP_DONE,
	USHER_STEP_FAILED,
	USHER_STEP_UNDONE,
} UsherStepState;

typedef struct UsherOperationStep {
	char *text;
	unsigned state; /* UsherStepState */
	int64_t at;
} UsherOperationStep;
USHER_RECORD_DECLARE(UsherOperationStep, usher_operation_step)

/* An error as it is kept and sent. */
typedef struct UsherProblem {
	char *code; /* usher_error_code_name */
	char *message;
	char *object;
	char *hint;
} UsherProblem;
USHER_RECORD_DECLARE(UsherProblem, usher_problem)
UsherProblem *usher_problem_of(const GError *error);
void usher_problem_raise(const UsherProblem *problem, GError **error);

typedef enum {
	USHER_KIND_VM_START,
	USHER_KIND_VM_STOP,
	USHER_KIND_VM_ADOPT,
	USHER_KIND_VM_FORGET,
	USHER_KIND_VM_DETACH,
	USHER_KIND_RETURN,        /* the node's own: a guest went off by another hand */
	USHER_KIND_DEVICE_RETURN, /* a held device goes to its host driver */
	USHER_KIND_GUEST_EXAMINE, /* a question: what stands in the way of devices in a guest */
	USHER_N_KINDS,
} UsherOperationKind;
extern const char *const usher_operation_kind_names[USHER_N_KINDS + 1];

/* "vm 'win11' can't be started: WHY" */
char *usher_operation_refusal(UsherOperationKind kind, const char *object, const char *why);

typedef struct UsherOperation {
	char *id;      /* "op-" + 10 */
	unsigned kind; /* UsherOperationKind */
	char *node;
	char *object; /* "vm/win11" */
	unsigned state;
	GPtrArray *steps; /* of UsherOperationStep */
	GPtrArray *needs; /* of char * */
	int64_t based_on; /* store revision it was computed from */
	UsherProblem *error;
	char *actor; /* "uid 0", "agent n1" */
	int64_t deadline;
	int64_t created, ended;
	GPtrArray *leases;    /* ids it prepares or returns */
	UsherJson *arguments; /* of its kind: { "uuid", "force", … } */
	UsherJson *answer;    /* of a question that is done: { "findings" }; NULL: of no other */
	bool cancel;          /* somebody asked to undo it */
	int64_t revision;
} UsherOperation;
USHER_RECORD_DECLARE(UsherOperation, usher_operation)
