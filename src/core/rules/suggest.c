/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/filter.h"

#include <string.h>

#include "core/rules/tree.h"

/* Sets of fields, the most stable first. Serial numbers belong to cards: where the functions of
 * one share it, the number of the function tells them apart. An address alone would take
 * whatever is there after the next renumbering: with the model it takes nothing instead. */
static const char *const choices[][4] = {
	{ "serial" },
	{ "serial", "function" },
	{ "vendor_device_hex" },
	{ "vendor_device_hex", "subsystem_hex" },
	{ "vendor_device_hex", "slot_label" },
	{ "vendor_device_hex", "slot_label", "function" },
	{ "vendor_device_hex", "address" },
	{ "address" },
};

/* "field eq value"; false when the device lacks it. */
static bool append_fact(const UsherDevice *device, const char *name, GString *text)
{
	const UsherRuleField *field = usher_rule_field_find(name);
	g_autoptr(GString) scratch = g_string_new(NULL);
	UsherRuleValue value = { 0 };
	field->get(device, scratch, &value);
	g_string_append_printf(text, "%s eq ", name);
	if (field->type == USHER_RULE_NUMBER) {
		g_string_append_printf(text, "%" G_GINT64_FORMAT, value.number);
		return value.has_number;
	}
	usher_rule_append_quoted(text, value.text);
	return value.text[0] != '\0';
}

/* The filter on all these facts of the device, NULL when it lacks one. */
static char *filter_on(const UsherDevice *device, const char *const *names)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(choices[0]) && names[i] != NULL; i++) {
		if (i > 0)
			g_string_append(text, " and ");
		if (!append_fact(device, names[i], text))
			return NULL;
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* What a device calls itself may be no text at all: such a filter does not parse and singles out
 * nothing. */
static bool singles_out(const char *text, const UsherDevice *device, const GPtrArray *all_devices)
{
	g_autoptr(UsherFilter) filter = usher_filter_parse(text, NULL);
	for (unsigned i = 0; filter != NULL && i < all_devices->len; i++) {
		const UsherDevice *other = all_devices->pdata[i];
		bool matches = false;
		if (g_strcmp0(other->node, device->node) != 0 ||
			g_strcmp0(other->address, device->address) == 0)
			continue;
		if (!usher_filter_match(filter, other, &matches, NULL) || matches)
			return false;
	}
	return filter != NULL;
}

char *usher_filter_of_device(const UsherDevice *device, const GPtrArray *all_devices)
{
	g_assert(device->address != NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(choices); i++) {
		g_autofree char *text = filter_on(device, choices[i]);
		if (text != NULL && singles_out(text, device, all_devices))
			return g_steal_pointer(&text);
	}
	/* Two devices of one node have no address in common. */
	g_assert_not_reached();
}

char *usher_filter_like_device(const UsherDevice *device)
{
	static const char *const model[G_N_ELEMENTS(choices[0])] = { "vendor_device_hex" };
	static const char *const place[G_N_ELEMENTS(choices[0])] = { "address" };
	char *text = filter_on(device, model);
	return text != NULL ? text : filter_on(device, place);
}
