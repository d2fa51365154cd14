/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <fcntl.h>
#include <libudev.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/pci-path.h"
#include "host/usb-path.h"

#define DEVICES "sys/bus/usb/devices"

#define CLASS_PER_INTERFACE "00" /* USB 3.2, 9.6.1 */
#define CLASS_HUB           "09"

/* Of the device, or where it leaves that to its interfaces, of the first of them. */
static char *read_class(int folder, const char *prefix)
{
	static const char *const parts[] = { "Class", "SubClass", "Protocol" };
	g_autoptr(GString) text = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *name = g_strconcat(prefix, parts[i], NULL);
		uint32_t value;
		if (!usher_attr_read_hex(folder, name, 0xff, &value))
			return NULL;
		g_string_append_printf(text, "%02x", value);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void read_interface(int folder, const char *name, UsherDevice *device)
{
	g_auto(UsherFd) interface =
		usher_fd_open(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL);
	if (interface < 0)
		return;
	char *driver = usher_attr_link_name(interface, "driver");
	GPtrArray *drivers = device->usb->interface_drivers;
	if (driver != NULL && !g_ptr_array_find_with_equal_func(drivers, driver, g_str_equal, NULL))
		g_ptr_array_add(drivers, driver);
	else
		g_free(driver);
	if (device->class_code == NULL ||
		g_str_has_prefix(device->class_code, CLASS_PER_INTERFACE)) {
		char *class_code = read_class(interface, "bInterface");
		if (class_code == NULL)
			return;
		g_free(device->class_code);
		device->class_code = class_code;
	}
}

/* "1-4:1.0": configuration 1, interface 0 of 1-4. */
static void fill_interfaces(int folder, UsherDevice *device)
{
	g_autoptr(GPtrArray) names = usher_attr_list(folder, ".");
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		if (strchr(names->pdata[i], ':') != NULL)
			read_interface(folder, names->pdata[i], device);
	}
	device->is_hub =
		device->class_code != NULL && g_str_has_prefix(device->class_code, CLASS_HUB);
}

static char *read_id(int folder, const char *name)
{
	uint32_t value;
	return usher_attr_read_hex(folder, name, 0xffff, &value) ? g_strdup_printf("%04x", value)
								 : NULL;
}

/* Low speed is "1.5". */
static void fill_speed(int folder, UsherUsb *usb)
{
	g_autofree char *text = usher_attr_read(folder, "speed");
	uint32_t speed;
	if (text == NULL)
		return;
	char *dot = strchr(text, '.');
	if (dot != NULL)
		*dot = '\0';
	if (usher_text_parse_u32(text, INT32_MAX, &speed, NULL))
		usb->speed_mbps = speed;
}

static void fill_usb(int folder, const char *name, UsherDevice *device)
{
	UsherUsb *usb = device->usb = usher_usb_new();
	const char *dash = strchr(name, '-');
	g_autofree char *bus = dash != NULL ? g_strndup(name, (size_t) (dash - name))
					    : g_strdup(name + strlen("usb"));
	uint32_t number;
	if (usher_text_parse_u32(bus, UINT16_MAX, &number, NULL))
		usb->bus = number;
	usb->port = g_strdup(dash != NULL ? dash + 1 : "0");
	usb->vendor_id = read_id(folder, "idVendor");
	usb->model_id = read_id(folder, "idProduct");
	usb->version = usher_attr_read(folder, "version");
	fill_speed(folder, usb);
	if (dash != NULL) /* that of a root hub is its controller's address */
		usb->serial = usher_attr_read(folder, "serial");
	device->vendor_id = g_strdup(usb->vendor_id);
	device->device_id = g_strdup(usb->model_id);
	device->serial = g_strdup(usb->serial);
	device->facts->serial = g_strdup(usb->serial);
}

/* Controllers number their buses as they come; USB 2 and USB 3 have a root hub each, whose product
 * is the generation (drivers/usb/core/hcd.c, usb2_rh_dev_descriptor). */
