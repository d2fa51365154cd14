/* SPDX-License-Identifier: Apache-2.0 */
/* usher host: this machine made ready for its next boot, shown before, and put back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/devices.h"
#include "core/doctor/boot-guard.h"
#include "core/doctor/boot-once.h"
#include "core/doctor/boot-try.h"
#include "core/doctor/wish.h"
#include "host/boot-once.h"
#include "host/health.h"

/* What a command works with; made by begin. */
typedef struct Host {
	UsherInventory *inventory;
	UsherHostFacts *health;
	UsherBootFiles *files;
	UsherBootFacts *facts;
	UsherBootManifest *manifest; /* empty where nothing was done */
	bool was_prepared;
} Host;

static void host_clear(Host *host)
{
	usher_inventory_unref(host->inventory);
	usher_host_facts_free(host->health);
	usher_bootfiles_free(host->files);
	usher_boot_facts_free(host->facts);
	usher_boot_manifest_free(host->manifest);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Host, host_clear)

static bool load_manifest(Host *host, GError **error)
{
	g_autoptr(GError) problem = NULL;
	host->manifest = usher_bootfiles_manifest(host->files, &problem);
	/* Root's alone; who may not read it may not change anything either. */
	if (problem != NULL && usher_error_code(problem) != USHER_ERROR_DENIED) {
		g_propagate_error(error, g_steal_pointer(&problem));
		return false;
	}
	host->was_prepared = host->manifest != NULL;
	if (host->manifest == NULL)
		host->manifest = usher_boot_manifest_new();
	return true;
}

static bool begin(UsherCli *cli, Host *host, GError **error)
{
	host->inventory = usher_cli_scan(cli, error);
	g_autoptr(UsherTree) tree =
		host->inventory != NULL ? usher_tree_open(cli->root, error) : NULL;
	if (tree == NULL)
		return false;
	host->health = usher_health_read(tree, host->inventory);
	host->files = usher_bootfiles_open(cli->root, error);
	if (host->files == NULL)
		return false;
	host->facts = usher_bootfiles_look(host->files, host->health, error);
	return host->facts != NULL && load_manifest(host, error);
}

/* ---- what is printed ---- */

static char *print_command(const UsherBootCommand *command)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < command->words->len; i++) {
		const char *word = command->words->pdata[i];
		g_autofree char *quoted =
			strchr(word, ' ') != NULL ? g_shell_quote(word) : g_strdup(word);
		g_string_append_printf(text, "%s%s", i > 0 ? " " : "", quoted);
	}
	return g_string_free(text, FALSE);
}

static void print_commands(const char *heading, const GPtrArray *commands)
{
	for (unsigned i = 0; i < commands->len; i++) {
		g_autofree char *text = print_command(commands->pdata[i]);
		printf("%s%s\n", heading, text);
	}
}

static void print_plan(const UsherBootPlan *plan, const GPtrArray *commands)
{
	g_autofree char *diff = usher_boot_plan_diff(plan);
	printf("%s", diff);
	print_commands("then run: ", commands);
	for (unsigned i = 0; i < plan->warnings->len; i++)
		printf("warning: %s\n", ((UsherBootWarning *) plan->warnings->pdata[i])->text);
}

static void write_commands(UsherJsonWriter *writer, const char *key, const GPtrArray *commands)
{
	usher_json_key(writer, key);
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < commands->len; i++) {
		const UsherBootCommand *command = commands->pdata[i];
		usher_json_begin_array(writer);
		for (unsigned n = 0; n < command->words->len; n++)
			usher_json_write_string(writer, command->words->pdata[n]);
		usher_json_end_array(writer);
	}
	usher_json_end_array(writer);
}

static void write_texts(UsherJsonWriter *writer, const char *key, const GPtrArray *texts)
{
	usher_json_key(writer, key);
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < texts->len; i++)
		usher_json_write_string(writer, texts->pdata[i]);
	usher_json_end_array(writer);
}

