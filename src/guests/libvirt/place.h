/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where in a guest a device can go: the free PCIe root ports of a q35 machine, the free slots of
 * an i440fx one. A pure function of the domain's definition.
 */
#include "guests/libvirt/document.h"

typedef enum {
	USHER_MACHINE_UNKNOWN, /* no PCI bus that we know how to use */
	USHER_MACHINE_PCI,     /* pci-root: slots of bus 0 */
	USHER_MACHINE_PCIE,    /* pcie-root: one device a root port */
} UsherMachine;

/* Function 0 of a slot of the guest. */
typedef struct UsherPlace {
	uint8_t bus;
	uint8_t slot;
} UsherPlace;

/* All free places, of UsherPlace, lowest first. */
GArray *usher_place_find(const UsherDocument *definition, UsherMachine *out_machine);
