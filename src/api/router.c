/* SPDX-License-Identifier: Apache-2.0 */
#include "api/router.h"

#include <string.h>

#include "api/call.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#define MAX_SEGMENTS 16

struct UsherRouter {
	UsherCluster *cluster;
	UsherClock *clock;
	UsherAuth *auth;
};

/* A target taken apart: "/v1/vms/win11?watch=1". */
typedef struct Target {
	GPtrArray *segments; /* of char *, unescaped */
	GHashTable *query;
	const char *scope;
} Target;

UsherRouter *usher_router_new(UsherCluster *cluster, UsherClock *clock, UsherAuth *auth)
{
	UsherRouter *router = g_new0(UsherRouter, 1);
	router->cluster = cluster;
	router->clock = clock;
	router->auth = auth;
	return router;
}

void usher_router_free(UsherRouter *router)
{
	if (router == NULL)
		return;
	usher_auth_free(router->auth);
	g_free(router);
}

static void target_clear(Target *target)
{
	g_clear_pointer(&target->segments, g_ptr_array_unref);
	g_clear_pointer(&target->query, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

/* NULL for what is no text: %00, half an escape, no UTF-8. */
static char *unescape(const char *text, size_t length)
{
	g_autofree char *plain = g_uri_unescape_segment(text, text + length, NULL);
	if (plain == NULL || !g_utf8_validate(plain, -1, NULL))
		return NULL;
	return g_steal_pointer(&plain);
}

static bool parse_path(Target *target, const char *path, size_t length, GError **error)
{
	g_autofree char *text = g_strndup(path, length);
	g_auto(GStrv) parts = g_strsplit(text, "/", MAX_SEGMENTS + 2);
	target->segments = g_ptr_array_new_with_free_func(g_free);
	bool is_good = parts[0] != NULL && parts[0][0] == '\0';
	for (size_t i = 1; is_good && parts[i] != NULL; i++) {
		char *segment = unescape(parts[i], strlen(parts[i]));
		is_good = segment != NULL && i <= MAX_SEGMENTS;
		g_ptr_array_add(target->segments, segment);
	}
	if (!is_good)
		usher_error_set(error, USHER_ERROR_INVALID, "the path is malformed");
	return is_good;
}

static bool parse_parameter(GHashTable *query, const char *text, GError **error)
{
	g_autofree char *spaced = g_strdelimit(g_strdup(text), "+", ' ');
	size_t name_length = strcspn(spaced, "=");
	const char *value =
		spaced[name_length] == '=' ? spaced + name_length + 1 : spaced + name_length;
	g_autofree char *name = unescape(spaced, name_length);
	g_autofree char *plain = unescape(value, strlen(value));
	if (name == NULL || plain == NULL) {
		usher_error_set(error, USHER_ERROR_INVALID, "the query is malformed");
		return false;
	}
	if (g_hash_table_contains(query, name)) {
		usher_error_set(error, USHER_ERROR_INVALID, "the query has '%s' twice", name);
		return false;
	}
	g_hash_table_insert(query, g_steal_pointer(&name), g_steal_pointer(&plain));
	return true;
}

static bool parse_query(Target *target, const char *text, GError **error)
{
	target->query = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) parts = g_strsplit(text, "&", -1);
	for (size_t i = 0; parts[i] != NULL; i++) {
		if (parts[i][0] != '\0' && !parse_parameter(target->query, parts[i], error))
			return false;
	}
	return true;
}

static bool is_segment(const Target *target, unsigned i, const char *text)
{
	return i < target->segments->len && strcmp(target->segments->pdata[i], text) == 0;
}

/* The provider's own names stand under its tenant's path, too. */
static void take_scope(Target *target)
{
	target->scope = "/v1";
	if (!is_segment(target, 0, "v1") || !is_segment(target, 1, "tenants") ||
		!is_segment(target, 2, "provider"))
		return;
	g_ptr_array_remove_range(target->segments, 1, 2);
	target->scope = "/v1/tenants/provider";
}

static bool parse_target(Target *target, const char *text, GError **error)
{
	size_t path_length = strcspn(text, "?");
	const char *query = text[path_length] == '?' ? text + path_length + 1 : "";
	if (!parse_path(target, text, path_length, error) || !parse_query(target, query, error))
		return false;
	take_scope(target);
	return true;
}

/* names: as many as the pattern has, or NULL. */
static bool does_match(const char *pattern, const GPtrArray *segments, const char **names)
{
	unsigned n_names = 0;
	unsigned i = 0;
	for (const char *part = pattern + 1; part != NULL; i++) {
		const char *slash = strchr(part, '/');
		size_t length = slash != NULL ? (size_t) (slash - part) : strlen(part);
		if (i >= segments->len)
			return false;
		const char *segment = segments->pdata[i];
		bool is_name = part[0] == '{';
		if (is_name ? segment[0] == '\0'
			    : strlen(segment) != length || memcmp(segment, part, length) != 0)
			return false;
		if (is_name && names != NULL) {
			g_assert(n_names < USHER_CALL_MAX_NAMES);
			names[n_names++] = segment;
		}
		part = slash != NULL ? slash + 1 : NULL;
	}
	return i == segments->len;
}

/* A literal path wins over a name in its place: /v1/devices/make-resource is no device. */
static const UsherRoute *find_route(const Target *target, const char *method, const char **names)
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	const UsherRoute *found = NULL;
	for (const UsherRoute *route = usher_routes; route->method != NULL; route++) {
		if (strcmp(route->method, wanted) != 0 ||
			!does_match(route->pattern, target->segments, NULL))
			continue;
		if (found == NULL || strchr(route->pattern, '{') == NULL)
			found = route;
	}
	if (found != NULL)
		(void) does_match(found->pattern, target->segments, names);
	return found;
}

