/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Carries out what core/doctor/boot-try judges, by the boot loader. In a worker: it may block. */
#include "core/doctor/boot-try.h"
#include "ports/boot-loader.h"

/* Arms the boot loader, and says so in attempt. */
bool usher_boot_try_arm(UsherBootTry *attempt, UsherBootLoaderPort *loader,
	const UsherBootWish *wish, const char *boot_id, GError **error);
/* Carries out what follows from what is seen; called again when it failed, and as often as one
 * likes. attempt is to be stored whenever it has changed. */
bool usher_boot_try_step(UsherBootTry *attempt, UsherBootLoaderPort *loader,
	const UsherTrySeen *seen, GError **error);
