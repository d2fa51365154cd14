/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: who may take what, and what is left when it is given back, fenced or cleared. */
#include "core/ledger.h"

#include <string.h>

#include "base/error.h"

#define NOW INT64_C(1767225600000000)

static UsherLedgerEntry *entry_new(const char *lease, const char *holder, const char *devices)
{
	UsherLedgerEntry *entry = usher_ledger_entry_new();
	entry->lease = g_strdup(lease);
	entry->holder = g_strdup(holder);
	entry->since = NOW;
	g_auto(GStrv) ids = g_strsplit(devices, " ", -1);
	for (size_t i = 0; ids[i] != NULL; i++)
		g_ptr_array_add(entry->devices, g_strdup(ids[i]));
	return entry;
}

static UsherLedger *ledger_new(void)
{
	UsherLedger *ledger = usher_ledger_new();
	ledger->node = g_strdup("n1");
	ledger->unit = g_strdup("u-1");
	return ledger;
}

/* Takes or refuses; the ledger is replaced when it is taken. */
static void take(UsherLedger **ledger, const char *lease, const char *holder, const char *devices)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherLedgerEntry) entry = entry_new(lease, holder, devices);
	UsherLedger *taken = usher_ledger_take(*ledger, entry, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(taken->mode, ==, "whole");
	usher_ledger_free(*ledger);
	*ledger = taken;
}

static void refuse(const UsherLedger *ledger, const char *lease, const char *holder,
	const char *devices, const char *part)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherLedgerEntry) entry = entry_new(lease, holder, devices);
	g_autofree char *before = usher_record_print(&usher_ledger_type, ledger);
	g_assert_null(usher_ledger_take(ledger, entry, &error));
	g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_CONFLICT);
	if (strstr(error->message, part) == NULL)
		g_error("'%s' is not in '%s'", part, error->message);
	g_assert_null(usher_ledger_take(ledger, entry, NULL));
	g_autofree char *after = usher_record_print(&usher_ledger_type, ledger);
	g_assert_cmpstr(before, ==, after);
}

/* Entries as "lease:holder:devices", those without a lease begin with ":". */
static void expect(const UsherLedger *ledger, const char *expected)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (unsigned i = 0; i < ledger->entries->len; i++) {
		const UsherLedgerEntry *entry = ledger->entries->pdata[i];
		g_string_append_printf(text, "%s%s:%s:", i > 0 ? " " : "",
			entry->lease != NULL ? entry->lease : "", entry->holder);
		for (unsigned j = 0; j < entry->devices->len; j++)
			g_string_append_printf(text, "%s%s", j > 0 ? "+" : "",
				(const char *) entry->devices->pdata[j]);
	}
	g_assert_cmpstr(text->str, ==, expected);
	g_assert_cmpstr(ledger->mode, ==, ledger->entries->len > 0 ? "whole" : NULL);
}

static void test_take(void)
{
	g_autoptr(UsherLedger) ledger = ledger_new();
	take(&ledger, "l-1", "vm/a", "d-1 d-2");
	expect(ledger, "l-1:vm/a:d-1+d-2");
	/* Nobody else gets anything of the unit, not even a device that is left. */
	refuse(ledger, "l-2", "vm/b", "d-1", "vm/a has it by lease l-1");
	refuse(ledger, "l-2", "vm/b", "d-3", "vm/a has it by lease l-1");
	/* The same guest gets what is left, and nothing twice. */
	refuse(ledger, "l-2", "vm/a", "d-2 d-3", "vm/a has it by lease l-1");
	refuse(ledger, "l-1", "vm/a", "d-1 d-2", "vm/a has it by lease l-1");
	take(&ledger, "l-2", "vm/a", "d-3");
	expect(ledger, "l-1:vm/a:d-1+d-2 l-2:vm/a:d-3");
	refuse(ledger, "l-3", "vm/b", "d-4", "vm/a has it");
}

/* What is taken is a copy. */
static void test_take_copies(void)
{
	g_autoptr(UsherLedger) ledger = ledger_new();
	g_autoptr(UsherLedgerEntry) entry = entry_new("l-1", "vm/a", "d-1");
	g_autoptr(UsherLedger) taken = usher_ledger_take(ledger, entry, NULL);
	expect(ledger, "");
	g_ptr_array_set_size(entry->devices, 0);
	expect(taken, "l-1:vm/a:d-1");
}

