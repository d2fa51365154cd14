/* SPDX-License-Identifier: Apache-2.0 */
/* PCI configuration space. */
#include "fuzz.h"

#include "host/pci-ids.h"

typedef struct Space {
	const uint8_t *data;
	size_t size;
	unsigned n_reads;
} Space;

static size_t read_space(void *data, unsigned offset, uint8_t *bytes, size_t size)
{
	Space *space = data;
	/* A list of capabilities may be a circle; 960 of them fill the space. */
	g_assert(++space->n_reads <= 960);
	if (offset >= space->size)
		return 0;
	size_t length = MIN(size, space->size - offset);
	memcpy(bytes, space->data + offset, length);
	return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	UsherPciIds ids;
	if (usher_pci_header_parse(data, size, &ids))
		g_assert(size >= USHER_PCI_HEADER_SIZE && ids.vendor != 0 && ids.vendor != 0xffff &&
			ids.class_code <= 0xffffff);
	Space space = { data, size, 0 };
	g_autofree char *serial = usher_pci_serial_find(read_space, &space);
	g_assert(serial == NULL || strlen(serial) == strlen("00-1b-21-ff-ff-aa-bb-cc"));
	return 0;
}
