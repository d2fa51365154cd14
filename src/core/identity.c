/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity.h"

#include <string.h>

#include "base/text.h"

/* From strong to weak. What is above PLACE is of the device itself and excludes where it differs;
 * places only agree. */
typedef enum {
	LEVEL_UUID,
	LEVEL_SERIAL,
	LEVEL_VPD_SERIAL,
	LEVEL_MAC,
	LEVEL_LABEL,
	LEVEL_PATH,
	LEVEL_ADDRESS, /* of those whose path is not known */
	LEVEL_IDS,
	N_LEVELS,
} Level;
#define LEVEL_PLACE LEVEL_LABEL

/* The functions of a slot, or one USB device. */
typedef struct Card {
	GPtrArray *functions; /* of const UsherDevice, borrowed */
	struct Card *match;
	bool is_present;       /* of records: when last looked at, it was there */
	char *why;             /* it is ambiguous */
	GPtrArray *candidates; /* of Card, borrowed: which it may be then */
} Card;

typedef struct Matching {
	GPtrArray *seen, *records;    /* of Card */
	GHashTable *shared[N_LEVELS]; /* values that two cards of a side have: no facts */
} Matching;

static void card_free(void *data)
{
	Card *card = data;
	g_ptr_array_unref(card->functions);
	g_ptr_array_unref(card->candidates);
	g_free(card->why);
	g_free(card);
}

/* ---- facts ---- */

/* Of a PCIe serial made of a MAC address, the maker's part remains: "00-1b-21-ff-ff-00-00-00". */
static bool is_empty_mac(const char *serial)
{
	return strlen(serial) == 23 && strcmp(serial + 8, "-ff-ff-00-00-00") == 0;
}

bool usher_identity_is_dummy(const char *serial)
{
	static const char *const dummies[] = { "0123456789", "123456789", "1234567890",
		"0123456789abcdef", "0123456789012345", "123456789012", "1234567890ab", "00000001",
		"000000000001", "0001020304050607", "0102030405060708", "123456", "12345678",
		"none", "na", "unknown", "default", "defaultstring", "notspecified",
		"notapplicable", "tobefilledbyoem", "serialnumber", "serial", NULL };
	g_autofree char *plain = g_ascii_strdown(serial, -1);
	char *end = plain;
	for (const char *at = plain; *at != '\0'; at++) {
		if (g_ascii_isalnum(*at))
			*end++ = *at;
	}
	*end = '\0';
	size_t n = strlen(plain);
	return n == 0 || strspn(plain, "0") == n || strspn(plain, "f") == n ||
		is_empty_mac(serial) || g_strv_contains(dummies, plain);
}

/* The last digit of the address; none of a USB device. */
static char function_of(const UsherDevice *device)
{
	if (device->kind != USHER_DEVICE_PCI || device->address[0] == '\0')
		return '0';
	return device->address[strlen(device->address) - 1];
}

static const char *text_of(const UsherDevice *device, Level level)
{
	const UsherDeviceFacts *facts = device->facts;
	switch (level) {
	case LEVEL_UUID:
		return facts != NULL ? facts->uuid : NULL;
	case LEVEL_SERIAL:
		return facts != NULL ? facts->serial : NULL;
	case LEVEL_VPD_SERIAL:
		return facts != NULL ? facts->vpd_serial : NULL;
	case LEVEL_MAC:
		return facts != NULL ? facts->mac : NULL;
	case LEVEL_LABEL:
		return device->slot_label;
	case LEVEL_PATH:
		return facts != NULL ? facts->path : NULL;
	case LEVEL_ADDRESS:
		return device->address;
	case LEVEL_IDS:
	case N_LEVELS:
		break;
	}
	return NULL;
}

/* "b0 serial 00-…": of a bridge, of function 0. The switch on a card and what is behind it may share
 * a serial. NULL: it does not tell. Given. */
static char *value_of(const UsherDevice *device, Level level)
{
	if (level == LEVEL_IDS)
		return g_strdup_printf("%s:%s %s:%s %c", device->vendor_id, device->device_id,
			device->subsystem_vendor_id, device->subsystem_device_id,
			function_of(device));
	const char *text = text_of(device, level);
	if (text == NULL || (level < LEVEL_PLACE && usher_identity_is_dummy(text)))
		return NULL;
	return g_strdup_printf(
		"%c%c %s", usher_device_is_bridge(device) ? 'b' : 'd', function_of(device), text);
}

