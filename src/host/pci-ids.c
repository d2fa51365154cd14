/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pci-ids.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "host/tree.h"

#define HEADER_SIZE 64

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

/* A virtual function, and a device that has gone silent, answer ffff (PCIe 6.0, 9.3.4.1.1). */
static bool read_header(int folder, uint8_t *header)
{
	g_auto(UsherFd) fd =
		usher_fd_open(folder, "config", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, NULL);
	size_t length;
	return fd >= 0 && usher_fd_read(fd, header, HEADER_SIZE, &length, NULL) &&
		length == HEADER_SIZE && get_u16(header) != 0xffff && get_u16(header) != 0;
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
	uint32_t revision;
	ids->has_revision = usher_attr_read_hex(folder, "revision", 0xff, &revision);
	if (ids->has_revision)
		ids->revision = (uint8_t) revision;
	return true;
}

static void read_subsystem(int folder, UsherPciIds *ids)
{
	uint32_t vendor, device;
	if (!usher_attr_read_hex(folder, "subsystem_vendor", 0xffff, &vendor) ||
		!usher_attr_read_hex(folder, "subsystem_device", 0xffff, &device))
		return;
	ids->subsystem_vendor = (uint16_t) vendor;
	ids->subsystem_device = (uint16_t) device;
	ids->has_subsystem = true;
}

bool usher_pci_ids_read(int folder, UsherPciIds *out_ids)
{
	UsherPciIds ids = { 0 };
	uint8_t header[HEADER_SIZE];
	bool is_type_0 = false;
	if (read_header(folder, header)) {
		ids.vendor = get_u16(header);
		ids.device = get_u16(header + 2);
		ids.revision = header[8];
		ids.has_revision = true;
		ids.class_code = get_u32(header + 8) >> 8;
		is_type_0 = (header[14] & 0x7f) == 0;
	} else if (!read_attributes(folder, &ids)) {
		return false;
	}
	if (is_type_0) {
		ids.subsystem_vendor = get_u16(header + 0x2c);
		ids.subsystem_device = get_u16(header + 0x2e);
		ids.has_subsystem = true;
	} else {
		read_subsystem(folder, &ids);
	}
	*out_ids = ids;
	return true;
}

char *usher_pci_identity_read(int folder)
{
	UsherPciIds ids;
	if (!usher_pci_ids_read(folder, &ids))
		return NULL;
	return g_strdup_printf("%04x:%04x:%06x", ids.vendor, ids.device, ids.class_code);
}

static bool read_bytes(int fd, off_t offset, uint8_t *bytes, size_t size)
{
	size_t length;
	return usher_fd_read_at(fd, bytes, size, offset, &length, NULL) && length == size;
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

char *usher_pci_serial_read(int folder)
{
	g_auto(UsherFd) fd =
		usher_fd_open(folder, "config", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, NULL);
	if (fd < 0)
		return NULL;
	unsigned offset = EXTENDED_FIRST;
	for (unsigned i = 0; i < EXTENDED_MAX && offset >= EXTENDED_FIRST; i++) {
		uint8_t bytes[8];
		if (!read_bytes(fd, (off_t) offset, bytes, 4))
			return NULL;
		uint32_t head = get_u32(bytes);
		if (head == 0 || head == UINT32_MAX)
			return NULL;
		if ((head & 0xffff) == EXTENDED_SERIAL) {
			if (!read_bytes(fd, (off_t) offset + 4, bytes, 8) || is_dummy(bytes))
				return NULL;
			return print_serial(bytes);
		}
		offset = head >> 20 & 0xffc;
	}
	return NULL;
}
