/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts to findings, a row each. A row's facts are words: "cpu=intel virt=yes iommu=no", and
 * "gpu=VENDOR:DEVICE/DRIVER" adds a display; what is not said is unknown.
 */
#include <glib.h>
#include <string.h>

#include "base/text.h"
#include "core/doctor/guest.h"
#include "core/doctor/promise.h"
#include "core/doctor/wish.h"

typedef struct Row {
	const char *name;
	UsherGoal goal;
	const char *facts;
	const char *id;
	const char *found; /* "fail usher" */
} Row;

#define PCI USHER_GOAL_PCI
static const Row rows[] = {
	{ "vmx", PCI, "cpu=intel virt=yes", "cpu-virtualization", "ok" },
	{ "svm-off", PCI, "cpu=amd virt=no guest=no", "cpu-virtualization", "fail firmware" },
	{ "nested", PCI, "cpu=intel virt=no guest=yes", "cpu-virtualization", "fail os" },
	{ "vmx-host-gpu", USHER_GOAL_HOST_GPU, "cpu=intel virt=no guest=no", "cpu-virtualization",
		"warn firmware" },
	{ "flags-unknown", PCI, "cpu=intel", "cpu-virtualization", "unknown" },
	{ "arm", PCI, "cpu=arm virt=no", "cpu-virtualization", "unknown" },
	{ "arm-kvm", PCI, "cpu=arm virt=no kvm=yes", "cpu-virtualization", "ok" },

	{ "kvm", PCI, "kvm=yes", "kvm", "ok" },
	{ "kvm-not-loaded", PCI, "cpu=intel virt=yes kvm=no", "kvm", "fail os" },
	{ "kvm-unknown", PCI, "", "kvm", "unknown" },

	{ "hugepages-none", PCI, "huge2m=0 huge1g=0 memory=8388608", "hugepages", "ok" },
	{ "hugepages-all", PCI, "huge1g=8 memory=8388608", "hugepages", "warn os" },
	{ "hugepages-unknown", PCI, "", "hugepages", "unknown" },

	{ "memlock", PCI, "memlock=67108864", "memlock", "ok" },
	{ "memlock-unlimited", PCI, "memlock=unlimited", "memlock", "ok" },
	{ "memlock-pods", USHER_GOAL_KUBERNETES, "memlock=8388608", "memlock", "warn os" },
	{ "memlock-unknown", PCI, "", "memlock", "unknown" },

	{ "firmware", PCI, "cpu=intel iommu=no dmar=yes", "iommu-firmware", "ok" },
	{ "firmware-in-use", PCI, "cpu=intel iommu=yes", "iommu-firmware", "ok" },
	{ "no-dmar", PCI, "cpu=intel iommu=no dmar=no", "iommu-firmware", "fail firmware" },
	{ "no-ivrs", PCI, "cpu=amd iommu=no ivrs=no", "iommu-firmware", "fail firmware" },
	{ "no-ivrs-nested", PCI, "cpu=amd iommu=no ivrs=no guest=yes", "iommu-firmware",
		"fail os" },
	{ "no-dmar-gvt", USHER_GOAL_GVT_G, "cpu=intel iommu=no dmar=no", "iommu-firmware",
		"warn firmware" },
	{ "tables-unknown", PCI, "cpu=intel iommu=no", "iommu-firmware", "unknown" },

	{ "no-word", PCI, "cpu=intel iommu=no dmar=yes cmdline=ro,quiet", "iommu-cmdline",
		"fail usher" },
	{ "no-word-on", PCI, "cpu=intel iommu=yes cmdline=ro,quiet", "iommu-cmdline", "ok" },
	{ "no-word-unknown", PCI, "cpu=intel cmdline=ro,quiet", "iommu-cmdline", "ok" },
	{ "word", PCI, "cpu=intel iommu=yes cmdline=intel_iommu=on", "iommu-cmdline", "ok" },
	{ "word-off", PCI, "cpu=intel iommu=no cmdline=intel_iommu=off", "iommu-cmdline",
		"fail usher" },
	{ "word-amd-off", PCI, "cpu=amd iommu=no cmdline=amd_iommu=off", "iommu-cmdline",
		"fail usher" },
	{ "word-all-off", PCI, "cpu=amd iommu=no cmdline=iommu=off", "iommu-cmdline",
		"fail usher" },
	{ "word-last-wins", PCI, "cpu=intel iommu=no cmdline=intel_iommu=on,intel_iommu=off",
		"iommu-cmdline", "fail usher" },
	{ "word-twice", PCI, "cpu=intel iommu=yes cmdline=intel_iommu=off,intel_iommu=on",
		"iommu-cmdline", "warn os" },
	{ "word-twice-same", PCI, "cpu=intel iommu=yes cmdline=intel_iommu=on,intel_iommu=on",
		"iommu-cmdline", "ok" },
	{ "word-amd-on", PCI, "cpu=amd iommu=yes cmdline=amd_iommu=on", "iommu-cmdline",
		"warn usher" },
	{ "word-odd", PCI, "cpu=intel iommu=yes cmdline=intel_iommu=yes", "iommu-cmdline",
		"warn usher" },
	{ "word-unknown", PCI, "cpu=intel iommu=no", "iommu-cmdline", "unknown" },

	{ "active", PCI, "iommu=yes", "iommu-active", "ok" },
	{ "inactive-words", PCI, "cpu=intel iommu=no dmar=yes cmdline=ro", "iommu-active",
		"fail usher" },
	{ "inactive-firmware", PCI, "cpu=amd iommu=no ivrs=no", "iommu-active", "fail firmware" },
	{ "inactive-host-gpu", USHER_GOAL_HOST_GPU, "cpu=amd iommu=no ivrs=no", "iommu-active",
		"warn firmware" },
	{ "active-unknown", PCI, "", "iommu-active", "unknown" },

	{ "remapped", PCI, "iommu=yes irqs=yes", "interrupt-remapping", "ok" },
	{ "not-remapped", PCI, "iommu=yes irqs=no", "interrupt-remapping", "fail firmware" },
	{ "remapping-not-offered", PCI, "cpu=intel iommu=yes dmarflags=0", "interrupt-remapping",
		"fail firmware" },
	{ "remapping-off", PCI, "cpu=intel iommu=yes irqs=no cmdline=intremap=off",
		"interrupt-remapping", "fail os" },
	{ "unsafe-interrupts", PCI, "iommu=yes irqs=no unsafe=yes", "interrupt-remapping",
		"warn firmware" },
	{ "remapping-unknown", PCI, "iommu=yes", "interrupt-remapping", "unknown" },

	{ "group-alone", PCI, "iommu=yes gpu=10de:2235/nvidia", "iommu-groups", "ok" },
	{ "groups-mixed", PCI, "iommu=yes gpu=10de:2235/nvidia gpu=10de:2235/nvidia@1",
		"iommu-groups", "warn os" },
	{ "acs-override", PCI, "iommu=yes cmdline=pcie_acs_override=downstream", "iommu-groups",
		"warn os" },
	{ "groups-unknown", PCI, "iommu=no", "iommu-groups", "unknown" },

	{ "vfio-loaded", PCI, "modules=vfio_pci", "vfio-modules", "ok" },
	{ "vfio-builtin", PCI, "modules=kvm builtins=vfio_pci", "vfio-modules", "ok" },
	{ "vfio-not-loaded", PCI, "modules=kvm builtins=vfio available=vfio_pci", "vfio-modules",
		"warn usher" },
	{ "vfio-missing", PCI, "modules=kvm builtins=kvm available=kvm", "vfio-modules",
		"fail os" },
	{ "vfio-unknown", PCI, "modules=kvm", "vfio-modules", "unknown" },

	{ "advice-none", PCI, "kernel=6.1.0 config=vfio-pci", "obsolete-advice", "ok" },
	{ "advice-virqfd", PCI, "kernel=6.2.0 config=vfio_virqfd", "obsolete-advice", "warn os" },
	{ "advice-virqfd-5", PCI, "kernel=5.15.0-rc1 config=vfio_virqfd", "obsolete-advice", "ok" },
	{ "advice-mdev", PCI, "kernel=6.1.0 config=vfio-mdev", "obsolete-advice", "warn os" },
	{ "advice-exngt", PCI, "config=exngt", "obsolete-advice", "warn os" },
	{ "advice-unknown", PCI, "", "obsolete-advice", "unknown" },

	{ "conflict-none", PCI, "gpu=10de:2235/vfio-pci", "driver-conflict", "ok" },
	{ "conflict-nobody-asked", PCI, "gpu=10de:2235/nvidia", "driver-conflict", "ok" },
	{ "conflict", PCI, "gpu=10de:2235/nvidia for=0000:01:00.0", "driver-conflict",
		"warn usher" },

	{ "conflict-unknown", PCI, "gpu=10de:2235/none", "driver-conflict", "unknown" },
	{ "conflict-no-driver", PCI, "gpu=10de:2235/none bars=4096", "driver-conflict", "ok" },

	{ "secure-boot-off", PCI, "efi=yes secure=no", "secure-boot", "ok" },
	{ "secure-boot-bios", PCI, "efi=no", "secure-boot", "ok" },
	{ "secure-boot-on", PCI, "efi=yes secure=yes", "secure-boot", "warn os" },
	{ "secure-boot-unknown", PCI, "efi=yes", "secure-boot", "unknown" },

	{ "lockdown-none", PCI, "lockdown=none", "kernel-lockdown", "ok" },
	{ "lockdown", PCI, "lockdown=integrity", "kernel-lockdown", "warn os" },
	{ "lockdown-unknown", PCI, "", "kernel-lockdown", "unknown" },

	{ "framebuffer-none", PCI, "framebuffer=none", "boot-framebuffer", "ok" },
	{ "framebuffer", PCI, "framebuffer=simple-framebuffer gpu=10de:2235/none!",
		"boot-framebuffer", "warn usher" },
	{ "framebuffer-given", PCI,
		"framebuffer=efi-framebuffer gpu=10de:2235/none! for=0000:01:00.0",
		"boot-framebuffer", "fail usher" },
	{ "framebuffer-unknown", PCI, "", "boot-framebuffer", "unknown" },

	{ "console-serial", PCI, "serial=yes", "console-access", "ok" },
	{ "console-ssh", PCI, "serial=no bmc=no ssh=yes", "console-access", "ok" },
	{ "console-none", PCI, "serial=no bmc=no ssh=no", "console-access", "warn os" },
	{ "console-given", PCI, "serial=no bmc=no ssh=no gpu=10de:2235/none! for=0000:01:00.0",
		"console-access", "fail os" },
	{ "console-unknown", PCI, "serial=no", "console-access", "unknown" },

	{ "amd-none", PCI, "gpu=10de:2235/nvidia", "amd-reset", "ok" },
	{ "amd-new", PCI, "gpu=1002:73bf/amdgpu", "amd-reset", "ok" },
	{ "amd-navi10", PCI, "gpu=1002:731f/amdgpu bars=4096", "amd-reset", "warn os" },
	{ "amd-unknown", PCI, "gpu=1002:731f/amdgpu", "amd-reset", "unknown" },
	{ "amd-vendor-reset", PCI, "gpu=1002:731f/amdgpu reset=device_specific", "amd-reset",
		"ok" },

	{ "gvt-not-wanted", PCI, "gpu=8086:3e92/i915", "gvt-g", "ok" },
	{ "gvt-none", USHER_GOAL_GVT_G, "gpu=10de:2235/nvidia", "gvt-g", "fail nobody" },
	{ "gvt-off", USHER_GOAL_GVT_G, "gpu=8086:3e92/i915 gvt=N guc=0", "gvt-g", "fail usher" },
	{ "gvt-kvmgt", USHER_GOAL_GVT_G, "gpu=8086:3e92/i915 gvt=Y guc=0", "gvt-g", "fail usher" },
	{ "gvt-guc", USHER_GOAL_GVT_G, "gpu=8086:9b41/i915 gvt=Y guc=3", "gvt-g", "fail usher" },
	{ "gvt-huc", USHER_GOAL_GVT_G, "gpu=8086:9b41/i915 guc=2", "gvt-g", "unknown" },
	{ "gvt-no-kvmgt", USHER_GOAL_GVT_G, "gpu=8086:3e92/i915 gvt=Y builtins=kvm available=kvm",
		"gvt-g", "fail os" },
	{ "gvt-offered", USHER_GOAL_GVT_G, "gpu=8086:193b/i915 mdev=i915-GVTg_V5_4", "gvt-g",
		"ok" },
	{ "gvt-ice-lake", USHER_GOAL_GVT_G, "gpu=8086:8a52/i915 gvt=Y", "gvt-g", "fail nobody" },
	{ "gvt-alder-lake", USHER_GOAL_GVT_G, "gpu=8086:46a6/i915", "gvt-g", "fail nobody" },
	{ "gvt-unknown", USHER_GOAL_GVT_G, "gpu=8086:ffff/i915", "gvt-g", "unknown" },

	{ "sriov-not-wanted", PCI, "gpu=8086:46a6/i915", "intel-sriov", "ok" },
	{ "sriov-none", USHER_GOAL_INTEL_SRIOV, "gpu=10de:2235/nvidia", "intel-sriov",
		"fail nobody" },
	{ "sriov-i915", USHER_GOAL_INTEL_SRIOV, "gpu=8086:46a6/i915 vfs=7", "intel-sriov",
		"fail vendor" },
	{ "sriov-dkms", USHER_GOAL_INTEL_SRIOV, "gpu=8086:46a6/i915 vfs=7 i915vfs=7", "intel-sriov",
		"ok" },
	{ "sriov-dkms-0", USHER_GOAL_INTEL_SRIOV, "gpu=8086:46a6/i915 vfs=7 i915vfs=0",
		"intel-sriov", "fail usher" },
	{ "sriov-xe", USHER_GOAL_INTEL_SRIOV, "gpu=8086:e20b/xe vfs=24", "intel-sriov", "ok" },
	{ "sriov-no-vfs", USHER_GOAL_INTEL_SRIOV, "gpu=8086:3e92/i915 bars=1048576", "intel-sriov",
		"fail nobody" },
	{ "sriov-unknown", USHER_GOAL_INTEL_SRIOV, "gpu=8086:46a6/i915", "intel-sriov", "unknown" },

	{ "nvidia-none", PCI, "gpu=8086:3e92/i915", "nvidia-driver", "ok" },
	{ "nvidia-vgpu-none", USHER_GOAL_NVIDIA_VGPU, "gpu=8086:3e92/i915", "nvidia-driver",
		"fail nobody" },
	{ "nvidia-vgpu", USHER_GOAL_NVIDIA_VGPU, "gpu=10de:2235/nvidia vgpu=yes", "nvidia-driver",
		"ok" },
	{ "nvidia-vgpu-plain", USHER_GOAL_NVIDIA_VGPU, "gpu=10de:2235/nvidia vgpu=no",
		"nvidia-driver", "fail vendor" },
	{ "nvidia-vgpu-unknown", USHER_GOAL_NVIDIA_VGPU, "gpu=10de:2235/nvidia", "nvidia-driver",
		"unknown" },
	{ "nvidia-nouveau", USHER_GOAL_HOST_GPU, "gpu=10de:2235/nouveau", "nvidia-driver",
		"fail os" },

	{ "mig-unknown", PCI, "gpu=10de:20b0/nvidia", "mig", "unknown" },
	{ "mig-none", PCI, "gpu=10de:20b0/nvidia mig=none", "mig", "ok" },
	{ "mig", PCI, "gpu=10de:20b0/nvidia mig=0000:01:00.0", "mig", "warn os" },
	{ "mig-vgpu", USHER_GOAL_NVIDIA_VGPU, "gpu=10de:20b0/nvidia mig=0000:01:00.0", "mig",
		"ok" },

	{ "host-gpu-none", USHER_GOAL_HOST_GPU, "gpu=1a03:2000/ast", "host-gpu", "fail nobody" },
	{ "host-gpu", USHER_GOAL_HOST_GPU, "gpu=1002:73bf/amdgpu", "host-gpu", "ok" },
	{ "host-gpu-away", USHER_GOAL_HOST_GPU, "gpu=1002:73bf/vfio-pci", "host-gpu", "fail os" },
	{ "host-gpu-no-driver", USHER_GOAL_HOST_GPU, "gpu=1002:73bf/none bars=4096", "host-gpu",
		"fail os" },
	{ "host-gpu-unknown", USHER_GOAL_HOST_GPU, "gpu=1002:73bf/none", "host-gpu", "unknown" },

	{ "reserved-none", PCI, "iommu=yes gpu=10de:2235/nvidia reserved=0", "reserved-regions",
		"ok" },
	{ "reserved", PCI, "iommu=yes gpu=10de:2235/nvidia reserved=1", "reserved-regions",
		"warn firmware" },
	{ "reserved-given", PCI, "iommu=yes gpu=10de:2235/nvidia reserved=1 for=0000:01:00.0",
		"reserved-regions", "fail firmware" },
	{ "reserved-unknown", PCI, "iommu=no", "reserved-regions", "unknown" },

	{ "bars", PCI, "gpu=10de:20b0/nvidia bars=16777216", "above-4g", "ok" },
	{ "bars-large", PCI, "gpu=10de:20b0/nvidia bars=-68719476736", "above-4g",
		"fail firmware" },
	{ "bars-large-unknown", PCI, "gpu=10de:20b0/nvidia", "above-4g", "unknown" },
	{ "bars-small", PCI, "gpu=10de:20b0/nvidia bars=-1048576", "bar-assignment",
		"fail firmware" },
	{ "bars-small-fine", PCI, "gpu=10de:20b0/nvidia bars=-68719476736", "bar-assignment",
		"ok" },
	{ "bars-small-unknown", PCI, "", "bar-assignment", "unknown" },
	{ "bars-vfs", USHER_GOAL_INTEL_SRIOV, "gpu=8086:46a6/i915 vfbars=-16777216",
		"sriov-firmware", "fail firmware" },
	{ "bars-vfs-pci", PCI, "gpu=8086:46a6/i915 vfbars=-16777216", "sriov-firmware",
		"warn firmware" },
	{ "bars-vfs-fine", PCI, "gpu=8086:46a6/i915 vfbars=16777216", "sriov-firmware", "ok" },
	{ "bars-vfs-unknown", PCI, "", "sriov-firmware", "unknown" },
};

