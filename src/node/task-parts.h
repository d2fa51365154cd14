/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a task's files share. */
#include "node/private.h"

/* ---- task.c ---- */
/* "operation/op-…". Given. */
char *usher_task_log_name(const UsherTask *task);
/* Its leases that are not given up, of UsherHolding; borrowed, the array is given. */
GPtrArray *usher_task_holdings(UsherTask *task);
/* It takes devices, and does not undo that. */
bool usher_task_is_going_forward(const UsherTask *task);
/* The step being taken, as people see it; its new state, and since when. */
UsherOperationStep *usher_task_shown_step(UsherTask *task);
void usher_task_show_state(UsherTask *task, UsherOperationStep *shown, UsherStepState state);
/* Why it will have failed. */
void usher_task_set_error(UsherTask *task, const GError *error);
/* Turns back for that reason; the second looks again right away. */
void usher_task_begin_undo(UsherTask *task, const GError *error);
void usher_task_undo(UsherTask *task, const GError *error);
/* Decides anew on what is seen from now on; the second only after a while. */
void usher_task_look(UsherTask *task);
void usher_task_look_later(UsherTask *task, int64_t delay_us);

/* ---- step.c ---- */
/* Sends the batch's next step to a worker, or ends the batch. */
void usher_task_take_next_step(UsherTask *task);
