/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http.h"

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

#include "api/listen.h"
#include "base/error.h"
#include "base/fd.h"

#define STREAM_BLOCK ((size_t) 32 * 1024)

const UsherHttpLimits usher_http_default_limits = {
	.connections = 768,
	.connections_of_uid = 16,
	.request_seconds = 30,
};

/* One connection, and the request that is on it. */
typedef struct Connection {
	UsherHttp *http;
	struct MHD_Connection *mhd;
	int fd; /* MHD's */
	UsherPeer *peer;
	bool is_trusted;
	int64_t waiting_since; /* for a whole request, monotonic; 0: one is being answered */
	char *target;
	UsherHttpRequest *request;
	UsherHttpResponse *response; /* while it is pending or streaming */
	GString *block;              /* of the stream: read, not yet sent */
	size_t block_sent;
	bool is_last_block;
	bool is_suspended;
} Connection;

typedef struct HttpSource {
	GSource source;
	UsherHttp *http;
	void *epoll;
} HttpSource;

struct UsherHttp {
	char *path;
	int listen_fd;
	UsherHttpLimits limits;
	UsherHttpHandler handler;
	struct MHD_Daemon *daemon;
	HttpSource *source;
	GHashTable *connections; /* of Connection */
	unsigned sweep;
	bool is_stopping;
	bool has_ended; /* a connection, since MHD ran: it may have been one too many */
};

/* MHD's own epoll fd tells of its sockets; what it has put off it tells by its timeout. */
static gboolean source_prepare(GSource *source, gint *timeout)
{
	UsherHttp *http = ((HttpSource *) source)->http;
	MHD_UNSIGNED_LONG_LONG wait_ms;
	bool has_timeout = MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES;
	*timeout = has_timeout ? (gint) MIN(wait_ms, (MHD_UNSIGNED_LONG_LONG) G_MAXINT) : -1;
	return has_timeout && wait_ms == 0;
}

