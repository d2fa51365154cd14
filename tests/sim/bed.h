/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A bed: one node and the control plane on fakes under one fake clock, with processes that die and
 * are started again as a service manager would, and the invariants that must hold through it all.
 */
#include "cluster/cluster.h"
#include "fakes/clock.h"
#include "fakes/faults.h"
#include "fakes/guest.h"
#include "fakes/host.h"
#include "fakes/journal.h"
#include "node/node.h"

typedef struct Bed Bed;

/* Two NICs with groups of their own, a display with its audio in one; domains vm1 to vm3; groups nics
 * (return host), gpus, and keeps (the second NIC's like, return hold); all three adopted. */
Bed *bed_new(uint64_t seed);
void bed_free(Bed *bed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bed, bed_free)

UsherClock *bed_clock(Bed *bed);
FakeFaults *bed_faults(Bed *bed);
FakeHost *bed_host(Bed *bed);
FakeGuest *bed_guest(Bed *bed);
/* NULL while it is dead. */
UsherCluster *bed_cluster(Bed *bed);
/* Another controller over the same store, that lives always; made at the first call. */
UsherCluster *bed_second_cluster(Bed *bed);

/* Runs one event, in an order that chance decides when by_chance; buries the dead. */
void bed_step(Bed *bed, bool by_chance);
/* Runs all there is for so long. The invariants are checked after each event. */
void bed_run(Bed *bed, int64_t us);
void bed_kill_node(Bed *bed);
void bed_kill_control(Bed *bed);
/* Power cut: both die, the host boots anew, guests are off. */
void bed_cut_power(Bed *bed);
/* How often the node's reports are lost, or doubled: one in n, 0: never. */
void bed_lose_exchanges(Bed *bed, unsigned one_in);

/* What must hold always: aborts with a sentence when it does not. */
void bed_check_always(Bed *bed);
/* What must hold when everything has come to rest. */
void bed_check_at_rest(Bed *bed);
/* Called with the bed's state in words before a check aborts. */
char *bed_print(Bed *bed);
