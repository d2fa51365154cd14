/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* driver_override of all devices but those named, one line each: ADDRESS, a tab, the text. */
#include "commands.h"

/* Of those alone. */
bool usher_overrides_read_of(const UsherTree *tree, int argc, char **argv, GError **error);
bool usher_overrides_read(const UsherTree *tree, int argc, char **argv, GError **error);
