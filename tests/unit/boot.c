/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot files are changed and put back: each of tests/data/boot, whole, with another line edited in
 * between, with our own words edited. What a GRUB file says is asked of a real shell.
 */
#include "core/doctor/boot-edit.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "core/doctor/boot-text.h"
#include "core/doctor/cmdline.h"
#include "core/doctor/diff.h"

#define GRUB  "etc/default/grub"
#define LINE  "etc/kernel/cmdline"
#define ENTRY "boot/loader/entries/linux.conf"

static const struct {
	const char *name, *path;
} shapes[] = {
	{ "arch-grub", GRUB },
	{ "arch-grub-luks", GRUB },
	{ "blanks-around", GRUB },
	{ "cmdline-arch-uki", LINE },
	{ "cmdline-crlf", LINE },
	{ "cmdline-empty", LINE },
	{ "cmdline-fedora", LINE },
	{ "cmdline-off", LINE },
	{ "cmdline-proxmox-8", LINE },
	{ "cmdline-proxmox-9", LINE },
	{ "command-output", GRUB },
	{ "continued", GRUB },
	{ "continued-outside", GRUB },
	{ "contradiction", GRUB },
	{ "contradiction-in-both", GRUB },
	{ "crlf", GRUB },
	{ "crlf-no-newline", GRUB },
	{ "debian-11", GRUB },
	{ "debian-12", GRUB },
	{ "debian-cloud", GRUB },
	{ "debian-preseeded", GRUB },
	{ "debian-serial", GRUB },
	{ "doubled-keys", GRUB },
	{ "doubled-words", GRUB },
	{ "empty", GRUB },
	{ "entry-arch", ENTRY },
	{ "entry-no-options", ENTRY },
	{ "entry-two-options", ENTRY },
	{ "escaped-blank", GRUB },
	{ "escaped-quotes", GRUB },
	{ "export", GRUB },
	{ "export-after", GRUB },
	{ "fedora-38", GRUB },
	{ "fedora-luks", GRUB },
	{ "fedora-nvidia", GRUB },
	{ "half-there", GRUB },
	{ "init-words", GRUB },
	{ "item-list", GRUB },
	{ "kernel-quotes", GRUB },
	{ "many-lines", GRUB },
	{ "mixed-quotes", GRUB },
	{ "no-newline", GRUB },
	{ "no-quotes", GRUB },
	{ "no-such-variable", GRUB },
	{ "no-such-variable-crlf", GRUB },
	{ "no-such-variable-no-newline", GRUB },
	{ "no-value", GRUB },
	{ "not-kernel-words", GRUB },
	{ "only-blanks", GRUB },
	{ "only-comments", GRUB },
	{ "opensuse", GRUB },
	{ "other-commands", GRUB },
	{ "proxmox-7", GRUB },
	{ "proxmox-7-old-advice", GRUB },
	{ "proxmox-8", GRUB },
	{ "proxmox-9-comment", GRUB },
	{ "single-quotes", GRUB },
	{ "two-on-a-line", GRUB },
	{ "ubuntu-20.04", GRUB },
	{ "ubuntu-24.04", GRUB },
	{ "ubuntu-kdump", GRUB },
	{ "ubuntu-oem", GRUB },
	{ "variables", GRUB },
};

typedef struct Shape {
	UsherBootFile *file;
	GPtrArray *files;
	GPtrArray *edits;
	char *text; /* as it was */
} Shape;

static char *load(const char *name)
{
	g_autofree char *path = g_build_filename(USHER_SOURCE, "tests/data/boot", name, NULL);
	char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static UsherBootWish *make_wish(const char *const *words)
{
	UsherBootWish *wish = usher_boot_wish_new();
	for (size_t i = 0; words[i] != NULL; i++)
		g_ptr_array_add(wish->words, g_strdup(words[i]));
	return wish;
}

static UsherBootWish *make_iommu_wish(void)
{
	static const char *const words[] = { "intel_iommu=on", "iommu=pt", NULL };
	return make_wish(words);
}

static GPtrArray *new_edits(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_edit_free);
}

