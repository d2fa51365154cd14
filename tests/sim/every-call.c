/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every k-th call fails: each scenario is run with the first port call going wrong, then with the
 * second, until there is none left; each time with each kind of fault. After each run everything
 * has come to rest, and the invariants hold. Without a fault it comes out as expected.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "sim/bed.h"

#define SECOND G_TIME_SPAN_SECOND
/* Longer than every deadline, session and retry. */
#define REST_US (700 * SECOND)

static const UsherAsk asked = { .actor = "test", .expect = USHER_ANY_REVISION };

/* ---- asking; usherd may be dead, and everything may be refused ---- */

static void start(Bed *bed, const char *vm)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(bed, usher_cluster_vm_start(bed_cluster(bed), &asked, vm, false, NULL));
}

static void stop(Bed *bed, const char *vm, int64_t timeout)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(bed,
			usher_cluster_vm_stop(bed_cluster(bed), &asked, vm, false, timeout, NULL));
}

static void force_off(Bed *bed, const char *vm)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(bed, usher_cluster_vm_stop(bed_cluster(bed), &asked, vm, true, 0, NULL));
}

static void detach(Bed *bed, const char *vm, const char *group, bool now)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(bed,
			usher_cluster_vm_detach(
				bed_cluster(bed), &asked, vm, group, NULL, now, NULL));
}

static void examine(Bed *bed)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(bed,
			usher_cluster_guest_examine(bed_cluster(bed), &asked, "vm3", NULL, NULL));
}

static void return_device(Bed *bed, const char *address)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(
			bed, usher_cluster_device_return(bed_cluster(bed), &asked, address, NULL));
}

static void cancel_all(Bed *bed)
{
	const UsherOperation *open = witness_open_operation(bed_witness(bed), 0);
	g_autofree char *id = open != NULL ? g_strdup(open->id) : NULL;
	if (bed_cluster(bed) != NULL && id != NULL)
		usher_operation_free(
			usher_cluster_operation_cancel(bed_cluster(bed), &asked, id, NULL));
}

static void attach(Bed *bed, const char *vm, const char *group)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherRequest) request = usher_request_new();
	request->group = g_strdup(group);
	request->required = true;
	(void) usher_cluster_vm_attach(bed_cluster(bed), &asked, vm, request, &error);
	g_assert_no_error(error);
}

/* ---- what is there ---- */

static bool has(Bed *bed, const char *vm, const char *address)
{
	const UsherGuestInfo *guest = fake_guest_info(bed_guest(bed), vm);
	return guest->state == USHER_GUEST_RUNNING &&
		g_ptr_array_find_with_equal_func(guest->hostdevs, address, g_str_equal, NULL);
}

static bool is_off(Bed *bed, const char *vm)
{
	return fake_guest_info(bed_guest(bed), vm)->state == USHER_GUEST_SHUT_OFF;
}

static bool is_home(Bed *bed, const char *address)
{
	const UsherDevice *device = witness_device(bed_witness(bed), address);
	return device->state == USHER_DEVICE_HOST && fake_host_is_home(bed_host(bed), address);
}

static bool is_held(Bed *bed, const char *address)
{
	const UsherDevice *device = witness_device(bed_witness(bed), address);
	return device->state == USHER_DEVICE_HELD && !fake_host_is_home(bed_host(bed), address);
}

static void settle(Bed *bed)
{
	bed_run(bed, 20 * SECOND);
}

/* ---- a start, a stop ---- */

static void prepare_nothing(Bed *bed)
{
	(void) bed;
}

static void start_vm1(Bed *bed)
{
	start(bed, "vm1");
}

static void expect_vm1_runs(Bed *bed)
{
	g_assert_true(has(bed, "vm1", "0000:01:00.0"));
}

static void start_vm2(Bed *bed)
{
	start(bed, "vm2");
}

static void expect_vm2_runs(Bed *bed)
{
	g_assert_true(has(bed, "vm2", "0000:03:00.0"));
	g_assert_true(has(bed, "vm2", "0000:03:00.1"));
}

static void prepare_vm1_runs(Bed *bed)
{
	start(bed, "vm1");
	settle(bed);
	expect_vm1_runs(bed);
}

static void prepare_vm2_runs(Bed *bed)
{
	start(bed, "vm2");
	settle(bed);
	expect_vm2_runs(bed);
}

static void stop_vm1(Bed *bed)
{
	stop(bed, "vm1", 60 * SECOND);
}

static void expect_vm1_off(Bed *bed)
{
	g_assert_true(is_off(bed, "vm1"));
	g_assert_true(is_home(bed, "0000:01:00.0"));
}

