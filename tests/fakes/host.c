/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/host.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "core/pci-addr.h"
#include "fakes/events.h"

#define VFIO "vfio-pci"

/* An attribute is written in one page, newline and end included. */
#define OVERRIDE_MAX 4093

/* How long a write hangs that a fault made hang. */
#define HANG_US (25 * G_TIME_SPAN_SECOND)

typedef struct FakeDevice {
	char *address, *ids, *native;
	char *boot_driver, *boot_override; /* what it has after a boot */
	char *driver, *override;
	char *user;         /* the guest that has it open */
	bool user_is_known; /* the hypervisor has told that it has it */
	int64_t iommu_group;
	unsigned vfs, total_vfs;
	UsherStep *pending; /* a write that has not come back; done when it does */
	bool is_leaving;    /* pulled out, and somebody still has it */
} FakeDevice;

struct FakeHost {
	UsherHost port;
	UsherClock *clock;
	FakeFaults *faults;
	GPtrArray *devices; /* of FakeDevice, sorted by address */
	GHashTable *loaded; /* drivers */
	char *root;         /* address */
	unsigned boots;
	char boot_id[16];
	FakeEvents events;
	char *violation;
};

static void device_free(void *data)
{
	FakeDevice *device = data;
	g_free(device->address);
	g_free(device->ids);
	g_free(device->native);
	g_free(device->boot_driver);
	g_free(device->boot_override);
	g_free(device->driver);
	g_free(device->override);
	g_free(device->user);
	usher_step_free(device->pending);
	g_free(device);
}

static FakeDevice *find(FakeHost *fake, const char *address)
{
	for (unsigned i = 0; i < fake->devices->len; i++) {
		FakeDevice *device = fake->devices->pdata[i];
		if (strcmp(device->address, address) == 0)
			return device;
	}
	return NULL;
}

void fake_host_event(FakeHost *fake)
{
	fake_events_tell(&fake->events);
}

void fake_host_disturb_events(FakeHost *fake, unsigned one_in)
{
	fake_events_disturb(&fake->events, one_in);
}

const char *fake_host_violation(FakeHost *fake)
{
	return fake->violation;
}

