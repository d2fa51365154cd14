/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot-commands.h"

#include <string.h>

static const UsherField warning_fields[] = {
	{ "id", USHER_FIELD_STRING, offsetof(UsherBootWarning, id), 0 },
	{ "text", USHER_FIELD_STRING, offsetof(UsherBootWarning, text), 0 },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootWarning, usher_boot_warning, "warning", warning_fields)

bool usher_boot_has(const UsherBootFacts *facts, const char *path)
{
	return g_hash_table_contains(facts->paths, path);
}

char *usher_boot_program(const UsherBootFacts *facts, const char *name)
{
	static const char *const folders[] = { "usr/sbin", "usr/bin", "sbin", "bin" };
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_strconcat("/", folders[i], "/", name, NULL);
		if (usher_boot_has(facts, path + 1))
			return g_steal_pointer(&path);
	}
	return NULL;
}

/* ---- what was edited ---- */

static bool is_grub(const char *path)
{
	return strcmp(path, USHER_BOOT_GRUB_FILE) == 0 ||
		g_str_has_prefix(path, USHER_BOOT_GRUB_FOLDER);
}

static bool is_line(const char *path)
{
	return strcmp(path, USHER_BOOT_LINE_FILE) == 0;
}

static bool is_copied(const char *path)
{
	static const char *const prefixes[] = { "etc/modprobe.d/", "etc/udev/rules.d/",
		"etc/initramfs-tools/", "etc/dracut.conf.d/", "etc/mkinitcpio.conf.d/" };
	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		if (g_str_has_prefix(path, prefixes[i]))
			return true;
	}
	return false;
}

static bool any_edit(const GPtrArray *edits, bool (*is_so)(const char *path))
{
	for (unsigned i = 0; i < edits->len; i++) {
		if (is_so(((const UsherBootEdit *) edits->pdata[i])->path))
			return true;
	}
	return false;
}

bool usher_boot_is_in_initramfs(const GPtrArray *edits)
{
	return any_edit(edits, is_copied);
}

/* ---- commands ---- */

/* Where the program is there; words: ends with NULL. */
static bool add_command(GPtrArray *commands, const UsherBootFacts *facts, const char *program,
	const char *const *words)
{
	char *path = usher_boot_program(facts, program);
	if (path == NULL)
		return false;
	UsherBootCommand *command = usher_boot_command_new();
	g_ptr_array_add(command->words, path);
	for (size_t i = 0; words[i] != NULL; i++)
		g_ptr_array_add(command->words, g_strdup(words[i]));
	g_ptr_array_add(commands, command);
	return true;
}

#define ADD(commands, facts, program, ...) \
	add_command(commands, facts, program, (const char *const[]){ __VA_ARGS__, NULL })

static void add_initramfs(GPtrArray *commands, const UsherBootFacts *facts)
{
	if (ADD(commands, facts, "update-initramfs", "-u", "-k", "all") ||
		ADD(commands, facts, "dracut", "--regenerate-all", "-f"))
		return;
	(void) ADD(commands, facts, "mkinitcpio", "-P");
}

/* Words that shall be on command lines (or not be there), joined by blanks. */
static char *join_words(const GPtrArray *edits, bool of_new)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < edits->len; i++) {
		const UsherBootEdit *edit = edits->pdata[i];
		for (unsigned n = 0; n < edit->changes->len && is_grub(edit->path); n++) {
			const UsherBootChange *change = edit->changes->pdata[n];
			const char *word = of_new ? change->is : change->was;
			if (word != NULL)
				g_string_append_printf(
					text, "%s%s", text->len > 0 ? " " : "", word);
		}
	}
	return g_string_free(text, FALSE);
}

/* grubby edits /etc/default/grub itself, too, if not told otherwise; what is added replaces what
 * has the same key. */
static void add_grubby(
	GPtrArray *commands, const UsherBootFacts *facts, const GPtrArray *edits, bool is_undo)
{
	g_autofree char *added = join_words(edits, !is_undo);
	g_autofree char *removed = join_words(edits, is_undo);
	g_autofree char *args = g_strconcat("--args=", added, NULL);
	g_autofree char *no_args = g_strconcat("--remove-args=", removed, NULL);
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_ptr_array_add(words, g_strdup("--update-kernel=ALL"));
	g_ptr_array_add(words, g_strdup("--no-etc-grub-update"));
	if (removed[0] != '\0')
		g_ptr_array_add(words, g_steal_pointer(&no_args));
	if (added[0] != '\0')
		g_ptr_array_add(words, g_steal_pointer(&args));
	g_ptr_array_set_free_func(words, g_free);
	g_ptr_array_add(words, NULL);
	(void) add_command(commands, facts, "grubby", (const char *const *) words->pdata);
}

