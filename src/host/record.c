/* SPDX-License-Identifier: Apache-2.0 */
#include "host/record.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/health.h"
#include "host/scan.h"
#include "host/tree.h"

#define FILE_MAX  ((size_t) 4 * 1024 * 1024) /* of /proc and /etc; attributes are a page */
#define LINKS_MAX 40                         /* as the kernel has it: more is a circle */
#define PIECE     ((size_t) 64 * 1024)

typedef struct Entry {
	mode_t kind; /* S_IFDIR, S_IFREG, S_IFLNK */
	GString *content;
	char *target;
} Entry;

struct UsherRecording {
	char *root;          /* absolute, without its last slash: "" for this machine */
	GHashTable *opened;  /* path as it was given, below the root */
	GHashTable *entries; /* path → Entry */
	unsigned n_files;
};

static void free_entry(void *data)
{
	Entry *entry = data;
	if (entry->content != NULL)
		g_string_free(entry->content, TRUE);
	g_free(entry->target);
	g_free(entry);
}

void usher_recording_free(UsherRecording *recording)
{
	if (recording == NULL)
		return;
	g_free(recording->root);
	g_hash_table_unref(recording->opened);
	g_hash_table_unref(recording->entries);
	g_free(recording);
}

unsigned usher_recording_n_files(const UsherRecording *recording)
{
	return recording->n_files;
}

/* Below the root, without a slash before it; NULL: elsewhere. */
static const char *below(const UsherRecording *recording, const char *path)
{
	size_t length = strlen(recording->root);
	return strncmp(path, recording->root, length) == 0 && path[length] == '/'
		? path + length + 1
		: NULL;
}

/* Only places that describe a host: the scan reads programs and libraries, too. */
static bool is_of_host(const char *path)
{
	static const char *const places[] = { "sys/", "proc/", "etc/", "run/", "dev/",
		"lib/modules/", "usr/lib/modules/" };
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		if (g_str_has_prefix(path, places[i]))
			return true;
	}
	return false;
}

static void witness(int at, const char *path, int problem, void *data)
{
	UsherRecording *recording = data;
	g_autofree char *folder = at != AT_FDCWD ? usher_fd_path(at) : NULL;
	if (problem != 0 || (at != AT_FDCWD && folder == NULL))
		return;
	g_autofree char *whole = NULL;
	if (folder == NULL)
		whole = g_strdup(path);
	else
		whole = g_strconcat(strcmp(folder, "/") == 0 ? "" : folder, "/", path, NULL);
	const char *inner = below(recording, whole);
	if (inner != NULL && is_of_host(inner))
		(void) g_hash_table_add(recording->opened, g_strdup(inner));
}

static Entry *add_entry(UsherRecording *recording, const char *path, mode_t kind)
{
	Entry *entry = g_hash_table_lookup(recording->entries, path);
	if (entry != NULL)
		return NULL;
	entry = g_new0(Entry, 1);
	entry->kind = kind;
	g_hash_table_insert(recording->entries, g_strdup(path), entry);
	return entry;
}

static void add_link(UsherRecording *recording, const char *path, const char *target)
{
	Entry *entry = add_entry(recording, path, S_IFLNK);
	if (entry != NULL)
		entry->target = g_strdup(target);
}

static char *host_path(const UsherRecording *recording, const char *path)
{
	return g_strconcat(recording->root, "/", path, NULL);
}

static char *read_link_of(const UsherRecording *recording, const char *path)
{
	g_autofree char *whole = host_path(recording, path);
	return usher_link_read(AT_FDCWD, whole, NULL);
}

/* The words of a path that are still to be walked, the next one last. */
static void push_words(GPtrArray *words, const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	for (unsigned i = g_strv_length(parts); i > 0; i--)
		g_ptr_array_add(words, g_strdup(parts[i - 1]));
}

static void step(GString *path, const char *word)
{
	if (word[0] == '\0' || strcmp(word, ".") == 0)
		return;
	if (strcmp(word, "..") == 0) {
		const char *slash = strrchr(path->str, '/');
		g_string_truncate(path, slash != NULL ? (size_t) (slash - path->str) : 0);
		return;
	}
	if (path->len > 0)
		g_string_append_c(path, '/');
	g_string_append(path, word);
}

/* The path without links, those on the way recorded; NULL: a circle. In /proc the links ("self",
 * "net") are of whoever reads: what was opened is kept by the name it was opened by. */
