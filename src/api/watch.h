/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Watches: what there is, then what changes, as JSON lines. A watch keeps no queue: it reads the
 * store's log from where its reader is, so that a slow reader costs nothing but its place.
 */
#include "api/message.h"
#include "cluster/cluster.h"

typedef struct UsherWatchQuery {
	unsigned kinds;   /* mask of 1 << UsherObjectKind */
	const char *node; /* only objects of this node, NULL: all */
	const char *name; /* the one object, of the one kind; NULL: all */
	bool all;         /* what has ended is in the first lines, too */
	int64_t since;    /* changes after this revision alone; -1: begin with what there is */
} UsherWatchQuery;

/* How many events a reader may be behind, once it had caught up. */
#define USHER_WATCH_MAX_BEHIND  1000
#define USHER_WATCH_BOOKMARK_US (15 * G_USEC_PER_SEC)

/* cluster and clock are borrowed. Given to the caller. */
UsherStream *usher_watch_new(
	UsherCluster *cluster, UsherClock *clock, const UsherWatchQuery *query);
