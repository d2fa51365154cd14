/* SPDX-License-Identifier: Apache-2.0 */
/* usher device show, usher device explain: one device as a page, and whether it may be given. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/devices.h"
#include "cli/why.h"
#include "core/explain.h"
#include "host/bars.h"
#include "host/modules.h"
#include "host/tree.h"

/* What only this host can tell of a device beside its facts; all NULL of one that usherd has. */
typedef struct Extras {
	const UsherInventory *inventory;
	GPtrArray *modules; /* NULL: unknown */
	GArray *bars;       /* of UsherBar, NULL: unknown */
	GPtrArray *holders; /* of UsherHolder, NULL: unknown */
	char *unseen;       /* sentence on processes that could not be looked into */
} Extras;

static void extras_clear(Extras *extras)
{
	g_clear_pointer(&extras->modules, g_ptr_array_unref);
	g_clear_pointer(&extras->bars, g_array_unref);
	g_clear_pointer(&extras->holders, g_ptr_array_unref);
	g_clear_pointer(&extras->unseen, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Extras, extras_clear)

/* Of the second line of one label the label is empty. */
static void G_GNUC_PRINTF(2, 3) print_line(const char *label, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	printf("  %-12s%s\n", label, text);
}

static char *text_of(const UsherJson *device, const char *member)
{
	return usher_cli_cell(usher_cli_member(device, member));
}

static char *or_unknown(char *text, const char *instead)
{
	return text != NULL && text[0] != '\0' ? text : (g_free(text), g_strdup(instead));
}

static void print_title(const UsherJson *device)
{
	g_autofree char *address = text_of(device, "address");
	g_autofree char *name = or_unknown(text_of(device, "device"), "unknown device");
	g_autofree char *vendor = or_unknown(text_of(device, "vendor"), "unknown vendor");
	g_autofree char *class_name = or_unknown(text_of(device, "class_name"), "unknown class");
	g_autofree char *vendor_id = or_unknown(text_of(device, "vendor_id"), "????");
	g_autofree char *device_id = or_unknown(text_of(device, "device_id"), "????");
	g_autofree char *revision = text_of(device, "revision");
	printf("%s  %s\n", address, name);
	printf("%s, %s, %s:%s%s%s\n\n", vendor, class_name, vendor_id, device_id,
		revision != NULL ? " revision " : "", revision != NULL ? revision : "");
}

static void print_member(const UsherJson *device, const char *label, const char *member)
{
	g_autofree char *text = text_of(device, member);
	if (text != NULL && text[0] != '\0')
		print_line(label, "%s", text);
}

static void print_usb(const UsherJson *device)
{
	g_autofree char *bus = or_unknown(text_of(device, "usb.bus"), "?");
	g_autofree char *port = or_unknown(text_of(device, "usb.port"), "?");
	g_autofree char *version = or_unknown(text_of(device, "usb.version"), "?");
	g_autofree char *speed = or_unknown(text_of(device, "usb.speed_mbps"), "?");
	g_autofree char *parent = or_unknown(text_of(device, "parent"), "?");
	print_line("where", "bus %s, port %s, below %s", bus, port, parent);
	print_line("USB", "version %s at %s Mbit/s", version, speed);
	print_member(device, "on node", "node");
}

static void print_place(const UsherJson *device)
{
	if (usher_cli_member(device, "usb") != NULL) {
		print_usb(device);
		return;
	}
	g_autofree char *group = text_of(device, "iommu_group");
	g_autofree char *numa = text_of(device, "numa_node");
	g_autofree char *slot = text_of(device, "slot_label");
	g_autofree char *parent = text_of(device, "parent");
	g_autoptr(GString) place = g_string_new(NULL);
	if (group != NULL)
		g_string_append_printf(place, "IOMMU group %s", group);
	else
		g_string_append(place, "in no IOMMU group");
	if (numa != NULL)
		g_string_append_printf(place, ", NUMA node %s", numa);
	if (slot != NULL)
		g_string_append_printf(place, ", slot %s", slot);
	if (parent != NULL)
		g_string_append_printf(place, ", below %s", parent);
	print_line("where", "%s", place->str);
	print_member(device, "IOMMU", "iommu_unit");
	print_member(device, "on node", "node");
}

static void print_drivers(const UsherJson *device, const Extras *extras)
{
	g_autofree char *driver = or_unknown(text_of(device, "driver"), "none");
	print_line("driver", "%s", driver);
	print_member(device, "interfaces", "usb.interface_drivers");
	if (usher_json_get_bool(device, "driver_override_unknown", false))
		print_line("override", "unknown");
	else
		print_member(device, "override", "driver_override");
	if (extras->modules == NULL)
		return;
	g_autofree char *modules = usher_text_join_array(extras->modules, ", ");
	print_line("modules", "%s", modules[0] != '\0' ? modules : "none of this kernel");
}

static void print_identity(const UsherJson *device)
{
	static const char *const members[][2] = {
		{ "serial", "facts.serial" },
		{ "VPD serial", "facts.vpd_serial" },
		{ "UUID", "facts.uuid" },
		{ "MAC", "facts.mac" },
		{ "path", "facts.path" },
	};
	print_member(device, "id", "id");
	print_member(device, "problem", "identity_problem");
	for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
		print_member(device, members[i][0], members[i][1]);
	g_autofree char *vendor = text_of(device, "subsystem_vendor_id");
	g_autofree char *model = text_of(device, "subsystem_device_id");
	if (vendor != NULL && model != NULL)
		print_line("subsystem", "%s:%s", vendor, model);
}

/* One a line, with its name where it is of this host. */
static void print_addresses(const UsherJson *array, const char *label, const Extras *extras)
{
	for (size_t i = 0; i < usher_json_length(array); i++) {
		const char *address = usher_json_string(usher_json_at(array, i));
		const UsherDevice *other = extras->inventory != NULL
			? usher_inventory_find_text(extras->inventory, address)
			: NULL;
		const char *name = other != NULL && other->device != NULL ? other->device : "";
		const char *driver = other != NULL && other->driver != NULL ? other->driver : "-";
		if (other != NULL)
			print_line(i == 0 ? label : "", "%s  %s  %s", address, name, driver);
		else
			print_line(i == 0 ? label : "", "%s", address);
	}
}

static void print_relations(const UsherJson *device, const Extras *extras)
{
	print_member(device, "network", "nets");
	print_member(device, "disks", "blocks");
	print_member(device, "DRM", "drm");
	print_addresses(usher_json_get(device, "companions"), "companions", extras);
	print_member(device, "function of", "physical_function");
	int64_t total = usher_json_get_int(device, "sriov_total", 0);
	if (total > 0)
		print_line("VFs", "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " active",
			usher_json_get_int(device, "sriov_active", 0), total);
	print_addresses(usher_json_get(device, "virtual_functions"), "", extras);
	print_member(device, "mdev types", "mdev_types");
}

static void print_bars(const Extras *extras)
{
	for (unsigned i = 0; extras->bars != NULL && i < extras->bars->len; i++) {
		const UsherBar *bar = &g_array_index(extras->bars, UsherBar, i);
		g_autofree char *size = g_format_size_full(bar->size, G_FORMAT_SIZE_IEC_UNITS);
		print_line(i == 0 ? "BARs" : "", "%u  %s of %s%s%s", bar->index, size,
			bar->is_io ? "ports" : "memory",
			bar->is_prefetchable ? ", prefetchable" : "",
			bar->is_unassigned ? ", without an address" : "");
	}
}

static void write_bars(UsherJsonWriter *writer, const GArray *bars)
{
	usher_json_key(writer, "bars");
	if (bars == NULL) {
		usher_json_write_null(writer);
		return;
	}
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < bars->len; i++) {
		const UsherBar *bar = &g_array_index(bars, UsherBar, i);
		usher_json_begin_object(writer);
		usher_json_put_int(writer, "index", bar->index);
		usher_json_put_int(writer, "size_bytes", (int64_t) bar->size);
		usher_json_put_string(writer, "kind", bar->is_io ? "io" : "memory");
		usher_json_put_bool(writer, "prefetchable", bar->is_prefetchable);
		usher_json_put_bool(writer, "unassigned", bar->is_unassigned);
		usher_json_end_object(writer);
	}
	usher_json_end_array(writer);
}

