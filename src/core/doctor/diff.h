/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What differs between two texts, as `diff -u` says it. Pure. */
#include <glib.h>

/* "" when they are equal; NULL stands for a file that is not there. Given to the caller. */
char *usher_diff_print(const char *path, const char *was, const char *is);