static void force_vm2_off(Bed *bed)
{
	force_off(bed, "vm2");
}

static void expect_vm2_off(Bed *bed)
{
	g_assert_true(is_off(bed, "vm2"));
	g_assert_true(is_home(bed, "0000:03:00.0"));
	g_assert_true(is_home(bed, "0000:03:00.1"));
}

static void destroy_vm1(Bed *bed)
{
	fake_guest_destroy(bed_guest(bed), "vm1");
}

static void destroy_vm2(Bed *bed)
{
	fake_guest_destroy(bed_guest(bed), "vm2");
}

/* Nobody tells the node that the guest went off. */
static void destroy_vm1_silently(Bed *bed)
{
	bed_lose_events(bed, 1);
	fake_guest_destroy(bed_guest(bed), "vm1");
	bed_lose_events(bed, 0);
}

static void detach_vm1_now(Bed *bed)
{
	detach(bed, "vm1", "nics", /* now */ true);
}

static void expect_vm1_without_device(Bed *bed)
{
	g_assert_false(is_off(bed, "vm1"));
	g_assert_true(is_home(bed, "0000:01:00.0"));
}

static void prepare_deaf_vm1_runs(Bed *bed)
{
	prepare_vm1_runs(bed);
	fake_guest_ignore_button(bed_guest(bed), "vm1", true);
}

static void stop_vm1_shortly(Bed *bed)
{
	stop(bed, "vm1", 20 * SECOND);
}

static void crash_and_force_off(Bed *bed)
{
	fake_guest_crash(bed_guest(bed), "vm2");
	bed_run(bed, SECOND);
	stop(bed, "vm2", 20 * SECOND); /* can't be asked */
	settle(bed);
	force_off(bed, "vm2");
}

/* ---- taken in, forgotten ---- */

static void prepare_unadopted(Bed *bed)
{
	usher_operation_free(usher_cluster_vm_forget(bed_cluster(bed), &asked, "vm3", NULL));
	settle(bed);
}

static void adopt_vm3(Bed *bed)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(
			bed, usher_cluster_vm_adopt(bed_cluster(bed), &asked, "vm3", NULL, NULL));
}

static void expect_vm3_marked(Bed *bed)
{
	g_assert_cmpstr(fake_guest_info(bed_guest(bed), "vm3")->mark, ==, "vm3");
}

static void forget_vm3(Bed *bed)
{
	if (bed_cluster(bed) != NULL)
		bed_expect(bed, usher_cluster_vm_forget(bed_cluster(bed), &asked, "vm3", NULL));
}

static void expect_vm3_unmarked(Bed *bed)
{
	g_assert_null(fake_guest_info(bed_guest(bed), "vm3")->mark);
}

/* ---- several requests, one device for two ---- */

static void prepare_two_requests(Bed *bed)
{
	attach(bed, "vm1", "gpus");
}

static void expect_vm1_has_both(Bed *bed)
{
	expect_vm1_runs(bed);
	g_assert_true(has(bed, "vm1", "0000:03:00.0"));
}

/* What the second request wants is in another guest: the first gets nothing either. */
static void prepare_two_requests_one_met(Bed *bed)
{
	prepare_two_requests(bed);
	prepare_vm2_runs(bed);
}

static void expect_nothing_taken(Bed *bed)
{
	expect_vm1_off(bed);
	expect_vm2_runs(bed);
}

/* vm1 and vm3 want the same NIC, at the same moment. */
static void start_both(Bed *bed)
{
	start(bed, "vm1");
	start(bed, "vm3");
}

static void start_vm1_then_vm3(Bed *bed)
{
	start(bed, "vm1");
	settle(bed);
	start(bed, "vm3");
	settle(bed);
	stop(bed, "vm1", 60 * SECOND);
	settle(bed);
	start(bed, "vm3");
}

static void expect_vm3_runs(Bed *bed)
{
	g_assert_true(is_off(bed, "vm1"));
	g_assert_true(has(bed, "vm3", "0000:01:00.0"));
}

/* ---- devices that stay held ---- */

static void prepare_hold(Bed *bed)
{
	attach(bed, "vm1", "keeps");
	detach(bed, "vm1", "nics", /* now */ false);
	attach(bed, "vm3", "keeps");
	detach(bed, "vm3", "nics", /* now */ false);
	bed_run(bed, SECOND);
}

static void prepare_hold_runs(Bed *bed)
{
	prepare_hold(bed);
	start(bed, "vm1");
	settle(bed);
}

