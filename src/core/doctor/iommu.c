/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on the IOMMU: what the firmware offers, what the kernel was told, what came of it. */
#include <string.h>

#include "core/doctor/private.h"
#include "core/passthrough.h"

#define DMAR_INTERRUPT_REMAPPING 1 /* include/acpi/actbl1.h, acpi_table_dmar.flags */

static const char *setting_of(const UsherDoctor *doctor)
{
	return usher_doctor_is_amd(doctor)
		? "IOMMU (AMD-Vi)"
		: "Intel Virtualization Technology for Directed I/O (VT-d)";
}

static bool is_on(const UsherDoctor *doctor)
{
	return doctor->facts->has_iommu == USHER_FACT_YES;
}

/* Whether the firmware has told the kernel of an IOMMU. */
static UsherFact firmware_has(const UsherDoctor *doctor)
{
	if (is_on(doctor))
		return USHER_FACT_YES;
	return usher_doctor_is_amd(doctor)      ? doctor->facts->has_ivrs
		: usher_doctor_is_intel(doctor) ? doctor->facts->has_dmar
						: USHER_FACT_UNKNOWN;
}

static void find_firmware(UsherDoctor *doctor)
{
	const char *table = usher_doctor_is_amd(doctor) ? "IVRS" : "DMAR";
	if (is_on(doctor)) {
		usher_doctor_find(
			doctor, "iommu-firmware", "the kernel uses one (/sys/kernel/iommu_groups)");
		return;
	}
	UsherFact has = firmware_has(doctor);
	if (has == USHER_FACT_YES) {
		usher_doctor_find(doctor, "iommu-firmware", "/sys/firmware/acpi/tables/%s", table);
		return;
	}
	if (has == USHER_FACT_UNKNOWN) {
		usher_finding_unknown(
			usher_doctor_find(doctor, "iommu-firmware", "no list of ACPI tables"),
			"It can't be told whether the firmware offers an IOMMU.");
		return;
	}
	UsherFinding *finding = usher_doctor_find(
		doctor, "iommu-firmware", "no /sys/firmware/acpi/tables/%s", table);
	UsherFindingStatus status = usher_doctor_fails_for(doctor, USHER_FOR_VFIO);
	if (doctor->facts->is_guest == USHER_FACT_YES) {
		usher_finding_blame(finding, status, USHER_WHO_OS,
			"This machine is itself a virtual machine, and has no IOMMU to keep its "
			"guests' devices apart.");
		usher_finding_fix(finding,
			"in this machine's definition below: <iommu model='intel'><driver "
			"intremap='on' caching_mode='on'/></iommu>");
	} else {
		usher_finding_blame(finding, status, USHER_WHO_FIRMWARE,
			"Without it a device given to a guest could read and write all of the "
			"host's memory: "
			"no device can be given.");
		usher_finding_fix(
			finding, "in the firmware's set-up enable \"%s\"", setting_of(doctor));
	}
	usher_finding_after(finding, "the firmware offers an IOMMU");
}

/* ---- the command line ---- */

static bool has_value(const char *values, const char *wanted)
{
	g_auto(GStrv) parts = g_strsplit(values != NULL ? values : "", ",", -1);
	return g_strv_contains((const char *const *) parts, wanted);
}

static const char *const intel_values[] = { "on", "off", "igfx_off", "forcedac", "strict", "sp_off",
	"sm_on", "sm_off", "tboot_noforce", NULL };
static const char *const amd_values[] = { "fullflush", "off", "force_isolation", "force_enable",
	"pgtbl_v1", "pgtbl_v2", "irtcachedis", "nohugepages", "v2_pgsizes_only", NULL };

/* The first that the kernel does not know (Documentation/admin-guide/kernel-parameters.txt). */
static char *unknown_value(const char *values, const char *const *known)
{
	g_auto(GStrv) parts = g_strsplit(values != NULL ? values : "", ",", -1);
	for (unsigned i = 0; parts[i] != NULL; i++) {
		if (parts[i][0] != '\0' && !g_strv_contains(known, parts[i]))
			return g_strdup(parts[i]);
	}
	return NULL;
}

