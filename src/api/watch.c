/* SPDX-License-Identifier: Apache-2.0 */
#include "api/watch.h"

#include <string.h>

#include "base/error.h"

#define PAGE 64

typedef struct Watch {
	UsherStream stream;
	UsherCluster *cluster;
	UsherClock *clock;
	unsigned kinds;
	char *node;
	char *name;
	bool all;
	bool in_snapshot;
	UsherObjectKind kind; /* of the snapshot: where it is */
	char *after;
	int64_t since;  /* changes up to here have been told */
	int64_t target; /* the watch is in step once it has told changes up to here */
	bool is_synced;
	bool is_bookmark_due;
	unsigned listener, timer;
} Watch;

static void wake(Watch *watch)
{
	if (watch->stream.wake != NULL)
		watch->stream.wake(watch->stream.wake_data);
}

static void on_advance(void *data)
{
	wake(data);
}

static void on_bookmark(void *data)
{
	Watch *watch = data;
	watch->timer =
		watch->clock->ops->after(watch->clock, USHER_WATCH_BOOKMARK_US, on_bookmark, watch);
	watch->is_bookmark_due = true;
	wake(watch);
}

/* object: JSON text. */
static void write_put(GString *into, UsherObjectKind kind, int64_t revision, const char *object)
{
	g_string_append_printf(into,
		"{\"type\":\"put\",\"kind\":\"%s\",\"revision\":%" G_GINT64_FORMAT
		",\"object\":%s}\n",
		usher_object_kind_names[kind], revision, object);
}

static void write_delete(GString *into, UsherObjectKind kind, int64_t revision, const char *name)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "type", "delete");
	usher_json_put_string(writer, "kind", usher_object_kind_names[kind]);
	usher_json_put_string(writer, "id", name);
	usher_json_put_int(writer, "revision", revision);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_string_append_printf(into, "%s\n", text);
}

static void write_mark(GString *into, const char *type, int64_t revision, bool is_synced)
{
	g_string_append_printf(into, "{\"type\":\"%s\",\"revision\":%" G_GINT64_FORMAT "%s}\n",
		type, revision, is_synced ? ",\"synced\":true" : "");
}

static void write_error(GString *into, const GError *error)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "type", "error");
	usher_json_key(writer, "error");
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "code", usher_error_code_name(usher_error_code(error)));
	usher_json_put_string(writer, "message", error->message);
	usher_json_end_object(writer);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_string_append_printf(into, "%s\n", text);
}

/* Kinds that belong to no node are everybody's. */
static bool is_of_node(const Watch *watch, const UsherJson *object)
{
	const UsherJson *node = usher_json_get(object, "node");
	if (watch->node == NULL || node == NULL)
		return true;
	return usher_json_type(node) == USHER_JSON_STRING &&
		strcmp(usher_json_string(node), watch->node) == 0;
}

static void write_listed(const Watch *watch, GString *into, const UsherJson *object)
{
	if (!is_of_node(watch, object))
		return;
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_write_value(writer, object);
	g_autofree char *text = usher_json_writer_finish(writer);
	write_put(into, watch->kind, watch->since, text);
}

