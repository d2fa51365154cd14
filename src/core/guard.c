/* SPDX-License-Identifier: Apache-2.0 */
#include "core/guard.h"

#include <string.h>

#include "core/unit.h"

#define DEPTH_MAX 32 /* of devices upon devices: more is a circle */

struct UsherGuard {
	const UsherInventory *inventory;
	GHashTable *blocks;     /* name → const UsherBlock */
	GHashTable *nets;       /* name → const UsherNet */
	GHashTable *reasons;    /* address → GPtrArray of UsherGuardReason */
	GHashTable *doubts;     /* the same, of what only may be */
	GHashTable *held;       /* names of blocks that a reason leads through */
	const UsherRoute *lost; /* one that leads to no device */
};

/* The way from what the host needs down to a device; names are borrowed. */
typedef struct UsherChain {
	const char *why;
	GPtrArray *names;
	bool is_doubt; /* nobody knows whether the host needs it */
} UsherChain;

static void free_reason(void *reason)
{
	usher_guard_reason_free(reason);
}

static void free_reasons(void *reasons)
{
	g_ptr_array_unref(reasons);
}

static UsherGuardReason *make_reason(const char *device, const char *why)
{
	UsherGuardReason *reason = usher_guard_reason_new();
	reason->device = g_strdup(device);
	reason->why = g_strdup(why);
	return reason;
}

static bool has_reason(const GPtrArray *reasons, const char *why)
{
	for (unsigned i = 0; i < reasons->len; i++) {
		const UsherGuardReason *reason = reasons->pdata[i];
		if (strcmp(reason->why, why) == 0)
			return true;
	}
	return false;
}

static GPtrArray *reasons_in(GHashTable *table, const char *address)
{
	GPtrArray *reasons = g_hash_table_lookup(table, address);
	if (reasons == NULL) {
		reasons = g_ptr_array_new_with_free_func(free_reason);
		g_hash_table_insert(table, g_strdup(address), reasons);
	}
	return reasons;
}

/* Once for each device and need, however many ways lead there. */
static void add_reason(UsherGuard *guard, const char *address, const UsherChain *chain)
{
	GPtrArray *reasons = reasons_in(chain->is_doubt ? guard->doubts : guard->reasons, address);
	if (has_reason(reasons, chain->why))
		return;
	UsherGuardReason *reason = make_reason(address, chain->why);
	for (unsigned i = 0; i < chain->names->len; i++)
		g_ptr_array_add(reason->proof, g_strdup(chain->names->pdata[i]));
	g_ptr_array_add(reasons, reason);
}

static void chain_push(UsherChain *chain, const char *name)
{
	g_ptr_array_add(chain->names, (void *) (uintptr_t) name);
}

static void chain_pop(UsherChain *chain, unsigned length)
{
	g_ptr_array_set_size(chain->names, (int) length);
}

/* The device, and what it hangs below: a disk behind a volume management controller goes with it.
 * Bridges are refused for what they are. */
static void arrive(UsherGuard *guard, const char *address, UsherChain *chain)
{
	unsigned length = chain->names->len;
	const UsherDevice *device = NULL;
	for (unsigned depth = 0; address != NULL && depth < DEPTH_MAX; depth++) {
		chain_push(chain, address);
		device = usher_inventory_find_text(guard->inventory, address);
		if (depth == 0 || (device != NULL && !usher_device_is_bridge(device)))
			add_reason(guard, address, chain);
		address = device != NULL ? device->parent : NULL;
	}
	chain_pop(chain, length);
}

/* The USB device, where it was found: its controller is above it. */
static const char *owner_of(const UsherGuard *guard, const char *usb, const char *pci)
{
	return usb != NULL && usher_inventory_find_text(guard->inventory, usb) != NULL ? usb : pci;
}

static bool is_last(const UsherChain *chain, const char *name)
{
	const char *last = chain->names->len > 0 ? chain->names->pdata[chain->names->len - 1] : "";
	const char *slash = strrchr(last, '/');
	return slash != NULL && strcmp(slash + 1, name) == 0;
}

