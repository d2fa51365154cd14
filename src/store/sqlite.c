/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <fcntl.h>
#include <string.h>

#include <sqlite3.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "store/engine.h"

/* In the file's header: whose it is ("ushr"), and in which form. */
#define APPLICATION_ID 0x75736872
#define SCHEMA_VERSION 1

/* A file up to this size is read once through when it is opened (some 50 ms), so that damage is
 * found before anything is decided on it. Larger ones show theirs when the page is read: the
 * check's time grows with the file, and a crash of ours does not damage it. */
#define CHECK_MAX_BYTES ((int64_t) 64 * 1024 * 1024)

/* Single statements of the schema; keys compare by their bytes. The one row of state is the newest
 * revision and the one up to which the log is forgotten. */
static const char schema[] =
	"CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL,"
	" compacted INTEGER NOT NULL) STRICT;"
	"CREATE TABLE items (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL,"
	" session TEXT) STRICT;"
	"CREATE INDEX items_session ON items (session, key) WHERE session IS NOT NULL;"
	"CREATE TABLE log (revision INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, session TEXT,"
	" PRIMARY KEY (revision, key)) STRICT;"
	"CREATE TABLE sessions (id TEXT PRIMARY KEY, ttl_us INTEGER NOT NULL) STRICT;"
	"INSERT INTO state VALUES (1, 0, 0);"
	"PRAGMA application_id = 0x75736872;"
	"PRAGMA user_version = 1;";

typedef enum {
	DO_BEGIN,
	DO_COMMIT,
	DO_ROLLBACK,
	DO_GET,
	DO_GET_REVISION,
	DO_LIST,
	DO_PUT,
	DO_DELETE,
	DO_LOG,
	DO_CHANGES,
	DO_CUT_LOG,
	DO_SET_STATE,
	DO_KEEP_SESSION,
	DO_FORGET_SESSION,
	DO_SESSION_KEYS,
	N_STATEMENTS,
} Statement;

static const char *const statements[N_STATEMENTS] = {
	[DO_BEGIN] = "BEGIN IMMEDIATE",
	[DO_COMMIT] = "COMMIT",
	[DO_ROLLBACK] = "ROLLBACK",
	[DO_GET] = "SELECT key, value, revision, session FROM items WHERE key = ?1",
	[DO_GET_REVISION] = "SELECT revision FROM items WHERE key = ?1",
	[DO_LIST] = "SELECT key, value, revision, session FROM items WHERE key >= ?1 ORDER BY key",
	[DO_PUT] = "INSERT INTO items (key, value, session, revision) VALUES (?1, ?2, ?3, ?4)"
		   " ON CONFLICT (key) DO UPDATE SET value = ?2, session = ?3, revision = ?4",
	[DO_DELETE] = "DELETE FROM items WHERE key = ?1",
	[DO_LOG] = "INSERT INTO log (key, value, session, revision) VALUES (?1, ?2, ?3, ?4)",
	[DO_CHANGES] = "SELECT key, value, revision, session FROM log WHERE revision > ?1"
		       " ORDER BY revision, key",
	[DO_CUT_LOG] = "DELETE FROM log WHERE revision <= ?1",
	[DO_SET_STATE] = "UPDATE state SET revision = ?1, compacted = ?2",
	[DO_KEEP_SESSION] = "INSERT INTO sessions (id, ttl_us) VALUES (?1, ?2)",
	[DO_FORGET_SESSION] = "DELETE FROM sessions WHERE id = ?1",
	[DO_SESSION_KEYS] = "SELECT key FROM items WHERE session = ?1 ORDER BY key LIMIT ?2",
};

typedef struct UsherStoreSqlite {
	UsherStoreEngine engine;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	bool is_open;
} UsherStoreSqlite;

static UsherStoreSqlite *sqlite_of(UsherStore *store)
{
	return (UsherStoreSqlite *) store;
}

