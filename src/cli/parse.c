/* SPDX-License-Identifier: Apache-2.0 */
/* From the words of the command line to a command with its arguments and flags. */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"

/* What people type who come from elsewhere; accepted without a word. */
static const struct {
	const char *noun; /* NULL: any */
	const char *typed;
	const char *verb;
} verb_aliases[] = {
	{ NULL, "get", "list" },
	{ NULL, "ls", "list" },
	{ NULL, "describe", "show" },
	{ "vm", "create", "adopt" },
	{ "vm", "delete", "forget" },
};

UsherCli *usher_cli_new(void)
{
	UsherCli *cli = g_new0(UsherCli, 1);
	cli->args = g_ptr_array_new_with_free_func(g_free);
	cli->flags = g_hash_table_new_full(
		g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
	return cli;
}

void usher_cli_free(UsherCli *cli)
{
	if (cli == NULL)
		return;
	g_ptr_array_unref(cli->args);
	g_hash_table_unref(cli->flags);
	usher_client_free(cli->client);
	usher_unpacked_free(cli->unpacked);
	g_clear_pointer(&cli->columns, g_ptr_array_unref);
	g_free(cli);
}

bool usher_cli_has(const UsherCli *cli, const char *flag)
{
	return g_hash_table_contains(cli->flags, flag);
}

const GPtrArray *usher_cli_texts(const UsherCli *cli, const char *flag)
{
	return g_hash_table_lookup(cli->flags, flag);
}

const char *usher_cli_text(const UsherCli *cli, const char *flag)
{
	const GPtrArray *texts = usher_cli_texts(cli, flag);
	return texts != NULL ? texts->pdata[texts->len - 1] : NULL;
}

const char *usher_cli_arg(const UsherCli *cli, unsigned i)
{
	return i < cli->args->len ? cli->args->pdata[i] : NULL;
}

bool usher_cli_misuse(UsherCli *cli, GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *message = g_strdup_vprintf(format, args);
	va_end(args);
	cli->is_usage_error = true;
	usher_error_set(error, USHER_ERROR_INVALID, "%s", message);
	return false;
}

static const UsherFlag *find_in(const UsherFlag *flags, const char *name, char letter)
{
	for (const UsherFlag *flag = flags; flag != NULL && flag->name != NULL; flag++) {
		if (name != NULL ? strcmp(flag->name, name) == 0 : flag->letter == letter)
			return flag;
	}
	return NULL;
}

const UsherFlag *usher_cli_find_flag(const UsherCommand *command, const char *name, char letter)
{
	const UsherFlag *flag = command != NULL ? find_in(command->flags, name, letter) : NULL;
	return flag != NULL ? flag : find_in(usher_global_flags, name, letter);
}

bool usher_cli_takes_flag(const UsherCommand *command, const UsherFlag *global)
{
	static const struct {
		const char *flag;
		unsigned trait;
	} rows[] = {
		{ "dry-run", USHER_COMMAND_WRITES },
		{ "no-wait", USHER_COMMAND_WAITS },
		{ "watch", USHER_COMMAND_LISTS },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (strcmp(rows[i].flag, global->name) == 0)
			return (command->traits & rows[i].trait) != 0;
	}
	return true;
}

const UsherCommand *usher_cli_find_command(const char *noun, const char *verb)
{
	if (strcmp(noun, "op") == 0)
		noun = "operation";
	for (size_t i = 0; verb != NULL && i < G_N_ELEMENTS(verb_aliases); i++) {
		bool is_here =
			verb_aliases[i].noun == NULL || strcmp(verb_aliases[i].noun, noun) == 0;
		if (is_here && strcmp(verb_aliases[i].typed, verb) == 0 &&
			usher_cli_find_command(noun, verb_aliases[i].verb) != NULL) {
			verb = verb_aliases[i].verb;
			break;
		}
	}
	for (const UsherCommand *command = usher_commands; command->noun != NULL; command++) {
		if (strcmp(command->noun, noun) == 0 && g_strcmp0(command->verb, verb) == 0)
			return command;
	}
	return NULL;
}

static bool is_noun(const char *word)
{
	if (strcmp(word, "op") == 0)
		return true;
	for (const UsherCommand *command = usher_commands; command->noun != NULL; command++) {
		if (command->verb != NULL && strcmp(command->noun, word) == 0)
			return true;
	}
	return false;
}

static void add_value(UsherCli *cli, const UsherFlag *flag, const char *value)
{
	GPtrArray *values = g_hash_table_lookup(cli->flags, flag->name);
	if (values == NULL) {
		values = g_ptr_array_new_with_free_func(g_free);
		g_hash_table_insert(cli->flags, g_strdup(flag->name), values);
	}
	g_ptr_array_add(values, g_strdup(value));
}

static bool is_value_good(UsherCli *cli, const UsherFlag *flag, const char *value, GError **error)
{
	uint32_t number;
	if (flag->type == USHER_FLAG_NUMBER &&
		!usher_text_parse_u32(value, UINT32_MAX, &number, NULL))
		return usher_cli_misuse(
			cli, error, "--%s takes a number, not '%s'", flag->name, value);
	if (flag->choices == NULL || g_strv_contains(flag->choices, value))
		return true;
	g_autofree char *choices = usher_text_join(flag->choices, ", ");
	return usher_cli_misuse(
		cli, error, "--%s is one of %s, not '%s'", flag->name, choices, value);
}

/* Words on their way to becoming a command. */
typedef struct Words {
	const char *const *argv;
	unsigned i;
	const char *noun, *verb;
	const char *typed_verb;
	bool only_args; /* after "--" */
} Words;

static const char *next_word(Words *words)
{
	const char *word = words->argv[words->i];
	if (word != NULL)
		words->i++;
	return word;
}

static bool take_value(
	UsherCli *cli, Words *words, const UsherFlag *flag, const char *attached, GError **error)
{
	if (flag->type == USHER_FLAG_SWITCH) {
		if (attached != NULL)
			return usher_cli_misuse(cli, error, "--%s takes no value", flag->name);
		add_value(cli, flag, "");
		return true;
	}
	const char *value = attached != NULL ? attached : next_word(words);
	if (value == NULL)
		return usher_cli_misuse(cli, error, "--%s needs a value: --%s %s", flag->name,
			flag->name, flag->value);
	if (usher_cli_has(cli, flag->name) && flag->type != USHER_FLAG_TEXTS)
		return usher_cli_misuse(cli, error, "--%s was given twice", flag->name);
	if (!is_value_good(cli, flag, value, error))
		return false;
	add_value(cli, flag, value);
	return true;
}

static const char *nearest_flag(const UsherCommand *command, const char *name)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	for (const UsherFlag *flag = command != NULL ? command->flags : NULL;
		flag != NULL && flag->name != NULL; flag++)
		g_ptr_array_add(names, g_strdup(flag->name));
	for (const UsherFlag *flag = usher_global_flags; flag->name != NULL; flag++)
		g_ptr_array_add(names, g_strdup(flag->name));
	g_ptr_array_add(names, NULL);
	const char *nearest = usher_text_nearest(name, (const char *const *) names->pdata);
	const UsherFlag *flag = nearest != NULL ? usher_cli_find_flag(command, nearest, 0) : NULL;
	return flag != NULL ? flag->name : NULL;
}

