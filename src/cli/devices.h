/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Devices of this host, scanned here and enriched by usherd when it answers at once. */
#include "cli/cli.h"
#include "core/doctor/finding.h"
#include "core/inventory.h"
#include "host/holders.h"

/* One look at this host, or at --root; says with --verbose what could not be read. */
/* The node that this host is, of /v1/nodes: the only one, or the one with our name; NULL: none. */
const char *usher_cli_own_node(const UsherJson *nodes);
/* An answer of usherd, where it is there and quick; NULL: it is not. */
UsherJson *usher_cli_peek(UsherCli *cli, const char *path);
UsherInventory *usher_cli_scan(UsherCli *cli, GError **error);
/* Its devices, of UsherJson, sorted by address, with what usherd knows of them. */
GPtrArray *usher_cli_devices_of(UsherCli *cli, const UsherInventory *inventory, GError **error);
/* The name is an address and names no node: it is a device of this host. */
bool usher_cli_is_here(const char *name);
/* Borrowed of the inventory; NOT_FOUND, INVALID. */
const UsherDevice *usher_cli_find_here(
	const UsherInventory *inventory, const char *name, GError **error);
/* Both at once. */
GPtrArray *usher_cli_scan_devices(UsherCli *cli, GError **error);
/* "NODE/ADDRESS" or the id of a device by any of its names: bare addresses where they are
 * unambiguous. Asks usherd. */
char *usher_cli_resolve_device(UsherCli *cli, const char *name, GError **error);

/* cmd-doctor.c: what --for says. */
UsherGoal usher_cli_goal(const UsherCli *cli);
/* cmd-record.c: the path is of a recording, which stays as it was made. */
bool usher_cli_is_in_recording(const char *path);

/* cmd-device-users.c: of UsherHolder. address: of the device and of what hangs on it; NULL: of all.
 * out_unseen: processes that could not be looked into, about which there is a sentence. */
GPtrArray *usher_cli_holders(UsherCli *cli, const UsherInventory *inventory, const char *address,
	unsigned *out_unseen, GError **error);
char *usher_cli_unseen(const UsherCli *cli, unsigned n_unseen);
