/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usher-helper [--root DIR] COMMAND…: does one thing to the kernel, says in one line of JSON what
 * became of it, and exits: 0 done, 1 refused or failed, 2 wrong usage. It decides nothing: guard,
 * order and deadline are those of whoever spawns it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "commands.h"
#include "device.h"
#include "module.h"
#include "overrides.h"
#include "vpd.h"

const UsherCommand usher_commands[] = {
	{ "override", 3, false, false, "ADDRESS IDENTITY TEXT|--none", usher_device_override },
	{ "unbind", 3, false, false, "ADDRESS IDENTITY DRIVER", usher_device_unbind },
	{ "bind", 3, false, false, "ADDRESS IDENTITY DRIVER", usher_device_bind },
	{ "load-module", 1, false, false, "NAME", usher_module_load },
	{ "read-overrides", 0, true, true, "[ADDRESS-TO-SKIP…]", usher_overrides_read },
	{ "read-overrides-of", 1, true, true, "ADDRESS…", usher_overrides_read_of },
	{ "read-vpd", 1, false, true, "ADDRESS", usher_vpd_read },
	{ NULL },
};

static const UsherCommand *find_command(const char *name, int n_args)
{
	for (const UsherCommand *command = usher_commands; command->name != NULL; command++) {
		if (strcmp(command->name, name) == 0 &&
			(n_args == command->n_args ||
				(command->is_open && n_args > command->n_args)))
			return command;
	}
	return NULL;
}

static int show_usage(void)
{
	for (const UsherCommand *command = usher_commands; command->name != NULL; command++)
		(void) fprintf(stderr, "usage: usher-helper [--root DIR] %s %s\n", command->name,
			command->usage);
	return 2;
}

static int answer(const GError *error)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ false);
	usher_json_begin_object(writer);
	usher_json_put_bool(writer, "ok", error == NULL);
	if (error != NULL) {
		usher_json_put_string(
			writer, "code", usher_error_code_name(usher_error_code(error)));
		usher_json_put_string(writer, "message", error->message);
	}
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	if (!usher_fd_write(STDOUT_FILENO, line, strlen(line), NULL))
		return 1;
	return error == NULL ? 0 : 1;
}

/* What somebody recorded stays as it was recorded. */
static bool is_writable(const char *root, GError **error)
{
	g_autofree char *mark = g_build_filename(root, ".usher-recording", NULL);
	if (access(mark, F_OK) != 0)
		return true;
	usher_error_set(error, USHER_ERROR_DENIED, "%s is a recording", root);
	return false;
}

static bool run(
	const UsherCommand *command, const char *root, int argc, char **argv, GError **error)
{
	if (!command->has_output && !is_writable(root, error))
		return false;
	g_autoptr(UsherTree) tree = usher_tree_open(root, error);
	return tree != NULL && command->run(tree, argc, argv, error);
}

int main(int argc, char **argv)
{
	const char *root = "/";
	int first = 1;
	(void) clearenv();
	if (argc > 2 && strcmp(argv[1], "--root") == 0) {
		root = argv[2];
		first = 3;
	}
	const UsherCommand *command =
		argc > first ? find_command(argv[first], argc - first - 1) : NULL;
	if (command == NULL)
		return show_usage();
	g_autoptr(GError) error = NULL;
	bool is_done = run(command, root, argc - first - 1, argv + first + 1, &error);
	if (command->has_output)
		return is_done ? 0 : 1;
	return answer(error);
}
