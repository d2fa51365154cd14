/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which files of this host's boot configuration are to be changed so that a wish comes true, to
 * what, what has to run after, and what may go wrong: decided from what the host has. Pure.
 */
#include "core/doctor/boot.h"

/* What the host has. Read by host/boot-facts, then treated as const. */
typedef struct UsherBootFacts {
	GPtrArray *files;  /* of UsherBootFile: boot files; text NULL: there is none */
	GHashTable *paths; /* those of usher_boot_paths that exist, and initial RAM disks */
	GPtrArray *images; /* of kernels: "boot/vmlinuz-6.1.0-18-amd64" */
	bool has_uki;      /* an image with its command line in it, for the firmware to start */
	bool secure_boot;
	GPtrArray *ways_in;      /* to this host but by its screen: "ssh", "a serial console" */
	int64_t boot_free_bytes; /* where initial RAM disks are; USHER_INT_NULL: unknown */
	int64_t initrd_bytes;    /* the largest of them; likewise */
} UsherBootFacts;
UsherBootFacts *usher_boot_facts_new(void);
void usher_boot_facts_free(UsherBootFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherBootFacts, usher_boot_facts_free)

/* Files that plans read or change, and paths that it matters to have. Both end with NULL. */
extern const char *const usher_boot_file_paths[];
extern const char *const usher_boot_paths[];
/* Folders, and how the names end of the files there that plans read. Ends with a NULL folder. */
typedef struct UsherBootFolder {
	const char *folder, *suffix;
} UsherBootFolder;
extern const UsherBootFolder usher_boot_folders[];

typedef enum {
	USHER_BOOT_NO_LOADER,
	USHER_BOOT_GRUB,
	USHER_BOOT_GRUBBY, /* GRUB with entries of the Boot Loader Specification */
	USHER_BOOT_PROXMOX,
	USHER_BOOT_KERNEL_INSTALL,
	USHER_BOOT_MKINITCPIO, /* images that hold /etc/kernel/cmdline */
	USHER_BOOT_ENTRIES,    /* written by hand */
	USHER_BOOT_N_LOADERS,
} UsherBootLoader;
const char *usher_boot_loader_name(UsherBootLoader loader);
UsherBootLoader usher_boot_loader(const UsherBootFacts *facts);

/* What somebody has to agree to. */
typedef struct UsherBootWarning {
	char *id; /* "console-lost" */
	char *text;
} UsherBootWarning;
USHER_RECORD_DECLARE(UsherBootWarning, usher_boot_warning)

typedef struct UsherBootPlan {
	UsherBootLoader loader;
	GPtrArray *before, *files; /* of UsherBootFile, in the same order */
	GPtrArray *edits;          /* empty: nothing is to be done */
	GPtrArray *commands;       /* of UsherBootCommand, that must run after */
	GPtrArray *warnings;
} UsherBootPlan;
void usher_boot_plan_free(UsherBootPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherBootPlan, usher_boot_plan_free)

/* INVALID: a file that can't be read; DENIED: the command line can't be changed here. */
UsherBootPlan *usher_boot_plan_make(
	const UsherBootFacts *facts, const UsherBootWish *wish, GError **error);
/* The way back from what a manifest tells. CONFLICT with every word and line that is not as it was
 * left. */
UsherBootPlan *usher_boot_plan_revert(
	const UsherBootFacts *facts, const UsherBootManifest *manifest, GError **error);
/* As `diff -u`, file after file. */
char *usher_boot_plan_diff(const UsherBootPlan *plan);
/* Writes down what is about to be done, on top of what was before. */
void usher_boot_plan_note(const UsherBootPlan *plan, UsherBootManifest *manifest);
