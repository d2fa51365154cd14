/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/cli.h"
#include "host/record.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

/* A recording is read as it was written, too: as an archive. */
static bool unpack_root(UsherCli *cli, GError **error)
{
	if (cli->root == NULL || !usher_recording_is_name(cli->root) ||
		g_file_test(cli->root, G_FILE_TEST_IS_DIR))
		return true;
	cli->unpacked = usher_unpack(cli->root, error);
	if (cli->unpacked != NULL)
		cli->root = usher_unpacked_root(cli->unpacked);
	return cli->unpacked != NULL;
}

static bool run(UsherCli *cli, GError **error)
{
	if (cli->wants_help && cli->command != NULL) {
		usher_cli_print_help(cli->command);
		return true;
	}
	if (cli->wants_help)
		return usher_cmd_help(cli, error);
	bool needs_daemon = (cli->command->traits & USHER_COMMAND_DAEMON) != 0;
	if (needs_daemon && cli->root != NULL) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"usher %s%s%s asks usherd: it takes no --root", cli->command->noun,
			cli->command->verb != NULL ? " " : "",
			cli->command->verb != NULL ? cli->command->verb : "");
		return false;
	}
	return unpack_root(cli, error) && cli->command->run(cli, error);
}

/* Output that could not be written is a failure like any other. */
static bool flush(GError **error)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	usher_error_set(error, USHER_ERROR_HOST, "write to standard output: it failed");
	return false;
}

int main(int argc, char **argv)
{
	(void) argc;
	(void) setlocale(LC_CTYPE, "");
	g_autoptr(UsherCli) cli = usher_cli_new();
	g_autoptr(GError) error = NULL;
	const char *const *words = (const char *const *) argv + 1;
	if (usher_cli_parse(cli, words, &error) && run(cli, &error) && flush(&error))
		return EXIT_DONE;
	usher_cli_print_error(cli, error);
	return cli->is_usage_error ? EXIT_USAGE : EXIT_REFUSED;
}
