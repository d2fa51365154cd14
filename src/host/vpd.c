/* SPDX-License-Identifier: Apache-2.0 */
#include "host/vpd.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define TAG_LARGE     0x80 /* length in two bytes; else in the tag's low three bits */
#define TAG_READ_ONLY 0x90
#define TAG_END       0x78

/* Keyword of two letters, length, data. */
#define FIELD_HEAD 3

static char *print_text(const uint8_t *bytes, size_t length)
{
	g_autofree char *text = g_strndup((const char *) bytes, length);
	g_strstrip(text);
	for (const char *at = text; *at != '\0'; at++) {
		if (!g_ascii_isprint(*at))
			return NULL;
	}
	return text[0] != '\0' ? g_steal_pointer(&text) : NULL;
}

static char *find_serial(const uint8_t *fields, size_t length)
{
	for (size_t at = 0; length - at >= FIELD_HEAD;) {
		size_t size = fields[at + 2];
		if (size > length - at - FIELD_HEAD)
			return NULL;
		if (memcmp(fields + at, "SN", 2) == 0)
			return print_text(fields + at + FIELD_HEAD, size);
		at += FIELD_HEAD + size;
	}
	return NULL;
}

bool usher_vpd_is_asked(const UsherDevice *device)
{
	UsherDeviceType type = usher_device_type_of_class(usher_device_class(device));
	return device->kind == USHER_DEVICE_PCI && device->physical_function == NULL &&
		(type == USHER_TYPE_NETWORK || type == USHER_TYPE_STORAGE ||
			type == USHER_TYPE_DISPLAY || type == USHER_TYPE_ACCELERATOR);
}

char *usher_vpd_serial(const uint8_t *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		uint8_t tag = bytes[at];
		bool is_large = (tag & TAG_LARGE) != 0;
		size_t head = is_large ? 3 : 1;
		if (length - at < head || (tag & ~7U) == TAG_END)
			return NULL;
		size_t size = is_large ? (size_t) (bytes[at + 1] | bytes[at + 2] << 8) : tag & 7U;
		if (size > length - at - head)
			return NULL;
		if (tag == TAG_READ_ONLY)
			return find_serial(bytes + at + head, size);
		at += head + size;
	}
	return NULL;
}
