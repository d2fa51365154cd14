/* SPDX-License-Identifier: Apache-2.0 */
#include "host/holders.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/pci-path.h"

#define CMDLINE_MAX  ((size_t) 256 * 1024)
#define DEPTH_MAX    8   /* of volumes upon volumes */
#define NVIDIA_MAJOR 195 /* Documentation/admin-guide/devices.txt */

static const UsherField holder_fields[] = {
	{ "address", USHER_FIELD_STRING, offsetof(UsherHolder, address), USHER_FIELD_REQUIRED },
	{ "controller", USHER_FIELD_STRING, offsetof(UsherHolder, controller) },
	{ "pid", USHER_FIELD_INT, offsetof(UsherHolder, pid), USHER_FIELD_REQUIRED },
	{ "name", USHER_FIELD_STRING, offsetof(UsherHolder, name) },
	{ "unit", USHER_FIELD_STRING, offsetof(UsherHolder, unit) },
	{ "domain", USHER_FIELD_STRING, offsetof(UsherHolder, domain) },
	{ "paths", USHER_FIELD_STRINGS, offsetof(UsherHolder, paths) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherHolder, usher_holder, "holder", holder_fields)

typedef struct Search {
	const UsherTree *tree;
	const UsherInventory *inventory;
	GPtrArray *holders;
	unsigned n_unseen;
	UsherHolder *process; /* the one that is looked at: without an address */
} Search;

static bool is_unit(const char *name)
{
	static const char *const kinds[] = { ".service", ".scope", ".socket", ".mount", ".swap" };
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_has_suffix(name, kinds[i]))
			return true;
	}
	return false;
}

/* "0::/machine.slice/machine-qemu.scope/libvirt": the innermost one; "1:name=systemd:…" before
 * version 2 (cgroups(7)). */
char *usher_holders_unit(const char *cgroup)
{
	g_auto(GStrv) lines = g_strsplit(cgroup, "\n", -1);
	char *unit = NULL;
	for (unsigned i = 0; lines[i] != NULL && unit == NULL; i++) {
		g_auto(GStrv) parts = g_strsplit(lines[i], ":", 3);
		bool is_systemd = g_strv_length(parts) == 3 &&
			(strcmp(parts[0], "0") == 0 || strcmp(parts[1], "name=systemd") == 0);
		g_auto(GStrv) names = g_strsplit(is_systemd ? parts[2] : "", "/", -1);
		for (unsigned j = g_strv_length(names); j > 0 && unit == NULL; j--) {
			if (is_unit(names[j - 1]))
				unit = g_strdup(names[j - 1]);
		}
	}
	return unit;
}

/* "-name guest=vm1,debug-threads=on"; a comma in the name is doubled (qemu(1)). */
char *usher_holders_domain(const char *const *words)
{
	static const char key[] = "guest=";
	for (unsigned i = 0; words[i] != NULL && words[i + 1] != NULL; i++) {
		if (strcmp(words[i], "-name") != 0)
			continue;
		const char *from = words[i + 1];
		from += g_str_has_prefix(from, key) ? strlen(key) : 0;
		GString *name = g_string_new(NULL);
		while (*from != '\0' && (*from != ',' || from[1] == ',')) {
			from += *from == ',' ? 1 : 0;
			g_string_append_c(name, *from++);
		}
		return g_string_free(name, name->len == 0);
	}
	return NULL;
}

/* What a command line is made of; empty of a kernel thread and of a zombie. */
static GPtrArray *read_words(int folder)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
	g_auto(UsherFd) fd = usher_fd_open(folder, "cmdline", O_RDONLY, NULL);
	g_autofree char *text = g_malloc(CMDLINE_MAX + 1);
	size_t length = 0;
	if (fd >= 0)
		(void) usher_fd_read(fd, text, CMDLINE_MAX, &length, NULL);
	text[length] = '\0';
	for (size_t i = 0; i < length; i += strlen(text + i) + 1)
		g_ptr_array_add(words, g_utf8_make_valid(text + i, -1));
	return words;
}

static void fill_process(Search *search, int folder, const GPtrArray *words)
{
	UsherHolder *process = search->process;
	process->name = usher_attr_read(folder, "comm");
	g_autofree char *cgroup = usher_attr_read(folder, "cgroup");
	process->unit = cgroup != NULL ? usher_holders_unit(cgroup) : NULL;
	g_autoptr(GPtrArray) borrowed = g_ptr_array_new();
	for (unsigned i = 0; i < words->len; i++)
		g_ptr_array_add(borrowed, words->pdata[i]);
	g_ptr_array_add(borrowed, NULL);
	const char *program = words->len > 0 ? words->pdata[0] : "";
	if (strstr(program, "qemu") != NULL || strstr(program, "kvm") != NULL)
		process->domain =
			usher_holders_domain((const char *const *) (void *) borrowed->pdata);
}

static UsherHolder *find_holder(const Search *search, const char *address)
{
	for (unsigned i = search->holders->len; i > 0; i--) {
		UsherHolder *holder = search->holders->pdata[i - 1];
		if (holder->pid != search->process->pid)
			return NULL;
		if (strcmp(holder->address, address) == 0)
			return holder;
	}
	return NULL;
}

