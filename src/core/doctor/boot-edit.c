/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot-edit.h"

#include <string.h>

#include "base/error.h"
#include "core/doctor/boot-text.h"
#include "core/doctor/cmdline.h"

/* ---- words ---- */

/* A place, and where it is. */
typedef struct Spot {
	UsherBootFile *file;
	UsherBootPlace *place;
	unsigned ordinal; /* of the places of its file */
	bool is_live;     /* nothing after it assigns the variable anew */
} Spot;

/* A word of the command line: i of a spot. */
typedef struct Seat {
	const Spot *spot;
	unsigned i;
} Seat;

typedef struct Editor {
	GPtrArray *files;
	GPtrArray *spots; /* in the order in which they are read */
	GArray *seats;    /* of the live spots, in the order of the command line */
	GPtrArray *words; /* their texts, borrowed */
	GPtrArray *edits; /* that were made, and */
	GArray *ordinals; /* the place of each in its file */
} Editor;

static void free_spot(void *data)
{
	Spot *spot = data;
	usher_boot_place_free(spot->place);
	g_free(spot);
}

static void mark_live(const GPtrArray *spots)
{
	for (unsigned i = 0; i < spots->len; i++) {
		Spot *spot = spots->pdata[i];
		spot->is_live = true;
		for (unsigned n = 0; n < i && !spot->place->appends; n++) {
			Spot *earlier = spots->pdata[n];
			if (g_strcmp0(earlier->place->variable, spot->place->variable) == 0)
				earlier->is_live = false;
		}
	}
}

static bool read_spots(Editor *editor, GError **error)
{
	g_ptr_array_set_size(editor->spots, 0);
	for (unsigned i = 0; i < editor->files->len; i++) {
		UsherBootFile *file = editor->files->pdata[i];
		if (file->text == NULL)
			continue;
		g_autoptr(GPtrArray) places = usher_boot_places(file->path, file->text, error);
		if (places == NULL)
			return false;
		for (unsigned ordinal = 0; places->len > 0; ordinal++) {
			Spot *spot = g_new0(Spot, 1);
			spot->file = file;
			spot->place = g_ptr_array_steal_index(places, 0);
			spot->ordinal = ordinal;
			g_ptr_array_add(editor->spots, spot);
		}
	}
	mark_live(editor->spots);
	return true;
}

static bool is_default(const Spot *spot)
{
	return g_strcmp0(spot->place->variable, "GRUB_CMDLINE_LINUX_DEFAULT") == 0;
}

static void take_seats(Editor *editor, const Spot *spot, bool of_default)
{
	if (!spot->is_live || is_default(spot) != of_default)
		return;
	for (unsigned i = 0; i < spot->place->words->len; i++) {
		const UsherBootWord *word = spot->place->words->pdata[i];
		Seat seat = { spot, i };
		g_array_append_val(editor->seats, seat);
		g_ptr_array_add(editor->words, word->text);
	}
}

/* GRUB puts what is for all entries before what is for the default ones. */
static bool read_words(Editor *editor, GError **error)
{
	if (!read_spots(editor, error))
		return false;
	g_array_set_size(editor->seats, 0);
	g_ptr_array_set_size(editor->words, 0);
	for (unsigned i = 0; i < editor->spots->len; i++)
		take_seats(editor, editor->spots->pdata[i], /* of_default */ false);
	for (unsigned i = 0; i < editor->spots->len; i++)
		take_seats(editor, editor->spots->pdata[i], /* of_default */ true);
	return true;
}

/* The edit of that place, made when there is none yet. */
static UsherBootEdit *edit_of(
	Editor *editor, const UsherBootFile *file, unsigned ordinal, const Spot *spot)
{
	for (unsigned i = 0; i < editor->edits->len; i++) {
		UsherBootEdit *edit = editor->edits->pdata[i];
		if (strcmp(edit->path, file->path) == 0 &&
			g_array_index(editor->ordinals, unsigned, i) == ordinal)
			return edit;
	}
	UsherBootEdit *edit = usher_boot_edit_new();
	edit->path = g_strdup(file->path);
	edit->is_new = file->text == NULL;
	edit->mode = edit->is_new ? file->mode : 0;
	if (spot != NULL) {
		const UsherBootPlace *place = spot->place;
		edit->variable = g_strdup(place->variable);
		edit->was = g_strndup(file->text + place->begin, place->end - place->begin);
	} else {
		edit->variable = g_strdup(usher_boot_text_new_variable(file->path));
	}
	g_ptr_array_add(editor->edits, edit);
	g_array_append_val(editor->ordinals, ordinal);
	return edit;
}

