/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole machines. Composed ones, tests/data/composed/NAME.txt: a description of a line a thing, and
 * what must be found of it, written by hand; recorded and read again they are the same. Recorded
 * ones, where there are any beside the sources: each against tests/data/machines/NAME.json, and both
 * against tests/data/doctor/NAME.txt, which USHER_REGENERATE=1 writes anew. Names of the hardware
 * database, which differ from one machine to the next, and what is null, false or empty are left out
 * of those, and so is the number of virtual functions where there are none.
 *
 *   pci 0000:00:1c.0/0000:01:00.0 8086:1533:020000 driver=igb group=14 numa=-1 serial=0011223344556677
 *     sub=8086:0001 override=(null) reset=flr config=64 total=7 pf=0000:05:00.0 boot_vga=1 label=…
 *   attr 0000:01:00.0 NAME TEXT            a file in a function's folder
 *   mdev UUID at=0000:00:02.0 type=… group=17
 *   usb 1-4 at=0000:00:14.0 id=0781:5567 class=080650 serial=… speed=480 iface=usb-storage; usb1: a root hub
 *   hid 0003:051D:0002.0001 at=usb:1-4 ups
 *   block sda 8:0 at=0000:01:00.0 | part sda1 8:1 of=sda | virtual dm-0 254:0 name=vg-root on=sda1
 *     sig=LVM2_member file=/srv/x.img unprobed
 *   subsystem nvme0n1 259:0 on=nvme0:0000:04:00.0 on=nvme1:0000:05:00.0
 *   net eth0 at=0000:01:00.0 mac=02:… assign=0 master=br0 lower=eth1 tap bridge macvtap veth
 *   mount 254:0 /dev/mapper/vg-root / ext4 | swap /dev/sda2
 *   route eth0 00000000/00000000 | route6 eth0 | tcp LOCAL REMOTE   as /proc/net has them
 *   keyboard input3 at=0000:00:14.0 | console ttyS0
 *   slot PCIEX16_1 0000:01:00              SMBIOS' name of it
 *   vpd 0000:01:00.0 SERIAL
 *   line PATH TEXT                         one more line of a file
 *   bare                                   /proc and the classes are not there
 *
 *   is ADDRESS MEMBER TEXT                 of the device's JSON; a list with blanks between
 *   unit ADDRESS ADDRESS…
 *   guard ADDRESS free | guard ADDRESS refused SENTENCE | guard ADDRESS unknown SENTENCE
 *   whole ADDRESS yes | whole ADDRESS no BECAUSE
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"
#include "core/guard.h"
#include "core/unit.h"
#include "host/child.h"
#include "host/record.h"
#include "host/scan.h"
#include "unit/golden.h"

typedef struct Machine {
	char *root;
	GHashTable *folders; /* address, or name of a block or net device → its folder below root */
	GHashTable *texts;   /* path → GString: files that grow by lines */
	bool is_bare;
	GString *smbios;   /* the table */
	GPtrArray *wanted; /* lines that say what must be found */
} Machine;

static void free_text(void *text)
{
	g_string_free(text, TRUE);
}

static Machine *machine_new(void)
{
	Machine *machine = g_new0(Machine, 1);
	machine->root = g_dir_make_tmp("usher-machine-XXXXXX", NULL);
	machine->folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	machine->texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_text);
	machine->smbios = g_string_new(NULL);
	machine->wanted = g_ptr_array_new_with_free_func(g_free);
	return machine;
}

static void machine_free(Machine *machine)
{
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	const char *args[] = { "-rf", machine->root, NULL };
	g_assert_true(usher_child_start(&child, "/bin/rm", args, NULL));
	g_assert_cmpint(usher_child_await(&child, 60 * G_USEC_PER_SEC), ==, USHER_CHILD_ENDED);
	g_hash_table_unref(machine->folders);
	g_hash_table_unref(machine->texts);
	g_string_free(machine->smbios, TRUE);
	g_ptr_array_unref(machine->wanted);
	g_free(machine->root);
	g_free(machine);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Machine, machine_free)

/* ---- files ---- */

static char *make_parent(const Machine *machine, const char *path)
{
	char *whole = g_build_filename(machine->root, path, NULL);
	g_autofree char *parent = g_path_get_dirname(whole);
	g_assert_true(usher_folder_make(parent, 0755, NULL));
	return whole;
}

static void put(const Machine *machine, const char *folder, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *whole = make_parent(machine, path);
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	g_assert_true(g_file_set_contents(whole, line, -1, NULL));
}

