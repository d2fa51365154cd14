/* SPDX-License-Identifier: Apache-2.0 */
#include "client/control-http.h"

#include <curl/curl.h>
#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "client/curl-loop.h"

#define EXCHANGE_TIMEOUT_S 15L
#define BACKOFF_FIRST_MS   200U
#define BACKOFF_MOST_MS    5000U
/* usherd sends a bookmark every 15 s: one that is silent for three of them hangs. */
#define SILENCE_S 45L

/* One connection to the server. */
typedef struct Line {
	const struct Control *control;
	int fd;        /* curl's */
	char *refusal; /* why we did not speak to the server, NULL: we did */
} Line;

typedef struct Control {
	UsherControl base;
	char *path;
	char *node;
	uint32_t server_uid;
	UsherCurlLoop *loop;
	/* the exchange under way */
	Line exchange_line;
	CURL *exchange;
	struct curl_slist *exchange_headers;
	GString *answer;
	UsherControlDone done;
	void *done_data;
	/* the watch */
	Line watch_line;
	UsherControlChanged changed;
	void *changed_data;
	CURL *watch;
	bool is_watching;
	bool is_connected;
	GString *line;
	unsigned backoff_ms;
	unsigned retry;
	unsigned tell; /* an idle source: changed is told outside of curl */
	/* the socket's folder: a server that comes is seen at once */
	int inotify_fd;
	unsigned inotify_source;
	int folder_watch;
} Control;

/* curl opens the socket by us, so that we know it. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void) purpose;
	(void) address;
	Line *line = data;
	line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return line->fd >= 0 ? line->fd : CURL_SOCKET_BAD;
}

/* The line is connected and nothing has been sent: not a byte goes to the wrong server. Lines are
 * never used again, so that each has been through here. */
static int meet_server(void *data, char *ip, char *local_ip, int port, int local_port)
{
	(void) ip;
	(void) local_ip;
	(void) port;
	(void) local_port;
	Line *line = data;
	const Control *control = line->control;
	struct ucred peer;
	socklen_t length = sizeof peer;
	if (getsockopt(line->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
		line->refusal =
			g_strdup_printf("ask who serves %s: %s", control->path, g_strerror(errno));
		return CURL_PREREQFUNC_ABORT;
	}
	if (peer.uid == control->server_uid)
		return CURL_PREREQFUNC_OK;
	line->refusal = g_strdup_printf("the server at %s runs as uid %u, not %u", control->path,
		peer.uid, control->server_uid);
	return CURL_PREREQFUNC_ABORT;
}

static CURL *new_request(Line *line, const char *path)
{
	const Control *control = line->control;
	line->fd = -1;
	g_clear_pointer(&line->refusal, g_free);
	CURL *easy = curl_easy_init();
	g_assert(easy != NULL);
	g_autofree char *url = g_strconcat("http://localhost", path, NULL);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, control->path);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "usher-agent/" USHER_VERSION);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, line);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, meet_server);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, line);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	return easy;
}

static void explain(const Control *control, CURLcode result, GError **error)
{
	long errnum = 0;
	(void) curl_easy_getinfo(control->exchange, CURLINFO_OS_ERRNO, &errnum);
	if (control->exchange_line.refusal != NULL)
		usher_error_set(
			error, USHER_ERROR_UNAVAILABLE, "%s", control->exchange_line.refusal);
	else if (result == CURLE_COULDNT_CONNECT && errnum != 0)
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "connect to %s: %s", control->path,
			g_strerror((int) errnum));
	else
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "ask the server at %s: %s",
			control->path, curl_easy_strerror(result));
}

/* An error document as the error it tells of; what is none is a server that is not well. */
static void raise_problem(const Control *control, long status, const char *body, GError **error)
{
	g_autoptr(UsherJson) json = usher_json_parse(body, strlen(body), NULL);
	const UsherJson *inner = json != NULL ? usher_json_get(json, "error") : NULL;
	const char *code_name = inner != NULL ? usher_json_get_string(inner, "code") : NULL;
	const char *message = inner != NULL ? usher_json_get_string(inner, "message") : NULL;
	UsherErrorCode code;
	if (code_name == NULL || message == NULL || !usher_error_code_parse(code_name, &code))
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "the server at %s answered %ld",
			control->path, status);
	else
		usher_error_set(error, code, "%s", message);
}

