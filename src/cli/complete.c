/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion. The shells' scripts only pass the words typed so far to `usher __complete`, which
 * answers from the table of commands, and for names from usherd or this host.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/device-columns.h"
#include "cli/devices.h"

#define NAMES_MS 300U

static const char bash_script[] =
	"_usher() {\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(usher __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
	"}\n"
	"complete -o default -F _usher usher\n";

static const char zsh_script[] =
	"#compdef usher\n"
	"_usher() {\n"
	"\tlocal -a found\n"
	"\tfound=(\"${(@f)$(usher __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tcompadd -a found\n"
	"}\n"
	"compdef _usher usher\n";

static const char fish_script[] = "function __usher_complete\n"
				  "\tset -l words (commandline -opc) (commandline -ct)\n"
				  "\tusher __complete $words[2..-1] 2>/dev/null\n"
				  "end\n"
				  "complete -c usher -f -a '(__usher_complete)'\n";

bool usher_cmd_completion(UsherCli *cli, GError **error)
{
	static const struct {
		const char *shell, *script;
	} rows[] = { { "bash", bash_script }, { "zsh", zsh_script }, { "fish", fish_script } };
	const char *shell = usher_cli_arg(cli, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (strcmp(rows[i].shell, shell) != 0)
			continue;
		printf("%s", rows[i].script);
		return true;
	}
	return usher_cli_misuse(
		cli, error, "there is completion for bash, zsh and fish, not for '%s'", shell);
}

/* The word that is being typed, and what the words before it say. */
typedef struct Typed {
	const char *word;
	const char *noun, *verb;
	const UsherCommand *command;
	const UsherFlag *flag; /* the word is its value */
} Typed;

static void offer(const Typed *typed, const char *word)
{
	if (g_str_has_prefix(word, typed->word))
		printf("%s\n", word);
}

static const UsherFlag *flag_of_word(const UsherCommand *command, const char *word)
{
	if (word[0] != '-' || word[1] == '\0' || strchr(word, '=') != NULL)
		return NULL;
	return word[1] == '-' ? usher_cli_find_flag(command, word + 2, 0)
			      : usher_cli_find_flag(command, NULL, word[1]);
}

static Typed read_words(const UsherCli *cli)
{
	Typed typed = { .word = "" };
	for (unsigned i = 0; i < cli->args->len; i++) {
		const char *word = usher_cli_arg(cli, i);
		bool is_last = i + 1 == cli->args->len;
		if (is_last) {
			typed.word = word;
			break;
		}
		if (typed.flag != NULL) {
			typed.flag = NULL;
			continue;
		}
		const UsherFlag *flag = flag_of_word(typed.command, word);
		if (word[0] == '-') {
			typed.flag = flag != NULL && flag->type != USHER_FLAG_SWITCH ? flag : NULL;
			continue;
		}
		if (typed.noun == NULL)
			typed.noun = word;
		else if (typed.verb == NULL)
			typed.verb = word;
		if (typed.command == NULL)
			typed.command = usher_cli_find_command(typed.noun, typed.verb);
	}
	return typed;
}

static void offer_commands(const Typed *typed)
{
	const char *last = NULL;
	for (const UsherCommand *command = usher_commands; command->noun != NULL; command++) {
		if ((command->traits & USHER_COMMAND_HIDDEN) != 0)
			continue;
		bool is_here = typed->noun == NULL || strcmp(typed->noun, command->noun) == 0;
		const char *word = typed->noun == NULL ? command->noun : command->verb;
		if (!is_here || word == NULL || g_strcmp0(last, word) == 0)
			continue;
		offer(typed, word);
		last = word;
	}
}

static void offer_flags(const Typed *typed)
{
	const UsherFlag *own = typed->command != NULL ? typed->command->flags : NULL;
	for (const UsherFlag *flag = own; flag != NULL && flag->name != NULL; flag++) {
		g_autofree char *word = g_strconcat("--", flag->name, NULL);
		offer(typed, word);
	}
	for (const UsherFlag *flag = usher_global_flags; flag->name != NULL; flag++) {
		if (typed->command != NULL && !usher_cli_takes_flag(typed->command, flag))
			continue;
		g_autofree char *word = g_strconcat("--", flag->name, NULL);
		offer(typed, word);
	}
}

