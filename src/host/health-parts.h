/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the parts of the health's reading share. */
#include "host/health.h"

/* Loaded, built in and available modules, their parameters, and files that configure them. */
void usher_health_modules(const UsherTree *tree, UsherHostFacts *facts);
/* The BARs of the inventory's functions. */
void usher_health_bars(
	const UsherTree *tree, const UsherInventory *inventory, UsherHostFacts *facts);
