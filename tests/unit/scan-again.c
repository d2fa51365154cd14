/* SPDX-License-Identifier: Apache-2.0 */
/* A scan of what changed ends in the inventory of a whole scan, whatever came before. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/child.h"
#include "host/scan.h"

#define FUNCTIONS "128"
#define ROUNDS    30
#define STEPS_MAX 12

typedef struct Bed {
	char *root;
	GRand *random;
	GPtrArray *addresses; /* of all functions that ever were */
	GHashTable *hidden;   /* address → where its link led: those that are away */
} Bed;

static void run(const char *path, const char *const *args)
{
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	g_assert_true(usher_child_start(&child, path, args, NULL));
	g_assert_cmpint(usher_child_await(&child, 120 * G_USEC_PER_SEC), ==, USHER_CHILD_ENDED);
	g_assert_cmpint(child.status.si_status, ==, 0);
}

static UsherInventory *scan(const Bed *bed)
{
	g_autoptr(GError) error = NULL;
	UsherInventory *inventory = usher_scan(bed->root, NULL, &error);
	g_assert_no_error(error);
	return inventory;
}

static void bed_set_up(Bed *bed, const void *data)
{
	(void) data;
	bed->root = g_dir_make_tmp("usher-again-XXXXXX", NULL);
	run("/usr/bin/python3",
		(const char *[]){ USHER_SOURCE "/bench/make-host", bed->root, FUNCTIONS, NULL });
	bed->random = g_rand_new_with_seed((guint32) g_test_rand_int());
	bed->addresses = g_ptr_array_new_with_free_func(g_free);
	bed->hidden = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(UsherInventory) inventory = scan(bed);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		g_ptr_array_add(bed->addresses, g_strdup(device->address));
	}
	g_assert_cmpuint(bed->addresses->len, ==, 128);
}

static void bed_tear_down(Bed *bed, const void *data)
{
	(void) data;
	run("/bin/rm", (const char *[]){ "-rf", bed->root, NULL });
	g_rand_free(bed->random);
	g_ptr_array_unref(bed->addresses);
	g_hash_table_unref(bed->hidden);
	g_free(bed->root);
}

static char *path_of(const Bed *bed, const char *address, const char *name)
{
	return g_build_filename(bed->root, "sys/bus/pci/devices", address, name, NULL);
}

static void put_link(const char *path, const char *target)
{
	(void) unlink(path);
	if (target != NULL)
		g_assert_cmpint(symlink(target, path), ==, 0);
}

static void change_driver(const Bed *bed, const char *address)
{
	static const char *const drivers[] = { NULL, "vfio-pci", "nvme", "amdgpu" };
	const char *driver = drivers[g_rand_int_range(bed->random, 0, G_N_ELEMENTS(drivers))];
	g_autofree char *path = path_of(bed, address, "driver");
	g_autofree char *target = driver != NULL ? g_strconcat("../", driver, NULL) : NULL;
	put_link(path, target);
}

static void change_group(const Bed *bed, const char *address)
{
	int number = g_rand_int_range(bed->random, -1, 20);
	g_autofree char *path = path_of(bed, address, "iommu_group");
	g_autofree char *target = number >= 0 ? g_strdup_printf("../groups/%d", number) : NULL;
	put_link(path, target);
}

static void change_owner(const Bed *bed, const char *address)
{
	const char *other =
		bed->addresses
			->pdata[g_rand_int_range(bed->random, 0, (gint32) bed->addresses->len)];
	g_autofree char *path = path_of(bed, address, "physfn");
	g_autofree char *target = g_strconcat("../", other, NULL);
	put_link(path, g_rand_boolean(bed->random) && strcmp(other, address) != 0 ? target : NULL);
}

static void come_or_go(const Bed *bed, const char *address)
{
	g_autofree char *path = path_of(bed, address, NULL);
	const char *target = g_hash_table_lookup(bed->hidden, address);
	if (target == NULL) {
		g_hash_table_insert(
			bed->hidden, g_strdup(address), usher_link_read(AT_FDCWD, path, NULL));
		put_link(path, NULL);
	} else {
		put_link(path, target);
		(void) g_hash_table_remove(bed->hidden, address);
	}
}