/* A relative link, as sysfs makes them; target is below the root. */
static void put_link(const Machine *machine, const char *path, const char *target)
{
	g_autofree char *whole = make_parent(machine, path);
	g_autoptr(GString) up = g_string_new(NULL);
	for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/'))
		g_string_append(up, "../");
	/* "../../devices/x" and not "../../../sys/devices/x" */
	bool is_sys = g_str_has_prefix(path, "sys/") && g_str_has_prefix(target, "sys/");
	g_string_append(up, is_sys ? target + strlen("sys/") : target);
	g_assert_cmpint(symlink(up->str + (is_sys ? 3 : 0), whole), ==, 0);
}

static void add_line(Machine *machine, const char *path, const char *line)
{
	GString *text = g_hash_table_lookup(machine->texts, path);
	if (text == NULL) {
		text = g_string_new(NULL);
		g_hash_table_insert(machine->texts, g_strdup(path), text);
	}
	g_string_append_printf(text, "%s%s", text->len > 0 ? "\n" : "", line);
}

static const char *folder_of(const Machine *machine, const char *name)
{
	const char *folder = g_hash_table_lookup(machine->folders, name);
	if (folder == NULL)
		g_error("nothing is called %s", name);
	return folder;
}

/* ---- words ---- */

static const char *option(char **words, const char *key, unsigned n)
{
	size_t length = strlen(key);
	for (unsigned i = 1; words[i] != NULL; i++) {
		if (strncmp(words[i], key, length) == 0 && words[i][length] == '=' && n-- == 0)
			return words[i] + length + 1;
	}
	return NULL;
}

static bool flag(char **words, const char *name)
{
	return g_strv_contains((const char *const *) words + 1, name);
}

/* Files of a folder, each from an option. */
static void put_options(const Machine *machine, const char *folder, char **words,
	const char *const (*files)[2], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = option(words, files[i][0], 0);
		if (value != NULL)
			put(machine, folder, files[i][1], value);
	}
}

/* ---- PCI ---- */

/* The header of configuration space and, in 4096 bytes, the serial number after a capability that
 * is none of ours. */
static void put_config(const Machine *machine, const char *folder, char **ids, char **words)
{
	uint8_t config[4096] = { 0 };
	const char *size = option(words, "config", 0), *serial = option(words, "serial", 0);
	uint64_t vendor = 0, device = 0, class_code = 0, number = 0;
	g_assert_true(usher_text_parse_hex(ids[0], UINT16_MAX, &vendor, NULL));
	g_assert_true(usher_text_parse_hex(ids[1], UINT16_MAX, &device, NULL));
	g_assert_true(usher_text_parse_hex(ids[2], 0xffffff, &class_code, NULL));
	uint32_t first = (uint32_t) (device << 16 | vendor), third = (uint32_t) (class_code << 8);
	memcpy(config, &first, 4);
	memcpy(config + 8, &third, 4);
	config[14] = class_code >> 8 == 0x0604 ? 1 : 0;
	if (serial != NULL) {
		static const uint8_t heads[2][4] = { { 0x01, 0x00, 0x02, 0x14 },
			{ 0x03, 0x00, 0x01, 0x00 } };
		g_assert_true(usher_text_parse_hex(serial, UINT64_MAX, &number, NULL));
		memcpy(config + 0x100, heads[0], 4);
		memcpy(config + 0x140, heads[1], 4);
		memcpy(config + 0x144, &number, 8);
	}
	if (size != NULL && strcmp(size, "ff") == 0)
		memset(config, 0xff, sizeof config);
	g_autofree char *path = g_build_filename(folder, "config", NULL);
	g_autofree char *whole = make_parent(machine, path);
	gssize length = g_strcmp0(size, "64") == 0 ? 64 : 4096;
	g_assert_true(g_file_set_contents(whole, (const char *) config, length, NULL));
}

