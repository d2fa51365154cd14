/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/fields.h"

#include <string.h>

#include "base/text.h"

const char *const usher_rule_operator_names[] = {
	[USHER_RULE_EQ] = "eq",
	[USHER_RULE_NE] = "ne",
	[USHER_RULE_LT] = "lt",
	[USHER_RULE_LE] = "le",
	[USHER_RULE_GT] = "gt",
	[USHER_RULE_GE] = "ge",
	[USHER_RULE_BW] = "bw",
	[USHER_RULE_EW] = "ew",
	[USHER_RULE_CS] = "cs",
	[USHER_RULE_CT] = "ct",
	[USHER_RULE_RX] = "rx",
	[USHER_RULE_N_OPERATORS] = NULL,
};

static void put_text(UsherRuleValue *value, const char *text)
{
	value->text = text != NULL ? text : "";
}

static void put_number(UsherRuleValue *value, int64_t number)
{
	value->has_number = number != USHER_INT_NULL;
	value->number = number;
}

/* "8086:10d3"; empty unless both are known. */
static void put_pair(UsherRuleValue *value, GString *scratch, const char *one, const char *other)
{
	g_string_truncate(scratch, 0);
	if (one != NULL && other != NULL)
		g_string_append_printf(scratch, "%s:%s", one, other);
	put_text(value, scratch->str);
}

#define TEXT_GETTER(name, member) \
	static void get_##name(const UsherDevice *device, GString *scratch, UsherRuleValue *value) \
	{ \
		(void) scratch; \
		put_text(value, device->member); \
	}
#define NUMBER_GETTER(name, member) \
	static void get_##name(const UsherDevice *device, GString *scratch, UsherRuleValue *value) \
	{ \
		(void) scratch; \
		put_number(value, device->member); \
	}
#define FLAG_GETTER(name, expression) \
	static void get_##name(const UsherDevice *device, GString *scratch, UsherRuleValue *value) \
	{ \
		(void) scratch; \
		value->flag = expression; \
	}

TEXT_GETTER(address, address)
TEXT_GETTER(class, class_name)
TEXT_GETTER(class_hex, class_code)
TEXT_GETTER(vendor, vendor)
TEXT_GETTER(device, device)
TEXT_GETTER(vendor_id, vendor_id)
TEXT_GETTER(device_id, device_id)
TEXT_GETTER(revision, revision)
TEXT_GETTER(driver, driver)
TEXT_GETTER(serial, serial)
TEXT_GETTER(slot_label, slot_label)
TEXT_GETTER(physical_function, physical_function)
TEXT_GETTER(id, id)
TEXT_GETTER(node, node)
NUMBER_GETTER(iommu_group, iommu_group)
NUMBER_GETTER(numa, numa_node)
NUMBER_GETTER(sriov_total, sriov_total)
FLAG_GETTER(boot_display, device->boot_display)
FLAG_GETTER(virtual_function, device->physical_function != NULL)

/* Both names, as people read them. */
static void get_name(const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	bool has_both = device->vendor != NULL && device->device != NULL;
	g_string_truncate(scratch, 0);
	g_string_append_printf(scratch, "%s%s%s", device->vendor != NULL ? device->vendor : "",
		has_both ? " " : "", device->device != NULL ? device->device : "");
	put_text(value, scratch->str);
}

static void get_slot(const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	(void) scratch;
	const char *address = device->address != NULL ? device->address : "";
	put_text(value, g_str_has_prefix(address, "0000:") ? address + strlen("0000:") : address);
}

static void get_type(const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	(void) scratch;
	put_text(value, usher_device_type_names[device->type]);
}

static void get_vendor_device_hex(
	const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	put_pair(value, scratch, device->vendor_id, device->device_id);
}

static void get_subsystem_hex(const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	put_pair(value, scratch, device->subsystem_vendor_id, device->subsystem_device_id);
}

static void get_path(const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	(void) scratch;
	put_text(value, device->facts != NULL ? device->facts->path : NULL);
}

static void get_function(const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	(void) scratch;
	UsherPciAddr addr;
	bool is_pci = device->kind == USHER_DEVICE_PCI && device->address != NULL &&
		usher_pci_addr_parse(device->address, &addr, NULL);
	put_number(value, is_pci ? addr.function : USHER_INT_NULL);
}

