/* SPDX-License-Identifier: Apache-2.0 */
/* The fake clock itself: what simulations and contracts stand on. */
#include "fakes/clock.h"

#include <string.h>

static GString *told;

static void tell(void *data)
{
	g_string_append(told, data);
}

static unsigned after(UsherClock *clock, int64_t delay, const char *name)
{
	static char names[3][2] = { "a", "b", "c" };
	return clock->ops->after(clock, delay, tell, names[name[0] - 'a']);
}

static void test_order(void)
{
	g_autoptr(UsherClock) clock = fake_clock_new(1);
	int64_t start = clock->ops->now(clock), wall = clock->ops->wall(clock);
	(void) after(clock, 20, "c");
	(void) after(clock, 10, "a");
	(void) after(clock, 10, "b");
	g_assert_false(fake_clock_step(clock));
	g_assert_cmpuint(fake_clock_pending(clock), ==, 3);
	g_assert_cmpint(fake_clock_when(clock, 2), ==, start + 20);
	fake_clock_advance(clock, 10);
	g_assert_cmpstr(told->str, ==, "ab");
	fake_clock_advance(clock, 5);
	g_assert_true(fake_clock_run_next(clock));
	g_assert_cmpstr(told->str, ==, "abc");
	g_assert_cmpint(clock->ops->now(clock), ==, start + 20);
	g_assert_cmpint(clock->ops->wall(clock), ==, wall + 20);
	g_assert_false(fake_clock_run_next(clock));
	fake_clock_set_wall(clock, 5);
	g_assert_cmpint(clock->ops->wall(clock), ==, 5);
	g_assert_cmpint(clock->ops->now(clock), ==, start + 20);
	g_string_truncate(told, 0);
}

static void test_choose(void)
{
	g_autoptr(UsherClock) clock = fake_clock_new(1);
	(void) after(clock, 0, "a");
	unsigned gone = after(clock, 0, "b");
	(void) after(clock, 10, "c");
	g_assert_cmpuint(fake_clock_due(clock), ==, 2);
	clock->ops->cancel(clock, gone);
	clock->ops->cancel(clock, gone);
	g_assert_cmpuint(fake_clock_due(clock), ==, 1);
	fake_clock_run_chosen(clock, 1);
	g_assert_true(fake_clock_step(clock));
	g_assert_cmpstr(told->str, ==, "ca");
	g_assert_false(fake_clock_run_any(clock));
	g_string_truncate(told, 0);
}

typedef struct Job {
	const char *name;
	unsigned n_worked;
	bool is_done;
} Job;

static void work(void *data)
{
	Job *job = data;
	job->n_worked++;
	g_string_append(told, job->name);
}

static void done(void *data)
{
	Job *job = data;
	g_assert_cmpuint(job->n_worked, ==, 1);
	g_assert_false(job->is_done);
	job->is_done = true;
	g_string_append_printf(told, "%s!", job->name);
}

static void test_lanes(void)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		g_autoptr(UsherClock) clock = fake_clock_new(seed);
		fake_clock_set_latency(clock, seed % 2 == 0 ? 0 : 1000);
		Job jobs[] = { { "a" }, { "b" }, { "x" }, { "y" } };
		for (size_t i = 0; i < G_N_ELEMENTS(jobs); i++)
			clock->ops->work(clock, i < 2 ? "one" : "other", work, done, &jobs[i]);
		g_assert_cmpuint(told->len, ==, 0);
		while (fake_clock_run_any(clock))
			;
		for (size_t i = 0; i < G_N_ELEMENTS(jobs); i++)
			g_assert_true(jobs[i].is_done);
		g_assert_true(strchr(told->str, 'a') < strchr(told->str, 'b'));
		g_assert_true(strchr(told->str, 'x') < strchr(told->str, 'y'));
		g_string_truncate(told, 0);
	}
}

static void test_same_seed(void)
{
	uint8_t one[64], other[64], third[64];
	g_autoptr(UsherClock) first = fake_clock_new(7);
	g_autoptr(UsherClock) second = fake_clock_new(7);
	g_autoptr(UsherClock) different = fake_clock_new(8);
	first->ops->random(first, one, sizeof one);
	second->ops->random(second, other, sizeof other);
	different->ops->random(different, third, sizeof third);
	g_assert_true(memcmp(one, other, sizeof one) == 0);
	g_assert_true(memcmp(one, third, sizeof one) != 0);
}

/* What has not run goes with the clock. */
static void test_free(void)
{
	Job jobs[] = { { "a" }, { "b" } };
	g_autoptr(UsherClock) clock = fake_clock_new(1);
	(void) after(clock, 10, "a");
	clock->ops->work(clock, "one", work, done, &jobs[0]);
	clock->ops->work(clock, "one", work, done, &jobs[1]);
	g_assert_true(fake_clock_step(clock));
	g_assert_true(jobs[0].n_worked == 1 && !jobs[0].is_done);
	g_string_truncate(told, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	told = g_string_new(NULL);
	g_test_add_func("/fake-clock/order", test_order);
	g_test_add_func("/fake-clock/choose", test_choose);
	g_test_add_func("/fake-clock/lanes", test_lanes);
	g_test_add_func("/fake-clock/same-seed", test_same_seed);
	g_test_add_func("/fake-clock/free", test_free);
	int status = g_test_run();
	g_string_free(told, TRUE);
	return status;
}
