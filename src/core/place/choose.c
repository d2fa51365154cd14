/* SPDX-License-Identifier: Apache-2.0 */
#include "core/place/choose.h"

#include <string.h>

#include "base/error.h"
#include "core/guard.h"
#include "core/rules/filter.h"
#include "core/unit.h"

static void member_free(void *data)
{
	UsherMember *member = data;
	g_free(member->why_not);
	g_free(member);
}

void usher_pick_free(UsherPick *pick)
{
	g_ptr_array_unref(pick->taken);
	usher_ledger_free(pick->ledger);
	g_free(pick->lease);
	g_free(pick);
}

static void pick_free_any(void *data)
{
	usher_pick_free(data);
}

const UsherGroup *usher_place_group(const UsherPlaceNode *node, const char *name)
{
	for (unsigned i = 0; i < node->groups->len; i++) {
		const UsherGroup *group = node->groups->pdata[i];
		if (group->enabled && strcmp(group->name, name) == 0)
			return group;
	}
	return NULL;
}

static bool unit_has(const GPtrArray *unit, const UsherLedgerEntry *entry)
{
	for (unsigned i = 0; i < unit->len; i++) {
		const UsherDevice *device = unit->pdata[i];
		if (device->id != NULL &&
			g_ptr_array_find_with_equal_func(
				entry->devices, device->id, g_str_equal, NULL))
			return true;
	}
	return false;
}

/* The unit's ledger as it is: the stored one, or an empty one. CONFLICT when a device of the unit is
 * in the ledger of another: the unit has another shape than when that was given. */
static UsherLedger *ledger_of(const UsherPlaceNode *node, const GPtrArray *unit, GError **error)
{
	g_autofree char *name = usher_unit_name(unit);
	UsherLedger *own = NULL;
	for (unsigned i = 0; i < node->ledgers->len; i++) {
		const UsherLedger *ledger = node->ledgers->pdata[i];
		if (strcmp(ledger->unit, name) == 0) {
			own = usher_ledger_dup(ledger);
			continue;
		}
		for (unsigned j = 0; j < ledger->entries->len; j++) {
			const UsherLedgerEntry *entry = ledger->entries->pdata[j];
			if (!unit_has(unit, entry))
				continue;
			usher_error_set(
				error, USHER_ERROR_CONFLICT, "%s has a part of it", entry->holder);
			usher_ledger_free(own);
			return NULL;
		}
	}
	if (own == NULL) {
		own = usher_ledger_new();
		own->node = g_strdup(node->name);
		own->unit = g_strdup(name);
	}
	return own;
}

static UsherLedgerEntry *entry_for(
	const GPtrArray *taken, const char *lease, const char *holder, int64_t now)
{
	UsherLedgerEntry *entry = usher_ledger_entry_new();
	entry->lease = g_strdup(lease);
	entry->holder = g_strdup(holder);
	entry->since = now;
	for (unsigned i = 0; i < taken->len; i++) {
		const UsherDevice *device = taken->pdata[i];
		g_ptr_array_add(entry->devices, g_strdup(device->id));
	}
	return entry;
}

/* What speaks against giving the device to anybody, or NULL. */
static char *explain_ineligible(const UsherDevice *device)
{
	if (device->id == NULL)
		return g_strdup("its node has not reported who it is");
	if (device->identity_problem != NULL)
		return g_strdup_printf("nobody can say who it is: %s", device->identity_problem);
	if (device->state == USHER_DEVICE_ABSENT)
		return g_strdup("it is not there any more");
	if (device->state == USHER_DEVICE_FENCED || device->state == USHER_DEVICE_QUARANTINED)
		return g_strdup_printf("it is %s", usher_device_state_name(device->state));
	if (usher_device_is_bridge(device))
		return g_strdup("it is a bridge");
	if (device->iommu_group == USHER_INT_NULL)
		return g_strdup("it has no IOMMU group");
	if (device->foreign->len > 0) {
		const UsherForeign *foreign = device->foreign->pdata[0];
		return g_strdup_printf("%s %s has it, not by usher", foreign->kind, foreign->name);
	}
	if (device->guard != NULL && device->guard->verdict == USHER_VERDICT_REFUSED)
		return usher_guard_explain(device->guard);
	return NULL;
}

/* The device, and what would be taken with it. */
static bool are_eligible(const GPtrArray *taken, GError **error)
{
	for (unsigned i = 0; i < taken->len; i++) {
		const UsherDevice *device = taken->pdata[i];
		g_autofree char *why_not = explain_ineligible(device);
		if (why_not == NULL)
			continue;
		if (i == 0)
			usher_error_set(error, USHER_ERROR_CONFLICT, "%s", why_not);
		else
			usher_error_set(error, USHER_ERROR_CONFLICT, "%s, which goes with it: %s",
				device->address, why_not);
		return false;
	}
	return true;
}

