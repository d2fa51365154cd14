/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Faults: each call of a fake port is counted, and one of them, the at-th, goes wrong. A process
 * that has died makes no more calls: they do nothing and answer UNAVAILABLE.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
	FAKE_FAULT_ERROR, /* the call is refused, nothing was done */
	FAKE_FAULT_HANG,  /* it does not come back in time; what it was to do is done later */
	FAKE_FAULT_DEATH_BEFORE, /* the caller dies right before it */
	FAKE_FAULT_DEATH_AFTER,  /* … right after it */
	FAKE_N_FAULTS,
} FakeFault;
extern const char *const fake_fault_names[FAKE_N_FAULTS];

typedef enum {
	FAKE_NODE,
	FAKE_CONTROL,
	FAKE_N_PROCESSES,
} FakeProcess;

/* Told of what is about to be done to the world: "guest-start" of "vm1", "unbind" of
 * "0000:01:00.0". */
typedef void (*FakeDone)(const char *what, const char *object, void *data);

typedef struct FakeFaults {
	uint64_t calls;     /* counted so far */
	uint64_t at;        /* the call that goes wrong; 0: none */
	const char *only;   /* not the at-th call but the first of that name goes wrong, once */
	const char *always; /* calls of that name are refused, all of them */
	FakeFault fault;
	const char *hit; /* the name of the call that went wrong, NULL: none yet */
	bool is_dead[FAKE_N_PROCESSES];
	FakeDone done;
	void *done_data;
} FakeFaults;

/* What the fake has to do with a call. */
typedef enum {
	FAKE_CALL_DO,
	FAKE_CALL_REFUSE,        /* error is set */
	FAKE_CALL_DO_LATE,       /* answer UNAVAILABLE (error is set), do it later */
	FAKE_CALL_DO_AND_REFUSE, /* do it, then answer error: nobody will hear it */
} FakeCall;
FakeCall fake_faults_call(
	FakeFaults *faults, FakeProcess process, const char *name, GError **error);
/* What the call comes to: called by the fakes for what a node does to its host and guests. */
void fake_faults_tell(const FakeFaults *faults, const char *what, const char *object);