static char *fact_of(const Matching *matching, const UsherDevice *device, Level level)
{
	g_autofree char *value = value_of(device, level);
	if (value != NULL && matching->shared[level] != NULL &&
		g_hash_table_contains(matching->shared[level], value))
		return NULL;
	return g_steal_pointer(&value);
}

/* Both known and different. */
static bool excludes(const char *one, const char *other)
{
	return one != NULL && other != NULL && strcmp(one, other) != 0;
}

static bool has_same_ids(const UsherDevice *one, const UsherDevice *other)
{
	return one->kind == other->kind && !excludes(one->vendor_id, other->vendor_id) &&
		!excludes(one->device_id, other->device_id) &&
		!excludes(one->subsystem_vendor_id, other->subsystem_vendor_id) &&
		!excludes(one->subsystem_device_id, other->subsystem_device_id);
}

static bool differs(const Matching *matching, const UsherDevice *one, const UsherDevice *other)
{
	for (Level level = 0; level < LEVEL_PLACE; level++) {
		g_autofree char *fact = fact_of(matching, one, level);
		g_autofree char *other_fact = fact_of(matching, other, level);
		if (excludes(fact, other_fact))
			return true;
	}
	return false;
}

/* ---- cards ---- */

static bool is_virtual(const UsherDevice *device)
{
	return device->physical_function != NULL;
}

/* Functions of records are of the card they were of when they were last seen: another card may have
 * had the same slot since. */
static char *card_name(const UsherDevice *device)
{
	const UsherDeviceFacts *facts = device->facts;
	if (facts != NULL && facts->card != NULL)
		return g_strdup(facts->card);
	size_t length = strlen(device->address);
	bool is_function = device->kind == USHER_DEVICE_PCI && length > 0;
	return g_strndup(device->address, is_function ? length - 1 : length);
}

static GPtrArray *gather_cards(const GPtrArray *devices, bool are_records)
{
	GPtrArray *cards = g_ptr_array_new_with_free_func(card_free);
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; i < devices->len; i++) {
		UsherDevice *device = devices->pdata[i];
		if (is_virtual(device) || (are_records && device->id == NULL))
			continue;
		g_autofree char *name = are_records
			? card_name(device)
			: g_strndup(device->address,
				  strlen(device->address) -
					  (device->kind == USHER_DEVICE_PCI ? 1 : 0));
		Card *card = g_hash_table_lookup(names, name);
		if (card == NULL) {
			card = g_new0(Card, 1);
			card->functions = g_ptr_array_new();
			card->candidates = g_ptr_array_new();
			g_ptr_array_add(cards, card);
			g_hash_table_insert(names, g_steal_pointer(&name), card);
		}
		g_ptr_array_add(card->functions, device);
		card->is_present |= device->state != USHER_DEVICE_ABSENT;
	}
	return cards;
}

/* The one with that number; NULL: it has none, or none that it could be. */
static const UsherDevice *function_like(
	const Matching *matching, const Card *card, const UsherDevice *like)
{
	const UsherDevice *found = NULL;
	for (unsigned i = 0; i < card->functions->len; i++) {
		const UsherDevice *device = card->functions->pdata[i];
		if (function_of(device) != function_of(like) || !has_same_ids(device, like) ||
			differs(matching, device, like))
			continue;
		if (found == NULL || device->state != USHER_DEVICE_ABSENT)
			found = device;
	}
	return found;
}

/* A function of both that differs in what is its own excludes; of the others one must be alike. */
static bool may_be(const Matching *matching, const Card *seen, const Card *record)
{
	bool is_alike = false;
	for (unsigned i = 0; i < seen->functions->len; i++) {
		const UsherDevice *one = seen->functions->pdata[i];
		is_alike = is_alike || function_like(matching, record, one) != NULL;
		for (unsigned j = 0; j < record->functions->len; j++) {
			const UsherDevice *other = record->functions->pdata[j];
			g_assert(other != NULL);
			if (function_of(one) == function_of(other) && has_same_ids(one, other) &&
				differs(matching, one, other))
				return false;
		}
	}
	return is_alike;
}

/* ---- levels ---- */

