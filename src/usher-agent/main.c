/* SPDX-License-Identifier: Apache-2.0 */
/* usher-agent: one node. Wiring only: host, hypervisor, journal and control plane → node. */
#include <glib-unix.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/text.h"
#include "client/control-http.h"
#include "guests/libvirt/libvirt.h"
#include "host/clock.h"
#include "host/helper.h"
#include "host/host-linux.h"
#include "host/journal-file.h"
#include "node/node.h"
#include "usher-agent/no-guests.h"
#include "usher-agent/promises.h"
#include "usher-agent/state.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct Options {
	char *server, *server_user;
	char *state;
	char *node;
	char *libvirt;
	char *helper;
	char *root;
	gboolean verbose;
	gboolean version;
	uint32_t server_uid;
	UsherPromises *promises; /* NULL: it is a recording */
} Options;

static void options_clear(Options *options)
{
	g_free(options->server);
	g_free(options->server_user);
	g_free(options->state);
	g_free(options->node);
	g_free(options->libvirt);
	g_free(options->helper);
	g_free(options->root);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static bool parse(Options *options, int argc, char **argv, GError **error)
{
	const GOptionEntry entries[] = {
		{ "server", 0, 0, G_OPTION_ARG_FILENAME, &options->server,
			"usherd's socket (/run/usher/usherd.sock)", "PATH" },
		{ "server-user", 0, 0, G_OPTION_ARG_STRING, &options->server_user,
			"Who usherd must run as (usher)", "NAME" },
		{ "state", 0, 0, G_OPTION_ARG_FILENAME, &options->state,
			"Where the journal is (/var/lib/usher-agent)", "DIR" },
		{ "node", 0, 0, G_OPTION_ARG_STRING, &options->node,
			"What this node is called (the first label of the host's name)", "NAME" },
		{ "libvirt", 0, 0, G_OPTION_ARG_STRING, &options->libvirt,
			"Where libvirt is (qemu:///system); none: there is none", "URI" },
		{ "helper", 0, 0, G_OPTION_ARG_FILENAME, &options->helper,
			"usher-helper (beside this program, or where it is installed)", "PATH" },
		{ "root", 0, 0, G_OPTION_ARG_FILENAME, &options->root,
			"Show the host recorded in DIR, and change nothing", "DIR" },
		{ "verbose", 0, 0, G_OPTION_ARG_NONE, &options->verbose, "Log more", NULL },
		{ "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version",
			NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_option_context_set_summary(context,
		"The agent of usher on a node: looks at the host, guards it, carries out.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, error))
		return false;
	if (argc == 1)
		return true;
	usher_error_set(error, USHER_ERROR_INVALID, "usher-agent takes no argument '%s'", argv[1]);
	return false;
}

static void set_default(char **option, const char *value)
{
	if (*option == NULL)
		*option = g_strdup(value);
}

static bool find_server_uid(Options *options, GError **error)
{
	if (usher_text_parse_u32(options->server_user, UINT32_MAX - 1, &options->server_uid, NULL))
		return true;
	const struct passwd *user = getpwnam(options->server_user);
	if (user == NULL) {
		usher_error_set(error, USHER_ERROR_INVALID, "there is no user '%s' (--server-user)",
			options->server_user);
		return false;
	}
	options->server_uid = user->pw_uid;
	return true;
}

static bool complete(Options *options, GError **error)
{
	set_default(&options->server, "/run/usher/usherd.sock");
	set_default(&options->server_user, "usher");
	set_default(&options->state, "/var/lib/usher-agent");
	set_default(&options->libvirt, options->root != NULL ? "none" : "qemu:///system");
	if (options->node == NULL) {
		options->node = g_ascii_strdown(g_get_host_name(), -1);
		options->node[strcspn(options->node, ".")] = '\0';
	}
	if (!usher_text_is_name(options->node)) {
		usher_error_set(error, USHER_ERROR_INVALID, "'%s' is no name for a node (--node)",
			options->node);
		return false;
	}
	if (options->root == NULL && options->helper == NULL)
		options->helper = usher_helper_find();
	if (options->root == NULL && options->helper == NULL) {
		usher_error_set(error, USHER_ERROR_INVALID, "there is no usher-helper (--helper)");
		return false;
	}
	return find_server_uid(options, error);
}

static void tell_ready(void *data)
{
	const Options *options = data;
	if (options->promises != NULL)
		usher_promises_check(options->promises);
	usher_log(USHER_LOG_INFO, NULL, "node %s is ready", options->node);
	usher_notify("READY=1");
}

static gboolean quit(gpointer data)
{
	g_main_loop_quit(data);
	return G_SOURCE_CONTINUE;
}

static bool run_node(
	Options *options, const char *instance, const UsherNodePorts *ports, GError **error)
{
	struct utsname system;
	const char *kernel = uname(&system) == 0 ? system.release : NULL;
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	unsigned term = g_unix_signal_add(SIGTERM, quit, loop);
	unsigned interrupt = g_unix_signal_add(SIGINT, quit, loop);
	g_autoptr(UsherNode) node =
		usher_node_new(options->node, instance, kernel, ports, tell_ready, options, error);
	if (node != NULL) {
		usher_notify_watchdog();
		g_main_loop_run(loop);
		usher_notify("STOPPING=1");
	}
	g_source_remove(term);
	g_source_remove(interrupt);
	return node != NULL;
}

static UsherGuest *open_guests(const Options *options, GError **error)
{
	if (strcmp(options->libvirt, "none") == 0)
		return usher_no_guests_new();
	return usher_guest_libvirt_new(options->libvirt, error);
}

/* Those that could be opened are freed in turn; the node has gone before them. */
static bool run(Options *options, GError **error)
{
	g_autoptr(UsherState) state = usher_state_open(options->state, error);
	if (state == NULL)
		return false;
	g_autofree char *journal_path = usher_state_path(state, "journal");
	UsherNodePorts ports = { .clock = usher_clock_real_new() };
	bool is_good = (ports.journal = usher_journal_file_open(journal_path, error)) != NULL &&
		(ports.host = usher_host_linux_new(options->root,
			 options->root == NULL ? options->helper : NULL, error)) != NULL &&
		(ports.guest = open_guests(options, error)) != NULL;
	if (is_good) {
		ports.control =
			usher_control_http_new(options->server, options->node, options->server_uid);
		if (options->root == NULL)
			options->promises = usher_promises_new(ports.clock, options->server);
		is_good = run_node(options, usher_state_instance(state), &ports, error);
		ports.control->ops->free(ports.control);
	}
	/* The lanes' threads may still call the ports: they end first. */
	usher_clock_real_free(ports.clock);
	g_clear_pointer(&options->promises, usher_promises_free);
	if (ports.guest != NULL)
		ports.guest->ops->free(ports.guest);
	if (ports.host != NULL)
		ports.host->ops->free(ports.host);
	if (ports.journal != NULL)
		ports.journal->ops->free(ports.journal);
	return is_good;
}

int main(int argc, char **argv)
{
	g_auto(Options) options = { 0 };
	g_autoptr(GError) error = NULL;
	bool is_parsed = parse(&options, argc, argv, &error);
	if (is_parsed && options.version) {
		printf("usher-agent %s\n", USHER_VERSION);
		return EXIT_DONE;
	}
	if (!is_parsed || !complete(&options, &error)) {
		fprintf(stderr, "usher-agent: %s\n", error->message);
		return EXIT_USAGE;
	}
	usher_log_init("usher-agent", options.verbose ? USHER_LOG_DEBUG : USHER_LOG_INFO);
	if (run(&options, &error))
		return EXIT_DONE;
	fprintf(stderr, "usher-agent: %s\n", error->message);
	return EXIT_FAILED;
}
