/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <string.h>

#include "base/error.h"

bool usher_text_parse_u64(const char *text, uint64_t max, uint64_t *out_value, GError **error)
{
	guint64 value;
	g_autoptr(GError) problem = NULL;
	if (!g_ascii_string_to_unsigned(text, 10, 0, max, &value, &problem)) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"'%s' is no number from 0 to %" G_GUINT64_FORMAT, text, max);
		return false;
	}
	*out_value = value;
	return true;
}

bool usher_text_parse_u32(const char *text, uint32_t max, uint32_t *out_value, GError **error)
{
	uint64_t value;
	if (!usher_text_parse_u64(text, max, &value, error))
		return false;
	*out_value = (uint32_t) value;
	return true;
}

bool usher_text_parse_hex(const char *text, uint64_t max, uint64_t *out_value, GError **error)
{
	const char *digits = g_str_has_prefix(text, "0x") ? text + 2 : text;
	guint64 value;
	if (!g_ascii_string_to_unsigned(digits, 16, 0, max, &value, NULL)) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"'%s' is no hexadecimal number up to %" G_GINT64_MODIFIER "x", text, max);
		return false;
	}
	*out_value = value;
	return true;
}

bool usher_text_is_name(const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || length > USHER_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool is_edge = i == 0 || i == length - 1;
		bool is_letter = g_ascii_islower(text[i]) || g_ascii_isdigit(text[i]);
		if (!is_letter && (is_edge || (text[i] != '.' && text[i] != '-')))
			return false;
	}
	return true;
}

char *usher_text_print_time(int64_t time_us)
{
	g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);
	g_assert(seconds != NULL);
	g_autofree char *text = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");
	return g_strdup_printf("%s.%03dZ", text, (int) (time_us % G_USEC_PER_SEC / 1000));
}

bool usher_text_parse_time(const char *text, int64_t *out_time_us, GError **error)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, NULL);
	if (time == NULL || !g_str_has_suffix(text, "Z")) {
		usher_error_set(error, USHER_ERROR_INVALID,
			"'%s' is no time like 2026-01-31T12:00:00Z", text);
		return false;
	}
	*out_time_us =
		g_date_time_to_unix(time) * G_USEC_PER_SEC + g_date_time_get_microsecond(time);
	return true;
}

char *usher_text_join(const char *const *strings, const char *separator)
{
	GString *joined = g_string_new(NULL);
	for (size_t i = 0; strings[i] != NULL; i++)
		g_string_append_printf(joined, "%s%s", i > 0 ? separator : "", strings[i]);
	return g_string_free(joined, FALSE);
}

char *usher_text_join_array(const GPtrArray *strings, const char *separator)
{
	GString *joined = g_string_new(NULL);
	for (unsigned i = 0; i < strings->len; i++)
		g_string_append_printf(
			joined, "%s%s", i > 0 ? separator : "", (const char *) strings->pdata[i]);
	return g_string_free(joined, FALSE);
}

/* Levenshtein's, one row at a time. */
static size_t edit_distance(const char *one, const char *other)
{
	size_t n = strlen(other);
	g_autofree size_t *row = g_new(size_t, n + 1);
	for (size_t i = 0; i <= n; i++)
		row[i] = i;
	for (size_t i = 0; one[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t replace = diagonal + (one[i] != other[j] ? 1 : 0);
			diagonal = row[j + 1];
			row[j + 1] = MIN(replace, MIN(row[j], row[j + 1]) + 1);
		}
	}
	return row[n];
}

const char *usher_text_nearest(const char *text, const char *const *candidates)
{
	size_t length = strlen(text);
	if (length == 0 || length > USHER_NAME_MAX)
		return NULL;
	const char *nearest = NULL;
	size_t best = length / 3 + 2;
	for (size_t i = 0; candidates[i] != NULL; i++) {
		size_t distance = edit_distance(text, candidates[i]);
		if (distance < best) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}

char *usher_text_from_random(const uint8_t *bytes, size_t n_chars)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	char *text = g_malloc(n_chars + 1);
	for (size_t i = 0; i < n_chars; i++)
		text[i] = letters[bytes[i] % 32];
	text[n_chars] = '\0';
	return text;
}
