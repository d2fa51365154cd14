/* SPDX-License-Identifier: Apache-2.0 */
#include "usher-agent/promises.h"

#include <string.h>

#include "base/log.h"
#include "core/doctor/promise.h"
#include "host/bootfiles.h"
#include "host/health.h"
#include "host/scan.h"

typedef struct Check {
	GPtrArray *promises; /* of UsherPromise; NULL: none, or they can't be told */
	GError *error;
} Check;

static UsherGoal goal_named(const char *name)
{
	for (unsigned i = 0; i < USHER_N_GOALS; i++) {
		if (g_strcmp0(usher_goal_names[i], name) == 0)
			return (UsherGoal) i;
	}
	return USHER_GOAL_PCI;
}

static GPtrArray *examine(
	const UsherBootManifest *manifest, const GPtrArray *promised, GError **error)
{
	g_autoptr(UsherInventory) inventory = usher_scan(NULL, NULL, error);
	g_autoptr(UsherTree) tree = inventory != NULL ? usher_tree_open(NULL, error) : NULL;
	if (tree == NULL)
		return NULL;
	g_autoptr(UsherHostFacts) facts = usher_health_read(tree, inventory);
	/* A device that is not there now is another's matter. */
	const char *address = manifest->address != NULL &&
			usher_inventory_find_text(inventory, manifest->address) != NULL
		? manifest->address
		: NULL;
	g_autoptr(GPtrArray) findings =
		usher_doctor_examine(facts, inventory, goal_named(manifest->goal), address);
	return usher_doctor_keep(findings, promised, /* is_rebooted */ true);
}

static void check(void *data)
{
	Check *self = data;
	g_autoptr(UsherBootFiles) files = usher_bootfiles_open(NULL, &self->error);
	g_autoptr(UsherBootManifest) manifest =
		files != NULL ? usher_bootfiles_manifest(files, &self->error) : NULL;
	bool is_rebooted = false;
	const GPtrArray *promised =
		manifest != NULL ? usher_bootfiles_promises(files, manifest, &is_rebooted) : NULL;
	if (is_rebooted)
		self->promises = examine(manifest, promised, &self->error);
}

static void tell(void *data)
{
	Check *self = data;
	if (self->error != NULL)
		usher_log(USHER_LOG_WARNING, NULL, "what was promised of this boot: %s",
			self->error->message);
	for (unsigned i = 0; self->promises != NULL && i < self->promises->len; i++) {
		const UsherPromise *promise = self->promises->pdata[i];
		bool is_kept = promise->state == USHER_PROMISE_KEPT;
		usher_log(is_kept ? USHER_LOG_INFO : USHER_LOG_WARNING, NULL,
			"host prepare promised %s: %s%s%s", promise->id,
			is_kept                                          ? "it is so"
				: promise->state == USHER_PROMISE_BROKEN ? "it is not so"
									 : "it can't be told",
			promise->seen != NULL ? ": " : "",
			promise->seen != NULL ? promise->seen : "");
	}
	if (self->promises != NULL)
		g_ptr_array_unref(self->promises);
	g_clear_error(&self->error);
	g_free(self);
}

void usher_agent_check_promises(UsherClock *clock)
{
	clock->ops->work(clock, "doctor", check, tell, g_new0(Check, 1));
}
