/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The boot configuration of this machine, or of one below a root: read, replaced whole or not at
 * all, and what was done remembered beside. Links are followed and never lead out of the root.
 * Calls may block as long as the disk does.
 */
#include "core/doctor/boot-plan.h"
#include "core/doctor/facts.h"

#define USHER_BOOT_MANIFEST "var/lib/usher-agent/host-prepare.json" /* in a folder of root's */

typedef struct UsherBootFiles UsherBootFiles;
/* root: "", "/" and NULL: this machine. */
UsherBootFiles *usher_bootfiles_open(const char *root, GError **error);
void usher_bootfiles_free(UsherBootFiles *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherBootFiles, usher_bootfiles_free)
bool usher_bootfiles_is_live(const UsherBootFiles *self);

/* To the byte. NULL: without an error when there is no such file; larger than 64 KiB and a NUL in
 * it are INVALID. */
char *usher_bootfiles_read(const UsherBootFiles *self, const char *path, GError **error);
/* The file is old or new, never half: a temporary beside it, fsync, rename, fsync of the folder. It
 * keeps owner, mode and security label; mode is of a new one. NULL text: it is removed. What has
 * been written is read back. */
bool usher_bootfiles_write(const UsherBootFiles *self, const char *path, const char *text,
	int64_t mode, GError **error);

/* What plans are made of. health: of the same machine. */
UsherBootFacts *usher_bootfiles_look(
	const UsherBootFiles *self, const UsherHostFacts *health, GError **error);

/* What was done here; NULL without an error: nothing. */
UsherBootManifest *usher_bootfiles_manifest(const UsherBootFiles *self, GError **error);
bool usher_bootfiles_remember(
	const UsherBootFiles *self, const UsherBootManifest *manifest, GError **error);
/* Findings that were promised to be ok after the reboot, borrowed; *out_is_rebooted: it was. */
const GPtrArray *usher_bootfiles_promises(
	const UsherBootFiles *self, const UsherBootManifest *manifest, bool *out_is_rebooted);
/* "unknown" where it can't be told. */
char *usher_bootfiles_boot_id(const UsherBootFiles *self);

/* CONFLICT: a file that the plan changes is not as the plan has seen it. */
bool usher_bootfiles_is_current(
	const UsherBootFiles *self, const UsherBootPlan *plan, GError **error);
/* Writes what the plan changes, with a backup FILE.usher-backup of what was there. */
bool usher_bootfiles_apply(const UsherBootFiles *self, const UsherBootPlan *plan, GError **error);
/* After a way back: the backups of these edits and the manifest go. */
bool usher_bootfiles_forget(
	const UsherBootFiles *self, const UsherBootManifest *manifest, GError **error);
/* Runs it on this machine; HOST with what it said, when it fails. */
bool usher_bootfiles_run(const UsherBootCommand *command, GError **error);
