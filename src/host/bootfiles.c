/* SPDX-License-Identifier: Apache-2.0 */
#include "host/bootfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/bootfiles-parts.h"

#define TEXT_MAX    ((size_t) 64 * 1024)
#define FOLDER_MODE 0755
#define BACKUP      ".usher-backup"

UsherBootFiles *usher_bootfiles_open(const char *root, GError **error)
{
	bool is_live = root == NULL || root[0] == '\0' || strcmp(root, "/") == 0;
	int fd = usher_fd_open(AT_FDCWD, is_live ? "/" : root, O_RDONLY | O_DIRECTORY, error);
	if (fd < 0)
		return NULL;
	UsherBootFiles *self = g_new0(UsherBootFiles, 1);
	self->root = fd;
	self->is_live = is_live;
	return self;
}

void usher_bootfiles_free(UsherBootFiles *self)
{
	if (self == NULL)
		return;
	usher_fd_close(self->root);
	g_free(self);
}

bool usher_bootfiles_is_live(const UsherBootFiles *self)
{
	return self->is_live;
}

/* −1 without an error: there is none. */
static int open_file(const UsherBootFiles *self, const char *path, GError **error)
{
	g_autoptr(GError) problem = NULL;
	int fd = usher_fd_open_below(self->root, path, O_RDONLY | O_NONBLOCK, &problem);
	if (fd < 0 && usher_error_code(problem) != USHER_ERROR_NOT_FOUND)
		g_propagate_prefixed_error(error, g_steal_pointer(&problem), "boot files: ");
	return fd;
}

static char *read_text(int fd, const char *path, GError **error)
{
	g_autofree char *buffer = g_malloc(TEXT_MAX + 2);
	size_t length;
	if (!usher_fd_read(fd, buffer, TEXT_MAX + 1, &length, error)) {
		g_prefix_error(error, "'/%s': ", path);
		return NULL;
	}
	if (length > TEXT_MAX || memchr(buffer, '\0', length) != NULL) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "'/%s' is no text of at most 64 KiB", path);
		return NULL;
	}
	return g_strndup(buffer, length);
}

char *usher_bootfiles_read(const UsherBootFiles *self, const char *path, GError **error)
{
	g_auto(UsherFd) fd = open_file(self, path, error);
	return fd >= 0 ? read_text(fd, path, error) : NULL;
}

/* ---- writing ---- */

static bool fail(GError **error, const char *what, const char *path)
{
	usher_error_errno(error, errno, "%s '/%s'", what, path);
	return false;
}

/* Makes what is missing of the folders on the way to it. */
static bool make_folders(const UsherBootFiles *self, const char *path, GError **error)
{
	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		g_autofree char *folder = g_strndup(path, (size_t) (slash - path));
		g_autofree char *name = g_path_get_basename(folder);
		g_autofree char *above = g_path_get_dirname(folder);
		g_auto(UsherFd) there =
			usher_fd_open_below(self->root, folder, O_PATH | O_DIRECTORY, NULL);
		if (there >= 0)
			continue;
		g_auto(UsherFd) parent =
			usher_fd_open_below(self->root, above, O_RDONLY | O_DIRECTORY, error);
		if (parent < 0)
			return false;
		if (mkdirat(parent, name, FOLDER_MODE) != 0)
			return fail(error, "make the folder", folder);
		if (!usher_fd_sync(parent, error))
			return false;
	}
	return true;
}

/* The file itself, where path is a link to one: what replaces it must not replace the link. */
static char *resolve(const UsherBootFiles *self, const char *path)
{
	g_auto(UsherFd) fd = usher_fd_open_below(self->root, path, O_PATH, NULL);
	if (fd < 0)
		return g_strdup(path);
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
	g_autofree char *root_link = g_strdup_printf("/proc/self/fd/%d", self->root);
	g_autofree char *target = usher_link_read(AT_FDCWD, link, NULL);
	g_autofree char *root = usher_link_read(AT_FDCWD, root_link, NULL);
	size_t length = root != NULL ? strlen(root) : 0;
	length -= length == 1 ? 1 : 0;
	bool is_below = target != NULL && root != NULL && strncmp(target, root, length) == 0 &&
		target[length] == '/';
	return g_strdup(is_below ? target + length + 1 : path);
}

