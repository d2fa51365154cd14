/* SPDX-License-Identifier: Apache-2.0 */
/* usher doctor: what stands in the way, who can clear it away, and what is true then. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/devices.h"
#include "core/doctor/promise.h"
#include "host/bootfiles.h"
#include "host/health.h"

/* Groups of the page, by who must act. */
static const char *const headings[USHER_N_WHO] = {
	[USHER_WHO_USHER] = "usher can fix",
	[USHER_WHO_OS] = "you can fix, in this system",
	[USHER_WHO_FIRMWARE] = "only you can fix, in the firmware",
	[USHER_WHO_VENDOR] = "needs another driver or version",
	[USHER_WHO_NOBODY] = "nobody can fix",
};

static bool is_to_act(const UsherFinding *finding)
{
	return finding->status == USHER_FINDING_WARN || finding->status == USHER_FINDING_FAIL;
}

static void print_finding(const UsherFinding *finding)
{
	static const char marks[] = { [USHER_FINDING_OK] = '+',
		[USHER_FINDING_WARN] = '!',
		[USHER_FINDING_FAIL] = 'x',
		[USHER_FINDING_UNKNOWN] = '?' };
	printf("    %c %-20s %s\n", marks[finding->status], finding->id, finding->seen);
	if (finding->means != NULL)
		printf("        %s\n", finding->means);
	for (unsigned i = 0; i < finding->fix->len; i++)
		printf("        %s%s\n", i == 0 ? "fix: " : "     ",
			(const char *) finding->fix->pdata[i]);
	if (finding->after_reboot != NULL)
		printf("        after the reboot: %s\n", finding->after_reboot);
}

static unsigned count(const GPtrArray *findings, UsherFindingStatus status)
{
	unsigned n = 0;
	for (unsigned i = 0; i < findings->len; i++)
		n += ((const UsherFinding *) findings->pdata[i])->status == (unsigned) status;
	return n;
}

static void print_status(
	const GPtrArray *findings, UsherFindingStatus status, const char *heading, bool is_whole)
{
	unsigned n = count(findings, status);
	if (n == 0)
		return;
	printf("  %s: %u%s\n", heading, n, is_whole ? "" : " (--all shows them)");
	for (unsigned i = 0; is_whole && i < findings->len; i++) {
		const UsherFinding *finding = findings->pdata[i];
		if (finding->status == (unsigned) status)
			print_finding(finding);
	}
}

static bool can_prepare(const GPtrArray *findings)
{
	for (unsigned i = 0; i < findings->len; i++) {
		const UsherFinding *finding = findings->pdata[i];
		if (finding->status == USHER_FINDING_FAIL && finding->who == USHER_WHO_USHER)
			return true;
	}
	return false;
}

static bool is_reboot_due(const GPtrArray *findings)
{
	for (unsigned i = 0; i < findings->len; i++) {
		const UsherFinding *finding = findings->pdata[i];
		if (finding->status == USHER_FINDING_FAIL && finding->after_reboot != NULL)
			return true;
	}
	return false;
}

/* What is examined, and what came of it. */
typedef struct Page {
	const char *of;  /* "host n3, for pci" */
	const char *way; /* "pci": what findings are in the way of */
	const GPtrArray *findings;
	const GPtrArray *promises; /* NULL: none */
} Page;

static void print_promises(const GPtrArray *promises)
{
	static const char *const said[] = { [USHER_PROMISE_DUE] = "after the reboot",
		[USHER_PROMISE_KEPT] = "kept",
		[USHER_PROMISE_BROKEN] = "not kept",
		[USHER_PROMISE_UNKNOWN] = "can't be told" };
	printf("  promised by usher host prepare\n");
	for (unsigned i = 0; i < promises->len; i++) {
		const UsherPromise *promise = promises->pdata[i];
		printf("    %c %-20s %s%s%s\n", "~+x?"[promise->state], promise -> id,
			said[promise->state], promise -> seen != NULL ? ": " : "",
			promise->seen != NULL ? promise->seen : "");
	}
}

static void print_page(const UsherCli *cli, const Page *page, const char *verdict)
{
	const GPtrArray *findings = page->findings;
	bool is_fixable = strcmp(verdict, "fixable") == 0;
	bool is_ready = strcmp(verdict, "ready") == 0;
	printf("%s: %s%s\n", page->of, verdict,
		is_fixable && is_reboot_due(findings) ? ", then one reboot"
			: is_ready && count(findings, USHER_FINDING_UNKNOWN) > 0
			? ", as far as it can be told"
			: "");
	for (unsigned who = 0; who < USHER_N_WHO; who++) {
		bool has_heading = false;
		for (unsigned i = 0; i < findings->len; i++) {
			const UsherFinding *finding = findings->pdata[i];
			if (finding->who != who || !is_to_act(finding))
				continue;
			if (!has_heading)
				printf("  %s\n", headings[who]);
			has_heading = true;
			print_finding(finding);
		}
	}
	bool is_whole = usher_cli_has(cli, "all");
	print_status(findings, USHER_FINDING_UNKNOWN, "not known", is_whole);
	print_status(findings, USHER_FINDING_OK, "fine", is_whole);
	if (page->promises != NULL)
		print_promises(page->promises);
}

