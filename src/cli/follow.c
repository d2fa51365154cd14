/* SPDX-License-Identifier: Apache-2.0 */
/* Operations, from asking to their end: finished steps are told, Ctrl-C asks to undo. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "core/operation.h"

/* How long usherd may be away while we wait. */
#define AWAY_MAX_S 120

typedef struct Follow {
	UsherCli *cli;
	const char *id;
	UsherJson *operation; /* the newest */
	GHashTable *told;     /* texts of steps that were told as finished */
	bool is_cancelled;    /* Ctrl-C was pressed */
	int64_t away_since;   /* 0: usherd answers */
} Follow;

static const char *state_of(const UsherJson *operation)
{
	const char *state = usher_json_get_string(operation, "state");
	return state != NULL ? state : "";
}

static bool has_ended(const UsherJson *operation)
{
	static const char *const ends[] = { "done", "failed", "cancelled", "undone", NULL };
	return g_strv_contains(ends, state_of(operation));
}

static void tell_steps(Follow *follow)
{
	const UsherJson *steps = usher_json_get(follow->operation, "steps");
	for (size_t i = 0; i < usher_json_length(steps); i++) {
		const UsherJson *step = usher_json_at(steps, i);
		const char *state = usher_json_get_string(step, "state");
		const char *text = usher_json_get_string(step, "text");
		bool is_finished = g_strcmp0(state, "done") == 0 ||
			g_strcmp0(state, "failed") == 0 || g_strcmp0(state, "undone") == 0;
		g_autofree char *key = g_strdup_printf("%zu %s", i, state);
		if (!is_finished || text == NULL || !g_hash_table_add(follow->told, g_strdup(key)))
			continue;
		usher_cli_note(follow->cli, "  %s%s%s", text,
			strcmp(state, "done") == 0 ? "" : ": ",
			strcmp(state, "done") == 0 ? "" : state);
	}
}

static bool on_line(const char *text, void *data)
{
	Follow *follow = data;
	follow->away_since = 0;
	g_autoptr(UsherJson) line = usher_json_parse(text, strlen(text), NULL);
	const UsherJson *object = line != NULL ? usher_json_get(line, "object") : NULL;
	if (object == NULL)
		return true;
	g_clear_pointer(&follow->operation, usher_json_unref);
	follow->operation = usher_json_ref(object);
	tell_steps(follow);
	return !has_ended(object);
}

