/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The address of a PCI function, a small value. Where a device is, not who it is. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct UsherPciAddr {
	uint32_t domain; /* wider than 16 bits behind Intel VMD */
	uint8_t bus;
	uint8_t slot;     /* 0 to 31 */
	uint8_t function; /* 0 to 7 */
} UsherPciAddr;

#define USHER_PCI_ADDR_TEXT 17 /* "ffffffff:ff:1f.7" and its NUL */

/* "0000:01:00.0" or "01:00.0" (domain 0); INVALID otherwise. */
bool usher_pci_addr_parse(const char *text, UsherPciAddr *out_addr, GError **error);
/* Writes into text, at least USHER_PCI_ADDR_TEXT bytes, and returns it. */
char *usher_pci_addr_print(UsherPciAddr addr, char *text);
/* By domain, bus, slot, function, as numbers: -1, 0, 1. */
int usher_pci_addr_compare(UsherPciAddr one, UsherPciAddr other);
bool usher_pci_addr_is_same_slot(UsherPciAddr one, UsherPciAddr other);
