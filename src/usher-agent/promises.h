/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* After a reboot that `usher host prepare` asked for: does what it promised hold? */
#include "ports/clock.h"

/* Looks in a worker, and logs a line a promise. Nothing where nothing was promised. */
void usher_agent_check_promises(UsherClock *clock);
