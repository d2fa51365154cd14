/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/start.h"

#include <string.h>

#include "core/guest-info.h"
#include "guests/libvirt/domain.h"
#include "guests/libvirt/problem.h"
#include "guests/libvirt/xml.h"

/* As a start needs it: people's, not what the running domain has become; with its passwords. */
#define DEFINITION_FLAGS (VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE)

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
	if (!is_persistent(domain, error) || !usher_domain_is_running(domain, &running, error))
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
	g_autoptr(GPtrArray) live = usher_domain_read_devices(domain, &running, error);
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
	g_autofree char *after = usher_domain_read(domain, DEFINITION_FLAGS, error);
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
		"libvirt wrote the devices of a start into the definition of domain %s, which is "
		"put back",
		name);
	return false;
}

/* After a start that failed: what runs with devices of ours would hold them. Others may have
 * started it meanwhile, without. */
static void stop_remains(virDomainPtr domain)
{
	bool running;
	g_autoptr(GPtrArray) live = usher_domain_read_devices(domain, &running, NULL);
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
	g_autofree char *before = usher_domain_read(domain, DEFINITION_FLAGS, error);
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
	(void) virDomainDestroyFlags(started, VIR_DOMAIN_DESTROY_DEFAULT);
	return false;
}

bool usher_domain_start(virDomainPtr domain, const GPtrArray *devices, GError **error)
{
	return may_start(domain, error) && start_with(domain, devices, error);
}