static void violate(FakeHost *fake, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void violate(FakeHost *fake, const char *format, ...)
{
	if (fake->violation != NULL)
		return;
	va_list args;
	va_start(args, format);
	fake->violation = g_strdup_vprintf(format, args);
	va_end(args);
}

/* ---- the kernel ---- */

static bool is_vfio(const char *driver)
{
	return g_strcmp0(driver, VFIO) == 0;
}

static bool is_loaded(FakeHost *fake, const char *driver)
{
	return g_hash_table_contains(fake->loaded, driver);
}

/* The guest that has a device of the group open. */
static const char *group_user(FakeHost *fake, int64_t group)
{
	for (unsigned i = 0; group >= 0 && i < fake->devices->len; i++) {
		const FakeDevice *device = fake->devices->pdata[i];
		if (device->iommu_group == group && device->user != NULL)
			return device->user;
	}
	return NULL;
}

static bool matches(const FakeDevice *device, const char *driver)
{
	if (device->override != NULL && strcmp(device->override, driver) != 0)
		return false;
	return g_strcmp0(device->native, driver) == 0 ||
		(is_vfio(driver) && device->override != NULL);
}

static int kernel_bind(FakeHost *fake, FakeDevice *device, const char *driver)
{
	if (device->driver != NULL)
		return EBUSY;
	if (!matches(device, driver))
		return ENODEV;
	if (is_vfio(driver) && device->vfs > 0)
		return EBUSY;
	if (is_vfio(driver) && device->iommu_group < 0)
		return EINVAL;
	if (!is_vfio(driver) && group_user(fake, device->iommu_group) != NULL)
		return EBUSY;
	device->driver = g_strdup(driver);
	fake_host_event(fake);
	return 0;
}

static int kernel_unbind(FakeHost *fake, FakeDevice *device, const char *driver)
{
	if (g_strcmp0(device->driver, driver) != 0)
		return ENODEV;
	g_clear_pointer(&device->driver, g_free);
	fake_host_event(fake);
	return 0;
}

static int kernel_write(FakeHost *fake, FakeDevice *device, const UsherStep *step)
{
	switch ((UsherStepKind) step->kind) {
	case USHER_STEP_SET_OVERRIDE:
		if (step->driver != NULL && strlen(step->driver) > OVERRIDE_MAX)
			return EINVAL;
		g_free(device->override);
		device->override = g_strdup(step->driver);
		return 0;
	case USHER_STEP_UNBIND:
		return kernel_unbind(fake, device, step->driver);
	case USHER_STEP_BIND:
		return kernel_bind(fake, device, step->driver);
	case USHER_STEP_LOAD_MODULE:
	case USHER_STEP_GUEST_START:
	case USHER_STEP_GUEST_ASK_OFF:
	case USHER_STEP_GUEST_AWAIT_OFF:
	case USHER_STEP_GUEST_POWER_OFF:
	case USHER_STEP_GUEST_MARK:
	case USHER_STEP_GUEST_UNMARK:
	case USHER_STEP_GUEST_UNPLUG:
	case USHER_STEP_GUEST_EXAMINE:
	case USHER_STEP_N_KINDS:
		break;
	}
	g_assert_not_reached();
}

/* Each device that may be bound to the driver and has none is, as when the kernel finds it. */
static void kernel_load(FakeHost *fake, const char *driver)
{
	if (!g_hash_table_add(fake->loaded, g_strdup(driver)))
		return;
	for (unsigned i = 0; i < fake->devices->len; i++)
		(void) kernel_bind(fake, fake->devices->pdata[i], driver);
}

/* Somebody waits for the device's lock: what takes it waits as well. */
static bool is_locked(const FakeDevice *device)
{
	return device->pending != NULL || device->is_leaving;
}

/* Where the link in sysfs points to: it goes before the driver is asked to let go, and comes before
 * it is asked to take (drivers/base/dd.c). */
static const char *shown_driver(const FakeDevice *device)
{
	if (device->is_leaving)
		return NULL;
	if (device->pending != NULL && device->pending->kind == USHER_STEP_UNBIND)
		return NULL;
	if (device->pending != NULL && device->pending->kind == USHER_STEP_BIND &&
		device->driver == NULL)
		return device->pending->driver;
	return device->driver;
}

int fake_host_set_vfs(FakeHost *fake, const char *address, unsigned n)
{
	FakeDevice *device = find(fake, address);
	if (n > device->total_vfs)
		return ERANGE;
	if (n == device->vfs)
		return 0;
	if (device->driver == NULL || is_vfio(device->driver))
		return ENOENT;
	if (n > 0 && device->vfs > 0)
		return EBUSY;
	device->vfs = n;
	fake_host_event(fake);
	return 0;
}

/* ---- vfio ---- */

static bool group_is_viable(FakeHost *fake, int64_t group)
{
	for (unsigned i = 0; i < fake->devices->len; i++) {
		const FakeDevice *device = fake->devices->pdata[i];
		if (device->iommu_group == group && device->driver != NULL &&
			!is_vfio(device->driver))
			return false;
	}
	return true;
}

static bool group_has_vfio(FakeHost *fake, int64_t group)
{
	for (unsigned i = 0; group >= 0 && i < fake->devices->len; i++) {
		const FakeDevice *device = fake->devices->pdata[i];
		if (device->iommu_group == group && is_vfio(device->driver))
			return true;
	}
	return false;
}

/* The group's node, the node's open, the container, the device. */
static int vfio_open(FakeHost *fake, const FakeDevice *device, const char *user)
{
	if (device == NULL || !group_has_vfio(fake, device->iommu_group))
		return ENOENT;
	const char *other = group_user(fake, device->iommu_group);
	if (other != NULL && strcmp(other, user) != 0)
		return EBUSY;
	if (!group_is_viable(fake, device->iommu_group))
		return EPERM;
	return is_vfio(device->driver) && !is_locked(device) ? 0 : ENODEV;
}

int fake_host_open(FakeHost *fake, const char *address, const char *user)
{
	FakeDevice *device = find(fake, address);
	if (device != NULL && device->pending != NULL)
		violate(fake, "%s opens %s, which has a write on its way", user, address);
	int errnum = vfio_open(fake, device, user);
	if (errnum != 0)
		return errnum;
	g_free(device->user);
	device->user = g_strdup(user);
	device->user_is_known = false;
	return 0;
}

void fake_host_note_user(FakeHost *fake, const char *address)
{
	FakeDevice *device = find(fake, address);
	if (device != NULL)
		device->user_is_known = device->user != NULL;
}

static void come_back(FakeHost *fake, FakeDevice *device)
{
	g_autoptr(UsherStep) step = g_steal_pointer(&device->pending);
	(void) kernel_write(fake, device, step);
	fake_host_event(fake);
}

/* Of a device that is leaving, when nobody has it and no write is on its way to it any more. */
static void leave(FakeHost *fake, FakeDevice *device)
{
	g_assert(device->is_leaving);
	(void) g_ptr_array_remove(fake->devices, device);
	fake_host_event(fake);
}

void fake_host_close(FakeHost *fake, const char *address)
{
	FakeDevice *device = find(fake, address);
	if (device == NULL)
		return;
	g_clear_pointer(&device->user, g_free);
	if (device->is_leaving)
		leave(fake, device);
	else if (device->pending != NULL && device->pending->kind == USHER_STEP_UNBIND)
		come_back(fake, device);
}

const char *fake_host_user(FakeHost *fake, const char *address)
{
	const FakeDevice *device = find(fake, address);
	return device != NULL ? device->user : NULL;
}

/* ---- the steps ---- */

static bool is_true(const FakeDevice *device, const UsherStep *step)
{
	if (step->kind == USHER_STEP_SET_OVERRIDE)
		return !is_locked(device) && g_strcmp0(device->override, step->driver) == 0;
	if (step->kind == USHER_STEP_UNBIND)
		return shown_driver(device) == NULL;
	return g_strcmp0(shown_driver(device), step->driver) == 0;
}

typedef struct FakeHang {
	FakeHost *fake;
	char *address;
} FakeHang;

/* The kernel waits for the guest, however long that takes. */
static bool waits_for_user(const FakeDevice *device)
{
	return device->user != NULL &&
		(device->is_leaving || device->pending->kind == USHER_STEP_UNBIND);
}

static void end_hang(void *data)
{
	FakeHang *hang = data;
	FakeDevice *device = find(hang->fake, hang->address);
	if (device != NULL && device->pending != NULL && !waits_for_user(device)) {
		come_back(hang->fake, device);
		if (device->is_leaving)
			leave(hang->fake, device);
	}
	g_free(hang->address);
	g_free(hang);
}

static void begin_hang(FakeHost *fake, FakeDevice *device, const UsherStep *step)
{
	g_assert(device->pending == NULL);
	device->pending = usher_step_dup(step);
	FakeHang *hang = g_new0(FakeHang, 1);
	hang->fake = fake;
	hang->address = g_strdup(device->address);
	(void) fake->clock->ops->after(fake->clock, HANG_US, end_hang, hang);
}

/* As usher-helper makes of the kernel's errno. */
static bool refuse(int errnum, const char *text, GError **error)
{
	UsherErrorCode code = errnum == EBUSY         ? USHER_ERROR_BUSY
		: errnum == EPERM || errnum == EACCES ? USHER_ERROR_DENIED
						      : USHER_ERROR_HOST;
	usher_error_set(
		error, code, "%s: %s (%s)", text, g_strerror(errnum), strerrorname_np(errnum));
	return false;
}

/* What usher-helper sees before it writes. */
static bool may_write(
	FakeHost *fake, const FakeDevice *device, const UsherStep *step, GError **error)
{
	g_autofree char *text = usher_step_print(step);
	const char *driver = shown_driver(device);
	if (step->kind == USHER_STEP_UNBIND && strcmp(driver, step->driver) != 0)
		usher_error_set(
			error, USHER_ERROR_CONFLICT, "%s: it has the driver %s", text, driver);
	else if (step->kind == USHER_STEP_BIND && driver != NULL)
		usher_error_set(error, USHER_ERROR_BUSY, "%s: it has the driver %s", text, driver);
	else if (step->kind == USHER_STEP_BIND && !is_loaded(fake, step->driver))
		usher_error_set(error, USHER_ERROR_HOST, "%s: the driver %s is not loaded", text,
			step->driver);
	else
		return true;
	return false;
}

static bool write_step(FakeHost *fake, FakeDevice *device, const UsherStep *step, GError **error)
{
	g_autofree char *text = usher_step_print(step);
	if (device->user != NULL && device->user_is_known)
		violate(fake, "%s, while %s is known to have it", text, device->user);
	if (!may_write(fake, device, step, error))
		return false;
	if (device->is_leaving || (step->kind == USHER_STEP_UNBIND && device->user != NULL)) {
		device->pending = usher_step_dup(step);
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "%s: it has not come back", text);
		return false;
	}
	int errnum = kernel_write(fake, device, step);
	if (errnum != 0)
		return refuse(errnum, text, error);
	g_assert(is_true(device, step));
	return true;
}

