/* SPDX-License-Identifier: Apache-2.0 */
/* How devices look in a table. */
#include <string.h>

#include "cli/device-columns.h"
#include "cli/why.h"

static char *whole_name_cell(const UsherJson *device)
{
	g_autofree char *name = usher_cli_cell(usher_cli_member(device, "device"));
	if (name != NULL)
		return g_steal_pointer(&name);
	return usher_cli_cell(usher_cli_member(device, "class_name"));
}

static char *name_cell(const UsherJson *device)
{
	g_autofree char *name = whole_name_cell(device);
	return name != NULL ? usher_cli_short_name(name) : NULL;
}

/* "1+2": IOMMU group 1, and two companions that would go with it. */
static char *iommu_cell(const UsherJson *device)
{
	g_autofree char *group = usher_cli_cell(usher_cli_member(device, "iommu_group"));
	size_t n = usher_json_length(usher_json_get(device, "companions"));
	if (group == NULL || n == 0)
		return g_steal_pointer(&group);
	return g_strdup_printf("%s+%zu", group, n);
}

/* "?" where it could not be read, which is not the same as none. */
static char *override_cell(const UsherJson *device)
{
	if (usher_json_get_bool(device, "driver_override_unknown", false))
		return g_strdup("?");
	return usher_cli_cell(usher_cli_member(device, "driver_override"));
}

static bool is_plain_state(const char *state)
{
	return state == NULL || strcmp(state, "host") == 0 || strcmp(state, "held") == 0;
}

bool usher_cli_device_is_free(const UsherJson *device)
{
	const UsherJson *verdict = usher_cli_member(device, "guard.verdict");
	return is_plain_state(usher_json_get_string(device, "state")) &&
		usher_cli_member(device, "lease") == NULL &&
		usher_json_length(usher_json_get(device, "foreign")) == 0 && verdict != NULL &&
		strcmp(usher_json_string(verdict), "free") == 0;
}

/* One word for "can it be given now": what usher does with it, else what the guard says of it. */
static char *state_cell(const UsherJson *device)
{
	const char *state = usher_json_get_string(device, "state");
	if (!is_plain_state(state))
		return g_strdup(state);
	const UsherJson *verdict = usher_cli_member(device, "guard.verdict");
	g_autofree char *text = usher_cli_cell(verdict);
	bool is_held = g_strcmp0(state, "held") == 0 && g_strcmp0(text, "free") == 0;
	return is_held ? g_strdup("held") : g_steal_pointer(&text);
}

/* "domain/vm9" */
static char *foreign_cell(const UsherJson *device)
{
	const UsherJson *holder = usher_json_at(usher_json_get(device, "foreign"), 0);
	g_autofree char *kind = usher_cli_cell(usher_cli_member(holder, "kind"));
	g_autofree char *name = usher_cli_cell(usher_cli_member(holder, "name"));
	return g_strdup_printf("%s/%s", kind, name);
}

static const char *first_why(const UsherJson *device)
{
	const UsherJson *reasons = usher_cli_member(device, "guard.reasons");
	const UsherJson *because = usher_cli_member(device, "passthrough.because");
	const UsherJson *whole = usher_cli_member(device, "passthrough.whole");
	if (reasons != NULL && usher_json_length(reasons) > 0)
		return usher_json_get_string(usher_json_at(reasons, 0), "why");
	bool is_yes = whole != NULL && strcmp(usher_json_string(whole), "yes") == 0;
	if (!is_yes && because != NULL && usher_json_length(because) > 0)
		return usher_json_string(usher_json_at(because, 0));
	return NULL;
}

static char *why_cell(const UsherJson *device)
{
	const char *lease = usher_json_get_string(device, "lease");
	if (lease != NULL)
		return g_strdup(lease);
	if (!is_plain_state(usher_json_get_string(device, "state")))
		return NULL;
	if (usher_json_length(usher_json_get(device, "foreign")) > 0)
		return foreign_cell(device);
	const char *why = first_why(device);
	return why != NULL ? usher_cli_why_word(why) : NULL;
}

const UsherColumn usher_device_columns[] = {
	{ "ADDRESS", "address" },
	{ "NAME", .cell = name_cell, .whole = whole_name_cell, .gives_way = true },
	{ "DRIVER", "driver" },
	{ "GROUP", "groups" },
	{ "IOMMU", .cell = iommu_cell },
	{ "STATE", .cell = state_cell },
	{ "NODE", "node", .is_wide = true },
	{ "ID", "id", .is_wide = true },
	{ "TYPE", "type", .is_wide = true },
	{ "NUMA", "numa_node", .is_wide = true },
	{ "VENDOR", "vendor", .is_wide = true },
	{ "SLOT", "slot_label", .is_wide = true },
	{ "SERIAL", "serial", .is_wide = true },
	{ "OVERRIDE", .cell = override_cell, .is_wide = true },
	{ "WHY", .cell = why_cell },
	{ NULL },
};

/* Under which heading it stands; its headings sort as numbers first. */
static char *heading_of_iommu(const UsherJson *device)
{
	g_autofree char *group = usher_cli_cell(usher_cli_member(device, "iommu_group"));
	return group != NULL ? g_strdup_printf("IOMMU group %s", group)
			     : g_strdup("no IOMMU group");
}

static char *heading_of_node(const UsherJson *device)
{
	g_autofree char *node = usher_cli_cell(usher_cli_member(device, "node"));
	return node != NULL ? g_strdup_printf("node %s", node) : g_strdup("this host");
}

static char *heading_of_model(const UsherJson *device)
{
	g_autofree char *vendor = usher_cli_cell(usher_cli_member(device, "vendor"));
	g_autofree char *name = whole_name_cell(device);
	return g_strdup_printf("%s %s", vendor != NULL ? vendor : "unknown vendor",
		name != NULL ? name : "unknown model");
}

static char *heading_of_group(const UsherJson *device)
{
	g_autofree char *groups = usher_cli_cell(usher_cli_member(device, "groups"));
	return groups != NULL && groups[0] != '\0' ? g_strdup_printf("group %s", groups)
						   : g_strdup("in no group");
}

static const struct {
	const char *name;
	char *(*heading)(const UsherJson *);
	const char *member; /* what sorts them */
} groupings[] = {
	{ "iommu", heading_of_iommu, "iommu_group" },
	{ "node", heading_of_node, "node" },
	{ "model", heading_of_model, "device" },
	{ "group", heading_of_group, "groups" },
	{ "none", NULL, NULL },
};

const char *const usher_cli_grouping_names[] = { "iommu", "node", "model", "group", "none", NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(usher_cli_grouping_names) == G_N_ELEMENTS(groupings) + 1);

UsherHeadingFunc usher_cli_grouping(const char *name, const char **out_member)
{
	size_t i = 0;
	while (strcmp(groupings[i].name, name) != 0)
		i++;
	*out_member = groupings[i].member;
	return groupings[i].heading;
}
