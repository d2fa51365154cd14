/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done next: operation, guest and devices in one row, and what follows. */
#include "node/decide.h"

#include <string.h>

#include "base/text.h"
#include "unit/inventory-text.h"

#define UUID  "11111111-1111-4111-8111-111111111111"
#define UNTIL "2026-01-01T00:01:00Z"
#define NIC   "dev 0000:01:00.0 020000 group=1 vendor=8086 device=10d3 "
#define GPU   "dev 0000:03:00.0 030000 group=2 vendor=1234 device=1111 "
#define VFIO  "driver=vfio-pci override=vfio-pci\n"
#define HOME  NIC "driver=e1000e\n" GPU "driver=bochs\n"
#define TAKEN NIC VFIO GPU VFIO

#define TAKE \
	"load module vfio-pci\n" \
	"set driver_override of 0000:01:00.0 to vfio-pci\n" \
	"unbind 0000:01:00.0 from e1000e\n" \
	"bind 0000:01:00.0 to vfio-pci\n"
#define TAKE_GPU \
	"load module vfio-pci\n" \
	"set driver_override of 0000:03:00.0 to vfio-pci\n" \
	"unbind 0000:03:00.0 from bochs\n" \
	"bind 0000:03:00.0 to vfio-pci\n"
#define GIVE \
	"unbind 0000:01:00.0 from vfio-pci\n" \
	"clear driver_override of 0000:01:00.0\n" \
	"bind 0000:01:00.0 to e1000e"
#define GIVE_GPU \
	"unbind 0000:03:00.0 from vfio-pci\n" \
	"clear driver_override of 0000:03:00.0\n" \
	"bind 0000:03:00.0 to bochs\n"

typedef struct Row {
	const char *name;
	UsherOperationKind kind;
	const char *how;   /* flags of the situation; force, late, two (leases), none, hold */
	const char *guest; /* state, then the leases it has, saved, mark=…; "away", "unknown" */
	const char *world;
	const char *expected; /* the decision, then after ": " steps, what for or why */
} Row;

