/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node and the control plane say to each other in one exchange (ports/control.h). Values. */
#include "core/guest-info.h"
#include "core/lease.h"
#include "core/operation.h"

/* At most so many devices in one report: it must fit one store transaction and 1 MiB. */
#define USHER_REPORT_MAX_DEVICES 64

/* What the node has found and done; lists hold what the control plane has not acknowledged yet. */
typedef struct UsherReport {
	char *node;
	char *session; /* NULL asks for one; a session that ended is UNAVAILABLE: ask again */
	char *machine_id, *boot_id;
	char *instance; /* of the state folder: tells a restarted agent from a second one */
	char *kernel, *agent_version;
	bool ready; /* the node has compared journal, kernel and hypervisor */
	int64_t devices_total;
	GPtrArray *devices; /* of UsherDevice: new or changed */
	GPtrArray *gone;    /* record ids of devices that are no longer seen */
	bool has_guests;    /* guests is the whole list */
	GPtrArray *guests;  /* of UsherGuestInfo */
	GPtrArray
		*operations; /* of UsherOperation: state, steps, error; the node's own ones whole */
	GPtrArray *leases;   /* of UsherLease: state, reason, was */
} UsherReport;
USHER_RECORD_DECLARE(UsherReport, usher_report)

/* What is wanted of the node. */
typedef struct UsherWants {
	char *session;
	int64_t revision;      /* store revision this was read at */
	GPtrArray *operations; /* of UsherOperation: those of this node that have not ended */
	GPtrArray *leases;     /* of UsherLease: likewise */
	bool has_records;      /* records is the whole list: in the answer that opens a session */
	GPtrArray *records;    /* of UsherDevice: the node's known devices */
} UsherWants;
USHER_RECORD_DECLARE(UsherWants, usher_wants)
