/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/guest.h"

#include <string.h>

#include "base/error.h"
#include "fakes/events.h"

/* From the power button to off. */
#define SHUTDOWN_US (3 * G_TIME_SPAN_SECOND)
/* A call that hangs is done so much later. */
#define LATE_US (20 * G_TIME_SPAN_SECOND)

typedef struct FakeDomain {
	UsherGuestInfo *info;
	GPtrArray *devices; /* of UsherGuestDevice: what it has open */
	unsigned runs;      /* how often it was started */
	bool has_run;       /* since it was started */
	bool ignores_button;
} FakeDomain;

struct FakeGuest {
	UsherGuest port;
	UsherClock *clock;
	FakeFaults *faults;
	FakeHost *host;
	GPtrArray *domains;   /* of FakeDomain, sorted by name */
	GHashTable *attached; /* every lease a guest ever had */
	bool is_away;
	FakeEvents events;
};

static void domain_free(void *data)
{
	FakeDomain *domain = data;
	usher_guest_info_free(domain->info);
	g_ptr_array_unref(domain->devices);
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
	if (!fake->is_away)
		fake_events_tell(&fake->events);
}

void fake_guest_disturb_events(FakeGuest *fake, unsigned one_in)
{
	fake_events_disturb(&fake->events, one_in);
}

static void add_once(GPtrArray *strings, const char *string)
{
	if (!g_ptr_array_find_with_equal_func(strings, string, g_str_equal, NULL))
		g_ptr_array_add(strings, g_strdup(string));
}

/* What is shown of the devices follows from what is open. */
static void show_devices(FakeDomain *domain)
{
	g_ptr_array_set_size(domain->info->hostdevs, 0);
	g_ptr_array_set_size(domain->info->leases, 0);
	for (unsigned i = 0; i < domain->devices->len; i++) {
		const UsherGuestDevice *device = domain->devices->pdata[i];
		add_once(domain->info->hostdevs, device->address);
		add_once(domain->info->leases, device->lease);
	}
}

static bool is_on(const FakeDomain *domain)
{
	return domain->info->state != USHER_GUEST_SHUT_OFF;
}

static void let_go(FakeGuest *fake, FakeDomain *domain, unsigned index)
{
	const UsherGuestDevice *device = domain->devices->pdata[index];
	fake_host_close(fake->host, device->address);
	g_ptr_array_remove_index(domain->devices, index);
	show_devices(domain);
}

static void switch_off(FakeGuest *fake, FakeDomain *domain)
{
	while (domain->devices->len > 0)
		let_go(fake, domain, domain->devices->len - 1);
	domain->info->state = USHER_GUEST_SHUT_OFF;
	fake_guest_event(fake);
}

static FakeDomain *find_uuid(FakeGuest *fake, const char *name, const char *uuid, GError **error)
{
	FakeDomain *domain = find(fake, name);
	if (domain != NULL && strcmp(domain->info->uuid, uuid) == 0)
		return domain;
	usher_error_set(
		error, USHER_ERROR_NOT_FOUND, "there is no domain '%s' with uuid %s", name, uuid);
	return NULL;
}

static bool open_devices(
	FakeGuest *fake, FakeDomain *domain, const GPtrArray *devices, GError **error)
{
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherGuestDevice *device = devices->pdata[i];
		int errnum = fake_host_open(fake->host, device->address, domain->info->name);
		if (errnum != 0) {
			usher_error_set(error, USHER_ERROR_HOST, "start domain %s: open %s: %s",
				domain->info->name, device->address, g_strerror(errnum));
			return false;
		}
		g_ptr_array_add(domain->devices, usher_guest_device_dup(device));
	}
	show_devices(domain);
	for (unsigned i = 0; i < domain->info->leases->len; i++)
		g_hash_table_add(fake->attached, g_strdup(domain->info->leases->pdata[i]));
	return true;
}

static bool start(FakeGuest *fake, const char *name, const char *uuid, const GPtrArray *devices,
	UsherGuestState state, GError **error)
{
	FakeDomain *domain = find_uuid(fake, name, uuid, error);
	if (domain == NULL)
		return false;
	if (domain->info->managed_save) {
		usher_error_set(
			error, USHER_ERROR_DENIED, "domain '%s' has a saved memory image", name);
		return false;
	}
	if (is_on(domain)) {
		usher_error_set(error, USHER_ERROR_BUSY, "domain '%s' runs", name);
		return false;
	}
	fake_faults_tell(fake->faults, "guest-start", name);
	if (!open_devices(fake, domain, devices, error)) {
		switch_off(fake, domain);
		return false;
	}
	domain->info->state = state;
	domain->has_run = state == USHER_GUEST_RUNNING;
	domain->runs++;
	fake_guest_event(fake);
	return true;
}

/* Something that happens to this run of the domain later, and not to the next. */
typedef struct FakeLater {
	FakeGuest *fake;
	char *name;
	unsigned run;
} FakeLater;

