/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "core/operation.h"

#define CONNECT_TIMEOUT_MS 5000L

struct UsherClient {
	char *path; /* of the socket */
	CURL *easy; /* keeps its connection from request to request */
};

UsherClient *usher_client_new(const char *server, GError **error)
{
	const char *path = g_str_has_prefix(server, "unix:") ? server + strlen("unix:") : server;
	if (path[0] != '/') {
		usher_error_set(error, USHER_ERROR_INVALID,
			"the server '%s' is no path of a socket, like /run/usher/usherd.sock",
			server);
		return NULL;
	}
	(void) curl_global_init(CURL_GLOBAL_NOTHING);
	UsherClient *client = g_new0(UsherClient, 1);
	client->path = g_strdup(path);
	client->easy = curl_easy_init();
	g_assert(client->easy != NULL);
	return client;
}

void usher_client_free(UsherClient *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->easy);
	g_free(client->path);
	g_free(client);
}

void usher_answer_free(UsherAnswer *answer)
{
	if (answer == NULL)
		return;
	g_free(answer->body);
	g_free(answer->etag);
	g_free(answer);
}

char *usher_client_escape(const char *name)
{
	return g_uri_escape_string(name, NULL, /* allow_utf8 */ FALSE);
}

static size_t take_body(char *data, size_t size, size_t n, void *into)
{
	g_string_append_len(into, data, (gssize) (size * n));
	return size * n;
}

static size_t take_header(char *data, size_t size, size_t n, void *into)
{
	g_autofree char *line = g_strndup(data, size * n);
	if (g_ascii_strncasecmp(line, "etag:", strlen("etag:")) == 0) {
		char **etag = into;
		g_free(*etag);
		*etag = g_strdup(g_strstrip(line + strlen("etag:")));
	}
	return size * n;
}

static void set_url(CURL *easy, const char *socket, const char *path)
{
	g_autofree char *url = g_strconcat("http://localhost", path, NULL);
	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "usher/" USHER_VERSION);
}

static struct curl_slist *make_headers(const UsherClientRequest *request)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
	if (request->body != NULL)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	if (request->if_none_match_any)
		headers = curl_slist_append(headers, "If-None-Match: *");
	if (request->if_match != NULL) {
		g_autofree char *match = g_strconcat("If-Match: ", request->if_match, NULL);
		headers = curl_slist_append(headers, match);
	}
	return headers;
}

static void set_method(CURL *easy, const UsherClientRequest *request)
{
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (request->body != NULL || strcmp(request->method, "POST") == 0) {
		const char *body = request->body != NULL ? request->body : "";
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(body));
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* curl tells of a missing socket only by the errno it left. */
static void explain_silence(const UsherClient *client, CURL *easy, CURLcode result, GError **error)
{
	long errnum = 0;
	(void) curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &errnum);
	const char *why = result == CURLE_COULDNT_CONNECT && errnum != 0
		? g_strerror((int) errnum)
		: curl_easy_strerror(result);
	usher_error_set(
		error, USHER_ERROR_UNAVAILABLE, "no usherd answers at %s: %s", client->path, why);
	if (error != NULL)
		usher_error_set_hint(*error, "systemctl status usherd");
}

UsherAnswer *usher_client_ask(
	UsherClient *client, const UsherClientRequest *request, GError **error)
{
	g_autoptr(UsherAnswer) answer = g_new0(UsherAnswer, 1);
	g_autoptr(GString) body = g_string_new(NULL);
	struct curl_slist *headers = make_headers(request);
	CURL *easy = client->easy;
	set_url(easy, client->path, request->path);
	set_method(easy, request);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, &answer->etag);
	CURLcode result = curl_easy_perform(easy);
	curl_slist_free_all(headers);
	if (result != CURLE_OK) {
		explain_silence(client, easy, result, error);
		return NULL;
	}
	long status = 0;
	(void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (unsigned) status;
	answer->body = g_string_free(g_steal_pointer(&body), FALSE);
	return g_steal_pointer(&answer);
}