/* SQLite's codes turned into ours. what: "open", "write". */
static void raise_sqlite(const UsherStoreSqlite *sqlite, int rc, const char *what, GError **error)
{
	static const struct {
		int rc;
		UsherErrorCode code;
		const char *means;
	} rows[] = {
		{ SQLITE_BUSY, USHER_ERROR_BUSY, "another process has it open" },
		{ SQLITE_LOCKED, USHER_ERROR_BUSY, "another process has it open" },
		{ SQLITE_FULL, USHER_ERROR_UNAVAILABLE, "no space is left on its disk" },
		{ SQLITE_IOERR, USHER_ERROR_UNAVAILABLE, "its disk does not work" },
		{ SQLITE_READONLY, USHER_ERROR_DENIED, "it cannot be written" },
		{ SQLITE_CANTOPEN, USHER_ERROR_DENIED, "its files cannot be opened" },
		{ SQLITE_PERM, USHER_ERROR_DENIED, "its files cannot be opened" },
		{ SQLITE_CORRUPT, USHER_ERROR_INTERNAL, "it is damaged, put back a backup" },
		{ SQLITE_NOTADB, USHER_ERROR_INTERNAL,
			"it is damaged or no store, put back a backup" },
		{ SQLITE_NOMEM, USHER_ERROR_UNAVAILABLE, "no memory is left" },
	};
	UsherErrorCode code = USHER_ERROR_INTERNAL;
	const char *means = "SQLite failed";
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (rows[i].rc == (rc & 0xff)) {
			code = rows[i].code;
			means = rows[i].means;
		}
	}
	/* It could be written once: the disk is what changed. */
	if (code == USHER_ERROR_DENIED && sqlite->is_open)
		code = USHER_ERROR_UNAVAILABLE;
	/* What the last failed call said; with other codes it would be an older one. */
	bool has_errno = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
	int errnum = has_errno && sqlite->db != NULL ? sqlite3_system_errno(sqlite->db) : 0;
	usher_error_set(error, code, "%s the store '%s': %s (%s%s%s)", what, sqlite->path, means,
		sqlite3_errstr(rc), errnum != 0 ? ": " : "", errnum != 0 ? g_strerror(errnum) : "");
}

/* Values stay the caller's until the statement has run. */
static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	int rc = text != NULL
		? sqlite3_bind_text(statement, index, text, (int) strlen(text), SQLITE_STATIC)
		: sqlite3_bind_null(statement, index);
	g_assert(rc == SQLITE_OK);
}

static void bind_int(sqlite3_stmt *statement, int index, int64_t number)
{
	int rc = sqlite3_bind_int64(statement, index, number);
	g_assert(rc == SQLITE_OK);
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
	return (const char *) sqlite3_column_text(statement, column);
}

static UsherStoreItem *read_item(sqlite3_stmt *statement)
{
	return usher_store_item_new(column_text(statement, 0), column_text(statement, 1),
		sqlite3_column_int64(statement, 2), column_text(statement, 3));
}

/* Ends the use of a statement; rc is what its last step gave. */
static bool finish(const UsherStoreSqlite *sqlite, sqlite3_stmt *statement, int rc,
	const char *what, GError **error)
{
	bool is_good = rc == SQLITE_DONE || rc == SQLITE_ROW;
	if (!is_good)
		raise_sqlite(sqlite, rc, what, error);
	(void) sqlite3_reset(statement);
	(void) sqlite3_clear_bindings(statement);
	return is_good;
}

/* A statement without rows, its values bound. */
static bool run(const UsherStoreSqlite *sqlite, Statement which, GError **error)
{
	sqlite3_stmt *statement = sqlite->statements[which];
	return finish(sqlite, statement, sqlite3_step(statement), "write", error);
}

static bool run_with_text(
	const UsherStoreSqlite *sqlite, Statement which, const char *text, GError **error)
{
	bind_text(sqlite->statements[which], 1, text);
	return run(sqlite, which, error);
}

