/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Identity: which known record is each device that was seen? Facts tell: one that is present on both
 * sides and differs excludes, the strongest that agrees decides, a missing fact says nothing.
 *
 * Functions of a slot are one card: a serial of one of them is the card's, and tells with the
 * function's number who each is. A virtual function is its physical function's record and its
 * index. A fact that two have, or that is known to be no serial, is none. What matches equally well
 * is ambiguous: nobody guesses.
 */
#include "core/inventory.h"

typedef enum {
	USHER_IDENTITY_NEW, /* no record is it */
	USHER_IDENTITY_KNOWN,
	USHER_IDENTITY_AMBIGUOUS,
} UsherIdentityKind;

typedef struct UsherIdentity {
	const UsherDevice *seen; /* borrowed */
	UsherIdentityKind kind;
	const UsherDevice *record; /* borrowed; of KNOWN */
	char *why;                 /* of AMBIGUOUS: "it may be d-a or d-b" */
	GPtrArray *candidates;     /* likewise: records (borrowed) that it may be */
} UsherIdentity;

/* Of UsherIdentity, in the order of seen; given. records: those with an id, absent ones too, of
 * state ABSENT. */
GPtrArray *usher_identity_match_all(const GPtrArray *records, const GPtrArray *seen);

/* Into devices that have their ids now, what the next matching needs: which card a function is of,
 * which record's function a virtual one is. */
void usher_identity_remember(const GPtrArray *devices);
/* What does not tell today what it told before is what it was. */
void usher_identity_keep_facts(UsherDevice *device, const UsherDevice *record);

/* Such a text is on many devices, or says that there is no serial: "0123456789", all zeros… */
bool usher_identity_is_dummy(const char *serial);