static void walk_file(UsherGuard *guard, const char *path, UsherChain *chain, unsigned depth);

static void walk_block(UsherGuard *guard, const char *name, UsherChain *chain, unsigned depth)
{
	const UsherBlock *block = g_hash_table_lookup(guard->blocks, name);
	if (block == NULL || depth == 0)
		return;
	unsigned length = chain->names->len;
	if (!is_last(chain, name))
		chain_push(chain, block->name);
	g_hash_table_add(guard->held, block->name);
	if (block->parent != NULL) {
		walk_block(guard, block->parent, chain, depth - 1);
	} else {
		for (unsigned i = 0; i < block->slaves->len; i++)
			walk_block(guard, block->slaves->pdata[i], chain, depth - 1);
		if (block->backing != NULL)
			walk_file(guard, block->backing, chain, depth - 1);
		if (block->pci != NULL)
			arrive(guard, owner_of(guard, block->usb, block->pci), chain);
	}
	chain_pop(chain, length);
}

static const UsherBlock *find_by_devno(const UsherGuard *guard, const char *devno)
{
	const GPtrArray *blocks = guard->inventory->blocks;
	for (unsigned i = 0; devno != NULL && i < blocks->len; i++) {
		const UsherBlock *block = blocks->pdata[i];
		if (g_strcmp0(block->devno, devno) == 0)
			return block;
	}
	return NULL;
}

/* "/dev/nvme0n1p2", "/dev/mapper/vg-root". */
static const UsherBlock *find_by_path(const UsherGuard *guard, const char *path)
{
	static const char mapper[] = "/dev/mapper/";
	if (!g_str_has_prefix(path, "/dev/"))
		return NULL;
	const GPtrArray *blocks = guard->inventory->blocks;
	for (unsigned i = 0; g_str_has_prefix(path, mapper) && i < blocks->len; i++) {
		const UsherBlock *block = blocks->pdata[i];
		if (g_strcmp0(block->mapper, path + strlen(mapper)) == 0)
			return block;
	}
	return g_hash_table_lookup(guard->blocks, path + strlen("/dev/"));
}

/* A file system of several devices has no device number of its own and names one of them, or all
 * with colons between. */
static void walk_mount(
	UsherGuard *guard, const UsherMount *mount, UsherChain *chain, unsigned depth)
{
	unsigned length = chain->names->len;
	const UsherBlock *block = find_by_devno(guard, mount->devno);
	if (block != NULL) {
		if (g_str_has_prefix(mount->source, "/dev/"))
			chain_push(chain, mount->source);
		walk_block(guard, block->name, chain, depth - 1);
		chain_pop(chain, length);
		return;
	}
	g_auto(GStrv) sources = g_strsplit(mount->source, ":", -1);
	for (unsigned i = 0; sources[i] != NULL; i++) {
		block = find_by_path(guard, sources[i]);
		if (block == NULL)
			continue;
		chain_push(chain, sources[i]);
		walk_block(guard, block->name, chain, depth - 1);
		chain_pop(chain, length);
	}
}

static bool is_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	if (strcmp(folder, "/") == 0)
		return path[0] == '/';
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The file of a loop device lies on the file system mounted deepest above it. */
static void walk_file(UsherGuard *guard, const char *path, UsherChain *chain, unsigned depth)
{
	const UsherMount *deepest = NULL;
	for (unsigned i = 0; i < guard->inventory->mounts->len; i++) {
		const UsherMount *mount = guard->inventory->mounts->pdata[i];
		if (is_below(path, mount->target) &&
			(deepest == NULL || strlen(mount->target) >= strlen(deepest->target)))
			deepest = mount;
	}
	if (deepest == NULL || depth == 0)
		return;
	unsigned length = chain->names->len;
	chain_push(chain, path);
	chain_push(chain, deepest->target);
	walk_mount(guard, deepest, chain, depth - 1);
	chain_pop(chain, length);
}

