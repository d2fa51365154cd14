/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What `usher host prepare` promised of the next boot, against what is. A pure function. */
#include "core/doctor/finding.h"

typedef enum {
	USHER_PROMISE_DUE, /* the reboot has not been yet */
	USHER_PROMISE_KEPT,
	USHER_PROMISE_BROKEN,
	USHER_PROMISE_UNKNOWN, /* it can't be told */
} UsherPromiseState;

typedef struct UsherPromise {
	char *id;       /* of a finding that was to be ok */
	unsigned state; /* UsherPromiseState */
	char *seen;     /* of what broke it; NULL: kept, or due */
} UsherPromise;
USHER_RECORD_DECLARE(UsherPromise, usher_promise)

/* promised: of char *, ids. Of UsherPromise; given. */
GPtrArray *usher_doctor_keep(
	const GPtrArray *findings, const GPtrArray *promised, bool is_rebooted);