/* "0000:00:0e.0/pci10000:e0/10000:e1:00.0" hangs below its own domain's root too. */
static void make_pci(Machine *machine, char **words)
{
	static const char *const files[][2] = { { "numa", "numa_node" },
		{ "override", "driver_override" }, { "reset", "reset_method" },
		{ "total", "sriov_totalvfs" }, { "boot_vga", "boot_vga" }, { "label", "label" } };
	static const char *const id_files[] = { "vendor", "device", "class" };
	g_auto(GStrv) ids = g_strsplit(words[2], ":", 3);
	g_autofree char *address = g_path_get_basename(words[1]);
	g_autofree char *root = g_strndup(words[1], strcspn(words[1], ".") - 3);
	char *folder = g_strconcat("sys/devices/pci", root, "/", words[1], NULL);
	g_hash_table_insert(machine->folders, g_strdup(address), folder);
	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *text = g_strconcat("0x", ids[i], NULL);
		put(machine, folder, id_files[i], text);
	}
	if (g_strcmp0(option(words, "config", 0), "none") != 0)
		put_config(machine, folder, ids, words);
	put_options(machine, folder, words, files, G_N_ELEMENTS(files));
	g_autofree char *link = g_strconcat("sys/bus/pci/devices/", address, NULL);
	put_link(machine, link, folder);
	const char *group = option(words, "group", 0), *driver = option(words, "driver", 0);
	const char *physical = option(words, "pf", 0), *sub = option(words, "sub", 0);
	g_autofree char *path = g_build_filename(folder, "iommu_group", NULL);
	g_autofree char *target = g_strconcat("sys/kernel/iommu_groups/", group, NULL);
	if (group != NULL)
		put_link(machine, path, target);
	g_autofree char *driver_path = g_build_filename(folder, "driver", NULL);
	g_autofree char *driver_target = g_strconcat("sys/bus/pci/drivers/", driver, NULL);
	if (driver != NULL)
		put_link(machine, driver_path, driver_target);
	if (sub != NULL) {
		g_auto(GStrv) parts = g_strsplit(sub, ":", 2);
		put(machine, folder, "subsystem_vendor", parts[0]);
		put(machine, folder, "subsystem_device", parts[1]);
	}
	if (physical == NULL)
		return;
	const char *above = folder_of(machine, physical);
	g_autofree char *up = g_build_filename(folder, "physfn", NULL);
	g_autofree char *index = g_strconcat("virtfn", option(words, "vf", 0), NULL);
	g_autofree char *down = g_build_filename(above, index, NULL);
	put_link(machine, up, above);
	put_link(machine, down, folder);
}

static void make_attr(Machine *machine, char **words)
{
	g_autofree char *text = g_strjoinv(" ", words + 3);
	put(machine, folder_of(machine, words[1]), words[2], text);
}

/* ---- USB, input, HID ---- */

static void make_usb(Machine *machine, char **words)
{
	static const char *const files[][2] = { { "serial", "serial" }, { "speed", "speed" },
		{ "version", "version" } };
	const char *name = words[1], *at = option(words, "at", 0);
	char *folder = g_build_filename(folder_of(machine, at), name, NULL);
	g_autofree char *address = g_str_has_prefix(name, "usb")
		? g_strdup_printf("usb:%s-0", name + 3)
		: g_strconcat("usb:", name, NULL);
	g_hash_table_insert(machine->folders, g_strdup(address), folder);
	g_auto(GStrv) ids = g_strsplit(option(words, "id", 0), ":", 2);
	put(machine, folder, "idVendor", ids[0]);
	put(machine, folder, "idProduct", ids[1]);
	const char *code = option(words, "class", 0);
	static const char *const parts[] = { "bDeviceClass", "bDeviceSubClass", "bDeviceProtocol" };
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *digits = g_strndup(code + 2 * i, 2);
		put(machine, folder, parts[i], digits);
	}
	put_options(machine, folder, words, files, G_N_ELEMENTS(files));
	g_autofree char *link = g_strconcat("sys/bus/usb/devices/", name, NULL);
	put_link(machine, link, folder);
	const char *driver = option(words, "iface", 0);
	if (driver == NULL)
		return;
	g_autofree char *path = g_strdup_printf("%s/%s:1.0/driver", folder, address + 4);
	g_autofree char *target = g_strconcat("sys/bus/usb/drivers/", driver, NULL);
	put_link(machine, path, target);
}

static void make_hid(Machine *machine, char **words)
{
	g_autofree char *folder = g_build_filename(
		folder_of(machine, option(words, "at", 0)), "1:1.0", words[1], NULL);
	g_autofree char *link = g_strconcat("sys/bus/hid/devices/", words[1], NULL);
	put(machine, folder, "report_descriptor",
		flag(words, "ups") ? "\x05\x84\x09\x04\xa1\x01\xc0"
				   : "\x05\x01\x09\x02\xa1\x01\xc0");
	put_link(machine, link, folder);
}

