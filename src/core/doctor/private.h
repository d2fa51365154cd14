/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the doctor's parts share. */
#include "core/doctor/finding.h"

typedef struct UsherDoctor {
	const UsherHostFacts *facts;
	const UsherInventory *inventory;
	UsherGoal goal;
	const UsherDevice *device; /* that it is for; NULL: the host as a whole */
	GPtrArray *words;          /* of the command line; NULL: unknown */
	GPtrArray *findings;
} UsherDoctor;

/* A new finding, already in the doctor's; status OK and WHO_NOBODY until something else is said. */
UsherFinding *usher_doctor_find(UsherDoctor *doctor, const char *id, const char *seen, ...)
	G_GNUC_PRINTF(3, 4);
/* What it is about, where that is not the host: an address, a guest. */
void usher_finding_set_subject(UsherFinding *finding, const char *subject);
/* What is wrong, in a sentence for an owner. */
void usher_finding_blame(UsherFinding *finding, UsherFindingStatus status, UsherWho who,
	const char *means, ...) G_GNUC_PRINTF(4, 5);
void usher_finding_fix(UsherFinding *finding, const char *text, ...) G_GNUC_PRINTF(2, 3);
void usher_finding_after(UsherFinding *finding, const char *text, ...) G_GNUC_PRINTF(2, 3);
/* It could not be read: why. */
void usher_finding_unknown(UsherFinding *finding, const char *why);
/* Fails where the goal needs it, else it warns. */
UsherFindingStatus usher_doctor_fails_for(const UsherDoctor *doctor, unsigned goals);

#define USHER_FOR(goal) (1U << USHER_GOAL_##goal)
/* Goals that give whole functions to guests by vfio. */
#define USHER_FOR_VFIO \
	(USHER_FOR(PCI) | USHER_FOR(INTEL_SRIOV) | USHER_FOR(NVIDIA_VGPU) | USHER_FOR(KUBERNETES))
/* Goals that have virtual machines. */
#define USHER_FOR_GUESTS (USHER_FOR_VFIO | USHER_FOR(GVT_G))

/* Words of a kernel command line, "double quotes" keep blanks in one. */
GPtrArray *usher_kernel_words(const char *cmdline);
/* The value of the last word with that key: "" of one without a value, NULL: there is none. In keys
 * "-" and "_" are the same. out_n, out_differ: how many there are, and whether not all say the same;
 * either may be NULL. */
const char *usher_kernel_word(
	const GPtrArray *words, const char *key, unsigned *out_n, bool *out_differ);

bool usher_doctor_is_intel(const UsherDoctor *doctor);
bool usher_doctor_is_amd(const UsherDoctor *doctor);
/* The device that the doctor is asked about, or any of the host's. */
bool usher_doctor_concerns(const UsherDoctor *doctor, const UsherDevice *device);
bool usher_device_is_display(const UsherDevice *device);
bool usher_device_is_from(const UsherDevice *device, const char *vendor_id);

/* "the driver nvidia", "no driver". Given. */
char *usher_doctor_driver(const UsherDevice *device);

/* The word that keeps the kernel off the firmware's picture. */
const char *usher_doctor_framebuffer_word(const UsherDoctor *doctor);

/* The parts, in the order of the page. */
void usher_doctor_processor(UsherDoctor *doctor);
void usher_doctor_iommu(UsherDoctor *doctor);
void usher_doctor_modules(UsherDoctor *doctor);
void usher_doctor_displays(UsherDoctor *doctor);
void usher_doctor_vgpus(UsherDoctor *doctor);
void usher_doctor_addresses(UsherDoctor *doctor);
