/* SPDX-License-Identifier: Apache-2.0 */
#include "host/journal-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define MODE 0600

typedef struct UsherJournalFile {
	UsherJournal base;
	char *path;
	int fd;
	off_t length;   /* of what is known to be whole lines */
	bool is_broken; /* a failed append left something that could not be cut off */
} UsherJournalFile;

static UsherJournalFile *file_of(UsherJournal *journal)
{
	return (UsherJournalFile *) (void *) journal;
}

static bool cut(UsherJournalFile *self, GError **error)
{
	if (ftruncate(self->fd, self->length) == 0)
		return true;
	usher_error_errno(error, errno, "cut '%s'", self->path);
	return false;
}

static bool write_line(UsherJournalFile *self, const char *line, size_t length, GError **error)
{
	g_autofree char *text = g_strconcat(line, "\n", NULL);
	if (usher_fd_write(self->fd, text, length + 1, error) && fdatasync(self->fd) == 0)
		return true;
	if (error != NULL && *error == NULL)
		usher_error_errno(error, errno, "fdatasync");
	return false;
}

static bool append(UsherJournal *journal, const char *line, GError **error)
{
	UsherJournalFile *self = file_of(journal);
	size_t length = strlen(line);
	g_assert(memchr(line, '\n', length) == NULL);
	if (self->is_broken && !cut(self, error))
		return false;
	self->is_broken = false;
	if (write_line(self, line, length, error)) {
		self->length += (off_t) length + 1;
		return true;
	}
	g_prefix_error(error, "'%s': ", self->path);
	self->is_broken = !cut(self, NULL);
	return false;
}

static char *read_whole(UsherJournalFile *self, GError **error)
{
	g_autofree char *text = g_malloc((size_t) self->length + 1);
	size_t length;
	if (!usher_fd_read_at(self->fd, text, (size_t) self->length, 0, &length, error)) {
		g_prefix_error(error, "'%s': ", self->path);
		return NULL;
	}
	self->length = (off_t) length;
	text[length] = '\0';
	return g_steal_pointer(&text);
}

static GPtrArray *read_lines(UsherJournal *journal, GError **error)
{
	g_autofree char *text = read_whole(file_of(journal), error);
	if (text == NULL)
		return NULL;
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
	const char *line = text, *end = text + file_of(journal)->length, *newline;
	while ((newline = memchr(line, '\n', (size_t) (end - line))) != NULL) {
		g_ptr_array_add(lines, g_strndup(line, (size_t) (newline - line)));
		line = newline + 1;
	}
	return lines;
}

/* How much of it is whole lines. A file may have grown by a line of which, when the power went, not
 * all sectors had reached the disk: between them it is zero, as file systems leave it. Only the last
 * can be so, each is on the disk before the next begins. */
static off_t find_end(const char *text, size_t length)
{
	const char *last = memrchr(text, '\n', length);
	if (last == NULL)
		return 0;
	const char *before = memrchr(text, '\n', (size_t) (last - text));
	const char *line = before != NULL ? before + 1 : text;
	bool is_torn = memchr(line, '\0', (size_t) (last - line)) != NULL;
	return is_torn ? line - text : last + 1 - text;
}

/* Opens the file anew and cuts what is after its last whole line. */
static bool reopen(UsherJournalFile *self, GError **error)
{
	g_auto(UsherFd) fd = usher_fd_create(
		AT_FDCWD, self->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, MODE, error);
	struct stat status;
	if (fd < 0)
		return false;
	if (fstat(fd, &status) != 0) {
		usher_error_errno(error, errno, "look at '%s'", self->path);
		return false;
	}
	usher_fd_close(self->fd);
	self->fd = usher_fd_steal(&fd);
	self->length = status.st_size;
	g_autofree char *text = read_whole(self, error);
	if (text == NULL)
		return false;
	self->length = find_end(text, (size_t) status.st_size);
	self->is_broken = false;
	return self->length == status.st_size || cut(self, error);
}

static bool replace(UsherJournal *journal, const GPtrArray *lines, GError **error)
{
	UsherJournalFile *self = file_of(journal);
	g_autoptr(GString) text = g_string_new(NULL);
	for (unsigned i = 0; i < lines->len; i++) {
		g_assert(strchr(lines->pdata[i], '\n') == NULL);
		g_string_append_printf(text, "%s\n", (const char *) lines->pdata[i]);
	}
	return usher_file_replace(self->path, text->str, text->len, MODE, error) &&
		reopen(self, error);
}

static void free_journal(UsherJournal *journal)
{
	UsherJournalFile *self = file_of(journal);
	usher_fd_close(self->fd);
	g_free(self->path);
	g_free(self);
}

static const UsherJournalOps ops = {
	.name = "file",
	.append = append,
	.read = read_lines,
	.replace = replace,
	.free = free_journal,
};

/* The name of a new file must survive as well. */
static bool sync_folder(const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	g_auto(UsherFd) fd = usher_fd_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, error);
	return fd >= 0 && usher_fd_sync(fd, error);
}

UsherJournal *usher_journal_file_open(const char *path, GError **error)
{
	UsherJournalFile *self = g_new0(UsherJournalFile, 1);
	self->base.ops = &ops;
	self->path = g_strdup(path);
	self->fd = -1;
	if (reopen(self, error) && sync_folder(path, error))
		return &self->base;
	free_journal(&self->base);
	return NULL;
}
