/* SPDX-License-Identifier: Apache-2.0 */
/* What all nouns have: lists, single objects, watches; and what is asked of the server itself. */
#include <string.h>

#include "api/call.h"
#include "api/watch.h"
#include "base/error.h"

#define DEFAULT_LIMIT 500
#define MAX_LIMIT     5000

/* Clients test for features, not for versions. */
static const char *const features[] = {
	"conditional-writes",
	"dry-run",
	"make-resource",
	"prefer-wait",
	"watch",
	NULL,
};

UsherHttpResponse *usher_route_about(const UsherCall *call, GError **error)
{
	(void) error;
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "name", "usher");
	usher_json_put_string(writer, "version", USHER_VERSION);
	usher_json_key(writer, "features");
	usher_json_begin_array(writer);
	for (size_t i = 0; features[i] != NULL; i++)
		usher_json_write_string(writer, features[i]);
	usher_json_end_array(writer);
	usher_json_put_int(writer, "revision", usher_cluster_revision(call->cluster));
	usher_json_end_object(writer);
	return usher_reply_json(200, writer);
}

/* The store is open and read before anything is served: who is answered at all is answered well. */
UsherHttpResponse *usher_route_health(const UsherCall *call, GError **error)
{
	(void) call;
	(void) error;
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "status", "ok");
	usher_json_end_object(writer);
	return usher_reply_json(200, writer);
}

/* *out_since: -1 when it was not given. */
static bool read_since(const UsherCall *call, int64_t *out_since, GError **error)
{
	uint64_t since;
	if (!usher_call_number(call, "since", INT64_MAX, 0, &since, error))
		return false;
	*out_since = usher_call_query(call, "since") != NULL ? (int64_t) since : -1;
	return true;
}

static UsherHttpResponse *begin_watch(
	const UsherCall *call, unsigned kinds, const char *name, GError **error)
{
	UsherWatchQuery query = {
		.kinds = kinds, .node = usher_call_query(call, "node"), .name = name
	};
	if (!usher_call_flag(call, "all", &query.all, error) ||
		!read_since(call, &query.since, error))
		return NULL;
	return usher_http_response_stream(usher_watch_new(call->cluster, call->clock, &query));
}

/* Parameters that only a watch or only a list takes. */
static bool is_query_whole(const UsherCall *call, bool is_watch, GError **error)
{
	const char *stray = NULL;
	if (is_watch && usher_call_query(call, "limit") != NULL)
		stray = "limit";
	else if (is_watch && usher_call_query(call, "after") != NULL)
		stray = "after";
	else if (!is_watch && usher_call_query(call, "since") != NULL)
		stray = "since";
	if (stray != NULL)
		usher_error_set(error, USHER_ERROR_INVALID, "%s goes %s watch=1", stray,
			is_watch ? "not with" : "only with");
	return stray == NULL;
}

static UsherHttpResponse *reply_list(const UsherCall *call, const UsherListQuery *query)
{
	/* What is read later than this is told again by a watch from it; never the reverse. */
	int64_t revision = usher_cluster_revision(call->cluster);
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	g_autofree char *next = NULL;
	usher_json_begin_object(writer);
	usher_json_key(writer, "items");
	usher_json_begin_array(writer);
	usher_cluster_list(call->cluster, call->route->kind, query, writer, &next);
	usher_json_end_array(writer);
	usher_json_put_string(writer, "next", next);
	usher_json_put_int(writer, "revision", revision);
	usher_json_end_object(writer);
	return usher_reply_json(200, writer);
}

UsherHttpResponse *usher_route_list(const UsherCall *call, GError **error)
{
	bool is_watch;
	if (!usher_call_flag(call, "watch", &is_watch, error) ||
		!is_query_whole(call, is_watch, error))
		return NULL;
	if (is_watch)
		return begin_watch(call, 1U << call->route->kind, NULL, error);
	UsherListQuery query = { .node = usher_call_query(call, "node"),
		.after = usher_call_query(call, "after") };
	uint64_t limit;
	if (!usher_call_flag(call, "all", &query.all, error) ||
		!usher_call_number(call, "limit", MAX_LIMIT, DEFAULT_LIMIT, &limit, error))
		return NULL;
	query.limit = limit > 0 ? (size_t) limit : DEFAULT_LIMIT;
	return reply_list(call, &query);
}

/* The name that changes of the object carry: a device may be asked for by other names. */
static char *name_in_changes(const UsherCall *call, GError **error)
{
	g_autofree char *asked = usher_call_device(call);
	g_autoptr(UsherJsonWriter) writer = usher_json_writer_new(/* pretty */ false);
	if (!usher_cluster_show(call->cluster, call->route->kind, asked, writer, NULL, error))
		return NULL;
	if (call->route->kind != USHER_OBJECT_DEVICE)
		return g_steal_pointer(&asked);
	g_autofree char *text = usher_json_writer_finish(g_steal_pointer(&writer));
	g_autoptr(UsherJson) device = usher_json_parse(text, strlen(text), error);
	if (device == NULL)
		return NULL;
	return g_strdup_printf("%s/%s", usher_json_get_string(device, "node"),
		usher_json_get_string(device, "id"));
}

UsherHttpResponse *usher_route_show(const UsherCall *call, GError **error)
{
	bool is_watch;
	if (!usher_call_flag(call, "watch", &is_watch, error) ||
		!is_query_whole(call, is_watch, error))
		return NULL;
	g_autofree char *name = is_watch ? name_in_changes(call, error) : usher_call_device(call);
	if (name == NULL)
		return NULL;
	if (is_watch)
		return begin_watch(call, 1U << call->route->kind, name, error);
	return usher_reply_object(call, call->route->kind, name, 200, error);
}

/* Collections by the names they have in paths. */
static bool parse_kinds(const char *text, unsigned *out_kinds, GError **error)
{
	g_auto(GStrv) names = g_strsplit(text, ",", -1);
	*out_kinds = 0;
	for (size_t i = 0; names[i] != NULL; i++) {
		unsigned kind = 0;
		while (kind < USHER_OBJECT_N_KINDS &&
			(!g_str_has_prefix(names[i], usher_object_kind_names[kind]) ||
				strcmp(names[i] + strlen(usher_object_kind_names[kind]), "s") != 0))
			kind++;
		if (kind == USHER_OBJECT_N_KINDS) {
			usher_error_set(error, USHER_ERROR_INVALID,
				"kinds: there is no collection '%s'", names[i]);
			return false;
		}
		*out_kinds |= 1U << kind;
	}
	return true;
}

UsherHttpResponse *usher_route_watch(const UsherCall *call, GError **error)
{
	const char *names = usher_call_query(call, "kinds");
	unsigned kinds;
	if (names == NULL) {
		usher_error_set(error, USHER_ERROR_INVALID, "a watch needs kinds=groups,leases,…");
		return NULL;
	}
	if (!parse_kinds(names, &kinds, error))
		return NULL;
	return begin_watch(call, kinds, NULL, error);
}
