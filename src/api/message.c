/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"

UsherHttpRequest *usher_http_request_new(
	const char *method, const char *target, const UsherPeer *peer)
{
	UsherHttpRequest *request = g_new0(UsherHttpRequest, 1);
	request->method = g_strdup(method);
	request->target = g_strdup(target);
	request->headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	request->body = g_string_new(NULL);
	request->peer = peer;
	return request;
}

void usher_http_request_free(UsherHttpRequest *request)
{
	if (request == NULL)
		return;
	g_free(request->method);
	g_free(request->target);
	g_hash_table_unref(request->headers);
	g_string_free(request->body, TRUE);
	g_free(request);
}

void usher_http_request_set_header(UsherHttpRequest *request, const char *name, const char *value)
{
	g_hash_table_insert(request->headers, g_ascii_strdown(name, -1), g_strdup(value));
}

const char *usher_http_request_header(const UsherHttpRequest *request, const char *name)
{
	return g_hash_table_lookup(request->headers, name);
}

static UsherHttpResponse *response_new(unsigned status)
{
	UsherHttpResponse *response = g_new0(UsherHttpResponse, 1);
	response->status = status;
	response->headers = g_ptr_array_new_with_free_func(g_free);
	return response;
}

UsherHttpResponse *usher_http_response_new(unsigned status, const char *content_type, char *body)
{
	UsherHttpResponse *response = response_new(status);
	usher_http_response_set_header(response, "Content-Type", content_type);
	response->body = body;
	return response;
}

UsherHttpResponse *usher_http_response_stream(UsherStream *stream)
{
	UsherHttpResponse *response = response_new(200);
	usher_http_response_set_header(response, "Content-Type", "application/x-ndjson");
	response->stream = stream;
	return response;
}

UsherHttpResponse *usher_http_response_later(UsherPending *pending)
{
	UsherHttpResponse *response = response_new(0);
	response->pending = pending;
	return response;
}

void usher_http_response_free(UsherHttpResponse *response)
{
	if (response == NULL)
		return;
	g_ptr_array_unref(response->headers);
	g_free(response->body);
	if (response->stream != NULL)
		response->stream->ops->free(response->stream);
	if (response->pending != NULL)
		response->pending->ops->free(response->pending);
	g_free(response);
}

void usher_http_response_set_header(
	UsherHttpResponse *response, const char *name, const char *value)
{
	g_ptr_array_add(response->headers, g_strdup(name));
	g_ptr_array_add(response->headers, g_strdup(value));
}

const char *usher_http_response_header(const UsherHttpResponse *response, const char *name)
{
	for (unsigned i = 0; i + 1 < response->headers->len; i += 2) {
		if (g_ascii_strcasecmp(response->headers->pdata[i], name) == 0)
			return response->headers->pdata[i + 1];
	}
	return NULL;
}

const char *usher_http_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 423, "Locked" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Unknown";
}

/* RFC 9457 asks that a type has one title: of the code, not of the status. */
static void write_problem(UsherJsonWriter *writer, const GError *error, unsigned status)
{
	UsherErrorCode code = usher_error_code(error);
	g_autofree char *type = g_strconcat("urn:usher:error:", usher_error_code_name(code), NULL);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "type", type);
	usher_json_put_string(writer, "title", usher_http_status_text(usher_error_code_http(code)));
	usher_json_put_int(writer, "status", status);
	usher_json_put_string(writer, "detail", error->message);
	usher_json_key(writer, "error");
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "code", usher_error_code_name(code));
	usher_json_put_string(writer, "message", error->message);
	usher_json_put_string(writer, "object", usher_error_object(error));
	usher_json_key(writer, "causes");
	usher_json_begin_array(writer);
	usher_json_end_array(writer);
	usher_json_put_string(writer, "hint", usher_error_hint(error));
	usher_json_end_object(writer);
	usher_json_end_object(writer);
}

UsherHttpResponse *usher_http_problem(const GError *error, unsigned status)
{
	if (status == 0)
		status = usher_error_code_http(usher_error_code(error));
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	write_problem(writer, error, status);
	UsherHttpResponse *response = usher_http_response_new(
		status, "application/problem+json", usher_json_writer_finish(writer));
	if (status == 503)
		usher_http_response_set_header(response, "Retry-After", "1");
	return response;
}