/* ---- a row's facts ---- */

typedef struct World {
	UsherHostFacts *facts;
	UsherInventory *inventory;
	const char *address; /* asked for */
} World;

static UsherFact fact_of(const char *value)
{
	return strcmp(value, "yes") == 0 ? USHER_FACT_YES : USHER_FACT_NO;
}

static UsherDevice *last_device(World *world)
{
	return g_ptr_array_index(world->inventory->devices, world->inventory->devices->len - 1);
}

/* "8086:3e92/i915"; "@N" shares the group of the N-th, "!" is the boot display. */
static void add_gpu(World *world, const char *value)
{
	unsigned n = world->inventory->devices->len + 1;
	g_auto(GStrv) parts = g_strsplit_set(value, ":/@", -1);
	UsherDevice *device = usher_device_new();
	device->address = g_strdup_printf("0000:%02x:00.0", n);
	device->class_code = g_strdup("030000");
	device->vendor_id = g_strdup(parts[0]);
	device->device_id = g_strdup(parts[1]);
	device->boot_display = g_str_has_suffix(parts[2], "!");
	if (!g_str_has_prefix(parts[2], "none"))
		device->driver = g_strndup(parts[2], strcspn(parts[2], "!"));
	device->iommu_group = strchr(value, '@') != NULL ? 1 : n;
	device->numa_node = USHER_INT_NULL;
	g_ptr_array_add(world->inventory->devices, device);
}