static void add_holder(
	Search *search, const char *address, const char *controller, const char *path)
{
	UsherHolder *holder = find_holder(search, address);
	if (holder == NULL) {
		holder = usher_holder_dup(search->process);
		g_free(holder->address);
		holder->address = g_strdup(address);
		holder->controller = g_strdup(controller);
		g_ptr_array_add(search->holders, holder);
	}
	if (!g_ptr_array_find_with_equal_func(holder->paths, path, g_str_equal, NULL))
		g_ptr_array_add(holder->paths, g_strdup(path));
}

/* "usb:1-4.2" of the last such device in a path below a controller; NULL: the inventory has none. */
static char *usb_address(const Search *search, const char *target)
{
	g_auto(GStrv) names = g_strsplit(target, "/", -1);
	for (unsigned i = g_strv_length(names); i > 0; i--) {
		const char *name = names[i - 1];
		bool is_usb = g_ascii_isdigit(name[0]) && strchr(name, '-') != NULL &&
			name[strspn(name, "0123456789-.")] == '\0';
		g_autofree char *address = is_usb ? g_strconcat("usb:", name, NULL) : NULL;
		if (is_usb && usher_inventory_find_text(search->inventory, address) != NULL)
			return g_steal_pointer(&address);
	}
	return NULL;
}

/* A mediated device has a group of its own. */
static bool has_mdev_of(const UsherDevice *device, uint32_t group)
{
	for (unsigned i = 0; i < device->mdevs->len; i++) {
		const UsherMdev *mdev = device->mdevs->pdata[i];
		if (mdev->iommu_group == group)
			return true;
	}
	return false;
}

static void add_group(Search *search, const char *number, const char *path)
{
	uint32_t group;
	if (!usher_text_parse_u32(number, INT32_MAX, &group, NULL))
		return;
	for (unsigned i = 0; i < search->inventory->devices->len; i++) {
		const UsherDevice *device = search->inventory->devices->pdata[i];
		bool is_whole = device->iommu_group == group && device->driver != NULL &&
			strstr(device->driver, "vfio") != NULL;
		if (is_whole || has_mdev_of(device, group))
			add_holder(search, device->address, NULL, path);
	}
}

static const UsherBlock *find_block(const Search *search, const char *name, const char *devno)
{
	for (unsigned i = 0; i < search->inventory->blocks->len; i++) {
		const UsherBlock *block = search->inventory->blocks->pdata[i];
		if (name != NULL ? strcmp(block->name, name) == 0
				 : g_strcmp0(block->devno, devno) == 0)
			return block;
	}
	return NULL;
}

/* A partition hangs on its disk, a volume on those below it. */
static void add_block(Search *search, const UsherBlock *block, const char *path, unsigned depth)
{
	if (block == NULL || depth == 0)
		return;
	if (block->usb != NULL)
		add_holder(search, block->usb, block->pci, path);
	else if (block->pci != NULL)
		add_holder(search, block->pci, NULL, path);
	else if (block->parent != NULL)
		add_block(search, find_block(search, block->parent, NULL), path, depth - 1);
	for (unsigned i = 0; i < block->slaves->len; i++)
		add_block(
			search, find_block(search, block->slaves->pdata[i], NULL), path, depth - 1);
}

/* target: where the node's device lies in sysfs. */
static void add_target(Search *search, const char *target, const char *path)
{
	static const char vfio[] = "/virtual/vfio/";
	const char *group = strstr(target, vfio);
	g_autofree char *pci = usher_pci_path_last(target);
	g_autofree char *usb = usb_address(search, target);
	if (group != NULL) {
		const char *number = group + strlen(vfio);
		number += g_str_has_prefix(number, "noiommu-") ? strlen("noiommu-") : 0;
		add_group(search, number, path);
	} else if (usb != NULL) {
		add_holder(search, usb, pci, path);
	} else if (pci != NULL) {
		add_holder(search, pci, NULL, path);
	}
}

/* NVIDIA's driver makes its nodes without telling the kernel whose they are. */
static void add_nvidia(Search *search, const char *minor, const char *path)
{
	static const char gpus[] = "proc/driver/nvidia/gpus";
	g_autoptr(GPtrArray) names = usher_tree_list(search->tree, gpus);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *file =
			g_strconcat(gpus, "/", names->pdata[i], "/information", NULL);
		g_autofree char *text = usher_tree_read(search->tree, file);
		const char *line = text != NULL ? strstr(text, "Device Minor:") : NULL;
		g_autofree char *value =
			line != NULL ? g_strndup(line + 13, strcspn(line + 13, "\n")) : NULL;
		if (value != NULL && strcmp(g_strstrip(value), minor) == 0)
			add_holder(search, names->pdata[i], NULL, path);
	}
}