/* The word that switches the IOMMU off; NULL: none does. */
static const char *word_that_disables(const UsherDoctor *doctor)
{
	const char *key = usher_doctor_is_amd(doctor) ? "amd_iommu" : "intel_iommu";
	if (has_value(usher_kernel_word(doctor->words, key, NULL, NULL), "off"))
		return usher_doctor_is_amd(doctor) ? "amd_iommu=off" : "intel_iommu=off";
	if (has_value(usher_kernel_word(doctor->words, "iommu", NULL, NULL), "off"))
		return "iommu=off";
	return NULL;
}

/* Words that are there and do nothing, or not what they say. */
static void warn_of_words(UsherDoctor *doctor, UsherFinding *finding)
{
	static const char *const keys[] = { "intel_iommu", "amd_iommu", "iommu" };
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		unsigned n;
		bool differ;
		const char *value = usher_kernel_word(doctor->words, keys[i], &n, &differ);
		const char *const *known = i == 0 ? intel_values : i == 1 ? amd_values : NULL;
		g_autofree char *odd = known != NULL ? unknown_value(value, known) : NULL;
		if (odd != NULL) {
			g_free(finding->seen);
			finding->seen = g_strdup_printf("%s=%s in /proc/cmdline", keys[i], odd);
			usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_USHER,
				"The kernel knows no %s=%s and ignores it%s.", keys[i], odd,
				i == 1 ? ": AMD's IOMMU is on without any word" : "");
			usher_finding_fix(finding, "usher host prepare: drops %s=%s", keys[i], odd);
		} else if (differ) {
			usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
				"%s= is there %u times and does not say the same; the last one, "
				"%s, counts.",
				keys[i], n, value);
			usher_finding_fix(finding, "leave only %s=%s", keys[i], value);
		}
	}
}

static void find_missing_word(UsherDoctor *doctor)
{
	UsherFinding *finding =
		usher_doctor_find(doctor, "iommu-cmdline", "no intel_iommu=on in /proc/cmdline");
	usher_finding_blame(finding, usher_doctor_fails_for(doctor, USHER_FOR_VFIO),
		USHER_WHO_USHER,
		"The firmware offers an IOMMU, and this kernel uses it only when it is told to.");
	usher_finding_fix(finding, "usher host prepare: adds intel_iommu=on iommu=pt");
	usher_finding_after(finding, "the IOMMU is on");
}

static void find_cmdline(UsherDoctor *doctor)
{
	if (doctor->words == NULL) {
		usher_finding_unknown(
			usher_doctor_find(doctor, "iommu-cmdline", "no /proc/cmdline"),
			"It can't be told what the kernel was told.");
		return;
	}
	const char *off = word_that_disables(doctor);
	if (off != NULL && doctor->facts->has_iommu != USHER_FACT_YES) {
		UsherFinding *finding =
			usher_doctor_find(doctor, "iommu-cmdline", "%s in /proc/cmdline", off);
		usher_finding_blame(finding, usher_doctor_fails_for(doctor, USHER_FOR_VFIO),
			USHER_WHO_USHER, "The kernel was told to leave the IOMMU off.");
		usher_finding_fix(finding, "usher host prepare: drops %s", off);
		usher_finding_after(finding, "the IOMMU is on");
		return;
	}
	bool is_told = has_value(usher_kernel_word(doctor->words, "intel_iommu", NULL, NULL), "on");
	if (usher_doctor_is_intel(doctor) && doctor->facts->has_iommu == USHER_FACT_NO &&
		!is_told && doctor->facts->has_dmar != USHER_FACT_NO) {
		find_missing_word(doctor);
		return;
	}
	const char *seen = is_told ? "intel_iommu=on in /proc/cmdline"
		: is_on(doctor)
		? "the IOMMU is on without a word in /proc/cmdline: this kernel's default"
		: "nothing in /proc/cmdline is against it";
	warn_of_words(doctor, usher_doctor_find(doctor, "iommu-cmdline", "%s", seen));
}

/* ---- what came of it ---- */

