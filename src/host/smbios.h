/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The table in which firmware describes a machine (DSP0134). Pure. */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One structure: its fixed part, and the texts after it. */
typedef struct UsherSmbios {
	uint8_t type;
	const uint8_t *bytes;
	size_t length; /* of the fixed part */
	size_t size;   /* with the texts and what ends them */
} UsherSmbios;

/* What is at the beginning of bytes; false: nothing whole. */
bool usher_smbios_take(const uint8_t *bytes, size_t length, UsherSmbios *out_structure);
/* A slot for cards: what is printed beside it (given) and the function in it or the port that it
 * hangs on, "0000:01:00". False: it is none, or doesn't say. */
bool usher_smbios_slot(const UsherSmbios *structure, char **out_label, char **out_address);
/* All slots of the table, and nothing else of it: serial numbers are in there, too. */
GString *usher_smbios_slots_only(const uint8_t *bytes, size_t length);
