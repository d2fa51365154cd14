/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/host-bed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/host-linux.h"

#define DEVICES "/sys/bus/pci/devices/"

/* What a guest has open of one group: all of it is let go together with its last device. */
typedef struct Opened {
	char *user;
	char *group;
	int container, group_fd;
	GHashTable *devices; /* address → descriptor */
} Opened;

typedef struct RealBed {
	HostBed base;
	GPtrArray *opened;
} RealBed;

static void opened_free(void *data)
{
	Opened *opened = data;
	GHashTableIter iter;
	void *fd;
	g_hash_table_iter_init(&iter, opened->devices);
	while (g_hash_table_iter_next(&iter, NULL, &fd))
		usher_fd_close(GPOINTER_TO_INT(fd));
	g_hash_table_unref(opened->devices);
	usher_fd_close(opened->group_fd);
	usher_fd_close(opened->container);
	g_free(opened->group);
	g_free(opened->user);
	g_free(opened);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Opened, opened_free)

static char *group_of(const char *address)
{
	g_autofree char *path = g_strconcat(DEVICES, address, "/iommu_group", NULL);
	g_autofree char *target = usher_link_read(AT_FDCWD, path, NULL);
	return target != NULL ? g_path_get_basename(target) : NULL;
}

static int open_node(const char *path, int *out_fd)
{
	g_autoptr(GError) error = NULL;
	*out_fd = usher_fd_open(AT_FDCWD, path, O_RDWR, &error);
	return *out_fd >= 0 ? 0 : usher_error_errnum(error);
}

/* As QEMU opens a group; 0 or the errno of what refuses. That the group calls itself viable and the
 * container takes it must be the same. */
static int open_group(Opened *opened)
{
	g_autofree char *path = g_strconcat("/dev/vfio/", opened->group, NULL);
	int errnum = open_node(path, &opened->group_fd);
	if (errnum != 0)
		return errnum;
	g_assert_cmpint(open_node("/dev/vfio/vfio", &opened->container), ==, 0);
	struct vfio_group_status status = { .argsz = sizeof status };
	g_assert_cmpint(ioctl(opened->group_fd, VFIO_GROUP_GET_STATUS, &status), ==, 0);
	if (ioctl(opened->group_fd, VFIO_GROUP_SET_CONTAINER, &opened->container) != 0)
		errnum = errno;
	g_assert_cmpint(errnum == 0, ==, (status.flags & VFIO_GROUP_FLAGS_VIABLE) != 0);
	if (errnum == 0)
		g_assert_cmpint(
			ioctl(opened->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), ==, 0);
	return errnum;
}

static Opened *find_opened(const RealBed *self, const char *group, const char *user)
{
	for (unsigned i = 0; i < self->opened->len; i++) {
		Opened *opened = self->opened->pdata[i];
		if (strcmp(opened->user, user) == 0 && strcmp(opened->group, group) == 0)
			return opened;
	}
	return NULL;
}

static int open_in_group(Opened *opened, const char *address)
{
	int fd = ioctl(opened->group_fd, VFIO_GROUP_GET_DEVICE_FD, address);
	if (fd < 0)
		return errno;
	g_hash_table_replace(opened->devices, g_strdup(address), GINT_TO_POINTER(fd));
	return 0;
}

static int open_device(HostBed *bed, const char *address, const char *user)
{
	RealBed *self = (RealBed *) bed;
	g_autofree char *group = group_of(address);
	if (group == NULL)
		return ENOENT;
	Opened *known = find_opened(self, group, user);
	if (known != NULL)
		return open_in_group(known, address);
	g_autoptr(Opened) opened = g_new0(Opened, 1);
	opened->user = g_strdup(user);
	opened->group = g_steal_pointer(&group);
	opened->container = opened->group_fd = -1;
	opened->devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	int errnum = open_group(opened);
	if (errnum == 0)
		errnum = open_in_group(opened, address);
	if (errnum == 0)
		g_ptr_array_add(self->opened, g_steal_pointer(&opened));
	return errnum;
}

