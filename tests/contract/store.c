/* SPDX-License-Identifier: Apache-2.0 */
/* What every engine of the store does, held against each of them; then what only SQLite can get
 * wrong. */
#include "ports/store.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "base/error.h"
#include "fakes/clock.h"
#include "store/memory.h"
#include "store/sqlite.h"

#define SECOND G_USEC_PER_SEC

typedef struct Fixture {
	UsherClock *clock;
	UsherStore *store;
	char *folder, *path;
	unsigned n_told;
} Fixture;

/* In memory where there is such a folder: what is tested is not the disk. */
static char *make_folder(void)
{
	bool has_shm = g_access("/dev/shm", W_OK) == 0;
	char *folder = g_build_filename(
		has_shm ? "/dev/shm" : g_get_tmp_dir(), "usher-store-XXXXXX", NULL);
	g_assert_nonnull(g_mkdtemp(folder));
	return folder;
}

static void remove_folder(const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_assert_cmpint(g_unlink(path), ==, 0);
	}
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static UsherStore *open_sqlite(const Fixture *f)
{
	g_autoptr(GError) error = NULL;
	UsherStore *store = usher_store_sqlite_open(f->path, f->clock, &error);
	g_assert_no_error(error);
	g_assert_nonnull(store);
	return store;
}

static void set_up(Fixture *f, const void *engine)
{
	f->clock = fake_clock_new(1);
	f->folder = make_folder();
	f->path = g_build_filename(f->folder, "store.db", NULL);
	f->store =
		g_str_equal(engine, "sqlite") ? open_sqlite(f) : usher_store_memory_new(f->clock);
	g_assert_cmpstr(f->store->ops->name, ==, engine);
}

static void close_store(Fixture *f)
{
	f->store->ops->free(f->store);
	f->store = NULL;
}

static void tear_down(Fixture *f, const void *engine)
{
	(void) engine;
	if (f->store != NULL)
		close_store(f);
	g_assert_cmpuint(fake_clock_pending(f->clock), ==, 0);
	fake_clock_free(f->clock);
	remove_folder(f->folder);
	g_free(f->folder);
	g_free(f->path);
}

static void assert_problem(GError **error, UsherErrorCode code, const char *part)
{
	g_assert_nonnull(*error);
	g_assert_cmpstr(
		usher_error_code_name(usher_error_code(*error)), ==, usher_error_code_name(code));
	if (strstr((*error)->message, part) == NULL)
		g_error("'%s' is not in '%s'", part, (*error)->message);
	g_clear_error(error);
}

static int64_t commit(Fixture *f, const UsherTxn *txn)
{
	g_autoptr(GError) error = NULL;
	int64_t revision = -1;
	bool is_good = f->store->ops->commit(f->store, txn, &revision, &error);
	g_assert_no_error(error);
	g_assert_true(is_good);
	g_assert_cmpint(revision, <=, f->store->ops->revision(f->store));
	return revision;
}

static int64_t put(Fixture *f, const char *key, const char *value)
{
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_put(txn, key, value);
	return commit(f, txn);
}

static int64_t delete (Fixture *f, const char *key)
{
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_delete(txn, key);
	return commit(f, txn);
}

static void refuse(Fixture *f, const UsherTxn *txn, UsherErrorCode code, const char *part)
{
	g_autoptr(GError) error = NULL;
	int64_t before = f->store->ops->revision(f->store), revision = -1;
	g_assert_false(f->store->ops->commit(f->store, txn, &revision, &error));
	assert_problem(&error, code, part);
	g_assert_cmpint(revision, ==, -1);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, before);
	g_assert_false(f->store->ops->commit(f->store, txn, NULL, NULL));
}

/* Items as "key=value@revision", deletes as "key@revision". */
static char *print_items(const GPtrArray *items)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < items->len; i++) {
		const UsherStoreItem *item = items->pdata[i];
		g_string_append_printf(text, "%s%s%s%s@%d", i > 0 ? " " : "", item->key,
			item->value != NULL ? "=" : "", item->value != NULL ? item->value : "",
			(int) item->revision);
	}
	return g_string_free(text, FALSE);
}

static void expect_list(
	Fixture *f, const char *prefix, const char *after, size_t limit, const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) items = f->store->ops->list(f->store, prefix, after, limit, &error);
	g_assert_no_error(error);
	g_autofree char *text = print_items(items);
	g_assert_cmpstr(text, ==, expected);
}

static void expect_changes(
	Fixture *f, const char *prefix, int64_t since, size_t limit, const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) items = f->store->ops->changes(f->store, prefix, since, limit, &error);
	g_assert_no_error(error);
	g_autofree char *text = print_items(items);
	g_assert_cmpstr(text, ==, expected);
}