static void write_files(UsherJsonWriter *writer, const UsherBootPlan *plan)
{
	usher_json_key(writer, "files");
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < plan->files->len; i++) {
		const UsherBootFile *was = plan->before->pdata[i], *is = plan->files->pdata[i];
		if (g_strcmp0(was->text, is->text) == 0)
			continue;
		g_autofree char *path = g_strconcat("/", is->path, NULL);
		usher_json_begin_object(writer);
		usher_json_put_string(writer, "path", path);
		usher_json_put_string(writer, "was", was->text);
		usher_json_put_string(writer, "is", is->text);
		usher_json_end_object(writer);
	}
	usher_json_end_array(writer);
}

/* What of a plan has come to be. */
typedef struct Outcome {
	const UsherBootPlan *plan;
	const GPtrArray *commands;
	const GPtrArray *promises;
	bool is_applied, is_reboot_due;
} Outcome;

static void print_json(UsherCli *cli, const Outcome *outcome)
{
	const UsherBootPlan *plan = outcome->plan;
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	g_autofree char *diff = usher_boot_plan_diff(plan);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "loader", usher_boot_loader_name(plan->loader));
	usher_json_put_string(writer, "diff", diff);
	write_files(writer, plan);
	write_commands(writer, "commands", outcome->commands);
	usher_json_key(writer, "warnings");
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < plan->warnings->len; i++)
		usher_record_write(&usher_boot_warning_type, plan->warnings->pdata[i], writer);
	usher_json_end_array(writer);
	write_texts(writer, "promises", outcome->promises);
	usher_json_put_bool(writer, "applied", outcome->is_applied);
	usher_json_put_bool(writer, "reboot_due", outcome->is_reboot_due);
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
	cli->is_answered = true;
}

static bool wants_json(const UsherCli *cli)
{
	return cli->format == USHER_FORMAT_JSON;
}

/* ---- agreement ---- */

static bool ask(const char *question)
{
	fprintf(stderr, "%s [y/N] ", question);
	(void) fflush(stdout);
	char answer[16];
	if (fgets(answer, sizeof answer, stdin) == NULL)
		return false;
	g_strstrip(answer);
	return g_ascii_strcasecmp(answer, "y") == 0 || g_ascii_strcasecmp(answer, "yes") == 0;
}

/* May what was shown be done? */
static bool is_agreed(UsherCli *cli, const UsherBootPlan *plan, GError **error)
{
	const char *question =
		plan->warnings->len > 0 ? "Do this, in spite of the warnings?" : "Do this?";
	g_autofree char *etc = g_build_filename(cli->root != NULL ? cli->root : "/", "etc", NULL);
	if (usher_cli_is_in_recording(etc)) {
		usher_error_set(error, USHER_ERROR_DENIED,
			"'%s' is a recording, and a recording is never written to", cli->root);
		return false;
	}
	if (cli->root == NULL && geteuid() != 0) {
		usher_error_set(error, USHER_ERROR_DENIED,
			"nothing was changed: only root may write boot files");
		return false;
	}
	if (usher_cli_has(cli, "yes"))
		return true;
	if (!wants_json(cli) && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 &&
		ask(question))
		return true;
	usher_error_set(
		error, USHER_ERROR_DENIED, "nothing was changed: --yes says that this is wanted");
	return false;
}

/* ---- acts ---- */

/* Runs what is due, and forgets each as it is done. Below another root it is only told. */
static bool run_due(UsherCli *cli, Host *host, GError **error)
{
	GPtrArray *due = host->manifest->due;
	while (due->len > 0 && usher_bootfiles_is_live(host->files)) {
		g_autofree char *text = print_command(due->pdata[0]);
		usher_cli_note(cli, "running %s", text);
		if (!usher_bootfiles_run(due->pdata[0], error))
			return false;
		g_ptr_array_remove_index(due, 0);
		if (!usher_bootfiles_remember(host->files, host->manifest, error))
			return false;
	}
	if (!wants_json(cli))
		print_commands("to be run on that host: ", due);
	g_ptr_array_set_size(due, 0);
	return usher_bootfiles_remember(host->files, host->manifest, error);
}