/* Ends the transaction: what was done in it stays if all of it was good and the disk has it. */
static bool end_transaction(const UsherStoreSqlite *sqlite, bool is_good, GError **error)
{
	if (is_good && run(sqlite, DO_COMMIT, error))
		return true;
	/* Some errors end it by themselves. */
	if (sqlite3_get_autocommit(sqlite->db) == 0)
		(void) run(sqlite, DO_ROLLBACK, NULL);
	g_assert(sqlite3_get_autocommit(sqlite->db) != 0);
	return false;
}

static UsherStoreItem *sqlite_get(UsherStore *store, const char *key, GError **error)
{
	UsherStoreSqlite *sqlite = sqlite_of(store);
	sqlite3_stmt *statement = sqlite->statements[DO_GET];
	bind_text(statement, 1, key);
	int rc = sqlite3_step(statement);
	g_autoptr(UsherStoreItem) item = rc == SQLITE_ROW ? read_item(statement) : NULL;
	if (!finish(sqlite, statement, rc, "read", error))
		return NULL;
	if (item == NULL)
		usher_store_raise_no_key(key, error);
	return g_steal_pointer(&item);
}

static void free_item(void *item)
{
	usher_store_item_free(item);
}

static GPtrArray *sqlite_list(
	UsherStore *store, const char *prefix, const char *after, size_t limit, GError **error)
{
	UsherStoreSqlite *sqlite = sqlite_of(store);
	sqlite3_stmt *statement = sqlite->statements[DO_LIST];
	g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(free_item);
	bool is_after = after != NULL && strcmp(after, prefix) >= 0;
	bind_text(statement, 1, is_after ? after : prefix);
	int rc = SQLITE_DONE;
	while ((limit == 0 || items->len < limit) && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *key = column_text(statement, 0);
		if (is_after && strcmp(key, after) == 0)
			continue;
		if (!g_str_has_prefix(key, prefix))
			break;
		g_ptr_array_add(items, read_item(statement));
	}
	return finish(sqlite, statement, rc, "read", error) ? g_steal_pointer(&items) : NULL;
}

static GPtrArray *sqlite_changes(
	UsherStore *store, const char *prefix, int64_t since, size_t limit, GError **error)
{
	UsherStoreSqlite *sqlite = sqlite_of(store);
	if (!usher_store_engine_may_resume(&sqlite->engine, since, error))
		return NULL;
	sqlite3_stmt *statement = sqlite->statements[DO_CHANGES];
	g_autoptr(GPtrArray) changes = g_ptr_array_new_with_free_func(free_item);
	bind_int(statement, 1, since);
	int rc;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if (!g_str_has_prefix(column_text(statement, 0), prefix))
			continue;
		if (usher_store_page_is_full(changes, limit, sqlite3_column_int64(statement, 2)))
			break;
		g_ptr_array_add(changes, read_item(statement));
	}
	return finish(sqlite, statement, rc, "read", error) ? g_steal_pointer(&changes) : NULL;
}

static bool compares_hold(const UsherStoreSqlite *sqlite, const UsherTxn *txn, GError **error)
{
	const GPtrArray *compares = usher_txn_compares(txn);
	sqlite3_stmt *statement = sqlite->statements[DO_GET_REVISION];
	for (unsigned i = 0; i < compares->len; i++) {
		const UsherTxnCompare *compare = compares->pdata[i];
		bind_text(statement, 1, compare->key);
		int rc = sqlite3_step(statement);
		int64_t revision = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
		if (!finish(sqlite, statement, rc, "read", error) ||
			!usher_store_compare_holds(compare, revision, error))
			return false;
	}
	return true;
}

