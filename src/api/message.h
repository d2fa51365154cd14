/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * HTTP messages as values: what a peer sent, and what it is answered — at once, later, or line by
 * line. Between http.c, which knows sockets, and the router, which knows usher. Main thread.
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who is at the other end of a unix socket, as the kernel says. */
typedef struct UsherPeer {
	uint32_t uid, gid;
	int32_t pid;
	GArray *groups; /* of uint32_t: its supplementary groups */
} UsherPeer;

#define USHER_HTTP_MAX_BODY ((size_t) 1024 * 1024)

typedef struct UsherHttpRequest {
	char *method;
	char *target;        /* as sent: path and query, escaped */
	GHashTable *headers; /* lower-case name → value */
	GString *body;
	const UsherPeer *peer; /* borrowed: lives as long as the connection */
} UsherHttpRequest;

UsherHttpRequest *usher_http_request_new(
	const char *method, const char *target, const UsherPeer *peer);
void usher_http_request_free(UsherHttpRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherHttpRequest, usher_http_request_free)
void usher_http_request_set_header(UsherHttpRequest *request, const char *name, const char *value);
/* name in lower case; NULL when it was not sent. */
const char *usher_http_request_header(const UsherHttpRequest *request, const char *name);

/* A body that goes on. Its maker calls wake, set by who sends it, when there is more to read. */
typedef struct UsherStream UsherStream;
typedef struct UsherStreamOps {
	/* Appends a bounded piece of what there is, nothing when there is nothing yet; false: what
	 * was appended is the end. */
	bool (*read)(UsherStream *stream, GString *into);
	void (*free)(UsherStream *stream);
} UsherStreamOps;
struct UsherStream {
	const UsherStreamOps *ops;
	void (*wake)(void *data);
	void *wake_data;
};

/* An answer that is not there yet; wake as above. */
typedef struct UsherHttpResponse UsherHttpResponse;
typedef struct UsherPending UsherPending;
typedef struct UsherPendingOps {
	/* NULL: not yet. Given to the caller. */
	UsherHttpResponse *(*poll)(UsherPending *pending);
	void (*free)(UsherPending *pending);
} UsherPendingOps;
struct UsherPending {
	const UsherPendingOps *ops;
	void (*wake)(void *data);
	void *wake_data;
};

/* Exactly one of body, stream and pending is not NULL. */
struct UsherHttpResponse {
	unsigned status;
	GPtrArray *headers; /* name, value, name, value, … */
	char *body;
	UsherStream *stream;
	UsherPending *pending;
};

/* body is given to the response. */
UsherHttpResponse *usher_http_response_new(unsigned status, const char *content_type, char *body);
UsherHttpResponse *usher_http_response_stream(UsherStream *stream);
UsherHttpResponse *usher_http_response_later(UsherPending *pending);
void usher_http_response_free(UsherHttpResponse *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherHttpResponse, usher_http_response_free)
void usher_http_response_set_header(
	UsherHttpResponse *response, const char *name, const char *value);
/* NULL when it has none. */
const char *usher_http_response_header(const UsherHttpResponse *response, const char *name);

/* "Not Found" */
const char *usher_http_status_text(unsigned status);

/* application/problem+json around our error; status 0: the one of the error's code. */
UsherHttpResponse *usher_http_problem(const GError *error, unsigned status);
