/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A witness of all that is written to the store and done to host and guests, who knows what must
 * never be. It reads the engine itself, past all mirrors.
 */
#include "core/device.h"
#include "core/operation.h"
#include "fakes/guest.h"
#include "fakes/host.h"
#include "ports/store.h"

typedef struct Witness Witness;

/* All borrowed; they outlive it. */
Witness *witness_new(UsherStore *engine, FakeHost *host, FakeGuest *guest);
void witness_free(Witness *witness);

/* Sees what was written since it looked last. The first thing that must not be, in a sentence that
 * is the witness's; NULL: nothing. */
const char *witness_look(Witness *witness);
/* What only holds when everything has come to rest. */
const char *witness_look_at_rest(Witness *witness);
/* Told before a node does something, for FakeFaults: it must have an operation or a lease for
 * it. */
void witness_note(const char *what, const char *object, void *witness);

/* An operation somebody was told of: it must exist and end. */
void witness_expect(Witness *witness, const char *operation);
/* The oldest deadline of what has not ended, save returns, which have none; INT64_MAX: all has. */
int64_t witness_deadline(Witness *witness, const char **out_operation);
/* The operation, NULL: there is none. Borrowed until the next look. */
const UsherOperation *witness_operation(Witness *witness, const char *id);
/* An operation that has not ended, the n-th of them; NULL: there are fewer. */
const UsherOperation *witness_open_operation(Witness *witness, unsigned n);
/* The device at the address, that is not absent; NULL: none is known. */
const UsherDevice *witness_device(Witness *witness, const char *address);
/* It is in a fence or in quarantine. */
bool witness_is_barred(Witness *witness, const char *address);
/* Adds the operations it has seen, of each kind how many ended how. */
typedef unsigned WitnessCounts[USHER_N_KINDS][USHER_OPERATION_N_STATES];
void witness_count(Witness *witness, WitnessCounts counts);
/* All that it has seen, in words. Given. */
char *witness_print(Witness *witness);
