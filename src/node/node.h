/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A node: looks at its host, guards it, carries out operations, brings devices home. Knows the
 * ports only, so that it runs against fakes under a fake clock. Main thread.
 */
#include "ports/clock.h"
#include "ports/control.h"
#include "ports/guest.h"
#include "ports/host.h"
#include "ports/journal.h"

typedef struct UsherNode UsherNode;

/* All borrowed; they outlive the node. */
typedef struct UsherNodePorts {
	UsherClock *clock;
	UsherHost *host;
	UsherGuest *guest;
	UsherControl *control;
	UsherJournal *journal;
} UsherNodePorts;

/* Told when the node has compared journal, kernel and hypervisor for the first time. */
typedef void (*UsherNodeReady)(void *data);

/* instance: see UsherReport. Fails when the journal cannot be read. Begins at once. */
UsherNode *usher_node_new(const char *name, const char *instance, const char *kernel,
	const UsherNodePorts *ports, UsherNodeReady ready, void *data, GError **error);
/* Running jobs are abandoned as in a crash: the journal knows of them. */
void usher_node_free(UsherNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherNode, usher_node_free)