static void add_grub(GPtrArray *commands, const UsherBootFacts *facts)
{
	const char *config = usher_boot_has(facts, "boot/grub2/grub.cfg") ? "/boot/grub2/grub.cfg"
									  : "/boot/grub/grub.cfg";
	if (add_command(commands, facts, "update-grub", (const char *const[]){ NULL }) ||
		ADD(commands, facts, "grub2-mkconfig", "-o", config))
		return;
	(void) ADD(commands, facts, "grub-mkconfig", "-o", config);
}

/* "boot/vmlinuz-6.1.0" and "usr/lib/modules/6.1.0/vmlinuz" are of 6.1.0. */
static char *release_of(const char *image)
{
	const char *name = strrchr(image, '/') + 1;
	if (g_str_has_prefix(name, "vmlinuz-"))
		return g_strdup(name + strlen("vmlinuz-"));
	g_auto(GStrv) parts = g_strsplit(image, "/", -1);
	return g_strdup(parts[g_strv_length(parts) - 2]);
}

/* An entry gets the RAM disk that it is given, or what a plugin makes of one where none is. */
static void add_kernel_install(GPtrArray *commands, const UsherBootFacts *facts)
{
	for (unsigned i = 0; i < facts->images->len; i++) {
		g_autofree char *release = release_of(facts->images->pdata[i]);
		g_autofree char *image = g_strconcat("/", facts->images->pdata[i], NULL);
		g_autofree char *initrd = g_strconcat("/boot/initrd.img-", release, NULL);
		bool has_initrd = usher_boot_has(facts, initrd + 1);
		(void) ADD(commands, facts, "kernel-install", "add", release, image,
			has_initrd ? initrd : NULL);
	}
}

/* The same program in the same way need not run twice. */
static void drop_doubled(GPtrArray *commands)
{
	for (unsigned i = 1; i < commands->len; i++) {
		g_autofree char *text =
			usher_record_print(&usher_boot_command_type, commands->pdata[i]);
		for (unsigned n = 0; n < i; n++) {
			g_autofree char *other =
				usher_record_print(&usher_boot_command_type, commands->pdata[n]);
			if (strcmp(text, other) != 0)
				continue;
			g_ptr_array_remove_index(commands, i--);
			break;
		}
	}
}

static void add_line(GPtrArray *commands, const UsherBootFacts *facts, UsherBootLoader loader)
{
	if (loader == USHER_BOOT_KERNEL_INSTALL)
		add_kernel_install(commands, facts);
	else if (loader == USHER_BOOT_MKINITCPIO)
		(void) ADD(commands, facts, "mkinitcpio", "-P");
}

GPtrArray *usher_boot_commands(const UsherBootFacts *facts, const GPtrArray *edits, bool is_undo)
{
	GPtrArray *commands =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_command_free);
	UsherBootLoader loader = usher_boot_loader(facts);
	if (any_edit(edits, is_copied))
		add_initramfs(commands, facts);
	if (any_edit(edits, is_grub)) {
		if (loader == USHER_BOOT_GRUBBY)
			add_grubby(commands, facts, edits, is_undo);
		else
			add_grub(commands, facts);
	}
	if (any_edit(edits, is_line))
		add_line(commands, facts, loader);
	if (loader == USHER_BOOT_PROXMOX && (any_edit(edits, is_grub) || any_edit(edits, is_line)))
		(void) ADD(commands, facts, "proxmox-boot-tool", "refresh");
	drop_doubled(commands);
	return commands;
}

/* ---- warnings ---- */

