/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract-host [--real]: what a kernel does with a device on its way to a guest and home again,
 * step by step, held against the fake host or, as root in the lab machine, against the real one.
 * Beside its TAP it prints each step with what came of it: the two must not differ
 * (tests/vm/host-contract).
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "contract/host-bed.h"

#define ENOUGH_US (60 * G_TIME_SPAN_SECOND)
/* For a step that hangs: it has been given to the kernel by then. */
#define BRIEF_US (2 * G_TIME_SPAN_SECOND)
/* What is to come, comes within PATIENCE times a TICK. */
#define TICK_MS  100
#define PATIENCE 300

typedef enum {
	OVERRIDE, /* with: the text, NULL clears it */
	UNBIND,   /* with: the driver */
	BIND,     /* with: the driver */
	LOAD,     /* with: the module */
	OPEN,     /* with: the user */
	CLOSE,
	SET_VFS, /* with: how many */
	PLUG,
	UNPLUG,
	RESCAN,
} Action;

enum {
	TELLS = 1, /* the watcher hears of it */
	HANGS = 2,
};

typedef struct Row {
	Action action;
	const char *at; /* the device, and whose driver and override are shown after it */
	const char *with;
	const char *want; /* what it answers; driver, override */
	unsigned flags;
	const char *ids; /* who is meant to be there, NULL: who is */
} Row;

/* An attribute is written in one page, newline and end included
 * (drivers/base/driver.c, driver_set_override). */
static char longest[4094], too_long[4095];

