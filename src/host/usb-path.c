/* SPDX-License-Identifier: Apache-2.0 */
#include "host/usb-path.h"

#include <string.h>

char *usher_usb_path_address(const char *name)
{
	static const char digits[] = "0123456789";
	if (g_str_has_prefix(name, "usb")) {
		const char *bus = name + strlen("usb");
		return bus[0] != '\0' && strspn(bus, digits) == strlen(bus)
			? g_strdup_printf("usb:%s-0", bus)
			: NULL;
	}
	size_t bus = strspn(name, digits);
	const char *port = name + bus + 1;
	if (bus == 0 || name[bus] != '-' || port[0] == '\0' ||
		strspn(port, "0123456789.") != strlen(port))
		return NULL;
	return g_strconcat("usb:", name, NULL);
}

char *usher_usb_path_last(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	for (unsigned i = g_strv_length(parts); i-- > 0;) {
		char *address = usher_usb_path_address(parts[i]);
		if (address != NULL)
			return address;
	}
	return NULL;
}