/* What goes into a path or a kernel write as it is: usher-helper takes no other. */
static bool is_plain(const UsherStep *step, GError **error)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.";
	const char *text = step->driver;
	if (text == NULL ||
		(text[0] != '\0' && text[0] != '.' && text[0] != '-' &&
			strspn(text, letters) == strlen(text)))
		return true;
	usher_error_set(error, USHER_ERROR_INVALID, "'%s' is no name of a driver", text);
	return false;
}

/* The device, after making sure that it is the one that was meant. */
static FakeDevice *find_meant(FakeHost *fake, const UsherStep *step, GError **error)
{
	UsherPciAddr addr;
	if (!is_plain(step, error) || !usher_pci_addr_parse(step->address, &addr, error))
		return NULL;
	FakeDevice *device = find(fake, step->address);
	if (device == NULL)
		usher_error_set(
			error, USHER_ERROR_NOT_FOUND, "there is no device %s", step->address);
	else if (strcmp(device->ids, step->identity) != 0)
		usher_error_set(error, USHER_ERROR_CONFLICT, "%s is %s, not %s", step->address,
			device->ids, step->identity);
	else
		return device;
	return NULL;
}

static bool is_in_flight(FakeHost *fake, const char *address)
{
	const FakeDevice *device = find(fake, address);
	return device != NULL && device->pending != NULL;
}

