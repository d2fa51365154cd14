/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory.h"

#include <string.h>

#include "base/error.h"
#include "store/engine.h"

typedef struct UsherStoreMemory {
	UsherStoreEngine engine;
	GTree *items;   /* key → UsherStoreItem, which owns the key */
	GPtrArray *log; /* of UsherStoreItem, by revision and key */
} UsherStoreMemory;

static UsherStoreMemory *memory_of(UsherStore *store)
{
	return (UsherStoreMemory *) store;
}

static int compare_keys(const void *one, const void *other, void *data)
{
	(void) data;
	return strcmp(one, other);
}

static void free_item(void *item)
{
	usher_store_item_free(item);
}

static UsherStoreItem *item_dup(const UsherStoreItem *item)
{
	return usher_store_item_new(item->key, item->value, item->revision, item->session);
}

static UsherStoreItem *memory_get(UsherStore *store, const char *key, GError **error)
{
	const UsherStoreItem *item = g_tree_lookup(memory_of(store)->items, key);
	if (item != NULL)
		return item_dup(item);
	usher_store_raise_no_key(key, error);
	return NULL;
}

static GPtrArray *memory_list(
	UsherStore *store, const char *prefix, const char *after, size_t limit, GError **error)
{
	(void) error;
	GTree *tree = memory_of(store)->items;
	GPtrArray *items = g_ptr_array_new_with_free_func(free_item);
	bool is_after = after != NULL && strcmp(after, prefix) >= 0;
	GTreeNode *at =
		is_after ? g_tree_upper_bound(tree, after) : g_tree_lower_bound(tree, prefix);
	for (; at != NULL && (limit == 0 || items->len < limit); at = g_tree_node_next(at)) {
		const UsherStoreItem *item = g_tree_node_value(at);
		if (!g_str_has_prefix(item->key, prefix))
			break;
		g_ptr_array_add(items, item_dup(item));
	}
	return items;
}

static void cut_log(UsherStoreMemory *memory, int64_t revision)
{
	unsigned n = 0;
	while (n < memory->log->len &&
		((const UsherStoreItem *) memory->log->pdata[n])->revision <= revision)
		n++;
	if (n > 0)
		g_ptr_array_remove_range(memory->log, 0, n);
	memory->engine.compacted = MAX(memory->engine.compacted, revision);
}

/* Makes the write part of that revision; false when it changes nothing. */
static bool write_one(UsherStoreMemory *memory, const UsherTxnWrite *write, int64_t revision)
{
	if (write->value != NULL) {
		UsherStoreItem *item =
			usher_store_item_new(write->key, write->value, revision, write->session);
		g_tree_replace(memory->items, item->key, item);
	} else if (!g_tree_remove(memory->items, write->key)) {
		return false;
	}
	g_ptr_array_add(memory->log,
		usher_store_item_new(write->key, write->value, revision, write->session));
	return true;
}

/* The revision that was made is the newest now. */
static void finish_revision(UsherStoreMemory *memory, int64_t revision)
{
	memory->engine.revision = revision;
	int64_t log_end = usher_store_engine_log_end(&memory->engine, revision);
	if (log_end > 0)
		cut_log(memory, log_end);
}

static bool compares_hold(UsherStoreMemory *memory, const UsherTxn *txn, GError **error)
{
	const GPtrArray *compares = usher_txn_compares(txn);
	for (unsigned i = 0; i < compares->len; i++) {
		const UsherTxnCompare *compare = compares->pdata[i];
		const UsherStoreItem *item = g_tree_lookup(memory->items, compare->key);
		if (!usher_store_compare_holds(compare, item != NULL ? item->revision : 0, error))
			return false;
	}
	return true;
}

static bool memory_commit(
	UsherStore *store, const UsherTxn *txn, int64_t *out_revision, GError **error)
{
	UsherStoreMemory *memory = memory_of(store);
	if (!usher_store_engine_may_commit(&memory->engine, txn, error) ||
		!compares_hold(memory, txn, error))
		return false;
	const GPtrArray *writes = usher_txn_writes(txn);
	int64_t revision = memory->engine.revision + 1;
	bool has_changed = false;
	for (unsigned i = 0; i < writes->len; i++)
		has_changed |= write_one(memory, writes->pdata[i], revision);
	if (has_changed)
		finish_revision(memory, revision);
	if (out_revision != NULL)
		*out_revision = memory->engine.revision;
	if (has_changed)
		usher_store_engine_tell(&memory->engine);
	return true;
}