/* A negative size: it has no address. */
static void add_bar(World *world, unsigned index, const char *value)
{
	int64_t bytes = g_ascii_strtoll(value, NULL, 10);
	UsherPciBar *bar = g_new0(UsherPciBar, 1);
	bar->address = g_strdup(last_device(world)->address);
	bar->index = index;
	bar->bytes = (uint64_t) ABS(bytes);
	bar->is_assigned = bytes > 0;
	bar->is_64_bit = true;
	world->facts->bars_known = true;
	g_ptr_array_add(world->facts->bars, bar);
}

static GHashTable *set_of(const char *value)
{
	GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_hash_table_add(set, g_strdup(value));
	return set;
}

static bool set_fact(UsherHostFacts *facts, const char *key, const char *value)
{
	const struct {
		const char *key;
		UsherFact *fact;
	} switches[] = { { "virt", &facts->cpu_virtualization }, { "guest", &facts->is_guest },
		{ "kvm", &facts->has_kvm }, { "dmar", &facts->has_dmar },
		{ "ivrs", &facts->has_ivrs }, { "iommu", &facts->has_iommu },
		{ "irqs", &facts->irqs_remapped }, { "unsafe", &facts->unsafe_interrupts },
		{ "efi", &facts->is_efi }, { "secure", &facts->secure_boot },
		{ "serial", &facts->serial_console }, { "bmc", &facts->has_bmc },
		{ "ssh", &facts->has_ssh }, { "vgpu", &facts->nvidia_vgpu } };
	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
		if (strcmp(switches[i].key, key) == 0) {
			*switches[i].fact = fact_of(value);
			return true;
		}
	}
	return false;
}

