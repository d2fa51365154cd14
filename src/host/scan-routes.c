/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

/* linux/route.h */
#define ROUTE_UP     0x0001
#define ROUTE_REJECT 0x0200

/* net/tcp_states.h */
#define TCP_ESTABLISHED "01"

/* An address of either kind; one of IPv4 is mapped into IPv6 (RFC 4291, 2.5.5.2). */
typedef struct Address {
	uint8_t bytes[16];
} Address;

typedef struct Way {
	Address to;
	unsigned length; /* bits of it that count, 96 more for IPv4 */
	bool is_v6;
	char *interface;
} Way;

static void way_clear(void *data)
{
	Way *way = data;
	g_free(way->interface);
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

static bool parse_hex(const char *text, uint32_t *out_value)
{
	uint64_t value;
	if (!usher_text_parse_hex(text, UINT32_MAX, &value, NULL))
		return false;
	*out_value = (uint32_t) value;
	return true;
}

/* Words of eight digits, each a 32-bit number in this machine's order: what /proc/net prints of
 * memory that holds the address in network order. */
static bool parse_memory(const char *text, Address *out_address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t n_words = strlen(text) / 8;
	if ((n_words != 1 && n_words != 4) || strlen(text) % 8 != 0)
		return false;
	memcpy(out_address->bytes, mapped, sizeof mapped);
	uint8_t *at = out_address->bytes + 16 - n_words * 4;
	for (size_t i = 0; i < n_words; i++) {
		g_autofree char *word = g_strndup(text + i * 8, 8);
		uint32_t value;
		if (!parse_hex(word, &value))
			return false;
		memcpy(at + i * 4, &value, 4);
	}
	return true;
}

/* Two digits a byte, in network order: what ipv6_route prints. */
static bool parse_bytes(const char *text, Address *out_address)
{
	if (strlen(text) != 32)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		int high = g_ascii_xdigit_value(text[2 * i]);
		int low = g_ascii_xdigit_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out_address->bytes[i] = (uint8_t) (high << 4 | low);
	}
	return true;
}

/* As people write it. */
static bool parse_text(const char *text, Address *out_address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	memcpy(out_address->bytes, mapped, sizeof mapped);
	return inet_pton(AF_INET, text, out_address->bytes + 12) == 1 ||
		inet_pton(AF_INET6, text, out_address->bytes) == 1;
}

static bool is_usable(const char *flags)
{
	uint32_t bits;
	return parse_hex(flags, &bits) && (bits & ROUTE_UP) != 0 && (bits & ROUTE_REJECT) == 0;
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask … */
static bool read_ways_v4(const UsherTree *tree, GArray *ways)
{
	g_autofree char *text = usher_tree_read(tree, "proc/net/route");
	if (text == NULL)
		return false;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_autoptr(GPtrArray) words = split_words(lines[i]);
		Way way = { 0 };
		uint32_t mask;
		if (words->len < 8 || !is_usable(words->pdata[3]) ||
			!parse_memory(words->pdata[1], &way.to) ||
			!parse_hex(words->pdata[7], &mask))
			continue;
		way.length = 96 + (unsigned) __builtin_popcount(mask);
		way.interface = g_strdup(words->pdata[0]);
		g_array_append_val(ways, way);
	}
	return true;
}

/* destination length source length next-hop metric references use flags interface; without IPv6
 * there is no such file */
static void read_ways_v6(const UsherTree *tree, GArray *ways, bool *known)
{
	g_autofree char *text = usher_tree_read_known(tree, "proc/net/ipv6_route", known);
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_autoptr(GPtrArray) words = split_words(lines[i]);
		Way way = { .is_v6 = true };
		if (words->len < 10 || !is_usable(words->pdata[8]) ||
			strcmp(words->pdata[9], "lo") == 0 ||
			!parse_bytes(words->pdata[0], &way.to) ||
			!parse_hex(words->pdata[1], &way.length) || way.length > 128)
			continue;
		way.interface = g_strdup(words->pdata[9]);
		g_array_append_val(ways, way);
	}
}

