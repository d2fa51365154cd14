/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libvirt back end against libvirt's own test driver, which lives in this process and needs no
 * root: what is listed, marked, started and ended, and that events arrive. It has no real devices,
 * so they are only on paper; it knows neither the power button nor taking a device out.
 */
#include <dlfcn.h>
#include <string.h>

#include <glib/gstdio.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "core/guest-info.h"
#include "guests/libvirt/libvirt.h"
#include "guests/libvirt/xml.h"

#define URI   "test:///default"
#define VM    "win11"
#define UUID  "0f5ee4b3-5d35-4a3f-8a1c-1f8f1f6d0a01"
#define OTHER "0f5ee4b3-5d35-4a3f-8a1c-1f8f1f6d0aff"
#define LEASE "l-aaaaaaaaaa"

static const char definition[] =
	"<domain type='test'><name>" VM "</name><uuid>" UUID "</uuid><memory>8192</memory>"
	"<os><type machine='q35'>hvm</type></os><devices>"
	"<controller type='pci' index='0' model='pcie-root'/>"
	"<controller type='pci' index='1' model='pcie-root-port'/>"
	"<controller type='pci' index='2' model='pcie-root-port'/>"
	"<graphics type='vnc' port='5901' passwd='s3cret'/>"
	"</devices></domain>";

typedef struct World {
	virConnectPtr libvirt; /* keeps the driver's world alive, and looks at it from aside */
	virDomainPtr domain;
	UsherGuest *guest;
	unsigned n_changed;
} World;

/* What a start meets in libvirt; gives what virDomainCreateXML is to answer. */
typedef virDomainPtr (*Accident)(virConnectPtr libvirt, const char *xml, virDomainPtr started);
static Accident accident;

/* Stands before libvirt's own in this program. */
virDomainPtr virDomainCreateXML(virConnectPtr libvirt, const char *xml, unsigned flags)
{
	virDomainPtr (*create)(virConnectPtr libvirt, const char *xml, unsigned flags);
	*(void **) &create = dlsym(RTLD_NEXT, "virDomainCreateXML");
	virDomainPtr started = create(libvirt, xml, flags);
	return accident != NULL ? accident(libvirt, xml, started) : started;
}

static void on_changed(void *data)
{
	((World *) data)->n_changed++;
}

/* Lets the main loop run until there were more changes, at most five seconds. */
static void await_change(World *world, unsigned before)
{
	int64_t until = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
	while (world->n_changed == before && g_get_monotonic_time() < until)
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(1000);
	g_assert_cmpuint(world->n_changed, >, before);
}

static void set_up(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	world->guest = usher_guest_libvirt_new(URI, &error);
	g_assert_no_error(error);
	world->libvirt = virConnectOpen(URI);
	g_assert_nonnull(world->libvirt);
	world->domain = virDomainDefineXML(world->libvirt, definition);
	g_assert_nonnull(world->domain);
	world->guest->ops->watch(world->guest, on_changed, world);
	await_change(world, 0);
}

static void tear_down(World *world, const void *data G_GNUC_UNUSED)
{
	accident = NULL;
	world->guest->ops->free(world->guest);
	(void) virDomainFree(world->domain);
	(void) virConnectClose(world->libvirt);
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static const UsherGuestInfo *find(const GPtrArray *guests, const char *name)
{
	for (unsigned i = 0; guests != NULL && i < guests->len; i++) {
		const UsherGuestInfo *info = guests->pdata[i];
		if (strcmp(info->name, name) == 0)
			return info;
	}
	return NULL;
}

static GPtrArray *list(World *world)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *guests = world->guest->ops->list(world->guest, &error);
	g_assert_no_error(error);
	g_assert_nonnull(guests);
	return guests;
}

static GPtrArray *devices_of(const char *first, const char *second)
{
	GPtrArray *devices =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_guest_device_free);
	const char *const addresses[] = { first, second };
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		if (addresses[i] == NULL)
			continue;
		UsherGuestDevice *device = usher_guest_device_new();
		device->lease = g_strdup(LEASE);
		device->address = g_strdup(addresses[i]);
		g_ptr_array_add(devices, device);
	}
	return devices;
}

static char *read_text(virDomainPtr domain, unsigned flags)
{
	char *text = virDomainGetXMLDesc(domain, flags);
	char *copy = g_strdup(text);
	free(text);
	return copy;
}

