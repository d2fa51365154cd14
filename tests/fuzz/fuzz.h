/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A target is a file with this function, for one parser: it takes any bytes, and what may not be is
 * an assertion. With -Dfuzz=true libFuzzer calls it (./dev fuzz NAME); else replay.c does, with the
 * files of corpus/NAME, as a test like others.
 */
#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a text that ends. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	return size > 0 ? g_strndup((const char *) data, size) : g_strdup("");
}