static void make_keyboard(Machine *machine, char **words)
{
	g_autofree char *folder = g_build_filename(
		folder_of(machine, option(words, "at", 0)), "input", words[1], NULL);
	g_autofree char *link = g_strconcat("sys/class/input/", words[1], NULL);
	put(machine, folder, "capabilities/key",
		"402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe");
	put_link(machine, link, folder);
}

/* ---- blocks, nets ---- */

static void make_block_at(Machine *machine, char **words, const char *above)
{
	char *folder = g_build_filename(above, words[1], NULL);
	g_hash_table_insert(machine->folders, g_strdup(words[1]), folder);
	put(machine, folder, "dev", words[2]);
	g_autofree char *link = g_strconcat("sys/class/block/", words[1], NULL);
	put_link(machine, link, folder);
	const char *signature = option(words, "sig", 0), *file = option(words, "file", 0);
	if (!flag(words, "unprobed")) {
		g_autofree char *path = g_strconcat("run/udev/data/b", words[2], NULL);
		g_autofree char *line = g_strconcat("E:ID_FS_TYPE=", signature, NULL);
		add_line(machine, path, signature != NULL ? line : "I:1");
	}
	if (file != NULL)
		put(machine, folder, "loop/backing_file", file);
	if (option(words, "name", 0) != NULL)
		put(machine, folder, "dm/name", option(words, "name", 0));
	const char *slave;
	for (unsigned n = 0; (slave = option(words, "on", n)) != NULL; n++) {
		g_autofree char *path = g_build_filename(folder, "slaves", slave, NULL);
		if (strchr(slave, ':') == NULL)
			put_link(machine, path, folder_of(machine, slave));
	}
}

static void make_block(Machine *machine, char **words)
{
	g_autofree char *above =
		g_build_filename(folder_of(machine, option(words, "at", 0)), "block", NULL);
	make_block_at(machine, words, above);
}

static void make_part(Machine *machine, char **words)
{
	make_block_at(machine, words, folder_of(machine, option(words, "of", 0)));
	put(machine, folder_of(machine, words[1]), "partition", "1");
}

static void make_virtual(Machine *machine, char **words)
{
	make_block_at(machine, words, "sys/devices/virtual/block");
}

/* A disk with several controllers: on=nvme0:0000:04:00.0 */
static void make_subsystem(Machine *machine, char **words)
{
	static const char above[] = "sys/devices/virtual/nvme-subsystem/nvme-subsys0";
	const char *controller;
	make_block_at(machine, words, above);
	for (unsigned n = 0; (controller = option(words, "on", n)) != NULL; n++) {
		g_auto(GStrv) parts = g_strsplit(controller, ":", 2);
		g_autofree char *folder =
			g_build_filename(folder_of(machine, parts[1]), "nvme", parts[0], NULL);
		g_autofree char *link = g_build_filename(above, parts[0], NULL);
		put(machine, folder, "state", "live");
		put_link(machine, link, folder);
	}
}

static void make_net(Machine *machine, char **words)
{
	static const char *const files[][2] = { { "mac", "address" },
		{ "assign", "addr_assign_type" } };
	const char *at = option(words, "at", 0), *master = option(words, "master", 0), *lower;
	char *folder = at != NULL ? g_build_filename(folder_of(machine, at), "net", words[1], NULL)
				  : g_build_filename("sys/devices/virtual/net", words[1], NULL);
	g_hash_table_insert(machine->folders, g_strdup(words[1]), folder);
	put(machine, folder, "mtu", "1500");
	put_options(machine, folder, words, files, G_N_ELEMENTS(files));
	if (flag(words, "tap"))
		put(machine, folder, "tun_flags", "0x1002");
	if (flag(words, "bridge"))
		put(machine, folder, "bridge/bridge_id", "8000.020000000001");
	if (flag(words, "macvtap"))
		put(machine, folder, "macvtap/tap7/dev", "241:1");
	if (flag(words, "veth"))
		put(machine, folder, "iflink", "9");
	put(machine, folder, "ifindex", "8");
	g_autofree char *link = g_strconcat("sys/class/net/", words[1], NULL);
	put_link(machine, link, folder);
	g_autofree char *up = g_build_filename(folder, "master", NULL);
	if (master != NULL)
		put_link(machine, up, folder_of(machine, master));
	for (unsigned n = 0; (lower = option(words, "lower", n)) != NULL; n++) {
		g_autofree char *name = g_strconcat("lower_", lower, NULL);
		g_autofree char *path = g_build_filename(folder, name, NULL);
		put_link(machine, path, folder_of(machine, lower));
	}
}

