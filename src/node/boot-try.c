/* SPDX-License-Identifier: Apache-2.0 */
#include "node/boot-try.h"

bool usher_boot_try_arm(UsherBootTry *attempt, UsherBootLoaderPort *loader,
	const UsherBootWish *wish, const char *boot_id, GError **error)
{
	if (!loader->ops->arm(loader, wish->words, error))
		return false;
	usher_boot_try_move(attempt, USHER_TRY_ARMED, boot_id, wish);
	return true;
}

bool usher_boot_try_step(UsherBootTry *attempt, UsherBootLoaderPort *loader,
	const UsherTrySeen *seen, GError **error)
{
	UsherTryState next = usher_boot_try_judge(attempt, seen);
	if (next == (UsherTryState) attempt->state)
		return true;
	/* First the loader, then the word on it: what was cut off in between is done again. */
	if (next == USHER_TRY_KEPT && !loader->ops->keep(loader, attempt->words, error))
		return false;
	if (next == USHER_TRY_FAILED && !loader->ops->drop(loader, error))
		return false;
	usher_boot_try_move(attempt, next, seen->boot_id, NULL);
	return true;
}
