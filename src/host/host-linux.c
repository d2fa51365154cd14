/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host-linux.h"

#include "base/error.h"
#include "base/text.h"
#include "host/helper.h"
#include "host/machine.h"
#include "host/scan.h"
#include "host/tree.h"
#include "host/uevents.h"

typedef struct UsherHostLinux {
	UsherHost base;
	char *root;
	bool is_live;
	UsherHelper *helper; /* NULL: look only */
	UsherUevents *uevents;
	char *boot_id, *machine_id;
	UsherHostChanged func;
	void *data;
} UsherHostLinux;

static UsherHostLinux *linux_of(UsherHost *host)
{
	return (UsherHostLinux *) (void *) host;
}

static UsherInventory *look(UsherHost *host, GError **error)
{
	UsherHostLinux *self = linux_of(host);
	return usher_scan(self->root, self->helper, error);
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
	return usher_helper_run(self->helper, step->address, of_device, timeout_us, error);
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

/* Without the kernel's events whoever watches still looks by the clock. */
static void watch(UsherHost *host, UsherHostChanged func, void *data)
{
	UsherHostLinux *self = linux_of(host);
	self->func = func;
	self->data = data;
	g_clear_pointer(&self->uevents, usher_uevents_free);
	if (!self->is_live)
		return;
	self->uevents = usher_uevents_new(on_changed, self, NULL);
	if (self->helper != NULL)
		usher_helper_watch(self->helper, on_changed, self);
}

static void free_host(UsherHost *host)
{
	UsherHostLinux *self = linux_of(host);
	usher_uevents_free(self->uevents);
	usher_helper_free(self->helper);
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
	self->is_live = usher_tree_is_live(tree);
	self->boot_id = usher_machine_boot_id(tree);
	self->machine_id = usher_machine_id(tree);
	if (self->is_live && helper != NULL)
		self->helper = usher_helper_new(helper);
	return &self->base;
}
