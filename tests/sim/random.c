/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random life: for each seed a bed to which a hundred random things are done, by people, by other
 * hands, by the machine and by bad luck. The invariants hold after each event. Then luck turns:
 * everything comes to rest, everything can be brought home, and everything can be started again.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "sim/bed.h"

#define SECOND    G_TIME_SPAN_SECOND
#define N_SEEDS   1000
#define N_ACTIONS 60 /* to 150 */
/* Longer than every deadline, session and retry, and what the wall clock was set. */
#define REST_US (1200 * SECOND)

typedef struct Run {
	Bed *bed;
	GRand *chance; /* its own: what is done does not depend on how it is taken */
	bool has_second;
} Run;

static struct {
	uint64_t from, n;
	bool verbose;
	const char *program;
} options = { .from = 1, .n = N_SEEDS };

/* For what is printed when it dies. */
static Run *current;

static const char *const vms[] = { "vm1", "vm2", "vm3" };
static const char *const uuids[] = {
	"11111111-1111-4111-8111-111111111111",
	"22222222-2222-4222-8222-222222222222",
	"33333333-3333-4333-8333-333333333333",
};
static const char *const groups[] = { "nics", "gpus", "keeps", "spares" };

typedef struct Hardware {
	const char *address, *ids, *native;
	int64_t iommu_group;
	const char *driver, *override; /* at home */
} Hardware;
static const Hardware hardware[] = {
	{ "0000:01:00.0", "8086:10d3:020000", "e1000e", 10, "e1000e", NULL },
	{ "0000:02:00.0", "8086:10c9:020000", "igb", 0, "igb", NULL },
	{ "0000:03:00.0", "1234:1111:030000", "bochs-drm", 12, "bochs-drm", NULL },
	{ "0000:03:00.1", "8086:2668:040300", "snd_hda_intel", 12, "snd_hda_intel", NULL },
	{ "0000:04:00.0", "8086:1533:020000", "igb", 13, "vfio-pci", "vfio-pci" },
};
/* What somebody plugs in where another device was. */
static const Hardware others[] = {
	{ "0000:01:00.0", "144d:a808:010802", "nvme", 10, "nvme", NULL },
	{ "0000:02:00.0", "10de:1eb8:030200", "nvidia", 0, "nvidia", NULL },
	{ "0000:03:00.0", "144d:a808:010802", "nvme", 12, "nvme", NULL },
	{ "0000:03:00.1", "10de:10f8:040300", "snd_hda_intel", 12, "snd_hda_intel", NULL },
	{ "0000:04:00.0", "144d:a808:010802", "nvme", 13, "nvme", NULL },
};
G_STATIC_ASSERT(G_N_ELEMENTS(hardware) == G_N_ELEMENTS(others));

static unsigned below(Run *run, unsigned n)
{
	return (unsigned) g_rand_int_range(run->chance, 0, (int32_t) n);
}

static bool one_in(Run *run, unsigned n)
{
	return below(run, n) == 0;
}

#define ANY(run, array) ((array)[below(run, G_N_ELEMENTS(array))])

/* NULL while the first is dead and there is no second. */
static UsherCluster *any_cluster(Run *run)
{
	return run->has_second && one_in(run, 3) ? bed_second_cluster(run->bed)
						 : bed_cluster(run->bed);
}

/* ---- what people ask for ---- */

static const UsherAsk asked = { .actor = "random", .expect = USHER_ANY_REVISION };

static void note_answer(Run *run, UsherOperation *operation, GError *error, const char *what)
{
	bed_note(run->bed, "%s: %s", what,
		operation != NULL       ? operation->id
			: error != NULL ? error->message
					: "");
	bed_expect(run->bed, operation);
	g_clear_error(&error);
}

static void ask_start(Run *run, UsherCluster *cluster)
{
	GError *error = NULL;
	const char *vm = ANY(run, vms);
	bool without_devices = one_in(run, 10);
	g_autofree char *what =
		g_strdup_printf("start %s%s", vm, without_devices ? " without devices" : "");
	note_answer(run, usher_cluster_vm_start(cluster, &asked, vm, without_devices, &error),
		error, what);
}

static void ask_stop(Run *run, UsherCluster *cluster)
{
	GError *error = NULL;
	const char *vm = ANY(run, vms);
	bool force = one_in(run, 3);
	int64_t timeout = (1 + below(run, 60)) * SECOND;
	g_autofree char *what = g_strdup_printf(
		"stop %s%s in %d s", vm, force ? " by force" : "", (int) (timeout / SECOND));
	note_answer(run, usher_cluster_vm_stop(cluster, &asked, vm, force, timeout, &error), error,
		what);
}