static char *resolve(UsherRecording *recording, const char *given)
{
	if (g_str_has_prefix(given, "proc/"))
		return g_strdup(given);
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) path = g_string_new(NULL);
	unsigned n_links = 0;
	push_words(words, given);
	while (words->len > 0) {
		g_autofree char *word = g_ptr_array_steal_index(words, words->len - 1);
		size_t length = path->len;
		step(path, word);
		g_autofree char *target =
			path->len > length ? read_link_of(recording, path->str) : NULL;
		if (target == NULL)
			continue;
		if (++n_links > LINKS_MAX)
			return NULL;
		add_link(recording, path->str, target);
		g_string_truncate(path, target[0] == '/' ? 0 : length);
		push_words(words, target);
	}
	return g_strdup(path->str);
}

/* Who lists a folder of sysfs sees links and folders in it, even if nothing more is read of them. */
static void add_names(UsherRecording *recording, const char *path)
{
	g_autofree char *whole = host_path(recording, path);
	g_auto(UsherFd) fd = usher_fd_open(AT_FDCWD, whole, O_RDONLY | O_DIRECTORY, NULL);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (folder == NULL)
		return;
	(void) usher_fd_steal(&fd);
	const struct dirent *name;
	while ((name = readdir(folder)) != NULL) {
		if (strcmp(name->d_name, ".") == 0 || strcmp(name->d_name, "..") == 0)
			continue;
		g_autofree char *inner = g_strconcat(path, "/", name->d_name, NULL);
		g_autofree char *target =
			name->d_type == DT_LNK ? read_link_of(recording, inner) : NULL;
		if (target != NULL)
			add_link(recording, inner, target);
		else if (name->d_type == DT_DIR)
			(void) add_entry(recording, inner, S_IFDIR);
	}
	(void) closedir(folder);
}

static GString *read_all(const char *path)
{
	g_auto(UsherFd) fd = usher_fd_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, NULL);
	g_autofree char *piece = g_malloc(PIECE);
	GString *content = g_string_new(NULL);
	size_t length = 0;
	do {
		if (fd < 0 || !usher_fd_read_some(fd, piece, PIECE, &length, NULL) ||
			content->len + length > FILE_MAX) {
			g_string_free(content, TRUE);
			return NULL;
		}
		g_string_append_len(content, piece, (gssize) length);
	} while (length > 0);
	return content;
}

static void add_opened(UsherRecording *recording, const char *given)
{
	g_autofree char *path = resolve(recording, given);
	g_autofree char *whole = path != NULL ? host_path(recording, path) : NULL;
	struct stat status;
	if (whole == NULL || !is_of_host(path) || stat(whole, &status) < 0)
		return;
	if (S_ISDIR(status.st_mode)) {
		(void) add_entry(recording, path, S_IFDIR);
		if (g_str_has_prefix(path, "sys/"))
			add_names(recording, path);
		return;
	}
	if (!S_ISREG(status.st_mode) || g_hash_table_contains(recording->entries, path))
		return;
	GString *content = read_all(whole);
	if (content != NULL)
		add_entry(recording, path, S_IFREG)->content = content;
}

/* What was read in another process, since the kernel takes a lock for it. */
static void add_overrides(UsherRecording *recording, const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (device->kind != USHER_DEVICE_PCI || device->driver_override_unknown)
			continue;
		g_autofree char *link = g_strconcat("sys/bus/pci/devices/", device->address, NULL);
		g_autofree char *folder = resolve(recording, link);
		g_autofree char *path =
			folder != NULL ? g_strconcat(folder, "/driver_override", NULL) : NULL;
		Entry *entry = path != NULL ? add_entry(recording, path, S_IFREG) : NULL;
		if (entry == NULL)
			continue;
		entry->content = g_string_new(
			device->driver_override != NULL ? device->driver_override : "(null)");
		g_string_append_c(entry->content, '\n');
	}
}

/* Also that it is replaced where it stands in other places, as in names of interfaces. */
static void read_address(const UsherTree *tree, const char *name)
{
	static const char *const files[] = { "address", "addr_assign_type" };
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_strconcat("sys/class/net/", name, "/", files[i], NULL);
		g_free(usher_tree_read(tree, path));
	}
}

/* Of use to who reads a recording, and to what else than a scan reads hosts. True: the host is whole. */
static bool read_more(const char *root, const UsherInventory *inventory)
{
	static const char *const paths[] = { "proc/cmdline", "proc/cpuinfo", "proc/consoles",
		"sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name",
		"sys/class/dmi/id/board_vendor", "sys/class/dmi/id/board_name",
		"sys/class/dmi/id/bios_vendor", "sys/class/dmi/id/bios_version",
		"sys/class/dmi/id/bios_date", "proc/sys/kernel/osrelease" };
	g_autoptr(UsherTree) tree = usher_tree_open(root, NULL);
	if (tree == NULL)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		g_free(usher_tree_read(tree, paths[i]));
	g_autoptr(GPtrArray) functions = usher_tree_list(tree, "sys/bus/pci/devices");
	for (unsigned i = 0; functions != NULL && i < functions->len; i++) {
		g_autofree char *path =
			g_strconcat("sys/bus/pci/devices/", functions->pdata[i], "/resource", NULL);
		g_free(usher_tree_read(tree, path));
	}
	g_autoptr(GPtrArray) nets = usher_tree_list(tree, "sys/class/net");
	for (unsigned i = 0; nets != NULL && i < nets->len; i++)
		read_address(tree, nets->pdata[i]);
	if (inventory != NULL)
		usher_host_facts_free(usher_health_read(tree, inventory));
	return usher_tree_is_whole(tree);
}

