/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A client of the API over usherd's unix socket, for programs that may block: the CLI. Knows HTTP
 * and our errors, not what is asked. One thread.
 */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherClient UsherClient;

/* server: the socket's path, with or without "unix:". INVALID: it is something else. */
UsherClient *usher_client_new(const char *server, GError **error);
void usher_client_free(UsherClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherClient, usher_client_free)

typedef struct UsherAnswer {
	unsigned status;
	char *body; /* never NULL */
	char *etag; /* NULL: none */
} UsherAnswer;
void usher_answer_free(UsherAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherAnswer, usher_answer_free)

typedef struct UsherClientRequest {
	const char *method;
	const char *path;       /* escaped, with its query */
	const char *body;       /* NULL: none */
	const char *if_match;   /* an ETag, NULL: none */
	bool if_none_match_any; /* only when it is not there yet */
	unsigned timeout_ms;    /* 0: as long as it takes */
} UsherClientRequest;

/* What the server answered, whatever its status. UNAVAILABLE: there was no answer. */
UsherAnswer *usher_client_ask(
	UsherClient *client, const UsherClientRequest *request, GError **error);
/* The same, and answers of 400 and more are the error they tell of. */
UsherAnswer *usher_client_send(
	UsherClient *client, const UsherClientRequest *request, GError **error);

/* The error that an answer of 400 and more tells of. */
void usher_client_raise(const UsherAnswer *answer, GError **error);

/* A line without its newline; false: that was enough. */
typedef bool (*UsherLineFunc)(const char *line, void *data);
typedef enum {
	USHER_STREAM_ENDED,  /* by the server */
	USHER_STREAM_ENOUGH, /* by func */
	USHER_STREAM_INTERRUPTED,
	USHER_STREAM_FAILED, /* error is set */
} UsherStreamEnd;
/* Reads lines until something ends it; interrupt_fd: becoming readable does, -1: none. */
UsherStreamEnd usher_client_stream(UsherClient *client, const char *path, int interrupt_fd,
	UsherLineFunc func, void *data, GError **error);

/* A name as part of a path or query. */
char *usher_client_escape(const char *name);