/* Names of a collection: nobody waits for a slow usherd to have a word completed. */
static void offer_names(UsherCli *cli, const Typed *typed, const char *collection)
{
	UsherClient *client = usher_cli_client(cli, NULL);
	g_autofree char *path = g_strdup_printf("/v1/%s?limit=5000", collection);
	UsherClientRequest request = { .method = "GET", .path = path, .timeout_ms = NAMES_MS };
	g_autoptr(UsherAnswer) answer =
		client != NULL ? usher_client_send(client, &request, NULL) : NULL;
	g_autoptr(UsherJson) page =
		answer != NULL ? usher_json_parse(answer->body, strlen(answer->body), NULL) : NULL;
	const UsherJson *items = page != NULL ? usher_json_get(page, "items") : NULL;
	const UsherNoun *noun = usher_nouns;
	while (noun->kind != NULL && strcmp(noun->collection, collection) != 0)
		noun++;
	if (noun->kind == NULL)
		return;
	for (size_t i = 0; items != NULL && i < usher_json_length(items); i++) {
		const char *name =
			usher_json_get_string(usher_json_at(items, i), noun->name_member);
		if (name != NULL)
			offer(typed, name);
	}
}

static void offer_addresses(UsherCli *cli, const Typed *typed)
{
	g_autoptr(GPtrArray) devices = usher_cli_scan_devices(cli, NULL);
	for (unsigned i = 0; devices != NULL && i < devices->len; i++)
		offer(typed, usher_json_get_string(devices->pdata[i], "address"));
}

static void offer_collection(UsherCli *cli, const Typed *typed, const char *collection)
{
	if (strcmp(collection, "devices") == 0)
		offer_addresses(cli, typed);
	else
		offer_names(cli, typed, collection);
}

/* Of a list in one word, "display,net": the last one is being typed. */
static void offer_listed(const Typed *typed, const char *word)
{
	const char *comma = strrchr(typed->word, ',');
	int length = comma != NULL ? (int) (comma - typed->word) + 1 : 0;
	g_autofree char *whole = g_strdup_printf("%.*s%s", length, typed->word, word);
	offer(typed, whole);
}

static void offer_columns(const Typed *typed)
{
	const char *prefix =
		strcmp(typed->flag->name, "sort") == 0 && typed->word[0] == '-' ? "-" : "";
	for (const UsherColumn *column = usher_device_columns; column->header != NULL; column++) {
		g_autofree char *name = g_ascii_strdown(column->header, -1);
		g_autofree char *word = g_strconcat(prefix, name, NULL);
		offer_listed(typed, word);
	}
}

/* Flags that devices alone have. */
static void offer_device_values(const Typed *typed)
{
	const char *name = typed->flag->name;
	bool is_list = typed->command != NULL && strcmp(typed->command->noun, "device") == 0 &&
		g_strcmp0(typed->command->verb, "list") == 0;
	for (size_t i = 0;
		is_list && strcmp(name, "type") == 0 && usher_device_type_names[i] != NULL; i++)
		offer_listed(typed, usher_device_type_names[i]);
	if (is_list && (strcmp(name, "columns") == 0 || strcmp(name, "sort") == 0))
		offer_columns(typed);
}

static void offer_values(UsherCli *cli, const Typed *typed)
{
	offer_device_values(typed);
	for (size_t i = 0; typed->flag->choices != NULL && typed->flag->choices[i] != NULL; i++)
		offer(typed, typed->flag->choices[i]);
	if (strcmp(typed->flag->name, "group") == 0)
		offer_collection(cli, typed, "groups");
	else if (strcmp(typed->flag->name, "node") == 0)
		offer_collection(cli, typed, "nodes");
}

bool usher_cmd_complete(UsherCli *cli, GError **error)
{
	(void) error;
	Typed typed = read_words(cli);
	if (typed.flag != NULL)
		offer_values(cli, &typed);
	else if (typed.word[0] == '-')
		offer_flags(&typed);
	else if (typed.command == NULL)
		offer_commands(&typed);
	else if (typed.command->completes != NULL)
		offer_collection(cli, &typed, typed.command->completes);
	return true;
}
