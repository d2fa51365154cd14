/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pci-ids.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "host/tree.h"

/* Extended capabilities (PCIe 6.0, 7.6): a list of dwords { id:16, version:4, next:12 }. */
#define EXTENDED_FIRST  0x100
#define EXTENDED_END    0x1000
#define EXTENDED_MAX    ((EXTENDED_END - EXTENDED_FIRST) / 8)
#define EXTENDED_SERIAL 0x0003

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t) (bytes[0] | bytes[1] << 8);
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return (uint32_t) get_u16(bytes) | (uint32_t) get_u16(bytes + 2) << 16;
}

/* Type 1 headers, of bridges, have the subsystem in a capability. */
static bool is_type_0(const uint8_t *header)
{
	return (header[14] & 0x7f) == 0;
}

bool usher_pci_header_parse(const uint8_t *header, size_t length, UsherPciIds *out_ids)
{
	if (length < USHER_PCI_HEADER_SIZE || get_u16(header) == 0xffff || get_u16(header) == 0)
		return false;
	*out_ids = (UsherPciIds){
		.vendor = get_u16(header),
		.device = get_u16(header + 2),
		.revision = header[8],
		.has_revision = true,
		.class_code = get_u32(header + 8) >> 8,
		.has_subsystem = is_type_0(header),
	};
	if (out_ids->has_subsystem) {
		out_ids->subsystem_vendor = get_u16(header + 0x2c);
		out_ids->subsystem_device = get_u16(header + 0x2e);
	}
	return true;
}

static bool read_attributes(int folder, UsherPciIds *ids)
{
	uint32_t vendor, device, class_code;
	if (!usher_attr_read_hex(folder, "vendor", 0xffff, &vendor) ||
		!usher_attr_read_hex(folder, "device", 0xffff, &device) ||
		!usher_attr_read_hex(folder, "class", 0xffffff, &class_code))
		return false;
	ids->vendor = (uint16_t) vendor;
	ids->device = (uint16_t) device;
	ids->class_code = class_code;
	return true;
}

static bool is_dummy(const uint8_t *serial)
{
	for (unsigned i = 1; i < 8; i++) {
		if (serial[i] != serial[0])
			return false;
	}
	return serial[0] == 0 || serial[0] == 0xff;
}

/* As lspci prints it: the upper dword first (PCIe 6.0, 7.9.3). */
static char *print_serial(const uint8_t *serial)
{
	return g_strdup_printf("%02x-%02x-%02x-%02x-%02x-%02x-%02x-%02x", serial[7], serial[6],
		serial[5], serial[4], serial[3], serial[2], serial[1], serial[0]);
}

char *usher_pci_serial_find(UsherPciRead fetch, void *data)
{
	unsigned offset = EXTENDED_FIRST;
	for (unsigned i = 0; i < EXTENDED_MAX && offset >= EXTENDED_FIRST; i++) {
		uint8_t bytes[12]; /* of a serial number: header and eight bytes */
		size_t length = fetch(data, offset, bytes, sizeof bytes);
		if (length < 4)
			return NULL;
		uint32_t head = get_u32(bytes);
		if (head == 0 || head == UINT32_MAX)
			return NULL;
		if ((head & 0xffff) == EXTENDED_SERIAL)
			return length == sizeof bytes && !is_dummy(bytes + 4)
				? print_serial(bytes + 4)
				: NULL;
		offset = head >> 20 & 0xffc;
	}
	return NULL;
}

static size_t read_config(void *data, unsigned offset, uint8_t *bytes, size_t size)
{
	const int *fd = data;
	size_t length;
	return usher_fd_read_at(*fd, bytes, size, (off_t) offset, &length, NULL) ? length : 0;
}

