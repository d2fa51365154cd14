/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/xml.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/guest-info.h"
#include "core/pci-addr.h"
#include "guests/libvirt/document.h"
#include "guests/libvirt/place.h"

#define ALIAS_PREFIX "ua-usher-"
#define LEASE_PREFIX "l-"
#define LEASE_LENGTH (strlen(LEASE_PREFIX) + 10)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherDomainDevice, usher_domain_device_free)

void usher_domain_device_free(UsherDomainDevice *device)
{
	if (device == NULL)
		return;
	g_free(device->address);
	g_free(device->alias);
	g_free(device->lease);
	g_free(device);
}

char *usher_domain_alias(const char *lease, unsigned index)
{
	return index == 0 ? g_strconcat(ALIAS_PREFIX, lease, NULL)
			  : g_strdup_printf(ALIAS_PREFIX "%s-%u", lease, index);
}

/* Whether text begins with a lease's id; only such ids can be told from their "-1" in an alias. */
static bool starts_with_lease(const char *text)
{
	if (!g_str_has_prefix(text, LEASE_PREFIX))
		return false;
	for (size_t i = strlen(LEASE_PREFIX); i < LEASE_LENGTH; i++) {
		if (!g_ascii_islower(text[i]) && !g_ascii_isdigit(text[i]))
			return false;
	}
	return true;
}

/* The lease of "ua-usher-LEASE" and "ua-usher-LEASE-1"; NULL: no alias of ours. */
static char *lease_of_alias(const char *alias)
{
	if (alias == NULL || !g_str_has_prefix(alias, ALIAS_PREFIX))
		return NULL;
	const char *rest = alias + strlen(ALIAS_PREFIX);
	if (!starts_with_lease(rest))
		return NULL;
	const char *index = rest + LEASE_LENGTH;
	uint32_t value;
	if (*index != '\0' && (*index != '-' || !usher_text_parse_u32(index + 1, 99, &value, NULL)))
		return NULL;
	return g_strndup(rest, LEASE_LENGTH);
}

/* As usher_xml_number, with 0 for an attribute that is not there. */
static bool read_number(const xmlNode *node, const char *name, uint32_t max, uint32_t *out_value)
{
	if (!usher_xml_has(node, name, NULL))
		return usher_xml_number(node, name, max, out_value);
	*out_value = 0;
	return true;
}

static bool read_address(const xmlNode *address, UsherPciAddr *out_addr)
{
	uint32_t domain, bus, slot, function;
	if (!read_number(address, "domain", UINT32_MAX, &domain) ||
		!usher_xml_number(address, "bus", 255, &bus) ||
		!usher_xml_number(address, "slot", 31, &slot) ||
		!read_number(address, "function", 7, &function))
		return false;
	*out_addr = (UsherPciAddr){ domain, (uint8_t) bus, (uint8_t) slot, (uint8_t) function };
	return true;
}

static void add_device(GPtrArray *devices, const xmlNode *device, const xmlNode *source)
{
	UsherPciAddr addr;
	if (!read_address(usher_xml_child(source, "address"), &addr))
		return;
	char text[USHER_PCI_ADDR_TEXT];
	UsherDomainDevice *found = g_new0(UsherDomainDevice, 1);
	found->address = g_strdup(usher_pci_addr_print(addr, text));
	found->alias = usher_xml_attribute(usher_xml_child(device, "alias"), "name");
	found->lease = lease_of_alias(found->alias);
	g_ptr_array_add(devices, found);
}

/* A disk can be an NVMe controller of the host, also below a <mirror> or a <backingStore>. */
static void add_nvme(GPtrArray *devices, const xmlNode *disk, const xmlNode *node)
{
	for (const xmlNode *child = node->children; child != NULL; child = child->next) {
		if (usher_xml_is(child, "source") && usher_xml_has(child, "type", "pci"))
			add_device(devices, disk, child);
		else if (child->type == XML_ELEMENT_NODE)
			add_nvme(devices, disk, child);
	}
}