static const Row rows[] = {
	/* ---- driver_override is a text ---- */
	{ OVERRIDE, NIC, VFIO, "ok; e1000e vfio-pci" },
	{ OVERRIDE, NIC, VFIO, "ok; e1000e vfio-pci" },
	{ OVERRIDE, NIC, longest, "ok; e1000e (4093 letters)" },
	{ OVERRIDE, NIC, too_long, "host EINVAL; e1000e (4093 letters)" },
	{ OVERRIDE, NIC, "no-such-driver", "ok; e1000e no-such-driver" },
	{ OVERRIDE, NIC, "a/b", "invalid; e1000e no-such-driver" },
	{ OVERRIDE, NIC, "", "invalid; e1000e no-such-driver" },

	/* ---- who is meant ---- */
	{ OVERRIDE, NIC, VFIO, "conflict; e1000e no-such-driver", 0, DISPLAY_IDS },
	{ UNBIND, NIC, "e1000e", "conflict; e1000e no-such-driver", 0, DISPLAY_IDS },
	{ BIND, NIC, "e1000e", "conflict; e1000e no-such-driver", 0, DISPLAY_IDS },
	{ OVERRIDE, "0000:1e:1f.7", VFIO, "not-found; gone", 0, NIC_IDS },
	{ UNBIND, "0000:1e:1f.7", VFIO, "not-found; gone", 0, NIC_IDS },
	{ BIND, "0000:1e:1f.7", VFIO, "not-found; gone", 0, NIC_IDS },
	{ UNBIND, "1e:1f", VFIO, "invalid; gone", 0, NIC_IDS },

	/* ---- to and from its own driver ---- */
	{ BIND, NIC, "e1000e", "ok; e1000e no-such-driver" },
	{ BIND, NIC, "no-such-driver", "busy; e1000e no-such-driver" },
	{ UNBIND, NIC, "no-such-driver", "conflict; e1000e no-such-driver" },
	{ UNBIND, NIC, "igb", "conflict; e1000e no-such-driver" },
	{ UNBIND, NIC, "e1000e", "ok; none no-such-driver", TELLS },
	{ UNBIND, NIC, "e1000e", "ok; none no-such-driver" },
	{ UNBIND, NIC, "igb", "ok; none no-such-driver" },
	{ BIND, NIC, "no-such-driver", "host; none no-such-driver" },
	{ BIND, NIC, "e1000e", "host ENODEV; none no-such-driver" },
	{ OVERRIDE, NIC, "e1000e", "ok; none e1000e" },
	{ BIND, NIC, "e1000e", "ok; e1000e e1000e", TELLS },
	{ UNBIND, NIC, "e1000e", "ok; none e1000e" },
	{ OVERRIDE, NIC, NULL, "ok; none none" },
	{ BIND, NIC, "igb", "host ENODEV; none none" },
	{ BIND, NIC, "e1000e", "ok; e1000e none" },
	{ UNBIND, NIC, "e1000e", "ok; none none" },

	/* ---- to vfio-pci, before and after its module is there ---- */
	{ BIND, NIC, VFIO, "host; none none" },
	{ OVERRIDE, NIC, VFIO, "ok; none vfio-pci" },
	{ BIND, NIC, VFIO, "host; none vfio-pci" },
	{ LOAD, NIC, "no-such-module", "host; none vfio-pci" },
	{ LOAD, NIC, VFIO, "ok; vfio-pci vfio-pci", TELLS },
	{ LOAD, NIC, VFIO, "ok; vfio-pci vfio-pci" },
	{ BIND, NIC, VFIO, "ok; vfio-pci vfio-pci" },
	{ BIND, NIC, "e1000e", "busy; vfio-pci vfio-pci" },
	{ OVERRIDE, NIC, NULL, "ok; vfio-pci none" },
	{ UNBIND, NIC, VFIO, "ok; none none", TELLS },
	{ BIND, NIC, VFIO, "host ENODEV; none none" },
	{ OVERRIDE, NIC, VFIO, "ok; none vfio-pci" },
	{ BIND, NIC, "e1000e", "host ENODEV; none vfio-pci" },

	/* ---- in a guest's hands ---- */
	{ OPEN, NIC, "one", "ENOENT; none vfio-pci" },
	{ BIND, NIC, VFIO, "ok; vfio-pci vfio-pci", TELLS },
	{ OPEN, NIC, "one", "ok; vfio-pci vfio-pci" },
	{ OPEN, NIC, "other", "EBUSY; vfio-pci vfio-pci" },
	{ OVERRIDE, NIC, NULL, "ok; vfio-pci none" },
	{ UNBIND, NIC, VFIO, "unavailable; none unknown in flight", HANGS },
	{ UNBIND, NIC, VFIO, "unavailable; none unknown in flight" },
	{ OVERRIDE, NIC, VFIO, "unavailable; none unknown in flight" },
	{ BIND, NIC, "e1000e", "unavailable; none unknown in flight" },
	{ BIND, NIC, "a/b", "unavailable; none unknown in flight", 0, DISPLAY_IDS },
	{ CLOSE, NIC, NULL, "ok; none none", TELLS },
	{ BIND, NIC, "e1000e", "ok; e1000e none" },
	{ OPEN, NIC, "one", "ENOENT; e1000e none" },

	/* ---- two functions in one IOMMU group ---- */
	{ OVERRIDE, DISPLAY, VFIO, "ok; bochs-drm vfio-pci" },
	{ UNBIND, DISPLAY, "bochs-drm", "ok; none vfio-pci" },
	{ BIND, DISPLAY, VFIO, "ok; vfio-pci vfio-pci" },
	{ OPEN, DISPLAY, "one", "EPERM; vfio-pci vfio-pci" },
	{ UNBIND, AUDIO, "snd_hda_intel", "ok; none none" },
	{ OPEN, AUDIO, "one", "ENODEV; none none" },
	{ OPEN, DISPLAY, "one", "ok; vfio-pci vfio-pci" },
	{ OPEN, AUDIO, "one", "ENODEV; none none" },
	{ BIND, AUDIO, "snd_hda_intel", "busy EBUSY; none none" },
	{ OVERRIDE, AUDIO, VFIO, "ok; none vfio-pci" },
	{ BIND, AUDIO, VFIO, "ok; vfio-pci vfio-pci" },
	{ OPEN, AUDIO, "other", "EBUSY; vfio-pci vfio-pci" },
	{ OPEN, AUDIO, "one", "ok; vfio-pci vfio-pci" },
	{ CLOSE, DISPLAY, NULL, "ok; vfio-pci vfio-pci" },
	{ UNBIND, DISPLAY, VFIO, "ok; none vfio-pci" },
	{ OVERRIDE, DISPLAY, NULL, "ok; none none" },
	{ BIND, DISPLAY, "bochs-drm", "busy EBUSY; none none" },
	{ CLOSE, AUDIO, NULL, "ok; vfio-pci vfio-pci" },
	{ BIND, DISPLAY, "bochs-drm", "ok; bochs-drm none" },
	{ OPEN, AUDIO, "one", "EPERM; vfio-pci vfio-pci" },
	{ UNBIND, AUDIO, VFIO, "ok; none vfio-pci" },
	{ OVERRIDE, AUDIO, NULL, "ok; none none" },
	{ BIND, AUDIO, "snd_hda_intel", "ok; snd_hda_intel none" },

	/* ---- a physical function ---- */
	{ SET_VFS, PF, "5", "ERANGE; nvme none" },
	{ SET_VFS, PF, "2", "ok; nvme none" },
	{ SET_VFS, PF, "2", "ok; nvme none" },
	{ SET_VFS, PF, "3", "EBUSY; nvme none" },
	{ OVERRIDE, PF, VFIO, "ok; nvme vfio-pci" },
	{ UNBIND, PF, "nvme", "ok; none vfio-pci" },
	{ BIND, PF, VFIO, "busy EBUSY; none vfio-pci" },
	{ SET_VFS, PF, "0", "ENOENT; none vfio-pci" },
	{ OVERRIDE, PF, NULL, "ok; none none" },
	{ BIND, PF, "nvme", "ok; nvme none" },
	{ SET_VFS, PF, "0", "ok; nvme none" },
	{ OVERRIDE, PF, VFIO, "ok; nvme vfio-pci" },
	{ UNBIND, PF, "nvme", "ok; none vfio-pci" },
	{ BIND, PF, VFIO, "ok; vfio-pci vfio-pci" },
	{ SET_VFS, PF, "1", "ENOENT; vfio-pci vfio-pci" },
	{ UNBIND, PF, VFIO, "ok; none vfio-pci" },
	{ OVERRIDE, PF, NULL, "ok; none none" },
	{ BIND, PF, "nvme", "ok; nvme none" },

	/* ---- no IOMMU group ---- */
	{ OVERRIDE, LONER, VFIO, "ok; e1000e vfio-pci" },
	{ UNBIND, LONER, "e1000e", "ok; none vfio-pci" },
	{ BIND, LONER, VFIO, "host EINVAL; none vfio-pci" },
	{ OPEN, LONER, "one", "ENOENT; none vfio-pci" },
	{ OVERRIDE, LONER, NULL, "ok; none none" },
	{ BIND, LONER, "e1000e", "ok; e1000e none" },

	/* ---- removed and found again ---- */
	{ OVERRIDE, NIC, VFIO, "ok; e1000e vfio-pci" },
	{ RESCAN, NIC, NULL, "ok; e1000e none", TELLS },
	{ OVERRIDE, NIC, VFIO, "ok; e1000e vfio-pci" },
	{ UNBIND, NIC, "e1000e", "ok; none vfio-pci" },
	{ BIND, NIC, VFIO, "ok; vfio-pci vfio-pci" },
	{ RESCAN, NIC, NULL, "ok; e1000e none" },

	/* ---- plugged in and pulled out ---- */
	{ PLUG, PLUGGED, NULL, "ok; e1000e none", TELLS },
	{ OVERRIDE, PLUGGED, VFIO, "ok; e1000e vfio-pci" },
	{ UNBIND, PLUGGED, "e1000e", "ok; none vfio-pci" },
	{ BIND, PLUGGED, VFIO, "ok; vfio-pci vfio-pci" },
	{ UNPLUG, PLUGGED, NULL, "ok; gone", TELLS },
	{ UNBIND, PLUGGED, VFIO, "not-found; gone" },
	{ PLUG, PLUGGED, NULL, "ok; e1000e none", TELLS },
	{ OVERRIDE, PLUGGED, VFIO, "ok; e1000e vfio-pci" },
	{ UNBIND, PLUGGED, "e1000e", "ok; none vfio-pci" },
	{ BIND, PLUGGED, VFIO, "ok; vfio-pci vfio-pci" },
	{ OPEN, PLUGGED, "one", "ok; vfio-pci vfio-pci" },
	{ UNPLUG, PLUGGED, NULL, "ok; none unknown" },
	{ OPEN, PLUGGED, "other", "EBUSY; none unknown" },
	{ UNBIND, PLUGGED, VFIO, "ok; none unknown" },
	{ OVERRIDE, PLUGGED, NULL, "unavailable; none unknown in flight", HANGS },
	{ OVERRIDE, PLUGGED, NULL, "unavailable; none unknown in flight" },
	{ CLOSE, PLUGGED, NULL, "ok; gone", TELLS },
	{ PLUG, PLUGGED, NULL, "ok; e1000e none", TELLS },
	{ UNPLUG, PLUGGED, NULL, "ok; gone", TELLS },
};

