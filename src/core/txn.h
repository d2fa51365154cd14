/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is written to a store and read from it (ports/store.h), and the limits. Values. */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USHER_STORE_MAX_TXN_KEYS 100
#define USHER_STORE_MAX_VALUE    ((size_t) 256 * 1024)
#define USHER_STORE_MAX_KEY      512

typedef struct UsherStoreItem {
	char *key;
	char *value;      /* text; NULL in a change: the key was deleted */
	int64_t revision; /* of the transaction that wrote it */
	char *session;    /* it is deleted when that session ends, NULL: it stays */
} UsherStoreItem;
void usher_store_item_free(UsherStoreItem *item);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherStoreItem, usher_store_item_free)

/* A transaction: all compares hold and all writes are made, or nothing is. */
typedef struct UsherTxn UsherTxn;
UsherTxn *usher_txn_new(void);
void usher_txn_free(UsherTxn *txn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherTxn, usher_txn_free)
/* revision 0: the key must not exist. */
void usher_txn_expect(UsherTxn *txn, const char *key, int64_t revision);
void usher_txn_put(UsherTxn *txn, const char *key, const char *value);
/* The key goes when the session ends; a session that is no more is NOT_FOUND at commit. */
void usher_txn_put_for_session(
	UsherTxn *txn, const char *key, const char *value, const char *session);
void usher_txn_delete(UsherTxn *txn, const char *key);

/* What an engine reads of a transaction; sorted by key. */
typedef struct UsherTxnCompare {
	char *key;
	int64_t revision;
} UsherTxnCompare;
typedef struct UsherTxnWrite {
	char *key;
	char *value; /* NULL: delete */
	char *session;
} UsherTxnWrite;
const GPtrArray *usher_txn_compares(const UsherTxn *txn);
const GPtrArray *usher_txn_writes(const UsherTxn *txn);
/* The limits, and no key twice; every engine calls it first. */
bool usher_txn_is_legal(const UsherTxn *txn, GError **error);
