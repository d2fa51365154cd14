/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on displays: the host's console, another way in, and cards that can't be reset. */
#include <string.h>

#include "core/doctor/private.h"

static const UsherDevice *boot_display(const UsherDoctor *doctor)
{
	for (unsigned i = 0; i < doctor->inventory->devices->len; i++) {
		const UsherDevice *device = doctor->inventory->devices->pdata[i];
		if (device->boot_display)
			return device;
	}
	return NULL;
}

/* The display that the host's own messages are on is to be given away. */
static bool gives_console(const UsherDoctor *doctor)
{
	return doctor->device != NULL && doctor->device->boot_display &&
		doctor->goal == USHER_GOAL_PCI;
}

const char *usher_doctor_framebuffer_word(const UsherDoctor *doctor)
{
	return usher_host_facts_kernel(doctor->facts) >= 5015 ? "initcall_blacklist=sysfb_init"
							      : "video=efifb:off";
}

static void find_framebuffer(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	if (!facts->framebuffers_known) {
		usher_finding_unknown(usher_doctor_find(doctor, "boot-framebuffer",
					      "no list of platform drivers in /sys/bus/platform"),
			"It can't be told whether the firmware's framebuffer lies in a display's "
			"memory.");
		return;
	}
	if (facts->framebuffers->len == 0) {
		usher_doctor_find(doctor, "boot-framebuffer",
			"no framebuffer of the firmware is in use (/sys/bus/platform)");
		return;
	}
	const char *driver = facts->framebuffers->pdata[0];
	const UsherDevice *display = boot_display(doctor);
	UsherFinding *finding = usher_doctor_find(doctor, "boot-framebuffer",
		"%s has the firmware's framebuffer (/sys/bus/platform/drivers/%s)", driver, driver);
	if (display == NULL || !usher_doctor_concerns(doctor, display))
		return;
	usher_finding_set_subject(finding, display->address);
	usher_finding_blame(finding,
		gives_console(doctor) ? USHER_FINDING_FAIL : USHER_FINDING_WARN, USHER_WHO_USHER,
		"A part of %s's memory is the host's console: vfio can't give the card to a guest "
		"while "
		"that is so (\"can't reserve BAR\").",
		display->address);
	usher_finding_fix(finding, "usher host prepare --for pci %s: adds %s", display->address,
		usher_doctor_framebuffer_word(doctor));
	usher_finding_after(finding, "this screen shows nothing of the host after the boot loader");
}

static void find_console(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	UsherFact ways[] = { facts->serial_console, facts->has_bmc, facts->has_ssh };
	static const char *const names[] = { "a serial console (/proc/consoles)",
		"a management controller (/dev/ipmi0)", "SSH (a server listens)" };
	g_autoptr(GString) seen = g_string_new(NULL);
	bool is_unknown = false;
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		is_unknown |= ways[i] == USHER_FACT_UNKNOWN;
		if (ways[i] == USHER_FACT_YES)
			g_string_append_printf(seen, "%s%s", seen->len > 0 ? ", " : "", names[i]);
	}
	UsherFinding *finding = usher_doctor_find(doctor, "console-access", "%s",
		seen->len > 0 ? seen->str
			      : "no serial console, no management controller, no SSH server");
	if (seen->len > 0)
		return;
	if (is_unknown) {
		usher_finding_unknown(finding,
			"It can't be told whether there is another way in than the screen.");
		return;
	}
	usher_finding_blame(finding,
		gives_console(doctor) ? USHER_FINDING_FAIL : USHER_FINDING_WARN, USHER_WHO_OS,
		"The screen is the only way into this host: when its display is a guest's, nobody "
		"sees "
		"what goes wrong.");
	usher_finding_fix(
		finding, "apt-get install openssh-server, and try it from another machine");
	usher_finding_fix(
		finding, "or a serial console: console=ttyS0,115200 on the kernel's command line");
}

/* ---- cards that stay as their last guest left them ---- */

typedef struct Family {
	const char *name;
	uint16_t first, last;
} Family;

/* Ids of drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c; the families that vendor-reset is for. */
static const Family families[] = {
	{ "Polaris", 0x67c0, 0x67df },
	{ "Polaris", 0x67e0, 0x67ff },
	{ "Polaris", 0x6980, 0x699f },
	{ "Polaris", 0x6fdf, 0x6fdf },
	{ "Vega 10", 0x6860, 0x687f },
	{ "Vega 12", 0x69a0, 0x69af },
	{ "Vega 20", 0x66a0, 0x66af },
	{ "Navi 10", 0x7310, 0x731f },
	{ "Navi 14", 0x7340, 0x734f },
};

static const char *family_without_reset(const UsherDevice *device)
{
	if (!usher_device_is_display(device) || !usher_device_is_from(device, "1002") ||
		device->device_id == NULL)
		return NULL;
	uint64_t id = g_ascii_strtoull(device->device_id, NULL, 16);
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		if (id >= families[i].first && id <= families[i].last)
			return families[i].name;
	}
	return NULL;
}

static bool find_amd_reset(UsherDoctor *doctor, const UsherDevice *device)
{
	const char *family = family_without_reset(device);
	if (family == NULL || !usher_doctor_concerns(doctor, device))
		return false;
	const char *methods = device->reset_methods;
	UsherFinding *finding = usher_doctor_find(doctor, "amd-reset",
		"%s is a %s, reset_method: %s", device->address, family,
		methods != NULL ? methods : "none, or not readable");
	usher_finding_set_subject(finding, device->address);
	if (methods == NULL && !doctor->facts->bars_known) {
		usher_finding_unknown(finding, "It can't be told how the card is reset.");
		return true;
	}
	if (methods != NULL && strstr(methods, "device_specific") != NULL)
		return true;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"The card does not come back to its start when a guest ends: the next guest often "
		"can't "
		"use it until the host is started again.");
	usher_finding_fix(finding,
		"install vendor-reset (https://github.com/gnif/vendor-reset) and load it at boot");
	usher_finding_fix(finding, "echo device_specific >/sys/bus/pci/devices/%s/reset_method",
		device->address);
	return true;
}

static void find_amd_resets(UsherDoctor *doctor)
{
	bool is_found = false;
	for (unsigned i = 0; i < doctor->inventory->devices->len; i++)
		is_found |= find_amd_reset(doctor, doctor->inventory->devices->pdata[i]);
	if (!is_found)
		usher_doctor_find(
			doctor, "amd-reset", "no AMD card of a family that can't be reset");
}

void usher_doctor_displays(UsherDoctor *doctor)
{
	find_framebuffer(doctor);
	find_console(doctor);
	find_amd_resets(doctor);
}
