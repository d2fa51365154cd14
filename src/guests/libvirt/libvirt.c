/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/libvirt.h"

#include <string.h>

#include "guests/libvirt/connection.h"
#include "guests/libvirt/domain.h"
#include "guests/libvirt/health.h"
#include "guests/libvirt/look.h"
#include "guests/libvirt/problem.h"
#include "guests/libvirt/start.h"
#include "guests/libvirt/xml.h"

#define UNPLUG_US (30 * G_USEC_PER_SEC)
/* An event tells that a device is out; should it get lost, the definition is read again. */
#define UNPLUG_LOOK_US (2 * G_USEC_PER_SEC)
/* Longer than the five seconds in which a PCIe button's second press takes the first back. */
#define UNPLUG_ASK_US (8 * G_USEC_PER_SEC)
#define QEMU_IS_ASKED "in the process of unplug"

typedef struct UsherGuestLibvirt {
	UsherGuest base;
	UsherConnection *connection;
} UsherGuestLibvirt;

static GPtrArray *libvirt_list(UsherGuest *guest, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	return libvirt != NULL ? usher_libvirt_list(libvirt, error) : NULL;
}

static bool libvirt_start(UsherGuest *guest, const char *name, const char *uuid,
	const GPtrArray *devices, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	g_auto(virDomainPtr) domain =
		libvirt != NULL ? usher_domain_find_named(libvirt, name, uuid, error) : NULL;
	return domain != NULL && usher_domain_start(domain, devices, error);
}

/* ---- stopping ---- */

static bool libvirt_ask_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	g_auto(virDomainPtr) domain =
		libvirt != NULL ? usher_domain_find_named(libvirt, name, uuid, error) : NULL;
	if (domain == NULL)
		return false;
	if (usher_domain_is_off(domain) ||
		virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) == 0)
		return true;
	usher_libvirt_problem(error, libvirt, "ask domain %s to shut down", name);
	return false;
}

/* First so that QEMU may write out what it has of the disks, then whatever it takes. */
static bool power_off_domain(virDomainPtr domain, GError **error)
{
	if (usher_domain_is_off(domain) ||
		virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_GRACEFUL) == 0 ||
		usher_domain_is_off(domain) ||
		virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_DEFAULT) == 0)
		return true;
	g_autoptr(GError) problem = NULL;
	usher_libvirt_problem(&problem, virDomainGetConnect(domain), "power off domain %s",
		virDomainGetName(domain));
	if (usher_domain_is_off(domain))
		return true;
	g_propagate_error(error, g_steal_pointer(&problem));
	return false;
}

static bool libvirt_power_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	if (libvirt == NULL)
		return false;
	/* Whatever its name is now: it is this one that must be off. */
	g_autoptr(GError) problem = NULL;
	g_auto(virDomainPtr) domain = usher_domain_find(libvirt, name, uuid, &problem);
	if (domain != NULL)
		return power_off_domain(domain, error);
	if (usher_error_code(problem) == USHER_ERROR_NOT_FOUND)
		return true;
	g_propagate_error(error, g_steal_pointer(&problem));
	return false;
}

/* ---- who it is for us ---- */

static bool libvirt_mark(UsherGuest *guest, const char *name, const char *uuid, const char *vm,
	int64_t revision, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	g_auto(virDomainPtr) domain =
		libvirt != NULL ? usher_domain_find_named(libvirt, name, uuid, error) : NULL;
	bool running;
	if (domain == NULL || !usher_domain_is_running(domain, &running, error))
		return false;
	g_autofree char *mark = vm != NULL ? usher_domain_mark_print(vm, uuid, revision) : NULL;
	unsigned flags = VIR_DOMAIN_AFFECT_CONFIG | (running ? VIR_DOMAIN_AFFECT_LIVE : 0U);
	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, mark,
		    vm != NULL ? USHER_DOMAIN_MARK_PREFIX : NULL, USHER_DOMAIN_MARK_URI,
		    flags) == 0)
		return true;
	usher_libvirt_problem(error, libvirt, "%s domain %s", vm != NULL ? "mark" : "unmark", name);
	return false;
}

/* ---- taking devices out ---- */

/* Of the lease's devices those that the domain still has, of char * (aliases). */
static GPtrArray *list_plugged(virDomainPtr domain, const char *lease, GError **error)
{
	bool running;
	g_autoptr(GPtrArray) devices = usher_domain_read_devices(domain, &running, error);
	if (devices == NULL)
		return NULL;
	GPtrArray *aliases = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDomainDevice *device = devices->pdata[i];
		if (g_strcmp0(device->lease, lease) == 0)
			g_ptr_array_add(aliases, g_strdup(device->alias));
	}
	return aliases;
}

