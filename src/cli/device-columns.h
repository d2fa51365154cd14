/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How devices look in lists. */
#include "cli/cli.h"

extern const UsherColumn usher_device_columns[];

/* The host does not need it, and nobody has it. */
bool usher_cli_device_is_free(const UsherJson *device);

typedef char *(*UsherHeadingFunc)(const UsherJson *device);
/* What --group-by takes; ends with NULL. */
extern const char *const usher_cli_grouping_names[];
/* name: one of them. NULL: without headings. out_member: by what devices are to be sorted. */
UsherHeadingFunc usher_cli_grouping(const char *name, const char **out_member);