/* All PCI functions of the host that the definition names, whatever it calls them. */
static GPtrArray *find_devices(const UsherDocument *definition)
{
	GPtrArray *devices =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_domain_device_free);
	const xmlNode *parent = definition->devices;
	for (const xmlNode *device = parent != NULL ? parent->children : NULL; device != NULL;
		device = device->next) {
		bool is_pci =
			usher_xml_is(device, "hostdev") && usher_xml_has(device, "type", "pci");
		bool is_net = usher_xml_is(device, "interface") &&
			usher_xml_has(device, "type", "hostdev");
		if (is_pci || is_net)
			add_device(devices, device, usher_xml_child(device, "source"));
		else if (usher_xml_is(device, "disk"))
			add_nvme(devices, device, device);
	}
	return devices;
}

static UsherDocument *read_definition(const char *name, const char *text, GError **error)
{
	g_autoptr(UsherDocument) definition =
		usher_document_read(name, "its definition", text, error);
	if (definition == NULL)
		return NULL;
	if (!usher_xml_is(definition->root, "domain")) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"domain %s: its definition is none of a domain", name);
		return NULL;
	}
	return g_steal_pointer(&definition);
}

GPtrArray *usher_domain_xml_devices(
	const char *name, const char *text, bool *out_running, GError **error)
{
	g_autoptr(UsherDocument) definition = read_definition(name, text, error);
	if (definition == NULL)
		return NULL;
	if (out_running != NULL) /* libvirt numbers the domains that run */
		*out_running = !usher_xml_has(definition->root, "id", NULL);
	return find_devices(definition);
}

/* An alias of ours in it is what is left of an earlier start, and libvirt takes each only once. */
static bool has_no_leftovers(const char *name, const UsherDocument *definition, GError **error)
{
	const xmlNode *parent = definition->devices;
	for (const xmlNode *device = parent != NULL ? parent->children : NULL; device != NULL;
		device = device->next) {
		g_autofree char *alias =
			usher_xml_attribute(usher_xml_child(device, "alias"), "name");
		g_autofree char *lease = lease_of_alias(alias);
		if (lease == NULL)
			continue;
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"domain %s: its own definition has a device %s, which is usher's to add: "
			"remove it with `virsh edit %s`",
			name, alias, name);
		return false;
	}
	return true;
}

/* A device that people wrote into it is theirs, and cannot come a second time. */
static bool is_absent(
	const char *name, const GPtrArray *present, const char *address, GError **error)
{
	for (unsigned i = 0; i < present->len; i++) {
		const UsherDomainDevice *device = present->pdata[i];
		if (strcmp(device->address, address) != 0)
			continue;
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"domain %s: its own definition has %s already", name, address);
		return false;
	}
	return true;
}

static bool has_room(
	const char *name, UsherMachine machine, unsigned n_free, unsigned n_wanted, GError **error)
{
	if (machine == USHER_MACHINE_UNKNOWN && n_wanted > 0) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"domain %s: its machine has no PCI bus that could take a device", name);
		return false;
	}
	if (n_free >= n_wanted)
		return true;
	bool is_pcie = machine == USHER_MACHINE_PCIE;
	usher_error_set(error, USHER_ERROR_INVALID,
		"domain %s needs %u free %s%s for its devices and has %u: %u missing", name,
		n_wanted, is_pcie ? "PCIe root port" : "PCI slot", n_wanted == 1 ? "" : "s", n_free,
		n_wanted - n_free);
	if (is_pcie && error != NULL) {
		g_autofree char *hint = g_strdup_printf("usher vm adopt %s --add-ports", name);
		usher_error_set_hint(*error, hint);
	}
	return false;
}

/* How many of the devices before this one are of the same lease. */
static unsigned index_in_lease(const GPtrArray *devices, unsigned at)
{
	unsigned index = 0;
	for (unsigned i = 0; i < at; i++) {
		const UsherGuestDevice *one = devices->pdata[i], *other = devices->pdata[at];
		if (strcmp(one->lease, other->lease) == 0)
			index++;
	}
	return index;
}

/* Devices are whole functions, each once, of leases whose ids can be read back from an alias. */
static bool may_give(const GPtrArray *devices, unsigned at, UsherPciAddr *out_host, GError **error)
{
	const UsherGuestDevice *device = devices->pdata[at];
	if (!starts_with_lease(device->lease) || strlen(device->lease) != LEASE_LENGTH) {
		usher_error_set(
			error, USHER_ERROR_INVALID, "'%s' is no id of a lease", device->lease);
		return false;
	}
	for (unsigned i = 0; i < at; i++) {
		const UsherGuestDevice *other = devices->pdata[i];
		if (strcmp(other->address, device->address) == 0) {
			usher_error_set(error, USHER_ERROR_INVALID, "%s is to be given twice",
				device->address);
			return false;
		}
	}
	return usher_pci_addr_parse(device->address, out_host, error);
}

