/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
#include "host/pci-path.h"
#include "host/usb-path.h"

#define BLOCKS "sys/class/block"

/* What udev's probing recognised, in a file that everybody may read and that is there as soon as udev
 * has looked. Of several signatures on one device it names none as the type. */
static void read_signature(const UsherTree *tree, UsherBlock *block)
{
	static const char type[] = "E:ID_FS_TYPE=", several[] = "E:ID_FS_AMBIVALENT=";
	g_autofree char *path = g_strconcat("run/udev/data/b", block->devno, NULL);
	g_autofree char *text = usher_tree_read(tree, path);
	block->is_unprobed = text == NULL;
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 0; lines[i] != NULL && block->signature == NULL; i++) {
		if (g_str_has_prefix(lines[i], type) && lines[i][strlen(type)] != '\0')
			block->signature = g_utf8_make_valid(lines[i] + strlen(type), -1);
		else if (g_str_has_prefix(lines[i], several))
			block->signature = g_strdup("several signatures");
	}
}

static UsherBlock *add_block(UsherInventory *inventory, const char *name)
{
	UsherBlock *block = g_new0(UsherBlock, 1);
	block->name = g_strdup(name);
	block->slaves = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(inventory->blocks, block);
	return block;
}

static bool has_block(const UsherInventory *inventory, const char *name)
{
	for (unsigned i = 0; i < inventory->blocks->len; i++) {
		const UsherBlock *block = inventory->blocks->pdata[i];
		if (strcmp(block->name, name) == 0)
			return true;
	}
	return false;
}

static bool is_controller(const char *name)
{
	static const char prefix[] = "nvme";
	const char *rest = name + strlen(prefix);
	return g_str_has_prefix(name, prefix) && rest[0] != '\0' &&
		strspn(rest, "0123456789") == strlen(rest);
}

/* An NVMe disk that may have several paths hangs below its subsystem, which is virtual and links
 * to the controllers: those become what it lies on. "…/nvme-subsystem/nvme-subsys0/nvme0n1" */
static void add_controllers(
	const UsherTree *tree, const char *target, UsherBlock *disk, UsherInventory *inventory)
{
	const char *devices = strstr(target, "devices/");
	const char *subsystem = strstr(target, "/nvme-subsystem/");
	if (devices == NULL || subsystem == NULL)
		return;
	const char *end = strchr(subsystem + strlen("/nvme-subsystem/"), '/');
	if (end == NULL)
		return;
	g_autofree char *inner = g_strndup(devices, (size_t) (end - devices));
	g_autofree char *path = g_strconcat("sys/", inner, NULL);
	g_autoptr(GPtrArray) names = usher_tree_list(tree, path);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		const char *name = names->pdata[i];
		if (!is_controller(name))
			continue;
		g_ptr_array_add(disk->slaves, g_strdup(name));
		if (has_block(inventory, name))
			continue;
		g_autofree char *link = g_strconcat(path, "/", name, NULL);
		g_autofree char *controller = usher_tree_link(tree, link);
		UsherBlock *block = add_block(inventory, name);
		block->pci = controller != NULL ? usher_pci_path_last(controller) : NULL;
	}
}

static char *read_below(const UsherTree *tree, const char *folder, const char *name)
{
	g_autofree char *path = g_strconcat(folder, "/", name, NULL);
	g_autofree char *text = usher_tree_read(tree, path);
	return text != NULL && text[0] != '\0' ? g_utf8_make_valid(text, -1) : NULL;
}

static void read_block(const UsherTree *tree, const char *name, UsherInventory *inventory)
{
	g_autofree char *path = g_strconcat(BLOCKS "/", name, NULL);
	g_autofree char *target = usher_tree_link(tree, path);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (target == NULL || folder < 0)
		return;
	UsherBlock *block = add_block(inventory, name);
	block->devno = usher_attr_read(folder, "dev");
	block->pci = usher_pci_path_last(target);
	block->usb = usher_usb_path_last(target);
	g_autofree char *partition = usher_attr_read(folder, "partition");
	if (partition != NULL) {
		g_autofree char *above = g_path_get_dirname(target);
		block->parent = g_path_get_basename(above);
	}
	g_autoptr(GPtrArray) slaves = usher_attr_list(folder, "slaves");
	for (unsigned i = 0; slaves != NULL && i < slaves->len; i++)
		g_ptr_array_add(block->slaves, g_strdup(slaves->pdata[i]));
	if (block->pci == NULL && block->parent == NULL)
		add_controllers(tree, target, block, inventory);
	if (g_str_has_prefix(name, "loop"))
		block->backing = read_below(tree, path, "loop/backing_file");
	if (g_str_has_prefix(name, "dm-"))
		block->mapper = read_below(tree, path, "dm/name");
	if (block->devno != NULL)
		read_signature(tree, block);
}

/* mountinfo and swaps write blanks, tabs, newlines and backslashes as "\040" (proc(5)). */
static char *unescape(const char *text)
{
	g_autofree char *plain = g_strcompress(text);
	return g_utf8_make_valid(plain, -1);
}

static void add_mount(UsherInventory *inventory, const char *devno, const char *source,
	const char *target, const char *type)
{
	UsherMount *mount = g_new0(UsherMount, 1);
	mount->devno = g_strdup(devno);
	mount->source = unescape(source);
	mount->target = unescape(target);
	mount->type = unescape(type);
	g_ptr_array_add(inventory->mounts, mount);
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" (proc(5)) */
static void read_mount(const char *line, UsherInventory *inventory)
{
	g_auto(GStrv) halves = g_strsplit(line, " - ", 2);
	if (halves[0] == NULL || halves[1] == NULL)
		return;
	g_auto(GStrv) where = g_strsplit(halves[0], " ", -1);
	g_auto(GStrv) what = g_strsplit(halves[1], " ", -1);
	if (g_strv_length(where) < 6 || g_strv_length(what) < 2)
		return;
	add_mount(inventory, where[2], what[1], where[4], what[0]);
}

static bool read_mounts(const UsherTree *tree, UsherInventory *inventory)
{
	g_autofree char *text = usher_tree_read(tree, "proc/self/mountinfo");
	if (text == NULL)
		return false;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++)
		read_mount(lines[i], inventory);
	return true;
}

/* "Filename  Type  Size  Used  Priority" and one line each; no file: no swap in this kernel. */
static void read_swaps(const UsherTree *tree, UsherInventory *inventory)
{
	g_autofree char *text = usher_tree_read_known(tree, "proc/swaps", &inventory->blocks_known);
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 1; i < g_strv_length(lines); i++) {
		g_auto(GStrv) words = g_strsplit_set(lines[i], " \t", 2);
		if (words[0] != NULL && words[0][0] == '/')
			add_mount(inventory, NULL, words[0], "swap", "swap");
	}
}

void usher_scan_blocks(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, BLOCKS);
	for (unsigned i = 0; names != NULL && i < names->len; i++)
		read_block(tree, names->pdata[i], inventory);
	bool has_mounts = read_mounts(tree, inventory);
	inventory->blocks_known = names != NULL && has_mounts;
	read_swaps(tree, inventory);
	if (names == NULL)
		g_ptr_array_add(inventory->notes, g_strdup("/" BLOCKS " could not be read"));
	if (!has_mounts)
		g_ptr_array_add(
			inventory->notes, g_strdup("/proc/self/mountinfo could not be read"));
}