static char *read_definition(virDomainPtr domain)
{
	return read_text(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
}

static void assert_refused(bool result, GError **error, UsherErrorCode code, const char *part)
{
	g_assert_false(result);
	g_assert_error(*error, USHER_ERROR, (int) code);
	if (strstr((*error)->message, part) == NULL)
		g_error("'%s' is not in '%s'", part, (*error)->message);
	g_clear_error(error);
}

static void test_list(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) guests = list(world);
	g_assert_cmpuint(guests->len, ==, 2);
	const UsherGuestInfo *test = guests->pdata[0], *info = guests->pdata[1];
	g_assert_cmpstr(test->name, ==, "test");
	g_assert_cmpuint(test->state, ==, USHER_GUEST_RUNNING);
	g_assert_cmpstr(info->name, ==, VM);
	g_assert_cmpstr(info->uuid, ==, UUID);
	g_assert_cmpstr(info->backend, ==, "libvirt");
	g_assert_cmpuint(info->state, ==, USHER_GUEST_SHUT_OFF);
	g_assert_true(info->persistent);
	g_assert_false(info->managed_save);
	g_assert_null(info->mark);
	g_assert_cmpuint(info->hostdevs->len, ==, 0);
}

static void test_mark(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	const UsherGuestOps *ops = world->guest->ops;
	unsigned n_changed = world->n_changed;
	g_assert_true(ops->mark(world->guest, VM, UUID, VM, 3, &error));
	g_assert_no_error(error);
	await_change(world, n_changed);
	g_autoptr(GPtrArray) marked = list(world);
	g_assert_cmpstr(find(marked, VM)->mark, ==, VM);
	g_assert_cmpstr(find(marked, VM)->mark_uuid, ==, UUID);
	g_autofree char *text = read_definition(world->domain);
	g_assert_nonnull(strstr(text, "<usher:vm xmlns:usher=\"" USHER_DOMAIN_MARK_URI "\""));

	g_assert_true(ops->mark(world->guest, VM, UUID, VM, 4, &error));
	g_assert_true(ops->mark(world->guest, VM, UUID, NULL, 0, &error));
	g_assert_true(ops->mark(world->guest, VM, UUID, NULL, 0, &error)); /* again */
	g_assert_no_error(error);
	g_autoptr(GPtrArray) unmarked = list(world);
	g_assert_null(find(unmarked, VM)->mark);
	g_assert_null(find(unmarked, VM)->mark_uuid);
}

static void test_start(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	const UsherGuestOps *ops = world->guest->ops;
	g_autoptr(GPtrArray) devices = devices_of("0000:01:00.0", "0000:01:00.1");
	g_autofree char *before = read_definition(world->domain);
	unsigned n_changed = world->n_changed;
	g_assert_true(ops->start(world->guest, VM, UUID, devices, &error));
	g_assert_no_error(error);
	await_change(world, n_changed);

	g_autofree char *after = read_definition(world->domain);
	g_assert_cmpstr(after, ==, before);
	g_autofree char *live = read_text(world->domain, VIR_DOMAIN_XML_SECURE);
	g_assert_nonnull(strstr(live, "s3cret"));
	g_autoptr(GPtrArray) running = list(world);
	const UsherGuestInfo *info = find(running, VM);
	g_assert_cmpuint(info->state, ==, USHER_GUEST_RUNNING);
	g_assert_true(info->persistent);
	g_assert_cmpuint(info->leases->len, ==, 1);
	g_assert_cmpstr(info->leases->pdata[0], ==, LEASE);
	g_assert_cmpuint(info->hostdevs->len, ==, 2);
	g_assert_cmpstr(info->hostdevs->pdata[0], ==, "0000:01:00.0");
	g_assert_cmpstr(info->hostdevs->pdata[1], ==, "0000:01:00.1");

	/* A mark reaches the running definition and the one that stays. */
	g_assert_true(ops->mark(world->guest, VM, UUID, VM, 1, &error));
	char *mark = virDomainGetMetadata(world->domain, VIR_DOMAIN_METADATA_ELEMENT,
		USHER_DOMAIN_MARK_URI, VIR_DOMAIN_AFFECT_LIVE);
	g_assert_nonnull(mark);
	free(mark);
	assert_refused(ops->start(world->guest, VM, UUID, devices, &error), &error,
		USHER_ERROR_BUSY, "domain win11 is running");

	n_changed = world->n_changed;
	g_assert_true(ops->power_off(world->guest, VM, UUID, &error));
	g_assert_true(ops->power_off(world->guest, VM, UUID, &error)); /* again */
	g_assert_no_error(error);
	await_change(world, n_changed);
	g_autoptr(GPtrArray) off = list(world);
	g_assert_cmpuint(find(off, VM)->state, ==, USHER_GUEST_SHUT_OFF);
	g_assert_cmpuint(find(off, VM)->leases->len, ==, 0);
	g_assert_cmpuint(find(off, VM)->hostdevs->len, ==, 0);
	g_assert_cmpstr(find(off, VM)->mark, ==, VM);
}

