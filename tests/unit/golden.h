/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What must be found of a machine, in files that USHER_REGENERATE=1 writes anew. */
#include "core/inventory.h"

/* Fails at the first line that differs from tests/data/FOLDER/NAME. */
void usher_golden_match(const char *folder, const char *name, const char *found);
/* The doctor's page in short: the verdict for each goal, then what is known for pci, a line each. */
char *usher_golden_doctor(const char *root, const UsherInventory *inventory);
