/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A boot that `usher host prepare` has tried once: kept where it went well, else undone. */
#include "host/bootfiles.h"

typedef enum {
	USHER_TRIAL_SETTLED, /* there is none, or it is kept */
	USHER_TRIAL_RUNNING, /* ask again in a while: nobody has got in yet */
	USHER_TRIAL_UNDONE,  /* it failed: all that was prepared is undone, and the manifest gone */
} UsherTrial;

/* In a worker. lines: of char *, what happened is added. With an error it is as RUNNING. */
UsherTrial usher_trial_step(const UsherBootFiles *files, const UsherHostFacts *health,
	UsherBootManifest *manifest, GPtrArray *lines, GError **error);
