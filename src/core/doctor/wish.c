/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/wish.h"

#include <string.h>

#include "core/doctor/private.h"

static void add(GPtrArray *texts, const char *text)
{
	if (!g_ptr_array_find_with_equal_func(texts, text, g_str_equal, NULL))
		g_ptr_array_add(texts, g_strdup(text));
}

/* ---- the IOMMU, and vfio ---- */

static void wish_iommu(const UsherDoctor *doctor, UsherBootWish *wish)
{
	if (doctor->facts->has_iommu != USHER_FACT_YES) {
		if (usher_doctor_is_intel(doctor))
			add(wish->words, "intel_iommu=on");
		add(wish->words, "iommu=pt"); /* the host's own devices as fast as without */
	}
	add(wish->promises, "iommu-active");
	static const char *const unwanted[] = { "intel_iommu=off", "iommu=off", "amd_iommu=off",
		"amd_iommu=on" };
	for (size_t i = 0; i < G_N_ELEMENTS(unwanted); i++)
		add(wish->unwanted, unwanted[i]);
	add(wish->promises, "iommu-cmdline");
}

static void wish_vfio(const UsherDoctor *doctor, UsherBootWish *wish)
{
	GHashTable *builtins = doctor->facts->builtins;
	if (builtins != NULL && g_hash_table_contains(builtins, "vfio_pci"))
		return;
	add(wish->modules, "vfio-pci");
	add(wish->promises, "vfio-modules");
}

/* ---- one device ---- */

static bool has_twin(const UsherInventory *inventory, const UsherDevice *device)
{
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		const UsherDevice *other = inventory->devices->pdata[i];
		if (other != device && other->kind == USHER_DEVICE_PCI &&
			g_strcmp0(other->vendor_id, device->vendor_id) == 0 &&
			g_strcmp0(other->device_id, device->device_id) == 0)
			return true;
	}
	return false;
}

static void hold(const UsherDoctor *doctor, const UsherDevice *device, UsherBootWish *wish)
{
	UsherBootHold *one = usher_boot_hold_new();
	one->address = g_strdup(device->address);
	one->id = g_strdup_printf("%s:%s", device->vendor_id, device->device_id);
	if (g_strcmp0(device->driver, "vfio-pci") != 0)
		one->driver = g_strdup(device->driver);
	one->shares_id = has_twin(doctor->inventory, device);
	GHashTable *builtins = doctor->facts->builtins;
	one->is_builtin = one->driver != NULL && builtins != NULL &&
		g_hash_table_contains(builtins, one->driver);
	one->shows_console = device->boot_display;
	one->carries_network = device->nets->len > 0;
	g_ptr_array_add(wish->holds, one);
}

/* The device, and what is on the same card: a GPU's audio. */
static void wish_holds(const UsherDoctor *doctor, UsherBootWish *wish)
{
	const UsherDevice *device = doctor->device;
	UsherPciAddr own, other;
	hold(doctor, device, wish);
	bool is_known = usher_pci_addr_parse(device->address, &own, NULL);
	for (unsigned i = 0; i < device->companions->len; i++) {
		const char *address = device->companions->pdata[i];
		const UsherDevice *companion =
			usher_inventory_find_text(doctor->inventory, address);
		if (is_known && companion != NULL && usher_pci_addr_parse(address, &other, NULL) &&
			usher_pci_addr_is_same_slot(own, other))
			hold(doctor, companion, wish);
	}
	add(wish->promises, "driver-conflict");
}

/* The firmware's picture lies in the display's memory: the kernel must not take it over. */
static void wish_framebuffer(const UsherDoctor *doctor, UsherBootWish *wish)
{
	if (!doctor->device->boot_display || doctor->facts->framebuffers->len == 0)
		return;
	add(wish->words, usher_doctor_framebuffer_word(doctor));
	add(wish->promises, "boot-framebuffer");
}

/* ---- GPUs that guests share ---- */

static void wish_gvt(const UsherDoctor *doctor, UsherBootWish *wish)
{
	const char *guc = usher_host_facts_parameter(doctor->facts, "i915.enable_guc");
	add(wish->words, "i915.enable_gvt=1");
	if (guc != NULL && g_ascii_strtoll(guc, NULL, 10) > 0)
		add(wish->words, "i915.enable_guc=0");
	add(wish->modules, "kvmgt");
	add(wish->promises, "gvt-g");
}

static void wish_sriov(const UsherDoctor *doctor, UsherBootWish *wish)
{
	for (unsigned i = 0; i < doctor->inventory->devices->len; i++) {
		const UsherDevice *device = doctor->inventory->devices->pdata[i];
		const char *module = g_strcmp0(device->driver, "xe") == 0 ? "xe" : "i915";
		g_autofree char *key = g_strconcat(module, ".max_vfs", NULL);
		const char *value = usher_host_facts_parameter(doctor->facts, key);
		if (!usher_device_is_display(device) || !usher_device_is_from(device, "8086") ||
			device->sriov_total <= 0 || g_strcmp0(value, "0") != 0)
			continue;
		g_autofree char *word =
			g_strdup_printf("%s=%" G_GINT64_FORMAT, key, device->sriov_total);
		add(wish->words, word);
		if (strcmp(module, "i915") == 0)
			add(wish->words, "i915.enable_guc=3"); /* what i915-sriov-dkms needs */
		add(wish->promises, "intel-sriov");
	}
}

UsherBootWish *usher_doctor_wish(const UsherHostFacts *facts, const UsherInventory *inventory,
	UsherGoal goal, const char *address)
{
	const UsherDoctor doctor = {
		.facts = facts,
		.inventory = inventory,
		.goal = goal,
		.device = address != NULL ? usher_inventory_find_text(inventory, address) : NULL,
	};
	g_assert(address == NULL || doctor.device != NULL);
	UsherBootWish *wish = usher_boot_wish_new();
	if (USHER_FOR_VFIO & 1U << goal) {
		wish_iommu(&doctor, wish);
		wish_vfio(&doctor, wish);
	}
	if (goal == USHER_GOAL_PCI && doctor.device != NULL) {
		wish_holds(&doctor, wish);
		wish_framebuffer(&doctor, wish);
	}
	if (goal == USHER_GOAL_GVT_G)
		wish_gvt(&doctor, wish);
	if (goal == USHER_GOAL_INTEL_SRIOV)
		wish_sriov(&doctor, wish);
	return wish;
}
