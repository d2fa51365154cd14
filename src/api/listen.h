/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Unix sockets to listen on, and who connected. */
#include "api/message.h"

/* A listening, non-blocking socket, open to everybody. It is made beside path and renamed to it:
 * whoever sees it can connect. What a dead server left there is replaced; BUSY when somebody
 * answers; INVALID when something other than a socket is there. -1 with error set. */
int usher_listen_unix(const char *path, GError **error);
/* Removes path if it is still this socket. */
void usher_listen_forget(const char *path, int fd);

/* What the kernel says of the other end. Given to the caller. */
UsherPeer *usher_peer_of(int fd);
UsherPeer *usher_peer_new(uint32_t uid, uint32_t gid);
void usher_peer_free(UsherPeer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherPeer, usher_peer_free)
