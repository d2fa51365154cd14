/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

#define SESSION_ID_CHARS 16
#define RETRY_US         G_USEC_PER_SEC

typedef struct UsherStoreSession {
	UsherStoreEngine *engine;
	char *id;
	int64_t ttl_us;
	unsigned timer;
	bool has_ended; /* some of its keys may be left, when the disk refused to delete them */
} UsherStoreSession;

typedef struct UsherStoreListener {
	unsigned id;
	UsherStoreAdvanced func;
	void *data;
} UsherStoreListener;

static void end_by_time(void *data);

static UsherStoreEngine *engine_of(UsherStore *store)
{
	return (UsherStoreEngine *) store;
}

static void session_free(void *data)
{
	UsherStoreSession *session = data;
	if (session->timer != 0)
		session->engine->clock->ops->cancel(session->engine->clock, session->timer);
	g_free(session->id);
	g_free(session);
}

void usher_store_engine_init(UsherStoreEngine *engine, const UsherStoreOps *store_ops,
	const UsherStoreEngineOps *ops, UsherClock *clock)
{
	engine->store.ops = store_ops;
	engine->ops = ops;
	engine->clock = clock;
	engine->sessions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, session_free);
	engine->listeners = g_array_new(FALSE, FALSE, sizeof(UsherStoreListener));
}

void usher_store_engine_clear(UsherStoreEngine *engine)
{
	g_hash_table_unref(engine->sessions);
	g_array_unref(engine->listeners);
}

int64_t usher_store_engine_revision(UsherStore *store)
{
	return engine_of(store)->revision;
}

unsigned usher_store_engine_listen(UsherStore *store, UsherStoreAdvanced func, void *data)
{
	UsherStoreEngine *engine = engine_of(store);
	UsherStoreListener listener = { ++engine->last_listener, func, data };
	g_array_append_val(engine->listeners, listener);
	return listener.id;
}

static const UsherStoreListener *find_listener(
	const UsherStoreEngine *engine, unsigned id, unsigned *out_index)
{
	for (unsigned i = 0; i < engine->listeners->len; i++) {
		const UsherStoreListener *listener =
			&g_array_index(engine->listeners, UsherStoreListener, i);
		if (listener->id == id) {
			*out_index = i;
			return listener;
		}
	}
	return NULL;
}

void usher_store_engine_unlisten(UsherStore *store, unsigned id)
{
	unsigned index;
	if (find_listener(engine_of(store), id, &index) != NULL)
		g_array_remove_index(engine_of(store)->listeners, index);
}

/* By their ids: a listener may come and go while others are called. */
void usher_store_engine_tell(UsherStoreEngine *engine)
{
	unsigned n = engine->listeners->len;
	g_autofree unsigned *ids = g_new(unsigned, n);
	for (unsigned i = 0; i < n; i++)
		ids[i] = g_array_index(engine->listeners, UsherStoreListener, i).id;
	for (unsigned i = 0; i < n; i++) {
		unsigned index;
		const UsherStoreListener *listener = find_listener(engine, ids[i], &index);
		if (listener != NULL)
			listener->func(listener->data);
	}
}

static void set_timer(UsherStoreSession *session, int64_t delay_us)
{
	UsherClock *clock = session->engine->clock;
	if (session->timer != 0)
		clock->ops->cancel(clock, session->timer);
	session->timer = clock->ops->after(clock, delay_us, end_by_time, session);
}

static UsherStoreSession *add_session(UsherStoreEngine *engine, const char *id, int64_t ttl_us)
{
	UsherStoreSession *session = g_new0(UsherStoreSession, 1);
	session->engine = engine;
	session->id = g_strdup(id);
	session->ttl_us = ttl_us;
	g_hash_table_insert(engine->sessions, session->id, session);
	return session;
}

void usher_store_engine_adopt_session(UsherStoreEngine *engine, const char *id, int64_t ttl_us)
{
	UsherStoreSession *session = add_session(engine, id, ttl_us);
	session->has_ended = ttl_us == 0;
	set_timer(session, ttl_us);
}

static UsherStoreSession *find_session(
	const UsherStoreEngine *engine, const char *id, GError **error)
{
	UsherStoreSession *session = g_hash_table_lookup(engine->sessions, id);
	if (session != NULL && !session->has_ended)
		return session;
	usher_error_set(error, USHER_ERROR_NOT_FOUND, "session '%s' has ended", id);
	return NULL;
}

/* What is left of an ended session. Where the disk refuses, it is tried again until it works. */
static void delete_rest(UsherStoreSession *session)
{
	UsherStoreEngine *engine = session->engine;
	int64_t before = engine->revision;
	bool is_done = false;
	while (!is_done && engine->ops->end_session(engine, session->id, &is_done, NULL))
		;
	if (is_done)
		g_hash_table_remove(engine->sessions, session->id);
	else
		set_timer(session, RETRY_US);
	if (engine->revision != before)
		usher_store_engine_tell(engine);
}