static void ask_attach(Run *run, UsherCluster *cluster)
{
	GError *error = NULL;
	const char *vm = ANY(run, vms);
	g_autoptr(UsherRequest) request = usher_request_new();
	request->group = g_strdup(ANY(run, groups));
	request->required = !one_in(run, 3);
	request->count = one_in(run, 6) ? 2 : 1;
	(void) usher_cluster_vm_attach(cluster, &asked, vm, request, &error);
	g_autofree char *what = g_strdup_printf("attach %d of %s to %s%s", (int) request->count,
		request->group, vm, request->required ? "" : ", optional");
	note_answer(run, NULL, error, what);
}

static void ask_detach(Run *run, UsherCluster *cluster)
{
	GError *error = NULL;
	const char *vm = ANY(run, vms), *group = ANY(run, groups);
	bool now = !one_in(run, 3);
	g_autofree char *what = g_strdup_printf("detach %s of %s%s", group, vm, now ? " now" : "");
	note_answer(run, usher_cluster_vm_detach(cluster, &asked, vm, group, NULL, now, &error),
		error, what);
}

static void ask_adopt(Run *run, UsherCluster *cluster)
{
	GError *error = NULL;
	const char *vm = ANY(run, vms);
	g_autofree char *what = g_strdup_printf("adopt %s", vm);
	note_answer(run, usher_cluster_vm_adopt(cluster, &asked, vm, NULL, &error), error, what);
}

static void ask_forget(Run *run, UsherCluster *cluster)
{
	GError *error = NULL;
	const char *vm = ANY(run, vms);
	g_autofree char *what = g_strdup_printf("forget %s", vm);
	note_answer(run, usher_cluster_vm_forget(cluster, &asked, vm, &error), error, what);
}

static void ask_cancel(Run *run, UsherCluster *cluster)
{
	const UsherOperation *open = witness_open_operation(bed_witness(run->bed), below(run, 3));
	if (open == NULL)
		return;
	GError *error = NULL;
	g_autofree char *what = g_strdup_printf("cancel %s", open->id);
	g_autofree char *id = g_strdup(open->id);
	note_answer(run, usher_cluster_operation_cancel(cluster, &asked, id, &error), error, what);
}

/* One that is held, when there is one. */
static const char *any_held(Run *run)
{
	unsigned first = below(run, G_N_ELEMENTS(hardware));
	for (unsigned i = 0; i < G_N_ELEMENTS(hardware); i++) {
		const char *address = hardware[(first + i) % G_N_ELEMENTS(hardware)].address;
		const UsherDevice *device = witness_device(bed_witness(run->bed), address);
		if (device != NULL && device->state == USHER_DEVICE_HELD && device->was != NULL)
			return address;
	}
	return hardware[first].address;
}

static void ask_device_return(Run *run, UsherCluster *cluster)
{
	GError *error = NULL;
	const char *address = any_held(run);
	g_autofree char *what = g_strdup_printf("return %s", address);
	note_answer(
		run, usher_cluster_device_return(cluster, &asked, address, &error), error, what);
}

static void put_group(UsherCluster *cluster, const char *name, UsherReturn give_back, bool enabled)
{
	g_autoptr(UsherGroup) group = usher_group_new();
	group->name = g_strdup(name);
	group->enabled = enabled;
	group->give_back = give_back;
	(void) usher_cluster_group_put(cluster, &asked, group, NULL);
}

static void ask_group(Run *run, UsherCluster *cluster)
{
	const char *name = ANY(run, groups);
	UsherReturn give_back = (UsherReturn) below(run, 3);
	bool enabled = !one_in(run, 5);
	bed_note(run->bed, "group %s: return %u%s", name, give_back, enabled ? "" : ", disabled");
	put_group(cluster, name, give_back, enabled);
}

typedef struct Question {
	unsigned weight;
	void (*ask)(Run *run, UsherCluster *cluster);
} Question;

static const Question questions[] = {
	{ 16, ask_start },
	{ 9, ask_stop },
	{ 6, ask_attach },
	{ 3, ask_detach },
	{ 2, ask_adopt },
	{ 1, ask_forget },
	{ 4, ask_cancel },
	{ 5, ask_device_return },
	{ 1, ask_group },
};

