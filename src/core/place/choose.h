/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which devices a guest gets on one node: a pure function of what is there and what is wanted. */
#include "core/ledger.h"
#include "core/vm.h"

/* One node as it stands. Arrays are borrowed. */
typedef struct UsherPlaceNode {
	const char *name;
	const GPtrArray *devices; /* of UsherDevice, with ids, sorted by address */
	const GPtrArray *groups;  /* of UsherGroup */
	const GPtrArray *rules;   /* of UsherRule */
	const GPtrArray *ledgers; /* of UsherLedger, this node's */
	GHashTable *busy;         /* ids of devices with an operation of their own; NULL: none */
} UsherPlaceNode;

/* A device of the group, and why it can't be given (NULL: it can). */
typedef struct UsherMember {
	const UsherDevice *device;
	const char *rule; /* the name of the first that matches it */
	char *why_not;
} UsherMember;

typedef struct UsherPick {
	const UsherRequest *request;
	const UsherDevice *device;
	GPtrArray *taken;    /* of UsherDevice, borrowed: itself first, then what goes with it */
	UsherLedger *ledger; /* with the entry in it */
	char *lease;
} UsherPick;
void usher_pick_free(UsherPick *pick);

/* Of UsherMember, sorted by address. INVALID when a rule's filter is. */
GPtrArray *usher_place_members(const UsherPlaceNode *node, const UsherGroup *group, GError **error);
/* A pick for each device of each request, or CONFLICT with the reason for the first required request
 * that can't be met; optional ones are left out. lease_ids: enough names for the leases. */
GPtrArray *usher_place_choose(const UsherPlaceNode *node, const UsherVm *vm,
	const GPtrArray *lease_ids, int64_t now, GError **error);
/* The ledger's name of the device's unit (given); NULL with CONFLICT when somebody holds a part of it. */
char *usher_place_free_unit(const UsherPlaceNode *node, const UsherDevice *device, GError **error);
/* The enabled group of that name, NULL: none. */
const UsherGroup *usher_place_group(const UsherPlaceNode *node, const char *name);
