/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What every engine of the store shares: listeners, sessions with their time to live, and the
 * checks that do not depend on where keys are kept. An engine's struct begins with
 * UsherStoreEngine. Main thread, like the port.
 *
 * A transaction that changes nothing (only compares, deletes of keys that do not exist) succeeds
 * and does not advance the revision.
 */
#include "ports/clock.h"
#include "ports/store.h"

/* The log keeps at least so many revisions; it is cut when it has grown by the slack. */
#define USHER_STORE_LOG_KEEP  10000
#define USHER_STORE_LOG_SLACK 100

typedef struct UsherStoreEngine UsherStoreEngine;

/* What sessions need of an engine; each is one transaction. */
typedef struct UsherStoreEngineOps {
	/* The session and its time to live survive a restart, where the engine does. */
	bool (*keep_session)(
		UsherStoreEngine *engine, const char *session, int64_t ttl_us, GError **error);
	/* Forgets the session and deletes its keys, as many as fit; *out_is_done when none is left. */
	bool (*end_session)(
		UsherStoreEngine *engine, const char *session, bool *out_is_done, GError **error);
} UsherStoreEngineOps;

struct UsherStoreEngine {
	UsherStore store;
	const UsherStoreEngineOps *ops;
	UsherClock *clock;
	int64_t revision;     /* the newest */
	int64_t compacted;    /* the log up to this one is forgotten */
	GHashTable *sessions; /* id → UsherStoreSession */
	GArray *listeners;    /* of UsherStoreListener */
	unsigned last_listener;
};

void usher_store_engine_init(UsherStoreEngine *engine, const UsherStoreOps *store_ops,
	const UsherStoreEngineOps *ops, UsherClock *clock);
void usher_store_engine_clear(UsherStoreEngine *engine);

/* The ops that are the same everywhere. */
int64_t usher_store_engine_revision(UsherStore *store);
char *usher_store_engine_session_open(UsherStore *store, int64_t ttl_us, GError **error);
bool usher_store_engine_session_renew(UsherStore *store, const char *session, GError **error);
bool usher_store_engine_session_close(UsherStore *store, const char *session, GError **error);
unsigned usher_store_engine_listen(UsherStore *store, UsherStoreAdvanced func, void *data);
void usher_store_engine_unlisten(UsherStore *store, unsigned id);

/* A session from before the restart: it has its whole time to live again. With ttl_us 0 it had
 * ended and the rest of its keys goes as soon as the loop runs. */
void usher_store_engine_adopt_session(
	UsherStoreEngine *engine, const char *session, int64_t ttl_us);
/* Calls the listeners; they may do anything but free the store. */
void usher_store_engine_tell(UsherStoreEngine *engine);

/* Everything about the transaction that can be said without its keys: INVALID, NOT_FOUND. */
bool usher_store_engine_may_commit(UsherStoreEngine *engine, const UsherTxn *txn, GError **error);
/* The key has this revision, 0: it does not exist. CONFLICT. */
bool usher_store_compare_holds(const UsherTxnCompare *compare, int64_t revision, GError **error);
/* Changes after since can be told: CONFLICT. */
bool usher_store_engine_may_resume(const UsherStoreEngine *engine, int64_t since, GError **error);
bool usher_store_engine_may_compact(
	const UsherStoreEngine *engine, int64_t revision, GError **error);
/* Up to where the log is to be cut after this revision is written; 0: not now. */
int64_t usher_store_engine_log_end(const UsherStoreEngine *engine, int64_t revision);
/* No change of that revision is to be added any more: there are limit, and none of a split one. */
bool usher_store_page_is_full(const GPtrArray *items, size_t limit, int64_t revision);
UsherStoreItem *usher_store_item_new(
	const char *key, const char *value, int64_t revision, const char *session);
/* NOT_FOUND of get. */
void usher_store_raise_no_key(const char *key, GError **error);