static bool put(const UsherStoreSqlite *sqlite, Statement which, const UsherTxnWrite *write,
	int64_t revision, GError **error)
{
	sqlite3_stmt *statement = sqlite->statements[which];
	bind_text(statement, 1, write->key);
	bind_text(statement, 2, write->value);
	bind_text(statement, 3, write->session);
	bind_int(statement, 4, revision);
	return run(sqlite, which, error);
}

/* Makes the writes part of that revision, in the item table and in the log; those that delete
 * nothing count as none. */
static bool write_all(const UsherStoreSqlite *sqlite, const GPtrArray *writes, int64_t revision,
	bool *out_has_changed, GError **error)
{
	bool has_changed = false;
	for (unsigned i = 0; i < writes->len; i++) {
		const UsherTxnWrite *write = writes->pdata[i];
		if (write->value == NULL) {
			if (!run_with_text(sqlite, DO_DELETE, write->key, error))
				return false;
			if (sqlite3_changes(sqlite->db) == 0)
				continue;
		} else if (!put(sqlite, DO_PUT, write, revision, error)) {
			return false;
		}
		if (!put(sqlite, DO_LOG, write, revision, error))
			return false;
		has_changed = true;
	}
	*out_has_changed = has_changed;
	return true;
}

static bool cut_log(
	const UsherStoreSqlite *sqlite, int64_t revision, int64_t log_end, GError **error)
{
	bind_int(sqlite->statements[DO_CUT_LOG], 1, log_end);
	if (!run(sqlite, DO_CUT_LOG, error))
		return false;
	bind_int(sqlite->statements[DO_SET_STATE], 1, revision);
	bind_int(sqlite->statements[DO_SET_STATE], 2, log_end);
	return run(sqlite, DO_SET_STATE, error);
}

static bool set_revision(const UsherStoreSqlite *sqlite, int64_t revision, GError **error)
{
	bind_int(sqlite->statements[DO_SET_STATE], 1, revision);
	bind_int(sqlite->statements[DO_SET_STATE], 2, sqlite->engine.compacted);
	return run(sqlite, DO_SET_STATE, error);
}

/* The writes as the next revision, within a transaction. */
static bool write_revision(const UsherStoreSqlite *sqlite, const GPtrArray *writes,
	bool *out_has_changed, GError **error)
{
	int64_t revision = sqlite->engine.revision + 1;
	if (!write_all(sqlite, writes, revision, out_has_changed, error))
		return false;
	if (!*out_has_changed)
		return true;
	int64_t log_end = usher_store_engine_log_end(&sqlite->engine, revision);
	return log_end > 0 ? cut_log(sqlite, revision, log_end, error)
			   : set_revision(sqlite, revision, error);
}

/* What was written is on disk: memory follows. */
static void adopt_revision(UsherStoreSqlite *sqlite)
{
	int64_t revision = sqlite->engine.revision + 1;
	int64_t log_end = usher_store_engine_log_end(&sqlite->engine, revision);
	sqlite->engine.compacted = MAX(sqlite->engine.compacted, log_end);
	sqlite->engine.revision = revision;
}

static bool sqlite_commit(
	UsherStore *store, const UsherTxn *txn, int64_t *out_revision, GError **error)
{
	UsherStoreSqlite *sqlite = sqlite_of(store);
	bool has_changed = false;
	if (!usher_store_engine_may_commit(&sqlite->engine, txn, error) ||
		!run(sqlite, DO_BEGIN, error))
		return false;
	bool is_good = compares_hold(sqlite, txn, error) &&
		write_revision(sqlite, usher_txn_writes(txn), &has_changed, error);
	if (!end_transaction(sqlite, is_good, error))
		return false;
	if (has_changed)
		adopt_revision(sqlite);
	if (out_revision != NULL)
		*out_revision = sqlite->engine.revision;
	if (has_changed)
		usher_store_engine_tell(&sqlite->engine);
	return true;
}

