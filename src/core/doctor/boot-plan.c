/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot-plan.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/doctor/boot-commands.h"
#include "core/doctor/boot-edit.h"
#include "core/doctor/cmdline.h"
#include "core/doctor/diff.h"

#define MODULES_LOAD "etc/modules-load.d/usher.conf"
#define MODPROBE     "etc/modprobe.d/usher.conf"
#define UDEV_RULES   "etc/udev/rules.d/05-usher.rules" /* before 80-drivers.rules loads any */
#define TOOLS_LIST   "etc/initramfs-tools/modules"
#define TOOLS_HOOK   "etc/initramfs-tools/hooks/usher"
#define DRACUT       "etc/dracut.conf.d/usher.conf"
#define MKINITCPIO   "etc/mkinitcpio.conf.d/usher.conf"

const char *const usher_boot_file_paths[] = { USHER_BOOT_GRUB_FILE, USHER_BOOT_LINE_FILE,
	MODULES_LOAD, MODPROBE, UDEV_RULES, TOOLS_LIST, TOOLS_HOOK, DRACUT, MKINITCPIO,
	"etc/crypttab", USHER_BOOT_GRUB_MENU, NULL };

const UsherBootFolder usher_boot_folders[] = {
	{ "etc/default/grub.d", ".cfg" },
	{ "etc/modprobe.d", ".conf" },
	{ "boot/loader/entries", ".conf" },
	{ "efi/loader/entries", ".conf" },
	{ "boot/efi/loader/entries", ".conf" },
	{ NULL, NULL },
};

#define PROGRAM(name) "usr/sbin/" name, "usr/bin/" name, "sbin/" name, "bin/" name
const char *const usher_boot_paths[] = { PROGRAM("update-grub"), PROGRAM("grub2-mkconfig"),
	PROGRAM("grub-mkconfig"), PROGRAM("grubby"), PROGRAM("proxmox-boot-tool"),
	PROGRAM("kernel-install"), PROGRAM("grub-reboot"), PROGRAM("bootctl"),
	PROGRAM("update-initramfs"), PROGRAM("dracut"), PROGRAM("mkinitcpio"),
	"etc/kernel/proxmox-boot-uuids", "boot/grub2/grub.cfg", "boot/grub/grub.cfg",
	"boot/grub/grubenv", "boot/grub/custom.cfg",
	/* systemd-stub says that it has started the kernel. */
	"sys/firmware/efi/efivars/StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
	"etc/dropbear/initramfs/authorized_keys", "etc/dropbear-initramfs/authorized_keys",
	"usr/bin/clevis-decrypt-tpm2", "usr/bin/clevis-decrypt-tang", NULL };

UsherBootFacts *usher_boot_facts_new(void)
{
	UsherBootFacts *facts = g_new0(UsherBootFacts, 1);
	facts->files = usher_boot_files_new();
	facts->paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	facts->images = g_ptr_array_new_with_free_func(g_free);
	facts->ways_in = g_ptr_array_new_with_free_func(g_free);
	facts->boot_free_bytes = facts->initrd_bytes = USHER_INT_NULL;
	return facts;
}

void usher_boot_facts_free(UsherBootFacts *facts)
{
	if (facts == NULL)
		return;
	g_ptr_array_unref(facts->files);
	g_hash_table_unref(facts->paths);
	g_ptr_array_unref(facts->images);
	g_ptr_array_unref(facts->ways_in);
	g_free(facts);
}

void usher_boot_plan_free(UsherBootPlan *plan)
{
	if (plan == NULL)
		return;
	g_ptr_array_unref(plan->before);
	g_ptr_array_unref(plan->files);
	g_ptr_array_unref(plan->edits);
	g_clear_pointer(&plan->commands, g_ptr_array_unref);
	g_clear_pointer(&plan->warnings, g_ptr_array_unref);
	g_free(plan);
}

/* ---- which boot loader ---- */

const char *usher_boot_loader_name(UsherBootLoader loader)
{
	static const char *const names[USHER_BOOT_N_LOADERS] = { "none", "grub", "grubby",
		"proxmox-boot-tool", "kernel-install", "mkinitcpio", "entries" };
	return names[loader];
}

static bool has_text(const UsherBootFacts *facts, const char *path)
{
	const UsherBootFile *file = usher_boot_file_find(facts->files, path);
	return file != NULL && file->text != NULL;
}

static bool has_program(const UsherBootFacts *facts, const char *name)
{
	g_autofree char *path = usher_boot_program(facts, name);
	return path != NULL;
}

/* One that starts a kernel; memtest and firmware settings have entries, too. */
static bool is_kernel_entry(const UsherBootFile *file)
{
	return file->text != NULL && strstr(file->path, USHER_BOOT_ENTRY_FOLDER) != NULL &&
		(g_str_has_prefix(file->text, "linux") || strstr(file->text, "\nlinux") != NULL);
}

