/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot-try.h"

#include "core/doctor/cmdline.h"
#include "core/doctor/private.h"

static const char *const state_names[] = { "none", "armed", "running", "kept", "failed", NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == USHER_TRY_N_STATES + 1);

static const UsherField try_fields[] = {
	{ "state", USHER_FIELD_ENUM, offsetof(UsherBootTry, state), 0, state_names },
	{ "boot_id", USHER_FIELD_STRING, offsetof(UsherBootTry, boot_id), 0 },
	{ "words", USHER_FIELD_STRINGS, offsetof(UsherBootTry, words), 0 },
	{ "unwanted", USHER_FIELD_STRINGS, offsetof(UsherBootTry, unwanted), 0 },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootTry, usher_boot_try, "try", try_fields)

const char *usher_boot_try_state_name(UsherTryState state)
{
	return state_names[state];
}

#define TO(state) (1U << USHER_TRY_##state)
static const unsigned moves[USHER_TRY_N_STATES] = {
	[USHER_TRY_NONE] = TO(ARMED),
	[USHER_TRY_ARMED] = TO(RUNNING) | TO(FAILED),
	[USHER_TRY_RUNNING] = TO(KEPT) | TO(FAILED),
	[USHER_TRY_KEPT] = TO(ARMED),
	[USHER_TRY_FAILED] = TO(ARMED),
};
#undef TO

bool usher_boot_try_may_move(UsherTryState from, UsherTryState to)
{
	return (moves[from] & 1U << to) != 0;
}

static bool are_said(const GPtrArray *words, const GPtrArray *wanted, bool is_wanted)
{
	for (unsigned i = 0; i < wanted->len; i++) {
		unsigned index;
		g_autofree char *text = NULL;
		UsherWordsStep step = is_wanted
			? usher_cmdline_want(words, wanted->pdata[i], &index, &text)
			: usher_cmdline_refuse(words, wanted->pdata[i], &index, &text);
		if (step != USHER_WORDS_SAID)
			return false;
	}
	return true;
}

/* The command line is the one that is tried. */
static bool is_tried(const UsherBootTry *attempt, const char *cmdline)
{
	g_autoptr(GPtrArray) words = usher_kernel_words(cmdline);
	return are_said(words, attempt->words, true) && are_said(words, attempt->unwanted, false);
}

static UsherTryState judge_running(const UsherTrySeen *seen)
{
	if (seen->has_way_in)
		return USHER_TRY_KEPT;
	return seen->up_us > USHER_TRY_DEADLINE_US ? USHER_TRY_FAILED : USHER_TRY_RUNNING;
}

UsherTryState usher_boot_try_judge(const UsherBootTry *attempt, const UsherTrySeen *seen)
{
	bool is_same_boot = g_strcmp0(attempt->boot_id, seen->boot_id) == 0;
	if (attempt->state == USHER_TRY_ARMED && !is_same_boot)
		return is_tried(attempt, seen->cmdline) ? USHER_TRY_RUNNING : USHER_TRY_FAILED;
	if (attempt->state == USHER_TRY_RUNNING)
		return is_same_boot ? judge_running(seen) : USHER_TRY_FAILED;
	return attempt->state;
}

static void take(GPtrArray *texts, const GPtrArray *others)
{
	g_ptr_array_set_size(texts, 0);
	for (unsigned i = 0; i < others->len; i++)
		g_ptr_array_add(texts, g_strdup(others->pdata[i]));
}

void usher_boot_try_move(
	UsherBootTry *attempt, UsherTryState state, const char *boot_id, const UsherBootWish *wish)
{
	g_assert(usher_boot_try_may_move(attempt->state, state));
	g_assert((wish != NULL) == (state == USHER_TRY_ARMED));
	attempt->state = state;
	g_free(attempt->boot_id);
	attempt->boot_id = g_strdup(boot_id);
	if (wish == NULL)
		return;
	take(attempt->words, wish->words);
	take(attempt->unwanted, wish->unwanted);
}
