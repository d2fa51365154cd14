/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tells that something about devices changed. Only the kernel's message is looked at, never sysfs
 * behind it. Main thread.
 */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherUevents UsherUevents;
typedef void (*UsherUeventsFunc)(void *data);

/* Calls func once for each burst of events, a moment after its first. */
UsherUevents *usher_uevents_new(UsherUeventsFunc func, void *data, GError **error);
void usher_uevents_free(UsherUevents *uevents);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherUevents, usher_uevents_free)
