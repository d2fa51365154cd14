/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pci-path.h"

#include <string.h>

#include "core/pci-addr.h"

/* Of UsherPciAddr, from the root bus down. */
static GArray *split_path(const char *path)
{
	GArray *addrs = g_array_new(FALSE, FALSE, sizeof(UsherPciAddr));
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	for (unsigned i = 0; parts[i] != NULL; i++) {
		UsherPciAddr addr;
		/* A name without a domain is somebody else's. */
		const char *colon = strchr(parts[i], ':');
		if (colon != NULL && strchr(colon + 1, ':') != NULL &&
			usher_pci_addr_parse(parts[i], &addr, NULL))
			g_array_append_val(addrs, addr);
	}
	return addrs;
}

static char *print_from_end(const char *path, unsigned index)
{
	g_autoptr(GArray) addrs = split_path(path);
	if (addrs->len <= index)
		return NULL;
	char text[USHER_PCI_ADDR_TEXT];
	return g_strdup(usher_pci_addr_print(
		g_array_index(addrs, UsherPciAddr, addrs->len - 1 - index), text));
}

char *usher_pci_path_last(const char *path)
{
	return print_from_end(path, 0);
}

char *usher_pci_path_parent(const char *path)
{
	return print_from_end(path, 1);
}

char *usher_pci_path_shape(const char *path)
{
	g_autoptr(GArray) addrs = split_path(path);
	GString *shape = g_string_new(NULL);
	for (unsigned i = 0; i < addrs->len; i++) {
		UsherPciAddr addr = g_array_index(addrs, UsherPciAddr, i);
		if (i == 0 && addr.domain != 0)
			g_string_append_printf(shape, "%04x:", addr.domain);
		if (i == 0)
			g_string_append_printf(
				shape, "%02x:%02x.%x", addr.bus, addr.slot, addr.function);
		else
			g_string_append_printf(shape, "/%02x.%x", addr.slot, addr.function);
	}
	return g_string_free(shape, addrs->len == 0);
}