#define LABEL "security.selinux"

/* Owner, mode and label of the old one. */
static bool copy_status(int old, int new, const struct stat *status)
{
	char label[256];
	ssize_t length = fgetxattr(old, LABEL, label, sizeof label);
	if (length > 0)
		(void) fsetxattr(new, LABEL, label, (size_t) length, 0);
	return fchown(new, status->st_uid, status->st_gid) == 0 &&
		fchmod(new, status->st_mode & 07777) == 0;
}

/* old: −1 where there is none. */
static bool write_temporary(
	int folder, const char *name, const char *text, int old, int64_t mode, GError **error)
{
	(void) unlinkat(folder, name, 0);
	g_auto(UsherFd) fd = usher_fd_create(
		folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, (mode_t) mode, error);
	struct stat status;
	if (fd < 0)
		return false;
	bool is_like_old = old < 0 ? fchmod(fd, (mode_t) mode) == 0
				   : fstat(old, &status) == 0 && copy_status(old, fd, &status);
	if (!is_like_old)
		return fail(error, "give its owner and mode to", name);
	return usher_fd_write(fd, text, strlen(text), error) && usher_fd_sync(fd, error);
}

static bool replace(
	int folder, const char *name, const char *text, int old, int64_t mode, GError **error)
{
	g_autofree char *temporary = g_strconcat(".", name, ".usher-new", NULL);
	if (!write_temporary(folder, temporary, text, old, mode, error)) {
		(void) unlinkat(folder, temporary, 0);
		return false;
	}
	if (renameat(folder, temporary, folder, name) != 0) {
		(void) fail(error, "rename to", name);
		(void) unlinkat(folder, temporary, 0);
		return false;
	}
	return usher_fd_sync(folder, error);
}

static bool is_written(
	const UsherBootFiles *self, const char *path, const char *text, GError **error)
{
	g_autofree char *seen = usher_bootfiles_read(self, path, error);
	if (seen == NULL && *error != NULL)
		return false;
	if (g_strcmp0(seen, text) == 0)
		return true;
	usher_error_set(error, USHER_ERROR_HOST, "it reads differently than it was written");
	return false;
}

bool usher_bootfiles_write(const UsherBootFiles *self, const char *path, const char *text,
	int64_t mode, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autofree char *real = resolve(self, path);
	g_autofree char *folder_path = g_path_get_dirname(real);
	g_autofree char *name = g_path_get_basename(real);
	g_auto(UsherFd) old = open_file(self, real, &problem);
	bool is_done = problem == NULL && (text == NULL || make_folders(self, real, &problem));
	g_auto(UsherFd) folder = is_done
		? usher_fd_open_below(self->root, folder_path, O_RDONLY | O_DIRECTORY, &problem)
		: -1;
	if (folder < 0)
		is_done = false;
	else if (text == NULL)
		is_done = (unlinkat(folder, name, 0) == 0 || errno == ENOENT ||
				  fail(&problem, "remove", real)) &&
			usher_fd_sync(folder, &problem);
	else
		is_done = replace(folder, name, text, old, mode, &problem);
	if (is_done && is_written(self, path, text, &problem))
		return true;
	g_propagate_prefixed_error(error, g_steal_pointer(&problem), "write '/%s': ", path);
	return false;
}

/* ---- plans ---- */

static bool keep_backup(const UsherBootFiles *self, const UsherBootFile *file, GError **error)
{
	g_autofree char *path = g_strconcat(file->path, BACKUP, NULL);
	g_auto(UsherFd) there = usher_fd_open_below(self->root, path, O_PATH, NULL);
	/* The first one is what was there before usher came. */
	return there >= 0 || file->text == NULL ||
		usher_bootfiles_write(self, path, file->text, 0600, error);
}

