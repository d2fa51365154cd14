/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/witness.h"

#include <string.h>

#include "core/ledger.h"
#include "core/node.h"
#include "core/unit.h"

typedef enum {
	TABLE_LEASE,
	TABLE_OPERATION,
	TABLE_LEDGER,
	TABLE_DEVICE,
	TABLE_ACTIVE,
	N_TABLES,
} Table;

static const struct {
	const char *prefix;
	const UsherRecordType *type;
} rows[N_TABLES] = {
	[TABLE_LEASE] = { "lease/provider/", &usher_lease_type },
	[TABLE_OPERATION] = { "operation/provider/", &usher_operation_type },
	[TABLE_LEDGER] = { "ledger/n1/", &usher_ledger_type },
	[TABLE_DEVICE] = { "device/n1/", &usher_device_type },
	[TABLE_ACTIVE] = { "active/provider/", &usher_active_type },
};

/* More is somebody who does not give up. */
#define MAX_STEPS 60
/* What has ended is kept for people to look at until there are so many. */
#define MIN_KEPT 500

struct Witness {
	UsherStore *engine;
	FakeHost *host;
	FakeGuest *guest;
	int64_t revision;
	GHashTable *tables[N_TABLES]; /* name → record */
	GHashTable *open;             /* names of leases and operations that have not ended */
	GPtrArray *expected;          /* of char * */
	char *violation;
};