static Shape begin_shape(size_t i)
{
	Shape shape = { .text = load(shapes[i].name) };
	shape.file = usher_boot_file_new(shapes[i].path, shape.text);
	shape.files = usher_boot_files_new();
	g_ptr_array_add(shape.files, shape.file);
	shape.edits = new_edits();
	return shape;
}

static void end_shape(Shape *shape)
{
	g_ptr_array_unref(shape->files);
	g_ptr_array_unref(shape->edits);
	g_free(shape->text);
}

static void prepare(Shape *shape)
{
	g_autoptr(UsherBootWish) wish = make_iommu_wish();
	g_autoptr(GError) error = NULL;
	g_assert_true(usher_boot_edit_words(shape->files, wish, shape->edits, &error));
	g_assert_no_error(error);
}

static GPtrArray *revert(Shape *shape)
{
	GPtrArray *conflicts = g_ptr_array_new_with_free_func(g_free);
	usher_boot_undo(shape->edits, shape->files, conflicts);
	return conflicts;
}

/* What the kernel is told by the file: of GRUB's, what a shell makes of it. */
static char *ask_shell(const char *text)
{
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("usher-boot-XXXXXX", &path, NULL);
	g_assert_cmpint(fd, >=, 0);
	g_assert_true(g_close(fd, NULL));
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	const char *argv[] = { "/bin/sh", "-c",
		". \"$0\" && printf '%s %s' \"$GRUB_CMDLINE_LINUX\" "
		"\"$GRUB_CMDLINE_LINUX_DEFAULT\"",
		path, NULL };
	char *output = NULL;
	int status = 0;
	g_assert_true(g_spawn_sync(
		NULL, (char **) (void *) argv, NULL, 0, NULL, NULL, &output, NULL, &status, NULL));
	g_assert_cmpint(status, ==, 0);
	(void) g_remove(path);
	return output;
}

static char *ask_file(const char *path, const char *text)
{
	if (strcmp(path, GRUB) == 0)
		return ask_shell(text);
	GString *all = g_string_new(NULL);
	g_autoptr(GPtrArray) places = usher_boot_places(path, text, NULL);
	g_assert_nonnull(places);
	for (unsigned i = 0; i < places->len; i++) {
		const UsherBootPlace *place = places->pdata[i];
		g_string_append_len(
			all, text + place->value, (gssize) (place->value_end - place->value));
		g_string_append_c(all, ' ');
	}
	return g_string_free(all, FALSE);
}

/* The words of a command line with one blank between them. */
static char *normal(const char *cmdline)
{
	g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(UsherWordSpan));
	g_assert_true(usher_cmdline_split(cmdline, spans));
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < spans->len; i++) {
		UsherWordSpan span = g_array_index(spans, UsherWordSpan, i);
		g_string_append_len(text, cmdline + span.begin, (gssize) (span.end - span.begin));
		g_string_append_c(text, ' ');
	}
	return g_string_free(text, FALSE);
}

static bool says(const char *cmdline, const char *word)
{
	g_autofree char *text = normal(cmdline);
	g_auto(GStrv) split = g_strsplit(text, " ", -1);
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	for (size_t i = 0; split[i] != NULL; i++)
		g_ptr_array_add(words, split[i]);
	unsigned index;
	g_autofree char *ignored = NULL;
	return usher_cmdline_want(words, word, &index, &ignored) == USHER_WORDS_SAID;
}

static void test_there_and_back(const void *data)
{
	Shape shape = begin_shape(GPOINTER_TO_SIZE(data));
	const char *path = shape.file->path;
	prepare(&shape);
	g_autofree char *said = ask_file(path, shape.file->text);
	g_assert_true(says(said, "intel_iommu=on"));
	g_assert_true(says(said, "iommu=pt"));
	/* Again: nothing is left to do. */
	g_autofree char *prepared = g_strdup(shape.file->text);
	unsigned n_edits = shape.edits->len;
	prepare(&shape);
	g_assert_cmpstr(shape.file->text, ==, prepared);
	g_assert_cmpuint(shape.edits->len, ==, n_edits);
	/* Back, to the byte; and again. */
	for (unsigned i = 0; i < 2; i++) {
		g_autoptr(GPtrArray) conflicts = revert(&shape);
		g_assert_cmpuint(conflicts->len, ==, 0);
		g_assert_cmpstr(shape.file->text, ==, shape.text);
	}
	end_shape(&shape);
}