static void expect_no_changes_known(Fixture *f, int64_t since)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(f->store->ops->changes(f->store, "", since, 0, &error));
	assert_problem(&error, USHER_ERROR_CONFLICT, "read everything again");
}

static char *open_session(Fixture *f, int64_t ttl_us)
{
	g_autoptr(GError) error = NULL;
	char *session = f->store->ops->session_open(f->store, ttl_us, &error);
	g_assert_no_error(error);
	g_assert_true(g_str_has_prefix(session, "s-"));
	return session;
}

static void put_for(Fixture *f, const char *key, const char *session)
{
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_put_for_session(txn, key, "x", session);
	(void) commit(f, txn);
}

static void count(void *data)
{
	unsigned *n = data;
	(*n)++;
}

/* ---- the body ---- */

static void test_empty(Fixture *f, const void *engine)
{
	(void) engine;
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 0);
	g_assert_null(f->store->ops->get(f->store, "nothing", &error));
	assert_problem(&error, USHER_ERROR_NOT_FOUND, "nothing");
	expect_list(f, "", NULL, 0, "");
	expect_changes(f, "", 0, 0, "");
	g_autoptr(UsherTxn) txn = usher_txn_new();
	g_assert_cmpint(commit(f, txn), ==, 0);
}

static void test_values(Fixture *f, const void *engine)
{
	(void) engine;
	static const char *const values[] = { "", "{}", "ä\"'\n\\%s;--", "0", "NULL" };
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		g_assert_cmpint(put(f, "k/é", values[i]), ==, (int64_t) i + 1);
		g_autoptr(UsherStoreItem) item = f->store->ops->get(f->store, "k/é", NULL);
		g_assert_cmpstr(item->key, ==, "k/é");
		g_assert_cmpstr(item->value, ==, values[i]);
		g_assert_cmpint(item->revision, ==, (int64_t) i + 1);
		g_assert_null(item->session);
	}
}

static void test_limits(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *longest = g_strnfill(USHER_STORE_MAX_KEY, 'k');
	g_autofree char *too_long = g_strnfill(USHER_STORE_MAX_KEY + 1, 'k');
	g_autofree char *biggest = g_strnfill(USHER_STORE_MAX_VALUE, 'v');
	g_autofree char *too_big = g_strnfill(USHER_STORE_MAX_VALUE + 1, 'v');
	(void) put(f, longest, biggest);
	g_autoptr(UsherStoreItem) item = f->store->ops->get(f->store, longest, NULL);
	g_assert_cmpstr(item->value, ==, biggest);

	const struct {
		const char *key, *value, *part;
	} rows[] = {
		{ too_long, "v", "a key of 513 bytes" },
		{ "", "v", "a key of 0 bytes" },
		{ "\xff", "v", "UTF-8" },
		{ "k", too_big, "the value of 'k' has 262145 bytes" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherTxn) txn = usher_txn_new();
		usher_txn_put(txn, "good", "1");
		usher_txn_put(txn, rows[i].key, rows[i].value);
		refuse(f, txn, USHER_ERROR_INVALID, rows[i].part);
	}
	g_assert_null(f->store->ops->get(f->store, "good", NULL));

	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_expect(txn, too_long, 0);
	refuse(f, txn, USHER_ERROR_INVALID, "a key of 513 bytes");
	g_autoptr(UsherTxn) twice = usher_txn_new();
	usher_txn_put(twice, "k", "1");
	usher_txn_delete(twice, "k");
	refuse(f, twice, USHER_ERROR_INVALID, "'k' is written twice");
}

static void test_hundred_keys(Fixture *f, const void *engine)
{
	(void) engine;
	g_autoptr(UsherTxn) txn = usher_txn_new();
	for (unsigned i = 0; i < USHER_STORE_MAX_TXN_KEYS; i++) {
		g_autofree char *key = g_strdup_printf("k%03u", USHER_STORE_MAX_TXN_KEYS - 1 - i);
		usher_txn_expect(txn, key, 0);
		usher_txn_put(txn, key, "v");
	}
	g_assert_cmpint(commit(f, txn), ==, 1);
	g_autoptr(GPtrArray) changes = f->store->ops->changes(f->store, "", 0, 1, NULL);
	g_assert_cmpuint(changes->len, ==, USHER_STORE_MAX_TXN_KEYS);
	for (unsigned i = 1; i < changes->len; i++) {
		const UsherStoreItem *one = changes->pdata[i - 1], *other = changes->pdata[i];
		g_assert_cmpstr(one->key, <, other->key);
	}
	g_autoptr(UsherTxn) more = usher_txn_new();
	for (unsigned i = 0; i <= USHER_STORE_MAX_TXN_KEYS; i++) {
		g_autofree char *key = g_strdup_printf("m%03u", i);
		if (i % 2 == 0)
			usher_txn_put(more, key, "v");
		else
			usher_txn_expect(more, key, 0);
	}
	refuse(f, more, USHER_ERROR_INVALID, "a transaction of 101 keys");
}

