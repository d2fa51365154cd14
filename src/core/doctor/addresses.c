/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on address space: what devices ask for and the firmware did not give. */
#include "core/doctor/private.h"

#define FIRST_VF_BAR 7U
#define LARGE        (UINT64_C(256) << 20) /* fits below 4 GiB only by luck */

typedef bool (*BarFilter)(const UsherPciBar *bar);

static bool is_large(const UsherPciBar *bar)
{
	return bar->index < FIRST_VF_BAR && bar->is_64_bit && bar->bytes >= LARGE;
}

static bool is_small(const UsherPciBar *bar)
{
	return bar->index < FIRST_VF_BAR - 1 && !is_large(bar); /* the ROM may well be without */
}

static bool is_of_vfs(const UsherPciBar *bar)
{
	return bar->index >= FIRST_VF_BAR;
}

static char *size_of(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB" };
	unsigned i = 0;
	for (bytes >>= 10; i < 2 && bytes >= 1024 && bytes % 1024 == 0; bytes >>= 10)
		i++;
	return g_strdup_printf("%" G_GUINT64_FORMAT " %s", bytes, units[i]);
}

/* What of those has no address: "0000:5e:00.0: BAR 1 (64 GiB)". NULL: nothing. */
static char *unassigned(const UsherDoctor *doctor, BarFilter is_meant)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (unsigned i = 0; i < doctor->facts->bars->len; i++) {
		const UsherPciBar *bar = doctor->facts->bars->pdata[i];
		const UsherDevice *device =
			usher_inventory_find_text(doctor->inventory, bar->address);
		if (bar->is_assigned || !is_meant(bar) || device == NULL ||
			!usher_doctor_concerns(doctor, device))
			continue;
		g_autofree char *size = size_of(bar->bytes);
		g_string_append_printf(text, "%s%s: BAR %u (%s)", text->len > 0 ? ", " : "",
			bar->address, bar->index % FIRST_VF_BAR, size);
	}
	return text->len > 0 ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

typedef struct Row {
	const char *id;
	BarFilter is_meant;
	unsigned goals;
	const char *fine; /* seen when there is nothing */
	const char *means;
	const char *fix[2];
	const char *after;
} Row;

static const Row rows[] = {
	{ "above-4g", is_large, USHER_FOR_GUESTS | USHER_FOR(HOST_GPU),
		"all large BARs have an address (/sys/bus/pci/devices/*/resource)",
		"The device's memory is too large for the space below 4 GiB, and the firmware "
		"gives none above: "
		"no driver can use the device.",
		{ "in the firmware's set-up enable \"Above 4G Decoding\"",
			"on servers also raise \"MMIO High Size\" or \"MMIOH Base\"" },
		"the device's memory has an address" },
	{ "bar-assignment", is_small, USHER_FOR_GUESTS | USHER_FOR(HOST_GPU),
		"all BARs have an address (/sys/bus/pci/devices/*/resource)",
		"The firmware has given the device no addresses: no driver can use it.",
		{ "pci=realloc on the kernel's command line", "update the firmware" },
		"the device has its addresses" },
	{ "sriov-firmware", is_of_vfs, USHER_FOR(INTEL_SRIOV) | USHER_FOR(NVIDIA_VGPU),
		"there is room for all virtual functions (/sys/bus/pci/devices/*/resource)",
		"The firmware has left no room for virtual functions: switching them on fails "
		"(\"not enough MMIO "
		"resources for SR-IOV\").",
		{ "in the firmware's set-up enable \"SR-IOV Support\"",
			"or pci=realloc on the kernel's command line" },
		"virtual functions can be switched on" },
};

void usher_doctor_addresses(UsherDoctor *doctor)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const Row *row = &rows[i];
		if (!doctor->facts->bars_known) {
			usher_finding_unknown(usher_doctor_find(doctor, row->id,
						      "no /sys/bus/pci/devices/*/resource"),
				"It can't be told whether all devices have their addresses.");
			continue;
		}
		g_autofree char *lacks = unassigned(doctor, row->is_meant);
		UsherFinding *finding =
			usher_doctor_find(doctor, row->id, "%s", lacks != NULL ? lacks : row->fine);
		if (lacks == NULL)
			continue;
		usher_finding_blame(finding, usher_doctor_fails_for(doctor, row->goals),
			USHER_WHO_FIRMWARE, "%s", row->means);
		for (size_t j = 0; j < G_N_ELEMENTS(row->fix); j++)
			usher_finding_fix(finding, "%s", row->fix[j]);
		usher_finding_after(finding, "%s", row->after);
	}
}
