/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/guest.h"

#include <string.h>

#include "core/doctor/private.h"

static const UsherField fields[] = {
	{ "name", USHER_FIELD_STRING, offsetof(UsherGuestHealth, name), USHER_FIELD_REQUIRED },
	{ "machine", USHER_FIELD_STRING, offsetof(UsherGuestHealth, machine) },
	{ "has_efi", USHER_FIELD_BOOL, offsetof(UsherGuestHealth, has_efi) },
	{ "secure_boot", USHER_FIELD_BOOL, offsetof(UsherGuestHealth, secure_boot) },
	{ "ports", USHER_FIELD_INT, offsetof(UsherGuestHealth, ports) },
	{ "free_ports", USHER_FIELD_INT, offsetof(UsherGuestHealth, free_ports) },
	{ "memory_kb", USHER_FIELD_INT, offsetof(UsherGuestHealth, memory_kb) },
	{ "host_memory_kb", USHER_FIELD_INT, offsetof(UsherGuestHealth, host_memory_kb),
		USHER_FIELD_NULLABLE },
	{ "hostdevs", USHER_FIELD_INT, offsetof(UsherGuestHealth, hostdevs) },
	{ "autostart", USHER_FIELD_BOOL, offsetof(UsherGuestHealth, autostart) },
	{ "cpu_mode", USHER_FIELD_STRING, offsetof(UsherGuestHealth, cpu_mode) },
	{ "has_display", USHER_FIELD_BOOL, offsetof(UsherGuestHealth, has_display) },
	{ "has_serial", USHER_FIELD_BOOL, offsetof(UsherGuestHealth, has_serial) },
	{ "has_agent", USHER_FIELD_BOOL, offsetof(UsherGuestHealth, has_agent) },
	{ "has_network", USHER_FIELD_BOOL, offsetof(UsherGuestHealth, has_network) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherGuestHealth, usher_guest_health, "guest", fields)

static bool is_q35(const UsherGuestHealth *guest)
{
	return guest->machine != NULL && strstr(guest->machine, "q35") != NULL;
}

static void find_machine(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	UsherFinding *finding = usher_doctor_find(doctor, "guest-machine", "machine %s",
		guest->machine != NULL ? guest->machine : "not named");
	if (guest->machine == NULL) {
		usher_finding_unknown(finding, "It can't be told which machine the guest is.");
		return;
	}
	/* Other architectures have PCIe alone. */
	bool is_old = g_str_has_prefix(guest->machine, "pc") && !is_q35(guest);
	if (!is_old)
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"The guest has no PCI Express: drivers of many GPUs and network cards don't "
		"start.");
	usher_finding_fix(finding,
		"virsh edit %s: machine='q35'; a Windows that was installed on the "
		"old one may have to be repaired",
		guest->name);
}

static void find_ports(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	if (!is_q35(guest)) {
		usher_doctor_find(doctor, "guest-ports", "its machine has no root ports");
		return;
	}
	UsherFinding *finding = usher_doctor_find(doctor, "guest-ports",
		"%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " root ports free", guest->free_ports,
		guest->ports);
	if (guest->free_ports > 0)
		return;
	usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_OS,
		"There is no place in the guest for a device.");
	usher_finding_fix(finding,
		"virsh edit %s: <controller type='pci' model='pcie-root-port'/>, one for each "
		"device",
		guest->name);
}

static void find_firmware(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	UsherFinding *finding = usher_doctor_find(doctor, "guest-firmware", "%s%s",
		guest->has_efi ? "UEFI" : "BIOS", guest->secure_boot ? " with Secure Boot" : "");
	if (guest->secure_boot) {
		usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
			"The guest loads only signed drivers: i915-sriov-dkms and NVIDIA's for "
			"Linux are "
			"not, as they are built.");
		usher_finding_fix(finding,
			"sign them in the guest (mokutil), or virsh edit %s: "
			"<feature enabled='no' name='secure-boot'/>",
			guest->name);
	} else if (!guest->has_efi) {
		usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
			"A BIOS gives no addresses to the memory of large cards (64 GiB and more), "
			"and "
			"newer ones show no picture before the driver is loaded.");
		usher_finding_fix(finding,
			"a new guest: <os firmware='efi'>; an installed system boots "
			"so only after it was converted");
	}
}

