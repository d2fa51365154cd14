/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/libvirt.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "guests/libvirt/connection.h"
#include "guests/libvirt/problem.h"
#include "guests/libvirt/xml.h"

#define BACKEND "libvirt"

#define UNPLUG_US (30 * G_USEC_PER_SEC)
/* An event tells that a device is out; should it get lost, the definition is read again. */
#define UNPLUG_LOOK_US (2 * G_USEC_PER_SEC)
/* Longer than the five seconds in which a second press of a PCIe slot's button takes the first back. */
#define UNPLUG_ASK_US (8 * G_USEC_PER_SEC)
#define QEMU_IS_ASKED "in the process of unplug"

/* As a start needs it: people's, not what the running domain has become; with its passwords. */
#define DEFINITION_FLAGS (VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE)

typedef struct UsherGuestLibvirt {
	UsherGuest base;
	UsherConnection *connection;
} UsherGuestLibvirt;

static void domain_free(virDomainPtr domain)
{
	if (domain != NULL)
		(void) virDomainFree(domain);
}
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(virDomainPtr, domain_free, NULL)

static void domain_unref(void *domain)
{
	domain_free(domain);
}

/* ---- looking ---- */

static UsherGuestState state_of(int state)
{
	switch ((virDomainState) state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_SHUTDOWN: /* on its way: it has its devices still */
		return USHER_GUEST_RUNNING;
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
		return USHER_GUEST_PAUSED;
	case VIR_DOMAIN_SHUTOFF:
		return USHER_GUEST_SHUT_OFF;
	case VIR_DOMAIN_CRASHED:
		return USHER_GUEST_CRASHED;
	case VIR_DOMAIN_NOSTATE:
	default:
		return USHER_GUEST_UNKNOWN;
	}
}

static GPtrArray *list_domains(virConnectPtr libvirt, unsigned flags, GError **error)
{
	virDomainPtr *domains = NULL;
	int n = virConnectListAllDomains(libvirt, &domains, flags);
	if (n < 0) {
		usher_libvirt_problem(error, libvirt, "list domains");
		return NULL;
	}
	GPtrArray *list = g_ptr_array_new_with_free_func(domain_unref);
	for (int i = 0; i < n; i++)
		g_ptr_array_add(list, domains[i]);
	free(domains);
	return list;
}

/* The names of the domains that a filter lets through: one question instead of one a domain. */
static GHashTable *list_names(virConnectPtr libvirt, unsigned flags, GError **error)
{
	g_autoptr(GPtrArray) domains = list_domains(libvirt, flags, error);
	if (domains == NULL)
		return NULL;
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; i < domains->len; i++)
		g_hash_table_add(names, g_strdup(virDomainGetName(domains->pdata[i])));
	return names;
}

static char *dup_uuid(virDomainPtr domain)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	return virDomainGetUUIDString(domain, uuid) == 0 ? g_strdup(uuid) : NULL;
}

/* What people wrote of others in <metadata> is theirs: what is no mark of ours is none. */
static void read_mark(virDomainPtr domain, UsherGuestInfo *info)
{
	int64_t revision;
	char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
		USHER_DOMAIN_MARK_URI, VIR_DOMAIN_AFFECT_CONFIG);
	if (text != NULL)
		(void) usher_domain_mark_parse(text, &info->mark, &info->mark_uuid, &revision);
	free(text);
}

static char *read_definition(virDomainPtr domain, unsigned flags, GError **error)
{
	char *text = virDomainGetXMLDesc(domain, flags);
	if (text == NULL)
		usher_libvirt_problem(error, virDomainGetConnect(domain),
			"read the definition of domain %s", virDomainGetName(domain));
	char *copy = g_strdup(text);
	free(text);
	return copy;
}

/* The devices a domain has now: none when it doesn't run. */
static GPtrArray *read_live_devices(virDomainPtr domain, bool *out_running, GError **error)
{
	g_autofree char *text = read_definition(domain, 0, error);
	if (text == NULL)
		return NULL;
	bool running;
	GPtrArray *devices =
		usher_domain_xml_devices(virDomainGetName(domain), text, &running, error);
	if (devices == NULL)
		return NULL;
	if (!running)
		g_ptr_array_set_size(devices, 0);
	*out_running = running;
	return devices;
}

static void add_once(GPtrArray *strings, const char *string)
{
	if (!g_ptr_array_find_with_equal_func(strings, string, g_str_equal, NULL))
		g_ptr_array_add(strings, g_strdup(string));
}