static const char *another_line(const char *path)
{
	if (strcmp(path, GRUB) == 0)
		return "GRUB_GFXMODE=auto\n";
	return strcmp(path, ENTRY) == 0 ? "sort-key linux\n" : "# hello\n";
}

static void test_another_line(const void *data)
{
	Shape shape = begin_shape(GPOINTER_TO_SIZE(data));
	prepare(&shape);
	const char *line = another_line(shape.file->path);
	char *edited = g_strconcat(line, shape.file->text, NULL);
	g_free(shape.file->text);
	shape.file->text = edited;
	g_autofree char *expected = g_strconcat(line, shape.text, NULL);
	g_autoptr(GPtrArray) conflicts = revert(&shape);
	g_assert_cmpuint(conflicts->len, ==, 0);
	g_assert_cmpstr(shape.file->text, ==, expected);
	end_shape(&shape);
}

static void set_cmdline(GPtrArray *files, const char *word)
{
	const char *const words[] = { word, NULL };
	g_autoptr(UsherBootWish) wish = make_wish(words);
	g_autoptr(GPtrArray) edits = new_edits();
	g_assert_true(usher_boot_edit_words(files, wish, edits, NULL));
}

/* Somebody adds a word of their own where ours are: it stays, and only ours go. */
static void test_same_line(const void *data)
{
	Shape shape = begin_shape(GPOINTER_TO_SIZE(data));
	const char *path = shape.file->path;
	prepare(&shape);
	set_cmdline(shape.files, "nosmt");
	g_autoptr(GPtrArray) conflicts = revert(&shape);
	g_assert_cmpuint(conflicts->len, ==, 0);
	g_autofree char *said = ask_file(path, shape.file->text);
	g_autofree char *before = ask_file(path, shape.text);
	g_assert_true(says(said, "nosmt"));
	g_autofree char *now = normal(said);
	g_autofree char *then = normal(before);
	g_auto(GStrv) parts = g_strsplit(now, "nosmt ", -1);
	g_autofree char *others = g_strjoinv("", parts);
	g_assert_cmpstr(others, ==, then);
	end_shape(&shape);
}

/* Somebody changes a word of ours: nothing is touched. */
static void test_our_word(const void *data)
{
	Shape shape = begin_shape(GPOINTER_TO_SIZE(data));
	prepare(&shape);
	unsigned n_own = 0;
	for (unsigned i = 0; i < shape.edits->len; i++) {
		const UsherBootEdit *edit = shape.edits->pdata[i];
		n_own += edit->changes->len;
	}
	g_assert_cmpuint(n_own, >, 0);
	const UsherBootEdit *edit = shape.edits->pdata[0];
	const UsherBootChange *change = edit->changes->pdata[0];
	/* Behind it; of several that are so, ours is the last. */
	size_t end = (size_t) (g_strrstr(shape.file->text, change->is) - shape.file->text) +
		strlen(change->is);
	g_autofree char *other = g_strconcat(change->is, ",strict", NULL);
	char *text = usher_boot_text_splice(shape.file->text, end, end, ",strict");
	g_free(shape.file->text);
	shape.file->text = text;
	g_autofree char *edited = g_strdup(shape.file->text);
	g_autoptr(GPtrArray) conflicts = revert(&shape);
	g_assert_cmpuint(conflicts->len, ==, 1);
	g_assert_nonnull(strstr(conflicts->pdata[0], other));
	g_assert_cmpstr(shape.file->text, ==, edited);
	end_shape(&shape);
}