static void violate(Witness *witness, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void violate(Witness *witness, const char *format, ...)
{
	if (witness->violation != NULL)
		return;
	va_list args;
	va_start(args, format);
	witness->violation = g_strdup_vprintf(format, args);
	va_end(args);
}

static const UsherLease *lease_of(const Witness *witness, const char *id)
{
	return g_hash_table_lookup(witness->tables[TABLE_LEASE], id);
}

/* ---- what was written ---- */

static void see_deleted(Witness *witness, Table table, const char *id, bool has_ended)
{
	unsigned n = g_hash_table_size(witness->tables[table]);
	if (!has_ended || n < MIN_KEPT)
		violate(witness, "%s%s was deleted, %u are kept", rows[table].prefix, id, n);
}

static void see_lease(Witness *witness, const UsherLease *before, const UsherLease *after)
{
	if (after == NULL) {
		see_deleted(
			witness, TABLE_LEASE, before->id, usher_lease_state_is_end(before->state));
		return;
	}
	if (before == NULL && after->state != USHER_LEASE_RESERVED)
		violate(witness, "lease %s was %s at once", after->id,
			usher_lease_state_name(after->state));
	if (before != NULL && !usher_lease_state_may_reach(before->state, after->state))
		violate(witness, "lease %s went from %s to %s", after->id,
			usher_lease_state_name(before->state),
			usher_lease_state_name(after->state));
	if (usher_lease_state_is_end(after->state))
		(void) g_hash_table_remove(witness->open, after->id);
	else
		g_hash_table_add(witness->open, g_strdup(after->id));
}

static bool may_become(UsherOperationState from, UsherOperationState to)
{
	if (from == to || usher_operation_state_may_move(from, to))
		return true;
	/* A report may tell the last of two moves. */
	return usher_operation_state_may_move(from, USHER_OPERATION_RUNNING) &&
		usher_operation_state_may_move(USHER_OPERATION_RUNNING, to);
}

/* A start that is done has given what it was to give; one that is not has left nothing. A stop that
 * is done has left nothing either. */
static void see_leases_of_ended(Witness *witness, const UsherOperation *ended)
{
	bool is_done = ended->state == USHER_OPERATION_DONE;
	for (unsigned i = 0; i < ended->leases->len; i++) {
		const UsherLease *lease = lease_of(witness, ended->leases->pdata[i]);
		const char *state = lease != NULL ? usher_lease_state_name(lease->state) : "lost";
		bool is_over = lease != NULL && usher_lease_state_is_end(lease->state);
		if (ended->kind == USHER_KIND_VM_START && is_done &&
			!fake_guest_ever_had(witness->guest, ended->leases->pdata[i]))
			violate(witness, "%s is done, and its lease %s never was in a guest",
				ended->id, (const char *) ended->leases->pdata[i]);
		/* What could not be taken back from a guest that never ran stays with it. */
		bool is_stuck = lease != NULL && lease->state == USHER_LEASE_ATTACHED &&
			!fake_guest_has_run(witness->guest, lease->guest->name);
		if (ended->kind == USHER_KIND_VM_START && !is_done && !is_over && !is_stuck)
			violate(witness, "%s is %s, and its lease %s is %s", ended->id,
				usher_operation_state_name(ended->state),
				(const char *) ended->leases->pdata[i], state);
		if (ended->kind == USHER_KIND_VM_STOP && is_done && !is_over)
			violate(witness, "%s is done, and its lease %s is %s", ended->id,
				(const char *) ended->leases->pdata[i], state);
	}
}

static void see_operation(
	Witness *witness, const UsherOperation *before, const UsherOperation *after)
{
	if (after == NULL) {
		see_deleted(witness, TABLE_OPERATION, before->id,
			usher_operation_state_is_end(before->state));
		return;
	}
	if (before != NULL && usher_operation_state_is_end(before->state))
		violate(witness, "operation %s has ended and was written again", after->id);
	if (after->steps->len > MAX_STEPS)
		violate(witness, "operation %s has %u steps", after->id, after->steps->len);
	if (before != NULL && !may_become(before->state, after->state))
		violate(witness, "operation %s went from %s to %s", after->id,
			usher_operation_state_name(before->state),
			usher_operation_state_name(after->state));
	if (!usher_operation_state_is_end(after->state)) {
		g_hash_table_add(witness->open, g_strdup(after->id));
		return;
	}
	(void) g_hash_table_remove(witness->open, after->id);
	if (after->error == NULL && after->state != USHER_OPERATION_DONE)
		violate(witness, "operation %s is %s and says no reason", after->id,
			usher_operation_state_name(after->state));
	see_leases_of_ended(witness, after);
}

/* Of UsherDevice, borrowed. */
static GPtrArray *devices_of(const Witness *witness)
{
	GPtrArray *devices = g_ptr_array_new();
	GHashTableIter iter;
	void *device;
	g_hash_table_iter_init(&iter, witness->tables[TABLE_DEVICE]);
	while (g_hash_table_iter_next(&iter, NULL, &device))
		g_ptr_array_add(devices, device);
	return devices;
}

/* What was newly given is the whole of what must go together, and in a state to be given. */
static void see_entry(Witness *witness, const UsherLedger *ledger, const UsherLedgerEntry *entry)
{
	const UsherLease *lease = entry->lease != NULL ? lease_of(witness, entry->lease) : NULL;
	const UsherDevice *device = lease == NULL
		? NULL
		: g_hash_table_lookup(witness->tables[TABLE_DEVICE], lease->device->id);
	if (entry->lease == NULL)
		return;
	if (device == NULL) {
		violate(witness, "lease %s is of a device nobody knows", entry->lease);
		return;
	}
	if (device->state == USHER_DEVICE_FENCED || device->state == USHER_DEVICE_QUARANTINED ||
		device->state == USHER_DEVICE_ABSENT)
		violate(witness, "lease %s is of %s, which is %s", entry->lease, device->address,
			usher_device_state_name(device->state));
	g_autoptr(GPtrArray) devices = devices_of(witness);
	g_autoptr(GPtrArray) unit = usher_unit_of(devices, device);
	g_autoptr(GPtrArray) taken = usher_unit_taken_with(devices, device);
	g_autofree char *name = usher_unit_name(unit);
	if (strcmp(name, ledger->unit) != 0)
		violate(witness, "%s of unit %s is in ledger %s", device->address, name,
			ledger->unit);
	bool is_whole = taken->len == entry->devices->len;
	for (unsigned i = 0; i < taken->len; i++)
		is_whole &= g_ptr_array_find_with_equal_func(entry->devices,
			((const UsherDevice *) taken->pdata[i])->id, g_str_equal, NULL);
	if (!is_whole)
		violate(witness, "lease %s does not take all that goes with %s", entry->lease,
			device->address);
}

static bool has_entry(const UsherLedger *ledger, const UsherLedgerEntry *wanted)
{
	for (unsigned i = 0; ledger != NULL && i < ledger->entries->len; i++) {
		const UsherLedgerEntry *entry = ledger->entries->pdata[i];
		if (g_strcmp0(entry->lease, wanted->lease) == 0)
			return true;
	}
	return false;
}

static void see_ledger(Witness *witness, const UsherLedger *before, const UsherLedger *after)
{
	for (unsigned i = 0; after != NULL && i < after->entries->len; i++) {
		if (!has_entry(before, after->entries->pdata[i]))
			see_entry(witness, after, after->entries->pdata[i]);
	}
}

static void see_change(Witness *witness, Table table, const void *before, const void *after)
{
	switch (table) {
	case TABLE_LEASE:
		see_lease(witness, before, after);
		return;
	case TABLE_OPERATION:
		see_operation(witness, before, after);
		return;
	case TABLE_LEDGER:
		see_ledger(witness, before, after);
		return;
	case TABLE_DEVICE:
	case TABLE_ACTIVE:
	case N_TABLES:
		return;
	}
}

/* ---- the whole ---- */

static const UsherLedgerEntry *entry_of(const Witness *witness, const UsherLease *lease)
{
	const UsherLedger *ledger = g_hash_table_lookup(witness->tables[TABLE_LEDGER], lease->unit);
	for (unsigned i = 0; ledger != NULL && i < ledger->entries->len; i++) {
		const UsherLedgerEntry *entry = ledger->entries->pdata[i];
		if (g_strcmp0(entry->lease, lease->id) == 0)
			return entry;
	}
	return NULL;
}

static void compare_lease(Witness *witness, const UsherLease *lease)
{
	const UsherLedgerEntry *entry = entry_of(witness, lease);
	g_autofree char *holder = g_strconcat("vm/", lease->guest->name, NULL);
	if (entry == NULL)
		violate(witness, "lease %s is in no ledger", lease->id);
	else if (strcmp(entry->holder, holder) != 0 ||
		entry->devices->len != lease->companions->len + 1 ||
		!g_ptr_array_find_with_equal_func(
			entry->devices, lease->device->id, g_str_equal, NULL))
		violate(witness, "lease %s and its ledger differ", lease->id);
}

static void compare_operation(Witness *witness, const UsherOperation *operation)
{
	const UsherActive *active =
		g_hash_table_lookup(witness->tables[TABLE_ACTIVE], operation->object);
	bool is_active = active != NULL && strcmp(active->operation, operation->id) == 0;
	/* What the node does by itself goes on beside what was asked. */
	if (!is_active && operation->kind != USHER_KIND_RETURN)
		violate(witness, "operation %s goes on, and %s is not busy with it", operation->id,
			operation->object);
}

static void compare_open(Witness *witness)
{
	GHashTableIter iter;
	void *id;
	g_hash_table_iter_init(&iter, witness->open);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		const UsherLease *lease = lease_of(witness, id);
		if (lease != NULL)
			compare_lease(witness, lease);
		else
			compare_operation(witness, witness_operation(witness, id));
	}
}

