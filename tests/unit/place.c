/* SPDX-License-Identifier: Apache-2.0 */
/* Placing: a node in words, what a guest wants, and what it gets or why not. */
#include "core/place/choose.h"

#include <string.h>

#include "base/error.h"
#include "unit/inventory-text.h"

#define NOW INT64_C(1767225600000000)

#define NIC_A "dev 0000:01:00.0 020000 id=d-a vendor=8086 device=10d3 group=1\n"
#define NIC_B "dev 0000:02:00.0 020000 id=d-b vendor=8086 device=10d3 group=2\n"
#define NIC_C "dev 0000:04:00.0 020000 id=d-c vendor=8086 device=10d3 group=4\n"
#define GPU   "dev 0000:03:00.0 030000 id=d-g vendor=10de device=1eb8 group=3\n"
#define AUDIO "dev 0000:03:00.1 040300 id=d-s vendor=10de device=10f8 group=3\n"

/* One thing a line beside the devices:
 *   state d-a absent|fenced|…          foreign d-a vm9      guard d-a       busy d-a
 *   group nics                         (its rule: vendor 8086)
 *   group gpus                         (vendor 10de and display)
 *   group all [off]                    (both rules match one device: the first counts)
 *   held u-a l-1 vm/x d-a              fence u-a d-a
 *   want nics 2 optional */
typedef struct Row {
	const char *name;
	const char *world;
	const char *wants;
	const char *picks; /* "group address+companions" each, or "-" and the reason */
} Row;

static const Row rows[] = {
	{ "one", NIC_A NIC_B "group nics", "want nics 1", "nics 0000:01:00.0" },
	{ "first-free", NIC_A NIC_B "group nics\nheld u-a l-1 vm/x d-a", "want nics 1",
		"nics 0000:02:00.0" },
	{ "two", NIC_A NIC_B "group nics", "want nics 2", "nics 0000:01:00.0, nics 0000:02:00.0" },
	{ "two-requests", NIC_A NIC_B "group nics", "want nics 1\nwant nics 1",
		"nics 0000:01:00.0, nics 0000:02:00.0" },
	{ "companion", GPU AUDIO "group gpus", "want gpus 1", "gpus 0000:03:00.0+0000:03:00.1" },
	{ "several-groups", NIC_A GPU AUDIO "group nics\ngroup gpus", "want gpus 1\nwant nics 1",
		"gpus 0000:03:00.0+0000:03:00.1, nics 0000:01:00.0" },
	{ "nothing-wanted", NIC_A "group nics", "", "" },
	/* All required ones, or none. */
	{ "too-many", NIC_A NIC_B "group nics", "want nics 3", "- fewer than 3 free devices" },
	{ "second-unmet", NIC_A GPU AUDIO "group nics\ngroup gpus\nheld u-g l-1 vm/x d-g d-s",
		"want nics 1\nwant gpus 1", "- vm/x has it by lease l-1" },
	{ "optional-unmet", NIC_A GPU AUDIO "group nics\ngroup gpus\nheld u-g l-1 vm/x d-g d-s",
		"want gpus 1 optional\nwant nics 1", "nics 0000:01:00.0" },
	{ "optional-halves", NIC_A "group nics", "want nics 2 optional\nwant nics 1",
		"nics 0000:01:00.0" },
	{ "all-optional-unmet", NIC_A "group nics\nfence u-a d-a", "want nics 1 optional", "" },
	/* Why not. */
	{ "no-group", NIC_A, "want nics 1", "- group nics does not exist or is disabled" },
	{ "disabled", NIC_A "group nics off", "want nics 1", "- does not exist or is disabled" },
	{ "no-members", GPU "group nics", "want nics 1", "- no members on this node" },
	{ "leased", NIC_A "group nics\nheld u-a l-1 vm/x d-a", "want nics 1",
		"- 0000:01:00.0: vm/x has it by lease l-1" },
	{ "leased-by-itself", NIC_A "group nics\nheld u-a l-1 vm/me d-a", "want nics 1",
		"- vm/me has it by lease l-1" },
	{ "fenced", NIC_A "group nics\nfence u-a d-a", "want nics 1", "- it is in fence" },
	{ "state-absent", NIC_A "group nics\nstate d-a absent", "want nics 1",
		"- it is not there any more" },
	{ "state-fenced", NIC_A "group nics\nstate d-a fenced", "want nics 1", "- it is fenced" },
	{ "state-quarantined", NIC_A "group nics\nstate d-a quarantined", "want nics 1",
		"- it is quarantined" },
	{ "state-held", NIC_A "group nics\nstate d-a held", "want nics 1", "nics 0000:01:00.0" },
	{ "foreign", NIC_A "group nics\nforeign d-a vm9", "want nics 1",
		"- domain vm9 has it, not by usher" },
	{ "guarded", NIC_A "group nics\nguard d-a", "want nics 1", "- root file system" },
	{ "busy", NIC_A "group nics\nbusy d-a", "want nics 1", "- is being returned to the host" },
	{ "companion-busy", GPU AUDIO "group gpus\nbusy d-s", "want gpus 1",
		"- 0000:03:00.1 is being returned to the host" },
	{ "companion-foreign", GPU AUDIO "group gpus\nforeign d-s vm9", "want gpus 1",
		"- 0000:03:00.1, which goes with it: domain vm9 has it" },
	{ "companion-quarantined", GPU AUDIO "group gpus\nstate d-s quarantined", "want gpus 1",
		"- 0000:03:00.1, which goes with it: it is quarantined" },
	{ "no-iommu-group", "dev 0000:01:00.0 020000 id=d-a vendor=8086 device=10d3\ngroup nics",
		"want nics 1", "- it has no IOMMU group" },
	{ "no-id", "dev 0000:01:00.0 020000 vendor=8086 device=10d3 group=1\ngroup nics",
		"want nics 1", "- has not reported who it is" },
	/* A unit is one, whatever its shape is now. */
	{ "part-elsewhere", GPU AUDIO "group gpus\nheld u-s l-1 vm/x d-s", "want gpus 1",
		"- vm/x has a part of it" },
	{ "part-fenced", GPU AUDIO "group gpus\nfence u-g d-s", "want gpus 1", "- it is in fence" },
	{ "companion-absent", GPU AUDIO "group gpus\nstate d-s absent", "want gpus 1",
		"gpus 0000:03:00.0" },
	{ "another-in-its-place",
		GPU AUDIO "dev 0000:03:00.1 040300 id=d-t vendor=1002 device=aaa0 group=3\n"
			  "group gpus\nstate d-s absent",
		"want gpus 1", "gpus 0000:03:00.0+0000:03:00.1" },
	{ "many", NIC_A NIC_B NIC_C "group nics\nheld u-b l-1 vm/x d-b", "want nics 2",
		"nics 0000:01:00.0, nics 0000:04:00.0" },
};

