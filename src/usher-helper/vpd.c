/* SPDX-License-Identifier: Apache-2.0 */
#include "vpd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "core/pci-addr.h"
#include "host/vpd.h"

bool usher_vpd_read(const UsherTree *tree, int argc, char **argv, GError **error)
{
	g_assert(argc == 1);
	UsherPciAddr addr;
	char text[USHER_PCI_ADDR_TEXT];
	if (!usher_pci_addr_parse(argv[0], &addr, error))
		return false;
	g_autofree char *path =
		g_strconcat("sys/bus/pci/devices/", usher_pci_addr_print(addr, text), NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	g_auto(UsherFd) fd = folder >= 0
		? usher_fd_open(folder, "vpd", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, error)
		: -1;
	if (folder < 0)
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no device at %s", text);
	uint8_t bytes[USHER_VPD_MAX];
	size_t length;
	if (fd < 0 || !usher_fd_read(fd, bytes, sizeof bytes, &length, error))
		return false;
	g_autofree char *serial = usher_vpd_serial(bytes, length);
	g_autofree char *line = g_strconcat(serial != NULL ? serial : "", "\n", NULL);
	return usher_fd_write(STDOUT_FILENO, line, strlen(line), error);
}
