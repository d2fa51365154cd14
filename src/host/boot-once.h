/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * This host's boot loader behind ports/boot-loader.h: an entry of usher's that is booted once, as
 * core/doctor/boot-once makes it, and boot files that are changed when it went well.
 */
#include "host/bootfiles.h"
#include "ports/boot-loader.h"

/* All are borrowed. manifest->wish is what is tried; what is done is remembered in manifest first. */
UsherBootLoaderPort *usher_boot_loader_host_new(
	const UsherBootFiles *files, const UsherHostFacts *health, UsherBootManifest *manifest);
/* All that the manifest tells is undone, and forgotten. */
bool usher_bootfiles_undo(const UsherBootFiles *files, const UsherHostFacts *health,
	const UsherBootManifest *manifest, GError **error);