static void close_device(HostBed *bed, const char *address)
{
	RealBed *self = (RealBed *) bed;
	for (unsigned i = self->opened->len; i-- > 0;) {
		Opened *opened = self->opened->pdata[i];
		void *fd;
		if (!g_hash_table_lookup_extended(opened->devices, address, NULL, &fd))
			continue;
		usher_fd_close(GPOINTER_TO_INT(fd));
		(void) g_hash_table_remove(opened->devices, address);
		if (g_hash_table_size(opened->devices) == 0)
			g_ptr_array_remove_index(self->opened, i);
	}
}

static int write_file(const char *path, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_auto(UsherFd) fd = usher_fd_open(AT_FDCWD, path, O_WRONLY, &error);
	if (fd >= 0 && usher_fd_write_once(fd, text, strlen(text), &error))
		return 0;
	return usher_error_errnum(error);
}

static int set_vfs(HostBed *bed, const char *address, const char *number)
{
	(void) bed;
	/* The functions are of no interest to their driver: it would probe them for seconds. */
	g_autofree char *probe = g_strconcat(DEVICES, address, "/sriov_drivers_autoprobe", NULL);
	g_assert_cmpint(write_file(probe, "0"), ==, 0);
	g_autofree char *path = g_strconcat(DEVICES, address, "/sriov_numvfs", NULL);
	return write_file(path, number);
}

static void ask_machine(const char *command, const char *arguments)
{
	static char program[] = USHER_SOURCE "/tests/vm/qmp";
	g_autofree char *one = g_strdup(command), *other = g_strdup(arguments);
	char *argv[] = { program, one, other, NULL };
	g_autofree char *said = NULL;
	g_autoptr(GError) error = NULL;
	int status;
	(void) g_spawn_sync(
		NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &said, NULL, &status, &error);
	g_assert_no_error(error);
	if (status != 0)
		g_error("%s %s: %s", command, arguments, said);
}

static void plug(HostBed *bed)
{
	(void) bed;
	ask_machine("device_add",
		"{\"driver\": \"e1000e\", \"bus\": \"hp1\", \"id\": \"hot\", \"romfile\": \"\"}");
}

static void unplug(HostBed *bed)
{
	(void) bed;
	ask_machine("device_del", "{\"id\": \"hot\"}");
}

static void rescan(HostBed *bed, const char *address)
{
	(void) bed;
	g_autofree char *path = g_strconcat(DEVICES, address, "/remove", NULL);
	g_assert_cmpint(write_file(path, "1"), ==, 0);
	g_assert_cmpint(write_file("/sys/bus/pci/rescan", "1"), ==, 0);
}

static gboolean is_over(void *data)
{
	*(bool *) data = true;
	return G_SOURCE_REMOVE;
}

static void pass(HostBed *bed, unsigned ms)
{
	(void) bed;
	bool over = false;
	(void) g_timeout_add(ms, is_over, &over);
	while (!over)
		(void) g_main_context_iteration(NULL, TRUE);
}

static void free_bed(HostBed *bed)
{
	RealBed *self = (RealBed *) bed;
	g_ptr_array_unref(self->opened);
	bed->host->ops->free(bed->host);
	g_free(self);
}

static const HostBedOps ops = {
	.name = "real",
	.open = open_device,
	.close = close_device,
	.set_vfs = set_vfs,
	.plug = plug,
	.unplug = unplug,
	.rescan = rescan,
	.pass = pass,
	.free = free_bed,
};

/* Its first process is the lab's own (tests/vm/runner.c): no other machine is driven about. */
static bool is_lab(void)
{
	g_autofree char *first = usher_link_read(AT_FDCWD, "/proc/1/exe", NULL);
	return getuid() == 0 && g_strcmp0(first, "/run/lab/runner") == 0;
}

HostBed *host_bed_real_new(GError **error)
{
	if (!is_lab()) {
		usher_error_set(error, USHER_ERROR_DENIED,
			"this is not the lab machine: its devices stay as they are");
		return NULL;
	}
	UsherHost *host = usher_host_linux_new("", USHER_HELPER, error);
	if (host == NULL)
		return NULL;
	RealBed *self = g_new0(RealBed, 1);
	self->base.ops = &ops;
	self->base.host = host;
	self->opened = g_ptr_array_new_with_free_func(opened_free);
	return &self->base;
}