static void test_compare(Fixture *f, const void *engine)
{
	(void) engine;
	int64_t first = put(f, "a", "1");
	static const struct {
		const char *key;
		int64_t revision;
		const char *part;
	} rows[] = {
		{ "a", 0, "'a' exists already" },
		{ "a", 2, "'a' has revision 1, not 2" },
		{ "b", 1, "'b' does not exist" },
		{ "a", -1, "'a' has revision 1" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherTxn) txn = usher_txn_new();
		usher_txn_put(txn, "a", "2");
		usher_txn_put(txn, "other", "2");
		usher_txn_expect(txn, "other", 0);
		usher_txn_expect(txn, rows[i].key, rows[i].revision);
		refuse(f, txn, USHER_ERROR_CONFLICT, rows[i].part);
	}
	expect_list(f, "", NULL, 0, "a=1@1");
	expect_changes(f, "", 0, 0, "a=1@1");

	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_expect(txn, "a", first);
	usher_txn_expect(txn, "b", 0);
	usher_txn_put(txn, "a", "2");
	g_assert_cmpint(commit(f, txn), ==, 2);
	/* The same again is stale now. */
	refuse(f, txn, USHER_ERROR_CONFLICT, "'a' has revision 2, not 1");
	/* A key that is gone has no revision: it may be made anew. */
	(void) delete (f, "a");
	g_autoptr(UsherTxn) anew = usher_txn_new();
	usher_txn_expect(anew, "a", 0);
	usher_txn_put(anew, "a", "3");
	g_assert_cmpint(commit(f, anew), ==, 4);
}

static void test_compare_only(Fixture *f, const void *engine)
{
	(void) engine;
	(void) put(f, "a", "1");
	unsigned id = f->store->ops->listen(f->store, count, &f->n_told);
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_expect(txn, "a", 1);
	usher_txn_delete(txn, "b");
	g_assert_cmpint(commit(f, txn), ==, 1);
	g_assert_cmpuint(f->n_told, ==, 0);
	expect_changes(f, "", 0, 0, "a=1@1");
	f->store->ops->unlisten(f->store, id);
}

static void test_list(Fixture *f, const void *engine)
{
	(void) engine;
	static const char *const keys[] = { "b/1", "a", "b/10", "b/2", "b", "c/1", "b0",
		"b/\xf4\x8f\xbf\xbf", "B/1" };
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		(void) put(f, keys[i], "v");
	expect_list(f, "b/", NULL, 0, "b/1=v@1 b/10=v@3 b/2=v@4 b/\xf4\x8f\xbf\xbf=v@8");
	expect_list(f, "b/", NULL, 2, "b/1=v@1 b/10=v@3");
	expect_list(f, "b/", "b/10", 2, "b/2=v@4 b/\xf4\x8f\xbf\xbf=v@8");
	expect_list(f, "b/", "b/15", 1, "b/2=v@4");
	expect_list(f, "b/", "b/\xf4\x8f\xbf\xbf", 0, "");
	expect_list(f, "b/", "a", 1, "b/1=v@1");
	expect_list(f, "b/", "", 1, "b/1=v@1");
	expect_list(f, "b/", "zzz", 1, "");
	expect_list(f, "b", "b", 2, "b/1=v@1 b/10=v@3");
	expect_list(f, "", NULL, 3, "B/1=v@9 a=v@2 b=v@5");
	expect_list(f, "d", NULL, 0, "");
	expect_list(f, "b%", NULL, 0, "");
}

static void test_changes(Fixture *f, const void *engine)
{
	(void) engine;
	(void) put(f, "a/1", "x");
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_put(txn, "b/9", "y");
	usher_txn_put(txn, "a/2", "y");
	usher_txn_delete(txn, "a/1");
	usher_txn_delete(txn, "a/0");
	usher_txn_put(txn, "a/3", "y");
	(void) commit(f, txn);
	(void) put(f, "a/3", "z");
	(void) delete (f, "a/2");

	expect_changes(f, "", 0, 0, "a/1=x@1 a/1@2 a/2=y@2 a/3=y@2 b/9=y@2 a/3=z@3 a/2@4");
	expect_changes(f, "a/", 1, 0, "a/1@2 a/2=y@2 a/3=y@2 a/3=z@3 a/2@4");
	expect_changes(f, "b/", 0, 0, "b/9=y@2");
	expect_changes(f, "", 4, 0, "");
	/* Never a part of a transaction. */
	expect_changes(f, "", 0, 1, "a/1=x@1");
	expect_changes(f, "", 0, 2, "a/1=x@1 a/1@2 a/2=y@2 a/3=y@2 b/9=y@2");
	expect_changes(f, "a/", 1, 1, "a/1@2 a/2=y@2 a/3=y@2");
	expect_changes(f, "a/", 1, 3, "a/1@2 a/2=y@2 a/3=y@2");
	expect_changes(f, "a/", 1, 4, "a/1@2 a/2=y@2 a/3=y@2 a/3=z@3");
	expect_no_changes_known(f, 5);
	expect_no_changes_known(f, -1);
}

