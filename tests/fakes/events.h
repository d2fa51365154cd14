/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How a fake tells its watcher that something changed: at once, or, after fake_events_disturb,
 * late, doubled or not at all, as chance decides.
 */
#include <stdbool.h>

#include "ports/clock.h"

typedef struct FakeEvents {
	UsherClock *clock;
	void (*func)(void *data); /* NULL: nobody watches */
	void *data;
	unsigned one_in;
} FakeEvents;

void fake_events_tell(FakeEvents *events);
/* One in so many is lost, one in so many comes twice, all come late. 0: all is well. */
void fake_events_disturb(FakeEvents *events, unsigned one_in);
/* Chance says yes once in so often; 0: never. */
bool fake_chance(UsherClock *clock, unsigned one_in);
