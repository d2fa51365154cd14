/* SPDX-License-Identifier: Apache-2.0 */
#include "core/plan.h"

#include <string.h>

#include "base/error.h"

#define VFIO "vfio-pci"

static const char *const kind_names[] = {
	"load-module",
	"set-override",
	"unbind",
	"bind",
	"guest-start",
	"guest-ask-off",
	"guest-await-off",
	"guest-power-off",
	"guest-mark",
	"guest-unmark",
	"guest-unplug",
	"guest-examine",
	NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == USHER_STEP_N_KINDS + 1);

static const UsherField fields[] = {
	{ "kind", USHER_FIELD_ENUM, offsetof(UsherStep, kind), USHER_FIELD_REQUIRED, kind_names },
	{ "address", USHER_FIELD_STRING, offsetof(UsherStep, address), USHER_FIELD_OMIT },
	{ "identity", USHER_FIELD_STRING, offsetof(UsherStep, identity), USHER_FIELD_OMIT },
	{ "driver", USHER_FIELD_STRING, offsetof(UsherStep, driver), USHER_FIELD_OMIT },
	{ "guest", USHER_FIELD_STRING, offsetof(UsherStep, guest), USHER_FIELD_OMIT },
	{ "uuid", USHER_FIELD_STRING, offsetof(UsherStep, uuid), USHER_FIELD_OMIT },
	{ "lease", USHER_FIELD_STRING, offsetof(UsherStep, lease), USHER_FIELD_OMIT },
	{ "takes", USHER_FIELD_BOOL, offsetof(UsherStep, takes), USHER_FIELD_OMIT },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherStep, usher_step, "step", fields)

const char *usher_step_kind_name(UsherStepKind kind)
{
	g_assert(kind < USHER_STEP_N_KINDS);
	return kind_names[kind];
}

bool usher_step_kind_is_host(UsherStepKind kind)
{
	g_assert(kind < USHER_STEP_N_KINDS);
	return kind <= USHER_STEP_BIND;
}

char *usher_step_print(const UsherStep *step)
{
	switch ((UsherStepKind) step->kind) {
	case USHER_STEP_LOAD_MODULE:
		return g_strdup_printf("load module %s", step->driver);
	case USHER_STEP_SET_OVERRIDE:
		if (step->driver == NULL)
			return g_strdup_printf("clear driver_override of %s", step->address);
		return g_strdup_printf(
			"set driver_override of %s to %s", step->address, step->driver);
	case USHER_STEP_UNBIND:
		return g_strdup_printf("unbind %s from %s", step->address, step->driver);
	case USHER_STEP_BIND:
		return g_strdup_printf("bind %s to %s", step->address, step->driver);
	case USHER_STEP_GUEST_START:
		return g_strdup_printf("start %s", step->guest);
	case USHER_STEP_GUEST_ASK_OFF:
		return g_strdup_printf("ask %s to power off", step->guest);
	case USHER_STEP_GUEST_AWAIT_OFF:
		return g_strdup_printf("wait until %s is off", step->guest);
	case USHER_STEP_GUEST_POWER_OFF:
		return g_strdup_printf("power off %s", step->guest);
	case USHER_STEP_GUEST_MARK:
		return g_strdup_printf("write usher's mark into %s", step->guest);
	case USHER_STEP_GUEST_UNMARK:
		return g_strdup_printf("remove usher's mark from %s", step->guest);
	case USHER_STEP_GUEST_UNPLUG:
		return g_strdup_printf("take %s out of %s", step->address, step->guest);
	case USHER_STEP_GUEST_EXAMINE:
		return g_strdup_printf("look at the definition of %s", step->guest);
	case USHER_STEP_N_KINDS:
		break;
	}
	g_assert_not_reached();
}

/* The lease's addresses: its device, then what is taken with it. Borrowed. */
static GPtrArray *addresses_of(const UsherLease *lease)
{
	GPtrArray *addresses = g_ptr_array_new();
	g_ptr_array_add(addresses, lease->device->address);
	for (unsigned i = 0; i < lease->companions->len; i++)
		g_ptr_array_add(addresses, lease->companions->pdata[i]);
	return addresses;
}

static const UsherDevice *find(const UsherInventory *seen, const char *address, GError **error)
{
	const UsherDevice *device = usher_inventory_find_text(seen, address);
	if (device == NULL)
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no device %s", address);
	return device;
}

