/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "core/pci-addr.h"
#include "host/pci-ids.h"

#define DRIVERS "sys/bus/pci/drivers/"

/* A name of a driver or a text of driver_override goes into a path or a kernel write as it is. */
static bool is_plain(const char *text, GError **error)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.";
	if (text[0] != '\0' && text[0] != '.' && text[0] != '-' &&
		strspn(text, letters) == strlen(text))
		return true;
	usher_error_set(error, USHER_ERROR_INVALID, "'%s' is no name of a driver", text);
	return false;
}

/* The folder of the device, after making sure that it is the one that was meant. */
static int open_device(
	const UsherTree *tree, const char *address, const char *identity, GError **error)
{
	UsherPciAddr addr;
	char text[USHER_PCI_ADDR_TEXT];
	if (!usher_pci_addr_parse(address, &addr, error))
		return -1;
	g_autofree char *path =
		g_strconcat("sys/bus/pci/devices/", usher_pci_addr_print(addr, text), NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (folder < 0) {
		usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no device at %s", text);
		return -1;
	}
	g_autofree char *found = usher_pci_identity_read(folder);
	if (g_strcmp0(found, identity) != 0) {
		usher_error_set(error, USHER_ERROR_CONFLICT, "at %s is %s now, not %s", text,
			found != NULL ? found : "something that does not answer", identity);
		return -1;
	}
	return usher_fd_steal(&folder);
}

/* What an errno of the kernel means to this write; ends with 0. */
typedef struct Meaning {
	int errnum;
	const char *text;
} Meaning;

static void refuse(GError **error, const Meaning *meanings, int errnum)
{
	const char *text = "the kernel refuses";
	const char *name = strerrorname_np(errnum);
	for (; meanings != NULL && meanings->errnum != 0; meanings++) {
		if (meanings->errnum == errnum)
			text = meanings->text;
	}
	UsherErrorCode code = errnum == EBUSY         ? USHER_ERROR_BUSY
		: errnum == EPERM || errnum == EACCES ? USHER_ERROR_DENIED
						      : USHER_ERROR_HOST;
	usher_error_set(
		error, code, "%s: %s (%s)", text, g_strerror(errnum), name != NULL ? name : "?");
}

/* One write to a kernel attribute. O_TRUNC as the shell's ">": nothing to the kernel, and right for
 * a plain file. */
static bool write_attribute(
	int folder, const char *name, const char *text, const Meaning *meanings, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_auto(UsherFd) fd = usher_fd_open(folder, name, O_WRONLY | O_TRUNC | O_NOFOLLOW, &problem);
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	if (fd >= 0 && usher_fd_write_once(fd, line, strlen(line), &problem))
		return true;
	if (usher_error_errnum(problem) != 0)
		refuse(error, meanings, usher_error_errnum(problem));
	else
		g_propagate_error(error, g_steal_pointer(&problem));
	return false;
}

static bool write_override(int folder, const char *text, GError **error)
{
	g_autofree char *before = usher_attr_read(folder, "driver_override");
	if (g_strcmp0(before, text) == 0)
		return true;
	if (!write_attribute(folder, "driver_override", text != NULL ? text : "", NULL, error))
		return false;
	g_autofree char *after = usher_attr_read(folder, "driver_override");
	if (g_strcmp0(after, text) == 0)
		return true;
	usher_error_set(error, USHER_ERROR_HOST, "the kernel took the write and says '%s'",
		after != NULL ? after : "");
	return false;
}

bool usher_device_override(const UsherTree *tree, int argc, char **argv, GError **error)
{
	g_assert(argc == 3);
	const char *text = strcmp(argv[2], "--none") == 0 ? NULL : argv[2];
	g_auto(UsherFd) folder = -1;
	if ((text == NULL || is_plain(text, error)) &&
		(folder = open_device(tree, argv[0], argv[1], error)) >= 0 &&
		write_override(folder, text, error))
		return true;
	if (text == NULL)
		g_prefix_error(error, "clear driver_override of %s: ", argv[0]);
	else
		g_prefix_error(error, "set driver_override of %s to %s: ", argv[0], text);
	return false;
}

static int open_driver(const UsherTree *tree, const char *driver, GError **error)
{
	g_autofree char *path = g_strconcat(DRIVERS, driver, NULL);
	int folder = usher_tree_open_folder(tree, path);
	if (folder < 0)
		usher_error_set(error, USHER_ERROR_HOST, "the driver %s is not loaded", driver);
	return folder;
}

static bool unbind(
	const UsherTree *tree, int folder, const char *address, const char *driver, GError **error)
{
	g_autofree char *before = usher_attr_link_name(folder, "driver");
	if (before == NULL)
		return true;
	if (strcmp(before, driver) != 0) {
		usher_error_set(error, USHER_ERROR_CONFLICT, "it has the driver %s", before);
		return false;
	}
	g_auto(UsherFd) bus = open_driver(tree, driver, error);
	if (bus < 0)
		return false;
	static const Meaning meanings[] = {
		{ ENODEV, "it has left the driver meanwhile" },
		{ 0 },
	};
	if (!write_attribute(bus, "unbind", address, meanings, error))
		return false;
	g_autofree char *after = usher_attr_link_name(folder, "driver");
	if (after == NULL)
		return true;
	usher_error_set(error, USHER_ERROR_HOST,
		"the kernel took the write and it still has the driver %s", after);
	return false;
}

bool usher_device_unbind(const UsherTree *tree, int argc, char **argv, GError **error)
{
	g_assert(argc == 3);
	g_auto(UsherFd) folder = -1;
	if (is_plain(argv[2], error) &&
		(folder = open_device(tree, argv[0], argv[1], error)) >= 0 &&
		unbind(tree, folder, argv[0], argv[2], error))
		return true;
	g_prefix_error(error, "unbind %s from %s: ", argv[0], argv[2]);
	return false;
}

/* The driver's own "bind" and not "drivers_probe", which answers EINVAL whatever it said. */
static bool bind_to(
	const UsherTree *tree, int folder, const char *address, const char *driver, GError **error)
{
	g_autofree char *before = usher_attr_link_name(folder, "driver");
	if (g_strcmp0(before, driver) == 0)
		return true;
	if (before != NULL) {
		usher_error_set(error, USHER_ERROR_BUSY, "it has the driver %s", before);
		return false;
	}
	g_auto(UsherFd) bus = open_driver(tree, driver, error);
	if (bus < 0)
		return false;
	static const Meaning of_vfio[] = {
		{ EBUSY, "it has active virtual functions, or something else has it" },
		{ EINVAL, "it is in no IOMMU group, or of a kind that vfio-pci does not take" },
		{ ENODEV, "vfio-pci does not match it without driver_override" },
		{ 0 },
	};
	static const Meaning of_others[] = {
		{ EBUSY, "a guest has its IOMMU group, or something else has it" },
		{ ENODEV, "the driver does not match it" },
		{ 0 },
	};
	if (!write_attribute(bus, "bind", address,
		    strcmp(driver, "vfio-pci") == 0 ? of_vfio : of_others, error))
		return false;
	g_autofree char *after = usher_attr_link_name(folder, "driver");
	if (g_strcmp0(after, driver) == 0)
		return true;
	usher_error_set(error, USHER_ERROR_HOST, "the kernel took the write and it has %s%s",
		after != NULL ? "the driver " : "no driver", after != NULL ? after : "");
	return false;
}

bool usher_device_bind(const UsherTree *tree, int argc, char **argv, GError **error)
{
	g_assert(argc == 3);
	g_auto(UsherFd) folder = -1;
	if (is_plain(argv[2], error) &&
		(folder = open_device(tree, argv[0], argv[1], error)) >= 0 &&
		bind_to(tree, folder, argv[0], argv[2], error))
		return true;
	g_prefix_error(error, "bind %s to %s: ", argv[0], argv[2]);
	return false;
}