static bool refuse_flag(UsherCli *cli, const char *word, GError **error)
{
	g_autofree char *name = g_strdup(word + strspn(word, "-"));
	name[strcspn(name, "=")] = '\0';
	const char *nearest = nearest_flag(cli->command, name);
	(void) usher_cli_misuse(cli, error, "there is no flag %s%s%s%s", word,
		nearest != NULL ? ": did you mean --" : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "?" : "");
	return false;
}

static bool take_flag(UsherCli *cli, Words *words, const char *word, GError **error)
{
	if (word[1] != '-') {
		const UsherFlag *flag = usher_cli_find_flag(cli->command, NULL, word[1]);
		const char *rest = word[2] != '\0' ? word + 2 : NULL;
		bool is_bundle = flag != NULL && flag->type == USHER_FLAG_SWITCH && rest != NULL;
		if (flag == NULL || is_bundle)
			return refuse_flag(cli, word, error);
		return take_value(cli, words, flag, rest, error);
	}
	size_t length = strcspn(word + 2, "=");
	g_autofree char *name = g_strndup(word + 2, length);
	const char *attached = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
	const UsherFlag *flag = usher_cli_find_flag(cli->command, name, 0);
	return flag != NULL ? take_value(cli, words, flag, attached, error)
			    : refuse_flag(cli, word, error);
}

static bool take_word(UsherCli *cli, Words *words, const char *word, GError **error)
{
	if (cli->command != NULL) {
		g_ptr_array_add(cli->args, g_strdup(word));
		return true;
	}
	if (words->noun == NULL) {
		words->noun = word;
		cli->command = usher_cli_find_command(word, NULL);
		if (cli->command != NULL || is_noun(word))
			return true;
	} else {
		words->verb = word;
		cli->command = usher_cli_find_command(words->noun, word);
		if (cli->command != NULL)
			return true;
	}
	/* "get nodes": the next word may tell what was meant. */
	const char *next = words->argv[words->i];
	if (words->verb == NULL && next != NULL && next[0] != '-')
		words->verb = next;
	cli->is_usage_error = true;
	usher_cli_suggest(words->noun, words->verb, error);
	return false;
}