static const Row rows[] = {
	/* A start goes forward … */
	{ "start", USHER_KIND_VM_START, "", "off", HOME, "steps: " TAKE "start vm1" },
	{ "start-two", USHER_KIND_VM_START, "two", "off", HOME,
		"steps: " TAKE TAKE_GPU "start vm1" },
	{ "start-held", USHER_KIND_VM_START, "", "off", TAKEN, "steps: start vm1" },
	{ "start-without", USHER_KIND_VM_START, "none", "off", HOME, "steps: start vm1" },
	{ "start-away", USHER_KIND_VM_START, "", "away", HOME,
		"wait: the hypervisor does not answer" },
	{ "start-attached", USHER_KIND_VM_START, "touched", "running l-1", TAKEN, "done" },
	{ "start-two-attached", USHER_KIND_VM_START, "two touched", "running l-1 l-2", TAKEN,
		"done" },
	/* … as far as the guest, whatever another hand does then. */
	{ "start-ejected", USHER_KIND_VM_START, "two touched", "running l-2", TAKEN, "done" },
	{ "start-paused", USHER_KIND_VM_START, "touched", "paused l-1", TAKEN,
		"wait: vm1 does not run yet: it is paused" },
	{ "start-paused-later", USHER_KIND_VM_START, "touched started", "paused l-1", TAKEN,
		"done" },
	{ "start-crashed", USHER_KIND_VM_START, "touched", "crashed l-1", TAKEN, "done" },
	{ "start-without-running", USHER_KIND_VM_START, "none", "running", HOME, "done" },
	{ "start-resumed-attached", USHER_KIND_VM_START, "resumed touched", "running l-1", TAKEN,
		"done" },
	/* … or not at all. */
	{ "start-unknown", USHER_KIND_VM_START, "", "unknown", HOME,
		"fail: there is no domain 'vm1' with uuid " UUID },
	{ "start-running", USHER_KIND_VM_START, "", "running", HOME,
		"fail: started by another hand" },
	{ "start-had-crashed", USHER_KIND_VM_START, "", "crashed", HOME, "fail: --force first" },
	{ "start-saved", USHER_KIND_VM_START, "", "off saved", HOME, "fail: saved memory image" },
	{ "start-resumed", USHER_KIND_VM_START, "resumed", "off", HOME,
		"fail: stopped in the middle" },
	{ "start-went-off", USHER_KIND_VM_START, "started", "off", TAKEN,
		"fail: went off as soon as" },
	{ "start-gone", USHER_KIND_VM_START, "", "off", GPU "driver=bochs\n",
		"fail: there is no device 0000:01:00.0" },
	/* What is undone comes home; what has come to run stays. */
	{ "undo", USHER_KIND_VM_START, "undoing", "off", TAKEN, "steps: " GIVE },
	{ "undo-two", USHER_KIND_VM_START, "undoing two", "off", TAKEN, "steps: " GIVE_GPU GIVE },
	{ "undo-nothing", USHER_KIND_VM_START, "undoing", "off", HOME, "undone" },
	{ "undo-hold", USHER_KIND_VM_START, "undoing hold", "off", TAKEN, "undone" },
	{ "undo-gone", USHER_KIND_VM_START, "undoing", "off", "", "undone" },
	{ "undo-running", USHER_KIND_VM_START, "undoing touched", "running l-1", TAKEN, "done" },
	{ "undo-paused", USHER_KIND_VM_START, "undoing touched", "paused l-1", TAKEN,
		"steps: power off vm1" },
	{ "undo-paused-given-up", USHER_KIND_VM_START, "undoing touched given-up", "paused l-1",
		TAKEN, "undone" },
	{ "undo-paused-later", USHER_KIND_VM_START, "undoing touched started", "paused l-1", TAKEN,
		"done" },
	{ "undo-foreign", USHER_KIND_VM_START, "undoing", "running", TAKEN, "steps: " GIVE },
	{ "undo-without", USHER_KIND_VM_START, "undoing none", "running", HOME, "done" },
	{ "undo-without-off", USHER_KIND_VM_START, "undoing none", "off", HOME, "undone" },
	{ "undo-away", USHER_KIND_VM_START, "undoing", "away", TAKEN, "steps: " GIVE },
	{ "undo-away-touched", USHER_KIND_VM_START, "undoing touched", "away", TAKEN,
		"wait: the hypervisor does not answer whether" },
	{ "undo-unknown", USHER_KIND_VM_START, "undoing", "unknown", TAKEN, "steps: " GIVE },
	/* A stop asks once, waits, brings home. */
	{ "stop", USHER_KIND_VM_STOP, "", "running l-1", TAKEN,
		"steps: ask vm1 to power off\nwait until vm1 is off" },
	{ "stop-asked", USHER_KIND_VM_STOP, "asked", "running l-1", TAKEN,
		"wait: vm1 has been asked to power off" },
	{ "stop-paused", USHER_KIND_VM_STOP, "asked", "paused l-1", TAKEN,
		"wait: vm1 has been asked to power off" },
	{ "stop-late", USHER_KIND_VM_STOP, "asked late", "running l-1", TAKEN, "fail: it runs on" },
	{ "stop-late-off", USHER_KIND_VM_STOP, "asked late", "off", TAKEN, "steps: " GIVE },
	{ "stop-crashed", USHER_KIND_VM_STOP, "", "crashed l-1", TAKEN, "fail: --force" },
	{ "stop-off", USHER_KIND_VM_STOP, "", "off", TAKEN, "steps: " GIVE },
	{ "stop-home", USHER_KIND_VM_STOP, "", "off", HOME, "done" },
	{ "stop-hold", USHER_KIND_VM_STOP, "hold", "off", TAKEN, "done" },
	{ "stop-undefined", USHER_KIND_VM_STOP, "", "unknown", TAKEN, "steps: " GIVE },
	{ "stop-away", USHER_KIND_VM_STOP, "", "away", TAKEN,
		"wait: the hypervisor does not answer" },
	{ "stop-undone", USHER_KIND_VM_STOP, "asked undoing", "running l-1", TAKEN, "undone" },
	{ "stop-undone-away", USHER_KIND_VM_STOP, "asked undoing", "away", TAKEN, "undone" },
	{ "stop-undone-off", USHER_KIND_VM_STOP, "asked undoing", "off", TAKEN, "steps: " GIVE },
	{ "force", USHER_KIND_VM_STOP, "force", "running l-1", TAKEN, "steps: power off vm1" },
	{ "force-crashed", USHER_KIND_VM_STOP, "force", "crashed l-1", TAKEN,
		"steps: power off vm1" },
	{ "force-off", USHER_KIND_VM_STOP, "force", "off", TAKEN, "steps: " GIVE },
	{ "force-undone", USHER_KIND_VM_STOP, "force undoing", "running l-1", TAKEN, "undone" },
	/* The node's own returns only go forward. */
	{ "return", USHER_KIND_RETURN, "", "off", TAKEN, "steps: " GIVE },
	{ "return-of-running", USHER_KIND_RETURN, "two", "running l-1", TAKEN,
		"steps: unbind 0000:03:00.0 from vfio-pci\n"
		"clear driver_override of 0000:03:00.0\n"
		"bind 0000:03:00.0 to bochs" },
	{ "return-has-it-again", USHER_KIND_RETURN, "", "running l-1", TAKEN, "done" },
	{ "return-home", USHER_KIND_RETURN, "", "off", HOME, "done" },
	{ "return-undefined", USHER_KIND_RETURN, "", "unknown", TAKEN, "steps: " GIVE },
	{ "return-away", USHER_KIND_RETURN, "", "away", TAKEN,
		"wait: the hypervisor does not answer" },
	/* Marks. */
	{ "adopt", USHER_KIND_VM_ADOPT, "none", "off", "", "steps: write usher's mark into vm1" },
	{ "adopt-running", USHER_KIND_VM_ADOPT, "none", "running", "",
		"steps: write usher's mark into vm1" },
	{ "adopt-clone", USHER_KIND_VM_ADOPT, "none", "off mark=vm1 clone", "",
		"steps: write usher's mark into vm1" },
	{ "adopt-marked", USHER_KIND_VM_ADOPT, "none", "off mark=vm1", "", "done" },
	{ "adopt-unknown", USHER_KIND_VM_ADOPT, "none", "unknown", "", "fail: there is no domain" },
	{ "adopt-away", USHER_KIND_VM_ADOPT, "none", "away", "",
		"wait: the hypervisor does not answer" },
	{ "adopt-undone", USHER_KIND_VM_ADOPT, "none undoing", "off mark=vm1", "",
		"steps: remove usher's mark from vm1" },
	{ "adopt-undone-given-up", USHER_KIND_VM_ADOPT, "none undoing given-up", "off mark=vm1", "",
		"undone" },
	{ "adopt-undone-unmarked", USHER_KIND_VM_ADOPT, "none undoing", "off", "", "undone" },
	{ "adopt-undone-away", USHER_KIND_VM_ADOPT, "none undoing", "away", "", "undone" },
	{ "adopt-undone-unknown", USHER_KIND_VM_ADOPT, "none undoing", "unknown", "", "undone" },
	{ "forget", USHER_KIND_VM_FORGET, "none", "off mark=vm1", "",
		"steps: remove usher's mark from vm1" },
	{ "forget-unmarked", USHER_KIND_VM_FORGET, "none", "off", "", "done" },
	{ "forget-unknown", USHER_KIND_VM_FORGET, "none", "unknown", "", "done" },
	{ "forget-undone", USHER_KIND_VM_FORGET, "none undoing", "off", "",
		"steps: write usher's mark into vm1" },
	{ "forget-undone-marked", USHER_KIND_VM_FORGET, "none undoing", "off mark=vm1", "",
		"undone" },

	{ "examine", USHER_KIND_GUEST_EXAMINE, "none", "off", "",
		"steps: look at the definition of vm1" },
	{ "examine-running", USHER_KIND_GUEST_EXAMINE, "none", "running", "",
		"steps: look at the definition of vm1" },
	{ "examine-unknown", USHER_KIND_GUEST_EXAMINE, "none", "unknown", "",
		"fail: there is no domain 'vm1' with uuid " UUID },
	{ "examine-away", USHER_KIND_GUEST_EXAMINE, "none", "away", "",
		"wait: the hypervisor does not answer" },
	{ "examine-undone", USHER_KIND_GUEST_EXAMINE, "none undoing", "off", "", "undone" },
	/* Out of a running guest, then home. */
	{ "detach", USHER_KIND_VM_DETACH, "", "running l-1", TAKEN,
		"steps: take 0000:01:00.0 out of vm1" },
	{ "detach-both", USHER_KIND_VM_DETACH, "two", "running l-1 l-2", TAKEN,
		"steps: take 0000:01:00.0 out of vm1\ntake 0000:03:00.0 out of vm1" },
	{ "detach-out", USHER_KIND_VM_DETACH, "", "running", TAKEN, "steps: " GIVE },
	{ "detach-home", USHER_KIND_VM_DETACH, "", "running", HOME, "done" },
	{ "detach-away", USHER_KIND_VM_DETACH, "", "away", TAKEN,
		"wait: the hypervisor does not answer" },
	{ "detach-undone", USHER_KIND_VM_DETACH, "undoing", "running l-1", TAKEN, "undone" },
	{ "detach-undone-out", USHER_KIND_VM_DETACH, "undoing", "running", TAKEN, "steps: " GIVE },
	/* A held device goes home, or stays held: nowhere between. */
	{ "device-return", USHER_KIND_DEVICE_RETURN, "none", "away", TAKEN, "steps: " GIVE },
	{ "device-return-stuck", USHER_KIND_DEVICE_RETURN, "none", "off", NIC "override=vfio-pci\n",
		"steps: clear driver_override of 0000:01:00.0\nbind 0000:01:00.0 to e1000e" },
	{ "device-return-home", USHER_KIND_DEVICE_RETURN, "none", "off", HOME, "done" },
	{ "device-return-gone", USHER_KIND_DEVICE_RETURN, "none", "off", GPU "driver=bochs\n",
		"done" },
	{ "device-return-undone", USHER_KIND_DEVICE_RETURN, "none undoing", "off", TAKEN,
		"undone" },
	{ "device-return-undone-home", USHER_KIND_DEVICE_RETURN, "none undoing", "off", HOME,
		"undone" },
	{ "device-return-undone-stuck", USHER_KIND_DEVICE_RETURN, "none undoing", "off", NIC "\n",
		"steps: load module vfio-pci\n"
		"set driver_override of 0000:01:00.0 to vfio-pci\n"
		"bind 0000:01:00.0 to vfio-pci" },
	{ "device-return-given-up", USHER_KIND_DEVICE_RETURN, "none undoing given-up", "off",
		NIC "\n", "undone" },
};

