/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/clock.h"

#include <string.h>

#define START_US      ((int64_t) 1000 * G_USEC_PER_SEC)
#define START_WALL_US ((int64_t) 1767225600 * G_USEC_PER_SEC) /* 2026-01-01 */

typedef struct FakeClock {
	UsherClock clock;
	int64_t now;
	int64_t wall_offset;
	int64_t latency;
	uint64_t chance;
	unsigned last_id;
	GPtrArray *events; /* of Event, sorted by when they are due; equal ones in the order made */
	GHashTable *lanes; /* name → Lane */
} FakeClock;

typedef struct Event {
	unsigned id;
	int64_t due;
	UsherClockFunc func;
	void *data;
} Event;

typedef struct Job {
	UsherClockFunc work, done;
	void *data;
} Job;

/* The first job of the queue has an event, those behind it wait. */
typedef struct Lane {
	FakeClock *clock;
	GQueue jobs;
} Lane;

static FakeClock *fake_of(UsherClock *clock)
{
	return (FakeClock *) clock;
}

static unsigned add_event(FakeClock *fake, int64_t delay, UsherClockFunc func, void *data)
{
	Event *event = g_new0(Event, 1);
	event->id = ++fake->last_id;
	event->due = fake->now + MAX(delay, 0);
	event->func = func;
	event->data = data;
	unsigned at = fake->events->len;
	while (at > 0 && ((const Event *) fake->events->pdata[at - 1])->due > event->due)
		at--;
	g_ptr_array_insert(fake->events, (int) at, event);
	return event->id;
}

static void run_event(FakeClock *fake, unsigned index)
{
	g_assert(index < fake->events->len);
	g_autofree Event *event = g_ptr_array_steal_index(fake->events, index);
	fake->now = MAX(fake->now, event->due);
	event->func(event->data);
}

/* splitmix64 */
static uint64_t next_chance(FakeClock *fake)
{
	uint64_t z = fake->chance += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int64_t clock_now(UsherClock *clock)
{
	return fake_of(clock)->now;
}

static int64_t clock_wall(UsherClock *clock)
{
	return fake_of(clock)->now + fake_of(clock)->wall_offset;
}

static void clock_random(UsherClock *clock, void *buffer, size_t n)
{
	uint8_t *bytes = buffer;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t) (next_chance(fake_of(clock)) >> 56);
}

static unsigned clock_after(UsherClock *clock, int64_t delay_us, UsherClockFunc func, void *data)
{
	return add_event(fake_of(clock), delay_us, func, data);
}

static void clock_cancel(UsherClock *clock, unsigned id)
{
	FakeClock *fake = fake_of(clock);
	for (unsigned i = 0; i < fake->events->len; i++) {
		if (((const Event *) fake->events->pdata[i])->id == id) {
			g_ptr_array_remove_index(fake->events, i);
			return;
		}
	}
}

static void run_done(void *data)
{
	g_autofree Job *job = data;
	job->done(job->data);
}

static void run_work(void *data)
{
	Lane *lane = data;
	FakeClock *fake = lane->clock;
	Job *job = g_queue_pop_head(&lane->jobs);
	job->work(job->data);
	(void) add_event(fake, 0, run_done, job);
	if (lane->jobs.length > 0)
		(void) add_event(fake, 0, run_work, lane);
}

static void clock_work(
	UsherClock *clock, const char *name, UsherClockFunc work, UsherClockFunc done, void *data)
{
	FakeClock *fake = fake_of(clock);
	Lane *lane = g_hash_table_lookup(fake->lanes, name);
	if (lane == NULL) {
		lane = g_new0(Lane, 1);
		lane->clock = fake;
		g_queue_init(&lane->jobs);
		g_hash_table_insert(fake->lanes, g_strdup(name), lane);
	}
	Job *job = g_new0(Job, 1);
	*job = (Job){ work, done, data };
	g_queue_push_tail(&lane->jobs, job);
	int64_t delay = 0;
	if (fake->latency > 0)
		delay = (int64_t) (next_chance(fake) % ((uint64_t) fake->latency + 1));
	if (lane->jobs.length == 1)
		(void) add_event(fake, delay, run_work, lane);
}

static const UsherClockOps ops = {
	.name = "fake",
	.now = clock_now,
	.wall = clock_wall,
	.random = clock_random,
	.after = clock_after,
	.cancel = clock_cancel,
	.work = clock_work,
};

static void free_lane(void *data)
{
	Lane *lane = data;
	g_queue_clear_full(&lane->jobs, g_free);
	g_free(lane);
}

UsherClock *fake_clock_new(uint64_t seed)
{
	FakeClock *fake = g_new0(FakeClock, 1);
	fake->clock.ops = &ops;
	fake->now = START_US;
	fake->wall_offset = START_WALL_US - START_US;
	fake->chance = seed;
	fake->events = g_ptr_array_new_with_free_func(g_free);
	fake->lanes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_lane);
	return &fake->clock;
}

void fake_clock_free(UsherClock *clock)
{
	if (clock == NULL)
		return;
	FakeClock *fake = fake_of(clock);
	for (unsigned i = 0; i < fake->events->len; i++) {
		const Event *event = fake->events->pdata[i];
		if (event->func == run_done)
			g_free(event->data);
	}
	g_ptr_array_unref(fake->events);
	g_hash_table_unref(fake->lanes);
	g_free(fake);
}

void fake_clock_set_latency(UsherClock *clock, int64_t max_us)
{
	g_assert(max_us >= 0);
	fake_of(clock)->latency = max_us;
}

void fake_clock_set_wall(UsherClock *clock, int64_t wall_us)
{
	fake_of(clock)->wall_offset = wall_us - fake_of(clock)->now;
}

size_t fake_clock_pending(UsherClock *clock)
{
	return fake_of(clock)->events->len;
}

size_t fake_clock_due(UsherClock *clock)
{
	const FakeClock *fake = fake_of(clock);
	unsigned n = 0;
	while (n < fake->events->len && ((const Event *) fake->events->pdata[n])->due <= fake->now)
		n++;
	return n;
}

int64_t fake_clock_when(UsherClock *clock, size_t index)
{
	const FakeClock *fake = fake_of(clock);
	g_assert(index < fake->events->len);
	return ((const Event *) fake->events->pdata[index])->due;
}

void fake_clock_run_chosen(UsherClock *clock, size_t index)
{
	run_event(fake_of(clock), (unsigned) index);
}

bool fake_clock_step(UsherClock *clock)
{
	if (fake_clock_due(clock) == 0)
		return false;
	run_event(fake_of(clock), 0);
	return true;
}

bool fake_clock_run_next(UsherClock *clock)
{
	if (fake_clock_pending(clock) == 0)
		return false;
	run_event(fake_of(clock), 0);
	return true;
}

bool fake_clock_run_any(UsherClock *clock)
{
	size_t n = fake_clock_due(clock);
	if (n == 0)
		return fake_clock_run_next(clock);
	run_event(fake_of(clock), (unsigned) (next_chance(fake_of(clock)) % n));
	return true;
}

void fake_clock_advance(UsherClock *clock, int64_t us)
{
	FakeClock *fake = fake_of(clock);
	int64_t until = fake->now + us;
	while (fake_clock_pending(clock) > 0 && fake_clock_when(clock, 0) <= until)
		run_event(fake, 0);
	fake->now = MAX(fake->now, until);
}
