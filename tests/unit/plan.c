/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what is seen and what is wanted, one row; the steps between them, as they print. */
#include "core/plan.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "unit/inventory-text.h"

#define NIC   "dev 0000:01:00.0 020000 group=1 vendor=8086 device=10d3"
#define CARD  "dev 0000:03:00.0 030000 group=2 vendor=1234 device=1111"
#define AUDIO "dev 0000:03:00.1 040300 group=2 vendor=8086 device=2668"
#define HELD  " driver=vfio-pci override=vfio-pci"
#define MINE  "0000:01:00.0 8086:10d3:020000 e1000e -"
#define GPU   "0000:03:00.0 1234:1111:030000 bochs-drm -"
#define SOUND "0000:03:00.1 8086:2668:040300 snd_hda_intel -"

/* "ADDRESS IDENTITY DRIVER OVERRIDE"; "-" is nothing. */
static UsherWas *was_of(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 4);
	UsherWas *was = usher_was_new();
	char **members[] = { &was->address, &was->identity, &was->driver, &was->driver_override };
	for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
		*members[i] = strcmp(words[i], "-") == 0 ? NULL : g_strdup(words[i]);
	return was;
}

/* One a line. */
static void read_was(const char *text, GPtrArray *was)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		if (lines[i][0] != '\0')
			g_ptr_array_add(was, was_of(lines[i]));
	}
}

/* "DEVICE COMPANION…" */
static UsherLease *lease_of(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	UsherLease *lease = usher_lease_new();
	lease->id = g_strdup("l-1");
	lease->device = usher_device_ref_new();
	lease->device->id = g_strdup("d-1");
	lease->device->address = g_strdup(words[0]);
	for (unsigned i = 1; words[i] != NULL; i++)
		g_ptr_array_add(lease->companions, g_strdup(words[i]));
	return lease;
}

static char *print_steps(const GPtrArray *steps)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < steps->len; i++)
		g_ptr_array_add(lines, usher_step_print(steps->pdata[i]));
	return usher_text_join_array(lines, "\n");
}

typedef struct TakeRow {
	const char *name;
	const char *world;
	const char *lease;
	const char *was;   /* what the lease took */
	const char *steps; /* NULL: refused */
	const char *refusal;
} TakeRow;

static const TakeRow take_rows[] = {
	{ "bound", NIC " driver=e1000e", "0000:01:00.0", "",
		"load module vfio-pci\n"
		"set driver_override of 0000:01:00.0 to vfio-pci\n"
		"unbind 0000:01:00.0 from e1000e\n"
		"bind 0000:01:00.0 to vfio-pci" },
	{ "unbound", NIC, "0000:01:00.0", "",
		"load module vfio-pci\n"
		"set driver_override of 0000:01:00.0 to vfio-pci\n"
		"bind 0000:01:00.0 to vfio-pci" },
	{ "held", NIC HELD, "0000:01:00.0", "", "" },
	{ "half-held", NIC " driver=vfio-pci", "0000:01:00.0", "",
		"load module vfio-pci\nset driver_override of 0000:01:00.0 to vfio-pci" },
	{ "half-taken", NIC " override=vfio-pci", "0000:01:00.0", "",
		"load module vfio-pci\nbind 0000:01:00.0 to vfio-pci" },
	{ "by-driverctl", NIC " driver=e1000e override=e1000e", "0000:01:00.0", "",
		"load module vfio-pci\n"
		"set driver_override of 0000:01:00.0 to vfio-pci\n"
		"unbind 0000:01:00.0 from e1000e\n"
		"bind 0000:01:00.0 to vfio-pci" },
	{ "companion", CARD HELD "\n" AUDIO " driver=snd_hda_intel", "0000:03:00.0 0000:03:00.1",
		"",
		"load module vfio-pci\n"
		"set driver_override of 0000:03:00.1 to vfio-pci\n"
		"unbind 0000:03:00.1 from snd_hda_intel\n"
		"bind 0000:03:00.1 to vfio-pci" },
	{ "again", NIC HELD, "0000:01:00.0", MINE, "" },
	{ "gone", CARD, "0000:01:00.0", "", NULL, "there is no device 0000:01:00.0" },
	{ "companion-gone", CARD, "0000:03:00.0 0000:03:00.1", "", NULL,
		"there is no device 0000:03:00.1" },
	{ "no-group", "dev 0000:01:00.0 020000 driver=e1000e", "0000:01:00.0", "", NULL,
		"0000:01:00.0 has no IOMMU group" },
	{ "another", "dev 0000:01:00.0 010802 group=1 vendor=144d device=a808 driver=nvme",
		"0000:01:00.0", MINE, NULL, "another device is at 0000:01:00.0" },
};