static bool sqlite_compact(UsherStore *store, int64_t revision, GError **error)
{
	UsherStoreSqlite *sqlite = sqlite_of(store);
	if (!usher_store_engine_may_compact(&sqlite->engine, revision, error))
		return false;
	if (revision <= sqlite->engine.compacted)
		return true;
	if (!run(sqlite, DO_BEGIN, error))
		return false;
	if (!end_transaction(
		    sqlite, cut_log(sqlite, sqlite->engine.revision, revision, error), error))
		return false;
	sqlite->engine.compacted = revision;
	return true;
}

static bool keep_session(
	UsherStoreEngine *engine, const char *session, int64_t ttl_us, GError **error)
{
	UsherStoreSqlite *sqlite = sqlite_of(&engine->store);
	bind_int(sqlite->statements[DO_KEEP_SESSION], 2, ttl_us);
	return run_with_text(sqlite, DO_KEEP_SESSION, session, error);
}

static void free_write(void *data)
{
	UsherTxnWrite *write = data;
	g_free(write->key);
	g_free(write);
}

/* Deletes of the session's first keys; NULL: they cannot be read. */
static GPtrArray *find_session_keys(
	const UsherStoreSqlite *sqlite, const char *session, GError **error)
{
	sqlite3_stmt *statement = sqlite->statements[DO_SESSION_KEYS];
	g_autoptr(GPtrArray) writes = g_ptr_array_new_with_free_func(free_write);
	bind_text(statement, 1, session);
	bind_int(statement, 2, USHER_STORE_MAX_TXN_KEYS);
	int rc;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		UsherTxnWrite *write = g_new0(UsherTxnWrite, 1);
		write->key = g_strdup(column_text(statement, 0));
		g_ptr_array_add(writes, write);
	}
	return finish(sqlite, statement, rc, "read", error) ? g_steal_pointer(&writes) : NULL;
}

/* The session goes first, so that nobody can renew what is half deleted: keys whose session is
 * no more are found when the file is opened. */
static bool end_session(
	UsherStoreEngine *engine, const char *session, bool *out_is_done, GError **error)
{
	UsherStoreSqlite *sqlite = sqlite_of(&engine->store);
	bool has_changed = false;
	g_autoptr(GPtrArray) writes = find_session_keys(sqlite, session, error);
	if (writes == NULL || !run(sqlite, DO_BEGIN, error))
		return false;
	bool is_good = run_with_text(sqlite, DO_FORGET_SESSION, session, error) &&
		write_revision(sqlite, writes, &has_changed, error);
	if (!end_transaction(sqlite, is_good, error))
		return false;
	if (has_changed)
		adopt_revision(sqlite);
	*out_is_done = writes->len < USHER_STORE_MAX_TXN_KEYS;
	return true;
}

static void sqlite_free(UsherStore *store)
{
	UsherStoreSqlite *sqlite = sqlite_of(store);
	usher_store_engine_clear(&sqlite->engine);
	for (unsigned i = 0; i < N_STATEMENTS; i++)
		(void) sqlite3_finalize(sqlite->statements[i]);
	int rc = sqlite3_close(sqlite->db);
	g_assert(rc == SQLITE_OK);
	g_free(sqlite->path);
	g_free(sqlite);
}

static const UsherStoreEngineOps engine_ops = {
	.keep_session = keep_session,
	.end_session = end_session,
};

static const UsherStoreOps store_ops = {
	.name = "sqlite",
	.revision = usher_store_engine_revision,
	.get = sqlite_get,
	.list = sqlite_list,
	.commit = sqlite_commit,
	.changes = sqlite_changes,
	.compact = sqlite_compact,
	.session_open = usher_store_engine_session_open,
	.session_renew = usher_store_engine_session_renew,
	.session_close = usher_store_engine_session_close,
	.listen = usher_store_engine_listen,
	.unlisten = usher_store_engine_unlisten,
	.free = sqlite_free,
};

/* SQLite would make it readable for everybody and not sync the folder. An existing file is not even
 * opened: closing it would drop the locks of another store of this process. */
