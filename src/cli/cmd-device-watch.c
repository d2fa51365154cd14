/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usher device watch: what is plugged, pulled, bound and unbound, as it happens. The kernel's events
 * say only "look again"; what is told is the difference between two looks, so that a lost event
 * loses nothing and a thousand of them are one line a device.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/devices.h"
#include "cli/why.h"
#include "host/uevents.h"

typedef struct Watch {
	UsherCli *cli;
	GMainLoop *loop;
	UsherInventory *seen;
	GError *error;
} Watch;

static char *time_cell(const UsherJson *event)
{
	g_autofree char *time = usher_cli_cell(usher_cli_member(event, "time"));
	const char *clock = strchr(time, 'T');
	return clock != NULL ? g_strndup(clock + 1, strcspn(clock + 1, ".Z")) : g_strdup(time);
}

static char *name_cell(const UsherJson *event)
{
	g_autofree char *name = usher_cli_cell(usher_cli_member(event, "device.device"));
	return name != NULL ? usher_cli_short_name(name) : NULL;
}

static char *changes_cell(const UsherJson *event)
{
	const UsherJson *changes = usher_json_get(event, "changes");
	g_autoptr(GString) text = g_string_new(NULL);
	for (size_t i = 0; i < usher_json_length(changes); i++) {
		const UsherJson *change = usher_json_at(changes, i);
		g_autofree char *from = usher_cli_cell(usher_cli_member(change, "from"));
		g_autofree char *to = usher_cli_cell(usher_cli_member(change, "to"));
		g_string_append_printf(text, "%s%s %s → %s", i > 0 ? ", " : "",
			usher_json_get_string(change, "member"),
			from != NULL && from[0] != '\0' ? from : "-",
			to != NULL && to[0] != '\0' ? to : "-");
	}
	return g_strdup(text->str);
}

static const UsherColumn columns[] = {
	{ "TIME", .cell = time_cell },
	{ "EVENT", "type" },
	{ "ADDRESS", "address" },
	{ "NAME", .cell = name_cell, .gives_way = true },
	{ "DRIVER", "device.driver" },
	{ "CHANGES", .cell = changes_cell },
	{ NULL },
};
static const UsherNoun noun = { "event", NULL, "address", columns };

/* What of a device is worth a line when it changes. */
static const char *const watched[] = { "driver", "driver_override", "iommu_group", "companions",
	"sriov_active", "mdev_types", "guard.verdict" };

static UsherJson *json_of(const UsherDevice *device)
{
	g_autofree char *text = usher_record_print(&usher_device_type, device);
	return usher_json_parse(text, strlen(text), NULL);
}

static bool is_equal(const UsherJson *one, const UsherJson *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return usher_json_equal(one, other);
}

static void write_member(UsherJsonWriter *writer, const char *key, const UsherJson *value)
{
	usher_json_key(writer, key);
	if (value != NULL)
		usher_json_write_value(writer, value);
	else
		usher_json_write_null(writer);
}

/* How many changes there are. */
static unsigned write_changes(UsherJsonWriter *writer, const UsherJson *was, const UsherJson *is)
{
	unsigned n_changes = 0;
	usher_json_key(writer, "changes");
	usher_json_begin_array(writer);
	for (size_t i = 0; was != NULL && is != NULL && i < G_N_ELEMENTS(watched); i++) {
		const UsherJson *from = usher_cli_member(was, watched[i]);
		const UsherJson *to = usher_cli_member(is, watched[i]);
		if (is_equal(from, to))
			continue;
		usher_json_begin_object(writer);
		usher_json_put_string(writer, "member", watched[i]);
		write_member(writer, "from", from);
		write_member(writer, "to", to);
		usher_json_end_object(writer);
		n_changes++;
	}
	usher_json_end_array(writer);
	return n_changes;
}

/* Either may be NULL. Nothing when nothing of it is worth a line. */
static void tell(Watch *watch, const UsherDevice *before, const UsherDevice *now)
{
	g_assert(before != NULL || now != NULL);
	g_autoptr(UsherJson) was = before != NULL ? json_of(before) : NULL;
	g_autoptr(UsherJson) is = now != NULL ? json_of(now) : NULL;
	const char *type = before == NULL ? "added" : now == NULL ? "removed" : "changed";
	g_autofree char *time = usher_text_print_time(g_get_real_time());
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "type", type);
	usher_json_put_string(writer, "time", time);
	usher_json_put_string(writer, "address", (now != NULL ? now : before)->address);
	unsigned n_changes = write_changes(writer, was, is);
	write_member(writer, "device", is != NULL ? is : was);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_autoptr(UsherJson) event = usher_json_parse(text, strlen(text), NULL);
	if (was == NULL || is == NULL || n_changes > 0)
		usher_cli_print_row(watch->cli, &noun, event);
}

/* Somebody else's device may be at the address by now. */
static bool is_same(const UsherDevice *before, const UsherDevice *now)
{
	g_autofree char *was = usher_device_identity(before);
	g_autofree char *is = usher_device_identity(now);
	return strcmp(was, is) == 0;
}

/* Both are sorted. */
static void tell_difference(Watch *watch, const UsherInventory *before, const UsherInventory *now)
{
	unsigned i = 0, j = 0;
	while (i < before->devices->len || j < now->devices->len) {
		const UsherDevice *was =
			i < before->devices->len ? before->devices->pdata[i] : NULL;
		const UsherDevice *is = j < now->devices->len ? now->devices->pdata[j] : NULL;
		int order = was == NULL ? 1 : is == NULL ? -1 : usher_device_compare(was, is);
		i += order <= 0 ? 1 : 0;
		j += order >= 0 ? 1 : 0;
		if (order == 0 && is_same(was, is)) {
			tell(watch, was, is);
			continue;
		}
		if (order <= 0)
			tell(watch, was, NULL);
		if (order >= 0)
			tell(watch, NULL, is);
	}
}

static void look_again(void *data)
{
	Watch *watch = data;
	g_autoptr(UsherInventory) now = usher_cli_scan(watch->cli, &watch->error);
	if (now == NULL) {
		g_main_loop_quit(watch->loop);
		return;
	}
	tell_difference(watch, watch->seen, now);
	usher_inventory_unref(watch->seen);
	watch->seen = g_steal_pointer(&now);
	if (ferror(stdout))
		g_main_loop_quit(watch->loop);
}

bool usher_cmd_device_watch(UsherCli *cli, GError **error)
{
	if (cli->root != NULL) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"device watch looks at this machine as it changes: it takes no --root");
		return false;
	}
	Watch watch = { .cli = cli };
	/* First the ear, then the look: what happens between them is seen. */
	g_autoptr(UsherUevents) uevents = usher_uevents_new(look_again, &watch, error);
	if (uevents == NULL)
		return false;
	watch.seen = usher_cli_scan(cli, error);
	if (watch.seen == NULL)
		return false;
	if (!usher_cli_has(cli, "quiet"))
		fprintf(stderr, "watching %u devices; Ctrl-C ends\n", watch.seen->devices->len);
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	if (cli->format != USHER_FORMAT_JSON)
		usher_cli_print_items(cli, &noun, none);
	(void) fflush(stdout);
	watch.loop = g_main_loop_new(NULL, FALSE);
	g_main_loop_run(watch.loop);
	g_main_loop_unref(watch.loop);
	g_clear_pointer(&watch.seen, usher_inventory_unref);
	if (watch.error != NULL)
		g_propagate_error(error, watch.error);
	return watch.error == NULL;
}
