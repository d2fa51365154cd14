/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan.h"

#include "host/scan-parts.h"

#define OVERRIDES_TIMEOUT_US (2 * G_USEC_PER_SEC)

static void ask_overrides(UsherHelper *helper, UsherInventory *inventory)
{
	g_autoptr(GHashTable) overrides = NULL;
	if (helper != NULL)
		overrides =
			usher_helper_read_overrides(helper, OVERRIDES_TIMEOUT_US, inventory->notes);
	else
		g_ptr_array_add(inventory->notes,
			g_strdup("driver_override was not read: there is no usher-helper"));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		const char *text =
			overrides != NULL ? g_hash_table_lookup(overrides, device->address) : NULL;
		device->driver_override_unknown = text == NULL;
		device->driver_override = text != NULL && text[0] != '\0' ? g_strdup(text) : NULL;
	}
}

UsherInventory *usher_scan(const char *root, UsherHelper *helper, GError **error)
{
	g_autoptr(UsherTree) tree = usher_tree_open(root, error);
	if (tree == NULL)
		return NULL;
	UsherInventory *inventory = usher_inventory_new();
	usher_scan_pci(tree, inventory);
	usher_scan_nodes(tree, inventory);
	usher_scan_mdevs(tree, inventory);
	usher_scan_usb(tree, inventory);
	usher_scan_blocks(tree, inventory);
	usher_scan_claims(tree, inventory);
	usher_scan_nets(tree, inventory);
	usher_scan_consoles(tree, inventory);
	usher_scan_needs(tree, inventory);
	if (usher_tree_is_live(tree))
		ask_overrides(helper, inventory);
	usher_inventory_finish(inventory);
	return inventory;
}
