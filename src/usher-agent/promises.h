/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * After a reboot that `usher host prepare` asked for: does what it promised hold? Where it does, the
 * guests that ran with devices before are started again; else they are held back, and it is said why.
 */
#include "ports/clock.h"

typedef struct UsherPromises UsherPromises;
/* server: of usherd, whom the starts are asked of. */
UsherPromises *usher_promises_new(UsherClock *clock, const char *server);
/* The node can start guests now: looks in a worker, logs a line a promise, and starts. Once. */
void usher_promises_check(UsherPromises *promises);
/* After the clock: no worker is out. */
void usher_promises_free(UsherPromises *promises);