static bool read_devices(virDomainPtr domain, UsherGuestInfo *info, GError **error)
{
	bool running;
	g_autoptr(GPtrArray) devices = read_live_devices(domain, &running, error);
	if (devices == NULL)
		return false;
	if (!running &&
		info->state != USHER_GUEST_CRASHED) /* it went off between the two questions */
		info->state = USHER_GUEST_SHUT_OFF;
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDomainDevice *device = devices->pdata[i];
		add_once(info->hostdevs, device->address);
		if (device->lease != NULL)
			add_once(info->leases, device->lease);
	}
	return true;
}

static UsherGuestInfo *describe(
	virDomainPtr domain, GHashTable *transient, GHashTable *saved, GError **error)
{
	const char *name = virDomainGetName(domain);
	g_autoptr(UsherGuestInfo) info = usher_guest_info_new();
	int state;
	if (virDomainGetState(domain, &state, NULL, 0) < 0) {
		usher_libvirt_problem(
			error, virDomainGetConnect(domain), "read the state of domain %s", name);
		return NULL;
	}
	info->name = g_strdup(name);
	info->uuid = dup_uuid(domain);
	info->backend = g_strdup(BACKEND);
	info->state = state_of(state);
	info->persistent = !g_hash_table_contains(transient, name);
	info->managed_save = g_hash_table_contains(saved, name);
	if (info->persistent)
		read_mark(domain, info);
	if (info->state != USHER_GUEST_SHUT_OFF && !read_devices(domain, info, error))
		return NULL;
	return g_steal_pointer(&info);
}

static int compare_names(const void *one, const void *other)
{
	const UsherGuestInfo *const *a = one, *const *b = other;
	return strcmp((*a)->name, (*b)->name);
}

static GPtrArray *libvirt_list(UsherGuest *guest, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	if (libvirt == NULL)
		return NULL;
	g_autoptr(GHashTable) saved =
		list_names(libvirt, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, error);
	g_autoptr(GHashTable) transient = saved != NULL
		? list_names(libvirt, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, error)
		: NULL;
	g_autoptr(GPtrArray) domains = transient != NULL ? list_domains(libvirt, 0, error) : NULL;
	if (domains == NULL)
		return NULL;
	g_autoptr(GPtrArray) guests =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_guest_info_free);
	for (unsigned i = 0; i < domains->len; i++) {
		g_autoptr(GError) problem = NULL;
		UsherGuestInfo *info = describe(domains->pdata[i], transient, saved, &problem);
		if (info != NULL) {
			g_ptr_array_add(guests, info);
		} else if (usher_error_code(problem) != USHER_ERROR_NOT_FOUND) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return NULL;
		} /* else it was undefined meanwhile */
	}
	g_ptr_array_sort(guests, compare_names);
	return g_steal_pointer(&guests);
}

/* ---- finding one ---- */

/* By uuid, which is who it is; NOT_FOUND says who has its name now. */
static virDomainPtr find_domain(
	virConnectPtr libvirt, const char *name, const char *uuid, GError **error)
{
	virDomainPtr domain = virDomainLookupByUUIDString(libvirt, uuid);
	if (domain != NULL)
		return domain;
	if (!usher_libvirt_failed_with(VIR_ERR_NO_DOMAIN)) {
		usher_libvirt_problem(error, libvirt, "look up domain %s (%s)", name, uuid);
		return NULL;
	}
	g_auto(virDomainPtr) namesake = virDomainLookupByName(libvirt, name);
	g_autofree char *other = namesake != NULL ? dup_uuid(namesake) : NULL;
	if (other != NULL)
		usher_error_set(error, USHER_ERROR_NOT_FOUND,
			"domain %s is another one: its uuid is %s, not %s", name, other, uuid);
	else
		usher_error_set(
			error, USHER_ERROR_NOT_FOUND, "no domain %s (%s) is defined", name, uuid);
	return NULL;
}

static virDomainPtr find_named_domain(
	virConnectPtr libvirt, const char *name, const char *uuid, GError **error)
{
	g_auto(virDomainPtr) domain = find_domain(libvirt, name, uuid, error);
	if (domain == NULL)
		return NULL;
	if (strcmp(virDomainGetName(domain), name) != 0) {
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "domain %s is called %s now", name,
			virDomainGetName(domain));
		return NULL;
	}
	return g_steal_pointer(&domain);
}

static bool is_running(virDomainPtr domain, bool *out_running, GError **error)
{
	int active = virDomainIsActive(domain);
	if (active < 0) {
		usher_libvirt_problem(error, virDomainGetConnect(domain),
			"read the state of domain %s", virDomainGetName(domain));
		return false;
	}
	*out_running = active == 1;
	return true;
}

