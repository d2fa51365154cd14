/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/connection.h"

#include <glib-unix.h>
#include <libvirt-glib/libvirt-glib-event.h>
#include <libxml/parser.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/error.h"
#include "base/fd.h"
#include "guests/libvirt/problem.h"

#define KEEPALIVE_SECONDS 5
#define KEEPALIVE_COUNT   3
#define OPEN_US           (10 * G_USEC_PER_SEC) /* how long one waits for another to open */
#define CLOSE_US          (2 * G_USEC_PER_SEC)
#define CHANGED_MS        20 /* events come in bunches: one start makes five */
/* When the socket appears libvirtd isn't listening yet: again soon, then ever more slowly. */
#define RETRY_FIRST_MS 100U
#define RETRY_LAST_MS  30000U

#define SYSTEM_FOLDER "/run/libvirt"

#define N_EVENT_KINDS 5

/* What is open, to be closed with all that hangs on it. */
typedef struct Link {
	virConnectPtr libvirt;
	int events[N_EVENT_KINDS]; /* callback ids, -1: none */
} Link;

struct UsherConnection { /* counted: threads and callbacks of libvirt hold it */
	char *uri;
	char *folder; /* where the socket appears, NULL: nowhere on this machine */

	GMutex lock;
	GCond turn;
	/* under the lock */
	Link *link;  /* NULL: not connected */
	Link *stale; /* lost, to be closed by the next opener */
	bool opening;
	int64_t opening_since;
	char *why; /* the last opening failed */
	unsigned n_events;
	bool changed_queued;
	bool closed;

	/* main thread */
	UsherConnectionFunc func;
	void *data;
	unsigned retry_ms;
	guint retry_id;
	guint inotify_id;
	UsherFd inotify;
};

static void connection_clear(void *data)
{
	UsherConnection *connection = data;
	g_assert(connection->link == NULL && connection->stale == NULL);
	g_mutex_clear(&connection->lock);
	g_cond_clear(&connection->turn);
	g_free(connection->uri);
	g_free(connection->folder);
	g_free(connection->why);
}

static UsherConnection *connection_ref(UsherConnection *connection)
{
	return g_atomic_rc_box_acquire(connection);
}

static void connection_unref(void *connection)
{
	g_atomic_rc_box_release_full(connection, connection_clear);
}

/* ---- the main thread is told ---- */

static gboolean on_changed(void *data)
{
	UsherConnection *connection = data;
	g_mutex_lock(&connection->lock);
	connection->changed_queued = false;
	bool closed = connection->closed;
	g_mutex_unlock(&connection->lock);
	if (!closed && connection->func != NULL)
		connection->func(connection->data);
	return G_SOURCE_REMOVE;
}

/* Any thread, under the lock. */
static void queue_changed(UsherConnection *connection)
{
	connection->n_events++;
	g_cond_broadcast(&connection->turn);
	if (connection->changed_queued || connection->closed)
		return;
	connection->changed_queued = true;
	(void) g_timeout_add_full(G_PRIORITY_DEFAULT, CHANGED_MS, on_changed,
		connection_ref(connection), connection_unref);
}

/* Any thread. */
static void note_event(UsherConnection *connection)
{
	g_mutex_lock(&connection->lock);
	queue_changed(connection);
	g_mutex_unlock(&connection->lock);
}

static gboolean on_lost(void *data);

/* Any thread: libvirt tells the one that was reading. */
static void note_loss(UsherConnection *connection, virConnectPtr libvirt)
{
	g_mutex_lock(&connection->lock);
	if (connection->link != NULL && connection->link->libvirt == libvirt) {
		g_assert(connection->stale == NULL);
		connection->stale = g_steal_pointer(&connection->link);
		queue_changed(connection);
		(void) g_idle_add_full(
			G_PRIORITY_DEFAULT, on_lost, connection_ref(connection), connection_unref);
	}
	g_mutex_unlock(&connection->lock);
}

/* ---- what libvirt calls ---- */

static void on_close(virConnectPtr libvirt, int reason G_GNUC_UNUSED, void *data)
{
	note_loss(data, libvirt);
}

static int on_lifecycle(virConnectPtr libvirt G_GNUC_UNUSED, virDomainPtr domain G_GNUC_UNUSED,
	int event G_GNUC_UNUSED, int detail G_GNUC_UNUSED, void *data)
{
	note_event(data);
	return 0;
}