static void add_route(UsherInventory *inventory, const Way *way, const char *use, const char *peer)
{
	UsherRoute *route = g_new0(UsherRoute, 1);
	route->interface = g_strdup(way->interface);
	route->is_v6 = way->is_v6;
	route->use = g_strdup(use);
	route->peer = g_strdup(peer);
	g_ptr_array_add(inventory->routes, route);
}

static bool leads_to(const Way *way, const Address *address)
{
	for (unsigned bit = way->is_v6 ? 0 : 96; bit < way->length; bit++) {
		unsigned differs = way->to.bytes[bit / 8] ^ address->bytes[bit / 8];
		if ((differs & 0x80U >> bit % 8) != 0)
			return false;
	}
	return true;
}

static bool is_mapped(const Address *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

static char *print_address(const Address *address)
{
	char text[INET6_ADDRSTRLEN];
	bool is_v4 = is_mapped(address);
	return g_strdup(inet_ntop(
		is_v4 ? AF_INET : AF_INET6, address->bytes + (is_v4 ? 12 : 0), text, sizeof text));
}

/* All of the longest that lead there: a link-local address is beyond each port, and which of several
 * paths is taken changes. Default routes are known already. */
static void add_ways(
	UsherInventory *inventory, const GArray *ways, const Address *peer, const char *use)
{
	g_autofree char *text = print_address(peer);
	unsigned longest = 0;
	for (unsigned i = 0; i < ways->len; i++) {
		const Way *way = &g_array_index(ways, Way, i);
		if (way->is_v6 != is_mapped(peer) && leads_to(way, peer))
			longest = MAX(longest, way->length);
	}
	for (unsigned i = 0; i < ways->len && longest > (is_mapped(peer) ? 96 : 0); i++) {
		const Way *way = &g_array_index(ways, Way, i);
		if (way->length == longest && way->is_v6 != is_mapped(peer) && leads_to(way, peer))
			add_route(inventory, way, use, text);
	}
}

/* What a connection is for, by its ports; NULL: nothing that holds a network device. Peers of storage
 * may have called us. */
static const char *use_of_ports(const GArray *ssh_ports, uint32_t here, uint32_t there)
{
	static const struct {
		uint32_t first, last;
		const char *use;
	} uses[] = {
		{ 2049, 2049, "NFS" },
		{ 3260, 3260, "iSCSI" },
		{ 3300, 3300, "Ceph" },
		{ 4420, 4420, "NVMe over TCP" },
		{ 6789, 6789, "Ceph" },
		{ 6800, 7300, "Ceph" },
		{ 7788, 7799, "DRBD" },
	};
	for (unsigned i = 0; i < ssh_ports->len; i++) {
		if (here == g_array_index(ssh_ports, uint32_t, i))
			return "an SSH session";
	}
	for (size_t i = 0; i < G_N_ELEMENTS(uses); i++) {
		if ((there >= uses[i].first && there <= uses[i].last) ||
			(here >= uses[i].first && here <= uses[i].last))
			return uses[i].use;
	}
	return NULL;
}

/* "Port 2222" (sshd_config(5)). */
static void read_ssh_ports(const UsherTree *tree, const char *path, GArray *ports)
{
	g_autofree char *text = usher_tree_read(tree, path);
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_strdelimit(lines[i], "=", ' ');
		g_autoptr(GPtrArray) words = split_words(lines[i]);
		uint32_t port;
		if (words->len == 2 && g_ascii_strcasecmp(words->pdata[0], "Port") == 0 &&
			usher_text_parse_u32(words->pdata[1], UINT16_MAX, &port, NULL))
			g_array_append_val(ports, port);
	}
}

/* Where sshd may be listening: where it does by itself, and where it was told to. */
static GArray *find_ssh_ports(const UsherTree *tree)
{
	static const char folder[] = "etc/ssh/sshd_config.d";
	static const uint32_t usual = 22;
	GArray *ports = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	g_array_append_val(ports, usual);
	read_ssh_ports(tree, "etc/ssh/sshd_config", ports);
	g_autoptr(GPtrArray) names = usher_tree_list(tree, folder);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat(folder, "/", names->pdata[i], NULL);
		read_ssh_ports(tree, path, ports);
	}
	return ports;
}

