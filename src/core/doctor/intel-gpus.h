/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What Intel's displays can be shared by, by platform. A constant table. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
	USHER_XE_NONE,         /* xe has no SR-IOV for it */
	USHER_XE_SRIOV,        /* it has, and takes the device by itself */
	USHER_XE_SRIOV_FORCED, /* it has, and takes the device with xe.force_probe=ID */
} UsherXe;

typedef struct UsherIntelPlatform {
	const char *name;
	bool has_gvt_g; /* i915 with kvmgt */
	UsherXe xe;
	bool has_dkms; /* so has i915-sriov-dkms */
} UsherIntelPlatform;

/* By the device id of a display; NULL: not in the table, or older than Broadwell. */
const UsherIntelPlatform *usher_intel_platform(uint32_t device_id);
