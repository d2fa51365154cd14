/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Loads a kernel module by its name, with what it needs. */
#include "commands.h"

bool usher_module_load(const UsherTree *tree, int argc, char **argv, GError **error);