static UsherWants *read_wants(const Control *control, CURLcode result, GError **error)
{
	if (result != CURLE_OK) {
		explain(control, result, error);
		return NULL;
	}
	long status = 0;
	(void) curl_easy_getinfo(control->exchange, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		raise_problem(control, status, control->answer->str, error);
		return NULL;
	}
	UsherWants *wants = usher_record_parse(&usher_wants_type, control->answer->str, error);
	if (wants == NULL)
		g_prefix_error(error, "the server's wants: ");
	return wants;
}

static void end_exchange(Control *control)
{
	g_clear_pointer(&control->exchange, curl_easy_cleanup);
	g_clear_pointer(&control->exchange_headers, curl_slist_free_all);
	if (control->answer != NULL)
		g_string_free(g_steal_pointer(&control->answer), TRUE);
}

static void on_exchanged(CURL *easy, CURLcode result, void *data)
{
	Control *control = data;
	g_assert(easy == control->exchange);
	g_autoptr(GError) error = NULL;
	UsherWants *wants = read_wants(control, result, &error);
	end_exchange(control);
	control->done(wants, error, control->done_data);
}

static size_t take_answer(char *data, size_t size, size_t n, void *into)
{
	g_string_append_len(into, data, (gssize) (size * n));
	return size * n;
}

