/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What people write: resource groups, resource rules, and virtual machines with their requests. */
#include "base/record.h"

typedef enum {
	USHER_GROUP_PCI,
	USHER_GROUP_VGPU,
	USHER_GROUP_SRIOV_NIC,
	USHER_GROUP_USB,
	USHER_GROUP_HOST_GPU,
	USHER_GROUP_N_TYPES,
} UsherGroupType;
extern const char *const usher_group_type_names[USHER_GROUP_N_TYPES + 1];

typedef enum {
	USHER_RETURN_BY_CLASS, /* null in JSON */
	USHER_RETURN_HOST,
	USHER_RETURN_HOLD,
} UsherReturn;

typedef struct UsherGroup {
	char *name;
	unsigned type; /* UsherGroupType */
	char *description;
	bool enabled;
	int64_t priority;
	unsigned give_back; /* UsherReturn; "return" in JSON */
	UsherJson *settings;
	int64_t revision;
} UsherGroup;
USHER_RECORD_DECLARE(UsherGroup, usher_group)

typedef struct UsherRule {
	char *name;
	char *group;
	char *node; /* NULL: all */
	char *filter;
	bool enabled;
	bool system_created;
	int64_t revision;
} UsherRule;
USHER_RECORD_DECLARE(UsherRule, usher_rule)

typedef struct UsherRequest {
	char *id; /* "r-" + 10 */
	char *group;
	int64_t count;
	bool required;
	UsherJson *options;
} UsherRequest;
USHER_RECORD_DECLARE(UsherRequest, usher_request)

typedef enum {
	USHER_WANT_NOTHING, /* null in JSON */
	USHER_WANT_RUNNING,
	USHER_WANT_STOPPED,
} UsherWant;

typedef struct UsherVm {
	char *name;
	char *home; /* node */
	char *node; /* where it runs, NULL: nowhere */
	char *backend;
	char *uuid;
	unsigned want;       /* UsherWant */
	GPtrArray *requests; /* of UsherRequest */
	int64_t revision;
} UsherVm;
USHER_RECORD_DECLARE(UsherVm, usher_vm)
