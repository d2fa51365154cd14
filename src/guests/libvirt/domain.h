/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One domain of libvirt: finding it, and the questions that several calls ask. Workers. */
#include <glib.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>

void usher_domain_unref(virDomainPtr domain);
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(virDomainPtr, usher_domain_unref, NULL)

/* By uuid, which is who it is; NOT_FOUND says who has its name now. find_named: NOT_FOUND also when
 * it has another name. */
virDomainPtr usher_domain_find(
	virConnectPtr libvirt, const char *name, const char *uuid, GError **error);
virDomainPtr usher_domain_find_named(
	virConnectPtr libvirt, const char *name, const char *uuid, GError **error);

char *usher_domain_dup_uuid(virDomainPtr domain);
bool usher_domain_is_running(virDomainPtr domain, bool *out_running, GError **error);
/* Off, or gone altogether. False also when that cannot be known. */
bool usher_domain_is_off(virDomainPtr domain);

/* Its definition, with virDomainXMLFlags. */
char *usher_domain_read(virDomainPtr domain, unsigned flags, GError **error);
/* The host's devices it has now, of UsherDomainDevice: none when it doesn't run. */
GPtrArray *usher_domain_read_devices(virDomainPtr domain, bool *out_running, GError **error);
