/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A boot entry that is booted once, beside the one that is the default: where the boot loader can,
 * a changed command line is tried so. Text to text, from what the host has. Pure.
 */
#include "core/doctor/boot-plan.h"

typedef struct UsherBootOnce {
	char *path; /* of the file that holds the entry */
	char *text;
	UsherBootCommand *command; /* that has it booted next, and only then */
} UsherBootOnce;
void usher_boot_once_free(UsherBootOnce *once);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherBootOnce, usher_boot_once_free)

/* The default entry with the wish's command line. NULL without an error: this boot loader can't,
 * or nobody could see from outside how it went. INVALID: its configuration can't be read. */
UsherBootOnce *usher_boot_once_make(
	const UsherBootFacts *facts, const UsherBootWish *wish, GError **error);
/* The same wish without what the entry tries: for the files that are changed at once. */
UsherBootWish *usher_boot_once_rest(const UsherBootWish *wish);
