/* SPDX-License-Identifier: Apache-2.0 */
#include "usher-agent/promises.h"

#include <string.h>

#include "base/log.h"
#include "client/client.h"
#include "core/doctor/promise.h"
#include "host/bootfiles.h"
#include "host/health.h"
#include "host/scan.h"
#include "usher-agent/trial.h"

#define START_MS (10 * 1000)
#define AGAIN_US (5 * G_TIME_SPAN_SECOND) /* while nobody has got into a boot that is tried */

static void check_again(void *data);

struct UsherPromises {
	UsherClock *clock;
	char *server;
	bool is_checked;
};

/* Of one look; a worker has it, then the main thread. */
typedef struct Check {
	char *server;
	GPtrArray *promises; /* of UsherPromise; NULL: none, or they can't be told */
	GPtrArray *lines;    /* of char *: what happened */
	bool is_open;        /* the boot is still being tried */
	UsherPromises *owner;
	GError *error;
} Check;

/* What the host is now. */
typedef struct Look {
	UsherInventory *inventory;
	UsherHostFacts *health;
} Look;

static void look_clear(Look *look)
{
	g_clear_pointer(&look->inventory, usher_inventory_unref);
	g_clear_pointer(&look->health, usher_host_facts_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Look, look_clear)

static bool look(Look *look, GError **error)
{
	look->inventory = usher_scan(NULL, NULL, error);
	g_autoptr(UsherTree) tree = look->inventory != NULL ? usher_tree_open(NULL, error) : NULL;
	if (tree != NULL)
		look->health = usher_health_read(tree, look->inventory);
	return look->health != NULL;
}

static GPtrArray *examine(const Look *look, const UsherBootManifest *manifest)
{
	/* A device that is not there now is another's matter. */
	const char *address = manifest->address != NULL &&
			usher_inventory_find_text(look->inventory, manifest->address) != NULL
		? manifest->address
		: NULL;
	g_autoptr(GPtrArray) findings = usher_doctor_examine(
		look->health, look->inventory, usher_goal_named(manifest->goal), address);
	return usher_doctor_keep(findings, manifest->promises, /* is_rebooted */ true);
}

static bool are_kept(const GPtrArray *promises)
{
	for (unsigned i = 0; i < promises->len; i++) {
		if (((const UsherPromise *) promises->pdata[i])->state != USHER_PROMISE_KEPT)
			return false;
	}
	return true;
}

static void start_guest(const Check *self, UsherClient *client, const char *guest)
{
	g_autofree char *name = usher_client_escape(guest);
	g_autofree char *path = g_strdup_printf("/v1/vms/%s/start", name);
	const UsherClientRequest request = {
		.method = "POST", .path = path, .body = "{}", .timeout_ms = START_MS
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherAnswer) answer = usher_client_send(client, &request, &error);
	g_ptr_array_add(self->lines,
		answer != NULL ? g_strdup_printf("vm %s ran before the reboot: is started", guest)
			       : g_strdup_printf(
					 "vm %s ran before the reboot: %s", guest, error->message));
}

/* Once: those that were started, or could not be, are their owner's again. */
static bool start_guests(const Check *self, UsherBootManifest *manifest, GError **error)
{
	if (manifest->guests->len == 0)
		return true;
	g_autoptr(UsherClient) client = usher_client_new(self->server, error);
	if (client == NULL)
		return false;
	for (unsigned i = 0; i < manifest->guests->len; i++)
		start_guest(self, client, manifest->guests->pdata[i]);
	g_ptr_array_set_size(manifest->guests, 0);
	return true;
}

static void hold_back(const Check *self, const UsherBootManifest *manifest)
{
	for (unsigned i = 0; i < manifest->guests->len; i++)
		g_ptr_array_add(self->lines,
			g_strdup_printf(
				"vm %s ran before the reboot and is held back: not all that "
				"was promised is so",
				(const char *) manifest->guests->pdata[i]));
}

/* After the reboot: first the boot itself, then what was promised of it, then its guests. */
static bool follow(
	Check *self, const UsherBootFiles *files, UsherBootManifest *manifest, GError **error)
{
	g_auto(Look) now = { 0 };
	if (!look(&now, error))
		return false;
	switch (usher_trial_step(files, now.health, manifest, self->lines, error)) {
	case USHER_TRIAL_RUNNING:
		self->is_open = true;
		return *error == NULL;
	case USHER_TRIAL_UNDONE: /* the host is as it was when they ran */
		return start_guests(self, manifest, error);
	case USHER_TRIAL_SETTLED:
		break;
	}
	self->promises = examine(&now, manifest);
	if (are_kept(self->promises))
		return start_guests(self, manifest, error) &&
			usher_bootfiles_remember(files, manifest, error);
	hold_back(self, manifest);
	return true;
}

static void check(void *data)
{
	Check *self = data;
	bool is_rebooted = false;
	g_autoptr(UsherBootFiles) files = usher_bootfiles_open(NULL, &self->error);
	g_autoptr(UsherBootManifest) manifest =
		files != NULL ? usher_bootfiles_manifest(files, &self->error) : NULL;
	if (manifest != NULL)
		(void) usher_bootfiles_promises(files, manifest, &is_rebooted);
	if (is_rebooted)
		(void) follow(self, files, manifest, &self->error);
}

static void tell_promise(const UsherPromise *promise)
{
	static const char *const said[] = { [USHER_PROMISE_KEPT] = "it is so",
		[USHER_PROMISE_BROKEN] = "it is not so",
		[USHER_PROMISE_UNKNOWN] = "it can't be told" };
	bool is_kept = promise->state == USHER_PROMISE_KEPT;
	usher_log(is_kept ? USHER_LOG_INFO : USHER_LOG_WARNING, NULL,
		"host prepare promised %s: %s%s%s", promise->id, said[promise->state],
		promise->seen != NULL ? ": " : "", promise->seen != NULL ? promise->seen : "");
}

static void tell(void *data)
{
	Check *self = data;
	for (unsigned i = 0; self->promises != NULL && i < self->promises->len; i++)
		tell_promise(self->promises->pdata[i]);
	for (unsigned i = 0; i < self->lines->len; i++)
		usher_log(USHER_LOG_NOTICE, NULL, "%s", (const char *) self->lines->pdata[i]);
	if (self->error != NULL)
		usher_log(USHER_LOG_WARNING, NULL, "what was promised of this boot: %s",
			self->error->message);
	UsherClock *clock = self->owner->clock;
	if (self->is_open)
		(void) clock->ops->after(clock, AGAIN_US, check_again, self->owner);
	g_clear_pointer(&self->promises, g_ptr_array_unref);
	g_ptr_array_unref(self->lines);
	g_clear_error(&self->error);
	g_free(self->server);
	g_free(self);
}

UsherPromises *usher_promises_new(UsherClock *clock, const char *server)
{
	UsherPromises *promises = g_new0(UsherPromises, 1);
	promises->clock = clock;
	promises->server = g_strdup(server);
	return promises;
}

static void check_again(void *data)
{
	UsherPromises *promises = data;
	Check *self = g_new0(Check, 1);
	self->owner = promises;
	self->server = g_strdup(promises->server);
	self->lines = g_ptr_array_new_with_free_func(g_free);
	promises->clock->ops->work(promises->clock, "doctor", check, tell, self);
}

void usher_promises_check(UsherPromises *promises)
{
	if (!promises->is_checked)
		check_again(promises);
	promises->is_checked = true;
}

void usher_promises_free(UsherPromises *promises)
{
	g_free(promises->server);
	g_free(promises);
}
