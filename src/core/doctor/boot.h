/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The boot configuration as values: what is wished of it, what was changed in it, and what is
 * remembered of that so that it can be undone. Paths have no leading slash: they lie below a root.
 * Any thread; nothing here touches a file.
 */
#include "base/record.h"

/* A function that the host's driver must not get at boot: vfio-pci holds it for guests. */
typedef struct UsherBootHold {
	char *address;        /* "0000:01:00.0" */
	char *id;             /* "8086:3e92" */
	char *driver;         /* the module kept off; NULL: none that is known */
	bool shares_id;       /* another device here has the same id and stays with the host */
	bool is_builtin;      /* the driver is in the kernel itself: no module could wait */
	bool shows_console;   /* the host's screen hangs on it */
	bool carries_network; /* a NIC */
} UsherBootHold;
USHER_RECORD_DECLARE(UsherBootHold, usher_boot_hold)

/* What shall be true of the next boot. */
typedef struct UsherBootWish {
	GPtrArray *words;    /* on the kernel command line: "intel_iommu=on" */
	GPtrArray *unwanted; /* not on it: "intel_iommu=off", or a key alone for any value */
	GPtrArray *modules;  /* loaded at boot */
	GPtrArray *softdeps; /* "kvmgt pre: vfio": as in modprobe.d(5) */
	GPtrArray *options;  /* "i915 enable_guc=0": likewise */
	GPtrArray *holds;    /* of UsherBootHold */
	GPtrArray *unsigned_modules; /* of modules: Secure Boot would refuse them */
	GPtrArray *promises;         /* findings that will be ok then */
} UsherBootWish;
USHER_RECORD_DECLARE(UsherBootWish, usher_boot_wish)

/* A word or a line: was NULL when it was added, is NULL when it was dropped. */
typedef struct UsherBootChange {
	char *was, *is;
	char *after; /* what was dropped stood behind this; NULL: at the beginning */
} UsherBootChange;
USHER_RECORD_DECLARE(UsherBootChange, usher_boot_change)

/* What was changed in one place of one file. */
typedef struct UsherBootEdit {
	char *path;
	char *variable; /* of a shell assignment; NULL: the file has no such */
	bool is_lines;  /* changes are whole lines; else words */
	bool is_new;    /* there was no such file */
	int64_t mode;   /* of a new file */
	char *was, *is; /* words: the whole statement; NULL: there was none */
	GPtrArray *changes;
} UsherBootEdit;
USHER_RECORD_DECLARE(UsherBootEdit, usher_boot_edit)

/* A program with its arguments, run after files have changed. */
typedef struct UsherBootCommand {
	GPtrArray *words;
} UsherBootCommand;
USHER_RECORD_DECLARE(UsherBootCommand, usher_boot_command)

/* A boot that is tried before it is kept: core/doctor/boot-try. */
typedef struct UsherBootTry {
	unsigned state;      /* UsherTryState */
	char *boot_id;       /* of the boot in which it came to be so */
	GPtrArray *words;    /* that are tried on the command line */
	GPtrArray *unwanted; /* that are not on it */
} UsherBootTry;
USHER_RECORD_DECLARE(UsherBootTry, usher_boot_try)

/* What `usher host prepare` did to this host: written before the first file is. */
typedef struct UsherBootManifest {
	int64_t made;  /* when, of the last one */
	char *boot_id; /* of the boot in which it was made: another one is after the reboot */
	char *goal;    /* "pci" */
	char *address; /* NULL: the host as a whole */
	GPtrArray *promises;
	GPtrArray *edits;      /* in the order in which they were made */
	GPtrArray *due;        /* of UsherBootCommand: not yet run */
	UsherBootTry *attempt; /* of the command line; NULL: it is not tried first */
	UsherBootWish *wish;   /* of that attempt: to be kept when it went well */
	char *once;            /* the file that has its boot entry */
	GPtrArray *guests; /* vms that ran with devices then: started when the promises are kept */
} UsherBootManifest;
USHER_RECORD_DECLARE(UsherBootManifest, usher_boot_manifest)

/* One text of the configuration. */
typedef struct UsherBootFile {
	char *path;
	char *text;   /* NULL: there is no such file */
	int64_t mode; /* that it is made with */
} UsherBootFile;
UsherBootFile *usher_boot_file_new(const char *path, const char *text);
void usher_boot_file_free(UsherBootFile *file);
/* NULL: it is not among them. */
UsherBootFile *usher_boot_file_find(const GPtrArray *files, const char *path);
GPtrArray *usher_boot_files_new(void);
GPtrArray *usher_boot_files_dup(const GPtrArray *files);
