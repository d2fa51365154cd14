/* SPDX-License-Identifier: Apache-2.0 */
/* Help and suggestions, made from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"

#define SUMMARY_COLUMN 46

/* What people type who come from elsewhere, and how it is done here. */
static const struct {
	const char *noun, *verb;
	const char *instead;
} directions[] = {
	{ "device", "bind",
		"usher binds devices when a guest needs them: usher device make-resource ADDRESS "
		"--group NAME" },
	{ "device", "unbind",
		"usher gives devices back when a guest ends: usher device return ADDRESS" },
	{ "device", "attach", "guests ask for groups: usher vm attach NAME --group GROUP" },
	{ "vm", "add", "usher vm adopt NAME" },
	{ "vm", "remove", "usher vm forget NAME" },
	{ "vm", "destroy", "usher vm stop NAME --force" },
	{ "vm", "shutdown", "usher vm stop NAME" },
	{ "lease", "delete", "leases end with their guest: usher vm stop NAME" },
};

static void print_flag(const UsherFlag *flag)
{
	g_autofree char *letter =
		flag->letter != 0 ? g_strdup_printf("-%c, ", flag->letter) : g_strdup("    ");
	g_autofree char *name = g_strdup_printf("%s--%s%s%s", letter, flag->name,
		flag->value != NULL ? " " : "", flag->value != NULL ? flag->value : "");
	printf("  %-26s  %s\n", name, flag->help);
	if (flag->choices == NULL)
		return;
	g_autofree char *choices = usher_text_join(flag->choices, " ");
	printf("  %-26s  one of: %s\n", "", choices);
}

static char *usage_of(const UsherCommand *command)
{
	GString *usage = g_string_new("usher ");
	g_string_append(usage, command->noun);
	if (command->verb != NULL)
		g_string_append_printf(usage, " %s", command->verb);
	if (command->args[0] != '\0')
		g_string_append_printf(usage, " %s", command->args);
	return g_string_free(usage, FALSE);
}

static bool is_hidden(const UsherCommand *command)
{
	return (command->traits & USHER_COMMAND_HIDDEN) != 0;
}

void usher_cli_print_help(const UsherCommand *command)
{
	g_autofree char *usage = usage_of(command);
	printf("%s\n\nusage: %s [flags]\n", command->summary, usage);
	if (command->flags != NULL)
		printf("\nflags:\n");
	for (const UsherFlag *flag = command->flags; flag != NULL && flag->name != NULL; flag++)
		print_flag(flag);
	printf("\nflags that all commands of its kind take:\n");
	for (const UsherFlag *flag = usher_global_flags; flag->name != NULL; flag++) {
		if (usher_cli_takes_flag(command, flag))
			print_flag(flag);
	}
	if (command->examples != NULL)
		printf("\nexamples:\n%s\n", command->examples);
}

static void print_summaries(const char *noun)
{
	for (const UsherCommand *command = usher_commands; command->noun != NULL; command++) {
		if (is_hidden(command) || (noun != NULL && strcmp(command->noun, noun) != 0))
			continue;
		g_autofree char *usage = usage_of(command);
		int padding = SUMMARY_COLUMN - (int) g_utf8_strlen(usage, -1);
		printf("  %s%*s  %s\n", usage, MAX(padding, 0), "", command->summary);
	}
}

bool usher_cli_print_help_of(const char *noun, const char *verb)
{
	if (noun == NULL) {
		printf("usher hands devices to guests.\n\n");
		print_summaries(NULL);
		printf("\nusher help NOUN VERB, or --help after any command, says more.\n"
		       "exit status: 0 done, 1 refused or failed, 2 wrong usage\n"
		       "environment: USHER_SERVER (--server), USHER_ROOT (--root), NO_COLOR\n");
		return true;
	}
	const UsherCommand *command = usher_cli_find_command(noun, verb);
	if (command != NULL) {
		usher_cli_print_help(command);
		return true;
	}
	if (verb != NULL)
		return false;
	const char *name = strcmp(noun, "op") == 0 ? "operation" : noun;
	bool is_known = false;
	for (command = usher_commands; command->noun != NULL; command++)
		is_known = is_known || strcmp(command->noun, name) == 0;
	if (is_known)
		print_summaries(name);
	return is_known;
}