static void compare_entry(
	Witness *witness, const UsherLedger *ledger, unsigned index, GHashTable *taken)
{
	const UsherLedgerEntry *entry = ledger->entries->pdata[index];
	const UsherLedgerEntry *first = ledger->entries->pdata[0];
	if (entry->lease != NULL && !g_hash_table_contains(witness->open, entry->lease))
		violate(witness, "ledger %s has an entry of lease %s, which is over", ledger->unit,
			entry->lease);
	if (entry->lease != NULL && first->lease != NULL &&
		strcmp(first->holder, entry->holder) != 0)
		violate(witness, "unit %s is given to %s and to %s", ledger->unit, first->holder,
			entry->holder);
	for (unsigned i = 0; i < entry->devices->len; i++) {
		if (!g_hash_table_add(taken, entry->devices->pdata[i]))
			violate(witness, "device %s is in two entries of ledgers",
				(const char *) entry->devices->pdata[i]);
	}
}

static void compare_ledgers(Witness *witness)
{
	g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, witness->tables[TABLE_LEDGER]);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const UsherLedger *ledger = value;
		for (unsigned i = 0; i < ledger->entries->len; i++)
			compare_entry(witness, ledger, i, taken);
	}
	g_hash_table_iter_init(&iter, witness->tables[TABLE_ACTIVE]);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const UsherActive *active = value;
		if (!g_hash_table_contains(witness->open, active->operation))
			violate(witness, "%s is busy with operation %s, which is over",
				active->object, active->operation);
	}
}

static bool lease_has(const UsherLease *lease, const char *address)
{
	return strcmp(lease->device->address, address) == 0 ||
		g_ptr_array_find_with_equal_func(lease->companions, address, g_str_equal, NULL);
}