static bool take_words(UsherCli *cli, Words *words, GError **error)
{
	const char *word;
	while ((word = next_word(words)) != NULL) {
		bool is_raw =
			cli->command != NULL && (cli->command->traits & USHER_COMMAND_RAW) != 0;
		bool is_flag = word[0] == '-' && word[1] != '\0' && !words->only_args && !is_raw;
		if (is_flag && strcmp(word, "--") == 0)
			words->only_args = true;
		else if (is_flag ? !take_flag(cli, words, word, error)
				 : !take_word(cli, words, word, error))
			return false;
	}
	return true;
}

/* "get NAME" is show. */
static void turn_list_to_show(UsherCli *cli)
{
	const UsherCommand *command = cli->command;
	if (cli->args->len == 0 || command->verb == NULL || strcmp(command->verb, "list") != 0)
		return;
	const UsherCommand *show = usher_cli_find_command(command->noun, "show");
	if (show != NULL)
		cli->command = show;
}

static bool is_count_good(UsherCli *cli, GError **error)
{
	const UsherCommand *command = cli->command;
	const char *space = command->verb != NULL ? " " : "";
	const char *verb = command->verb != NULL ? command->verb : "";
	if (cli->args->len < command->min_args)
		return usher_cli_misuse(cli, error, "usher %s%s%s needs %s", command->noun, space,
			verb, command->args);
	if (cli->args->len > command->max_args)
		return usher_cli_misuse(cli, error, "usher %s%s%s does not take '%s'",
			command->noun, space, verb, usher_cli_arg(cli, command->max_args));
	for (const UsherFlag *flag = usher_global_flags; flag->name != NULL; flag++) {
		if (usher_cli_has(cli, flag->name) && !usher_cli_takes_flag(command, flag))
			return usher_cli_misuse(cli, error, "usher %s%s%s takes no --%s",
				command->noun, space, verb, flag->name);
	}
	return true;
}

static bool choose_format(UsherCli *cli, GError **error)
{
	static const char *const names[] = { "table", "wide", "json", "csv", "name", NULL };
	const char *output = usher_cli_text(cli, "output");
	bool wants_json = usher_cli_has(cli, "json");
	for (unsigned i = 0; output != NULL && names[i] != NULL; i++) {
		if (strcmp(names[i], output) == 0)
			cli->format = (UsherFormat) i;
	}
	if (wants_json && output != NULL && cli->format != USHER_FORMAT_JSON)
		return usher_cli_misuse(cli, error, "--json and -o %s exclude each other", output);
	if (wants_json)
		cli->format = USHER_FORMAT_JSON;
	return true;
}

/* So that even a failure to read the rest is told as it was asked for. */
static void look_for_json(UsherCli *cli, const char *const *argv)
{
	for (unsigned i = 0; argv[i] != NULL && strcmp(argv[i], "--") != 0; i++) {
		bool is_output = strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0;
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-ojson") == 0 ||
			strcmp(argv[i], "--output=json") == 0 ||
			(is_output && g_strcmp0(argv[i + 1], "json") == 0))
			cli->format = USHER_FORMAT_JSON;
	}
}

bool usher_cli_parse(UsherCli *cli, const char *const *argv, GError **error)
{
	Words words = { .argv = argv };
	look_for_json(cli, argv);
	if (!take_words(cli, &words, error))
		return false;
	if (!choose_format(cli, error))
		return false;
	cli->wants_help = usher_cli_has(cli, "help");
	const char *server = usher_cli_text(cli, "server");
	if (server == NULL)
		server = usher_env_get("USHER_SERVER");
	cli->server = server != NULL && server[0] != '\0' ? server : USHER_CLI_DEFAULT_SERVER;
	const char *root = usher_cli_text(cli, "root");
	if (root == NULL)
		root = usher_env_get("USHER_ROOT");
	cli->root = root != NULL && root[0] != '\0' ? root : NULL;
	if (cli->wants_help) {
		if (cli->command == NULL && words.noun != NULL)
			g_ptr_array_add(cli->args, g_strdup(words.noun));
		return true;
	}
	if (cli->command == NULL && words.noun != NULL) {
		cli->is_usage_error = true;
		usher_cli_suggest(words.noun, NULL, error);
		return false;
	}
	if (cli->command == NULL)
		cli->command = usher_cli_find_command("status", NULL);
	turn_list_to_show(cli);
	return is_count_good(cli, error);
}
