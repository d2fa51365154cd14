/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on GPUs that several guests share: GVT-g, SR-IOV, NVIDIA's drivers, MIG. */
#include <string.h>

#include "core/doctor/intel-gpus.h"
#include "core/doctor/private.h"

#define GUC_SUBMISSION 1 /* bit of i915.enable_guc */

typedef bool (*DeviceFinder)(UsherDoctor *doctor, const UsherDevice *device);

static uint32_t id_of(const UsherDevice *device)
{
	return device->device_id != NULL ? (uint32_t) g_ascii_strtoull(device->device_id, NULL, 16)
					 : UINT32_MAX;
}

/* Asks it of each display of that vendor; false: there was none. */
static bool for_displays(UsherDoctor *doctor, const char *vendor_id, DeviceFinder find)
{
	bool is_found = false;
	for (unsigned i = 0; i < doctor->inventory->devices->len; i++) {
		const UsherDevice *device = doctor->inventory->devices->pdata[i];
		if (usher_device_is_display(device) && usher_device_is_from(device, vendor_id) &&
			device->physical_function == NULL && usher_doctor_concerns(doctor, device))
			is_found |= find(doctor, device);
	}
	return is_found;
}

/* Nothing of the kind is there: a failure for who wants just that. */
static void find_none(UsherDoctor *doctor, const char *id, unsigned goals, const char *what)
{
	UsherFinding *finding = usher_doctor_find(doctor, id, "%s", what);
	if (goals & 1U << doctor->goal)
		usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_NOBODY,
			"This host has no hardware for %s.", usher_goal_names[doctor->goal]);
}

/* ---- GVT-g ---- */

static void blame_gvt(UsherFinding *finding, const UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	UsherFindingStatus status = USHER_FINDING_FAIL;
	const char *gvt = usher_host_facts_parameter(facts, "i915.enable_gvt");
	const char *guc = usher_host_facts_parameter(facts, "i915.enable_guc");
	bool has_kvmgt = facts->available == NULL || facts->builtins == NULL ||
		g_hash_table_contains(facts->available, "kvmgt") ||
		g_hash_table_contains(facts->builtins, "kvmgt");
	if (!has_kvmgt) {
		usher_finding_blame(finding, status, USHER_WHO_OS,
			"This GPU can be split, but the kernel has no kvmgt, which does it.");
		usher_finding_fix(finding, "install a kernel with CONFIG_DRM_I915_GVT_KVMGT");
		return;
	}
	int64_t submission = guc != NULL ? g_ascii_strtoll(guc, NULL, 10) : 0;
	if (submission > 0 && submission & GUC_SUBMISSION) {
		usher_finding_blame(finding, status, USHER_WHO_USHER,
			"i915 leaves the scheduling to the GPU's own processor (GuC submission, "
			"i915.enable_guc=%s), and GVT-g can't work so.",
			guc);
		usher_finding_fix(finding, "usher host prepare --for gvt-g: i915.enable_guc=0");
	} else if (gvt == NULL) {
		usher_finding_unknown(finding,
			"i915 does not tell its parameters: it can't be told whether "
			"i915.enable_gvt is set.");
		return;
	} else {
		usher_finding_blame(finding, status, USHER_WHO_USHER, "%s",
			gvt[0] == 'Y'
				? "i915 is told to, but nobody has loaded kvmgt, which offers the "
				  "vGPUs."
				: "This GPU can be split into vGPUs, and i915 was not told to.");
		usher_finding_fix(finding,
			"usher host prepare --for gvt-g: i915.enable_gvt=1, and kvmgt at boot");
	}
	usher_finding_after(finding, "vGPUs can be made of it; the console stays on the screen");
}

static bool find_gvt(UsherDoctor *doctor, const UsherDevice *device)
{
	const UsherIntelPlatform *platform = usher_intel_platform(id_of(device));
	bool is_wanted = doctor->goal == USHER_GOAL_GVT_G;
	for (unsigned i = 0; i < device->mdev_types->len; i++) {
		if (!g_str_has_prefix(device->mdev_types->pdata[i], "i915-GVTg"))
			continue;
		usher_finding_set_subject(
			usher_doctor_find(doctor, "gvt-g", "%s offers %u types of vGPUs",
				device->address, device->mdev_types->len),
			device->address);
		return true;
	}
	const char *name = platform != NULL ? platform->name : "not a platform that usher knows";
	UsherFinding *finding = usher_doctor_find(
		doctor, "gvt-g", "%s is 8086:%s, %s", device->address, device->device_id, name);
	usher_finding_set_subject(finding, device->address);
	if (!is_wanted)
		return true;
	if (platform == NULL) {
		usher_finding_unknown(finding, "It can't be told whether this GPU can be split.");
	} else if (!platform->has_gvt_g) {
		usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_NOBODY,
			"i915 splits GPUs from Broadwell to Comet Lake by GVT-g; %s is none of "
			"them.",
			platform->name);
		if (platform->xe != USHER_XE_NONE || platform->has_dkms)
			usher_finding_fix(finding,
				"SR-IOV is this platform's way: usher doctor --for intel-sriov");
	} else {
		blame_gvt(finding, doctor);
	}
	return true;
}

