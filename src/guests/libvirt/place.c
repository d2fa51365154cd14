/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/place.h"

#include <string.h>

#define N_BUSES 256
#define N_SLOTS 32
/* Of an i440fx machine: host bridge, PIIX3, and the primary display that libvirt puts there. */
#define FIRST_SLOT 3

#define QEMU_URI "http://libvirt.org/schemas/domain/qemu/1.0"

typedef struct Machine {
	UsherMachine kind;
	bool has_port[N_BUSES]; /* the bus below a root port */
	bool bus_used[N_BUSES];
	bool slot_used[N_SLOTS]; /* of bus 0 */
} Machine;

static void note_controller(Machine *machine, const xmlNode *controller)
{
	uint32_t index;
	g_autofree char *model = usher_xml_attribute(controller, "model");
	if (model == NULL || !usher_xml_has(controller, "type", "pci") ||
		!usher_xml_number(controller, "index", N_BUSES - 1, &index))
		return;
	if (strcmp(model, "pcie-root") == 0)
		machine->kind = USHER_MACHINE_PCIE;
	else if (strcmp(model, "pci-root") == 0 && index == 0)
		machine->kind = USHER_MACHINE_PCI;
	else if (strcmp(model, "pcie-root-port") == 0 ||
		strcmp(model, "pcie-switch-downstream-port") == 0)
		machine->has_port[index] = true;
}

/* Only a device's own <address> is one of the guest: below <source> are the host's. */
static void note_address(Machine *machine, const xmlNode *device)
{
	const xmlNode *address = usher_xml_child(device, "address");
	uint32_t bus, slot;
	if (!usher_xml_has(address, "type", "pci") ||
		!usher_xml_number(address, "bus", N_BUSES - 1, &bus))
		return;
	machine->bus_used[bus] = true;
	if (bus == 0 && usher_xml_number(address, "slot", N_SLOTS - 1, &slot))
		machine->slot_used[slot] = true;
}

/* What people hand to QEMU themselves is not in <devices>: "…,bus=pci.5,addr=0x0" takes a place
 * too. Read generously, a place too many counts as used. */
static void note_argument(Machine *machine, const char *argument)
{
	for (const char *at = strstr(argument, "pci."); at != NULL; at = strstr(at + 1, "pci.")) {
		char *end;
		guint64 bus = g_ascii_strtoull(at + strlen("pci."), &end, 10);
		if (end != at + strlen("pci.") && bus < N_BUSES)
			machine->bus_used[bus] = true;
	}
	const char *at = strstr(argument, "addr=");
	guint64 slot = at != NULL ? g_ascii_strtoull(at + strlen("addr="), NULL, 16) : N_SLOTS;
	if (slot < N_SLOTS)
		machine->slot_used[slot] = true;
}

static void note_command_line(Machine *machine, const xmlNode *root)
{
	for (const xmlNode *line = root->children; line != NULL; line = line->next) {
		if (line->type != XML_ELEMENT_NODE || line->ns == NULL ||
			strcmp((const char *) line->ns->href, QEMU_URI) != 0)
			continue;
		for (const xmlNode *arg = line->children; arg != NULL; arg = arg->next) {
			g_autofree char *value = arg->type == XML_ELEMENT_NODE
				? usher_xml_attribute(arg, "value")
				: NULL;
			if (value != NULL)
				note_argument(machine, value);
		}
	}
}

static void list_free(const Machine *machine, GArray *places)
{
	if (machine->kind == USHER_MACHINE_PCIE) {
		for (unsigned bus = 1; bus < N_BUSES; bus++) {
			UsherPlace place = { .bus = (uint8_t) bus, .slot = 0 };
			if (machine->has_port[bus] && !machine->bus_used[bus])
				g_array_append_val(places, place);
		}
	} else if (machine->kind == USHER_MACHINE_PCI) {
		for (unsigned slot = FIRST_SLOT; slot < N_SLOTS; slot++) {
			UsherPlace place = { .bus = 0, .slot = (uint8_t) slot };
			if (!machine->slot_used[slot])
				g_array_append_val(places, place);
		}
	}
}

GArray *usher_place_find(const UsherDocument *definition, UsherMachine *out_machine)
{
	Machine machine = { 0 };
	const xmlNode *devices = definition->devices;
	for (const xmlNode *device = devices != NULL ? devices->children : NULL; device != NULL;
		device = device->next) {
		if (usher_xml_is(device, "controller"))
			note_controller(&machine, device);
		if (device->type == XML_ELEMENT_NODE)
			note_address(&machine, device);
	}
	note_command_line(&machine, definition->root);
	GArray *places = g_array_new(FALSE, FALSE, sizeof(UsherPlace));
	list_free(&machine, places);
	*out_machine = machine.kind;
	return places;
}