/* Index of the first change after the revision. */
static unsigned find_change(const GPtrArray *log, int64_t since)
{
	unsigned low = 0, high = log->len;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (((const UsherStoreItem *) log->pdata[middle])->revision <= since)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static GPtrArray *memory_changes(
	UsherStore *store, const char *prefix, int64_t since, size_t limit, GError **error)
{
	UsherStoreMemory *memory = memory_of(store);
	if (!usher_store_engine_may_resume(&memory->engine, since, error))
		return NULL;
	GPtrArray *changes = g_ptr_array_new_with_free_func(free_item);
	for (unsigned i = find_change(memory->log, since); i < memory->log->len; i++) {
		const UsherStoreItem *item = memory->log->pdata[i];
		if (!g_str_has_prefix(item->key, prefix))
			continue;
		if (usher_store_page_is_full(changes, limit, item->revision))
			break;
		g_ptr_array_add(changes, item_dup(item));
	}
	return changes;
}

static bool memory_compact(UsherStore *store, int64_t revision, GError **error)
{
	UsherStoreMemory *memory = memory_of(store);
	if (!usher_store_engine_may_compact(&memory->engine, revision, error))
		return false;
	cut_log(memory, revision);
	return true;
}

static bool keep_session(
	UsherStoreEngine *engine, const char *session, int64_t ttl_us, GError **error)
{
	(void) engine, (void) session, (void) ttl_us, (void) error;
	return true;
}

static bool end_session(
	UsherStoreEngine *engine, const char *session, bool *out_is_done, GError **error)
{
	(void) error;
	UsherStoreMemory *memory = memory_of(&engine->store);
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	GTreeNode *at = g_tree_node_first(memory->items);
	for (; at != NULL && keys->len < USHER_STORE_MAX_TXN_KEYS; at = g_tree_node_next(at)) {
		const UsherStoreItem *item = g_tree_node_value(at);
		if (g_strcmp0(item->session, session) == 0)
			g_ptr_array_add(keys, g_strdup(item->key));
	}
	int64_t revision = engine->revision + 1;
	for (unsigned i = 0; i < keys->len; i++) {
		const UsherTxnWrite gone = { .key = keys->pdata[i] };
		(void) write_one(memory, &gone, revision);
	}
	if (keys->len > 0)
		finish_revision(memory, revision);
	*out_is_done = keys->len < USHER_STORE_MAX_TXN_KEYS;
	return true;
}

static void memory_free(UsherStore *store)
{
	UsherStoreMemory *memory = memory_of(store);
	usher_store_engine_clear(&memory->engine);
	g_tree_unref(memory->items);
	g_ptr_array_unref(memory->log);
	g_free(memory);
}

static const UsherStoreEngineOps engine_ops = {
	.keep_session = keep_session,
	.end_session = end_session,
};

static const UsherStoreOps store_ops = {
	.name = "memory",
	.revision = usher_store_engine_revision,
	.get = memory_get,
	.list = memory_list,
	.commit = memory_commit,
	.changes = memory_changes,
	.compact = memory_compact,
	.session_open = usher_store_engine_session_open,
	.session_renew = usher_store_engine_session_renew,
	.session_close = usher_store_engine_session_close,
	.listen = usher_store_engine_listen,
	.unlisten = usher_store_engine_unlisten,
	.free = memory_free,
};

UsherStore *usher_store_memory_new(UsherClock *clock)
{
	UsherStoreMemory *memory = g_new0(UsherStoreMemory, 1);
	usher_store_engine_init(&memory->engine, &store_ops, &engine_ops, clock);
	memory->items = g_tree_new_full(compare_keys, NULL, NULL, free_item);
	memory->log = g_ptr_array_new_with_free_func(free_item);
	return &memory->engine.store;
}
