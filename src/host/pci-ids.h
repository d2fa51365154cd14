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

/* False: nothing there says who it is. out_serial (may be NULL): the device serial number,
 * "00-1b-21-ff-ff-aa-bb-cc"; NULL: none, a dummy, or not readable. */
bool usher_pci_ids_read(int folder, UsherPciIds *out_ids, char **out_serial);
/* From attribute files alone: reading configuration space wakes a device without power
 * (drivers/pci/access.c, pci_config_pm_runtime_get). */
bool usher_pci_attributes_read(int folder, UsherPciIds *out_ids);
/* "8086:10d3:020000", NULL likewise. */
char *usher_pci_identity_read(int folder);

#define USHER_PCI_HEADER_SIZE 64

/* The same of bytes. A virtual function, and a device that has gone silent, answer ffff (PCIe 6.0,
 * 9.3.4.1.1): that says nothing. */
bool usher_pci_header_parse(const uint8_t *header, size_t length, UsherPciIds *out_ids);
bool usher_pci_modalias_parse(const char *text, UsherPciIds *out_ids);
/* Reads at an offset of configuration space; gives how many bytes are there, 0: none. */
typedef size_t (*UsherPciRead)(void *data, unsigned offset, uint8_t *bytes, size_t size);
char *usher_pci_serial_find(UsherPciRead fetch, void *data);