static int compare_targets(const void *one, const void *other)
{
	const UsherMount *const *a = one, *const *b = other;
	size_t m = strlen((*a)->target), n = strlen((*b)->target);
	return m != n ? (m > n) - (m < n) : strcmp((*a)->target, (*b)->target);
}

/* A file system bound to many places is named by its shortest. */
static void collect_mounts(UsherGuard *guard, UsherChain *chain)
{
	g_autoptr(GPtrArray) mounts = g_ptr_array_new(); /* a copy would free them too */
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_ptr_array_extend(mounts, guard->inventory->mounts, NULL, NULL);
	g_ptr_array_sort(mounts, compare_targets);
	for (unsigned i = 0; i < mounts->len; i++) {
		const UsherMount *mount = mounts->pdata[i];
		if (!g_hash_table_add(seen,
			    g_strconcat(mount->devno != NULL ? mount->devno : "", " ",
				    mount->source, NULL)))
			continue;
		bool is_swap = strcmp(mount->target, "swap") == 0;
		g_autofree char *why = is_swap ? g_strdup("holds active swap")
					       : g_strdup_printf("holds %s", mount->target);
		chain->why = why;
		chain_push(chain, mount->target);
		walk_mount(guard, mount, chain, DEPTH_MAX);
		chain_pop(chain, 0);
	}
}

/* A dm, md or bcache device. An NVMe disk of several paths lies on its controllers but is one. */
static bool is_volume(const UsherBlock *block)
{
	return block->pci == NULL && block->slaves->len > 0 &&
		!g_str_has_prefix(block->name, "nvme");
}

/* Why a block device that nothing is mounted from is still the host's; NULL: it is not. */
static char *reason_of_block(const UsherBlock *block)
{
	if (block->claim != NULL)
		return g_strdup_printf("has %s, named in %s", block->name, block->claim);
	if (block->signature != NULL)
		return g_strdup_printf("has %s on %s", block->signature, block->name);
	if (is_volume(block))
		return g_strdup_printf("is part of %s", block->name);
	return NULL;
}

/* Disks that udev has not looked at: it does not run, or they have just come. */
static void collect_unprobed(UsherGuard *guard, UsherChain *chain)
{
	chain->is_doubt = true;
	for (unsigned i = 0; i < guard->inventory->blocks->len; i++) {
		const UsherBlock *block = guard->inventory->blocks->pdata[i];
		if (!block->is_unprobed || g_hash_table_contains(guard->held, block->name))
			continue;
		g_autofree char *why = g_strdup_printf(
			"may hold a file system of the host: udev has not looked at %s",
			block->name);
		chain->why = why;
		walk_block(guard, block->name, chain, DEPTH_MAX);
		chain_pop(chain, 0);
	}
	chain->is_doubt = false;
}

static void collect_blocks(UsherGuard *guard, UsherChain *chain)
{
	for (unsigned i = 0; i < guard->inventory->blocks->len; i++) {
		const UsherBlock *block = guard->inventory->blocks->pdata[i];
		g_autofree char *why = g_hash_table_contains(guard->held, block->name)
			? NULL
			: reason_of_block(block);
		if (why == NULL)
			continue;
		chain->why = why;
		if (block->claim == NULL && block->signature != NULL)
			chain_push(chain, block->signature);
		walk_block(guard, block->name, chain, DEPTH_MAX);
		chain_pop(chain, 0);
	}
}

/* False when the way leads to no hardware. */
static bool walk_net(UsherGuard *guard, const char *name, UsherChain *chain, unsigned depth)
{
	const UsherNet *net = g_hash_table_lookup(guard->nets, name);
	if (net == NULL || depth == 0)
		return false;
	bool is_found = !net->is_virtual;
	chain_push(chain, net->name);
	for (unsigned i = 0; i < net->lowers->len; i++)
		is_found = walk_net(guard, net->lowers->pdata[i], chain, depth - 1) || is_found;
	if (net->pci != NULL)
		arrive(guard, owner_of(guard, net->usb, net->pci), chain);
	chain_pop(chain, chain->names->len - 1);
	return is_found;
}