UsherGoal usher_cli_goal(const UsherCli *cli)
{
	return usher_goal_named(usher_cli_text(cli, "for"));
}

/* NULL: of the host as a whole. */
static bool find_subject(
	UsherCli *cli, const UsherInventory *inventory, const char **out_address, GError **error)
{
	*out_address = NULL;
	if (cli->args->len == 0)
		return true;
	const UsherDevice *device = usher_cli_find_here(inventory, usher_cli_arg(cli, 0), error);
	if (device != NULL)
		*out_address = device->address;
	return device != NULL;
}

/* The answer is in the exit status, too: 0 when nothing fails. */
static bool answer(UsherCli *cli, const Page *page, GError **error)
{
	const char *verdict = usher_doctor_verdict(page->findings);
	g_autofree char *json =
		usher_doctor_print(page->findings, page->promises, /* pretty */ true);
	if (cli->format == USHER_FORMAT_JSON)
		printf("%s\n", json);
	else
		print_page(cli, page, verdict);
	cli->is_answered = true;
	unsigned n_failed = count(page->findings, USHER_FINDING_FAIL);
	if (n_failed == 0)
		return true;
	usher_error_set(error, USHER_ERROR_CONFLICT, "%u finding%s in the way of %s", n_failed,
		n_failed == 1 ? " is" : "s are", page->way);
	if (can_prepare(page->findings))
		usher_error_set_hint(*error, "usher host prepare --dry-run");
	return false;
}

/* ---- a guest ---- */

static GPtrArray *read_findings(const UsherJson *operation, GError **error)
{
	const UsherJson *items = usher_cli_member(operation, "answer.findings");
	if (items == NULL) {
		usher_error_set(error, USHER_ERROR_INTERNAL, "usherd has no answer");
		return NULL;
	}
	g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(usher_finding_type.free);
	for (size_t i = 0; i < usher_json_length(items); i++) {
		UsherFinding *finding =
			usher_record_read(&usher_finding_type, usher_json_at(items, i), error);
		if (finding == NULL)
			return NULL;
		g_ptr_array_add(findings, finding);
	}
	return g_steal_pointer(&findings);
}

/* The node's agent looks: its hypervisor has the definition. */
static bool examine_guest(UsherCli *cli, const char *guest, GError **error)
{
	UsherJsonWriter *body = usher_cli_body();
	if (usher_cli_has(cli, "node"))
		usher_json_put_string(body, "node", usher_cli_text(cli, "node"));
	g_autofree char *path = usher_cli_path("vms", guest, "examine", NULL);
	g_autoptr(UsherJson) operation = usher_cli_operate(cli, path, body, error);
	g_autoptr(GPtrArray) findings = operation != NULL ? read_findings(operation, error) : NULL;
	g_autofree char *of = g_strdup_printf("domain %s", guest);
	const Page page = { of, "devices", findings, NULL };
	return findings != NULL && answer(cli, &page, error);
}

/* ---- the host ---- */

/* Those of `usher host prepare`; who may not read its manifest sees none. */
static bool read_promises(
	UsherCli *cli, const GPtrArray *findings, GPtrArray **out_promises, GError **error)
{
	bool is_rebooted;
	g_autoptr(UsherBootFiles) files = usher_bootfiles_open(cli->root, error);
	if (files == NULL)
		return false;
	g_autoptr(UsherBootManifest) manifest = usher_bootfiles_manifest(files, NULL);
	if (manifest == NULL)
		return true;
	const GPtrArray *promised = usher_bootfiles_promises(files, manifest, &is_rebooted);
	*out_promises = usher_doctor_keep(findings, promised, is_rebooted);
	return true;
}

bool usher_cmd_doctor(UsherCli *cli, GError **error)
{
	if (usher_cli_has(cli, "guest"))
		return examine_guest(cli, usher_cli_text(cli, "guest"), error);
	g_autoptr(UsherInventory) inventory = usher_cli_scan(cli, error);
	g_autoptr(UsherTree) tree = inventory != NULL ? usher_tree_open(cli->root, error) : NULL;
	const char *address;
	if (tree == NULL || !find_subject(cli, inventory, &address, error))
		return false;
	g_autoptr(UsherHostFacts) facts = usher_health_read(tree, inventory);
	UsherGoal goal = usher_cli_goal(cli);
	g_autoptr(GPtrArray) findings = usher_doctor_examine(facts, inventory, goal, address);
	const char *given = usher_cli_text(cli, "root");
	const char *host = cli->root == NULL ? g_get_host_name()
		: given != NULL              ? given
					     : cli->root;
	g_autoptr(GPtrArray) promises = NULL;
	if (!read_promises(cli, findings, &promises, error))
		return false;
	g_autofree char *of = g_strdup_printf("host %s, for %s", host, usher_goal_names[goal]);
	const Page page = { of, usher_goal_names[goal], findings, promises };
	return answer(cli, &page, error);
}
