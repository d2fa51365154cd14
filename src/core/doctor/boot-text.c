/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot-text.h"

#include <string.h>

#include "base/error.h"
#include "core/doctor/cmdline.h"

static void free_word(void *data)
{
	UsherBootWord *word = data;
	g_free(word->text);
	g_free(word);
}

UsherBootPlace *usher_boot_place_new(const char *variable, size_t begin)
{
	UsherBootPlace *place = g_new0(UsherBootPlace, 1);
	place->variable = g_strdup(variable);
	place->begin = place->end = begin;
	place->pieces = g_array_new(FALSE, FALSE, sizeof(UsherBootPiece));
	place->words = g_ptr_array_new_with_free_func(free_word);
	return place;
}

void usher_boot_place_free(UsherBootPlace *place)
{
	if (place == NULL)
		return;
	g_free(place->variable);
	g_array_unref(place->pieces);
	g_ptr_array_unref(place->words);
	g_free(place);
}

bool usher_boot_text_blame(
	const char *path, const char *text, size_t at, const char *why, GError **error)
{
	unsigned number = 1;
	size_t begin = 0;
	for (size_t i = 0; i < at; i++) {
		if (text[i] != '\n')
			continue;
		number++;
		begin = i + 1;
	}
	int length = (int) strcspn(text + begin, "\r\n");
	usher_error_set(error, USHER_ERROR_INVALID, "/%s:%u: %s: %.*s", path, number, why, length,
		text + begin);
	return false;
}

bool usher_boot_place_fill(UsherBootPlace *place, const char *cooked, const GArray *spans)
{
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(UsherWordSpan));
	if (!usher_cmdline_split(cooked, found))
		return false;
	for (unsigned i = 0; i < found->len; i++) {
		UsherWordSpan span = g_array_index(found, UsherWordSpan, i);
		UsherBootPiece first = g_array_index(spans, UsherBootPiece, span.begin);
		UsherBootPiece last = g_array_index(spans, UsherBootPiece, span.end - 1);
		g_autofree char *text = g_strndup(cooked + span.begin, span.end - span.begin);
		UsherBootWord *word = g_new0(UsherBootWord, 1);
		word->begin = first.begin;
		word->end = last.end;
		word->is_whole = first.quote == last.quote;
		if (strchr(text, USHER_BOOT_UNKNOWN) == NULL)
			word->text = g_steal_pointer(&text);
		g_ptr_array_add(place->words, word);
	}
	return true;
}

/* ---- files without quotes of their own ---- */

static size_t find_line_end(const char *text, size_t begin)
{
	size_t end = begin + strcspn(text + begin, "\n");
	return text[end] == '\n' && end > begin && text[end - 1] == '\r' ? end - 1 : end;
}

static size_t find_next_line(const char *text, size_t end)
{
	end += text[end] == '\r' && text[end + 1] == '\n' ? 1 : 0;
	return end + (text[end] == '\n' ? 1 : 0);
}

static bool fill_plain(UsherBootPlace *place, const char *text)
{
	g_autofree char *cooked = g_strndup(text + place->value, place->value_end - place->value);
	g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(UsherBootPiece));
	for (size_t i = place->value; i < place->value_end; i++) {
		UsherBootPiece span = { i, i + 1, 0 };
		g_array_append_val(spans, span);
	}
	UsherBootPiece piece = { place->value, place->value_end, 0 };
	g_array_append_val(place->pieces, piece);
	return usher_boot_place_fill(place, cooked, spans);
}

static const char unclosed[] = "a quote is not closed";

/* /etc/kernel/cmdline: which of several lines counts differs between the tools that read it. */
static GPtrArray *line_places(const char *path, const char *text, GError **error)
{
	g_autoptr(GPtrArray) places =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_place_free);
	size_t begin = 0;
	while (text[begin] != '\0') {
		size_t end = find_line_end(text, begin);
		size_t first = begin + strspn(text + begin, " \t");
		if (first < end && text[first] != '#') {
			UsherBootPlace *place = usher_boot_place_new(NULL, begin);
			g_ptr_array_add(places, place);
			place->end = place->value_end = end;
			place->value = begin;
			if (places->len > 1) {
				(void) usher_boot_text_blame(
					path, text, begin, "a second command line", error);
				return NULL;
			}
			if (!fill_plain(place, text)) {
				(void) usher_boot_text_blame(path, text, begin, unclosed, error);
				return NULL;
			}
		}
		begin = find_next_line(text, end);
	}
	return g_steal_pointer(&places);
}

/* The Boot Loader Specification, type 1: "options" lines are joined. */
static GPtrArray *entry_places(const char *path, const char *text, GError **error)
{
	static const char key[] = "options";
	g_autoptr(GPtrArray) places =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_place_free);
	size_t begin = 0;
	while (text[begin] != '\0') {
		size_t end = find_line_end(text, begin);
		size_t first = begin + strspn(text + begin, " \t");
		size_t value = first + strlen(key);
		if (g_str_has_prefix(text + first, key) &&
			(value == end || g_ascii_isspace(text[value]))) {
			UsherBootPlace *place = usher_boot_place_new(key, begin);
			g_ptr_array_add(places, place);
			place->appends = places->len > 1;
			place->value = value + strspn(text + value, " \t");
			place->end = place->value_end = end;
			if (!fill_plain(place, text)) {
				(void) usher_boot_text_blame(path, text, begin, unclosed, error);
				return NULL;
			}
		}
		begin = find_next_line(text, end);
	}
	return g_steal_pointer(&places);
}

