/* SPDX-License-Identifier: Apache-2.0 */
/* What links and small files of sysfs say: paths, addresses, modaliases. */
#include "fuzz.h"

#include "core/pci-addr.h"
#include "host/pci-ids.h"
#include "host/pci-path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = fuzz_text(data, size);
	g_autofree char *last = usher_pci_path_last(text);
	g_autofree char *parent = usher_pci_path_parent(text);
	g_autofree char *shape = usher_pci_path_shape(text);
	g_assert((last == NULL) == (shape == NULL));
	g_assert(parent == NULL || last != NULL);
	UsherPciAddr addr;
	if (last != NULL)
		g_assert(usher_pci_addr_parse(last, &addr, NULL));
	if (usher_pci_addr_parse(text, &addr, NULL)) {
		char printed[USHER_PCI_ADDR_TEXT];
		UsherPciAddr again;
		g_assert(usher_pci_addr_parse(usher_pci_addr_print(addr, printed), &again, NULL));
		g_assert(usher_pci_addr_compare(addr, again) == 0);
	}
	UsherPciIds ids;
	if (usher_pci_modalias_parse(text, &ids))
		g_assert(ids.class_code <= 0xffffff);
	return 0;
}