static bool set_number(UsherHostFacts *facts, const char *key, const char *value)
{
	const struct {
		const char *key;
		int64_t *number;
	} numbers[] = { { "huge2m", &facts->huge_2m }, { "huge1g", &facts->huge_1g },
		{ "memory", &facts->memory_kb }, { "memlock", &facts->memlock_bytes },
		{ "dmarflags", &facts->dmar_flags } };
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		if (strcmp(numbers[i].key, key) == 0) {
			bool is_most = strcmp(value, "unlimited") == 0;
			*numbers[i].number = is_most ? INT64_MAX : g_ascii_strtoll(value, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool set_parameter(UsherHostFacts *facts, const char *key, const char *value)
{
	static const char *const keys[][2] = { { "gvt", "i915.enable_gvt" },
		{ "guc", "i915.enable_guc" }, { "i915vfs", "i915.max_vfs" } };
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(keys[i][0], key) == 0) {
			g_hash_table_insert(
				facts->parameters, g_strdup(keys[i][1]), g_strdup(value));
			return true;
		}
	}
	return false;
}

static bool set_text(UsherHostFacts *facts, const char *key, const char *value)
{
	if (strcmp(key, "cpu") == 0)
		facts->cpu_vendor = g_strdup(strcmp(value, "intel") == 0 ? "GenuineIntel"
				: strcmp(value, "amd") == 0              ? "AuthenticAMD"
									 : "ARM Limited");
	else if (strcmp(key, "cmdline") == 0)
		facts->cmdline = g_strdelimit(g_strdup(value), ",", ' ');
	else if (strcmp(key, "kernel") == 0)
		facts->kernel = g_strdup(value);
	else if (strcmp(key, "lockdown") == 0)
		facts->lockdown = g_strdup(value);
	else if (strcmp(key, "modules") == 0)
		facts->modules = set_of(value);
	else if (strcmp(key, "builtins") == 0)
		facts->builtins = set_of(value);
	else if (strcmp(key, "available") == 0)
		facts->available = set_of(value);
	else
		return false;
	return true;
}

static void set_other(World *world, const char *key, const char *value)
{
	UsherHostFacts *facts = world->facts;
	if (strcmp(key, "gpu") == 0) {
		add_gpu(world, value);
	} else if (strcmp(key, "vfs") == 0) {
		last_device(world)->sriov_total = g_ascii_strtoll(value, NULL, 10);
	} else if (strcmp(key, "reset") == 0) {
		last_device(world)->reset_methods = g_strdup(value);
	} else if (strcmp(key, "mdev") == 0) {
		g_ptr_array_add(last_device(world)->mdev_types, g_strdup(value));
	} else if (strcmp(key, "for") == 0) {
		world->address = last_device(world)->address;
	} else if (strcmp(key, "reserved") == 0) {
		world->facts->reserved_known = true;
		if (strcmp(value, "1") != 0)
			return;
		UsherGuardReason *need = usher_guard_reason_new();
		need->device = g_strdup(last_device(world)->address);
		need->why = g_strdup(USHER_NEED_FIRMWARE_MEMORY);
		g_ptr_array_add(world->inventory->needs, need);
	} else if (strcmp(key, "bars") == 0) {
		add_bar(world, 1, value);
	} else if (strcmp(key, "vfbars") == 0) {
		add_bar(world, 7, value);
	} else if (strcmp(key, "mig") == 0) {
		facts->mig_known = true;
		g_ptr_array_add(facts->mig_gpus, g_strdup(value));
	} else if (strcmp(key, "framebuffer") == 0) {
		facts->framebuffers_known = true;
		if (strcmp(value, "none") != 0)
			g_ptr_array_add(facts->framebuffers, g_strdup(value));
	} else if (strcmp(key, "config") == 0) {
		UsherConfigLine *line = g_new0(UsherConfigLine, 1);
		*line = (UsherConfigLine){ g_strdup("/etc/modules"), 3, g_strdup(value) };
		g_ptr_array_add(facts->config, line);
		facts->config_known = true;
	} else {
		g_error("a row says %s", key);
	}
}

static void set_up(World *world, const char *text)
{
	*world = (World){ .facts = usher_host_facts_new(), .inventory = usher_inventory_new() };
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	for (unsigned i = 0; words[i] != NULL; i++) {
		char *value = strchr(words[i], '=');
		if (value == NULL)
			continue;
		*value++ = '\0';
		if (!set_fact(world->facts, words[i], value) &&
			!set_number(world->facts, words[i], value) &&
			!set_parameter(world->facts, words[i], value) &&
			!set_text(world->facts, words[i], value))
			set_other(world, words[i], value);
	}
	world->inventory->has_iommu = world->facts->has_iommu == USHER_FACT_YES;
	usher_inventory_finish(world->inventory);
}

/* ---- findings ---- */

static void check_sentences(const UsherFinding *finding)
{
	bool is_ok = finding->status == USHER_FINDING_OK;
	g_assert_nonnull(finding->seen);
	g_assert_true(is_ok == (finding->means == NULL));
	if (finding->status == USHER_FINDING_FAIL && finding->who != USHER_WHO_NOBODY)
		g_assert_cmpuint(finding->fix->len, >, 0);
	g_assert_true(is_ok || g_str_has_suffix(finding->means, "."));
}

/* "fail usher" of the only one with that id; all of them are well said. */
static char *print_finding(const GPtrArray *findings, const char *id)
{
	static const char *const statuses[] = { "ok", "warn", "fail", "unknown" };
	static const char *const whos[] = { "usher", "os", "firmware", "vendor", "nobody" };
	char *found = NULL;
	for (unsigned i = 0; i < findings->len; i++) {
		const UsherFinding *finding = findings->pdata[i];
		check_sentences(finding);
		if (strcmp(finding->id, id) != 0)
			continue;
		g_assert_null(found);
		bool has_who = finding->status == USHER_FINDING_WARN ||
			finding->status == USHER_FINDING_FAIL;
		found = g_strdup_printf("%s%s%s", statuses[finding->status], has_who ? " " : "",
			has_who ? whos[finding->who] : "");
	}
	return found;
}

static void test_row(const void *data)
{
	const Row *row = data;
	World world;
	set_up(&world, row->facts);
	g_autoptr(GPtrArray) findings =
		usher_doctor_examine(world.facts, world.inventory, row->goal, world.address);
	g_autofree char *found = print_finding(findings, row->id);
	g_assert_cmpstr(found, ==, row->found);
	usher_inventory_unref(world.inventory);
	usher_host_facts_free(world.facts);
}

static void test_verdicts(void)
{
	static const struct {
		const char *facts;
		UsherGoal goal;
		const char *verdict;
	} cases[] = {
		{ "cpu=intel virt=yes kvm=yes iommu=yes irqs=yes", PCI, "ready" },
		{ "cpu=intel virt=yes iommu=no dmar=yes cmdline=ro", PCI, "fixable" },
		{ "gpu=8086:8a52/i915", USHER_GOAL_GVT_G, "not-capable" },
		{ "cpu=intel virt=no guest=no gpu=8086:8a52/i915", USHER_GOAL_GVT_G,
			"not-capable" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		World world;
		set_up(&world, cases[i].facts);
		g_autoptr(GPtrArray) findings =
			usher_doctor_examine(world.facts, world.inventory, cases[i].goal, NULL);
		g_assert_cmpstr(usher_doctor_verdict(findings), ==, cases[i].verdict);
		usher_inventory_unref(world.inventory);
		usher_host_facts_free(world.facts);
	}
}

/* All ids are told of each host, whatever is known of it. */
static void test_ids(void)
{
	static const char *const ids[] = { "cpu-virtualization", "iommu-firmware", "iommu-cmdline",
		"iommu-active", "interrupt-remapping", "iommu-groups", "vfio-modules",
		"secure-boot", "kernel-lockdown", "boot-framebuffer", "driver-conflict", "gvt-g",
		"intel-sriov", "sriov-firmware", "nvidia-driver", "mig", "amd-reset", "above-4g",
		"bar-assignment", "obsolete-advice", "hugepages", "memlock", "kvm",
		"console-access", "host-gpu", "reserved-regions" };
	for (unsigned goal = 0; goal < USHER_N_GOALS; goal++) {
		World world;
		set_up(&world, "");
		g_autoptr(GPtrArray) findings =
			usher_doctor_examine(world.facts, world.inventory, (UsherGoal) goal, NULL);
		g_assert_cmpuint(findings->len, ==, G_N_ELEMENTS(ids));
		for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
			unsigned n = 0;
			for (unsigned j = 0; j < findings->len; j++)
				n += strcmp(((UsherFinding *) findings->pdata[j])->id, ids[i]) == 0;
			g_assert_cmpuint(n, ==, 1);
		}
		usher_inventory_unref(world.inventory);
		usher_host_facts_free(world.facts);
	}
}

/* ---- wishes: words, modules, what is held, promises ---- */

#define UNWANTED "intel_iommu=off iommu=off amd_iommu=off amd_iommu=on"
static const struct {
	const char *name;
	UsherGoal goal;
	const char *facts;
	const char *words, *modules, *holds, *promises;
} wishes[] = {
	{ "intel", PCI, "cpu=intel iommu=no", "intel_iommu=on iommu=pt", "vfio-pci", "",
		"iommu-active iommu-cmdline vfio-modules" },
	{ "intel-on", PCI, "cpu=intel iommu=yes modules=kvm builtins=vfio_pci", "", "", "",
		"iommu-active iommu-cmdline" },
	{ "amd", PCI, "cpu=amd iommu=no", "iommu=pt", "vfio-pci", "",
		"iommu-active iommu-cmdline vfio-modules" },
	{ "gpu", PCI, "cpu=amd iommu=yes gpu=10de:2235/nvidia for=0000:01:00.0", "", "vfio-pci",
		"0000:01:00.0/10de:2235/nvidia",
		"iommu-active iommu-cmdline vfio-modules driver-conflict" },
	{ "twins", PCI, "iommu=yes gpu=10de:2235/nvidia gpu=10de:2235/nvidia for=0000:02:00.0", "",
		"vfio-pci", "0000:02:00.0/10de:2235/nvidia+twin",
		"iommu-active iommu-cmdline vfio-modules driver-conflict" },
	{ "console", PCI,
		"iommu=yes kernel=6.1.0 framebuffer=simple-framebuffer gpu=8086:3e92/i915! "
		"for=0000:01:00.0",
		"initcall_blacklist=sysfb_init", "vfio-pci", "0000:01:00.0/8086:3e92/i915+console",
		"iommu-active iommu-cmdline vfio-modules driver-conflict boot-framebuffer" },
	{ "gvt", USHER_GOAL_GVT_G, "cpu=intel iommu=no guc=0 gpu=8086:3e92/i915",
		"i915.enable_gvt=1", "kvmgt", "", "gvt-g" },
	{ "gvt-guc", USHER_GOAL_GVT_G, "guc=3 gpu=8086:9b41/i915",
		"i915.enable_gvt=1 i915.enable_guc=0", "kvmgt", "", "gvt-g" },
	{ "sriov", USHER_GOAL_INTEL_SRIOV, "iommu=yes gpu=8086:46a6/i915 vfs=7 i915vfs=0",
		"i915.max_vfs=7 i915.enable_guc=3", "vfio-pci", "",
		"iommu-active iommu-cmdline vfio-modules intel-sriov" },
	{ "sriov-on", USHER_GOAL_INTEL_SRIOV, "iommu=yes gpu=8086:46a6/i915 vfs=7 i915vfs=7", "",
		"vfio-pci", "", "iommu-active iommu-cmdline vfio-modules" },
	{ "host-gpu", USHER_GOAL_HOST_GPU, "cpu=intel iommu=no", "", "", "", "" },
};

static char *print_holds(const GPtrArray *holds)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < holds->len; i++) {
		const UsherBootHold *hold = holds->pdata[i];
		g_string_append_printf(text, "%s%s/%s/%s%s%s", i > 0 ? " " : "", hold->address,
			hold->id, hold->driver, hold->shares_id ? "+twin" : "",
			hold->shows_console ? "+console" : "");
	}
	return g_string_free(text, FALSE);
}

