/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-writer --write FILE N | --check FILE ACKNOWLEDGED
 *
 * Writes N transactions of several keys into a store and says the number of each when it is
 * acknowledged, so that somebody outside knows what must be there after the power was cut
 * (tests/vm/durability). The check: each transaction is there as a whole or not at all, they are
 * there in order, those that were acknowledged are, and of the others at most one: that which was
 * on its way.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "host/clock.h"
#include "store/sqlite.h"

/* Keys that each transaction makes, beside the one that all of them change. */
#define PARTS 6U
/* So that one does not fit into a page. */
#define PART_BYTES 900

static char *key_of(uint32_t number, unsigned part)
{
	return g_strdup_printf("part/%06u/%u", number, part);
}

static char *value_of(uint32_t number, unsigned part)
{
	return g_strnfill(PART_BYTES, (char) ('a' + (number + part) % 26));
}

/* The number of the last one, 0: none. */
static bool read_last(UsherStore *store, uint32_t *out_last, int64_t *out_revision, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(UsherStoreItem) item = store->ops->get(store, "last", &problem);
	*out_last = 0;
	*out_revision = 0;
	if (item == NULL && usher_error_code(problem) == USHER_ERROR_NOT_FOUND)
		return true;
	if (item == NULL) {
		g_propagate_error(error, g_steal_pointer(&problem));
		return false;
	}
	*out_revision = item->revision;
	return usher_text_parse_u32(item->value, UINT32_MAX, out_last, error);
}

static bool write_one(UsherStore *store, uint32_t number, int64_t *revision, GError **error)
{
	g_autoptr(UsherTxn) txn = usher_txn_new();
	g_autofree char *text = g_strdup_printf("%u", number);
	usher_txn_expect(txn, "last", *revision);
	usher_txn_put(txn, "last", text);
	for (unsigned part = 0; part < PARTS; part++) {
		g_autofree char *key = key_of(number, part), *value = value_of(number, part);
		usher_txn_put(txn, key, value);
	}
	return store->ops->commit(store, txn, revision, error);
}

static bool write_all(UsherStore *store, uint32_t n, GError **error)
{
	uint32_t last;
	int64_t revision;
	if (!read_last(store, &last, &revision, error))
		return false;
	for (uint32_t i = last + 1; i <= last + n; i++) {
		if (!write_one(store, i, &revision, error))
			return false;
		printf("%u\n", i);
		(void) fflush(stdout);
	}
	return true;
}

/* How many of the transaction's keys are there, as they were written. */
static unsigned count_parts(UsherStore *store, uint32_t number)
{
	unsigned n = 0;
	for (unsigned part = 0; part < PARTS; part++) {
		g_autofree char *key = key_of(number, part), *value = value_of(number, part);
		g_autoptr(UsherStoreItem) item = store->ops->get(store, key, NULL);
		n += item != NULL && strcmp(item->value, value) == 0;
	}
	return n;
}

/* A revision each, since nothing else is written. */
static bool check_all(UsherStore *store, uint32_t acknowledged, GError **error)
{
	uint32_t last;
	int64_t revision;
	if (!read_last(store, &last, &revision, error))
		return false;
	g_autoptr(GPtrArray) items = store->ops->list(store, "part/", NULL, 0, error);
	if (items == NULL)
		return false;
	if (items->len != last * PARTS)
		usher_error_set(error, USHER_ERROR_INTERNAL,
			"%u transactions of %u keys, and there are %u", last, PARTS, items->len);
	else if (revision != last || store->ops->revision(store) != last)
		usher_error_set(error, USHER_ERROR_INTERNAL,
			"%u transactions, and the revision is %" G_GINT64_FORMAT, last, revision);
	else if (last < acknowledged || last > acknowledged + 1)
		usher_error_set(error, USHER_ERROR_INTERNAL,
			"%u were acknowledged, and %u are there", acknowledged, last);
	for (uint32_t i = 1; i <= last && *error == NULL; i++) {
		unsigned n = count_parts(store, i);
		if (n != PARTS)
			usher_error_set(error, USHER_ERROR_INTERNAL, "%u of %u keys of number %u",
				n, PARTS, i);
	}
	if (*error == NULL)
		printf("%u acknowledged, %u there\n", acknowledged, last);
	return *error == NULL;
}

int main(int argc, char **argv)
{
	uint32_t number;
	bool is_write = argc == 4 && strcmp(argv[1], "--write") == 0;
	if ((!is_write && (argc != 4 || strcmp(argv[1], "--check") != 0)) ||
		!usher_text_parse_u32(argv[3], 1000000, &number, NULL)) {
		(void) fprintf(
			stderr, "usage: store-writer --write FILE N | --check FILE ACKNOWLEDGED\n");
		return 2;
	}
	g_autoptr(GError) error = NULL;
	UsherClock *clock = usher_clock_real_new();
	UsherStore *store = usher_store_sqlite_open(argv[2], clock, &error);
	bool is_good = store != NULL &&
		(is_write ? write_all(store, number, &error) : check_all(store, number, &error));
	if (!is_good)
		(void) fprintf(stderr, "store-writer: %s\n", error->message);
	if (store != NULL)
		store->ops->free(store);
	usher_clock_real_free(clock);
	return is_good ? 0 : 1;
}