static bool apply_to_device(FakeHost *fake, const UsherStep *step, FakeCall call, GError **error)
{
	g_assert(step->address != NULL && step->identity != NULL);
	g_assert(step->driver != NULL || step->kind == USHER_STEP_SET_OVERRIDE);
	if (is_in_flight(fake, step->address)) {
		usher_error_set(error, USHER_ERROR_UNAVAILABLE,
			"%s: a write to it has not come back", step->address);
		return false;
	}
	FakeDevice *device = find_meant(fake, step, error);
	if (device == NULL)
		return false;
	if (!is_true(device, step))
		fake_faults_tell(fake->faults, usher_step_kind_name(step->kind), step->address);
	if (call == FAKE_CALL_DO_LATE) {
		begin_hang(fake, device, step);
		return false;
	}
	return is_true(device, step) || write_step(fake, device, step, error);
}

static bool load_module(FakeHost *fake, const char *name, GError **error)
{
	if (is_vfio(name) || is_loaded(fake, name)) {
		kernel_load(fake, name);
		return true;
	}
	usher_error_set(error, USHER_ERROR_HOST,
		"load the module %s: this kernel has no such module", name);
	return false;
}

static bool fake_apply(UsherHost *host, const UsherStep *step, int64_t timeout_us, GError **error)
{
	FakeHost *fake = (FakeHost *) host;
	(void) timeout_us;
	g_assert(usher_step_kind_is_host(step->kind));
	g_autoptr(GError) fault = NULL;
	FakeCall call = fake_faults_call(fake->faults, FAKE_NODE, "host.apply", &fault);
	if (call == FAKE_CALL_REFUSE) {
		g_propagate_error(error, g_steal_pointer(&fault));
		return false;
	}
	bool is_done;
	g_autoptr(GError) problem = NULL;
	if (step->kind == USHER_STEP_LOAD_MODULE)
		is_done = load_module(fake, step->driver, &problem);
	else
		is_done = apply_to_device(fake, step, call, &problem);
	if (fault != NULL) {
		g_propagate_error(error, g_steal_pointer(&fault));
		return false;
	}
	if (!is_done)
		g_propagate_error(error, g_steal_pointer(&problem));
	return is_done;
}