static void compare_texts(const GPtrArray *texts, const char *expected)
{
	g_autofree char *text = usher_text_join_array(texts, " ");
	g_assert_cmpstr(text, ==, expected);
}

static void test_wish(const void *data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	World world;
	set_up(&world, wishes[i].facts);
	g_autoptr(UsherBootWish) wish =
		usher_doctor_wish(world.facts, world.inventory, wishes[i].goal, world.address);
	g_autofree char *holds = print_holds(wish->holds);
	compare_texts(wish->words, wishes[i].words);
	compare_texts(wish->modules, wishes[i].modules);
	compare_texts(wish->promises, wishes[i].promises);
	g_assert_cmpstr(holds, ==, wishes[i].holds);
	if (strstr(wishes[i].promises, "iommu-cmdline") != NULL)
		compare_texts(wish->unwanted, UNWANTED);
	else
		compare_texts(wish->unwanted, "");
	usher_inventory_unref(world.inventory);
	usher_host_facts_free(world.facts);
}

/* ---- guests: a plain one, with something else ---- */

static const struct {
	const char *name;
	const char *change; /* of the plain one, as JSON members */
	const char *id;
	const char *found;
} guests[] = {
	{ "q35", "", "guest-machine", "ok" },
	{ "i440fx", "\"machine\": \"pc-i440fx-7.2\"", "guest-machine", "warn os" },
	{ "virt", "\"machine\": \"virt-7.2\"", "guest-machine", "ok" },
	{ "no-machine", "\"machine\": null", "guest-machine", "unknown" },
	{ "efi", "", "guest-firmware", "ok" },
	{ "bios", "\"has_efi\": false", "guest-firmware", "warn os" },
	{ "secure", "\"secure_boot\": true", "guest-firmware", "warn os" },
	{ "ports", "", "guest-ports", "ok" },
	{ "no-port", "\"free_ports\": 0", "guest-ports", "fail os" },
	{ "old-ports", "\"free_ports\": 0, \"machine\": \"pc-i440fx-7.2\"", "guest-ports", "ok" },
	{ "serial", "", "guest-console", "ok" },
	{ "display-alone", "\"has_serial\": false", "guest-console", "warn os" },
	{ "locked", "\"has_serial\": false, \"has_display\": false", "guest-console", "fail os" },
	{ "agent", "\"has_serial\": false, \"has_agent\": true", "guest-console", "ok" },
	{ "memory", "", "guest-memory", "ok" },
	{ "much-memory", "\"memory_kb\": 13000000", "guest-memory", "warn os" },
	{ "most-memory", "\"memory_kb\": 16000000", "guest-memory", "fail os" },
	{ "host-unknown", "\"host_memory_kb\": null", "guest-memory", "unknown" },
	{ "cpu", "", "guest-cpu", "ok" },
	{ "cpu-custom", "\"cpu_mode\": \"custom\"", "guest-cpu", "warn os" },
	{ "cpu-default", "\"cpu_mode\": null", "guest-cpu", "warn os" },
	{ "no-autostart", "", "guest-autostart", "ok" },
	{ "autostart", "\"autostart\": true", "guest-autostart", "warn os" },
	{ "no-hostdev", "", "guest-hostdevs", "ok" },
	{ "hostdev", "\"hostdevs\": 1", "guest-hostdevs", "warn os" },
};

