/* SPDX-License-Identifier: Apache-2.0 */
#include "overrides.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "core/pci-addr.h"

static bool is_among(const char *address, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], address) == 0)
			return true;
	}
	return false;
}

static bool say(const char *text, GError **error)
{
	return usher_fd_write(STDOUT_FILENO, text, strlen(text), error);
}

/* The address is out before the reading begins: if it never ends, it is known whose it was. */
static bool read_one(const UsherTree *tree, const char *address, GError **error)
{
	g_autofree char *path = g_strconcat("sys/bus/pci/devices/", address, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (folder < 0)
		return true;
	g_autofree char *begin = g_strconcat(address, "\t", NULL);
	if (!say(begin, error))
		return false;
	g_autofree char *text = usher_attr_read(folder, "driver_override");
	g_autofree char *end = g_strconcat(text != NULL ? text : "", "\n", NULL);
	return say(end, error);
}

bool usher_overrides_read_of(const UsherTree *tree, int argc, char **argv, GError **error)
{
	for (int i = 0; i < argc; i++) {
		UsherPciAddr addr;
		if (!usher_pci_addr_parse(argv[i], &addr, error) || !read_one(tree, argv[i], error))
			return false;
	}
	return true;
}

bool usher_overrides_read(const UsherTree *tree, int argc, char **argv, GError **error)
{
	g_autoptr(GPtrArray) addresses = usher_tree_list(tree, "sys/bus/pci/devices");
	for (unsigned i = 0; addresses != NULL && i < addresses->len; i++) {
		if (!is_among(addresses->pdata[i], argc, argv) &&
			!read_one(tree, addresses->pdata[i], error))
			return false;
	}
	return true;
}
