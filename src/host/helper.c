/* SPDX-License-Identifier: Apache-2.0 */
#include "host/helper.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"
#include "host/child.h"
#include "host/tree.h"

#define PROGRAM       "usher-helper"
#define READ_ATTEMPTS 4 /* devices that may hang a reading of all, one after the other */

/* One that could not be killed. */
typedef struct Stuck {
	UsherHelper *helper;
	char *address;
	bool is_write;
	bool is_child; /* else of an earlier process of ours */
	int pidfd;
	GSource *source;
} Stuck;

struct UsherHelper {
	char *path;
	GMutex lock;
	GPtrArray *stuck;    /* of Stuck */
	GHashTable *running; /* addresses that are written to right now */
	UsherHelperBack func;
	void *data;
};

static void stuck_free(void *data)
{
	Stuck *stuck = data;
	g_source_destroy(stuck->source);
	g_source_unref(stuck->source);
	usher_fd_close(stuck->pidfd);
	g_free(stuck->address);
	g_free(stuck);
}

static gboolean on_back(int pidfd, GIOCondition condition, void *data)
{
	(void) condition;
	Stuck *stuck = data;
	UsherHelper *helper = stuck->helper;
	siginfo_t status;
	if (stuck->is_child)
		(void) waitid(P_PIDFD, (id_t) pidfd, &status, WEXITED | WNOHANG);
	g_mutex_lock(&helper->lock);
	(void) g_ptr_array_remove_fast(helper->stuck, stuck);
	g_mutex_unlock(&helper->lock);
	if (helper->func != NULL)
		helper->func(helper->data);
	return G_SOURCE_REMOVE;
}

/* Takes the descriptor. */
static void remember(
	UsherHelper *helper, int pidfd, const char *address, bool is_write, bool is_child)
{
	Stuck *stuck = g_new0(Stuck, 1);
	stuck->helper = helper;
	stuck->address = g_strdup(address);
	stuck->is_write = is_write;
	stuck->is_child = is_child;
	stuck->pidfd = pidfd;
	stuck->source = g_unix_fd_source_new(pidfd, G_IO_IN);
	g_source_set_callback(stuck->source, G_SOURCE_FUNC(on_back), stuck, NULL);
	g_mutex_lock(&helper->lock);
	g_ptr_array_add(helper->stuck, stuck);
	g_mutex_unlock(&helper->lock);
	g_source_attach(stuck->source, NULL);
}

static bool is_writing(const char *command)
{
	static const char *const commands[] = { "override", "unbind", "bind", NULL };
	return g_strv_contains(commands, command);
}

/* A helper of a process before us that still hangs in the kernel. Only the command line of our own
 * program is read: that of others may block. */
static void adopt_stray(UsherHelper *helper, const UsherTree *tree, const char *pid)
{
	uint32_t number;
	if (!usher_text_parse_u32(pid, INT32_MAX, &number, NULL) || number == 0)
		return;
	g_autofree char *folder_path = g_strconcat("proc/", pid, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, folder_path);
	g_autofree char *name = folder >= 0 ? usher_attr_read(folder, "comm") : NULL;
	if (g_strcmp0(name, PROGRAM) != 0)
		return;
	g_auto(UsherFd) line = usher_fd_open(folder, "cmdline", O_RDONLY, NULL);
	char text[512];
	size_t length;
	if (line < 0 || !usher_fd_read(line, text, sizeof text - 1, &length, NULL))
		return;
	text[length] = '\0';
	const char *words[3] = { NULL };
	const char *word = text;
	for (unsigned i = 0; i < G_N_ELEMENTS(words) && word < text + length; i++) {
		words[i] = word;
		word += strlen(word) + 1;
	}
	if (words[2] == NULL || !is_writing(words[1]))
		return;
	int pidfd = pidfd_open((pid_t) number, 0);
	if (pidfd >= 0)
		remember(helper, pidfd, words[2], /* is_write */ true, /* is_child */ false);
}

UsherHelper *usher_helper_new(const char *path)
{
	UsherHelper *helper = g_new0(UsherHelper, 1);
	helper->path = g_strdup(path);
	g_mutex_init(&helper->lock);
	helper->stuck = g_ptr_array_new_with_free_func(stuck_free);
	helper->running = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(UsherTree) tree = usher_tree_open("/", NULL);
	g_autoptr(GPtrArray) pids = usher_tree_list(tree, "proc");
	for (unsigned i = 0; pids != NULL && i < pids->len; i++)
		adopt_stray(helper, tree, pids->pdata[i]);
	return helper;
}

void usher_helper_free(UsherHelper *helper)
{
	if (helper == NULL)
		return;
	g_ptr_array_unref(helper->stuck);
	g_hash_table_unref(helper->running);
	g_mutex_clear(&helper->lock);
	g_free(helper->path);
	g_free(helper);
}

