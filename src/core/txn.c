/* SPDX-License-Identifier: Apache-2.0 */
#include "core/txn.h"

#include <string.h>

#include "base/error.h"

struct UsherTxn {
	GPtrArray *compares; /* of UsherTxnCompare */
	GPtrArray *writes;   /* of UsherTxnWrite */
};

void usher_store_item_free(UsherStoreItem *item)
{
	if (item == NULL)
		return;
	g_free(item->key);
	g_free(item->value);
	g_free(item->session);
	g_free(item);
}

static void free_compare(void *data)
{
	UsherTxnCompare *compare = data;
	g_free(compare->key);
	g_free(compare);
}

static void free_write(void *data)
{
	UsherTxnWrite *write = data;
	g_free(write->key);
	g_free(write->value);
	g_free(write->session);
	g_free(write);
}

UsherTxn *usher_txn_new(void)
{
	UsherTxn *txn = g_new0(UsherTxn, 1);
	txn->compares = g_ptr_array_new_with_free_func(free_compare);
	txn->writes = g_ptr_array_new_with_free_func(free_write);
	return txn;
}

void usher_txn_free(UsherTxn *txn)
{
	if (txn == NULL)
		return;
	g_ptr_array_unref(txn->compares);
	g_ptr_array_unref(txn->writes);
	g_free(txn);
}

void usher_txn_expect(UsherTxn *txn, const char *key, int64_t revision)
{
	UsherTxnCompare *compare = g_new0(UsherTxnCompare, 1);
	compare->key = g_strdup(key);
	compare->revision = revision;
	unsigned at = txn->compares->len;
	while (at > 0 &&
		strcmp(((const UsherTxnCompare *) txn->compares->pdata[at - 1])->key, key) > 0)
		at--;
	g_ptr_array_insert(txn->compares, (int) at, compare);
}

static void add_write(UsherTxn *txn, const char *key, const char *value, const char *session)
{
	UsherTxnWrite *write = g_new0(UsherTxnWrite, 1);
	write->key = g_strdup(key);
	write->value = g_strdup(value);
	write->session = g_strdup(session);
	/* From the end: callers mostly write in order. */
	unsigned at = txn->writes->len;
	while (at > 0 && strcmp(((const UsherTxnWrite *) txn->writes->pdata[at - 1])->key, key) > 0)
		at--;
	g_ptr_array_insert(txn->writes, (int) at, write);
}

void usher_txn_put(UsherTxn *txn, const char *key, const char *value)
{
	g_assert(value != NULL);
	add_write(txn, key, value, NULL);
}

void usher_txn_put_for_session(
	UsherTxn *txn, const char *key, const char *value, const char *session)
{
	g_assert(value != NULL && session != NULL);
	add_write(txn, key, value, session);
}

void usher_txn_delete(UsherTxn *txn, const char *key)
{
	add_write(txn, key, NULL, NULL);
}

const GPtrArray *usher_txn_compares(const UsherTxn *txn)
{
	return txn->compares;
}

const GPtrArray *usher_txn_writes(const UsherTxn *txn)
{
	return txn->writes;
}

static bool key_is_legal(const char *key, GError **error)
{
	size_t length = strlen(key);
	if (length > 0 && length <= USHER_STORE_MAX_KEY && g_utf8_validate(key, -1, NULL))
		return true;
	usher_error_set(error, USHER_ERROR_INVALID,
		"a key of %zu bytes: 1 to %d bytes of UTF-8 are allowed", length,
		USHER_STORE_MAX_KEY);
	return false;
}

static bool write_is_legal(const UsherTxnWrite *write, GHashTable *seen, GError **error)
{
	if (!key_is_legal(write->key, error))
		return false;
	if (!g_hash_table_add(seen, write->key)) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"key '%s' is written twice in one transaction", write->key);
		return false;
	}
	size_t length = write->value != NULL ? strlen(write->value) : 0;
	if (length <= USHER_STORE_MAX_VALUE)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID,
		"the value of '%s' has %zu bytes: at most %zu are allowed", write->key, length,
		USHER_STORE_MAX_VALUE);
	return false;
}

bool usher_txn_is_legal(const UsherTxn *txn, GError **error)
{
	g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
	for (unsigned i = 0; i < txn->writes->len; i++) {
		if (!write_is_legal(txn->writes->pdata[i], keys, error))
			return false;
	}
	for (unsigned i = 0; i < txn->compares->len; i++) {
		const UsherTxnCompare *compare = txn->compares->pdata[i];
		if (!key_is_legal(compare->key, error))
			return false;
		(void) g_hash_table_add(keys, compare->key);
	}
	if (g_hash_table_size(keys) <= USHER_STORE_MAX_TXN_KEYS)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID,
		"a transaction of %u keys: at most %d are allowed", g_hash_table_size(keys),
		USHER_STORE_MAX_TXN_KEYS);
	return false;
}
