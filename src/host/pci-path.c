/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pci-path.h"

#include <string.h>

#include "core/pci-addr.h"

#define DEPTH_MAX 32 /* of bridges above a function; deeper than any bus number allows is no path */

/* The functions in a path, from the root bus down. */
typedef struct Chain {
	UsherPciAddr addrs[DEPTH_MAX];
	unsigned length;
} Chain;

/* A name without a domain is somebody else's. */
static bool parse_part(const char *part, size_t length, UsherPciAddr *out_addr)
{
	char name[USHER_PCI_ADDR_TEXT];
	if (length >= sizeof name)
		return false;
	memcpy(name, part, length);
	name[length] = '\0';
	const char *colon = strchr(name, ':');
	return colon != NULL && strchr(colon + 1, ':') != NULL &&
		usher_pci_addr_parse(name, out_addr, NULL);
}

static void split_path(const char *path, Chain *chain)
{
	chain->length = 0;
	while (*path != '\0' && chain->length < DEPTH_MAX) {
		size_t length = strcspn(path, "/");
		if (parse_part(path, length, &chain->addrs[chain->length]))
			chain->length++;
		path += length + (path[length] == '/' ? 1 : 0);
	}
}

static char *print_from_end(const char *path, unsigned index)
{
	Chain chain;
	split_path(path, &chain);
	if (chain.length <= index)
		return NULL;
	char text[USHER_PCI_ADDR_TEXT];
	return g_strdup(usher_pci_addr_print(chain.addrs[chain.length - 1 - index], text));
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
	char shape[DEPTH_MAX * USHER_PCI_ADDR_TEXT];
	char *end = shape;
	Chain chain;
	split_path(path, &chain);
	for (unsigned i = 0; i < chain.length; i++) {
		char text[USHER_PCI_ADDR_TEXT];
		const char *part = usher_pci_addr_print(chain.addrs[i], text);
		if (i > 0)
			*end++ = '/';
		if (i > 0 || chain.addrs[i].domain == 0) /* "0000:02:00.0" without the domain */
			part = strchr(part, ':') + 1;
		if (i > 0) /* nor the bus, that firmware may number otherwise */
			part = strchr(part, ':') + 1;
		end = stpcpy(end, part);
	}
	return chain.length > 0 ? g_strdup(shape) : NULL;
}
