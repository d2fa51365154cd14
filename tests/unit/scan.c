/* SPDX-License-Identifier: Apache-2.0 */
/* The scan: of trees made here, of recordings where there are any, and of this machine. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "core/guard.h"
#include "host/child.h"
#include "host/pci-path.h"
#include "host/scan.h"

#define DEVICES "sys/bus/pci/devices/"

static char *make_folder(void)
{
	g_autoptr(GError) error = NULL;
	char *folder = g_dir_make_tmp("usher-scan-XXXXXX", &error);
	g_assert_no_error(error);
	return folder;
}

static void remove_folder(char *folder)
{
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	const char *args[] = { "-rf", folder, NULL };
	g_assert_true(usher_child_start(&child, "/bin/rm", args, NULL));
	g_assert_cmpint(usher_child_await(&child, 60 * G_USEC_PER_SEC), ==, USHER_CHILD_ENDED);
	g_free(folder);
}

typedef char Folder;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Folder, remove_folder)

static char *make_parent(const char *root, const char *path)
{
	char *whole = g_build_filename(root, path, NULL);
	g_autofree char *parent = g_path_get_dirname(whole);
	g_assert_true(usher_folder_make(parent, 0755, NULL));
	return whole;
}

static void put(const char *root, const char *path, const char *text)
{
	g_autofree char *whole = make_parent(root, path);
	g_assert_true(g_file_set_contents(whole, text, -1, NULL));
}

static void put_bytes(const char *root, const char *path, const void *bytes, size_t length)
{
	g_autofree char *whole = make_parent(root, path);
	g_assert_true(g_file_set_contents(whole, bytes, (gssize) length, NULL));
}

static void put_link(const char *root, const char *path, const char *target)
{
	g_autofree char *whole = make_parent(root, path);
	g_assert_cmpint(symlink(target, whole), ==, 0);
}

/* A function with attribute files at "devices/pci0000:00/PLACE", and its link on the bus. */
static char *put_device(const char *root, const char *place, const char *ids)
{
	static const char *const names[] = { "vendor", "device", "class" };
	g_auto(GStrv) values = g_strsplit(ids, ":", 3);
	g_autofree char *address = g_path_get_basename(place);
	char *folder = g_strconcat("sys/devices/pci0000:00/", place, NULL);
	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *path = g_strconcat(folder, "/", names[i], NULL);
		g_autofree char *text = g_strconcat("0x", values[i], "\n", NULL);
		put(root, path, text);
	}
	g_autofree char *link = g_strconcat(DEVICES, address, NULL);
	g_autofree char *target = g_strconcat("../../../devices/pci0000:00/", place, NULL);
	put_link(root, link, target);
	return folder;
}

static UsherInventory *scan(const char *root)
{
	g_autoptr(GError) error = NULL;
	UsherInventory *inventory = usher_scan(root, NULL, &error);
	g_assert_no_error(error);
	return inventory;
}

static const UsherDevice *find(const UsherInventory *inventory, const char *address)
{
	const UsherDevice *device = usher_inventory_find_text(inventory, address);
	g_assert_nonnull(device);
	return device;
}