static void walk_route(UsherGuard *guard, const UsherRoute *route, UsherChain *chain)
{
	bool is_found = walk_net(guard, route->interface, chain, DEPTH_MAX);
	/* A port inside Open vSwitch: its uplinks stand below the switch, not below the port. */
	if (!is_found) {
		chain_push(chain, route->interface);
		is_found = walk_net(guard, "ovs-system", chain, DEPTH_MAX);
	}
	const UsherNet *net = g_hash_table_lookup(guard->nets, route->interface);
	bool is_inner = route->use != NULL && (net == NULL || net->is_inner);
	if (!is_found && !is_inner && guard->lost == NULL)
		guard->lost = route;
}

static void collect_routes(UsherGuard *guard, UsherChain *chain)
{
	for (unsigned i = 0; i < guard->inventory->routes->len; i++) {
		const UsherRoute *route = guard->inventory->routes->pdata[i];
		const char *text = route->is_v6 ? "default route of IPv6" : "default route";
		g_autofree char *why = route->use != NULL
			? g_strdup_printf("carries %s", route->use)
			: g_strdup_printf("carries the %s", text);
		chain->why = why;
		chain_push(chain, route->use != NULL ? route->peer : text);
		walk_route(guard, route, chain);
		chain_pop(chain, 0);
	}
}

static void collect_needs(UsherGuard *guard, UsherChain *chain)
{
	for (unsigned i = 0; i < guard->inventory->needs->len; i++) {
		const UsherGuardReason *need = guard->inventory->needs->pdata[i];
		chain->why = need->why;
		for (unsigned j = 0; j < need->proof->len; j++)
			chain_push(chain, need->proof->pdata[j]);
		arrive(guard, need->device, chain);
		chain_pop(chain, 0);
	}
}

UsherGuard *usher_guard_new(const UsherInventory *inventory)
{
	UsherGuard *guard = g_new0(UsherGuard, 1);
	guard->inventory = inventory;
	guard->blocks = g_hash_table_new(g_str_hash, g_str_equal);
	guard->nets = g_hash_table_new(g_str_hash, g_str_equal);
	guard->held = g_hash_table_new(g_str_hash, g_str_equal);
	guard->reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_reasons);
	guard->doubts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_reasons);
	for (unsigned i = 0; i < inventory->blocks->len; i++) {
		UsherBlock *block = inventory->blocks->pdata[i];
		g_hash_table_insert(guard->blocks, block->name, block);
	}
	for (unsigned i = 0; i < inventory->nets->len; i++) {
		UsherNet *net = inventory->nets->pdata[i];
		g_hash_table_insert(guard->nets, net->name, net);
	}
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	UsherChain chain = { NULL, names, false };
	collect_mounts(guard, &chain);
	collect_blocks(guard, &chain);
	collect_unprobed(guard, &chain);
	collect_routes(guard, &chain);
	collect_needs(guard, &chain);
	return guard;
}

UsherGuard *usher_guard_again(const UsherGuard *guard, const UsherInventory *inventory)
{
	UsherGuard *again = g_new0(UsherGuard, 1);
	again->inventory = inventory;
	again->blocks = g_hash_table_ref(guard->blocks);
	again->nets = g_hash_table_ref(guard->nets);
	again->held = g_hash_table_ref(guard->held);
	again->reasons = g_hash_table_ref(guard->reasons);
	again->doubts = g_hash_table_ref(guard->doubts);
	again->lost = guard->lost;
	return again;
}

void usher_guard_free(UsherGuard *guard)
{
	if (guard == NULL)
		return;
	g_hash_table_unref(guard->blocks);
	g_hash_table_unref(guard->nets);
	g_hash_table_unref(guard->held);
	g_hash_table_unref(guard->reasons);
	g_hash_table_unref(guard->doubts);
	g_free(guard);
}

/* Server boards' management controllers show themselves as displays: all of ASPEED, and Matrox's
 * G200 in its server editions. */
