/* SPDX-License-Identifier: Apache-2.0 */
#include "host/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define MAX_ENTRIES 1000000U
#define MAX_BYTES   (INT64_C(1) << 30)
#define BLOCK       ((size_t) 64 * 1024)
#define MAX_OPEN    32 /* folders at once, when it is removed */

struct UsherUnpacked {
	char *folder;
	char *root;
};

typedef struct archive Archive;
static void reader_done(Archive *reader)
{
	(void) archive_read_free(reader);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, reader_done)

typedef struct archive DiskWriter;
static void writer_done(DiskWriter *writer)
{
	(void) archive_write_free(writer);
}

static bool refuse(const char *path, const char *why, GError **error)
{
	usher_error_set(error, USHER_ERROR_INVALID, "'%s' is no recording: %s", path, why);
	return false;
}

/* Below the folder, by a path of its own; links may lead anywhere and are never followed here. */
static bool is_inside(const char *name)
{
	if (name == NULL || name[0] == '\0' || name[0] == '/')
		return false;
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);
	return !g_strv_contains((const char *const *) parts, "..");
}

static bool copy_data(Archive *reader, DiskWriter *writer, int64_t *budget)
{
	const void *block;
	size_t length;
	la_int64_t offset;
	int status;
	while ((status = archive_read_data_block(reader, &block, &length, &offset)) == ARCHIVE_OK) {
		*budget -= (int64_t) length;
		if (*budget < 0 ||
			archive_write_data_block(writer, block, length, offset) != ARCHIVE_OK)
			return false;
	}
	return status == ARCHIVE_EOF;
}

static bool unpack_entry(const UsherUnpacked *unpacked, Archive *reader, DiskWriter *writer,
	struct archive_entry *entry, int64_t *budget)
{
	mode_t kind = archive_entry_filetype(entry);
	bool is_plain = kind == S_IFREG || kind == S_IFDIR || kind == S_IFLNK;
	if (!is_plain || !is_inside(archive_entry_pathname(entry)) ||
		archive_entry_hardlink(entry) != NULL)
		return false;
	g_autofree char *path =
		g_build_filename(unpacked->folder, archive_entry_pathname(entry), NULL);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_perm(entry, kind == S_IFDIR ? 0700 : 0600);
	return archive_write_header(writer, entry) == ARCHIVE_OK &&
		copy_data(reader, writer, budget) &&
		archive_write_finish_entry(writer) == ARCHIVE_OK;
}

static bool unpack_all(
	const UsherUnpacked *unpacked, const char *path, Archive *reader, GError **error)
{
	DiskWriter *writer = archive_write_disk_new();
	(void) archive_write_disk_set_options(
		writer, ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT);
	struct archive_entry *entry;
	int64_t budget = MAX_BYTES;
	unsigned n = 0;
	int status;
	bool is_good = true;
	while (is_good && (status = archive_read_next_header(reader, &entry)) == ARCHIVE_OK)
		is_good = ++n <= MAX_ENTRIES &&
			unpack_entry(unpacked, reader, writer, entry, &budget);
	const char *why = is_good && status != ARCHIVE_EOF ? archive_error_string(reader)
		: budget < 0 || n > MAX_ENTRIES            ? "it is too large"
		: !is_good ? "an entry is cut off, or nothing that a recording has"
		: n == 0   ? "it is empty"
			   : NULL;
	writer_done(writer);
	return why == NULL || refuse(path, why, error);
}

/* An archive often has one folder that has the rest. */
static char *find_root(const char *folder)
{
	g_autofree char *sys = g_build_filename(folder, "sys", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_autofree char *only = dir != NULL ? g_strdup(g_dir_read_name(dir)) : NULL;
	g_autofree char *below = only != NULL ? g_build_filename(folder, only, NULL) : NULL;
	bool is_alone = only != NULL && g_dir_read_name(dir) == NULL;
	bool is_folder = is_alone && !g_file_test(below, G_FILE_TEST_IS_SYMLINK) &&
		g_file_test(below, G_FILE_TEST_IS_DIR);
	return is_folder && !g_file_test(sys, G_FILE_TEST_EXISTS) ? g_steal_pointer(&below)
								  : g_strdup(folder);
}

UsherUnpacked *usher_unpack(const char *path, GError **error)
{
	g_autoptr(Archive) reader = archive_read_new();
	(void) archive_read_support_filter_all(reader);
	(void) archive_read_support_format_tar(reader);
	if (archive_read_open_filename(reader, path, BLOCK) != ARCHIVE_OK) {
		(void) refuse(path, archive_error_string(reader), error);
		return NULL;
	}
	g_autoptr(GError) problem = NULL;
	g_autoptr(UsherUnpacked) unpacked = g_new0(UsherUnpacked, 1);
	unpacked->folder = g_dir_make_tmp("usher-recording-XXXXXX", &problem);
	if (unpacked->folder == NULL) {
		usher_error_set(error, USHER_ERROR_HOST, "unpack '%s': %s", path, problem->message);
		return NULL;
	}
	if (!unpack_all(unpacked, path, reader, error))
		return NULL;
	unpacked->root = find_root(unpacked->folder);
	return g_steal_pointer(&unpacked);
}

const char *usher_unpacked_root(const UsherUnpacked *unpacked)
{
	return unpacked->root;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void) status;
	(void) walk;
	(void) (kind == FTW_DP ? rmdir(path) : unlink(path));
	return 0;
}

void usher_unpacked_free(UsherUnpacked *unpacked)
{
	if (unpacked == NULL)
		return;
	if (unpacked->folder != NULL)
		(void) nftw(unpacked->folder, remove_one, MAX_OPEN, FTW_DEPTH | FTW_PHYS);
	g_free(unpacked->folder);
	g_free(unpacked->root);
	g_free(unpacked);
}