static void on_device(virConnectPtr libvirt G_GNUC_UNUSED, virDomainPtr domain G_GNUC_UNUSED,
	const char *alias G_GNUC_UNUSED, void *data)
{
	note_event(data);
}

static void on_metadata(virConnectPtr libvirt G_GNUC_UNUSED, virDomainPtr domain G_GNUC_UNUSED,
	int type G_GNUC_UNUSED, const char *uri G_GNUC_UNUSED, void *data)
{
	note_event(data);
}

#define CALLBACK(func) ((virConnectDomainEventGenericCallback) (void (*)(void))(func))
static const struct {
	int kind;
	virConnectDomainEventGenericCallback func;
} event_kinds[] = {
	{ VIR_DOMAIN_EVENT_ID_LIFECYCLE, CALLBACK(on_lifecycle) },
	{ VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, CALLBACK(on_device) },
	{ VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, CALLBACK(on_device) },
	{ VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, CALLBACK(on_device) },
	{ VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, CALLBACK(on_metadata) },
};
#undef CALLBACK
G_STATIC_ASSERT(G_N_ELEMENTS(event_kinds) == N_EVENT_KINDS);

/* ---- opening and closing, in threads of their own ---- */

static void drop_if_dead(UsherConnection *connection)
{
	g_mutex_lock(&connection->lock);
	virConnectPtr libvirt = connection->link != NULL ? connection->link->libvirt : NULL;
	if (libvirt != NULL)
		virConnectRef(libvirt);
	g_mutex_unlock(&connection->lock);
	if (libvirt == NULL)
		return;
	if (virConnectIsAlive(libvirt) == 0)
		note_loss(connection, libvirt);
	(void) virConnectClose(libvirt);
}