static void add_to(GHashTable *index, const char *value, Card *card)
{
	GPtrArray *cards = g_hash_table_lookup(index, value);
	if (cards == NULL) {
		cards = g_ptr_array_new();
		g_hash_table_insert(index, g_strdup(value), cards);
	}
	if (!g_ptr_array_find(cards, card, NULL))
		g_ptr_array_add(cards, card);
}

static void free_cards(void *cards)
{
	g_ptr_array_unref(cards);
}

/* Value → cards that have it; only of those that are not matched yet. */
static GHashTable *index_cards(const Matching *matching, const GPtrArray *cards, Level level)
{
	GHashTable *index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_cards);
	for (unsigned i = 0; i < cards->len; i++) {
		Card *card = cards->pdata[i];
		for (unsigned j = 0; card->match == NULL && j < card->functions->len; j++) {
			g_autofree char *fact = fact_of(matching, card->functions->pdata[j], level);
			if (fact != NULL)
				add_to(index, fact, card);
		}
	}
	return index;
}

/* A place may have had several cards, one after the other; a serial is of one. */
static void find_shared(Matching *matching, Level level)
{
	GHashTable *shared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	const GPtrArray *sides[] = { matching->seen,
		level < LEVEL_PLACE ? matching->records : NULL };
	for (size_t i = 0; i < G_N_ELEMENTS(sides) && sides[i] != NULL; i++) {
		g_autoptr(GHashTable) index = index_cards(matching, sides[i], level);
		GHashTableIter iter;
		void *value, *cards;
		g_hash_table_iter_init(&iter, index);
		while (g_hash_table_iter_next(&iter, &value, &cards)) {
			if (((GPtrArray *) cards)->len > 1)
				g_hash_table_add(shared, g_strdup(value));
		}
	}
	matching->shared[level] = shared;
}

static bool has_path(const Card *card)
{
	for (unsigned i = 0; i < card->functions->len; i++) {
		if (text_of(card->functions->pdata[i], LEVEL_PATH) != NULL)
			return true;
	}
	return false;
}

static bool fits_at(const Matching *matching, const Card *seen, const Card *record, Level level)
{
	if (level == LEVEL_ADDRESS && has_path(seen) && has_path(record))
		return false; /* a bus number is no place: its path would have agreed */
	return record->match == NULL && may_be(matching, seen, record);
}

/* Records that agree with the card at this level; of several those that were there when last looked
 * at. Given. */
static GPtrArray *find_candidates(
	const Matching *matching, const Card *seen, GHashTable *index, Level level)
{
	GPtrArray *all = g_ptr_array_new(), *present = g_ptr_array_new();
	for (unsigned i = 0; i < seen->functions->len; i++) {
		g_autofree char *fact = fact_of(matching, seen->functions->pdata[i], level);
		const GPtrArray *cards = fact != NULL ? g_hash_table_lookup(index, fact) : NULL;
		for (unsigned j = 0; cards != NULL && j < cards->len; j++) {
			Card *record = cards->pdata[j];
			if (g_ptr_array_find(all, record, NULL) ||
				!fits_at(matching, seen, record, level))
				continue;
			g_ptr_array_add(all, record);
			if (record->is_present)
				g_ptr_array_add(present, record);
		}
	}
	bool is_present = present->len > 0;
	g_ptr_array_unref(is_present ? all : present);
	return is_present ? present : all;
}

static const char *name_of_record(const Card *card)
{
	return ((const UsherDevice *) card->functions->pdata[0])->id;
}

static const char *name_of_seen(const Card *card)
{
	return ((const UsherDevice *) card->functions->pdata[0])->address;
}

static char *explain_records(const GPtrArray *candidates)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (unsigned i = 0; i < candidates->len; i++)
		g_ptr_array_add(names, (void *) (uintptr_t) name_of_record(candidates->pdata[i]));
	g_autofree char *text = usher_text_join_array(names, " or ");
	return g_strdup_printf("it may be %s: they match equally well", text);
}

static char *explain_rivals(const Card *record, const GPtrArray *rivals)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (unsigned i = 0; i < rivals->len; i++)
		g_ptr_array_add(names, (void *) (uintptr_t) name_of_seen(rivals->pdata[i]));
	g_autofree char *text = usher_text_join_array(names, " and ");
	return g_strdup_printf("%s match %s equally well", text, name_of_record(record));
}

