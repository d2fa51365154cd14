/* SPDX-License-Identifier: Apache-2.0 */
#include "host/smbios.h"

#include <string.h>

#define HEAD_SIZE 4

/* DSP0134 3.6, 7.10: system slots */
#define TYPE_SLOT        9
#define SLOT_DESIGNATION 0x04
#define SLOT_SEGMENT     0x0d
#define SLOT_BUS         0x0f
#define SLOT_DEVICE      0x10
#define SLOT_SIZE        0x11
#define SLOT_NO_BUS      0xff

bool usher_smbios_take(const uint8_t *bytes, size_t length, UsherSmbios *out_structure)
{
	if (length < HEAD_SIZE || bytes[1] < HEAD_SIZE || bytes[1] > length)
		return false;
	for (size_t end = bytes[1]; end + 2 <= length; end++) {
		if (bytes[end] != 0 || bytes[end + 1] != 0)
			continue;
		*out_structure = (UsherSmbios){
			.type = bytes[0], .bytes = bytes, .length = bytes[1], .size = end + 2
		};
		return true;
	}
	return false;
}

/* The texts are counted from 1; NULL: there is none of that number. */
static const char *find_text(const UsherSmbios *structure, unsigned number)
{
	const char *text = (const char *) structure->bytes + structure->length;
	const char *end = (const char *) structure->bytes + structure->size - 1;
	while (number > 1 && text < end && text[0] != '\0') {
		text += strlen(text) + 1;
		number--;
	}
	return number == 1 && text < end && text[0] != '\0' ? text : NULL;
}

bool usher_smbios_slot(const UsherSmbios *structure, char **out_label, char **out_address)
{
	const uint8_t *bytes = structure->bytes;
	if (structure->type != TYPE_SLOT || structure->length < SLOT_SIZE ||
		bytes[SLOT_BUS] == SLOT_NO_BUS)
		return false;
	const char *text = find_text(structure, bytes[SLOT_DESIGNATION]);
	g_autofree char *label = text != NULL ? g_utf8_make_valid(text, -1) : NULL;
	if (label == NULL || g_strstrip(label)[0] == '\0')
		return false;
	unsigned segment = (unsigned) bytes[SLOT_SEGMENT] | (unsigned) bytes[SLOT_SEGMENT + 1] << 8;
	*out_address = g_strdup_printf(
		"%04x:%02x:%02x", segment, bytes[SLOT_BUS], bytes[SLOT_DEVICE] >> 3);
	*out_label = g_steal_pointer(&label);
	return true;
}

GString *usher_smbios_slots_only(const uint8_t *bytes, size_t length)
{
	GString *slots = g_string_new(NULL);
	UsherSmbios structure;
	for (size_t at = 0; usher_smbios_take(bytes + at, length - at, &structure);
		at += structure.size) {
		if (structure.type == TYPE_SLOT)
			g_string_append_len(
				slots, (const char *) structure.bytes, (gssize) structure.size);
	}
	return slots;
}
