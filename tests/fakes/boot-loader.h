/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A boot loader in memory. It has a default and may have one boot that is armed; a boot takes what
 * is armed, once, else the default. A call that fails has done nothing, or all of it: the power may
 * go on either side of what counts.
 */
#include "ports/boot-loader.h"

UsherBootLoaderPort *fake_boot_loader_new(void);
/* The command line of the next boot, which begins now. Borrowed until the next. */
const char *fake_boot_loader_boot(UsherBootLoaderPort *loader);
/* Of boots that nothing is armed for. */
bool fake_boot_loader_is_default(UsherBootLoaderPort *loader, const char *word);
/* The n-th call from now fails, before what counts or after it; 0: none. */
void fake_boot_loader_fail(UsherBootLoaderPort *loader, unsigned n, bool has_done_it);