static void test_start_without_devices(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) none = devices_of(NULL, NULL);
	g_assert_true(world->guest->ops->start(world->guest, VM, UUID, none, &error));
	g_assert_no_error(error);
	g_assert_cmpint(virDomainIsActive(world->domain), ==, 1);
}

static void test_start_refused(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	const UsherGuestOps *ops = world->guest->ops;
	g_autoptr(GPtrArray) devices = devices_of("0000:01:00.0", NULL);
	assert_refused(ops->start(world->guest, VM, OTHER, devices, &error), &error,
		USHER_ERROR_NOT_FOUND, "domain win11 is another one: its uuid is " UUID);
	assert_refused(ops->start(world->guest, "linux", OTHER, devices, &error), &error,
		USHER_ERROR_NOT_FOUND, "no domain linux");
	assert_refused(ops->start(world->guest, "old-name", UUID, devices, &error), &error,
		USHER_ERROR_NOT_FOUND, "domain old-name is called win11 now");
	assert_refused(ops->start(world->guest, VM, "no uuid", devices, &error), &error,
		USHER_ERROR_HOST, "look up domain win11");

	g_autofree char *before = read_definition(world->domain);
	UsherGuestDevice *device = devices->pdata[0];
	g_free(device->lease);
	device->lease = g_strdup("l-AAAAAAAAAA");
	assert_refused(ops->start(world->guest, VM, UUID, devices, &error), &error,
		USHER_ERROR_INVALID, "no id of a lease");
	g_assert_cmpint(virDomainIsActive(world->domain), ==, 0);
	g_autofree char *after = read_definition(world->domain);
	g_assert_cmpstr(after, ==, before);
}

static void test_start_saved(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	const UsherGuestOps *ops = world->guest->ops;
	g_autoptr(GPtrArray) devices = devices_of("0000:01:00.0", NULL);
	g_assert_cmpint(virDomainCreate(world->domain), ==, 0);
	g_assert_cmpint(virDomainManagedSave(world->domain, 0), ==, 0);
	g_autoptr(GPtrArray) saved = list(world);
	g_assert_true(find(saved, VM)->managed_save);
	g_assert_false(ops->start(world->guest, VM, UUID, devices, &error));
	g_assert_cmpstr(usher_error_hint(error), ==, "virsh managedsave-remove win11");
	assert_refused(false, &error, USHER_ERROR_DENIED, "domain win11 has its memory saved");
	g_assert_cmpint(virDomainIsActive(world->domain), ==, 0);
	g_assert_cmpint(virDomainManagedSaveRemove(world->domain, 0), ==, 0);
	g_assert_true(ops->start(world->guest, VM, UUID, devices, &error));
	g_assert_no_error(error);
}

/* ---- accidents of a start ---- */

static void define(virConnectPtr libvirt, const char *xml)
{
	virDomainPtr domain = virDomainDefineXML(libvirt, xml);
	g_assert_nonnull(domain);
	(void) virDomainFree(domain);
}

static virDomainPtr write_definition(virConnectPtr libvirt, const char *xml, virDomainPtr started)
{
	define(libvirt, xml);
	return started;
}

static virDomainPtr edit_definition(
	virConnectPtr libvirt, const char *xml G_GNUC_UNUSED, virDomainPtr started)
{
	g_autoptr(GString) edited = g_string_new(definition);
	g_assert_cmpuint(g_string_replace(edited, "8192", "16384", 1), ==, 1);
	define(libvirt, edited->str);
	return started;
}

static virDomainPtr lose_definition(
	virConnectPtr libvirt G_GNUC_UNUSED, const char *xml G_GNUC_UNUSED, virDomainPtr started)
{
	g_assert_cmpint(virDomainUndefine(started), ==, 0);
	return started;
}

