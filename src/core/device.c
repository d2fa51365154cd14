/* SPDX-License-Identifier: Apache-2.0 */
#include "core/device.h"

#include <string.h>

#define CLASS_DIGITS 6

static const UsherField guard_reason_fields[] = {
	{ "device", USHER_FIELD_STRING, offsetof(UsherGuardReason, device), USHER_FIELD_REQUIRED },
	{ "why", USHER_FIELD_STRING, offsetof(UsherGuardReason, why), USHER_FIELD_REQUIRED },
	{ "proof", USHER_FIELD_STRINGS, offsetof(UsherGuardReason, proof) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherGuardReason, usher_guard_reason, "reason", guard_reason_fields)

static const char *const verdict_names[] = {
	[USHER_VERDICT_UNKNOWN] = "unknown",
	[USHER_VERDICT_FREE] = "free",
	[USHER_VERDICT_REFUSED] = "refused",
	NULL,
};

static const UsherField guard_fields[] = {
	{ "verdict", USHER_FIELD_ENUM, offsetof(UsherGuardResult, verdict), 0, verdict_names },
	{ "reasons", USHER_FIELD_RECORDS, offsetof(UsherGuardResult, reasons), 0, NULL,
		&usher_guard_reason_type },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherGuardResult, usher_guard_result, "guard", guard_fields)

#define FACT(json, member) \
	{ \
		json, USHER_FIELD_STRING, offsetof(UsherDeviceFacts, member), USHER_FIELD_OMIT \
	}
static const UsherField facts_fields[] = {
	{ "serial", USHER_FIELD_STRING, offsetof(UsherDeviceFacts, serial) },
	{ "path", USHER_FIELD_STRING, offsetof(UsherDeviceFacts, path) },
	FACT("uuid", uuid),
	FACT("vpd_serial", vpd_serial),
	FACT("mac", mac),
	FACT("card", card),
	FACT("physical_id", physical_id),
	{ "vf_index", USHER_FIELD_INT, offsetof(UsherDeviceFacts, vf_index),
		USHER_FIELD_NULLABLE | USHER_FIELD_OMIT },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherDeviceFacts, usher_device_facts, "facts", facts_fields)

static const UsherField foreign_fields[] = {
	{ "kind", USHER_FIELD_STRING, offsetof(UsherForeign, kind), USHER_FIELD_REQUIRED },
	{ "name", USHER_FIELD_STRING, offsetof(UsherForeign, name), USHER_FIELD_REQUIRED },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherForeign, usher_foreign, "foreign holder", foreign_fields)

static const UsherField passthrough_fields[] = {
	{ "whole", USHER_FIELD_STRING, offsetof(UsherPassthrough, whole) },
	{ "vgpu", USHER_FIELD_STRINGS, offsetof(UsherPassthrough, vgpu) },
	{ "because", USHER_FIELD_STRINGS, offsetof(UsherPassthrough, because) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherPassthrough, usher_passthrough, "passthrough", passthrough_fields)

static const UsherField usb_fields[] = {
	{ "bus", USHER_FIELD_INT, offsetof(UsherUsb, bus) },
	{ "port", USHER_FIELD_STRING, offsetof(UsherUsb, port) },
	{ "vendor_id", USHER_FIELD_STRING, offsetof(UsherUsb, vendor_id) },
	{ "model_id", USHER_FIELD_STRING, offsetof(UsherUsb, model_id) },
	{ "serial", USHER_FIELD_STRING, offsetof(UsherUsb, serial) },
	{ "speed_mbps", USHER_FIELD_INT, offsetof(UsherUsb, speed_mbps), USHER_FIELD_NULLABLE },
	{ "version", USHER_FIELD_STRING, offsetof(UsherUsb, version) },
	{ "interface_drivers", USHER_FIELD_STRINGS, offsetof(UsherUsb, interface_drivers) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherUsb, usher_usb, "usb", usb_fields)

static const UsherField mdev_fields[] = {
	{ "uuid", USHER_FIELD_STRING, offsetof(UsherMdev, uuid), USHER_FIELD_REQUIRED },
	{ "type", USHER_FIELD_STRING, offsetof(UsherMdev, type) },
	{ "iommu_group", USHER_FIELD_INT, offsetof(UsherMdev, iommu_group), USHER_FIELD_NULLABLE },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherMdev, usher_mdev, "mediated device", mdev_fields)

static const UsherField offer_fields[] = {
	{ "type", USHER_FIELD_STRING, offsetof(UsherMdevOffer, type), USHER_FIELD_REQUIRED },
	{ "name", USHER_FIELD_STRING, offsetof(UsherMdevOffer, name) },
	{ "api", USHER_FIELD_STRING, offsetof(UsherMdevOffer, api) },
	{ "available", USHER_FIELD_INT, offsetof(UsherMdevOffer, available), USHER_FIELD_NULLABLE },
	{ "description", USHER_FIELD_STRING, offsetof(UsherMdevOffer, description) },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherMdevOffer, usher_mdev_offer, "mediated type", offer_fields)

static const UsherField was_fields[] = {
	{ "address", USHER_FIELD_STRING, offsetof(UsherWas, address) },
	{ "driver", USHER_FIELD_STRING, offsetof(UsherWas, driver) },
	{ "driver_override", USHER_FIELD_STRING, offsetof(UsherWas, driver_override) },
	{ "identity", USHER_FIELD_STRING, offsetof(UsherWas, identity), USHER_FIELD_OMIT },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherWas, usher_was, "former driver", was_fields)

const char *const usher_device_type_names[] = {
	[USHER_TYPE_OTHER] = "other",
	[USHER_TYPE_STORAGE] = "storage",
	[USHER_TYPE_NETWORK] = "network",
	[USHER_TYPE_DISPLAY] = "display",
	[USHER_TYPE_MULTIMEDIA] = "multimedia",
	[USHER_TYPE_MEMORY] = "memory",
	[USHER_TYPE_BRIDGE] = "bridge",
	[USHER_TYPE_SERIAL] = "serial",
	[USHER_TYPE_USB] = "usb",
	[USHER_TYPE_CRYPTO] = "crypto",
	[USHER_TYPE_ACCELERATOR] = "accelerator",
	[USHER_N_TYPES] = NULL,
};

typedef struct UsherDeviceStateRow {
	const char *name;
	unsigned to;
} UsherDeviceStateRow;

#define TO(s) (1U << USHER_DEVICE_##s)
static const UsherDeviceStateRow rows[USHER_DEVICE_N_STATES] = {
	[USHER_DEVICE_UNTRACKED] = { "untracked", 0 },
	[USHER_DEVICE_HOST] = { "host", TO(PREPARING) | TO(ABSENT) },
	[USHER_DEVICE_HELD] = { "held", TO(PREPARING) | TO(RETURNING) | TO(ABSENT) },
	[USHER_DEVICE_PREPARING] = { "preparing",
		TO(LEASED) | TO(RETURNING) | TO(FENCED) | TO(QUARANTINED) },
	[USHER_DEVICE_LEASED] = { "leased",
		TO(RETURNING) | TO(FENCED) | TO(QUARANTINED) | TO(ABSENT) },
	[USHER_DEVICE_RETURNING] = { "returning",
		TO(HOST) | TO(HELD) | TO(FENCED) | TO(QUARANTINED) },
	[USHER_DEVICE_FENCED] = { "fenced", TO(RETURNING) | TO(QUARANTINED) | TO(ABSENT) },
	[USHER_DEVICE_QUARANTINED] = { "quarantined", TO(RETURNING) | TO(ABSENT) },
	[USHER_DEVICE_ABSENT] = { "absent", TO(HOST) | TO(HELD) },
};
#undef TO

/* The first stands for null. */
static const char *const state_names[] = {
	"untracked",
	"host",
	"held",
	"preparing",
	"leased",
	"returning",
	"fenced",
	"quarantined",
	"absent",
	NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == USHER_DEVICE_N_STATES + 1);

static const char *const kind_names[] = {
	[USHER_DEVICE_PCI] = "pci",
	[USHER_DEVICE_USB] = "usb",
	NULL,
};

#define STRING(json, member) \
	{ \
		json, USHER_FIELD_STRING, offsetof(UsherDevice, member) \
	}
#define STRINGS(json, member) \
	{ \
		json, USHER_FIELD_STRINGS, offsetof(UsherDevice, member) \
	}
#define INT(json, member, flags) \
	{ \
		json, USHER_FIELD_INT, offsetof(UsherDevice, member), flags \
	}
#define BOOL(json, member) \
	{ \
		json, USHER_FIELD_BOOL, offsetof(UsherDevice, member) \
	}
#define ENUM(json, member, flags, names) \
	{ \
		json, USHER_FIELD_ENUM, offsetof(UsherDevice, member), flags, names \
	}
#define RECORD(json, member, type) \
	{ \
		json, USHER_FIELD_RECORD, offsetof(UsherDevice, member), 0, NULL, &type \
	}

static const UsherField device_fields[] = {
	{ "address", USHER_FIELD_STRING, offsetof(UsherDevice, address), USHER_FIELD_REQUIRED },
	ENUM("kind", kind, 0, kind_names),
	STRING("id", id),
	BOOL("identity_partial", identity_partial),
	{ "identity_problem", USHER_FIELD_STRING, offsetof(UsherDevice, identity_problem),
		USHER_FIELD_OMIT },
	RECORD("facts", facts, usher_device_facts_type),
	STRING("class", class_code),
	STRING("class_name", class_name),
	ENUM("type", type, 0, usher_device_type_names),
	STRING("vendor_id", vendor_id),
	STRING("device_id", device_id),
	STRING("subsystem_vendor_id", subsystem_vendor_id),
	STRING("subsystem_device_id", subsystem_device_id),
	STRING("revision", revision),
	STRING("vendor", vendor),
	STRING("device", device),
	STRING("slot_label", slot_label),
	STRING("serial", serial),
	STRING("driver", driver),
	STRING("driver_override", driver_override),
	{ "driver_override_unknown", USHER_FIELD_BOOL,
		offsetof(UsherDevice, driver_override_unknown), USHER_FIELD_OMIT },
	INT("iommu_group", iommu_group, USHER_FIELD_NULLABLE),
	INT("numa_node", numa_node, USHER_FIELD_NULLABLE),
	STRING("parent", parent),
	STRINGS("companions", companions),
	STRING("physical_function", physical_function),
	STRINGS("virtual_functions", virtual_functions),
	INT("sriov_total", sriov_total, 0),
	INT("sriov_active", sriov_active, 0),
	STRINGS("mdev_types", mdev_types),
	{ "mdev_offers", USHER_FIELD_RECORDS, offsetof(UsherDevice, mdev_offers), USHER_FIELD_OMIT,
		NULL, &usher_mdev_offer_type },
	{ "mdevs", USHER_FIELD_RECORDS, offsetof(UsherDevice, mdevs), USHER_FIELD_OMIT, NULL,
		&usher_mdev_type },
	BOOL("boot_display", boot_display),
	{ "hub", USHER_FIELD_BOOL, offsetof(UsherDevice, is_hub), USHER_FIELD_OMIT },
	{ "iommu_unit", USHER_FIELD_STRING, offsetof(UsherDevice, iommu_unit), USHER_FIELD_OMIT },
	{ "drm", USHER_FIELD_STRINGS, offsetof(UsherDevice, drm), USHER_FIELD_OMIT },
	{ "nets", USHER_FIELD_STRINGS, offsetof(UsherDevice, nets), USHER_FIELD_OMIT },
	{ "blocks", USHER_FIELD_STRINGS, offsetof(UsherDevice, blocks), USHER_FIELD_OMIT },
	{ "usb", USHER_FIELD_RECORD, offsetof(UsherDevice, usb), USHER_FIELD_OMIT, NULL,
		&usher_usb_type },
	STRING("node", node),
	ENUM("state", state, USHER_FIELD_NULLABLE, state_names),
	STRING("lease", lease),
	STRINGS("groups", groups),
	{ "foreign", USHER_FIELD_RECORDS, offsetof(UsherDevice, foreign), 0, NULL,
		&usher_foreign_type },
	RECORD("guard", guard, usher_guard_result_type),
	RECORD("passthrough", passthrough, usher_passthrough_type),
	STRING("reset_methods", reset_methods),
	RECORD("was", was, usher_was_type),
	{ NULL },
};
USHER_RECORD_DEFINE(UsherDevice, usher_device, "device", device_fields)

UsherDevice *usher_device_share(UsherDevice *device)
{
	g_atomic_int_inc(&device->n_sharers);
	return device;
}

void usher_device_drop(UsherDevice *device)
{
	if (g_atomic_int_add(&device->n_sharers, -1) == 0)
		usher_device_free(device);
}

UsherDeviceType usher_device_type_of_class(uint32_t class_code)
{
	static const struct {
		unsigned base;
		UsherDeviceType type;
	} types[] = {
		{ 0x01, USHER_TYPE_STORAGE },
		{ 0x02, USHER_TYPE_NETWORK },
		{ 0x03, USHER_TYPE_DISPLAY },
		{ 0x04, USHER_TYPE_MULTIMEDIA },
		{ 0x05, USHER_TYPE_MEMORY },
		{ 0x06, USHER_TYPE_BRIDGE },
		{ 0x07, USHER_TYPE_SERIAL },
		{ 0x10, USHER_TYPE_CRYPTO },
		{ 0x12, USHER_TYPE_ACCELERATOR },
	};
	if (class_code >> 8 == 0x0c03)
		return USHER_TYPE_USB;
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		if (class_code >> 16 == types[i].base)
			return types[i].type;
	}
	return USHER_TYPE_OTHER;
}

const char *usher_device_state_name(UsherDeviceState state)
{
	g_assert(state < USHER_DEVICE_N_STATES);
	return rows[state].name;
}

bool usher_device_state_may_move(UsherDeviceState from, UsherDeviceState to)
{
	g_assert(from < USHER_DEVICE_N_STATES && to < USHER_DEVICE_N_STATES);
	return (rows[from].to & (1U << to)) != 0;
}

/* Asked of every pair of devices that may be tied: no call of a general parser. */
uint32_t usher_device_class(const UsherDevice *device)
{
	uint32_t class_code = 0;
	unsigned n = 0;
	if (device->kind != USHER_DEVICE_PCI) /* codes of other meanings */
		return 0;
	for (; device->class_code != NULL && device->class_code[n] != '\0'; n++) {
		int digit = g_ascii_xdigit_value(device->class_code[n]);
		if (digit < 0 || n == CLASS_DIGITS)
			return 0;
		class_code = class_code << 4 | (uint32_t) digit;
	}
	return class_code;
}

bool usher_device_is_bridge(const UsherDevice *device)
{
	return usher_device_class(device) >> 16 == 0x06; /* never of USB */
}

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

int usher_device_compare(const UsherDevice *one, const UsherDevice *other)
{
	UsherPciAddr a, b;
	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	/* Domains wider than four digits come last; those of one width are in the order of text. */
	if (strlen(one->address) != strlen(other->address) && one->kind == USHER_DEVICE_PCI &&
		usher_pci_addr_parse(one->address, &a, NULL) &&
		usher_pci_addr_parse(other->address, &b, NULL))
		return usher_pci_addr_compare(a, b);
	return sign(strcmp(one->address, other->address));
}

char *usher_device_identity(const UsherDevice *device)
{
	return g_strdup_printf(
		"%s:%s:%s", device->vendor_id, device->device_id, device->class_code);
}

bool usher_was_is_of(const UsherWas *was, const UsherDevice *device)
{
	g_autofree char *identity = usher_device_identity(device);
	return was->identity == NULL || strcmp(was->identity, identity) == 0;
}

bool usher_was_is_due(const UsherWas *was, const UsherDevice *device)
{
	bool is_home = was->driver == NULL &&
		g_strcmp0(was->driver_override, device->driver_override) == 0;
	bool is_stuck = device->driver == NULL && !is_home;
	return usher_was_is_of(was, device) &&
		(is_stuck || g_strcmp0(device->driver, "vfio-pci") == 0);
}
