/* SPDX-License-Identifier: Apache-2.0 */
/* Boot files: what can be read is changed, says what was wanted, and goes back to the byte. */
#include "fuzz.h"

#include "core/doctor/boot-edit.h"

static GPtrArray *new_edits(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_edit_free);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = fuzz_text(data, size);
	g_autoptr(GPtrArray) files = usher_boot_files_new();
	UsherBootFile *file = usher_boot_file_new(FUZZ_PATH, text);
	g_ptr_array_add(files, file);
	g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
	g_ptr_array_add(wish->words, g_strdup("intel_iommu=on"));
	g_ptr_array_add(wish->words, g_strdup("vfio-pci.ids=8086:10d3"));
	g_ptr_array_add(wish->unwanted, g_strdup("nomodeset"));
	g_autoptr(GPtrArray) edits = new_edits();
	g_autoptr(GError) error = NULL;
	bool is_done = usher_boot_edit_words(files, wish, edits, &error);
	g_assert(is_done == (error == NULL));
	if (!is_done) {
		g_assert_cmpstr(file->text, ==, text);
		return 0;
	}
	g_autoptr(GPtrArray) none = new_edits();
	g_assert_true(usher_boot_edit_words(files, wish, none, NULL));
	g_assert_cmpuint(none->len, ==, 0);
	g_autoptr(GPtrArray) conflicts = g_ptr_array_new_with_free_func(g_free);
	usher_boot_undo(edits, files, conflicts);
	g_assert_cmpuint(conflicts->len, ==, 0);
	g_assert_cmpstr(file->text, ==, text);
	return 0;
}