/* ---- Intel's SR-IOV: by driver and sriov_totalvfs, never by generation alone ---- */

static void blame_sriov_driver(
	UsherFinding *finding, const UsherIntelPlatform *platform, const UsherDevice *device)
{
	g_autofree char *driver = usher_doctor_driver(device);
	usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_VENDOR,
		"The GPU has virtual functions, and %s can't switch them on.", driver);
	if (platform == NULL || platform->xe != USHER_XE_NONE)
		usher_finding_fix(finding,
			"Linux 6.18 or later with xe: xe.force_probe=%s i915.force_probe=!%s",
			device->device_id, device->device_id);
	if (platform == NULL || platform->has_dkms)
		usher_finding_fix(finding,
			"or i915-sriov-dkms (https://github.com/strongtz/i915-sriov-dkms)");
	usher_finding_after(finding, "virtual functions can be switched on");
}

static bool find_sriov(UsherDoctor *doctor, const UsherDevice *device)
{
	const UsherIntelPlatform *platform = usher_intel_platform(id_of(device));
	const char *max_vfs = usher_host_facts_parameter(doctor->facts,
		g_strcmp0(device->driver, "xe") == 0 ? "xe.max_vfs" : "i915.max_vfs");
	g_autofree char *driver = usher_doctor_driver(device);
	UsherFinding *finding = usher_doctor_find(doctor, "intel-sriov",
		"%s: sriov_totalvfs %" G_GINT64_FORMAT ", %s", device->address, device->sriov_total,
		driver);
	usher_finding_set_subject(finding, device->address);
	if (doctor->goal != USHER_GOAL_INTEL_SRIOV || device->sriov_active > 0)
		return true;
	bool is_xe = g_strcmp0(device->driver, "xe") == 0;
	if (device->sriov_total <= 0 && !doctor->facts->bars_known) {
		usher_finding_unknown(
			finding, "It can't be told whether this GPU has virtual functions.");
	} else if (device->sriov_total <= 0) {
		usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_NOBODY,
			"This GPU (%s) offers no virtual functions.",
			platform != NULL ? platform->name : "no platform that usher knows");
		if (platform != NULL && platform->has_gvt_g)
			usher_finding_fix(
				finding, "GVT-g is this platform's way: usher doctor --for gvt-g");
	} else if (!is_xe && max_vfs == NULL) {
		blame_sriov_driver(finding, platform, device);
	} else if (max_vfs != NULL && strcmp(max_vfs, "0") == 0) {
		usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_USHER,
			"The driver can switch virtual functions on, and was told of none "
			"(max_vfs=0).");
		usher_finding_fix(finding, "usher host prepare --for intel-sriov: %s.max_vfs=%d",
			is_xe ? "xe" : "i915", (int) device->sriov_total);
		usher_finding_after(finding, "virtual functions can be switched on");
	}
	return true;
}

/* ---- the host's own computing ---- */

/* A GPU proper, and not the picture of a management controller or an emulated one. */
static bool is_gpu(const UsherDevice *device)
{
	return usher_device_is_display(device) &&
		(usher_device_is_from(device, "10de") || usher_device_is_from(device, "1002") ||
			usher_device_is_from(device, "8086"));
}

static void find_host_gpu(UsherDoctor *doctor)
{
	const UsherDevice *gpu = NULL;
	for (unsigned i = 0; i < doctor->inventory->devices->len; i++) {
		const UsherDevice *device = doctor->inventory->devices->pdata[i];
		bool is_better = gpu == NULL || gpu->drm->len == 0;
		if (is_gpu(device) && usher_doctor_concerns(doctor, device) && is_better)
			gpu = device;
	}
	if (gpu == NULL) {
		find_none(doctor, "host-gpu", USHER_FOR(HOST_GPU), "no GPU");
		return;
	}
	g_autofree char *driver = usher_doctor_driver(gpu);
	UsherFinding *finding =
		usher_doctor_find(doctor, "host-gpu", "%s has %s", gpu->address, driver);
	usher_finding_set_subject(finding, gpu->address);
	bool is_away = g_strcmp0(gpu->driver, "vfio-pci") == 0;
	if (doctor->goal != USHER_GOAL_HOST_GPU || (gpu->driver != NULL && !is_away))
		return;
	if (gpu->driver == NULL && !doctor->facts->bars_known) {
		usher_finding_unknown(finding, "It can't be told which driver the GPU has.");
		return;
	}
	usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_OS, "%s",
		is_away ? "The GPU is kept for guests: no program of the host can compute with it."
			: "No driver has the GPU: no program can compute with it.");
	usher_finding_fix(finding, "%s",
		is_away ? "usher device return, or no vfio-pci for it at boot (usher host show)"
			: "install its driver, then reboot");
	usher_finding_after(finding, "the GPU has its driver");
}