static void test_paths(void)
{
	static const struct {
		const char *path, *last, *parent, *shape;
	} rows[] = {
		{ "../../../devices/pci0000:00/0000:00:02.0", "0000:00:02.0", NULL, "00:02.0" },
		{ "../../../devices/pci0000:00/0000:00:02.0/0000:01:00.0", "0000:01:00.0",
			"0000:00:02.0", "00:02.0/00.0" },
		{ "../../devices/pci0000:00/0000:00:02.0/0000:01:00.1/nvme/nvme0/nvme0n1",
			"0000:01:00.1", "0000:00:02.0", "00:02.0/00.1" },
		{ "../../devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0",
			"10000:e1:00.0", "10000:e0:06.0", "00:0e.0/06.0/00.0" },
		{ "../../devices/pci0005:00/0005:00:01.0", "0005:00:01.0", NULL, "0005:00:01.0" },
		{ "../../devices/virtual/net/br0", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *last = usher_pci_path_last(rows[i].path);
		g_autofree char *parent = usher_pci_path_parent(rows[i].path);
		g_autofree char *shape = usher_pci_path_shape(rows[i].path);
		g_assert_cmpstr(last, ==, rows[i].last);
		g_assert_cmpstr(parent, ==, rows[i].parent);
		g_assert_cmpstr(shape, ==, rows[i].shape);
	}
}

static void test_attributes(void)
{
	g_autoptr(Folder) root = make_folder();
	g_autofree char *at = put_device(root, "0000:00:01.0/0000:01:00.0", "8086:10d3:020000");
	g_free(put_device(root, "0000:00:01.0", "1b36:000c:060400"));
	static const char *const files[][2] = {
		{ "subsystem_vendor", "0x8086\n" },
		{ "subsystem_device", "0x0000\n" },
		{ "revision", "0x0a\n" },
		{ "numa_node", "-1\n" },
		{ "driver_override", "(null)\n" },
		{ "label", "Onboard LAN\n" },
		{ "reset_method", "flr bus\n" },
		{ "sriov_totalvfs", "7\n" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_strconcat(at, "/", files[i][0], NULL);
		put(root, path, files[i][1]);
	}
	g_autofree char *group = g_strconcat(at, "/iommu_group", NULL);
	put_link(root, group, "../../../../kernel/iommu_groups/17");
	g_autofree char *driver = g_strconcat(at, "/driver", NULL);
	put_link(root, driver, "../../../../bus/pci/drivers/e1000e");
	g_autoptr(UsherInventory) inventory = scan(root);
	const UsherDevice *device = find(inventory, "0000:01:00.0");
	g_assert_cmpstr(device->vendor_id, ==, "8086");
	g_assert_cmpstr(device->device_id, ==, "10d3");
	g_assert_cmpstr(device->class_code, ==, "020000");
	g_assert_cmpstr(device->subsystem_device_id, ==, "0000");
	g_assert_cmpstr(device->revision, ==, "0a");
	g_assert_cmpint(device->numa_node, ==, USHER_INT_NULL);
	g_assert_cmpint(device->iommu_group, ==, 17);
	g_assert_null(device->driver_override);
	g_assert_cmpstr(device->driver, ==, "e1000e");
	g_assert_cmpstr(device->slot_label, ==, "Onboard LAN");
	g_assert_cmpstr(device->reset_methods, ==, "flr bus");
	g_assert_cmpstr(device->parent, ==, "0000:00:01.0");
	g_assert_cmpstr(device->facts->path, ==, "00:01.0/00.0");
	g_assert_cmpint(device->sriov_total, ==, 7);
	g_assert_true(inventory->has_iommu);
	g_assert_cmpstr(device->passthrough->whole, ==, "yes");
	/* The tree says nothing of the host's life. */
	g_assert_cmpuint(device->guard->verdict, ==, USHER_VERDICT_UNKNOWN);
	g_assert_cmpuint(inventory->notes->len, ==, 5);
}

static void fill_config(uint8_t *config)
{
	static const uint8_t head[] = { 0x86, 0x80, 0xd3, 0x10, 0, 0, 0, 0, 0x03, 0x00, 0x00,
		0x02 };
	memcpy(config, head, sizeof head);
	config[0x2c] = 0x86;
	config[0x2d] = 0x80;
	config[0x2e] = 0x34;
	config[0x2f] = 0x12;
}

/* An extended capability that is none of ours, then the serial number. */
static void fill_serial(uint8_t *config)
{
	static const uint8_t first[] = { 0x01, 0x00, 0x02, 0x14 };
	static const uint8_t second[] = { 0x03, 0x00, 0x01, 0x00, 0xcc, 0xbb, 0xaa, 0xff, 0xff,
		0x21, 0x1b, 0x00 };
	memcpy(config + 0x100, first, sizeof first);
	memcpy(config + 0x140, second, sizeof second);
}

static void test_config(void)
{
	static const struct {
		const char *name;
		size_t length;
		uint8_t first; /* byte of the vendor, 0: as it is */
		bool has_serial;
		const char *device_id, *subsystem, *revision, *serial;
	} rows[] = {
		{ "whole", 4096, 0, true, "10d3", "1234", "03", "00-1b-21-ff-ff-aa-bb-cc" },
		{ "no-serial", 4096, 0, false, "10d3", "1234", "03", NULL },
		{ "not-root", 64, 0, true, "10d3", "1234", "03", NULL },
		{ "short", 40, 0, true, "aaaa", NULL, NULL, NULL },
		{ "silent", 4096, 0xff, false, "aaaa", NULL, NULL, NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Folder) root = make_folder();
		g_autofree char *at = put_device(root, "0000:00:03.0", "bbbb:aaaa:010802");
		g_autofree char *path = g_strconcat(at, "/config", NULL);
		uint8_t config[4096] = { 0 };
		fill_config(config);
		if (rows[i].has_serial)
			fill_serial(config);
		if (rows[i].first != 0)
			memset(config, rows[i].first, sizeof config);
		put_bytes(root, path, config, rows[i].length);
		g_autoptr(UsherInventory) inventory = scan(root);
		const UsherDevice *device = find(inventory, "0000:00:03.0");
		g_test_message("%s", rows[i].name);
		g_assert_cmpstr(device->device_id, ==, rows[i].device_id);
		g_assert_cmpstr(device->subsystem_device_id, ==, rows[i].subsystem);
		g_assert_cmpstr(device->revision, ==, rows[i].revision);
		g_assert_cmpstr(device->serial, ==, rows[i].serial);
		g_assert_cmpstr(device->facts->serial, ==, rows[i].serial);
	}
}

/* Capabilities that point at each other end the walk. */
static void test_config_circle(void)
{
	g_autoptr(Folder) root = make_folder();
	g_autofree char *at = put_device(root, "0000:00:03.0", "bbbb:aaaa:010802");
	g_autofree char *path = g_strconcat(at, "/config", NULL);
	uint8_t config[4096] = { 0 };
	static const uint8_t circle[] = { 0x01, 0x00, 0x02, 0x10 };
	fill_config(config);
	memcpy(config + 0x100, circle, sizeof circle);
	put_bytes(root, path, config, sizeof config);
	g_autoptr(UsherInventory) inventory = scan(root);
	g_assert_null(find(inventory, "0000:00:03.0")->serial);
}

static void test_functions(void)
{
	g_autoptr(Folder) root = make_folder();
	g_autofree char *physical = put_device(root, "0000:05:00.0", "8086:10c9:020000");
	for (unsigned i = 0; i < 12; i++) {
		g_autofree char *place = g_strdup_printf("0000:05:1%u.%u", i / 8, i % 8);
		g_autofree char *at = put_device(root, place, "8086:10ca:020000");
		g_autofree char *up = g_strconcat(at, "/physfn", NULL);
		put_link(root, up, "../0000:05:00.0");
		g_autofree char *down = g_strdup_printf("%s/virtfn%u", physical, i);
		g_autofree char *target = g_strconcat("../", place, NULL);
		put_link(root, down, target);
	}
	g_autoptr(UsherInventory) inventory = scan(root);
	const UsherDevice *device = find(inventory, "0000:05:00.0");
	g_assert_cmpint(device->sriov_active, ==, 12);
	g_assert_cmpstr(device->virtual_functions->pdata[0], ==, "0000:05:10.0");
	g_assert_cmpstr(device->virtual_functions->pdata[10], ==, "0000:05:11.2");
	g_assert_cmpuint(device->companions->len, ==, 0);
	g_assert_cmpstr(find(inventory, "0000:05:11.2")->physical_function, ==, "0000:05:00.0");
}

static void put_block(const char *root, const char *name, const char *target, const char *devno)
{
	g_autofree char *link = g_strconcat("sys/class/block/", name, NULL);
	put_link(root, link, target);
	/* "../../devices/x" is "sys/devices/x" */
	g_autofree char *dev = g_strconcat("sys/", target + strlen("../../"), "/dev", NULL);
	g_autofree char *probed =
		g_strdup_printf("run/udev/data/b%.*s", (int) strcspn(devno, "\n"), devno);
	put(root, dev, devno);
	put(root, probed, "I:1\n");
}

#define NVME "../../devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1"

static void test_life(void)
{
	g_autoptr(Folder) root = make_folder();
	g_free(put_device(root, "0000:00:04.0", "1b36:0010:010802"));
	g_free(put_device(root, "0000:00:05.0", "1b36:0010:010802"));
	g_free(put_device(root, "0000:00:06.0", "8086:10d3:020000"));
	g_free(put_device(root, "0000:00:07.0", "8086:10d3:020000"));
	g_free(put_device(root, "0000:00:02.0", "1234:1111:030000"));
	put(root, "sys/devices/pci0000:00/0000:00:02.0/boot_vga", "1\n");
	put_block(root, "nvme0n1", NVME, "259:0\n");
	put_block(root, "nvme0n1p1", NVME "/nvme0n1p1", "259:1\n");
	put(root, "sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1/nvme0n1p1/partition",
		"1\n");
	put_block(root, "dm-0", "../../devices/virtual/block/dm-0", "254:0\n");
	put(root, "sys/devices/virtual/block/dm-0/dm/name", "vg-my root\n");
	put_link(root, "sys/devices/virtual/block/dm-0/slaves/nvme0n1p1", "../../x/nvme0n1p1");
	put_block(root, "loop0", "../../devices/virtual/block/loop0", "7:0\n");
	put(root, "sys/devices/virtual/block/loop0/loop/backing_file", "/var/image.raw\n");
	put_block(root, "nvme1n1", "../../devices/virtual/nvme-subsystem/nvme-subsys1/nvme1n1",
		"259:5\n");
	put_link(root, "sys/devices/virtual/nvme-subsystem/nvme-subsys1/nvme1",
		"../../../pci0000:00/0000:00:05.0/nvme/nvme1");
	put(root, "run/udev/data/b259:5", "S:disk/x\nE:ID_FS_TYPE=LVM2_member\n");
	put(root, "proc/self/mountinfo",
		"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-my\\040root rw\n"
		"23 22 0:21 / /proc rw - proc proc rw\n"
		"24 22 7:0 / /mnt/a\\040b rw - ext4 /dev/loop0 rw\nnonsense\n");
	put(root, "proc/swaps",
		"Filename\tType\tSize\tUsed\tPriority\n/dev/dm-1 partition 1 0 -2\n");
	put_link(root, "sys/class/net/eth0", "../../devices/pci0000:00/0000:00:06.0/net/eth0");
	put(root, "sys/devices/pci0000:00/0000:00:06.0/net/eth0/mtu", "1500\n");
	put_link(root, "sys/devices/pci0000:00/0000:00:06.0/net/eth0/master",
		"../../../../virtual/net/br0");
	put_link(root, "sys/class/net/eth1", "../../devices/pci0000:00/0000:00:07.0/net/eth1");
	put(root, "sys/devices/pci0000:00/0000:00:07.0/net/eth1/mtu", "1500\n");
	put_link(root, "sys/class/net/br0", "../../devices/virtual/net/br0");
	put(root, "sys/devices/virtual/net/br0/mtu", "1500\n");
	put(root, "sys/class/net/bonding_masters", "\n");
	put(root, "proc/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
		"eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
		"br0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	put(root, "proc/net/ipv6_route",
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n");
	put(root, "proc/consoles", "tty0                 -WU (EC  p  )    4:7\n");
	put(root, "sys/class/input/none", "");

	g_autoptr(UsherInventory) inventory = scan(root);
	static const struct {
		const char *address, *sentence;
	} rows[] = {
		{ "0000:00:04.0",
			"0000:00:04.0 holds / (/ → /dev/mapper/vg-my root → dm-0 → nvme0n1p1 → "
			"nvme0n1 → "
			"0000:00:04.0); 0000:00:04.0 holds /mnt/a b (/mnt/a b → /dev/loop0 → "
			"/var/image.raw → "
			"/ → /dev/mapper/vg-my root → dm-0 → nvme0n1p1 → nvme0n1 → 0000:00:04.0)" },
		{ "0000:00:05.0",
			"0000:00:05.0 has LVM2_member on nvme1n1 (LVM2_member → nvme1n1 → nvme1 → "
			"0000:00:05.0)" },
		{ "0000:00:06.0",
			"0000:00:06.0 carries the default route (default route → br0 → eth0 → "
			"0000:00:06.0)" },
		{ "0000:00:07.0",
			"0000:00:07.0 carries the default route of IPv6 (default route of IPv6 → "
			"eth1 → "
			"0000:00:07.0)" },
		{ "0000:00:02.0",
			"0000:00:02.0 is the boot display, and there is no other console (boot_vga "
			"→ "
			"0000:00:02.0)" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *sentence =
			usher_guard_explain(find(inventory, rows[i].address)->guard);
		g_assert_cmpstr(sentence, ==, rows[i].sentence);
	}
	g_assert_cmpuint(inventory->notes->len, ==, 0);
}

static void test_consoles(void)
{
	static const struct {
		const char *text;
		bool is_other;
	} rows[] = {
		{ "tty0  -WU (EC  p  )    4:7\n", false },
		{ "ttyS0 -W- (EC p a)  4:64\n", true },
		{ "hvc0  -W- (EC p  )  229:0\n", true },
		{ "ttynull0 --- (EC    )\n", false },
		{ "ttyAMA0 -W- (EC p a)  204:64\n", true },
		{ "netcon0 -W- (E   p a)\n", false },
		{ "pstore-1 -W- (E N p )\n", false },
		{ "", false },
		{ "tty0  -WU (EC  p  ) 4:7\nttyS1 -W- (EC p a) 4:65\n", true },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Folder) root = make_folder();
		put(root, "proc/consoles", rows[i].text);
		g_autoptr(UsherInventory) inventory = scan(root);
		g_assert_cmpint(inventory->other_console, ==, rows[i].is_other);
	}
}

static const char *sentence_of(
	const UsherInventory *inventory, const char *address, char **out_sentence)
{
	g_free(*out_sentence);
	*out_sentence = usher_guard_explain(find(inventory, address)->guard);
	return *out_sentence;
}

static void put_network(const char *root, const char *place, const char *name)
{
	g_autofree char *at = put_device(root, place, "8086:10d3:020000");
	g_autofree char *mtu = g_strconcat(at, "/net/", name, "/mtu", NULL);
	g_autofree char *link = g_strconcat("sys/class/net/", name, NULL);
	g_autofree char *target = g_strconcat("../../", at + strlen("sys/"), "/net/", name, NULL);
	put(root, mtu, "1500\n");
	put_link(root, link, target);
}

/* 10.0.1.0/24 over eth1, fd00:1::/64 over eth2; eth0 has the default route. */
static void test_peers(void)
{
	g_autoptr(Folder) root = make_folder();
	for (unsigned i = 0; i < 5; i++) {
		g_autofree char *place = g_strdup_printf("0000:00:0%u.0", i + 1);
		g_autofree char *name = g_strdup_printf("eth%u", i);
		put_network(root, place, name);
	}
	put(root, "proc/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
		"eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		"eth3\t0000000A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
		"eth1\t0001000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
	put(root, "proc/net/ipv6_route",
		"fd000001000000000000000000000000 40 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth2\n");
	put(root, "proc/net/tcp",
		"  sl  local_address rem_address   st\n"
		"   0: 0100000A:0016 0701000A:C350 01 0:0 0\n"   /* ssh from 10.0.1.7 */
		"   1: 0100000A:C351 0900000A:0801 0A 0:0 0\n"   /* NFS, not established */
		"   2: 0100000A:C351 0900000A:0050 01 0:0 0\n"   /* HTTP */
		"   3: 0100000A:C351 01010108:0801 01 0:0 0\n"); /* NFS over the default route */
	put(root, "proc/net/tcp6",
		"  sl  local_address rem_address   st\n"
		"   0: 010000FD000000000000000001000000:C353 010000FD000000000000000005000000:0CBC "
		"01 0:0\n"
		"   1: 0000000000000000FFFF00000100000A:0016 0000000000000000FFFF00000801000A:C350 "
		"01 0:0\n");
	put(root, "sys/class/block/none", "");
	put(root, "proc/self/mountinfo", "");
	g_autoptr(UsherInventory) inventory = scan(root);
	g_autofree char *text = NULL;
	g_assert_cmpstr(sentence_of(inventory, "0000:00:02.0", &text), ==,
		"0000:00:02.0 carries an SSH session (10.0.1.7 → eth1 → 0000:00:02.0)");
	g_assert_cmpstr(
		sentence_of(inventory, "0000:00:04.0", &text), ==, "the host does not need it");
	g_assert_cmpstr(
		sentence_of(inventory, "0000:00:05.0", &text), ==, "the host does not need it");
	g_assert_cmpstr(sentence_of(inventory, "0000:00:03.0", &text), ==,
		"0000:00:03.0 carries iSCSI (fd00:1::5 → eth2 → 0000:00:03.0)");
	g_assert_cmpstr(sentence_of(inventory, "0000:00:01.0", &text), ==,
		"0000:00:01.0 carries the default route (default route → eth0 → 0000:00:01.0)");
}

static void test_claims(void)
{
	static const struct {
		const char *file, *text, *claim;
	} rows[] = {
		{ "etc/fstab", "# /dev/sda\n\n/dev/sda /srv ext4 noauto 0 0\n",
			"/etc/fstab for /srv" },
		{ "etc/fstab", "UUID=ab-cd /srv ext4 defaults 0 2\n", "/etc/fstab for /srv" },
		{ "etc/fstab", "  LABEL=\"my disk\" none swap sw\n", NULL },
		{ "etc/fstab", "LABEL=it's\\040mine /my\\040disk ext4\n",
			"/etc/fstab for /my disk" },
		{ "etc/fstab", "proc /proc proc defaults\nserver:/x /y nfs\n", NULL },
		{ "etc/fstab", "/dev/mapper/vg-x /srv ext4\n", NULL },
		{ "etc/crypttab", "crypt /dev/disk/by-uuid/ab-cd none luks\n",
			"/etc/crypttab for crypt" },
		{ "etc/crypttab", "crypt UUID=ff none luks\n", NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Folder) root = make_folder();
		put_block(root, "sda", "../../devices/pci0000:00/0000:00:04.0/block/sda", "8:0\n");
		put_link(root, "dev/disk/by-uuid/ab-cd", "../../sda");
		put_link(root, "dev/disk/by-label/it's mine", "../../sda");
		put(root, rows[i].file, rows[i].text);
		g_autoptr(UsherInventory) inventory = scan(root);
		const UsherBlock *block = inventory->blocks->pdata[0];
		g_assert_cmpstr(block->claim, ==, rows[i].claim);
	}
}

#define KEYBOARD "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe\n"

static void put_input(const char *root, const char *name, const char *place, const char *keys)
{
	g_autofree char *link = g_strconcat("sys/class/input/", name, NULL);
	g_autofree char *target = g_strconcat("../../devices/", place, "/input/", name, NULL);
	g_autofree char *path =
		g_strconcat("sys/devices/", place, "/input/", name, "/capabilities/key", NULL);
	put_link(root, link, target);
	put(root, path, keys);
}

static void test_keyboards(void)
{
	g_autoptr(Folder) root = make_folder();
	g_free(put_device(root, "0000:00:14.0", "8086:a36d:0c0330"));
	put(root, "sys/class/net/none", "");
	put(root, "sys/class/block/none", "");
	put(root, "proc/self/mountinfo", "");
	put(root, "proc/net/route", "Iface\n");
	put_input(root, "input1", "pci0000:00/0000:00:14.0/usb1", KEYBOARD);
	put_input(root, "input2", "LNXSYSTM:00/LNXPWRBN:00", "10000000000000 0\n");
	put_input(root, "input3", "virtual", KEYBOARD);
	g_autofree char *text = NULL;
	g_autoptr(UsherInventory) last = scan(root);
	g_assert_cmpstr(sentence_of(last, "0000:00:14.0", &text), ==,
		"0000:00:14.0 has the last keyboard, and no serial line is a console (keyboard → "
		"input1 → "
		"0000:00:14.0)");
	put_input(root, "input4", "platform/i8042/serio0", KEYBOARD);
	g_autoptr(UsherInventory) another = scan(root);
	g_assert_cmpstr(
		sentence_of(another, "0000:00:14.0", &text), ==, "the host does not need it");
}

static void test_needs(void)
{
	g_autoptr(Folder) root = make_folder();
	g_free(put_device(root, "0000:00:08.0", "1af4:1009:000200"));
	g_free(put_device(root, "0000:00:09.0", "1022:1456:108000"));
	put_link(root, "sys/bus/virtio/devices/virtio2",
		"../../../devices/pci0000:00/0000:00:08.0/virtio2");
	put(root, "sys/devices/pci0000:00/0000:00:08.0/virtio2/device", "0x0009\n");
	put_link(root, "sys/class/tpm/tpm0", "../../devices/pci0000:00/0000:00:09.0/tpm/tpm0");
	put(root, "proc/self/mountinfo", "22 1 0:20 / / rw - 9p root rw\n");
	g_autoptr(UsherInventory) inventory = scan(root);
	g_autofree char *text = NULL;
	g_assert_cmpstr(sentence_of(inventory, "0000:00:08.0", &text), ==,
		"0000:00:08.0 brings / from the hypervisor (/ → 9p → virtio2 → 0000:00:08.0)");
	g_assert_cmpstr(sentence_of(inventory, "0000:00:09.0", &text), ==,
		"0000:00:09.0 is the host's TPM (tpm0 → 0000:00:09.0)");
}

/* No link of a recording leads to what is outside it. */
static void test_links_out(void)
{
	g_autoptr(Folder) root = make_folder();
	g_autoptr(Folder) outside = make_folder();
	g_autofree char *at = put_device(root, "0000:00:03.0", "8086:10d3:020000");
	put(outside, "secret", "secret\n");
	g_autofree char *secret = g_build_filename(outside, "secret", NULL);
	g_autofree char *label = g_strconcat(at, "/label", NULL);
	put_link(root, label, secret);
	put_link(root, "proc/self", outside);
	put(outside, "mountinfo", "22 1 254:0 / /secret rw - ext4 /dev/sda rw\n");
	g_autofree char *up = g_strconcat("../../../../../../../../../..", secret, NULL);
	put_link(root, "proc/swaps", up);
	g_autoptr(UsherInventory) inventory = scan(root);
	g_assert_null(find(inventory, "0000:00:03.0")->slot_label);
	g_assert_cmpuint(inventory->mounts->len, ==, 0);
	g_autofree char *notes = usher_text_join_array(inventory->notes, "\n");
	g_assert_nonnull(strstr(notes, "/label could not be read: "));
}

static void test_no_folder(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_scan("/nonexistent/root", NULL, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_NOT_FOUND);
	g_autoptr(Folder) root = make_folder();
	g_autoptr(UsherInventory) inventory = scan(root);
	g_assert_cmpuint(inventory->devices->len, ==, 0);
	g_assert_cmpuint(inventory->notes->len, >, 0);
}

static bool has_address(const GPtrArray *addresses, const char *address)
{
	return g_ptr_array_find_with_equal_func(
		(GPtrArray *) (uintptr_t) addresses, address, g_str_equal, NULL);
}

static void assert_device_is_sane(const UsherInventory *inventory, const UsherDevice *device)
{
	g_assert_true(usher_inventory_find_text(inventory, device->address) == device);
	g_assert_nonnull(device->facts->path);
	g_assert_cmpuint(device->type, <, USHER_N_TYPES);
	g_assert_true(device->vendor_id == NULL || device->vendor != NULL);
	g_assert_true(device->class_code == NULL || device->class_name != NULL);
	for (unsigned i = 0; i < device->companions->len; i++)
		g_assert_true(has_address(find(inventory, device->companions->pdata[i])->companions,
			device->address));
	for (unsigned i = 0; i < device->virtual_functions->len; i++)
		g_assert_cmpstr(
			find(inventory, device->virtual_functions->pdata[i])->physical_function, ==,
			device->address);
	if (device->physical_function != NULL)
		g_assert_true(
			has_address(find(inventory, device->physical_function)->virtual_functions,
				device->address));
	g_assert_cmpint((device->guard->verdict == USHER_VERDICT_FREE), ==,
		(device->guard->reasons->len == 0));
	if (usher_device_is_bridge(device))
		g_assert_cmpuint(device->guard->verdict, ==, USHER_VERDICT_REFUSED);
	g_autofree char *text = usher_record_print(&usher_device_type, device);
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherDevice) again = usher_record_parse(&usher_device_type, text, &error);
	g_assert_no_error(error);
	g_autofree char *again_text = usher_record_print(&usher_device_type, again);
	g_assert_cmpstr(text, ==, again_text);
}

static void assert_is_sane(const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (i > 0)
			g_assert_cmpint(
				usher_device_compare(inventory->devices->pdata[i - 1], device), <,
				0);
		assert_device_is_sane(inventory, device);
	}
}

static void test_recording(const void *data)
{
	g_autoptr(Folder) folder = make_folder();
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	const char *args[] = { "-xJf", data, "-C", folder, "--strip-components=1", NULL };
	g_assert_true(usher_child_start(&child, "/bin/tar", args, NULL));
	g_assert_cmpint(usher_child_await(&child, 60 * G_USEC_PER_SEC), ==, USHER_CHILD_ENDED);
	g_assert_cmpint(child.status.si_status, ==, 0);
	g_autoptr(UsherInventory) inventory = scan(folder);
	g_assert_cmpuint(inventory->devices->len, >, 5);
	assert_is_sane(inventory);
}

static void test_this_machine(void)
{
	g_autoptr(UsherHelper) helper = usher_helper_new(USHER_HELPER);
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherInventory) inventory = usher_scan("/", helper, &error);
	g_assert_no_error(error);
	assert_is_sane(inventory);
	for (unsigned i = 0; i < inventory->devices->len; i++)
		g_assert_false(((const UsherDevice *) inventory->devices->pdata[i])
				       ->driver_override_unknown);
	g_autoptr(UsherInventory) without = usher_scan(NULL, NULL, &error);
	g_assert_no_error(error);
	for (unsigned i = 0; i < without->devices->len; i++)
		g_assert_true(((const UsherDevice *) without->devices->pdata[i])
				      ->driver_override_unknown);
}

static void test_no_recordings(const void *data)
{
	g_autofree char *why =
		g_strdup_printf("there are no recordings in %s", (const char *) data);
	g_test_skip(why);
}

static void add_recordings(void)
{
	g_autofree char *folder = g_build_filename(USHER_SOURCE, "..", "shared", "machines", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	if (dir == NULL)
		g_test_add_data_func_full(
			"/recording/none", g_steal_pointer(&folder), test_no_recordings, g_free);
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		if (!g_str_has_suffix(name, ".tar.xz"))
			continue;
		g_autofree char *path = g_strconcat("/recording/", name, NULL);
		g_test_add_data_func_full(
			path, g_build_filename(folder, name, NULL), test_recording, g_free);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/scan/paths", test_paths);
	g_test_add_func("/scan/attributes", test_attributes);
	g_test_add_func("/scan/config", test_config);
	g_test_add_func("/scan/config-circle", test_config_circle);
	g_test_add_func("/scan/functions", test_functions);
	g_test_add_func("/scan/life", test_life);
	g_test_add_func("/scan/consoles", test_consoles);
	g_test_add_func("/scan/peers", test_peers);
	g_test_add_func("/scan/claims", test_claims);
	g_test_add_func("/scan/keyboards", test_keyboards);
	g_test_add_func("/scan/needs", test_needs);
	g_test_add_func("/scan/links-out", test_links_out);
	g_test_add_func("/scan/no-folder", test_no_folder);
	g_test_add_func("/scan/this-machine", test_this_machine);
	add_recordings();
	return g_test_run();
}