static bool is_busy(const UsherPlaceNode *node, const GPtrArray *taken, GError **error)
{
	for (unsigned i = 0; node->busy != NULL && i < taken->len; i++) {
		const UsherDevice *device = taken->pdata[i];
		if (device->id == NULL || !g_hash_table_contains(node->busy, device->id))
			continue;
		usher_error_set(error, USHER_ERROR_CONFLICT, "%s is being returned to the host",
			device->address);
		return true;
	}
	return false;
}

/* Tries the device for the holder: the ledger it would give, or why not. */
static UsherLedger *try_device(const UsherPlaceNode *node, const UsherDevice *device,
	const char *lease, const char *holder, int64_t now, GError **error)
{
	g_autoptr(GPtrArray) unit = usher_unit_of(node->devices, device);
	g_autoptr(GPtrArray) taken = usher_unit_taken_with(node->devices, device);
	if (!are_eligible(taken, error))
		return NULL;
	g_autoptr(UsherLedger) ledger = ledger_of(node, unit, error);
	if (ledger == NULL || is_busy(node, taken, error))
		return NULL;
	g_autoptr(UsherLedgerEntry) entry = entry_for(taken, lease, holder, now);
	return usher_ledger_take(ledger, entry, error);
}

static bool rule_matches(const UsherRule *rule, const UsherFilter *filter,
	const UsherPlaceNode *node, const UsherDevice *device, bool *out_matches, GError **error)
{
	if (rule->node != NULL && strcmp(rule->node, node->name) != 0) {
		*out_matches = false;
		return true;
	}
	if (usher_filter_match(filter, device, out_matches, error))
		return true;
	g_prefix_error(error, "rule %s: ", rule->name);
	return false;
}

static bool add_matches(
	const UsherPlaceNode *node, const UsherRule *rule, GHashTable *found, GError **error)
{
	g_autoptr(UsherFilter) filter = usher_filter_parse(rule->filter, error);
	if (filter == NULL) {
		g_prefix_error(error, "rule %s: ", rule->name);
		return false;
	}
	for (unsigned i = 0; i < node->devices->len; i++) {
		UsherDevice *device = node->devices->pdata[i];
		bool matches;
		if (!rule_matches(rule, filter, node, device, &matches, error))
			return false;
		if (matches && !g_hash_table_contains(found, device))
			g_hash_table_insert(found, device, rule->name);
	}
	return true;
}

GPtrArray *usher_place_members(const UsherPlaceNode *node, const UsherGroup *group, GError **error)
{
	g_autoptr(GHashTable) found = g_hash_table_new(NULL, NULL);
	for (unsigned i = 0; i < node->rules->len; i++) {
		const UsherRule *rule = node->rules->pdata[i];
		bool is_ours = rule->enabled && strcmp(rule->group, group->name) == 0;
		if (is_ours && !add_matches(node, rule, found, error))
			return NULL;
	}
	GPtrArray *members = g_ptr_array_new_with_free_func(member_free);
	for (unsigned i = 0; i < node->devices->len; i++) {
		const UsherDevice *device = node->devices->pdata[i];
		const char *rule = g_hash_table_lookup(found, device);
		if (rule == NULL)
			continue;
		g_autoptr(GError) why_not = NULL;
		g_autoptr(UsherLedger) would_be =
			try_device(node, device, "l-preview", "nobody", 0, &why_not);
		UsherMember *member = g_new0(UsherMember, 1);
		member->device = device;
		member->rule = rule;
		member->why_not = would_be == NULL ? g_strdup(why_not->message) : NULL;
		g_ptr_array_add(members, member);
	}
	return members;
}

/* "group nics has no free device: 0000:01:00.0: vm/vm1 has it by lease l-…; …" */
static void refuse(const UsherRequest *request, const GPtrArray *members, GError **error)
{
	g_autoptr(GString) why = g_string_new(NULL);
	unsigned n_shown = 0;
	for (unsigned i = 0; i < members->len; i++) {
		const UsherMember *member = members->pdata[i];
		if (member->why_not == NULL)
			continue;
		if (n_shown == 3) {
			g_string_append(why, "; and others");
			break;
		}
		g_string_append_printf(why, "%s%s: %s", n_shown > 0 ? "; " : "",
			member->device->address, member->why_not);
		n_shown++;
	}
	if (members->len == 0)
		usher_error_set(error, USHER_ERROR_CONFLICT, "group %s has no members on this node",
			request->group);
	else if (request->count > 1)
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"group %s has fewer than %" G_GINT64_FORMAT " free devices: %s",
			request->group, request->count, why->str);
	else
		usher_error_set(error, USHER_ERROR_CONFLICT, "group %s has no free device: %s",
			request->group, why->str);
}