/* All nouns, or all verbs of a noun; ends with NULL. */
static GPtrArray *words_of(const char *noun)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
	for (const UsherCommand *command = usher_commands; command->noun != NULL; command++) {
		const char *word = noun == NULL ? command->noun : command->verb;
		bool is_here = noun == NULL || strcmp(command->noun, noun) == 0;
		if (is_hidden(command) || !is_here || word == NULL)
			continue;
		if (words->len == 0 || strcmp(words->pdata[words->len - 1], word) != 0)
			g_ptr_array_add(words, g_strdup(word));
	}
	g_ptr_array_add(words, NULL);
	return words;
}

/* "usher get nodes": a verb, then a noun in the plural. */
static const UsherCommand *find_turned_round(const char *noun, const char *verb)
{
	if (verb == NULL)
		return NULL;
	g_autofree char *singular = g_strdup(verb);
	size_t length = strlen(singular);
	if (length > 1 && singular[length - 1] == 's')
		singular[length - 1] = '\0';
	const UsherCommand *found = usher_cli_find_command(verb, noun);
	return found != NULL ? found : usher_cli_find_command(singular, noun);
}

static bool is_noun_known(const char *noun)
{
	g_autoptr(GPtrArray) nouns = words_of(NULL);
	return g_strv_contains((const char *const *) nouns->pdata, noun);
}

void usher_cli_suggest(const char *noun, const char *verb, GError **error)
{
	noun = strcmp(noun, "op") == 0 ? "operation" : noun;
	for (size_t i = 0; verb != NULL && i < G_N_ELEMENTS(directions); i++) {
		if (strcmp(directions[i].noun, noun) == 0 &&
			strcmp(directions[i].verb, verb) == 0) {
			usher_error_set(error, USHER_ERROR_INVALID, "there is no 'usher %s %s': %s",
				noun, verb, directions[i].instead);
			return;
		}
	}
	const UsherCommand *turned = find_turned_round(noun, verb);
	if (turned != NULL) {
		g_autofree char *usage = usage_of(turned);
		usher_error_set(error, USHER_ERROR_INVALID, "there is no 'usher %s %s': %s", noun,
			verb, usage);
		return;
	}
	bool is_known = is_noun_known(noun);
	g_autoptr(GPtrArray) words = words_of(is_known ? noun : NULL);
	if (is_known && verb == NULL) {
		g_autofree char *verbs = g_strjoinv(", ", (char **) words->pdata);
		usher_error_set(
			error, USHER_ERROR_INVALID, "usher %s needs one of %s", noun, verbs);
		return;
	}
	const char *typed = is_known ? verb : noun;
	const char *nearest = usher_text_nearest(typed, (const char *const *) words->pdata);
	g_autofree char *whole = is_known ? g_strdup_printf("%s %s", noun, verb) : g_strdup(noun);
	if (nearest != NULL)
		usher_error_set(error, USHER_ERROR_INVALID,
			"there is no 'usher %s': did you mean usher %s%s%s?", whole,
			is_known ? noun : "", is_known ? " " : "", nearest);
	else
		usher_error_set(error, USHER_ERROR_INVALID,
			"there is no 'usher %s': see usher help%s%s", whole, is_known ? " " : "",
			is_known ? noun : "");
}

bool usher_cmd_help(UsherCli *cli, GError **error)
{
	const char *noun = usher_cli_arg(cli, 0);
	const char *verb = usher_cli_arg(cli, 1);
	if (usher_cli_print_help_of(noun, verb))
		return true;
	cli->is_usage_error = true;
	usher_cli_suggest(noun, verb, error);
	return false;
}