/* NULL when no method has this path. */
static char *allowed_methods(const Target *target)
{
	g_autoptr(GString) allowed = g_string_new(NULL);
	for (const UsherRoute *route = usher_routes; route->method != NULL; route++) {
		if (does_match(route->pattern, target->segments, NULL))
			g_string_append_printf(
				allowed, "%s%s", allowed->len > 0 ? ", " : "", route->method);
	}
	return allowed->len > 0 ? g_string_free(g_steal_pointer(&allowed), FALSE) : NULL;
}

static UsherHttpResponse *refuse_unknown(const Target *target, const UsherHttpRequest *request)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *allowed = allowed_methods(target);
	g_autofree char *path = g_strndup(request->target, strcspn(request->target, "?"));
	if (allowed == NULL) {
		usher_error_set(&error, USHER_ERROR_NOT_FOUND, "there is nothing at %s", path);
		return usher_http_problem(error, 0);
	}
	usher_error_set(
		&error, USHER_ERROR_INVALID, "%s takes %s, not %s", path, allowed, request->method);
	UsherHttpResponse *problem = usher_http_problem(error, 405);
	usher_http_response_set_header(problem, "Allow", allowed);
	return problem;
}

static bool has_word(const char *words, const char *word)
{
	g_auto(GStrv) list = g_strsplit(words, " ", -1);
	return g_strv_contains((const char *const *) list, word);
}

static bool is_query_known(const UsherRoute *route, GHashTable *query, GError **error)
{
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, query);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (has_word(route->query, name))
			continue;
		usher_error_set(error, USHER_ERROR_INVALID, "%s %s takes no query parameter '%s'",
			route->method, route->pattern, (const char *) name);
		return false;
	}
	return true;
}

/* Who asks, what for, and how much of it: all that needs no body. */
static UsherHttpResponse *refuse(const UsherRouter *router, const UsherHttpRequest *request,
	const UsherRoute *route, const Target *target)
{
	g_autoptr(GError) error = NULL;
	UsherRole least = route != NULL ? route->least : USHER_ROLE_ADMIN;
	if (!usher_auth_allows(router->auth, request->peer, least, &error))
		return usher_http_problem(error, 0);
	if (route == NULL)
		return refuse_unknown(target, request);
	if (!is_query_known(route, target->query, &error))
		return usher_http_problem(error, 0);
	const char *length_text = usher_http_request_header(request, "content-length");
	uint64_t length;
	if (length_text == NULL ||
		usher_text_parse_u64(length_text, USHER_HTTP_MAX_BODY, &length, NULL))
		return NULL;
	usher_error_set(&error, USHER_ERROR_INVALID, "the body is larger than %zu bytes",
		USHER_HTTP_MAX_BODY);
	return usher_http_problem(error, 413);
}

static bool parse_etag(const char *text, int64_t *out_revision)
{
	size_t length = strlen(text);
	if (length < 3 || text[0] != '"' || text[length - 1] != '"')
		return false;
	g_autofree char *number = g_strndup(text + 1, length - 2);
	uint64_t revision;
	if (!usher_text_parse_u64(number, INT64_MAX, &revision, NULL))
		return false;
	*out_revision = (int64_t) revision;
	return true;
}