/* Each card with its candidates, and each candidate with those who want it. */
static void decide(Card *seen, GPtrArray *candidates, GHashTable *wanted_by)
{
	Card *record = candidates->pdata[0];
	const GPtrArray *rivals = g_hash_table_lookup(wanted_by, record);
	if (candidates->len > 1) {
		seen->why = explain_records(candidates);
	} else if (rivals->len > 1) {
		seen->why = explain_rivals(record, rivals);
	} else {
		seen->match = record;
		record->match = seen;
		return;
	}
	g_ptr_array_extend(seen->candidates, candidates, NULL, NULL);
}

static void match_level(Matching *matching, Level level)
{
	g_autoptr(GHashTable) index = index_cards(matching, matching->records, level);
	g_autoptr(GHashTable) wanted_by = g_hash_table_new_full(NULL, NULL, NULL, free_cards);
	g_autoptr(GPtrArray) of_seen = g_ptr_array_new_with_free_func(free_cards);
	for (unsigned i = 0; i < matching->seen->len; i++) {
		Card *seen = matching->seen->pdata[i];
		GPtrArray *candidates = seen->match == NULL && seen->why == NULL
			? find_candidates(matching, seen, index, level)
			: g_ptr_array_new();
		g_ptr_array_add(of_seen, candidates);
		for (unsigned j = 0; j < candidates->len; j++) {
			GPtrArray *rivals = g_hash_table_lookup(wanted_by, candidates->pdata[j]);
			if (rivals == NULL) {
				rivals = g_ptr_array_new();
				g_hash_table_insert(wanted_by, candidates->pdata[j], rivals);
			}
			g_ptr_array_add(rivals, seen);
		}
	}
	for (unsigned i = 0; i < matching->seen->len; i++) {
		GPtrArray *candidates = of_seen->pdata[i];
		if (candidates->len > 0)
			decide(matching->seen->pdata[i], candidates, wanted_by);
	}
}

/* ---- answers ---- */

static void identity_free(void *data)
{
	UsherIdentity *identity = data;
	g_free(identity->why);
	g_ptr_array_unref(identity->candidates);
	g_free(identity);
}

static UsherIdentity *new_answer(const UsherDevice *device)
{
	UsherIdentity *identity = g_new0(UsherIdentity, 1);
	identity->seen = device;
	identity->candidates = g_ptr_array_new();
	return identity;
}

static UsherIdentity *answer_for_card(
	const Matching *matching, const Card *card, const UsherDevice *device)
{
	UsherIdentity *identity = new_answer(device);
	if (card->why != NULL) {
		identity->kind = USHER_IDENTITY_AMBIGUOUS;
		identity->why = g_strdup(card->why);
		for (unsigned i = 0; i < card->candidates->len; i++) {
			const UsherDevice *record =
				function_like(matching, card->candidates->pdata[i], device);
			if (record != NULL)
				g_ptr_array_add(identity->candidates, (void *) (uintptr_t) record);
		}
	} else if (card->match != NULL) {
		identity->record = function_like(matching, card->match, device);
		if (identity->record != NULL)
			identity->kind = USHER_IDENTITY_KNOWN;
	}
	return identity;
}

static int64_t index_of(const UsherDevice *device)
{
	return device->facts != NULL ? device->facts->vf_index : USHER_INT_NULL;
}

/* Its own address, when it does not tell its index. */
static bool is_function_of(
	const UsherDevice *record, const UsherDevice *physical, const UsherDevice *seen)
{
	if (!is_virtual(record) || record->id == NULL || !has_same_ids(record, seen) ||
		index_of(record) != index_of(seen))
		return false;
	if (record->facts != NULL && record->facts->physical_id != NULL)
		return strcmp(record->facts->physical_id, physical->id) == 0;
	return strcmp(record->physical_function, physical->address) == 0 &&
		(index_of(seen) != USHER_INT_NULL || strcmp(record->address, seen->address) == 0);
}