static void test_compact(Fixture *f, const void *engine)
{
	(void) engine;
	g_autoptr(GError) error = NULL;
	for (unsigned i = 0; i < 5; i++)
		(void) put(f, i % 2 == 0 ? "a" : "b", "v");
	g_assert_true(f->store->ops->compact(f->store, 3, &error));
	expect_no_changes_known(f, 0);
	expect_no_changes_known(f, 2);
	expect_changes(f, "", 3, 0, "b=v@4 a=v@5");
	expect_list(f, "", NULL, 0, "a=v@5 b=v@4");
	/* Again, and less: nothing happens. */
	g_assert_true(f->store->ops->compact(f->store, 3, &error));
	g_assert_true(f->store->ops->compact(f->store, 1, &error));
	expect_changes(f, "", 3, 0, "b=v@4 a=v@5");
	g_assert_false(f->store->ops->compact(f->store, 6, &error));
	assert_problem(&error, USHER_ERROR_INVALID, "the newest is 5");
	g_assert_true(f->store->ops->compact(f->store, 5, &error));
	expect_changes(f, "", 5, 0, "");
	g_assert_cmpint(put(f, "a", "w"), ==, 6);
	expect_changes(f, "", 5, 0, "a=w@6");
}

/* The constants are the engine's own; the port promises the 10,000 only. */
static void test_compact_by_itself(Fixture *f, const void *engine)
{
	(void) engine;
	int64_t last = 0;
	for (unsigned i = 0; i < 10500; i++)
		last = put(f, "a", "v");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) kept = f->store->ops->changes(f->store, "", last - 10000, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(kept->len, ==, 10000);
	expect_no_changes_known(f, 0);
	expect_no_changes_known(f, last - 10200);
}

static void test_session_expires(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *session = open_session(f, 10 * SECOND);
	g_autofree char *other = open_session(f, 60 * SECOND);
	g_assert_cmpstr(session, !=, other);
	put_for(f, "live/1", session);
	put_for(f, "live/2", session);
	put_for(f, "live/3", other);
	(void) put(f, "stays", "v");
	g_autoptr(UsherStoreItem) item = f->store->ops->get(f->store, "live/1", NULL);
	g_assert_cmpstr(item->session, ==, session);
	unsigned id = f->store->ops->listen(f->store, count, &f->n_told);

	fake_clock_advance(f->clock, 10 * SECOND - 1);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 4);
	fake_clock_advance(f->clock, 1);
	/* In one transaction, and told once. */
	expect_changes(f, "", 4, 0, "live/1@5 live/2@5");
	expect_list(f, "", NULL, 0, "live/3=x@3 stays=v@4");
	g_assert_cmpuint(f->n_told, ==, 1);
	g_autoptr(GError) error = NULL;
	g_assert_false(f->store->ops->session_renew(f->store, session, &error));
	assert_problem(&error, USHER_ERROR_NOT_FOUND, session);
	g_assert_false(f->store->ops->session_close(f->store, session, &error));
	assert_problem(&error, USHER_ERROR_NOT_FOUND, session);
	f->store->ops->unlisten(f->store, id);
}

static void test_session_renews(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *session = open_session(f, 10 * SECOND);
	put_for(f, "live", session);
	for (unsigned i = 0; i < 5; i++) {
		g_autoptr(GError) error = NULL;
		fake_clock_advance(f->clock, 9 * SECOND);
		g_assert_true(f->store->ops->session_renew(f->store, session, &error));
		g_assert_no_error(error);
	}
	expect_list(f, "", NULL, 0, "live=x@1");
	fake_clock_advance(f->clock, 10 * SECOND);
	expect_list(f, "", NULL, 0, "");
}

static void test_session_closes(Fixture *f, const void *engine)
{
	(void) engine;
	g_autoptr(GError) error = NULL;
	unsigned id = f->store->ops->listen(f->store, count, &f->n_told);
	g_autofree char *session = open_session(f, 10 * SECOND);
	put_for(f, "live", session);
	g_assert_true(f->store->ops->session_close(f->store, session, &error));
	g_assert_no_error(error);
	expect_changes(f, "", 1, 0, "live@2");
	g_assert_cmpuint(f->n_told, ==, 2);
	g_assert_cmpuint(fake_clock_pending(f->clock), ==, 0);
	/* One without keys changes nothing. */
	g_autofree char *empty = open_session(f, 10 * SECOND);
	g_assert_true(f->store->ops->session_close(f->store, empty, &error));
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 2);
	g_assert_cmpuint(f->n_told, ==, 2);
	f->store->ops->unlisten(f->store, id);
}