static virDomainPtr fail_late(
	virConnectPtr libvirt, const char *xml G_GNUC_UNUSED, virDomainPtr started)
{
	(void) virDomainFree(started);
	return virDomainLookupByName(libvirt, "nobody"); /* leaves an error behind */
}

static virDomainPtr fail_changed(virConnectPtr libvirt, const char *xml, virDomainPtr started)
{
	define(libvirt, xml);
	return fail_late(libvirt, xml, started);
}

/* Somebody else was quicker. */
static virDomainPtr fail_early(virConnectPtr libvirt, const char *xml, virDomainPtr started)
{
	g_assert_cmpint(virDomainDestroy(started), ==, 0);
	g_assert_cmpint(virDomainCreate(started), ==, 0);
	return fail_late(libvirt, xml, started);
}

static virDomainPtr lose_devices(
	virConnectPtr libvirt G_GNUC_UNUSED, const char *xml G_GNUC_UNUSED, virDomainPtr started)
{
	g_assert_cmpint(virDomainDestroy(started), ==, 0);
	g_assert_cmpint(virDomainCreate(started), ==, 0);
	return started;
}

static virDomainPtr go_off(
	virConnectPtr libvirt G_GNUC_UNUSED, const char *xml G_GNUC_UNUSED, virDomainPtr started)
{
	g_assert_cmpint(virDomainDestroy(started), ==, 0);
	return started;
}

typedef enum {
	SAME,
	EDITED,
	GONE,
} Definition;

static const struct {
	const char *name;
	Accident accident;
	const char *sentence; /* NULL: it starts */
	UsherErrorCode code;
	bool runs;
	Definition definition;
} accidents[] = {
	{ "written", write_definition, "which is put back", USHER_ERROR_HOST, false, SAME },
	{ "edited", edit_definition, NULL, 0, true, EDITED },
	{ "undefined", lose_definition, NULL, 0, true, GONE },
	{ "failed-late", fail_late, "start domain win11: ", USHER_ERROR_NOT_FOUND, false, SAME },
	{ "failed-changed", fail_changed, "start domain win11: ", USHER_ERROR_NOT_FOUND, false,
		SAME },
	{ "failed-early", fail_early, "start domain win11: ", USHER_ERROR_NOT_FOUND, true, SAME },
	{ "without-devices", lose_devices, "win11 started without 0000:01:00.0", USHER_ERROR_HOST,
		false, SAME },
	{ "went-off", go_off, "domain win11 went off right after", USHER_ERROR_HOST, false, SAME },
};

static void test_start_accident(World *world, const void *data)
{
	size_t row = GPOINTER_TO_SIZE(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) devices = devices_of("0000:01:00.0", NULL);
	g_autofree char *before = read_definition(world->domain);
	accident = accidents[row].accident;
	bool started = world->guest->ops->start(world->guest, VM, UUID, devices, &error);
	if (accidents[row].sentence != NULL)
		assert_refused(started, &error, accidents[row].code, accidents[row].sentence);
	else
		g_assert_true(started);
	g_assert_cmpint(virDomainIsActive(world->domain), ==, accidents[row].runs ? 1 : 0);
	g_autofree char *after = read_definition(world->domain);
	g_assert_true((strcmp(after, before) != 0) == (accidents[row].definition == EDITED));
	g_assert_cmpint(virDomainIsPersistent(world->domain), ==,
		accidents[row].definition == GONE ? 0 : 1);
}

static void test_transient(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) devices = devices_of("0000:01:00.0", NULL);
	g_assert_cmpint(virDomainCreate(world->domain), ==, 0);
	g_assert_cmpint(virDomainUndefine(world->domain), ==, 0);
	g_autoptr(GPtrArray) guests = list(world);
	g_assert_false(find(guests, VM)->persistent);
	assert_refused(world->guest->ops->start(world->guest, VM, UUID, devices, &error), &error,
		USHER_ERROR_DENIED, "domain win11 is transient");
}

static void test_paused(World *world, const void *data G_GNUC_UNUSED)
{
	g_assert_cmpint(virDomainCreate(world->domain), ==, 0);
	g_assert_cmpint(virDomainSuspend(world->domain), ==, 0);
	g_autoptr(GPtrArray) guests = list(world);
	g_assert_cmpuint(find(guests, VM)->state, ==, USHER_GUEST_PAUSED);
}

