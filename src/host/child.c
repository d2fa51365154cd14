/* SPDX-License-Identifier: Apache-2.0 */
#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define GRACE_US   (G_USEC_PER_SEC / 4) /* from SIGKILL until a process counts as stuck */
#define OUTPUT_MAX ((size_t) 4 * 1024 * 1024)

bool usher_child_is_ended(int pidfd)
{
	struct pollfd fd = { pidfd, POLLIN, 0 };
	return poll(&fd, 1, 0) == 1;
}

/* In a session of its own: no Ctrl-C of a terminal reaches it in the middle of a write. */
static bool spawn(
	const char *path, const char *const *args, int output, pid_t *out_pid, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(argv, g_path_get_basename(path));
	for (size_t i = 0; args[i] != NULL; i++)
		g_ptr_array_add(argv, g_strdup(args[i]));
	g_ptr_array_add(argv, NULL);
	char *environment[] = { NULL };
	sigset_t all, none;
	(void) sigfillset(&all);
	(void) sigemptyset(&none);
	posix_spawnattr_t attributes;
	(void) posix_spawnattr_init(&attributes);
	(void) posix_spawnattr_setflags(
		&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	(void) posix_spawnattr_setsigdefault(&attributes, &all);
	(void) posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_t actions;
	(void) posix_spawn_file_actions_init(&actions);
	(void) posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	(void) posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void) posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	(void) posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	int errnum = posix_spawn(
		out_pid, path, &actions, &attributes, (char *const *) argv->pdata, environment);
	(void) posix_spawn_file_actions_destroy(&actions);
	(void) posix_spawnattr_destroy(&attributes);
	if (errnum == 0)
		return true;
	usher_error_set(error, USHER_ERROR_INTERNAL, "run '%s': %s", path, g_strerror(errnum));
	return false;
}

void usher_child_clear(UsherChild *child)
{
	usher_fd_close(child->pidfd);
	usher_fd_close(child->pipe);
	if (child->output != NULL)
		(void) g_string_free(child->output, TRUE);
}

bool usher_child_start(UsherChild *child, const char *path, const char *const *args, GError **error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) {
		usher_error_errno(error, errno, "make a pipe");
		return false;
	}
	child->pipe = ends[0];
	child->output = g_string_new(NULL);
	g_auto(UsherFd) writer = ends[1];
	if (!spawn(path, args, writer, &child->pid, error))
		return false;
	child->pidfd = pidfd_open(child->pid, 0);
	/* Our own child that nobody has waited for: only a lack of descriptors or memory. */
	g_assert(child->pidfd >= 0);
	return true;
}

/* What there is; false at the end. */
static bool take_output(UsherChild *child)
{
	char buffer[4096];
	size_t length;
	if (!usher_fd_read_some(child->pipe, buffer, sizeof buffer, &length, NULL) || length == 0)
		return false;
	if (child->output->len + length <= OUTPUT_MAX)
		g_string_append_len(child->output, buffer, (gssize) length);
	return true;
}

/* False at the deadline. */
static bool await_end(UsherChild *child, int64_t deadline_us)
{
	bool is_open = true;
	for (;;) {
		int64_t left_us = MAX(deadline_us - g_get_monotonic_time(), 0);
		struct pollfd fds[] = { { child->pidfd, POLLIN, 0 },
			{ is_open ? child->pipe : -1, POLLIN, 0 } };
		int n = poll(fds, G_N_ELEMENTS(fds), (int) MIN((left_us + 999) / 1000, G_MAXINT));
		if (n < 0)
			continue;
		if (fds[1].revents != 0)
			is_open = take_output(child);
		else if (fds[0].revents != 0)
			return true;
		else if (left_us == 0)
			return false;
	}
}

UsherChildEnding usher_child_await(UsherChild *child, int64_t timeout_us)
{
	UsherChildEnding ending = USHER_CHILD_ENDED;
	if (!await_end(child, g_get_monotonic_time() + timeout_us)) {
		(void) pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
		ending = await_end(child, g_get_monotonic_time() + GRACE_US) ? USHER_CHILD_KILLED
									     : USHER_CHILD_LEFT;
	}
	if (ending != USHER_CHILD_LEFT)
		(void) waitid(P_PIDFD, (id_t) child->pidfd, &child->status, WEXITED);
	return ending;
}
