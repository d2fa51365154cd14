/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite store on a disk that fails: for every k, the k-th call that reads, writes, cuts or
 * syncs a file fails, once or from then on. What was confirmed is there afterwards, what was
 * refused is not.
 */
#include "store/sqlite.h"

#include <string.h>

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "base/error.h"
#include "fakes/clock.h"

#define SECOND G_USEC_PER_SEC

/* ---- the disk ---- */

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	unsigned n_calls;
	unsigned fails_at; /* 0: never */
	bool stays_broken;
	bool is_full; /* says that there is no space, not that it is broken */
} disk;

typedef struct DiskFile {
	sqlite3_file file;
	sqlite3_file *real; /* behind it in the same memory */
} DiskFile;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((DiskFile *) (void *) file)->real;
}

static bool call_fails(void)
{
	disk.n_calls++;
	if (disk.fails_at == 0)
		return false;
	return disk.stays_broken ? disk.n_calls >= disk.fails_at : disk.n_calls == disk.fails_at;
}

static int file_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *buffer, int n, sqlite3_int64 offset)
{
	if (call_fails() && !disk.is_full)
		return SQLITE_IOERR_READ;
	return real_of(file)->pMethods->xRead(real_of(file), buffer, n, offset);
}

static int file_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 offset)
{
	if (call_fails())
		return disk.is_full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	return real_of(file)->pMethods->xWrite(real_of(file), data, n, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	if (call_fails() && !disk.is_full)
		return SQLITE_IOERR_TRUNCATE;
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
	if (call_fails() && !disk.is_full)
		return SQLITE_IOERR_FSYNC;
	return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_is_reserved(sqlite3_file *file, int *result)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), result);
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int file_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

static int disk_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	(void) vfs;
	DiskFile *mine = (DiskFile *) (void *) file;
	mine->real = (sqlite3_file *) (void *) (mine + 1);
	int rc = disk.real->xOpen(disk.real, name, mine->real, flags, out_flags);
	file->pMethods = mine->real->pMethods != NULL ? &methods : NULL;
	return rc;
}

static void disk_init(void)
{
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.zName = "failing";
	disk.vfs.szOsFile = (int) sizeof(DiskFile) + disk.real->szOsFile;
	disk.vfs.xOpen = disk_open;
	g_assert_cmpint(sqlite3_vfs_register(&disk.vfs, /* as default */ 1), ==, SQLITE_OK);
}

/* ---- what must be there ---- */

typedef struct World {
	char *folder, *path;
	UsherClock *clock;
	UsherStore *store;
	GTree *keys; /* what was confirmed: key → value */
	int64_t revision;
	unsigned n_refused;
} World;

static int compare_keys(const void *one, const void *other, void *data)
{
	(void) data;
	return strcmp(one, other);
}

static gboolean append_item(void *key, void *value, void *data)
{
	g_string_append_printf(data, "%s=%s ", (const char *) key, (const char *) value);
	return FALSE;
}

static void expect_error(const GError *error)
{
	g_assert_nonnull(error);
	if (usher_error_code(error) != USHER_ERROR_UNAVAILABLE)
		g_error("call %u: %s", disk.fails_at, error->message);
}

static char *print_store(UsherStore *store)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) items = store->ops->list(store, "", NULL, 0, &error);
	if (items == NULL) {
		expect_error(error);
		return NULL;
	}
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < items->len; i++) {
		const UsherStoreItem *item = items->pdata[i];
		g_string_append_printf(text, "%s=%s ", item->key, item->value);
	}
	return g_string_free(text, FALSE);
}

/* A read that the disk refuses says nothing. */
static void expect_world(const World *world)
{
	g_assert_cmpint(world->store->ops->revision(world->store), ==, world->revision);
	g_autoptr(GString) expected = g_string_new(NULL);
	g_tree_foreach(world->keys, append_item, expected);
	g_autofree char *found = print_store(world->store);
	if (found != NULL)
		g_assert_cmpstr(found, ==, expected->str);
}

static void refused(World *world, const GError *error)
{
	expect_error(error);
	world->n_refused++;
}

