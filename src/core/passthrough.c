/* SPDX-License-Identifier: Apache-2.0 */
#include "core/passthrough.h"

#include <string.h>

#include "core/guard.h"

/* Worse is greater. */
typedef enum {
	WHOLE_YES,
	WHOLE_AFTER_FIX,
	WHOLE_NO,
} Whole;

static void because(UsherPassthrough *passthrough, Whole *whole, Whole at_least, char *reason)
{
	g_ptr_array_add(passthrough->because, reason);
	*whole = MAX(*whole, at_least);
}

static bool is_denied_by_vfio(const UsherDevice *device)
{
	/* drivers/vfio/pci/vfio_pci.c, vfio_pci_dev_in_denylist */
	static const char *const qat_and_dsa[] = { "19e2", "19e3", "37c8", "37c9", "0435", "0443",
		"0b25", "0cfe", NULL };
	return g_strcmp0(device->vendor_id, "8086") == 0 && device->device_id != NULL &&
		g_strv_contains(qat_and_dsa, device->device_id);
}

/* One driver outside vfio makes a group not viable; the drivers of PCI bridges are excepted
 * (drivers/pci/pcie/portdrv.c, driver_managed_dma). */
static void judge_group(const GPtrArray *near, const UsherDevice *device,
	UsherPassthrough *passthrough, Whole *whole)
{
	for (unsigned i = 0; i < near->len; i++) {
		const UsherDevice *other = near->pdata[i];
		unsigned code = usher_device_class(other) >> 8;
		if (other == device || other->iommu_group != device->iommu_group || code == 0x0604)
			continue;
		if (code >> 8 == 0x05 && other->driver == NULL) /* the chipset's shared memory */
			continue;
		const char *why = usher_guard_class_reason(other);
		if (usher_device_is_bridge(other) && other->driver != NULL)
			because(passthrough, whole, WHOLE_NO,
				g_strdup_printf("%s in its IOMMU group %s and has the driver %s",
					other->address, why, other->driver));
		else if (why != NULL && code != 0x0600)
			because(passthrough, whole, WHOLE_NO,
				g_strdup_printf("%s in its IOMMU group %s", other->address, why));
	}
}

static const char *judge_whole(const UsherInventory *inventory, const UsherDevice *device,
	const GPtrArray *near, UsherPassthrough *passthrough)
{
	static const char *const names[] = { "yes", "after-fix", "no" };
	Whole whole = WHOLE_YES;
	const char *why = usher_guard_class_reason(device);
	if (why != NULL)
		because(passthrough, &whole, WHOLE_NO, g_strdup_printf("it %s", why));
	if (device->kind ==
		USHER_DEVICE_USB) { /* a hypervisor hands it on, no IOMMU is in the way */
		if (device->is_hub)
			because(passthrough, &whole, WHOLE_NO, g_strdup("it is a hub"));
		return names[whole];
	}
	if (!inventory->has_iommu)
		because(passthrough, &whole, WHOLE_AFTER_FIX,
			g_strdup(inventory->iommu_unknown
					? "nobody can tell whether an IOMMU is active on this host"
					: "no IOMMU is active on this host"));
	else if (device->iommu_group == USHER_INT_NULL)
		because(passthrough, &whole, WHOLE_NO, g_strdup("it is in no IOMMU group"));
	else
		judge_group(near, device, passthrough, &whole);
	if (device->sriov_active > 0)
		because(passthrough, &whole, WHOLE_AFTER_FIX,
			g_strdup_printf("%" G_GINT64_FORMAT " of its virtual functions are active",
				device->sriov_active));
	if (device->mdevs->len > 0)
		because(passthrough, &whole, WHOLE_AFTER_FIX,
			g_strdup_printf("it has live mediated devices (%u)", device->mdevs->len));
	if (is_denied_by_vfio(device))
		because(passthrough, &whole, WHOLE_AFTER_FIX,
			g_strdup("vfio-pci refuses it unless loaded with disable_denylist=1"));
	return names[whole];
}

static void add_once(GPtrArray *names, const char *name)
{
	if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
		g_ptr_array_add(names, g_strdup(name));
}

static void judge_vgpu(const UsherDevice *device, GPtrArray *vgpu)
{
	for (unsigned i = 0; i < device->mdev_types->len; i++) {
		const char *type = device->mdev_types->pdata[i];
		if (g_str_has_prefix(type, "i915-GVTg"))
			add_once(vgpu, "gvt-g");
		else if (g_str_has_prefix(type, "nvidia-"))
			add_once(vgpu, "nvidia-mdev");
		else
			add_once(vgpu, "mdev");
	}
	unsigned base = usher_device_class(device) >> 16;
	if (base == 0x03 && device->sriov_total > 0)
		add_once(vgpu, g_strcmp0(device->vendor_id, "10de") == 0 ? "nvidia-vf" : "sriov");
}

UsherPassthrough *usher_passthrough_among(
	const UsherInventory *inventory, const UsherDevice *device, const GPtrArray *near)
{
	UsherPassthrough *passthrough = usher_passthrough_new();
	passthrough->whole = g_strdup(judge_whole(inventory, device, near, passthrough));
	judge_vgpu(device, passthrough->vgpu);
	g_assert((strcmp(passthrough->whole, "yes") == 0) == (passthrough->because->len == 0));
	return passthrough;
}

UsherPassthrough *usher_passthrough_of(const UsherInventory *inventory, const UsherDevice *device)
{
	g_autoptr(GPtrArray) near = usher_inventory_near(inventory, device);
	return usher_passthrough_among(inventory, device, near);
}
