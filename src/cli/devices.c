/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/devices.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "core/pci-addr.h"
#include "host/scan.h"

/* A list of this host's devices does not wait for a usherd that is slow or away. */
#define ENRICH_MS 200

static UsherJson *fetch(UsherClient *client, const char *path, int64_t until)
{
	int64_t left_ms = (until - g_get_monotonic_time()) / 1000;
	if (left_ms <= 0)
		return NULL;
	UsherClientRequest request = {
		.method = "GET", .path = path, .timeout_ms = (unsigned) left_ms
	};
	g_autoptr(UsherAnswer) answer = usher_client_send(client, &request, NULL);
	return answer != NULL ? usher_json_parse(answer->body, strlen(answer->body), NULL) : NULL;
}

const char *usher_cli_own_node(const UsherJson *nodes)
{
	const UsherJson *items = usher_json_get(nodes, "items");
	if (usher_json_length(items) == 1)
		return usher_json_get_string(usher_json_at(items, 0), "name");
	g_autofree char *host = g_ascii_strdown(g_get_host_name(), -1);
	host[strcspn(host, ".")] = '\0';
	for (size_t i = 0; i < usher_json_length(items); i++) {
		const char *name = usher_json_get_string(usher_json_at(items, i), "name");
		if (g_strcmp0(name, host) == 0)
			return name;
	}
	return NULL;
}

/* address → the device as usherd knows it; NULL: it does not say. */
static GHashTable *known_devices(UsherCli *cli)
{
	int64_t until = g_get_monotonic_time() + ENRICH_MS * 1000;
	UsherClient *client = usher_cli_client(cli, NULL);
	g_autoptr(UsherJson) nodes = client != NULL ? fetch(client, "/v1/nodes", until) : NULL;
	const char *node = nodes != NULL ? usher_cli_own_node(nodes) : NULL;
	if (node == NULL)
		return NULL;
	g_autofree char *escaped = usher_client_escape(node);
	g_autofree char *path = g_strdup_printf("/v1/devices?limit=5000&node=%s", escaped);
	g_autoptr(UsherJson) page = fetch(client, path, until);
	if (page == NULL)
		return NULL;
	GHashTable *known = g_hash_table_new_full(
		g_str_hash, g_str_equal, g_free, (GDestroyNotify) usher_json_unref);
	const UsherJson *items = usher_json_get(page, "items");
	for (size_t i = 0; i < usher_json_length(items); i++) {
		const UsherJson *item = usher_json_at(items, i);
		const char *address = usher_json_get_string(item, "address");
		/* A device that is gone may have had the address of one that is there. */
		if (address != NULL &&
			g_strcmp0(usher_json_get_string(item, "state"), "absent") != 0)
			g_hash_table_insert(known, g_strdup(address), usher_json_ref(item));
	}
	return known;
}

static void enrich(UsherDevice *device, const UsherJson *known)
{
	static const char *const members[] = { "id", "node", "lease" };
	char **fields[] = { &device->id, &device->node, &device->lease };
	for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
		g_free(*fields[i]);
		*fields[i] = g_strdup(usher_json_get_string(known, members[i]));
	}
	const char *state = usher_json_get_string(known, "state");
	for (unsigned i = USHER_DEVICE_HOST; state != NULL && i < USHER_DEVICE_N_STATES; i++) {
		if (strcmp(usher_device_state_name(i), state) == 0)
			device->state = i;
	}
	const UsherJson *groups = usher_json_get(known, "groups");
	for (size_t i = 0; i < usher_json_length(groups); i++)
		g_ptr_array_add(
			device->groups, g_strdup(usher_json_string(usher_json_at(groups, i))));
}

static UsherJson *json_of(const UsherDevice *device, GHashTable *known, GError **error)
{
	g_autoptr(UsherDevice) shown = usher_device_dup(device);
	const UsherJson *more = known != NULL ? g_hash_table_lookup(known, device->address) : NULL;
	if (more != NULL)
		enrich(shown, more);
	g_autofree char *text = usher_record_print(&usher_device_type, shown);
	return usher_json_parse(text, strlen(text), error);
}

