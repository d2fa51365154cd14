/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/cli.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

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
	return cli->command->run(cli, error);
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