static void test_foreign(void)
{
	g_autoptr(UsherLedger) ledger = ledger_new();
	UsherForeign *foreign = usher_foreign_new();
	foreign->kind = g_strdup("domain");
	foreign->name = g_strdup("vm9");
	g_ptr_array_add(ledger->foreign, foreign);
	refuse(ledger, "l-1", "vm/a", "d-1", "domain vm9 has it, not by usher");
	g_ptr_array_set_size(ledger->foreign, 0);
	take(&ledger, "l-1", "vm/a", "d-1");
}

static void test_free(void)
{
	g_autoptr(UsherLedger) ledger = ledger_new();
	take(&ledger, "l-1", "vm/a", "d-1");
	take(&ledger, "l-2", "vm/a", "d-2");
	g_autoptr(UsherLedger) same = usher_ledger_free_lease(ledger, "l-9");
	expect(same, "l-1:vm/a:d-1 l-2:vm/a:d-2");
	g_autoptr(UsherLedger) less = usher_ledger_free_lease(ledger, "l-1");
	expect(less, "l-2:vm/a:d-2");
	expect(ledger, "l-1:vm/a:d-1 l-2:vm/a:d-2");
	g_autoptr(UsherLedger) empty = usher_ledger_free_lease(less, "l-2");
	expect(empty, "");
	take(&empty, "l-3", "vm/b", "d-1");
}

static void test_bar(void)
{
	g_autoptr(UsherLedger) ledger = ledger_new();
	take(&ledger, "l-1", "vm/a", "d-1 d-2");
	g_autoptr(UsherLedger) fenced =
		usher_ledger_bar(ledger, "l-1", "fence", "unbind has not come back", NOW + 5);
	expect(fenced, ":fence:d-1+d-2");
	const UsherLedgerEntry *entry = fenced->entries->pdata[0];
	g_assert_cmpstr(entry->reason, ==, "unbind has not come back");
	g_assert_cmpint(entry->since, ==, NOW + 5);
	/* Nobody gets it, the guest that had it neither. */
	refuse(fenced, "l-2", "vm/a", "d-1", "it is in fence: unbind has not come back");
	refuse(fenced, "l-2", "vm/b", "d-3", "it is in fence");
	g_autoptr(UsherLedger) same = usher_ledger_bar(ledger, "l-9", "fence", "why", NOW);
	expect(same, "l-1:vm/a:d-1+d-2");
	/* Freeing a lease does not lift it. */
	g_autoptr(UsherLedger) still = usher_ledger_free_lease(fenced, "l-1");
	expect(still, ":fence:d-1+d-2");
	g_autoptr(UsherLedger) silent = usher_ledger_bar(ledger, "l-1", "quarantine", NULL, NOW);
	refuse(silent, "l-2", "vm/a", "d-1", "it is in quarantine: no reason was kept");
}

static void test_clear(void)
{
	g_autoptr(UsherLedger) ledger = ledger_new();
	take(&ledger, "l-1", "vm/a", "d-1 d-2");
	take(&ledger, "l-2", "vm/a", "d-3");
	g_autoptr(UsherLedger) fenced =
		usher_ledger_bar(ledger, "l-1", "quarantine", "reset failed", NOW);
	/* Clearing lifts what bars the device, not what a lease has. */
	g_autoptr(UsherLedger) other = usher_ledger_clear(fenced, "d-3");
	expect(other, ":quarantine:d-1+d-2 l-2:vm/a:d-3");
	g_autoptr(UsherLedger) cleared = usher_ledger_clear(fenced, "d-2");
	expect(cleared, "l-2:vm/a:d-3");
	g_autoptr(UsherLedger) freed = usher_ledger_free_lease(fenced, "l-2");
	g_autoptr(UsherLedger) empty = usher_ledger_clear(freed, "d-1");
	expect(empty, "");
}