static Link *link_open(UsherConnection *connection)
{
	virConnectPtr libvirt = virConnectOpen(connection->uri);
	if (libvirt == NULL)
		return NULL;
	Link *link = g_new0(Link, 1);
	link->libvirt = libvirt;
	/* Drivers inside this process know neither keepalives nor a lost connection. */
	(void) virConnectSetKeepAlive(libvirt, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
	/* The link holds it: a driver with no connection to lose takes the callback and forgets. */
	(void) virConnectRegisterCloseCallback(libvirt, on_close, connection_ref(connection), NULL);
	for (size_t i = 0; i < N_EVENT_KINDS; i++) {
		link->events[i] =
			virConnectDomainEventRegisterAny(libvirt, NULL, event_kinds[i].kind,
				event_kinds[i].func, connection_ref(connection), connection_unref);
		if (link->events[i] < 0)
			connection_unref(connection);
	}
	return link;
}

static void link_close(UsherConnection *connection, Link *link)
{
	if (link == NULL)
		return;
	for (size_t i = 0; i < N_EVENT_KINDS; i++) {
		if (link->events[i] >= 0)
			(void) virConnectDomainEventDeregisterAny(link->libvirt, link->events[i]);
	}
	(void) virConnectUnregisterCloseCallback(link->libvirt, on_close);
	connection_unref(connection);
	(void) virConnectClose(link->libvirt);
	g_free(link);
}

static gboolean on_opened(void *data);

/* Closes what was lost, opens anew unless nobody wants it any more. */
static void *open_anew(void *data)
{
	UsherConnection *connection = data;
	g_mutex_lock(&connection->lock);
	Link *stale = g_steal_pointer(&connection->stale);
	bool closed = connection->closed;
	g_mutex_unlock(&connection->lock);

	link_close(connection, stale);
	Link *link = closed ? NULL : link_open(connection);
	g_autofree char *why = link == NULL ? g_strdup(virGetLastErrorMessage()) : NULL;

	g_mutex_lock(&connection->lock);
	if (connection->closed) { /* meanwhile */
		g_mutex_unlock(&connection->lock);
		link_close(connection, g_steal_pointer(&link));
		g_mutex_lock(&connection->lock);
	}
	connection->link = link;
	g_free(connection->why);
	connection->why = g_steal_pointer(&why);
	connection->opening = false;
	g_cond_broadcast(&connection->turn);
	if (!connection->closed)
		(void) g_idle_add_full(G_PRIORITY_DEFAULT, on_opened, connection_ref(connection),
			connection_unref);
	g_mutex_unlock(&connection->lock);

	drop_if_dead(connection); /* it may have been lost before we could be told */
	connection_unref(connection);
	return NULL;
}

/* Any thread, under the lock. */
static void start_opening(UsherConnection *connection)
{
	if (connection->opening || connection->link != NULL)
		return;
	connection->opening = true;
	connection->opening_since = g_get_monotonic_time();
	g_thread_unref(g_thread_new("libvirt-open", open_anew, connection_ref(connection)));
}

/* ---- bringing it back: main thread ---- */

static void retry(UsherConnection *connection)
{
	g_mutex_lock(&connection->lock);
	if (!connection->closed)
		start_opening(connection);
	g_mutex_unlock(&connection->lock);
}

static void unwatch_folder(UsherConnection *connection)
{
	g_clear_handle_id(&connection->inotify_id, g_source_remove);
	usher_fd_close(usher_fd_steal(&connection->inotify));
}

static void disarm(UsherConnection *connection)
{
	g_clear_handle_id(&connection->retry_id, g_source_remove);
	unwatch_folder(connection);
}

static gboolean on_retry(void *data)
{
	UsherConnection *connection = data;
	connection->retry_id = 0;
	retry(connection);
	return G_SOURCE_REMOVE;
}

/* Whatever it was; not at once, as a busy folder would have us try all the time. */
static gboolean on_folder_changed(
	int fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, void *data)
{
	UsherConnection *connection = data;
	disarm(connection);
	connection->retry_ms = RETRY_FIRST_MS;
	connection->retry_id = g_timeout_add(RETRY_FIRST_MS, on_retry, connection);
	return G_SOURCE_REMOVE;
}

/* Watches the socket's folder, or as much of its path as exists. It is enough to hear of one
 * change: the next attempt that fails watches again. */
static void watch_folder(UsherConnection *connection)
{
	if (connection->folder == NULL || connection->inotify_id != 0)
		return;
	g_auto(UsherFd) fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0)
		return; /* the timer is left */
	g_autofree char *folder = g_strdup(connection->folder);
	while (inotify_add_watch(fd, folder, IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0) {
		if (strcmp(folder, "/") == 0 || strcmp(folder, ".") == 0)
			return;
		char *parent = g_path_get_dirname(folder);
		g_free(folder);
		folder = parent;
	}
	connection->inotify = usher_fd_steal(&fd);
	connection->inotify_id =
		g_unix_fd_add(connection->inotify, G_IO_IN, on_folder_changed, connection);
}

/* Watches for its return; the folder first, so that nothing is missed before the timer is set. */
static void arm(UsherConnection *connection)
{
	watch_folder(connection);
	if (connection->retry_id == 0)
		connection->retry_id = g_timeout_add(connection->retry_ms, on_retry, connection);
	connection->retry_ms = MIN(connection->retry_ms * 2, RETRY_LAST_MS);
}

static bool is_closed(UsherConnection *connection, bool *out_connected)
{
	g_mutex_lock(&connection->lock);
	bool closed = connection->closed;
	*out_connected = connection->link != NULL;
	g_mutex_unlock(&connection->lock);
	return closed;
}

static gboolean on_lost(void *data)
{
	UsherConnection *connection = data;
	bool connected;
	if (is_closed(connection, &connected) || connected)
		return G_SOURCE_REMOVE;
	connection->retry_ms = RETRY_FIRST_MS;
	retry(connection);
	return G_SOURCE_REMOVE;
}

static gboolean on_opened(void *data)
{
	UsherConnection *connection = data;
	bool connected;
	if (is_closed(connection, &connected))
		return G_SOURCE_REMOVE;
	if (!connected) {
		arm(connection);
		return G_SOURCE_REMOVE;
	}
	disarm(connection);
	connection->retry_ms = RETRY_FIRST_MS;
	note_event(connection);
	return G_SOURCE_REMOVE;
}

/* ---- public ---- */

/* Where the uri's socket is: its socket= or the place libvirt's own clients look at. */
static char *folder_of(const char *uri)
{
	g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
	if (parsed == NULL)
		return NULL;
	const char *scheme = g_uri_get_scheme(parsed), *host = g_uri_get_host(parsed);
	bool is_unix = g_str_has_suffix(scheme, "+unix");
	bool is_local = (host == NULL || *host == '\0') && strchr(scheme, '+') == NULL;
	if ((!is_unix && !is_local) || strcmp(scheme, "test") == 0)
		return NULL;
	const char *query = g_uri_get_query(parsed);
	g_autoptr(GHashTable) values =
		query != NULL ? g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL) : NULL;
	const char *socket = values != NULL ? g_hash_table_lookup(values, "socket") : NULL;
	if (socket != NULL)
		return g_path_get_dirname(socket);
	if (strcmp(g_uri_get_path(parsed), "/session") == 0)
		return g_build_filename(g_get_user_runtime_dir(), "libvirt", NULL);
	return g_strdup(SYSTEM_FOLDER);
}