static bool is_bmc(const UsherDevice *device)
{
	static const char *const matrox[] = { "0522", "0524", "0530", "0532", "0533", "0534",
		"0536", "0538", NULL };
	if (g_strcmp0(device->vendor_id, "1a03") == 0)
		return true;
	return g_strcmp0(device->vendor_id, "102b") == 0 && device->device_id != NULL &&
		g_strv_contains(matrox, device->device_id);
}

const char *usher_guard_class_reason(const UsherDevice *device)
{
	/* The first row that fits; mask 0xffff looks at the subclass too. */
	static const struct {
		unsigned mask, value;
		const char *why;
	} rows[] = {
		{ 0xffff, 0x0600, "is a host bridge" },
		{ 0xffff, 0x0601, "is the ISA bridge" },
		{ 0xffff, 0x0604, "is a PCI bridge" },
		{ 0xff00, 0x0600, "is a bridge" },
		{ 0xff00, 0x0500, "is a memory controller" },
		{ 0xffff, 0x0805, NULL }, /* SD host controllers are cards like others */
		{ 0xffff, 0x0806, "is the IOMMU" },
		{ 0xff00, 0x0800, "is a system peripheral of the board" },
		{ 0xffff, 0x0c05, "is the SMBus controller" },
		{ 0xffff, 0x0c07, "is the management controller's interface" },
	};
	if (is_bmc(device))
		return "is a function of the management controller";
	unsigned code = usher_device_class(device) >> 8;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if ((code & rows[i].mask) == rows[i].value)
			return rows[i].why;
	}
	return NULL;
}

/* Host bridges and PCI bridges share groups and slots with what is below or beside them and stay
 * behind; the ISA bridge is the rest of the chipset. */
static bool may_stay_behind(const UsherDevice *bridge)
{
	unsigned code = usher_device_class(bridge) >> 8;
	return code == 0x0600 || code == 0x0604 || code == 0x0609;
}

/* The device, what is taken with it, chipset functions that cannot be, and what would vanish. */
static GPtrArray *judged_with(const GPtrArray *near, const UsherDevice *device)
{
	GPtrArray *judged = usher_unit_taken_with(near, device);
	for (unsigned i = 0; i < near->len; i++) {
		UsherDevice *other = near->pdata[i];
		bool is_chipset = usher_unit_is_companion(device, other) &&
			usher_device_is_bridge(other) && !may_stay_behind(other);
		if (is_chipset ||
			(other->physical_function != NULL &&
				strcmp(other->physical_function, device->address) == 0))
			g_ptr_array_add(judged, other);
	}
	return judged;
}

/* With a driver that hands it to guests, or to a program, no file system and no route is on it. */
static bool is_off_host(const UsherDevice *device)
{
	static const char *const drivers[] = { "vfio-pci", "pci-stub", "uio_pci_generic", NULL };
	return device->driver != NULL && g_strv_contains(drivers, device->driver);
}

/* What must be known of a device of this type and is not; NULL: all is known. */
static char *unknown_of(const UsherGuard *guard, const UsherDevice *device)
{
	UsherDeviceType type = usher_device_type_of_class(usher_device_class(device));
	bool is_usb = type == USHER_TYPE_USB;
	const UsherInventory *inventory = guard->inventory;
	if (device->kind == USHER_DEVICE_PCI && device->class_code == NULL)
		return g_strdup("may be anything: what it is could not be read");
	if (is_off_host(device))
		return NULL;
	if ((type == USHER_TYPE_STORAGE || is_usb) && !inventory->blocks_known)
		return g_strdup(
			"may hold a file system of the host: block devices could not be read");
	if ((type == USHER_TYPE_STORAGE || is_usb) && !inventory->claims_known)
		return g_strdup("may have a disk of a domain, or one of /etc/fstab: not all that "
				"names disks could be read");
	if ((type == USHER_TYPE_NETWORK || is_usb) && !inventory->routes_known)
		return g_strdup("may carry the host's network: routes could not be read");
	if (is_usb && !inventory->inputs_known)
		return g_strdup("may have the last keyboard: input devices could not be read");
	if (type == USHER_TYPE_NETWORK && guard->lost != NULL)
		return g_strdup_printf("may carry %s: %s stands on no known device",
			guard->lost->use != NULL ? guard->lost->use : "the default route",
			guard->lost->interface);
	if (type == USHER_TYPE_DISPLAY && !inventory->boot_display_known &&
		!inventory->other_console)
		return g_strdup("may be the boot display: it could not be read");
	return NULL;
}

