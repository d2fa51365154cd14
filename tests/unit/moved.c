/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is who on recorded machines, where there are any beside the sources: each is seen once, then
 * changed as people change machines, and seen again. Whoever can be followed is, and nobody is taken
 * for another.
 */
#include <glib.h>
#include <string.h>

#include "core/identity.h"
#include "host/child.h"
#include "host/scan.h"

static void free_device(void *device)
{
	usher_device_free(device);
}

static void run(const char *program, const char *const *args)
{
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	g_assert_true(usher_child_start(&child, program, args, NULL));
	g_assert_cmpint(usher_child_await(&child, 60 * G_USEC_PER_SEC), ==, USHER_CHILD_ENDED);
	g_assert_cmpint(child.status.si_status, ==, 0);
}

static UsherInventory *scan_recording(const char *archive)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *root = g_dir_make_tmp("usher-moved-XXXXXX", &error);
	g_assert_no_error(error);
	run("/bin/tar",
		(const char *const[]){ "-xJf", archive, "-C", root, "--strip-components=1", NULL });
	UsherInventory *inventory = usher_scan(root, NULL, &error);
	g_assert_no_error(error);
	run("/bin/rm", (const char *const[]){ "-rf", root, NULL });
	return inventory;
}

/* The recordings were not made by root: cards get the serial numbers that root would see. The id
 * tells who it is. */
static GPtrArray *records_of(const UsherInventory *inventory)
{
	GPtrArray *records = g_ptr_array_new_with_free_func(free_device);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *record = usher_device_dup(inventory->devices->pdata[i]);
		record->id = g_strdup_printf("d-%u", i);
		record->state = USHER_DEVICE_HOST;
		bool is_first = g_str_has_suffix(record->address, ".0");
		if (record->kind == USHER_DEVICE_PCI && is_first &&
			record->physical_function == NULL) {
			g_free(record->facts->serial);
			record->facts->serial = g_strdup_printf(
				"00-1b-21-ff-fe-00-%02x-%02x", (i >> 8) + 1, i & 0xff);
			g_free(record->facts->mac);
			record->facts->mac =
				g_strdup_printf("00:1b:21:00:%02x:%02x", i >> 8, i & 0xff);
		}
		g_ptr_array_add(records, record);
	}
	usher_identity_remember(records);
	return records;
}

static GPtrArray *dup_devices(const GPtrArray *devices)
{
	GPtrArray *copies = g_ptr_array_new_with_free_func(free_device);
	for (unsigned i = 0; i < devices->len; i++)
		g_ptr_array_add(copies, usher_device_dup(devices->pdata[i]));
	return copies;
}

/* A card was put in before all others: every bus but the first has the next number, the last one that
 * of the second, so that none has two. */
static char *shift_bus(const char *address)
{
	UsherPciAddr addr;
	char text[USHER_PCI_ADDR_TEXT];
	if (address == NULL || !usher_pci_addr_parse(address, &addr, NULL))
		return g_strdup(address);
	addr.bus = (uint8_t) (addr.bus == 0 ? 0 : addr.bus % UINT8_MAX + 1);
	return g_strdup(usher_pci_addr_print(addr, text));
}

static void shift_buses(UsherDevice *device)
{
	g_autofree char *address = g_steal_pointer(&device->address);
	g_autofree char *physical = g_steal_pointer(&device->physical_function);
	device->address = shift_bus(address);
	device->physical_function = shift_bus(physical);
}

static void remove_root(UsherDevice *device)
{
	g_clear_pointer(&device->facts->serial, g_free);
	g_clear_pointer(&device->facts->vpd_serial, g_free);
}

static void unbind(UsherDevice *device)
{
	g_clear_pointer(&device->driver, g_free);
	g_clear_pointer(&device->facts->uuid, g_free);
	g_clear_pointer(&device->facts->mac, g_free);
}

static void clear_ids(GPtrArray *devices)
{
	for (unsigned i = 0; i < devices->len; i++)
		g_clear_pointer(&((UsherDevice *) devices->pdata[i])->id, g_free);
}

/* seen[i] is records[i], whatever else it says. */
static void assert_followed(const GPtrArray *records, GPtrArray *seen)
{
	clear_ids(seen);
	g_autoptr(GPtrArray) identities = usher_identity_match_all(records, seen);
	g_assert_cmpuint(identities->len, ==, records->len);
	for (unsigned i = 0; i < identities->len; i++) {
		const UsherIdentity *identity = identities->pdata[i];
		const UsherDevice *record = records->pdata[i];
		g_test_message("%s: %s", record->address, identity->why);
		g_assert_cmpint(identity->kind, ==, USHER_IDENTITY_KNOWN);
		g_assert_cmpstr(identity->record->id, ==, record->id);
	}
}

