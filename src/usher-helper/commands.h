/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What usher-helper can do: one kernel write, or reads that take a device's lock. Each may hang for
 * ever; whoever spawned the process has a deadline. What is already so is success.
 */
#include <glib.h>
#include <stdbool.h>

#include "host/tree.h"

/* argv: the arguments after the command, as many as the command takes at least. */
typedef bool (*UsherCommandFunc)(const UsherTree *tree, int argc, char **argv, GError **error);

typedef struct UsherCommand {
	const char *name;
	int n_args;
	bool is_open;    /* takes more of them */
	bool has_output; /* of its own, in the place of an answer */
	const char *usage;
	UsherCommandFunc run;
} UsherCommand;

/* Ends with a command without a name. */
extern const UsherCommand usher_commands[];
