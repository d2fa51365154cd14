/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runs usher-helper: one kernel write, or reads that take a device's lock, in a process of its own
 * that may hang. What does not come back by its deadline is killed; what cannot even be killed is
 * left, and remembered as out until it ends. Calls block until the deadline; several threads may
 * call at once.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct UsherHelper UsherHelper;
typedef void (*UsherHelperBack)(void *data);

/* path: of the program. Helpers that an earlier process of ours left behind are found again. */
UsherHelper *usher_helper_new(const char *path);
/* Those that are out stay as they are. */
void usher_helper_free(UsherHelper *helper);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherHelper, usher_helper_free)
/* The program: beside ours, or where it is installed. NULL: nowhere. */
char *usher_helper_find(void);

/* args: the command line after the program, ends with NULL. address: the device that is written
 * to, NULL: none. UNAVAILABLE: did not come back, or an earlier write to the device has not yet. */
bool usher_helper_run(UsherHelper *helper, const char *address, const char *const *args,
	int64_t timeout_us, GError **error);
/* driver_override of all devices, or of those in only (a set of addresses): address → text, "" where there is none; devices that did not
 * answer are missing, each with a sentence in notes. */
GHashTable *usher_helper_read_overrides(
	UsherHelper *helper, GHashTable *only, int64_t timeout_us, GPtrArray *notes);

/* The serial number in the device's vital product data, "" when it has none; NULL: it did not
 * answer, or may not be asked now. Given. */
char *usher_helper_read_vpd(UsherHelper *helper, const char *address, int64_t timeout_us);

/* A write to the device has not come back. */
bool usher_helper_is_out(UsherHelper *helper, const char *address);
/* Main thread: func is called there when one that was out has come back. */
void usher_helper_watch(UsherHelper *helper, UsherHelperBack func, void *data);