static void plan(FakeGuest *fake, const FakeDomain *domain, int64_t wait, UsherClockFunc func)
{
	FakeLater *later = g_new0(FakeLater, 1);
	*later = (FakeLater){ fake, g_strdup(domain->info->name), domain->runs };
	(void) fake->clock->ops->after(fake->clock, wait, func, later);
}

/* The domain in the state it must be in, NULL: that run is over. Frees later. */
static FakeDomain *find_run(FakeLater *later, UsherGuestState state)
{
	FakeDomain *domain = find(later->fake, later->name);
	bool is_it = domain != NULL && domain->runs == later->run && domain->info->state == state;
	g_free(later->name);
	g_free(later);
	return is_it ? domain : NULL;
}

static void resume(void *data)
{
	FakeGuest *fake = ((FakeLater *) data)->fake;
	FakeDomain *domain = find_run(data, USHER_GUEST_PAUSED);
	if (domain == NULL)
		return;
	domain->info->state = USHER_GUEST_RUNNING;
	domain->has_run = true;
	fake_guest_event(fake);
}

/* A start that does not come back in time, but does come: until then the domain is shown as
 * paused, with its devices, as libvirt does while it starts one. */
static void start_late(
	FakeGuest *fake, const char *name, const char *uuid, const GPtrArray *devices)
{
	if (start(fake, name, uuid, devices, USHER_GUEST_PAUSED, NULL))
		plan(fake, find(fake, name), LATE_US, resume);
}

/* What is common to all calls: faults, and a hypervisor that is away. DO and DO_AND_REFUSE go
 * on. */
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

static bool fake_start(UsherGuest *guest, const char *name, const char *uuid,
	const GPtrArray *devices, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.start", &fault);
	if (call == FAKE_CALL_DO_LATE)
		start_late(fake, name, uuid, devices);
	bool goes_on = call == FAKE_CALL_DO || call == FAKE_CALL_DO_AND_REFUSE;
	bool is_done = goes_on && start(fake, name, uuid, devices, USHER_GUEST_RUNNING, &problem);
	return end_call(call, is_done, fault, problem, error);
}

static void shut_down(void *data)
{
	FakeGuest *fake = ((FakeLater *) data)->fake;
	FakeDomain *domain = find_run(data, USHER_GUEST_RUNNING);
	if (domain != NULL && !domain->ignores_button)
		switch_off(fake, domain);
}

static bool fake_ask_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.ask_off", &fault);
	bool goes_on = call != FAKE_CALL_REFUSE;
	FakeDomain *domain = goes_on ? find_uuid(fake, name, uuid, &problem) : NULL;
	if (domain != NULL && is_on(domain)) {
		fake_faults_tell(fake->faults, "guest-ask-off", name);
		plan(fake, domain, SHUTDOWN_US, shut_down);
	}
	return end_call(call, domain != NULL, fault, problem, error);
}

static bool fake_power_off(UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.power_off", &fault);
	FakeDomain *domain =
		call != FAKE_CALL_REFUSE ? find_uuid(fake, name, uuid, &problem) : NULL;
	if (domain != NULL && is_on(domain)) {
		fake_faults_tell(fake->faults, "guest-power-off", name);
		switch_off(fake, domain);
	}
	return end_call(call, domain != NULL, fault, problem, error);
}

static bool fake_mark(UsherGuest *guest, const char *name, const char *uuid, const char *vm,
	int64_t revision, GError **error)
{
	(void) revision;
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.mark", &fault);
	FakeDomain *domain =
		call != FAKE_CALL_REFUSE ? find_uuid(fake, name, uuid, &problem) : NULL;
	if (domain != NULL) {
		fake_faults_tell(fake->faults, vm != NULL ? "guest-mark" : "guest-unmark", name);
		g_free(domain->info->mark);
		g_free(domain->info->mark_uuid);
		domain->info->mark = g_strdup(vm);
		domain->info->mark_uuid = vm != NULL ? g_strdup(uuid) : NULL;
	}
	return end_call(call, domain != NULL, fault, problem, error);
}

static bool fake_unplug(
	UsherGuest *guest, const char *name, const char *uuid, const char *lease, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.unplug", &fault);
	FakeDomain *domain =
		call != FAKE_CALL_REFUSE ? find_uuid(fake, name, uuid, &problem) : NULL;
	if (domain != NULL &&
		g_ptr_array_find_with_equal_func(domain->info->leases, lease, g_str_equal, NULL)) {
		fake_faults_tell(fake->faults, "guest-unplug", name);
		for (unsigned i = domain->devices->len; i-- > 0;) {
			if (strcmp(((const UsherGuestDevice *) domain->devices->pdata[i])->lease,
				    lease) == 0)
				let_go(fake, domain, i);
		}
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
		for (unsigned j = 0; j < domain->devices->len; j++)
			fake_host_note_user(fake->host,
				((const UsherGuestDevice *) domain->devices->pdata[j])->address);
	}
	return infos;
}