static void print_device(GString *text, const char *alias, UsherPciAddr host, UsherPlace guest)
{
	g_string_append_printf(text,
		"    <hostdev mode='subsystem' type='pci' managed='no'>\n"
		"      <driver name='vfio'/>\n"
		"      <source>\n"
		"        <address domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>\n"
		"      </source>\n"
		"      <alias name='%s'/>\n"
		"      <address type='pci' domain='0x0000' bus='0x%02x' slot='0x%02x' "
		"function='0x0'/>\n"
		"    </hostdev>\n",
		host.domain, host.bus, host.slot, host.function, alias, guest.bus, guest.slot);
}

static char *print_devices(
	const char *name, const UsherDocument *definition, const GPtrArray *devices, GError **error)
{
	UsherMachine machine;
	g_autoptr(GPtrArray) present = find_devices(definition);
	g_autoptr(GArray) places = usher_place_find(definition, &machine);
	if (!has_no_leftovers(name, definition, error) ||
		!has_room(name, machine, places->len, devices->len, error))
		return NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherGuestDevice *device = devices->pdata[i];
		UsherPciAddr host;
		if (!may_give(devices, i, &host, error) ||
			!is_absent(name, present, device->address, error))
			return NULL;
		g_autofree char *alias =
			usher_domain_alias(device->lease, index_in_lease(devices, i));
		print_device(text, alias, host, g_array_index(places, UsherPlace, i));
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Puts lines before the end of <devices>, which is either "</devices>" or an empty "<devices/>". */
static char *insert(const char *text, const UsherDocument *definition, const char *lines)
{
	size_t behind = definition->devices_end;
	g_assert(behind >= 2 && behind <= strlen(text) && text[behind - 1] == '>');
	if (text[behind - 2] == '/')
		return g_strdup_printf(
			"%.*s>\n%s  </devices>%s", (int) behind - 2, text, lines, text + behind);
	size_t at = behind - 1;
	while (at > 0 && text[at] != '<')
		at--;
	g_assert(g_str_has_prefix(text + at, "</devices"));
	/* Before its indentation, where it stands on a line of its own. */
	while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t'))
		at--;
	return g_strdup_printf("%.*s%s%s", (int) at, text, lines, text + at);
}

char *usher_domain_xml_start(
	const char *name, const char *text, const GPtrArray *devices, GError **error)
{
	g_autoptr(UsherDocument) definition = read_definition(name, text, error);
	if (definition == NULL)
		return NULL;
	g_autofree char *lines = print_devices(name, definition, devices, error);
	if (lines == NULL)
		return NULL;
	return *lines != '\0' ? insert(text, definition, lines) : g_strdup(text);
}

char *usher_domain_mark_print(const char *vm, const char *uuid, int64_t revision)
{
	return g_markup_printf_escaped(
		"<vm id='%s' uuid='%s' revision='%" G_GINT64_FORMAT "'/>", vm, uuid, revision);
}

bool usher_domain_mark_parse(
	const char *text, char **out_vm, char **out_uuid, int64_t *out_revision)
{
	g_autoptr(UsherDocument) mark = usher_document_read("", "its mark", text, NULL);
	g_autofree char *vm = mark != NULL ? usher_xml_attribute(mark->root, "id") : NULL;
	g_autofree char *uuid = mark != NULL ? usher_xml_attribute(mark->root, "uuid") : NULL;
	g_autofree char *revision =
		mark != NULL ? usher_xml_attribute(mark->root, "revision") : NULL;
	uint64_t value;
	if (vm == NULL || uuid == NULL || revision == NULL ||
		!usher_text_parse_u64(revision, INT64_MAX, &value, NULL))
		return false;
	*out_vm = g_steal_pointer(&vm);
	*out_uuid = g_steal_pointer(&uuid);
	*out_revision = (int64_t) value;
	return true;
}