static void test_session_refuses(Fixture *f, const void *engine)
{
	(void) engine;
	g_autoptr(GError) error = NULL;
	g_assert_null(f->store->ops->session_open(f->store, 0, &error));
	assert_problem(&error, USHER_ERROR_INVALID, "time to live");
	g_assert_false(f->store->ops->session_renew(f->store, "s-never", &error));
	assert_problem(&error, USHER_ERROR_NOT_FOUND, "s-never");

	g_autofree char *session = open_session(f, SECOND);
	fake_clock_advance(f->clock, SECOND);
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_put(txn, "a", "v");
	usher_txn_put_for_session(txn, "b", "v", session);
	refuse(f, txn, USHER_ERROR_NOT_FOUND, session);
	expect_list(f, "", NULL, 0, "");
}

static void test_session_moves(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *one = open_session(f, 10 * SECOND);
	g_autofree char *other = open_session(f, 20 * SECOND);
	put_for(f, "stays", one);
	put_for(f, "moves", one);
	(void) put(f, "stays", "y");
	put_for(f, "moves", other);
	fake_clock_advance(f->clock, 10 * SECOND);
	expect_list(f, "", NULL, 0, "moves=x@4 stays=y@3");
	fake_clock_advance(f->clock, 10 * SECOND);
	expect_list(f, "", NULL, 0, "stays=y@3");
}

static void test_session_many(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *session = open_session(f, 10 * SECOND);
	for (unsigned i = 0; i < 250; i++) {
		g_autofree char *key = g_strdup_printf("live/%03u", i);
		put_for(f, key, session);
	}
	fake_clock_advance(f->clock, 10 * SECOND);
	expect_list(f, "", NULL, 0, "");
	/* Over the limit of one transaction: three. */
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 253);
	g_autoptr(GPtrArray) changes = f->store->ops->changes(f->store, "", 250, 0, NULL);
	g_assert_cmpuint(changes->len, ==, 250);
}

typedef struct Listener {
	UsherStore *store;
	unsigned id, other;
	unsigned n;
} Listener;

static void leave(void *data)
{
	Listener *listener = data;
	listener->n++;
	listener->store->ops->unlisten(listener->store, listener->id);
	listener->store->ops->unlisten(listener->store, listener->other);
}

static void write_once(void *data)
{
	Listener *listener = data;
	if (listener->n++ > 0)
		return;
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_put(txn, "by listener", "v");
	g_assert_true(listener->store->ops->commit(listener->store, txn, NULL, NULL));
}

static void test_listeners(Fixture *f, const void *engine)
{
	(void) engine;
	unsigned told[2] = { 0 };
	unsigned first = f->store->ops->listen(f->store, count, &told[0]);
	unsigned second = f->store->ops->listen(f->store, count, &told[1]);
	g_assert_cmpuint(first, !=, 0);
	g_assert_cmpuint(first, !=, second);
	(void) put(f, "a", "v");
	f->store->ops->unlisten(f->store, first);
	f->store->ops->unlisten(f->store, first);
	(void) put(f, "a", "v");
	g_autoptr(UsherTxn) stale = usher_txn_new();
	usher_txn_expect(stale, "a", 1);
	refuse(f, stale, USHER_ERROR_CONFLICT, "'a'");
	g_assert_cmpuint(told[0], ==, 1);
	g_assert_cmpuint(told[1], ==, 2);
	f->store->ops->unlisten(f->store, second);

	/* One that leaves and takes another with it while they are told. */
	Listener leaver = { .store = f->store };
	leaver.id = f->store->ops->listen(f->store, leave, &leaver);
	leaver.other = f->store->ops->listen(f->store, count, &told[0]);
	(void) put(f, "a", "v");
	(void) put(f, "a", "v");
	g_assert_cmpuint(leaver.n, ==, 1);
	g_assert_cmpuint(told[0], ==, 1);

	Listener writer = { .store = f->store };
	writer.id = f->store->ops->listen(f->store, write_once, &writer);
	g_assert_cmpint(put(f, "a", "v"), ==, 5);
	g_assert_cmpuint(writer.n, ==, 2);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 6);
	f->store->ops->unlisten(f->store, writer.id);
}

/* ---- SQLite alone ---- */

static void refuse_open(const Fixture *f, UsherErrorCode code, const char *part)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_store_sqlite_open(f->path, f->clock, &error));
	g_assert_nonnull(strstr(error->message, f->path));
	assert_problem(&error, code, part);
	g_assert_null(usher_store_sqlite_open(f->path, f->clock, NULL));
}