/* ---- starting ---- */

static bool is_persistent(virDomainPtr domain, GError **error)
{
	int persistent = virDomainIsPersistent(domain);
	if (persistent < 0)
		usher_libvirt_problem(error, virDomainGetConnect(domain),
			"read the state of domain %s", virDomainGetName(domain));
	else if (persistent == 0)
		usher_error_set(error, USHER_ERROR_DENIED,
			"domain %s is transient: only a domain that stays defined is started with "
			"devices",
			virDomainGetName(domain));
	return persistent == 1;
}

/* A start from a definition leaves a saved image where it is, and the next plain start would
 * resume memory that is older than the disks. */
static bool has_no_saved_memory(virDomainPtr domain, GError **error)
{
	const char *name = virDomainGetName(domain);
	int saved = virDomainHasManagedSaveImage(domain, 0);
	if (saved < 0)
		usher_libvirt_problem(error, virDomainGetConnect(domain),
			"look for saved memory of domain %s", name);
	if (saved == 1) {
		usher_error_set(error, USHER_ERROR_DENIED,
			"domain %s has its memory saved, which a start with devices would leave "
			"behind to "
			"be resumed later: give it up with `virsh managedsave-remove %s`, or start "
			"it once "
			"with `virsh start %s` and shut it down",
			name, name, name);
		g_autofree char *hint = g_strdup_printf("virsh managedsave-remove %s", name);
		if (error != NULL)
			usher_error_set_hint(*error, hint);
	}
	return saved == 0;
}

static bool may_start(virDomainPtr domain, GError **error)
{
	bool running;
	if (!is_persistent(domain, error) || !is_running(domain, &running, error))
		return false;
	if (running) {
		usher_error_set(
			error, USHER_ERROR_BUSY, "domain %s is running", virDomainGetName(domain));
		return false;
	}
	return has_no_saved_memory(domain, error);
}

static const UsherDomainDevice *find_alias(
	const GPtrArray *devices, const char *lease, const char *address)
{
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDomainDevice *device = devices->pdata[i];
		if (g_strcmp0(device->lease, lease) == 0 && strcmp(device->address, address) == 0)
			return device;
	}
	return NULL;
}

/* Whether the domain runs, and has all of the devices, each for its lease. */
static bool has_devices(virDomainPtr domain, const GPtrArray *devices, GError **error)
{
	const char *name = virDomainGetName(domain);
	bool running;
	g_autoptr(GPtrArray) live = read_live_devices(domain, &running, error);
	if (live == NULL)
		return false;
	if (!running) {
		usher_error_set(
			error, USHER_ERROR_HOST, "domain %s went off right after its start", name);
		return false;
	}
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherGuestDevice *device = devices->pdata[i];
		if (find_alias(live, device->lease, device->address) == NULL) {
			usher_error_set(error, USHER_ERROR_HOST, "domain %s started without %s",
				name, device->address);
			return false;
		}
	}
	return true;
}

static bool holds_ours(const char *name, const char *definition)
{
	g_autoptr(GPtrArray) devices = usher_domain_xml_devices(name, definition, NULL, NULL);
	for (unsigned i = 0; devices != NULL && i < devices->len; i++) {
		if (((const UsherDomainDevice *) devices->pdata[i])->lease != NULL)
			return true;
	}
	return false;
}

/* The definition must be as before. Where it isn't and holds devices of ours, the start was written
 * into it: put back what was there. Other changes are an edit by somebody else, which is theirs; so
 * is taking the definition away. */
static bool is_as_before(virDomainPtr domain, const char *before, GError **error)
{
	const char *name = virDomainGetName(domain);
	virConnectPtr libvirt = virDomainGetConnect(domain);
	int persistent = virDomainIsPersistent(domain);
	if (persistent == 0)
		return true;
	g_autofree char *after = read_definition(domain, DEFINITION_FLAGS, error);
	if (after == NULL)
		return false;
	if (strcmp(before, after) == 0 || !holds_ours(name, after))
		return true;
	g_auto(virDomainPtr) defined = virDomainDefineXML(libvirt, before);
	if (defined == NULL) {
		usher_libvirt_problem(error, libvirt,
			"put the definition of domain %s back, which its start had changed", name);
		return false;
	}
	usher_error_set(error, USHER_ERROR_HOST,
		"libvirt wrote the devices of a start into the definition of domain %s; it is put "
		"back",
		name);
	return false;
}