static void test_take(const void *data)
{
	const TakeRow *row = data;
	g_autoptr(UsherInventory) seen = inventory_of_text(row->world);
	g_autoptr(UsherLease) lease = lease_of(row->lease);
	read_was(row->was, lease->was);
	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(usher_step_type.free);
	g_autoptr(GError) error = NULL;
	bool is_planned = usher_plan_take(seen, lease, steps, &error);
	g_assert_cmpint(is_planned, ==, row->steps != NULL);
	if (!is_planned) {
		g_assert_nonnull(strstr(error->message, row->refusal));
		return;
	}
	g_autofree char *text = print_steps(steps);
	g_assert_cmpstr(text, ==, row->steps);
	for (unsigned i = 0; i < steps->len; i++) {
		const UsherStep *step = steps->pdata[i];
		/* The guard judges before the host loses it, and each write says to what. */
		bool takes = step->kind == USHER_STEP_UNBIND || step->kind == USHER_STEP_BIND;
		g_assert_cmpint(step->takes, ==, takes);
		g_assert_true(step->kind == USHER_STEP_LOAD_MODULE || step->identity != NULL);
		g_assert_true(usher_step_kind_is_host(step->kind));
	}
}

typedef struct HomeRow {
	const char *name;
	const char *world;
	const char *was;
	const char *steps;
} HomeRow;

static const HomeRow home_rows[] = {
	{ "held", NIC HELD, MINE,
		"unbind 0000:01:00.0 from vfio-pci\n"
		"clear driver_override of 0000:01:00.0\n"
		"bind 0000:01:00.0 to e1000e" },
	{ "home", NIC " driver=e1000e", MINE, "" },
	{ "half-taken", NIC " driver=e1000e override=vfio-pci", MINE,
		"clear driver_override of 0000:01:00.0" },
	{ "half-home", NIC " override=vfio-pci", MINE,
		"clear driver_override of 0000:01:00.0\nbind 0000:01:00.0 to e1000e" },
	{ "almost-home", NIC, MINE, "bind 0000:01:00.0 to e1000e" },
	{ "had-none", NIC HELD, "0000:01:00.0 8086:10d3:020000 - -",
		"unbind 0000:01:00.0 from vfio-pci\nclear driver_override of 0000:01:00.0" },
	{ "by-driverctl", NIC HELD, "0000:01:00.0 8086:10d3:020000 e1000e e1000e",
		"unbind 0000:01:00.0 from vfio-pci\n"
		"set driver_override of 0000:01:00.0 to e1000e\n"
		"bind 0000:01:00.0 to e1000e" },
	{ "was-held", NIC HELD, "0000:01:00.0 8086:10d3:020000 vfio-pci vfio-pci", "" },
	{ "was-held-by-ids", NIC HELD, "0000:01:00.0 8086:10d3:020000 vfio-pci -",
		"clear driver_override of 0000:01:00.0" },
	{ "override-unknown", NIC " driver=e1000e override-unknown", MINE,
		"clear driver_override of 0000:01:00.0" },
	/* In reverse: the companions first. */
	{ "companion", CARD HELD "\n" AUDIO HELD, GPU "\n" SOUND,
		"unbind 0000:03:00.1 from vfio-pci\n"
		"clear driver_override of 0000:03:00.1\n"
		"bind 0000:03:00.1 to snd_hda_intel\n"
		"unbind 0000:03:00.0 from vfio-pci\n"
		"clear driver_override of 0000:03:00.0\n"
		"bind 0000:03:00.0 to bochs-drm" },
	{ "gone", CARD, MINE, "" },
	{ "another", "dev 0000:01:00.0 010802 group=1 vendor=144d device=a808 driver=nvme", MINE,
		"" },
	{ "another-held", "dev 0000:01:00.0 010802 group=1 vendor=144d device=a808" HELD, MINE,
		"" },
	/* What another hand has done since stays. */
	{ "foreign-driver", NIC " driver=uio_pci_generic override=vfio-pci", MINE,
		"clear driver_override of 0000:01:00.0" },
	{ "foreign-override", NIC " driver=uio_pci_generic override=uio_pci_generic", MINE, "" },
	{ "nothing", NIC HELD, "", "" },
};

