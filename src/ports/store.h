/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The store: versioned keys, compare-and-swap transactions, a log of changes to resume from, and
 * sessions. The limits are etcd's and bind every engine. Main thread; calls are quick.
 */
#include "core/txn.h"

typedef struct UsherStore UsherStore;
/* The revision has advanced: read the changes. Called from the main loop or right after commit. */
typedef void (*UsherStoreAdvanced)(void *data);

typedef struct UsherStoreOps {
	const char *name;
	/* The newest revision; 0: nothing was ever written. */
	int64_t (*revision)(UsherStore *store);
	/* NOT_FOUND without message details when there is no such key. */
	UsherStoreItem *(*get)(UsherStore *store, const char *key, GError **error);
	/* Items whose key begins with prefix and is greater than after (NULL: from the first), sorted by
	 * key, at most limit (0: all). */
	GPtrArray *(*list)(UsherStore *store, const char *prefix, const char *after, size_t limit,
		GError **error);
	/* CONFLICT naming the key whose compare failed; INVALID: over a limit, or a key written twice;
	 * UNAVAILABLE: the disk. An error means that nothing was written. */
	bool (*commit)(
		UsherStore *store, const UsherTxn *txn, int64_t *out_revision, GError **error);
	/* Changes after revision since, oldest first, at most limit, of keys that begin with prefix;
	 * within one transaction sorted by key. CONFLICT: the log before since is compacted away: read
	 * everything again. A transaction is never split: limit may be exceeded by its rest. */
	GPtrArray *(*changes)(
		UsherStore *store, const char *prefix, int64_t since, size_t limit, GError **error);
	/* Forgets the log up to and including revision. */
	bool (*compact)(UsherStore *store, int64_t revision, GError **error);
	/* A key with a time to live: the id. Its keys are deleted, in one transaction, ttl_us after the
	 * last renewal. */
	char *(*session_open)(UsherStore *store, int64_t ttl_us, GError **error);
	bool (*session_renew)(
		UsherStore *store, const char *session, GError **error); /* NOT_FOUND: ended */
	bool (*session_close)(UsherStore *store, const char *session, GError **error);
	/* Several listeners; the id is never 0. */
	unsigned (*listen)(UsherStore *store, UsherStoreAdvanced func, void *data);
	void (*unlisten)(UsherStore *store, unsigned id);
	void (*free)(UsherStore *store);
} UsherStoreOps;

struct UsherStore {
	const UsherStoreOps *ops;
};