static void prepare_held(Bed *bed)
{
	prepare_hold_runs(bed);
	stop(bed, "vm1", 60 * SECOND);
	settle(bed);
	g_assert_true(is_held(bed, "0000:02:00.0"));
}

static void expect_vm1_has_kept(Bed *bed)
{
	g_assert_true(has(bed, "vm1", "0000:02:00.0"));
}

static void expect_held(Bed *bed)
{
	g_assert_true(is_off(bed, "vm1"));
	g_assert_true(is_held(bed, "0000:02:00.0"));
}

/* A second guest gets what is held, and another return brings home what it was at first. */
static void start_vm3_then_return(Bed *bed)
{
	start(bed, "vm3");
	settle(bed);
	force_off(bed, "vm3");
	settle(bed);
	return_device(bed, "0000:02:00.0");
}

static void return_held(Bed *bed)
{
	return_device(bed, "0000:02:00.0");
}

static void expect_returned(Bed *bed)
{
	g_assert_true(is_home(bed, "0000:02:00.0"));
}

/* The one excludes the other, whoever comes first. */
static void return_and_start(Bed *bed)
{
	return_device(bed, "0000:02:00.0");
	start(bed, "vm1");
	bed_run(bed, 4 * G_TIME_SPAN_MILLISECOND);
	start(bed, "vm1");
}

static void start_and_return(Bed *bed)
{
	start(bed, "vm1");
	return_device(bed, "0000:02:00.0");
}

static void return_and_cancel(Bed *bed)
{
	return_device(bed, "0000:02:00.0");
	bed_run(bed, 18 * G_TIME_SPAN_MILLISECOND);
	cancel_all(bed);
}

static void destroy_hold(Bed *bed)
{
	fake_guest_destroy(bed_guest(bed), "vm1");
}

/* ---- in the middle of a start ---- */

static void start_and_cancel(Bed *bed)
{
	start(bed, "vm2");
	bed_run(bed, 25 * G_TIME_SPAN_MILLISECOND);
	cancel_all(bed);
}

static void start_and_lose_hypervisor(Bed *bed)
{
	start(bed, "vm1");
	bed_run(bed, 12 * G_TIME_SPAN_MILLISECOND);
	bed_set_guests_away(bed, true);
	bed_run(bed, 40 * SECOND);
	bed_set_guests_away(bed, false);
}

static void start_and_cut_power(Bed *bed)
{
	start(bed, "vm2");
	bed_run(bed, 25 * G_TIME_SPAN_MILLISECOND);
	bed_cut_power(bed);
}

static void cut_power(Bed *bed)
{
	bed_cut_power(bed);
}

/* Somebody else's disk is where the NIC was. */
static void swap_nic(Bed *bed)
{
	fake_guest_eject(bed_guest(bed), "0000:01:00.0");
	fake_host_remove(bed_host(bed), "0000:01:00.0");
	fake_host_add(bed_host(bed), "0000:01:00.0", "144d:a808:010802", "nvme", 10);
}

static void start_and_swap(Bed *bed)
{
	start(bed, "vm1");
	swap_nic(bed);
}

static void swap_and_stop(Bed *bed)
{
	swap_nic(bed);
	bed_run(bed, SECOND);
	stop(bed, "vm1", 60 * SECOND);
}

static void swap_silently(Bed *bed)
{
	start(bed, "vm1");
	bed_lose_events(bed, 1);
	swap_nic(bed);
	bed_lose_events(bed, 0);
}

typedef struct Scenario {
	const char *name;
	void (*prepare)(Bed *bed);
	void (*run)(Bed *bed);
	void (*expect)(Bed *bed); /* how it comes out when nothing goes wrong */
} Scenario;

