/* SPDX-License-Identifier: Apache-2.0 */
#include "usher-agent/trial.h"

#include <time.h>

#include "host/boot-once.h"
#include "node/boot-try.h"

static int64_t up_us(void)
{
	struct timespec now;
	return clock_gettime(CLOCK_BOOTTIME, &now) == 0
		? (int64_t) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000
		: 0;
}

static bool has_way_in(const UsherHostFacts *health)
{
	return health->has_ssh == USHER_FACT_YES || health->serial_console == USHER_FACT_YES ||
		health->has_bmc == USHER_FACT_YES;
}

static bool is_open(const UsherBootManifest *manifest)
{
	return manifest->attempt != NULL &&
		(manifest->attempt->state == USHER_TRY_ARMED ||
			manifest->attempt->state == USHER_TRY_RUNNING);
}

static bool step(const UsherBootFiles *files, const UsherHostFacts *health,
	UsherBootManifest *manifest, GError **error)
{
	g_autofree char *boot_id = usher_bootfiles_boot_id(files);
	const UsherTrySeen seen = {
		.boot_id = boot_id,
		.cmdline = health->cmdline != NULL ? health->cmdline : "",
		.has_way_in = has_way_in(health),
		.up_us = up_us(),
	};
	UsherBootLoaderPort *loader = usher_boot_loader_host_new(files, health, manifest);
	/* Armed, running, kept: as many steps as are due. */
	UsherTryState before;
	bool is_good;
	do {
		before = (UsherTryState) manifest->attempt->state;
		is_good = usher_boot_try_step(manifest->attempt, loader, &seen, error);
	} while (is_good && manifest->attempt->state != (unsigned) before);
	loader->ops->free(loader);
	return usher_bootfiles_remember(files, manifest, is_good ? error : NULL) && is_good;
}

UsherTrial usher_trial_step(const UsherBootFiles *files, const UsherHostFacts *health,
	UsherBootManifest *manifest, GPtrArray *lines, GError **error)
{
	if (!is_open(manifest))
		return USHER_TRIAL_SETTLED;
	if (!step(files, health, manifest, error))
		return USHER_TRIAL_RUNNING;
	if (manifest->attempt->state == USHER_TRY_KEPT) {
		g_ptr_array_add(lines,
			g_strdup("the prepared boot was tried, and is the default from now on"));
		return USHER_TRIAL_SETTLED;
	}
	if (manifest->attempt->state != USHER_TRY_FAILED)
		return USHER_TRIAL_RUNNING;
	if (!usher_bootfiles_undo(files, health, manifest, error))
		return USHER_TRIAL_RUNNING;
	g_ptr_array_add(lines,
		g_strdup("the prepared boot was tried and did not come up: what was prepared is "
			 "undone"));
	return USHER_TRIAL_UNDONE;
}
