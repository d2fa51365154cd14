/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/doctor/cmdline.h"
#include "core/doctor/private.h"

static const char *const status_names[] = { "ok", "warn", "fail", "unknown", NULL };
static const char *const who_names[] = { "usher", "os", "firmware", "vendor", "nobody", NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(who_names) == USHER_N_WHO + 1);

static const UsherField fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherFinding, id), USHER_FIELD_REQUIRED },
	{ "status", USHER_FIELD_ENUM, offsetof(UsherFinding, status), 0, status_names },
	{ "subject", USHER_FIELD_STRING, offsetof(UsherFinding, subject), USHER_FIELD_REQUIRED },
	{ "seen", USHER_FIELD_STRING, offsetof(UsherFinding, seen) },
	{ "means", USHER_FIELD_STRING, offsetof(UsherFinding, means) },
	{ "who", USHER_FIELD_ENUM, offsetof(UsherFinding, who), 0, who_names },
	{ "fix", USHER_FIELD_STRINGS, offsetof(UsherFinding, fix) },
	{ "after_reboot", USHER_FIELD_STRING, offsetof(UsherFinding, after_reboot) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherFinding, usher_finding, "finding", fields)

UsherFinding *usher_doctor_find(UsherDoctor *doctor, const char *id, const char *seen, ...)
{
	va_list args;
	va_start(args, seen);
	UsherFinding *finding = usher_finding_new();
	finding->id = g_strdup(id);
	finding->subject = g_strdup("host");
	finding->seen = g_strdup_vprintf(seen, args);
	finding->who = USHER_WHO_NOBODY;
	va_end(args);
	g_ptr_array_add(doctor->findings, finding);
	return finding;
}

void usher_finding_set_subject(UsherFinding *finding, const char *subject)
{
	g_free(finding->subject);
	finding->subject = g_strdup(subject);
}

void usher_finding_blame(
	UsherFinding *finding, UsherFindingStatus status, UsherWho who, const char *means, ...)
{
	va_list args;
	va_start(args, means);
	finding->status = status;
	finding->who = who;
	g_free(finding->means);
	finding->means = g_strdup_vprintf(means, args);
	va_end(args);
}

void usher_finding_fix(UsherFinding *finding, const char *text, ...)
{
	va_list args;
	va_start(args, text);
	g_ptr_array_add(finding->fix, g_strdup_vprintf(text, args));
	va_end(args);
}

void usher_finding_after(UsherFinding *finding, const char *text, ...)
{
	va_list args;
	va_start(args, text);
	g_free(finding->after_reboot);
	finding->after_reboot = g_strdup_vprintf(text, args);
	va_end(args);
}

void usher_finding_unknown(UsherFinding *finding, const char *why)
{
	usher_finding_blame(finding, USHER_FINDING_UNKNOWN, USHER_WHO_OS, "%s", why);
}

UsherFindingStatus usher_doctor_fails_for(const UsherDoctor *doctor, unsigned goals)
{
	return goals & 1U << doctor->goal ? USHER_FINDING_FAIL : USHER_FINDING_WARN;
}

/* ---- the kernel's command line ---- */

GPtrArray *usher_kernel_words(const char *cmdline)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(UsherWordSpan));
	(void) usher_cmdline_split(cmdline, spans);
	for (unsigned i = 0; i < spans->len; i++) {
		const UsherWordSpan *span = &g_array_index(spans, UsherWordSpan, i);
		g_ptr_array_add(words, g_strndup(cmdline + span->begin, span->end - span->begin));
	}
	return words;
}

const char *usher_kernel_word(
	const GPtrArray *words, const char *key, unsigned *out_n, bool *out_differ)
{
	const char *last = NULL;
	unsigned n = 0;
	bool differ = false;
	for (unsigned i = 0; words != NULL && i < words->len; i++) {
		const char *word = words->pdata[i];
		if (!usher_cmdline_same_key(word, key))
			continue;
		const char *value = strchr(word, '=') != NULL ? strchr(word, '=') + 1 : "";
		differ |= last != NULL && strcmp(last, value) != 0;
		last = value;
		n++;
	}
	if (out_n != NULL)
		*out_n = n;
	if (out_differ != NULL)
		*out_differ = differ;
	return last;
}

/* ---- of the host ---- */

bool usher_doctor_is_intel(const UsherDoctor *doctor)
{
	return g_strcmp0(doctor->facts->cpu_vendor, "GenuineIntel") == 0;
}

bool usher_doctor_is_amd(const UsherDoctor *doctor)
{
	const char *vendor = doctor->facts->cpu_vendor;
	return g_strcmp0(vendor, "AuthenticAMD") == 0 || g_strcmp0(vendor, "HygonGenuine") == 0;
}

bool usher_doctor_concerns(const UsherDoctor *doctor, const UsherDevice *device)
{
	return doctor->device == NULL || doctor->device == device;
}

bool usher_device_is_display(const UsherDevice *device)
{
	return device->kind == USHER_DEVICE_PCI && usher_device_class(device) >> 16 == 0x03;
}

bool usher_device_is_from(const UsherDevice *device, const char *vendor_id)
{
	return device->kind == USHER_DEVICE_PCI && g_strcmp0(device->vendor_id, vendor_id) == 0;
}

char *usher_doctor_driver(const UsherDevice *device)
{
	return device->driver != NULL ? g_strconcat("the driver ", device->driver, NULL)
				      : g_strdup("no driver");
}