static const Scenario scenarios[] = {
	{ "start", prepare_nothing, start_vm1, expect_vm1_runs },
	{ "start-with-companion", prepare_nothing, start_vm2, expect_vm2_runs },
	{ "stop", prepare_vm1_runs, stop_vm1, expect_vm1_off },
	{ "stop-deaf", prepare_deaf_vm1_runs, stop_vm1_shortly, expect_vm1_runs },
	{ "force-off", prepare_vm2_runs, force_vm2_off, expect_vm2_off },
	{ "crashed", prepare_vm2_runs, crash_and_force_off, expect_vm2_off },
	{ "destroyed", prepare_vm1_runs, destroy_vm1, expect_vm1_off },
	{ "destroyed-silently", prepare_vm1_runs, destroy_vm1_silently, expect_vm1_off },
	{ "destroyed-with-companion", prepare_vm2_runs, destroy_vm2, expect_vm2_off },
	{ "detach", prepare_vm1_runs, detach_vm1_now, expect_vm1_without_device },
	{ "adopt", prepare_unadopted, adopt_vm3, expect_vm3_marked },
	{ "forget", prepare_nothing, forget_vm3, expect_vm3_unmarked },
	{ "examine", prepare_unadopted, examine, NULL },
	{ "two-requests", prepare_two_requests, start_vm1, expect_vm1_has_both },
	{ "two-requests-one-met", prepare_two_requests_one_met, start_vm1, expect_nothing_taken },
	{ "two-guests-one-device", prepare_nothing, start_both, expect_vm1_runs },
	{ "one-after-the-other", prepare_nothing, start_vm1_then_vm3, expect_vm3_runs },
	{ "start-hold", prepare_hold, start_vm1, expect_vm1_has_kept },
	{ "stop-hold", prepare_hold_runs, stop_vm1, expect_held },
	{ "destroyed-hold", prepare_hold_runs, destroy_hold, expect_held },
	{ "start-held", prepare_held, start_vm1, expect_vm1_has_kept },
	{ "held-for-another", prepare_held, start_vm3_then_return, expect_returned },
	{ "device-return", prepare_held, return_held, expect_returned },
	{ "return-and-start", prepare_held, return_and_start, expect_returned },
	{ "start-and-return", prepare_held, start_and_return, expect_vm1_has_kept },
	{ "return-and-cancel", prepare_held, return_and_cancel, NULL },
	{ "start-and-cancel", prepare_nothing, start_and_cancel, expect_vm2_off },
	{ "start-without-hypervisor", prepare_nothing, start_and_lose_hypervisor, NULL },
	{ "start-and-cut-power", prepare_nothing, start_and_cut_power, expect_vm2_off },
	{ "cut-power", prepare_vm1_runs, cut_power, expect_vm1_off },
	{ "start-and-swap", prepare_nothing, start_and_swap, expect_vm1_off },
	{ "start-and-swap-silently", prepare_nothing, swap_silently, expect_vm1_off },
	{ "swap-and-stop", prepare_vm1_runs, swap_and_stop, expect_vm1_off },
};

/* ---- running them ---- */

static uint64_t total_calls, total_runs;
/* --every N: not each call goes wrong in each way but each N-th, beginning one further on for each way. */
static uint64_t every = 1;

/* The number of calls that the scenario makes, the fault among them. */
static uint64_t run_once(const Scenario *scenario, FakeFault fault, uint64_t at)
{
	g_autoptr(Bed) bed = bed_new(1);
	g_autofree char *replay = g_strdup_printf(
		"%s, call %" G_GUINT64_FORMAT ": %s", scenario->name, at, fake_fault_names[fault]);
	bed_set_replay(bed, replay);
	scenario->prepare(bed);
	FakeFaults *faults = bed_faults(bed);
	faults->calls = 0;
	faults->fault = fault;
	faults->at = at;
	scenario->run(bed);
	/* What a person sees who asks again when it was refused. */
	bed_run(bed, 60 * SECOND);
	uint64_t calls = faults->calls;
	faults->at = 0;
	bed_run(bed, REST_US);
	bed_check_at_rest(bed);
	if (at == 0 && scenario->expect != NULL)
		scenario->expect(bed);
	total_runs++;
	return calls;
}

static void run_scenario(const void *data)
{
	const Scenario *scenario = data;
	total_calls += run_once(scenario, FAKE_FAULT_ERROR, 0);
	for (unsigned fault = 0; fault < FAKE_N_FAULTS; fault++) {
		uint64_t at = 1 + fault % every;
		while (run_once(scenario, (FakeFault) fault, at) >= at)
			at += every;
	}
}

int main(int argc, char **argv)
{
	bool is_verbose = argc > 1 && strcmp(argv[1], "--verbose") == 0;
	if (argc > 2 && strcmp(argv[1], "--every") == 0)
		every = MAX(g_ascii_strtoull(argv[2], NULL, 10), 1);
	usher_log_init("sim", is_verbose ? USHER_LOG_DEBUG : (UsherLogLevel) 0);
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(scenarios); i++) {
		g_autofree char *path = g_strconcat("/every-call/", scenarios[i].name, NULL);
		g_test_add_data_func(path, &scenarios[i], run_scenario);
	}
	int status = g_test_run();
	printf("# %" G_GUINT64_FORMAT " port calls in %zu scenarios, %" G_GUINT64_FORMAT " runs\n",
		total_calls, G_N_ELEMENTS(scenarios), total_runs);
	return status;
}