static void test_home(const void *data)
{
	const HomeRow *row = data;
	g_autoptr(UsherInventory) seen = inventory_of_text(row->world);
	g_autoptr(GPtrArray) was = g_ptr_array_new_with_free_func(usher_was_type.free);
	read_was(row->was, was);
	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(usher_step_type.free);
	usher_plan_give_back(seen, was, steps);
	g_autofree char *text = print_steps(steps);
	g_assert_cmpstr(text, ==, row->steps);
	for (unsigned i = 0; i < steps->len; i++)
		g_assert_false(((const UsherStep *) steps->pdata[i])->takes);
}

static char *print_was(const UsherWas *was)
{
	return g_strdup_printf("%s %s %s %s", was->address, was->identity,
		was->driver != NULL ? was->driver : "-",
		was->driver_override != NULL ? was->driver_override : "-");
}

/* What is taken comes home to what it was, from wherever the way ended. */
static void test_there_and_back(void)
{
	g_autoptr(UsherInventory) before =
		inventory_of_text(CARD " driver=bochs-drm\n" AUDIO " driver=snd_hda_intel\n");
	g_autoptr(UsherInventory) after = inventory_of_text(CARD HELD "\n" AUDIO HELD);
	g_autoptr(UsherLease) lease = lease_of("0000:03:00.0 0000:03:00.1");
	g_autoptr(GPtrArray) was = usher_plan_observe_was(before, lease, NULL);
	g_assert_cmpuint(was->len, ==, 2);
	g_autofree char *gpu = print_was(was->pdata[0]), *sound = print_was(was->pdata[1]);
	g_assert_cmpstr(gpu, ==, GPU);
	g_assert_cmpstr(sound, ==, SOUND);
	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(usher_step_type.free);
	usher_plan_give_back(before, was, steps);
	g_assert_cmpuint(steps->len, ==, 0);
	usher_plan_give_back(after, was, steps);
	g_assert_cmpuint(steps->len, ==, 6);
}

static void test_unknown_was(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherInventory) seen = inventory_of_text(NIC " driver=e1000e override-unknown");
	g_autoptr(UsherLease) lease = lease_of("0000:01:00.0");
	g_assert_null(usher_plan_observe_was(seen, lease, &error));
	g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_UNAVAILABLE);
	g_clear_error(&error);
	g_autoptr(UsherLease) gone = lease_of("0000:09:00.0");
	g_assert_null(usher_plan_observe_was(seen, gone, &error));
	g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_NOT_FOUND);
}

/* Every kind has a name and a text, and the host's are told from the guest's. */
static void test_kinds(void)
{
	for (unsigned kind = 0; kind < USHER_STEP_N_KINDS; kind++) {
		g_autoptr(UsherStep) step = usher_step_new();
		step->kind = kind;
		step->address = g_strdup("0000:01:00.0");
		step->driver = g_strdup("e1000e");
		step->guest = g_strdup("vm1");
		g_autofree char *text = usher_step_print(step);
		bool is_guest = g_str_has_prefix(usher_step_kind_name(kind), "guest-");
		g_assert_cmpint(usher_step_kind_is_host(kind), ==, !is_guest);
		g_assert_nonnull(strstr(text, is_guest ? "vm1" : "e1000e"));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(take_rows); i++) {
		g_autofree char *path = g_strconcat("/plan/take/", take_rows[i].name, NULL);
		g_test_add_data_func(path, &take_rows[i], test_take);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(home_rows); i++) {
		g_autofree char *path = g_strconcat("/plan/give-back/", home_rows[i].name, NULL);
		g_test_add_data_func(path, &home_rows[i], test_home);
	}
	g_test_add_func("/plan/there-and-back", test_there_and_back);
	g_test_add_func("/plan/unknown-was", test_unknown_was);
	g_test_add_func("/plan/kinds", test_kinds);
	return g_test_run();
}