static const char plain_guest[] =
	"\"name\": \"g\", \"machine\": \"pc-q35-7.2\", \"has_efi\": true, \"ports\": 4, "
	"\"free_ports\": 2, \"memory_kb\": 4194304, \"host_memory_kb\": 16777216, "
	"\"cpu_mode\": \"host-passthrough\", \"has_display\": true, \"has_serial\": true";

static UsherGuestHealth *parse_guest(const char *members)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = g_strconcat("{ ", members, " }", NULL);
	UsherGuestHealth *guest = usher_record_parse(&usher_guest_health_type, text, &error);
	g_assert_no_error(error);
	return guest;
}

/* The plain one with those members of the other that its text names. */
static UsherGuestHealth *make_guest(const char *change)
{
	g_auto(GStrv) members = g_strsplit(plain_guest, ", ", -1);
	g_autoptr(GString) text = g_string_new(change);
	for (unsigned i = 0; members[i] != NULL; i++) {
		g_autofree char *key = g_strndup(members[i], strcspn(members[i], ":") + 1);
		if (strstr(change, key) == NULL)
			g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", members[i]);
	}
	return parse_guest(text->str);
}

static void test_guest(const void *data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(UsherGuestHealth) guest = make_guest(guests[i].change);
	g_autoptr(GPtrArray) findings = usher_doctor_examine_guest(guest);
	g_assert_cmpuint(findings->len, ==, 8);
	g_autofree char *found = print_finding(findings, guests[i].id);
	g_assert_cmpstr(found, ==, guests[i].found);
}