static void test_holder(void)
{
	g_autoptr(UsherLedger) ledger = ledger_new();
	g_assert_null(usher_ledger_holder(ledger, "d-1"));
	take(&ledger, "l-1", "vm/a", "d-1 d-2");
	take(&ledger, "l-2", "vm/a", "d-3");
	g_assert_cmpstr(usher_ledger_holder(ledger, "d-2")->lease, ==, "l-1");
	g_assert_cmpstr(usher_ledger_holder(ledger, "d-3")->lease, ==, "l-2");
	g_assert_null(usher_ledger_holder(ledger, "d-4"));
	g_autoptr(UsherLedger) fenced = usher_ledger_bar(ledger, "l-1", "fence", "why", NOW);
	g_assert_null(usher_ledger_holder(fenced, "d-1")->lease);
}

static void test_record(void)
{
	static const char text[] =
		"{\"node\":\"n1\",\"unit\":\"u-1\",\"mode\":\"whole\",\"entries\":[{\"lease\":\"l-"
		"1\","
		"\"holder\":\"vm/a\",\"devices\":[\"d-1\",\"d-2\"],\"reason\":null,"
		"\"since\":\"2026-01-01T00:00:00.000Z\"}],\"foreign\":[{\"kind\":\"domain\","
		"\"name\":\"vm9\"}],"
		"\"revision\":7}";
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherLedger) ledger = usher_record_parse(&usher_ledger_type, text, &error);
	g_assert_no_error(error);
	g_autofree char *printed = usher_record_print(&usher_ledger_type, ledger);
	g_assert_cmpstr(printed, ==, text);
}

/* Whatever is done in whatever order: no device is in two entries, and no two guests in one
 * unit. */
static void test_invariant(void)
{
	static const char *const holders[] = { "vm/a", "vm/b" };
	GRand *chance = g_rand_new_with_seed(1);
	g_autoptr(UsherLedger) ledger = ledger_new();
	unsigned n_taken = 0;
	for (unsigned i = 0; i < 20000; i++) {
		g_autofree char *lease = g_strdup_printf("l-%d", g_rand_int_range(chance, 0, 6));
		g_autofree char *device = g_strdup_printf("d-%d", g_rand_int_range(chance, 0, 4));
		UsherLedger *next = NULL;
		switch (g_rand_int_range(chance, 0, 4)) {
		case 0: {
			const char *holder =
				holders[g_rand_int_range(chance, 0, G_N_ELEMENTS(holders))];
			g_autoptr(UsherLedgerEntry) entry = entry_new(lease, holder, device);
			next = usher_ledger_take(ledger, entry, NULL);
			n_taken += next != NULL;
			break;
		}
		case 1:
			next = usher_ledger_free_lease(ledger, lease);
			break;
		case 2:
			next = usher_ledger_bar(ledger, lease, "fence", "why", NOW);
			break;
		default:
			next = usher_ledger_clear(ledger, device);
		}
		if (next != NULL) {
			usher_ledger_free(ledger);
			ledger = next;
		}
		g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
		const char *guest = NULL;
		for (unsigned j = 0; j < ledger->entries->len; j++) {
			const UsherLedgerEntry *entry = ledger->entries->pdata[j];
			for (unsigned k = 0; k < entry->devices->len; k++)
				g_assert_true(g_hash_table_add(seen, entry->devices->pdata[k]));
			if (entry->lease == NULL)
				continue;
			g_assert_true(guest == NULL || strcmp(guest, entry->holder) == 0);
			guest = entry->holder;
		}
		g_assert_true((ledger->mode == NULL) == (ledger->entries->len == 0));
	}
	g_assert_cmpuint(n_taken, >, 500);
	g_rand_free(chance);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/ledger/take", test_take);
	g_test_add_func("/ledger/take-copies", test_take_copies);
	g_test_add_func("/ledger/foreign", test_foreign);
	g_test_add_func("/ledger/free", test_free);
	g_test_add_func("/ledger/bar", test_bar);
	g_test_add_func("/ledger/clear", test_clear);
	g_test_add_func("/ledger/holder", test_holder);
	g_test_add_func("/ledger/record", test_record);
	g_test_add_func("/ledger/invariant", test_invariant);
	return g_test_run();
}
