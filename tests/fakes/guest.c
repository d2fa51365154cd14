/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/guest.h"

#include <string.h>

#include "base/error.h"

/* From the power button to off. */
#define SHUTDOWN_US (3 * G_TIME_SPAN_SECOND)
/* A call that hangs is done so much later. */
#define LATE_US (20 * G_TIME_SPAN_SECOND)

typedef struct FakeDomain {
	UsherGuestInfo *info;
	bool ignores_button;
} FakeDomain;

struct FakeGuest {
	UsherGuest port;
	UsherClock *clock;
	FakeFaults *faults;
	FakeHost *host;
	GPtrArray *domains; /* of FakeDomain, sorted by name */
	bool is_away;
	UsherGuestChanged changed;
	void *changed_data;
};

static void domain_free(void *data)
{
	FakeDomain *domain = data;
	usher_guest_info_free(domain->info);
	g_free(domain);
}

static FakeDomain *find(FakeGuest *fake, const char *name)
{
	for (unsigned i = 0; i < fake->domains->len; i++) {
		FakeDomain *domain = fake->domains->pdata[i];
		if (strcmp(domain->info->name, name) == 0)
			return domain;
	}
	return NULL;
}

void fake_guest_event(FakeGuest *fake)
{
	if (fake->changed != NULL && !fake->is_away)
		fake->changed(fake->changed_data);
}

static void switch_off(FakeGuest *fake, FakeDomain *domain)
{
	for (unsigned i = 0; i < domain->info->hostdevs->len; i++)
		fake_host_close(fake->host, domain->info->hostdevs->pdata[i]);
	g_ptr_array_set_size(domain->info->hostdevs, 0);
	g_ptr_array_set_size(domain->info->leases, 0);
	domain->info->state = USHER_GUEST_SHUT_OFF;
	fake_guest_event(fake);
}

static FakeDomain *find_uuid(FakeGuest *fake, const char *name, const char *uuid, GError **error)
{
	FakeDomain *domain = find(fake, name);
	if (domain != NULL && strcmp(domain->info->uuid, uuid) == 0)
		return domain;
	usher_error_set(error, USHER_ERROR_NOT_FOUND, "there is no domain '%s' with uuid %s", name, uuid);
	return NULL;
}

static bool open_devices(FakeGuest *fake, FakeDomain *domain, const GPtrArray *devices, GError **error)
{
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherGuestDevice *device = devices->pdata[i];
		int errnum = fake_host_open(fake->host, device->address, domain->info->name);
		if (errnum != 0) {
			usher_error_set(error, USHER_ERROR_HOST, "start domain %s: open %s: %s", domain->info->name,
					device->address, g_strerror(errnum));
			return false;
		}
		g_ptr_array_add(domain->info->hostdevs, g_strdup(device->address));
		if (!g_ptr_array_find_with_equal_func(domain->info->leases, device->lease, g_str_equal, NULL))
			g_ptr_array_add(domain->info->leases, g_strdup(device->lease));
	}
	return true;
}

static bool start(FakeGuest *fake, const char *name, const char *uuid, const GPtrArray *devices, GError **error)
{
	FakeDomain *domain = find_uuid(fake, name, uuid, error);
	if (domain == NULL)
		return false;
	if (domain->info->managed_save) {
		usher_error_set(error, USHER_ERROR_DENIED, "domain '%s' has a saved memory image", name);
		return false;
	}
	if (domain->info->state != USHER_GUEST_SHUT_OFF) {
		usher_error_set(error, USHER_ERROR_BUSY, "domain '%s' runs", name);
		return false;
	}
	if (!open_devices(fake, domain, devices, error)) {
		switch_off(fake, domain);
		return false;
	}
	domain->info->state = USHER_GUEST_RUNNING;
	fake_guest_event(fake);
	return true;
}

/* A start that does not come back in time, but does come. */
typedef struct FakeLateStart {
	FakeGuest *fake;
	char *name, *uuid;
	GPtrArray *devices;
} FakeLateStart;

static void start_late(void *data)
{
	FakeLateStart *late = data;
	(void) start(late->fake, late->name, late->uuid, late->devices, NULL);
	g_free(late->name);
	g_free(late->uuid);
	g_ptr_array_unref(late->devices);
	g_free(late);
}

