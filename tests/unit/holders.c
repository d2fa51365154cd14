/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a device, in a tree made here. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/child.h"
#include "host/holders.h"

typedef struct Tree {
	char *root;
} Tree;

static void tree_clear(Tree *tree)
{
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	const char *args[] = { "-rf", tree->root, NULL };
	g_assert_true(usher_child_start(&child, "/bin/rm", args, NULL));
	g_assert_cmpint(usher_child_await(&child, 60 * G_USEC_PER_SEC), ==, USHER_CHILD_ENDED);
	g_free(tree->root);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tree, tree_clear)

static char *make_parent(const Tree *tree, const char *path)
{
	char *whole = g_build_filename(tree->root, path, NULL);
	g_autofree char *parent = g_path_get_dirname(whole);
	g_assert_true(usher_folder_make(parent, 0755, NULL));
	return whole;
}

static void put(const Tree *tree, const char *path, const char *text, gssize length)
{
	g_autofree char *whole = make_parent(tree, path);
	g_assert_true(g_file_set_contents(whole, text, length, NULL));
}

static void put_link(const Tree *tree, const char *path, const char *target)
{
	g_autofree char *whole = make_parent(tree, path);
	g_assert_cmpint(symlink(target, whole), ==, 0);
}

static void add_device(UsherInventory *inventory, const char *address, int64_t group)
{
	UsherDevice *device = usher_device_new();
	device->address = g_strdup(address);
	device->kind = g_str_has_prefix(address, "usb:") ? USHER_DEVICE_USB : USHER_DEVICE_PCI;
	device->iommu_group = group;
	device->driver = g_strdup("vfio-pci");
	g_ptr_array_add(inventory->devices, device);
}

static void add_block(
	UsherInventory *inventory, const char *name, const char *pci, const char *lower)
{
	UsherBlock *block = g_new0(UsherBlock, 1);
	block->name = g_strdup(name);
	block->pci = g_strdup(pci);
	block->slaves = g_ptr_array_new_with_free_func(g_free);
	if (lower != NULL)
		g_ptr_array_add(block->slaves, g_strdup(lower));
	g_ptr_array_add(inventory->blocks, block);
}

static void add_process(const Tree *tree, const char *pid, const char *const *paths)
{
	g_autofree char *comm = g_strconcat("proc/", pid, "/comm", NULL);
	g_autofree char *cmdline = g_strconcat("proc/", pid, "/cmdline", NULL);
	g_autofree char *cgroup = g_strconcat("proc/", pid, "/cgroup", NULL);
	static const char words[] = "qemu-system-x86_64\0-name\0guest=vm1,debug-threads=on\0";
	put(tree, comm, "qemu-system-x86\n", -1);
	put(tree, cmdline, words, sizeof words - 1);
	put(tree, cgroup, "0::/machine.slice/machine-qemu.scope/libvirt/emulator\n", -1);
	for (unsigned i = 0; paths[i] != NULL; i++) {
		g_autofree char *fd = g_strdup_printf("proc/%s/fd/%u", pid, i);
		put_link(tree, fd, paths[i]);
	}
}

static void make_machine(Tree *tree)
{
	static const char *const first[] = { "/dev/null", "/dev/vfio/vfio", "/dev/vfio/12", NULL };
	static const char *const second[] = { "/dev/dri/card0", "/dev/dri/renderD128",
		"/dev/input/event3", "/dev/nvidia1", "/dev/dm-0", "/etc/passwd", NULL };
	static const char pci[] = "../../devices/pci0000:00/";
	tree->root = g_dir_make_tmp("usher-holders-XXXXXX", NULL);
	add_process(tree, "41", first);
	add_process(tree, "7", second);
	put_link(tree, "sys/class/vfio/12", "../../devices/virtual/vfio/12");
	g_autofree char *card = g_strconcat(pci, "0000:00:02.0/drm/card0", NULL);
	g_autofree char *render = g_strconcat(pci, "0000:00:02.0/drm/renderD128", NULL);
	g_autofree char *event =
		g_strconcat(pci, "0000:00:14.0/usb1/1-4/1-4.2/1-4.2:1.0/input/event3", NULL);
	put_link(tree, "sys/class/drm/card0", card);
	put_link(tree, "sys/class/drm/renderD128", render);
	put_link(tree, "sys/class/input/event3", event);
	put(tree, "proc/driver/nvidia/gpus/0000:01:00.0/information",
		"Model: \t T4\nDevice Minor: \t 1\n", -1);
}

