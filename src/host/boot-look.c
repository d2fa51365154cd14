/* SPDX-License-Identifier: Apache-2.0 */
/* What of the boot configuration there is below a root. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "base/fd.h"
#include "core/doctor/boot-commands.h"
#include "host/bootfiles-parts.h"

static bool is_there(int root, const char *path)
{
	g_auto(UsherFd) fd = usher_fd_open_below(root, path, O_PATH, NULL);
	return fd >= 0;
}

static int compare_names(const void *one, const void *other)
{
	const char *const *a = one, *const *b = other;
	return strcmp(*a, *b);
}

/* Names in a folder, sorted; empty where there is none. */
static GPtrArray *list_names(int root, const char *folder)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_auto(UsherFd) fd = usher_fd_open_below(root, folder, O_RDONLY | O_DIRECTORY, NULL);
	DIR *open_folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (open_folder == NULL)
		return names;
	(void) usher_fd_steal(&fd);
	const struct dirent *entry;
	while ((entry = readdir(open_folder)) != NULL) {
		if (entry->d_name[0] != '.')
			g_ptr_array_add(names, g_strdup(entry->d_name));
	}
	(void) closedir(open_folder);
	g_ptr_array_sort(names, compare_names);
	return names;
}

static bool read_file(
	UsherBootFacts *facts, const UsherBootFiles *files, const char *path, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autofree char *text = usher_bootfiles_read(files, path, &problem);
	/* What only root may read is missed by who shows a plan, not by who carries one out. */
	bool is_missed = problem != NULL && usher_error_code(problem) == USHER_ERROR_DENIED;
	if (is_missed || (problem != NULL && strcmp(path, USHER_BOOT_GRUB_MENU) == 0))
		return true;
	if (problem != NULL) {
		g_propagate_error(error, g_steal_pointer(&problem));
		return false;
	}
	if (usher_boot_file_find(facts->files, path) == NULL)
		g_ptr_array_add(facts->files, usher_boot_file_new(path, text));
	return true;
}

static bool read_files(UsherBootFacts *facts, const UsherBootFiles *files, GError **error)
{
	for (size_t i = 0; usher_boot_file_paths[i] != NULL; i++) {
		if (!read_file(facts, files, usher_boot_file_paths[i], error))
			return false;
	}
	for (size_t i = 0; usher_boot_folders[i].folder != NULL; i++) {
		const UsherBootFolder *folder = &usher_boot_folders[i];
		g_autoptr(GPtrArray) names = list_names(files->root, folder->folder);
		for (unsigned n = 0; n < names->len; n++) {
			g_autofree char *path =
				g_strconcat(folder->folder, "/", names->pdata[n], NULL);
			if (g_str_has_suffix(path, folder->suffix) &&
				!read_file(facts, files, path, error))
				return false;
		}
	}
	return true;
}

static void find_images(UsherBootFacts *facts, int root)
{
	g_autoptr(GPtrArray) releases = list_names(root, "usr/lib/modules");
	for (unsigned i = 0; i < releases->len; i++) {
		const char *release = releases->pdata[i];
		g_autofree char *own = g_strconcat("usr/lib/modules/", release, "/vmlinuz", NULL);
		g_autofree char *in_boot = g_strconcat("boot/vmlinuz-", release, NULL);
		if (is_there(root, own))
			g_ptr_array_add(facts->images, g_steal_pointer(&own));
		else if (is_there(root, in_boot))
			g_ptr_array_add(facts->images, g_steal_pointer(&in_boot));
	}
}

static bool has_uki(int root)
{
	static const char *const folders[] = { "boot/efi/EFI/Linux", "boot/EFI/Linux",
		"efi/EFI/Linux" };
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autoptr(GPtrArray) names = list_names(root, folders[i]);
		for (unsigned n = 0; n < names->len; n++) {
			g_autofree char *name = g_ascii_strdown(names->pdata[n], -1);
			if (g_str_has_suffix(name, ".efi"))
				return true;
		}
	}
	return false;
}

/* How much room there is in /boot, and initial RAM disks: how much the largest takes. */
static void measure(UsherBootFacts *facts, int root)
{
	g_auto(UsherFd) boot = usher_fd_open_below(root, "boot", O_RDONLY | O_DIRECTORY, NULL);
	struct statvfs room;
	if (boot < 0)
		return;
	if (fstatvfs(boot, &room) == 0)
		facts->boot_free_bytes = (int64_t) (room.f_bavail * room.f_frsize);
	g_autoptr(GPtrArray) names = list_names(root, "boot");
	for (unsigned i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		struct stat status;
		bool is_initrd =
			g_str_has_prefix(name, "initrd") || g_str_has_prefix(name, "initramfs");
		if (!is_initrd || fstatat(boot, name, &status, 0) != 0)
			continue;
		g_hash_table_add(facts->paths, g_strconcat("boot/", name, NULL));
		facts->initrd_bytes = MAX(facts->initrd_bytes, (int64_t) status.st_size);
	}
}

static void find_ways_in(UsherBootFacts *facts, const UsherHostFacts *health)
{
	const struct {
		UsherFact fact;
		const char *way;
	} rows[] = {
		{ health->has_ssh, "SSH" },
		{ health->serial_console, "a serial console" },
		{ health->has_bmc, "a management controller" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (rows[i].fact == USHER_FACT_YES)
			g_ptr_array_add(facts->ways_in, g_strdup(rows[i].way));
	}
}

UsherBootFacts *usher_bootfiles_look(
	const UsherBootFiles *self, const UsherHostFacts *health, GError **error)
{
	g_autoptr(UsherBootFacts) facts = usher_boot_facts_new();
	int root = self->root;
	if (!read_files(facts, self, error))
		return NULL;
	for (size_t i = 0; usher_boot_paths[i] != NULL; i++) {
		if (is_there(root, usher_boot_paths[i]))
			g_hash_table_add(facts->paths, g_strdup(usher_boot_paths[i]));
	}
	find_images(facts, root);
	facts->has_uki = has_uki(root);
	facts->secure_boot = health->secure_boot == USHER_FACT_YES;
	find_ways_in(facts, health);
	measure(facts, root);
	return g_steal_pointer(&facts);
}
