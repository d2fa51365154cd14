/* SPDX-License-Identifier: Apache-2.0 */
#include "core/explain.h"

#include <string.h>

#include "base/text.h"
#include "core/guard.h"
#include "core/passthrough.h"
#include "core/unit.h"

void usher_explain_reason_free(UsherExplainReason *reason)
{
	if (reason == NULL)
		return;
	g_free(reason->sentence);
	g_free(reason);
}

static void free_reason(void *reason)
{
	usher_explain_reason_free(reason);
}

/* Takes the sentence. */
static void add(GPtrArray *reasons, bool is_for, char *sentence)
{
	UsherExplainReason *reason = g_new0(UsherExplainReason, 1);
	reason->is_for = is_for;
	reason->sentence = sentence;
	g_ptr_array_add(reasons, reason);
}

/* What ties a companion to the device: the words of a reason that is about the companion. */
static const char *tie_of(const UsherDevice *device, const UsherDevice *other)
{
	if (g_strcmp0(other->physical_function, device->address) == 0)
		return "a virtual function of it that would vanish";
	if (device->iommu_group != USHER_INT_NULL && device->iommu_group == other->iommu_group)
		return "in its IOMMU group";
	return "a function of the same card";
}

static char *print_guard_reason(
	const UsherInventory *inventory, const UsherDevice *device, const UsherGuardReason *reason)
{
	g_autofree char *chain = usher_text_join_array(reason->proof, " → ");
	g_autofree char *proof = chain[0] != '\0' ? g_strdup_printf(" (%s)", chain) : g_strdup("");
	if (strcmp(reason->device, device->address) == 0)
		return g_strdup_printf("it %s%s", reason->why, proof);
	const UsherDevice *other = usher_inventory_find_text(inventory, reason->device);
	return g_strdup_printf("%s, %s, %s%s", reason->device,
		other != NULL ? tie_of(device, other) : "which goes with it", reason->why, proof);
}

static void add_guard(
	const UsherInventory *inventory, const UsherDevice *device, GPtrArray *reasons)
{
	g_autoptr(UsherGuardResult) result = usher_guard_judge(inventory, device);
	for (unsigned i = 0; i < result->reasons->len; i++)
		add(reasons, false,
			print_guard_reason(inventory, device, result->reasons->pdata[i]));
}

static void add_holders(const UsherDevice *device, GPtrArray *reasons)
{
	if (device->identity_problem != NULL)
		add(reasons, false,
			g_strdup_printf("nobody can say who it is: %s", device->identity_problem));
	for (unsigned i = 0; i < device->foreign->len; i++) {
		const UsherForeign *foreign = device->foreign->pdata[i];
		add(reasons, false, g_strdup_printf("%s %s has it", foreign->kind, foreign->name));
	}
	if (device->lease != NULL)
		add(reasons, false, g_strdup_printf("lease %s has it", device->lease));
	if (device->state == USHER_DEVICE_FENCED || device->state == USHER_DEVICE_QUARANTINED)
		add(reasons, false,
			g_strdup_printf("it is %s", usher_device_state_name(device->state)));
	if (device->driver_override_unknown)
		add(reasons, false,
			g_strdup("its driver_override could not be read, so it could not be put "
				 "back"));
}

/* What is in the way of the hardware; what the guard says too is said once. */
static void add_obstacles(
	const UsherInventory *inventory, const UsherDevice *device, GPtrArray *reasons)
{
	g_autoptr(UsherPassthrough) passthrough = usher_passthrough_of(inventory, device);
	const char *class_reason = usher_guard_class_reason(device);
	g_autofree char *said = g_strconcat("it ", class_reason, NULL);
	for (unsigned i = 0; i < passthrough->because->len; i++) {
		const char *sentence = passthrough->because->pdata[i];
		if (class_reason == NULL || strcmp(sentence, said) != 0)
			add(reasons, false, g_strdup(sentence));
	}
}

static const char *freedom_of(const UsherDevice *device)
{
	switch ((UsherDeviceType) device->type) {
	case USHER_TYPE_STORAGE:
		return "nothing is mounted from it, and nothing that was recognised is on it";
	case USHER_TYPE_NETWORK:
		return "no route that the host needs leads over it";
	case USHER_TYPE_DISPLAY:
		return "the host has another console";
	case USHER_TYPE_USB:
		return "neither a disk, nor an uplink, nor the last keyboard of the host is behind "
		       "it";
	case USHER_TYPE_OTHER:
	case USHER_TYPE_MULTIMEDIA:
	case USHER_TYPE_MEMORY:
	case USHER_TYPE_BRIDGE:
	case USHER_TYPE_SERIAL:
	case USHER_TYPE_CRYPTO:
	case USHER_TYPE_ACCELERATOR:
	case USHER_N_TYPES:
	default:
		return "the host does not need it";
	}
}

static void add_isolation(
	const UsherInventory *inventory, const UsherDevice *device, GPtrArray *reasons)
{
	if (device->kind != USHER_DEVICE_PCI || device->iommu_group == USHER_INT_NULL)
		return;
	g_autoptr(GPtrArray) taken = usher_unit_taken_with(inventory->devices, device);
	if (taken->len == 1) {
		add(reasons, true,
			g_strdup_printf("it can be given alone: IOMMU group %" G_GINT64_FORMAT
					" has no other device that would go with it",
				device->iommu_group));
		return;
	}
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();
	for (unsigned i = 1; i < taken->len; i++)
		g_ptr_array_add(addresses, ((const UsherDevice *) taken->pdata[i])->address);
	g_autofree char *text = usher_text_join_array(addresses, ", ");
	add(reasons, true, g_strdup_printf("it can be given together with %s", text));
}

static void add_abilities(const UsherDevice *device, GPtrArray *reasons)
{
	if (g_strcmp0(device->driver, "vfio-pci") == 0)
		add(reasons, true, g_strdup("it is bound to vfio-pci already"));
	if (device->reset_methods != NULL)
		add(reasons, true,
			g_strdup_printf(
				"it can be reset between guests (%s)", device->reset_methods));
	if (device->sriov_total > 0)
		add(reasons, true,
			g_strdup_printf("it can make up to %" G_GINT64_FORMAT " virtual functions",
				device->sriov_total));
	if (device->mdev_types->len > 0)
		add(reasons, true,
			g_strdup_printf(
				"it offers %u types of mediated devices", device->mdev_types->len));
}

GPtrArray *usher_explain_device(const UsherInventory *inventory, const UsherDevice *device)
{
	GPtrArray *reasons = g_ptr_array_new_with_free_func(free_reason);
	add_guard(inventory, device, reasons);
	bool is_needed = reasons->len > 0;
	add_holders(device, reasons);
	add_obstacles(inventory, device, reasons);
	if (!is_needed)
		add(reasons, true, g_strdup(freedom_of(device)));
	if (!is_needed)
		add_isolation(inventory, device, reasons);
	add_abilities(device, reasons);
	return reasons;
}

bool usher_explain_is_yes(const GPtrArray *reasons)
{
	for (unsigned i = 0; i < reasons->len; i++) {
		const UsherExplainReason *reason = reasons->pdata[i];
		if (!reason->is_for)
			return false;
	}
	return true;
}
