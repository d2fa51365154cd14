/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/openat2.h>

#include "base/error.h"

#define TEXT_MAX ((size_t) 64 * 1024)

/* The one piece of state here: what opens a file knows nothing of who wants to know. */
static _Thread_local UsherFdWitness the_witness;

UsherFdWitness usher_fd_set_witness(UsherFdWitness witness)
{
	UsherFdWitness before = the_witness;
	the_witness = witness;
	return before;
}

static void tell_witness(int at, const char *path, int problem)
{
	if (the_witness.func != NULL)
		the_witness.func(at, path, problem, the_witness.data);
}

void usher_fd_tell_problem(int at, const char *path, int problem)
{
	static const int missing[] = { ENOENT, ENOTDIR, ENODEV, ENXIO };
	for (size_t i = 0; i < G_N_ELEMENTS(missing); i++) {
		if (problem == missing[i])
			return;
	}
	int saved = errno;
	tell_witness(at, path, problem);
	errno = saved;
}

char *usher_fd_path(int fd)
{
	char link[sizeof "/proc/self/fd/" + 12], target[PATH_MAX];
	(void) snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, target, sizeof target);
	return length > 0 && (size_t) length < sizeof target ? g_strndup(target, (size_t) length)
							     : NULL;
}

void usher_fd_close(int fd)
{
	if (fd >= 0)
		(void) close(fd);
}

int usher_fd_create(int at, const char *path, int flags, mode_t mode, GError **error)
{
	int fd;
	do
		fd = openat(at, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0) {
		tell_witness(at, path, 0);
		return fd;
	}
	usher_fd_tell_problem(at, path, errno);
	usher_error_errno(error, errno, "open '%s'", path);
	return -1;
}

int usher_fd_open(int at, const char *path, int flags, GError **error)
{
	return usher_fd_create(at, path, flags, 0, error);
}

int usher_fd_open_below(int root, const char *path, int flags, GError **error)
{
	struct open_how how = {
		.flags = (uint64_t) (unsigned) (flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	do
		fd = syscall(SYS_openat2, root, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	/* Before Linux 5.6. */
	if (fd < 0 && errno == ENOSYS)
		return usher_fd_open(root, path, flags, error);
	if (fd >= 0) {
		tell_witness(root, path, 0);
		return (int) fd;
	}
	usher_fd_tell_problem(root, path, errno);
	usher_error_errno(error, errno, "open '%s'", path);
	return -1;
}

bool usher_fd_read_some(int fd, void *buffer, size_t size, size_t *out_length, GError **error)
{
	ssize_t n;
	do
		n = read(fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		usher_error_errno(error, errno, "read");
		return false;
	}
	*out_length = (size_t) n;
	return true;
}

bool usher_fd_read_at(
	int fd, void *buffer, size_t size, off_t offset, size_t *out_length, GError **error)
{
	size_t length = 0;
	while (length < size) {
		ssize_t n =
			pread(fd, (char *) buffer + length, size - length, offset + (off_t) length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			usher_error_errno(error, errno, "read");
			return false;
		}
		if (n == 0)
			break;
		length += (size_t) n;
	}
	*out_length = length;
	return true;
}

bool usher_fd_read(int fd, void *buffer, size_t size, size_t *out_length, GError **error)
{
	size_t length = 0;
	while (length < size) {
		ssize_t n = read(fd, (char *) buffer + length, size - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			usher_error_errno(error, errno, "read");
			return false;
		}
		if (n == 0)
			break;
		length += (size_t) n;
	}
	*out_length = length;
	return true;
}

bool usher_fd_write(int fd, const void *data, size_t length, GError **error)
{
	size_t done = 0;
	while (done < length) {
		ssize_t n = write(fd, (const char *) data + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			usher_error_errno(error, errno, "write");
			return false;
		}
		done += (size_t) n;
	}
	return true;
}

bool usher_fd_write_once(int fd, const void *data, size_t length, GError **error)
{
	ssize_t n;
	do
		n = write(fd, data, length);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		usher_error_errno(error, errno, "write");
		return false;
	}
	if ((size_t) n != length) {
		usher_error_set(error, USHER_ERROR_HOST, "write: only %zd of %zu bytes were taken",
			n, length);
		return false;
	}
	return true;
}

bool usher_fd_sync(int fd, GError **error)
{
	if (fsync(fd) == 0)
		return true;
	usher_error_errno(error, errno, "fsync");
	return false;
}

char *usher_file_read(int at, const char *path, GError **error)
{
	g_auto(UsherFd) fd = usher_fd_open(at, path, O_RDONLY, error);
	if (fd < 0)
		return NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	char buffer[4096];
	size_t length;
	do {
		if (!usher_fd_read(fd, buffer, sizeof buffer, &length, error)) {
			g_prefix_error(error, "'%s': ", path);
			return NULL;
		}
		g_string_append_len(text, buffer, (gssize) length);
		if (text->len > TEXT_MAX) {
			usher_error_set(
				error, USHER_ERROR_INVALID, "'%s' is larger than 64 KiB", path);
			return NULL;
		}
	} while (length == sizeof buffer);
	if (text->len > 0 && text->str[text->len - 1] == '\n')
		g_string_truncate(text, text->len - 1);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

char *usher_link_read(int at, const char *path, GError **error)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(at, path, target, sizeof target);
	if (length < 0 || (size_t) length == sizeof target) {
		usher_error_errno(
			error, length < 0 ? errno : ENAMETOOLONG, "read the link '%s'", path);
		return NULL;
	}
	tell_witness(at, path, 0);
	return g_strndup(target, (size_t) length);
}

static bool write_temporary(
	const char *path, const char *text, size_t length, mode_t mode, GError **error)
{
	g_auto(UsherFd) fd = usher_fd_create(
		AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, error);
	if (fd < 0)
		return false;
	if (usher_fd_write(fd, text, length, error) && usher_fd_sync(fd, error))
		return true;
	g_prefix_error(error, "'%s': ", path);
	return false;
}

static bool sync_folder(const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	g_auto(UsherFd) fd = usher_fd_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, error);
	return fd >= 0 && usher_fd_sync(fd, error);
}

bool usher_file_replace(
	const char *path, const char *text, size_t length, mode_t mode, GError **error)
{
	g_autofree char *temporary = g_strconcat(path, ".new", NULL);
	if (!write_temporary(temporary, text, length, mode, error)) {
		(void) unlink(temporary);
		return false;
	}
	if (rename(temporary, path) != 0) {
		usher_error_errno(error, errno, "rename '%s' to '%s'", temporary, path);
		(void) unlink(temporary);
		return false;
	}
	return sync_folder(path, error);
}

bool usher_folder_make(const char *path, mode_t mode, GError **error)
{
	if (g_mkdir_with_parents(path, (int) mode) == 0)
		return true;
	usher_error_errno(error, errno, "make the folder '%s'", path);
	return false;
}
