/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Text: numbers, names, times and lists, parsed strictly: the whole text or an INVALID error. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define USHER_NAME_MAX 63

bool usher_text_parse_u32(const char *text, uint32_t max, uint32_t *out_value, GError **error);
bool usher_text_parse_u64(const char *text, uint64_t max, uint64_t *out_value, GError **error);
/* With or without "0x". */
bool usher_text_parse_hex(const char *text, uint64_t max, uint64_t *out_value, GError **error);

/* Names of objects that people make: [a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])? */
bool usher_text_is_name(const char *text);

/* RFC 3339 in UTC with milliseconds; microseconds since 1970. */
char *usher_text_print_time(int64_t time_us);
bool usher_text_parse_time(const char *text, int64_t *out_time_us, GError **error);

/* strings ends with NULL. */
char *usher_text_join(const char *const *strings, const char *separator);
char *usher_text_join_array(const GPtrArray *strings, const char *separator);

/* The one of candidates (ends with NULL) a person who typed text probably meant; NULL when none is
 * near. */
const char *usher_text_nearest(const char *text, const char *const *candidates);

/* n_chars letters of [a-z2-7] out of random bytes (as many bytes as letters). */
char *usher_text_from_random(const uint8_t *bytes, size_t n_chars);
