/* SPDX-License-Identifier: Apache-2.0 */
/* The API, without a socket: a request's text in, a response's text out, under a fake clock. */
#include <string.h>

#include "api/listen.h"
#include "api/router.h"
#include "api/watch.h"
#include "base/error.h"
#include "base/json.h"
#include "fakes/clock.h"
#include "store/memory.h"

#define ADMIN_GID 77

typedef struct Bed {
	UsherClock *clock;
	UsherStore *store;
	UsherCluster *cluster;
	UsherRouter *router;
	UsherPeer *root, *member, *stranger;
} Bed;

static void set_up(Bed *bed, gconstpointer data)
{
	(void) data;
	g_autoptr(GError) error = NULL;
	bed->clock = fake_clock_new(1);
	bed->store = usher_store_memory_new(bed->clock);
	bed->cluster = usher_cluster_new(bed->store, bed->clock, &error);
	g_assert_no_error(error);
	UsherAuth *auth = g_new0(UsherAuth, 1);
	auth->admin_group = g_strdup("usher-admin");
	auth->has_admin_gid = true;
	auth->admin_gid = ADMIN_GID;
	bed->router = usher_router_new(bed->cluster, bed->clock, auth);
	bed->root = usher_peer_new(0, 0);
	bed->member = usher_peer_new(1000, 1000);
	const uint32_t gid = ADMIN_GID;
	g_array_append_val(bed->member->groups, gid);
	bed->stranger = usher_peer_new(1001, 1001);
}

static void tear_down(Bed *bed, gconstpointer data)
{
	(void) data;
	usher_peer_free(bed->root);
	usher_peer_free(bed->member);
	usher_peer_free(bed->stranger);
	usher_router_free(bed->router);
	usher_cluster_free(bed->cluster);
	bed->store->ops->free(bed->store);
	fake_clock_free(bed->clock);
}

static UsherHttpRequest *new_request(
	const UsherPeer *peer, const char *method, const char *target, const char *body)
{
	UsherHttpRequest *request = usher_http_request_new(method, target, peer);
	if (body != NULL) {
		g_autofree char *length = g_strdup_printf("%zu", strlen(body));
		usher_http_request_set_header(request, "Content-Length", length);
		g_string_append(request->body, body);
	}
	return request;
}

/* As the server does: admit, then answer. */
static UsherHttpResponse *send_request(const Bed *bed, const UsherHttpRequest *request)
{
	UsherHttpResponse *refusal = usher_router_admit(bed->router, request);
	return refusal != NULL ? refusal : usher_router_answer(bed->router, request);
}

static UsherHttpResponse *ask(
	const Bed *bed, const char *method, const char *target, const char *body)
{
	g_autoptr(UsherHttpRequest) request = new_request(bed->root, method, target, body);
	return send_request(bed, request);
}

static UsherHttpResponse *ask_with(const Bed *bed, const char *method, const char *target,
	const char *body, const char *header, const char *value)
{
	g_autoptr(UsherHttpRequest) request = new_request(bed->root, method, target, body);
	usher_http_request_set_header(request, header, value);
	return send_request(bed, request);
}

/* Of an answer that is given to it. */
static void expect(UsherHttpResponse *given, unsigned status, const char *part)
{
	g_autoptr(UsherHttpResponse) response = given;
	g_assert_nonnull(response->body);
	if (response->status != status || strstr(response->body, part) == NULL)
		g_error("%u %s, not %u with %s", response->status, response->body, status, part);
	if (status < 400)
		return;
	g_assert_cmpstr(usher_http_response_header(response, "Content-Type"), ==,
		"application/problem+json");
	g_autoptr(UsherJson) json = usher_json_parse(response->body, strlen(response->body), NULL);
	g_assert_nonnull(json);
	g_assert_cmpint(usher_json_get_int(json, "status", 0), ==, (int64_t) status);
	const UsherJson *error = usher_json_get(json, "error");
	g_assert_nonnull(usher_json_get_string(error, "code"));
	g_assert_cmpstr(
		usher_json_get_string(error, "message"), ==, usher_json_get_string(json, "detail"));
}

static UsherJson *json_of(UsherHttpResponse *given, unsigned status)
{
	g_autoptr(UsherHttpResponse) response = given;
	if (response->status != status)
		g_error("%u %s", response->status, response->body);
	g_autoptr(GError) error = NULL;
	UsherJson *json = usher_json_parse(response->body, strlen(response->body), &error);
	g_assert_no_error(error);
	return json;
}

