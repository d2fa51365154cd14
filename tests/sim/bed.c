/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/bed.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "fakes/events.h"
#include "fakes/store.h"
#include "store/memory.h"
#include "store/sqlite.h"

/* As a service manager would: dead for a second. */
#define RESTART_US  G_TIME_SPAN_SECOND
#define EXCHANGE_US (2 * G_TIME_SPAN_MILLISECOND)
#define LOST_US     (10 * G_TIME_SPAN_SECOND)
/* How long after its deadline, and after the last disturbance, an operation may still go on:
 * longer than every retry. */
#define SLACK_US (150 * G_TIME_SPAN_SECOND)
/* A journal is written anew before it has many more lines than this. */
#define MAX_JOURNAL 2100
/* So many events in ten seconds are no work any more, but somebody turning in circles. */
#define BUSY_US     (10 * G_TIME_SPAN_SECOND)
#define BUSY_EVENTS 1500
#define N_NOTES     40

struct Bed {
	UsherClock *clock;
	FakeFaults faults;
	FakeHost *host;
	FakeGuest *guest;
	FakeJournal *journal;
	UsherStore *engine, *store, *second_store;
	UsherCluster *cluster, *second;
	FakeFaults second_faults; /* none, ever */
	Witness *witness;
	UsherNode *node;
	UsherControl control; /* the node's way to the cluster */
	UsherControlChanged changed;
	void *changed_data;
	bool is_telling; /* a change is on its way to the node */
	unsigned lose_one_in;
	unsigned event_one_in;
	BedQuicker quicker;
	void *quicker_data;
	bool is_quicker; /* it is being called */
	bool node_is_starting, control_is_starting;
	bool guests_are_away;
	int64_t disturbed_at; /* when something last went wrong */
	int64_t busy_since;
	unsigned n_events; /* since then */
	GPtrArray *notes;  /* of char * */
	char *replay;
};

static void disturb(Bed *bed)
{
	int64_t now = bed->clock->ops->now(bed->clock);
	bed->disturbed_at = MAX(bed->disturbed_at, now);
}

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
	return fake_chance(bed->clock, one_in);
}

static void deliver_report(void *data)
{
	BedExchange *exchange = data;
	Bed *bed = exchange->bed;
	UsherCluster *cluster = bed->second != NULL && chance(bed, 2) ? bed->second : bed->cluster;
	if (cluster == NULL) {
		usher_error_set(&exchange->error, USHER_ERROR_UNAVAILABLE, "usherd is away");
	} else if (chance(bed, bed->lose_one_in)) {
		exchange->is_reply_lost = true; /* the report, in this case */
	} else {
		if (chance(bed, bed->lose_one_in)) /* doubled */
			usher_wants_free(usher_cluster_exchange(cluster, exchange->report, NULL));
		exchange->wants =
			usher_cluster_exchange(cluster, exchange->report, &exchange->error);
		exchange->is_reply_lost |= chance(bed, bed->lose_one_in);
	}
	int64_t wait = exchange->is_reply_lost ? LOST_US : EXCHANGE_US;
	(void) bed->clock->ops->after(bed->clock, wait, deliver_answer, exchange);
}

static void bed_exchange(
	UsherControl *control, const UsherReport *report, UsherControlDone done, void *data)
{
	Bed *bed = bed_of_control(control);
	BedExchange *exchange = g_new0(BedExchange, 1);
	exchange->bed = bed;
	exchange->report = usher_report_dup(report);
	exchange->done = done;
	exchange->data = data;
	FakeCall call =
		fake_faults_call(&bed->faults, FAKE_NODE, "control.exchange", &exchange->error);
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
	if (bed->is_telling || chance(bed, bed->event_one_in))
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

static const UsherControlOps control_ops = {
	.name = "bed", .exchange = bed_exchange, .watch = bed_watch
};

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
	if (bed->faults.is_dead[FAKE_NODE] || bed->faults.is_dead[FAKE_CONTROL])
		disturb(bed);
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
	disturb(bed);
	bed->faults.is_dead[FAKE_NODE] = true;
	bury(bed);
}

