/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: the table of commands, and words read by it. */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/why.h"

static UsherCli *parse(const char *line, GError **error)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	UsherCli *cli = usher_cli_new();
	(void) usher_cli_parse(cli, (const char *const *) words, error);
	return cli;
}

static void test_good(void)
{
	static const struct {
		const char *line;
		const char *noun, *verb;
		unsigned n_args;
		UsherFormat format;
	} rows[] = {
		{ "", "status", NULL, 0, USHER_FORMAT_TABLE },
		{ "device list", "device", "list", 0, USHER_FORMAT_TABLE },
		{ "--json device list", "device", "list", 0, USHER_FORMAT_JSON },
		{ "device list --json", "device", "list", 0, USHER_FORMAT_JSON },
		{ "device list -o wide", "device", "list", 0, USHER_FORMAT_WIDE },
		{ "device list -ojson", "device", "list", 0, USHER_FORMAT_JSON },
		{ "device list --output=name", "device", "list", 0, USHER_FORMAT_NAME },
		{ "device make-resource a b --group g", "device", "make-resource", 2,
			USHER_FORMAT_TABLE },
		{ "op list", "operation", "list", 0, USHER_FORMAT_TABLE },
		{ "op cancel op-1", "operation", "cancel", 1, USHER_FORMAT_TABLE },
		{ "node get", "node", "list", 0, USHER_FORMAT_TABLE },
		{ "node ls", "node", "list", 0, USHER_FORMAT_TABLE },
		{ "node get n1", "node", "show", 1, USHER_FORMAT_TABLE },
		{ "vm describe v", "vm", "show", 1, USHER_FORMAT_TABLE },
		{ "vm delete v", "vm", "forget", 1, USHER_FORMAT_TABLE },
		{ "group delete g", "group", "delete", 1, USHER_FORMAT_TABLE },
		{ "vm show -- --odd", "vm", "show", 1, USHER_FORMAT_TABLE },
		{ "vm attach v --group g --option a=1 --option b=2", "vm", "attach", 1,
			USHER_FORMAT_TABLE },
		{ "vm stop v --timeout 5 --no-wait", "vm", "stop", 1, USHER_FORMAT_TABLE },
		{ "event list -w", "event", "list", 0, USHER_FORMAT_TABLE },
		{ "version", "version", NULL, 0, USHER_FORMAT_TABLE },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherCli) cli = usher_cli_new();
		g_auto(GStrv) words = g_strsplit(rows[i].line, " ", -1);
		g_assert_true(usher_cli_parse(cli, (const char *const *) words, &error));
		g_assert_no_error(error);
		g_assert_cmpstr(cli->command->noun, ==, rows[i].noun);
		g_assert_cmpstr(cli->command->verb, ==, rows[i].verb);
		g_assert_cmpuint(cli->args->len, ==, rows[i].n_args);
		g_assert_cmpuint(cli->format, ==, rows[i].format);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *line;
		const char *part;
	} rows[] = {
		{ "devcie list", "did you mean usher device?" },
		{ "device lst", "did you mean usher device list?" },
		{ "device bind 0000:01:00.0", "usher device make-resource" },
		{ "device", "needs one of list, show" },
		{ "get nodes", "usher node list" },
		{ "describe vm", "usher vm show NAME" },
		{ "xyzzy", "see usher help" },
		{ "vm start", "needs NAME" },
		{ "vm start a b", "does not take 'b'" },
		{ "vm start a --forse", "there is no flag --forse" },
		{ "vm stop a --forc", "did you mean --force?" },
		{ "vm stop a --timeout", "needs a value: --timeout SECONDS" },
		{ "vm stop a --timeout soon", "takes a number, not 'soon'" },
		{ "vm stop a --force=1", "takes no value" },
		{ "vm list --dry-run", "takes no --dry-run" },
		{ "vm start a -w", "takes no --watch" },
		{ "device show a --no-wait", "takes no --no-wait" },
		{ "group create g --type pc", "--type is one of pci, vgpu" },
		{ "device list -o xml", "--output is one of table" },
		{ "device list --json -o name", "exclude each other" },
		{ "device list --node a --node b", "given twice" },
		{ "device list -z", "there is no flag -z" },
		{ "vm --odd start", "there is no flag --odd" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherCli) cli = parse(rows[i].line, &error);
		g_assert_nonnull(error);
		g_assert_true(cli->is_usage_error);
		if (strstr(error->message, rows[i].part) == NULL)
			g_error("%s: '%s' is not in '%s'", rows[i].line, rows[i].part,
				error->message);
	}
}

/* Errors of the call are told as JSON when that was asked for anywhere in it. */
static void test_format_of_errors(void)
{
	static const char *const lines[] = { "vm strat x --json", "--json xyzzy",
		"vm start -o json", "vm start --output=json" };
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherCli) cli = parse(lines[i], &error);
		g_assert_nonnull(error);
		g_assert_cmpuint(cli->format, ==, USHER_FORMAT_JSON);
	}
}

static void test_help_is_always_taken(void)
{
	static const char *const lines[] = { "--help", "vm --help", "vm start --help",
		"vm start -h", "device make-resource --help" };
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherCli) cli = parse(lines[i], &error);
		g_assert_no_error(error);
		g_assert_true(cli->wants_help);
	}
}

