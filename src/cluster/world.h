/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The world: a mirror in memory of the store's records, brought up to date before each decision,
 * and the staging of changes to them. Private to cluster/.
 */
#include "core/node.h"
#include "core/ledger.h"
#include "core/operation.h"
#include "core/guest-info.h"
#include "core/vm.h"
#include "ports/store.h"

typedef enum {
	USHER_TABLE_GROUP,
	USHER_TABLE_RULE,
	USHER_TABLE_VM,
	USHER_TABLE_LEASE,
	USHER_TABLE_OPERATION,
	USHER_TABLE_NODE,
	USHER_TABLE_DEVICE, /* NODE/ID */
	USHER_TABLE_LIVE,   /* NODE; goes with its session */
	USHER_TABLE_GUEST,  /* NODE/UUID */
	USHER_TABLE_LEDGER, /* NODE/UNIT */
	USHER_TABLE_ACTIVE, /* KIND/NAME: the operation it has under way */
	USHER_N_TABLES,
} UsherWorldTable;

/* Events are written, never mirrored. */
#define USHER_EVENT_PREFIX "event/provider/"

typedef struct UsherWorld UsherWorld;
UsherWorld *usher_world_new(UsherStore *store, GError **error);
void usher_world_free(UsherWorld *world);

/* Reads what the store has that the mirror lacks. Records given before are gone then. */
bool usher_world_refresh(UsherWorld *world, GError **error);
int64_t usher_world_revision(const UsherWorld *world);

/* Borrowed until the next refresh or commit; NULL: there is none. */
const void *usher_world_get(const UsherWorld *world, UsherWorldTable table, const char *name);
/* All records whose name begins with prefix, sorted by name. Borrowed likewise. */
GPtrArray *usher_world_list(const UsherWorld *world, UsherWorldTable table, const char *prefix);
/* Names and records beyond a name, in order, until func says false. */
typedef bool (*UsherWorldFunc)(const char *name, const void *record, void *data);
void usher_world_foreach_after(const UsherWorld *world, UsherWorldTable table, const char *after,
	UsherWorldFunc func, void *data);

/* The revision the mirror has of it; 0: there is none. */
int64_t usher_world_revision_of(const UsherWorld *world, UsherWorldTable table, const char *name);

/* Stages record under name: the store must still have what the mirror has. */
void usher_world_put(const UsherWorld *world, UsherTxn *txn, UsherWorldTable table,
	const char *name, const void *record);
void usher_world_put_for_session(const UsherWorld *world, UsherTxn *txn, UsherWorldTable table,
	const char *name, const void *record, const char *session);
void usher_world_delete(
	const UsherWorld *world, UsherTxn *txn, UsherWorldTable table, const char *name);
/* Stages nothing, but the store must still have what the mirror has. */
void usher_world_rely_on(
	const UsherWorld *world, UsherTxn *txn, UsherWorldTable table, const char *name);
/* Commits, then refreshes. CONFLICT: something changed meanwhile, decide again. */
bool usher_world_commit(UsherWorld *world, UsherTxn *txn, GError **error);

/* The table a key is of and the name in it; false: of no table. *out_name points into key. */
bool usher_world_split_key(const char *key, UsherWorldTable *out_table, const char **out_name);
const UsherRecordType *usher_world_type(UsherWorldTable table);
const char *usher_world_prefix(UsherWorldTable table);
/* Parses a stored record; one with a revision in its JSON is given the store's. */
void *usher_world_parse(UsherWorldTable table, const UsherStoreItem *item, GError **error);
