/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The HTTP server: a unix socket in the GLib main loop. It knows connections, limits and time-outs
 * and nothing of what is asked. The only user of libmicrohttpd. Main thread.
 */
#include "api/message.h"

typedef struct UsherHttp UsherHttp;

typedef struct UsherHttpHandler {
	/* Asked when the headers are there and before the body is read: NULL, or the answer. */
	UsherHttpResponse *(*admit)(const UsherHttpRequest *request, void *data);
	UsherHttpResponse *(*answer)(const UsherHttpRequest *request, void *data);
	/* A peer that may open as many connections as there are. */
	bool (*is_trusted)(const UsherPeer *peer, void *data);
	void *data;
} UsherHttpHandler;

typedef struct UsherHttpLimits {
	unsigned connections;        /* of all peers together */
	unsigned connections_of_uid; /* of one that is not trusted */
	unsigned request_seconds;    /* to send a whole request in, and to sit idle */
} UsherHttpLimits;
extern const UsherHttpLimits usher_http_default_limits;

/* Everybody may connect: who may do what is the handler's to say. The socket appears at path when
 * it accepts connections. BUSY: somebody answers at path already. */
UsherHttp *usher_http_listen(const char *path, const UsherHttpLimits *limits,
	const UsherHttpHandler *handler, GError **error);
/* Ends streams and connections, removes the socket. */
void usher_http_free(UsherHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherHttp, usher_http_free)
