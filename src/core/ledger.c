/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ledger.h"

#include <string.h>

#include "base/error.h"

static const UsherField entry_fields[] = {
	{ "lease", USHER_FIELD_STRING, offsetof(UsherLedgerEntry, lease) },
	{ "holder", USHER_FIELD_STRING, offsetof(UsherLedgerEntry, holder), USHER_FIELD_REQUIRED },
	{ "devices", USHER_FIELD_STRINGS, offsetof(UsherLedgerEntry, devices) },
	{ "reason", USHER_FIELD_STRING, offsetof(UsherLedgerEntry, reason) },
	{ "since", USHER_FIELD_TIME, offsetof(UsherLedgerEntry, since) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherLedgerEntry, usher_ledger_entry, "ledger entry", entry_fields)

static const UsherField ledger_fields[] = {
	{ "node", USHER_FIELD_STRING, offsetof(UsherLedger, node), USHER_FIELD_REQUIRED },
	{ "unit", USHER_FIELD_STRING, offsetof(UsherLedger, unit), USHER_FIELD_REQUIRED },
	{ "mode", USHER_FIELD_STRING, offsetof(UsherLedger, mode) },
	{ "entries", USHER_FIELD_RECORDS, offsetof(UsherLedger, entries), 0, NULL,
		&usher_ledger_entry_type },
	{ "foreign", USHER_FIELD_RECORDS, offsetof(UsherLedger, foreign), 0, NULL,
		&usher_foreign_type },
	{ "revision", USHER_FIELD_INT, offsetof(UsherLedger, revision) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherLedger, usher_ledger, "ledger", ledger_fields)

static bool has_device(const UsherLedgerEntry *entry, const char *device)
{
	return g_ptr_array_find_with_equal_func(entry->devices, device, g_str_equal, NULL);
}

static bool entries_overlap(const UsherLedgerEntry *one, const UsherLedgerEntry *other)
{
	for (unsigned i = 0; i < one->devices->len; i++) {
		if (has_device(other, one->devices->pdata[i]))
			return true;
	}
	return false;
}

static void refuse(const UsherLedgerEntry *holder, GError **error)
{
	if (holder->lease == NULL)
		usher_error_set(error, USHER_ERROR_CONFLICT, "it is in %s: %s", holder->holder,
			holder->reason != NULL ? holder->reason : "no reason was kept");
	else
		usher_error_set(error, USHER_ERROR_CONFLICT, "%s has it by lease %s",
			holder->holder, holder->lease);
}

UsherLedger *usher_ledger_take(
	const UsherLedger *ledger, const UsherLedgerEntry *entry, GError **error)
{
	g_assert(entry->lease != NULL && entry->devices->len > 0);
	if (ledger->foreign->len > 0) {
		const UsherForeign *foreign = ledger->foreign->pdata[0];
		usher_error_set(error, USHER_ERROR_CONFLICT, "%s %s has it, not by usher",
			foreign->kind, foreign->name);
		return NULL;
	}
	for (unsigned i = 0; i < ledger->entries->len; i++) {
		const UsherLedgerEntry *other = ledger->entries->pdata[i];
		bool is_same_guest =
			other->lease != NULL && strcmp(other->holder, entry->holder) == 0;
		if (is_same_guest && !entries_overlap(other, entry))
			continue;
		refuse(other, error);
		return NULL;
	}
	UsherLedger *taken = usher_ledger_dup(ledger);
	g_ptr_array_add(taken->entries, usher_ledger_entry_dup(entry));
	g_free(taken->mode);
	taken->mode = g_strdup("whole");
	return taken;
}

/* A ledger without entries is in no mode. */
static UsherLedger *settle_mode(UsherLedger *ledger)
{
	if (ledger->entries->len == 0)
		g_clear_pointer(&ledger->mode, g_free);
	return ledger;
}

UsherLedger *usher_ledger_free_lease(const UsherLedger *ledger, const char *lease)
{
	UsherLedger *freed = usher_ledger_dup(ledger);
	for (unsigned i = freed->entries->len; i-- > 0;) {
		const UsherLedgerEntry *entry = freed->entries->pdata[i];
		if (g_strcmp0(entry->lease, lease) == 0)
			g_ptr_array_remove_index(freed->entries, i);
	}
	return settle_mode(freed);
}

UsherLedger *usher_ledger_bar(const UsherLedger *ledger, const char *lease, const char *holder,
	const char *reason, int64_t now)
{
	UsherLedger *barred = usher_ledger_dup(ledger);
	for (unsigned i = 0; i < barred->entries->len; i++) {
		UsherLedgerEntry *entry = barred->entries->pdata[i];
		if (g_strcmp0(entry->lease, lease) != 0)
			continue;
		g_clear_pointer(&entry->lease, g_free);
		g_free(entry->holder);
		entry->holder = g_strdup(holder);
		g_free(entry->reason);
		entry->reason = g_strdup(reason);
		entry->since = now;
	}
	return barred;
}

UsherLedger *usher_ledger_clear(const UsherLedger *ledger, const char *device)
{
	UsherLedger *cleared = usher_ledger_dup(ledger);
	for (unsigned i = cleared->entries->len; i-- > 0;) {
		const UsherLedgerEntry *entry = cleared->entries->pdata[i];
		if (entry->lease == NULL && has_device(entry, device))
			g_ptr_array_remove_index(cleared->entries, i);
	}
	return settle_mode(cleared);
}

const UsherLedgerEntry *usher_ledger_holder(const UsherLedger *ledger, const char *device)
{
	for (unsigned i = 0; i < ledger->entries->len; i++) {
		const UsherLedgerEntry *entry = ledger->entries->pdata[i];
		if (has_device(entry, device))
			return entry;
	}
	return NULL;
}