typedef struct World {
	UsherInventory *inventory;
	GPtrArray *groups, *rules, *ledgers;
	GHashTable *busy;
	UsherVm *vm;
} World;

static UsherDevice *device_of(const World *world, const char *id)
{
	for (unsigned i = 0; i < world->inventory->devices->len; i++) {
		UsherDevice *device = world->inventory->devices->pdata[i];
		if (g_strcmp0(device->id, id) == 0)
			return device;
	}
	g_assert_not_reached();
}

static void read_state(World *world, char **words)
{
	UsherDevice *device = device_of(world, words[1]);
	while (strcmp(usher_device_state_name(device->state), words[2]) != 0)
		device->state++;
}

static void read_foreign(World *world, char **words)
{
	UsherForeign *foreign = usher_foreign_new();
	foreign->kind = g_strdup("domain");
	foreign->name = g_strdup(words[2]);
	g_ptr_array_add(device_of(world, words[1])->foreign, foreign);
}

static void read_guard(World *world, char **words)
{
	UsherDevice *device = device_of(world, words[1]);
	usher_guard_result_free(device->guard);
	device->guard = usher_guard_result_new();
	device->guard->verdict = USHER_VERDICT_REFUSED;
	UsherGuardReason *reason = usher_guard_reason_new();
	reason->device = g_strdup(device->address);
	reason->why = g_strdup("holds the root file system");
	g_ptr_array_add(device->guard->reasons, reason);
}

static void read_busy(World *world, char **words)
{
	g_hash_table_add(world->busy, device_of(world, words[1])->id);
}