/* What is in a guest is leased to that guest and nobody else. */
static void compare_user(Witness *witness, const char *address, const char *user)
{
	unsigned n_own = 0;
	GHashTableIter iter;
	void *id;
	g_hash_table_iter_init(&iter, witness->open);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		const UsherLease *lease = lease_of(witness, id);
		if (lease == NULL || !lease_has(lease, address))
			continue;
		n_own += strcmp(lease->guest->name, user) == 0;
		if (strcmp(lease->guest->name, user) != 0)
			violate(witness, "%s is in guest %s and leased to %s", address, user,
				lease->guest->name);
	}
	if (n_own != 1)
		violate(witness, "%s is in guest %s, which has %u leases of it", address, user,
			n_own);
}

static void compare_users(Witness *witness)
{
	g_autoptr(GPtrArray) addresses = fake_host_addresses(witness->host);
	for (unsigned i = 0; i < addresses->len; i++) {
		const char *user = fake_host_user(witness->host, addresses->pdata[i]);
		if (user != NULL)
			compare_user(witness, addresses->pdata[i], user);
	}
}

/* ---- reading ---- */

static void take_in(Witness *witness, const UsherStoreItem *item)
{
	for (unsigned i = 0; i < N_TABLES; i++) {
		if (!g_str_has_prefix(item->key, rows[i].prefix))
			continue;
		const char *name = item->key + strlen(rows[i].prefix);
		g_autoptr(GError) error = NULL;
		void *before = NULL, *stolen = NULL;
		(void) g_hash_table_steal_extended(witness->tables[i], name, &stolen, &before);
		void *after = NULL;
		if (item->value != NULL) {
			after = usher_record_parse(rows[i].type, item->value, &error);
			g_assert_no_error(error);
			g_hash_table_insert(witness->tables[i], g_strdup(name), after);
		}
		see_change(witness, (Table) i, before, after);
		g_free(stolen);
		if (before != NULL)
			rows[i].type->free(before);
		return;
	}
}

/* Transactions one after the other; within one, what others refer to comes first. */
static void take_in_all(Witness *witness)
{
	g_autoptr(GPtrArray) changes =
		witness->engine->ops->changes(witness->engine, "", witness->revision, 0, NULL);
	g_assert_nonnull(changes);
	static const Table order[] = { TABLE_DEVICE, TABLE_LEASE, TABLE_LEDGER, TABLE_ACTIVE,
		TABLE_OPERATION };
	for (unsigned i = 0, end; i < changes->len; i = end) {
		int64_t revision = ((const UsherStoreItem *) changes->pdata[i])->revision;
		for (end = i; end < changes->len &&
			((const UsherStoreItem *) changes->pdata[end])->revision == revision;
			end++)
			;
		for (unsigned j = 0; j < G_N_ELEMENTS(order); j++) {
			for (unsigned k = i; k < end; k++) {
				const UsherStoreItem *item = changes->pdata[k];
				if (g_str_has_prefix(item->key, rows[order[j]].prefix))
					take_in(witness, item);
			}
		}
		compare_open(witness);
		compare_ledgers(witness);
		witness->revision = revision;
	}
}

Witness *witness_new(UsherStore *engine, FakeHost *host, FakeGuest *guest)
{
	Witness *witness = g_new0(Witness, 1);
	witness->engine = engine;
	witness->host = host;
	witness->guest = guest;
	for (unsigned i = 0; i < N_TABLES; i++)
		witness->tables[i] =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, rows[i].type->free);
	witness->open = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	witness->expected = g_ptr_array_new_with_free_func(g_free);
	return witness;
}

void witness_free(Witness *witness)
{
	for (unsigned i = 0; i < N_TABLES; i++)
		g_hash_table_unref(witness->tables[i]);
	g_hash_table_unref(witness->open);
	g_ptr_array_unref(witness->expected);
	g_free(witness->violation);
	g_free(witness);
}

const char *witness_look(Witness *witness)
{
	if (witness->revision != witness->engine->ops->revision(witness->engine))
		take_in_all(witness);
	compare_users(witness);
	if (fake_host_violation(witness->host) != NULL)
		violate(witness, "%s", fake_host_violation(witness->host));
	return witness->violation;
}

/* ---- at rest ---- */

static void check_lease_at_rest(Witness *witness, const UsherLease *lease)
{
	const UsherGuestInfo *guest = fake_guest_info(witness->guest, lease->guest->name);
	if (lease->state != USHER_LEASE_ATTACHED)
		violate(witness, "lease %s is neither attached nor over", lease->id);
	else if (guest == NULL || guest->state == USHER_GUEST_SHUT_OFF ||
		!g_ptr_array_find_with_equal_func(guest->leases, lease->id, g_str_equal, NULL))
		violate(witness, "lease %s is attached, and its guest does not have it", lease->id);
}