static unsigned n_told;

static void hear(void *data)
{
	(void) data;
	n_told++;
}

static const char *ids_at(const char *address)
{
	static const char *const known[][2] = {
		{ NIC, NIC_IDS },
		{ DISPLAY, DISPLAY_IDS },
		{ AUDIO, AUDIO_IDS },
		{ PF, PF_IDS },
		{ LONER, NIC_IDS },
		{ PLUGGED, NIC_IDS },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		if (strcmp(known[i][0], address) == 0)
			return known[i][1];
	}
	g_assert_not_reached();
}

static UsherStep *step_of(const Row *row)
{
	static const UsherStepKind kinds[] = {
		[OVERRIDE] = USHER_STEP_SET_OVERRIDE,
		[UNBIND] = USHER_STEP_UNBIND,
		[BIND] = USHER_STEP_BIND,
		[LOAD] = USHER_STEP_LOAD_MODULE,
	};
	UsherStep *step = usher_step_new();
	step->kind = kinds[row->action];
	step->driver = g_strdup(row->with);
	if (row->action == LOAD)
		return step;
	step->address = g_strdup(row->at);
	step->identity = g_strdup(row->ids != NULL ? row->ids : ids_at(row->at));
	return step;
}

static char *shorten(const char *text)
{
	size_t n = strlen(text);
	return n > 40 ? g_strdup_printf("(%zu letters)", n) : g_strdup(text);
}

