/* SPDX-License-Identifier: Apache-2.0 */
#include "host/clock.h"

#include <glib.h>
#include <sys/random.h>

#define IDLE_US (5 * G_USEC_PER_SEC) /* a lane without work ends after */

/* Counted: lanes and results that wait may outlive the clock. */
typedef struct Lanes {
	GMutex lock;
	GHashTable *lanes; /* name → Lane */
	bool is_closed;
} Lanes;

typedef struct Lane {
	Lanes *lanes;
	char *name;
	GQueue jobs;
	GCond has_job;
} Lane;

typedef struct Job {
	Lanes *lanes;
	UsherClockFunc work, done;
	void *job;
} Job;

typedef struct Timer {
	UsherClockFunc func;
	void *data;
} Timer;

typedef struct UsherClockReal {
	UsherClock base;
	Lanes *lanes;
} UsherClockReal;

static void lanes_clear(void *data)
{
	Lanes *lanes = data;
	g_assert(g_hash_table_size(lanes->lanes) == 0);
	g_hash_table_unref(lanes->lanes);
	g_mutex_clear(&lanes->lock);
}

static void lanes_release(Lanes *lanes)
{
	g_atomic_rc_box_release_full(lanes, lanes_clear);
}

static int64_t now(UsherClock *clock)
{
	(void) clock;
	return g_get_monotonic_time();
}

static int64_t wall(UsherClock *clock)
{
	(void) clock;
	return g_get_real_time();
}

static void fill_random(UsherClock *clock, void *buffer, size_t n)
{
	(void) clock;
	size_t done = 0;
	while (done < n) {
		ssize_t got = getrandom((char *) buffer + done, n - done, 0);
		if (got > 0)
			done += (size_t) got;
	}
}

static gboolean on_time(void *data)
{
	const Timer *timer = data;
	timer->func(timer->data);
	return G_SOURCE_REMOVE;
}

/* A ready time has microseconds, a timeout only milliseconds. */
static unsigned after(UsherClock *clock, int64_t delay_us, UsherClockFunc func, void *data)
{
	(void) clock;
	Timer *timer = g_new(Timer, 1);
	*timer = (Timer){ func, data };
	GSource *source = g_timeout_source_new(0);
	g_source_set_callback(source, on_time, timer, g_free);
	g_source_set_ready_time(source, g_get_monotonic_time() + MAX(delay_us, 0));
	unsigned id = g_source_attach(source, NULL);
	g_source_unref(source);
	g_assert(id != 0);
	return id;
}

static void cancel(UsherClock *clock, unsigned id)
{
	(void) clock;
	GSource *source = g_main_context_find_source_by_id(NULL, id);
	if (source != NULL)
		g_source_destroy(source);
}

static gboolean on_done(void *data)
{
	const Job *job = data;
	g_mutex_lock(&job->lanes->lock);
	bool is_closed = job->lanes->is_closed;
	g_mutex_unlock(&job->lanes->lock);
	if (!is_closed)
		job->done(job->job);
	return G_SOURCE_REMOVE;
}

static void job_free(void *data)
{
	Job *job = data;
	lanes_release(job->lanes);
	g_free(job);
}

/* The next job, NULL when the lane has been idle for long and is gone from the table. Locked. */
static Job *lane_next(Lane *lane)
{
	int64_t end = g_get_monotonic_time() + IDLE_US;
	while (g_queue_is_empty(&lane->jobs)) {
		if (lane->lanes->is_closed ||
			!g_cond_wait_until(&lane->has_job, &lane->lanes->lock, end))
			break;
	}
	Job *job = g_queue_pop_head(&lane->jobs);
	if (job == NULL)
		(void) g_hash_table_remove(lane->lanes->lanes, lane->name);
	return job;
}

static void *run_lane(void *data)
{
	Lane *lane = data;
	Lanes *lanes = lane->lanes;
	g_mutex_lock(&lanes->lock);
	Job *job;
	while ((job = lane_next(lane)) != NULL) {
		g_mutex_unlock(&lanes->lock);
		job->work(job->job);
		g_idle_add_full(G_PRIORITY_DEFAULT, on_done, job, job_free);
		g_mutex_lock(&lanes->lock);
	}
	g_mutex_unlock(&lanes->lock);
	g_cond_clear(&lane->has_job);
	g_free(lane->name);
	g_free(lane);
	lanes_release(lanes);
	return NULL;
}

static Lane *lane_new(Lanes *lanes, const char *name)
{
	Lane *lane = g_new0(Lane, 1);
	lane->lanes = g_atomic_rc_box_acquire(lanes);
	lane->name = g_strdup(name);
	g_queue_init(&lane->jobs);
	g_cond_init(&lane->has_job);
	return lane;
}

static void work(
	UsherClock *clock, const char *name, UsherClockFunc func, UsherClockFunc done, void *data)
{
	Lanes *lanes = ((UsherClockReal *) (void *) clock)->lanes;
	Job *job = g_new(Job, 1);
	*job = (Job){ g_atomic_rc_box_acquire(lanes), func, done, data };
	g_mutex_lock(&lanes->lock);
	Lane *lane = g_hash_table_lookup(lanes->lanes, name);
	bool is_new = lane == NULL;
	if (is_new) {
		lane = lane_new(lanes, name);
		g_hash_table_insert(lanes->lanes, lane->name, lane);
	}
	g_queue_push_tail(&lane->jobs, job);
	g_cond_signal(&lane->has_job);
	g_mutex_unlock(&lanes->lock);
	if (is_new)
		g_thread_unref(g_thread_new("usher-lane", run_lane, lane));
}

static const UsherClockOps ops = {
	.name = "real",
	.now = now,
	.wall = wall,
	.random = fill_random,
	.after = after,
	.cancel = cancel,
	.work = work,
};

UsherClock *usher_clock_real_new(void)
{
	UsherClockReal *self = g_new0(UsherClockReal, 1);
	self->base.ops = &ops;
	self->lanes = g_atomic_rc_box_new0(Lanes);
	g_mutex_init(&self->lanes->lock);
	self->lanes->lanes = g_hash_table_new(g_str_hash, g_str_equal);
	return &self->base;
}

static void wake_lane(void *name, void *value, void *data)
{
	(void) name;
	(void) data;
	Lane *lane = value;
	g_cond_signal(&lane->has_job);
}

void usher_clock_real_free(UsherClock *clock)
{
	UsherClockReal *self = (UsherClockReal *) (void *) clock;
	if (self == NULL)
		return;
	g_mutex_lock(&self->lanes->lock);
	self->lanes->is_closed = true;
	g_hash_table_foreach(self->lanes->lanes, wake_lane, NULL);
	g_mutex_unlock(&self->lanes->lock);
	lanes_release(self->lanes);
	g_free(self);
}