static void print_verdicts(const UsherJson *device)
{
	g_autofree char *verdict = text_of(device, "guard.verdict");
	const UsherJson *reasons = usher_cli_member(device, "guard.reasons");
	if (verdict != NULL)
		print_line("host", "%s",
			strcmp(verdict, "free") == 0              ? "does not need it"
				: strcmp(verdict, "refused") == 0 ? "needs it"
								  : "may need it: unknown");
	for (size_t i = 0; reasons != NULL && i < usher_json_length(reasons); i++) {
		const UsherJson *reason = usher_json_at(reasons, i);
		const UsherJson *names = usher_json_get(reason, "proof");
		g_autofree char *about = text_of(reason, "device");
		g_autofree char *why = text_of(reason, "why");
		g_autoptr(GString) proof = g_string_new(NULL);
		for (size_t j = 0; j < usher_json_length(names); j++) {
			g_autofree char *link = usher_cli_cell(usher_json_at(names, j));
			g_string_append_printf(proof, "%s%s", j > 0 ? " → " : ": ", link);
		}
		print_line("", "%s %s%s", about, why, proof->str);
	}
	g_autofree char *whole = text_of(device, "passthrough.whole");
	const UsherJson *because = usher_cli_member(device, "passthrough.because");
	if (whole != NULL)
		print_line("whole", "%s", strcmp(whole, "after-fix") == 0 ? "after a fix" : whole);
	for (size_t i = 0; because != NULL && i < usher_json_length(because); i++) {
		g_autofree char *reason = usher_cli_cell(usher_json_at(because, i));
		print_line("", "%s", reason);
	}
	print_member(device, "vGPU", "passthrough.vgpu");
	print_member(device, "resets", "reset_methods");
}

