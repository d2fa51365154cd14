/* SPDX-License-Identifier: Apache-2.0 */
#include "guests/libvirt/look.h"

#include <string.h>

#include "core/guest-info.h"
#include "guests/libvirt/domain.h"
#include "guests/libvirt/problem.h"
#include "guests/libvirt/xml.h"

static UsherGuestState state_of(int state)
{
	switch ((virDomainState) state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_SHUTDOWN: /* on its way: it has its devices still */
		return USHER_GUEST_RUNNING;
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
		return USHER_GUEST_PAUSED;
	case VIR_DOMAIN_SHUTOFF:
		return USHER_GUEST_SHUT_OFF;
	case VIR_DOMAIN_CRASHED:
		return USHER_GUEST_CRASHED;
	case VIR_DOMAIN_NOSTATE:
	default:
		return USHER_GUEST_UNKNOWN;
	}
}

static void unref_any(void *domain)
{
	usher_domain_unref(domain);
}

static GPtrArray *list_domains(virConnectPtr libvirt, unsigned flags, GError **error)
{
	virDomainPtr *domains = NULL;
	int n = virConnectListAllDomains(libvirt, &domains, flags);
	if (n < 0) {
		usher_libvirt_problem(error, libvirt, "list domains");
		return NULL;
	}
	GPtrArray *list = g_ptr_array_new_with_free_func(unref_any);
	for (int i = 0; i < n; i++)
		g_ptr_array_add(list, domains[i]);
	free(domains);
	return list;
}

/* The names of the domains that a filter lets through: one question instead of one a domain. */
static GHashTable *list_names(virConnectPtr libvirt, unsigned flags, GError **error)
{
	g_autoptr(GPtrArray) domains = list_domains(libvirt, flags, error);
	if (domains == NULL)
		return NULL;
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; i < domains->len; i++)
		g_hash_table_add(names, g_strdup(virDomainGetName(domains->pdata[i])));
	return names;
}

/* What others wrote into <metadata> is theirs: what is no mark of ours is none. */
static bool read_mark(virDomainPtr domain, UsherGuestInfo *info, GError **error)
{
	int64_t revision;
	char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
		USHER_DOMAIN_MARK_URI, VIR_DOMAIN_AFFECT_CONFIG);
	if (text == NULL && !usher_libvirt_failed_with(VIR_ERR_NO_DOMAIN_METADATA)) {
		usher_libvirt_problem(error, virDomainGetConnect(domain),
			"read the mark of domain %s", info->name);
		return false;
	}
	if (text != NULL)
		(void) usher_domain_mark_parse(text, &info->mark, &info->mark_uuid, &revision);
	free(text);
	return true;
}

static void add_once(GPtrArray *strings, const char *string)
{
	if (!g_ptr_array_find_with_equal_func(strings, string, g_str_equal, NULL))
		g_ptr_array_add(strings, g_strdup(string));
}

static bool read_devices(virDomainPtr domain, UsherGuestInfo *info, GError **error)
{
	bool running;
	g_autoptr(GPtrArray) devices = usher_domain_read_devices(domain, &running, error);
	if (devices == NULL)
		return false;
	if (!running &&
		info->state != USHER_GUEST_CRASHED) /* it went off between the two questions */
		info->state = USHER_GUEST_SHUT_OFF;
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDomainDevice *device = devices->pdata[i];
		add_once(info->hostdevs, device->address);
		if (device->lease != NULL)
			add_once(info->leases, device->lease);
	}
	return true;
}

static UsherGuestInfo *describe(
	virDomainPtr domain, GHashTable *transient, GHashTable *saved, GError **error)
{
	const char *name = virDomainGetName(domain);
	g_autoptr(UsherGuestInfo) info = usher_guest_info_new();
	int state;
	if (virDomainGetState(domain, &state, NULL, 0) < 0) {
		usher_libvirt_problem(
			error, virDomainGetConnect(domain), "read the state of domain %s", name);
		return NULL;
	}
	info->name = g_strdup(name);
	info->uuid = usher_domain_dup_uuid(domain);
	info->backend = g_strdup(USHER_LIBVIRT_BACKEND);
	info->state = state_of(state);
	info->persistent = !g_hash_table_contains(transient, name);
	info->managed_save = g_hash_table_contains(saved, name);
	if (info->persistent && !read_mark(domain, info, error))
		return NULL;
	if (info->state != USHER_GUEST_SHUT_OFF && !read_devices(domain, info, error))
		return NULL;
	return g_steal_pointer(&info);
}

static int compare_names(const void *one, const void *other)
{
	const UsherGuestInfo *const *a = one, *const *b = other;
	return strcmp((*a)->name, (*b)->name);
}

GPtrArray *usher_libvirt_list(virConnectPtr libvirt, GError **error)
{
	g_autoptr(GHashTable) saved =
		list_names(libvirt, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, error);
	g_autoptr(GHashTable) transient = saved != NULL
		? list_names(libvirt, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, error)
		: NULL;
	g_autoptr(GPtrArray) domains = transient != NULL ? list_domains(libvirt, 0, error) : NULL;
	if (domains == NULL)
		return NULL;
	g_autoptr(GPtrArray) guests =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_guest_info_free);
	for (unsigned i = 0; i < domains->len; i++) {
		g_autoptr(GError) problem = NULL;
		UsherGuestInfo *info = describe(domains->pdata[i], transient, saved, &problem);
		if (info != NULL) {
			g_ptr_array_add(guests, info);
		} else if (usher_error_code(problem) != USHER_ERROR_NOT_FOUND) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return NULL;
		} /* else it was undefined meanwhile */
	}
	g_ptr_array_sort(guests, compare_names);
	return g_steal_pointer(&guests);
}
