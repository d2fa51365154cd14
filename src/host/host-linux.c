/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host-linux.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "host/helper.h"
#include "host/holders.h"
#include "host/machine.h"
#include "host/scan.h"
#include "host/tree.h"
#include "host/uevents.h"
#include "host/vpd.h"

/* Mounts, routes and driver_override change without an event. */
#define LAST_MAX_US    (60 * G_USEC_PER_SEC)
#define VPD_TIMEOUT_US G_USEC_PER_SEC

/* What was seen last, and what has changed since. */
typedef struct Memory {
	GMutex looking;       /* one look at a time: a later one knows what an earlier one saw */
	UsherInventory *last; /* NULL: nothing */
	int64_t read_us;      /* when all of it was read */
	GMutex lock;          /* of what follows */
	GHashTable *dirty;    /* addresses */
	bool is_all_dirty;
	GHashTable *vpd; /* who it was asked of → serial number, "" when there is none */
} Memory;

typedef struct UsherHostLinux {
	UsherHost base;
	char *root;
	bool is_live;
	UsherHelper *helper; /* NULL: look only */
	UsherUevents *uevents;
	Memory memory;
	char *boot_id, *machine_id;
	UsherHostChanged func;
	void *data;
} UsherHostLinux;

static UsherHostLinux *linux_of(UsherHost *host)
{
	return (UsherHostLinux *) (void *) host;
}

