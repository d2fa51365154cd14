/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Inventories written as text, one thing a line:
 *
 *   dev 0000:04:00.0 010802 driver=nvme group=5 parent=0000:00:1c.0 pf=… id=d-… vendor=… boot
 *   dev 0000:04:00.0 010802 override=vfio-pci (or override-unknown) serial=… uuid=… vpd=… mac=…
 *     path=… label=… absent hub, in the same line
 *   block nvme0n1p2 259:2 parent=nvme0n1 pci=… on=sda1 on=sdb1 file=/x mapper=vg-root has=ext4
 *     claim=…, unprobed, in the same line
 *   mount 254:0 /dev/mapper/vg-root /           (devno "-": none)
 *   net bond0 virtual on=eth0 pci=… inner
 *   route br0 v6
 *   route eth0 use=NFS peer=10.0.0.5
 *   need 0000:00:1c.0 is the host's TPM
 *   iommu · console · no-blocks · no-claims · no-inputs · no-routes · no-boot-display
 *
 * Finished; what a test looks at next is what the host's scan would give.
 */
#include <glib.h>
#include <string.h>

#include "core/inventory.h"

/* The value of "key=value" among words, NULL: none. n: which one. */
static const char *text_option(char **words, const char *key, unsigned n)
{
	for (unsigned i = 1; words[i] != NULL; i++) {
		size_t length = strlen(key);
		if (strncmp(words[i], key, length) == 0 && words[i][length] == '=' && n-- == 0)
			return words[i] + length + 1;
	}
	return NULL;
}

static bool text_flag(char **words, const char *name)
{
	return g_strv_contains((const char *const *) words + 1, name);
}

static void text_list(char **words, const char *key, GPtrArray *list)
{
	const char *value;
	for (unsigned n = 0; (value = text_option(words, key, n)) != NULL; n++)
		g_ptr_array_add(list, g_strdup(value));
}

static void text_facts(UsherDevice *device, char **words)
{
	UsherDeviceFacts *facts = device->facts = usher_device_facts_new();
	facts->serial = g_strdup(text_option(words, "serial", 0));
	facts->uuid = g_strdup(text_option(words, "uuid", 0));
	facts->vpd_serial = g_strdup(text_option(words, "vpd", 0));
	facts->mac = g_strdup(text_option(words, "mac", 0));
	facts->path = g_strdup(text_option(words, "path", 0));
}

static void text_device(UsherInventory *inventory, char **words)
{
	UsherDevice *device = usher_device_new();
	device->address = g_strdup(words[1]);
	device->kind = g_str_has_prefix(words[1], "usb:") ? USHER_DEVICE_USB : USHER_DEVICE_PCI;
	device->class_code = strcmp(words[2], "-") == 0 ? NULL : g_strdup(words[2]);
	device->driver = g_strdup(text_option(words, "driver", 0));
	device->driver_override = g_strdup(text_option(words, "override", 0));
	device->driver_override_unknown = text_flag(words, "override-unknown");
	device->parent = g_strdup(text_option(words, "parent", 0));
	device->physical_function = g_strdup(text_option(words, "pf", 0));
	device->id = g_strdup(text_option(words, "id", 0));
	device->vendor_id = g_strdup(text_option(words, "vendor", 0));
	device->device_id = g_strdup(text_option(words, "device", 0));
	device->boot_display = text_flag(words, "boot");
	device->is_hub = text_flag(words, "hub");
	device->slot_label = g_strdup(text_option(words, "label", 0));
	if (text_flag(words, "absent"))
		device->state = USHER_DEVICE_ABSENT;
	text_facts(device, words);
	const char *group = text_option(words, "group", 0);
	if (group != NULL)
		device->iommu_group = g_ascii_strtoll(group, NULL, 10);
	text_list(words, "mdev", device->mdev_types);
	g_ptr_array_add(inventory->devices, device);
}

