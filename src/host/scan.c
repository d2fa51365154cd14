/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan.h"

#include <fcntl.h>

#include "base/fd.h"
#include "host/scan-parts.h"

#define OVERRIDES_TIMEOUT_US (2 * G_USEC_PER_SEC)
#define MANY                 8 /* a part of the devices: from there on a whole scan takes no longer */

/* What is there and can't be read leaves a note, whoever tried. */
typedef struct Listening {
	UsherFdWitness before;
	UsherInventory *inventory;
} Listening;

static void note_problem(int at, const char *path, int problem, void *data)
{
	const Listening *listening = data;
	const UsherFdWitness *before = &listening->before;
	if (before->func != NULL)
		before->func(at, path, problem, before->data);
	if (problem == 0)
		return;
	g_autofree char *folder = at != AT_FDCWD ? usher_fd_path(at) : NULL;
	g_ptr_array_add(listening->inventory->notes,
		g_strdup_printf("%s%s%s could not be read: %s", folder != NULL ? folder : "",
			folder != NULL ? "/" : "", path, g_strerror(problem)));
}

static void listen_to(Listening *listening, UsherInventory *inventory)
{
	listening->inventory = inventory;
	listening->before = usher_fd_set_witness((UsherFdWitness){ note_problem, listening });
}

static void listening_end(Listening *listening)
{
	(void) usher_fd_set_witness(listening->before);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listening, listening_end)

/* only: addresses, NULL: all. */
static void ask_overrides(UsherHelper *helper, GHashTable *only, UsherInventory *inventory)
{
	g_autoptr(GHashTable) overrides = NULL;
	if (helper != NULL)
		overrides = usher_helper_read_overrides(
			helper, only, OVERRIDES_TIMEOUT_US, inventory->notes);
	else
		g_ptr_array_add(inventory->notes,
			g_strdup("driver_override was not read: there is no usher-helper"));
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherDevice *device = inventory->devices->pdata[i];
		if (device->kind != USHER_DEVICE_PCI) /* others have none */
			continue;
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
	g_auto(Listening) listening;
	listen_to(&listening, inventory);
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
		ask_overrides(helper, NULL, inventory);
	usher_inventory_finish(inventory);
	return inventory;
}

static bool is_display(const UsherInventory *inventory, const char *address)
{
	const UsherDevice *device = usher_inventory_find_text(inventory, address);
	return device != NULL && usher_device_class(device) >> 16 == 0x03;
}

static bool has_display(const UsherInventory *inventory, GHashTable *addresses)
{
	GHashTableIter iter;
	void *address;
	g_hash_table_iter_init(&iter, addresses);
	while (g_hash_table_iter_next(&iter, &address, NULL)) {
		if (is_display(inventory, address))
			return true;
	}
	return false;
}

/* Consoles and the boot display are asked of all displays together: does the answer stay? */
static bool is_same_console(const UsherTree *tree, const UsherInventory *fresh,
	const UsherInventory *last, GHashTable *read)
{
	bool is_display_fresh = false;
	for (unsigned i = 0; i < fresh->devices->len; i++) {
		const UsherDevice *device = fresh->devices->pdata[i];
		is_display_fresh = is_display_fresh || usher_device_class(device) >> 16 == 0x03;
	}
	if (!is_display_fresh && !has_display(last, read))
		return true;
	if (!fresh->boot_display_known || !last->boot_display_known)
		return false;
	g_autoptr(UsherInventory) displays = usher_inventory_new();
	g_ptr_array_set_free_func(displays->devices, NULL);
	g_ptr_array_extend(displays->devices, fresh->devices, NULL, NULL);
	for (unsigned i = 0; i < last->devices->len; i++) {
		UsherDevice *device = last->devices->pdata[i];
		if (!g_hash_table_contains(read, device->address))
			g_ptr_array_add(displays->devices, device);
	}
	displays->boot_display_known = true;
	usher_scan_consoles(tree, displays);
	return displays->other_console == last->other_console;
}

static void add_address(GHashTable *read, GPtrArray *waiting, const char *address)
{
	if (address == NULL || g_hash_table_contains(read, address))
		return;
	char *own = g_strdup(address);
	g_hash_table_add(read, own);
	g_ptr_array_add(waiting, own);
}

/* A function that comes or goes is in its physical function's list: that is read too, the one it
 * had and the one it has. All that was read is in the set that is given. */
static GHashTable *scan_at(const UsherTree *tree, GHashTable *addresses, const UsherInventory *last,
	UsherInventory *inventory)
{
	GHashTable *read = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) waiting = g_ptr_array_new();
	GHashTableIter iter;
	void *address;
	g_hash_table_iter_init(&iter, addresses);
	while (g_hash_table_iter_next(&iter, &address, NULL))
		add_address(read, waiting, address);
	while (waiting->len > 0) {
		g_autoptr(GPtrArray) now = g_steal_pointer(&waiting);
		waiting = g_ptr_array_new();
		unsigned first = inventory->devices->len;
		usher_scan_pci_at(tree, now, inventory);
		for (unsigned i = 0; i < now->len; i++) {
			const UsherDevice *was = usher_inventory_find_text(last, now->pdata[i]);
			if (was != NULL)
				add_address(read, waiting, was->physical_function);
		}
		for (unsigned i = first; i < inventory->devices->len; i++) {
			const UsherDevice *device = inventory->devices->pdata[i];
			add_address(read, waiting, device->physical_function);
		}
	}
	return read;
}

/* A function that was not there, or is another one now: what the host has of it, as reserved memory
 * of its group, is asked of all together. Virtual functions have nothing of the kind. */
static bool is_newcomer(const UsherInventory *last, const UsherDevice *device)
{
	const UsherDevice *was = usher_inventory_find_text(last, device->address);
	if (device->physical_function != NULL)
		return false;
	return was == NULL || was->iommu_group != device->iommu_group ||
		g_strcmp0(was->vendor_id, device->vendor_id) != 0 ||
		g_strcmp0(was->device_id, device->device_id) != 0 ||
		g_strcmp0(was->class_code, device->class_code) != 0;
}

UsherInventory *usher_scan_again(const char *root, UsherHelper *helper, const UsherInventory *last,
	GHashTable *addresses, GError **error)
{
	g_autoptr(UsherTree) tree = usher_tree_open(root, error);
	if (tree == NULL)
		return NULL;
	g_autoptr(UsherInventory) inventory = usher_inventory_new();
	g_auto(Listening) listening;
	listen_to(&listening, inventory);
	g_autoptr(GHashTable) read = scan_at(tree, addresses, last, inventory);
	bool is_doubtful = g_hash_table_size(read) > 8 + last->devices->len / MANY ||
		!is_same_console(tree, inventory, last, read);
	for (unsigned i = 0; i < inventory->devices->len && !is_doubtful; i++)
		is_doubtful = is_newcomer(last, inventory->devices->pdata[i]);
	if (is_doubtful)
		return usher_scan(root, helper, error);
	usher_scan_nodes(tree, inventory);
	usher_scan_mdevs(tree, inventory);
	if (usher_tree_is_live(tree))
		ask_overrides(helper, read, inventory);
	usher_inventory_finish_again(inventory, last, read);
	return g_steal_pointer(&inventory);
}
