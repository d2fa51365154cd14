/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An archive of a recording, unpacked for as long as somebody reads it. It may come from anybody:
 * nothing is written outside of the folder, and not without end.
 */
#include <glib.h>
#include <stdbool.h>

typedef struct UsherUnpacked UsherUnpacked;
/* INVALID: it is no archive, or one that is not to be trusted. */
UsherUnpacked *usher_unpack(const char *path, GError **error);
/* The tree: the folder, or the only one that is in it. */
const char *usher_unpacked_root(const UsherUnpacked *unpacked);
/* With all that was unpacked. */
void usher_unpacked_free(UsherUnpacked *unpacked);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherUnpacked, usher_unpacked_free)
