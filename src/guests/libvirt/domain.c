/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/domain.h"

#include <string.h>

#include "guests/libvirt/problem.h"
#include "guests/libvirt/xml.h"

void usher_domain_unref(virDomainPtr domain)
{
	if (domain != NULL)
		(void) virDomainFree(domain);
}

char *usher_domain_dup_uuid(virDomainPtr domain)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	return virDomainGetUUIDString(domain, uuid) == 0 ? g_strdup(uuid) : NULL;
}

virDomainPtr usher_domain_find(
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
	g_autofree char *other = namesake != NULL ? usher_domain_dup_uuid(namesake) : NULL;
	if (other != NULL)
		usher_error_set(error, USHER_ERROR_NOT_FOUND,
			"domain %s is another one: its uuid is %s, not %s", name, other, uuid);
	else
		usher_error_set(
			error, USHER_ERROR_NOT_FOUND, "no domain %s (%s) is defined", name, uuid);
	return NULL;
}

virDomainPtr usher_domain_find_named(
	virConnectPtr libvirt, const char *name, const char *uuid, GError **error)
{
	g_auto(virDomainPtr) domain = usher_domain_find(libvirt, name, uuid, error);
	if (domain == NULL)
		return NULL;
	if (strcmp(virDomainGetName(domain), name) != 0) {
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "domain %s is called %s now", name,
			virDomainGetName(domain));
		return NULL;
	}
	return g_steal_pointer(&domain);
}

bool usher_domain_is_running(virDomainPtr domain, bool *out_running, GError **error)
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

bool usher_domain_is_off(virDomainPtr domain)
{
	return virDomainIsActive(domain) == 0 || usher_libvirt_failed_with(VIR_ERR_NO_DOMAIN);
}

char *usher_domain_read(virDomainPtr domain, unsigned flags, GError **error)
{
	char *text = virDomainGetXMLDesc(domain, flags);
	if (text == NULL)
		usher_libvirt_problem(error, virDomainGetConnect(domain),
			"read the definition of domain %s", virDomainGetName(domain));
	char *copy = g_strdup(text);
	free(text);
	return copy;
}

GPtrArray *usher_domain_read_devices(virDomainPtr domain, bool *out_running, GError **error)
{
	g_autofree char *text = usher_domain_read(domain, 0, error);
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