void bed_kill_control(Bed *bed)
{
	disturb(bed);
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

static void run_until(Bed *bed, int64_t until, bool by_chance)
{
	while (fake_clock_pending(bed->clock) > 0 && fake_clock_when(bed->clock, 0) <= until)
		bed_step(bed, by_chance);
	int64_t rest = until - bed->clock->ops->now(bed->clock);
	if (rest > 0)
		fake_clock_advance(bed->clock, rest);
}

void bed_run(Bed *bed, int64_t us)
{
	run_until(bed, bed->clock->ops->now(bed->clock) + us, /* by_chance */ false);
}

void bed_run_any(Bed *bed, int64_t us)
{
	run_until(bed, bed->clock->ops->now(bed->clock) + us, /* by_chance */ true);
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
	g_autoptr(UsherOperation) operation =
		usher_cluster_vm_adopt(bed->cluster, &asked, name, NULL, &error);
	g_assert_no_error(error);
	g_assert_nonnull(operation);
	bed_run(bed, G_TIME_SPAN_SECOND);
	g_autoptr(UsherRequest) request = usher_request_new();
	request->group = g_strdup(group);
	request->required = true;
	(void) usher_cluster_vm_attach(bed->cluster, &asked, name, request, &error);
	g_assert_no_error(error);
}

static void note_done(const char *what, const char *object, void *data)
{
	usher_log(USHER_LOG_NOTICE, NULL, "     %s %s", what, object);
	witness_note(what, object, ((Bed *) data)->witness);
}

static void be_quicker(Bed *bed, UsherCluster *other)
{
	if (bed->quicker == NULL || bed->is_quicker || other == NULL)
		return;
	bed->is_quicker = true;
	bed->quicker(other, bed->quicker_data);
	bed->is_quicker = false;
}

static void first_commits(void *data)
{
	be_quicker(data, ((Bed *) data)->second);
}

static void second_commits(void *data)
{
	be_quicker(data, ((Bed *) data)->cluster);
}

static UsherStore *open_store(UsherClock *clock, const char *path)
{
	if (path == NULL)
		return usher_store_memory_new(clock);
	g_autoptr(GError) error = NULL;
	UsherStore *store = usher_store_sqlite_open(path, clock, &error);
	g_assert_no_error(error);
	return store;
}

Bed *bed_new(uint64_t seed)
{
	return bed_new_on(seed, NULL);
}

Bed *bed_new_on(uint64_t seed, const char *store_path)
{
	Bed *bed = g_new0(Bed, 1);
	bed->clock = fake_clock_new(seed);
	fake_clock_set_latency(bed->clock, 5 * G_TIME_SPAN_MILLISECOND);
	bed->host = fake_host_new(bed->clock, &bed->faults);
	bed->guest = fake_guest_new(bed->clock, &bed->faults, bed->host);
	bed->journal = fake_journal_new(&bed->faults);
	bed->engine = open_store(bed->clock, store_path);
	bed->store = fake_store_new(bed->engine, &bed->faults);
	fake_store_interleave(bed->store, first_commits, bed);
	bed->witness = witness_new(bed->engine, bed->host, bed->guest);
	bed->faults.done = note_done;
	bed->faults.done_data = bed;
	bed->notes = g_ptr_array_new_with_free_func(g_free);
	bed->control.ops = &control_ops;
	(void) bed->engine->ops->listen(bed->engine, store_advanced, bed);
	fake_host_add(bed->host, "0000:01:00.0", "8086:10d3:020000", "e1000e", 10);
	fake_host_add(bed->host, "0000:02:00.0", "8086:10c9:020000", "igb", 0);
	fake_host_add(bed->host, "0000:03:00.0", "1234:1111:030000", "bochs-drm", 12);
	fake_host_add(bed->host, "0000:03:00.1", "8086:2668:040300", "snd_hda_intel", 12);
	fake_host_add(bed->host, "0000:04:00.0", "8086:1533:020000", "igb", 13);
	fake_host_set_home(bed->host, "0000:04:00.0", "vfio-pci", "vfio-pci");
	define_guests(bed);
	start_control(bed);
	start_node(bed);
	bed_run(bed, G_TIME_SPAN_SECOND);
	put_group(bed, "nics", USHER_RETURN_HOST, "vendor_device_hex eq '8086:10d3'");
	put_group(bed, "keeps", USHER_RETURN_HOLD, "vendor_device_hex eq '8086:10c9'");
	put_group(bed, "spares", USHER_RETURN_HOST, "vendor_device_hex eq '8086:1533'");
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
	if (bed->second_store != NULL)
		bed->second_store->ops->free(bed->second_store);
	witness_free(bed->witness);
	bed->engine->ops->free(bed->engine);
	fake_guest_free(bed->guest);
	fake_host_free(bed->host);
	fake_journal_free(bed->journal);
	fake_clock_free(bed->clock);
	g_ptr_array_unref(bed->notes);
	g_free(bed->replay);
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
	if (bed->second != NULL)
		return bed->second;
	bed->second_store = fake_store_new(bed->engine, &bed->second_faults);
	fake_store_interleave(bed->second_store, second_commits, bed);
	bed->second = usher_cluster_new(bed->second_store, bed->clock, NULL);
	return bed->second;
}

Witness *bed_witness(Bed *bed)
{
	return bed->witness;
}

/* ---- what goes wrong ---- */

void bed_lose_exchanges(Bed *bed, unsigned one_in)
{
	disturb(bed);
	bed->lose_one_in = one_in;
}

void bed_lose_events(Bed *bed, unsigned one_in)
{
	disturb(bed);
	bed->event_one_in = one_in;
	fake_host_disturb_events(bed->host, one_in);
	fake_guest_disturb_events(bed->guest, one_in);
}

void bed_interleave(Bed *bed, BedQuicker func, void *data)
{
	bed->quicker = func;
	bed->quicker_data = data;
}

void bed_set_guests_away(Bed *bed, bool is_away)
{
	disturb(bed);
	bed->guests_are_away = is_away;
	fake_guest_set_away(bed->guest, is_away);
}

void bed_shift_wall(Bed *bed, int64_t us)
{
	/* What ends by the wall clock ends that much later. */
	int64_t now = bed->clock->ops->now(bed->clock);
	bed->disturbed_at = MAX(bed->disturbed_at, now) + ABS(us);
	fake_clock_set_wall(bed->clock, bed->clock->ops->wall(bed->clock) + us);
}

void bed_expect(Bed *bed, UsherOperation *operation)
{
	/* What needs no step ends at once, and is not kept. */
	if (operation != NULL && !usher_operation_state_is_end(operation->state))
		witness_expect(bed->witness, operation->id);
	usher_operation_free(operation);
}

void bed_heal(Bed *bed)
{
	disturb(bed);
	bed->faults.at = 0;
	bed->faults.only = bed->faults.always = NULL;
	bed->quicker = NULL;
	bed_lose_exchanges(bed, 0);
	bed_lose_events(bed, 0);
	/* What was not told so far is not told now. */
	if (bed->guests_are_away)
		bed_set_guests_away(bed, false);
}

/* ---- what goes well ---- */

static void await(Bed *bed, UsherOperation *operation, const char *vm, UsherGuestState state)
{
	g_assert_nonnull(operation);
	usher_operation_free(operation);
	bed_run(bed, 5 * G_TIME_SPAN_SECOND);
	g_assert_cmpint(fake_guest_info(bed->guest, vm)->state, ==, state);
}

void bed_start_and_stop(Bed *bed, const char *vm)
{
	const UsherAsk asked = { .actor = "bed", .expect = USHER_ANY_REVISION };
	await(bed, usher_cluster_vm_start(bed->cluster, &asked, vm, false, NULL), vm,
		USHER_GUEST_RUNNING);
	await(bed, usher_cluster_vm_stop(bed->cluster, &asked, vm, true, 0, NULL), vm,
		USHER_GUEST_SHUT_OFF);
}

/* ---- telling ---- */

void bed_note(Bed *bed, const char *format, ...)
{
	if (bed->notes->len == N_NOTES)
		g_ptr_array_remove_index(bed->notes, 0);
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	usher_log(USHER_LOG_NOTICE, NULL, "**** %s", text);
	double seconds = (double) bed->clock->ops->now(bed->clock) / G_USEC_PER_SEC;
	g_ptr_array_add(bed->notes, g_strdup_printf("%12.6f %s", seconds, text));
}

void bed_set_replay(Bed *bed, const char *command)
{
	g_free(bed->replay);
	bed->replay = g_strdup(command);
}

void bed_print_notes(Bed *bed)
{
	for (unsigned i = 0; i < bed->notes->len; i++)
		g_printerr("  %s\n", (const char *) bed->notes->pdata[i]);
	if (bed->replay != NULL)
		g_printerr("again: %s\n", bed->replay);
}

char *bed_print(Bed *bed)
{
	GString *text = g_string_new(NULL);
	g_autoptr(GPtrArray) addresses = fake_host_addresses(bed->host);
	UsherHost *host = fake_host_port(bed->host);
	for (unsigned i = 0; i < addresses->len; i++) {
		const char *address = addresses->pdata[i];
		const char *driver = fake_host_driver(bed->host, address);
		const char *override = fake_host_override(bed->host, address);
		const char *user = fake_host_user(bed->host, address);
		g_string_append_printf(text, "  %s driver %s override %s user %s%s\n", address,
			driver != NULL ? driver : "-", override != NULL ? override : "-",
			user != NULL ? user : "-",
			host->ops->in_flight(host, address) ? " in flight" : "");
	}
	g_autofree char *seen = witness_print(bed->witness);
	g_string_append(text, seen);
	return g_string_free(text, FALSE);
}

/* ---- the invariants ---- */

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

static bool has_writes_in_flight(Bed *bed)
{
	g_autoptr(GPtrArray) addresses = fake_host_addresses(bed->host);
	UsherHost *host = fake_host_port(bed->host);
	for (unsigned i = 0; i < addresses->len; i++) {
		if (host->ops->in_flight(host, addresses->pdata[i]))
			return true;
	}
	return false;
}

static void note_disturbance(Bed *bed)
{
	if (bed->lose_one_in > 0 || bed->event_one_in > 0 || bed->guests_are_away ||
		bed->faults.hit != NULL || has_writes_in_flight(bed))
		disturb(bed);
	bed->faults.hit = NULL;
}

/* While all is well, what has a deadline ends by it. */
static void check_deadlines(Bed *bed)
{
	const char *operation = NULL;
	int64_t deadline = witness_deadline(bed->witness, &operation);
	bool is_late = deadline != INT64_MAX &&
		bed->clock->ops->wall(bed->clock) > deadline + SLACK_US &&
		bed->clock->ops->now(bed->clock) > bed->disturbed_at + SLACK_US;
	if (is_late)
		violate(bed, "operation %s goes on after its deadline", operation);
}

static void check_idleness(Bed *bed)
{
	int64_t now = bed->clock->ops->now(bed->clock);
	if (now >= bed->busy_since + BUSY_US) {
		bed->busy_since = now;
		bed->n_events = 0;
	}
	if (++bed->n_events > BUSY_EVENTS)
		violate(bed, "%u events in ten seconds", bed->n_events);
}

void bed_check_always(Bed *bed)
{
	check_idleness(bed);
	note_disturbance(bed);
	const char *violation = witness_look(bed->witness);
	if (violation != NULL)
		violate(bed, "%s", violation);
	if (fake_journal_length(bed->journal) > MAX_JOURNAL)
		violate(bed, "the journal has %u lines", fake_journal_length(bed->journal));
	check_deadlines(bed);
}

void bed_check_at_rest(Bed *bed)
{
	bed_check_always(bed);
	if (bed->node == NULL || bed->cluster == NULL)
		violate(bed, "a process is not up");
	const char *violation = witness_look_at_rest(bed->witness);
	if (violation != NULL)
		violate(bed, "%s", violation);
}
