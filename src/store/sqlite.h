/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The store in one SQLite file, for one usherd. What commit has confirmed survives a power cut. The
 * file is locked as long as it is open, by a lock that the kernel drops with the process.
 */
#include <glib.h>

#include "ports/clock.h"
#include "ports/store.h"

/* Makes the file when there is none; its folder must exist. clock is borrowed and outlives the
 * store. BUSY: another process has it open. DENIED: it cannot be written. INVALID: it is
 * another program's, or a newer usher's. INTERNAL: it is damaged. Sessions get their whole time
 * to live again. */
UsherStore *usher_store_sqlite_open(const char *path, UsherClock *clock, GError **error);

/* The file may not grow over so many pages of 4 KiB. For tests of a full disk. */
void usher_store_sqlite_limit_pages(UsherStore *store, int64_t n_pages);