static void reopen(Fixture *f)
{
	if (f->store != NULL)
		close_store(f);
	f->store = open_sqlite(f);
}

static void run_sql(const Fixture *f, const char *sql)
{
	sqlite3 *db = NULL;
	g_assert_cmpint(sqlite3_open(f->path, &db), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
}

/* What another process of this program does: opens the store and exits with the error's code. */
static const char *program;
static int open_and_exit(const char *path)
{
	g_autoptr(UsherClock) clock = fake_clock_new(1);
	g_autoptr(GError) error = NULL;
	UsherStore *store = usher_store_sqlite_open(path, clock, &error);
	if (store == NULL)
		return 10 + (int) usher_error_code(error);
	store->ops->free(store);
	return 0;
}

static void expect_other_process(const Fixture *f, int expected)
{
	g_autofree char *name = g_strdup(program), *option = g_strdup("--open");
	char *argv[] = { name, option, f->path, NULL };
	g_autoptr(GError) error = NULL;
	int status = -1;
	g_assert_true(g_spawn_sync(
		NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, &error));
	g_assert_no_error(error);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, expected);
}

static void test_reopen(Fixture *f, const void *engine)
{
	(void) engine;
	(void) put(f, "a", "1");
	(void) put(f, "b", "2");
	(void) put(f, "a", "3");
	(void) delete (f, "b");
	g_assert_true(f->store->ops->compact(f->store, 1, NULL));
	reopen(f);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 4);
	expect_list(f, "", NULL, 0, "a=3@3");
	expect_changes(f, "", 1, 0, "b=2@2 a=3@3 b@4");
	expect_no_changes_known(f, 0);
	g_assert_cmpint(put(f, "c", "4"), ==, 5);
	struct stat info;
	g_assert_cmpint(stat(f->path, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
}

static void test_reopen_sessions(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *session = open_session(f, 10 * SECOND);
	g_autofree char *closed = open_session(f, 10 * SECOND);
	put_for(f, "live", session);
	g_assert_true(f->store->ops->session_close(f->store, closed, NULL));
	fake_clock_advance(f->clock, 9 * SECOND);
	reopen(f);
	/* Its whole time to live again. */
	fake_clock_advance(f->clock, 9 * SECOND);
	expect_list(f, "", NULL, 0, "live=x@1");
	g_assert_false(f->store->ops->session_renew(f->store, closed, NULL));
	g_assert_true(f->store->ops->session_renew(f->store, session, NULL));
	fake_clock_advance(f->clock, 10 * SECOND);
	expect_changes(f, "", 1, 0, "live@2");
}

/* As after a crash between the first and the second transaction of a session's end. */
static void test_reopen_half_ended(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *session = open_session(f, 10 * SECOND);
	put_for(f, "live", session);
	(void) put(f, "stays", "v");
	close_store(f);
	run_sql(f, "DELETE FROM sessions");
	reopen(f);
	g_assert_false(f->store->ops->session_renew(f->store, session, NULL));
	while (fake_clock_step(f->clock))
		;
	expect_list(f, "", NULL, 0, "stays=v@2");
}

static void test_second_open(Fixture *f, const void *engine)
{
	(void) engine;
	(void) put(f, "a", "1");
	refuse_open(f, USHER_ERROR_BUSY, "another process has it open");
	/* The refused one has not taken the lock away. */
	refuse_open(f, USHER_ERROR_BUSY, "another process has it open");
	expect_other_process(f, 10 + USHER_ERROR_BUSY);
	(void) put(f, "a", "2");
	reopen(f);
	expect_list(f, "", NULL, 0, "a=2@2");
	expect_other_process(f, 10 + USHER_ERROR_BUSY);
	close_store(f);
	expect_other_process(f, 0);
}

/* A process that has it open is killed: the lock goes with it, what was committed stays. */
static void test_killed(Fixture *f, const void *engine)
{
	(void) engine;
	close_store(f);
	for (unsigned round = 1; round <= 3; round++) {
		pid_t child = fork();
		if (child == 0) {
			f->store = open_sqlite(f);
			(void) put(f, "a", "killed");
			(void) raise(SIGKILL);
		}
		int status;
		g_assert_cmpint(waitpid(child, &status, 0), ==, child);
		g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		reopen(f);
		g_assert_cmpint(f->store->ops->revision(f->store), ==, round);
		close_store(f);
	}
}

static void test_foreign_files(Fixture *f, const void *engine)
{
	(void) engine;
	(void) put(f, "a", "1");
	close_store(f);
	run_sql(f, "PRAGMA user_version = 2");
	refuse_open(f, USHER_ERROR_INVALID, "of version 2, written by a newer usher");
	run_sql(f, "PRAGMA user_version = 1");
	reopen(f);
	expect_list(f, "", NULL, 0, "a=1@1");
	close_store(f);
	g_assert_cmpint(g_unlink(f->path), ==, 0);
	run_sql(f, "CREATE TABLE recipes (name)");
	refuse_open(f, USHER_ERROR_INVALID, "another program's file");
}

/* Overwrites a part of the file. */
static void damage(const Fixture *f, long offset, size_t length)
{
	FILE *file = fopen(f->path, "r+");
	g_assert_nonnull(file);
	g_assert_cmpint(fseek(file, offset, SEEK_SET), ==, 0);
	for (size_t i = 0; i < length; i++)
		g_assert_cmpint(fputc(0x5a, file), !=, EOF);
	g_assert_cmpint(fclose(file), ==, 0);
}

static void test_damaged(Fixture *f, const void *engine)
{
	(void) engine;
	for (unsigned i = 0; i < 200; i++) {
		g_autofree char *key = g_strdup_printf("key/%u", i);
		(void) put(f, key, "some value that fills the pages of the file");
	}
	close_store(f);
	g_autofree char *good = NULL;
	size_t length;
	g_assert_true(g_file_get_contents(f->path, &good, &length, NULL));
	g_assert_cmpuint(length, >, 5 * 4096);

	static const struct {
		long offset;
		size_t length;
		const char *part;
	} rows[] = {
		{ 0, 100, "damaged or no store" },
		{ 100, 8, "damaged" },
		{ 4096, 4096, "damaged" },
		{ 4 * 4096, 200, "damaged" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_assert_true(g_file_set_contents(f->path, good, (gssize) length, NULL));
		damage(f, rows[i].offset, rows[i].length);
		refuse_open(f, USHER_ERROR_INTERNAL, rows[i].part);
	}
	g_assert_true(g_file_set_contents(f->path, good, 3 * 4096 + 17, NULL));
	refuse_open(f, USHER_ERROR_INTERNAL, "damaged");
	g_assert_true(g_file_set_contents(f->path, "no database at all\n", -1, NULL));
	refuse_open(f, USHER_ERROR_INTERNAL, "no store");
	/* Refusing has changed nothing. */
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(f->path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "no database at all\n");
	g_assert_true(g_file_set_contents(f->path, good, (gssize) length, NULL));
	reopen(f);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 200);
}

static void test_paths(Fixture *f, const void *engine)
{
	(void) engine;
	close_store(f);
	g_autofree char *path = g_steal_pointer(&f->path);
	f->path = g_build_filename(f->folder, "no such folder", "store.db", NULL);
	refuse_open(f, USHER_ERROR_NOT_FOUND, "ENOENT");
	g_free(f->path);
	f->path = g_strdup(f->folder);
	refuse_open(f, USHER_ERROR_DENIED, "cannot be opened");
	g_free(f->path);
	f->path = g_steal_pointer(&path);
}

static void test_read_only(Fixture *f, const void *engine)
{
	(void) engine;
	(void) put(f, "a", "1");
	close_store(f);
	g_assert_cmpint(g_chmod(f->path, 0444), ==, 0);
	g_assert_cmpint(g_chmod(f->folder, 0755), ==, 0);
	/* Root may write it all the same: be somebody else for a moment. */
	bool is_root = geteuid() == 0;
	if (is_root)
		g_assert_cmpint(seteuid(65534), ==, 0);
	refuse_open(f, USHER_ERROR_DENIED, "cannot be written");
	if (is_root)
		g_assert_cmpint(seteuid(0), ==, 0);
	g_assert_cmpint(g_chmod(f->path, 0600), ==, 0);
	reopen(f);
	expect_list(f, "", NULL, 0, "a=1@1");
}

/* Fills the store until it refuses; everything before is there, and it works again with space. */
static void fill(Fixture *f)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *value = g_strnfill(20000, 'v');
	bool is_good = true;
	int64_t revision = 0;
	for (unsigned i = 0; is_good && i < 1000; i++) {
		g_autoptr(UsherTxn) txn = usher_txn_new();
		g_autofree char *key = g_strdup_printf("fill/%04u", i);
		usher_txn_put(txn, "count", key);
		usher_txn_put(txn, key, value);
		revision = f->store->ops->revision(f->store);
		is_good = f->store->ops->commit(f->store, txn, NULL, &error);
	}
	g_assert_false(is_good);
	assert_problem(&error, USHER_ERROR_UNAVAILABLE, "no space is left");
	g_assert_cmpint(f->store->ops->revision(f->store), ==, revision);
	g_autoptr(GPtrArray) items = f->store->ops->list(f->store, "fill/", NULL, 0, &error);
	g_assert_no_error(error);
	g_autoptr(UsherStoreItem) last = f->store->ops->get(f->store, "count", &error);
	g_assert_no_error(error);
	g_assert_cmpuint(items->len, >, 3);
	g_assert_cmpstr(
		last->value, ==, ((const UsherStoreItem *) items->pdata[items->len - 1])->key);
}