static bool has_entries(const UsherBootFacts *facts)
{
	for (unsigned i = 0; i < facts->files->len; i++) {
		if (is_kernel_entry(facts->files->pdata[i]))
			return true;
	}
	return false;
}

UsherBootLoader usher_boot_loader(const UsherBootFacts *facts)
{
	bool makes_grub = has_program(facts, "update-grub") ||
		has_program(facts, "grub2-mkconfig") || has_program(facts, "grub-mkconfig");
	if (usher_boot_has(facts, "etc/kernel/proxmox-boot-uuids") &&
		has_program(facts, "proxmox-boot-tool"))
		return USHER_BOOT_PROXMOX;
	if (has_text(facts, USHER_BOOT_GRUB_FILE) && has_program(facts, "grubby") &&
		has_entries(facts))
		return USHER_BOOT_GRUBBY;
	if (has_text(facts, USHER_BOOT_GRUB_FILE) && makes_grub)
		return USHER_BOOT_GRUB;
	if (has_text(facts, USHER_BOOT_LINE_FILE) && has_program(facts, "kernel-install") &&
		facts->images->len > 0)
		return USHER_BOOT_KERNEL_INSTALL;
	if (has_text(facts, USHER_BOOT_LINE_FILE) && has_program(facts, "mkinitcpio"))
		return USHER_BOOT_MKINITCPIO;
	return has_entries(facts) && !facts->has_uki ? USHER_BOOT_ENTRIES : USHER_BOOT_NO_LOADER;
}

/* ---- the command line ---- */

static bool refuse(const UsherBootFacts *facts, const UsherBootWish *wish, GError **error)
{
	g_autofree char *words = usher_text_join_array(wish->words, " ");
	if (facts->has_uki)
		usher_error_set(error, USHER_ERROR_DENIED,
			"the kernel's command line is inside a unified kernel image, and signed "
			"with it; build the image anew with these words: %s",
			words);
	else
		usher_error_set(error, USHER_ERROR_DENIED,
			"no boot loader that usher knows is here; give the kernel these words: %s",
			words);
	return false;
}

/* Files that make one command line, borrowed from the plan; empty: none of that kind. */
static GPtrArray *choose_grub(const UsherBootPlan *plan, const UsherBootFacts *facts)
{
	GPtrArray *chosen = g_ptr_array_new();
	UsherBootFile *main_file = usher_boot_file_find(plan->files, USHER_BOOT_GRUB_FILE);
	if (main_file == NULL || main_file->text == NULL)
		return chosen;
	g_ptr_array_add(chosen, main_file);
	/* grub.d is Debian's. */
	for (unsigned i = 0; i < plan->files->len && has_program(facts, "update-grub"); i++) {
		UsherBootFile *file = plan->files->pdata[i];
		if (g_str_has_prefix(file->path, USHER_BOOT_GRUB_FOLDER))
			g_ptr_array_add(chosen, file);
	}
	return chosen;
}

static bool edit_one(
	UsherBootPlan *plan, UsherBootFile *file, const UsherBootWish *wish, GError **error)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	g_ptr_array_add(files, file);
	return usher_boot_edit_words(files, wish, plan->edits, error);
}

static bool edit_entries(UsherBootPlan *plan, const UsherBootWish *wish, GError **error)
{
	for (unsigned i = 0; i < plan->files->len; i++) {
		UsherBootFile *file = plan->files->pdata[i];
		if (is_kernel_entry(file) && !edit_one(plan, file, wish, error))
			return false;
	}
	return true;
}

/* Every file from which a command line is made on this host. */
static bool edit_cmdline(
	UsherBootPlan *plan, const UsherBootFacts *facts, const UsherBootWish *wish, GError **error)
{
	if (wish->words->len == 0 && wish->unwanted->len == 0)
		return true;
	UsherBootFile *line = usher_boot_file_find(plan->files, USHER_BOOT_LINE_FILE);
	bool has_line = line != NULL && line->text != NULL;
	bool is_stub = usher_boot_has(
		facts, "sys/firmware/efi/efivars/StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f");
	if (plan->loader == USHER_BOOT_NO_LOADER || (is_stub && facts->has_uki && !has_line))
		return refuse(facts, wish, error);
	if (plan->loader == USHER_BOOT_ENTRIES)
		return edit_entries(plan, wish, error);
	g_autoptr(GPtrArray) grub = choose_grub(plan, facts);
	if (grub->len > 0 && !usher_boot_edit_words(grub, wish, plan->edits, error))
		return false;
	return !has_line || edit_one(plan, line, wish, error);
}