/* Of this machine: by the numbers of the open file, whatever its name is where it was opened. */
static void add_live(Search *search, int fds, const char *name, const char *path)
{
	struct stat status;
	if (fstatat(fds, name, &status, 0) < 0 ||
		(!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)))
		return;
	if (S_ISCHR(status.st_mode) && major(status.st_rdev) == NVIDIA_MAJOR) {
		g_autofree char *index = g_strdup_printf("%u", minor(status.st_rdev));
		add_nvidia(search, index, path);
		return;
	}
	g_autofree char *link =
		g_strdup_printf("sys/dev/%s/%u:%u", S_ISCHR(status.st_mode) ? "char" : "block",
			major(status.st_rdev), minor(status.st_rdev));
	g_autofree char *target = usher_tree_link(search->tree, link);
	if (target != NULL)
		add_target(search, target, path);
}

/* Of another tree there is only the name. */
static void add_named(Search *search, const char *path)
{
	static const struct {
		const char *prefix, *folder;
	} places[] = {
		{ "/dev/vfio/devices/", "sys/class/vfio-dev" },
		{ "/dev/vfio/", "sys/class/vfio" },
		{ "/dev/dri/", "sys/class/drm" },
		{ "/dev/input/", "sys/class/input" },
		{ "/dev/snd/", "sys/class/sound" },
	};
	static const char nvidia[] = "/dev/nvidia";
	if (g_str_has_prefix(path, nvidia) && g_ascii_isdigit(path[strlen(nvidia)])) {
		add_nvidia(search, path + strlen(nvidia), path);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		if (!g_str_has_prefix(path, places[i].prefix))
			continue;
		const char *name = path + strlen(places[i].prefix);
		g_autofree char *link = g_strconcat(places[i].folder, "/", name, NULL);
		g_autofree char *target = usher_tree_link(search->tree, link);
		if (target != NULL)
			add_target(search, target, path);
		else if (strcmp(places[i].prefix, "/dev/vfio/") == 0)
			add_group(search, name, path);
		return;
	}
	add_block(search, find_block(search, path + strlen("/dev/"), NULL), path, DEPTH_MAX);
}

static bool is_node(const char *path)
{
	static const char *const others[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/pts/",
		"/dev/shm/", "/dev/tty", "/dev/random", "/dev/urandom", "/dev/ptmx",
		"/dev/console" };
	if (!g_str_has_prefix(path, "/dev/"))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		if (g_str_has_prefix(path, others[i]))
			return false;
	}
	return true;
}

static void look_at_files(Search *search, int folder, const GPtrArray *names)
{
	g_auto(UsherFd) fds = usher_fd_open(folder, "fd", O_RDONLY | O_DIRECTORY, NULL);
	for (unsigned i = 0; fds >= 0 && i < names->len; i++) {
		g_autofree char *link = usher_link_read(fds, names->pdata[i], NULL);
		g_autofree char *path = link != NULL ? g_utf8_make_valid(link, -1) : NULL;
		if (path == NULL || !is_node(path))
			continue;
		if (usher_tree_is_live(search->tree))
			add_live(search, fds, names->pdata[i], path);
		else
			add_named(search, path);
	}
}

/* A process that ends meanwhile holds nothing. */
static void look_at_process(Search *search, const char *name, uint32_t pid)
{
	g_autofree char *path = g_strconcat("proc/", name, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(search->tree, path);
	if (folder < 0)
		return;
	g_autoptr(GPtrArray) words = read_words(folder);
	g_autoptr(GPtrArray) names = usher_attr_list(folder, "fd");
	if (names == NULL) {
		search->n_unseen += words->len > 0 ? 1 : 0; /* kernel threads open no nodes */
		return;
	}
	g_autoptr(UsherHolder) process = usher_holder_new();
	process->pid = pid;
	search->process = process;
	fill_process(search, folder, words);
	look_at_files(search, folder, names);
	search->process = NULL;
}

static int compare_holders(const void *one, const void *other)
{
	const UsherHolder *a = *(UsherHolder *const *) one, *b = *(UsherHolder *const *) other;
	int order = strcmp(a->address, b->address);
	return order != 0 ? order : (a->pid > b->pid) - (a->pid < b->pid);
}

static void free_holder(void *holder)
{
	usher_holder_free(holder);
}

GPtrArray *usher_holders_find(
	const UsherTree *tree, const UsherInventory *inventory, unsigned *out_unseen)
{
	Search search = { tree, inventory, g_ptr_array_new_with_free_func(free_holder), 0, NULL };
	g_autoptr(GPtrArray) names = usher_tree_list(tree, "proc");
	bool has_first = false;
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		uint32_t pid;
		if (!usher_text_parse_u32(names->pdata[i], INT32_MAX, &pid, NULL))
			continue;
		has_first = has_first || pid == 1;
		look_at_process(&search, names->pdata[i], pid);
	}
	/* Process 1 is always there: who does not see it does not see others either (hidepid). */
	if (!has_first && search.n_unseen == 0)
		search.n_unseen = 1;
	g_ptr_array_sort(search.holders, compare_holders);
	*out_unseen = search.n_unseen;
	return search.holders;
}