UsherConnection *usher_connection_new(const char *uri, GError **error)
{
	static gsize once = 0;
	if (uri == NULL || *uri == '\0') {
		usher_error_set(error, USHER_ERROR_INVALID, "libvirt: no uri to connect to");
		return NULL;
	}
	if (g_once_init_enter(&once)) {
		xmlInitParser();
		usher_libvirt_be_quiet();
		(void) virInitialize();
		gvir_event_register();
		g_once_init_leave(&once, 1);
	}
	UsherConnection *connection = g_atomic_rc_box_new0(UsherConnection);
	g_mutex_init(&connection->lock);
	g_cond_init(&connection->turn);
	connection->uri = g_strdup(uri);
	connection->folder = folder_of(uri);
	connection->retry_ms = RETRY_FIRST_MS;
	connection->inotify = -1;
	return connection;
}

void usher_connection_free(UsherConnection *connection)
{
	if (connection == NULL)
		return;
	disarm(connection);
	connection->func = NULL;
	int64_t until = g_get_monotonic_time() + CLOSE_US;
	g_mutex_lock(&connection->lock);
	connection->closed = true;
	if (connection->link != NULL) {
		g_assert(connection->stale == NULL);
		connection->stale = g_steal_pointer(&connection->link);
	}
	if (connection->stale != NULL)
		start_opening(connection);
	while (connection->opening &&
		g_cond_wait_until(&connection->turn, &connection->lock, until))
		;
	g_mutex_unlock(&connection->lock);
	connection_unref(connection);
}

void usher_connection_watch(UsherConnection *connection, UsherConnectionFunc func, void *data)
{
	connection->func = func;
	connection->data = data;
	retry(connection);
}

static void set_no_answer(GError **error, const UsherConnection *connection)
{
	if (connection->opening)
		usher_error_set(error, USHER_ERROR_UNAVAILABLE,
			"libvirtd does not answer: %s has been opening for %d s", connection->uri,
			(int) ((g_get_monotonic_time() - connection->opening_since) /
				G_USEC_PER_SEC));
	else
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "libvirtd does not answer: %s",
			connection->why != NULL ? connection->why : "the connection is closed");
}

virConnectPtr usher_connection_get(UsherConnection *connection, GError **error)
{
	drop_if_dead(connection);
	virConnectPtr libvirt = NULL;
	g_mutex_lock(&connection->lock);
	if (!connection->closed)
		start_opening(connection);
	int64_t until = connection->opening_since + OPEN_US;
	while (connection->opening &&
		g_cond_wait_until(&connection->turn, &connection->lock, until))
		;
	if (connection->link != NULL) {
		libvirt = connection->link->libvirt;
		virConnectRef(libvirt);
	} else {
		set_no_answer(error, connection);
	}
	g_mutex_unlock(&connection->lock);
	return libvirt;
}

unsigned usher_connection_n_events(UsherConnection *connection)
{
	g_mutex_lock(&connection->lock);
	unsigned n_events = connection->n_events;
	g_mutex_unlock(&connection->lock);
	return n_events;
}

void usher_connection_await(UsherConnection *connection, unsigned n_events, int64_t until_us)
{
	g_mutex_lock(&connection->lock);
	while (connection->n_events == n_events &&
		g_cond_wait_until(&connection->turn, &connection->lock, until_us))
		;
	g_mutex_unlock(&connection->lock);
}
