/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every k-th call fails: each scenario is run with the first port call going wrong, then with the
 * second, until there is none left; each time with each kind of fault. After each run everything
 * has come to rest, and the invariants hold.
 */
#include <string.h>

#include "sim/bed.h"

/* Longer than every deadline, session and retry. */
#define REST_US (700 * G_TIME_SPAN_SECOND)

static const UsherAsk asked = { .actor = "test", .expect = USHER_ANY_REVISION };

static void start(Bed *bed, const char *vm)
{
	if (bed_cluster(bed) != NULL)
		usher_operation_free(
			usher_cluster_vm_start(bed_cluster(bed), &asked, vm, false, NULL));
}

static void stop(Bed *bed, const char *vm)
{
	if (bed_cluster(bed) != NULL)
		usher_operation_free(usher_cluster_vm_stop(
			bed_cluster(bed), &asked, vm, false, 60 * G_TIME_SPAN_SECOND, NULL));
}

static void run_start(Bed *bed)
{
	start(bed, "vm1");
}

static void run_start_with_companion(Bed *bed)
{
	start(bed, "vm2");
}

static void prepare_running(Bed *bed)
{
	start(bed, "vm1");
	bed_run(bed, 10 * G_TIME_SPAN_SECOND);
	g_assert_cmpuint(fake_guest_info(bed_guest(bed), "vm1")->state, ==, USHER_GUEST_RUNNING);
}

static void prepare_running_with_companion(Bed *bed)
{
	start(bed, "vm2");
	bed_run(bed, 10 * G_TIME_SPAN_SECOND);
	g_assert_cmpuint(fake_guest_info(bed_guest(bed), "vm2")->state, ==, USHER_GUEST_RUNNING);
}

static void run_stop(Bed *bed)
{
	stop(bed, "vm1");
}

static void run_force_off(Bed *bed)
{
	if (bed_cluster(bed) != NULL)
		usher_operation_free(usher_cluster_vm_stop(
			bed_cluster(bed), &asked, "vm2", /* force */ true, 0, NULL));
}

static void run_destroy(Bed *bed)
{
	fake_guest_destroy(bed_guest(bed), "vm1");
}

static void run_destroy_with_companion(Bed *bed)
{
	fake_guest_destroy(bed_guest(bed), "vm2");
}

static void run_detach(Bed *bed)
{
	if (bed_cluster(bed) != NULL)
		usher_operation_free(
			usher_cluster_vm_detach(bed_cluster(bed), &asked, "vm1", "nics", NULL,
				/* now */ true, NULL));
}

static void prepare_unadopted(Bed *bed)
{
	usher_operation_free(usher_cluster_vm_forget(bed_cluster(bed), &asked, "vm3", NULL));
	bed_run(bed, 10 * G_TIME_SPAN_SECOND);
}

static void run_adopt(Bed *bed)
{
	if (bed_cluster(bed) != NULL)
		usher_operation_free(
			usher_cluster_vm_adopt(bed_cluster(bed), &asked, "vm3", NULL, NULL));
}

static void prepare_nothing(Bed *bed)
{
	(void) bed;
}

typedef struct Scenario {
	const char *name;
	void (*prepare)(Bed *bed);
	void (*run)(Bed *bed);
} Scenario;

static const Scenario scenarios[] = {
	{ "start", prepare_nothing, run_start },
	{ "start-with-companion", prepare_nothing, run_start_with_companion },
	{ "stop", prepare_running, run_stop },
	{ "force-off", prepare_running_with_companion, run_force_off },
	{ "destroyed", prepare_running, run_destroy },
	{ "destroyed-with-companion", prepare_running_with_companion, run_destroy_with_companion },
	{ "detach", prepare_running, run_detach },
	{ "adopt", prepare_unadopted, run_adopt },
};

/* The number of calls that the scenario makes, the fault among them. */
static uint64_t run_once(const Scenario *scenario, FakeFault fault, uint64_t at)
{
	g_autoptr(Bed) bed = bed_new(1);
	scenario->prepare(bed);
	FakeFaults *faults = bed_faults(bed);
	faults->calls = 0;
	faults->fault = fault;
	faults->at = at;
	scenario->run(bed);
	/* What a person sees who asks again when it was refused. */
	bed_run(bed, 60 * G_TIME_SPAN_SECOND);
	uint64_t calls = faults->calls;
	faults->at = 0;
	bed_run(bed, REST_US);
	bed_check_at_rest(bed);
	return calls;
}

static void run_scenario(const void *data)
{
	const Scenario *scenario = data;
	uint64_t runs = 0, last = 0;
	for (unsigned fault = 0; fault < FAKE_N_FAULTS; fault++) {
		for (uint64_t at = 1;; at++, runs++) {
			g_test_message("replay: call %" G_GUINT64_FORMAT ", %s", at,
				fake_fault_names[fault]);
			last = run_once(scenario, (FakeFault) fault, at);
			if (last < at)
				break;
		}
	}
	g_test_message("%s: %" G_GUINT64_FORMAT " port calls, %" G_GUINT64_FORMAT " runs",
		scenario->name, last, runs);
}

static void count_calls(void)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(scenarios); i++)
		total += run_once(&scenarios[i], FAKE_FAULT_ERROR, 0);
	g_test_message("%" G_GUINT64_FORMAT " port calls in %zu scenarios", total,
		G_N_ELEMENTS(scenarios));
	g_assert_cmpuint(total, >=, 40);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/every-call/count", count_calls);
	for (unsigned i = 0; i < G_N_ELEMENTS(scenarios); i++) {
		g_autofree char *path = g_strconcat("/every-call/", scenarios[i].name, NULL);
		g_test_add_data_func(path, &scenarios[i], run_scenario);
	}
	return g_test_run();
}
