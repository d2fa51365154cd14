/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on the kernel's modules: what vfio needs, what was advised once, what may not be loaded. */
#include <string.h>

#include "core/doctor/private.h"

#define KERNEL(major, minor) ((major) *1000U + (minor))

static void find_vfio(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	if (facts->builtins != NULL && g_hash_table_contains(facts->builtins, "vfio_pci")) {
		usher_doctor_find(doctor, "vfio-modules", "vfio_pci is built into the kernel");
		return;
	}
	UsherFact has = usher_host_facts_has_module(facts, "vfio_pci");
	if (has == USHER_FACT_YES) {
		usher_doctor_find(doctor, "vfio-modules", "vfio_pci in /proc/modules");
		return;
	}
	UsherFinding *finding =
		usher_doctor_find(doctor, "vfio-modules", "no vfio_pci in /proc/modules");
	if (facts->available != NULL && !g_hash_table_contains(facts->available, "vfio_pci") &&
		facts->builtins != NULL) {
		usher_finding_blame(finding, usher_doctor_fails_for(doctor, USHER_FOR_VFIO),
			USHER_WHO_OS,
			"This kernel has no vfio-pci: it can't give devices to guests.");
		usher_finding_fix(finding,
			"install a kernel with CONFIG_VFIO_PCI, or its package of further modules");
		return;
	}
	if (has == USHER_FACT_UNKNOWN) {
		usher_finding_unknown(
			finding, "It can't be told whether this kernel has vfio-pci.");
		return;
	}
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_USHER,
		"It is loaded when a guest first needs it; from the boot on is safer, since other "
		"drivers "
		"can't be faster then.");
	usher_finding_fix(
		finding, "usher host prepare: adds vfio-pci to /etc/modules-load.d/usher.conf");
	usher_finding_after(finding, "vfio_pci is loaded");
}

/* ---- advice of other times ---- */

typedef struct Advice {
	const char *module;
	unsigned since; /* kernel from which on it is no more; 0: it never was one */
	const char *why;
} Advice;

/* drivers/vfio/Kconfig and the history of drivers/vfio. */
static const Advice advices[] = {
	{ "vfio_virqfd", KERNEL(6, 2), "it is a part of vfio since Linux 6.2" },
	{ "vfio_mdev", KERNEL(5, 15), "it is a part of mdev since Linux 5.15" },
	{ "exngt", 0, "there never was such a module; xengt, which is meant, is Xen's" },
};

static bool names_module(const char *text, const char *module)
{
	g_autofree char *plain = g_strdelimit(g_strdup(text), "-", '_');
	g_auto(GStrv) words = g_strsplit_set(plain, " \t,", -1);
	return g_strv_contains((const char *const *) words, module);
}

static unsigned add_obsolete(UsherDoctor *doctor, const Advice *advice)
{
	const UsherHostFacts *facts = doctor->facts;
	unsigned kernel = usher_host_facts_kernel(facts), n = 0;
	if (advice->since > 0 && (kernel == 0 || kernel < advice->since))
		return 0;
	for (unsigned i = 0; i < facts->config->len; i++) {
		const UsherConfigLine *line = facts->config->pdata[i];
		if (!names_module(line->text, advice->module))
			continue;
		UsherFinding *finding = usher_doctor_find(
			doctor, "obsolete-advice", "%s:%u: %s", line->file, line->line, line->text);
		usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
			"%s is not needed: %s. The line does no harm but a message at each boot.",
			advice->module, advice->why);
		usher_finding_fix(finding, "remove line %u of %s", line->line, line->file);
		n++;
	}
	return n;
}

static void find_obsolete(UsherDoctor *doctor)
{
	if (!doctor->facts->config_known) {
		usher_finding_unknown(usher_doctor_find(doctor, "obsolete-advice",
					      "no /etc/modules, modules-load.d, modprobe.d"),
			"It can't be told which modules this host is told to load.");
		return;
	}
	unsigned n = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(advices); i++)
		n += add_obsolete(doctor, &advices[i]);
	if (n == 0)
		usher_doctor_find(doctor, "obsolete-advice",
			"no module that is no more in /etc/modules, modules-load.d, modprobe.d");
}

/* ---- drivers in the way ---- */

/* Drivers that hold on to their device when a guest is to get it: users of theirs, a console, or
 * their own way of dying. */