/* A mediated device that lives: at=PARENT type=… group=17 */
static void make_mdev(Machine *machine, char **words)
{
	const char *parent = folder_of(machine, option(words, "at", 0));
	g_autofree char *folder = g_build_filename(parent, words[1], NULL);
	g_autofree char *link = g_strconcat("sys/bus/mdev/devices/", words[1], NULL);
	g_autofree char *group = g_build_filename(folder, "iommu_group", NULL);
	g_autofree char *number =
		g_strconcat("sys/kernel/iommu_groups/", option(words, "group", 0), NULL);
	g_autofree char *type = g_build_filename(folder, "mdev_type", NULL);
	g_autofree char *offer =
		g_build_filename(parent, "mdev_supported_types", option(words, "type", 0), NULL);
	put_link(machine, link, folder);
	put_link(machine, group, number);
	put_link(machine, type, offer);
}

/* ---- /proc ---- */

static void make_mount(Machine *machine, char **words)
{
	g_autofree char *line = g_strdup_printf("22 1 %s / %s rw - %s %s rw", words[1], words[3],
		words[4] != NULL ? words[4] : "ext4", words[2]);
	add_line(machine, "proc/self/mountinfo", line);
}

static void make_swap(Machine *machine, char **words)
{
	g_autofree char *line = g_strconcat(words[1], " partition 1 0 -2", NULL);
	add_line(machine, "proc/swaps", line);
}

static void make_route(Machine *machine, char **words)
{
	g_auto(GStrv) to = g_strsplit(words[2], "/", 2);
	g_autofree char *line = g_strdup_printf(
		"%s\t%s\t00000000\t0001\t0\t0\t0\t%s\t0\t0\t0", words[1], to[0], to[1]);
	add_line(machine, "proc/net/route", line);
}

static void make_route6(Machine *machine, char **words)
{
	g_autofree char *zeros = g_strnfill(32, '0');
	g_autofree char *line =
		g_strdup_printf("%s 00 %s 00 %s 00000400 00000001 00000000 00000003 %s", zeros,
			zeros, zeros, words[1]);
	add_line(machine, "proc/net/ipv6_route", line);
}

static void make_tcp(Machine *machine, char **words)
{
	g_autofree char *line = g_strdup_printf("   0: %s %s 01 0:0 0", words[1], words[2]);
	add_line(machine, "proc/net/tcp", line);
}

static void make_console(Machine *machine, char **words)
{
	g_autofree char *line = g_strconcat(words[1], " -W- (EC p a) 4:64", NULL);
	add_line(machine, "proc/consoles", line);
}

/* slot PCIEX16_1 0000:01:00: SMBIOS 3.6, 7.10 */
static void make_slot(Machine *machine, char **words)
{
	uint32_t segment = 0, bus = 0, device = 0;
	g_auto(GStrv) parts = g_strsplit(words[2], ":", 3);
	uint32_t *values[] = { &segment, &bus, &device };
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		uint64_t value;
		g_assert_true(usher_text_parse_hex(parts[i], UINT16_MAX, &value, NULL));
		*values[i] = (uint32_t) value;
	}
	const char fixed[] = { 9, 0x11, 0, 9, 1, (char) 0xaa, 13, 3, 4, 1, 0, 12, 1, (char) segment,
		(char) (segment >> 8), (char) bus, (char) (device << 3) };
	g_string_append_len(machine->smbios, fixed, sizeof fixed);
	g_string_append_len(machine->smbios, words[1], (gssize) strlen(words[1]) + 1);
	g_string_append_c(machine->smbios, '\0');
}

/* vpd 0000:01:00.0 SERIAL: PCI 3.0, appendix I */
static void make_vpd(Machine *machine, char **words)
{
	size_t length = strlen(words[2]);
	g_autoptr(GString) vpd = g_string_new_len("\x82\x04\x00"
						  "Card\x90",
		8);
	g_string_append_printf(
		vpd, "%c%cSN%c%s\x78", (char) (length + 3), 0, (char) length, words[2]);
	g_autofree char *path = g_build_filename(folder_of(machine, words[1]), "vpd", NULL);
	g_autofree char *whole = make_parent(machine, path);
	g_assert_true(g_file_set_contents(whole, vpd->str, (gssize) vpd->len, NULL));
}

static void make_line(Machine *machine, char **words)
{
	g_autofree char *text = g_strjoinv(" ", words + 2);
	add_line(machine, words[1], text);
}

static void make_bare(Machine *machine, char **words)
{
	(void) words;
	machine->is_bare = true;
}

