/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands and flags. Verbs of a noun stand together. */
#include "cli/device-columns.h"
#include "core/doctor/finding.h"
#include "core/device.h"
#include "core/vm.h"

static const char *const format_names[] = { "table", "wide", "json", "csv", "name", NULL };
static const char *const return_names[] = { "host", "hold", "by-class", NULL };

const UsherFlag usher_global_flags[] = {
	{ "help", 'h', USHER_FLAG_SWITCH, NULL, "say what the command does" },
	{ "json", 0, USHER_FLAG_SWITCH, NULL, "print one JSON document; the same as -o json" },
	{ "output", 'o', USHER_FLAG_TEXT, "FORMAT", "how to print", format_names },
	{ "no-headers", 0, USHER_FLAG_SWITCH, NULL, "tables without their first line" },
	{ "quiet", 'q', USHER_FLAG_SWITCH, NULL, "say nothing when it went well" },
	{ "server", 0, USHER_FLAG_TEXT, "PATH", "usherd's socket (" USHER_CLI_DEFAULT_SERVER ")" },
	{ "root", 0, USHER_FLAG_TEXT, "DIR",
		"look at the host recorded in DIR, or in an archive, not at this one" },
	{ "dry-run", 0, USHER_FLAG_SWITCH, NULL, "show what would be done, and do nothing" },
	{ "no-wait", 0, USHER_FLAG_SWITCH, NULL,
		"print the operation's id and do not wait for its end" },
	{ "watch", 'w', USHER_FLAG_SWITCH, NULL, "go on with what changes" },
	{ NULL },
};

#define VERBOSE_FLAG \
	{ \
		"verbose", 0, USHER_FLAG_SWITCH, NULL, \
			"say on standard error what could not be read" \
	}
static const UsherFlag device_list_flags[] = {
	{ "type", 0, USHER_FLAG_TEXT, "TYPE[,TYPE]", "only devices of these types" },
	{ "filter", 0, USHER_FLAG_TEXT, "FILTER",
		"only devices that match, in the language of rules" },
	{ "free", 0, USHER_FLAG_SWITCH, NULL,
		"only devices that the host does not need and nobody has" },
	{ "all", 0, USHER_FLAG_SWITCH, NULL, "USB hubs, too" },
	{ "group-by", 0, USHER_FLAG_TEXT, "WHAT", "those together that have it in common",
		usher_cli_grouping_names },
	{ "columns", 0, USHER_FLAG_TEXT, "COLUMN[,COLUMN]",
		"these columns, or members of --json as facts.serial" },
	{ "sort", 0, USHER_FLAG_TEXT, "[-]COLUMN", "in the order of a column; -: backwards" },
	{ "node", 0, USHER_FLAG_TEXT, "NODE", "devices of that node, as usherd knows them" },
	{ "all-nodes", 0, USHER_FLAG_SWITCH, NULL, "devices of all nodes" },
	VERBOSE_FLAG,
	{ NULL },
};
static const UsherFlag device_look_flags[] = { VERBOSE_FLAG, { NULL } };
static const UsherFlag make_resource_flags[] = {
	{ "group", 0, USHER_FLAG_TEXT, "GROUP", "the group they become members of" },
	{ "type", 0, USHER_FLAG_TEXT, "TYPE", "make the group, of this type, if it does not exist",
		usher_group_type_names },
	{ "like", 0, USHER_FLAG_SWITCH, NULL, "all devices that look the same, on every node" },
	{ NULL },
};
#define GROUP_FLAGS \
	{ "description", 0, USHER_FLAG_TEXT, "TEXT", "what it is for" }, \
		{ "return", 0, USHER_FLAG_TEXT, "POLICY", "where devices go when a guest ends", \
			return_names }, \
		{ "priority", 0, USHER_FLAG_NUMBER, "N", \
			"which group has a device that two groups match" }, \
		{ "disable", 0, USHER_FLAG_SWITCH, NULL, "give none of its devices" }, \
	{ \
		"enable", 0, USHER_FLAG_SWITCH, NULL, "give its devices again" \
	}
