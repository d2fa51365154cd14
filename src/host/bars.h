/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The memory of a PCI function that others reach: its base address registers. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct UsherBar {
	unsigned index;
	uint64_t size;
	bool is_io, is_64_bit, is_prefetchable;
	bool is_unassigned; /* firmware and kernel found no room for it */
} UsherBar;

#define USHER_BARS     6  /* of the function itself */
#define USHER_BARS_ALL 13 /* with its ROM, and those of its virtual functions after it */
#define USHER_BAR_ROM  6

/* Those that it has among the first n, of the text of "resource"; lines that are none are left out. */
GArray *usher_bars_parse(const char *text, unsigned n);