/* What the rest relies on: verbs of a noun stand together, flags have one meaning. */
static void test_table(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) nouns = g_hash_table_new(g_str_hash, g_str_equal);
	const char *last = "";
	for (const UsherCommand *command = usher_commands; command->noun != NULL; command++) {
		g_autofree char *name = g_strdup_printf(
			"%s %s", command->noun, command->verb != NULL ? command->verb : "");
		g_assert_true(g_hash_table_add(seen, g_strdup(name)));
		if (strcmp(last, command->noun) != 0)
			g_assert_true(g_hash_table_add(nouns, (void *) (uintptr_t) command->noun));
		last = command->noun;
		g_assert_cmpuint(command->min_args, <=, command->max_args);
		g_assert_true((command->max_args == 0) == (command->args[0] == '\0'));
		g_assert_nonnull(command->run);
		g_assert_false(g_str_has_suffix(command->summary, "."));
		for (const UsherFlag *flag = command->flags; flag != NULL && flag->name != NULL;
			flag++) {
			for (const UsherFlag *global = usher_global_flags; global->name != NULL;
				global++) {
				g_assert_cmpstr(flag->name, !=, global->name);
				g_assert_true(flag->letter == 0 || flag->letter != global->letter);
			}
			g_assert_true((flag->type == USHER_FLAG_SWITCH) == (flag->value == NULL));
		}
	}
}

static void test_cells(void)
{
	static const struct {
		const char *json, *path, *cell;
	} rows[] = {
		{ "{\"a\":{\"b\":\"x\"}}", "a.b", "x" },
		{ "{\"a\":{\"b\":null}}", "a.b", NULL },
		{ "{\"a\":1}", "a.b", NULL },
		{ "{\"a\":7}", "a", "7" },
		{ "{\"a\":true}", "a", "yes" },
		{ "{\"a\":[\"x\",\"y\"]}", "a", "x,y" },
		{ "{\"a\":\"\\u001b[31mred\\n\"}", "a", "?[31mred?" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherJson) json =
			usher_json_parse(rows[i].json, strlen(rows[i].json), NULL);
		g_autofree char *cell = usher_cli_cell(usher_cli_member(json, rows[i].path));
		g_assert_cmpstr(cell, ==, rows[i].cell);
	}
}

static void test_paths(void)
{
	g_autofree char *path = usher_cli_path("vms", "a b/c", "start", NULL);
	g_assert_cmpstr(path, ==, "/v1/vms/a%20b%2Fc/start");
}

static void test_words(void)
{
	static const struct {
		const char *sentence, *word;
	} rows[] = {
		{ "holds /", "root-fs" },
		{ "holds /boot", "boot-fs" },
		{ "holds /boot/efi", "esp" },
		{ "holds /srv", "mounted" },
		{ "holds active swap", "swap" },
		{ "has sda1, named in /etc/fstab for /srv", "fstab" },
		{ "has LVM2_member on sda1", "has-data" },
		{ "has the last keyboard, and no serial line is a console", "last-keyboard" },
		{ "has sda, named in /etc/libvirt/qemu/win11.xml", "domain-disk" },
		{ "has memory that firmware goes on using", "firmware-memory" },
		{ "it has live mediated devices (1)", "mdevs-live" },
		{ "watches the host's UPS", "ups" },
		{ "carries corosync", "corosync" },
		{ "carries the network of a guest", "guests" },
		{ "may hold a file system of the host: udev has not looked at sda",
			"disks-unknown" },
		{ "may have a disk of a domain, or one of /etc/fstab: …", "disks-unknown" },
		{ "may have the last keyboard: input devices could not be read", "inputs-unknown" },
		{ "may carry NFS: wg0 stands on no known device", "routes-unknown" },
		{ "may be anything: what it is could not be read", "unknown" },
		{ "it is a hub", "hub" },
		{ "carries the default route of IPv6", "default-route" },
		{ "carries an SSH session", "ssh" },
		{ "is a host bridge", "bridge" },
		{ "it is a PCI bridge", "bridge" },
		{ "it is in no IOMMU group", "no-group" },
		{ "0000:00:1f.0 is the ISA bridge in its IOMMU group", "shared-group" },
		{ "2 of its virtual functions are active", "vfs-active" },
		{ "was never heard of", "was-never-heard-of" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *word = usher_cli_why_word(rows[i].sentence);
		g_assert_cmpstr(word, ==, rows[i].word);
	}
}

static void test_names(void)
{
	static const struct {
		const char *whole, *name;
	} rows[] = {
		{ "82574L Gigabit Network Connection", "82574L Gigabit" },
		{ "Ethernet Controller X710 for 10GbE SFP+", "X710 10GbE SFP+" },
		{ "TU104GL [Tesla T4]", "TU104GL [Tesla T4]" },
		{ "Starship/Matisse GPP Bridge", "Starship GPP Bridge" },
		{ "Network Connection", "Network Connection" },
		{ "", "" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = usher_cli_short_name(rows[i].whole);
		g_assert_cmpstr(name, ==, rows[i].name);
	}
	static const char long_name[] =
		"Wi-Fi 6E(802.11ax) AX210/AX1675* 2x2 [Typhoon Peak] (Wi-Fi 6 AX210 160MHz)";
	g_autofree char *cut = usher_cli_short_name(long_name);
	g_assert_cmpint(g_utf8_strlen(cut, -1), <=, 28);
	g_assert_true(g_str_has_prefix(cut, "Wi-Fi 6E(802.11ax) AX210"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	(void) g_unsetenv("USHER_ROOT");
	(void) g_unsetenv("USHER_SERVER");
	g_test_add_func("/cli/good", test_good);
	g_test_add_func("/cli/bad", test_bad);
	g_test_add_func("/cli/format-of-errors", test_format_of_errors);
	g_test_add_func("/cli/help", test_help_is_always_taken);
	g_test_add_func("/cli/table", test_table);
	g_test_add_func("/cli/cells", test_cells);
	g_test_add_func("/cli/paths", test_paths);
	g_test_add_func("/cli/words", test_words);
	g_test_add_func("/cli/names", test_names);
	return g_test_run();
}
