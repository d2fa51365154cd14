/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A hypervisor without guests, behind ports/guest.h: for hosts that have none. */
#include "ports/guest.h"

UsherGuest *usher_no_guests_new(void);
