/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Report descriptors of HID devices. Pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* It describes a power supply or a UPS (HID Usage Tables for Power Devices 1.1, 4). */
bool usher_hid_is_power_device(const uint8_t *bytes, size_t length);