/* What was planned and never written, after a crash, is no conflict. */
static void test_never_written(const void *data)
{
	Shape shape = begin_shape(GPOINTER_TO_SIZE(data));
	prepare(&shape);
	g_free(shape.file->text);
	shape.file->text = g_strdup(shape.text);
	g_autoptr(GPtrArray) conflicts = revert(&shape);
	g_assert_cmpuint(conflicts->len, ==, 0);
	g_assert_cmpstr(shape.file->text, ==, shape.text);
	end_shape(&shape);
}

/* ---- files that are left alone ---- */

static void test_refuses(void)
{
	static const struct {
		const char *path, *text, *part;
	} rows[] = {
		{ GRUB, "A=1\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\nB=2\n",
			"/etc/default/grub:2: a quote" },
		{ GRUB, "GRUB_CMDLINE_LINUX='quiet\n", "/etc/default/grub:1: a quote" },
		{ GRUB, "GRUB_CMDLINE_LINUX=\"$(echo quiet\"\n", "grub:1: a quote" },
		{ GRUB, "GRUB_CMDLINE_LINUX=\"`echo quiet\"\n", "grub:1: a quote" },
		{ GRUB, "if true; then\n\tGRUB_CMDLINE_LINUX=quiet\nfi\n",
			"grub:2: is set only under" },
		{ GRUB, "[ -e /x ] && GRUB_CMDLINE_LINUX=quiet\n", "grub:1: a command that usher" },
		{ GRUB, "set_it() {\n\tGRUB_CMDLINE_LINUX=quiet\n}\n",
			"grub:2: is set only under" },
		{ GRUB, "GRUB_CMDLINE_LINUX=quiet true\n", "grub:1: a command that usher" },
		{ GRUB, "eval GRUB_CMDLINE_LINUX=quiet\n", "grub:1: a command that usher" },
		{ GRUB, "cat <<END\nGRUB_CMDLINE_LINUX=quiet\nEND\n", "grub:1: a text inside" },
		{ GRUB, "GRUB_CMDLINE_LINUX='dyndbg=\"x'\n", "grub:1: a quote of the kernel's" },
		{ GRUB, "GRUB_CMDLINE_LINUX=intel_\"iommu=off\"\n",
			"grub:1: a word that is quoted" },
		{ GRUB, "A=1\nB=2 \\\n", "grub:2: a line that goes on" },
		{ LINE, "root=/dev/sda1\nquiet\n", "/etc/kernel/cmdline:2: a second" },
		{ LINE, "root=/dev/sda1\r", "/etc/kernel/cmdline:1: half a line end" },
		{ LINE, "root=\"/dev/sda1\n", "/etc/kernel/cmdline:1: a quote" },
		{ ENTRY, "options x=\"y\n", "linux.conf:1: a quote" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) files = usher_boot_files_new();
		UsherBootFile *file = usher_boot_file_new(rows[i].path, rows[i].text);
		g_ptr_array_add(files, file);
		g_autoptr(GPtrArray) edits = new_edits();
		g_autoptr(UsherBootWish) wish = make_iommu_wish();
		g_autoptr(GError) error = NULL;
		g_assert_false(usher_boot_edit_words(files, wish, edits, &error));
		g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
		if (strstr(error->message, rows[i].part) == NULL)
			g_error("%zu: %s", i, error->message);
		g_assert_cmpstr(file->text, ==, rows[i].text);
		g_assert_cmpuint(edits->len, ==, 0);
	}
}

/* ---- what is written, to the byte ---- */

