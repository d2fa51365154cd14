/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/pci-path.h"

#define NETS "sys/class/net"

/* linux/route.h */
#define ROUTE_UP     0x0001
#define ROUTE_REJECT 0x0200

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
	net->is_virtual = strstr(target, "/virtual/") != NULL;
	net->lowers = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(inventory->nets, net);
	g_autoptr(GPtrArray) names = usher_tree_list(tree, path);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		const char *entry = names->pdata[i];
		if (g_str_has_prefix(entry, lower))
			add_lower(net, entry + strlen(lower));
	}
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

static void add_route(UsherInventory *inventory, const char *interface, bool is_v6)
{
	UsherRoute *route = g_new0(UsherRoute, 1);
	route->interface = g_strdup(interface);
	route->is_v6 = is_v6;
	g_ptr_array_add(inventory->routes, route);
}

/* Words of a line, empty ones left out; never NULL. */
static GPtrArray *split_words(const char *line)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) parts = g_strsplit_set(line, " \t", -1);
	for (unsigned i = 0; parts[i] != NULL; i++) {
		if (parts[i][0] != '\0')
			g_ptr_array_add(words, g_strdup(parts[i]));
	}
	return words;
}

static bool is_usable(const char *flags)
{
	uint64_t bits;
	return usher_text_parse_hex(flags, UINT32_MAX, &bits, NULL) && (bits & ROUTE_UP) != 0 &&
		(bits & ROUTE_REJECT) == 0;
}

static bool is_zero(const char *digits)
{
	return strspn(digits, "0") == strlen(digits);
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask … */
static bool read_routes_v4(const UsherTree *tree, UsherInventory *inventory)
{
	g_autofree char *text = usher_tree_read(tree, "proc/net/route");
	if (text == NULL)
		return false;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_autoptr(GPtrArray) words = split_words(lines[i]);
		if (words->len >= 8 && is_zero(words->pdata[1]) && is_zero(words->pdata[7]) &&
			is_usable(words->pdata[3]))
			add_route(inventory, words->pdata[0], /* is_v6 */ false);
	}
	return true;
}

/* destination length source length next-hop metric references use flags interface */
static void read_routes_v6(const UsherTree *tree, UsherInventory *inventory)
{
	g_autofree char *text = usher_tree_read(tree, "proc/net/ipv6_route");
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_autoptr(GPtrArray) words = split_words(lines[i]);
		if (words->len >= 10 && is_zero(words->pdata[0]) && is_zero(words->pdata[1]) &&
			is_usable(words->pdata[8]) && strcmp(words->pdata[9], "lo") != 0)
			add_route(inventory, words->pdata[9], /* is_v6 */ true);
	}
}

void usher_scan_nets(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, NETS);
	for (unsigned i = 0; names != NULL && i < names->len; i++)
		read_net(tree, names->pdata[i], inventory);
	for (unsigned i = 0; i < inventory->nets->len; i++)
		read_master(tree, inventory->nets->pdata[i], inventory);
	bool has_routes = read_routes_v4(tree, inventory);
	read_routes_v6(tree, inventory);
	inventory->routes_known = names != NULL && has_routes;
	if (names == NULL)
		g_ptr_array_add(inventory->notes, g_strdup("/" NETS " could not be read"));
	if (!has_routes)
		g_ptr_array_add(inventory->notes, g_strdup("/proc/net/route could not be read"));
}
