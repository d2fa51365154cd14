/* SPDX-License-Identifier: Apache-2.0 */
#include "api/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define NOBODY 65534

static bool fill_address(struct sockaddr_un *address, const char *path, GError **error)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (g_strlcpy(address->sun_path, path, sizeof address->sun_path) < sizeof address->sun_path)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID, "the socket path '%s' is longer than %zu bytes",
		path, sizeof address->sun_path - 1);
	return false;
}

static int new_socket(GError **error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		usher_error_errno(error, errno, "make a socket");
	return fd;
}

/* A full backlog (EAGAIN) is somebody, too. */
static bool does_answer(const struct sockaddr_un *address)
{
	g_auto(UsherFd) fd = new_socket(NULL);
	if (fd < 0)
		return false;
	return connect(fd, (const struct sockaddr *) address, sizeof *address) == 0 ||
		errno == EAGAIN;
}

static bool may_take(const char *path, GError **error)
{
	struct stat status;
	if (lstat(path, &status) != 0) {
		if (errno == ENOENT)
			return true;
		usher_error_errno(error, errno, "look at '%s'", path);
		return false;
	}
	if (!S_ISSOCK(status.st_mode)) {
		usher_error_set(error, USHER_ERROR_INVALID, "'%s' is there and is no socket", path);
		return false;
	}
	struct sockaddr_un address;
	if (!fill_address(&address, path, error))
		return false;
	if (!does_answer(&address))
		return true;
	usher_error_set(
		error, USHER_ERROR_BUSY, "listen on '%s': another server answers there", path);
	return false;
}

/* Bound under its temporary name, listening, then seen under its own. */
static int listen_beside(const char *temporary, const char *path, GError **error)
{
	struct sockaddr_un address;
	if (!fill_address(&address, temporary, error))
		return -1;
	g_auto(UsherFd) fd = new_socket(error);
	if (fd < 0)
		return -1;
	(void) unlink(temporary);
	if (bind(fd, (const struct sockaddr *) &address, sizeof address) != 0) {
		usher_error_errno(error, errno, "bind a socket to '%s'", temporary);
		return -1;
	}
	if (chmod(temporary, 0666) == 0 && listen(fd, SOMAXCONN) == 0 &&
		rename(temporary, path) == 0)
		return usher_fd_steal(&fd);
	usher_error_errno(error, errno, "listen on '%s'", path);
	(void) unlink(temporary);
	return -1;
}

int usher_listen_unix(const char *path, GError **error)
{
	if (!may_take(path, error))
		return -1;
	g_autofree char *temporary = g_strconcat(path, ".new", NULL);
	return listen_beside(temporary, path, error);
}

/* The name a socket was bound to stays ".new": path is ours while nobody else answers there, which
 * is so as long as our own fd is the one that does. */
void usher_listen_forget(const char *path, int fd)
{
	(void) shutdown(fd, SHUT_RDWR);
	struct sockaddr_un address;
	if (fill_address(&address, path, NULL) && !does_answer(&address))
		(void) unlink(path);
}

static void read_groups(int fd, GArray *groups)
{
	socklen_t length = 64 * sizeof(uint32_t);
	for (int i = 0; i < 2; i++) {
		g_array_set_size(groups, (unsigned) (length / sizeof(uint32_t)));
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups->data, &length) == 0) {
			g_array_set_size(groups, (unsigned) (length / sizeof(uint32_t)));
			return;
		}
		if (errno != ERANGE) /* then length is what it takes */
			break;
	}
	g_array_set_size(groups, 0);
}

UsherPeer *usher_peer_new(uint32_t uid, uint32_t gid)
{
	UsherPeer *peer = g_new0(UsherPeer, 1);
	peer->uid = uid;
	peer->gid = gid;
	peer->groups = g_array_new(FALSE, TRUE, sizeof(uint32_t));
	return peer;
}

UsherPeer *usher_peer_of(int fd)
{
	struct ucred credentials = { .uid = NOBODY, .gid = NOBODY };
	socklen_t length = sizeof credentials;
	bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0;
	UsherPeer *peer = usher_peer_new(credentials.uid, credentials.gid);
	peer->pid = credentials.pid;
	if (is_known)
		read_groups(fd, peer->groups);
	return peer;
}

void usher_peer_free(UsherPeer *peer)
{
	if (peer == NULL)
		return;
	g_array_unref(peer->groups);
	g_free(peer);
}