static void warn(GPtrArray *warnings, const char *id, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void warn(GPtrArray *warnings, const char *id, const char *format, ...)
{
	UsherBootWarning *warning = usher_boot_warning_new();
	warning->id = g_strdup(id);
	va_list args;
	va_start(args, format);
	warning->text = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(warnings, warning);
}

static void warn_of_console(
	GPtrArray *warnings, const UsherBootFacts *facts, const UsherBootWish *wish)
{
	for (unsigned i = 0; i < wish->holds->len; i++) {
		const UsherBootHold *hold = wish->holds->pdata[i];
		if (!hold->shows_console)
			continue;
		warn(warnings, "console-lost",
			"the screen of this machine goes dark early in the boot: it hangs on %s, "
			"which is kept for guests",
			hold->address);
		if (facts->ways_in->len == 0)
			warn(warnings, "no-way-in",
				"no other way into this machine is seen: no SSH server listens, "
				"no serial console, no management controller");
		return;
	}
}

static void warn_of_builtins(GPtrArray *warnings, const UsherBootWish *wish)
{
	for (unsigned i = 0; i < wish->holds->len; i++) {
		const UsherBootHold *hold = wish->holds->pdata[i];
		if (hold->is_builtin)
			warn(warnings, "driver-builtin",
				"%s is built into this kernel and takes %s before vfio-pci can: "
				"usher takes it over only when a guest wants it",
				hold->driver, hold->address);
	}
}

static void warn_of_modules(
	GPtrArray *warnings, const UsherBootFacts *facts, const UsherBootWish *wish)
{
	for (unsigned i = 0; i < wish->unsigned_modules->len && facts->secure_boot; i++)
		warn(warnings, "secure-boot",
			"Secure Boot is on and will refuse the module %s, which is not signed",
			(const char *) wish->unsigned_modules->pdata[i]);
}

/* Lines of crypttab that say something. */
static bool crypttab_says(const UsherBootFacts *facts, const char *part)
{
	const UsherBootFile *file = usher_boot_file_find(facts->files, "etc/crypttab");
	if (file == NULL || file->text == NULL)
		return false;
	g_auto(GStrv) lines = g_strsplit(file->text, "\n", -1);
	for (size_t i = 0; lines[i] != NULL; i++) {
		const char *line = g_strstrip(lines[i]);
		if (line[0] != '\0' && line[0] != '#' && strstr(line, part) != NULL)
			return true;
	}
	return false;
}

static void warn_of_tpm(GPtrArray *warnings, const UsherBootFacts *facts)
{
	if (crypttab_says(facts, "tpm2-device=") ||
		(crypttab_says(facts, "") && usher_boot_has(facts, "usr/bin/clevis-decrypt-tpm2")))
		warn(warnings, "tpm-seal",
			"a disk is unlocked by the TPM, which may refuse when the command line or "
			"the initial RAM disk has changed: have its recovery key at hand");
}

static bool is_unlocked_remotely(const UsherBootFacts *facts)
{
	static const char *const paths[] = { "etc/dropbear/initramfs/authorized_keys",
		"etc/dropbear-initramfs/authorized_keys", "usr/bin/clevis-decrypt-tang" };
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		if (usher_boot_has(facts, paths[i]))
			return crypttab_says(facts, "");
	}
	return false;
}

/* NULL: none. */
static const UsherBootHold *find_held_nic(const UsherBootWish *wish)
{
	for (unsigned i = 0; i < wish->holds->len; i++) {
		const UsherBootHold *hold = wish->holds->pdata[i];
		if (hold->carries_network)
			return hold;
	}
	return NULL;
}

static void warn_of_remote_unlock(GPtrArray *warnings, const UsherBootFacts *facts,
	const UsherBootWish *wish, const GPtrArray *edits)
{
	const UsherBootHold *nic = find_held_nic(wish);
	if (!is_unlocked_remotely(facts) || (nic == NULL && !usher_boot_is_in_initramfs(edits)))
		return;
	warn(warnings, "remote-unlock",
		"a disk is unlocked over the network while the initial RAM disk runs: if its NIC "
		"does not come up there, this machine waits for a key on its console%s%s",
		nic != NULL ? "; a NIC that is kept for guests: " : "",
		nic != NULL ? nic->address : "");
}

#define MIB (INT64_C(1) << 20)

static void warn_of_room(GPtrArray *warnings, const UsherBootFacts *facts, const GPtrArray *edits)
{
	bool is_known =
		facts->boot_free_bytes != USHER_INT_NULL && facts->initrd_bytes != USHER_INT_NULL;
	if (!usher_boot_is_in_initramfs(edits) || !is_known ||
		facts->boot_free_bytes >= facts->initrd_bytes)
		return;
	warn(warnings, "boot-room",
		"/boot has %d MiB left, and the new initial RAM disk, which is written beside the "
		"old one, takes about %d MiB",
		(int) (facts->boot_free_bytes / MIB), (int) (facts->initrd_bytes / MIB));
}

GPtrArray *usher_boot_warnings(
	const UsherBootFacts *facts, const UsherBootWish *wish, const GPtrArray *edits)
{
	GPtrArray *warnings =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_warning_free);
	if (edits->len == 0)
		return warnings;
	warn_of_console(warnings, facts, wish);
	warn_of_builtins(warnings, wish);
	warn_of_modules(warnings, facts, wish);
	warn_of_tpm(warnings, facts);
	warn_of_remote_unlock(warnings, facts, wish, edits);
	warn_of_room(warnings, facts, edits);
	return warnings;
}
