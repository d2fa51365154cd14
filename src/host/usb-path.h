/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The USB devices in a path of sysfs: "…/0000:00:14.0/usb1/1-4/1-4.2/1-4.2:1.0/net/eth0". Text only. */
#include <glib.h>

/* "usb:1-4.2" of "1-4.2", "usb:1-0" of the root hub "usb1"; NULL: it is no name of a USB device. */
char *usher_usb_path_address(const char *name);
/* Address of the last one in the path; NULL: none. */
char *usher_usb_path_last(const char *path);
