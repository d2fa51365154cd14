/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A store that is gone when its process is: for tests and trials. */
#include "ports/clock.h"
#include "ports/store.h"

/* clock is borrowed and outlives the store. */
UsherStore *usher_store_memory_new(UsherClock *clock);
