/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/journal.h"

struct FakeJournal {
	UsherJournal port;
	FakeFaults *faults;
	GPtrArray *lines;
};

/* A disk that hangs is no case of its own here: the line is not there, or it is. */
static bool begins(FakeJournal *fake, const char *name, FakeCall *out_call, GError **error)
{
	*out_call = fake_faults_call(fake->faults, FAKE_NODE, name, error);
	return *out_call == FAKE_CALL_DO || *out_call == FAKE_CALL_DO_AND_REFUSE;
}

static bool fake_append(UsherJournal *journal, const char *line, GError **error)
{
	FakeJournal *fake = (FakeJournal *) journal;
	FakeCall call;
	if (!begins(fake, "journal.append", &call, error))
		return false;
	g_ptr_array_add(fake->lines, g_strdup(line));
	return call == FAKE_CALL_DO;
}

static GPtrArray *copy(const GPtrArray *lines)
{
	GPtrArray *copied = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < lines->len; i++)
		g_ptr_array_add(copied, g_strdup(lines->pdata[i]));
	return copied;
}

static GPtrArray *fake_read(UsherJournal *journal, GError **error)
{
	FakeJournal *fake = (FakeJournal *) journal;
	FakeCall call;
	if (!begins(fake, "journal.read", &call, error) || call != FAKE_CALL_DO)
		return NULL;
	return copy(fake->lines);
}

static bool fake_replace(UsherJournal *journal, const GPtrArray *lines, GError **error)
{
	FakeJournal *fake = (FakeJournal *) journal;
	FakeCall call;
	if (!begins(fake, "journal.replace", &call, error))
		return false;
	GPtrArray *replaced = copy(lines);
	g_ptr_array_unref(fake->lines);
	fake->lines = replaced;
	return call == FAKE_CALL_DO;
}

static void fake_free(UsherJournal *journal)
{
	fake_journal_free((FakeJournal *) journal);
}

static const UsherJournalOps ops = { "fake", fake_append, fake_read, fake_replace, fake_free };

FakeJournal *fake_journal_new(FakeFaults *faults)
{
	FakeJournal *fake = g_new0(FakeJournal, 1);
	fake->port.ops = &ops;
	fake->faults = faults;
	fake->lines = g_ptr_array_new_with_free_func(g_free);
	return fake;
}

void fake_journal_free(FakeJournal *fake)
{
	g_ptr_array_unref(fake->lines);
	g_free(fake);
}

UsherJournal *fake_journal_port(FakeJournal *fake)
{
	return &fake->port;
}

unsigned fake_journal_length(const FakeJournal *fake)
{
	return fake->lines->len;
}