static void read_group(World *world, char **words)
{
	UsherGroup *group = usher_group_new();
	group->name = g_strdup(words[1]);
	group->enabled = words[2] == NULL;
	g_ptr_array_add(world->groups, group);
	UsherRule *rule = usher_rule_new();
	rule->name = g_strdup(words[1]);
	rule->group = g_strdup(words[1]);
	rule->enabled = true;
	rule->filter = g_strdup(strcmp(words[1], "nics") == 0
			? "vendor_id eq '8086'"
			: "vendor_id eq '10de' and device_type eq 'display'");
	g_ptr_array_add(world->rules, rule);
}

static void add_entry(World *world, const char *unit, UsherLedgerEntry *entry, char **ids)
{
	UsherLedger *ledger = usher_ledger_new();
	ledger->node = g_strdup("n1");
	ledger->unit = g_strdup(unit);
	for (unsigned i = 0; ids[i] != NULL; i++)
		g_ptr_array_add(entry->devices, g_strdup(ids[i]));
	g_ptr_array_add(ledger->entries, entry);
	g_ptr_array_add(world->ledgers, ledger);
}

static void read_held(World *world, char **words)
{
	UsherLedgerEntry *entry = usher_ledger_entry_new();
	entry->lease = g_strdup(words[2]);
	entry->holder = g_strdup(words[3]);
	add_entry(world, words[1], entry, words + 4);
}

static void read_fence(World *world, char **words)
{
	UsherLedgerEntry *entry = usher_ledger_entry_new();
	entry->holder = g_strdup("fence");
	add_entry(world, words[1], entry, words + 2);
}

static void read_want(World *world, char **words)
{
	UsherRequest *request = usher_request_new();
	request->id = g_strdup_printf("r-%u", world->vm->requests->len + 1);
	request->group = g_strdup(words[1]);
	request->count = (int64_t) g_ascii_strtoull(words[2], NULL, 10);
	request->required = words[3] == NULL;
	g_ptr_array_add(world->vm->requests, request);
}

static void read_line(World *world, const char *line)
{
	static const struct {
		const char *name;
		void (*read)(World *world, char **words);
	} things[] = {
		{ "state", read_state },
		{ "foreign", read_foreign },
		{ "guard", read_guard },
		{ "busy", read_busy },
		{ "group", read_group },
		{ "held", read_held },
		{ "fence", read_fence },
		{ "want", read_want },
	};
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	for (size_t i = 0; i < G_N_ELEMENTS(things); i++) {
		if (strcmp(words[0], things[i].name) == 0) {
			things[i].read(world, words);
			return;
		}
	}
	g_assert_not_reached();
}

static void free_ledger(void *ledger)
{
	usher_ledger_free(ledger);
}

static World *world_new(const Row *row)
{
	World *world = g_new0(World, 1);
	world->groups = g_ptr_array_new_with_free_func(usher_group_type.free);
	world->rules = g_ptr_array_new_with_free_func(usher_rule_type.free);
	world->ledgers = g_ptr_array_new_with_free_func(free_ledger);
	world->busy = g_hash_table_new(g_str_hash, g_str_equal);
	world->vm = usher_vm_new();
	world->vm->name = g_strdup("me");
	g_autofree char *text = g_strconcat(row->world, "\n", row->wants, NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(GString) devices = g_string_new(NULL);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		if (g_str_has_prefix(lines[i], "dev "))
			g_string_append_printf(devices, "%s\n", lines[i]);
	}
	world->inventory = inventory_of_text(devices->str);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		if (lines[i][0] != '\0' && !g_str_has_prefix(lines[i], "dev "))
			read_line(world, lines[i]);
	}
	return world;
}

static void world_free(World *world)
{
	usher_inventory_unref(world->inventory);
	g_ptr_array_unref(world->groups);
	g_ptr_array_unref(world->rules);
	g_ptr_array_unref(world->ledgers);
	g_hash_table_unref(world->busy);
	usher_vm_free(world->vm);
	g_free(world);
}

static char *print_picks(const GPtrArray *picks)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < picks->len; i++) {
		const UsherPick *pick = picks->pdata[i];
		g_string_append_printf(text, "%s%s ", i > 0 ? ", " : "", pick->request->group);
		for (unsigned j = 0; j < pick->taken->len; j++)
			g_string_append_printf(text, "%s%s", j > 0 ? "+" : "",
				((const UsherDevice *) pick->taken->pdata[j])->address);
	}
	return g_string_free(text, FALSE);
}