static void test_writes(void)
{
	static const struct {
		const char *path, *was, *is;
	} rows[] = {
		{ GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n",
			"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on iommu=pt\"\n" },
		{ GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"\"\n",
			"GRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=on iommu=pt\"\n" },
		{ GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=quiet # no\n",
			"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on iommu=pt\" # no\n" },
		{ GRUB, "GRUB_CMDLINE_LINUX='rhgb'",
			"GRUB_CMDLINE_LINUX='rhgb intel_iommu=on iommu=pt'" },
		{ GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=off,sm_on iommu=nopt\"\n",
			"GRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=on,sm_on iommu=pt\"\n" },
		{ GRUB, "A=1", "A=1\nGRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=on iommu=pt\"" },
		{ GRUB, "A=1\r\n",
			"A=1\r\nGRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=on iommu=pt\"\r\n" },
		{ LINE, "root=/dev/sda1 ro\n", "root=/dev/sda1 ro intel_iommu=on iommu=pt\n" },
		{ ENTRY, "options root=x\ntitle y\n",
			"options root=x intel_iommu=on iommu=pt\ntitle y\n" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) files = usher_boot_files_new();
		UsherBootFile *file = usher_boot_file_new(rows[i].path, rows[i].was);
		g_ptr_array_add(files, file);
		g_autoptr(GPtrArray) edits = new_edits();
		g_autoptr(UsherBootWish) wish = make_iommu_wish();
		g_assert_true(usher_boot_edit_words(files, wish, edits, NULL));
		g_assert_cmpstr(file->text, ==, rows[i].is);
	}
}

/* A file of grub.d is read after the main one: what it sets anew is where words belong. */
static void test_two_files(void)
{
	g_autoptr(GPtrArray) files = usher_boot_files_new();
	g_ptr_array_add(files,
		usher_boot_file_new(GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=nopt\"\n"));
	g_ptr_array_add(files,
		usher_boot_file_new("etc/default/grub.d/50-cloudimg-settings.cfg",
			"GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1\"\n"));
	g_autoptr(GPtrArray) before = usher_boot_files_dup(files);
	g_autoptr(GPtrArray) edits = new_edits();
	g_autoptr(UsherBootWish) wish = make_iommu_wish();
	g_assert_true(usher_boot_edit_words(files, wish, edits, NULL));
	const UsherBootFile *first = files->pdata[0], *second = files->pdata[1];
	const UsherBootFile *old = before->pdata[0];
	g_assert_cmpstr(first->text, ==, old->text);
	g_assert_cmpstr(second->text, ==,
		"GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 intel_iommu=on iommu=pt\"\n");
}

/* ---- words ---- */

static void test_words(void)
{
	static const struct {
		const char *cmdline, *word;
		bool is_wanted;
		const char *result;
	} rows[] = {
		{ "quiet", "intel_iommu=on", true, "quiet intel_iommu=on " },
		{ "intel_iommu=on", "intel_iommu=on", true, "intel_iommu=on " },
		{ "intel_iommu=sm_on,on", "intel_iommu=on", true, "intel_iommu=sm_on,on " },
		{ "intel_iommu=on intel_iommu=off", "intel_iommu=on", true,
			"intel_iommu=on intel_iommu=on " },
		{ "intel_iommu=off intel_iommu=on", "intel_iommu=on", true,
			"intel_iommu=off intel_iommu=on " },
		{ "intel_iommu=igfx_off", "intel_iommu=on", true,
			"intel_iommu=igfx_off intel_iommu=on " },
		{ "iommu=off", "iommu=pt", true, "iommu=pt " },
		{ "i915.enable_guc=3", "i915.enable_guc=0", true, "i915.enable_guc=0 " },
		{ "kvm-intel.nested=1", "kvm_intel.nested=1", true, "kvm-intel.nested=1 " },
		{ "console=ttyS0", "console=tty0", true, "console=ttyS0 console=tty0 " },
		{ "vfio-pci.ids=10de:1eb8", "vfio-pci.ids=8086:10d3", true,
			"vfio-pci.ids=10de:1eb8,8086:10d3 " },
		{ "vfio_pci.ids=", "vfio-pci.ids=8086:10d3", true, "vfio_pci.ids=8086:10d3 " },
		{ "vfio-pci.ids", "vfio-pci.ids=8086:10d3", true, "vfio-pci.ids=8086:10d3 " },
		{ "quiet nomodeset", "nomodeset", true, "quiet nomodeset " },
		{ "quiet -- x", "ro", true, "quiet ro " },
		{ "a nofb b nofb", "nofb", false, "a b " },
		{ "nofbx nofb=1", "nofb", false, "nofbx " },
		{ "ro amd_iommu=on", "amd_iommu=on", false, "ro " },
		{ "amd_iommu=on,fullflush", "amd_iommu=on", false, "amd_iommu=fullflush " },
		{ "amd_iommu=off", "amd_iommu=on", false, "amd_iommu=off " },
		{ "module_blacklist=xe,i915", "module_blacklist=i915", false,
			"module_blacklist=xe " },
		{ "x=\"a b\" y", "y", false, "x=\"a b\" " },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) files = usher_boot_files_new();
		UsherBootFile *file = usher_boot_file_new(LINE, rows[i].cmdline);
		g_ptr_array_add(files, file);
		g_autoptr(GPtrArray) edits = new_edits();
		g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
		g_ptr_array_add(
			rows[i].is_wanted ? wish->words : wish->unwanted, g_strdup(rows[i].word));
		g_assert_true(usher_boot_edit_words(files, wish, edits, NULL));
		g_autofree char *text = normal(file->text);
		g_assert_cmpstr(text, ==, rows[i].result);
		g_autoptr(GPtrArray) conflicts = g_ptr_array_new_with_free_func(g_free);
		usher_boot_undo(edits, files, conflicts);
		g_assert_cmpuint(conflicts->len, ==, 0);
		g_assert_cmpstr(file->text, ==, rows[i].cmdline);
	}
}

