/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Guests of libvirt. A guest starts from its persistent definition with the devices added, so that
 * the definition stays as people wrote it; who it is for us is written into its <metadata>.
 */
#include "ports/guest.h"

/* Main thread, which must run the default main loop: events of libvirt come by it. Connects when
 * it is first asked, or watched. uri: "qemu:///system". */
UsherGuest *usher_guest_libvirt_new(const char *uri, GError **error);
