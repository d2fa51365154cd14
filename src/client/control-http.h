/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ports/control.h over usherd's unix socket, in the GLib main loop: nothing blocks. Main thread. */
#include "ports/control.h"

/* node: whose wants are watched. server_uid: who must be at the other end of the socket; anybody
 * else is UNAVAILABLE. */
UsherControl *usher_control_http_new(
	const char *socket_path, const char *node, uint32_t server_uid);