static void test_shifted(const GPtrArray *records)
{
	void (*const changes[])(UsherDevice * device) = { shift_buses, remove_root, unbind };
	for (unsigned which = 1; which < 1U << G_N_ELEMENTS(changes); which++) {
		g_autoptr(GPtrArray) seen = dup_devices(records);
		for (unsigned i = 0; i < seen->len; i++) {
			for (unsigned j = 0; j < G_N_ELEMENTS(changes); j++) {
				if ((which & 1U << j) != 0)
					changes[j](seen->pdata[i]);
			}
		}
		g_test_message("changes %u", which);
		assert_followed(records, seen);
	}
}

/* A function that is a card of its own. */
static bool is_single(const GPtrArray *records, const UsherDevice *device)
{
	size_t length = strlen(device->address) - 1;
	unsigned n_functions = 0;
	for (unsigned i = 0; i < records->len; i++) {
		const UsherDevice *other = records->pdata[i];
		n_functions += strncmp(other->address, device->address, length) == 0 ? 1 : 0;
	}
	return device->kind == USHER_DEVICE_PCI && device->facts->serial != NULL &&
		device->virtual_functions->len == 0 && n_functions == 1;
}

static bool is_same_make(const UsherDevice *one, const UsherDevice *other)
{
	g_autofree char *a = usher_device_identity(one);
	g_autofree char *b = usher_device_identity(other);
	return strcmp(a, b) == 0 &&
		g_strcmp0(one->subsystem_device_id, other->subsystem_device_id) == 0 &&
		g_strcmp0(one->subsystem_vendor_id, other->subsystem_vendor_id) == 0;
}

static void swap_text(char **one, char **other)
{
	char *kept = *one;
	*one = *other;
	*other = kept;
}

/* Each is in the other's slot. */
static void swap_places(UsherDevice *one, UsherDevice *other)
{
	swap_text(&one->address, &other->address);
	swap_text(&one->facts->path, &other->facts->path);
	swap_text(&one->slot_label, &other->slot_label);
}

/* Both are in slots that nobody has seen. */
static void move_away(UsherDevice *device, const char *address)
{
	g_free(device->address);
	device->address = g_strdup(address);
	g_free(device->facts->path);
	device->facts->path = g_strconcat("new/", address, NULL);
	g_clear_pointer(&device->slot_label, g_free);
	remove_root(device);
	unbind(device);
}

static void test_pair(const GPtrArray *records, unsigned one, unsigned other)
{
	g_autoptr(GPtrArray) swapped = dup_devices(records);
	swap_places(swapped->pdata[one], swapped->pdata[other]);
	assert_followed(records, swapped);
	g_autoptr(GPtrArray) moved = dup_devices(records);
	move_away(moved->pdata[one], "00fe:01:00.0");
	move_away(moved->pdata[other], "00fe:02:00.0");
	clear_ids(moved);
	g_autoptr(GPtrArray) identities = usher_identity_match_all(records, moved);
	g_assert_cmpint(
		((UsherIdentity *) identities->pdata[one])->kind, ==, USHER_IDENTITY_AMBIGUOUS);
	g_assert_cmpint(
		((UsherIdentity *) identities->pdata[other])->kind, ==, USHER_IDENTITY_AMBIGUOUS);
}

/* Two of one make: they are swapped with what tells them apart, and moved without. */
static unsigned test_pairs(const GPtrArray *records)
{
	unsigned n_pairs = 0;
	for (unsigned i = 0; i < records->len; i++) {
		for (unsigned j = i + 1; j < records->len; j++) {
			if (!is_single(records, records->pdata[i]) ||
				!is_single(records, records->pdata[j]) ||
				!is_same_make(records->pdata[i], records->pdata[j]))
				continue;
			test_pair(records, i, j);
			n_pairs++;
			break;
		}
	}
	return n_pairs;
}

static void test_machine(const void *data)
{
	g_autoptr(UsherInventory) inventory = scan_recording(data);
	g_autoptr(GPtrArray) records = records_of(inventory);
	test_shifted(records);
	g_test_message("%u pairs", test_pairs(records));
}

static void test_none(const void *data)
{
	(void) data;
	g_test_skip("there are no recordings beside the sources");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *folder = g_build_filename(USHER_SOURCE, "..", "shared", "machines", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path =
			g_strdup_printf("/moved/%.*s", (int) strcspn(name, "."), name);
		if (g_str_has_suffix(name, ".tar.xz"))
			g_test_add_data_func_full(
				path, g_build_filename(folder, name, NULL), test_machine, g_free);
	}
	if (dir == NULL)
		g_test_add_data_func("/moved/none", NULL, test_none);
	return g_test_run();
}