char *usher_helper_find(void)
{
	g_autofree char *self = usher_link_read(AT_FDCWD, "/proc/self/exe", NULL);
	g_autofree char *folder = self != NULL ? g_path_get_dirname(self) : NULL;
	g_autofree char *beside = folder != NULL ? g_build_filename(folder, PROGRAM, NULL) : NULL;
	if (beside != NULL && access(beside, X_OK) == 0)
		return g_steal_pointer(&beside);
	return access(USHER_LIBEXEC "/" PROGRAM, X_OK) == 0 ? g_strdup(USHER_LIBEXEC "/" PROGRAM)
							    : NULL;
}

/* { "ok": true } or { "ok": false, "code", "message" }, the last thing it says. */
static bool read_answer(const UsherChild *run, GError **error)
{
	g_autoptr(UsherJson) answer = usher_json_parse(run->output->str, run->output->len, NULL);
	if (answer == NULL || usher_json_get(answer, "ok") == NULL) {
		usher_error_set(error, USHER_ERROR_INTERNAL,
			PROGRAM " ended with %s %d and no answer",
			run->status.si_code == CLD_EXITED ? "status" : "signal",
			run->status.si_status);
		return false;
	}
	if (usher_json_get_bool(answer, "ok", false))
		return true;
	const char *message = usher_json_get_string(answer, "message");
	const char *name = usher_json_get_string(answer, "code");
	UsherErrorCode code = USHER_ERROR_INTERNAL;
	if (name != NULL)
		(void) usher_error_code_parse(name, &code);
	usher_error_set(error, code, "%s", message != NULL ? message : PROGRAM " failed");
	return false;
}

static bool is_stuck(const UsherHelper *helper, const char *address)
{
	for (unsigned i = 0; i < helper->stuck->len; i++) {
		const Stuck *stuck = helper->stuck->pdata[i];
		if (stuck->is_write && g_strcmp0(stuck->address, address) == 0 &&
			!usher_child_is_ended(stuck->pidfd))
			return true;
	}
	return false;
}

bool usher_helper_is_out(UsherHelper *helper, const char *address)
{
	g_mutex_lock(&helper->lock);
	bool is_out = is_stuck(helper, address);
	g_mutex_unlock(&helper->lock);
	return is_out;
}

static bool claim(UsherHelper *helper, const char *address, GError **error)
{
	if (address == NULL)
		return true;
	g_mutex_lock(&helper->lock);
	bool is_free =
		!is_stuck(helper, address) && g_hash_table_add(helper->running, g_strdup(address));
	g_mutex_unlock(&helper->lock);
	if (!is_free)
		usher_error_set(error, USHER_ERROR_UNAVAILABLE,
			"an earlier write to %s has not come back", address);
	return is_free;
}

static void release(UsherHelper *helper, const char *address)
{
	if (address == NULL)
		return;
	g_mutex_lock(&helper->lock);
	(void) g_hash_table_remove(helper->running, address);
	g_mutex_unlock(&helper->lock);
}

bool usher_helper_run(UsherHelper *helper, const char *address, const char *const *args,
	int64_t timeout_us, GError **error)
{
	if (!claim(helper, address, error))
		return false;
	g_auto(UsherChild) run = USHER_CHILD_INIT;
	bool is_done = false;
	if (usher_child_start(&run, helper->path, args, error)) {
		UsherChildEnding ending = usher_child_await(&run, timeout_us);
		if (ending == USHER_CHILD_ENDED)
			is_done = read_answer(&run, error);
		else
			usher_error_set(error, USHER_ERROR_UNAVAILABLE,
				"%s %s: the kernel did not come back within %" G_GINT64_FORMAT
				" ms%s",
				args[0], args[1], timeout_us / 1000,
				ending == USHER_CHILD_LEFT ? " and still has the write" : "");
		if (ending == USHER_CHILD_LEFT)
			remember(helper, usher_fd_steal(&run.pidfd), address, address != NULL,
				/* is_child */ true);
	}
	release(helper, address);
	return is_done;
}

/* Lines "address\ttext"; gives the address of a last line that was begun and not ended. */
static char *read_lines(const char *output, GHashTable *overrides)
{
	g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
	unsigned n = g_strv_length(lines);
	for (unsigned i = 0; i < n; i++) {
		char *tab = strchr(lines[i], '\t');
		if (tab == NULL)
			continue;
		*tab = '\0';
		if (i == n - 1)
			return g_strdup(lines[i]);
		g_hash_table_replace(overrides, g_strdup(lines[i]), g_utf8_make_valid(tab + 1, -1));
	}
	return NULL;
}