static UsherLease *lease_of(const char *id, const char *address)
{
	UsherLease *lease = usher_lease_new();
	lease->id = g_strdup(id);
	lease->device = usher_device_ref_new();
	lease->device->id = g_strdup("d-1");
	lease->device->address = g_strdup(address);
	lease->uuid = g_strdup(UUID);
	return lease;
}

static GPtrArray *home_of(const char *address, const char *driver)
{
	GPtrArray *home = g_ptr_array_new_with_free_func(usher_was_type.free);
	UsherWas *was = usher_was_new();
	was->address = g_strdup(address);
	was->driver = g_strdup(driver);
	if (driver != NULL)
		g_ptr_array_add(home, was);
	else
		usher_was_free(was);
	return home;
}

static UsherGuestState state_of(const char *name)
{
	UsherGuestState state = USHER_GUEST_UNKNOWN;
	const char *wanted = strcmp(name, "off") == 0 ? "shut-off" : name;
	while (state < USHER_GUEST_N_STATES && strcmp(usher_guest_state_name(state), wanted) != 0)
		state++;
	g_assert(state < USHER_GUEST_N_STATES);
	return state;
}

/* NULL: the hypervisor does not answer. */
static GPtrArray *guests_of(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	if (strcmp(words[0], "away") == 0)
		return NULL;
	GPtrArray *guests = g_ptr_array_new_with_free_func(usher_guest_info_type.free);
	if (strcmp(words[0], "unknown") == 0)
		return guests;
	UsherGuestInfo *guest = usher_guest_info_new();
	guest->name = g_strdup("vm1");
	guest->uuid = g_strdup(UUID);
	guest->state = state_of(words[0]);
	guest->managed_save = g_strv_contains((const char *const *) words, "saved");
	for (unsigned i = 1; words[i] != NULL; i++) {
		if (g_str_has_prefix(words[i], "l-"))
			g_ptr_array_add(guest->leases, g_strdup(words[i]));
		if (g_str_has_prefix(words[i], "mark="))
			guest->mark = g_strdup(words[i] + strlen("mark="));
	}
	bool is_clone = g_strv_contains((const char *const *) words, "clone");
	guest->mark_uuid = guest->mark != NULL ? g_strdup(is_clone ? "another" : UUID) : NULL;
	g_ptr_array_add(guests, guest);
	return guests;
}