static void find_active(UsherDoctor *doctor)
{
	if (is_on(doctor)) {
		usher_doctor_find(
			doctor, "iommu-active", "IOMMU groups in /sys/kernel/iommu_groups");
		return;
	}
	if (doctor->facts->has_iommu == USHER_FACT_UNKNOWN) {
		usher_finding_unknown(usher_doctor_find(doctor, "iommu-active",
					      "no /sys/class/iommu, no device's iommu_group"),
			"It can't be told whether the IOMMU is on.");
		return;
	}
	UsherFinding *finding =
		usher_doctor_find(doctor, "iommu-active", "nothing in /sys/class/iommu");
	bool is_firmware = firmware_has(doctor) == USHER_FACT_NO;
	bool is_words = word_that_disables(doctor) != NULL ||
		(usher_doctor_is_intel(doctor) && doctor->words != NULL);
	UsherWho who = is_firmware && doctor->facts->is_guest != USHER_FACT_YES ? USHER_WHO_FIRMWARE
		: !is_firmware && is_words                                      ? USHER_WHO_USHER
										: USHER_WHO_OS;
	usher_finding_blame(finding, usher_doctor_fails_for(doctor, USHER_FOR_VFIO), who,
		"No device of this host can be given to a guest as a whole.");
	usher_finding_fix(finding, "see %s", is_firmware ? "iommu-firmware" : "iommu-cmdline");
	usher_finding_after(finding, "devices are in IOMMU groups");
}

static void find_remapping(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	if (facts->irqs_remapped == USHER_FACT_YES) {
		usher_doctor_find(doctor, "interrupt-remapping",
			"interrupts through the IOMMU in /proc/interrupts");
		return;
	}
	bool firmware_lacks = usher_doctor_is_intel(doctor) &&
		facts->dmar_flags != USHER_INT_NULL &&
		!(facts->dmar_flags & DMAR_INTERRUPT_REMAPPING);
	bool is_off = usher_kernel_word(doctor->words, "nointremap", NULL, NULL) != NULL ||
		has_value(usher_kernel_word(doctor->words, "intremap", NULL, NULL), "off");
	bool is_plain = is_on(doctor) && facts->irqs_remapped == USHER_FACT_NO;
	if (!firmware_lacks && !is_off && !is_plain) {
		usher_finding_unknown(
			usher_doctor_find(doctor, "interrupt-remapping", "%s",
				is_on(doctor) ? "no interrupt chip named in /proc/interrupts"
					      : "the IOMMU is off"),
			"It can't be told whether a guest's device could send the host interrupts "
			"it should not.");
		return;
	}
	UsherFinding *finding = usher_doctor_find(doctor, "interrupt-remapping", "%s",
		is_off ? "intremap=off in /proc/cmdline"
		       : "the firmware's DMAR table does not offer it");
	bool is_unsafe = facts->unsafe_interrupts == USHER_FACT_YES;
	usher_finding_blame(finding,
		is_unsafe ? USHER_FINDING_WARN : usher_doctor_fails_for(doctor, USHER_FOR_VFIO),
		is_off ? USHER_WHO_OS : USHER_WHO_FIRMWARE, "%s",
		is_unsafe ? "A device given to a guest can send the host interrupts; "
			    "vfio_iommu_type1.allow_unsafe_interrupts has allowed that."
			  : "vfio gives no device to a guest, since it could send the host "
			    "interrupts.");
	usher_finding_fix(finding, "%s",
		is_off ? "drop intremap=off from the kernel's command line"
		       : "update the firmware, or enable \"Interrupt Remapping\" in its set-up");
	usher_finding_fix(finding,
		"where all guests are trusted: options vfio_iommu_type1 "
		"allow_unsafe_interrupts=1");
	usher_finding_after(finding, "interrupts of devices are checked");
}

/* ---- groups ---- */

/* Endpoints of different slots share the device's group. */
static bool is_mixed(const UsherInventory *inventory, const UsherDevice *device)
{
	g_autoptr(GPtrArray) near = usher_inventory_near(inventory, device);
	for (unsigned i = 0; i < near->len; i++) {
		const UsherDevice *other = near->pdata[i];
		UsherPciAddr a, b;
		if (other == device || other->iommu_group != device->iommu_group ||
			usher_device_is_bridge(other) ||
			!usher_pci_addr_parse(device->address, &a, NULL) ||
			!usher_pci_addr_parse(other->address, &b, NULL))
			continue;
		if (!usher_pci_addr_is_same_slot(a, b))
			return true;
	}
	return false;
}

/* What people give: displays and what computes, network and storage. */
static bool is_wanted(const UsherDevice *device)
{
	unsigned base = usher_device_class(device) >> 16;
	return device->kind == USHER_DEVICE_PCI && device->iommu_group != USHER_INT_NULL &&
		(base == 0x01 || base == 0x02 || base == 0x03 || base == 0x12) &&
		device->physical_function == NULL;
}

