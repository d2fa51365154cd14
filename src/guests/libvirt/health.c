/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/health.h"

#include <string.h>

#include "base/error.h"
#include "guests/libvirt/document.h"
#include "guests/libvirt/domain.h"
#include "guests/libvirt/problem.h"
#include "guests/libvirt/xml.h"

#define MAX_BUS 255U

/* Buses that a device's guest address names: the root port that has that index is taken. */
static void note_taken(const xmlNode *device, bool *taken)
{
	const xmlNode *address = usher_xml_child(device, "address");
	uint32_t bus;
	if (usher_xml_has(address, "type", "pci") &&
		usher_xml_number(address, "bus", MAX_BUS, &bus))
		taken[bus] = true;
}

static void read_ports(const xmlNode *devices, UsherGuestHealth *health)
{
	bool taken[MAX_BUS + 1] = { false };
	const xmlNode *first = devices != NULL ? devices->children : NULL;
	for (const xmlNode *device = first; device != NULL; device = device->next)
		note_taken(device, taken);
	for (const xmlNode *device = first; device != NULL; device = device->next) {
		uint32_t index;
		if (!usher_xml_is(device, "controller") ||
			!usher_xml_has(device, "model", "pcie-root-port") ||
			!usher_xml_number(device, "index", MAX_BUS, &index))
			continue;
		health->ports++;
		health->free_ports += taken[index] ? 0 : 1;
	}
}

static void read_devices(const xmlNode *devices, UsherGuestHealth *health)
{
	const xmlNode *first = devices != NULL ? devices->children : NULL;
	for (const xmlNode *device = first; device != NULL; device = device->next) {
		bool is_channel = usher_xml_is(device, "channel");
		const xmlNode *target = is_channel ? usher_xml_child(device, "target") : NULL;
		health->has_display |= usher_xml_is(device, "graphics");
		health->has_serial |= usher_xml_is(device, "serial");
		health->has_network |= usher_xml_is(device, "interface");
		health->has_agent |= usher_xml_has(target, "name", "org.qemu.guest_agent.0");
		health->hostdevs += usher_xml_is(device, "hostdev") ||
			(usher_xml_is(device, "interface") &&
				usher_xml_has(device, "type", "hostdev"));
	}
}

static void read_firmware(const xmlNode *os, UsherGuestHealth *health)
{
	const xmlNode *loader = usher_xml_child(os, "loader");
	const xmlNode *firmware = usher_xml_child(os, "firmware");
	health->machine = usher_xml_attribute(usher_xml_child(os, "type"), "machine");
	health->has_efi =
		usher_xml_has(os, "firmware", "efi") || usher_xml_has(loader, "type", "pflash");
	health->secure_boot = usher_xml_has(loader, "secure", "yes");
	const xmlNode *first = firmware != NULL ? firmware->children : NULL;
	for (const xmlNode *feature = first; feature != NULL; feature = feature->next) {
		if (usher_xml_is(feature, "feature") &&
			usher_xml_has(feature, "name", "secure-boot"))
			health->secure_boot = usher_xml_has(feature, "enabled", "yes");
	}
}

/* The inactive definition has it in KiB always. */
static int64_t read_memory(const xmlNode *domain)
{
	const xmlNode *memory = usher_xml_child(domain, "memory");
	const xmlNode *text = memory != NULL ? memory->children : NULL;
	return text != NULL && text->content != NULL
		? (int64_t) g_ascii_strtoull((const char *) text->content, NULL, 10)
		: 0;
}

UsherGuestHealth *usher_domain_xml_health(const char *name, const char *text, GError **error)
{
	g_autoptr(UsherDocument) definition =
		usher_document_read(name, "its definition", text, error);
	if (definition == NULL)
		return NULL;
	UsherGuestHealth *health = usher_guest_health_new();
	health->name = g_strdup(name);
	health->host_memory_kb = USHER_INT_NULL;
	health->memory_kb = read_memory(definition->root);
	health->cpu_mode = usher_xml_attribute(usher_xml_child(definition->root, "cpu"), "mode");
	read_firmware(usher_xml_child(definition->root, "os"), health);
	read_ports(definition->devices, health);
	read_devices(definition->devices, health);
	return health;
}

UsherGuestHealth *usher_domain_health(virDomainPtr domain, GError **error)
{
	virConnectPtr libvirt = virDomainGetConnect(domain);
	const char *name = virDomainGetName(domain);
	g_autofree char *text = usher_domain_read(domain, VIR_DOMAIN_XML_INACTIVE, error);
	g_autoptr(UsherGuestHealth) health =
		text != NULL ? usher_domain_xml_health(name, text, error) : NULL;
	int autostart = 0;
	virNodeInfo node;
	if (health == NULL)
		return NULL;
	if (virDomainGetAutostart(domain, &autostart) < 0) {
		usher_libvirt_problem(error, libvirt, "ask whether domain %s starts at boot", name);
		return NULL;
	}
	health->autostart = autostart == 1;
	if (virNodeGetInfo(libvirt, &node) == 0)
		health->host_memory_kb = (int64_t) node.memory;
	return g_steal_pointer(&health);
}