static gboolean source_check(GSource *source)
{
	HttpSource *http_source = (HttpSource *) source;
	if (g_source_query_unix_fd(source, http_source->epoll) != 0)
		return TRUE;
	MHD_UNSIGNED_LONG_LONG wait_ms;
	return MHD_get_timeout(http_source->http->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc func, gpointer data)
{
	(void) func;
	(void) data;
	UsherHttp *http = ((HttpSource *) source)->http;
	http->has_ended = false;
	g_source_set_ready_time(source, -1);
	(void) MHD_run(http->daemon);
	/* At its limit MHD stops to listen, and begins again only in a run after one has ended. */
	if (http->has_ended)
		g_source_set_ready_time(source, 0);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { source_prepare, source_check, source_dispatch, NULL, NULL,
	NULL };

static void suspend(Connection *connection)
{
	g_assert(!connection->is_suspended);
	connection->is_suspended = true;
	MHD_suspend_connection(connection->mhd);
}

/* Nothing happens after a resume until MHD runs: the source is made ready. */
static void resume(Connection *connection)
{
	if (!connection->is_suspended)
		return;
	connection->is_suspended = false;
	MHD_resume_connection(connection->mhd);
	g_source_set_ready_time(&connection->http->source->source, 0);
}

static void wake_connection(void *data)
{
	resume(data);
}

static ssize_t read_stream(void *data, uint64_t position, char *buffer, size_t size)
{
	(void) position;
	Connection *connection = data;
	if (connection->http->is_stopping)
		return MHD_CONTENT_READER_END_OF_STREAM;
	GString *block = connection->block;
	if (connection->block_sent == block->len && !connection->is_last_block) {
		UsherStream *stream = connection->response->stream;
		g_string_truncate(block, 0);
		connection->block_sent = 0;
		connection->is_last_block = !stream->ops->read(stream, block);
	}
	size_t n = MIN(block->len - connection->block_sent, size);
	if (n > 0) {
		memcpy(buffer, block->str + connection->block_sent, n);
		connection->block_sent += n;
		return (ssize_t) n;
	}
	if (connection->is_last_block)
		return MHD_CONTENT_READER_END_OF_STREAM;
	suspend(connection);
	return 0;
}

static struct MHD_Response *make_stream(Connection *connection, UsherHttpResponse *response)
{
	connection->response = response;
	connection->block = g_string_new(NULL);
	response->stream->wake = wake_connection;
	response->stream->wake_data = connection;
	/* A reader may rest: how far it may fall behind is the stream's to say. */
	MHD_set_connection_option(connection->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
	return MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, connection, NULL);
}

/* response is given to it. */
static enum MHD_Result send_response(Connection *connection, UsherHttpResponse *response)
{
	struct MHD_Response *out;
	connection->waiting_since = 0;
	/* MHD would end a stream that has only a head, too. */
	if (response->stream != NULL && strcmp(connection->request->method, "HEAD") == 0) {
		response->stream->ops->free(g_steal_pointer(&response->stream));
		response->body = g_strdup("");
	}
	if (response->stream != NULL) {
		out = make_stream(connection, response);
	} else {
		char *body = g_steal_pointer(&response->body);
		out = MHD_create_response_from_buffer_with_free_callback(
			strlen(body), body, g_free);
	}
	for (unsigned i = 0; i + 1 < response->headers->len; i += 2)
		(void) MHD_add_response_header(
			out, response->headers->pdata[i], response->headers->pdata[i + 1]);
	(void) MHD_add_response_header(out, "Cache-Control", "no-store");
	enum MHD_Result result = MHD_queue_response(connection->mhd, response->status, out);
	MHD_destroy_response(out);
	if (response->stream == NULL)
		usher_http_response_free(response);
	return result;
}

/* What is pending is looked at again whenever the connection is resumed. */
static enum MHD_Result answer(Connection *connection)
{
	UsherHttp *http = connection->http;
	connection->waiting_since = 0;
	if (http->is_stopping)
		return MHD_NO;
	if (connection->response == NULL) {
		UsherHttpResponse *response =
			http->handler.answer(connection->request, http->handler.data);
		if (response->pending == NULL)
			return send_response(connection, response);
		connection->response = response;
		response->pending->wake = wake_connection;
		response->pending->wake_data = connection;
	}
	UsherPending *pending = connection->response->pending;
	UsherHttpResponse *response = pending->ops->poll(pending);
	if (response == NULL) {
		suspend(connection);
		return MHD_YES;
	}
	g_clear_pointer(&connection->response, usher_http_response_free);
	return send_response(connection, response);
}

static enum MHD_Result add_header(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void) kind;
	usher_http_request_set_header(data, name, value != NULL ? value : "");
	return MHD_YES;
}

static enum MHD_Result begin_request(Connection *connection, const char *method)
{
	connection->request = usher_http_request_new(method, connection->target, connection->peer);
	(void) MHD_get_connection_values(
		connection->mhd, MHD_HEADER_KIND, add_header, connection->request);
	UsherHttp *http = connection->http;
	UsherHttpResponse *refusal = http->handler.admit(connection->request, http->handler.data);
	return refusal != NULL ? send_response(connection, refusal) : MHD_YES;
}

/* In the middle of a body MHD takes no response, and a body of unknown length may never end: the
 * answer is written past MHD, which has sent nothing on this connection but perhaps a 100. */
static void refuse_body(const Connection *connection)
{
	g_autoptr(GError) error = NULL;
	usher_error_set(&error, USHER_ERROR_INVALID, "the body is larger than %zu bytes",
		USHER_HTTP_MAX_BODY);
	g_autoptr(UsherHttpResponse) problem = usher_http_problem(error, 413);
	g_autofree char *text = g_strdup_printf("HTTP/1.1 413 %s\r\nConnection: close\r\n"
						"Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
		usher_http_status_text(413), usher_http_response_header(problem, "Content-Type"),
		strlen(problem->body), problem->body);
	(void) send(connection->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static enum MHD_Result on_access(void *data, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_length,
	void **state)
{
	(void) data;
	(void) mhd;
	(void) url;
	(void) version;
	Connection *connection = *state;
	if (connection->request == NULL)
		return begin_request(connection, method);
	if (*upload_length == 0)
		return answer(connection);
	GString *body = connection->request->body;
	if (*upload_length > USHER_HTTP_MAX_BODY - body->len) {
		refuse_body(connection);
		return MHD_NO;
	}
	g_string_append_len(body, upload, (gssize) *upload_length);
	*upload_length = 0;
	return MHD_YES;
}

/* Requests that do not come to an end, one byte at a time or none: MHD's own time-out counts from
 * the last byte, ours from the first. Nothing is looked at while nobody is waited for. */
static gboolean sweep_connections(gpointer data)
{
	UsherHttp *http = data;
	int64_t limit = (int64_t) http->limits.request_seconds * G_USEC_PER_SEC;
	int64_t oldest = g_get_monotonic_time() - limit;
	bool is_any_waiting = false;
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, http->connections);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		const Connection *connection = key;
		if (connection->waiting_since == 0)
			continue;
		is_any_waiting = true;
		if (connection->waiting_since < oldest)
			(void) shutdown(connection->fd, SHUT_RDWR);
	}
	if (is_any_waiting)
		return G_SOURCE_CONTINUE;
	http->sweep = 0;
	return G_SOURCE_REMOVE;
}

/* For a whole request, from now on. */
static void begin_waiting(Connection *connection)
{
	connection->waiting_since = g_get_monotonic_time();
	if (connection->http->sweep == 0)
		connection->http->sweep = g_timeout_add(500, sweep_connections, connection->http);
}

static Connection *connection_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The first that MHD tells of a request: its line is there. What it returns is the state of the
 * request. */
static void *on_request_line(void *data, const char *uri, struct MHD_Connection *mhd)
{
	(void) data;
	Connection *connection = connection_of(mhd);
	g_free(connection->target);
	connection->target = g_strdup(uri);
	begin_waiting(connection);
	return connection;
}

static void end_request(Connection *connection)
{
	g_clear_pointer(&connection->request, usher_http_request_free);
	g_clear_pointer(&connection->response, usher_http_response_free);
	if (connection->block != NULL)
		g_string_free(g_steal_pointer(&connection->block), TRUE);
	connection->block_sent = 0;
	connection->is_last_block = false;
	begin_waiting(connection);
}

static void on_request_end(
	void *data, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode why)
{
	(void) data;
	(void) mhd;
	(void) why;
	if (*state != NULL)
		end_request(*state);
	*state = NULL;
}

static unsigned count_of_uid(const UsherHttp *http, uint32_t uid)
{
	GHashTableIter iter;
	gpointer key;
	unsigned n = 0;
	g_hash_table_iter_init(&iter, http->connections);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		n += ((const Connection *) key)->peer->uid == uid ? 1 : 0;
	return n;
}

static Connection *begin_connection(UsherHttp *http, struct MHD_Connection *mhd)
{
	Connection *connection = g_new0(Connection, 1);
	connection->http = http;
	connection->mhd = mhd;
	connection->fd =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	connection->peer = usher_peer_of(connection->fd);
	connection->is_trusted = http->handler.is_trusted(connection->peer, http->handler.data);
	g_hash_table_add(http->connections, connection);
	begin_waiting(connection);
	return connection;
}

static void end_connection(Connection *connection)
{
	end_request(connection);
	g_hash_table_remove(connection->http->connections, connection);
	usher_peer_free(connection->peer);
	g_free(connection->target);
	g_free(connection);
}

static void on_connection(void *data, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	UsherHttp *http = data;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		http->has_ended = true;
		end_connection(*context);
		*context = NULL;
		return;
	}
	Connection *connection = begin_connection(http, mhd);
	*context = connection;
	if (!connection->is_trusted &&
		count_of_uid(http, connection->peer->uid) > http->limits.connections_of_uid)
		(void) shutdown(connection->fd, SHUT_RDWR);
}

