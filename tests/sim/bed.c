/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/bed.h"

#include <string.h>

#include "base/error.h"
#include "core/ledger.h"
#include "fakes/store.h"
#include "store/memory.h"

/* As a service manager would: dead for a second. */
#define RESTART_US G_TIME_SPAN_SECOND
#define EXCHANGE_US (2 * G_TIME_SPAN_MILLISECOND)
#define LOST_US (10 * G_TIME_SPAN_SECOND)

struct Bed {
	UsherClock *clock;
	FakeFaults faults;
	FakeHost *host;
	FakeGuest *guest;
	FakeJournal *journal;
	UsherStore *engine, *store;
	UsherCluster *cluster, *second;
	UsherNode *node;
	UsherControl control; /* the node's way to the cluster */
	UsherControlChanged changed;
	void *changed_data;
	bool is_telling; /* a change is on its way to the node */
	unsigned lose_one_in;
	bool node_is_starting, control_is_starting;
};

static const char *const addresses[] = { "0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:03:00.1" };

/* ---- the way between node and cluster ---- */

typedef struct BedExchange {
	Bed *bed;
	UsherReport *report;
	UsherWants *wants;
	GError *error;
	UsherControlDone done;
	void *data;
	bool is_reply_lost;
} BedExchange;

static Bed *bed_of_control(UsherControl *control)
{
	return (Bed *) (void *) ((char *) control - offsetof(Bed, control));
}

static void deliver_answer(void *data)
{
	BedExchange *exchange = data;
	if (exchange->is_reply_lost) {
		g_clear_pointer(&exchange->wants, usher_wants_free);
		g_clear_error(&exchange->error);
		usher_error_set(&exchange->error, USHER_ERROR_UNAVAILABLE, "no answer");
	}
	exchange->done(exchange->wants, exchange->error, exchange->data);
	g_clear_error(&exchange->error);
	usher_report_free(exchange->report);
	g_free(exchange);
}

static bool chance(Bed *bed, unsigned one_in)
{
	uint32_t number;
	if (one_in == 0)
		return false;
	bed->clock->ops->random(bed->clock, &number, sizeof number);
	return number % one_in == 0;
}

static void deliver_report(void *data)
{
	BedExchange *exchange = data;
	Bed *bed = exchange->bed;
	if (bed->cluster == NULL) {
		usher_error_set(&exchange->error, USHER_ERROR_UNAVAILABLE, "usherd is away");
	} else if (chance(bed, bed->lose_one_in)) {
		exchange->is_reply_lost = true; /* the report, in this case */
	} else {
		if (chance(bed, bed->lose_one_in)) /* doubled */
			usher_wants_free(usher_cluster_exchange(bed->cluster, exchange->report, NULL));
		exchange->wants = usher_cluster_exchange(bed->cluster, exchange->report, &exchange->error);
		exchange->is_reply_lost |= chance(bed, bed->lose_one_in);
	}
	int64_t wait = exchange->is_reply_lost ? LOST_US : EXCHANGE_US;
	(void) bed->clock->ops->after(bed->clock, wait, deliver_answer, exchange);
}

static void bed_exchange(UsherControl *control, const UsherReport *report, UsherControlDone done, void *data)
{
	Bed *bed = bed_of_control(control);
	BedExchange *exchange = g_new0(BedExchange, 1);
	exchange->bed = bed;
	exchange->report = usher_report_dup(report);
	exchange->done = done;
	exchange->data = data;
	FakeCall call = fake_faults_call(&bed->faults, FAKE_NODE, "control.exchange", &exchange->error);
	if (call == FAKE_CALL_REFUSE) {
		(void) bed->clock->ops->after(bed->clock, EXCHANGE_US, deliver_answer, exchange);
		return;
	}
	exchange->is_reply_lost = call == FAKE_CALL_DO_LATE;
	g_clear_error(&exchange->error);
	(void) bed->clock->ops->after(bed->clock, EXCHANGE_US, deliver_report, exchange);
}

