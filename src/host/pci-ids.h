/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who is at a PCI address, read through its opened folder in sysfs without taking the device's
 * lock: from configuration space, or from attribute files where that has no answer.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct UsherPciIds {
	uint16_t vendor, device;
	uint32_t class_code; /* 24 bits */
	uint16_t subsystem_vendor, subsystem_device;
	uint8_t revision;
	bool has_subsystem, has_revision;
} UsherPciIds;

/* False: nothing there says who it is. */
bool usher_pci_ids_read(int folder, UsherPciIds *out_ids);
/* "8086:10d3:020000", NULL likewise. */
char *usher_pci_identity_read(int folder);
/* Device serial number, "00-1b-21-ff-ff-aa-bb-cc"; NULL: none, a dummy, or not readable. */
char *usher_pci_serial_read(int folder);
