/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Faults before a real engine: the calls of the control plane are counted, one goes wrong. */
#include "fakes/faults.h"
#include "ports/store.h"

/* engine is borrowed and outlives it. Freed by its own free. */
UsherStore *fake_store_new(UsherStore *engine, FakeFaults *faults);
/* Called before each commit, when all has been read that it is based on: another controller of
 * the same engine may be quicker. */
void fake_store_interleave(UsherStore *store, void (*func)(void *data), void *data);
