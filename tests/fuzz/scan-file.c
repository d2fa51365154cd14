/* SPDX-License-Identifier: Apache-2.0 */
/* A file of /proc or /etc (FUZZ_PATH) in a small host: whatever is in it, the scan comes to its end
 * and a disk of which nothing could be read is not free. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "core/doctor/wish.h"
#include "host/health.h"
#include "host/scan.h"

static char *root;

static char *put(const char *path, const void *data, size_t size)
{
	char *whole = g_build_filename(root, path, NULL);
	g_autofree char *parent = g_path_get_dirname(whole);
	g_assert(usher_folder_make(parent, 0755, NULL));
	g_auto(UsherFd) fd =
		usher_fd_create(AT_FDCWD, whole, O_WRONLY | O_CREAT | O_TRUNC, 0644, NULL);
	g_assert(fd >= 0 && usher_fd_write(fd, data, size, NULL));
	return whole;
}

static void put_text(const char *path, const char *text)
{
	g_free(put(path, text, strlen(text)));
}

static void put_link(const char *path, const char *target)
{
	g_autofree char *whole = g_build_filename(root, path, NULL);
	g_autofree char *parent = g_path_get_dirname(whole);
	g_assert(usher_folder_make(parent, 0755, NULL));
	g_assert(symlink(target, whole) == 0);
}

static void remove_root(void)
{
	const char *argv[] = { "/bin/rm", "-rf", root, NULL };
	(void) g_spawn_sync(
		NULL, (char **) (uintptr_t) argv, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL);
	g_free(root);
}

#define DISK "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1"
#define NIC  "sys/devices/pci0000:00/0000:00:02.0/net/eth0"

static void make_host(void)
{
	root = g_dir_make_tmp("usher-fuzz-XXXXXX", NULL);
	g_assert_nonnull(root);
	(void) atexit(remove_root);
	put_text("sys/devices/pci0000:00/0000:00:01.0/modalias",
		"pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02\n");
	put_text("sys/devices/pci0000:00/0000:00:02.0/modalias",
		"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00\n");
	put_link("sys/bus/pci/devices/0000:00:01.0", "../../../devices/pci0000:00/0000:00:01.0");
	put_link("sys/bus/pci/devices/0000:00:02.0", "../../../devices/pci0000:00/0000:00:02.0");
	put_text(DISK "/dev", "259:0\n");
	put_text(NIC "/address", "02:00:00:00:00:01\n");
	put_link("sys/class/block/nvme0n1",
		"../../devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1");
	put_link("sys/class/net/eth0", "../../devices/pci0000:00/0000:00:02.0/net/eth0");
	put_text("proc/self/mountinfo", "20 1 0:1 / / rw - rootfs rootfs rw\n");
	put_text("proc/net/route", "Iface\tDestination\tGateway\n");
}

/* The doctor comes to its end, too, and says it in words. */
static void examine(const UsherInventory *inventory)
{
	g_autoptr(UsherTree) tree = usher_tree_open(root, NULL);
	g_assert_nonnull(tree);
	g_autoptr(UsherHostFacts) facts = usher_health_read(tree, inventory);
	for (unsigned goal = 0; goal < USHER_N_GOALS; goal++) {
		g_autoptr(GPtrArray) findings =
			usher_doctor_examine(facts, inventory, (UsherGoal) goal, "0000:00:02.0");
		g_autofree char *text = usher_doctor_print(findings, NULL, /* pretty */ false);
		g_autoptr(UsherJson) json = usher_json_parse(text, strlen(text), NULL);
		g_assert(json != NULL);
		g_autoptr(UsherBootWish) wish =
			usher_doctor_wish(facts, inventory, (UsherGoal) goal, "0000:00:02.0");
		g_assert(wish != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (root == NULL)
		make_host();
	g_free(put(FUZZ_PATH, data, size));
	g_autoptr(UsherInventory) inventory = usher_scan(root, NULL, NULL);
	g_assert(inventory != NULL && inventory->devices->len == 2);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		g_assert((device->guard->verdict == USHER_VERDICT_FREE) ==
			(device->guard->reasons->len == 0));
		g_autofree char *text = usher_record_print(&usher_device_type, device);
		g_assert(g_utf8_validate(text, -1, NULL));
	}
	examine(inventory);
	return 0;
}
