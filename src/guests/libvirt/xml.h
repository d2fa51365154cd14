/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What usher reads from and writes into libvirt's domain definitions: text in, text or values out.
 * Definitions are written by people, so they are read with suspicion: no document types (hence no
 * entities), nothing fetched, at most USHER_DOMAIN_XML_MAX bytes, and what is wrong is INVALID with
 * a sentence that names the domain. Knows no libvirt and touches no file; any thread.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define USHER_DOMAIN_XML_MAX ((size_t) 4 * 1024 * 1024) /* libvirt's own limit for a string */

/* The namespace of our element in <metadata>, and the prefix it is shown with. */
#define USHER_DOMAIN_MARK_URI    "urn:usher:vm:1"
#define USHER_DOMAIN_MARK_PREFIX "usher"

/* A PCI function of the host that a domain has. */
typedef struct UsherDomainDevice {
	char *address; /* on the host, "0000:01:00.0" */
	char *alias;   /* NULL: none */
	char *lease;   /* whose device it is; NULL: not ours */
} UsherDomainDevice;
void usher_domain_device_free(UsherDomainDevice *device);

/* The definition to start the domain with: text, its inactive definition, with each of the devices
 * (of UsherGuestDevice) added at a guest address that is free; every other byte is as it was.
 * INVALID when there is no room, with the number of ports that are missing; CONFLICT when the
 * definition has the device, or a device of ours, already. */
char *usher_domain_xml_start(
	const char *name, const char *text, const GPtrArray *devices, GError **error);

/* All PCI functions of the host in the definition, of UsherDomainDevice, in its order. out_running
 * (may be NULL): it is the definition of a domain that runs. */
GPtrArray *usher_domain_xml_devices(
	const char *name, const char *text, bool *out_running, GError **error);

/* "ua-usher-LEASE" for the first device of a lease, then "ua-usher-LEASE-1" and so on. */
char *usher_domain_alias(const char *lease, unsigned index);

/* Our element in <metadata>: who the domain is for us. */
char *usher_domain_mark_print(const char *vm, const char *uuid, int64_t revision);
/* False, with nothing written, when text is no mark of ours. */
bool usher_domain_mark_parse(
	const char *text, char **out_vm, char **out_uuid, int64_t *out_revision);
