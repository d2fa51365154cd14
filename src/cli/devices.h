/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Devices of this host, scanned here and enriched by usherd when it answers at once. */
#include "cli/cli.h"
#include "core/device.h"

/* Of UsherJson, sorted by address. */
GPtrArray *usher_cli_scan_devices(UsherCli *cli, GError **error);
/* "NODE/ADDRESS" or the id of a device by any of its names: bare addresses where they are
 * unambiguous. Asks usherd. */
char *usher_cli_resolve_device(UsherCli *cli, const char *name, GError **error);