/* Each value is new, so that an old one would be seen. */
static void commit(World *world, unsigned n, const char *session)
{
	g_autoptr(UsherTxn) txn = usher_txn_new();
	g_autofree char *value = g_strdup_printf("%u-%s", n, session != NULL ? session : "");
	g_autofree char *key = g_strdup_printf("key/%u", n);
	g_autofree char *filler = g_strnfill(3000, 'f');
	usher_txn_put(txn, "last", value);
	usher_txn_put(txn, "filler", filler);
	if (session != NULL)
		usher_txn_put_for_session(txn, key, value, session);
	else
		usher_txn_put(txn, key, value);
	if (n % 3 == 2)
		usher_txn_delete(txn, "key/1");
	g_autoptr(GError) error = NULL;
	if (!world->store->ops->commit(world->store, txn, NULL, &error)) {
		refused(world, error);
		return;
	}
	world->revision++;
	g_tree_replace(world->keys, g_strdup("last"), g_strdup(value));
	g_tree_replace(world->keys, g_strdup("filler"), g_strdup(filler));
	g_tree_replace(world->keys, g_strdup(key), g_strdup(value));
	if (n % 3 == 2)
		(void) g_tree_remove(world->keys, "key/1");
}

static void live(World *world)
{
	g_autoptr(GError) error = NULL;
	for (unsigned i = 0; i < 4; i++) {
		commit(world, i, NULL);
		expect_world(world);
	}
	g_autofree char *session =
		world->store->ops->session_open(world->store, 10 * SECOND, &error);
	if (session == NULL) {
		refused(world, error);
		g_clear_error(&error);
	} else {
		commit(world, 4, session);
		expect_world(world);
		if (!world->store->ops->session_close(world->store, session, &error)) {
			refused(world, error);
			g_clear_error(&error);
		} else if (g_tree_remove(world->keys, "key/4")) {
			world->revision++;
		}
		expect_world(world);
	}
	int64_t revision = world->store->ops->revision(world->store);
	if (!world->store->ops->compact(world->store, revision, &error))
		refused(world, error);
	commit(world, 6, NULL);
	expect_world(world);
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

/* Opened again on a good disk: all that was confirmed. A disk that stays broken may keep the last
 * refused transaction, as if the machine had stopped before the answer; never a part of it. */
static void expect_after(World *world)
{
	g_autoptr(GError) error = NULL;
	world->store = usher_store_sqlite_open(world->path, world->clock, &error);
	g_assert_no_error(error);
	int64_t revision = world->store->ops->revision(world->store);
	bool may_differ = disk.stays_broken && world->n_refused > 0;
	if (revision == world->revision) {
		/* A session that could not be closed has ended by now. */
		fake_clock_advance(world->clock, 20 * SECOND);
		if (world->store->ops->revision(world->store) != revision) {
			world->revision++;
			(void) g_tree_remove(world->keys, "key/4");
		}
		expect_world(world);
	} else {
		g_assert_true(may_differ);
		g_assert_cmpint(revision, ==, world->revision + 1);
		g_autoptr(GPtrArray) last =
			world->store->ops->changes(world->store, "", world->revision, 0, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(last->len, >, 0);
	}
	g_autoptr(UsherTxn) txn = usher_txn_new();
	usher_txn_put(txn, "after", "v");
	g_assert_true(world->store->ops->commit(world->store, txn, NULL, &error));
	world->store->ops->free(world->store);
}

/* True when the disk has failed on the way. */
static bool run(unsigned k)
{
	bool has_shm = g_access("/dev/shm", W_OK) == 0;
	World world = { 0 };
	world.folder = g_build_filename(
		has_shm ? "/dev/shm" : g_get_tmp_dir(), "usher-faults-XXXXXX", NULL);
	g_assert_nonnull(g_mkdtemp(world.folder));
	world.path = g_build_filename(world.folder, "store.db", NULL);
	world.clock = fake_clock_new(1);
	world.keys = g_tree_new_full(compare_keys, NULL, g_free, g_free);

	g_autoptr(GError) error = NULL;
	disk.n_calls = 0;
	disk.fails_at = k;
	world.store = usher_store_sqlite_open(world.path, world.clock, &error);
	if (world.store != NULL) {
		live(&world);
		world.store->ops->free(world.store);
	} else {
		refused(&world, error);
	}
	bool has_failed = disk.n_calls >= k;
	disk.fails_at = 0;
	expect_after(&world);

	g_tree_unref(world.keys);
	fake_clock_free(world.clock);
	remove_folder(world.folder);
	g_free(world.folder);
	g_free(world.path);
	return has_failed;
}

static void test_faults(const void *data)
{
	const char *kind = data;
	disk.stays_broken = strcmp(kind, "once") != 0;
	disk.is_full = strcmp(kind, "full") == 0;
	unsigned k = 1;
	while (run(k))
		k++;
	g_test_message("%u calls", k - 1);
	g_assert_cmpuint(k, >, 50);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	disk_init();
	g_test_add_data_func("/store-faults/once", "once", test_faults);
	g_test_add_data_func("/store-faults/for-good", "for good", test_faults);
	g_test_add_data_func("/store-faults/full", "full", test_faults);
	return g_test_run();
}
