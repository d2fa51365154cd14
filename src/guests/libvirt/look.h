/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* All domains as guests. Workers. */
#include <glib.h>
#include <libvirt/libvirt.h>

#define USHER_LIBVIRT_BACKEND "libvirt"

/* Of UsherGuestInfo, sorted by name. What changes while it looks makes an event. */
GPtrArray *usher_libvirt_list(virConnectPtr libvirt, GError **error);