static void read_page(Watch *watch, GString *into)
{
	UsherListQuery query = {
		.node = watch->node, .all = watch->all, .after = watch->after, .limit = PAGE
	};
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	g_autofree char *next = NULL;
	usher_json_begin_array(writer);
	usher_cluster_list(watch->cluster, watch->kind, &query, writer, &next);
	usher_json_end_array(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_autoptr(UsherJson) page = usher_json_parse(text, strlen(text), NULL);
	g_assert(page != NULL);
	for (size_t i = 0; i < usher_json_length(page); i++)
		write_listed(watch, into, usher_json_at(page, i));
	g_free(watch->after);
	watch->after = g_steal_pointer(&next);
}

static void read_one(Watch *watch, GString *into)
{
	g_autoptr(UsherJsonWriter) writer = usher_json_writer_new(/* pretty */ false);
	if (!usher_cluster_show(watch->cluster, watch->kind, watch->name, writer, NULL, NULL))
		return;
	g_autofree char *text = usher_json_writer_finish(g_steal_pointer(&writer));
	write_put(into, watch->kind, watch->since, text);
}

/* One page a call. Objects may change while their pages are read: what changed since the first page
 * follows as changes, and only then is the reader told that it is in step. */
static void read_snapshot(Watch *watch, GString *into)
{
	bool is_wanted = (watch->kinds & (1U << watch->kind)) != 0;
	if (is_wanted && watch->name != NULL)
		read_one(watch, into);
	else if (is_wanted)
		read_page(watch, into);
	if (watch->after != NULL)
		return;
	watch->kind++;
	if (watch->kind < USHER_OBJECT_N_KINDS)
		return;
	watch->in_snapshot = false;
	watch->target = usher_cluster_revision(watch->cluster);
}

typedef struct Telling {
	const Watch *watch;
	GString *into; /* NULL: only count */
	size_t n;
} Telling;

/* That something of another node is gone is told, too: it no longer says whose it was. */
static bool is_told(const Watch *watch, const char *name, const char *object)
{
	if (watch->name != NULL && strcmp(watch->name, name) != 0)
		return false;
	if (watch->node == NULL || object == NULL)
		return true;
	g_autoptr(UsherJson) json = usher_json_parse(object, strlen(object), NULL);
	return json == NULL || is_of_node(watch, json);
}

static void tell(
	UsherObjectKind kind, const char *name, int64_t revision, const char *object, void *data)
{
	Telling *telling = data;
	if (!is_told(telling->watch, name, object))
		return;
	telling->n++;
	if (telling->into == NULL)
		return;
	if (object == NULL)
		write_delete(telling->into, kind, revision, name);
	else
		write_put(telling->into, kind, revision, object);
}

/* Revisions are cheap to compare, but not all of them are watched: past the limit, count. */
static bool is_too_far_behind(const Watch *watch)
{
	if (!watch->is_synced ||
		usher_cluster_revision(watch->cluster) - watch->since <= USHER_WATCH_MAX_BEHIND)
		return false;
	/* The limit is one of the log's entries, watched or not. */
	Telling telling = { .watch = watch };
	int64_t upto = watch->since, before;
	do {
		before = upto;
		if (!usher_cluster_changes(watch->cluster, watch->kinds, before,
			    USHER_WATCH_MAX_BEHIND, tell, &telling, &upto, NULL))
			return false;
	} while (telling.n <= USHER_WATCH_MAX_BEHIND && upto > before);
	return telling.n > USHER_WATCH_MAX_BEHIND;
}

/* False: the stream ends with what was written. */
static bool read_changes(Watch *watch, GString *into)
{
	g_autoptr(GError) error = NULL;
	int64_t newest = usher_cluster_revision(watch->cluster);
	if (watch->since == newest)
		return true;
	if (is_too_far_behind(watch)) {
		usher_error_set(&error, USHER_ERROR_UNAVAILABLE,
			"more than %d changes were not read in time", USHER_WATCH_MAX_BEHIND);
		write_error(into, error);
		return false;
	}
	Telling telling = { .watch = watch, .into = into };
	int64_t upto = watch->since;
	/* A revision to come is one of another store. */
	if (watch->since < newest &&
		usher_cluster_changes(watch->cluster, watch->kinds, watch->since, PAGE, tell,
			&telling, &upto, &error)) {
		watch->since = upto;
		return true;
	}
	if (error == NULL || usher_error_code(error) == USHER_ERROR_CONFLICT)
		write_mark(into, "reset", newest, /* is_synced */ false);
	else
		write_error(into, error);
	return false;
}

static void mark(Watch *watch, GString *into)
{
	bool is_first = !watch->is_synced && watch->since >= watch->target;
	if (!is_first && !watch->is_bookmark_due)
		return;
	watch->is_synced = watch->is_synced || is_first;
	watch->is_bookmark_due = false;
	write_mark(into, "bookmark", watch->since, is_first);
}

/* Goes on until there is something to send or nothing is left to read: pages and changes may hold
 * nothing that is watched. */
static bool read_watch(UsherStream *stream, GString *into)
{
	Watch *watch = (Watch *) stream;
	while (into->len == 0 && watch->in_snapshot)
		read_snapshot(watch, into);
	if (into->len > 0)
		return true;
	int64_t before;
	do {
		before = watch->since;
		if (!read_changes(watch, into))
			return false;
	} while (into->len == 0 && watch->since > before);
	mark(watch, into);
	return true;
}

static void free_watch(UsherStream *stream)
{
	Watch *watch = (Watch *) stream;
	usher_cluster_unlisten(watch->cluster, watch->listener);
	watch->clock->ops->cancel(watch->clock, watch->timer);
	g_free(watch->node);
	g_free(watch->name);
	g_free(watch->after);
	g_free(watch);
}

static const UsherStreamOps watch_ops = { read_watch, free_watch };

UsherStream *usher_watch_new(UsherCluster *cluster, UsherClock *clock, const UsherWatchQuery *query)
{
	Watch *watch = g_new0(Watch, 1);
	watch->stream.ops = &watch_ops;
	watch->cluster = cluster;
	watch->clock = clock;
	watch->kinds = query->kinds;
	watch->node = g_strdup(query->node);
	watch->name = g_strdup(query->name);
	watch->all = query->all;
	watch->target = usher_cluster_revision(cluster);
	watch->in_snapshot = query->since < 0;
	watch->since = watch->in_snapshot ? watch->target : query->since;
	watch->listener = usher_cluster_listen(cluster, on_advance, watch);
	watch->timer = clock->ops->after(clock, USHER_WATCH_BOOKMARK_US, on_bookmark, watch);
	return &watch->stream;
}
