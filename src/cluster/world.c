/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/world.h"

#include <string.h>

#include "base/error.h"

#define REFRESH_AT_ONCE 1000

struct UsherWorld {
	UsherStore *store;
	int64_t revision;
	GTree *tables[USHER_N_TABLES]; /* name → UsherEntry */
};

typedef struct UsherEntry {
	UsherWorldTable table;
	int64_t revision;
	void *record;
} UsherEntry;

/* Names carry the tenant's scope; there is one tenant, the provider. */
typedef struct UsherWorldRow {
	const char *prefix;
	const UsherRecordType *type;
	size_t revision; /* offset of the record's own, NONE without */
} UsherWorldRow;
#define NONE SIZE_MAX

static const UsherWorldRow rows[USHER_N_TABLES] = {
	[USHER_TABLE_GROUP] = { "group/provider/", &usher_group_type,
		offsetof(UsherGroup, revision) },
	[USHER_TABLE_RULE] = { "rule/provider/", &usher_rule_type, offsetof(UsherRule, revision) },
	[USHER_TABLE_VM] = { "vm/provider/", &usher_vm_type, offsetof(UsherVm, revision) },
	[USHER_TABLE_LEASE] = { "lease/provider/", &usher_lease_type,
		offsetof(UsherLease, revision) },
	[USHER_TABLE_OPERATION] = { "operation/provider/", &usher_operation_type,
		offsetof(UsherOperation, revision) },
	[USHER_TABLE_NODE] = { "node/", &usher_node_info_type, offsetof(UsherNodeInfo, revision) },
	[USHER_TABLE_DEVICE] = { "device/", &usher_device_type, NONE },
	[USHER_TABLE_LIVE] = { "live/", &usher_node_live_type, offsetof(UsherNodeLive, revision) },
	[USHER_TABLE_GUEST] = { "guest/", &usher_guest_info_type, NONE },
	[USHER_TABLE_LEDGER] = { "ledger/", &usher_ledger_type, offsetof(UsherLedger, revision) },
	[USHER_TABLE_ACTIVE] = { "active/provider/", &usher_active_type,
		offsetof(UsherActive, revision) },
};

static void entry_free(void *data)
{
	UsherEntry *entry = data;
	rows[entry->table].type->free(entry->record);
	g_free(entry);
}

const UsherRecordType *usher_world_type(UsherWorldTable table)
{
	g_assert(table < USHER_N_TABLES);
	return rows[table].type;
}

const char *usher_world_prefix(UsherWorldTable table)
{
	g_assert(table < USHER_N_TABLES);
	return rows[table].prefix;
}

static int compare_names(const void *one, const void *other, void *data)
{
	(void) data;
	return strcmp(one, other);
}

bool usher_world_split_key(const char *key, UsherWorldTable *out_table, const char **out_name)
{
	for (unsigned i = 0; i < USHER_N_TABLES; i++) {
		if (!g_str_has_prefix(key, rows[i].prefix))
			continue;
		*out_table = (UsherWorldTable) i;
		*out_name = key + strlen(rows[i].prefix);
		return true;
	}
	return false;
}

void *usher_world_parse(UsherWorldTable table, const UsherStoreItem *item, GError **error)
{
	void *record = usher_record_parse(rows[table].type, item->value, error);
	if (record == NULL) {
		g_prefix_error(error, "stored key '%s': ", item->key);
		return NULL;
	}
	if (rows[table].revision != NONE)
		*(int64_t *) (void *) ((char *) record + rows[table].revision) = item->revision;
	return record;
}

static bool absorb(UsherWorld *world, const UsherStoreItem *item, GError **error)
{
	UsherWorldTable table;
	const char *name;
	if (!usher_world_split_key(item->key, &table, &name))
		return true;
	if (item->value == NULL) {
		g_tree_remove(world->tables[table], name);
		return true;
	}
	void *record = usher_world_parse(table, item, error);
	if (record == NULL)
		return false;
	UsherEntry *entry = g_new0(UsherEntry, 1);
	*entry = (UsherEntry){ table, item->revision, record };
	g_tree_replace(world->tables[table], g_strdup(name), entry);
	return true;
}

static bool load(UsherWorld *world, GError **error)
{
	world->revision = world->store->ops->revision(world->store);
	for (unsigned i = 0; i < USHER_N_TABLES; i++) {
		g_clear_pointer(&world->tables[i], g_tree_unref);
		world->tables[i] = g_tree_new_full(compare_names, NULL, g_free, entry_free);
		g_autoptr(GPtrArray) items =
			world->store->ops->list(world->store, rows[i].prefix, NULL, 0, error);
		if (items == NULL)
			return false;
		for (unsigned j = 0; j < items->len; j++) {
			if (!absorb(world, items->pdata[j], error))
				return false;
		}
	}
	return true;
}