static void check(const GPtrArray *holders, unsigned i, const char *address, const char *paths)
{
	g_assert_cmpuint(i, <, holders->len);
	const UsherHolder *holder = holders->pdata[i];
	g_assert_cmpstr(holder->address, ==, address);
	g_assert_cmpstr(holder->domain, ==, "vm1");
	g_assert_cmpstr(holder->unit, ==, "machine-qemu.scope");
	g_assert_cmpstr(holder->name, ==, "qemu-system-x86");
	g_autofree char **array = g_new0(char *, holder->paths->len + 1);
	for (unsigned j = 0; j < holder->paths->len; j++)
		array[j] = holder->paths->pdata[j];
	g_autofree char *joined = g_strjoinv(" ", array);
	g_assert_cmpstr(joined, ==, paths);
}

static void test_find(void)
{
	g_auto(Tree) machine = { 0 };
	make_machine(&machine);
	g_autoptr(UsherTree) tree = usher_tree_open(machine.root, NULL);
	g_autoptr(UsherInventory) inventory = usher_inventory_new();
	add_device(inventory, "0000:00:02.0", 1);
	add_device(inventory, "0000:00:14.0", 2);
	add_device(inventory, "0000:00:1f.2", 3);
	add_device(inventory, "0000:02:00.0", 12);
	add_device(inventory, "0000:02:00.1", 12);
	add_device(inventory, "usb:1-4.2", USHER_INT_NULL);
	add_block(inventory, "sda", "0000:00:1f.2", NULL);
	add_block(inventory, "dm-0", NULL, "sda");
	usher_inventory_finish(inventory);
	unsigned n_unseen;
	g_autoptr(GPtrArray) holders = usher_holders_find(tree, inventory, &n_unseen);
	check(holders, 0, "0000:00:02.0", "/dev/dri/card0 /dev/dri/renderD128");
	check(holders, 1, "0000:00:1f.2", "/dev/dm-0");
	check(holders, 2, "0000:01:00.0", "/dev/nvidia1");
	check(holders, 3, "0000:02:00.0", "/dev/vfio/12");
	check(holders, 4, "0000:02:00.1", "/dev/vfio/12");
	check(holders, 5, "usb:1-4.2", "/dev/input/event3");
	g_assert_cmpstr(((UsherHolder *) holders->pdata[5])->controller, ==, "0000:00:14.0");
	g_assert_cmpuint(holders->len, ==, 6);
	g_assert_cmpuint(n_unseen, ==, 1); /* no process 1: others may be hidden */
}

static void test_unit(void)
{
	static const struct {
		const char *cgroup, *unit;
	} rows[] = {
		{ "0::/system.slice/nvidia-persistenced.service", "nvidia-persistenced.service" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope",
			"app-x.scope" },
		{ "2:cpu:/x.service\n1:name=systemd:/system.slice/a.service", "a.service" },
		{ "0::/", NULL },
		{ "0::/docker/0123", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *unit = usher_holders_unit(rows[i].cgroup);
		g_assert_cmpstr(unit, ==, rows[i].unit);
	}
}

static void test_domain(void)
{
	static const struct {
		const char *value, *domain;
	} rows[] = {
		{ "guest=vm1,debug-threads=on", "vm1" },
		{ "guest=a,,b,debug-threads=on", "a,b" },
		{ "plain", "plain" },
		{ "guest=", NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *words[] = { "qemu", "-name", rows[i].value, "-S", NULL };
		g_autofree char *domain = usher_holders_domain(words);
		g_assert_cmpstr(domain, ==, rows[i].domain);
	}
	const char *words[] = { "qemu", "-name", NULL };
	g_assert_null(usher_holders_domain(words));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/holders/find", test_find);
	g_test_add_func("/holders/unit", test_unit);
	g_test_add_func("/holders/domain", test_domain);
	return g_test_run();
}