/* Promises against facts: "ID STATE …". */
static void test_promises(void)
{
	static const struct {
		const char *facts;
		bool is_rebooted;
		const char *states;
	} cases[] = {
		{ "iommu=yes", false, "iommu-active=0 vfio-modules=0 amd-reset=0" },
		{ "iommu=yes modules=vfio_pci", true, "iommu-active=1 vfio-modules=1 amd-reset=1" },
		{ "iommu=no", true, "iommu-active=2 vfio-modules=3 amd-reset=1" },
		/* of two cards one is worse */
		{ "iommu=yes modules=vfio_pci gpu=1002:73bf/amdgpu gpu=1002:731f/amdgpu bars=4096",
			true, "iommu-active=1 vfio-modules=1 amd-reset=2" },
	};
	g_autoptr(GPtrArray) promised = g_ptr_array_new();
	static const char *const ids[] = { "iommu-active", "vfio-modules", "amd-reset" };
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		g_ptr_array_add(promised, (void *) (uintptr_t) ids[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		World world;
		set_up(&world, cases[i].facts);
		g_autoptr(GPtrArray) findings =
			usher_doctor_examine(world.facts, world.inventory, PCI, NULL);
		g_autoptr(GPtrArray) promises =
			usher_doctor_keep(findings, promised, cases[i].is_rebooted);
		g_autoptr(GString) states = g_string_new(NULL);
		for (unsigned j = 0; j < promises->len; j++) {
			const UsherPromise *promise = promises->pdata[j];
			g_string_append_printf(
				states, "%s%s=%u", j > 0 ? " " : "", promise->id, promise->state);
			g_assert_true(
				(promise->seen == NULL) == (promise->state <= USHER_PROMISE_KEPT));
		}
		g_assert_cmpstr(states->str, ==, cases[i].states);
		usher_inventory_unref(world.inventory);
		usher_host_facts_free(world.facts);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strdup_printf("/doctor/%s/%s", rows[i].id, rows[i].name);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++) {
		g_autofree char *path = g_strdup_printf("/doctor/wish/%s", wishes[i].name);
		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_wish);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(guests); i++) {
		g_autofree char *path =
			g_strdup_printf("/doctor/%s/%s", guests[i].id, guests[i].name);
		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_guest);
	}
	g_test_add_func("/doctor/verdicts", test_verdicts);
	g_test_add_func("/doctor/ids", test_ids);
	g_test_add_func("/doctor/promises", test_promises);
	return g_test_run();
}
