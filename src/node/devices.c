/* SPDX-License-Identifier: Apache-2.0 */
/* Devices as the node reports them: who they are, and what state they are in. */
#include "node/private.h"

#include <string.h>

#include "core/identity.h"

void usher_tracked_free(UsherTracked *tracked)
{
	g_free(tracked->id);
	g_free(tracked->text);
	g_free(tracked->sent);
	g_free(tracked->acknowledged);
	g_free(tracked);
}

void usher_node_learn_records(UsherNode *node, GPtrArray *records)
{
	g_clear_pointer(&node->records, g_ptr_array_unref);
	node->records = g_ptr_array_ref(records);
	g_hash_table_remove_all(node->tracked);
	for (unsigned i = 0; i < records->len; i++) {
		const UsherDevice *record = records->pdata[i];
		UsherTracked *tracked = g_new0(UsherTracked, 1);
		tracked->id = g_strdup(record->id);
		tracked->was_seen = record->state != USHER_DEVICE_ABSENT;
		g_hash_table_replace(node->tracked, g_strdup(record->id), tracked);
		bool is_held =
			record->was != NULL && !g_hash_table_contains(node->held, record->address);
		if (is_held)
			g_hash_table_insert(
				node->held, g_strdup(record->address), usher_was_dup(record->was));
	}
	usher_node_recognize(node);
}

/* The lease that has the address, barred ones too. */
static const UsherHolding *holding_of(UsherNode *node, const char *address)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->holdings);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const UsherHolding *holding = value;
		const UsherLease *lease = holding->lease;
		if (usher_lease_state_is_end(lease->state) && holding->bar == USHER_BAR_NONE)
			continue;
		if (strcmp(lease->device->address, address) == 0 ||
			g_ptr_array_find_with_equal_func(
				lease->companions, address, g_str_equal, NULL))
			return holding;
	}
	return NULL;
}

static UsherDeviceState state_of(UsherNode *node, const UsherDevice *device)
{
	const UsherWas *was = g_hash_table_lookup(node->held, device->address);
	bool is_held = g_strcmp0(device->driver, "vfio-pci") == 0 ||
		(was != NULL && usher_was_is_due(was, device));
	UsherDeviceState at_peace = is_held ? USHER_DEVICE_HELD : USHER_DEVICE_HOST;
	if (node->ports.host->ops->in_flight(node->ports.host, device->address))
		return USHER_DEVICE_FENCED;
	const UsherHolding *holding = holding_of(node, device->address);
	if (holding == NULL)
		return at_peace;
	switch ((UsherLeaseState) holding->lease->state) {
	case USHER_LEASE_RESERVED:
		return at_peace;
	case USHER_LEASE_PREPARING:
	case USHER_LEASE_READY:
		return USHER_DEVICE_PREPARING;
	case USHER_LEASE_ATTACHED:
		return USHER_DEVICE_LEASED;
	case USHER_LEASE_RETURNING:
		return USHER_DEVICE_RETURNING;
	case USHER_LEASE_RELEASED:
	case USHER_LEASE_FAILED:
		return holding->bar == USHER_BAR_FENCE ? USHER_DEVICE_FENCED
						       : USHER_DEVICE_QUARANTINED;
	case USHER_LEASE_N_STATES:
		break;
	}
	g_assert_not_reached();
}

/* Which domains have it, the hypervisor knows better than the files that a scan sees. */
static void tell_domains(UsherNode *node, UsherDevice *device)
{
	for (unsigned i = device->foreign->len; i > 0; i--) {
		const UsherForeign *foreign = device->foreign->pdata[i - 1];
		if (strcmp(foreign->kind, "domain") == 0)
			g_ptr_array_remove_index(device->foreign, i - 1);
	}
	for (unsigned i = 0; node->guests != NULL && i < node->guests->len; i++) {
		const UsherGuestInfo *guest = node->guests->pdata[i];
		bool has_it = g_ptr_array_find_with_equal_func(
			guest->hostdevs, device->address, g_str_equal, NULL);
		if (!has_it || holding_of(node, device->address) != NULL)
			continue;
		UsherForeign *foreign = usher_foreign_new();
		foreign->kind = g_strdup("domain");
		foreign->name = g_strdup(guest->name);
		g_ptr_array_add(device->foreign, foreign);
	}
}

/* Records that are not seen are ABSENT, so that the address tells. */
const char *usher_node_id_of(UsherNode *node, const UsherDevice *seen)
{
	for (unsigned i = 0; node->records != NULL && i < node->records->len; i++) {
		const UsherDevice *record = node->records->pdata[i];
		if (record->state != USHER_DEVICE_ABSENT &&
			strcmp(record->address, seen->address) == 0)
			return record->id;
	}
	return NULL;
}

static void free_device(void *device)
{
	usher_device_free(device);
}

/* The device with its id: its record's, a new one for one that was never seen, none for one of which
 * nobody can say who it is. */