/* The devices whose lock somebody has. */
static GPtrArray *list_stuck(UsherHelper *helper)
{
	GPtrArray *addresses = g_ptr_array_new_with_free_func(g_free);
	g_mutex_lock(&helper->lock);
	for (unsigned i = 0; i < helper->stuck->len; i++) {
		const Stuck *stuck = helper->stuck->pdata[i];
		if (stuck->address != NULL && !usher_child_is_ended(stuck->pidfd))
			g_ptr_array_add(addresses, g_strdup(stuck->address));
	}
	g_mutex_unlock(&helper->lock);
	return addresses;
}

static bool has_text(const GPtrArray *texts, const char *text)
{
	return g_ptr_array_find_with_equal_func(
		(GPtrArray *) (uintptr_t) texts, text, g_str_equal, NULL);
}

/* "read-overrides" and what to leave out, or "read-overrides-of" and what to read. */
static GPtrArray *reading_args(GHashTable *only, const GPtrArray *skipped, GHashTable *done)
{
	GPtrArray *args = g_ptr_array_new();
	static char of_all[] = "read-overrides", of_some[] = "read-overrides-of";
	g_ptr_array_add(args, only != NULL ? of_some : of_all);
	for (unsigned i = 0; only == NULL && i < skipped->len; i++)
		g_ptr_array_add(args, skipped->pdata[i]);
	GHashTableIter iter;
	void *address;
	if (only != NULL)
		g_hash_table_iter_init(&iter, only);
	while (only != NULL && g_hash_table_iter_next(&iter, &address, NULL)) {
		if (!has_text(skipped, address) && !g_hash_table_contains(done, address))
			g_ptr_array_add(args, address);
	}
	return args;
}

/* One reading of all that answer. The device at which it hung, NULL: it came to its end. */
static char *read_once(
	UsherHelper *helper, GPtrArray *args, int64_t timeout_us, GHashTable *overrides)
{
	g_auto(UsherChild) run = USHER_CHILD_INIT;
	g_ptr_array_add(args, NULL);
	bool is_started =
		usher_child_start(&run, helper->path, (const char *const *) args->pdata, NULL);
	g_ptr_array_set_size(args, (int) args->len - 1);
	if (!is_started)
		return NULL;
	UsherChildEnding ending = usher_child_await(&run, timeout_us);
	g_autofree char *hung = read_lines(run.output->str, overrides);
	if (ending == USHER_CHILD_ENDED)
		return NULL;
	if (ending == USHER_CHILD_LEFT)
		remember(helper, usher_fd_steal(&run.pidfd), hung, /* is_write */ false,
			/* is_child */ true);
	return g_steal_pointer(&hung);
}

GHashTable *usher_helper_read_overrides(
	UsherHelper *helper, GHashTable *only, int64_t timeout_us, GPtrArray *notes)
{
	GHashTable *overrides = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) skipped = list_stuck(helper);
	for (unsigned i = 0; i < READ_ATTEMPTS; i++) {
		g_autoptr(GPtrArray) args = reading_args(only, skipped, overrides);
		char *hung = only != NULL && args->len == 1
			? NULL
			: read_once(helper, args, timeout_us, overrides);
		if (hung == NULL)
			break;
		g_ptr_array_add(skipped, hung); /* the next reading leaves it out */
	}
	for (unsigned i = 0; i < skipped->len; i++) {
		if (only == NULL || g_hash_table_contains(only, skipped->pdata[i]))
			g_ptr_array_add(notes,
				g_strdup_printf("driver_override of %s did not answer",
					(const char *) skipped->pdata[i]));
	}
	if (only == NULL && g_hash_table_size(overrides) == 0)
		g_ptr_array_add(notes,
			g_strdup_printf(
				"driver_override was not read: %s gave nothing", helper->path));
	return overrides;
}

char *usher_helper_read_vpd(UsherHelper *helper, const char *address, int64_t timeout_us)
{
	if (!claim(helper, address, NULL))
		return NULL;
	g_auto(UsherChild) run = USHER_CHILD_INIT;
	const char *args[] = { "read-vpd", address, NULL };
	char *serial = NULL;
	if (usher_child_start(&run, helper->path, args, NULL)) {
		UsherChildEnding ending = usher_child_await(&run, timeout_us);
		if (ending == USHER_CHILD_ENDED && run.status.si_code == CLD_EXITED &&
			run.status.si_status == 0)
			serial = g_strdup(g_strstrip(run.output->str));
		if (ending == USHER_CHILD_LEFT)
			remember(helper, usher_fd_steal(&run.pidfd), address, /* is_write */ false,
				/* is_child */ true);
	}
	release(helper, address);
	return serial;
}

void usher_helper_watch(UsherHelper *helper, UsherHelperBack func, void *data)
{
	helper->func = func;
	helper->data = data;
}