static void learn(UsherRecording *recording, UsherScrub *scrub)
{
	GHashTableIter iter;
	void *path, *data;
	g_hash_table_iter_init(&iter, recording->entries);
	while (g_hash_table_iter_next(&iter, &path, &data)) {
		const Entry *entry = data;
		if (entry->content != NULL)
			usher_scrub_learn(scrub, path, entry->content->str, entry->content->len);
	}
	g_autofree char *host = g_strdup(g_get_host_name());
	if (recording->root[0] == '\0')
		usher_scrub_learn_secret(scrub, host);
}

static GHashTable *new_entries(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_entry);
}

static void rewrite(UsherRecording *recording, UsherScrub *scrub, GPtrArray *notes)
{
	g_autoptr(GHashTable) before = g_steal_pointer(&recording->entries);
	recording->entries = new_entries();
	GHashTableIter iter;
	void *key, *data;
	g_hash_table_iter_init(&iter, before);
	while (g_hash_table_iter_next(&iter, &key, &data)) {
		const Entry *entry = data;
		const char *path = key;
		g_autofree char *shown = usher_scrub_path(scrub, path);
		GString *content = entry->content != NULL
			? usher_scrub_content(scrub, path, entry->content->str, entry->content->len)
			: NULL;
		if (entry->content != NULL && content == NULL) {
			g_ptr_array_add(notes,
				g_strdup_printf("/%s is left out: it may hold secrets", path));
			continue;
		}
		Entry *copy = add_entry(recording, shown, entry->kind);
		copy->content = content;
		copy->target =
			entry->target != NULL ? usher_scrub_path(scrub, entry->target) : NULL;
	}
}

static char *absolute_root(const char *root, GError **error)
{
	if (root == NULL || root[0] == '\0' || strcmp(root, "/") == 0)
		return g_strdup("");
	char *path = realpath(root, NULL); /* of malloc, as all of GLib's memory */
	if (path == NULL)
		usher_error_errno(error, errno, "open '%s'", root);
	return path;
}

static unsigned count_files(const UsherRecording *recording)
{
	unsigned n_files = 0;
	GHashTableIter iter;
	void *data;
	g_hash_table_iter_init(&iter, recording->entries);
	while (g_hash_table_iter_next(&iter, NULL, &data))
		n_files += ((const Entry *) data)->kind == S_IFREG ? 1 : 0;
	return n_files;
}

UsherRecording *usher_recording_make(
	const char *root, UsherHelper *helper, UsherScrub *scrub, GPtrArray *notes, GError **error)
{
	g_autofree char *absolute = absolute_root(root, error);
	if (absolute == NULL)
		return NULL;
	g_autoptr(UsherRecording) recording = g_new0(UsherRecording, 1);
	recording->root = g_steal_pointer(&absolute);
	recording->opened = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	recording->entries = new_entries();
	(void) usher_fd_set_witness((UsherFdWitness){ witness, recording });
	g_autoptr(UsherInventory) inventory = usher_scan(root, helper, error);
	bool is_whole = read_more(root, inventory);
	(void) usher_fd_set_witness((UsherFdWitness){ NULL, NULL });
	if (inventory == NULL)
		return NULL;
	for (unsigned i = 0; i < inventory->notes->len; i++)
		g_ptr_array_add(notes, g_strdup(inventory->notes->pdata[i]));
	GHashTableIter iter;
	void *path;
	g_hash_table_iter_init(&iter, recording->opened);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		add_opened(recording, path);
	add_overrides(recording, inventory);
	if (scrub != NULL) {
		learn(recording, scrub);
		rewrite(recording, scrub, notes);
	}
	Entry *mark = add_entry(recording, USHER_RECORDING_MARK, S_IFREG);
	mark->content = g_string_new("usher " USHER_VERSION "\n");
	if (is_whole)
		g_string_append(mark->content, USHER_RECORDING_WHOLE "\n");
	recording->n_files = count_files(recording);
	return g_steal_pointer(&recording);
}

/* ---------------------------------------------------------------- the archive */

typedef struct archive Archive;
static void archive_done(Archive *archive)
{
	(void) archive_write_free(archive);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_done)

