/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The real clock, and a thread for each lane that has work, behind ports/clock.h. */
#include "ports/clock.h"

UsherClock *usher_clock_real_new(void);
/* What lanes still have is done before their threads end; done is not called any more. */
void usher_clock_real_free(UsherClock *clock);
