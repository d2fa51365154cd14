/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A clock that stands still until it is told to go on. Timers and jobs are events of one queue,
 * ordered by when they are due, then by when they were made; time jumps to the event that is run.
 * The same seed and the same calls give the same run, to the byte.
 *
 * A job is two events: its work, after the work that was given to its lane before, and its done.
 * Between them everything else may happen, as with real threads.
 */
#include <glib.h>

#include "ports/clock.h"

UsherClock *fake_clock_new(uint64_t seed);
/* Events that have not been run are dropped; the jobs' data is not freed. */
void fake_clock_free(UsherClock *clock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherClock, fake_clock_free)

/* How long work takes: chance decides, from 0 to max_us. 0 at the beginning. */
void fake_clock_set_latency(UsherClock *clock, int64_t max_us);
/* The wall clock is set by somebody; monotonic time is not touched. */
void fake_clock_set_wall(UsherClock *clock, int64_t wall_us);

/* Runs the earliest event if it is due now. False: none is. */
bool fake_clock_step(UsherClock *clock);
/* Goes on to the earliest event and runs it. False: there is none. */
bool fake_clock_run_next(UsherClock *clock);
/* Runs all events that are due until then, also those they make; then it is that much later. */
void fake_clock_advance(UsherClock *clock, int64_t us);

/* Events that could be run, and how many of them are due now. */
size_t fake_clock_pending(UsherClock *clock);
size_t fake_clock_due(UsherClock *clock);
/* When the event with that index is due; they are in the order in which run_next would take
 * them. */
int64_t fake_clock_when(UsherClock *clock, size_t index);
/* Runs that one first: earlier ones are late then. */
void fake_clock_run_chosen(UsherClock *clock, size_t index);
/* Runs one of those that are due now, by chance, or goes on to the next. False: there is none. */
bool fake_clock_run_any(UsherClock *clock);
