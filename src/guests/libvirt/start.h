/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Starting a domain with devices of ours. Workers. */
#include <glib.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>

/* Starts it from its inactive definition with the devices (of UsherGuestDevice) added, and looks
 * whether it has them. When this fails nothing of ours runs; in any case the definition stays. */
bool usher_domain_start(virDomainPtr domain, const GPtrArray *devices, GError **error);
