/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on processor and memory: what guests run on, whatever they are given. */
#include "core/doctor/private.h"

static void find_virtualization(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	bool is_amd = usher_doctor_is_amd(doctor);
	const char *flag = is_amd ? "svm" : "vmx";
	if (facts->cpu_virtualization == USHER_FACT_YES) {
		usher_doctor_find(
			doctor, "cpu-virtualization", "%s among the flags in /proc/cpuinfo", flag);
		return;
	}
	if (facts->has_kvm == USHER_FACT_YES) {
		usher_doctor_find(doctor, "cpu-virtualization", "/dev/kvm is there");
		return;
	}
	bool is_x86 = is_amd || usher_doctor_is_intel(doctor);
	if (facts->cpu_virtualization == USHER_FACT_UNKNOWN || !is_x86) {
		usher_finding_unknown(usher_doctor_find(doctor, "cpu-virtualization",
					      "no flags in /proc/cpuinfo"),
			"It can't be told whether this processor can run virtual machines.");
		return;
	}
	UsherFinding *finding = usher_doctor_find(
		doctor, "cpu-virtualization", "no %s among the flags in /proc/cpuinfo", flag);
	UsherFindingStatus status = usher_doctor_fails_for(doctor, USHER_FOR_GUESTS);
	if (facts->is_guest == USHER_FACT_YES) {
		usher_finding_blame(finding, status, USHER_WHO_OS,
			"This machine is itself a virtual machine, and whoever runs it does not "
			"let it run its own.");
		usher_finding_fix(finding, "on the machine below: modprobe %s nested=1",
			is_amd ? "kvm_amd" : "kvm_intel");
		usher_finding_fix(finding,
			"in this machine's definition there: <cpu mode='host-passthrough'/>");
	} else {
		usher_finding_blame(finding, status, USHER_WHO_FIRMWARE,
			"The processor can't run virtual machines: the firmware has switched that "
			"off.");
		usher_finding_fix(finding, "in the firmware's set-up enable \"%s\"",
			is_amd ? "SVM Mode" : "Intel Virtualization Technology (VT-x)");
	}
	usher_finding_after(finding, "%s is among the flags, and /dev/kvm is there", flag);
}

static void find_kvm(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	const char *module = usher_doctor_is_amd(doctor) ? "kvm_amd" : "kvm_intel";
	if (facts->has_kvm == USHER_FACT_YES) {
		usher_doctor_find(doctor, "kvm", "/dev/kvm is there");
		return;
	}
	UsherFinding *finding = usher_doctor_find(doctor, "kvm", "no /dev/kvm");
	if (facts->has_kvm == USHER_FACT_UNKNOWN) {
		usher_finding_unknown(
			finding, "It can't be told whether this kernel runs virtual machines.");
		return;
	}
	usher_finding_blame(finding, usher_doctor_fails_for(doctor, USHER_FOR_GUESTS), USHER_WHO_OS,
		"Guests would run without the processor's help, many times slower, or not at all.");
	if (facts->cpu_virtualization == USHER_FACT_YES)
		usher_finding_fix(finding, "modprobe %s", module);
	else
		usher_finding_fix(finding, "see cpu-virtualization");
}

static void find_hugepages(UsherDoctor *doctor)
{
	const UsherHostFacts *facts = doctor->facts;
	if (facts->huge_2m == USHER_INT_NULL && facts->huge_1g == USHER_INT_NULL) {
		usher_finding_unknown(
			usher_doctor_find(doctor, "hugepages", "no /sys/kernel/mm/hugepages"),
			"It can't be told whether huge pages are set aside.");
		return;
	}
	int64_t small = MAX(facts->huge_2m, 0), large = MAX(facts->huge_1g, 0);
	int64_t kb = small * 2048 + large * 1048576;
	UsherFinding *finding = usher_doctor_find(doctor, "hugepages",
		"%" G_GINT64_FORMAT " of 2 MiB, %" G_GINT64_FORMAT
		" of 1 GiB set aside (/sys/kernel/mm/hugepages)",
		small, large);
	if (facts->memory_kb == USHER_INT_NULL || kb <= facts->memory_kb / 10 * 9)
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"More than nine tenths of the memory are set aside for guests; the host itself may "
		"run short.");
	usher_finding_fix(finding,
		"fewer hugepages= on the kernel's command line, or less in vm.nr_hugepages");
}

/* vfio pins all of a guest's memory; libvirt raises the limit for each of its guests itself. */
static void find_memlock(UsherDoctor *doctor)
{
	int64_t bytes = doctor->facts->memlock_bytes;
	if (bytes == USHER_INT_NULL) {
		usher_finding_unknown(
			usher_doctor_find(doctor, "memlock", "no limit in /proc/self/limits"),
			"It can't be told how much memory may be pinned.");
		return;
	}
	if (bytes == INT64_MAX) {
		usher_doctor_find(doctor, "memlock", "unlimited (/proc/self/limits)");
		return;
	}
	UsherFinding *finding = usher_doctor_find(doctor, "memlock",
		"%" G_GINT64_FORMAT
		" KiB for who asks (/proc/self/limits); libvirt raises it for its guests",
		bytes / 1024);
	if (doctor->goal != USHER_GOAL_KUBERNETES)
		return;
	usher_finding_blame(finding, USHER_FINDING_WARN, USHER_WHO_OS,
		"Nobody raises it for pods: one that is given a whole device can't pin its "
		"memory.");
	usher_finding_fix(finding, "LimitMEMLOCK=infinity in the unit of containerd or cri-o");
}

void usher_doctor_processor(UsherDoctor *doctor)
{
	find_virtualization(doctor);
	find_kvm(doctor);
	find_hugepages(doctor);
	find_memlock(doctor);
}