static const UsherFlag group_create_flags[] = {
	{ "type", 0, USHER_FLAG_TEXT, "TYPE", "what its members are", usher_group_type_names },
	GROUP_FLAGS,
	{ NULL },
};
static const UsherFlag group_update_flags[] = { GROUP_FLAGS, { NULL } };
static const UsherFlag rule_flags[] = {
	{ "group", 0, USHER_FLAG_TEXT, "GROUP", "the group that matching devices are members of" },
	{ "filter", 0, USHER_FLAG_TEXT, "FILTER", "which devices match" },
	{ "node", 0, USHER_FLAG_TEXT, "NODE", "only on that node" },
	{ "disable", 0, USHER_FLAG_SWITCH, NULL, "match nothing" },
	{ "enable", 0, USHER_FLAG_SWITCH, NULL, "match again" },
	{ NULL },
};
static const UsherFlag rule_explain_flags[] = {
	{ "filter", 0, USHER_FLAG_TEXT, "FILTER",
		"not usherd's rules but this one; needs no usherd" },
	VERBOSE_FLAG,
	{ NULL },
};
static const UsherFlag adopt_flags[] = {
	{ "node", 0, USHER_FLAG_TEXT, "NODE",
		"where it is defined, when several nodes have that name" },
	{ "take-hostdevs", 0, USHER_FLAG_SWITCH, NULL,
		"turn the host devices it has into requests" },
	{ "add-ports", 0, USHER_FLAG_SWITCH, NULL, "add the root ports it lacks" },
	{ NULL },
};
static const UsherFlag attach_flags[] = {
	{ "group", 0, USHER_FLAG_TEXT, "GROUP", "which group to take from" },
	{ "count", 0, USHER_FLAG_NUMBER, "N", "how many (1)" },
	{ "optional", 0, USHER_FLAG_SWITCH, NULL, "start without it when none is free" },
	{ "option", 0, USHER_FLAG_TEXTS, "KEY=VALUE",
		"how the device is to be; may be given again" },
	{ "now", 0, USHER_FLAG_SWITCH, NULL, "plug it into the running guest" },
	{ NULL },
};
static const UsherFlag detach_flags[] = {
	{ "group", 0, USHER_FLAG_TEXT, "GROUP", "the request for that group" },
	{ "request", 0, USHER_FLAG_TEXT, "ID", "the request with that id" },
	{ "now", 0, USHER_FLAG_SWITCH, NULL, "take its devices out of the running guest" },
	{ NULL },
};
static const UsherFlag start_flags[] = {
	{ "without-devices", 0, USHER_FLAG_SWITCH, NULL, "start it without what it requests" },
	{ "timeout", 0, USHER_FLAG_NUMBER, "SECONDS", "undone when it takes longer (180)" },
	{ NULL },
};
static const UsherFlag stop_flags[] = {
	{ "timeout", 0, USHER_FLAG_NUMBER, "SECONDS", "how long it may take to go off (120)" },
	{ "force", 0, USHER_FLAG_SWITCH, NULL, "cut its power" },
	{ NULL },
};
static const UsherFlag all_flags[] = {
	{ "all", 0, USHER_FLAG_SWITCH, NULL, "those that have ended, too" },
	{ NULL },
};
static const UsherFlag doctor_flags[] = {
	{ "for", 0, USHER_FLAG_TEXT, "GOAL", "what the host is to be ready for (pci)",
		usher_goal_names },
	{ "all", 0, USHER_FLAG_SWITCH, NULL, "with what is fine, and what could not be told" },
	{ "guest", 0, USHER_FLAG_TEXT, "DOMAIN",
		"not the host: a domain, as usherd and the node's agent see it" },
	{ "node", 0, USHER_FLAG_TEXT, "NODE", "of the domain, when several nodes have that name" },
	VERBOSE_FLAG,
	{ NULL },
};
#define YES_FLAG \
	{ \
		"yes", 0, USHER_FLAG_SWITCH, NULL, "do it without asking, warnings and all" \
	}
static const UsherFlag prepare_flags[] = {
	{ "at-once", 0, USHER_FLAG_SWITCH, NULL,
		"the default from now on, where else the next boot would try it first" },
	{ "for", 0, USHER_FLAG_TEXT, "GOAL", "what the host is to be ready for (pci)",
		usher_goal_names },
	YES_FLAG,
	VERBOSE_FLAG,
	{ NULL },
};
static const UsherFlag revert_flags[] = { YES_FLAG, VERBOSE_FLAG, { NULL } };
static const UsherFlag record_flags[] = {
	{ "raw", 0, USHER_FLAG_SWITCH, NULL, "with serial numbers, addresses and all as they are" },
	VERBOSE_FLAG,
	{ NULL },
};
static const UsherFlag api_flags[] = {
	{ "data", 'd', USHER_FLAG_TEXT, "JSON", "the body; @FILE reads it from there" },
	{ NULL },
};

enum {
	READ = USHER_COMMAND_DAEMON,
	LIST = USHER_COMMAND_DAEMON | USHER_COMMAND_LISTS,
	WRITE = USHER_COMMAND_DAEMON | USHER_COMMAND_WRITES,
	STEPS = USHER_COMMAND_DAEMON | USHER_COMMAND_WRITES | USHER_COMMAND_WAITS,
};

