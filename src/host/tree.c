/* SPDX-License-Identifier: Apache-2.0 */
#include "host/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#define TEXT_MAX ((size_t) 16 * 1024 * 1024)
#define ATTR_MAX 4096 /* a sysfs attribute is at most a page */

struct UsherTree {
	int fd; /* AT_FDCWD: this machine */
};

UsherTree *usher_tree_open(const char *root, GError **error)
{
	int fd = AT_FDCWD;
	if (root != NULL && root[0] != '\0' && strcmp(root, "/") != 0) {
		fd = usher_fd_open(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, error);
		if (fd < 0)
			return NULL;
	}
	UsherTree *tree = g_new0(UsherTree, 1);
	tree->fd = fd;
	return tree;
}

void usher_tree_free(UsherTree *tree)
{
	if (tree == NULL)
		return;
	usher_fd_close(tree->fd);
	g_free(tree);
}

bool usher_tree_is_live(const UsherTree *tree)
{
	return tree->fd == AT_FDCWD;
}

static int try_in_tree(const UsherTree *tree, const char *path, int flags, GError **error)
{
	g_assert(path[0] != '/');
	if (!usher_tree_is_live(tree))
		return usher_fd_open_below(tree->fd, path, flags, error);
	g_autofree char *absolute = g_strconcat("/", path, NULL);
	return usher_fd_open(AT_FDCWD, absolute, flags, error);
}

static int open_in_tree(const UsherTree *tree, const char *path, int flags)
{
	return try_in_tree(tree, path, flags, NULL);
}

/* What is missing is known to be. */
static int open_known(const UsherTree *tree, const char *path, int flags, bool *known)
{
	g_autoptr(GError) error = NULL;
	int fd = try_in_tree(tree, path, flags, &error);
	if (fd < 0 && usher_error_code(error) != USHER_ERROR_NOT_FOUND)
		*known = false;
	return fd;
}

int usher_tree_open_folder(const UsherTree *tree, const char *path)
{
	return open_in_tree(tree, path, O_PATH | O_DIRECTORY);
}

static int compare_names(const void *one, const void *other)
{
	const char *const *a = one, *const *b = other;
	return strcmp(*a, *b);
}

/* Takes the descriptor. */
static GPtrArray *list_folder(int fd)
{
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (folder == NULL) {
		usher_fd_close(fd);
		return NULL;
	}
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const struct dirent *entry;
	while ((entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			g_ptr_array_add(names, g_strdup(entry->d_name));
	}
	(void) closedir(folder);
	g_ptr_array_sort(names, compare_names);
	return names;
}

GPtrArray *usher_tree_list(const UsherTree *tree, const char *path)
{
	return list_folder(open_in_tree(tree, path, O_RDONLY | O_DIRECTORY));
}

GPtrArray *usher_tree_list_known(const UsherTree *tree, const char *path, bool *known)
{
	return list_folder(open_known(tree, path, O_RDONLY | O_DIRECTORY, known));
}

GPtrArray *usher_attr_list(int folder, const char *path)
{
	return list_folder(usher_fd_open(folder, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL));
}

static GString *read_all(int fd)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *buffer = g_malloc(ATTR_MAX);
	size_t length;
	do {
		if (!usher_fd_read(fd, buffer, ATTR_MAX, &length, NULL) ||
			text->len + length > TEXT_MAX)
			return NULL;
		g_string_append_len(text, buffer, (gssize) length);
	} while (length == ATTR_MAX);
	return g_steal_pointer(&text);
}

static char *read_text(int fd)
{
	GString *text = read_all(fd);
	if (text == NULL)
		return NULL;
	if (text->len > 0 && text->str[text->len - 1] == '\n')
		g_string_truncate(text, text->len - 1);
	return g_string_free(text, FALSE);
}