static void ask(Run *run, UsherCluster *cluster)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(questions); i++)
		sum += questions[i].weight;
	unsigned at = below(run, sum);
	for (unsigned i = 0; cluster != NULL; at -= questions[i++].weight) {
		if (at < questions[i].weight) {
			questions[i].ask(run, cluster);
			return;
		}
	}
}

static void ask_any(Run *run)
{
	ask(run, any_cluster(run));
}

/* ---- other hands ---- */

static void destroy_guest(Run *run)
{
	const char *vm = ANY(run, vms);
	bed_note(run->bed, "%s is destroyed", vm);
	fake_guest_destroy(bed_guest(run->bed), vm);
}

static void start_plainly(Run *run)
{
	const char *vm = ANY(run, vms);
	bed_note(run->bed, "%s is started by another hand", vm);
	fake_guest_start_plainly(bed_guest(run->bed), vm);
}

static void save_guest(Run *run)
{
	const char *vm = ANY(run, vms);
	bool drops = one_in(run, 2);
	bed_note(run->bed, "memory of %s is %s", vm, drops ? "dropped" : "saved");
	if (drops)
		fake_guest_drop_save(bed_guest(run->bed), vm);
	else
		fake_guest_save(bed_guest(run->bed), vm);
}

static void ignore_button(Run *run)
{
	const char *vm = ANY(run, vms);
	bool ignores = one_in(run, 2);
	bed_note(run->bed, "%s %s its button", vm, ignores ? "ignores" : "minds");
	fake_guest_ignore_button(bed_guest(run->bed), vm, ignores);
}

static void crash_guest(Run *run)
{
	const char *vm = ANY(run, vms);
	bed_note(run->bed, "%s crashes", vm);
	fake_guest_crash(bed_guest(run->bed), vm);
}

static void eject(Run *run)
{
	const char *address = ANY(run, hardware).address;
	bed_note(run->bed, "%s is ejected", address);
	fake_guest_eject(bed_guest(run->bed), address);
}

static void redefine_guest(Run *run)
{
	static const char *const clones[] = {
		"91111111-1111-4111-8111-111111111111",
		"92222222-2222-4222-8222-222222222222",
		"93333333-3333-4333-8333-333333333333",
	};
	unsigned i = below(run, G_N_ELEMENTS(vms));
	FakeGuest *guest = bed_guest(run->bed);
	if (fake_guest_info(guest, vms[i]) == NULL) {
		bool is_clone = one_in(run, 3);
		bed_note(run->bed, "%s%s is defined", is_clone ? "another " : "", vms[i]);
		fake_guest_define(guest, vms[i], is_clone ? clones[i] : uuids[i]);
	} else {
		bed_note(run->bed, "%s is undefined", vms[i]);
		fake_guest_undefine(guest, vms[i]);
	}
}

static void toggle_hypervisor(Run *run)
{
	bool is_away = one_in(run, 3);
	bed_note(run->bed, "the hypervisor is %s", is_away ? "away" : "there");
	bed_set_guests_away(run->bed, is_away);
}

static void plug(Run *run, const Hardware *what)
{
	FakeHost *host = bed_host(run->bed);
	bed_note(run->bed, "%s is plugged in: %s", what->address, what->ids);
	fake_host_add(host, what->address, what->ids, what->native, what->iommu_group);
	fake_host_set_home(host, what->address, what->driver, what->override);
}

static void unplug(Run *run, const char *address)
{
	bed_note(run->bed, "%s is unplugged", address);
	fake_guest_eject(bed_guest(run->bed), address);
	fake_host_remove(bed_host(run->bed), address);
}

static bool is_same_slot(const char *address, const char *other)
{
	return strncmp(address, other, strlen("0000:00:00.")) == 0;
}

/* A function may be taken out by itself, as sysfs' remove does; another card comes whole. */
static void replug(Run *run)
{
	unsigned which = below(run, G_N_ELEMENTS(hardware));
	FakeHost *host = bed_host(run->bed);
	if (fake_host_has(host, hardware[which].address)) {
		unplug(run, hardware[which].address);
		return;
	}
	bool is_other = one_in(run, 3);
	for (unsigned i = 0; i < G_N_ELEMENTS(hardware); i++) {
		if (!is_same_slot(hardware[i].address, hardware[which].address))
			continue;
		if (fake_host_has(host, hardware[i].address))
			unplug(run, hardware[i].address);
		plug(run, is_other ? &others[i] : &hardware[i]);
	}
}

/* ---- bad luck ---- */