static const struct {
	const char *name;
	void (*make)(Machine *machine, char **words);
} things[] = {
	{ "pci", make_pci },
	{ "attr", make_attr },
	{ "usb", make_usb },
	{ "hid", make_hid },
	{ "keyboard", make_keyboard },
	{ "block", make_block },
	{ "part", make_part },
	{ "virtual", make_virtual },
	{ "subsystem", make_subsystem },
	{ "net", make_net },
	{ "mdev", make_mdev },
	{ "mount", make_mount },
	{ "swap", make_swap },
	{ "route", make_route },
	{ "route6", make_route6 },
	{ "tcp", make_tcp },
	{ "console", make_console },
	{ "slot", make_slot },
	{ "vpd", make_vpd },
	{ "line", make_line },
	{ "bare", make_bare },
};

static bool is_wanted(const char *name)
{
	static const char *const names[] = { "is", "unit", "guard", "whole", "note", NULL };
	return g_strv_contains(names, name);
}

static void make_thing(Machine *machine, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	if (words[0] == NULL || line[0] == '#')
		return;
	if (is_wanted(words[0])) {
		g_ptr_array_add(machine->wanted, g_strdup(line));
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(things); i++) {
		if (strcmp(words[0], things[i].name) == 0) {
			things[i].make(machine, words);
			return;
		}
	}
	g_error("what is '%s'?", line);
}

/* What every running kernel has, and the files that grew. */
static void finish(Machine *machine)
{
	static const char *const folders[] = { "sys/class/block", "sys/class/input",
		"sys/class/net" };
	if (!machine->is_bare) {
		for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
			g_autofree char *path = g_build_filename(machine->root, folders[i], NULL);
			g_assert_true(usher_folder_make(path, 0755, NULL));
		}
		put(machine, "proc/self", "mountinfo", "");
		put(machine, "proc/net", "route",
			"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask");
		put(machine, "proc", "swaps", "Filename Type Size Used Priority");
	}
	g_autofree char *table = make_parent(machine, "sys/firmware/dmi/tables/DMI");
	if (machine->smbios->len > 0)
		g_assert_true(g_file_set_contents(
			table, machine->smbios->str, (gssize) machine->smbios->len, NULL));
	GHashTableIter iter;
	void *path, *text;
	g_hash_table_iter_init(&iter, machine->texts);
	while (g_hash_table_iter_next(&iter, &path, &text)) {
		g_autofree char *whole = make_parent(machine, path);
		g_autofree char *before = NULL;
		bool is_old = g_file_get_contents(whole, &before, NULL, NULL);
		g_autofree char *both = g_strconcat(is_old && before[0] != '\n' ? before : "",
			((GString *) text)->str, "\n", NULL);
		g_assert_true(g_file_set_contents(whole, both, -1, NULL));
	}
}

/* ---- what must be found ---- */

static char *print_value(const UsherJson *value)
{
	if (value == NULL || usher_json_type(value) == USHER_JSON_NULL)
		return g_strdup("-");
	if (usher_json_type(value) == USHER_JSON_STRING)
		return g_strdup(usher_json_string(value));
	if (usher_json_type(value) == USHER_JSON_BOOL)
		return g_strdup(usher_json_bool(value) ? "true" : "false");
	if (usher_json_type(value) == USHER_JSON_INT)
		return g_strdup_printf("%" G_GINT64_FORMAT, usher_json_int(value));
	const char *uuid = usher_json_get_string(value, "uuid");
	return uuid != NULL ? g_strdup(uuid)
			    : g_strdup_printf("%s/%s", usher_json_get_string(value, "kind"),
				      usher_json_get_string(value, "name"));
}

/* "facts.serial", "usb.port", "virtual_functions" */
static char *print_member(const UsherDevice *device, const char *path)
{
	g_autofree char *text = usher_record_print(&usher_device_type, device);
	g_autoptr(UsherJson) json = usher_json_parse(text, strlen(text), NULL);
	g_auto(GStrv) names = g_strsplit(path, ".", -1);
	const UsherJson *value = json;
	for (unsigned i = 0; names[i] != NULL && value != NULL; i++)
		value = usher_json_get(value, names[i]);
	if (value == NULL || usher_json_type(value) != USHER_JSON_ARRAY)
		return print_value(value);
	g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < usher_json_length(value); i++)
		g_ptr_array_add(items, print_value(usher_json_at(value, i)));
	return usher_text_join_array(items, " ");
}

