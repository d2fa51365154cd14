/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The doctor: what stands in the way of a goal on this host, who can clear it away and how, and what
 * will be true after the reboot. A pure function of what was read; what could not be read makes a
 * finding unknown and is never taken for good or bad.
 */
#include "core/doctor/facts.h"

typedef enum {
	USHER_FINDING_OK,
	USHER_FINDING_WARN,
	USHER_FINDING_FAIL,
	USHER_FINDING_UNKNOWN,
} UsherFindingStatus;

/* Who can clear it away; the order is that of the page. */
typedef enum {
	USHER_WHO_USHER,    /* usher host prepare */
	USHER_WHO_OS,       /* who administers this system */
	USHER_WHO_FIRMWARE, /* who can enter the firmware's set-up */
	USHER_WHO_VENDOR,   /* another version, module or card from them */
	USHER_WHO_NOBODY,   /* this hardware is so */
	USHER_N_WHO,
} UsherWho;

typedef struct UsherFinding {
	char *id;
	unsigned status;    /* UsherFindingStatus */
	char *subject;      /* "host", or a device's address */
	char *seen;         /* with the file it was seen in */
	char *means;        /* for who owns the host */
	unsigned who;       /* UsherWho */
	GPtrArray *fix;     /* of char *: commands, settings of the firmware, sentences */
	char *after_reboot; /* what will be true then; NULL: nothing changes by it */
} UsherFinding;
USHER_RECORD_DECLARE(UsherFinding, usher_finding)

typedef enum {
	USHER_GOAL_PCI,
	USHER_GOAL_GVT_G,
	USHER_GOAL_INTEL_SRIOV,
	USHER_GOAL_NVIDIA_VGPU,
	USHER_GOAL_HOST_GPU,
	USHER_GOAL_KUBERNETES,
	USHER_N_GOALS,
} UsherGoal;
/* "pci", "gvt-g", …; ends with NULL. */
extern const char *const usher_goal_names[];
/* USHER_GOAL_PCI where name is NULL or none of them. */
UsherGoal usher_goal_named(const char *name);

/* address: of the device that it is for; NULL: the host as a whole. Of UsherFinding; given. */
GPtrArray *usher_doctor_examine(const UsherHostFacts *facts, const UsherInventory *inventory,
	UsherGoal goal, const char *address);
/* { "verdict", "findings": […] }, and after a prepare { "promises": […] }; promises: of UsherPromise,
 * NULL: there are none. */
char *usher_doctor_print(const GPtrArray *findings, const GPtrArray *promises, bool pretty);
/* "ready", "fixable", "not-capable". */
const char *usher_doctor_verdict(const GPtrArray *findings);
