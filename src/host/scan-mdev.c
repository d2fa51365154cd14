/* SPDX-License-Identifier: Apache-2.0 */
/* Mediated devices: what parents offer, and what lives on them. */
#include "host/scan-parts.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/pci-path.h"

#define MDEVS   "sys/bus/mdev/devices"
#define PARENTS "sys/class/mdev_bus" /* named as they are; without mdev there is no such class */

static void read_offer(const UsherTree *tree, const char *type, UsherDevice *device)
{
	g_autofree char *path = g_strconcat(
		"sys/bus/pci/devices/", device->address, "/mdev_supported_types/", type, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (folder < 0)
		return;
	UsherMdevOffer *offer = usher_mdev_offer_new();
	offer->type = g_strdup(type);
	offer->name = usher_attr_read(folder, "name");
	offer->api = usher_attr_read(folder, "device_api");
	offer->description = usher_attr_read(folder, "description");
	int64_t available;
	if (usher_attr_read_int(folder, "available_instances", &available) && available >= 0)
		offer->available = available;
	g_ptr_array_add(device->mdev_offers, offer);
}

static UsherMdev *read_mdev(int folder, const char *uuid)
{
	UsherMdev *mdev = usher_mdev_new();
	mdev->uuid = g_strdup(uuid);
	mdev->type = usher_attr_link_name(folder, "mdev_type");
	g_autofree char *group = usher_attr_link_name(folder, "iommu_group");
	uint32_t number;
	if (group != NULL && usher_text_parse_u32(group, INT32_MAX, &number, NULL))
		mdev->iommu_group = number;
	return mdev;
}

static void scan_live(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, MDEVS);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat(MDEVS "/", names->pdata[i], NULL);
		g_autofree char *target = usher_tree_link(tree, path);
		g_autofree char *address = target != NULL ? usher_pci_path_last(target) : NULL;
		g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
		for (unsigned j = 0; folder >= 0 && address != NULL && j < inventory->devices->len;
			j++) {
			UsherDevice *device = inventory->devices->pdata[j];
			if (strcmp(device->address, address) == 0)
				g_ptr_array_add(device->mdevs, read_mdev(folder, names->pdata[i]));
		}
	}
}

static void read_parent(const UsherTree *tree, UsherDevice *device)
{
	g_autofree char *path =
		g_strconcat("sys/bus/pci/devices/", device->address, "/mdev_supported_types", NULL);
	g_autoptr(GPtrArray) types = usher_tree_list(tree, path);
	for (unsigned i = 0; types != NULL && i < types->len; i++) {
		g_ptr_array_add(device->mdev_types, g_strdup(types->pdata[i]));
		read_offer(tree, types->pdata[i], device);
	}
}

static void scan_parents(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, PARENTS);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		for (unsigned j = 0; j < inventory->devices->len; j++) {
			UsherDevice *device = inventory->devices->pdata[j];
			if (strcmp(device->address, names->pdata[i]) == 0)
				read_parent(tree, device);
		}
	}
}

void usher_scan_mdevs(const UsherTree *tree, UsherInventory *inventory)
{
	scan_parents(tree, inventory);
	scan_live(tree, inventory);
}