/* Neighbours more often than others: a change of one is seen at the other. */
static const char *pick(const Bed *bed, unsigned last)
{
	unsigned n = bed->addresses->len;
	unsigned index = g_rand_boolean(bed->random)
		? (unsigned) g_rand_int_range(bed->random, 0, (gint32) n)
		: (last + (unsigned) g_rand_int_range(bed->random, 0, 4)) % n;
	return bed->addresses->pdata[index];
}

static GHashTable *change(const Bed *bed, unsigned round)
{
	static void (*const changes[])(const Bed *bed, const char *address) = { change_driver,
		change_group, change_owner, come_or_go };
	GHashTable *changed = g_hash_table_new(g_str_hash, g_str_equal);
	int n = g_rand_int_range(bed->random, 1, STEPS_MAX);
	for (int i = 0; i < n; i++) {
		const char *address = pick(bed, round * 7);
		int which = g_rand_int_range(bed->random, 0, G_N_ELEMENTS(changes));
		bool is_away = g_hash_table_contains(bed->hidden, address);
		if (!is_away || changes[which] == come_or_go)
			changes[which](bed, address);
		g_hash_table_add(changed, (char *) (uintptr_t) address);
	}
	return changed;
}

static void assert_equal(const UsherInventory *one, const UsherInventory *other)
{
	g_assert_cmpuint(one->devices->len, ==, other->devices->len);
	for (unsigned i = 0; i < one->devices->len; i++) {
		g_autofree char *a = usher_record_print(&usher_device_type, one->devices->pdata[i]);
		g_autofree char *b =
			usher_record_print(&usher_device_type, other->devices->pdata[i]);
		g_assert_cmpstr(a, ==, b);
		g_autoptr(GPtrArray) near_a = usher_inventory_near(one, one->devices->pdata[i]);
		g_autoptr(GPtrArray) near_b = usher_inventory_near(other, other->devices->pdata[i]);
		g_assert_cmpuint(near_a->len, ==, near_b->len);
	}
	g_assert_cmpint(one->other_console, ==, other->other_console);
	g_assert_cmpint(one->has_iommu, ==, other->has_iommu);
}

static void test_changes(Bed *bed, const void *data)
{
	(void) data;
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherInventory) inventory = scan(bed);
	for (unsigned round = 0; round < ROUNDS; round++) {
		g_autoptr(GHashTable) changed = change(bed, round);
		UsherInventory *again =
			usher_scan_again(bed->root, NULL, inventory, changed, &error);
		g_assert_no_error(error);
		g_autoptr(UsherInventory) whole = scan(bed);
		assert_equal(again, whole);
		usher_inventory_unref(inventory);
		inventory = again;
	}
}

/* What was shared with an older one stays as it was there. */
static void test_older_stays(Bed *bed, const void *data)
{
	(void) data;
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherInventory) before = scan(bed);
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < before->devices->len; i++)
		g_ptr_array_add(
			texts, usher_record_print(&usher_device_type, before->devices->pdata[i]));
	g_autoptr(GHashTable) changed = change(bed, 1);
	UsherInventory *after = usher_scan_again(bed->root, NULL, before, changed, &error);
	g_assert_no_error(error);
	usher_inventory_unref(after);
	for (unsigned i = 0; i < before->devices->len; i++) {
		g_autofree char *text =
			usher_record_print(&usher_device_type, before->devices->pdata[i]);
		g_assert_cmpstr(text, ==, texts->pdata[i]);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/scan-again/changes", Bed, NULL, bed_set_up, test_changes, bed_tear_down);
	g_test_add(
		"/scan-again/older-stays", Bed, NULL, bed_set_up, test_older_stays, bed_tear_down);
	return g_test_run();
}