const UsherCommand usher_commands[] = {
	{ "status", NULL, "", 0, 0, 0, "What usher has, in a few lines", NULL, NULL, NULL,
		usher_cmd_status },

	{ "doctor", NULL, "[ADDRESS]", 0, 1, 0,
		"What stands in the way of a goal, who can fix it, and how", doctor_flags,
		"  usher doctor\n"
		"  usher doctor --for gvt-g\n"
		"  usher doctor --for pci 0000:01:00.0 --json\n"
		"  usher doctor --guest win11",
		"devices", usher_cmd_doctor },
	{ "host", "show", "", 0, 0, 0, "How this host boots, and what usher changed of that",
		device_look_flags, NULL, NULL, usher_cmd_host_show },
	{ "host", "prepare", "[ADDRESS]", 0, 1, USHER_COMMAND_WRITES,
		"Make this host ready for a goal: its boot files, shown before", prepare_flags,
		"  usher host prepare --dry-run\n"
		"  usher host prepare --for gvt-g\n"
		"  usher host prepare --for pci 0000:01:00.0 --yes",
		"devices", usher_cmd_host_prepare },
	{ "host", "revert", "", 0, 0, USHER_COMMAND_WRITES,
		"Put back what host prepare changed, and nothing else", revert_flags,
		"  usher host revert --dry-run", NULL, usher_cmd_host_revert },

	{ "device", "list", "", 0, 0, 0, "Devices of this host, or of nodes", device_list_flags,
		"  usher device list --type display,network\n"
		"  usher device list --free --group-by iommu\n"
		"  usher device list --columns address,driver,facts.serial --sort -numa_node\n"
		"  usher device list --filter \"vendor ct 'Intel'\" -o name",
		NULL, usher_cmd_device_list },
	{ "device", "show", "[NODE/]ADDRESS", 1, 1, 0, "All about one device", device_look_flags,
		"  usher device show 0000:01:00.0", "devices", usher_cmd_device_show },
	{ "device", "explain", "ADDRESS", 1, 1, 0,
		"May a guest have it? Every reason for and against", device_look_flags,
		"  usher device explain 0000:01:00.0 && echo yes", "devices",
		usher_cmd_device_explain },
	{ "device", "users", "[ADDRESS]", 0, 1, 0, "Processes that hold devices", device_look_flags,
		"  usher device users 0000:01:00.0", "devices", usher_cmd_device_users },
	{ "device", "watch", "", 0, 0, 0, "What is plugged, pulled, bound and unbound, live",
		device_look_flags, "  usher device watch --json | jq -r .address", NULL,
		usher_cmd_device_watch },
	{ "device", "make-resource", "[NODE/]ADDRESS…", 1, USHER_ANY_ARGS, WRITE,
		"Put devices into a group, by rules that find them again", make_resource_flags,
		"  usher device make-resource 0000:01:00.0 --group igpu --type pci", "devices",
		usher_cmd_device_make_resource },
	{ "device", "return", "[NODE/]ADDRESS", 1, 1, STEPS,
		"Hand a held device back to its host driver", NULL, NULL, "devices",
		usher_cmd_device_return },

	{ "group", "list", "", 0, 0, LIST, "Resource groups, and what is free in them", NULL, NULL,
		NULL, usher_cmd_group_list },
	{ "group", "show", "NAME", 1, 1, READ, "All about one group", NULL, NULL, "groups",
		usher_cmd_group_show },
	{ "group", "create", "NAME", 1, 1, WRITE, "Make a group", group_create_flags,
		"  usher group create nics --type pci --return hold", NULL,
		usher_cmd_group_create },
	{ "group", "update", "NAME", 1, 1, WRITE, "Change a group", group_update_flags,
		"  usher group update nics --return host", "groups", usher_cmd_group_update },
	{ "group", "delete", "NAME", 1, 1, WRITE, "Delete a group and its rules", NULL, NULL,
		"groups", usher_cmd_group_delete },

	{ "rule", "list", "", 0, 0, LIST, "Rules, and how many devices they match", NULL, NULL,
		NULL, usher_cmd_rule_list },
	{ "rule", "show", "NAME", 1, 1, READ, "All about one rule", NULL, NULL, "rules",
		usher_cmd_rule_show },
	{ "rule", "create", "NAME", 1, 1, WRITE, "Make a rule", rule_flags,
		"  usher rule create e1000e --group nics --filter \"vendor_device_hex eq "
		"'8086:10d3'\"",
		NULL, usher_cmd_rule_create },
	{ "rule", "update", "NAME", 1, 1, WRITE, "Change a rule", rule_flags, NULL, "rules",
		usher_cmd_rule_update },
	{ "rule", "delete", "NAME", 1, 1, WRITE, "Delete a rule", NULL, NULL, "rules",
		usher_cmd_rule_delete },
	{ "rule", "check", "FILTER", 1, 1, 0, "Is this a filter? Needs no usherd", NULL,
		"  usher rule check \"vendor ct 'Intel' and not driver eq 'ixgbe'\"", NULL,
		usher_cmd_rule_check },
	{ "rule", "explain", "ADDRESS", 1, 1, 0,
		"Which rules a device of this host matches, and what it fails in",
		rule_explain_flags,
		"  usher rule explain 0000:01:00.0\n"
		"  usher rule explain 0000:01:00.0 --filter \"vendor ct 'Intel'\"",
		"devices", usher_cmd_rule_explain },

	{ "vm", "list", "", 0, 0, LIST, "Virtual machines that usher knows", NULL, NULL, NULL,
		usher_cmd_vm_list },
	{ "vm", "show", "NAME", 1, 1, READ, "All about one vm", NULL, NULL, "vms",
		usher_cmd_vm_show },
	{ "vm", "adopt", "NAME", 1, 1, STEPS, "Take in a virtual machine of a hypervisor",
		adopt_flags, "  usher vm adopt win11", NULL, usher_cmd_vm_adopt },
	{ "vm", "forget", "NAME", 1, 1, STEPS, "Let it go: it stays with its hypervisor", NULL,
		NULL, "vms", usher_cmd_vm_forget },
	{ "vm", "attach", "NAME", 1, 1, WRITE, "Let it request devices of a group", attach_flags,
		"  usher vm attach win11 --group gpu", "vms", usher_cmd_vm_attach },
	{ "vm", "detach", "NAME", 1, 1, STEPS, "Remove a request", detach_flags,
		"  usher vm detach win11 --group gpu --now", "vms", usher_cmd_vm_detach },
	{ "vm", "start", "NAME", 1, 1, STEPS, "Start it with its devices, or not at all",
		start_flags, "  usher vm start win11\n  usher vm start win11 --dry-run", "vms",
		usher_cmd_vm_start },
	{ "vm", "stop", "NAME", 1, 1, STEPS, "Ask it to go off, and bring its devices home",
		stop_flags, "  usher vm stop win11 --timeout 300\n  usher vm stop win11 --force",
		"vms", usher_cmd_vm_stop },

	{ "lease", "list", "", 0, 0, LIST, "Who has which device", all_flags, NULL, NULL,
		usher_cmd_lease_list },
	{ "lease", "show", "ID", 1, 1, READ, "All about one lease", NULL, NULL, "leases",
		usher_cmd_lease_show },

	{ "node", "list", "", 0, 0, LIST, "Nodes, and whether they are ready", NULL, NULL, NULL,
		usher_cmd_node_list },
	{ "node", "show", "NAME", 1, 1, READ, "All about one node", NULL, NULL, "nodes",
		usher_cmd_node_show },

	{ "operation", "list", "", 0, 0, LIST, "What is under way", all_flags, NULL, NULL,
		usher_cmd_operation_list },
	{ "operation", "show", "ID", 1, 1, READ, "All about one operation", NULL, NULL,
		"operations", usher_cmd_operation_show },
	{ "operation", "follow", "ID", 1, 1, READ, "Wait for its end; Ctrl-C asks it to undo", NULL,
		NULL, "operations", usher_cmd_operation_follow },
	{ "operation", "cancel", "ID", 1, 1, WRITE, "Ask it to undo what it has done", NULL, NULL,
		"operations", usher_cmd_operation_cancel },

	{ "event", "list", "", 0, 0, LIST, "What has happened", NULL,
		"  usher event list -w --json | jq .message", NULL, usher_cmd_event_list },

	{ "record", NULL, "FILE", 1, 1, 0,
		"What usher reads of this machine, as an archive to send", record_flags,
		"  usher record machine.tar.zst\n"
		"  mkdir machine && tar -xf machine.tar.zst -C machine\n"
		"  usher --root machine device list",
		NULL, usher_cmd_record },
	{ "api", NULL, "METHOD PATH", 2, 2, READ, "One request to usherd as it is", api_flags,
		"  usher api GET /v1/groups\n"
		"  usher api PUT /v1/groups/nics -d '{\"type\":\"pci\"}'",
		NULL, usher_cmd_api },
	{ "completion", NULL, "bash|zsh|fish", 1, 1, 0,
		"A script that completes commands in a shell", NULL,
		"  usher completion bash > /etc/bash_completion.d/usher", NULL,
		usher_cmd_completion },
	{ "version", NULL, "", 0, 0, 0, "Which usher this is", NULL, NULL, NULL,
		usher_cmd_version },
	{ "help", NULL, "[NOUN [VERB]]", 0, 2, 0, "Commands, and what one does", NULL, NULL, NULL,
		usher_cmd_help },
	{ "__complete", NULL, "WORD…", 0, USHER_ANY_ARGS, USHER_COMMAND_HIDDEN | USHER_COMMAND_RAW,
		"Words that may stand here", NULL, NULL, NULL, usher_cmd_complete },
	{ NULL },
};
