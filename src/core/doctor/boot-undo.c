/* SPDX-License-Identifier: Apache-2.0 */
/* The way back from edits of boot files. */
#include <string.h>

#include "core/doctor/boot-edit.h"
#include "core/doctor/boot-text.h"
#include "core/doctor/cmdline.h"

typedef struct Undo {
	const UsherBootEdit *edit;
	UsherBootFile *file;
	GPtrArray *conflicts;
} Undo;

static void set_text(UsherBootFile *file, char *text)
{
	g_free(file->text);
	file->text = text;
}

static void complain(const Undo *undo, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void complain(const Undo *undo, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *why = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(undo->conflicts, g_strdup_printf("/%s: %s", undo->edit->path, why));
}

/* ---- words ---- */

/* NULL, and a conflict: the file can't be read. */
static GPtrArray *read_places(const Undo *undo)
{
	g_autoptr(GError) problem = NULL;
	GPtrArray *places = usher_boot_places(undo->file->path, undo->file->text, &problem);
	if (places == NULL)
		g_ptr_array_add(undo->conflicts, g_strdup(problem->message));
	return places;
}

static const UsherBootPlace *find_statement(
	const GPtrArray *places, const char *text, const char *statement)
{
	for (unsigned i = places->len; i-- > 0 && statement != NULL;) {
		const UsherBootPlace *place = places->pdata[i];
		size_t length = place->end - place->begin;
		if (strlen(statement) == length &&
			strncmp(text + place->begin, statement, length) == 0)
			return place;
	}
	return NULL;
}

/* The whole statement as it was. False: it is no longer as it was left. */
static bool restore_statement(const Undo *undo, const GPtrArray *places)
{
	const char *text = undo->file->text;
	const UsherBootPlace *place = find_statement(places, text, undo->edit->is);
	if (place == NULL)
		return find_statement(places, text, undo->edit->was) != NULL;
	set_text(undo->file,
		undo->edit->was != NULL
			? usher_boot_text_splice(text, place->begin, place->end, undo->edit->was)
			: usher_boot_text_cut_line(text, place->begin, place->end));
	return true;
}

typedef bool (*WordFunc)(const char *word, const char *other);

static bool is_same(const char *word, const char *other)
{
	return strcmp(word, other) == 0;
}

/* The last place of the variable with a word that is so; *out_index: which. */
static const UsherBootPlace *find_word(const Undo *undo, const GPtrArray *places,
	const char *wanted, WordFunc is_so, unsigned *out_index)
{
	for (unsigned i = places->len; i-- > 0 && wanted != NULL;) {
		const UsherBootPlace *place = places->pdata[i];
		if (g_strcmp0(place->variable, undo->edit->variable) != 0)
			continue;
		for (unsigned n = place->words->len; n-- > 0;) {
			const UsherBootWord *word = place->words->pdata[n];
			if (word->text == NULL || !word->is_whole || !is_so(word->text, wanted))
				continue;
			*out_index = n;
			return place;
		}
	}
	return NULL;
}

static const char *word_at(const UsherBootPlace *place, unsigned index)
{
	return ((const UsherBootWord *) place->words->pdata[index])->text;
}

/* Puts back a word that was dropped. */
static void put_back(const Undo *undo, const GPtrArray *places, const UsherBootChange *change)
{
	unsigned index;
	const UsherBootPlace *place = find_word(undo, places, change->was, is_same, &index);
	if (place != NULL)
		return;
	place = find_word(undo, places, change->was, usher_cmdline_same_key, &index);
	if (place != NULL) {
		complain(undo, "'%s' was dropped, and now there is '%s'", change->was,
			word_at(place, index));
		return;
	}
	place = find_word(undo, places, change->after, is_same, &index);
	int behind = place != NULL ? (int) index : -1;
	for (unsigned i = places->len; i-- > 0 && place == NULL;) {
		const UsherBootPlace *other = places->pdata[i];
		if (g_strcmp0(other->variable, undo->edit->variable) == 0)
			place = other;
	}
	const char *text = undo->file->text;
	set_text(undo->file,
		place != NULL ? usher_boot_text_insert(text, place, behind, change->was)
			      : usher_boot_text_add_statement(undo->file->path, text, change->was));
}

static unsigned count_word(const Undo *undo, const GPtrArray *places, const char *wanted)
{
	unsigned n = 0;
	for (unsigned i = 0; i < places->len; i++) {
		const UsherBootPlace *place = places->pdata[i];
		if (g_strcmp0(place->variable, undo->edit->variable) != 0)
			continue;
		for (unsigned k = 0; k < place->words->len; k++)
			n += g_strcmp0(word_at(place, k), wanted) == 0 ? 1 : 0;
	}
	return n;
}

/* One of them is ours; when there are fewer than there were, it may be the one that has gone. */
static bool are_all_there(const Undo *undo, const GPtrArray *places, const char *word)
{
	g_autoptr(GPtrArray) then = undo->edit->is != NULL
		? usher_boot_places(undo->edit->path, undo->edit->is, NULL)
		: NULL;
	return then == NULL || count_word(undo, places, word) >= count_word(undo, then, word);
}

static bool is_other_value(const char *word, const char *other)
{
	return usher_cmdline_same_key(word, other) && strcmp(word, other) != 0;
}

static void undo_word(const Undo *undo, const UsherBootChange *change)
{
	g_autoptr(GPtrArray) places = read_places(undo);
	if (places == NULL)
		return;
	if (change->is == NULL) {
		put_back(undo, places, change);
		return;
	}
	unsigned index;
	const UsherBootPlace *place = find_word(undo, places, change->is, is_same, &index);
	if (place != NULL && are_all_there(undo, places, change->is)) {
		set_text(undo->file,
			usher_boot_text_replace(undo->file->text, place, index, change->was));
		return;
	}
	place = find_word(undo, places, change->is, is_other_value, &index);
	if (place != NULL && g_strcmp0(word_at(place, index), change->was) != 0)
		complain(undo, "usher's '%s' was changed to '%s'", change->is,
			word_at(place, index));
}

/* A statement that was added and says nothing any more. */
static void cut_empty_statement(const Undo *undo)
{
	g_autoptr(GPtrArray) places = read_places(undo);
	for (unsigned i = places != NULL ? places->len : 0; i-- > 0;) {
		const UsherBootPlace *place = places->pdata[i];
		if (g_strcmp0(place->variable, undo->edit->variable) != 0)
			continue;
		if (place->words->len == 0)
			set_text(undo->file,
				usher_boot_text_cut_line(
					undo->file->text, place->begin, place->end));
		return;
	}
}

static void undo_words(const Undo *undo)
{
	g_autoptr(GPtrArray) places = read_places(undo);
	if (places == NULL || restore_statement(undo, places))
		return;
	for (unsigned i = undo->edit->changes->len; i-- > 0;)
		undo_word(undo, undo->edit->changes->pdata[i]);
	if (undo->edit->was == NULL)
		cut_empty_statement(undo);
}

/* ---- lines ---- */

static bool find_line(const char *text, const char *line, size_t *out_begin, size_t *out_end)
{
	for (size_t begin = 0; text[begin] != '\0';) {
		size_t end = begin + strcspn(text + begin, "\n");
		size_t length = end - begin;
		length -= length > 0 && text[end - 1] == '\r' ? 1 : 0;
		if (strlen(line) == length && strncmp(text + begin, line, length) == 0) {
			*out_begin = begin;
			*out_end = begin + length;
			return true;
		}
		begin = text[end] == '\n' ? end + 1 : end;
	}
	return false;
}

static void undo_line(const Undo *undo, const UsherBootChange *change)
{
	size_t begin, end;
	const char *text = undo->file->text;
	if (!find_line(text, change->is, &begin, &end)) {
		complain(undo, "usher's line '%s' is no longer there, or was changed", change->is);
		return;
	}
	set_text(undo->file,
		change->was != NULL ? usher_boot_text_splice(text, begin, end, change->was)
				    : usher_boot_text_cut_line(text, begin, end));
}

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

static void undo_lines(const Undo *undo)
{
	const UsherBootEdit *edit = undo->edit;
	if (g_strcmp0(undo->file->text, edit->was) == 0)
		return;
	if (g_strcmp0(undo->file->text, edit->is) == 0) {
		set_text(undo->file, g_strdup(edit->was));
		return;
	}
	for (unsigned i = edit->changes->len; i-- > 0;)
		undo_line(undo, edit->changes->pdata[i]);
}

void usher_boot_undo(const GPtrArray *edits, GPtrArray *files, GPtrArray *conflicts)
{
	g_autoptr(GPtrArray) copies = usher_boot_files_dup(files);
	for (unsigned i = edits->len; i-- > 0;) {
		const UsherBootEdit *edit = edits->pdata[i];
		Undo undo = { edit, usher_boot_file_find(copies, edit->path), conflicts };
		/* A file that has gone took our changes with it. */
		if (undo.file == NULL || undo.file->text == NULL)
			continue;
		if (edit->is_lines)
			undo_lines(&undo);
		else
			undo_words(&undo);
		if (edit->is_new && undo.file->text != NULL && is_blank(undo.file->text))
			set_text(undo.file, NULL);
	}
	if (conflicts->len > 0)
		return;
	for (unsigned i = 0; i < files->len; i++) {
		UsherBootFile *copy = copies->pdata[i];
		set_text(files->pdata[i], g_steal_pointer(&copy->text));
	}
}