static void add_known(GHashTable *table, const UsherDevice *device, UsherGuardResult *result)
{
	const GPtrArray *reasons = g_hash_table_lookup(table, device->address);
	for (unsigned i = 0; reasons != NULL && i < reasons->len; i++)
		g_ptr_array_add(result->reasons, usher_guard_reason_dup(reasons->pdata[i]));
}

static void judge_one(const UsherGuard *guard, const UsherDevice *device, UsherGuardResult *result)
{
	const char *class_reason = usher_guard_class_reason(device);
	if (class_reason != NULL) {
		UsherGuardReason *reason = make_reason(device->address, class_reason);
		g_ptr_array_add(reason->proof, g_strdup_printf("class %s", device->class_code));
		g_ptr_array_add(reason->proof, g_strdup(device->address));
		g_ptr_array_add(result->reasons, reason);
	}
	if (device->boot_display && !guard->inventory->other_console) {
		UsherGuardReason *reason = make_reason(
			device->address, "is the boot display, and there is no other console");
		g_ptr_array_add(reason->proof, g_strdup("boot_vga"));
		g_ptr_array_add(reason->proof, g_strdup(device->address));
		g_ptr_array_add(result->reasons, reason);
	}
	add_known(guard->reasons, device, result);
}

static void doubt_one(const UsherGuard *guard, const UsherDevice *device, UsherGuardResult *result)
{
	g_autofree char *why = unknown_of(guard, device);
	if (why != NULL)
		g_ptr_array_add(result->reasons, make_reason(device->address, why));
	add_known(guard->doubts, device, result);
}

UsherGuardResult *usher_guard_ask(
	const UsherGuard *guard, const UsherDevice *device, const GPtrArray *near)
{
	UsherGuardResult *result = usher_guard_result_new();
	g_autoptr(GPtrArray) judged = judged_with(near, device);
	for (unsigned i = 0; i < judged->len; i++)
		judge_one(guard, judged->pdata[i], result);
	bool is_refused = result->reasons->len > 0;
	for (unsigned i = 0; i < judged->len; i++)
		doubt_one(guard, judged->pdata[i], result);
	result->verdict = is_refused       ? USHER_VERDICT_REFUSED
		: result->reasons->len > 0 ? USHER_VERDICT_UNKNOWN
					   : USHER_VERDICT_FREE;
	g_assert((result->verdict == USHER_VERDICT_FREE) == (result->reasons->len == 0));
	return result;
}

UsherGuardResult *usher_guard_judge(const UsherInventory *inventory, const UsherDevice *device)
{
	g_autoptr(UsherGuard) guard = usher_guard_new(inventory);
	g_autoptr(GPtrArray) near = usher_inventory_near(inventory, device);
	return usher_guard_ask(guard, device, near);
}

char *usher_guard_explain(const UsherGuardResult *result)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < result->reasons->len; i++) {
		const UsherGuardReason *reason = result->reasons->pdata[i];
		g_string_append_printf(
			text, "%s%s %s", i > 0 ? "; " : "", reason->device, reason->why);
		for (unsigned j = 0; j < reason->proof->len; j++)
			g_string_append_printf(text, "%s%s", j > 0 ? " → " : " (",
				(const char *) reason->proof->pdata[j]);
		if (reason->proof->len > 0)
			g_string_append_c(text, ')');
	}
	if (result->reasons->len == 0)
		g_string_append(text, "the host does not need it");
	return g_string_free(text, FALSE);
}