/* The error inside a problem document, or what can be said without one. */
static void raise_problem(unsigned status, const char *body, GError **error)
{
	g_autoptr(UsherJson) json = usher_json_parse(body, strlen(body), NULL);
	const UsherJson *inner = json != NULL ? usher_json_get(json, "error") : NULL;
	const char *message = inner != NULL ? usher_json_get_string(inner, "message") : NULL;
	if (message == NULL) {
		usher_error_set(
			error, USHER_ERROR_INTERNAL, "usherd answered %u without a reason", status);
		return;
	}
	const char *code_name = usher_json_get_string(inner, "code");
	UsherErrorCode code = USHER_ERROR_INTERNAL;
	if (code_name != NULL)
		(void) usher_error_code_parse(code_name, &code);
	usher_error_set(error, code, "%s", message);
	if (error == NULL)
		return;
	usher_error_set_object(*error, usher_json_get_string(inner, "object"));
	usher_error_set_hint(*error, usher_json_get_string(inner, "hint"));
}

void usher_client_raise(const UsherAnswer *answer, GError **error)
{
	raise_problem(answer->status, answer->body, error);
}

UsherAnswer *usher_client_send(
	UsherClient *client, const UsherClientRequest *request, GError **error)
{
	g_autoptr(UsherAnswer) answer = usher_client_ask(client, request, error);
	if (answer == NULL)
		return NULL;
	if (answer->status < 400)
		return g_steal_pointer(&answer);
	usher_client_raise(answer, error);
	return NULL;
}

typedef struct Lines {
	CURL *easy;
	GString *text; /* what has no newline yet; all of it when the answer is an error */
	UsherLineFunc func;
	void *data;
	bool is_enough;
} Lines;

static size_t take_lines(char *data, size_t size, size_t n, void *into)
{
	Lines *lines = into;
	long status = 0;
	(void) curl_easy_getinfo(lines->easy, CURLINFO_RESPONSE_CODE, &status);
	g_string_append_len(lines->text, data, (gssize) (size * n));
	if (status >= 400)
		return size * n;
	char *newline;
	while (!lines->is_enough && (newline = strchr(lines->text->str, '\n')) != NULL) {
		*newline = '\0';
		lines->is_enough = !lines->func(lines->text->str, lines->data);
		g_string_erase(lines->text, 0, newline - lines->text->str + 1);
	}
	return lines->is_enough ? 0 : size * n;
}

/* Runs the transfer until it ends or the fd is readable; true: it was. */
static bool run_until_interrupted(CURLM *multi, int interrupt_fd)
{
	struct curl_waitfd extra = { .fd = interrupt_fd, .events = CURL_WAIT_POLLIN };
	int running = 1;
	while (curl_multi_perform(multi, &running) == CURLM_OK && running > 0) {
		extra.revents = 0;
		(void) curl_multi_poll(multi, &extra, interrupt_fd >= 0 ? 1 : 0, 1000, NULL);
		if (extra.revents != 0)
			return true;
	}
	return false;
}

static UsherStreamEnd judge_stream(
	const UsherClient *client, CURLM *multi, const Lines *lines, GError **error)
{
	int left;
	const CURLMsg *message = curl_multi_info_read(multi, &left);
	if (lines->is_enough)
		return USHER_STREAM_ENOUGH;
	CURLcode result = message != NULL ? message->data.result : CURLE_GOT_NOTHING;
	long status = 0;
	(void) curl_easy_getinfo(lines->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400) {
		raise_problem((unsigned) status, lines->text->str, error);
		return USHER_STREAM_FAILED;
	}
	/* One that had begun and broke off has ended: usherd went away. */
	if (result == CURLE_OK || status == 200)
		return USHER_STREAM_ENDED;
	explain_silence(client, lines->easy, result, error);
	return USHER_STREAM_FAILED;
}

UsherStreamEnd usher_client_stream(UsherClient *client, const char *path, int interrupt_fd,
	UsherLineFunc func, void *data, GError **error)
{
	CURL *easy = curl_easy_init();
	CURLM *multi = curl_multi_init();
	g_assert(easy != NULL && multi != NULL);
	Lines lines = { .easy = easy, .text = g_string_new(NULL), .func = func, .data = data };
	set_url(easy, client->path, path);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_lines);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &lines);
	(void) curl_multi_add_handle(multi, easy);
	bool is_interrupted = run_until_interrupted(multi, interrupt_fd);
	UsherStreamEnd end = is_interrupted ? USHER_STREAM_INTERRUPTED
					    : judge_stream(client, multi, &lines, error);
	(void) curl_multi_remove_handle(multi, easy);
	curl_easy_cleanup(easy);
	(void) curl_multi_cleanup(multi);
	g_string_free(lines.text, TRUE);
	return end;
}