UsherWorld *usher_world_new(UsherStore *store, GError **error)
{
	UsherWorld *world = g_new0(UsherWorld, 1);
	world->store = store;
	if (load(world, error))
		return world;
	usher_world_free(world);
	return NULL;
}

void usher_world_free(UsherWorld *world)
{
	if (world == NULL)
		return;
	for (unsigned i = 0; i < USHER_N_TABLES; i++)
		g_clear_pointer(&world->tables[i], g_tree_unref);
	g_free(world);
}

bool usher_world_refresh(UsherWorld *world, GError **error)
{
	while (world->revision < world->store->ops->revision(world->store)) {
		g_autoptr(GError) problem = NULL;
		g_autoptr(GPtrArray) changes = world->store->ops->changes(
			world->store, "", world->revision, REFRESH_AT_ONCE, &problem);
		if (changes == NULL && usher_error_code(problem) == USHER_ERROR_CONFLICT)
			return load(world, error);
		if (changes == NULL) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		if (changes->len == 0)
			break;
		for (unsigned i = 0; i < changes->len; i++) {
			const UsherStoreItem *item = changes->pdata[i];
			if (!absorb(world, item, error))
				return false;
			world->revision = item->revision;
		}
	}
	return true;
}

int64_t usher_world_revision(const UsherWorld *world)
{
	return world->revision;
}

const void *usher_world_get(const UsherWorld *world, UsherWorldTable table, const char *name)
{
	const UsherEntry *entry = g_tree_lookup(world->tables[table], name);
	return entry != NULL ? entry->record : NULL;
}

int64_t usher_world_revision_of(const UsherWorld *world, UsherWorldTable table, const char *name)
{
	const UsherEntry *entry = g_tree_lookup(world->tables[table], name);
	return entry != NULL ? entry->revision : 0;
}

void usher_world_foreach_after(const UsherWorld *world, UsherWorldTable table, const char *after,
	UsherWorldFunc func, void *data)
{
	GTree *tree = world->tables[table];
	GTreeNode *node = after == NULL ? g_tree_node_first(tree) : g_tree_upper_bound(tree, after);
	for (; node != NULL; node = g_tree_node_next(node)) {
		const UsherEntry *entry = g_tree_node_value(node);
		if (!func(g_tree_node_key(node), entry->record, data))
			return;
	}
}

GPtrArray *usher_world_list(const UsherWorld *world, UsherWorldTable table, const char *prefix)
{
	GPtrArray *records = g_ptr_array_new();
	GTreeNode *node = g_tree_lower_bound(world->tables[table], prefix);
	for (; node != NULL && g_str_has_prefix(g_tree_node_key(node), prefix);
		node = g_tree_node_next(node)) {
		const UsherEntry *entry = g_tree_node_value(node);
		g_ptr_array_add(records, entry->record);
	}
	return records;
}

static char *stage(const UsherWorld *world, UsherTxn *txn, UsherWorldTable table, const char *name)
{
	char *key = g_strconcat(rows[table].prefix, name, NULL);
	usher_txn_expect(txn, key, usher_world_revision_of(world, table, name));
	return key;
}

void usher_world_put(const UsherWorld *world, UsherTxn *txn, UsherWorldTable table,
	const char *name, const void *record)
{
	g_autofree char *key = stage(world, txn, table, name);
	g_autofree char *text = usher_record_print(rows[table].type, record);
	usher_txn_put(txn, key, text);
}

void usher_world_put_for_session(const UsherWorld *world, UsherTxn *txn, UsherWorldTable table,
	const char *name, const void *record, const char *session)
{
	g_autofree char *key = stage(world, txn, table, name);
	g_autofree char *text = usher_record_print(rows[table].type, record);
	usher_txn_put_for_session(txn, key, text, session);
}

void usher_world_delete(
	const UsherWorld *world, UsherTxn *txn, UsherWorldTable table, const char *name)
{
	g_autofree char *key = stage(world, txn, table, name);
	usher_txn_delete(txn, key);
}

void usher_world_rely_on(
	const UsherWorld *world, UsherTxn *txn, UsherWorldTable table, const char *name)
{
	g_free(stage(world, txn, table, name));
}

bool usher_world_commit(UsherWorld *world, UsherTxn *txn, GError **error)
{
	int64_t revision;
	return world->store->ops->commit(world->store, txn, &revision, error) &&
		usher_world_refresh(world, error);
}