static void print_having(const UsherJson *device, const Extras *extras)
{
	print_member(device, "state", "state");
	print_member(device, "groups", "groups");
	print_member(device, "lease", "lease");
	const UsherJson *foreign = usher_json_get(device, "foreign");
	for (size_t i = 0; foreign != NULL && i < usher_json_length(foreign); i++) {
		g_autofree char *kind = text_of(usher_json_at(foreign, i), "kind");
		g_autofree char *name = text_of(usher_json_at(foreign, i), "name");
		print_line(i == 0 ? "foreign" : "", "%s %s", kind, name);
	}
	for (unsigned i = 0; extras->holders != NULL && i < extras->holders->len; i++) {
		const UsherHolder *holder = extras->holders->pdata[i];
		g_autofree char *paths = usher_text_join_array(holder->paths, " ");
		print_line(i == 0 ? "held by" : "", "%s (pid %" G_GINT64_FORMAT "%s%s%s%s): %s",
			holder->name != NULL ? holder->name : "?", holder->pid,
			holder->unit != NULL ? ", " : "", holder->unit != NULL ? holder->unit : "",
			holder->domain != NULL ? ", domain " : "",
			holder->domain != NULL ? holder->domain : "", paths);
	}
	if (extras->unseen != NULL)
		print_line(extras->holders->len == 0 ? "held by" : "", "%s", extras->unseen);
	else if (extras->holders != NULL && extras->holders->len == 0)
		print_line("held by", "no process");
}

static void write_extras(UsherJsonWriter *writer, const Extras *extras)
{
	usher_json_key(writer, "modules");
	if (extras->modules == NULL)
		usher_json_write_null(writer);
	else
		usher_json_begin_array(writer);
	for (unsigned i = 0; extras->modules != NULL && i < extras->modules->len; i++)
		usher_json_write_string(writer, extras->modules->pdata[i]);
	if (extras->modules != NULL)
		usher_json_end_array(writer);
	write_bars(writer, extras->bars);
	usher_json_key(writer, "holders");
	if (extras->unseen != NULL && extras->holders->len == 0) {
		usher_json_write_null(writer);
		return;
	}
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < extras->holders->len; i++)
		usher_record_write(&usher_holder_type, extras->holders->pdata[i], writer);
	usher_json_end_array(writer);
}