static void check_device_at_rest(Witness *witness, const char *address)
{
	const char *driver = fake_host_driver(witness->host, address);
	const char *override = fake_host_override(witness->host, address);
	const UsherDevice *device = witness_device(witness, address);
	if (device == NULL) {
		violate(witness, "%s is not known", address);
		return;
	}
	if (witness_is_barred(witness, address))
		return;
	bool is_vfio = g_strcmp0(driver, "vfio-pci") == 0 && g_strcmp0(override, "vfio-pci") == 0;
	/* A return that hung for good leaves it so: held, and it can be asked for again. */
	bool is_stuck = driver == NULL;
	bool is_leased = device->state == USHER_DEVICE_LEASED;
	bool is_held = device->state == USHER_DEVICE_HELD;
	bool is_home = fake_host_is_home(witness->host, address);
	/* Another hand may have taken one function of several out of the guest. */
	bool is_used = fake_host_user(witness->host, address) != NULL;
	if (is_used ? !is_vfio
		    : !is_home && !is_leased &&
				!(is_held && (is_vfio || is_stuck) && device->was != NULL))
		violate(witness, "%s is %s and has driver %s, override %s", address,
			usher_device_state_name(device->state), driver != NULL ? driver : "none",
			override != NULL ? override : "none");
	if (is_used && !is_leased)
		violate(witness, "%s is %s, and in a guest", address,
			usher_device_state_name(device->state));
}

const char *witness_look_at_rest(Witness *witness)
{
	(void) witness_look(witness);
	GHashTableIter iter;
	void *id;
	g_hash_table_iter_init(&iter, witness->open);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		const UsherLease *lease = lease_of(witness, id);
		if (lease != NULL)
			check_lease_at_rest(witness, lease);
		else
			violate(witness, "operation %s has not ended", (const char *) id);
	}
	for (unsigned i = 0; i < witness->expected->len; i++) {
		if (witness_operation(witness, witness->expected->pdata[i]) == NULL)
			violate(witness, "operation %s was lost",
				(const char *) witness->expected->pdata[i]);
	}
	g_autoptr(GPtrArray) addresses = fake_host_addresses(witness->host);
	for (unsigned i = 0; i < addresses->len; i++)
		check_device_at_rest(witness, addresses->pdata[i]);
	return witness->violation;
}

/* ---- what is done ---- */

static bool has_operation(
	Witness *witness, const char *object, unsigned kinds, const char *key, const char *value)
{
	GHashTableIter iter;
	void *id;
	g_hash_table_iter_init(&iter, witness->open);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		const UsherOperation *operation = witness_operation(witness, id);
		if (operation == NULL || (kinds & (1U << operation->kind)) == 0 ||
			(object != NULL && strcmp(operation->object, object) != 0))
			continue;
		if (key == NULL ||
			g_strcmp0(usher_json_get_string(operation->arguments, key), value) == 0)
			return true;
	}
	return false;
}

static bool is_in_ledger(Witness *witness, const char *device)
{
	GHashTableIter iter;
	void *ledger;
	g_hash_table_iter_init(&iter, witness->tables[TABLE_LEDGER]);
	while (g_hash_table_iter_next(&iter, NULL, &ledger)) {
		if (usher_ledger_holder(ledger, device) != NULL)
			return true;
	}
	return false;
}

/* The device that is there, not one that was at its address before, is leased or barred. */
static bool is_covered(Witness *witness, const char *address)
{
	const char *ids = fake_host_ids(witness->host, address);
	if (has_operation(witness, NULL, 1U << USHER_KIND_DEVICE_RETURN, "address", address))
		return true;
	g_autoptr(GPtrArray) devices = devices_of(witness);
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDevice *device = devices->pdata[i];
		g_autofree char *identity = usher_device_identity(device);
		if (strcmp(device->address, address) == 0 && g_strcmp0(identity, ids) == 0 &&
			is_in_ledger(witness, device->id))
			return true;
	}
	return false;
}