static bool is_shell(const char *path)
{
	return g_str_has_prefix(path, "etc/default/");
}

static bool is_entry(const char *path)
{
	return strstr(path, "/loader/entries/") != NULL;
}

GPtrArray *usher_boot_places(const char *path, const char *text, GError **error)
{
	/* What is put behind it would make it whole, and be cut off with it. */
	if (g_str_has_suffix(text, "\r")) {
		(void) usher_boot_text_blame(path, text, strlen(text), "half a line end", error);
		return NULL;
	}
	if (is_shell(path))
		return usher_boot_shell_places(path, text, error);
	return is_entry(path) ? entry_places(path, text, error) : line_places(path, text, error);
}

/* ---- changes ---- */

char *usher_boot_text_splice(const char *text, size_t begin, size_t end, const char *by)
{
	return g_strdup_printf("%.*s%s%s", (int) begin, text, by, text + end);
}

static const UsherBootPiece *piece_of(const UsherBootPlace *place, size_t at)
{
	for (unsigned i = 0; i < place->pieces->len; i++) {
		const UsherBootPiece *piece = &g_array_index(place->pieces, UsherBootPiece, i);
		if (piece->begin <= at && at <= piece->end)
			return piece;
	}
	return NULL;
}

/* Into a value, or a piece of one, that has no quotes: it gets some. */
static char *insert_bare(const char *text, const UsherBootPlace *place, int index, const char *word)
{
	g_autofree char *value = g_strndup(text + place->value, place->value_end - place->value);
	bool is_simple = place->pieces->len <= 1 && strpbrk(value, "\\\"'`$") == NULL;
	g_autofree char *new_value = NULL;
	if (value[0] == '\0')
		new_value = g_strdup_printf("\"%s\"", word);
	else if (is_simple && index < 0)
		new_value = g_strdup_printf("\"%s %s\"", word, value);
	else if (is_simple)
		new_value = g_strdup_printf("\"%s %s\"", value, word);
	else if (index < 0)
		new_value = g_strdup_printf("\"%s \"%s", word, value);
	else
		new_value = g_strdup_printf("%s\" %s\"", value, word);
	return usher_boot_text_splice(text, place->value, place->value_end, new_value);
}

char *usher_boot_text_insert(
	const char *text, const UsherBootPlace *place, int index, const char *word)
{
	const UsherBootPiece *piece = NULL;
	size_t at;
	if (index >= 0) {
		at = ((const UsherBootWord *) place->words->pdata[index])->end;
		piece = piece_of(place, at);
	} else {
		piece = place->pieces->len > 0 ? &g_array_index(place->pieces, UsherBootPiece, 0)
					       : NULL;
		at = piece != NULL ? piece->begin : place->value;
	}
	if (place->is_shell && (piece == NULL || piece->quote == 0))
		return insert_bare(text, place, index, word);
	if (index >= 0) {
		g_autofree char *behind = g_strconcat(" ", word, NULL);
		return usher_boot_text_splice(text, at, at, behind);
	}
	g_assert(piece != NULL); /* a file that is no shell's is one piece */
	bool is_only = at == piece->end || g_ascii_isspace(text[at]);
	g_autofree char *before = g_strconcat(word, is_only ? "" : " ", NULL);
	return usher_boot_text_splice(text, at, at, before);
}

char *usher_boot_text_replace(
	const char *text, const UsherBootPlace *place, unsigned index, const char *word)
{
	const UsherBootWord *old = place->words->pdata[index];
	g_assert(old->is_whole);
	if (word != NULL)
		return usher_boot_text_splice(text, old->begin, old->end, word);
	size_t begin = old->begin, end = old->end;
	const UsherBootPiece *piece = piece_of(place, begin);
	while (begin > piece->begin && g_ascii_isspace(text[begin - 1]))
		begin--;
	/* The first: the blanks behind it go. */
	if (begin == piece->begin) {
		begin = old->begin;
		while (end < piece->end && g_ascii_isspace(text[end]) &&
			index + 1 < place->words->len)
			end++;
	}
	return usher_boot_text_splice(text, begin, end, "");
}

const char *usher_boot_text_new_variable(const char *path)
{
	if (is_shell(path))
		return "GRUB_CMDLINE_LINUX_DEFAULT";
	return is_entry(path) ? "options" : NULL;
}

char *usher_boot_text_add_statement(const char *path, const char *text, const char *word)
{
	g_autofree char *statement = is_shell(path)
		? g_strdup_printf("%s=\"%s\"", usher_boot_text_new_variable(path), word)
		: is_entry(path) ? g_strdup_printf("options %s", word)
				 : g_strdup(word);
	const char *line_end = strstr(text, "\r\n") != NULL ? "\r\n" : "\n";
	bool is_ended = text[0] == '\0' || g_str_has_suffix(text, "\n");
	return is_ended ? g_strconcat(text, statement, line_end, NULL)
			: g_strconcat(text, line_end, statement, NULL);
}

char *usher_boot_text_cut_line(const char *text, size_t begin, size_t end)
{
	size_t next = find_next_line(text, end);
	/* The last of a file that does not end with a newline. */
	if (next == end && begin > 0 && text[begin - 1] == '\n') {
		begin--;
		if (begin > 0 && text[begin - 1] == '\r')
			begin--;
	}
	return usher_boot_text_splice(text, begin, next, "");
}