static char *print_unit(const UsherInventory *inventory, const UsherDevice *device)
{
	g_autoptr(GPtrArray) unit = usher_unit_of(inventory->devices, device);
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();
	for (unsigned i = 0; i < unit->len; i++)
		g_ptr_array_add(addresses, ((const UsherDevice *) unit->pdata[i])->address);
	return usher_text_join_array(addresses, " ");
}

static char *print_guard(const UsherDevice *device)
{
	static const char *const names[] = { "unknown", "free", "refused" };
	if (device->guard->verdict == USHER_VERDICT_FREE)
		return g_strdup("free");
	g_autofree char *sentence = usher_guard_explain(device->guard);
	return g_strconcat(names[device->guard->verdict], " ", sentence, NULL);
}

static char *print_whole(const UsherDevice *device)
{
	g_autofree char *because = usher_text_join_array(device->passthrough->because, "; ");
	return g_strconcat(
		device->passthrough->whole, because[0] != '\0' ? " " : "", because, NULL);
}

static void assert_is_found(const UsherInventory *inventory, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 4);
	const char *what = words[0];
	g_autofree char *rest = g_strjoinv(" ", words + 2);
	if (strcmp(what, "note") == 0) {
		g_autofree char *notes = usher_text_join_array(inventory->notes, "; ");
		g_assert_nonnull(strstr(notes, line + strlen("note ")));
		return;
	}
	const UsherDevice *device = usher_inventory_find_text(inventory, words[1]);
	if (device == NULL)
		g_error("%s is not found", words[1]);
	g_autofree char *found = NULL;
	if (strcmp(what, "is") == 0) {
		found = print_member(device, words[2]);
		g_free(rest);
		rest = g_strdup(words[3] != NULL ? words[3] : "");
	} else if (strcmp(what, "unit") == 0) {
		found = print_unit(inventory, device);
	} else if (strcmp(what, "guard") == 0) {
		found = print_guard(device);
	} else {
		found = print_whole(device);
	}
	if (strcmp(found, rest) != 0)
		g_test_message("%s %s\n  found  %s\n  wanted %s", what, words[1], found, rest);
	if (strcmp(found, rest) != 0)
		g_test_fail();
}

static void compose(Machine *machine, const char *description)
{
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(description, &text, NULL, NULL));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++)
		make_thing(machine, lines[i]);
	finish(machine);
}

static UsherInventory *scan(const Machine *machine)
{
	g_autoptr(GError) error = NULL;
	UsherInventory *inventory = usher_scan(machine->root, NULL, &error);
	g_assert_no_error(error);
	return inventory;
}

static void unpack(const char *archive, const char *root, const char *option)
{
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	const char *args[] = { "-xf", archive, "-C", root, option, NULL };
	g_assert_true(usher_child_start(&child, "/bin/tar", args, NULL));
	g_assert_cmpint(usher_child_await(&child, 60 * G_USEC_PER_SEC), ==, USHER_CHILD_ENDED);
	g_assert_cmpint(child.status.si_status, ==, 0);
}

/* tests/data/doctor/NAME.txt */
static void match_doctor(const char *name, const char *root, const UsherInventory *inventory)
{
	g_autofree char *file = g_strconcat(name, ".txt", NULL);
	g_autofree char *found = usher_golden_doctor(root, inventory);
	usher_golden_match("doctor", file, found);
}

static void test_composed(const void *data)
{
	g_autoptr(Machine) machine = machine_new();
	compose(machine, data);
	g_autoptr(UsherInventory) inventory = scan(machine);
	g_assert_cmpuint(machine->wanted->len, >, 0);
	for (unsigned i = 0; i < machine->wanted->len; i++)
		assert_is_found(inventory, machine->wanted->pdata[i]);
	g_autofree char *name = g_path_get_basename(data);
	*strchr(name, '.') = '\0';
	match_doctor(name, machine->root, inventory);
}

/* Recorded and read again. */
static UsherInventory *record_and_scan(const Machine *machine, UsherScrub *scrub)
{
	g_autoptr(Machine) copy = machine_new();
	g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherRecording) recording =
		usher_recording_make(machine->root, NULL, scrub, notes, &error);
	g_assert_no_error(error);
	g_autofree char *archive = g_build_filename(copy->root, "recording.tar", NULL);
	g_assert_true(usher_recording_write(recording, archive, &error));
	unpack(archive, copy->root, NULL);
	return scan(copy);
}

