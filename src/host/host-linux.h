/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* This machine, or a recorded one that can only be looked at, behind ports/host.h. */
#include "ports/host.h"

/* root: "", "/" or NULL for this machine. helper: path of usher-helper, NULL: look only. */
UsherHost *usher_host_linux_new(const char *root, const char *helper, GError **error);
