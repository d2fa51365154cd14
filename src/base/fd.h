/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * File descriptors and files: the only place of raw open, read, write and close. Errors name the
 * path. Calls may block as long as the file does.
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef int UsherFd;
void usher_fd_close(int fd);
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(UsherFd, usher_fd_close, -1)

static inline int usher_fd_steal(int *fd)
{
	int stolen = *fd;
	*fd = -1;
	return stolen;
}

/* at: AT_FDCWD or a directory. −1 with error set. O_CLOEXEC is added. */
int usher_fd_open(int at, const char *path, int flags, GError **error);
int usher_fd_create(int at, const char *path, int flags, mode_t mode, GError **error);

/* Told of every file, folder and link that this thread opens or reads by the functions here, for as
 * long as it is set; at and path as they were given. problem: why it could not be, an errno; 0: it
 * was. What is missing is no problem. What a recording holds is what was read while it listened: a
 * list of its own would drift from the code that reads. */
typedef struct UsherFdWitness {
	void (*func)(int at, const char *path, int problem, void *data); /* NULL: nobody is told */
	void *data;
} UsherFdWitness;
/* Gives the one before, to be told as well and to be put back. */
UsherFdWitness usher_fd_set_witness(UsherFdWitness witness);
/* What was opened could not be read. */
void usher_fd_tell_problem(int at, const char *path, int problem);
/* Where an open folder is; NULL: it cannot be told. */
char *usher_fd_path(int fd);

/* As usher_fd_open, but no link in path leads out of the directory root, which is "/" to them. */
int usher_fd_open_below(int root, const char *path, int flags, GError **error);

/* Reads at most size bytes from the beginning, whole or an error; *out_length may be less. */
bool usher_fd_read(int fd, void *buffer, size_t size, size_t *out_length, GError **error);
/* One read: what is there now, at least a byte but at the end. */
bool usher_fd_read_some(int fd, void *buffer, size_t size, size_t *out_length, GError **error);
bool usher_fd_read_at(
	int fd, void *buffer, size_t size, off_t offset, size_t *out_length, GError **error);
/* Writes all, in as many calls as it takes; write_once in exactly one (a kernel attribute). */
bool usher_fd_write(int fd, const void *data, size_t length, GError **error);
bool usher_fd_write_once(int fd, const void *data, size_t length, GError **error);
bool usher_fd_sync(int fd, GError **error);

/* A small text file without its last newline; larger than 64 KiB is INVALID. */
char *usher_file_read(int at, const char *path, GError **error);
/* The target of a symbolic link. */
char *usher_link_read(int at, const char *path, GError **error);
/* The file is old or new, never half: temporary beside it, fsync, rename, fsync of the folder. */
bool usher_file_replace(
	const char *path, const char *text, size_t length, mode_t mode, GError **error);
/* mkdir -p */
bool usher_folder_make(const char *path, mode_t mode, GError **error);