/* NONBLOCK: somebody may have put a FIFO into a recording. */
char *usher_tree_read(const UsherTree *tree, const char *path)
{
	g_auto(UsherFd) fd = open_in_tree(tree, path, O_RDONLY | O_NONBLOCK);
	return fd >= 0 ? read_text(fd) : NULL;
}

char *usher_tree_read_known(const UsherTree *tree, const char *path, bool *known)
{
	g_auto(UsherFd) fd = open_known(tree, path, O_RDONLY | O_NONBLOCK, known);
	char *text = fd >= 0 ? read_text(fd) : NULL;
	*known = *known && (fd < 0 || text != NULL);
	return text;
}

GBytes *usher_tree_read_bytes(const UsherTree *tree, const char *path)
{
	g_auto(UsherFd) fd = open_in_tree(tree, path, O_RDONLY | O_NONBLOCK);
	GString *bytes = fd >= 0 ? read_all(fd) : NULL;
	return bytes != NULL ? g_string_free_to_bytes(bytes) : NULL;
}

bool usher_tree_is_whole(const UsherTree *tree)
{
	if (usher_tree_is_live(tree))
		return true;
	g_autofree char *mark = usher_tree_read(tree, USHER_RECORDING_MARK);
	g_auto(GStrv) lines = g_strsplit(mark != NULL ? mark : "", "\n", -1);
	return g_strv_contains((const char *const *) lines, USHER_RECORDING_WHOLE);
}

char *usher_tree_link(const UsherTree *tree, const char *path)
{
	g_autofree char *parent = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(path);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, parent);
	return folder >= 0 ? usher_link_read(folder, name, NULL) : NULL;
}

/* One read: an attribute of the kernel comes whole, and a scan reads many. text: ATTR_MAX + 1 bytes.
 * The trimmed text inside it, NULL: none. */
static char *read_attribute(int folder, const char *name, char *text)
{
	g_auto(UsherFd) fd = usher_fd_open(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, NULL);
	size_t length;
	if (fd < 0)
		return NULL;
	if (!usher_fd_read_some(fd, text, ATTR_MAX, &length, NULL)) {
		usher_fd_tell_problem(folder, name, errno);
		return NULL;
	}
	text[length] = '\0';
	g_strstrip(text);
	return text[0] == '\0' || strcmp(text, "(null)") == 0 ? NULL : text;
}

char *usher_attr_read(int folder, const char *name)
{
	char buffer[ATTR_MAX + 1];
	const char *text = read_attribute(folder, name, buffer);
	return text != NULL ? g_utf8_make_valid(text, -1) : NULL;
}

char *usher_attr_read_below(int folder, const char *path)
{
	g_auto(UsherFd) fd = usher_fd_open_below(folder, path, O_RDONLY | O_NONBLOCK, NULL);
	g_autofree char *text = fd >= 0 ? read_text(fd) : NULL;
	return text != NULL ? g_utf8_make_valid(text, -1) : NULL;
}

bool usher_attr_read_hex(int folder, const char *name, uint32_t max, uint32_t *out_value)
{
	char buffer[ATTR_MAX + 1];
	const char *text = read_attribute(folder, name, buffer);
	uint64_t value;
	if (text == NULL || !usher_text_parse_hex(text, max, &value, NULL))
		return false;
	*out_value = (uint32_t) value;
	return true;
}

bool usher_attr_read_int(int folder, const char *name, int64_t *out_value)
{
	char buffer[ATTR_MAX + 1];
	const char *text = read_attribute(folder, name, buffer);
	return text != NULL &&
		g_ascii_string_to_signed(text, 10, INT64_MIN, INT64_MAX, out_value, NULL);
}

char *usher_attr_link_name(int folder, const char *name)
{
	static const char *const no_names[] = { "/", ".", "..", NULL };
	g_autofree char *target = usher_link_read(folder, name, NULL);
	g_autofree char *last = target != NULL ? g_path_get_basename(target) : NULL;
	return last != NULL && !g_strv_contains(no_names, last) ? g_steal_pointer(&last) : NULL;
}
