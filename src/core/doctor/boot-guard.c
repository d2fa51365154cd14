/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot-guard.h"

#include <string.h>

#include "base/error.h"
#include "core/unit.h"

/* NULL: the host can do without it. */
static const UsherGuardReason *find_reason(const UsherDevice *device)
{
	for (unsigned i = 0; device->guard != NULL && i < device->guard->reasons->len; i++) {
		const UsherGuardReason *reason = device->guard->reasons->pdata[i];
		if (!device->boot_display || strstr(reason->why, "boot display") == NULL)
			return reason;
	}
	return NULL;
}

static bool may_hold(const UsherDevice *device, GError **error)
{
	const UsherGuardReason *reason = find_reason(device);
	if (usher_device_is_bridge(device))
		usher_error_set(error, USHER_ERROR_DENIED, "%s is a bridge: it stays with the host",
			device->address);
	else if (reason != NULL)
		usher_error_set(error, USHER_ERROR_DENIED,
			"%s can't be kept off the host from its boot on: %s %s", device->address,
			reason->device, reason->why);
	return reason == NULL && !usher_device_is_bridge(device);
}

bool usher_boot_may_hold(const UsherInventory *inventory, const UsherBootWish *wish, GError **error)
{
	for (unsigned i = 0; i < wish->holds->len; i++) {
		const UsherBootHold *hold = wish->holds->pdata[i];
		const UsherDevice *device = usher_inventory_find_text(inventory, hold->address);
		g_assert(device != NULL);
		g_autoptr(GPtrArray) taken = usher_unit_taken_with(inventory->devices, device);
		for (unsigned n = 0; n < taken->len; n++) {
			if (!may_hold(taken->pdata[n], error))
				return false;
		}
	}
	return true;
}
