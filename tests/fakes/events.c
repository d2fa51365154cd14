/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/events.h"

#include <glib.h>

#define LATE_US (50 * G_TIME_SPAN_MILLISECOND)

bool fake_chance(UsherClock *clock, unsigned one_in)
{
	uint32_t number;
	if (one_in == 0)
		return false;
	clock->ops->random(clock, &number, sizeof number);
	return number % one_in == 0;
}

/* Who watches now is told, even if it was another one when it happened. */
static void deliver(void *data)
{
	FakeEvents *events = data;
	if (events->func != NULL)
		events->func(events->data);
}

static void deliver_late(FakeEvents *events)
{
	uint32_t late;
	events->clock->ops->random(events->clock, &late, sizeof late);
	(void) events->clock->ops->after(events->clock, late % LATE_US, deliver, events);
}

void fake_events_tell(FakeEvents *events)
{
	if (events->one_in == 0) {
		deliver(events);
		return;
	}
	if (fake_chance(events->clock, events->one_in))
		return;
	deliver_late(events);
	if (fake_chance(events->clock, events->one_in))
		deliver_late(events);
}

void fake_events_disturb(FakeEvents *events, unsigned one_in)
{
	events->one_in = one_in;
}