typedef struct archive_entry ArchiveEntry;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveEntry, archive_entry_free)

static const struct {
	const char *suffix;
	int (*add_filter)(Archive *archive);
} suffixes[] = {
	{ ".tar", archive_write_add_filter_none },
	{ ".tar.gz", archive_write_add_filter_gzip },
	{ ".tgz", archive_write_add_filter_gzip },
	{ ".tar.xz", archive_write_add_filter_xz },
	{ ".tar.zst", archive_write_add_filter_zstd },
};

static size_t find_suffix(const char *path)
{
	size_t i = 0;
	while (i < G_N_ELEMENTS(suffixes) && !g_str_has_suffix(path, suffixes[i].suffix))
		i++;
	return i;
}

bool usher_recording_is_name(const char *path)
{
	return find_suffix(path) < G_N_ELEMENTS(suffixes);
}

static bool refuse(Archive *archive, const char *path, GError **error)
{
	usher_error_set(
		error, USHER_ERROR_HOST, "write '%s': %s", path, archive_error_string(archive));
	return false;
}

static bool write_entry(Archive *archive, const char *path, const Entry *entry)
{
	g_autoptr(ArchiveEntry) header = archive_entry_new();
	archive_entry_set_pathname(header, path);
	archive_entry_set_filetype(header, entry->kind);
	archive_entry_set_perm(header, entry->kind == S_IFDIR ? 0755 : 0644);
	archive_entry_set_size(
		header, entry->content != NULL ? (la_int64_t) entry->content->len : 0);
	archive_entry_set_mtime(header, 0, 0);
	if (entry->target != NULL)
		archive_entry_set_symlink(header, entry->target);
	if (archive_write_header(archive, header) != ARCHIVE_OK)
		return false;
	return entry->content == NULL || entry->content->len == 0 ||
		archive_write_data(archive, entry->content->str, entry->content->len) ==
		(la_ssize_t) entry->content->len;
}

static int compare_paths(const void *one, const void *other)
{
	const char *const *a = one, *const *b = other;
	return strcmp(*a, *b);
}

/* Folders come before what is in them. */
static void add_parents(const UsherRecording *recording, GHashTable *all)
{
	static Entry folder = { .kind = S_IFDIR };
	GHashTableIter iter;
	void *path, *entry;
	g_hash_table_iter_init(&iter, recording->entries);
	while (g_hash_table_iter_next(&iter, &path, &entry)) {
		g_hash_table_insert(all, g_strdup(path), entry);
		g_autofree char *parent = g_path_get_dirname(path);
		while (strcmp(parent, ".") != 0 && !g_hash_table_contains(all, parent) &&
			!g_hash_table_contains(recording->entries, parent)) {
			g_hash_table_insert(all, g_strdup(parent), &folder);
			char *above = g_path_get_dirname(parent);
			g_free(parent);
			parent = above;
		}
	}
}

static bool write_entries(const UsherRecording *recording, Archive *archive)
{
	g_autoptr(GHashTable) all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	add_parents(recording, all);
	g_autoptr(GPtrArray) paths = g_ptr_array_new();
	GHashTableIter iter;
	void *path;
	g_hash_table_iter_init(&iter, all);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		g_ptr_array_add(paths, path);
	g_ptr_array_sort(paths, compare_paths);
	for (unsigned i = 0; i < paths->len; i++) {
		const char *name = paths->pdata[i];
		if (!write_entry(archive, name, g_hash_table_lookup(all, name)))
			return false;
	}
	return true;
}

static bool write_archive(const UsherRecording *recording, const char *path, int fd, GError **error)
{
	g_autoptr(Archive) archive = archive_write_new();
	if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
		suffixes[find_suffix(path)].add_filter(archive) < ARCHIVE_WARN ||
		archive_write_open_fd(archive, fd) != ARCHIVE_OK ||
		!write_entries(recording, archive) || archive_write_close(archive) != ARCHIVE_OK)
		return refuse(archive, path, error);
	return usher_fd_sync(fd, error);
}

bool usher_recording_write(const UsherRecording *recording, const char *path, GError **error)
{
	if (!usher_recording_is_name(path)) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"'%s' does not end with .tar, .tar.gz, .tar.xz or .tar.zst", path);
		return false;
	}
	g_autofree char *temporary = g_strconcat(path, ".new", NULL);
	g_auto(UsherFd) fd = usher_fd_create(
		AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, error);
	if (fd < 0)
		return false;
	if (!write_archive(recording, path, fd, error)) {
		(void) unlink(temporary);
		return false;
	}
	if (rename(temporary, path) == 0)
		return true;
	usher_error_errno(error, errno, "rename '%s' to '%s'", temporary, path);
	(void) unlink(temporary);
	return false;
}