/* The node as it would be after the picks: their ledgers in the place of the stored ones. */
static GPtrArray *ledgers_after(const UsherPlaceNode *node, const GPtrArray *picks)
{
	GPtrArray *ledgers = g_ptr_array_new();
	GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (unsigned i = picks->len; i-- > 0;) {
		const UsherPick *pick = picks->pdata[i];
		if (g_hash_table_add(seen, pick->ledger->unit))
			g_ptr_array_add(ledgers, pick->ledger);
	}
	for (unsigned i = 0; i < node->ledgers->len; i++) {
		UsherLedger *ledger = node->ledgers->pdata[i];
		if (!g_hash_table_contains(seen, ledger->unit))
			g_ptr_array_add(ledgers, ledger);
	}
	g_hash_table_unref(seen);
	return ledgers;
}

static UsherPick *pick_one(const UsherPlaceNode *node, const GPtrArray *picks,
	const GPtrArray *members, const UsherRequest *request, const char *lease,
	const char *holder, int64_t now)
{
	g_autoptr(GPtrArray) ledgers = ledgers_after(node, picks);
	UsherPlaceNode after = *node;
	after.ledgers = ledgers;
	for (unsigned i = 0; i < members->len; i++) {
		UsherMember *member = members->pdata[i];
		g_autoptr(GError) why_not = NULL;
		UsherLedger *ledger =
			try_device(&after, member->device, lease, holder, now, &why_not);
		if (ledger == NULL) {
			g_free(member->why_not);
			member->why_not = g_strdup(why_not->message);
			continue;
		}
		UsherPick *pick = g_new0(UsherPick, 1);
		pick->request = request;
		pick->device = member->device;
		pick->taken = usher_unit_taken_with(node->devices, member->device);
		pick->ledger = ledger;
		pick->lease = g_strdup(lease);
		return pick;
	}
	return NULL;
}

/* All devices of one request, or none and false with error. */
static bool pick_request(const UsherPlaceNode *node, const UsherRequest *request,
	const GPtrArray *lease_ids, const char *holder, int64_t now, GPtrArray *picks,
	GError **error)
{
	const UsherGroup *group = usher_place_group(node, request->group);
	if (group == NULL) {
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"group %s does not exist or is disabled", request->group);
		return false;
	}
	g_autoptr(GPtrArray) members = usher_place_members(node, group, error);
	if (members == NULL)
		return false;
	unsigned before = picks->len;
	for (int64_t n = 0; n < request->count; n++) {
		g_assert(picks->len < lease_ids->len);
		UsherPick *pick = pick_one(
			node, picks, members, request, lease_ids->pdata[picks->len], holder, now);
		if (pick == NULL) {
			g_ptr_array_set_size(picks, (int) before);
			refuse(request, members, error);
			return false;
		}
		g_ptr_array_add(picks, pick);
	}
	return true;
}

GPtrArray *usher_place_choose(const UsherPlaceNode *node, const UsherVm *vm,
	const GPtrArray *lease_ids, int64_t now, GError **error)
{
	g_autofree char *holder = g_strconcat("vm/", vm->name, NULL);
	g_autoptr(GPtrArray) picks = g_ptr_array_new_with_free_func(pick_free_any);
	for (unsigned i = 0; i < vm->requests->len; i++) {
		const UsherRequest *request = vm->requests->pdata[i];
		g_autoptr(GError) why_not = NULL;
		if (pick_request(node, request, lease_ids, holder, now, picks, &why_not) ||
			!request->required)
			continue;
		g_propagate_error(error, g_steal_pointer(&why_not));
		return NULL;
	}
	return g_steal_pointer(&picks);
}

char *usher_place_free_unit(const UsherPlaceNode *node, const UsherDevice *device, GError **error)
{
	g_autoptr(GPtrArray) unit = usher_unit_of(node->devices, device);
	g_autoptr(UsherLedger) ledger = ledger_of(node, unit, error);
	if (ledger == NULL)
		return NULL;
	if (ledger->entries->len == 0)
		return g_strdup(ledger->unit);
	const UsherLedgerEntry *entry = ledger->entries->pdata[0];
	usher_error_set(error, USHER_ERROR_CONFLICT, "%s has it", entry->holder);
	return NULL;
}
