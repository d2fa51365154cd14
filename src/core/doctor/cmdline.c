/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/cmdline.h"

#include <string.h>

bool usher_cmdline_split(const char *text, GArray *out_spans)
{
	size_t i = 0;
	while (text[i] != '\0') {
		i += strspn(text + i, " \t\r\n\v\f");
		UsherWordSpan span = { i, i };
		bool in_quotes = false;
		for (; text[i] != '\0' && (in_quotes || !g_ascii_isspace(text[i])); i++) {
			if (text[i] == '"')
				in_quotes = !in_quotes;
		}
		span.end = i;
		if (in_quotes)
			return false;
		if (span.end - span.begin == 2 && memcmp(text + span.begin, "--", 2) == 0)
			return true;
		if (span.end > span.begin)
			g_array_append_val(out_spans, span);
	}
	return true;
}

static size_t key_length(const char *word)
{
	return strcspn(word, "=");
}

static char fold(char letter)
{
	return letter == '-' ? '_' : letter;
}

bool usher_cmdline_same_key(const char *word, const char *other)
{
	size_t length = key_length(word);
	if (key_length(other) != length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (fold(word[i]) != fold(other[i]))
			return false;
	}
	return true;
}

bool usher_cmdline_is_plain(const char *word)
{
	static const char marks[] = "._:,=/+@-";
	for (const char *c = word; *c != '\0'; c++) {
		if (!g_ascii_isalnum(*c) && strchr(marks, *c) == NULL)
			return false;
	}
	return word[0] != '\0' && word[0] != '-';
}

/* ---- what the values of a key mean to each other ---- */

typedef enum {
	KEY_SINGLE, /* the last one counts */
	KEY_ITEMS,  /* each item of each word is an option of its own */
	KEY_LIST,   /* the last one counts, and is a list */
	KEY_MANY,   /* all count */
} KeyKind;

/* kernel-parameters.txt */
static const struct {
	const char *key;
	KeyKind kind;
} keys[] = {
	{ "intel_iommu", KEY_ITEMS },
	{ "amd_iommu", KEY_ITEMS },
	{ "iommu", KEY_ITEMS },
	{ "pci", KEY_ITEMS },
	{ "vfio-pci.ids", KEY_LIST },
	{ "module_blacklist", KEY_LIST },
	{ "modprobe.blacklist", KEY_LIST },
	{ "initcall_blacklist", KEY_LIST },
	{ "console", KEY_MANY },
	{ "video", KEY_MANY },
	{ "hugepagesz", KEY_MANY },
	{ "hugepages", KEY_MANY },
};

/* Of two such items of one key the last one counts. */
static const struct {
	const char *one, *other;
} opposites[] = {
	{ "on", "off" },
	{ "sm_on", "sm_off" },
	{ "pt", "nopt" },
	{ "pt", "off" },
	{ "force", "noforce" },
	{ "force", "off" },
	{ "force_enable", "off" },
};

static KeyKind kind_of(const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (usher_cmdline_same_key(word, keys[i].key))
			return keys[i].kind;
	}
	return KEY_SINGLE;
}

static bool is_opposite(const char *item, const char *other)
{
	for (size_t i = 0; i < G_N_ELEMENTS(opposites); i++) {
		const char *one = opposites[i].one, *two = opposites[i].other;
		if ((strcmp(item, one) == 0 && strcmp(other, two) == 0) ||
			(strcmp(item, two) == 0 && strcmp(other, one) == 0))
			return true;
	}
	return false;
}

static char **split_value(const char *word)
{
	const char *equals = strchr(word, '=');
	return g_strsplit(equals != NULL ? equals + 1 : "", ",", -1);
}

static char *join_word(const char *word, char **items)
{
	g_autofree char *value = g_strjoinv(",", items);
	return g_strdup_printf("%.*s=%s", (int) key_length(word), word, value);
}

/* The index of the last word with the key; words->len: there is none. */
static unsigned find_last(const GPtrArray *words, const char *wanted)
{
	for (unsigned i = words->len; i-- > 0;) {
		const char *word = words->pdata[i];
		if (word != NULL && usher_cmdline_same_key(word, wanted))
			return i;
	}
	return words->len;
}

static UsherWordsStep replace(unsigned index, char *text, unsigned *out_index, char **out_text)
{
	*out_index = index;
	*out_text = text;
	return USHER_WORDS_REPLACE;
}

static UsherWordsStep want_single(
	const GPtrArray *words, const char *wanted, unsigned *out_index, char **out_text)
{
	unsigned last = find_last(words, wanted);
	if (last == words->len)
		return USHER_WORDS_ADD;
	const char *value = strchr(words->pdata[last], '=');
	if (g_strcmp0(value, strchr(wanted, '=')) == 0)
		return USHER_WORDS_SAID;
	return replace(last, g_strdup(wanted), out_index, out_text);
}