static void print_page(UsherCli *cli, const UsherJson *device, const Extras *extras)
{
	if (cli->format == USHER_FORMAT_NAME) {
		printf("%s\n", usher_json_get_string(device, "address"));
		return;
	}
	if (cli->format != USHER_FORMAT_JSON) {
		print_title(device);
		print_place(device);
		print_drivers(device, extras);
		print_identity(device);
		print_bars(extras);
		print_relations(device, extras);
		print_verdicts(device);
		print_having(device, extras);
		return;
	}
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	const char *key = NULL;
	const UsherJson *value;
	while (usher_json_next(device, &key, &value)) {
		usher_json_key(writer, key);
		usher_json_write_value(writer, value);
	}
	if (extras->inventory != NULL)
		write_extras(writer, extras);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

static GArray *read_bars(const UsherCli *cli, const UsherDevice *device)
{
	g_autoptr(UsherTree) tree = usher_tree_open(cli->root, NULL);
	g_autofree char *path =
		g_strconcat("sys/bus/pci/devices/", device->address, "/resource", NULL);
	g_autofree char *text = tree != NULL ? usher_tree_read(tree, path) : NULL;
	return text != NULL ? usher_bars_parse(text, USHER_BARS) : NULL;
}

static bool show_here(UsherCli *cli, GError **error)
{
	g_autoptr(UsherInventory) inventory = usher_cli_scan(cli, error);
	const UsherDevice *device = inventory != NULL
		? usher_cli_find_here(inventory, usher_cli_arg(cli, 0), error)
		: NULL;
	if (device == NULL)
		return false;
	g_autoptr(GPtrArray) devices = usher_cli_devices_of(cli, inventory, error);
	if (devices == NULL)
		return false;
	g_auto(Extras) extras = { .inventory = inventory };
	unsigned n_unseen;
	extras.modules = cli->root == NULL ? usher_modules_for(device) : NULL;
	extras.bars = read_bars(cli, device);
	extras.holders = usher_cli_holders(cli, inventory, device->address, &n_unseen, error);
	if (extras.holders == NULL)
		return false;
	extras.unseen = n_unseen > 0 ? usher_cli_unseen(cli, n_unseen) : NULL;
	for (unsigned i = 0; i < devices->len; i++) {
		const char *address = usher_json_get_string(devices->pdata[i], "address");
		if (g_strcmp0(address, device->address) == 0)
			print_page(cli, devices->pdata[i], &extras);
	}
	return true;
}

/* A bare address is this host's; NODE/ADDRESS and ids are usherd's. */
bool usher_cmd_device_show(UsherCli *cli, GError **error)
{
	const char *name = usher_cli_arg(cli, 0);
	if (usher_cli_is_here(name) || cli->root != NULL)
		return show_here(cli, error);
	g_auto(GStrv) parts = g_strsplit(name, "/", 2);
	g_autofree char *path = usher_cli_path("devices", parts[0], parts[1], NULL);
	g_autoptr(UsherJson) device = usher_cli_get(cli, path, error);
	if (device == NULL)
		return false;
	Extras none = { NULL };
	print_page(cli, device, &none);
	return true;
}

static void print_reasons(const GPtrArray *reasons, bool is_for, const char *heading)
{
	bool is_first = true;
	for (unsigned i = 0; i < reasons->len; i++) {
		const UsherExplainReason *reason = reasons->pdata[i];
		if (reason->is_for != is_for)
			continue;
		if (is_first)
			printf("%s\n", heading);
		printf("  %s %s\n", is_for ? "+" : "-", reason->sentence);
		is_first = false;
	}
}

static void write_sentences(
	UsherJsonWriter *writer, const GPtrArray *reasons, bool is_for, const char *key)
{
	usher_json_key(writer, key);
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < reasons->len; i++) {
		const UsherExplainReason *reason = reasons->pdata[i];
		if (reason->is_for == is_for)
			usher_json_write_string(writer, reason->sentence);
	}
	usher_json_end_array(writer);
}

