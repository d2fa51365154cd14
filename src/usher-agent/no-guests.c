/* SPDX-License-Identifier: Apache-2.0 */
#include "usher-agent/no-guests.h"

#include "base/error.h"

static GPtrArray *list(UsherGuest *guest, GError **error)
{
	(void) guest;
	(void) error;
	return g_ptr_array_new_with_free_func(usher_guest_info_type.free);
}

static bool refuse(const char *name, GError **error)
{
	usher_error_set(
		error, USHER_ERROR_NOT_FOUND, "guest %s: this node has no hypervisor", name);
	return false;
}

static bool start(UsherGuest *guest, const char *name, const char *uuid, const GPtrArray *devices,
	GError **error)
{
	(void) guest;
	(void) uuid;
	(void) devices;
	return refuse(name, error);
}

static bool ask_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	(void) guest;
	(void) uuid;
	return refuse(name, error);
}

static bool mark(UsherGuest *guest, const char *name, const char *uuid, const char *vm,
	int64_t revision, GError **error)
{
	(void) guest;
	(void) uuid;
	(void) vm;
	(void) revision;
	return refuse(name, error);
}

static bool unplug(
	UsherGuest *guest, const char *name, const char *uuid, const char *lease, GError **error)
{
	(void) guest;
	(void) uuid;
	(void) lease;
	return refuse(name, error);
}

static void watch(UsherGuest *guest, UsherGuestChanged func, void *data)
{
	(void) guest;
	(void) func;
	(void) data;
}

static void free_guest(UsherGuest *guest)
{
	g_free(guest);
}

static const UsherGuestOps ops = {
	.name = "none",
	.list = list,
	.start = start,
	.ask_off = ask_off,
	.power_off = ask_off,
	.mark = mark,
	.unplug = unplug,
	.watch = watch,
	.free = free_guest,
};

UsherGuest *usher_no_guests_new(void)
{
	UsherGuest *guest = g_new0(UsherGuest, 1);
	guest->ops = &ops;
	return guest;
}