static bool are_words_plain(const GPtrArray *words, GError **error)
{
	for (unsigned i = 0; i < words->len; i++) {
		if (usher_cmdline_is_plain(words->pdata[i]))
			continue;
		usher_error_set(error, USHER_ERROR_INVALID, "'%s' is no word for a kernel",
			(const char *) words->pdata[i]);
		return false;
	}
	return true;
}

/* ---- modules and devices ---- */

static UsherBootFile *get_file(UsherBootPlan *plan, const char *path, int64_t mode)
{
	UsherBootFile *file = usher_boot_file_find(plan->files, path);
	if (file == NULL) {
		file = usher_boot_file_new(path, NULL);
		g_ptr_array_add(plan->files, file);
		g_ptr_array_add(plan->before, usher_boot_file_new(path, NULL));
	}
	file->mode = mode;
	return file;
}

static void put(UsherBootPlan *plan, const char *path, const char *key, const char *line)
{
	UsherBootFile *file = get_file(plan, path, 0644);
	if (file->text == NULL)
		usher_boot_edit_line(file, NULL,
			"# by `usher host prepare`; `usher host revert` undoes it", plan->edits);
	usher_boot_edit_line(file, key, line, plan->edits);
}

static void put_all(
	UsherBootPlan *plan, const char *path, const char *prefix, const GPtrArray *lines)
{
	for (unsigned i = 0; i < lines->len; i++) {
		g_autofree char *line = g_strconcat(prefix, lines->pdata[i], NULL);
		put(plan, path, NULL, line);
	}
}

/* Somebody gave vfio-pci ids already: of two such lists one would be lost. */
static bool has_foreign_ids(const UsherBootPlan *plan)
{
	for (unsigned i = 0; i < plan->files->len; i++) {
		const UsherBootFile *file = plan->files->pdata[i];
		bool may_have = g_str_has_prefix(file->path, "etc/modprobe.d/") &&
			strcmp(file->path, MODPROBE) != 0;
		if (may_have && file->text != NULL &&
			(strstr(file->text, "options vfio-pci") != NULL ||
				strstr(file->text, "options vfio_pci") != NULL))
			return true;
		bool is_cmdline = strcmp(file->path, USHER_BOOT_LINE_FILE) == 0 ||
			g_str_has_prefix(file->path, USHER_BOOT_GRUB_FILE) ||
			strstr(file->path, USHER_BOOT_ENTRY_FOLDER) != NULL;
		if (is_cmdline && file->text != NULL &&
			(strstr(file->text, "vfio-pci.ids=") != NULL ||
				strstr(file->text, "vfio_pci.ids=") != NULL))
			return true;
	}
	return false;
}

#define IDS "options vfio-pci ids="

/* The ids of our own file, and one more. */
static void put_id(UsherBootPlan *plan, const char *id)
{
	const UsherBootFile *file = get_file(plan, MODPROBE, 0644);
	const char *begin = file->text != NULL ? strstr(file->text, IDS) : NULL;
	if (begin == NULL) {
		g_autofree char *line = g_strconcat(IDS, id, NULL);
		put(plan, MODPROBE, NULL, line);
		return;
	}
	g_autofree char *old = g_strndup(begin, strcspn(begin, "\r\n"));
	g_auto(GStrv) ids = g_strsplit(old + strlen(IDS), ",", -1);
	if (g_strv_contains((const char *const *) ids, id))
		return;
	g_autofree char *line = g_strconcat(old, ",", id, NULL);
	put(plan, MODPROBE, IDS, line);
}

/* With the event of whichever PCI device comes first, before a driver is loaded for any; not when
 * another device is at that address now, nor when somebody has it. vfio-pci may be there already:
 * it looks once more. */
static void put_rule(UsherBootPlan *plan, const UsherBootHold *hold)
{
	g_auto(GStrv) ids = g_strsplit(hold->id, ":", 2);
	g_autofree char *line = g_strdup_printf(
		"ACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{[pci/%s]vendor}==\"0x%s\", "
		"ATTR{[pci/%s]device}==\"0x%s\", TEST!=\"[pci/%s]driver\", "
		"ATTR{[pci/%s]driver_override}=\"vfio-pci\", "
		"ATTR{[subsystem/pci]drivers_probe}=\"%s\"",
		hold->address, ids[0], hold->address, ids[1], hold->address, hold->address,
		hold->address);
	put(plan, UDEV_RULES, NULL, line);
}

static bool is_used(const UsherBootPlan *plan, const char *path)
{
	const UsherBootFile *file = usher_boot_file_find(plan->files, path);
	return file != NULL && file->text != NULL;
}