static char *print_path(const UsherTree *tree, const char *target, const char *port)
{
	g_autofree char *shape = usher_pci_path_shape(target);
	const char *devices = strstr(target, "devices/");
	const char *root = strstr(target, "/usb");
	if (devices == NULL || root == NULL)
		return NULL;
	size_t length = (size_t) (root - devices) + 1 + strcspn(root + 1, "/");
	g_autofree char *inner = g_strndup(devices, length);
	g_autofree char *path = g_strconcat("sys/", inner, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	uint32_t generation = 0;
	if (folder >= 0)
		(void) usher_attr_read_hex(folder, "idProduct", UINT16_MAX, &generation);
	return g_strdup_printf("%s/usb%u/%s", shape != NULL ? shape : "platform", generation, port);
}

static char *print_parent(const char *target, const char *name)
{
	if (g_str_has_prefix(name, "usb"))
		return usher_pci_path_last(target);
	g_autofree char *above = g_path_get_dirname(target);
	return usher_usb_path_last(above);
}

/* The same words as lsusb: the database's, else what the device says of itself. */
static void fill_names(struct udev_hwdb *hwdb, int folder, UsherDevice *device)
{
	g_autofree char *vendor =
		device->vendor_id != NULL ? g_ascii_strup(device->vendor_id, -1) : NULL;
	g_autofree char *model =
		device->device_id != NULL ? g_ascii_strup(device->device_id, -1) : NULL;
	g_autofree char *alias = g_strdup_printf(
		"usb:v%sp%s", vendor != NULL ? vendor : "", model != NULL ? model : "");
	struct udev_list_entry *entry =
		hwdb != NULL ? udev_hwdb_get_properties_list_entry(hwdb, alias, 0) : NULL;
	for (; entry != NULL; entry = udev_list_entry_get_next(entry)) {
		const char *key = udev_list_entry_get_name(entry);
		if (strcmp(key, "ID_VENDOR_FROM_DATABASE") == 0)
			device->vendor = g_strdup(udev_list_entry_get_value(entry));
		else if (strcmp(key, "ID_MODEL_FROM_DATABASE") == 0)
			device->device = g_strdup(udev_list_entry_get_value(entry));
	}
	if (device->vendor == NULL)
		device->vendor = usher_attr_read(folder, "manufacturer");
	if (device->device == NULL)
		device->device = usher_attr_read(folder, "product");
	if (device->vendor == NULL && device->vendor_id != NULL)
		device->vendor = g_strdup_printf("Vendor %s", device->vendor_id);
	if (device->device == NULL && device->device_id != NULL)
		device->device = g_strdup_printf("Device %s", device->device_id);
}

/* USB class codes (usb.org, "Defined Class Codes"). */
static const char *name_of_class(const char *class_code)
{
	static const struct {
		const char *code, *name;
	} names[] = {
		{ "01", "Audio" },
		{ "02", "Communications" },
		{ "03", "Human interface device" },
		{ "05", "Physical" },
		{ "06", "Imaging" },
		{ "07", "Printer" },
		{ "08", "Mass storage" },
		{ "09", "Hub" },
		{ "0a", "CDC data" },
		{ "0b", "Smart card" },
		{ "0d", "Content security" },
		{ "0e", "Video" },
		{ "0f", "Personal healthcare" },
		{ "10", "Audio and video" },
		{ "11", "Billboard" },
		{ "dc", "Diagnostic" },
		{ "e0", "Wireless" },
		{ "ef", "Miscellaneous" },
		{ "fe", "Application specific" },
		{ "ff", "Vendor specific" },
	};
	for (size_t i = 0; class_code != NULL && i < G_N_ELEMENTS(names); i++) {
		if (g_str_has_prefix(class_code, names[i].code))
			return names[i].name;
	}
	return NULL;
}

/* A device that goes while it is read is left out. */
static UsherDevice *read_device(const UsherTree *tree, struct udev_hwdb *hwdb, const char *name)
{
	g_autofree char *path = g_strconcat(DEVICES "/", name, NULL);
	g_autofree char *target = usher_tree_link(tree, path);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (target == NULL || folder < 0)
		return NULL;
	UsherDevice *device = usher_device_new();
	device->kind = USHER_DEVICE_USB;
	device->address = usher_usb_path_address(name);
	device->facts = usher_device_facts_new();
	fill_usb(folder, name, device);
	device->class_code = read_class(folder, "bDevice");
	fill_interfaces(folder, device);
	device->class_name = g_strdup(name_of_class(device->class_code));
	device->driver = usher_attr_link_name(folder, "driver");
	device->facts->path = print_path(tree, target, device->usb->port);
	device->parent = print_parent(target, name);
	fill_names(hwdb, folder, device);
	return device;
}

void usher_scan_usb(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, DEVICES);
	if (names == NULL || names->len == 0) /* a kernel without USB */
		return;
	struct udev *udev = udev_new();
	struct udev_hwdb *hwdb = udev != NULL ? udev_hwdb_new(udev) : NULL;
	for (unsigned i = 0; i < names->len; i++) {
		g_autofree char *address = usher_usb_path_address(names->pdata[i]);
		UsherDevice *device =
			address != NULL ? read_device(tree, hwdb, names->pdata[i]) : NULL;
		if (device != NULL)
			g_ptr_array_add(inventory->devices, device);
	}
	if (hwdb != NULL)
		(void) udev_hwdb_unref(hwdb);
	if (udev != NULL)
		(void) udev_unref(udev);
}