static UsherDevice *facts_of(const FakeDevice *device)
{
	g_auto(GStrv) ids = g_strsplit(device->ids, ":", 3);
	uint32_t class_code = (uint32_t) g_ascii_strtoull(ids[2], NULL, 16);
	UsherDevice *facts = usher_device_new();
	facts->address = g_strdup(device->address);
	facts->vendor_id = g_strdup(ids[0]);
	facts->device_id = g_strdup(ids[1]);
	facts->class_code = g_strdup(ids[2]);
	facts->type = usher_device_type_of_class(class_code);
	facts->facts = usher_device_facts_new();
	facts->facts->path = g_strdup(device->address); /* there are no bridges here */
	facts->driver = g_strdup(shown_driver(device));
	facts->driver_override_unknown = is_locked(device);
	if (!is_locked(device))
		facts->driver_override = g_strdup(device->override);
	if (device->total_vfs > 0)
		facts->sriov_total = device->total_vfs;
	facts->iommu_group = device->iommu_group < 0 ? USHER_INT_NULL : device->iommu_group;
	return facts;
}

static void add_root(const FakeHost *fake, UsherInventory *inventory)
{
	if (fake->root == NULL)
		return;
	UsherBlock *block = g_new0(UsherBlock, 1);
	block->name = g_strdup("sda");
	block->devno = g_strdup("8:0");
	block->pci = g_strdup(fake->root);
	block->slaves = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(inventory->blocks, block);
	UsherMount *mount = g_new0(UsherMount, 1);
	mount->devno = g_strdup("8:0");
	mount->source = g_strdup("/dev/sda");
	mount->target = g_strdup("/");
	mount->type = g_strdup("ext4");
	g_ptr_array_add(inventory->mounts, mount);
}

static UsherInventory *fake_look(UsherHost *host, UsherLookKind kind, GError **error)
{
	(void) kind;
	FakeHost *fake = (FakeHost *) host;
	g_autoptr(GError) fault = NULL;
	FakeCall call = fake_faults_call(fake->faults, FAKE_NODE, "host.look", &fault);
	if (call != FAKE_CALL_DO) {
		g_propagate_error(error, g_steal_pointer(&fault));
		return NULL;
	}
	UsherInventory *inventory = usher_inventory_new();
	for (unsigned i = 0; i < fake->devices->len; i++)
		g_ptr_array_add(inventory->devices, facts_of(fake->devices->pdata[i]));
	add_root(fake, inventory);
	inventory->has_iommu = inventory->blocks_known = inventory->routes_known = true;
	inventory->claims_known = inventory->inputs_known = true;
	inventory->other_console = true;
	usher_inventory_finish(inventory);
	return inventory;
}

static bool fake_in_flight(UsherHost *host, const char *address)
{
	return is_in_flight((FakeHost *) host, address);
}

static const char *fake_boot_id(UsherHost *host)
{
	return ((FakeHost *) host)->boot_id;
}

static const char *fake_machine_id(UsherHost *host)
{
	(void) host;
	return "machine-1";
}

static void fake_watch(UsherHost *host, UsherHostChanged func, void *data)
{
	FakeHost *fake = (FakeHost *) host;
	fake->events.func = func;
	fake->events.data = data;
}

static void fake_free(UsherHost *host)
{
	fake_host_free((FakeHost *) host);
}

static const UsherHostOps ops = {
	.name = "fake",
	.look = fake_look,
	.apply = fake_apply,
	.in_flight = fake_in_flight,
	.boot_id = fake_boot_id,
	.machine_id = fake_machine_id,
	.watch = fake_watch,
	.free = fake_free,
};

/* ---- the bed's side ---- */

FakeHost *fake_host_new(UsherClock *clock, FakeFaults *faults)
{
	FakeHost *fake = g_new0(FakeHost, 1);
	fake->port.ops = &ops;
	fake->clock = clock;
	fake->faults = faults;
	fake->events.clock = clock;
	fake->devices = g_ptr_array_new_with_free_func(device_free);
	fake->loaded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	fake_host_reboot(fake);
	return fake;
}

void fake_host_free(FakeHost *fake)
{
	g_ptr_array_unref(fake->devices);
	g_hash_table_unref(fake->loaded);
	g_free(fake->root);
	g_free(fake->violation);
	g_free(fake);
}

UsherHost *fake_host_port(FakeHost *fake)
{
	return &fake->port;
}