static void tell(void *data)
{
	Bed *bed = data;
	bed->is_telling = false;
	if (bed->changed != NULL && bed->node != NULL)
		bed->changed(bed->changed_data);
}

static void store_advanced(void *data)
{
	Bed *bed = data;
	if (bed->is_telling)
		return;
	bed->is_telling = true;
	(void) bed->clock->ops->after(bed->clock, EXCHANGE_US, tell, bed);
}

static void bed_watch(UsherControl *control, UsherControlChanged func, void *data)
{
	Bed *bed = bed_of_control(control);
	bed->changed = func;
	bed->changed_data = data;
}

static const UsherControlOps control_ops = { .name = "bed", .exchange = bed_exchange, .watch = bed_watch };

/* ---- processes ---- */

static void start_node(void *data)
{
	Bed *bed = data;
	bed->node_is_starting = false;
	if (bed->node != NULL)
		return;
	bed->faults.is_dead[FAKE_NODE] = false;
	const UsherNodePorts ports = {
		.clock = bed->clock,
		.host = fake_host_port(bed->host),
		.guest = fake_guest_port(bed->guest),
		.control = &bed->control,
		.journal = fake_journal_port(bed->journal),
	};
	bed->node = usher_node_new("n1", "instance-1", "6.1", &ports, NULL, NULL, NULL);
	/* Its journal could not be read, or it died at it: it is tried again. */
	if (bed->node == NULL)
		bed->faults.is_dead[FAKE_NODE] = true;
}

static void start_control(void *data)
{
	Bed *bed = data;
	bed->control_is_starting = false;
	if (bed->cluster != NULL)
		return;
	bed->faults.is_dead[FAKE_CONTROL] = false;
	bed->cluster = usher_cluster_new(bed->store, bed->clock, NULL);
	if (bed->cluster == NULL)
		bed->faults.is_dead[FAKE_CONTROL] = true;
	store_advanced(bed);
}

static void bury(Bed *bed)
{
	if (bed->faults.is_dead[FAKE_NODE] && !bed->node_is_starting) {
		g_clear_pointer(&bed->node, usher_node_free);
		bed->node_is_starting = true;
		(void) bed->clock->ops->after(bed->clock, RESTART_US, start_node, bed);
	}
	if (bed->faults.is_dead[FAKE_CONTROL] && !bed->control_is_starting) {
		g_clear_pointer(&bed->cluster, usher_cluster_free);
		bed->control_is_starting = true;
		(void) bed->clock->ops->after(bed->clock, RESTART_US, start_control, bed);
	}
}

void bed_kill_node(Bed *bed)
{
	bed->faults.is_dead[FAKE_NODE] = true;
	bury(bed);
}

void bed_kill_control(Bed *bed)
{
	bed->faults.is_dead[FAKE_CONTROL] = true;
	bury(bed);
}

void bed_cut_power(Bed *bed)
{
	bed_kill_node(bed);
	bed_kill_control(bed);
	fake_host_reboot(bed->host);
	fake_guest_reboot(bed->guest);
}

void bed_step(Bed *bed, bool by_chance)
{
	bool ran = by_chance ? fake_clock_run_any(bed->clock) : fake_clock_run_next(bed->clock);
	g_assert(ran);
	bury(bed);
	bed_check_always(bed);
}

void bed_run(Bed *bed, int64_t us)
{
	int64_t until = bed->clock->ops->now(bed->clock) + us;
	while (fake_clock_pending(bed->clock) > 0 && fake_clock_when(bed->clock, 0) <= until)
		bed_step(bed, /* by_chance */ false);
	int64_t rest = until - bed->clock->ops->now(bed->clock);
	if (rest > 0)
		fake_clock_advance(bed->clock, rest);
}

/* ---- making the bed ---- */

