/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who the machine is, and which boot of it this is. */
#include "host/tree.h"

/* The kernel's; "unknown" where there is none, as in recordings. */
char *usher_machine_boot_id(const UsherTree *tree);
/* 32 hexadecimal digits: /etc/machine-id, else made from the board's UUID, else from the permanent
 * addresses of its network devices, else from nothing but the host name. */
char *usher_machine_id(const UsherTree *tree);