static void print_answer_json(
	const UsherDevice *device, const GPtrArray *reasons, const char *unknown)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "address", device->address);
	usher_json_put_bool(writer, "may", usher_explain_is_yes(reasons));
	write_sentences(writer, reasons, /* is_for */ false, "against");
	write_sentences(writer, reasons, /* is_for */ true, "for");
	usher_json_key(writer, "unknown");
	usher_json_begin_array(writer);
	if (unknown != NULL)
		usher_json_write_string(writer, unknown);
	usher_json_end_array(writer);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

static void add_reason(GPtrArray *reasons, char *sentence)
{
	UsherExplainReason *reason = g_new0(UsherExplainReason, 1);
	reason->sentence = sentence;
	g_ptr_array_insert(reasons, 0, reason);
}

static void print_answer(const UsherDevice *device, const GPtrArray *reasons, const char *unknown)
{
	g_autofree char *name = usher_cli_short_name(device->device != NULL ? device->device : "");
	printf("%s  %s: %s\n", device->address, name,
		usher_explain_is_yes(reasons) ? "yes, a guest may have it"
					      : "no, a guest may not have it as it is now");
	print_reasons(reasons, /* is_for */ false, "against it");
	print_reasons(reasons, /* is_for */ true, "for it");
	if (unknown != NULL)
		printf("not known\n  ? %s\n", unknown);
}

/* What core cannot know: who has it open at this moment, and to whom usherd gave it. out_unknown:
 * a sentence on what could not be seen of that. */
static bool add_having(UsherCli *cli, const UsherInventory *inventory, const UsherDevice *device,
	GPtrArray *reasons, char **out_unknown, GError **error)
{
	unsigned n_unseen;
	g_autoptr(GPtrArray) holders =
		usher_cli_holders(cli, inventory, device->address, &n_unseen, error);
	g_autoptr(GPtrArray) devices =
		holders != NULL ? usher_cli_devices_of(cli, inventory, error) : NULL;
	if (devices == NULL)
		return false;
	for (unsigned i = 0; i < devices->len; i++) {
		const char *lease = usher_json_get_string(devices->pdata[i], "lease");
		const char *address = usher_json_get_string(devices->pdata[i], "address");
		if (lease != NULL && g_strcmp0(address, device->address) == 0)
			add_reason(reasons,
				g_strdup_printf("it is given already, by lease %s", lease));
	}
	for (unsigned i = 0; i < holders->len; i++) {
		const UsherHolder *holder = holders->pdata[i];
		g_autofree char *paths = usher_text_join_array(holder->paths, ", ");
		add_reason(reasons,
			g_strdup_printf("%s%s, process %" G_GINT64_FORMAT ", has %s open",
				holder->domain != NULL ? "domain " : "",
				holder->domain != NULL ? holder->domain : holder->name, holder->pid,
				paths));
	}
	*out_unknown = n_unseen > 0 ? usher_cli_unseen(cli, n_unseen) : NULL;
	return true;
}

/* The answer is in the exit status, too: 0 yes, 1 no, with the first reason as its sentence. */
bool usher_cmd_device_explain(UsherCli *cli, GError **error)
{
	g_autoptr(UsherInventory) inventory = usher_cli_scan(cli, error);
	const UsherDevice *device = inventory != NULL
		? usher_cli_find_here(inventory, usher_cli_arg(cli, 0), error)
		: NULL;
	if (device == NULL)
		return false;
	g_autoptr(GPtrArray) reasons = usher_explain_device(inventory, device);
	g_autofree char *unknown = NULL;
	if (!add_having(cli, inventory, device, reasons, &unknown, error))
		return false;
	if (cli->format == USHER_FORMAT_JSON)
		print_answer_json(device, reasons, unknown);
	else
		print_answer(device, reasons, unknown);
	cli->is_answered = true;
	if (usher_explain_is_yes(reasons))
		return true;
	const UsherExplainReason *first = reasons->pdata[0];
	usher_error_set(error, USHER_ERROR_DENIED, "device %s can't be given: %s", device->address,
		first->sentence);
	return false;
}