static char *describe(
	UsherDecision decision, const GPtrArray *steps, const char *wait, const GError *error)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < steps->len; i++)
		g_ptr_array_add(lines, usher_step_print(steps->pdata[i]));
	g_autofree char *text = usher_text_join_array(lines, "\n");
	switch (decision) {
	case USHER_DECIDE_STEPS:
		return g_strconcat("steps: ", text, NULL);
	case USHER_DECIDE_WAIT:
		return g_strconcat("wait: ", wait, NULL);
	case USHER_DECIDE_DONE:
		return g_strdup("done");
	case USHER_DECIDE_UNDONE:
		return g_strdup("undone");
	case USHER_DECIDE_FAIL:
		return g_strconcat("fail: ", error->message, NULL);
	}
	g_assert_not_reached();
}

/* All of it, but for sentences a part is enough. */
static void compare(const char *text, const char *expected)
{
	const char *colon = strchr(expected, ':');
	if (g_str_has_prefix(expected, "wait:") || g_str_has_prefix(expected, "fail:")) {
		g_assert_true(strncmp(text, expected, (size_t) (colon - expected)) == 0);
		if (strstr(text, colon + 2) == NULL)
			g_error("'%s' is not in '%s'", colon + 2, text);
	} else {
		g_assert_cmpstr(text, ==, expected);
	}
}