static int compare_devices(const void *one, const void *other)
{
	const FakeDevice *const *a = one, *const *b = other;
	return strcmp((*a)->address, (*b)->address);
}

void fake_host_add(FakeHost *fake, const char *address, const char *ids, const char *native,
	int64_t iommu_group)
{
	FakeDevice *device = g_new0(FakeDevice, 1);
	device->address = g_strdup(address);
	device->ids = g_strdup(ids);
	device->native = g_strdup(native);
	device->boot_driver = g_strdup(native);
	device->iommu_group = iommu_group;
	g_ptr_array_add(fake->devices, device);
	g_ptr_array_sort(fake->devices, compare_devices);
	if (native != NULL) {
		(void) g_hash_table_add(fake->loaded, g_strdup(native));
		(void) kernel_bind(fake, device, native);
	}
	fake_host_event(fake);
}

void fake_host_set_total_vfs(FakeHost *fake, const char *address, unsigned n)
{
	find(fake, address)->total_vfs = n;
}

void fake_host_set_home(
	FakeHost *fake, const char *address, const char *driver, const char *override)
{
	FakeDevice *device = find(fake, address);
	g_free(device->boot_driver);
	device->boot_driver = g_strdup(driver);
	g_free(device->driver);
	device->driver = g_strdup(driver);
	if (driver != NULL)
		(void) g_hash_table_add(fake->loaded, g_strdup(driver));
	g_free(device->boot_override);
	device->boot_override = g_strdup(override);
	g_free(device->override);
	device->override = g_strdup(override);
	fake_host_event(fake);
}

void fake_host_remove(FakeHost *fake, const char *address)
{
	FakeDevice *device = find(fake, address);
	device->is_leaving = true;
	if (device->user == NULL && device->pending == NULL)
		leave(fake, device);
	else
		fake_host_event(fake);
}

void fake_host_reboot(FakeHost *fake)
{
	g_snprintf(fake->boot_id, sizeof fake->boot_id, "boot-%u", ++fake->boots);
	g_hash_table_remove_all(fake->loaded);
	for (unsigned i = fake->devices->len; i-- > 0;) {
		if (((const FakeDevice *) fake->devices->pdata[i])->is_leaving)
			g_ptr_array_remove_index(fake->devices, i);
	}
	for (unsigned i = 0; i < fake->devices->len; i++) {
		FakeDevice *device = fake->devices->pdata[i];
		g_free(device->driver);
		device->driver = g_strdup(device->boot_driver);
		if (device->driver != NULL)
			(void) g_hash_table_add(fake->loaded, g_strdup(device->driver));
		if (device->native != NULL)
			(void) g_hash_table_add(fake->loaded, g_strdup(device->native));
		device->vfs = 0;
		g_free(device->override);
		device->override = g_strdup(device->boot_override);
		g_clear_pointer(&device->user, g_free);
		g_clear_pointer(&device->pending, usher_step_free);
	}
}

void fake_host_mount_root(FakeHost *fake, const char *address)
{
	g_free(fake->root);
	fake->root = g_strdup(address);
}

bool fake_host_has(FakeHost *fake, const char *address)
{
	return find(fake, address) != NULL;
}

const char *fake_host_ids(FakeHost *fake, const char *address)
{
	const FakeDevice *device = find(fake, address);
	return device != NULL ? device->ids : NULL;
}

const char *fake_host_driver(FakeHost *fake, const char *address)
{
	const FakeDevice *device = find(fake, address);
	return device != NULL ? device->driver : NULL;
}

const char *fake_host_override(FakeHost *fake, const char *address)
{
	const FakeDevice *device = find(fake, address);
	return device != NULL ? device->override : NULL;
}

bool fake_host_is_home(FakeHost *fake, const char *address)
{
	const FakeDevice *device = find(fake, address);
	return device == NULL ||
		(g_strcmp0(device->driver, device->boot_driver) == 0 &&
			g_strcmp0(device->override, device->boot_override) == 0);
}

GPtrArray *fake_host_addresses(FakeHost *fake)
{
	GPtrArray *addresses = g_ptr_array_new();
	for (unsigned i = 0; i < fake->devices->len; i++) {
		FakeDevice *device = fake->devices->pdata[i];
		g_ptr_array_add(addresses, device->address);
	}
	return addresses;
}