/* As a plain definition: nothing stands in the way of a device but that it has no other way in. */
static UsherGuestHealth *fake_examine(
	UsherGuest *guest, const char *name, const char *uuid, GError **error)
{
	FakeGuest *fake = (FakeGuest *) guest;
	GError *fault = NULL, *problem = NULL;
	FakeCall call = begin_call(fake, "guest.examine", &fault);
	FakeDomain *domain =
		call != FAKE_CALL_REFUSE ? find_uuid(fake, name, uuid, &problem) : NULL;
	if (!end_call(call, domain != NULL, fault, problem, error))
		return NULL;
	UsherGuestHealth *health = usher_guest_health_new();
	health->name = g_strdup(name);
	health->machine = g_strdup("pc-q35-7.2");
	health->ports = health->free_ports = 4;
	health->memory_kb = 1 << 20;
	health->host_memory_kb = 1 << 24;
	health->cpu_mode = g_strdup("host-passthrough");
	health->has_efi = true;
	return health;
}

static void fake_watch(UsherGuest *guest, UsherGuestChanged func, void *data)
{
	FakeGuest *fake = (FakeGuest *) guest;
	fake->events.func = func;
	fake->events.data = data;
}

static void fake_free(UsherGuest *guest)
{
	fake_guest_free((FakeGuest *) guest);
}

static const UsherGuestOps ops = {
	.name = "fake",
	.can = USHER_CAN_TRANSIENT_DEFINITION | USHER_CAN_HOT_PLUG | USHER_CAN_OWN_START |
		USHER_CAN_TELL_RELEASE,
	.list = fake_list,
	.start = fake_start,
	.ask_off = fake_ask_off,
	.power_off = fake_power_off,
	.mark = fake_mark,
	.unplug = fake_unplug,
	.examine = fake_examine,
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
	fake->events.clock = clock;
	fake->attached = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	fake->domains = g_ptr_array_new_with_free_func(domain_free);
	return fake;
}

void fake_guest_free(FakeGuest *fake)
{
	g_ptr_array_unref(fake->domains);
	g_hash_table_unref(fake->attached);
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
	domain->devices = g_ptr_array_new_with_free_func(usher_guest_device_type.free);
	g_ptr_array_add(fake->domains, domain);
	g_ptr_array_sort(fake->domains, compare_domains);
	fake_guest_event(fake);
}

void fake_guest_undefine(FakeGuest *fake, const char *name)
{
	FakeDomain *domain = find(fake, name);
	if (domain == NULL || is_on(domain))
		return;
	g_ptr_array_remove(fake->domains, domain);
	fake_guest_event(fake);
}

void fake_guest_ignore_button(FakeGuest *fake, const char *name, bool ignores)
{
	FakeDomain *domain = find(fake, name);
	if (domain != NULL)
		domain->ignores_button = ignores;
}

void fake_guest_save(FakeGuest *fake, const char *name)
{
	FakeDomain *domain = find(fake, name);
	if (domain == NULL || domain->devices->len > 0)
		return;
	domain->info->managed_save = true;
	switch_off(fake, domain);
}

void fake_guest_drop_save(FakeGuest *fake, const char *name)
{
	FakeDomain *domain = find(fake, name);
	if (domain == NULL || !domain->info->managed_save)
		return;
	domain->info->managed_save = false;
	fake_guest_event(fake);
}

void fake_guest_crash(FakeGuest *fake, const char *name)
{
	FakeDomain *domain = find(fake, name);
	if (domain != NULL && is_on(domain))
		domain->info->state = USHER_GUEST_CRASHED;
	fake_guest_event(fake);
}

void fake_guest_eject(FakeGuest *fake, const char *address)
{
	for (unsigned i = 0; i < fake->domains->len; i++) {
		FakeDomain *domain = fake->domains->pdata[i];
		for (unsigned j = domain->devices->len; j-- > 0;) {
			if (strcmp(((const UsherGuestDevice *) domain->devices->pdata[j])->address,
				    address) == 0)
				let_go(fake, domain, j);
		}
	}
	fake_guest_event(fake);
}

bool fake_guest_has_run(FakeGuest *fake, const char *name)
{
	const FakeDomain *domain = find(fake, name);
	return domain != NULL && domain->has_run;
}

bool fake_guest_ever_had(FakeGuest *fake, const char *lease)
{
	return g_hash_table_contains(fake->attached, lease);
}

void fake_guest_destroy(FakeGuest *fake, const char *name)
{
	FakeDomain *domain = find(fake, name);
	if (domain != NULL)
		switch_off(fake, domain);
}

void fake_guest_start_plainly(FakeGuest *fake, const char *name)
{
	FakeDomain *domain = find(fake, name);
	if (domain == NULL || is_on(domain))
		return;
	domain->info->state = USHER_GUEST_RUNNING;
	domain->info->managed_save = false;
	domain->has_run = true;
	domain->runs++;
	fake_guest_event(fake);
}

void fake_guest_set_away(FakeGuest *fake, bool is_away)
{
	fake->is_away = is_away;
	if (fake->events.func != NULL)
		fake->events.func(fake->events.data);
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