static void end_by_time(void *data)
{
	UsherStoreSession *session = data;
	session->timer = 0;
	session->has_ended = true;
	delete_rest(session);
}

char *usher_store_engine_session_open(UsherStore *store, int64_t ttl_us, GError **error)
{
	UsherStoreEngine *engine = engine_of(store);
	if (ttl_us <= 0) {
		usher_error_set(error, USHER_ERROR_INVALID, "a session must have a time to live");
		return NULL;
	}
	uint8_t chance[SESSION_ID_CHARS];
	engine->clock->ops->random(engine->clock, chance, sizeof chance);
	g_autofree char *letters = usher_text_from_random(chance, sizeof chance);
	g_autofree char *id = g_strconcat("s-", letters, NULL);
	if (!engine->ops->keep_session(engine, id, ttl_us, error))
		return NULL;
	set_timer(add_session(engine, id, ttl_us), ttl_us);
	return g_steal_pointer(&id);
}

bool usher_store_engine_session_renew(UsherStore *store, const char *id, GError **error)
{
	UsherStoreSession *session = find_session(engine_of(store), id, error);
	if (session == NULL)
		return false;
	set_timer(session, session->ttl_us);
	return true;
}

bool usher_store_engine_session_close(UsherStore *store, const char *id, GError **error)
{
	UsherStoreEngine *engine = engine_of(store);
	UsherStoreSession *session = find_session(engine, id, error);
	if (session == NULL)
		return false;
	int64_t before = engine->revision;
	bool is_done = false;
	if (!engine->ops->end_session(engine, id, &is_done, error))
		return false;
	session->has_ended = true;
	if (!is_done) {
		delete_rest(session);
		return true;
	}
	g_hash_table_remove(engine->sessions, id);
	if (engine->revision != before)
		usher_store_engine_tell(engine);
	return true;
}

bool usher_store_engine_may_commit(UsherStoreEngine *engine, const UsherTxn *txn, GError **error)
{
	if (!usher_txn_is_legal(txn, error))
		return false;
	const GPtrArray *writes = usher_txn_writes(txn);
	for (unsigned i = 0; i < writes->len; i++) {
		const UsherTxnWrite *write = writes->pdata[i];
		if (write->session != NULL && find_session(engine, write->session, error) == NULL) {
			g_prefix_error(error, "key '%s': ", write->key);
			return false;
		}
	}
	return true;
}

bool usher_store_compare_holds(const UsherTxnCompare *compare, int64_t revision, GError **error)
{
	if (compare->revision == revision)
		return true;
	if (revision == 0)
		usher_error_set(
			error, USHER_ERROR_CONFLICT, "key '%s' does not exist", compare->key);
	else if (compare->revision == 0)
		usher_error_set(
			error, USHER_ERROR_CONFLICT, "key '%s' exists already", compare->key);
	else
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"key '%s' has revision %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT,
			compare->key, revision, compare->revision);
	return false;
}

bool usher_store_engine_may_resume(const UsherStoreEngine *engine, int64_t since, GError **error)
{
	if (since >= engine->compacted && since <= engine->revision)
		return true;
	usher_error_set(error, USHER_ERROR_CONFLICT,
		"changes after revision %" G_GINT64_FORMAT
		" are not known, only after %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
		": read everything again",
		since, engine->compacted, engine->revision);
	return false;
}

bool usher_store_engine_may_compact(
	const UsherStoreEngine *engine, int64_t revision, GError **error)
{
	if (revision <= engine->revision)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID,
		"the log cannot be forgotten up to revision %" G_GINT64_FORMAT
		": the newest is %" G_GINT64_FORMAT,
		revision, engine->revision);
	return false;
}

int64_t usher_store_engine_log_end(const UsherStoreEngine *engine, int64_t revision)
{
	int64_t kept = revision - engine->compacted;
	return kept >= USHER_STORE_LOG_KEEP + USHER_STORE_LOG_SLACK
		? revision - USHER_STORE_LOG_KEEP
		: 0;
}

bool usher_store_page_is_full(const GPtrArray *items, size_t limit, int64_t revision)
{
	if (limit == 0 || items->len < limit)
		return false;
	return ((const UsherStoreItem *) items->pdata[items->len - 1])->revision != revision;
}

UsherStoreItem *usher_store_item_new(
	const char *key, const char *value, int64_t revision, const char *session)
{
	UsherStoreItem *item = g_new0(UsherStoreItem, 1);
	item->key = g_strdup(key);
	item->value = g_strdup(value);
	item->revision = revision;
	item->session = g_strdup(session);
	return item;
}

void usher_store_raise_no_key(const char *key, GError **error)
{
	usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no '%s'", key);
}
