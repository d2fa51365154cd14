/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What has to run when boot files have changed, and what may go wrong then. Pure. */
#include "core/doctor/boot-plan.h"

#define USHER_BOOT_GRUB_FILE    "etc/default/grub"
#define USHER_BOOT_GRUB_MENU    "boot/grub/grub.cfg" /* read only */
#define USHER_BOOT_GRUB_FOLDER  "etc/default/grub.d/"
#define USHER_BOOT_LINE_FILE    "etc/kernel/cmdline"
#define USHER_BOOT_ENTRY_FOLDER "/loader/entries/"

/* The path of a program, with its first slash; NULL: there is none. Given to the caller. */
char *usher_boot_program(const UsherBootFacts *facts, const char *name);
bool usher_boot_has(const UsherBootFacts *facts, const char *path);

/* Of UsherBootCommand. is_undo: the edits were taken back. */
GPtrArray *usher_boot_commands(const UsherBootFacts *facts, const GPtrArray *edits, bool is_undo);
/* Of UsherBootWarning. */
GPtrArray *usher_boot_warnings(
	const UsherBootFacts *facts, const UsherBootWish *wish, const GPtrArray *edits);
/* An initial RAM disk holds copies of what was edited. */
bool usher_boot_is_in_initramfs(const GPtrArray *edits);
