/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The serial number in a device's vital product data, in a line; an empty one: it has none. */
#include "commands.h"

bool usher_vpd_read(const UsherTree *tree, int argc, char **argv, GError **error);
