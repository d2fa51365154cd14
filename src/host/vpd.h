/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Vital product data: what a card's maker wrote into it (PCI 3.0, appendix I). Pure. */
#include <stddef.h>
#include <stdint.h>

#include "core/device.h"

/* At most so much of it is read: reading is slow, and some devices never end. */
#define USHER_VPD_MAX 4096

/* The card may have a serial number there that tells it from others of its make. */
bool usher_vpd_is_asked(const UsherDevice *device);

/* The serial number, "SN" of the read-only part; NULL: there is none, or it is no text. Given. */
char *usher_vpd_serial(const uint8_t *bytes, size_t length);