/* What was changed already becomes something else yet. */
static UsherBootChange *add_change(UsherBootEdit *edit, const char *was, const char *is)
{
	for (unsigned i = 0; i < edit->changes->len && was != NULL; i++) {
		UsherBootChange *earlier = edit->changes->pdata[i];
		if (g_strcmp0(earlier->is, was) != 0)
			continue;
		g_free(earlier->is);
		earlier->is = g_strdup(is);
		return earlier;
	}
	UsherBootChange *change = usher_boot_change_new();
	change->was = g_strdup(was);
	change->is = g_strdup(is);
	g_ptr_array_add(edit->changes, change);
	return change;
}

static void set_text(UsherBootFile *file, char *text)
{
	g_free(file->text);
	file->text = text;
}

/* Where words are added: the last place that counts, of the default entries if there is one. */
static const Spot *find_home(const Editor *editor)
{
	const Spot *home = NULL;
	for (unsigned i = 0; i < editor->spots->len; i++) {
		const Spot *spot = editor->spots->pdata[i];
		if (spot->is_live && (home == NULL || is_default(spot) || !is_default(home)))
			home = spot;
	}
	return home;
}

static void add_word(Editor *editor, const char *word)
{
	const Spot *home = find_home(editor);
	if (home == NULL) {
		UsherBootFile *file = editor->files->pdata[0];
		unsigned ordinal = 0;
		for (unsigned i = 0; i < editor->spots->len; i++)
			ordinal += ((Spot *) editor->spots->pdata[i])->file == file ? 1 : 0;
		(void) add_change(edit_of(editor, file, ordinal, NULL), NULL, word);
		set_text(file,
			usher_boot_text_add_statement(
				file->path, file->text != NULL ? file->text : "", word));
		return;
	}
	(void) add_change(edit_of(editor, home->file, home->ordinal, home), NULL, word);
	set_text(home->file,
		usher_boot_text_insert(
			home->file->text, home->place, (int) home->place->words->len - 1, word));
}

static bool replace_word(Editor *editor, unsigned index, const char *text, GError **error)
{
	Seat seat = g_array_index(editor->seats, Seat, index);
	const UsherBootPlace *place = seat.spot->place;
	const UsherBootWord *word = place->words->pdata[seat.i];
	UsherBootFile *file = seat.spot->file;
	if (!word->is_whole)
		return usher_boot_text_blame(file->path, file->text, word->begin,
			"a word that is quoted in pieces", error);
	UsherBootChange *change =
		add_change(edit_of(editor, file, seat.spot->ordinal, seat.spot), word->text, text);
	const UsherBootWord *before = seat.i > 0 ? place->words->pdata[seat.i - 1] : NULL;
	if (text == NULL && before != NULL)
		change->after = g_strdup(before->text);
	set_text(file, usher_boot_text_replace(file->text, place, seat.i, text));
	return true;
}

/* One step; *out_is_said: there was none left. */
static bool take_step(
	Editor *editor, const char *word, bool is_wanted, bool *out_is_said, GError **error)
{
	if (!read_words(editor, error))
		return false;
	unsigned index = 0;
	g_autofree char *text = NULL;
	UsherWordsStep step = is_wanted ? usher_cmdline_want(editor->words, word, &index, &text)
					: usher_cmdline_refuse(editor->words, word, &index, &text);
	*out_is_said = step == USHER_WORDS_SAID;
	if (step == USHER_WORDS_ADD)
		add_word(editor, word);
	else if (step != USHER_WORDS_SAID)
		return replace_word(editor, index, text, error);
	return true;
}

static bool say_all(Editor *editor, const GPtrArray *words, bool is_wanted, GError **error)
{
	for (unsigned i = 0; i < words->len; i++) {
		bool is_said = false;
		while (!is_said) {
			if (!take_step(editor, words->pdata[i], is_wanted, &is_said, error))
				return false;
		}
	}
	return true;
}

static bool are_said(Editor *editor, const GPtrArray *words, bool is_wanted)
{
	unsigned index;
	for (unsigned i = 0; i < words->len; i++) {
		g_autofree char *text = NULL;
		UsherWordsStep step = is_wanted
			? usher_cmdline_want(editor->words, words->pdata[i], &index, &text)
			: usher_cmdline_refuse(editor->words, words->pdata[i], &index, &text);
		if (step != USHER_WORDS_SAID)
			return false;
	}
	return true;
}

/* All of it, read once more: the last word that was put in or dropped may have made something else
 * of the rest, as a comment. */
static bool is_all_said(Editor *editor, const UsherBootWish *wish, GError **error)
{
	if (!read_words(editor, error))
		return false;
	if (are_said(editor, wish->words, true) && are_said(editor, wish->unwanted, false))
		return true;
	const UsherBootFile *file = editor->files->pdata[0];
	usher_error_set(error, USHER_ERROR_INVALID,
		"/%s can't be made to say what is wanted and not what isn't", file->path);
	return false;
}