static int open_interrupts(void)
{
	sigset_t signals;
	(void) sigemptyset(&signals);
	(void) sigaddset(&signals, SIGINT);
	(void) sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void close_interrupts(int fd)
{
	sigset_t signals;
	(void) sigemptyset(&signals);
	(void) sigaddset(&signals, SIGINT);
	usher_fd_close(fd);
	(void) sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

static void drain_interrupts(int fd)
{
	struct signalfd_siginfo info;
	size_t length;
	(void) usher_fd_read(fd, &info, sizeof info, &length, NULL);
}

/* False: the second time, or it cannot be asked. */
static bool ask_to_undo(Follow *follow, GError **error)
{
	if (follow->is_cancelled) {
		usher_error_set(error, USHER_ERROR_UNAVAILABLE,
			"operation %s was left to itself: it is %s", follow->id,
			follow->operation != NULL ? state_of(follow->operation) : "under way");
		return false;
	}
	follow->is_cancelled = true;
	usher_cli_note(
		follow->cli, "asking %s to undo; Ctrl-C again leaves it to itself", follow->id);
	g_autofree char *path = usher_cli_path("operations", follow->id, "cancel", NULL);
	g_autoptr(GError) problem = NULL;
	g_autoptr(UsherJson) answer =
		usher_cli_ask(follow->cli, "POST", path, usher_cli_body(), &problem);
	/* One that has just ended is told of as such by the stream. */
	if (answer == NULL && usher_error_code(problem) != USHER_ERROR_CONFLICT)
		usher_cli_note(follow->cli, "%s", problem->message);
	return true;
}

/* usherd may restart at any time: the operation does not mind. False: it was away for too long. */
static bool wait_for_return(Follow *follow, int interrupts, const GError *problem, GError **error)
{
	int64_t now = g_get_monotonic_time();
	bool is_away = problem == NULL || usher_error_code(problem) == USHER_ERROR_UNAVAILABLE;
	if (follow->away_since == 0)
		follow->away_since = now;
	if (is_away && now - follow->away_since < AWAY_MAX_S * G_USEC_PER_SEC) {
		struct pollfd wait = { .fd = interrupts, .events = POLLIN };
		(void) poll(&wait, 1, 300);
		return true;
	}
	usher_error_set(error,
		problem != NULL ? usher_error_code(problem) : USHER_ERROR_UNAVAILABLE,
		"operation %s: %s", follow->id,
		problem != NULL ? problem->message : "usherd ended the connection");
	return false;
}

static bool follow_to_end(Follow *follow, UsherClient *client, int interrupts, GError **error)
{
	g_autofree char *bare = usher_cli_path("operations", follow->id, NULL);
	g_autofree char *path = g_strconcat(bare, "?watch=1", NULL);
	for (;;) {
		g_autoptr(GError) problem = NULL;
		switch (usher_client_stream(client, path, interrupts, on_line, follow, &problem)) {
		case USHER_STREAM_ENOUGH:
			return true;
		case USHER_STREAM_INTERRUPTED:
			drain_interrupts(interrupts);
			if (!ask_to_undo(follow, error))
				return false;
			break;
		case USHER_STREAM_ENDED:
		case USHER_STREAM_FAILED:
			if (!wait_for_return(follow, interrupts, problem, error))
				return false;
			break;
		}
	}
}

/* What it ended with, as success or as its error. */
static bool judge(const UsherJson *operation, GError **error)
{
	if (strcmp(state_of(operation), "done") == 0)
		return true;
	const UsherJson *problem = usher_cli_member(operation, "error");
	if (problem != NULL) {
		g_autoptr(UsherProblem) known = usher_problem_new();
		const char *code = usher_json_get_string(problem, "code");
		const char *message = usher_json_get_string(problem, "message");
		known->code = g_strdup(code != NULL ? code : "internal");
		known->message = g_strdup(message != NULL ? message : "failed");
		known->object = g_strdup(usher_json_get_string(problem, "object"));
		known->hint = g_strdup(usher_json_get_string(problem, "hint"));
		usher_problem_raise(known, error);
		return false;
	}
	const char *object = usher_json_get_string(operation, "object");
	usher_error_set(error, USHER_ERROR_CONFLICT, "%s: operation %s is %s", object,
		usher_json_get_string(operation, "id"), state_of(operation));
	return false;
}

UsherJson *usher_cli_follow(UsherCli *cli, const char *id, GError **error)
{
	UsherClient *client = usher_cli_client(cli, error);
	if (client == NULL)
		return NULL;
	Follow follow = { .cli = cli, .id = id };
	follow.told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	int interrupts = open_interrupts();
	bool is_good =
		follow_to_end(&follow, client, interrupts, error) && judge(follow.operation, error);
	close_interrupts(interrupts);
	g_hash_table_unref(follow.told);
	if (!is_good)
		g_clear_pointer(&follow.operation, usher_json_unref);
	return follow.operation;
}

UsherJson *usher_cli_operate(UsherCli *cli, const char *path, UsherJsonWriter *body, GError **error)
{
	g_autoptr(UsherJson) operation = usher_cli_write(cli, "POST", path, body, error);
	if (operation == NULL)
		return NULL;
	if (has_ended(operation))
		return judge(operation, error) ? g_steal_pointer(&operation) : NULL;
	if (strcmp(state_of(operation), "proposed") == 0 || usher_cli_has(cli, "no-wait"))
		return g_steal_pointer(&operation);
	g_autofree char *id = g_strdup(usher_json_get_string(operation, "id"));
	return usher_cli_follow(cli, id, error);
}

void usher_cli_print_plan(const UsherCli *cli, const UsherJson *operation)
{
	if (cli->format == USHER_FORMAT_JSON) {
		usher_cli_print_json(operation);
		return;
	}
	const UsherJson *steps = usher_json_get(operation, "steps");
	for (size_t i = 0; i < usher_json_length(steps); i++) {
		g_autofree char *text =
			usher_cli_cell(usher_cli_member(usher_json_at(steps, i), "text"));
		printf("%s\n", text);
	}
	if (usher_json_length(steps) == 0)
		printf("nothing to do\n");
}

bool usher_cli_print_begun(const UsherCli *cli, const UsherJson *operation)
{
	if (strcmp(state_of(operation), "proposed") == 0) {
		usher_cli_print_plan(cli, operation);
		return true;
	}
	const char *id = usher_json_get_string(operation, "id");
	if (!usher_cli_has(cli, "no-wait") || id == NULL)
		return false;
	if (cli->format == USHER_FORMAT_JSON)
		usher_cli_print_json(operation);
	else
		printf("%s\n", id);
	return true;
}
