/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The command line: one table of commands, from which parsing, help, suggestions and completion are
 * made, and what the commands share. Commands print their result on standard output and return; the
 * sentence about a failure is printed by main alone.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "client/client.h"
#include "host/unpack.h"

#define USHER_CLI_DEFAULT_SERVER "/run/usher/usherd.sock"

typedef enum {
	USHER_FLAG_SWITCH,
	USHER_FLAG_TEXT,
	USHER_FLAG_NUMBER,
	USHER_FLAG_TEXTS, /* may be given again and again */
} UsherFlagType;

typedef struct UsherFlag {
	const char *name; /* without its dashes */
	char letter;      /* 0: none */
	UsherFlagType type;
	const char *value; /* what it is called in the help */
	const char *help;
	const char *const *choices; /* ends with NULL; NULL: any */
} UsherFlag;

typedef struct UsherCli UsherCli;
/* False exactly when error is set. */
typedef bool (*UsherCommandFunc)(UsherCli *cli, GError **error);

typedef enum {
	USHER_COMMAND_DAEMON = 1 << 0, /* needs usherd: takes no --root */
	USHER_COMMAND_WRITES = 1 << 1, /* takes --dry-run */
	USHER_COMMAND_WAITS = 1 << 2,  /* takes --no-wait */
	USHER_COMMAND_LISTS = 1 << 3,  /* takes --watch */
	USHER_COMMAND_HIDDEN = 1 << 4,
	USHER_COMMAND_RAW = 1 << 5, /* all words are arguments, those with dashes, too */
} UsherCommandTrait;

#define USHER_ANY_ARGS 1000U

typedef struct UsherCommand {
	const char *noun; /* of a single word: that word */
	const char *verb; /* NULL: the noun is all */
	const char *args; /* "NAME", "[NODE/]ADDRESS…", "" */
	unsigned min_args, max_args;
	unsigned traits;
	const char *summary;
	const UsherFlag *flags; /* its own; ends with one without a name; NULL: none */
	const char *examples;   /* lines, NULL: none */
	const char *completes;  /* the collection whose names its arguments are, NULL: none */
	UsherCommandFunc run;
} UsherCommand;

/* Ends with one without a noun. */
extern const UsherCommand usher_commands[];
extern const UsherFlag usher_global_flags[];

typedef enum {
	USHER_FORMAT_TABLE,
	USHER_FORMAT_WIDE,
	USHER_FORMAT_JSON,
	USHER_FORMAT_CSV,
	USHER_FORMAT_NAME,
} UsherFormat;

#define USHER_CLI_MAX_COLUMNS 32

struct UsherCli {
	const UsherCommand *command;
	GPtrArray *args;   /* of char * */
	GHashTable *flags; /* name → GPtrArray of char * */
	UsherFormat format;
	bool wants_help;
	bool is_usage_error;     /* the error is about how we were called: exit status 2 */
	bool is_answered;        /* what was asked for is printed: of an error only its sentence */
	const char *server;      /* owned by flags or the environment */
	const char *root;        /* NULL: this machine */
	UsherUnpacked *unpacked; /* what the root was made of; NULL: it was a folder */
	UsherClient *client;     /* made when it is first asked for */
	GPtrArray *columns;      /* of const UsherColumn *: of the table that is being printed */
	unsigned widths[USHER_CLI_MAX_COLUMNS];
};

/* parse.c: argv without the program's name. What could be read of it is in cli even when there is
 * an error, so that the error can be told as it was asked for. */