bool usher_bootfiles_is_current(
	const UsherBootFiles *self, const UsherBootPlan *plan, GError **error)
{
	for (unsigned i = 0; i < plan->files->len; i++) {
		const UsherBootFile *was = plan->before->pdata[i], *is = plan->files->pdata[i];
		g_autoptr(GError) problem = NULL;
		if (g_strcmp0(was->text, is->text) == 0)
			continue;
		g_autofree char *now = usher_bootfiles_read(self, was->path, &problem);
		if (problem != NULL) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		if (g_strcmp0(now, was->text) == 0)
			continue;
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"'/%s' has changed meanwhile: nothing was written", was->path);
		return false;
	}
	return true;
}

bool usher_bootfiles_apply(const UsherBootFiles *self, const UsherBootPlan *plan, GError **error)
{
	for (unsigned i = 0; i < plan->files->len; i++) {
		const UsherBootFile *was = plan->before->pdata[i], *is = plan->files->pdata[i];
		if (g_strcmp0(was->text, is->text) == 0)
			continue;
		if (!keep_backup(self, was, error) ||
			!usher_bootfiles_write(self, is->path, is->text, is->mode, error))
			return false;
	}
	return true;
}

bool usher_bootfiles_forget(
	const UsherBootFiles *self, const UsherBootManifest *manifest, GError **error)
{
	for (unsigned i = 0; i < manifest->edits->len; i++) {
		const UsherBootEdit *edit = manifest->edits->pdata[i];
		g_autofree char *path = g_strconcat(edit->path, BACKUP, NULL);
		g_auto(UsherFd) there = usher_fd_open_below(self->root, path, O_PATH, NULL);
		if (there >= 0 && !usher_bootfiles_write(self, path, NULL, 0, error))
			return false;
	}
	return usher_bootfiles_write(self, USHER_BOOT_MANIFEST, NULL, 0, error);
}

/* ---- what was done ---- */

UsherBootManifest *usher_bootfiles_manifest(const UsherBootFiles *self, GError **error)
{
	g_autofree char *text = usher_bootfiles_read(self, USHER_BOOT_MANIFEST, error);
	if (text == NULL)
		return NULL;
	UsherBootManifest *manifest = usher_record_parse(&usher_boot_manifest_type, text, error);
	if (manifest == NULL)
		g_prefix_error(error, "'/%s': ", USHER_BOOT_MANIFEST);
	return manifest;
}

bool usher_bootfiles_remember(
	const UsherBootFiles *self, const UsherBootManifest *manifest, GError **error)
{
	g_autofree char *text = usher_record_print(&usher_boot_manifest_type, manifest);
	return usher_bootfiles_write(self, USHER_BOOT_MANIFEST, text, 0600, error);
}

char *usher_bootfiles_boot_id(const UsherBootFiles *self)
{
	g_autofree char *text = usher_bootfiles_read(self, "proc/sys/kernel/random/boot_id", NULL);
	return text != NULL ? g_strdup(g_strstrip(text)) : g_strdup("unknown");
}

const GPtrArray *usher_bootfiles_promises(
	const UsherBootFiles *self, const UsherBootManifest *manifest, bool *out_is_rebooted)
{
	g_autofree char *boot_id = usher_bootfiles_boot_id(self);
	*out_is_rebooted = g_strcmp0(manifest->boot_id, boot_id) != 0;
	return manifest->promises;
}

bool usher_bootfiles_run(const UsherBootCommand *command, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	for (unsigned i = 0; i < command->words->len; i++)
		g_ptr_array_add(argv, command->words->pdata[i]);
	g_ptr_array_add(argv, NULL);
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char locale[] = "LC_ALL=C", home[] = "HOME=/root";
	char *environment[] = { path, locale, home, NULL };
	g_autofree char *said = NULL;
	g_autoptr(GError) problem = NULL;
	int status = 0;
	bool is_run = g_spawn_sync("/", (char **) argv->pdata, environment,
		G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said, &status, &problem);
	if (is_run && g_spawn_check_wait_status(status, &problem))
		return true;
	usher_error_set(error, USHER_ERROR_HOST, "run '%s': %s%s%s", (char *) argv->pdata[0],
		problem->message, said != NULL && said[0] != '\0' ? ": " : "",
		said != NULL ? g_strstrip(said) : "");
	return false;
}