static char *print_row(const Row *row)
{
	if (row->action <= LOAD) {
		g_autoptr(UsherStep) step = step_of(row);
		g_autofree char *text = shorten(row->with != NULL ? row->with : "");
		if (step->driver != NULL) {
			g_free(step->driver);
			step->driver = g_strdup(text);
		}
		g_autofree char *printed = usher_step_print(step);
		return g_strconcat(printed, row->ids != NULL ? ", meant for " : "", row->ids, NULL);
	}
	static const char *const texts[] = {
		[OPEN] = "open %s for %s",
		[CLOSE] = "close %s",
		[SET_VFS] = "give %s %s virtual functions",
		[PLUG] = "plug %s in",
		[UNPLUG] = "pull %s out",
		[RESCAN] = "remove %s and find it again",
	};
	g_autoptr(GString) text = g_string_new(texts[row->action]);
	(void) g_string_replace(text, "%s", row->at, 1);
	(void) g_string_replace(text, "%s", row->with != NULL ? row->with : "", 1);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* "host ENODEV": the code, and the errno that the sentence ends with. */
static char *print_error(const GError *error)
{
	const char *code = usher_error_code_name(usher_error_code(error));
	const char *last = strrchr(error->message, '(');
	if (last == NULL || last[1] != 'E' || strchr(last, ' ') != NULL)
		return g_strdup(code);
	return g_strdup_printf("%s %.*s", code, (int) strcspn(last + 1, ")"), last + 1);
}

static char *print_errno(int errnum)
{
	return g_strdup(errnum == 0 ? "ok" : strerrorname_np(errnum));
}

static char *apply(HostBed *bed, const Row *row)
{
	g_autoptr(UsherStep) step = step_of(row);
	g_autoptr(GError) error = NULL;
	int64_t timeout = (row->flags & HANGS) != 0 ? BRIEF_US : ENOUGH_US;
	bool is_done = bed->host->ops->apply(bed->host, step, timeout, &error);
	g_assert_true(is_done == (error == NULL));
	if (is_done)
		return g_strdup("ok");
	char *printed = print_error(error);
	if (!g_str_has_prefix(row->want, printed))
		printf("# %s\n", error->message);
	return printed;
}

static char *act(HostBed *bed, const Row *row)
{
	switch (row->action) {
	case OVERRIDE:
	case UNBIND:
	case BIND:
	case LOAD:
		return apply(bed, row);
	case OPEN:
		return print_errno(bed->ops->open(bed, row->at, row->with));
	case CLOSE:
		bed->ops->close(bed, row->at);
		break;
	case SET_VFS:
		return print_errno(bed->ops->set_vfs(bed, row->at, row->with));
	case PLUG:
		bed->ops->plug(bed);
		break;
	case UNPLUG:
		bed->ops->unplug(bed);
		break;
	case RESCAN:
		bed->ops->rescan(bed, row->at);
		break;
	}
	return g_strdup("ok");
}

/* As the port shows it: driver, override, and whether it is out of reach. */
static char *print_device(HostBed *bed, const char *address)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherInventory) seen = bed->host->ops->look(bed->host, USHER_LOOK_AFRESH, &error);
	g_assert_no_error(error);
	const UsherDevice *device = usher_inventory_find_text(seen, address);
	bool is_out = bed->host->ops->in_flight(bed->host, address);
	if (device == NULL)
		return g_strdup(is_out ? "gone in flight" : "gone");
	g_assert_cmpint(strcmp(address, LONER) == 0, ==, device->iommu_group == USHER_INT_NULL);
	const char *override = device->driver_override != NULL ? device->driver_override : "none";
	g_autofree char *text = shorten(device->driver_override_unknown ? "unknown" : override);
	return g_strdup_printf("%s %s%s", device->driver != NULL ? device->driver : "none", text,
		is_out ? " in flight" : "");
}