GPtrArray *usher_plan_observe_was(
	const UsherInventory *seen, const UsherLease *lease, GError **error)
{
	g_autoptr(GPtrArray) addresses = addresses_of(lease);
	g_autoptr(GPtrArray) was = g_ptr_array_new_with_free_func(usher_was_type.free);
	for (unsigned i = 0; i < addresses->len; i++) {
		const UsherDevice *device = find(seen, addresses->pdata[i], error);
		if (device == NULL)
			return NULL;
		if (device->driver_override_unknown) {
			usher_error_set(error, USHER_ERROR_UNAVAILABLE,
				"what driver_override %s has could not be read", device->address);
			return NULL;
		}
		UsherWas *one = usher_was_new();
		one->address = g_strdup(device->address);
		one->driver = g_strdup(device->driver);
		one->driver_override = g_strdup(device->driver_override);
		one->identity = usher_device_identity(device);
		g_ptr_array_add(was, one);
	}
	return g_steal_pointer(&was);
}

static void add_step(GPtrArray *steps, UsherStepKind kind, const UsherDevice *device,
	const char *driver, bool takes)
{
	UsherStep *step = usher_step_new();
	step->kind = kind;
	step->address = g_strdup(device->address);
	step->identity = usher_device_identity(device);
	step->driver = g_strdup(driver);
	step->takes = takes;
	g_ptr_array_add(steps, step);
}

static bool take_device(const UsherDevice *device, GPtrArray *steps, GError **error)
{
	if (device->iommu_group == USHER_INT_NULL) {
		usher_error_set(error, USHER_ERROR_DENIED,
			"%s has no IOMMU group: is the IOMMU on?", device->address);
		return false;
	}
	if (g_strcmp0(device->driver_override, VFIO) != 0)
		add_step(steps, USHER_STEP_SET_OVERRIDE, device, VFIO, /* takes */ false);
	if (g_strcmp0(device->driver, VFIO) == 0)
		return true;
	if (device->driver != NULL)
		add_step(steps, USHER_STEP_UNBIND, device, device->driver, /* takes */ true);
	add_step(steps, USHER_STEP_BIND, device, VFIO, /* takes */ true);
	return true;
}

/* What the lease took must still be what is there: by its address alone it could be anything. */
static bool is_same(const UsherLease *lease, const UsherDevice *device, GError **error)
{
	for (unsigned i = 0; i < lease->was->len; i++) {
		const UsherWas *was = lease->was->pdata[i];
		if (strcmp(was->address, device->address) != 0 || usher_was_is_of(was, device))
			continue;
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"another device is at %s than lease %s is of", device->address, lease->id);
		return false;
	}
	return true;
}

bool usher_plan_take(
	const UsherInventory *seen, const UsherLease *lease, GPtrArray *steps, GError **error)
{
	g_autoptr(GPtrArray) addresses = addresses_of(lease);
	unsigned before = steps->len;
	for (unsigned i = 0; i < addresses->len; i++) {
		const UsherDevice *device = find(seen, addresses->pdata[i], error);
		if (device == NULL || !is_same(lease, device, error) ||
			!take_device(device, steps, error))
			return false;
	}
	if (steps->len > before) {
		UsherStep *load = usher_step_new();
		load->kind = USHER_STEP_LOAD_MODULE;
		load->driver = g_strdup(VFIO);
		g_ptr_array_insert(steps, (int) before, load);
	}
	return true;
}

/* A driver that neither is ours nor was there before: another hand has bound it since. */
static bool has_foreign_driver(const UsherDevice *device, const UsherWas *was)
{
	return device->driver != NULL && strcmp(device->driver, VFIO) != 0 &&
		g_strcmp0(device->driver, was->driver) != 0;
}

/* What could not be read is not what it was; what another hand has written since stays. */
static bool is_override_to_be_put_back(const UsherDevice *device, const UsherWas *was)
{
	if (device->driver_override_unknown)
		return true;
	bool is_foreign =
		device->driver_override != NULL && strcmp(device->driver_override, VFIO) != 0;
	return !is_foreign && g_strcmp0(device->driver_override, was->driver_override) != 0;
}

static void give_back_device(const UsherDevice *device, const UsherWas *was, GPtrArray *steps)
{
	bool changes_driver =
		g_strcmp0(device->driver, was->driver) != 0 && !has_foreign_driver(device, was);
	if (changes_driver && device->driver != NULL)
		add_step(steps, USHER_STEP_UNBIND, device, device->driver, /* takes */ false);
	if (is_override_to_be_put_back(device, was))
		add_step(steps, USHER_STEP_SET_OVERRIDE, device, was->driver_override,
			/* takes */ false);
	if (changes_driver && was->driver != NULL)
		add_step(steps, USHER_STEP_BIND, device, was->driver, /* takes */ false);
}

/* In reverse: the device that the lease is about comes home last, after its companions. */
void usher_plan_give_back(const UsherInventory *seen, const GPtrArray *was, GPtrArray *steps)
{
	for (unsigned i = was->len; i-- > 0;) {
		const UsherWas *one = was->pdata[i];
		const UsherDevice *device = usher_inventory_find_text(seen, one->address);
		if (device != NULL && usher_was_is_of(one, device))
			give_back_device(device, one, steps);
	}
}