/* What the statements of the edits have become. */
static bool fill_statements(Editor *editor, GError **error)
{
	if (!read_spots(editor, error))
		return false;
	for (unsigned i = 0; i < editor->edits->len; i++) {
		UsherBootEdit *edit = editor->edits->pdata[i];
		for (unsigned n = 0; n < editor->spots->len; n++) {
			const Spot *spot = editor->spots->pdata[n];
			const UsherBootPlace *place = spot->place;
			if (strcmp(spot->file->path, edit->path) == 0 &&
				spot->ordinal == g_array_index(editor->ordinals, unsigned, i))
				edit->is = g_strndup(
					spot->file->text + place->begin, place->end - place->begin);
		}
	}
	return true;
}

bool usher_boot_edit_words(
	GPtrArray *files, const UsherBootWish *wish, GPtrArray *edits, GError **error)
{
	g_assert(files->len > 0);
	g_autoptr(GPtrArray) copies = usher_boot_files_dup(files);
	g_autoptr(GPtrArray) spots = g_ptr_array_new_with_free_func(free_spot);
	g_autoptr(GArray) seats = g_array_new(FALSE, FALSE, sizeof(Seat));
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GPtrArray) made =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_edit_free);
	g_autoptr(GArray) ordinals = g_array_new(FALSE, FALSE, sizeof(unsigned));
	Editor editor = { copies, spots, seats, words, made, ordinals };
	/* In this order, what contradicts a wanted word is replaced where it stands. */
	if (!say_all(&editor, wish->words, /* is_wanted */ true, error) ||
		!say_all(&editor, wish->unwanted, /* is_wanted */ false, error) ||
		!is_all_said(&editor, wish, error) || !fill_statements(&editor, error))
		return false;
	for (unsigned i = 0; i < files->len; i++) {
		UsherBootFile *copy = copies->pdata[i];
		set_text(files->pdata[i], g_steal_pointer(&copy->text));
	}
	while (made->len > 0)
		g_ptr_array_add(edits, g_ptr_array_steal_index(made, 0));
	return true;
}

/* ---- lines ---- */

/* The line at begin, without its end. */
static bool is_line(const char *text, size_t begin, const char *line)
{
	size_t length = strcspn(text + begin, "\r\n");
	return strlen(line) == length && strncmp(text + begin, line, length) == 0;
}

static size_t next_line(const char *text, size_t begin)
{
	size_t end = begin + strcspn(text + begin, "\n");
	return text[end] == '\n' ? end + 1 : end;
}

/* Where a line that is so, or begins so, begins; false: there is none. */
static bool find_line(const char *text, const char *line, bool is_beginning, size_t *out_begin)
{
	for (size_t at = 0; text[at] != '\0'; at = next_line(text, at)) {
		if (is_beginning ? g_str_has_prefix(text + at, line) : is_line(text, at, line)) {
			*out_begin = at;
			return true;
		}
	}
	return false;
}

static char *append_line(const char *text, const char *line)
{
	const char *line_end = strstr(text, "\r\n") != NULL ? "\r\n" : "\n";
	bool is_ended = text[0] == '\0' || g_str_has_suffix(text, "\n");
	return g_strconcat(text, is_ended ? "" : line_end, line, line_end, NULL);
}

/* The last edit, when it is of this file's lines. */
static UsherBootEdit *line_edit_of(const UsherBootFile *file, GPtrArray *edits)
{
	UsherBootEdit *last = edits->len > 0 ? edits->pdata[edits->len - 1] : NULL;
	if (last != NULL && last->is_lines && strcmp(last->path, file->path) == 0)
		return last;
	UsherBootEdit *edit = usher_boot_edit_new();
	edit->path = g_strdup(file->path);
	edit->is_lines = true;
	edit->is_new = file->text == NULL;
	edit->mode = edit->is_new ? file->mode : 0;
	edit->was = g_strdup(file->text);
	g_ptr_array_add(edits, edit);
	return edit;
}

void usher_boot_edit_line(UsherBootFile *file, const char *key, const char *line, GPtrArray *edits)
{
	const char *text = file->text != NULL ? file->text : "";
	size_t begin;
	if (find_line(text, line, /* is_beginning */ false, &begin))
		return;
	UsherBootEdit *edit = line_edit_of(file, edits);
	g_autofree char *new_text = NULL;
	if (key != NULL && find_line(text, key, /* is_beginning */ true, &begin)) {
		size_t end = begin + strcspn(text + begin, "\r\n");
		g_autofree char *old = g_strndup(text + begin, end - begin);
		(void) add_change(edit, old, line);
		new_text = usher_boot_text_splice(text, begin, end, line);
	} else {
		(void) add_change(edit, NULL, line);
		new_text = append_line(text, line);
	}
	set_text(file, g_steal_pointer(&new_text));
	g_free(edit->is);
	edit->is = g_strdup(file->text);
}
