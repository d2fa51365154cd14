/* SPDX-License-Identifier: Apache-2.0 */
#include "host/names.h"

#include <libudev.h>
#include <string.h>

/* What the database says; NULL: nothing. */
typedef struct Answer {
	char *vendor, *device, *class_name;
} Answer;

struct UsherNames {
	struct udev *udev;
	struct udev_hwdb *hwdb; /* NULL: there is none */
	GHashTable *answers;    /* ids → Answer: devices come in numbers, a search takes time */
};

static void free_answer(void *data)
{
	Answer *answer = data;
	g_free(answer->vendor);
	g_free(answer->device);
	g_free(answer->class_name);
	g_free(answer);
}

UsherNames *usher_names_open(void)
{
	UsherNames *names = g_new0(UsherNames, 1);
	names->udev = udev_new();
	if (names->udev != NULL)
		names->hwdb = udev_hwdb_new(names->udev);
	names->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_answer);
	return names;
}

void usher_names_free(UsherNames *names)
{
	if (names == NULL)
		return;
	if (names->hwdb != NULL)
		(void) udev_hwdb_unref(names->hwdb);
	if (names->udev != NULL)
		(void) udev_unref(names->udev);
	g_hash_table_unref(names->answers);
	g_free(names);
}

/* What it is asked by: ids and class, "-" where one is missing. */
static char *print_key(const UsherDevice *device)
{
	const char *ids[] = { device->vendor_id, device->device_id, device->subsystem_vendor_id,
		device->subsystem_device_id, device->class_code };
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		ids[i] = ids[i] != NULL ? ids[i] : "-";
	return g_strconcat(ids[0], ":", ids[1], ":", ids[2], ":", ids[3], ":", ids[4], NULL);
}

static uint32_t parse_hex(const char *text)
{
	guint64 value = 0;
	if (text == NULL || !g_ascii_string_to_unsigned(text, 16, 0, UINT32_MAX, &value, NULL))
		return 0;
	return (uint32_t) value;
}

/* As the kernel's modalias, by which the database is keyed. */
static char *print_modalias(const UsherDevice *device)
{
	uint32_t class_code = usher_device_class(device);
	return g_strdup_printf("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X",
		parse_hex(device->vendor_id), parse_hex(device->device_id),
		parse_hex(device->subsystem_vendor_id), parse_hex(device->subsystem_device_id),
		class_code >> 16, class_code >> 8 & 0xff, class_code & 0xff);
}

static Answer *search(UsherNames *names, const UsherDevice *device)
{
	g_autofree char *modalias = print_modalias(device);
	Answer *answer = g_new0(Answer, 1);
	const char *base_class = NULL;
	struct udev_list_entry *entry = names->hwdb != NULL
		? udev_hwdb_get_properties_list_entry(names->hwdb, modalias, 0)
		: NULL;
	for (; entry != NULL; entry = udev_list_entry_get_next(entry)) {
		const char *key = udev_list_entry_get_name(entry);
		const char *value = udev_list_entry_get_value(entry);
		if (strcmp(key, "ID_VENDOR_FROM_DATABASE") == 0)
			answer->vendor = g_strdup(value);
		else if (strcmp(key, "ID_MODEL_FROM_DATABASE") == 0)
			answer->device = g_strdup(value);
		else if (strcmp(key, "ID_PCI_SUBCLASS_FROM_DATABASE") == 0)
			answer->class_name = g_strdup(value);
		else if (strcmp(key, "ID_PCI_CLASS_FROM_DATABASE") == 0)
			base_class = value;
	}
	if (answer->class_name == NULL)
		answer->class_name = g_strdup(base_class);
	return answer;
}

static const Answer *ask(UsherNames *names, const UsherDevice *device)
{
	g_autofree char *key = print_key(device);
	Answer *answer = g_hash_table_lookup(names->answers, key);
	if (answer == NULL) {
		answer = search(names, device);
		g_hash_table_insert(names->answers, g_steal_pointer(&key), answer);
	}
	return answer;
}

void usher_names_fill(UsherNames *names, UsherDevice *device)
{
	const Answer *answer = ask(names, device);
	device->vendor = g_strdup(answer->vendor);
	device->device = g_strdup(answer->device);
	device->class_name = g_strdup(answer->class_name);
	if (device->vendor == NULL && device->vendor_id != NULL)
		device->vendor = g_strdup_printf("Vendor %s", device->vendor_id);
	if (device->device == NULL && device->device_id != NULL)
		device->device = g_strdup_printf("Device %s", device->device_id);
	if (device->class_name == NULL && device->class_code != NULL)
		device->class_name = g_strdup_printf("Class %.4s", device->class_code);
}