static void test_full(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *session = open_session(f, 10 * SECOND);
	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *key = g_strdup_printf("live/%u", i);
		put_for(f, key, session);
	}
	usher_store_sqlite_limit_pages(f->store, 200);
	fill(f);
	int64_t revision = f->store->ops->revision(f->store);
	usher_store_sqlite_limit_pages(f->store, 100000);
	g_assert_cmpint(put(f, "count", "again"), ==, revision + 1);
	reopen(f);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, revision + 1);
	fake_clock_advance(f->clock, 10 * SECOND);
	expect_list(f, "live/", NULL, 0, "");
}

/* A session that ends while the disk is full: it has ended, and its keys go when there is space. */
static void test_full_at_end_of_session(Fixture *f, const void *engine)
{
	(void) engine;
	g_autofree char *session = open_session(f, 10 * SECOND);
	g_autofree char *long_key = g_strnfill(USHER_STORE_MAX_KEY - 10, 'k');
	for (unsigned i = 0; i < 60; i++) {
		g_autofree char *key = g_strdup_printf("live/%s%u", long_key, i);
		put_for(f, key, session);
	}
	g_assert_true(f->store->ops->compact(f->store, 1, NULL));
	usher_store_sqlite_limit_pages(f->store, 1);
	fake_clock_advance(f->clock, 12 * SECOND);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 60);
	g_assert_false(f->store->ops->session_renew(f->store, session, NULL));
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_put_for_session(txn, "more", "v", session);
	refuse(f, txn, USHER_ERROR_NOT_FOUND, "has ended");
	usher_store_sqlite_limit_pages(f->store, 100000);
	fake_clock_advance(f->clock, SECOND);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, 61);
	expect_list(f, "", NULL, 0, "");
}

