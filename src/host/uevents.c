/* SPDX-License-Identifier: Apache-2.0 */
#include "host/uevents.h"

#include <errno.h>
#include <glib-unix.h>
#include <libudev.h>

#include "base/error.h"
#include "host/pci-path.h"

#define BURST_MS  100
#define BATCH_MAX 64 /* then others of the loop have their turn */
/* Of the socket: a thousand functions that come or go make some thousand events. */
#define BUFFER_SIZE (8 * 1024 * 1024)

/* "kernel": also where no udevd runs, and what its rules do makes events again. "udev" of disks: it
 * has looked what is on them. */
static const struct {
	const char *name;
	const char *subsystems[7];
} monitors[] = {
	{ "kernel", { "pci", "net", "block", "usb", "iommu", "mdev", NULL } },
	{ "udev", { "block", NULL } },
};

typedef struct Monitor {
	struct udev_monitor *monitor;
	GSource *source;
} Monitor;

struct UsherUevents {
	struct udev *udev;
	Monitor monitors[G_N_ELEMENTS(monitors)];
	GSource *timer;       /* NULL: no burst is being awaited */
	UsherUeventFunc each; /* NULL: nobody asked */
	UsherUeventsFunc func;
	void *data;
};

static gboolean on_burst_end(void *data)
{
	UsherUevents *uevents = data;
	g_clear_pointer(&uevents->timer, g_source_unref);
	uevents->func(uevents->data);
	return G_SOURCE_REMOVE;
}

static void begin_burst(UsherUevents *uevents)
{
	if (uevents->timer != NULL)
		return;
	uevents->timer = g_timeout_source_new(BURST_MS);
	g_source_set_callback(uevents->timer, on_burst_end, uevents, NULL);
	g_source_attach(uevents->timer, NULL);
}

/* A mediated device changes what is left on its parent. */
static void tell(UsherUevents *uevents, struct udev_device *device)
{
	const char *subsystem = udev_device_get_subsystem(device);
	const char *path = udev_device_get_devpath(device);
	bool is_function = g_strcmp0(subsystem, "pci") == 0 || g_strcmp0(subsystem, "mdev") == 0;
	g_autofree char *address = is_function && path != NULL ? usher_pci_path_last(path) : NULL;
	if (uevents->each != NULL)
		uevents->each(address, uevents->data);
}

/* All that wait. Events too many (ENOBUFS) may have been anything. */
static gboolean on_event(int fd, GIOCondition condition, void *data)
{
	(void) condition;
	UsherUevents *uevents = data;
	unsigned which = 0;
	while (udev_monitor_get_fd(uevents->monitors[which].monitor) != fd)
		which++;
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		errno = 0;
		struct udev_device *device =
			udev_monitor_receive_device(uevents->monitors[which].monitor);
		if (device == NULL) {
			if (errno != EAGAIN && uevents->each != NULL)
				uevents->each(NULL, uevents->data);
			break;
		}
		tell(uevents, device);
		(void) udev_device_unref(device);
	}
	begin_burst(uevents);
	return G_SOURCE_CONTINUE;
}

static bool open_monitor(UsherUevents *uevents, unsigned which)
{
	Monitor *own = &uevents->monitors[which];
	own->monitor = udev_monitor_new_from_netlink(uevents->udev, monitors[which].name);
	if (own->monitor == NULL)
		return false;
	for (unsigned i = 0; monitors[which].subsystems[i] != NULL; i++) {
		if (udev_monitor_filter_add_match_subsystem_devtype(
			    own->monitor, monitors[which].subsystems[i], NULL) < 0)
			return false;
	}
	/* Without the right to, it stays as it is. */
	(void) udev_monitor_set_receive_buffer_size(own->monitor, BUFFER_SIZE);
	if (udev_monitor_enable_receiving(own->monitor) < 0)
		return false;
	own->source = g_unix_fd_source_new(udev_monitor_get_fd(own->monitor), G_IO_IN);
	g_source_set_callback(own->source, G_SOURCE_FUNC(on_event), uevents, NULL);
	g_source_attach(own->source, NULL);
	return true;
}

static bool open_monitors(UsherUevents *uevents)
{
	uevents->udev = udev_new();
	bool is_open = uevents->udev != NULL;
	for (unsigned i = 0; is_open && i < G_N_ELEMENTS(monitors); i++)
		is_open = open_monitor(uevents, i);
	return is_open;
}

UsherUevents *usher_uevents_new(UsherUeventsFunc func, void *data, GError **error)
{
	g_autoptr(UsherUevents) uevents = g_new0(UsherUevents, 1);
	uevents->func = func;
	uevents->data = data;
	if (!open_monitors(uevents)) {
		usher_error_set(error, USHER_ERROR_HOST, "cannot listen to the kernel's events");
		return NULL;
	}
	return g_steal_pointer(&uevents);
}

void usher_uevents_tell_each(UsherUevents *uevents, UsherUeventFunc each)
{
	uevents->each = each;
}

static void drop_source(GSource *source)
{
	if (source == NULL)
		return;
	g_source_destroy(source);
	g_source_unref(source);
}

void usher_uevents_free(UsherUevents *uevents)
{
	if (uevents == NULL)
		return;
	drop_source(uevents->timer);
	for (unsigned i = 0; i < G_N_ELEMENTS(monitors); i++) {
		drop_source(uevents->monitors[i].source);
		if (uevents->monitors[i].monitor != NULL)
			(void) udev_monitor_unref(uevents->monitors[i].monitor);
	}
	if (uevents->udev != NULL)
		(void) udev_unref(uevents->udev);
	g_free(uevents);
}