static void arm_fault(Run *run)
{
	FakeFaults *faults = bed_faults(run->bed);
	faults->only = NULL;
	faults->at = faults->calls + 1 + below(run, 40);
	faults->fault = (FakeFault) below(run, FAKE_N_FAULTS);
	bed_note(run->bed, "fault: %s at call %" G_GUINT64_FORMAT, fake_fault_names[faults->fault],
		faults->at);
}

static const char *const port_calls[] = { "host.apply", "host.apply", "host.apply", "host.look",
	"guest.list", "guest.start", "guest.ask_off", "guest.power_off", "guest.mark",
	"guest.unplug", "journal.append", "journal.replace", "journal.read", "store.commit",
	"store.list", "store.changes", "control.exchange" };

static void arm_named_fault(Run *run)
{
	FakeFaults *faults = bed_faults(run->bed);
	faults->at = 0;
	faults->only = ANY(run, port_calls);
	faults->fault = one_in(run, 3) ? FAKE_FAULT_HANG : (FakeFault) below(run, FAKE_N_FAULTS);
	bed_note(run->bed, "fault: %s at the next %s", fake_fault_names[faults->fault],
		faults->only);
}

static void toggle_broken(Run *run)
{
	FakeFaults *faults = bed_faults(run->bed);
	faults->always = faults->always == NULL ? ANY(run, port_calls) : NULL;
	bed_note(run->bed, "%s", faults->always != NULL ? faults->always : "all ports work");
}

static void kill_node(Run *run)
{
	bed_note(run->bed, "the agent dies");
	bed_kill_node(run->bed);
}

static void kill_control(Run *run)
{
	bed_note(run->bed, "usherd dies");
	bed_kill_control(run->bed);
}

static void cut_power(Run *run)
{
	bed_note(run->bed, "power cut");
	bed_cut_power(run->bed);
}

static void lose_exchanges(Run *run)
{
	static const unsigned rates[] = { 0, 0, 0, 3, 10 };
	unsigned rate = ANY(run, rates);
	bed_note(run->bed, "exchanges are lost: one in %u", rate);
	bed_lose_exchanges(run->bed, rate);
}

static void lose_events(Run *run)
{
	static const unsigned rates[] = { 0, 0, 0, 2, 10 };
	unsigned rate = ANY(run, rates);
	bed_note(run->bed, "events are lost: one in %u", rate);
	bed_lose_events(run->bed, rate);
}

static void shift_wall(Run *run)
{
	int64_t seconds = (int64_t) below(run, 240) - 120;
	bed_note(run->bed, "the wall clock is set by %d s", (int) seconds);
	bed_shift_wall(run->bed, seconds * SECOND);
}

typedef struct Action {
	unsigned weight;
	void (*act)(Run *run);
} Action;

static const Action actions[] = {
	{ 60, ask_any },
	{ 4, destroy_guest },
	{ 3, start_plainly },
	{ 2, save_guest },
	{ 2, ignore_button },
	{ 1, crash_guest },
	{ 2, eject },
	{ 1, redefine_guest },
	{ 3, toggle_hypervisor },
	{ 3, replug },
	{ 8, arm_fault },
	{ 6, arm_named_fault },
	{ 3, toggle_broken },
	{ 3, kill_node },
	{ 3, kill_control },
	{ 1, cut_power },
	{ 2, lose_exchanges },
	{ 2, lose_events },
	{ 1, shift_wall },
};

static void act(Run *run)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++)
		sum += actions[i].weight;
	unsigned at = below(run, sum), i = 0;
	while (at >= actions[i].weight)
		at -= actions[i++].weight;
	actions[i].act(run);
}

/* The other controller is quicker, now and then. */
static void be_quicker(UsherCluster *other, void *data)
{
	Run *run = data;
	if (!one_in(run, 8))
		return;
	bed_note(run->bed, "the other controller is quicker:");
	ask(run, other);
}

static void pass_time(Run *run)
{
	unsigned kind = below(run, 10);
	if (kind < 6) {
		for (unsigned n = below(run, 15); n > 0; n--)
			bed_step(run->bed, /* by_chance */ true);
	} else if (kind < 9) {
		bed_run_any(run->bed, below(run, 3000) * G_TIME_SPAN_MILLISECOND);
	} else {
		bed_run_any(run->bed, below(run, 100) * SECOND);
	}
}

/* ---- when luck turns ---- */

static void rest(Run *run)
{
	bed_run(run->bed, REST_US);
	bed_check_at_rest(run->bed);
}

