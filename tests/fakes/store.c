/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/store.h"

#include "base/error.h"

typedef struct FakeStore {
	UsherStore port;
	UsherStore *engine;
	FakeFaults *faults;
	void (*quicker)(void *data);
	void *quicker_data;
} FakeStore;

/* True: the engine is to be asked. A store that hangs has done it, and nobody is told so. */
static bool begins(FakeStore *fake, const char *name, FakeCall *out_call, GError **error)
{
	*out_call = fake_faults_call(fake->faults, FAKE_CONTROL, name, error);
	return *out_call != FAKE_CALL_REFUSE;
}

static int64_t fake_revision(UsherStore *store)
{
	UsherStore *engine = ((FakeStore *) store)->engine;
	return engine->ops->revision(engine);
}

static UsherStoreItem *fake_get(UsherStore *store, const char *key, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	if (!begins(fake, "store.get", &call, error) || call != FAKE_CALL_DO)
		return NULL;
	return fake->engine->ops->get(fake->engine, key, error);
}

static GPtrArray *fake_list(
	UsherStore *store, const char *prefix, const char *after, size_t limit, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	if (!begins(fake, "store.list", &call, error) || call != FAKE_CALL_DO)
		return NULL;
	return fake->engine->ops->list(fake->engine, prefix, after, limit, error);
}

static GPtrArray *fake_changes(
	UsherStore *store, const char *prefix, int64_t since, size_t limit, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	if (!begins(fake, "store.changes", &call, error) || call != FAKE_CALL_DO)
		return NULL;
	return fake->engine->ops->changes(fake->engine, prefix, since, limit, error);
}

static bool fake_commit(
	UsherStore *store, const UsherTxn *txn, int64_t *out_revision, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	g_autoptr(GError) fault = NULL;
	if (fake->quicker != NULL)
		fake->quicker(fake->quicker_data);
	if (!begins(fake, "store.commit", &call, &fault)) {
		g_propagate_error(error, g_steal_pointer(&fault));
		return false;
	}
	if (call == FAKE_CALL_DO)
		return fake->engine->ops->commit(fake->engine, txn, out_revision, error);
	(void) fake->engine->ops->commit(fake->engine, txn, out_revision, NULL);
	g_propagate_error(error, g_steal_pointer(&fault));
	return false;
}

static bool fake_compact(UsherStore *store, int64_t revision, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	if (!begins(fake, "store.compact", &call, error) || call != FAKE_CALL_DO)
		return false;
	return fake->engine->ops->compact(fake->engine, revision, error);
}

static char *fake_session_open(UsherStore *store, int64_t ttl_us, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	if (!begins(fake, "store.session_open", &call, error) || call != FAKE_CALL_DO)
		return NULL;
	return fake->engine->ops->session_open(fake->engine, ttl_us, error);
}

static bool fake_session_renew(UsherStore *store, const char *session, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	if (!begins(fake, "store.session_renew", &call, error) || call != FAKE_CALL_DO)
		return false;
	return fake->engine->ops->session_renew(fake->engine, session, error);
}

static bool fake_session_close(UsherStore *store, const char *session, GError **error)
{
	FakeStore *fake = (FakeStore *) store;
	FakeCall call;
	if (!begins(fake, "store.session_close", &call, error) || call != FAKE_CALL_DO)
		return false;
	return fake->engine->ops->session_close(fake->engine, session, error);
}

static unsigned fake_listen(UsherStore *store, UsherStoreAdvanced func, void *data)
{
	UsherStore *engine = ((FakeStore *) store)->engine;
	return engine->ops->listen(engine, func, data);
}

static void fake_unlisten(UsherStore *store, unsigned id)
{
	UsherStore *engine = ((FakeStore *) store)->engine;
	engine->ops->unlisten(engine, id);
}

void fake_store_interleave(UsherStore *store, void (*func)(void *data), void *data)
{
	FakeStore *fake = (FakeStore *) store;
	fake->quicker = func;
	fake->quicker_data = data;
}

static void fake_free(UsherStore *store)
{
	g_free(store);
}

static const UsherStoreOps ops = {
	.name = "fake",
	.revision = fake_revision,
	.get = fake_get,
	.list = fake_list,
	.commit = fake_commit,
	.changes = fake_changes,
	.compact = fake_compact,
	.session_open = fake_session_open,
	.session_renew = fake_session_renew,
	.session_close = fake_session_close,
	.listen = fake_listen,
	.unlisten = fake_unlisten,
	.free = fake_free,
};

UsherStore *fake_store_new(UsherStore *engine, FakeFaults *faults)
{
	FakeStore *fake = g_new0(FakeStore, 1);
	fake->port.ops = &ops;
	fake->engine = engine;
	fake->faults = faults;
	return &fake->port;
}