/* A ledger that is written has the entry in it, under the lease's name, of all that is taken. */
static void check_picks(const GPtrArray *picks)
{
	for (unsigned i = 0; i < picks->len; i++) {
		const UsherPick *pick = picks->pdata[i];
		g_autofree char *lease = g_strdup_printf("l-new%u", i);
		g_assert_cmpstr(pick->lease, ==, lease);
		for (unsigned j = 0; j < pick->taken->len; j++) {
			const UsherDevice *device = pick->taken->pdata[j];
			const UsherLedgerEntry *entry =
				usher_ledger_holder(pick->ledger, device->id);
			g_assert_nonnull(entry);
			g_assert_cmpstr(entry->lease, ==, lease);
			g_assert_cmpstr(entry->holder, ==, "vm/me");
			g_assert_cmpint(entry->since, ==, NOW);
		}
	}
}

static void test_row(const void *data)
{
	const Row *row = data;
	World *world = world_new(row);
	const UsherPlaceNode node = { "n1", world->inventory->devices, world->groups, world->rules,
		world->ledgers, world->busy };
	g_autoptr(GPtrArray) leases = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < 8; i++)
		g_ptr_array_add(leases, g_strdup_printf("l-new%u", i));
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) picks = usher_place_choose(&node, world->vm, leases, NOW, &error);
	if (row->picks[0] == '-') {
		g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_CONFLICT);
		if (strstr(error->message, row->picks + 2) == NULL)
			g_error("'%s' is not in '%s'", row->picks + 2, error->message);
	} else {
		g_assert_no_error(error);
		g_autofree char *text = print_picks(picks);
		g_assert_cmpstr(text, ==, row->picks);
		check_picks(picks);
	}
	world_free(world);
}

/* Members are all that match, those that can't be given with the reason. */
static void test_members(void)
{
	static const Row row = { "members",
		NIC_A NIC_B NIC_C GPU "group nics\nheld u-b l-1 vm/x d-b\nstate d-c fenced", "",
		"" };
	World *world = world_new(&row);
	const UsherPlaceNode node = { "n1", world->inventory->devices, world->groups, world->rules,
		world->ledgers, world->busy };
	const UsherGroup *group = usher_place_group(&node, "nics");
	g_autoptr(GPtrArray) members = usher_place_members(&node, group, NULL);
	static const char *const why[] = { NULL, "vm/x has it by lease l-1", "it is fenced" };
	g_assert_cmpuint(members->len, ==, G_N_ELEMENTS(why));
	for (unsigned i = 0; i < members->len; i++) {
		const UsherMember *member = members->pdata[i];
		g_assert_cmpstr(member->why_not, ==, why[i]);
		g_assert_cmpstr(member->rule, ==, "nics");
	}
	/* A rule of another node matches nothing here, one that is off neither. */
	UsherRule *rule = world->rules->pdata[0];
	rule->node = g_strdup("n2");
	g_autoptr(GPtrArray) none = usher_place_members(&node, group, NULL);
	g_assert_cmpuint(none->len, ==, 0);
	g_clear_pointer(&rule->node, g_free);
	rule->enabled = false;
	g_autoptr(GPtrArray) off = usher_place_members(&node, group, NULL);
	g_assert_cmpuint(off->len, ==, 0);
	rule->enabled = true;
	g_free(rule->filter);
	rule->filter = g_strdup("vendor_id is '8086'");
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_place_members(&node, group, &error));
	g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_INVALID);
	g_assert_true(g_str_has_prefix(error->message, "rule nics: "));
	world_free(world);
}

/* Whose unit nobody holds, and its ledger's name. */
static void test_free_unit(void)
{
	static const Row row = { "unit", NIC_A GPU AUDIO "group gpus\nheld u-a l-1 vm/x d-a", "",
		"" };
	World *world = world_new(&row);
	const UsherPlaceNode node = { "n1", world->inventory->devices, world->groups, world->rules,
		world->ledgers, world->busy };
	g_autoptr(GError) error = NULL;
	g_autofree char *unit = usher_place_free_unit(&node, device_of(world, "d-s"), &error);
	g_assert_no_error(error);
	g_assert_cmpstr(unit, ==, "u-g");
	g_assert_null(usher_place_free_unit(&node, device_of(world, "d-a"), &error));
	g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_CONFLICT);
	world_free(world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/place/", rows[i].name, NULL);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/place/members", test_members);
	g_test_add_func("/place/free-unit", test_free_unit);
	return g_test_run();
}