/* What is common to all calls: faults, and a hypervisor that is away. DO and DO_AND_REFUSE go on. */
static FakeCall begin_call(FakeGuest *fake, const char *name, GError **error)
{
	FakeCall call = fake_faults_call(fake->faults, FAKE_NODE, name, error);
	if (call == FAKE_CALL_DO && fake->is_away) {
		usher_error_set(error, USHER_ERROR_UNAVAILABLE, "the hypervisor does not answer");
		return FAKE_CALL_REFUSE;
	}
	return call;
}

/* The call's own result, unless its caller died meanwhile. */
static bool end_call(FakeCall call, bool is_done, GError *fault, GError *problem, GError **error)
{
	if (call != FAKE_CALL_DO) {
		g_clear_error(&problem);
		g_propagate_error(error, fault);
		return false;
	}
	if (!is_done)
		g_propagate_error(error, problem);
	return is_done;
}

static bool fake_start(UsherGuest *guest, const char *name, const char *uuid, const GPtrArray *devices,
		       GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.start", &fault);
	if (call == FAKE_CALL_DO_LATE) {
		FakeLateStart *late = g_new0(FakeLateStart, 1);
		*late = (FakeLateStart){ fake, g_strdup(name), g_strdup(uuid),
					 g_ptr_array_new_with_free_func(usher_guest_device_type.free) };
		for (unsigned i = 0; i < devices->len; i++)
			g_ptr_array_add(late->devices, usher_guest_device_dup(devices->pdata[i]));
		(void) fake->clock->ops->after(fake->clock, LATE_US, start_late, late);
	}
	bool goes_on = call == FAKE_CALL_DO || call == FAKE_CALL_DO_AND_REFUSE;
	bool is_done = goes_on && start(fake, name, uuid, devices, &problem);
	return end_call(call, is_done, fault, problem, error);
}

typedef struct FakePress {
	FakeGuest *fake;
	char *name;
} FakePress;

static void shut_down(void *data)
{
	FakePress *press = data;
	FakeDomain *domain = find(press->fake, press->name);
	if (domain != NULL && domain->info->state == USHER_GUEST_RUNNING && !domain->ignores_button)
		switch_off(press->fake, domain);
	g_free(press->name);
	g_free(press);
}

static bool fake_ask_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.ask_off", &fault);
	bool goes_on = call != FAKE_CALL_REFUSE;
	bool is_done = goes_on && find_uuid(fake, name, uuid, &problem) != NULL;
	if (is_done) {
		FakePress *press = g_new0(FakePress, 1);
		*press = (FakePress){ fake, g_strdup(name) };
		(void) fake->clock->ops->after(fake->clock, SHUTDOWN_US, shut_down, press);
	}
	return end_call(call, is_done, fault, problem, error);
}

static bool fake_power_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.power_off", &fault);
	FakeDomain *domain = call != FAKE_CALL_REFUSE ? find_uuid(fake, name, uuid, &problem) : NULL;
	if (domain != NULL)
		switch_off(fake, domain);
	return end_call(call, domain != NULL, fault, problem, error);
}

static bool fake_mark(UsherGuest *guest, const char *name, const char *uuid, const char *vm, int64_t revision,
		      GError **error)
{
	(void) revision;
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.mark", &fault);
	FakeDomain *domain = call != FAKE_CALL_REFUSE ? find_uuid(fake, name, uuid, &problem) : NULL;
	if (domain != NULL) {
		g_free(domain->info->mark);
		g_free(domain->info->mark_uuid);
		domain->info->mark = g_strdup(vm);
		domain->info->mark_uuid = vm != NULL ? g_strdup(uuid) : NULL;
	}
	return end_call(call, domain != NULL, fault, problem, error);
}

static bool fake_unplug(UsherGuest *guest, const char *name, const char *uuid, const char *lease, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.unplug", &fault);
	FakeDomain *domain = call != FAKE_CALL_REFUSE ? find_uuid(fake, name, uuid, &problem) : NULL;
	unsigned index;
	if (domain != NULL &&
	    g_ptr_array_find_with_equal_func(domain->info->leases, lease, g_str_equal, &index)) {
		/* One device a lease, in the order of their plugging, is all the bed uses here. */
		g_assert(domain->info->leases->len == domain->info->hostdevs->len);
		fake_host_close(fake->host, domain->info->hostdevs->pdata[index]);
		g_ptr_array_remove_index(domain->info->hostdevs, index);
		g_ptr_array_remove_index(domain->info->leases, index);
		fake_guest_event(fake);
	}
	return end_call(call, domain != NULL, fault, problem, error);
}