/* "0: 0100007F:0016 0200007F:C350 01 …" */
static void read_connection(
	const char *line, const GArray *ssh_ports, const GArray *ways, UsherInventory *inventory)
{
	if (strstr(line, " " TCP_ESTABLISHED " ") == NULL) /* there may be very many */
		return;
	g_autoptr(GPtrArray) words = split_words(line);
	if (words->len < 4 || strcmp(words->pdata[3], TCP_ESTABLISHED) != 0)
		return;
	g_auto(GStrv) here = g_strsplit(words->pdata[1], ":", 2);
	g_auto(GStrv) there = g_strsplit(words->pdata[2], ":", 2);
	Address peer = { 0 };
	uint32_t here_port, there_port;
	if (here[1] == NULL || there[1] == NULL || !parse_hex(here[1], &here_port) ||
		!parse_hex(there[1], &there_port) || !parse_memory(there[0], &peer))
		return;
	const char *use = use_of_ports(ssh_ports, here_port, there_port);
	if (use != NULL)
		add_ways(inventory, ways, &peer, use);
}

static void read_connections(
	const UsherTree *tree, const GArray *ways, UsherInventory *inventory, bool *known)
{
	static const char *const files[] = { "proc/net/tcp", "proc/net/tcp6" };
	g_autoptr(GArray) ssh_ports = find_ssh_ports(tree);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *text = usher_tree_read_known(tree, files[i], known);
		g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
		for (unsigned j = 0; lines[j] != NULL; j++)
			read_connection(lines[j], ssh_ports, ways, inventory);
	}
}

/* Targets of iSCSI, also while the connection is being made again, and at any port. */
static void read_iscsi(const UsherTree *tree, const GArray *ways, UsherInventory *inventory)
{
	static const char folder[] = "sys/class/iscsi_connection";
	g_autoptr(GPtrArray) names = usher_tree_list(tree, folder);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path =
			g_strconcat(folder, "/", names->pdata[i], "/persistent_address", NULL);
		g_autofree char *text = usher_tree_read(tree, path);
		Address peer = { 0 };
		if (text != NULL && parse_text(g_strstrip(text), &peer))
			add_ways(inventory, ways, &peer, "iSCSI");
	}
}

/* "ring0_addr: 10.0.2.2" of the others in the cluster: they talk in UDP, of which the kernel lists no
 * peers. */
static void read_corosync(
	const UsherTree *tree, const GArray *ways, UsherInventory *inventory, bool *known)
{
	g_autofree char *text = usher_tree_read_known(tree, "etc/corosync/corosync.conf", known);
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) parts = g_strsplit(g_strstrip(lines[i]), ":", 2);
		bool is_peer = g_str_has_prefix(lines[i], "ring") && parts[1] != NULL &&
			g_str_has_suffix(g_strstrip(parts[0]), "_addr");
		Address peer = { 0 };
		if (is_peer && parse_text(g_strstrip(parts[1]), &peer))
			add_ways(inventory, ways, &peer, "corosync");
	}
}

bool usher_scan_routes(const UsherTree *tree, UsherInventory *inventory)
{
	g_autoptr(GArray) ways = g_array_new(FALSE, FALSE, sizeof(Way));
	g_array_set_clear_func(ways, way_clear);
	bool is_known = read_ways_v4(tree, ways);
	read_ways_v6(tree, ways, &is_known);
	for (unsigned i = 0; i < ways->len; i++) {
		const Way *way = &g_array_index(ways, Way, i);
		if (way->length == (way->is_v6 ? 0 : 96))
			add_route(inventory, way, NULL, NULL);
	}
	read_connections(tree, ways, inventory, &is_known);
	read_iscsi(tree, ways, inventory);
	read_corosync(tree, ways, inventory, &is_known);
	return is_known;
}