/* What came of it in the end: some of it takes its time. */
static char *await(HostBed *bed, const Row *row, const char *answer, unsigned told_before)
{
	bool tells = (row->flags & TELLS) != 0;
	for (unsigned i = 0;; i++) {
		g_autofree char *device = print_device(bed, row->at);
		g_autofree char *all = g_strdup_printf("%s; %s", answer, device);
		bool is_told = !tells || n_told > told_before;
		if ((strcmp(all, row->want) == 0 && is_told) || i == PATIENCE)
			return g_strconcat(all, is_told ? "" : " in silence", NULL);
		bed->ops->pass(bed, TICK_MS);
	}
}

static bool take(HostBed *bed, unsigned number)
{
	const Row *row = &rows[number];
	g_autofree char *text = print_row(row);
	unsigned told_before = n_told;
	g_autofree char *answer = act(bed, row);
	g_autofree char *all = await(bed, row, answer, told_before);
	bool is_good = strcmp(all, row->want) == 0;
	printf("# %s | %s | %s\n", text, bed->ops->name, all);
	printf("%sok %u - %s: %s\n", is_good ? "" : "not ", number + 1, text, row->want);
	(void) fflush(stdout);
	return is_good;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	bool is_real = argc == 2 && strcmp(argv[1], "--real") == 0;
	if (argc > 1 && !is_real) {
		(void) fprintf(stderr, "usage: contract-host [--real]\n");
		return 2;
	}
	memset(longest, 'x', sizeof longest - 1);
	memset(too_long, 'x', sizeof too_long - 1);
	HostBed *bed = is_real ? host_bed_real_new(&error) : host_bed_fake_new();
	if (bed == NULL) {
		(void) fprintf(stderr, "contract-host: %s\n", error->message);
		return 1;
	}
	bool is_good = true;
	bed->host->ops->watch(bed->host, hear, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
		is_good = take(bed, i) && is_good;
	bed->ops->free(bed);
	printf("1..%zu\n", G_N_ELEMENTS(rows));
	return is_good ? 0 : 1;
}