static GPtrArray *fake_list(UsherGuest *guest, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	if (begin_call(fake, "guest.list", error) != FAKE_CALL_DO)
		return NULL;
	GPtrArray *infos = g_ptr_array_new_with_free_func(usher_guest_info_type.free);
	for (unsigned i = 0; i < fake->domains->len; i++) {
		const FakeDomain *domain = fake->domains->pdata[i];
		g_ptr_array_add(infos, usher_guest_info_dup(domain->info));
	}
	return infos;
}

static void fake_watch(UsherGuest *guest, UsherGuestChanged func, void *data)
{
	FakeGuest *fake = (FakeGuest *) guest;
	fake->changed = func;
	fake->changed_data = data;
}

static void fake_free(UsherGuest *guest)
{
	fake_guest_free((FakeGuest *) guest);
}

static const UsherGuestOps ops = {
	.name = "fake",
	.can = USHER_CAN_TRANSIENT_DEFINITION | USHER_CAN_HOT_PLUG | USHER_CAN_OWN_START | USHER_CAN_TELL_RELEASE,
	.list = fake_list,
	.start = fake_start,
	.ask_off = fake_ask_off,
	.power_off = fake_power_off,
	.mark = fake_mark,
	.unplug = fake_unplug,
	.watch = fake_watch,
	.free = fake_free,
};

FakeGuest *fake_guest_new(UsherClock *clock, FakeFaults *faults, FakeHost *host)
{
	FakeGuest *fake = g_new0(FakeGuest, 1);
	fake->port.ops = &ops;
	fake->clock = clock;
	fake->faults = faults;
	fake->host = host;
	fake->domains = g_ptr_array_new_with_free_func(domain_free);
	return fake;
}

void fake_guest_free(FakeGuest *fake)
{
	g_ptr_array_unref(fake->domains);
	g_free(fake);
}

UsherGuest *fake_guest_port(FakeGuest *fake)
{
	return &fake->port;
}

static int compare_domains(const void *one, const void *other)
{
	const FakeDomain *const *a = one, *const *b = other;
	return strcmp((*a)->info->name, (*b)->info->name);
}

void fake_guest_define(FakeGuest *fake, const char *name, const char *uuid)
{
	FakeDomain *domain = g_new0(FakeDomain, 1);
	domain->info = usher_guest_info_new();
	domain->info->name = g_strdup(name);
	domain->info->uuid = g_strdup(uuid);
	domain->info->backend = g_strdup("libvirt");
	domain->info->state = USHER_GUEST_SHUT_OFF;
	domain->info->persistent = true;
	g_ptr_array_add(fake->domains, domain);
	g_ptr_array_sort(fake->domains, compare_domains);
	fake_guest_event(fake);
}

void fake_guest_ignore_button(FakeGuest *fake, const char *name)
{
	find(fake, name)->ignores_button = true;
}

void fake_guest_save(FakeGuest *fake, const char *name)
{
	find(fake, name)->info->managed_save = true;
	fake_guest_event(fake);
}

void fake_guest_destroy(FakeGuest *fake, const char *name)
{
	switch_off(fake, find(fake, name));
}

void fake_guest_start_plainly(FakeGuest *fake, const char *name)
{
	FakeDomain *domain = find(fake, name);
	if (domain->info->state == USHER_GUEST_SHUT_OFF)
		domain->info->state = USHER_GUEST_RUNNING;
	fake_guest_event(fake);
}

void fake_guest_set_away(FakeGuest *fake, bool is_away)
{
	fake->is_away = is_away;
	if (fake->changed != NULL)
		fake->changed(fake->changed_data);
}

void fake_guest_reboot(FakeGuest *fake)
{
	for (unsigned i = 0; i < fake->domains->len; i++)
		switch_off(fake, fake->domains->pdata[i]);
}

const UsherGuestInfo *fake_guest_info(FakeGuest *fake, const char *name)
{
	const FakeDomain *domain = find(fake, name);
	return domain != NULL ? domain->info : NULL;
}

GPtrArray *fake_guest_names(FakeGuest *fake)
{
	GPtrArray *names = g_ptr_array_new();
	for (unsigned i = 0; i < fake->domains->len; i++) {
		FakeDomain *domain = fake->domains->pdata[i];
		g_ptr_array_add(names, domain->info->name);
	}
	return names;
}