static bool make_file(const char *path, GError **error)
{
	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return true;
	g_auto(UsherFd) fd =
		usher_fd_create(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0600, error);
	if (fd < 0) {
		g_prefix_error(error, "make the store: ");
		return false;
	}
	g_autofree char *folder = g_path_get_dirname(path);
	g_auto(UsherFd) folder_fd = usher_fd_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, error);
	return folder_fd >= 0 && usher_fd_sync(folder_fd, error);
}

static bool execute(const UsherStoreSqlite *sqlite, const char *sql, GError **error)
{
	int rc = sqlite3_exec(sqlite->db, sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return true;
	raise_sqlite(sqlite, rc, "open", error);
	return false;
}

/* Calls row for each row of a query; only for opening. */
typedef void (*RowFunc)(sqlite3_stmt *statement, void *data);
static bool query(
	const UsherStoreSqlite *sqlite, const char *sql, RowFunc row, void *data, GError **error)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(sqlite->db, sql, -1, &statement, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(statement);
		if (rc == SQLITE_ROW)
			row(statement, data);
	}
	(void) sqlite3_finalize(statement);
	if (rc == SQLITE_DONE)
		return true;
	raise_sqlite(sqlite, rc, "open", error);
	return false;
}

static void read_int(sqlite3_stmt *statement, void *data)
{
	int64_t *number = data;
	*number = sqlite3_column_int64(statement, 0);
}

static void read_text(sqlite3_stmt *statement, void *data)
{
	char **text = data;
	g_free(*text);
	*text = g_strdup(column_text(statement, 0));
}

static bool open_file(UsherStoreSqlite *sqlite, GError **error)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(sqlite->path, &sqlite->db, flags, NULL);
	if (rc == SQLITE_OK && sqlite3_db_readonly(sqlite->db, "main") == 1)
		rc = SQLITE_READONLY;
	if (rc == SQLITE_OK)
		return true;
	raise_sqlite(sqlite, rc, "open", error);
	return false;
}

/* Its first bytes say whose file it is; an empty one becomes ours. Within the transaction that
 * claims the file, so that two usherds that start at once do not both make it. */
static bool claim_schema(UsherStoreSqlite *sqlite, GError **error)
{
	int64_t owner = 0, version = 0, n_tables = 0;
	if (!query(sqlite, "PRAGMA application_id", read_int, &owner, error) ||
		!query(sqlite, "PRAGMA user_version", read_int, &version, error) ||
		!query(sqlite, "SELECT count(*) FROM sqlite_schema", read_int, &n_tables, error))
		return false;
	if (owner == 0 && version == 0 && n_tables == 0)
		return execute(sqlite, schema, error);
	if (owner != APPLICATION_ID) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"open the store '%s': it is another program's file", sqlite->path);
		return false;
	}
	if (version == SCHEMA_VERSION)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID,
		"open the store '%s': it is of version %" G_GINT64_FORMAT
		", written by a newer usher; this one knows version %d",
		sqlite->path, version, SCHEMA_VERSION);
	return false;
}

/* From here to the end of the process nobody else can open the file: with this locking mode the
 * lock that the first transaction takes is kept, and no shared memory file is needed for WAL. */
static bool claim(UsherStoreSqlite *sqlite, GError **error)
{
	if (!execute(sqlite,
		    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE",
		    error))
		return false;
	if (!claim_schema(sqlite, error)) {
		(void) execute(sqlite, "ROLLBACK", NULL);
		return false;
	}
	return execute(sqlite,
		"COMMIT; PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216", error);
}