static void define_guests(Bed *bed)
{
	fake_guest_define(bed->guest, "vm1", "11111111-1111-4111-8111-111111111111");
	fake_guest_define(bed->guest, "vm2", "22222222-2222-4222-8222-222222222222");
	fake_guest_define(bed->guest, "vm3", "33333333-3333-4333-8333-333333333333");
}

static void put_group(Bed *bed, const char *name, UsherReturn give_back, const char *filter)
{
	const UsherAsk asked = { .actor = "bed", .expect = USHER_ANY_REVISION };
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherGroup) group = usher_group_new();
	group->name = g_strdup(name);
	group->enabled = true;
	group->give_back = give_back;
	g_autoptr(UsherRule) rule = usher_rule_new();
	rule->name = g_strdup(name);
	rule->group = g_strdup(name);
	rule->filter = g_strdup(filter);
	rule->enabled = true;
	bool is_put = usher_cluster_group_put(bed->cluster, &asked, group, &error) &&
		      usher_cluster_rule_put(bed->cluster, &asked, rule, &error);
	g_assert_no_error(error);
	g_assert_true(is_put);
}

static void adopt(Bed *bed, const char *name, const char *group)
{
	const UsherAsk asked = { .actor = "bed", .expect = USHER_ANY_REVISION };
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherOperation) operation = usher_cluster_vm_adopt(bed->cluster, &asked, name, NULL, &error);
	g_assert_no_error(error);
	bed_run(bed, G_TIME_SPAN_SECOND);
	g_autoptr(UsherRequest) request = usher_request_new();
	request->group = g_strdup(group);
	request->required = true;
	(void) usher_cluster_vm_attach(bed->cluster, &asked, name, request, &error);
	g_assert_no_error(error);
}

Bed *bed_new(uint64_t seed)
{
	Bed *bed = g_new0(Bed, 1);
	bed->clock = fake_clock_new(seed);
	fake_clock_set_latency(bed->clock, 5 * G_TIME_SPAN_MILLISECOND);
	bed->host = fake_host_new(bed->clock, &bed->faults);
	bed->guest = fake_guest_new(bed->clock, &bed->faults, bed->host);
	bed->journal = fake_journal_new(&bed->faults);
	bed->engine = usher_store_memory_new(bed->clock);
	bed->store = fake_store_new(bed->engine, &bed->faults);
	bed->control.ops = &control_ops;
	(void) bed->engine->ops->listen(bed->engine, store_advanced, bed);
	fake_host_add(bed->host, "0000:01:00.0", "8086:10d3:020000", "e1000e", 10);
	fake_host_add(bed->host, "0000:02:00.0", "8086:10c9:020000", "igb", 0);
	fake_host_add(bed->host, "0000:03:00.0", "1234:1111:030000", "bochs-drm", 12);
	fake_host_add(bed->host, "0000:03:00.1", "8086:2668:040300", "snd_hda_intel", 12);
	define_guests(bed);
	start_control(bed);
	start_node(bed);
	bed_run(bed, G_TIME_SPAN_SECOND);
	put_group(bed, "nics", USHER_RETURN_HOST, "vendor_device_hex eq '8086:10d3'");
	put_group(bed, "keeps", USHER_RETURN_HOLD, "vendor_device_hex eq '8086:10c9'");
	put_group(bed, "gpus", USHER_RETURN_HOST, "vendor_device_hex eq '1234:1111'");
	adopt(bed, "vm1", "nics");
	adopt(bed, "vm2", "gpus");
	adopt(bed, "vm3", "nics");
	bed_run(bed, G_TIME_SPAN_SECOND);
	bed_check_at_rest(bed);
	bed->faults.calls = 0;
	return bed;
}

void bed_free(Bed *bed)
{
	usher_node_free(bed->node);
	usher_cluster_free(bed->cluster);
	usher_cluster_free(bed->second);
	bed->store->ops->free(bed->store);
	bed->engine->ops->free(bed->engine);
	fake_guest_free(bed->guest);
	fake_host_free(bed->host);
	fake_journal_free(bed->journal);
	fake_clock_free(bed->clock);
	g_free(bed);
}