static UsherWordsStep want_one_of_many(const GPtrArray *words, const char *wanted)
{
	for (unsigned i = 0; i < words->len; i++) {
		if (g_strcmp0(words->pdata[i], wanted) == 0)
			return USHER_WORDS_SAID;
	}
	return USHER_WORDS_ADD;
}

static UsherWordsStep want_list(
	const GPtrArray *words, const char *wanted, unsigned *out_index, char **out_text)
{
	unsigned last = find_last(words, wanted);
	if (last == words->len)
		return USHER_WORDS_ADD;
	g_auto(GStrv) have = split_value(words->pdata[last]);
	g_auto(GStrv) items = split_value(wanted);
	g_autoptr(GString) text = g_string_new(words->pdata[last]);
	bool is_said = true;
	for (size_t i = 0; items[i] != NULL; i++) {
		if (g_strv_contains((const char *const *) have, items[i]))
			continue;
		is_said = false;
		bool has_items =
			strchr(text->str, '=') != NULL && !g_str_has_suffix(text->str, "=");
		g_string_append_printf(text, "%s%s",
			has_items                                ? ","
				: strchr(text->str, '=') != NULL ? ""
								 : "=",
			items[i]);
	}
	if (is_said)
		return USHER_WORDS_SAID;
	return replace(last, g_strdup(text->str), out_index, out_text);
}

/* The last item of the words with the key that says it, or says the opposite. */
static UsherWordsStep want_item(
	const GPtrArray *words, const char *wanted, unsigned *out_index, char **out_text)
{
	const char *item = strchr(wanted, '=');
	item = item != NULL ? item + 1 : "";
	for (unsigned i = words->len; i-- > 0;) {
		const char *word = words->pdata[i];
		if (word == NULL || !usher_cmdline_same_key(word, wanted))
			continue;
		g_auto(GStrv) have = split_value(word);
		for (size_t n = g_strv_length(have); n-- > 0;) {
			if (strcmp(have[n], item) == 0)
				return USHER_WORDS_SAID;
			if (!is_opposite(have[n], item))
				continue;
			g_free(have[n]);
			have[n] = g_strdup(item);
			return replace(i, join_word(word, have), out_index, out_text);
		}
	}
	return USHER_WORDS_ADD;
}

UsherWordsStep usher_cmdline_want(
	const GPtrArray *words, const char *wanted, unsigned *out_index, char **out_text)
{
	switch (kind_of(wanted)) {
	case KEY_ITEMS:
		return want_item(words, wanted, out_index, out_text);
	case KEY_LIST:
		return want_list(words, wanted, out_index, out_text);
	case KEY_MANY:
		return want_one_of_many(words, wanted);
	case KEY_SINGLE:
	default:
		return want_single(words, wanted, out_index, out_text);
	}
}

/* The word without the item; NULL: it has no such. *out_is_empty: nothing else is in it. */
static char *without_item(const char *word, const char *item, bool *out_is_empty)
{
	g_auto(GStrv) have = split_value(word);
	g_autoptr(GPtrArray) kept = g_ptr_array_new();
	for (size_t i = 0; have[i] != NULL; i++) {
		if (strcmp(have[i], item) != 0)
			g_ptr_array_add(kept, have[i]);
	}
	if (kept->len == g_strv_length(have))
		return NULL;
	*out_is_empty = kept->len == 0;
	g_ptr_array_add(kept, NULL);
	return join_word(word, (char **) kept->pdata);
}

UsherWordsStep usher_cmdline_refuse(
	const GPtrArray *words, const char *unwanted, unsigned *out_index, char **out_text)
{
	const char *value = strchr(unwanted, '=');
	KeyKind kind = kind_of(unwanted);
	for (unsigned i = words->len; i-- > 0;) {
		const char *word = words->pdata[i];
		if (word == NULL || !usher_cmdline_same_key(word, unwanted))
			continue;
		*out_index = i;
		if (value == NULL || g_strcmp0(strchr(word, '='), value) == 0)
			return USHER_WORDS_DROP;
		bool is_empty = false;
		g_autofree char *rest = kind == KEY_ITEMS || kind == KEY_LIST
			? without_item(word, value + 1, &is_empty)
			: NULL;
		if (rest != NULL && is_empty)
			return USHER_WORDS_DROP;
		if (rest != NULL)
			return replace(i, g_steal_pointer(&rest), out_index, out_text);
	}
	return USHER_WORDS_SAID;
}
