/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/golden.h"

#include "core/doctor/finding.h"
#include "host/health.h"

void usher_golden_match(const char *folder, const char *name, const char *found)
{
	g_autofree char *path = g_build_filename(USHER_SOURCE, "tests", "data", folder, name, NULL);
	if (g_strcmp0(g_getenv("USHER_REGENERATE"), "1") == 0)
		g_assert_true(g_file_set_contents(path, found, -1, NULL));
	g_autofree char *golden = NULL;
	g_assert_true(g_file_get_contents(path, &golden, NULL, NULL));
	g_auto(GStrv) lines = g_strsplit(found, "\n", -1);
	g_auto(GStrv) wanted = g_strsplit(golden, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL && wanted[i] != NULL; i++)
		g_assert_cmpstr(lines[i], ==, wanted[i]);
	g_assert_cmpuint(g_strv_length(lines), ==, g_strv_length(wanted));
}

static void print_known(const GPtrArray *findings, GString *page)
{
	static const char *const statuses[] = { "ok", "warn", "fail" };
	static const char *const whos[] = { "usher", "os", "firmware", "vendor", "nobody" };
	for (unsigned i = 0; i < findings->len; i++) {
		const UsherFinding *finding = findings->pdata[i];
		if (finding->status == USHER_FINDING_UNKNOWN)
			continue;
		g_string_append_printf(page, "%s %s", statuses[finding->status], finding->id);
		if (finding->status != USHER_FINDING_OK)
			g_string_append_printf(page, " (%s)", whos[finding->who]);
		g_string_append_printf(page, " %s: %s\n", finding->subject, finding->seen);
	}
}

char *usher_golden_doctor(const char *root, const UsherInventory *inventory)
{
	g_autoptr(UsherTree) tree = usher_tree_open(root, NULL);
	g_assert_nonnull(tree);
	g_autoptr(UsherHostFacts) facts = usher_health_read(tree, inventory);
	GString *page = g_string_new(NULL);
	for (unsigned goal = 0; goal < USHER_N_GOALS; goal++) {
		g_autoptr(GPtrArray) findings =
			usher_doctor_examine(facts, inventory, (UsherGoal) goal, NULL);
		g_string_append_printf(
			page, "%s %s\n", usher_goal_names[goal], usher_doctor_verdict(findings));
	}
	g_autoptr(GPtrArray) findings =
		usher_doctor_examine(facts, inventory, USHER_GOAL_PCI, NULL);
	print_known(findings, page);
	return g_string_free(page, FALSE);
}
