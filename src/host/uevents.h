/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tells what about devices changed. Only the kernel's message is looked at, never sysfs
 * behind it. Main thread.
 */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherUevents UsherUevents;
/* Of a PCI function; NULL: something else, or events were lost. */
typedef void (*UsherUeventFunc)(const char *address, void *data);
typedef void (*UsherUeventsFunc)(void *data);

/* Calls func once for each burst of events, a moment after its first. */
UsherUevents *usher_uevents_new(UsherUeventsFunc func, void *data, GError **error);
/* Also calls each for every event, with the same data, before func. */
void usher_uevents_tell_each(UsherUevents *uevents, UsherUeventFunc each);
void usher_uevents_free(UsherUevents *uevents);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherUevents, usher_uevents_free)