static void text_block(UsherInventory *inventory, char **words)
{
	UsherBlock *block = g_new0(UsherBlock, 1);
	block->name = g_strdup(words[1]);
	block->devno = g_strdup(words[2]);
	block->parent = g_strdup(text_option(words, "parent", 0));
	block->pci = g_strdup(text_option(words, "pci", 0));
	block->backing = g_strdup(text_option(words, "file", 0));
	block->mapper = g_strdup(text_option(words, "mapper", 0));
	block->signature = g_strdup(text_option(words, "has", 0));
	block->claim = g_strdup(text_option(words, "claim", 0));
	block->is_unprobed = text_flag(words, "unprobed");
	block->slaves = g_ptr_array_new_with_free_func(g_free);
	text_list(words, "on", block->slaves);
	g_ptr_array_add(inventory->blocks, block);
}

static void text_mount(UsherInventory *inventory, char **words)
{
	UsherMount *mount = g_new0(UsherMount, 1);
	mount->devno = strcmp(words[1], "-") == 0 ? NULL : g_strdup(words[1]);
	mount->source = g_strdup(words[2]);
	mount->target = g_strdup(words[3]);
	mount->type = g_strdup("ext4");
	g_ptr_array_add(inventory->mounts, mount);
}

static void text_net(UsherInventory *inventory, char **words)
{
	UsherNet *net = g_new0(UsherNet, 1);
	net->name = g_strdup(words[1]);
	net->pci = g_strdup(text_option(words, "pci", 0));
	net->is_virtual = text_flag(words, "virtual");
	net->is_inner = text_flag(words, "inner");
	net->lowers = g_ptr_array_new_with_free_func(g_free);
	text_list(words, "on", net->lowers);
	g_ptr_array_add(inventory->nets, net);
}

static void text_route(UsherInventory *inventory, char **words)
{
	UsherRoute *route = g_new0(UsherRoute, 1);
	route->interface = g_strdup(words[1]);
	route->is_v6 = text_flag(words, "v6");
	route->use = g_strdup(text_option(words, "use", 0));
	route->peer = g_strdup(text_option(words, "peer", 0));
	g_ptr_array_add(inventory->routes, route);
}

static void text_need(UsherInventory *inventory, char **words)
{
	UsherGuardReason *need = usher_guard_reason_new();
	need->device = g_strdup(words[1]);
	need->why = g_strjoinv(" ", words + 2);
	g_ptr_array_add(inventory->needs, need);
}

static void text_line(UsherInventory *inventory, const char *line)
{
	static const struct {
		const char *name;
		void (*read)(UsherInventory *inventory, char **words);
	} things[] = {
		{ "dev", text_device },
		{ "block", text_block },
		{ "mount", text_mount },
		{ "net", text_net },
		{ "route", text_route },
		{ "need", text_need },
	};
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	for (size_t i = 0; i < G_N_ELEMENTS(things); i++) {
		if (g_strcmp0(words[0], things[i].name) == 0) {
			things[i].read(inventory, words);
			return;
		}
	}
	bool *flag = strcmp(line, "iommu") == 0        ? &inventory->has_iommu
		: strcmp(line, "console") == 0         ? &inventory->other_console
		: strcmp(line, "no-blocks") == 0       ? &inventory->blocks_known
		: strcmp(line, "no-claims") == 0       ? &inventory->claims_known
		: strcmp(line, "no-inputs") == 0       ? &inventory->inputs_known
		: strcmp(line, "no-routes") == 0       ? &inventory->routes_known
		: strcmp(line, "no-boot-display") == 0 ? &inventory->boot_display_known
						       : NULL;
	g_assert_nonnull(flag);
	*flag = !g_str_has_prefix(line, "no-");
}

static UsherInventory *inventory_of_text(const char *text)
{
	UsherInventory *inventory = usher_inventory_new();
	inventory->blocks_known = inventory->routes_known = inventory->boot_display_known = true;
	inventory->claims_known = inventory->inputs_known = true;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		if (lines[i][0] != '\0')
			text_line(inventory, lines[i]);
	}
	usher_inventory_finish(inventory);
	return inventory;
}