/* What the check found; a page that the disk would not give is no damage of the file. */
static void raise_found(const UsherStoreSqlite *sqlite, const char *found, GError **error)
{
	static const char code_mark[] = "error code=";
	const char *code = strstr(found, code_mark);
	const char *newline = strrchr(found, '\n'); /* after the name of the database */
	uint32_t rc;
	if (code != NULL && usher_text_parse_u32(code + strlen(code_mark), INT32_MAX, &rc, NULL))
		raise_sqlite(sqlite, (int) rc, "check", error);
	else
		usher_error_set(error, USHER_ERROR_INTERNAL,
			"open the store '%s': it is damaged, put back a backup (%s)", sqlite->path,
			newline != NULL ? newline + 1 : found);
}

static bool check_file(const UsherStoreSqlite *sqlite, GError **error)
{
	int64_t n_pages = 0, page_size = 0;
	g_autofree char *mode = NULL;
	if (!query(sqlite, "PRAGMA journal_mode", read_text, &mode, error) ||
		!query(sqlite, "PRAGMA page_count", read_int, &n_pages, error) ||
		!query(sqlite, "PRAGMA page_size", read_int, &page_size, error))
		return false;
	if (g_strcmp0(mode, "wal") != 0) {
		usher_error_set(error, USHER_ERROR_INTERNAL,
			"open the store '%s': its journal mode is %s, not WAL", sqlite->path, mode);
		return false;
	}
	if (n_pages * page_size > CHECK_MAX_BYTES)
		return true;
	g_autofree char *found = NULL;
	if (!query(sqlite, "PRAGMA quick_check(1)", read_text, &found, error))
		return false;
	if (g_strcmp0(found, "ok") == 0)
		return true;
	raise_found(sqlite, found != NULL ? found : "it cannot be checked", error);
	return false;
}

static bool prepare(UsherStoreSqlite *sqlite, GError **error)
{
	for (unsigned i = 0; i < N_STATEMENTS; i++) {
		int rc = sqlite3_prepare_v3(sqlite->db, statements[i], -1,
			SQLITE_PREPARE_PERSISTENT, &sqlite->statements[i], NULL);
		if (rc != SQLITE_OK) {
			raise_sqlite(sqlite, rc, "open", error);
			return false;
		}
	}
	return true;
}

static void adopt_session(sqlite3_stmt *statement, void *data)
{
	usher_store_engine_adopt_session(
		data, column_text(statement, 0), sqlite3_column_int64(statement, 1));
}

static bool load(UsherStoreSqlite *sqlite, GError **error)
{
	UsherStoreEngine *engine = &sqlite->engine;
	return query(sqlite, "SELECT revision FROM state", read_int, &engine->revision, error) &&
		query(sqlite, "SELECT compacted FROM state", read_int, &engine->compacted, error) &&
		query(sqlite, "SELECT id, ttl_us FROM sessions", adopt_session, engine, error) &&
		query(sqlite,
			"SELECT DISTINCT session, 0 FROM items"
			" WHERE session IS NOT NULL AND session NOT IN (SELECT id FROM sessions)",
			adopt_session, engine, error);
}

UsherStore *usher_store_sqlite_open(const char *path, UsherClock *clock, GError **error)
{
	if (!make_file(path, error))
		return NULL;
	UsherStoreSqlite *sqlite = g_new0(UsherStoreSqlite, 1);
	usher_store_engine_init(&sqlite->engine, &store_ops, &engine_ops, clock);
	sqlite->path = g_strdup(path);
	if (open_file(sqlite, error) && claim(sqlite, error) && check_file(sqlite, error) &&
		prepare(sqlite, error) && load(sqlite, error))
		return &sqlite->engine.store;
	sqlite_free(&sqlite->engine.store);
	return NULL;
}

void usher_store_sqlite_limit_pages(UsherStore *store, int64_t n_pages)
{
	UsherStoreSqlite *sqlite = sqlite_of(store);
	g_autofree char *sql =
		g_strdup_printf("PRAGMA max_page_count = %" G_GINT64_FORMAT, n_pages);
	bool is_set = execute(sqlite, sql, NULL);
	g_assert(is_set);
}