static void make_whole(Run *run)
{
	FakeHost *host = bed_host(run->bed);
	FakeGuest *guest = bed_guest(run->bed);
	bed_note(run->bed, "luck turns");
	bed_heal(run->bed);
	for (unsigned i = 0; i < G_N_ELEMENTS(hardware); i++) {
		if (!fake_host_has(host, hardware[i].address))
			plug(run, &hardware[i]);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(vms); i++) {
		if (fake_guest_info(guest, vms[i]) == NULL)
			fake_guest_define(guest, vms[i], uuids[i]);
		fake_guest_ignore_button(guest, vms[i], false);
		fake_guest_drop_save(guest, vms[i]);
	}
}

/* Ends as it should: aborts when it does not. */
static void expect_done(Run *run, UsherOperation *operation, GError *error, const char *what)
{
	bed_note(run->bed, "%s: %s", what, operation != NULL ? operation->id : error->message);
	g_assert_no_error(error);
	g_autofree char *id = g_strdup(operation->id);
	bool is_done = operation->state == USHER_OPERATION_DONE;
	bed_expect(run->bed, operation);
	bed_run(run->bed, 60 * SECOND);
	const UsherOperation *ended = witness_operation(bed_witness(run->bed), id);
	g_assert_true(is_done || ended != NULL);
	if (!is_done && ended->state != USHER_OPERATION_DONE)
		g_error("%s is %s: %s", what, usher_operation_state_name(ended->state),
			ended->error != NULL ? ended->error->message : "");
}

/* What is held goes back to what it was, all of it. */
static void return_held(Run *run)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(hardware); i++) {
		const char *address = hardware[i].address;
		const UsherDevice *device = witness_device(bed_witness(run->bed), address);
		if (device->state != USHER_DEVICE_HELD || device->was == NULL)
			continue;
		GError *error = NULL;
		g_autofree char *what = g_strdup_printf("return %s", address);
		expect_done(run,
			usher_cluster_device_return(bed_cluster(run->bed), &asked, address, &error),
			error, what);
		g_assert_true(fake_host_is_home(bed_host(run->bed), address));
	}
}

static void stop_all(Run *run)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(vms); i++) {
		const UsherGuestInfo *guest = fake_guest_info(bed_guest(run->bed), vms[i]);
		if (guest->state == USHER_GUEST_SHUT_OFF)
			continue;
		g_autofree char *what = g_strdup_printf("force %s off", vms[i]);
		GError *error = NULL;
		UsherOperation *operation = usher_cluster_vm_stop(
			bed_cluster(run->bed), &asked, vms[i], true, 0, &error);
		if (g_error_matches(error, USHER_ERROR, USHER_ERROR_NOT_FOUND))
			fake_guest_destroy(bed_guest(run->bed), vms[i]);
		else
			expect_done(run, operation, error, what);
		g_clear_error(&error);
	}
}

static void start_afresh(Run *run, const char *vm, const char *group)
{
	UsherCluster *cluster = bed_cluster(run->bed);
	GError *error = NULL;
	UsherOperation *forgotten = usher_cluster_vm_forget(cluster, &asked, vm, &error);
	if (g_error_matches(error, USHER_ERROR, USHER_ERROR_NOT_FOUND))
		g_clear_error(&error);
	else
		expect_done(run, forgotten, error, "forget");
	expect_done(run, usher_cluster_vm_adopt(cluster, &asked, vm, NULL, &error), error, "adopt");
	g_autoptr(UsherRequest) request = usher_request_new();
	request->group = g_strdup(group);
	request->required = true;
	(void) usher_cluster_vm_attach(cluster, &asked, vm, request, &error);
	g_assert_no_error(error);
	expect_done(
		run, usher_cluster_vm_start(cluster, &asked, vm, false, &error), error, "start");
	g_assert_cmpuint(fake_guest_info(bed_guest(run->bed), vm)->leases->len, ==, 1);
}

/* Nothing is leaked: all that there is can be given again. */
static void begin_again(Run *run)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(hardware); i++) {
		unplug(run, hardware[i].address);
		plug(run, &hardware[i]);
	}
	bed_note(run->bed, "a last power cut");
	bed_cut_power(run->bed);
	rest(run);
	for (unsigned i = 0; i < G_N_ELEMENTS(hardware); i++) {
		const char *address = hardware[i].address;
		g_assert_true(fake_host_is_home(bed_host(run->bed), address));
		g_assert_false(witness_is_barred(bed_witness(run->bed), address));
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
		put_group(bed_cluster(run->bed), groups[i], USHER_RETURN_HOST, true);
	for (unsigned i = 0; i < G_N_ELEMENTS(vms); i++) {
		FakeGuest *guest = bed_guest(run->bed);
		if (strcmp(fake_guest_info(guest, vms[i])->uuid, uuids[i]) != 0) {
			fake_guest_undefine(guest, vms[i]);
			fake_guest_define(guest, vms[i], uuids[i]);
		}
	}
	bed_run(run->bed, 10 * SECOND);
	start_afresh(run, "vm1", "nics");
	start_afresh(run, "vm2", "gpus");
	start_afresh(run, "vm3", one_in(run, 2) ? "keeps" : "spares");
	bed_check_at_rest(run->bed);
}

