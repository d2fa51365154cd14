/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the doctor is told of a domain. Workers; the text's part any thread. */
#include <libvirt/libvirt.h>

#include "core/doctor/guest.h"

/* text: its inactive definition. Whether it starts at boot and what memory the host has is in none. */
UsherGuestHealth *usher_domain_xml_health(const char *name, const char *text, GError **error);
UsherGuestHealth *usher_domain_health(virDomainPtr domain, GError **error);