UsherCli *usher_cli_new(void);
void usher_cli_free(UsherCli *cli);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherCli, usher_cli_free)
bool usher_cli_parse(UsherCli *cli, const char *const *argv, GError **error);
bool usher_cli_has(const UsherCli *cli, const char *flag);
/* NULL when it was not given. */
const char *usher_cli_text(const UsherCli *cli, const char *flag);
const GPtrArray *usher_cli_texts(const UsherCli *cli, const char *flag);
const char *usher_cli_arg(const UsherCli *cli, unsigned i);
/* Sets an error about the call itself. Always false. */
bool usher_cli_misuse(UsherCli *cli, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The flag by its name or letter among the command's and the global ones. */
const UsherFlag *usher_cli_find_flag(const UsherCommand *command, const char *name, char letter);
bool usher_cli_takes_flag(const UsherCommand *command, const UsherFlag *global);
const UsherCommand *usher_cli_find_command(const char *noun, const char *verb);

/* help.c */
void usher_cli_print_help(const UsherCommand *command);
/* NULL noun: all of it; NULL verb: of one noun. False: there is no such command. */
bool usher_cli_print_help_of(const char *noun, const char *verb);
/* INVALID with what was probably meant. */
void usher_cli_suggest(const char *noun, const char *verb, GError **error);

/* ask.c: the API. */
UsherClient *usher_cli_client(UsherCli *cli, GError **error);
/* The parsed answer. body: a document whose members have been written (given), NULL: none. */
UsherJson *usher_cli_ask(
	UsherCli *cli, const char *method, const char *path, UsherJsonWriter *body, GError **error);
/* A write: with ?dry_run=1 when that is wanted. */
UsherJson *usher_cli_write(
	UsherCli *cli, const char *method, const char *path, UsherJsonWriter *body, GError **error);
UsherJson *usher_cli_get(UsherCli *cli, const char *path, GError **error);
/* All items of a collection, page by page. query: "all=1&", or "". out_revision may be NULL. */
GPtrArray *usher_cli_list(UsherCli *cli, const char *collection, const char *query,
	int64_t *out_revision, GError **error);
/* "/v1/vms/win11/start": parts are escaped; ends with NULL. */
char *usher_cli_path(const char *part, ...) G_GNUC_NULL_TERMINATED;
UsherJsonWriter *usher_cli_body(void);

typedef struct UsherColumn {
	const char *header;
	const char *member; /* "status.state"; NULL: cell says it */
	char *(*cell)(const UsherJson *object);
	char *(*whole)(const UsherJson *object); /* in wide and csv; NULL: as cell */
	bool is_wide;
	bool gives_way; /* is cut when the terminal is narrow */
} UsherColumn;
/* A kind as the CLI lists and shows it. */
typedef struct UsherNoun {
	const char *kind;           /* "vm" */
	const char *collection;     /* "vms" */
	const char *name_member;    /* what the next command takes */
	const UsherColumn *columns; /* ends with one without a header */
} UsherNoun;
extern const UsherNoun usher_nouns[];
const UsherNoun *usher_cli_noun(const char *kind);

/* rows.c: lists of objects. */
/* What --columns asks for, of the noun's columns and the members of its objects; ends the call with
 * a usage error where there is no such. NULL words: the noun's. */
bool usher_cli_choose_columns(UsherCli *cli, const UsherNoun *noun, const char *words,
	const GPtrArray *items, GError **error);
/* By the column or member; a leading "-" turns the order round; what lacks it comes last. */
bool usher_cli_sort(
	UsherCli *cli, const UsherNoun *noun, const char *field, GPtrArray *items, GError **error);
void usher_cli_print_items(UsherCli *cli, const UsherNoun *noun, const GPtrArray *items);
/* The same with a line above each run of items that have one heading, in what people read. */
void usher_cli_print_sections(UsherCli *cli, const UsherNoun *noun, const GPtrArray *items,
	char *(*heading)(const UsherJson *) );
/* One more of a list that was printed: its columns stay where they are. */
void usher_cli_print_row(UsherCli *cli, const UsherNoun *noun, const UsherJson *object);
/* What the next command takes. */
const char *usher_cli_name_of(const UsherNoun *noun, const UsherJson *object);

/* print.c */
void usher_cli_print_object(const UsherCli *cli, const UsherNoun *noun, const UsherJson *object);
void usher_cli_print_json(const UsherJson *json);
void usher_cli_print_line(const UsherJson *json);
/* "group/nics created", unless -q. */
void usher_cli_say(const UsherCli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A step, a hint: on standard error when that is a terminal. */
void usher_cli_note(const UsherCli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
void usher_cli_print_error(const UsherCli *cli, const GError *error);
/* A member by its path; NULL: not there or null. */
const UsherJson *usher_cli_member(const UsherJson *object, const char *path);
/* As a cell: "-" stands for nothing. Given to the caller; NULL: nothing. */
char *usher_cli_cell(const UsherJson *value);

/* follow.c: asks for something that takes steps and sees it through: the operation that came of
 * it when it is done, or is only proposed, or is not waited for. Printing is the caller's. */
UsherJson *usher_cli_operate(
	UsherCli *cli, const char *path, UsherJsonWriter *body, GError **error);
UsherJson *usher_cli_follow(UsherCli *cli, const char *id, GError **error);
/* Prints a plan that was only proposed, or the id of what is not waited for. True: that was all. */
bool usher_cli_print_begun(const UsherCli *cli, const UsherJson *operation);
void usher_cli_print_plan(const UsherCli *cli, const UsherJson *operation);

/* list.c: what list and show of most nouns are. */
bool usher_cmd_list(UsherCli *cli, const UsherNoun *noun, const char *query, GError **error);
bool usher_cmd_show(UsherCli *cli, const UsherNoun *noun, GError **error);

/* Commands. */
bool usher_cmd_device_list(UsherCli *cli, GError **error);
bool usher_cmd_device_show(UsherCli *cli, GError **error);
bool usher_cmd_device_explain(UsherCli *cli, GError **error);
bool usher_cmd_device_users(UsherCli *cli, GError **error);
bool usher_cmd_device_watch(UsherCli *cli, GError **error);
bool usher_cmd_device_make_resource(UsherCli *cli, GError **error);
bool usher_cmd_doctor(UsherCli *cli, GError **error);
bool usher_cmd_host_show(UsherCli *cli, GError **error);
bool usher_cmd_host_prepare(UsherCli *cli, GError **error);
bool usher_cmd_host_revert(UsherCli *cli, GError **error);
bool usher_cmd_device_return(UsherCli *cli, GError **error);
bool usher_cmd_group_list(UsherCli *cli, GError **error);
bool usher_cmd_group_show(UsherCli *cli, GError **error);
bool usher_cmd_group_create(UsherCli *cli, GError **error);
bool usher_cmd_group_update(UsherCli *cli, GError **error);
bool usher_cmd_group_delete(UsherCli *cli, GError **error);
bool usher_cmd_rule_list(UsherCli *cli, GError **error);
bool usher_cmd_rule_show(UsherCli *cli, GError **error);
bool usher_cmd_rule_create(UsherCli *cli, GError **error);
bool usher_cmd_rule_update(UsherCli *cli, GError **error);
bool usher_cmd_rule_delete(UsherCli *cli, GError **error);
bool usher_cmd_rule_check(UsherCli *cli, GError **error);
bool usher_cmd_rule_explain(UsherCli *cli, GError **error);
bool usher_cmd_vm_list(UsherCli *cli, GError **error);
bool usher_cmd_vm_show(UsherCli *cli, GError **error);
bool usher_cmd_vm_adopt(UsherCli *cli, GError **error);
bool usher_cmd_vm_forget(UsherCli *cli, GError **error);
bool usher_cmd_vm_attach(UsherCli *cli, GError **error);
bool usher_cmd_vm_detach(UsherCli *cli, GError **error);
bool usher_cmd_vm_start(UsherCli *cli, GError **error);
bool usher_cmd_vm_stop(UsherCli *cli, GError **error);
bool usher_cmd_lease_list(UsherCli *cli, GError **error);
bool usher_cmd_lease_show(UsherCli *cli, GError **error);
bool usher_cmd_node_list(UsherCli *cli, GError **error);
bool usher_cmd_node_show(UsherCli *cli, GError **error);
bool usher_cmd_operation_list(UsherCli *cli, GError **error);
bool usher_cmd_operation_show(UsherCli *cli, GError **error);
bool usher_cmd_operation_follow(UsherCli *cli, GError **error);
bool usher_cmd_operation_cancel(UsherCli *cli, GError **error);
bool usher_cmd_event_list(UsherCli *cli, GError **error);
bool usher_cmd_record(UsherCli *cli, GError **error);
bool usher_cmd_status(UsherCli *cli, GError **error);
bool usher_cmd_api(UsherCli *cli, GError **error);
bool usher_cmd_help(UsherCli *cli, GError **error);
bool usher_cmd_version(UsherCli *cli, GError **error);
bool usher_cmd_completion(UsherCli *cli, GError **error);
bool usher_cmd_complete(UsherCli *cli, GError **error);