static UsherIdentity *answer_for_virtual(
	const GPtrArray *records, GHashTable *answers, const UsherDevice *device)
{
	UsherIdentity *identity = new_answer(device);
	const UsherIdentity *physical = g_hash_table_lookup(answers, device->physical_function);
	if (physical == NULL || physical->kind == USHER_IDENTITY_NEW)
		return identity;
	if (physical->kind == USHER_IDENTITY_AMBIGUOUS) {
		identity->kind = USHER_IDENTITY_AMBIGUOUS;
		identity->why = g_strdup_printf(
			"of its physical function %s: %s", physical->seen->address, physical->why);
		return identity;
	}
	for (unsigned i = 0; i < records->len; i++) {
		const UsherDevice *record = records->pdata[i];
		if (is_function_of(record, physical->record, device))
			identity->record = record;
	}
	if (identity->record != NULL)
		identity->kind = USHER_IDENTITY_KNOWN;
	return identity;
}

static GHashTable *answer_cards(const Matching *matching)
{
	GHashTable *answers = g_hash_table_new(g_str_hash, g_str_equal);
	for (unsigned i = 0; i < matching->seen->len; i++) {
		const Card *card = matching->seen->pdata[i];
		for (unsigned j = 0; j < card->functions->len; j++) {
			UsherDevice *device = card->functions->pdata[j];
			g_hash_table_insert(
				answers, device->address, answer_for_card(matching, card, device));
		}
	}
	return answers;
}

GPtrArray *usher_identity_match_all(const GPtrArray *records, const GPtrArray *seen)
{
	g_autoptr(GPtrArray) seen_cards = gather_cards(seen, /* are_records */ false);
	g_autoptr(GPtrArray) record_cards = gather_cards(records, /* are_records */ true);
	Matching matching = { .seen = seen_cards, .records = record_cards };
	for (Level level = 0; level < LEVEL_IDS; level++)
		find_shared(&matching, level);
	for (Level level = 0; level < N_LEVELS; level++)
		match_level(&matching, level);
	g_autoptr(GHashTable) answers = answer_cards(&matching);
	GPtrArray *identities = g_ptr_array_new_with_free_func(identity_free);
	for (unsigned i = 0; i < seen->len; i++) {
		const UsherDevice *device = seen->pdata[i];
		g_ptr_array_add(identities,
			is_virtual(device) ? answer_for_virtual(records, answers, device)
					   : g_hash_table_lookup(answers, device->address));
	}
	for (Level level = 0; level < LEVEL_IDS; level++)
		g_hash_table_unref(matching.shared[level]);
	return identities;
}

/* ---- what the next matching needs ---- */

static UsherDeviceFacts *facts_of(UsherDevice *device)
{
	if (device->facts == NULL)
		device->facts = usher_device_facts_new();
	return device->facts;
}

void usher_identity_remember(const GPtrArray *devices)
{
	g_autoptr(GHashTable) cards = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
	for (unsigned i = 0; i < devices->len; i++) {
		UsherDevice *device = devices->pdata[i];
		if (device->id == NULL)
			continue;
		g_hash_table_insert(ids, device->address, device->id);
		if (is_virtual(device) || device->kind != USHER_DEVICE_PCI)
			continue;
		g_autofree char *slot = g_strndup(device->address, strlen(device->address) - 1);
		const char *first = g_hash_table_lookup(cards, slot);
		UsherDeviceFacts *facts = facts_of(device);
		if (first == NULL) {
			first = facts->card != NULL ? facts->card : device->id;
			g_hash_table_insert(
				cards, g_steal_pointer(&slot), (void *) (uintptr_t) first);
		}
		if (facts->card != first) {
			g_free(facts->card);
			facts->card = g_strdup(first);
		}
	}
	for (unsigned i = 0; i < devices->len; i++) {
		UsherDevice *device = devices->pdata[i];
		if (!is_virtual(device))
			continue;
		UsherDeviceFacts *facts = facts_of(device);
		g_free(facts->physical_id);
		facts->physical_id = g_strdup(g_hash_table_lookup(ids, device->physical_function));
	}
}

static void keep(char **fact, const char *before)
{
	if (*fact == NULL)
		*fact = g_strdup(before);
}

void usher_identity_keep_facts(UsherDevice *device, const UsherDevice *record)
{
	if (record->facts == NULL)
		return;
	UsherDeviceFacts *facts = facts_of(device);
	keep(&facts->uuid, record->facts->uuid);
	keep(&facts->serial, record->facts->serial);
	keep(&facts->vpd_serial, record->facts->vpd_serial);
	keep(&facts->mac, record->facts->mac);
	keep(&facts->path, record->facts->path);
	keep(&facts->card, record->facts->card);
}
