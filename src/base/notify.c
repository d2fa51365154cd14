/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include <glib.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/env.h"
#include "base/fd.h"
#include "base/text.h"

void usher_notify(const char *state)
{
	const char *path = usher_env_get("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path != NULL ? strlen(path) : 0;
	if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@') /* the abstract namespace */
		address.sun_path[0] = '\0';
	g_auto(UsherFd) fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	socklen_t size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length);
	(void) sendto(
		fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *) &address, size);
}

static gboolean tell_alive(gpointer data)
{
	(void) data;
	usher_notify("WATCHDOG=1");
	return G_SOURCE_CONTINUE;
}

void usher_notify_watchdog(void)
{
	const char *interval = usher_env_get("WATCHDOG_USEC");
	const char *pid = usher_env_get("WATCHDOG_PID");
	uint64_t us, wanted_pid;
	if (interval == NULL ||
		!usher_text_parse_u64(interval, UINT32_MAX * UINT64_C(1000), &us, NULL))
		return;
	if (pid != NULL &&
		(!usher_text_parse_u64(pid, INT32_MAX, &wanted_pid, NULL) ||
			(pid_t) wanted_pid != getpid()))
		return;
	g_timeout_add((guint) MAX(us / 1000 / 3, 1), tell_alive, NULL);
}
