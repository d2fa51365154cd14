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
#include "sim/witness.h"

typedef struct Bed Bed;

/* Two NICs with groups of their own, a display with its audio in one, a third NIC that the
 * host itself binds to vfio-pci; domains vm1 to vm3; groups nics (return host), keeps (the
 * second NIC's like, return hold), gpus, and spares (the third NIC's, return host); all three
 * adopted. */
Bed *bed_new(uint64_t seed);
/* The same on a store in a file that is not there yet; NULL: in memory. */
Bed *bed_new_on(uint64_t seed, const char *store_path);
void bed_free(Bed *bed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bed, bed_free)

UsherClock *bed_clock(Bed *bed);
FakeFaults *bed_faults(Bed *bed);
FakeHost *bed_host(Bed *bed);
FakeGuest *bed_guest(Bed *bed);
/* NULL while it is dead. */
UsherCluster *bed_cluster(Bed *bed);
/* Another controller over the same store, that lives always; made at the first call. From then
 * on the node speaks now to this one, now to that one. */
UsherCluster *bed_second_cluster(Bed *bed);
Witness *bed_witness(Bed *bed);

/* Runs one event, in an order that chance decides when by_chance; buries the dead. */
void bed_step(Bed *bed, bool by_chance);
/* Runs all there is for so long. The invariants are checked after each event. */
void bed_run(Bed *bed, int64_t us);
/* The same, in an order that chance decides. */
void bed_run_any(Bed *bed, int64_t us);
void bed_kill_node(Bed *bed);
void bed_kill_control(Bed *bed);
/* Power cut: both die, the host boots anew, guests are off. */
void bed_cut_power(Bed *bed);
/* How often the node's reports are lost, or doubled: one in n, 0: never. */
void bed_lose_exchanges(Bed *bed, unsigned one_in);
/* How often events of host, guests and store are lost, or doubled. */
void bed_lose_events(Bed *bed, unsigned one_in);
/* The vm, that is off, is started, runs for some seconds, and is forced off. */
void bed_start_and_stop(Bed *bed, const char *vm);
/* Called before each commit of one controller with the other one, which may be quicker; not
 * while it is being called. */
typedef void (*BedQuicker)(UsherCluster *other, void *data);
void bed_interleave(Bed *bed, BedQuicker func, void *data);
/* The hypervisor is away, or back. */
void bed_set_guests_away(Bed *bed, bool is_away);
/* The wall clock is set that much further. */
void bed_shift_wall(Bed *bed, int64_t us);
/* Whoever asked was told of the operation (NULL: was refused): it must exist and end. Frees it. */
void bed_expect(Bed *bed, UsherOperation *operation);
/* Nothing goes wrong from now on. */
void bed_heal(Bed *bed);

/* What has been done to the bed: the last lines are printed when an invariant does not hold. */
void bed_note(Bed *bed, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Told in that case: the command that does it again. */
void bed_set_replay(Bed *bed, const char *command);
void bed_print_notes(Bed *bed);

/* What must hold always: aborts with a sentence when it does not. */
void bed_check_always(Bed *bed);
/* What must hold when everything has come to rest. */
void bed_check_at_rest(Bed *bed);
/* The bed's state in words. Given. */
char *bed_print(Bed *bed);
