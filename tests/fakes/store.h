/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Faults before a real engine: the calls of the control plane are counted, one goes wrong. */
#include "fakes/faults.h"
#include "ports/store.h"

/* engine is borrowed and outlives it. Freed by its own free. */
UsherStore *fake_store_new(UsherStore *engine, FakeFaults *faults);