void witness_note(const char *what, const char *object, void *data)
{
	static const struct {
		const char *what;
		unsigned kinds;
		const char *key, *value;
	} asked[] = {
		{ "guest-start", 1U << USHER_KIND_VM_START, NULL, NULL },
		{ "guest-ask-off", 1U << USHER_KIND_VM_STOP, "force", "no" },
		{ "guest-power-off", 1U << USHER_KIND_VM_STOP, "force", "yes" },
		{ "guest-mark", 1U << USHER_KIND_VM_ADOPT | 1U << USHER_KIND_VM_FORGET, NULL,
			NULL },
		{ "guest-unmark", 1U << USHER_KIND_VM_ADOPT | 1U << USHER_KIND_VM_FORGET, NULL,
			NULL },
		{ "guest-unplug", 1U << USHER_KIND_VM_DETACH, NULL, NULL },
	};
	Witness *witness = data;
	(void) witness_look(witness);
	g_autofree char *vm = g_strconcat("vm/", object, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(asked); i++) {
		if (strcmp(asked[i].what, what) != 0)
			continue;
		/* A start that is undone may take back what has never run. */
		if (strcmp(what, "guest-power-off") == 0 &&
			!fake_guest_has_run(witness->guest, object) &&
			has_operation(witness, vm, 1U << USHER_KIND_VM_START, NULL, NULL))
			return;
		if (!has_operation(witness, vm, asked[i].kinds, asked[i].key, asked[i].value))
			violate(witness, "%s of %s, and nobody asked for it", what, object);
		return;
	}
	if (!is_covered(witness, object))
		violate(witness, "%s of %s, which is not ours", what, object);
}

void witness_expect(Witness *witness, const char *operation)
{
	g_ptr_array_add(witness->expected, g_strdup(operation));
}

int64_t witness_deadline(Witness *witness, const char **out_operation)
{
	int64_t soonest = INT64_MAX;
	GHashTableIter iter;
	void *id;
	g_hash_table_iter_init(&iter, witness->open);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		const UsherOperation *operation = witness_operation(witness, id);
		if (operation == NULL || operation->kind == USHER_KIND_RETURN ||
			operation->deadline >= soonest)
			continue;
		soonest = operation->deadline;
		*out_operation = operation->id;
	}
	return soonest;
}

const UsherOperation *witness_operation(Witness *witness, const char *id)
{
	return g_hash_table_lookup(witness->tables[TABLE_OPERATION], id);
}

static int compare_operations(const void *one, const void *other)
{
	const UsherOperation *const *a = one, *const *b = other;
	return strcmp((*a)->id, (*b)->id);
}

const UsherOperation *witness_open_operation(Witness *witness, unsigned n)
{
	g_autoptr(GPtrArray) operations = g_ptr_array_new();
	GHashTableIter iter;
	void *id;
	g_hash_table_iter_init(&iter, witness->open);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		void *operation = g_hash_table_lookup(witness->tables[TABLE_OPERATION], id);
		if (operation != NULL)
			g_ptr_array_add(operations, operation);
	}
	g_ptr_array_sort(operations, compare_operations);
	return n < operations->len ? operations->pdata[n] : NULL;
}

const UsherDevice *witness_device(Witness *witness, const char *address)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, witness->tables[TABLE_DEVICE]);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const UsherDevice *device = value;
		if (device->state != USHER_DEVICE_ABSENT && strcmp(device->address, address) == 0)
			return device;
	}
	return NULL;
}

bool witness_is_barred(Witness *witness, const char *address)
{
	const UsherDevice *device = witness_device(witness, address);
	GHashTableIter iter;
	void *ledger;
	g_hash_table_iter_init(&iter, witness->tables[TABLE_LEDGER]);
	while (device != NULL && g_hash_table_iter_next(&iter, NULL, &ledger)) {
		const UsherLedgerEntry *entry = usher_ledger_holder(ledger, device->id);
		if (entry != NULL && entry->lease == NULL)
			return true;
	}
	return false;
}

void witness_count(Witness *witness, WitnessCounts counts)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, witness->tables[TABLE_OPERATION]);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const UsherOperation *operation = value;
		counts[operation->kind][operation->state]++;
	}
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(*(const char *const *) one, *(const char *const *) other);
}

char *witness_print(Witness *witness)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < N_TABLES; i++) {
		unsigned n;
		g_autofree char **names =
			(char **) g_hash_table_get_keys_as_array(witness->tables[i], &n);
		qsort(names, n, sizeof *names, compare_names);
		for (unsigned j = 0; j < n; j++) {
			const void *record = g_hash_table_lookup(witness->tables[i], names[j]);
			g_autofree char *json = usher_record_print(rows[i].type, record);
			bool is_over = (i == TABLE_LEASE || i == TABLE_OPERATION) &&
				!g_hash_table_contains(witness->open, names[j]);
			if (!is_over)
				g_string_append_printf(
					text, "  %s%s %s\n", rows[i].prefix, names[j], json);
		}
	}
	return g_string_free(text, FALSE);
}