UsherClock *bed_clock(Bed *bed)
{
	return bed->clock;
}

FakeFaults *bed_faults(Bed *bed)
{
	return &bed->faults;
}

FakeHost *bed_host(Bed *bed)
{
	return bed->host;
}

FakeGuest *bed_guest(Bed *bed)
{
	return bed->guest;
}

UsherCluster *bed_cluster(Bed *bed)
{
	return bed->cluster;
}

UsherCluster *bed_second_cluster(Bed *bed)
{
	if (bed->second == NULL)
		bed->second = usher_cluster_new(bed->engine, bed->clock, NULL);
	return bed->second;
}

void bed_lose_exchanges(Bed *bed, unsigned one_in)
{
	bed->lose_one_in = one_in;
}

/* ---- the invariants ---- */

/* Records of a kind as they are in the engine, past all mirrors. */
static GPtrArray *stored(Bed *bed, const char *prefix, const UsherRecordType *type)
{
	GPtrArray *records = g_ptr_array_new_with_free_func(type->free);
	g_autoptr(GPtrArray) items = bed->engine->ops->list(bed->engine, prefix, NULL, 0, NULL);
	for (unsigned i = 0; i < items->len; i++) {
		const UsherStoreItem *item = items->pdata[i];
		g_autoptr(GError) error = NULL;
		void *record = usher_record_parse(type, item->value, &error);
		g_assert_no_error(error);
		g_ptr_array_add(records, record);
	}
	return records;
}

static GPtrArray *stored_leases(Bed *bed)
{
	return stored(bed, "lease/provider/", &usher_lease_type);
}

char *bed_print(Bed *bed)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(addresses); i++) {
		const char *address = addresses[i];
		const char *driver = fake_host_driver(bed->host, address);
		const char *override = fake_host_override(bed->host, address);
		const char *user = fake_host_user(bed->host, address);
		g_string_append_printf(text, "  %s driver %s override %s user %s%s\n", address,
				       driver != NULL ? driver : "-", override != NULL ? override : "-",
				       user != NULL ? user : "-",
				       fake_host_port(bed->host)->ops->in_flight(fake_host_port(bed->host), address)
					       ? " in flight"
					       : "");
	}
	static const char *const prefixes[] = { "lease/", "operation/", "ledger/", "active/", "live/" };
	for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autoptr(GPtrArray) items = bed->engine->ops->list(bed->engine, prefixes[i], NULL, 0, NULL);
		for (unsigned j = 0; j < items->len; j++) {
			const UsherStoreItem *item = items->pdata[j];
			g_string_append_printf(text, "  %s %s\n", item->key, item->value);
		}
	}
	return g_string_free(text, FALSE);
}

