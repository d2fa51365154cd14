/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The ledger: the one record per unit of who holds what in it. Whoever wants a device asks here
 * whether it is legal; the store's compare-and-swap makes the answer still true when written.
 */
#include "core/lease.h"

typedef struct UsherLedgerEntry {
	char *lease;        /* NULL: a fence or a quarantine */
	char *holder;       /* "vm/win11", "fence", "quarantine" */
	GPtrArray *devices; /* record ids */
	char *reason;       /* of a fence or quarantine */
	int64_t since;
} UsherLedgerEntry;
USHER_RECORD_DECLARE(UsherLedgerEntry, usher_ledger_entry)

typedef struct UsherLedger {
	char *node;
	char *unit;
	char *mode;         /* "whole" while there are entries, NULL when there are none */
	GPtrArray *entries; /* of UsherLedgerEntry */
	GPtrArray *foreign; /* of UsherForeign */
	int64_t revision;
} UsherLedger;
USHER_RECORD_DECLARE(UsherLedger, usher_ledger)

/* The ledger after entry is taken whole, or CONFLICT naming who holds the unit. entry is copied;
 * a unit given whole belongs to one guest: a second entry is legal for the same holder only. */
UsherLedger *usher_ledger_take(
	const UsherLedger *ledger, const UsherLedgerEntry *entry, GError **error);
/* The ledger without the lease's entry; a copy when it had none. */
UsherLedger *usher_ledger_free_lease(const UsherLedger *ledger, const char *lease);
/* The ledger with the lease's entry turned into a fence or quarantine of the same devices. */
UsherLedger *usher_ledger_bar(const UsherLedger *ledger, const char *lease, const char *holder,
	const char *reason, int64_t now);
/* The ledger without the fences or quarantines on this device. */
UsherLedger *usher_ledger_clear(const UsherLedger *ledger, const char *device);
/* The entry that has the device (record id), NULL: nobody. Borrowed. */
const UsherLedgerEntry *usher_ledger_holder(const UsherLedger *ledger, const char *device);