static void test_full_disk(Fixture *f, const void *engine)
{
	(void) engine;
	close_store(f);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("none", f->folder, "tmpfs", 0, "size=1m") != 0) {
		g_test_skip("no small file system can be mounted here");
		return;
	}
	reopen(f);
	fill(f);
	int64_t revision = f->store->ops->revision(f->store);
	g_assert_cmpint(mount("none", f->folder, "tmpfs", MS_REMOUNT, "size=8m"), ==, 0);
	g_assert_cmpint(put(f, "count", "again"), ==, revision + 1);
	reopen(f);
	g_assert_cmpint(f->store->ops->revision(f->store), ==, revision + 1);
	close_store(f);
	g_assert_cmpint(umount(f->folder), ==, 0);
}

typedef void (*Body)(Fixture *f, const void *engine);

static void add(const char *engine, const char *name, Body body)
{
	g_autofree char *path = g_strdup_printf("/store/%s/%s", engine, name);
	g_test_add(path, Fixture, engine, set_up, body, tear_down);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		Body body;
		bool is_sqlite_only;
	} rows[] = {
		{ "empty", test_empty },
		{ "values", test_values },
		{ "limits", test_limits },
		{ "hundred-keys", test_hundred_keys },
		{ "compare", test_compare },
		{ "compare-only", test_compare_only },
		{ "list", test_list },
		{ "changes", test_changes },
		{ "compact", test_compact },
		{ "compact-by-itself", test_compact_by_itself },
		{ "session/expires", test_session_expires },
		{ "session/renews", test_session_renews },
		{ "session/closes", test_session_closes },
		{ "session/refuses", test_session_refuses },
		{ "session/moves", test_session_moves },
		{ "session/many", test_session_many },
		{ "listeners", test_listeners },
		{ "reopen/all", test_reopen, true },
		{ "reopen/sessions", test_reopen_sessions, true },
		{ "reopen/half-ended", test_reopen_half_ended, true },
		{ "second-open", test_second_open, true },
		{ "killed", test_killed, true },
		{ "foreign-files", test_foreign_files, true },
		{ "damaged", test_damaged, true },
		{ "paths", test_paths, true },
		{ "read-only", test_read_only, true },
		{ "full/pages", test_full, true },
		{ "full/session", test_full_at_end_of_session, true },
		{ "full/disk", test_full_disk, true },
	};
	program = argv[0];
	if (argc == 3 && g_str_equal(argv[1], "--open"))
		return open_and_exit(argv[2]);
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (!rows[i].is_sqlite_only)
			add("memory", rows[i].name, rows[i].body);
		add("sqlite", rows[i].name, rows[i].body);
	}
	return g_test_run();
}