static void get_state(const UsherDevice *device, GString *scratch, UsherRuleValue *value)
{
	(void) scratch;
	bool is_tracked = device->state != USHER_DEVICE_UNTRACKED;
	put_text(value, is_tracked ? usher_device_state_name(device->state) : NULL);
}

#define TEXT   USHER_RULE_TEXT
#define HEX    USHER_RULE_HEX
#define NUMBER USHER_RULE_NUMBER
#define FLAG   USHER_RULE_FLAG
static const UsherRuleField fields[] = {
	{ "vendor_device_hex", HEX, true, get_vendor_device_hex,
		"vendor and device id, '8086:10d3'" },
	{ "subsystem_hex", HEX, true, get_subsystem_hex, "the same of the board, '1028:0a5d'" },
	{ "vendor_id", HEX, true, get_vendor_id, "'8086'" },
	{ "device_id", HEX, true, get_device_id, "'10d3'" },
	{ "revision", HEX, true, get_revision, "of the device, '03'" },
	{ "vendor", TEXT, true, get_vendor, "the maker's name" },
	{ "device", TEXT, true, get_device, "the model's name" },
	{ "name", TEXT, true, get_name, "the maker's and the model's name" },
	{ "class", TEXT, true, get_class, "the class's name, 'VGA compatible controller'" },
	{ "class_hex", HEX, true, get_class_hex, "its six digits, '030000'" },
	{ "device_type", TEXT, true, get_type, "'display', 'network', 'storage', …" },
	{ "type", TEXT, true, get_type, "short for device_type" },
	{ "serial", TEXT, true, get_serial, "serial number of the card" },
	{ "function", NUMBER, true, get_function, "number of the function within its slot" },
	{ "slot_label", TEXT, true, get_slot_label, "what the board calls the slot" },
	{ "physical_slot", TEXT, true, get_slot_label, "the same" },
	{ "path", TEXT, true, get_path, "the chain of bridges above the device" },
	{ "numa", NUMBER, true, get_numa, "its NUMA node" },
	{ "sriov_total", NUMBER, true, get_sriov_total, "how many virtual functions it can have" },
	{ "virtual_function", FLAG, true, get_virtual_function, "true of a virtual function" },
	{ "boot_display", FLAG, true, get_boot_display,
		"true of the display the machine boots on" },
	{ "id", TEXT, true, get_id, "usher's own id of the device" },
	{ "node", TEXT, true, get_node, "the node it is in" },
	{ "address", HEX, false, get_address, "PCI address, '0000:01:00.0'" },
	{ "slot", HEX, false, get_slot, "the address without '0000:'" },
	{ "physical_function", HEX, false, get_physical_function,
		"address of a virtual function's physical one" },
	{ "iommu_group", NUMBER, false, get_iommu_group, "number of the IOMMU group" },
	{ "driver", TEXT, false, get_driver, "the driver it is bound to now" },
	{ "state", TEXT, false, get_state, "'host', 'held', 'leased', …" },
};

const UsherRuleField *usher_rule_fields(size_t *out_n)
{
	*out_n = G_N_ELEMENTS(fields);
	return fields;
}

const UsherRuleField *usher_rule_field_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

const char *usher_rule_field_nearest(const char *name)
{
	const char *names[G_N_ELEMENTS(fields) + 1] = { NULL };
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		names[i] = fields[i].name;
	g_autofree char *lower = g_ascii_strdown(name, -1);
	return usher_text_nearest(lower, names);
}

unsigned usher_rule_type_operators(UsherRuleType type)
{
	static const unsigned order = 1U << USHER_RULE_LT | 1U << USHER_RULE_LE |
		1U << USHER_RULE_GT | 1U << USHER_RULE_GE;
	static const unsigned same = 1U << USHER_RULE_EQ | 1U << USHER_RULE_NE;
	static const unsigned parts = 1U << USHER_RULE_BW | 1U << USHER_RULE_EW |
		1U << USHER_RULE_CS | 1U << USHER_RULE_CT | 1U << USHER_RULE_RX;
	static const unsigned of_type[USHER_RULE_N_TYPES] = {
		[USHER_RULE_TEXT] = same | order | parts,
		[USHER_RULE_HEX] = same | order | parts,
		[USHER_RULE_NUMBER] = same | order,
		[USHER_RULE_FLAG] = same,
	};
	g_assert(type < USHER_RULE_N_TYPES);
	return of_type[type];
}