static UsherDevice *name_device(UsherNode *node, const UsherIdentity *identity)
{
	UsherDevice *device = usher_device_dup(identity->seen);
	g_clear_pointer(&device->id, g_free);
	switch (identity->kind) {
	case USHER_IDENTITY_NEW:
		device->id = usher_node_new_id(node, "d-");
		break;
	case USHER_IDENTITY_KNOWN:
		device->id = g_strdup(identity->record->id);
		usher_identity_keep_facts(device, identity->record);
		break;
	case USHER_IDENTITY_AMBIGUOUS:
		device->identity_partial = true;
		device->identity_problem = g_strdup(identity->why);
		break;
	}
	return device;
}

static UsherDevice *find_record(UsherNode *node, const char *id)
{
	for (unsigned i = 0; i < node->records->len; i++) {
		UsherDevice *record = node->records->pdata[i];
		if (strcmp(record->id, id) == 0)
			return record;
	}
	return NULL;
}

static UsherTracked *track_id(UsherNode *node, const char *id)
{
	UsherTracked *tracked = g_hash_table_lookup(node->tracked, id);
	if (tracked == NULL) {
		tracked = g_new0(UsherTracked, 1);
		tracked->id = g_strdup(id);
		g_hash_table_insert(node->tracked, g_strdup(id), tracked);
	}
	return tracked;
}

/* What is seen may be any of these: none of them moves, and whoever asks for one hears why. */
static void add_unsure(const UsherIdentity *identity, GPtrArray *unsure)
{
	for (unsigned i = 0; i < identity->candidates->len; i++) {
		UsherDevice *record = usher_device_dup(identity->candidates->pdata[i]);
		record->state = USHER_DEVICE_ABSENT;
		record->identity_partial = true;
		g_free(record->identity_problem);
		record->identity_problem =
			g_strdup_printf("at %s: %s", identity->seen->address, identity->why);
		g_ptr_array_add(unsure, record);
	}
}

void usher_node_recognize(UsherNode *node)
{
	if (node->records == NULL || node->seen == NULL)
		return;
	g_autoptr(GPtrArray) identities =
		usher_identity_match_all(node->records, node->seen->devices);
	GPtrArray *devices = g_ptr_array_new_with_free_func(free_device);
	g_clear_pointer(&node->named, g_ptr_array_unref);
	g_clear_pointer(&node->unsure, g_ptr_array_unref);
	node->named = devices;
	node->unsure = g_ptr_array_new_with_free_func(free_device);
	for (unsigned i = 0; i < identities->len; i++) {
		const UsherIdentity *identity = identities->pdata[i];
		g_ptr_array_add(devices, name_device(node, identity));
		if (identity->kind == USHER_IDENTITY_AMBIGUOUS)
			add_unsure(identity, node->unsure);
	}
	usher_identity_remember(devices);
	for (unsigned i = 0; i < node->records->len; i++)
		((UsherDevice *) node->records->pdata[i])->state = USHER_DEVICE_ABSENT;
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDevice *device = devices->pdata[i];
		UsherDevice *record = device->id != NULL ? find_record(node, device->id) : NULL;
		if (record != NULL)
			(void) g_ptr_array_remove(node->records, record);
		if (device->id != NULL)
			g_ptr_array_add(node->records, usher_device_dup(device));
	}
}

static void track(UsherNode *node, const UsherDevice *named)
{
	g_autoptr(UsherDevice) device = usher_device_dup(named);
	device->state = state_of(node, device);
	tell_domains(node, device);
	const UsherWas *was = g_hash_table_lookup(node->held, device->address);
	if (was != NULL && device->state == USHER_DEVICE_HELD) {
		usher_was_free(device->was);
		device->was = usher_was_dup(was);
	}
	UsherTracked *tracked = track_id(node, device->id);
	g_free(tracked->text);
	tracked->text = usher_record_print(&usher_device_type, device);
}

/* What is held no longer, by whatever hand, has nothing to be put back; nor has another device. */
static void forget_unheld(UsherNode *node)
{
	GHashTableIter iter;
	void *address, *was;
	g_hash_table_iter_init(&iter, node->held);
	while (g_hash_table_iter_next(&iter, &address, &was)) {
		const UsherDevice *device = usher_inventory_find_text(node->seen, address);
		if (device == NULL || usher_was_is_due(was, device))
			continue;
		usher_node_note_held(node, was, /* is_held */ false);
		g_hash_table_iter_remove(&iter);
	}
}

void usher_node_track_devices(UsherNode *node)
{
	if (node->named == NULL)
		return;
	forget_unheld(node);
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, node->tracked);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		UsherTracked *tracked = value;
		g_clear_pointer(&tracked->text, g_free);
	}
	for (unsigned i = 0; i < node->unsure->len; i++) {
		const UsherDevice *record = node->unsure->pdata[i];
		UsherTracked *tracked = track_id(node, record->id);
		g_free(tracked->text);
		tracked->text = usher_record_print(&usher_device_type, record);
	}
	for (unsigned i = 0; i < node->named->len; i++) {
		const UsherDevice *device = node->named->pdata[i];
		if (device->id != NULL)
			track(node, device);
	}
}