static bool read_preconditions(UsherCall *call, GError **error)
{
	const char *match = usher_http_request_header(call->request, "if-match");
	const char *none = usher_http_request_header(call->request, "if-none-match");
	call->ask.expect = USHER_ANY_REVISION;
	if (match != NULL && strcmp(match, "*") == 0) {
		call->must_exist = true;
	} else if (match != NULL && !parse_etag(match, &call->ask.expect)) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "If-Match is no revision in quotation marks");
		return false;
	}
	bool is_read = strcmp(call->route->method, "GET") == 0;
	if (none == NULL || is_read)
		return true;
	if (strcmp(none, "*") != 0 || match != NULL) {
		usher_error_set(error, USHER_ERROR_INVALID, "a write takes If-None-Match: * alone");
		return false;
	}
	call->ask.expect = 0;
	return true;
}

/* The object that the path names: is it there, at which revision? */
static bool does_exist(const UsherCall *call, int64_t *out_revision)
{
	*out_revision = 0;
	if (call->route->kind == USHER_OBJECT_N_KINDS || call->names[0] == NULL)
		return false;
	g_autofree char *name = usher_call_device(call);
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	bool exists = usher_cluster_show(
		call->cluster, call->route->kind, name, writer, out_revision, NULL);
	usher_json_writer_free(writer);
	return exists;
}

/* A CONFLICT of a write with preconditions: was it they? */
static bool is_stale(const UsherCall *call)
{
	int64_t revision;
	bool exists = does_exist(call, &revision);
	if (call->ask.expect == USHER_ANY_REVISION)
		return false;
	return revision != call->ask.expect || (exists && call->ask.expect == 0);
}

static UsherHttpResponse *explain(const UsherCall *call, const GError *error)
{
	if (usher_error_code(error) == USHER_ERROR_INTERNAL)
		usher_log(USHER_LOG_ERROR, NULL, "%s %s: %s", call->request->method,
			call->request->target, error->message);
	bool is_precondition = usher_error_code(error) == USHER_ERROR_CONFLICT && is_stale(call);
	return usher_http_problem(error, is_precondition ? 412 : 0);
}

static bool has_object(const UsherCall *call, GError **error)
{
	int64_t revision;
	if (!call->must_exist || does_exist(call, &revision))
		return true;
	usher_error_set(error, USHER_ERROR_CONFLICT, "If-Match: there is no such object");
	return false;
}

static UsherHttpResponse *run_route(const UsherRouter *router, const UsherHttpRequest *request,
	const UsherRoute *route, const Target *target, const char *const *names)
{
	g_assert(route != NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *actor = g_strdup_printf("uid %u", request->peer->uid);
	UsherCall call = {
		.route = route,
		.request = request,
		.cluster = router->cluster,
		.clock = router->clock,
		.scope = target->scope,
		.query = target->query,
		.ask = { .actor = actor },
	};
	memcpy(call.names, names, sizeof call.names);
	if (!read_preconditions(&call, &error) ||
		!usher_call_flag(&call, "dry_run", &call.ask.dry_run, &error))
		return usher_http_problem(error, 0);
	if (!has_object(&call, &error))
		return usher_http_problem(error, 412);
	UsherHttpResponse *response = route->run(&call, &error);
	g_assert((response == NULL) == (error != NULL));
	return response != NULL ? response : explain(&call, error);
}

static UsherHttpResponse *route_request(
	const UsherRouter *router, const UsherHttpRequest *request, bool only_admit)
{
	g_autoptr(GError) error = NULL;
	g_auto(Target) target = { 0 };
	const char *names[USHER_CALL_MAX_NAMES] = { NULL };
	g_autoptr(GError) denial = NULL;
	if (!parse_target(&target, request->target, &error)) {
		(void) usher_auth_allows(router->auth, request->peer, USHER_ROLE_ADMIN, &denial);
		return usher_http_problem(denial != NULL ? denial : error, 0);
	}
	const UsherRoute *route = find_route(&target, request->method, names);
	UsherHttpResponse *refusal = refuse(router, request, route, &target);
	if (refusal != NULL || only_admit)
		return refusal;
	return run_route(router, request, route, &target, names);
}

UsherHttpResponse *usher_router_admit(const UsherRouter *router, const UsherHttpRequest *request)
{
	return route_request(router, request, /* only_admit */ true);
}

UsherHttpResponse *usher_router_answer(const UsherRouter *router, const UsherHttpRequest *request)
{
	return route_request(router, request, /* only_admit */ false);
}

bool usher_router_is_trusted(const UsherRouter *router, const UsherPeer *peer)
{
	return usher_auth_role(router->auth, peer) >= USHER_ROLE_ADMIN;
}

char *usher_router_print_routes(void)
{
	GString *text = g_string_new(NULL);
	for (const UsherRoute *route = usher_routes; route->method != NULL; route++) {
		g_autofree char *query = g_strdelimit(g_strdup(route->query), " ", ',');
		g_string_append_printf(text, "%s %s %s\n", route->method, route->pattern, query);
	}
	return g_string_free(text, FALSE);
}