static GHashTable *new_set(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

/* address NULL: something else than a PCI function, or nobody knows what. */
static void note_change(Memory *memory, const char *address)
{
	g_mutex_lock(&memory->lock);
	if (address == NULL)
		memory->is_all_dirty = true;
	else
		g_hash_table_add(memory->dirty, g_strdup(address));
	g_mutex_unlock(&memory->lock);
}

/* Before anything is read: what changes from now on is for the next look. NULL: all. */
static GHashTable *take_changes(Memory *memory)
{
	g_autoptr(GHashTable) empty = new_set();
	g_mutex_lock(&memory->lock);
	bool is_all = memory->is_all_dirty;
	memory->is_all_dirty = false;
	g_autoptr(GHashTable) dirty = g_steal_pointer(&memory->dirty);
	memory->dirty = g_steal_pointer(&empty);
	g_mutex_unlock(&memory->lock);
	return is_all ? NULL : g_steal_pointer(&dirty);
}

/* Without the kernel's events nothing is known of what changed. */
static UsherInventory *look_again(UsherHostLinux *self, GHashTable *dirty, GError **error)
{
	Memory *memory = &self->memory;
	bool is_known = self->uevents != NULL && memory->last != NULL && dirty != NULL &&
		g_get_monotonic_time() - memory->read_us < LAST_MAX_US;
	if (!is_known)
		return NULL;
	if (g_hash_table_size(dirty) == 0)
		return usher_inventory_ref(memory->last);
	return usher_scan_again(self->root, self->helper, memory->last, dirty, error);
}

/* Once for each card and boot, and only where reading it disturbs nobody: it wakes the device. */
static void learn_vpd(UsherHostLinux *self, UsherDevice *device)
{
	if (!usher_vpd_is_asked(device) || device->facts == NULL ||
		g_strcmp0(device->driver, "vfio-pci") == 0)
		return;
	g_autofree char *path = g_strdup_printf("/sys/bus/pci/devices/%s/vpd", device->address);
	g_autofree char *identity = usher_device_identity(device);
	char *key = g_strconcat(device->address, " ", identity, " ",
		device->facts->serial != NULL ? device->facts->serial : "", NULL);
	const char *known = g_hash_table_lookup(self->memory.vpd, key);
	if (known == NULL && g_file_test(path, G_FILE_TEST_EXISTS)) {
		char *serial = usher_helper_read_vpd(self->helper, device->address, VPD_TIMEOUT_US);
		known = serial != NULL ? serial : g_strdup("");
		g_hash_table_insert(
			self->memory.vpd, g_steal_pointer(&key), (void *) (uintptr_t) known);
	}
	g_free(key);
	if (known != NULL && known[0] != '\0')
		device->facts->vpd_serial = g_strdup(known);
}

static UsherInventory *look_alone(UsherHostLinux *self, UsherLookKind kind, GError **error)
{
	Memory *memory = &self->memory;
	g_autoptr(GHashTable) dirty = take_changes(memory);
	int64_t now = g_get_monotonic_time();
	UsherInventory *seen = kind == USHER_LOOK_CHANGES ? look_again(self, dirty, NULL) : NULL;
	if (seen == NULL) {
		seen = usher_scan(self->root, self->helper, error);
		/* Nobody else has it yet. */
		for (unsigned i = 0; seen != NULL && self->helper != NULL && i < seen->devices->len;
			i++)
			learn_vpd(self, seen->devices->pdata[i]);
		memory->read_us = now;
	}
	if (seen == NULL)
		note_change(memory, NULL);
	g_clear_pointer(&memory->last, usher_inventory_unref);
	memory->last = seen != NULL ? usher_inventory_ref(seen) : NULL;
	return seen;
}

static UsherInventory *look(UsherHost *host, UsherLookKind kind, GError **error)
{
	UsherHostLinux *self = linux_of(host);
	g_mutex_lock(&self->memory.looking);
	UsherInventory *seen = look_alone(self, kind, error);
	g_mutex_unlock(&self->memory.looking);
	return seen;
}

/* udevd looks at what has just come, and lets go. */
static bool is_passing(const UsherHolder *holder)
{
	return strstr(holder->name, "udev") != NULL;
}

/* A process that has a node of it open would be cut off, or would keep the driver from leaving. */
static bool is_unheld(UsherHostLinux *self, const char *address, GError **error)
{
	g_autoptr(UsherTree) tree = usher_tree_open(self->root, error);
	g_autoptr(UsherInventory) seen =
		tree != NULL ? look(&self->base, USHER_LOOK_CHANGES, error) : NULL;
	if (seen == NULL)
		return false;
	unsigned unseen;
	g_autoptr(GPtrArray) holders = usher_holders_find(tree, seen, &unseen);
	for (unsigned i = 0; i < holders->len; i++) {
		const UsherHolder *holder = holders->pdata[i];
		bool is_its = strcmp(holder->address, address) == 0 ||
			g_strcmp0(holder->controller, address) == 0;
		if (!is_its || is_passing(holder))
			continue;
		usher_error_set(error, USHER_ERROR_BUSY,
			"%s is held by a process: %s (pid %" G_GINT64_FORMAT ") has %s open",
			address, holder->name, holder->pid, (const char *) holder->paths->pdata[0]);
		return false;
	}
	return true;
}

/* The helper's words for each host step; a step without a device is not written to one. */
static bool apply(UsherHost *host, const UsherStep *step, int64_t timeout_us, GError **error)
{
	static const char *const commands[USHER_STEP_N_KINDS] = {
		[USHER_STEP_LOAD_MODULE] = "load-module",
		[USHER_STEP_SET_OVERRIDE] = "override",
		[USHER_STEP_UNBIND] = "unbind",
		[USHER_STEP_BIND] = "bind",
	};
	UsherHostLinux *self = linux_of(host);
	g_assert(step->kind < USHER_STEP_N_KINDS && commands[step->kind] != NULL);
	if (self->helper == NULL) {
		usher_error_set(error, USHER_ERROR_DENIED, "this host can only be looked at");
		return false;
	}
	const char *text = step->driver != NULL ? step->driver : "--none";
	const char *of_module[] = { commands[step->kind], text, NULL };
	const char *of_device[] = { commands[step->kind], step->address, step->identity, text,
		NULL };
	if (step->kind == USHER_STEP_LOAD_MODULE)
		return usher_helper_run(self->helper, NULL, of_module, timeout_us, error);
	g_assert(step->address != NULL && step->identity != NULL);
	g_assert(step->driver != NULL || step->kind == USHER_STEP_SET_OVERRIDE);
	if (step->takes && step->kind == USHER_STEP_UNBIND &&
		!is_unheld(self, step->address, error))
		return false;
	/* Not all that is written makes an event, and none is here before this returns. */
	bool is_done = usher_helper_run(self->helper, step->address, of_device, timeout_us, error);
	note_change(&self->memory, step->address);
	return is_done;
}

static bool in_flight(UsherHost *host, const char *address)
{
	UsherHostLinux *self = linux_of(host);
	return self->helper != NULL && usher_helper_is_out(self->helper, address);
}

static const char *boot_id(UsherHost *host)
{
	return linux_of(host)->boot_id;
}

static const char *machine_id(UsherHost *host)
{
	return linux_of(host)->machine_id;
}

static void on_changed(void *data)
{
	UsherHostLinux *self = data;
	self->func(self->data);
}

/* A write that was out has come back, one knows not how. */
static void on_back(void *data)
{
	UsherHostLinux *self = data;
	note_change(&self->memory, NULL);
	self->func(self->data);
}

static void on_event(const char *address, void *data)
{
	UsherHostLinux *self = data;
	note_change(&self->memory, address);
}

/* Without the kernel's events whoever watches still looks by the clock. */
static void watch(UsherHost *host, UsherHostChanged func, void *data)
{
	UsherHostLinux *self = linux_of(host);
	self->func = func;
	self->data = data;
	g_clear_pointer(&self->uevents, usher_uevents_free);
	if (!self->is_live)
		return;
	note_change(&self->memory, NULL);
	if (func != NULL)
		self->uevents = usher_uevents_new(on_changed, self, NULL);
	if (self->uevents != NULL)
		usher_uevents_tell_each(self->uevents, on_event);
	if (self->helper != NULL)
		usher_helper_watch(self->helper, func != NULL ? on_back : NULL, self);
}

static void free_host(UsherHost *host)
{
	UsherHostLinux *self = linux_of(host);
	usher_uevents_free(self->uevents);
	usher_helper_free(self->helper);
	g_clear_pointer(&self->memory.last, usher_inventory_unref);
	g_hash_table_unref(self->memory.dirty);
	g_hash_table_unref(self->memory.vpd);
	g_mutex_clear(&self->memory.looking);
	g_mutex_clear(&self->memory.lock);
	g_free(self->boot_id);
	g_free(self->machine_id);
	g_free(self->root);
	g_free(self);
}

static const UsherHostOps ops = {
	.name = "linux",
	.look = look,
	.apply = apply,
	.in_flight = in_flight,
	.boot_id = boot_id,
	.machine_id = machine_id,
	.watch = watch,
	.free = free_host,
};

UsherHost *usher_host_linux_new(const char *root, const char *helper, GError **error)
{
	g_autoptr(UsherTree) tree = usher_tree_open(root, error);
	if (tree == NULL)
		return NULL;
	UsherHostLinux *self = g_new0(UsherHostLinux, 1);
	self->base.ops = &ops;
	self->root = g_strdup(root);
	g_mutex_init(&self->memory.looking);
	g_mutex_init(&self->memory.lock);
	self->memory.dirty = new_set();
	self->memory.vpd = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	self->memory.is_all_dirty = true;
	self->is_live = usher_tree_is_live(tree);
	self->boot_id = usher_machine_boot_id(tree);
	self->machine_id = usher_machine_id(tree);
	if (self->is_live && helper != NULL)
		self->helper = usher_helper_new(helper);
	return &self->base;
}