static void test_ended(World *world, const void *data G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	const UsherGuestOps *ops = world->guest->ops;
	/* Off, gone, and never there: it is off. */
	g_assert_true(ops->ask_off(world->guest, VM, UUID, &error));
	g_assert_true(ops->unplug(world->guest, VM, UUID, LEASE, &error));
	g_assert_cmpint(virDomainUndefine(world->domain), ==, 0);
	g_assert_true(ops->power_off(world->guest, VM, UUID, &error));
	g_assert_no_error(error);
	assert_refused(ops->ask_off(world->guest, VM, UUID, &error), &error, USHER_ERROR_NOT_FOUND,
		"no domain win11");
	assert_refused(ops->unplug(world->guest, VM, UUID, LEASE, &error), &error,
		USHER_ERROR_NOT_FOUND, "no domain win11");
	assert_refused(ops->mark(world->guest, VM, UUID, VM, 1, &error), &error,
		USHER_ERROR_NOT_FOUND, "no domain win11");
}

/* Many events, few calls. */
static void test_coalesced(World *world, const void *data G_GNUC_UNUSED)
{
	unsigned n_changed = world->n_changed;
	for (unsigned i = 0; i < 50; i++) {
		g_assert_cmpint(virDomainCreate(world->domain), ==, 0);
		g_assert_cmpint(virDomainDestroy(world->domain), ==, 0);
	}
	await_change(world, n_changed);
	g_assert_cmpuint(world->n_changed - n_changed, <, 10);
}

static void test_can(World *world, const void *data G_GNUC_UNUSED)
{
	unsigned can = world->guest->ops->can;
	g_assert_cmpstr(world->guest->ops->name, ==, "libvirt");
	g_assert_true(can & USHER_CAN_TRANSIENT_DEFINITION);
	g_assert_true(can & USHER_CAN_OWN_START);
	g_assert_false(can & USHER_CAN_PICK_DEVICES);
}

/* ---- no libvirtd at the other end ---- */

static void test_away(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *folder = g_dir_make_tmp("usher-libvirt-XXXXXX", &error);
	g_autofree char *uri =
		g_strdup_printf("qemu+unix:///system?socket=%s/none/libvirt-sock", folder);
	UsherGuest *guest = usher_guest_libvirt_new(uri, &error);
	g_assert_no_error(error);
	World world = { 0 };
	guest->ops->watch(guest, on_changed, &world);
	g_assert_null(guest->ops->list(guest, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_UNAVAILABLE);
	g_assert_true(g_str_has_prefix(error->message, "libvirtd does not answer: "));
	g_clear_error(&error);
	assert_refused(guest->ops->power_off(guest, VM, UUID, &error), &error,
		USHER_ERROR_UNAVAILABLE, "libvirtd does not answer: ");
	for (unsigned i = 0; i < 300; i++) {
		(void) g_main_context_iteration(NULL, FALSE);
		g_usleep(1000);
	}
	g_assert_cmpuint(world.n_changed, ==, 0);
	guest->ops->free(guest);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_no_uri(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_guest_libvirt_new("", &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*func)(World *world, const void *data);
	} tests[] = {
		{ "/libvirt/list", test_list },
		{ "/libvirt/mark", test_mark },
		{ "/libvirt/start", test_start },
		{ "/libvirt/start-without-devices", test_start_without_devices },
		{ "/libvirt/start-refused", test_start_refused },
		{ "/libvirt/start-saved", test_start_saved },
		{ "/libvirt/transient", test_transient },
		{ "/libvirt/paused", test_paused },
		{ "/libvirt/ended", test_ended },
		{ "/libvirt/coalesced", test_coalesced },
		{ "/libvirt/can", test_can },
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].path, World, NULL, set_up, tests[i].func, tear_down);
	for (size_t i = 0; i < G_N_ELEMENTS(accidents); i++) {
		g_autofree char *path = g_strconcat("/libvirt/accident/", accidents[i].name, NULL);
		g_test_add(
			path, World, GSIZE_TO_POINTER(i), set_up, test_start_accident, tear_down);
	}
	g_test_add_func("/libvirt/away", test_away);
	g_test_add_func("/libvirt/no-uri", test_no_uri);
	return g_test_run();
}