/* What was the only word goes back into a file that has become empty. */
static void test_only_word(void)
{
	g_autoptr(GPtrArray) files = usher_boot_files_new();
	UsherBootFile *file = usher_boot_file_new(LINE, "amd_iommu=on\n");
	g_ptr_array_add(files, file);
	g_autoptr(GPtrArray) edits = new_edits();
	g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
	g_ptr_array_add(wish->unwanted, g_strdup("amd_iommu"));
	g_assert_true(usher_boot_edit_words(files, wish, edits, NULL));
	g_assert_cmpstr(file->text, ==, "\n");
	g_autoptr(GPtrArray) conflicts = g_ptr_array_new_with_free_func(g_free);
	usher_boot_undo(edits, files, conflicts);
	g_assert_cmpuint(conflicts->len, ==, 0);
	g_autofree char *text = normal(file->text);
	g_assert_cmpstr(text, ==, "amd_iommu=on ");
}

/* What is left would begin as a comment does. */
static void test_unsaid(void)
{
	g_autoptr(GPtrArray) files = usher_boot_files_new();
	UsherBootFile *file = usher_boot_file_new(LINE, "nomodeset #x\n");
	g_ptr_array_add(files, file);
	g_autoptr(GPtrArray) edits = new_edits();
	g_autoptr(UsherBootWish) wish = make_iommu_wish();
	g_ptr_array_add(wish->unwanted, g_strdup("nomodeset"));
	g_autoptr(GError) error = NULL;
	g_assert_false(usher_boot_edit_words(files, wish, edits, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
	g_assert_cmpstr(file->text, ==, "nomodeset #x\n");
	g_assert_cmpuint(edits->len, ==, 0);
}

static void test_plain_words(void)
{
	static const char *const good[] = { "quiet", "intel_iommu=on",
		"vfio-pci.ids=8086:10d3,1:2" };
	static const char *const bad[] = { "", "--", "a b", "a\"b", "a'b", "$x", "a;b", "a\nb",
		"`x`" };
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_true(usher_cmdline_is_plain(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(usher_cmdline_is_plain(bad[i]));
}

/* ---- lines ---- */

static void test_lines(void)
{
	g_autoptr(GPtrArray) files = usher_boot_files_new();
	UsherBootFile *file = usher_boot_file_new("etc/modprobe.d/usher.conf", NULL);
	g_ptr_array_add(files, file);
	g_autoptr(GPtrArray) edits = new_edits();
	usher_boot_edit_line(file, NULL, "softdep i915 pre: vfio-pci", edits);
	usher_boot_edit_line(file, "options vfio-pci", "options vfio-pci ids=1:2", edits);
	usher_boot_edit_line(file, "options vfio-pci", "options vfio-pci ids=1:2", edits);
	static const char first[] = "softdep i915 pre: vfio-pci\noptions vfio-pci ids=1:2\n";
	g_assert_cmpstr(file->text, ==, first);
	g_assert_cmpuint(edits->len, ==, 1);
	usher_boot_edit_line(file, "options vfio-pci", "options vfio-pci ids=1:2,3:4", edits);
	g_assert_cmpstr(
		file->text, ==, "softdep i915 pre: vfio-pci\noptions vfio-pci ids=1:2,3:4\n");
	g_autofree char *prepared = g_strdup(file->text);

	/* A line of somebody else's stays, in a file that was ours. */
	g_autoptr(GPtrArray) conflicts = g_ptr_array_new_with_free_func(g_free);
	g_free(file->text);
	file->text = g_strconcat("# mine\n", prepared, NULL);
	usher_boot_undo(edits, files, conflicts);
	g_assert_cmpuint(conflicts->len, ==, 0);
	g_assert_cmpstr(file->text, ==, "# mine\n");

	/* A line of ours was changed. */
	g_free(file->text);
	file->text = g_strdup("softdep i915 pre: vfio-pci\noptions vfio-pci ids=9:9\n");
	usher_boot_undo(edits, files, conflicts);
	g_assert_cmpuint(conflicts->len, ==, 1);
	g_assert_nonnull(strstr(conflicts->pdata[0], "/etc/modprobe.d/usher.conf: usher's line"));
	g_assert_cmpstr(file->text, ==, "softdep i915 pre: vfio-pci\noptions vfio-pci ids=9:9\n");

	/* As it was left: the file goes, as it came. */
	g_ptr_array_set_size(conflicts, 0);
	g_free(file->text);
	file->text = g_steal_pointer(&prepared);
	usher_boot_undo(edits, files, conflicts);
	g_assert_null(file->text);
	g_assert_cmpuint(conflicts->len, ==, 0);
}

/* ---- differences ---- */

static void test_diff(void)
{
	static const struct {
		const char *was, *is, *diff;
	} rows[] = {
		{ "a\n", "a\n", "" },
		{ NULL, "a\nb\n", "--- /dev/null\n+++ /f\n@@ -0,0 +1,2 @@\n+a\n+b\n" },
		{ "a\n", NULL, "--- /f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n" },
		{ "a\nb\nc\n", "a\nx\nc\n", "--- /f\n+++ /f\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n" },
		{ "a", "a\n",
			"--- /f\n+++ /f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n" },
		{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
			"--- /f\n+++ /f\n@@ -7,3 +7,4 @@\n 7\n 8\n 9\n+10\n" },
		{ "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
			"--- /f\n+++ /f\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
			"@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n" },
		{ "a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
			"--- /f\n+++ /f\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n "
			"6\n-b\n+B\n" },
		{ "", "x\n", "--- /f\n+++ /f\n@@ -0,0 +1 @@\n+x\n" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *diff = usher_diff_print("f", rows[i].was, rows[i].is);
		g_assert_cmpstr(diff, ==, rows[i].diff);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		GTestDataFunc func;
	} walks[] = {
		{ "there-and-back", test_there_and_back },
		{ "another-line", test_another_line },
		{ "same-line", test_same_line },
		{ "our-word", test_our_word },
		{ "never-written", test_never_written },
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
		for (size_t n = 0; n < G_N_ELEMENTS(walks); n++) {
			g_autofree char *path =
				g_strdup_printf("/boot/%s/%s", shapes[i].name, walks[n].name);
			g_test_add_data_func(path, GSIZE_TO_POINTER(i), walks[n].func);
		}
	}
	g_test_add_func("/boot/refuses", test_refuses);
	g_test_add_func("/boot/writes", test_writes);
	g_test_add_func("/boot/two-files", test_two_files);
	g_test_add_func("/boot/words", test_words);
	g_test_add_func("/boot/only-word", test_only_word);
	g_test_add_func("/boot/unsaid", test_unsaid);
	g_test_add_func("/boot/plain-words", test_plain_words);
	g_test_add_func("/boot/lines", test_lines);
	g_test_add_func("/boot/diff", test_diff);
	return g_test_run();
}
