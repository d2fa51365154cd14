/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <linux/if_tun.h>
#include <string.h>

#include "base/fd.h"
#include "host/pci-path.h"
#include "host/usb-path.h"

#define NETS "sys/class/net"

static UsherNet *find_net(const UsherInventory *inventory, const char *name)
{
	for (unsigned i = 0; i < inventory->nets->len; i++) {
		UsherNet *net = inventory->nets->pdata[i];
		if (strcmp(net->name, name) == 0)
			return net;
	}
	return NULL;
}

static void add_lower(UsherNet *net, const char *name)
{
	if (!g_ptr_array_find_with_equal_func(net->lowers, name, g_str_equal, NULL))
		g_ptr_array_add(net->lowers, g_strdup(name));
}

/* The address that it has now, where that is the one it came with (linux/netdevice.h,
 * NET_ADDR_PERM): both are read without a lock. */
static char *read_mac(const UsherTree *tree, const char *path)
{
	int64_t kind;
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (folder < 0 || !usher_attr_read_int(folder, "addr_assign_type", &kind) || kind != 0)
		return NULL;
	char *address = usher_attr_read(folder, "address");
	if (address != NULL && strlen(address) == strlen("00:00:00:00:00:00") &&
		strspn(address, "0:") != strlen(address))
		return address;
	g_free(address);
	return NULL;
}

/* It is one end of a veth: the other one is elsewhere. */
static bool is_pair(const UsherTree *tree, const char *path)
{
	int64_t own, peer;
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	return folder >= 0 && usher_attr_read_int(folder, "ifindex", &own) &&
		usher_attr_read_int(folder, "iflink", &peer) && own != peer;
}

/* What carries the network of a guest must stay as well. */
static void add_guest(UsherInventory *inventory, const char *interface, const char *port)
{
	UsherRoute *route = g_new0(UsherRoute, 1);
	route->interface = g_strdup(interface);
	route->use = g_strdup("the network of a guest");
	route->peer = g_strdup(port);
	g_ptr_array_add(inventory->routes, route);
}

static void read_net(const UsherTree *tree, const char *name, UsherInventory *inventory)
{
	static const char lower[] = "lower_";
	g_autofree char *path = g_strconcat(NETS "/", name, NULL);
	g_autofree char *target = usher_tree_link(tree, path);
	if (target == NULL) /* bonding_masters is a file among them */
		return;
	UsherNet *net = g_new0(UsherNet, 1);
	net->name = g_strdup(name);
	net->pci = usher_pci_path_last(target);
	net->usb = usher_usb_path_last(target);
	net->mac = read_mac(tree, path);
	net->is_virtual = strstr(target, "/virtual/") != NULL;
	net->lowers = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(inventory->nets, net);
	g_autoptr(GPtrArray) names = usher_tree_list(tree, path);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		const char *entry = names->pdata[i];
		net->is_inner = net->is_inner || strcmp(entry, "bridge") == 0;
		if (g_str_has_prefix(entry, lower))
			add_lower(net, entry + strlen(lower));
		if (strcmp(entry, "macvtap") == 0)
			add_guest(inventory, name, name);
	}
	if (net->is_virtual && net->lowers->len == 0)
		net->is_inner = net->is_inner || is_pair(tree, path);
}

/* The same relation from below: who has a master is what the master stands on. */
static void read_master(const UsherTree *tree, const UsherNet *net, const UsherInventory *inventory)
{
	g_autofree char *path = g_strconcat(NETS "/", net->name, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	g_autofree char *master = folder >= 0 ? usher_attr_link_name(folder, "master") : NULL;
	UsherNet *above = master != NULL ? find_net(inventory, master) : NULL;
	if (above != NULL)
		add_lower(above, net->name);
}

/* A tap device that was enslaved is a guest's: what its bridge stands on carries its network. The
 * flag of taps is in linux/if_tun.h; tun devices are tunnels. */
static void read_tap(const UsherTree *tree, UsherNet *tap, UsherInventory *inventory)
{
	uint32_t flags;
	g_autofree char *path = g_strconcat(NETS "/", tap->name, NULL);
	g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
	if (folder < 0 || !usher_attr_read_hex(folder, "tun_flags", UINT32_MAX, &flags))
		return;
	tap->is_inner = tap->is_inner || (flags & IFF_TAP) != 0;
	g_autofree char *master = usher_attr_link_name(folder, "master");
	if (master != NULL)
		add_guest(inventory, master, tap->name);
}

void usher_scan_nets(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, NETS);
	for (unsigned i = 0; names != NULL && i < names->len; i++)
		read_net(tree, names->pdata[i], inventory);
	for (unsigned i = 0; i < inventory->nets->len; i++)
		read_master(tree, inventory->nets->pdata[i], inventory);
	bool has_routes = usher_scan_routes(tree, inventory);
	for (unsigned i = 0; i < inventory->nets->len; i++) {
		UsherNet *net = inventory->nets->pdata[i];
		if (net->is_virtual)
			read_tap(tree, net, inventory);
	}
	inventory->routes_known = names != NULL && has_routes;
	if (names == NULL)
		g_ptr_array_add(inventory->notes, g_strdup("/" NETS " could not be read"));
	if (!has_routes)
		g_ptr_array_add(inventory->notes, g_strdup("/proc/net/route could not be read"));
}
