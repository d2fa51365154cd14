/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Time, chance and who runs work that blocks, so that a node or a whole cluster runs in one thread
 * under a fake clock. All calls from the main thread; callbacks come on it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct UsherClock UsherClock;
typedef void (*UsherClockFunc)(void *data);

typedef struct UsherClockOps {
	const char *name;
	int64_t (*now)(UsherClock *clock);  /* microseconds, monotonic */
	int64_t (*wall)(UsherClock *clock); /* microseconds since 1970 UTC */
	void (*random)(UsherClock *clock, void *buffer, size_t n);
	/* Calls func once after delay_us; the id is never 0. */
	unsigned (*after)(UsherClock *clock, int64_t delay_us, UsherClockFunc func, void *data);
	void (*cancel)(UsherClock *clock, unsigned id);
	/* Runs work in the lane's thread, after what was given to the lane before, then done on the
	 * main thread. work must touch nothing but job. */
	void (*work)(UsherClock *clock, const char *lane, UsherClockFunc work, UsherClockFunc done,
		void *job);
} UsherClockOps;

struct UsherClock {
	const UsherClockOps *ops;
};