/* After a start that failed: what is left running with devices of ours would hold them. */
static void stop_remains(virDomainPtr domain)
{
	bool running;
	g_autoptr(GPtrArray) live = read_live_devices(domain, &running, NULL);
	for (unsigned i = 0; live != NULL && i < live->len; i++) {
		if (((const UsherDomainDevice *) live->pdata[i])->lease == NULL)
			continue;
		(void) virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_DEFAULT);
		return;
	}
}

static bool start_with(virDomainPtr domain, const GPtrArray *devices, GError **error)
{
	const char *name = virDomainGetName(domain);
	virConnectPtr libvirt = virDomainGetConnect(domain);
	g_autofree char *before = read_definition(domain, DEFINITION_FLAGS, error);
	g_autofree char *definition =
		before != NULL ? usher_domain_xml_start(name, before, devices, error) : NULL;
	if (definition == NULL)
		return false;
	/* No flags: AUTODESTROY would end the guest with our connection. */
	g_auto(virDomainPtr) started = virDomainCreateXML(libvirt, definition, 0);
	if (started == NULL) {
		usher_libvirt_problem(error, libvirt, "start domain %s", name);
		stop_remains(domain);
		(void) is_as_before(domain, before, NULL);
		return false;
	}
	if (is_as_before(started, before, error) && has_devices(started, devices, error))
		return true;
	stop_remains(started);
	return false;
}

static bool libvirt_start(UsherGuest *guest, const char *name, const char *uuid,
	const GPtrArray *devices, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	g_auto(virDomainPtr) domain =
		libvirt != NULL ? find_named_domain(libvirt, name, uuid, error) : NULL;
	return domain != NULL && may_start(domain, error) && start_with(domain, devices, error);
}

/* ---- stopping ---- */

/* A question to a domain that has gone off meanwhile, or was off, is answered. */
static bool is_off(virDomainPtr domain)
{
	return virDomainIsActive(domain) == 0 || usher_libvirt_failed_with(VIR_ERR_NO_DOMAIN);
}

static bool libvirt_ask_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	UsherGuestLibvirt *self = (UsherGuestLibvirt *) guest;
	g_auto(virConnectPtr) libvirt = usher_connection_get(self->connection, error);
	g_auto(virDomainPtr) domain =
		libvirt != NULL ? find_named_domain(libvirt, name, uuid, error) : NULL;
	if (domain == NULL)
		return false;
	if (is_off(domain) ||
		virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) == 0)
		return true;
	usher_libvirt_problem(error, libvirt, "ask domain %s to shut down", name);
	return false;
}

/* First so that QEMU may write out what it has of the disks, then whatever it takes. */
static bool power_off_domain(virDomainPtr domain, GError **error)
{
	if (is_off(domain) || virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_GRACEFUL) == 0 ||
		is_off(domain) || virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_DEFAULT) == 0)
		return true;
	g_autoptr(GError) problem = NULL;
	usher_libvirt_problem(&problem, virDomainGetConnect(domain), "power off domain %s",
		virDomainGetName(domain));
	if (is_off(domain))
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
	g_auto(virDomainPtr) domain = find_domain(libvirt, name, uuid, &problem);
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
		libvirt != NULL ? find_named_domain(libvirt, name, uuid, error) : NULL;
	bool running;
	if (domain == NULL || !is_running(domain, &running, error))
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
	g_autoptr(GPtrArray) devices = read_live_devices(domain, &running, error);
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

/* Asks the guest; libvirt waits a moment itself. That it is out, or asked already, is what we want. */
static bool ask_out(virDomainPtr domain, const char *alias, GError **error)
{
	if (virDomainDetachDeviceAlias(domain, alias, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
		usher_libvirt_failed_with(VIR_ERR_DEVICE_MISSING))
		return true;
	g_autoptr(GError) problem = NULL;
	usher_libvirt_problem(&problem, virDomainGetConnect(domain), "take %s out of domain %s",
		alias, virDomainGetName(domain));
	if (strstr(problem->message, QEMU_IS_ASKED) != NULL || is_off(domain))
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
		libvirt != NULL ? find_named_domain(libvirt, name, uuid, error) : NULL;
	return domain != NULL && unplug_domain(self->connection, domain, lease, error);
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
	.name = BACKEND,
	.can = USHER_CAN_TRANSIENT_DEFINITION | USHER_CAN_HOT_PLUG | USHER_CAN_OWN_START |
		USHER_CAN_TELL_RELEASE,
	.list = libvirt_list,
	.start = libvirt_start,
	.ask_off = libvirt_ask_off,
	.power_off = libvirt_power_off,
	.mark = libvirt_mark,
	.unplug = libvirt_unplug,
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
