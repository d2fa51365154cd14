/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware's table. */
#include "fuzz.h"

#include "host/smbios.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	UsherSmbios structure;
	for (size_t at = 0; usher_smbios_take(data + at, size - at, &structure);
		at += structure.size) {
		g_assert(structure.size > structure.length && structure.size <= size - at);
		g_autofree char *label = NULL, *address = NULL;
		if (usher_smbios_slot(&structure, &label, &address))
			g_assert(label[0] != '\0' && g_utf8_validate(label, -1, NULL));
	}
	g_string_free(usher_smbios_slots_only(data, size), TRUE);
	return 0;
}