static void blame_groups(UsherDoctor *doctor, UsherFinding *finding)
{
	usher_finding_blame(finding,
		doctor->device != NULL && g_strcmp0(doctor->device->passthrough->whole, "no") == 0
			? usher_doctor_fails_for(doctor, USHER_FOR_VFIO)
			: USHER_FINDING_WARN,
		USHER_WHO_OS,
		"The hardware does not keep the devices of one group apart: only one guest can "
		"have "
		"any of them, and none while the host needs one.");
	usher_finding_fix(
		finding, "put the card into another slot, one that leads to the processor");
	usher_finding_fix(finding, "in the firmware's set-up enable \"ACS\" where it has that");
	usher_finding_after(finding, "the device is in a group of its own");
}

static void find_groups(UsherDoctor *doctor)
{
	const UsherInventory *inventory = doctor->inventory;
	if (!is_on(doctor)) {
		usher_finding_unknown(
			usher_doctor_find(doctor, "iommu-groups", "no device is in an IOMMU group"),
			"Which devices the hardware keeps apart shows only when the IOMMU is on.");
		return;
	}
	const char *acs = usher_kernel_word(doctor->words, "pcie_acs_override", NULL, NULL);
	g_autoptr(GString) mixed = g_string_new(NULL);
	unsigned n = 0;
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		if (!is_wanted(device) || !usher_doctor_concerns(doctor, device) ||
			!is_mixed(inventory, device))
			continue;
		n++;
		g_string_append_printf(mixed, "%s%s in group %" G_GINT64_FORMAT,
			mixed->len > 0 ? ", " : "", device->address, device->iommu_group);
	}
	UsherFinding *finding = usher_doctor_find(doctor, "iommu-groups", "%s%s",
		n > 0 ? "shared with other slots: " : "what is worth giving has a group of its own",
		mixed->str);
	if (n > 0)
		blame_groups(doctor, finding);
	if (acs == NULL)
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"pcie_acs_override is on the command line: groups may be split that the hardware "
		"does not "
		"keep apart, so a guest may reach devices of another. Such isolation can't be "
		"trusted.");
	usher_finding_fix(finding, "drop pcie_acs_override=%s from the kernel's command line", acs);
}

/* ---- memory that firmware keeps ---- */

static void find_reserved(UsherDoctor *doctor)
{
	const GPtrArray *needs = doctor->inventory->needs;
	g_autoptr(GString) seen = g_string_new(NULL);
	for (unsigned i = 0; i < needs->len; i++) {
		const UsherGuardReason *need = needs->pdata[i];
		const UsherDevice *device =
			usher_inventory_find_text(doctor->inventory, need->device);
		if (strcmp(need->why, USHER_NEED_FIRMWARE_MEMORY) == 0 && device != NULL &&
			usher_doctor_concerns(doctor, device))
			g_string_append_printf(
				seen, "%s%s", seen->len > 0 ? ", " : "", need->device);
	}
	if (seen->len == 0 && !doctor->facts->reserved_known) {
		usher_finding_unknown(usher_doctor_find(doctor, "reserved-regions",
					      "no /sys/kernel/iommu_groups/*/reserved_regions"),
			"It can't be told what memory of devices the firmware keeps.");
		return;
	}
	UsherFinding *finding = usher_doctor_find(doctor, "reserved-regions", "%s%s",
		seen->len > 0 ? "direct in /sys/kernel/iommu_groups/*/reserved_regions: "
			      : "the firmware keeps no memory of a device to itself",
		seen->str);
	if (seen->len == 0)
		return;
	usher_finding_blame(finding,
		doctor->device != NULL ? usher_doctor_fails_for(doctor, USHER_FOR_VFIO)
				       : USHER_FINDING_WARN,
		USHER_WHO_FIRMWARE,
		"The firmware goes on using memory through the device (RMRR), so the kernel gives "
		"it to "
		"no guest.");
	usher_finding_fix(finding,
		"in the firmware's set-up switch off what uses it: shared memory "
		"with the management controller, or legacy USB");
	usher_finding_fix(finding, "HPE: conrep's \"HP Shared Memory features\" off for that slot");
	usher_finding_after(finding, "the device can be given");
}

void usher_doctor_iommu(UsherDoctor *doctor)
{
	find_firmware(doctor);
	find_cmdline(doctor);
	find_active(doctor);
	find_remapping(doctor);
	find_groups(doctor);
	find_reserved(doctor);
}