/* The virtual display may be switched off for a GPU's: then something else must be there. */
static void find_console(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	const char *ways[] = { guest->has_serial ? "a serial console" : NULL,
		guest->has_agent ? "a channel to its agent" : NULL,
		guest->has_network ? "a network card" : NULL };
	g_autoptr(GString) seen = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		if (ways[i] != NULL)
			g_string_append_printf(seen, "%s%s", seen->len > 0 ? ", " : "", ways[i]);
	}
	bool is_open = seen->len > 0;
	UsherFinding *finding = usher_doctor_find(doctor, "guest-console", "%s%s",
		guest->has_display ? "a virtual display; " : "no virtual display; ",
		is_open ? seen->str : "no other way in");
	if (is_open)
		return;
	usher_finding_blame(finding, guest->has_display ? USHER_FINDING_WARN : USHER_FINDING_FAIL,
		USHER_WHO_OS,
		"When the guest shows its picture on a GPU alone, nobody gets in who does not sit "
		"there.");
	usher_finding_fix(finding, "virsh edit %s: <serial type='pty'/>", guest->name);
}

static void find_memory(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	int64_t own = guest->memory_kb >> 10, all = guest->host_memory_kb >> 10;
	if (guest->host_memory_kb == USHER_INT_NULL) {
		usher_finding_unknown(usher_doctor_find(doctor, "guest-memory",
					      "%" G_GINT64_FORMAT " MiB will be pinned", own),
			"It can't be told how much memory the host has.");
		return;
	}
	UsherFinding *finding = usher_doctor_find(doctor, "guest-memory",
		"%" G_GINT64_FORMAT " of the host's %" G_GINT64_FORMAT " MiB will be pinned", own,
		all);
	if (own <= all / 4 * 3)
		return;
	usher_finding_blame(finding, own > all / 10 * 9 ? USHER_FINDING_FAIL : USHER_FINDING_WARN,
		USHER_WHO_OS,
		"A guest with a device has all of its memory from the start, and none can be "
		"swapped "
		"out: the host is left with too little.");
	usher_finding_fix(finding, "virsh setmaxmem %s %" G_GINT64_FORMAT " --config", guest->name,
		(all / 2) << 10);
}

static void find_autostart(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	UsherFinding *finding = usher_doctor_find(doctor, "guest-autostart", "%s",
		guest->autostart ? "the hypervisor starts it at boot" : "not started at boot");
	if (!guest->autostart)
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"The hypervisor starts it without the devices that usher would give it.");
	usher_finding_fix(finding, "virsh autostart --disable %s", guest->name);
}

static void find_cpu(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	const char *mode = guest->cpu_mode;
	UsherFinding *finding = usher_doctor_find(doctor, "guest-cpu", "CPU %s",
		mode != NULL ? mode : "as the hypervisor has it by default");
	if (mode != NULL && (g_str_has_prefix(mode, "host-") || strcmp(mode, "maximum") == 0))
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"The guest sees an older processor than there is: drivers and what computes on a "
		"GPU "
		"may refuse it or run slowly.");
	usher_finding_fix(finding, "virsh edit %s: <cpu mode='host-passthrough'/>", guest->name);
}

static void find_hostdevs(UsherDoctor *doctor, const UsherGuestHealth *guest)
{
	UsherFinding *finding = usher_doctor_find(doctor, "guest-hostdevs",
		"%" G_GINT64_FORMAT " devices of the host in its definition", guest->hostdevs);
	if (guest->hostdevs == 0)
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"They are the guest's whether usher knows it or not: usher gives them to nobody "
		"else, "
		"and does not look after them.");
	usher_finding_fix(finding,
		"virsh edit %s: without <hostdev>, then usher vm attach %s --group …", guest->name,
		guest->name);
}

GPtrArray *usher_doctor_examine_guest(const UsherGuestHealth *guest)
{
	UsherDoctor doctor = { .findings =
				       g_ptr_array_new_with_free_func(usher_finding_type.free) };
	find_machine(&doctor, guest);
	find_firmware(&doctor, guest);
	find_ports(&doctor, guest);
	find_console(&doctor, guest);
	find_memory(&doctor, guest);
	find_cpu(&doctor, guest);
	find_autostart(&doctor, guest);
	find_hostdevs(&doctor, guest);
	g_autofree char *subject = g_strconcat("domain/", guest->name, NULL);
	for (unsigned i = 0; i < doctor.findings->len; i++) {
		usher_finding_set_subject(doctor.findings->pdata[i], subject);
	}
	return doctor.findings;
}
