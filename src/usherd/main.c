/* SPDX-License-Identifier: Apache-2.0 */
/* usherd: the control plane. Wiring only: store → cluster → router → socket. */
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>

#include "api/http.h"
#include "api/router.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/notify.h"
#include "host/clock.h"
#include "store/memory.h"
#include "store/sqlite.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct Options {
	char *store;
	char *socket;
	char *admin_group;
	int request_seconds;
	gboolean verbose;
	gboolean version;
	gboolean routes;
} Options;

static void options_clear(Options *options)
{
	g_free(options->store);
	g_free(options->socket);
	g_free(options->admin_group);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static bool parse(Options *options, int argc, char **argv, GError **error)
{
	const GOptionEntry entries[] = {
		{ "store", 0, 0, G_OPTION_ARG_FILENAME, &options->store,
			"Where everything is kept (/var/lib/usher/usher.db); :memory: keeps "
			"nothing",
			"FILE" },
		{ "socket", 0, 0, G_OPTION_ARG_FILENAME, &options->socket,
			"Where to listen (/run/usher/usherd.sock)", "PATH" },
		{ "admin-group", 0, 0, G_OPTION_ARG_STRING, &options->admin_group,
			"Whose members may do everything, beside root (usher-admin)", "NAME" },
		{ "request-timeout", 0, 0, G_OPTION_ARG_INT, &options->request_seconds,
			"How long a client may take to send a request (30)", "SECONDS" },
		{ "verbose", 0, 0, G_OPTION_ARG_NONE, &options->verbose, "Log more", NULL },
		{ "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version",
			NULL },
		{ "routes", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &options->routes, NULL,
			NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_option_context_set_summary(context, "The control plane of usher: who gets which device.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, error))
		return false;
	if (argc > 1) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "usherd takes no argument '%s'", argv[1]);
		return false;
	}
	if (options->request_seconds < 1 || options->request_seconds > 3600) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "--request-timeout is from 1 to 3600 seconds");
		return false;
	}
	return true;
}

static bool make_folder_of(const char *path, mode_t mode, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	return usher_folder_make(folder, mode, error);
}

static UsherStore *open_store(const char *path, UsherClock *clock, GError **error)
{
	if (strcmp(path, ":memory:") == 0)
		return usher_store_memory_new(clock);
	return make_folder_of(path, 0700, error) ? usher_store_sqlite_open(path, clock, error)
						 : NULL;
}

static UsherHttpResponse *admit(const UsherHttpRequest *request, void *data)
{
	return usher_router_admit(data, request);
}

static UsherHttpResponse *answer(const UsherHttpRequest *request, void *data)
{
	return usher_router_answer(data, request);
}

static bool is_trusted(const UsherPeer *peer, void *data)
{
	return usher_router_is_trusted(data, peer);
}

static gboolean quit(gpointer data)
{
	g_main_loop_quit(data);
	return G_SOURCE_CONTINUE;
}

static void run_loop(void)
{
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	unsigned term = g_unix_signal_add(SIGTERM, quit, loop);
	unsigned interrupt = g_unix_signal_add(SIGINT, quit, loop);
	usher_notify_watchdog();
	usher_notify("READY=1");
	g_main_loop_run(loop);
	usher_notify("STOPPING=1");
	g_source_remove(term);
	g_source_remove(interrupt);
}

/* Listens last: who is answered at all is answered from a store that has been read. */
static bool serve(const Options *options, UsherStore *store, UsherClock *clock, GError **error)
{
	g_autoptr(UsherCluster) cluster = usher_cluster_new(store, clock, error);
	if (cluster == NULL)
		return false;
	UsherAuth *auth = usher_auth_new(options->admin_group);
	bool only_root = !auth->has_admin_gid;
	g_autoptr(UsherRouter) router = usher_router_new(cluster, clock, auth);
	UsherHttpLimits limits = usher_http_default_limits;
	limits.request_seconds = (unsigned) options->request_seconds;
	const UsherHttpHandler handler = { admit, answer, is_trusted, router };
	if (!make_folder_of(options->socket, 0755, error))
		return false;
	g_autoptr(UsherHttp) http = usher_http_listen(options->socket, &limits, &handler, error);
	if (http == NULL)
		return false;
	usher_log(USHER_LOG_INFO, NULL,
		"usherd %s listens on %s, store %s at revision %" G_GINT64_FORMAT, USHER_VERSION,
		options->socket, options->store, usher_cluster_revision(cluster));
	if (only_root)
		usher_log(USHER_LOG_NOTICE, NULL, "there is no group '%s': only root is admin",
			options->admin_group);
	run_loop();
	return true;
}

static bool run(const Options *options, GError **error)
{
	UsherClock *clock = usher_clock_real_new();
	UsherStore *store = open_store(options->store, clock, error);
	bool is_good = store != NULL && serve(options, store, clock, error);
	if (store != NULL)
		store->ops->free(store);
	usher_clock_real_free(clock);
	return is_good;
}

int main(int argc, char **argv)
{
	g_auto(Options)
		options = { .request_seconds = (int) usher_http_default_limits.request_seconds };
	g_autoptr(GError) error = NULL;
	if (!parse(&options, argc, argv, &error)) {
		fprintf(stderr, "usherd: %s\n", error->message);
		return EXIT_USAGE;
	}
	if (options.version || options.routes) {
		g_autofree char *routes = usher_router_print_routes();
		printf("%s", options.version ? "usherd " USHER_VERSION "\n" : routes);
		return EXIT_DONE;
	}
	if (options.store == NULL)
		options.store = g_strdup("/var/lib/usher/usher.db");
	if (options.socket == NULL)
		options.socket = g_strdup("/run/usher/usherd.sock");
	if (options.admin_group == NULL)
		options.admin_group = g_strdup("usher-admin");
	usher_log_init("usherd", options.verbose ? USHER_LOG_DEBUG : USHER_LOG_INFO);
	if (run(&options, &error))
		return EXIT_DONE;
	fprintf(stderr, "usherd: %s\n", error->message);
	return EXIT_FAILED;
}