/* Drivers are loaded in the initial RAM disk, too. */
static void put_initramfs(UsherBootPlan *plan, const UsherBootFacts *facts)
{
	bool has_rules = is_used(plan, UDEV_RULES);
	if (has_program(facts, "update-initramfs")) {
		usher_boot_edit_line(
			get_file(plan, TOOLS_LIST, 0644), NULL, "vfio-pci", plan->edits);
		UsherBootFile *hook = has_rules ? get_file(plan, TOOLS_HOOK, 0755) : NULL;
		static const char *const lines[] = { "#!/bin/sh", "[ \"$1\" != prereqs ] || exit 0",
			". /usr/share/initramfs-tools/hook-functions",
			("copy_file rules /" UDEV_RULES) };
		for (size_t i = 0; hook != NULL && i < G_N_ELEMENTS(lines); i++)
			usher_boot_edit_line(hook, NULL, lines[i], plan->edits);
	} else if (has_program(facts, "dracut")) {
		put(plan, DRACUT, NULL, "force_drivers+=\" vfio-pci \"");
		if (has_rules)
			put(plan, DRACUT, NULL, "install_items+=\" /" UDEV_RULES " \"");
	} else if (has_program(facts, "mkinitcpio")) {
		put(plan, MKINITCPIO, NULL, "MODULES+=(vfio-pci)");
		if (has_rules)
			put(plan, MKINITCPIO, NULL, "FILES+=(/" UDEV_RULES ")");
	}
}

static void hold_devices(UsherBootPlan *plan, const UsherBootFacts *facts, const GPtrArray *holds)
{
	if (holds->len == 0)
		return;
	put(plan, MODULES_LOAD, NULL, "vfio-pci");
	bool is_foreign = has_foreign_ids(plan);
	for (unsigned i = 0; i < holds->len; i++) {
		const UsherBootHold *hold = holds->pdata[i];
		if (hold->shares_id || is_foreign) {
			put_rule(plan, hold);
			continue;
		}
		put_id(plan, hold->id);
		if (hold->driver == NULL)
			continue;
		g_autofree char *line = g_strdup_printf("softdep %s pre: vfio-pci", hold->driver);
		put(plan, MODPROBE, NULL, line);
	}
	put_initramfs(plan, facts);
}

/* ---- plans ---- */

static UsherBootPlan *new_plan(const UsherBootFacts *facts)
{
	UsherBootPlan *plan = g_new0(UsherBootPlan, 1);
	plan->loader = usher_boot_loader(facts);
	plan->before = usher_boot_files_dup(facts->files);
	plan->files = usher_boot_files_dup(facts->files);
	plan->edits = g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_edit_free);
	return plan;
}

UsherBootPlan *usher_boot_plan_make(
	const UsherBootFacts *facts, const UsherBootWish *wish, GError **error)
{
	g_autoptr(UsherBootPlan) plan = new_plan(facts);
	if (!are_words_plain(wish->words, error) || !are_words_plain(wish->unwanted, error) ||
		!edit_cmdline(plan, facts, wish, error))
		return NULL;
	put_all(plan, MODULES_LOAD, "", wish->modules);
	put_all(plan, MODPROBE, "softdep ", wish->softdeps);
	put_all(plan, MODPROBE, "options ", wish->options);
	hold_devices(plan, facts, wish->holds);
	plan->commands = usher_boot_commands(facts, plan->edits, /* is_undo */ false);
	plan->warnings = usher_boot_warnings(facts, wish, plan->edits);
	return g_steal_pointer(&plan);
}

UsherBootPlan *usher_boot_plan_revert(
	const UsherBootFacts *facts, const UsherBootManifest *manifest, GError **error)
{
	g_autoptr(UsherBootPlan) plan = new_plan(facts);
	g_autoptr(GPtrArray) conflicts = g_ptr_array_new_with_free_func(g_free);
	usher_boot_undo(manifest->edits, plan->files, conflicts);
	if (conflicts->len > 0) {
		g_autofree char *all = usher_text_join_array(conflicts, "; ");
		usher_error_set(error, USHER_ERROR_CONFLICT,
			"somebody has edited what usher wrote, so nothing was changed: %s", all);
		return NULL;
	}
	plan->commands = usher_boot_commands(facts, manifest->edits, /* is_undo */ true);
	plan->warnings = g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_warning_free);
	return g_steal_pointer(&plan);
}

char *usher_boot_plan_diff(const UsherBootPlan *plan)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < plan->files->len; i++) {
		const UsherBootFile *was = plan->before->pdata[i], *is = plan->files->pdata[i];
		g_autofree char *diff = usher_diff_print(is->path, was->text, is->text);
		g_string_append(text, diff);
	}
	return g_string_free(text, FALSE);
}

void usher_boot_plan_note(const UsherBootPlan *plan, UsherBootManifest *manifest)
{
	for (unsigned i = 0; i < plan->edits->len; i++)
		g_ptr_array_add(manifest->edits, usher_boot_edit_dup(plan->edits->pdata[i]));
	for (unsigned i = 0; i < plan->commands->len; i++)
		g_ptr_array_add(manifest->due, usher_boot_command_dup(plan->commands->pdata[i]));
}
