/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A journal in memory: its lines outlive the node that wrote them, as a file's would. */
#include "fakes/faults.h"
#include "ports/journal.h"

typedef struct FakeJournal FakeJournal;
FakeJournal *fake_journal_new(FakeFaults *faults);
void fake_journal_free(FakeJournal *fake);
UsherJournal *fake_journal_port(FakeJournal *fake);
unsigned fake_journal_length(const FakeJournal *fake);