static void set_text(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

static void promise(UsherBootManifest *manifest, const GPtrArray *promises)
{
	for (unsigned i = 0; i < promises->len; i++) {
		if (!g_ptr_array_find_with_equal_func(
			    manifest->promises, promises->pdata[i], g_str_equal, NULL))
			g_ptr_array_add(manifest->promises, g_strdup(promises->pdata[i]));
	}
}

/* The vms of this host that have devices now, as far as usherd can be asked: the agent starts them
 * again when what was promised is true. */
static void note_guests(UsherCli *cli, UsherBootManifest *manifest)
{
	g_autoptr(UsherJson) nodes = usher_cli_peek(cli, "/v1/nodes");
	g_autoptr(UsherJson) vms = usher_cli_peek(cli, "/v1/vms?limit=5000");
	const char *node = nodes != NULL ? usher_cli_own_node(nodes) : NULL;
	const UsherJson *items = vms != NULL ? usher_json_get(vms, "items") : NULL;
	g_ptr_array_set_size(manifest->guests, 0);
	for (size_t i = 0; node != NULL && i < usher_json_length(items); i++) {
		const UsherJson *vm = usher_json_at(items, i);
		const UsherJson *leases = usher_cli_member(vm, "status.leases");
		const char *home = usher_json_get_string(vm, "home");
		if (leases != NULL && usher_json_length(leases) > 0 && g_strcmp0(home, node) == 0)
			g_ptr_array_add(
				manifest->guests, g_strdup(usher_json_get_string(vm, "name")));
	}
}

/* What a prepare does: all at once, or the command line only for the next boot. */
typedef struct Preparation {
	UsherBootWish *wish;
	UsherBootPlan *plan; /* what it comes to in the end */
	UsherBootPlan *now;  /* what is changed at once; NULL: all */
} Preparation;

static void preparation_clear(Preparation *preparation)
{
	usher_boot_wish_free(preparation->wish);
	usher_boot_plan_free(preparation->plan);
	usher_boot_plan_free(preparation->now);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Preparation, preparation_clear)

/* Where the boot loader can, and the command line changes, that is tried first. */
static bool may_try(const UsherCli *cli, const Host *host, Preparation *preparation, GError **error)
{
	if (!usher_bootfiles_is_live(host->files) || usher_cli_has(cli, "at-once"))
		return true;
	g_autoptr(GError) problem = NULL;
	g_autoptr(UsherBootOnce) once =
		usher_boot_once_make(host->facts, preparation->wish, &problem);
	if (once == NULL) /* what can't be read here is only not tried */
		return true;
	g_autoptr(UsherBootWish) rest = usher_boot_once_rest(preparation->wish);
	UsherBootPlan *now = usher_boot_plan_make(host->facts, rest, error);
	if (now == NULL)
		return false;
	if (now->edits->len < preparation->plan->edits->len)
		preparation->now = now;
	else
		usher_boot_plan_free(now);
	return true;
}

static bool arm(Host *host, const UsherBootWish *wish, const char *boot_id, GError **error)
{
	UsherBootManifest *manifest = host->manifest;
	usher_boot_wish_free(manifest->wish);
	usher_boot_try_free(manifest->attempt);
	manifest->wish = usher_boot_wish_dup(wish);
	manifest->attempt = usher_boot_try_new();
	UsherBootLoaderPort *loader =
		usher_boot_loader_host_new(host->files, host->health, manifest);
	bool is_armed = loader->ops->arm(loader, wish->words, error);
	loader->ops->free(loader);
	if (!is_armed)
		return false;
	usher_boot_try_move(manifest->attempt, USHER_TRY_ARMED, boot_id, wish);
	return usher_bootfiles_remember(host->files, manifest, error);
}

/* First what will be done is written down, then it is done: whoever is killed in between finds
 * what there is to undo. */
static bool prepare(UsherCli *cli, Host *host, const Preparation *preparation, GError **error)
{
	UsherBootManifest *manifest = host->manifest;
	const UsherBootPlan *plan = preparation->now != NULL ? preparation->now : preparation->plan;
	g_autofree char *boot_id = usher_bootfiles_boot_id(host->files);
	const char *goal = usher_cli_text(cli, "for");
	usher_boot_plan_note(plan, manifest);
	promise(manifest, preparation->wish->promises);
	manifest->made = g_get_real_time();
	set_text(&manifest->boot_id, boot_id);
	set_text(&manifest->goal, goal != NULL ? goal : usher_goal_names[USHER_GOAL_PCI]);
	set_text(&manifest->address, usher_cli_arg(cli, 0));
	if (usher_bootfiles_is_live(host->files))
		note_guests(cli, manifest);
	return usher_bootfiles_is_current(host->files, plan, error) &&
		usher_bootfiles_remember(host->files, manifest, error) &&
		usher_bootfiles_apply(host->files, plan, error) && run_due(cli, host, error) &&
		(preparation->now == NULL || arm(host, preparation->wish, boot_id, error));
}

static bool is_reboot_due(const Host *host)
{
	bool is_rebooted;
	(void) usher_bootfiles_promises(host->files, host->manifest, &is_rebooted);
	return !is_rebooted;
}

static UsherBootWish *make_wish(UsherCli *cli, const Host *host, GError **error)
{
	const char *address = NULL;
	if (cli->args->len > 0) {
		const UsherDevice *device =
			usher_cli_find_here(host->inventory, usher_cli_arg(cli, 0), error);
		if (device == NULL)
			return NULL;
		address = device->address;
	}
	g_autoptr(UsherBootWish) wish =
		usher_doctor_wish(host->health, host->inventory, usher_cli_goal(cli), address);
	return usher_boot_may_hold(host->inventory, wish, error) ? g_steal_pointer(&wish) : NULL;
}

/* Of this plan, and of an earlier one that did not come so far. */
static GPtrArray *all_commands(const UsherBootManifest *manifest, const UsherBootPlan *plan)
{
	GPtrArray *commands = g_ptr_array_new();
	for (unsigned i = 0; i < manifest->due->len; i++)
		g_ptr_array_add(commands, manifest->due->pdata[i]);
	for (unsigned i = 0; i < plan->commands->len; i++)
		g_ptr_array_add(commands, plan->commands->pdata[i]);
	return commands;
}

static bool plan_preparation(
	UsherCli *cli, const Host *host, Preparation *preparation, GError **error)
{
	preparation->wish = make_wish(cli, host, error);
	if (preparation->wish == NULL)
		return false;
	preparation->plan = usher_boot_plan_make(host->facts, preparation->wish, error);
	return preparation->plan != NULL && may_try(cli, host, preparation, error);
}

static const char *say_prepared(const Preparation *preparation)
{
	return preparation->now != NULL
		? "the host is prepared, and a reboot is due: that boot alone has the new command "
		  "line, until the agent has seen it up with a way in"
		: "the host is prepared: it takes effect with the next reboot, which is due";
}

bool usher_cmd_host_prepare(UsherCli *cli, GError **error)
{
	g_auto(Host) host = { 0 };
	g_auto(Preparation) preparation = { 0 };
	if (!begin(cli, &host, error) || !plan_preparation(cli, &host, &preparation, error))
		return false;
	const UsherBootPlan *plan = preparation.plan;
	g_autoptr(GPtrArray) commands = all_commands(host.manifest, plan);
	Outcome outcome = { plan, commands, preparation.wish->promises, false, false };
	bool is_nothing = plan->edits->len == 0 && commands->len == 0;
	bool is_dry = usher_cli_has(cli, "dry-run");
	if (!wants_json(cli))
		print_plan(plan, commands);
	if (!wants_json(cli) && preparation.now != NULL)
		printf("first the next boot alone is to have the new command line\n");
	bool is_done = is_nothing || is_dry ||
		(is_agreed(cli, plan, error) && prepare(cli, &host, &preparation, error));
	outcome.is_applied = is_done && !is_nothing && !is_dry;
	outcome.is_reboot_due = outcome.is_applied || (host.was_prepared && is_reboot_due(&host));
	if (wants_json(cli))
		print_json(cli, &outcome);
	else if (is_done && is_nothing)
		usher_cli_say(cli,
			outcome.is_reboot_due ? "there is nothing left to change; a reboot is due"
					      : "there is nothing to change");
	else if (outcome.is_applied)
		usher_cli_say(cli, "%s", say_prepared(&preparation));
	return is_done;
}

/* What was to be tried is not any more. */
static bool drop_once(Host *host, GError **error)
{
	UsherBootLoaderPort *loader =
		usher_boot_loader_host_new(host->files, host->health, host->manifest);
	bool is_dropped = loader->ops->drop(loader, error);
	loader->ops->free(loader);
	return is_dropped;
}

static bool revert(UsherCli *cli, Host *host, const UsherBootPlan *plan, GError **error)
{
	UsherBootManifest *manifest = host->manifest;
	g_ptr_array_set_size(manifest->due, 0);
	for (unsigned i = 0; i < plan->commands->len; i++)
		g_ptr_array_add(manifest->due, usher_boot_command_dup(plan->commands->pdata[i]));
	return usher_bootfiles_is_current(host->files, plan, error) &&
		usher_bootfiles_remember(host->files, manifest, error) && drop_once(host, error) &&
		usher_bootfiles_apply(host->files, plan, error) && run_due(cli, host, error) &&
		usher_bootfiles_forget(host->files, manifest, error);
}

bool usher_cmd_host_revert(UsherCli *cli, GError **error)
{
	g_auto(Host) host = { 0 };
	if (!begin(cli, &host, error))
		return false;
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_revert(host.facts, host.manifest, error);
	if (plan == NULL)
		return false;
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	Outcome outcome = { plan, plan->commands, none, false, false };
	bool is_nothing = !host.was_prepared, is_dry = usher_cli_has(cli, "dry-run");
	if (!wants_json(cli))
		print_plan(plan, plan->commands);
	bool is_done = is_nothing || is_dry ||
		(is_agreed(cli, plan, error) && revert(cli, &host, plan, error));
	outcome.is_applied = outcome.is_reboot_due = is_done && !is_nothing && !is_dry;
	if (wants_json(cli))
		print_json(cli, &outcome);
	else if (is_done && is_nothing)
		usher_cli_say(cli, "usher has changed nothing here");
	else if (outcome.is_applied)
		usher_cli_say(cli, "the host is as it was before usher: a reboot is due");
	return is_done;
}

/* ---- what was done ---- */

static void show(const Host *host)
{
	const UsherBootManifest *manifest = host->manifest;
	printf("boot loader  %s\n", usher_boot_loader_name(usher_boot_loader(host->facts)));
	if (!host->was_prepared) {
		printf("prepared     no\n");
		return;
	}
	g_autofree char *made = usher_text_print_time(manifest->made);
	printf("prepared     %s, for %s%s%s\n", made, manifest->goal,
		manifest->address != NULL ? " " : "",
		manifest->address != NULL ? manifest->address : "");
	printf("reboot       %s\n", is_reboot_due(host) ? "due" : "done");
	if (manifest->attempt != NULL)
		printf("tried first  %s\n",
			usher_boot_try_state_name((UsherTryState) manifest->attempt->state));
	g_autofree char *promises = usher_text_join_array(manifest->promises, " ");
	printf("promised     %s\n", promises);
	for (unsigned i = 0; i < manifest->edits->len; i++) {
		const UsherBootEdit *edit = manifest->edits->pdata[i];
		for (unsigned n = 0; n < edit->changes->len; n++) {
			const UsherBootChange *change = edit->changes->pdata[n];
			printf("/%s: %s%s%s\n", edit->path,
				change->was != NULL ? change->was : "+ ",
				change->was != NULL ? " -> " : "",
				change->is != NULL ? change->is : "(dropped)");
		}
	}
	print_commands("still to run: ", manifest->due);
}

bool usher_cmd_host_show(UsherCli *cli, GError **error)
{
	g_auto(Host) host = { 0 };
	if (!begin(cli, &host, error))
		return false;
	if (!wants_json(cli)) {
		show(&host);
		return true;
	}
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_put_string(
		writer, "loader", usher_boot_loader_name(usher_boot_loader(host.facts)));
	usher_json_key(writer, "prepared");
	if (host.was_prepared)
		usher_record_write(&usher_boot_manifest_type, host.manifest, writer);
	else
		usher_json_write_null(writer);
	usher_json_put_bool(writer, "reboot_due", host.was_prepared && is_reboot_due(&host));
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
	return true;
}
