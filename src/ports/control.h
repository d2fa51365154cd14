/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a node may ask of the control plane: one idempotent exchange. The node says what it has
 * found and done since, the answer says what is wanted of it. Nothing else passes between them, so
 * lost, doubled and late exchanges do no harm. Main thread; never blocks.
 */
#include "core/report.h"

typedef struct UsherControl UsherControl;
/* Exactly one of wants (given to the callee) and error (borrowed) is not NULL. CONFLICT: another
 * machine is this node. UNAVAILABLE: no answer; the report may or may not have arrived. */
typedef void (*UsherControlDone)(UsherWants *wants, const GError *error, void *data);
/* Something the node should know may have changed, or the control plane is back: exchange. */
typedef void (*UsherControlChanged)(void *data);

typedef struct UsherControlOps {
	const char *name;
	/* One at a time: the next only after done. report is copied. */
	void (*exchange)(UsherControl *control, const UsherReport *report, UsherControlDone done,
		void *data);
	void (*watch)(UsherControl *control, UsherControlChanged func, void *data);
	void (*free)(UsherControl *control);
} UsherControlOps;

struct UsherControl {
	const UsherControlOps *ops;
};