static void print_notes(const UsherInventory *inventory)
{
	for (unsigned i = 0; i < inventory->notes->len; i++)
		fprintf(stderr, "note: %s\n", (const char *) inventory->notes->pdata[i]);
}

UsherJson *usher_cli_peek(UsherCli *cli, const char *path)
{
	UsherClient *client = usher_cli_client(cli, NULL);
	int64_t until = g_get_monotonic_time() + ENRICH_MS * 1000;
	return client != NULL ? fetch(client, path, until) : NULL;
}

UsherInventory *usher_cli_scan(UsherCli *cli, GError **error)
{
	/* Without the program what a device's driver_override is stays unknown. */
	g_autofree char *program = cli->root == NULL ? usher_helper_find() : NULL;
	g_autoptr(UsherHelper) helper = program != NULL ? usher_helper_new(program) : NULL;
	UsherInventory *inventory = usher_scan(cli->root, helper, error);
	if (inventory != NULL && usher_cli_has(cli, "verbose"))
		print_notes(inventory);
	return inventory;
}

GPtrArray *usher_cli_devices_of(UsherCli *cli, const UsherInventory *inventory, GError **error)
{
	g_autoptr(GHashTable) known = cli->root == NULL ? known_devices(cli) : NULL;
	g_autoptr(GPtrArray) devices =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_json_unref);
	for (unsigned i = 0; i < inventory->devices->len; i++) {
		UsherJson *json = json_of(inventory->devices->pdata[i], known, error);
		if (json == NULL)
			return NULL;
		g_ptr_array_add(devices, json);
	}
	return g_steal_pointer(&devices);
}

GPtrArray *usher_cli_scan_devices(UsherCli *cli, GError **error)
{
	g_autoptr(UsherInventory) inventory = usher_cli_scan(cli, error);
	return inventory != NULL ? usher_cli_devices_of(cli, inventory, error) : NULL;
}

bool usher_cli_is_here(const char *name)
{
	UsherPciAddr addr;
	return g_str_has_prefix(name, "usb:") || usher_pci_addr_parse(name, &addr, NULL);
}

const UsherDevice *usher_cli_find_here(
	const UsherInventory *inventory, const char *name, GError **error)
{
	UsherPciAddr addr;
	char address[USHER_PCI_ADDR_TEXT];
	bool is_pci = usher_pci_addr_parse(name, &addr, NULL);
	if (is_pci)
		(void) usher_pci_addr_print(addr, address);
	const char *wanted = is_pci ? address : name;
	const UsherDevice *device = usher_inventory_find_text(inventory, wanted);
	if (device == NULL && usher_cli_is_here(name))
		usher_error_set(
			error, USHER_ERROR_NOT_FOUND, "there is no device %s on this host", wanted);
	else if (device == NULL)
		usher_error_set(error, USHER_ERROR_INVALID,
			"'%s' is no address of a device: 0000:01:00.0, or usb:1-4.2", name);
	return device;
}

char *usher_cli_resolve_device(UsherCli *cli, const char *name, GError **error)
{
	UsherPciAddr addr;
	if (strchr(name, '/') != NULL || !usher_pci_addr_parse(name, &addr, NULL))
		return g_strdup(name);
	char address[USHER_PCI_ADDR_TEXT];
	(void) usher_pci_addr_print(addr, address);
	g_autoptr(GPtrArray) devices = usher_cli_list(cli, "devices", "", NULL, error);
	if (devices == NULL)
		return NULL;
	const char *node = NULL;
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherJson *device = devices->pdata[i];
		if (g_strcmp0(usher_json_get_string(device, "address"), address) != 0 ||
			g_strcmp0(usher_json_get_string(device, "state"), "absent") == 0)
			continue;
		if (node != NULL) {
			usher_error_set(error, USHER_ERROR_INVALID,
				"device %s is on several nodes: say NODE/%s", address, address);
			return NULL;
		}
		node = usher_json_get_string(device, "node");
	}
	if (node != NULL)
		return g_strdup_printf("%s/%s", node, address);
	usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no device %s", address);
	return NULL;
}
