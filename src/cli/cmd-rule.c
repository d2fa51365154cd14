/* SPDX-License-Identifier: Apache-2.0 */
/* usher rule check, usher rule explain: what a filter is, and why a device matches or doesn't. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/devices.h"
#include "core/rules/filter.h"

bool usher_cmd_rule_check(UsherCli *cli, GError **error)
{
	g_autoptr(UsherFilter) filter = usher_filter_parse(usher_cli_arg(cli, 0), error);
	if (filter == NULL)
		return false;
	g_autofree char *printed = usher_filter_print(filter);
	const char *lint = usher_filter_volatile_field(filter);
	if (cli->format != USHER_FORMAT_JSON) {
		usher_cli_say(cli, "%s", printed);
		if (lint != NULL)
			usher_cli_note(cli,
				"%s does not stay with a device: a rule on it may lose it", lint);
		return true;
	}
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "filter", printed);
	usher_json_put_string(writer, "volatile_field", lint);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	g_print("%s\n", text);
	return true;
}

/* ---- explain ---- */

typedef struct Answer {
	char *rule; /* its name; NULL: it was given as --filter */
	char *group;
	GPtrArray *reasons; /* of char *; empty: it matches */
} Answer;

static void answer_free(void *data)
{
	Answer *answer = data;
	g_free(answer->rule);
	g_free(answer->group);
	g_ptr_array_unref(answer->reasons);
	g_free(answer);
}

static bool add_answer(GPtrArray *answers, const UsherJson *rule, const char *text,
	const UsherDevice *device, GError **error)
{
	g_autoptr(UsherFilter) filter = usher_filter_parse(text, error);
	GPtrArray *reasons = filter != NULL ? usher_filter_explain(filter, device, error) : NULL;
	if (reasons == NULL)
		return false;
	Answer *answer = g_new0(Answer, 1);
	answer->reasons = reasons;
	if (rule != NULL) {
		answer->rule = g_strdup(usher_json_get_string(rule, "name"));
		answer->group = g_strdup(usher_json_get_string(rule, "group"));
	}
	g_ptr_array_add(answers, answer);
	return true;
}

/* Those of usherd, or the one that was given. */
static GPtrArray *explain_rules(UsherCli *cli, const UsherDevice *device, GError **error)
{
	g_autoptr(GPtrArray) answers = g_ptr_array_new_with_free_func(answer_free);
	const char *given = usher_cli_text(cli, "filter");
	if (given != NULL)
		return add_answer(answers, NULL, given, device, error) ? g_steal_pointer(&answers)
								       : NULL;
	g_autoptr(GPtrArray) rules = usher_cli_list(cli, "rules", "", NULL, error);
	for (unsigned i = 0; rules != NULL && i < rules->len; i++) {
		const char *text = usher_json_get_string(rules->pdata[i], "filter");
		if (!add_answer(answers, rules->pdata[i], text, device, error))
			return NULL;
	}
	return rules != NULL ? g_steal_pointer(&answers) : NULL;
}

static void print_answers(const GPtrArray *answers)
{
	for (unsigned i = 0; i < answers->len; i++) {
		const Answer *answer = answers->pdata[i];
		bool matches = answer->reasons->len == 0;
		if (answer->rule != NULL)
			printf("rule/%s, of group/%s: ", answer->rule, answer->group);
		printf("%s\n", matches ? "matches" : "no");
		for (unsigned n = 0; n < answer->reasons->len; n++)
			printf("  - %s\n", (const char *) answer->reasons->pdata[n]);
	}
	if (answers->len == 0)
		printf("there are no rules\n");
}

static void print_answers_json(const GPtrArray *answers)
{
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < answers->len; i++) {
		const Answer *answer = answers->pdata[i];
		usher_json_begin_object(writer);
		usher_json_put_string(writer, "rule", answer->rule);
		usher_json_put_string(writer, "group", answer->group);
		usher_json_put_bool(writer, "matches", answer->reasons->len == 0);
		usher_json_key(writer, "reasons");
		usher_json_begin_array(writer);
		for (unsigned n = 0; n < answer->reasons->len; n++)
			usher_json_write_string(writer, answer->reasons->pdata[n]);
		usher_json_end_array(writer);
		usher_json_end_object(writer);
	}
	usher_json_end_array(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

bool usher_cmd_rule_explain(UsherCli *cli, GError **error)
{
	g_autoptr(UsherInventory) inventory = usher_cli_scan(cli, error);
	const UsherDevice *device = inventory != NULL
		? usher_cli_find_here(inventory, usher_cli_arg(cli, 0), error)
		: NULL;
	g_autoptr(GPtrArray) answers = device != NULL ? explain_rules(cli, device, error) : NULL;
	if (answers == NULL)
		return false;
	if (cli->format == USHER_FORMAT_JSON)
		print_answers_json(answers);
	else
		print_answers(answers);
	return true;
}