static const struct {
	const char *driver;
	const char *why;
} clinging[] = {
	{ "amdgpu", "it often hangs when a display is taken away from it" },
	{ "nvidia",
		"it waits for ever while a process has /dev/nvidia* open, as nvidia-persistenced "
		"does" },
	{ "nouveau", "it may hang when its console is taken away" },
	{ "i915", "it has the console" },
	{ "xe", "it has the console" },
};

static const char *clings(const UsherDevice *device)
{
	for (size_t i = 0; i < G_N_ELEMENTS(clinging); i++) {
		if (g_strcmp0(device->driver, clinging[i].driver) == 0)
			return clinging[i].why;
	}
	return NULL;
}

static void find_conflict(UsherDoctor *doctor, const UsherDevice *device, const char *why)
{
	UsherFinding *finding = usher_doctor_find(
		doctor, "driver-conflict", "%s has the driver %s", device->address, device->driver);
	usher_finding_set_subject(finding, device->address);
	if (doctor->device == NULL) /* nobody has said that it is to be given */
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_USHER,
		"The driver can be taken off when a guest starts, but %s. Safer is that it never "
		"gets "
		"the device.",
		why);
	usher_finding_fix(finding,
		"usher host prepare --for pci %s: vfio-pci gets this device first",
		device->address);
	usher_finding_after(finding, "%s is with vfio-pci from the boot on", device->address);
}

static void find_conflicts(UsherDoctor *doctor)
{
	const UsherInventory *inventory = doctor->inventory;
	bool is_found = false, is_unknown = false;
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *device = inventory->devices->pdata[i];
		const char *why = clings(device);
		if (doctor->goal != USHER_GOAL_PCI || !usher_doctor_concerns(doctor, device))
			continue;
		is_unknown |= usher_device_is_display(device) && device->driver == NULL &&
			!doctor->facts->bars_known;
		is_found |= why != NULL;
		if (why != NULL)
			find_conflict(doctor, device, why);
	}
	if (is_found)
		return;
	UsherFinding *finding = usher_doctor_find(doctor, "driver-conflict", "%s",
		is_unknown ? "no driver named" : "no driver that holds on to its device");
	if (is_unknown)
		usher_finding_unknown(finding, "It can't be told which driver the display has.");
}

/* ---- what may be loaded ---- */

static void find_secure_boot(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	if (facts->is_efi == USHER_FACT_NO) {
		usher_doctor_find(doctor, "secure-boot",
			"booted by a legacy BIOS, without Secure Boot (no /sys/firmware/efi)");
		return;
	}
	if (facts->secure_boot == USHER_FACT_NO) {
		usher_doctor_find(
			doctor, "secure-boot", "off (/sys/firmware/efi/efivars/SecureBoot-…)");
		return;
	}
	if (facts->secure_boot == USHER_FACT_UNKNOWN) {
		usher_finding_unknown(usher_doctor_find(doctor, "secure-boot",
					      "no /sys/firmware/efi/efivars/SecureBoot-…"),
			"It can't be told whether unsigned modules are refused.");
		return;
	}
	UsherFinding *finding = usher_doctor_find(
		doctor, "secure-boot", "on (/sys/firmware/efi/efivars/SecureBoot-…)");
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"Modules that are not signed with an enrolled key, as NVIDIA's, i915-sriov-dkms "
		"and "
		"vendor-reset, are not loaded. vfio-pci is the kernel's own and works.");
	usher_finding_fix(
		finding, "enroll the key that signs them: mokutil --import MOK.der, then reboot");
	usher_finding_after(finding, "signed modules are loaded");
}

static void find_lockdown(UsherDoctor *doctor)
{
	const char *lockdown = doctor->facts->lockdown;
	if (lockdown == NULL) {
		usher_finding_unknown(usher_doctor_find(doctor, "kernel-lockdown",
					      "no /sys/kernel/security/lockdown"),
			"It can't be told whether the kernel is locked down.");
		return;
	}
	UsherFinding *finding = usher_doctor_find(
		doctor, "kernel-lockdown", "%s (/sys/kernel/security/lockdown)", lockdown);
	if (strcmp(lockdown, "none") == 0)
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"The kernel loads no unsigned module and lets no program map a device's registers; "
		"vfio-pci "
		"works, modules from elsewhere must be signed.");
	usher_finding_fix(
		finding, "enroll the key that signs them: mokutil --import MOK.der, then reboot");
}

void usher_doctor_modules(UsherDoctor *doctor)
{
	find_vfio(doctor);
	find_obsolete(doctor);
	find_conflicts(doctor);
	find_secure_boot(doctor);
	find_lockdown(doctor);
}
