/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot-once.h"

#include <string.h>

#include "base/error.h"
#include "core/doctor/boot-commands.h"
#include "core/doctor/boot-edit.h"

/* Debian's 41_custom reads it at boot, beside grub.cfg. */
#define GRUB_CUSTOM "boot/grub/custom.cfg"
#define GRUB_ENV    "boot/grub/grubenv" /* where the next boot's entry is written */
#define ENTRY_NAME  "usher-once"

void usher_boot_once_free(UsherBootOnce *once)
{
	if (once == NULL)
		return;
	g_free(once->path);
	g_free(once->text);
	usher_boot_command_free(once->command);
	g_free(once);
}

/* Takes path and text. */
static UsherBootOnce *make(char *path, char *text, const char *program, const char *entry)
{
	const char *words[] = { program,
		g_str_has_suffix(program, "bootctl") ? "set-oneshot" : NULL, entry };
	UsherBootOnce *once = g_new0(UsherBootOnce, 1);
	once->path = path;
	once->text = text;
	once->command = usher_boot_command_new();
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (words[i] != NULL)
			g_ptr_array_add(once->command->words, g_strdup(words[i]));
	}
	return once;
}

/* The text of a file of that kind with the wish's words. */
static char *say(const char *path, const char *text, const UsherBootWish *wish, GError **error)
{
	g_autoptr(GPtrArray) files = usher_boot_files_new();
	g_autoptr(GPtrArray) edits =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_edit_free);
	UsherBootFile *file = usher_boot_file_new(path, text);
	g_ptr_array_add(files, file);
	return usher_boot_edit_words(files, wish, edits, error) ? g_strdup(file->text) : NULL;
}

static const char *text_of(const UsherBootFacts *facts, const char *path)
{
	const UsherBootFile *file = usher_boot_file_find(facts->files, path);
	return file != NULL ? file->text : NULL;
}

/* ---- GRUB: the first menu entry of grub.cfg ---- */

/* "	linux	/vmlinuz-6.1 root=UUID=… ro quiet": where its arguments begin; NULL: no such line. */
static const char *kernel_arguments(const char *line)
{
	line += strspn(line, " \t");
	if (!g_str_has_prefix(line, "linux"))
		return NULL;
	line += strcspn(line, " \t");
	line += strspn(line, " \t");
	line += strcspn(line, " \t");
	return line + strspn(line, " \t");
}

static char *change_line(const char *line, const UsherBootWish *wish, GError **error)
{
	const char *arguments = kernel_arguments(line);
	if (arguments == NULL)
		return g_strdup(line);
	g_autofree char *changed = say(USHER_BOOT_LINE_FILE, arguments, wish, error);
	if (changed == NULL)
		return NULL;
	g_autofree char *before = g_strndup(line, (size_t) (arguments - line));
	bool is_bare = before[0] != '\0' && !g_ascii_isspace(before[strlen(before) - 1]);
	return g_strconcat(before, is_bare ? " " : "", g_strchomp(changed), NULL);
}

/* From the first "menuentry" to the brace that closes it; it has to start one kernel. */
static char *make_menu_entry(const char *menu, const UsherBootWish *wish, GError **error)
{
	g_autoptr(GString) entry = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(menu, "\n", -1);
	unsigned first = 0, n_kernels = 0;
	while (lines[first] != NULL && !g_str_has_prefix(lines[first], "menuentry "))
		first++;
	for (unsigned i = first; lines[i] != NULL; i++) {
		bool is_end = strcmp(lines[i], "}") == 0;
		n_kernels += kernel_arguments(lines[i]) != NULL;
		g_autofree char *line = i == first
			? g_strdup("menuentry 'usher: tried once' --id " ENTRY_NAME " {")
			: change_line(lines[i], wish, error);
		if (line == NULL)
			return NULL;
		g_string_append_printf(entry, "%s\n", line);
		if (is_end)
			break;
	}
	if (n_kernels == 1 && g_str_has_suffix(entry->str, "\n}\n"))
		return g_string_free(g_steal_pointer(&entry), FALSE);
	usher_error_set(error, USHER_ERROR_INVALID,
		"/" USHER_BOOT_GRUB_MENU ": its first entry does not start one kernel");
	return NULL;
}

static UsherBootOnce *make_grub(
	const UsherBootFacts *facts, const UsherBootWish *wish, GError **error)
{
	const char *menu = text_of(facts, USHER_BOOT_GRUB_MENU);
	g_autofree char *program = usher_boot_program(facts, "grub-reboot");
	if (menu == NULL || program == NULL || !usher_boot_has(facts, GRUB_ENV) ||
		usher_boot_has(facts, GRUB_CUSTOM))
		return NULL;
	char *text = make_menu_entry(menu, wish, error);
	return text != NULL ? make(g_strdup(GRUB_CUSTOM), text, program, ENTRY_NAME) : NULL;
}

/* ---- entries of a boot loader, as systemd-boot's ---- */

/* The newest by its name, as the loader has it by default. */
static const UsherBootFile *newest_entry(const UsherBootFacts *facts)
{
	const UsherBootFile *newest = NULL;
	for (unsigned i = 0; i < facts->files->len; i++) {
		const UsherBootFile *file = facts->files->pdata[i];
		if (file->text != NULL && strstr(file->path, USHER_BOOT_ENTRY_FOLDER) != NULL &&
			strstr(file->text, "\nlinux") != NULL &&
			!g_str_has_suffix(file->path, "/" ENTRY_NAME ".conf") &&
			(newest == NULL || strcmp(file->path, newest->path) > 0))
			newest = file;
	}
	return newest;
}

static UsherBootOnce *make_entry(
	const UsherBootFacts *facts, const UsherBootWish *wish, GError **error)
{
	const UsherBootFile *newest = newest_entry(facts);
	g_autofree char *program = usher_boot_program(facts, "bootctl");
	if (newest == NULL || program == NULL)
		return NULL;
	char *text = say(newest->path, newest->text, wish, error);
	if (text == NULL)
		return NULL;
	size_t folder = (size_t) (strrchr(newest->path, '/') - newest->path);
	char *path = g_strdup_printf("%.*s/" ENTRY_NAME ".conf", (int) folder, newest->path);
	return make(path, text, program, ENTRY_NAME ".conf");
}

UsherBootOnce *usher_boot_once_make(
	const UsherBootFacts *facts, const UsherBootWish *wish, GError **error)
{
	if (facts->ways_in->len == 0 || (wish->words->len == 0 && wish->unwanted->len == 0))
		return NULL;
	switch (usher_boot_loader(facts)) {
	case USHER_BOOT_GRUB:
		return make_grub(facts, wish, error);
	case USHER_BOOT_KERNEL_INSTALL:
	case USHER_BOOT_ENTRIES:
		return make_entry(facts, wish, error);
	case USHER_BOOT_NO_LOADER:
	case USHER_BOOT_GRUBBY:
	case USHER_BOOT_PROXMOX: /* it pins a kernel, whose command line is that of all */
	case USHER_BOOT_MKINITCPIO:
	case USHER_BOOT_N_LOADERS:
		break;
	}
	return NULL;
}

UsherBootWish *usher_boot_once_rest(const UsherBootWish *wish)
{
	UsherBootWish *rest = usher_boot_wish_dup(wish);
	g_ptr_array_set_size(rest->words, 0);
	g_ptr_array_set_size(rest->unwanted, 0);
	return rest;
}