static struct MHD_Daemon *start_daemon(UsherHttp *http)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access,
		http, MHD_OPTION_LISTEN_SOCKET, http->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		http->limits.connections, MHD_OPTION_CONNECTION_TIMEOUT,
		http->limits.request_seconds, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_URI_LOG_CALLBACK, on_request_line, http, MHD_OPTION_NOTIFY_COMPLETED,
		on_request_end, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
		MHD_OPTION_END);
}

static HttpSource *attach_source(UsherHttp *http)
{
	HttpSource *source = (HttpSource *) g_source_new(&source_funcs, sizeof(HttpSource));
	int epoll_fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	source->http = http;
	source->epoll = g_source_add_unix_fd(&source->source, epoll_fd, G_IO_IN);
	g_source_attach(&source->source, NULL);
	return source;
}

static void http_clear(UsherHttp *http)
{
	g_assert(g_hash_table_size(http->connections) == 0);
	g_hash_table_unref(http->connections);
	if (http->sweep != 0)
		g_source_remove(http->sweep);
	g_free(http->path);
	g_free(http);
}

UsherHttp *usher_http_listen(const char *path, const UsherHttpLimits *limits,
	const UsherHttpHandler *handler, GError **error)
{
	int fd = usher_listen_unix(path, error);
	if (fd < 0)
		return NULL;
	UsherHttp *http = g_new0(UsherHttp, 1);
	http->path = g_strdup(path);
	http->listen_fd = fd;
	http->limits = *limits;
	http->handler = *handler;
	http->connections = g_hash_table_new(NULL, NULL);
	http->daemon = start_daemon(http);
	if (http->daemon == NULL) {
		usher_error_set(error, USHER_ERROR_HOST,
			"serve HTTP on '%s': no memory or descriptors left", path);
		usher_listen_forget(path, fd);
		usher_fd_close(fd);
		http_clear(http);
		return NULL;
	}
	http->source = attach_source(http);
	return http;
}

/* MHD wants no suspended connection when it stops. */
static void end_streams(UsherHttp *http)
{
	http->is_stopping = true;
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, http->connections);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		resume(key);
	(void) MHD_run(http->daemon);
}

void usher_http_free(UsherHttp *http)
{
	if (http == NULL)
		return;
	usher_listen_forget(http->path, http->listen_fd);
	end_streams(http);
	g_source_destroy(&http->source->source);
	MHD_stop_daemon(http->daemon);
	g_source_unref(&http->source->source);
	http_clear(http);
}