/* ---- seeds ---- */

static void run_seed(uint64_t seed, WitnessCounts counts)
{
	Run run = { .bed = bed_new(seed) };
	run.chance = g_rand_new_with_seed((uint32_t) seed);
	run.has_second = one_in(&run, 2);
	g_autofree char *replay =
		g_strdup_printf("%s --seed %" G_GUINT64_FORMAT, options.program, seed);
	bed_set_replay(run.bed, replay);
	current = &run;
	for (unsigned n = below(&run, 4); n > 0; n--)
		ask_attach(&run, bed_cluster(run.bed));
	if (run.has_second)
		bed_interleave(run.bed, be_quicker, &run);
	for (unsigned n = N_ACTIONS + below(&run, 91); n > 0; n--) {
		act(&run);
		pass_time(&run);
	}
	make_whole(&run);
	rest(&run);
	witness_count(bed_witness(run.bed), counts);
	return_held(&run);
	stop_all(&run);
	rest(&run);
	return_held(&run);
	begin_again(&run);
	current = NULL;
	g_rand_free(run.chance);
	bed_free(run.bed);
}

/* What the seeds came to: they are worth little when most is refused. */
static void print_counts(WitnessCounts counts)
{
	for (unsigned kind = 0; kind < USHER_N_KINDS; kind++) {
		g_autoptr(GString) line = g_string_new(usher_operation_kind_names[kind]);
		for (unsigned state = 0; state < USHER_OPERATION_N_STATES; state++) {
			if (counts[kind][state] > 0)
				g_string_append_printf(line, ", %u %s", counts[kind][state],
					usher_operation_state_name((UsherOperationState) state));
		}
		g_test_message("%s", line->str);
	}
}

static void run_seeds(void)
{
	WitnessCounts counts = { { 0 } };
	int64_t begin = g_get_monotonic_time();
	for (uint64_t i = 0; i < options.n; i++)
		run_seed(options.from + i, counts);
	print_counts(counts);
	double seconds = (double) (g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
	g_test_message("%" G_GUINT64_FORMAT " seeds in %.1f s: %.0f a second", options.n, seconds,
		(double) options.n / seconds);
}

/* Whatever it dies of: what was done, and how to do it again. */
static void die(int signal)
{
	(void) raise(signal); /* the handler is gone by then */
	if (current != NULL)
		bed_print_notes(current->bed);
}

/* Takes our options out of the arguments; g_test knows the others. */
static void read_options(int *argc, char **argv)
{
	int n = 1;
	options.program = argv[0];
	for (int i = 1; i < *argc; i++) {
		const char *value = i + 1 < *argc ? argv[i + 1] : NULL;
		uint64_t number = value != NULL ? g_ascii_strtoull(value, NULL, 10) : 0;
		if (strcmp(argv[i], "--verbose") == 0) {
			options.verbose = true;
		} else if (value != NULL && strcmp(argv[i], "--seeds") == 0) {
			options.n = number;
			i++;
		} else if (value != NULL && strcmp(argv[i], "--from") == 0) {
			options.from = number;
			i++;
		} else if (value != NULL && strcmp(argv[i], "--seed") == 0) {
			options.from = number;
			options.n = 1;
			i++;
		} else {
			argv[n++] = argv[i];
		}
	}
	*argc = n;
	argv[n] = NULL;
}

int main(int argc, char **argv)
{
	read_options(&argc, argv);
	usher_log_init("sim", options.verbose ? USHER_LOG_DEBUG : (UsherLogLevel) 0);
	struct sigaction action = { .sa_handler = die, .sa_flags = (int) SA_RESETHAND };
	(void) sigaction(SIGABRT, &action, NULL);
	(void) sigaction(SIGTRAP, &action, NULL);
	(void) sigaction(SIGSEGV, &action, NULL);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/random/seeds", run_seeds);
	return g_test_run();
}