/* ---- NVIDIA ---- */

static void blame_nvidia(UsherDoctor *doctor, UsherFinding *finding, const UsherDevice *device)
{
	const UsherHostFacts *facts = doctor->facts;
	bool is_nvidia = g_strcmp0(device->driver, "nvidia") == 0;
	if (doctor->goal == USHER_GOAL_NVIDIA_VGPU && facts->nvidia_vgpu != USHER_FACT_YES) {
		if (facts->nvidia_vgpu == USHER_FACT_UNKNOWN) {
			usher_finding_unknown(finding,
				"It can't be told whether NVIDIA's vGPU host driver is there.");
			return;
		}
		usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_VENDOR, "%s",
			is_nvidia ? "The driver is NVIDIA's for the host's own use: it makes no "
				    "vGPUs."
				  : "vGPUs are made by NVIDIA's vGPU host driver, which is not "
				    "there.");
		usher_finding_fix(finding,
			"install NVIDIA's vGPU host driver "
			"(\"NVIDIA-Linux-x86_64-*-vgpu-kvm.run\", from NVIDIA's licensing portal)");
		usher_finding_after(finding, "the GPU offers vGPU types");
	} else if (doctor->goal == USHER_GOAL_HOST_GPU && !is_nvidia) {
		usher_finding_blame(finding, USHER_FINDING_FAIL, USHER_WHO_OS,
			"Programs on the host compute with NVIDIA's own driver, and the GPU has "
			"%s.",
			device->driver != NULL ? device->driver : "none");
		usher_finding_fix(
			finding, "install NVIDIA's driver (Debian: nvidia-driver), then reboot");
		usher_finding_after(finding, "the GPU has the driver nvidia");
	}
}

static bool find_nvidia(UsherDoctor *doctor, const UsherDevice *device)
{
	const char *version =
		g_strcmp0(device->driver, "nvidia") == 0 ? doctor->facts->nvidia : NULL;
	g_autofree char *driver = usher_doctor_driver(device);
	UsherFinding *finding = usher_doctor_find(doctor, "nvidia-driver", "%s has %s%s%s%s",
		device->address, driver, version != NULL ? " (" : "",
		version != NULL ? version : "", version != NULL ? ")" : "");
	usher_finding_set_subject(finding, device->address);
	blame_nvidia(doctor, finding, device);
	return true;
}

static unsigned find_instances(UsherDoctor *doctor, const UsherDevice *device)
{
	if (device == NULL || !usher_doctor_concerns(doctor, device))
		return 0;
	UsherFinding *finding = usher_doctor_find(doctor, "mig",
		"%s has GPU instances (/proc/driver/nvidia/capabilities)", device->address);
	usher_finding_set_subject(finding, device->address);
	if (doctor->goal != USHER_GOAL_PCI)
		return 1;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"The GPU is divided by MIG: as a whole it can be given only when nobody uses its "
		"parts.");
	usher_finding_fix(finding, "nvidia-smi mig -i %s -dci && nvidia-smi mig -i %s -dgi",
		device->address, device->address);
	return 1;
}

static void find_mig(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	unsigned n = 0;
	for (unsigned i = 0; i < facts->mig_gpus->len; i++)
		n += find_instances(doctor,
			usher_inventory_find_text(doctor->inventory, facts->mig_gpus->pdata[i]));
	if (n > 0)
		return;
	UsherFinding *finding = usher_doctor_find(doctor, "mig", "%s",
		facts->mig_known ? "no GPU is divided by MIG"
				 : "no /proc/driver/nvidia/capabilities");
	if (!facts->mig_known)
		usher_finding_unknown(finding, "It can't be told whether a GPU is divided by MIG.");
}

void usher_doctor_vgpus(UsherDoctor *doctor)
{
	if (!for_displays(doctor, "8086", find_gvt))
		find_none(doctor, "gvt-g", USHER_FOR(GVT_G), "no Intel GPU");
	if (!for_displays(doctor, "8086", find_sriov))
		find_none(doctor, "intel-sriov", USHER_FOR(INTEL_SRIOV), "no Intel GPU");
	if (!for_displays(doctor, "10de", find_nvidia))
		find_none(doctor, "nvidia-driver", USHER_FOR(NVIDIA_VGPU), "no NVIDIA GPU");
	find_mig(doctor);
	find_host_gpu(doctor);
}