/* As it is, a recording is the machine; with pseudonyms the answers are the same. */
static void test_again(const void *data)
{
	static const uint8_t key[USHER_SCRUB_KEY_SIZE] = { 7 };
	g_autoptr(Machine) machine = machine_new();
	compose(machine, data);
	g_autoptr(UsherInventory) before = scan(machine);
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	g_autoptr(UsherInventory) raw = record_and_scan(machine, NULL);
	g_autoptr(UsherInventory) scrubbed = record_and_scan(machine, scrub);
	g_assert_cmpuint(before->devices->len, ==, raw->devices->len);
	g_assert_cmpuint(before->devices->len, ==, scrubbed->devices->len);
	for (unsigned i = 0; i < before->devices->len; i++) {
		const UsherDevice *device = before->devices->pdata[i];
		const UsherDevice *shown = scrubbed->devices->pdata[i];
		g_autofree char *text = usher_record_print(&usher_device_type, device);
		g_autofree char *again =
			usher_record_print(&usher_device_type, raw->devices->pdata[i]);
		g_assert_cmpstr(text, ==, again);
		g_assert_cmpstr(device->address, ==, shown->address);
		g_assert_cmpuint(device->guard->verdict, ==, shown->guard->verdict);
		g_assert_cmpuint(device->guard->reasons->len, ==, shown->guard->reasons->len);
		g_assert_cmpuint(device->foreign->len, ==, shown->foreign->len);
		g_assert_cmpstr(device->passthrough->whole, ==, shown->passthrough->whole);
		g_assert_cmpint(
			(device->facts->serial != NULL), ==, (shown->facts->serial != NULL));
		g_assert_cmpint((device->facts->mac != NULL), ==, (shown->facts->mac != NULL));
	}
}

/* ---- recordings ---- */

static char *replace_all(char *text, const char *pattern, const char *with)
{
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	char *replaced = g_regex_replace_literal(regex, text, -1, 0, with, 0, NULL);
	g_free(text);
	return replaced;
}

static char *print_golden(const UsherInventory *inventory)
{
	GString *golden = g_string_new("[\n");
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		g_autoptr(UsherDevice) device = usher_device_dup(inventory->devices->pdata[i]);
		g_clear_pointer(&device->vendor, g_free);
		g_clear_pointer(&device->device, g_free);
		g_clear_pointer(&device->class_name, g_free);
		char *text = usher_record_print(&usher_device_type, device);
		text = replace_all(
			text, "\"([a-z_]+\":(null|false|\\[\\])|sriov_[a-z]+\":0)(,|(?=\\}))", "");
		text = replace_all(text, ",\\}", "}");
		g_string_append_printf(
			golden, "%s%s\n", text, i + 1 < inventory->devices->len ? "," : "");
		g_free(text);
	}
	g_string_append(golden, "]\n");
	return g_string_free(golden, FALSE);
}

static void test_recorded(const void *data)
{
	g_autoptr(Machine) machine = machine_new();
	unpack(data, machine->root, "--strip-components=1");
	g_autoptr(UsherInventory) inventory = scan(machine);
	g_autofree char *found = print_golden(inventory);
	g_autofree char *file = g_path_get_basename(data);
	*strchr(file, '.') = '\0';
	g_autofree char *name = g_strconcat(file, ".json", NULL);
	usher_golden_match("machines", name, found);
	match_doctor(file, machine->root, inventory);
}

static void test_none(const void *data)
{
	g_autofree char *why = g_strdup_printf("there is nothing in %s", (const char *) data);
	g_test_skip(why);
}

static void add_folder(const char *prefix, char *folder, const char *suffix, GTestDataFunc test)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *file;
	unsigned n = 0;
	while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
		if (!g_str_has_suffix(file, suffix))
			continue;
		g_autofree char *name = g_strndup(file, strlen(file) - strlen(suffix));
		g_autofree char *path = g_strconcat(prefix, name, NULL);
		g_test_add_data_func_full(path, g_build_filename(folder, file, NULL), test, g_free);
		n++;
	}
	g_autofree char *none = g_strconcat(prefix, "none", NULL);
	if (n == 0)
		g_test_add_data_func_full(none, g_strdup(folder), test_none, g_free);
	g_free(folder);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_folder("/composed/", g_build_filename(USHER_SOURCE, "tests", "data", "composed", NULL),
		".txt", test_composed);
	add_folder("/again/", g_build_filename(USHER_SOURCE, "tests", "data", "composed", NULL),
		".txt", test_again);
	add_folder("/recorded/", g_build_filename(USHER_SOURCE, "..", "shared", "machines", NULL),
		".tar.xz", test_recorded);
	return g_test_run();
}
