/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The parts of a scan, each filling its lists of an inventory that is not finished yet. */
#include "core/inventory.h"
#include "host/tree.h"

void usher_scan_pci(const UsherTree *tree, UsherInventory *inventory);
/* Those alone that are at these addresses. */
void usher_scan_pci_at(
	const UsherTree *tree, const GPtrArray *addresses, UsherInventory *inventory);
/* USB devices, hubs too. */
void usher_scan_usb(const UsherTree *tree, UsherInventory *inventory);
/* DRM nodes, slots and IOMMUs of the PCI functions. */
void usher_scan_nodes(const UsherTree *tree, UsherInventory *inventory);
/* What is left of the types that PCI functions offer, and what lives on them. */
void usher_scan_mdevs(const UsherTree *tree, UsherInventory *inventory);
/* Block devices, and what is mounted from them or swaps on them. */
void usher_scan_blocks(const UsherTree *tree, UsherInventory *inventory);
/* What fstab, crypttab and definitions of domains say of them; after them. Who else has functions. */
void usher_scan_claims(const UsherTree *tree, UsherInventory *inventory);
/* Network devices and routes. */
void usher_scan_nets(const UsherTree *tree, UsherInventory *inventory);
/* Default routes, and those to whom the host must keep talking; false: they could not be read. */
bool usher_scan_routes(const UsherTree *tree, UsherInventory *inventory);
/* Consoles; after the PCI functions. */
void usher_scan_consoles(const UsherTree *tree, UsherInventory *inventory);
/* What else hangs on PCI functions and must stay: the TPM, the last keyboard, folders of a
 * hypervisor; after the mounts. */
void usher_scan_needs(const UsherTree *tree, UsherInventory *inventory);