static void test_roles(Bed *bed, gconstpointer data)
{
	(void) data;
	const struct {
		const UsherPeer *peer;
		const char *target;
		unsigned status;
	} rows[] = {
		{ bed->root, "/v1/groups", 200 },
		{ bed->member, "/v1/groups", 200 },
		{ bed->stranger, "/v1/groups", 403 },
		{ bed->stranger, "/v1", 403 },
		{ bed->stranger, "/nothing", 403 },
		{ bed->stranger, "/v1/%zz", 403 },
		{ bed->stranger, "/healthz", 200 },
		{ bed->stranger, "/readyz", 200 },
		{ bed->root, "/nothing", 404 },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherHttpRequest) request =
			new_request(rows[i].peer, "GET", rows[i].target, NULL);
		expect(send_request(bed, request), rows[i].status, "");
	}
	g_autoptr(UsherHttpRequest) write = new_request(bed->stranger, "PUT", "/v1/groups/x", "{");
	expect(usher_router_admit(bed->router, write), 403, "uid 1001 may not");
	g_assert_false(usher_router_is_trusted(bed->router, bed->stranger));
	g_assert_true(usher_router_is_trusted(bed->router, bed->member));
}

static void test_refusals(Bed *bed, gconstpointer data)
{
	(void) data;
	static const struct {
		const char *method, *target, *body;
		unsigned status;
		const char *part;
	} rows[] = {
		{ "GET", "/v1/teapots", NULL, 404, "nothing at /v1/teapots" },
		{ "GET", "/v1/groups/", NULL, 404, "nothing at" },
		{ "GET", "v1", NULL, 400, "malformed" },
		{ "GET", "/v1/%00", NULL, 400, "malformed" },
		{ "GET", "/v1/groups/%ff", NULL, 400, "malformed" },
		{ "GET", "/v1/groups?limit=%", NULL, 400, "malformed" },
		{ "GET", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", NULL, 400, "malformed" },
		{ "POST", "/v1/groups", "{}", 405, "takes GET, not POST" },
		{ "PATCH", "/v1/groups/x", "{}", 405, "takes GET, PUT, DELETE, not PATCH" },
		{ "GET", "/v1/groups/nics", NULL, 404, "nics" },
		{ "GET", "/v1/groups?limt=1", NULL, 400, "limt" },
		{ "GET", "/v1/groups?limit=1&limit=2", NULL, 400, "twice" },
		{ "GET", "/v1/groups?limit=-1", NULL, 400, "limit" },
		{ "GET", "/v1/groups?limit=5001", NULL, 400, "5000" },
		{ "GET", "/v1/groups?watch=yes", NULL, 400, "watch" },
		{ "GET", "/v1/groups?since=1", NULL, 400, "only with watch=1" },
		{ "GET", "/v1/groups?watch=1&limit=1", NULL, 400, "not with watch=1" },
		{ "GET", "/v1/watch", NULL, 400, "kinds" },
		{ "GET", "/v1/watch?kinds=groups,cats", NULL, 400, "cats" },
		{ "PUT", "/v1/groups/x", "", 400, "type" },
		{ "PUT", "/v1/groups/x", "{", 400, "line 1" },
		{ "PUT", "/v1/groups/x", "[]", 400, "an object" },
		{ "PUT", "/v1/groups/x", "{\"type\":\"pci\"} {}", 400, "line 1" },
		{ "PUT", "/v1/groups/x", "{\"type\":\"pci\",\"colour\":1}", 400, "colour" },
		{ "PUT", "/v1/groups/x", "{\"type\":\"pci\",\"type\":\"usb\"}", 400, "type" },
		{ "PUT", "/v1/groups/x", "{\"type\":7}", 400, "type" },
		{ "PUT", "/v1/groups/x", "{\"type\":\"pc\"}", 400, "'pc'" },
		{ "PUT", "/v1/groups/x", "{\"type\":\"pci\",\"name\":\"y\"}", 400, "the body 'y'" },
		{ "PUT", "/v1/groups/X", "{\"type\":\"pci\"}", 400, "no name" },
		{ "PUT", "/v1/groups/x?dry_run=maybe", "{\"type\":\"pci\"}", 400, "dry_run" },
		{ "PUT", "/v1/rules/r", "{\"group\":\"no\",\"filter\":\"name eq 'x'\"}", 404,
			"no" },
		{ "PUT", "/v1/rules/r", "{\"group\":\"no\",\"filter\":\"name is 'x'\"}", 400,
			"column" },
		{ "DELETE", "/v1/groups/x", NULL, 404, "x" },
		{ "POST", "/v1/vms/x/start", NULL, 404, "x" },
		{ "POST", "/v1/vms/x/start", "{\"without\":true}", 400, "without" },
		{ "POST", "/v1/vms/x/stop", "{\"timeout_seconds\":0}", 400, "timeout_seconds" },
		{ "POST", "/v1/vms/x/stop", "{\"timeout_seconds\":1.5}", 400, "timeout_seconds" },
		{ "POST", "/v1/vms/x/forget", "{\"force\":true}", 400, "no body" },
		{ "POST", "/v1/vms/x/attach", "{\"group\":\"g\",\"count\":0}", 400, "count" },
		{ "POST", "/v1/vms/x/attach", "{\"group\":\"g\",\"now\":true}", 400, "now" },
		{ "POST", "/v1/vms/x/detach", "{}", 400, "one of them" },
		{ "POST", "/v1/vms/x/detach", "{\"group\":\"g\",\"request\":\"r\"}", 400,
			"one of them" },
		{ "POST", "/v1/vms/x/adopt", "{\"add_ports\":true}", 400, "add_ports" },
		{ "POST", "/v1/devices/make-resource", "{\"group\":\"g\"}", 400, "devices" },
		{ "POST", "/v1/devices/make-resource", "{\"group\":\"g\",\"devices\":[]}", 400,
			"one at least" },
		{ "POST", "/v1/devices/d-x/return", NULL, 404, "d-x" },
		{ "POST", "/v1/devices/n1/0000:01:00.0/return", NULL, 404, "n1/0000:01:00.0" },
		{ "POST", "/v1/operations/op-x/cancel", NULL, 404, "op-x" },
		{ "POST", "/v1/nodes/n1/exchange", "{}", 400, "" },
		{ "POST", "/v1/nodes/n1/exchange",
			"{\"node\":\"n2\",\"machine_id\":\"m\",\"boot_id\":\"b\","
			"\"instance\":\"i\"}",
			400, "the report 'n2'" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		expect(ask(bed, rows[i].method, rows[i].target, rows[i].body), rows[i].status,
			rows[i].part);
	g_assert_cmpint(usher_cluster_revision(bed->cluster), ==, 0);
}

static void test_allow(Bed *bed, gconstpointer data)
{
	(void) data;
	g_autoptr(UsherHttpResponse) response = ask(bed, "POST", "/v1/groups/x", "{}");
	g_assert_cmpuint(response->status, ==, 405);
	g_assert_cmpstr(usher_http_response_header(response, "Allow"), ==, "GET, PUT, DELETE");
}

static void test_limits(Bed *bed, gconstpointer data)
{
	(void) data;
	g_autoptr(UsherHttpRequest) large = new_request(bed->root, "PUT", "/v1/groups/x", NULL);
	usher_http_request_set_header(large, "Content-Length", "1048577");
	expect(usher_router_admit(bed->router, large), 413, "1048576 bytes");
	usher_http_request_set_header(large, "Content-Length", "99999999999999999999999");
	expect(usher_router_admit(bed->router, large), 413, "1048576 bytes");
	usher_http_request_set_header(large, "Content-Length", "1048576");
	g_assert_null(usher_router_admit(bed->router, large));

	g_autofree char *opening = g_strnfill(USHER_JSON_MAX_DEPTH, '[');
	g_autofree char *closing = g_strnfill(USHER_JSON_MAX_DEPTH, ']');
	g_autofree char *deep =
		g_strdup_printf("{\"type\":\"pci\",\"settings\":%s%s}", opening, closing);
	expect(ask(bed, "PUT", "/v1/groups/x", deep), 400, "deeper than");
	g_autofree char *bomb = g_strnfill(USHER_HTTP_MAX_BODY, '[');
	expect(ask(bed, "PUT", "/v1/groups/x", bomb), 400, "deeper than");
}

static void test_group_life(Bed *bed, gconstpointer data)
{
	(void) data;
	g_autoptr(UsherHttpResponse) created =
		ask(bed, "PUT", "/v1/groups/nics", "{\"type\":\"pci\"}");
	g_assert_cmpuint(created->status, ==, 201);
	g_assert_cmpstr(usher_http_response_header(created, "ETag"), ==, "\"1\"");
	g_assert_nonnull(strstr(created->body, "\"enabled\":true"));
	/* What was read can be written: status and revision are passed over. */
	g_autofree char *read = g_strdup(created->body);
	expect(ask(bed, "PUT", "/v1/groups/nics", read), 200, "\"name\":\"nics\"");
	expect(ask(bed, "GET", "/v1/groups/nics", NULL), 200, "\"status\":{\"members\":0");
	expect(ask(bed, "HEAD", "/v1/groups/nics", NULL), 200, "nics");
	g_autoptr(UsherJson) list = json_of(ask(bed, "GET", "/v1/groups", NULL), 200);
	g_assert_cmpuint(usher_json_length(usher_json_get(list, "items")), ==, 1);
	g_assert_cmpint(usher_json_type(usher_json_get(list, "next")), ==, USHER_JSON_NULL);
	g_assert_cmpint(usher_json_get_int(list, "revision", 0), ==, 2);
	expect(ask(bed, "GET", "/v1/tenants/provider/groups/nics", NULL), 200, "nics");
	expect(ask(bed, "GET", "/v1/tenants/other/groups/nics", NULL), 404, "nothing at");
	expect(ask(bed, "PUT", "/v1/rules/r%2e1",
		       "{\"group\":\"nics\",\"filter\":\"name cs 'x'\"}"),
		201, "\"name\":\"r.1\"");
	expect(ask(bed, "DELETE", "/v1/rules/r.1", NULL), 200, "name cs 'x'");
	expect(ask(bed, "DELETE", "/v1/groups/nics", NULL), 200, "nics");
	expect(ask(bed, "DELETE", "/v1/groups/nics", NULL), 404, "nics");
}

static void test_preconditions(Bed *bed, gconstpointer data)
{
	(void) data;
	const char *path = "/v1/groups/g";
	const char *body = "{\"type\":\"pci\"}";
	expect(ask_with(bed, "PUT", path, body, "If-Match", "*"), 412, "no such object");
	expect(ask_with(bed, "PUT", path, body, "If-Match", "\"7\""), 412, "revision");
	expect(ask_with(bed, "PUT", path, body, "If-None-Match", "*"), 201, "\"revision\":1");
	expect(ask_with(bed, "PUT", path, body, "If-None-Match", "*"), 412, "exists");
	expect(ask_with(bed, "PUT", path, body, "If-Match", "\"1\""), 200, "\"revision\":2");
	expect(ask_with(bed, "PUT", path, body, "If-Match", "\"1\""), 412, "revision 2, not 1");
	expect(ask_with(bed, "PUT", path, body, "If-Match", "*"), 200, "\"revision\":3");
	expect(ask_with(bed, "PUT", path, body, "If-Match", "3"), 400, "quotation marks");
	expect(ask_with(bed, "PUT", path, body, "If-Match", "W/\"3\""), 400, "quotation marks");
	expect(ask_with(bed, "PUT", path, body, "If-None-Match", "\"3\""), 400, "If-None-Match: *");
	expect(ask_with(bed, "GET", path, NULL, "If-None-Match", "\"3\""), 200, "\"revision\":3");
	expect(ask_with(bed, "DELETE", path, NULL, "If-Match", "\"2\""), 412, "revision 3, not 2");
	expect(ask_with(bed, "DELETE", path, NULL, "If-Match", "\"3\""), 200, "\"revision\":3");
}

static void test_dry_run(Bed *bed, gconstpointer data)
{
	(void) data;
	const char *body = "{\"type\":\"pci\"}";
	expect(ask(bed, "PUT", "/v1/groups/g?dry_run=1", body), 200, "\"kind\":\"group-create\"");
	expect(ask(bed, "PUT", "/v1/groups/g?dry_run=1", "{}"), 400, "type");
	expect(ask(bed, "GET", "/v1/groups/g", NULL), 404, "g");
	expect(ask(bed, "PUT", "/v1/groups/g", body), 201, "g");
	expect(ask(bed, "PUT", "/v1/groups/g?dry_run=1", body), 200, "\"kind\":\"group-update\"");
	expect(ask(bed, "DELETE", "/v1/groups/g?dry_run=1", NULL), 200, "\"state\":\"proposed\"");
	expect(ask(bed, "GET", "/v1/groups/g", NULL), 200, "\"revision\":1");
}

static void test_pages(Bed *bed, gconstpointer data)
{
	(void) data;
	for (unsigned i = 0; i < 7; i++) {
		g_autofree char *path = g_strdup_printf("/v1/groups/g%u", i);
		expect(ask(bed, "PUT", path, "{\"type\":\"pci\"}"), 201, "");
	}
	g_autofree char *after = g_strdup("");
	unsigned n = 0, pages = 0;
	while (after != NULL) {
		g_autofree char *path = g_strdup_printf(
			"/v1/groups?limit=3%s%s", after[0] != '\0' ? "&after=" : "", after);
		g_autoptr(UsherJson) page = json_of(ask(bed, "GET", path, NULL), 200);
		const UsherJson *items = usher_json_get(page, "items");
		for (size_t i = 0; i < usher_json_length(items); i++) {
			g_autofree char *name = g_strdup_printf("g%u", n++);
			g_assert_cmpstr(
				usher_json_get_string(usher_json_at(items, i), "name"), ==, name);
		}
		pages++;
		g_free(after);
		after = g_strdup(usher_json_get_string(page, "next"));
	}
	g_assert_cmpuint(n, ==, 7);
	g_assert_cmpuint(pages, ==, 3);
}

static void count_wake(void *data)
{
	(*(unsigned *) data)++;
}

/* Everything there is to read now; *out_goes_on as the stream says. */
static char *read_all(UsherStream *stream, bool *out_goes_on)
{
	GString *text = g_string_new(NULL);
	g_autoptr(GString) block = g_string_new(NULL);
	do {
		g_string_truncate(block, 0);
		*out_goes_on = stream->ops->read(stream, block);
		g_string_append(text, block->str);
	} while (*out_goes_on && block->len > 0);
	return g_string_free(text, FALSE);
}

static void expect_lines(UsherStream *stream, const char *expected)
{
	bool goes_on;
	g_autofree char *text = read_all(stream, &goes_on);
	g_assert_true(goes_on);
	g_assert_cmpstr(text, ==, expected);
}

static UsherHttpResponse *open_watch(const Bed *bed, const char *target, unsigned *wakes)
{
	UsherHttpResponse *response = ask(bed, "GET", target, NULL);
	g_assert_cmpuint(response->status, ==, 200);
	g_assert_nonnull(response->stream);
	g_assert_cmpstr(
		usher_http_response_header(response, "Content-Type"), ==, "application/x-ndjson");
	response->stream->wake = count_wake;
	response->stream->wake_data = wakes;
	return response;
}

static unsigned count_text(const char *text, const char *part)
{
	unsigned n = 0;
	for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
		n++;
	return n;
}

static void test_watch(Bed *bed, gconstpointer data)
{
	(void) data;
	unsigned wakes = 0;
	bool goes_on;
	expect(ask(bed, "PUT", "/v1/groups/a", "{\"type\":\"pci\"}"), 201, "");
	g_autoptr(UsherHttpResponse) response = open_watch(bed, "/v1/groups?watch=1", &wakes);
	UsherStream *stream = response->stream;
	g_autofree char *first = read_all(stream, &goes_on);
	g_assert_true(goes_on);
	g_assert_true(g_str_has_prefix(
		first, "{\"type\":\"put\",\"kind\":\"group\",\"revision\":1,\"object\":{"));
	g_assert_true(g_str_has_suffix(
		first, "}\n{\"type\":\"bookmark\",\"revision\":1,\"synced\":true}\n"));
	expect_lines(stream, "");
	g_assert_cmpuint(wakes, ==, 0);

	expect(ask(bed, "PUT", "/v1/groups/b", "{\"type\":\"usb\"}"), 201, "");
	g_assert_cmpuint(wakes, >=, 1);
	g_autofree char *change = read_all(stream, &goes_on);
	g_assert_nonnull(strstr(change,
		"\"kind\":\"group\",\"revision\":2,\"object\":{\"name\":\"b\",\"type\":\"usb\""));
	expect(ask(bed, "DELETE", "/v1/groups/b", NULL), 200, "");
	expect_lines(
		stream, "{\"type\":\"delete\",\"kind\":\"group\",\"id\":\"b\",\"revision\":3}\n");

	/* Others' changes are passed over in silence; the bookmark tells how far. */
	expect(ask(bed, "PUT", "/v1/rules/r", "{\"group\":\"a\",\"filter\":\"name eq 'x'\"}"), 201,
		"");
	expect_lines(stream, "");
	wakes = 0;
	fake_clock_advance(bed->clock, USHER_WATCH_BOOKMARK_US);
	g_assert_cmpuint(wakes, ==, 1);
	expect_lines(stream, "{\"type\":\"bookmark\",\"revision\":4}\n");
	fake_clock_advance(bed->clock, USHER_WATCH_BOOKMARK_US);
	expect_lines(stream, "{\"type\":\"bookmark\",\"revision\":4}\n");
}

static void test_watch_since(Bed *bed, gconstpointer data)
{
	(void) data;
	unsigned wakes = 0;
	for (unsigned i = 0; i < 3; i++)
		expect(ask(bed, "PUT", "/v1/groups/a", "{\"type\":\"pci\"}"), i == 0 ? 201 : 200,
			"");
	g_autoptr(UsherHttpResponse) resumed =
		open_watch(bed, "/v1/groups?watch=1&since=1", &wakes);
	bool goes_on;
	g_autofree char *text = read_all(resumed->stream, &goes_on);
	g_assert_cmpuint(count_text(text, "\"put\""), ==, 2);
	g_assert_nonnull(strstr(text, "\"revision\":2,"));
	g_assert_true(
		g_str_has_suffix(text, "{\"type\":\"bookmark\",\"revision\":3,\"synced\":true}\n"));

	g_autoptr(GError) error = NULL;
	g_assert_true(bed->store->ops->compact(bed->store, 2, &error));
	g_autoptr(UsherHttpResponse) late = open_watch(bed, "/v1/groups?watch=1&since=1", &wakes);
	g_autofree char *reset = read_all(late->stream, &goes_on);
	g_assert_false(goes_on);
	g_assert_cmpstr(reset, ==, "{\"type\":\"reset\",\"revision\":3}\n");
	/* A revision that is to come is one of another store. */
	g_autoptr(UsherHttpResponse) early = open_watch(bed, "/v1/groups?watch=1&since=99", &wakes);
	g_autofree char *other = read_all(early->stream, &goes_on);
	g_assert_false(goes_on);
	g_assert_cmpstr(other, ==, "{\"type\":\"reset\",\"revision\":3}\n");
}

static void test_watch_kinds(Bed *bed, gconstpointer data)
{
	(void) data;
	unsigned wakes = 0;
	bool goes_on;
	g_autoptr(UsherHttpResponse) response =
		open_watch(bed, "/v1/watch?kinds=rules,events", &wakes);
	expect_lines(response->stream, "{\"type\":\"bookmark\",\"revision\":0,\"synced\":true}\n");
	expect(ask(bed, "PUT", "/v1/groups/a", "{\"type\":\"pci\"}"), 201, "");
	g_autofree char *text = read_all(response->stream, &goes_on);
	g_assert_cmpuint(count_text(text, "\"kind\":\"event\""), ==, 1);
	g_assert_cmpuint(count_text(text, "\"kind\":\"group\""), ==, 0);
	g_autoptr(UsherHttpResponse) one = open_watch(bed, "/v1/groups/a?watch=1", &wakes);
	g_autofree char *begin = read_all(one->stream, &goes_on);
	g_assert_cmpuint(count_text(begin, "\"put\""), ==, 1);
	expect(ask(bed, "PUT", "/v1/groups/b", "{\"type\":\"pci\"}"), 201, "");
	expect_lines(one->stream, "");
	expect(ask(bed, "GET", "/v1/groups/c?watch=1", NULL), 404, "c");
}

/* Groups that come while their pages are read are there once the watch is in step. */
static void test_watch_pages(Bed *bed, gconstpointer data)
{
	(void) data;
	unsigned wakes = 0;
	bool goes_on;
	for (unsigned i = 0; i < 150; i++) {
		g_autofree char *path = g_strdup_printf("/v1/groups/g%03u", i);
		expect(ask(bed, "PUT", path, "{\"type\":\"pci\"}"), 201, "");
	}
	g_autoptr(UsherHttpResponse) response = open_watch(bed, "/v1/groups?watch=1", &wakes);
	g_autoptr(GString) block = g_string_new(NULL);
	g_assert_true(response->stream->ops->read(response->stream, block));
	unsigned n = count_text(block->str, "\"put\"");
	g_assert_cmpuint(n, <, 150);
	expect(ask(bed, "DELETE", "/v1/groups/g000", NULL), 200, "");
	expect(ask(bed, "PUT", "/v1/groups/a", "{\"type\":\"pci\"}"), 201, "");
	g_autofree char *text = read_all(response->stream, &goes_on);
	g_assert_cmpuint(n + count_text(text, "\"put\""), ==, 151);
	g_assert_nonnull(strstr(text, "\"id\":\"g000\""));
	g_assert_true(g_str_has_suffix(
		text, "{\"type\":\"bookmark\",\"revision\":152,\"synced\":true}\n"));
}

/* A reader that had caught up may not fall behind for ever; one that resumes may. */
static void test_watch_slow(Bed *bed, gconstpointer data)
{
	(void) data;
	unsigned wakes = 0;
	bool goes_on;
	expect(ask(bed, "PUT", "/v1/groups/a", "{\"type\":\"pci\"}"), 201, "");
	g_autoptr(UsherHttpResponse) response = open_watch(bed, "/v1/groups?watch=1", &wakes);
	g_autoptr(UsherHttpResponse) quiet = open_watch(bed, "/v1/rules?watch=1", &wakes);
	g_free(read_all(response->stream, &goes_on));
	g_free(read_all(quiet->stream, &goes_on));
	for (unsigned i = 0; i < USHER_WATCH_MAX_BEHIND + 1; i++)
		expect(ask(bed, "PUT", "/v1/groups/a", "{\"type\":\"pci\"}"), 200, "");
	g_autofree char *last = read_all(response->stream, &goes_on);
	g_assert_false(goes_on);
	g_assert_true(
		g_str_has_prefix(last, "{\"type\":\"error\",\"error\":{\"code\":\"unavailable\""));
	g_assert_cmpuint(count_text(last, "\n"), ==, 1);
	expect_lines(quiet->stream, "");
	g_autoptr(UsherHttpResponse) resumed =
		open_watch(bed, "/v1/groups?watch=1&since=1", &wakes);
	g_autofree char *text = read_all(resumed->stream, &goes_on);
	g_assert_true(goes_on);
	g_assert_cmpuint(count_text(text, "\"put\""), ==, USHER_WATCH_MAX_BEHIND + 1);
}

static const char report[] =
	"{\"node\":\"n1\",%s\"machine_id\":\"m1\",\"boot_id\":\"b1\",\"instance\":\"i1\","
	"\"kernel\":\"6.1\","
	"\"agent_version\":\"0\",\"ready\":true,\"devices_total\":1,\"devices\":[{\"address\":"
	"\"0000:01:00.0\","
	"\"id\":\"d-aaaaaaaaaa\",\"class\":\"020000\",\"type\":\"network\",\"vendor_id\":\"8086\","
	"\"device_id\":\"10d3\",\"iommu_group\":1,\"node\":\"n1\",\"state\":\"host\","
	"\"guard\":{\"verdict\":\"free\",\"reasons\":[]},"
	"\"passthrough\":{\"whole\":\"yes\",\"vgpu\":[],\"because\":[]}}],"
	"\"has_guests\":true,\"guests\":[{\"name\":\"vm1\",\"uuid\":\"u1\",\"backend\":\"libvirt\","
	"\"state\":\"shut-off\",\"persistent\":true,\"hostdevs\":[],\"leases\":[]}]%s}";

/* A session is opened first; what it reports comes by it. */
static void join_node(const Bed *bed)
{
	g_autofree char *hello = g_strdup_printf(report, "", "");
	g_autoptr(UsherJson) wants = json_of(ask(bed, "POST", "/v1/nodes/n1/exchange", hello), 200);
	const char *session = usher_json_get_string(wants, "session");
	g_assert_nonnull(session);
	g_autofree char *member = g_strdup_printf("\"session\":\"%s\",", session);
	g_autofree char *text = g_strdup_printf(report, member, "");
	expect(ask(bed, "POST", "/v1/nodes/n1/exchange", text), 200, "\"operations\":[");
}

/* Given: the answer to an agent that asks for a session. */
static UsherHttpResponse *greet(
	const Bed *bed, const char *machine, const char *boot, const char *instance)
{
	g_autofree char *text =
		g_strdup_printf("{\"node\":\"n1\",\"machine_id\":\"%s\",\"boot_id\":\"%s\","
				"\"instance\":\"%s\"}",
			machine, boot, instance);
	return ask(bed, "POST", "/v1/nodes/n1/exchange", text);
}

/* One agent has a node's name until it is gone: itself, after a crash or a reboot, may come back. */
static void test_one_agent_a_name(Bed *bed, gconstpointer data)
{
	(void) data;
	static const struct {
		const char *machine, *boot, *instance;
		unsigned status;
		const char *part;
	} rows[] = {
		{ "m1", "b1", "i1", 200, "\"session\":\"s-" },
		{ "m1", "b1", "i1", 200, "\"session\":\"s-" }, /* crashed */
		{ "m1", "b2", "i1", 200, "\"session\":\"s-" }, /* rebooted */
		{ "m1", "b3", "i9", 200, "\"session\":\"s-" }, /* and installed anew */
		{ "m1", "b3", "i1", 409, "node n1 is another agent of this machine, and it lives" },
		{ "m2", "b3", "i9", 409,
			"node n1 is another machine, and it lives (machine-id m1)" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		int64_t before = usher_cluster_revision(bed->cluster);
		expect(greet(bed, rows[i].machine, rows[i].boot, rows[i].instance), rows[i].status,
			rows[i].part);
		if (rows[i].status != 200)
			g_assert_cmpint(usher_cluster_revision(bed->cluster), ==, before);
	}
	fake_clock_advance(bed->clock, 89 * G_USEC_PER_SEC);
	expect(greet(bed, "m2", "b1", "i2"), 409, "it lives");
	fake_clock_advance(bed->clock, 2 * G_USEC_PER_SEC);
	expect(ask(bed, "GET", "/v1/nodes/n1", NULL), 200, "\"state\":\"unreachable\"");
	expect(greet(bed, "m2", "b1", "i2"), 200, "\"session\":\"s-");
	expect(greet(bed, "m1", "b3", "i9"), 409, "(machine-id m2)");
}

static void test_exchange(Bed *bed, gconstpointer data)
{
	(void) data;
	join_node(bed);
	expect(ask(bed, "GET", "/v1/nodes/n1", NULL), 200, "\"state\":\"ready\"");
	expect(ask(bed, "GET", "/v1/devices/n1/0000:01:00.0", NULL), 200, "d-aaaaaaaaaa");
	expect(ask(bed, "GET", "/v1/devices/n1%2F0000:01:00.0", NULL), 200, "d-aaaaaaaaaa");
	expect(ask(bed, "GET", "/v1/devices/d-aaaaaaaaaa", NULL), 200, "0000:01:00.0");
	expect(ask(bed, "GET", "/v1/devices?node=n1", NULL), 200, "0000:01:00.0");
	expect(ask(bed, "GET", "/v1/devices?node=n2", NULL), 200, "\"items\":[]");
	unsigned wakes = 0;
	g_autoptr(UsherHttpResponse) watch =
		open_watch(bed, "/v1/devices/n1/0000:01:00.0?watch=1", &wakes);
	bool goes_on;
	g_autofree char *text = read_all(watch->stream, &goes_on);
	g_assert_cmpuint(count_text(text, "\"put\""), ==, 1);

	const char *body = "{\"devices\":[\"0000:01:00.0\"],\"group\":\"nics\",\"type\":\"pci\"}";
	expect(ask(bed, "POST", "/v1/devices/make-resource?dry_run=1", body), 200,
		"\"result\":{\"group\":\"nics\"");
	expect(ask(bed, "GET", "/v1/groups/nics", NULL), 404, "nics");
	expect(ask(bed, "POST", "/v1/devices/make-resource", body), 200,
		"\"matches\":[{\"node\":\"n1\"");
	expect(ask(bed, "GET", "/v1/groups/nics", NULL), 200, "\"members\":1");
}

static void test_operations(Bed *bed, gconstpointer data)
{
	(void) data;
	join_node(bed);
	expect(ask(bed, "POST", "/v1/vms/vm1/adopt?dry_run=1", NULL), 200,
		"\"state\":\"proposed\"");
	g_autoptr(UsherHttpResponse) begun = ask(bed, "POST", "/v1/vms/vm1/adopt", NULL);
	g_assert_cmpuint(begun->status, ==, 202);
	const char *location = usher_http_response_header(begun, "Location");
	g_assert_true(g_str_has_prefix(location, "/v1/operations/op-"));
	expect(ask(bed, "GET", location, NULL), 200, "\"kind\":\"vm-adopt\"");
	g_autoptr(UsherHttpResponse) scoped =
		ask(bed, "POST", "/v1/tenants/provider/vms/vm1/adopt", NULL);
	g_assert_cmpuint(scoped->status, ==, 423);

	unsigned wakes = 0;
	g_autoptr(UsherHttpResponse) waiting =
		ask_with(bed, "GET", location, NULL, "Prefer", "respond-async, wait=30");
	UsherPending *pending = waiting->pending;
	g_assert_nonnull(pending);
	pending->wake = count_wake;
	pending->wake_data = &wakes;
	g_assert_null(pending->ops->poll(pending));
	g_autofree char *cancel = g_strconcat(location, "/cancel", NULL);
	expect(ask(bed, "POST", cancel, NULL), 200, "\"state\":\"cancelled\"");
	g_assert_cmpuint(wakes, >=, 1);
	g_autoptr(UsherHttpResponse) ended = pending->ops->poll(pending);
	g_assert_cmpuint(ended->status, ==, 200);
	g_assert_nonnull(strstr(ended->body, "\"state\":\"cancelled\""));
	g_assert_cmpstr(usher_http_response_header(ended, "Preference-Applied"), ==, "wait=30");
}

static void test_wait_is_over(Bed *bed, gconstpointer data)
{
	(void) data;
	join_node(bed);
	g_autoptr(UsherHttpResponse) waiting =
		ask_with(bed, "POST", "/v1/vms/vm1/adopt", NULL, "Prefer", "wait=5");
	UsherPending *pending = waiting->pending;
	g_assert_nonnull(pending);
	unsigned wakes = 0;
	pending->wake = count_wake;
	pending->wake_data = &wakes;
	g_assert_null(pending->ops->poll(pending));
	fake_clock_advance(bed->clock, 5 * G_USEC_PER_SEC);
	g_assert_cmpuint(wakes, >=, 1);
	g_autoptr(UsherHttpResponse) answer = pending->ops->poll(pending);
	g_assert_cmpuint(answer->status, ==, 202);
	g_assert_nonnull(usher_http_response_header(answer, "Location"));
}

static void test_about(Bed *bed, gconstpointer data)
{
	(void) data;
	expect(ask(bed, "GET", "/v1", NULL), 200, "\"features\":[");
	expect(ask(bed, "GET", "/v1/tenants/provider", NULL), 200, USHER_VERSION);
	g_autofree char *routes = usher_router_print_routes();
	g_assert_nonnull(strstr(routes, "POST /v1/vms/{name}/start dry_run\n"));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*func)(Bed *bed, gconstpointer data);
	} rows[] = {
		{ "/api/roles", test_roles },
		{ "/api/refusals", test_refusals },
		{ "/api/allow", test_allow },
		{ "/api/limits", test_limits },
		{ "/api/group-life", test_group_life },
		{ "/api/preconditions", test_preconditions },
		{ "/api/dry-run", test_dry_run },
		{ "/api/pages", test_pages },
		{ "/api/watch", test_watch },
		{ "/api/watch-since", test_watch_since },
		{ "/api/watch-kinds", test_watch_kinds },
		{ "/api/watch-pages", test_watch_pages },
		{ "/api/watch-slow", test_watch_slow },
		{ "/api/one-agent-a-name", test_one_agent_a_name },
		{ "/api/exchange", test_exchange },
		{ "/api/operations", test_operations },
		{ "/api/wait-is-over", test_wait_is_over },
		{ "/api/about", test_about },
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_test_add(rows[i].path, Bed, NULL, set_up, rows[i].func, tear_down);
	return g_test_run();
}