/* Digits of a number behind its name; false: they are not there. */
static bool take_hex(const char **text, const char *name, unsigned n_digits, uint32_t *out_value)
{
	size_t length = strlen(name);
	if (strncmp(*text, name, length) != 0)
		return false;
	const char *digits = *text + length;
	uint32_t value = 0;
	for (unsigned i = 0; i < n_digits; i++) {
		int digit = g_ascii_xdigit_value(digits[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (uint32_t) digit;
	}
	*text = digits + n_digits;
	*out_value = value;
	return true;
}

/* "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00" (drivers/pci/pci-sysfs.c, modalias_show) */
bool usher_pci_modalias_parse(const char *text, UsherPciIds *out_ids)
{
	static const struct {
		const char *name;
		unsigned n_digits;
		uint32_t max;
	} parts[] = { { "pci:v", 8, UINT16_MAX }, { "d", 8, UINT16_MAX }, { "sv", 8, UINT16_MAX },
		{ "sd", 8, UINT16_MAX }, { "bc", 2, UINT8_MAX }, { "sc", 2, UINT8_MAX },
		{ "i", 2, UINT8_MAX } };
	uint32_t values[G_N_ELEMENTS(parts)] = { 0 };
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		if (!take_hex(&text, parts[i].name, parts[i].n_digits, &values[i]) ||
			values[i] > parts[i].max)
			return false;
	}
	if (*text != '\0')
		return false;
	*out_ids = (UsherPciIds){
		.vendor = (uint16_t) values[0],
		.device = (uint16_t) values[1],
		.subsystem_vendor = (uint16_t) values[2],
		.subsystem_device = (uint16_t) values[3],
		.has_subsystem = true,
		.class_code = values[4] << 16 | values[5] << 8 | values[6],
	};
	return true;
}

static void read_subsystem(int folder, UsherPciIds *ids)
{
	uint32_t vendor, device;
	UsherPciIds named;
	g_autofree char *modalias = usher_attr_read(folder, "modalias");
	if (modalias != NULL && usher_pci_modalias_parse(modalias, &named)) {
		ids->subsystem_vendor = named.subsystem_vendor;
		ids->subsystem_device = named.subsystem_device;
		ids->has_subsystem = true;
		return;
	}
	if (!usher_attr_read_hex(folder, "subsystem_vendor", 0xffff, &vendor) ||
		!usher_attr_read_hex(folder, "subsystem_device", 0xffff, &device))
		return;
	ids->subsystem_vendor = (uint16_t) vendor;
	ids->subsystem_device = (uint16_t) device;
	ids->has_subsystem = true;
}

static void read_revision(int folder, UsherPciIds *ids)
{
	uint32_t revision;
	ids->has_revision = usher_attr_read_hex(folder, "revision", 0xff, &revision);
	if (ids->has_revision)
		ids->revision = (uint8_t) revision;
}

/* One file has nearly all. */
bool usher_pci_attributes_read(int folder, UsherPciIds *out_ids)
{
	UsherPciIds ids = { 0 };
	g_autofree char *modalias = usher_attr_read(folder, "modalias");
	if (modalias == NULL || !usher_pci_modalias_parse(modalias, &ids)) {
		if (!read_attributes(folder, &ids))
			return false;
		read_subsystem(folder, &ids);
	}
	read_revision(folder, &ids);
	*out_ids = ids;
	return true;
}

bool usher_pci_ids_read(int folder, UsherPciIds *out_ids, char **out_serial)
{
	UsherPciIds ids = { 0 };
	g_auto(UsherFd) fd =
		usher_fd_open(folder, "config", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, NULL);
	uint8_t header[USHER_PCI_HEADER_SIZE];
	size_t length = fd >= 0 ? read_config(&fd, 0, header, sizeof header) : 0;
	if (!usher_pci_header_parse(header, length, &ids))
		return usher_pci_attributes_read(folder, out_ids);
	if (!ids.has_subsystem)
		read_subsystem(folder, &ids);
	if (out_serial != NULL)
		*out_serial =
			length == sizeof header ? usher_pci_serial_find(read_config, &fd) : NULL;
	*out_ids = ids;
	return true;
}

char *usher_pci_identity_read(int folder)
{
	UsherPciIds ids;
	if (!usher_pci_ids_read(folder, &ids, NULL))
		return NULL;
	return g_strdup_printf("%04x:%04x:%06x", ids.vendor, ids.device, ids.class_code);
}