static void test_row(const void *data)
{
	const Row *row = data;
	g_auto(GStrv) words = g_strsplit(row->how, " ", -1);
	const char *const *how = (const char *const *) words;
	g_autoptr(UsherInventory) seen = inventory_of_text(row->world);
	g_autoptr(GPtrArray) guests = guests_of(row->guest);
	g_autoptr(UsherOperation) operation = usher_operation_new();
	operation->id = g_strdup("op-1");
	operation->kind = row->kind;
	operation->object = g_strdup("vm/vm1");
	g_autofree char *arguments = g_strdup_printf(
		"{\"uuid\":\"" UUID "\",\"force\":\"%s\",\"off_until\":\"" UNTIL "\","
		"\"address\":\"0000:01:00.0\",\"driver\":\"e1000e\",\"identity\":"
		"\"8086:10d3:020000\"}",
		g_strv_contains(how, "force") ? "yes" : "no");
	operation->arguments = usher_json_parse(arguments, strlen(arguments), NULL);

	bool is_hold = g_strv_contains(how, "hold");
	g_autoptr(UsherLease) nic = lease_of("l-1", "0000:01:00.0");
	g_autoptr(UsherLease) gpu = lease_of("l-2", "0000:03:00.0");
	g_autoptr(GPtrArray) nic_home = home_of("0000:01:00.0", is_hold ? NULL : "e1000e");
	g_autoptr(GPtrArray) gpu_home = home_of("0000:03:00.0", is_hold ? NULL : "bochs");
	const UsherCase cases[] = { { nic, nic_home }, { gpu, gpu_home } };
	UsherSituation situation = {
		.operation = operation,
		.seen = seen,
		.guests = guests,
		.cases = cases,
		.n_cases = g_strv_contains(how, "none") ? 0
			: g_strv_contains(how, "two")   ? 2
							: 1,
		.undoing = g_strv_contains(how, "undoing"),
		.given_up = g_strv_contains(how, "given-up"),
		.resumed = g_strv_contains(how, "resumed"),
		.guest_touched = g_strv_contains(how, "touched"),
		.guest_started = g_strv_contains(how, "started"),
		.guest_asked = g_strv_contains(how, "asked"),
	};
	for (unsigned i = 0; i < situation.n_cases; i++)
		g_ptr_array_add(operation->leases, g_strdup(cases[i].lease->id));
	bool is_read = usher_text_parse_time(UNTIL, &situation.now, NULL);
	g_assert_true(is_read);
	situation.now -= g_strv_contains(how, "late") ? 0 : 1;

	g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(usher_step_type.free);
	g_autofree char *wait = NULL;
	g_autoptr(GError) error = NULL;
	UsherDecision decision = usher_decide(&situation, steps, &wait, &error);
	g_assert_true((decision == USHER_DECIDE_FAIL) == (error != NULL));
	g_assert_true((decision == USHER_DECIDE_WAIT) == (wait != NULL));
	g_assert_true(decision != USHER_DECIDE_STEPS || steps->len > 0);
	g_autofree char *text = describe(decision, steps, wait, error);
	compare(text, row->expected);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/decide/", rows[i].name, NULL);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	return g_test_run();
}