/* Asks the guest; libvirt waits a moment itself. Being out or asked already is what we want. */
static bool ask_out(virDomainPtr domain, const char *alias, GError **error)
{
	if (virDomainDetachDeviceAlias(domain, alias, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
		usher_libvirt_failed_with(VIR_ERR_DEVICE_MISSING))
		return true;
	g_autoptr(GError) problem = NULL;
	usher_libvirt_problem(&problem, virDomainGetConnect(domain), "take %s out of domain %s",
		alias, virDomainGetName(domain));
	if (strstr(problem->message, QEMU_IS_ASKED) != NULL || usher_domain_is_off(domain))
		return true;
	g_propagate_error(error, g_steal_pointer(&problem));
	return false;
}

static bool ask_all_out(virDomainPtr domain, const GPtrArray *aliases, GError **error)
{
	for (unsigned i = 0; i < aliases->len; i++) {
		if (!ask_out(domain, aliases->pdata[i], error))
			return false;
	}
	return true;
}

/* A guest that is still booting hears nothing, so it is asked again; what a later question gets for
 * an answer doesn't matter. */
static bool unplug_domain(
	UsherConnection *connection, virDomainPtr domain, const char *lease, GError **error)
{
	int64_t now = g_get_monotonic_time(), deadline = now + UNPLUG_US, ask_at = 0;
	while (now < deadline) {
		unsigned n_events = usher_connection_n_events(connection);
		g_autoptr(GPtrArray) plugged = list_plugged(domain, lease, error);
		if (plugged == NULL || plugged->len == 0)
			return plugged != NULL;
		if (now >= ask_at) {
			bool is_first = ask_at == 0;
			if (!ask_all_out(domain, plugged, is_first ? error : NULL) && is_first)
				return false;
			ask_at = g_get_monotonic_time() + UNPLUG_ASK_US;
		} else {
			usher_connection_await(connection, n_events,
				MIN(now + UNPLUG_LOOK_US, MIN(ask_at, deadline)));
		}
		now = g_get_monotonic_time();
	}
	usher_error_set(error, USHER_ERROR_BUSY,
		"domain %s has not let go of the devices of lease %s within %d s: its system may "
		"be "
		"using them, or not be up yet",
		virDomainGetName(domain), lease, (int) (UNPLUG_US / G_USEC_PER_SEC));
	return false;
}

static bool libvirt_unplug(
	UsherGuest *guest, const char *name, const char *uuid, const char *lease, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	g_auto(virDomainPtr) domain =
		libvirt != NULL ? usher_domain_find_named(libvirt, name, uuid, error) : NULL;
	return domain != NULL && unplug_domain(self->connection, domain, lease, error);
}

static UsherGuestHealth *libvirt_examine(
	UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	g_auto(virDomainPtr) domain =
		libvirt != NULL ? usher_domain_find_named(libvirt, name, uuid, error) : NULL;
	return domain != NULL ? usher_domain_health(domain, error) : NULL;
}

/* ---- the port ---- */

static void libvirt_watch(UsherGuest *guest, UsherGuestChanged func, void *data)
{
	usher_connection_watch(((UsherGuestLibvirt *) guest)->connection, func, data);
}

static void libvirt_free(UsherGuest *guest)
{
	if (guest == NULL)
		return;
	usher_connection_free(((UsherGuestLibvirt *) guest)->connection);
	g_free(guest);
}

static const UsherGuestOps libvirt_ops = {
	.name = USHER_LIBVIRT_BACKEND,
	.can = USHER_CAN_TRANSIENT_DEFINITION | USHER_CAN_HOT_PLUG | USHER_CAN_OWN_START |
		USHER_CAN_TELL_RELEASE,
	.list = libvirt_list,
	.start = libvirt_start,
	.ask_off = libvirt_ask_off,
	.power_off = libvirt_power_off,
	.mark = libvirt_mark,
	.unplug = libvirt_unplug,
	.examine = libvirt_examine,
	.watch = libvirt_watch,
	.free = libvirt_free,
};

UsherGuest *usher_guest_libvirt_new(const char *uri, GError **error)
{
	UsherConnection *connection = usher_connection_new(uri, error);
	if (connection == NULL)
		return NULL;
	UsherGuestLibvirt *self = g_new0(UsherGuestLibvirt, 1);
	self->base.ops = &libvirt_ops;
	self->connection = connection;
	return &self->base;
}