static void violate(Bed *bed, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void violate(Bed *bed, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree char *state = bed_print(bed);
	g_printerr("invariant: %s\n%s", what, state);
	g_error("invariant: %s", what);
}

static bool lease_has(const UsherLease *lease, const char *address)
{
	return strcmp(lease->device->address, address) == 0 ||
	       g_ptr_array_find_with_equal_func(lease->companions, address, g_str_equal, NULL);
}

/* What is in a guest by a lease of ours is leased to that guest and nobody else. */
void bed_check_always(Bed *bed)
{
	g_autoptr(GPtrArray) leases = stored_leases(bed);
	for (unsigned i = 0; i < G_N_ELEMENTS(addresses); i++) {
		const UsherLease *holder = NULL;
		for (unsigned j = 0; j < leases->len; j++) {
			const UsherLease *lease = leases->pdata[j];
			if (usher_lease_state_is_end(lease->state) || !lease_has(lease, addresses[i]))
				continue;
			if (holder != NULL)
				violate(bed, "%s is leased twice: %s and %s", addresses[i], holder->id, lease->id);
			holder = lease;
		}
		const char *user = fake_host_user(bed->host, addresses[i]);
		if (user != NULL && (holder == NULL || strcmp(holder->guest->name, user) != 0))
			violate(bed, "%s is in guest %s and leased to %s", addresses[i], user,
				holder != NULL ? holder->guest->name : "nobody");
	}
}

static void check_operations(Bed *bed)
{
	g_autoptr(GPtrArray) operations = stored(bed, "operation/provider/", &usher_operation_type);
	for (unsigned i = 0; i < operations->len; i++) {
		const UsherOperation *operation = operations->pdata[i];
		if (!usher_operation_state_is_end(operation->state))
			violate(bed, "operation %s has not ended", operation->id);
	}
	g_autoptr(GPtrArray) active = bed->engine->ops->list(bed->engine, "active/", NULL, 0, NULL);
	if (active->len > 0)
		violate(bed, "an object is still busy");
}

static void check_leases(Bed *bed)
{
	g_autoptr(GPtrArray) leases = stored_leases(bed);
	for (unsigned i = 0; i < leases->len; i++) {
		const UsherLease *lease = leases->pdata[i];
		if (usher_lease_state_is_end(lease->state))
			continue;
		if (lease->state != USHER_LEASE_ATTACHED)
			violate(bed, "lease %s is neither attached nor over", lease->id);
		const UsherGuestInfo *guest = fake_guest_info(bed->guest, lease->guest->name);
		if (guest->state != USHER_GUEST_RUNNING ||
		    !g_ptr_array_find_with_equal_func(guest->leases, lease->id, g_str_equal, NULL))
			violate(bed, "lease %s is attached, and its guest does not have it", lease->id);
	}
	g_autoptr(GPtrArray) ledgers = stored(bed, "ledger/", &usher_ledger_type);
	for (unsigned i = 0; i < ledgers->len; i++) {
		const UsherLedger *ledger = ledgers->pdata[i];
		for (unsigned j = 0; j < ledger->entries->len; j++) {
			const UsherLedgerEntry *entry = ledger->entries->pdata[j];
			bool is_open = false;
			for (unsigned k = 0; k < leases->len; k++) {
				const UsherLease *lease = leases->pdata[k];
				is_open |= g_strcmp0(lease->id, entry->lease) == 0 &&
					   !usher_lease_state_is_end(lease->state);
			}
			if (!is_open)
				violate(bed, "ledger %s has an entry of %s without a lease", ledger->unit,
					entry->holder);
		}
	}
}

static bool is_leased(const GPtrArray *leases, const char *address)
{
	for (unsigned i = 0; i < leases->len; i++) {
		const UsherLease *lease = leases->pdata[i];
		if (!usher_lease_state_is_end(lease->state) && lease_has(lease, address))
			return true;
	}
	return false;
}

static void check_drivers(Bed *bed)
{
	g_autoptr(GPtrArray) leases = stored_leases(bed);
	for (unsigned i = 0; i < G_N_ELEMENTS(addresses); i++) {
		const char *address = addresses[i];
		const char *driver = fake_host_driver(bed->host, address);
		const char *override = fake_host_override(bed->host, address);
		bool is_vfio = g_strcmp0(driver, "vfio-pci") == 0 && g_strcmp0(override, "vfio-pci") == 0;
		bool is_home = g_strcmp0(driver, fake_host_native(bed->host, address)) == 0 && override == NULL;
		bool may_be_held = strcmp(address, "0000:02:00.0") == 0;
		if (is_leased(leases, address) ? !is_vfio : !is_home && !(may_be_held && is_vfio))
			violate(bed, "%s has driver %s and override %s", address, driver != NULL ? driver : "none",
				override != NULL ? override : "none");
	}
}

void bed_check_at_rest(Bed *bed)
{
	bed_check_always(bed);
	if (bed->node == NULL || bed->cluster == NULL)
		violate(bed, "a process is not up");
	check_operations(bed);
	check_leases(bed);
	check_drivers(bed);
}