static void control_exchange(
	UsherControl *base, const UsherReport *report, UsherControlDone done, void *data)
{
	Control *control = (Control *) base;
	g_assert(control->exchange == NULL);
	g_autofree char *path = g_strdup_printf("/v1/nodes/%s/exchange", control->node);
	g_autofree char *body = usher_record_print(&usher_report_type, report);
	control->done = done;
	control->done_data = data;
	control->answer = g_string_new(NULL);
	control->exchange = new_request(&control->exchange_line, path);
	control->exchange_headers = curl_slist_append(NULL, "Content-Type: application/json");
	/* No "Expect: 100-continue": it would only cost a round trip. */
	control->exchange_headers = curl_slist_append(control->exchange_headers, "Expect:");
	curl_easy_setopt(control->exchange, CURLOPT_HTTPHEADER, control->exchange_headers);
	curl_easy_setopt(control->exchange, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(body));
	curl_easy_setopt(control->exchange, CURLOPT_COPYPOSTFIELDS, body);
	curl_easy_setopt(control->exchange, CURLOPT_TIMEOUT, EXCHANGE_TIMEOUT_S);
	curl_easy_setopt(control->exchange, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(control->exchange, CURLOPT_WRITEDATA, control->answer);
	usher_curl_loop_add(control->loop, control->exchange, on_exchanged, control);
}

static gboolean tell_changed(gpointer data)
{
	Control *control = data;
	control->tell = 0;
	if (control->changed != NULL)
		control->changed(control->changed_data);
	return G_SOURCE_REMOVE;
}

static void note_change(Control *control)
{
	if (control->tell == 0)
		control->tell = g_idle_add(tell_changed, control);
}

/* Lines are only looked at, not believed: what is wanted is asked for by an exchange. */
static bool is_change(const char *line)
{
	g_autoptr(UsherJson) json = usher_json_parse(line, strlen(line), NULL);
	const char *type = json != NULL ? usher_json_get_string(json, "type") : NULL;
	return g_strcmp0(type, "bookmark") != 0;
}

static size_t take_line(char *data, size_t size, size_t n, void *into)
{
	Control *control = into;
	if (!control->is_connected) {
		control->is_connected = true;
		control->backoff_ms = BACKOFF_FIRST_MS;
		note_change(control); /* it is back */
	}
	g_string_append_len(control->line, data, (gssize) (size * n));
	char *newline;
	while ((newline = strchr(control->line->str, '\n')) != NULL) {
		*newline = '\0';
		if (is_change(control->line->str))
			note_change(control);
		g_string_erase(control->line, 0, newline - control->line->str + 1);
	}
	return size * n;
}

static void begin_watch(Control *control);

static gboolean on_retry(gpointer data)
{
	Control *control = data;
	control->retry = 0;
	begin_watch(control);
	return G_SOURCE_REMOVE;
}

static void retry_in(Control *control, unsigned ms)
{
	if (control->retry != 0)
		g_source_remove(control->retry);
	control->retry = g_timeout_add(ms, on_retry, control);
}

static void on_watch_ended(CURL *easy, CURLcode result, void *data)
{
	(void) easy;
	(void) result;
	Control *control = data;
	control->is_watching = false;
	control->is_connected = false;
	retry_in(control, control->backoff_ms);
	control->backoff_ms = MIN(control->backoff_ms * 2, BACKOFF_MOST_MS);
}

/* The folder may be made anew together with the server: looked for at each try. */
static void watch_folder(Control *control)
{
	if (control->folder_watch >= 0 || control->inotify_fd < 0)
		return;
	g_autofree char *folder = g_path_get_dirname(control->path);
	control->folder_watch = inotify_add_watch(control->inotify_fd, folder,
		IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

static void begin_watch(Control *control)
{
	watch_folder(control);
	g_string_truncate(control->line, 0);
	g_clear_pointer(&control->watch, curl_easy_cleanup);
	g_autofree char *path =
		g_strdup_printf("/v1/watch?kinds=operations,leases&node=%s", control->node);
	control->watch = new_request(&control->watch_line, path);
	curl_easy_setopt(control->watch, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(control->watch, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(control->watch, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
	curl_easy_setopt(control->watch, CURLOPT_WRITEFUNCTION, take_line);
	curl_easy_setopt(control->watch, CURLOPT_WRITEDATA, control);
	control->is_watching = true;
	usher_curl_loop_add(control->loop, control->watch, on_watch_ended, control);
}

static bool is_about_socket(const Control *control, const struct inotify_event *event)
{
	g_autofree char *name = g_path_get_basename(control->path);
	return event->len > 0 && strcmp(event->name, name) == 0;
}

static gboolean on_folder(gint fd, GIOCondition condition, gpointer data)
{
	(void) condition;
	Control *control = data;
	union {
		struct inotify_event event;
		char bytes[4096];
	} buffer;
	size_t length = 0;
	(void) usher_fd_read_some(fd, buffer.bytes, sizeof buffer, &length, NULL);
	bool is_socket = false;
	for (size_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *) (buffer.bytes + at);
		is_socket = is_socket || is_about_socket(control, event);
		if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0)
			control->folder_watch = -1;
		at += sizeof *event + event->len;
	}
	if (is_socket && !control->is_watching) {
		control->backoff_ms = BACKOFF_FIRST_MS;
		retry_in(control, 0);
	}
	return G_SOURCE_CONTINUE;
}

static void control_watch(UsherControl *base, UsherControlChanged func, void *data)
{
	Control *control = (Control *) base;
	bool is_first = control->watch == NULL;
	control->changed = func;
	control->changed_data = data;
	if (!is_first)
		return;
	control->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (control->inotify_fd >= 0)
		control->inotify_source =
			g_unix_fd_add(control->inotify_fd, G_IO_IN, on_folder, control);
	begin_watch(control);
}

static void remove_source(unsigned *source)
{
	if (*source != 0)
		g_source_remove(*source);
	*source = 0;
}

static void control_free(UsherControl *base)
{
	Control *control = (Control *) base;
	if (control->is_watching)
		usher_curl_loop_remove(control->loop, control->watch);
	if (control->exchange != NULL)
		usher_curl_loop_remove(control->loop, control->exchange);
	end_exchange(control);
	g_clear_pointer(&control->watch, curl_easy_cleanup);
	usher_curl_loop_free(control->loop);
	remove_source(&control->retry);
	remove_source(&control->tell);
	remove_source(&control->inotify_source);
	usher_fd_close(control->inotify_fd);
	g_string_free(control->line, TRUE);
	g_free(control->exchange_line.refusal);
	g_free(control->watch_line.refusal);
	g_free(control->path);
	g_free(control->node);
	g_free(control);
}

static const UsherControlOps control_ops = {
	.name = "http",
	.exchange = control_exchange,
	.watch = control_watch,
	.free = control_free,
};

UsherControl *usher_control_http_new(const char *socket_path, const char *node, uint32_t server_uid)
{
	Control *control = g_new0(Control, 1);
	control->base.ops = &control_ops;
	control->path = g_strdup(socket_path);
	control->node = g_strdup(node);
	control->server_uid = server_uid;
	control->loop = usher_curl_loop_new();
	control->line = g_string_new(NULL);
	control->backoff_ms = BACKOFF_FIRST_MS;
	control->exchange_line.control = control;
	control->watch_line.control = control;
	control->inotify_fd = -1;
	control->folder_watch = -1;
	return &control->base;
}
