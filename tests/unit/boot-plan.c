/* SPDX-License-Identifier: Apache-2.0 */
/* From what a host has to what is changed in its boot configuration, run after, and warned of. */
#include "core/doctor/boot-plan.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/doctor/boot-guard.h"
#include "inventory-text.h"

#define GRUB  "etc/default/grub"
#define LINE  "etc/kernel/cmdline"
#define ENTRY "boot/loader/entries/linux.conf"
#define QUIET "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"

static UsherBootFacts *make_facts(const char *const *paths)
{
	UsherBootFacts *facts = usher_boot_facts_new();
	for (size_t i = 0; paths[i] != NULL; i++)
		g_hash_table_add(facts->paths, g_strdup(paths[i]));
	g_ptr_array_add(facts->ways_in, g_strdup("ssh"));
	return facts;
}

static void add_file(UsherBootFacts *facts, const char *path, const char *text)
{
	if (text != NULL)
		g_ptr_array_add(facts->files, usher_boot_file_new(path, text));
}

static UsherBootWish *make_wish(void)
{
	UsherBootWish *wish = usher_boot_wish_new();
	g_ptr_array_add(wish->words, g_strdup("intel_iommu=on"));
	g_ptr_array_add(wish->words, g_strdup("iommu=pt"));
	return wish;
}

static UsherBootHold *add_hold(
	UsherBootWish *wish, const char *address, const char *id, const char *driver)
{
	UsherBootHold *hold = usher_boot_hold_new();
	hold->address = g_strdup(address);
	hold->id = g_strdup(id);
	hold->driver = g_strdup(driver);
	g_ptr_array_add(wish->holds, hold);
	return hold;
}

/* Paths of changed files. */
static char *changed(const UsherBootPlan *plan)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < plan->files->len; i++) {
		const UsherBootFile *was = plan->before->pdata[i], *is = plan->files->pdata[i];
		if (g_strcmp0(was->text, is->text) != 0)
			g_string_append_printf(text, "%s ", is->path);
	}
	return g_string_free(text, FALSE);
}

static char *commands(const UsherBootPlan *plan)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < plan->commands->len; i++) {
		const UsherBootCommand *command = plan->commands->pdata[i];
		g_autofree char *words = usher_text_join_array(command->words, " ");
		g_string_append_printf(text, "%s; ", words);
	}
	return g_string_free(text, FALSE);
}

static char *warnings(const UsherBootPlan *plan)
{
	GString *text = g_string_new(NULL);
	for (unsigned i = 0; i < plan->warnings->len; i++)
		g_string_append_printf(
			text, "%s ", ((UsherBootWarning *) plan->warnings->pdata[i])->id);
	return g_string_free(text, FALSE);
}

static const char *text_of(const UsherBootPlan *plan, const char *path)
{
	const UsherBootFile *file = usher_boot_file_find(plan->files, path);
	return file != NULL ? file->text : NULL;
}

static const char linux_entry[] = "title x\nlinux /vmlinuz\noptions root=x\n";

typedef struct LoaderRow {
	const char *name;
	const char *paths[6];
	const char *grub, *line, *entry, *image;
	const char *loader, *changed, *commands;
} LoaderRow;

static const LoaderRow loaders[] = {
	{ "debian", { "usr/sbin/update-grub", "usr/sbin/update-initramfs" }, QUIET, NULL, NULL,
		"boot/vmlinuz-6.1", "grub", GRUB " ", "/usr/sbin/update-grub; " },
	{ "proxmox-grub", { "usr/sbin/update-grub", "usr/sbin/proxmox-boot-tool" }, QUIET, NULL,
		NULL, NULL, "grub", GRUB " ", "/usr/sbin/update-grub; " },
	{ "proxmox-zfs",
		{ "usr/sbin/update-grub", "usr/sbin/proxmox-boot-tool",
			"etc/kernel/proxmox-boot-uuids" },
		QUIET, "root=ZFS=rpool boot=zfs\n", NULL, NULL, "proxmox-boot-tool",
		GRUB " " LINE " ", "/usr/sbin/update-grub; /usr/sbin/proxmox-boot-tool refresh; " },
	{ "proxmox-zfs-alone", { "usr/sbin/proxmox-boot-tool", "etc/kernel/proxmox-boot-uuids" },
		NULL, "root=ZFS=rpool boot=zfs\n", NULL, NULL, "proxmox-boot-tool", LINE " ",
		"/usr/sbin/proxmox-boot-tool refresh; " },
	{ "fedora", { "usr/sbin/grub2-mkconfig", "usr/sbin/grubby", "boot/grub2/grub.cfg" },
		"GRUB_CMDLINE_LINUX=\"rhgb iommu=nopt\"\n", NULL, linux_entry, NULL, "grubby",
		GRUB " ",
		"/usr/sbin/grubby --update-kernel=ALL --no-etc-grub-update "
		"--remove-args=iommu=nopt --args=intel_iommu=on iommu=pt; " },
	{ "opensuse", { "usr/sbin/grub2-mkconfig", "boot/grub2/grub.cfg" }, QUIET, NULL, NULL, NULL,
		"grub", GRUB " ", "/usr/sbin/grub2-mkconfig -o /boot/grub2/grub.cfg; " },
	{ "arch-grub", { "usr/bin/grub-mkconfig", "usr/bin/mkinitcpio" }, QUIET, NULL, NULL, NULL,
		"grub", GRUB " ", "/usr/bin/grub-mkconfig -o /boot/grub/grub.cfg; " },
	{ "arch-entries", { "usr/bin/kernel-install", "usr/bin/mkinitcpio" }, NULL, NULL,
		linux_entry, NULL, "entries", ENTRY " ", "" },
	{ "arch-uki", { "usr/bin/mkinitcpio" }, NULL, "root=x rw\n", NULL, NULL, "mkinitcpio",
		LINE " ", "/usr/bin/mkinitcpio -P; " },
	{ "systemd-boot-debian",
		{ "usr/bin/kernel-install", "usr/sbin/update-initramfs", "boot/initrd.img-6.1.0" },
		NULL, "root=x\n", linux_entry, "boot/vmlinuz-6.1.0", "kernel-install", LINE " ",
		"/usr/bin/kernel-install add 6.1.0 /boot/vmlinuz-6.1.0 /boot/initrd.img-6.1.0; " },
	{ "systemd-boot", { "usr/bin/kernel-install" }, NULL, "root=x\n", linux_entry,
		"usr/lib/modules/6.9.1/vmlinuz", "kernel-install", LINE " ",
		"/usr/bin/kernel-install add 6.9.1 /usr/lib/modules/6.9.1/vmlinuz; " },
};

static UsherBootFacts *facts_of(const LoaderRow *row)
{
	UsherBootFacts *facts = make_facts(row->paths);
	add_file(facts, GRUB, row->grub);
	add_file(facts, LINE, row->line);
	add_file(facts, ENTRY, row->entry);
	if (row->image != NULL)
		g_ptr_array_add(facts->images, g_strdup(row->image));
	return facts;
}

static void test_loader(const void *data)
{
	const LoaderRow *row = data;
	g_autoptr(UsherBootFacts) facts = facts_of(row);
	g_autoptr(UsherBootWish) wish = make_wish();
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(usher_boot_loader_name(plan->loader), ==, row->loader);
	g_autofree char *paths = changed(plan);
	g_assert_cmpstr(paths, ==, row->changed);
	g_autofree char *run = commands(plan);
	g_assert_cmpstr(run, ==, row->commands);
}

static void test_refused(void)
{
	static const LoaderRow rows[] = {
		{ "uki", { "usr/bin/kernel-install" }, NULL, NULL, NULL, NULL, "",
			"unified kernel image, and signed" },
		{ "uki-booted",
			{ "usr/sbin/update-grub",
				"sys/firmware/efi/efivars/"
				"StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" },
			QUIET, NULL, NULL, NULL, "", "intel_iommu=on iommu=pt" },
		{ "nothing", { NULL }, NULL, NULL, NULL, NULL, NULL, "no boot loader that usher" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherBootFacts) facts = facts_of(&rows[i]);
		facts->has_uki = rows[i].loader != NULL;
		g_autoptr(UsherBootWish) wish = make_wish();
		g_autoptr(GError) error = NULL;
		g_assert_null(usher_boot_plan_make(facts, wish, &error));
		g_assert_error(error, USHER_ERROR, USHER_ERROR_DENIED);
		g_assert_nonnull(strstr(error->message, rows[i].changed));
	}
}

static void test_odd_word(void)
{
	g_autoptr(UsherBootFacts) facts = facts_of(&loaders[0]);
	g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
	g_ptr_array_add(wish->words, g_strdup("x=$(rm)"));
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_boot_plan_make(facts, wish, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
}

/* ---- modules and devices ---- */

static const char *const debian[] = { "usr/sbin/update-grub", "usr/sbin/update-initramfs", NULL };
static const char *const fedora[] = { "usr/sbin/grub2-mkconfig", "usr/bin/dracut", NULL };
static const char *const arch[] = { "usr/bin/grub-mkconfig", "usr/bin/mkinitcpio", NULL };

#define HEAD "# by `usher host prepare`; `usher host revert` undoes it\n"
#define RULE \
	"ACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{[pci/0000:03:00.0]vendor}==\"0x8086\", " \
	"ATTR{[pci/0000:03:00.0]device}==\"0x10d3\", TEST!=\"[pci/0000:03:00.0]driver\", " \
	"ATTR{[pci/0000:03:00.0]driver_override}=\"vfio-pci\", " \
	"ATTR{[subsystem/pci]drivers_probe}=\"0000:03:00.0\"\n"

static void test_alone(void)
{
	g_autoptr(UsherBootFacts) facts = make_facts(debian);
	add_file(facts, GRUB, QUIET);
	g_autoptr(UsherBootWish) wish = make_wish();
	(void) add_hold(wish, "0000:00:02.0", "8086:3e92", "i915");
	(void) add_hold(wish, "0000:00:1f.3", "8086:a348", "snd_hda_intel");
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
	g_assert_cmpstr(text_of(plan, "etc/modprobe.d/usher.conf"), ==,
		HEAD "options vfio-pci ids=8086:3e92,8086:a348\nsoftdep i915 pre: vfio-pci\n"
		     "softdep snd_hda_intel pre: vfio-pci\n");
	g_assert_cmpstr(text_of(plan, "etc/modules-load.d/usher.conf"), ==, HEAD "vfio-pci\n");
	g_assert_cmpstr(text_of(plan, "etc/initramfs-tools/modules"), ==, "vfio-pci\n");
	g_assert_null(text_of(plan, "etc/udev/rules.d/05-usher.rules"));
	g_autofree char *run = commands(plan);
	g_assert_cmpstr(run, ==, "/usr/sbin/update-initramfs -u -k all; /usr/sbin/update-grub; ");
	for (unsigned i = 0; i < plan->files->len; i++) {
		const UsherBootFile *file = plan->files->pdata[i];
		g_assert_true(file->text == NULL || strstr(file->text, "blacklist") == NULL);
	}
}

static void test_shared(void)
{
	static const struct {
		const char *const *paths;
		const char *path, *text, *commands;
	} rows[] = {
		{ debian, "etc/initramfs-tools/hooks/usher",
			"#!/bin/sh\n[ \"$1\" != prereqs ] || exit 0\n"
			". /usr/share/initramfs-tools/hook-functions\n"
			"copy_file rules /etc/udev/rules.d/05-usher.rules\n",
			"/usr/sbin/update-initramfs -u -k all; /usr/sbin/update-grub; " },
		{ fedora, "etc/dracut.conf.d/usher.conf",
			HEAD "force_drivers+=\" vfio-pci \"\n"
			     "install_items+=\" /etc/udev/rules.d/05-usher.rules \"\n",
			"/usr/bin/dracut --regenerate-all -f; "
			"/usr/sbin/grub2-mkconfig -o /boot/grub/grub.cfg; " },
		{ arch, "etc/mkinitcpio.conf.d/usher.conf",
			HEAD "MODULES+=(vfio-pci)\nFILES+=(/etc/udev/rules.d/05-usher.rules)\n",
			"/usr/bin/mkinitcpio -P; /usr/bin/grub-mkconfig -o /boot/grub/grub.cfg; " },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherBootFacts) facts = make_facts(rows[i].paths);
		add_file(facts, GRUB, QUIET);
		g_autoptr(UsherBootWish) wish = make_wish();
		add_hold(wish, "0000:03:00.0", "8086:10d3", "e1000e")->shares_id = true;
		g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
		g_assert_cmpstr(text_of(plan, "etc/udev/rules.d/05-usher.rules"), ==, HEAD RULE);
		g_assert_null(text_of(plan, "etc/modprobe.d/usher.conf"));
		g_assert_cmpstr(text_of(plan, rows[i].path), ==, rows[i].text);
		g_autofree char *run = commands(plan);
		g_assert_cmpstr(run, ==, rows[i].commands);
		const UsherBootFile *hook =
			usher_boot_file_find(plan->files, "etc/initramfs-tools/hooks/usher");
		g_assert_true((hook != NULL) == (rows[i].paths == debian));
		g_assert_true(hook == NULL || hook->mode == 0755);
	}
}

/* Of two lists of ids one would be lost. */
static void test_foreign_ids(void)
{
	g_autoptr(UsherBootFacts) facts = make_facts(debian);
	add_file(facts, GRUB, QUIET);
	add_file(facts, "etc/modprobe.d/vfio.conf", "options vfio-pci ids=10de:1eb8\n");
	g_autoptr(UsherBootWish) wish = make_wish();
	(void) add_hold(wish, "0000:03:00.0", "8086:10d3", "e1000e");
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
	g_assert_cmpstr(text_of(plan, "etc/udev/rules.d/05-usher.rules"), ==, HEAD RULE);
	g_assert_null(text_of(plan, "etc/modprobe.d/usher.conf"));
}

static void test_gvt(void)
{
	g_autoptr(UsherBootFacts) facts = make_facts(debian);
	add_file(facts, GRUB, QUIET);
	g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
	g_ptr_array_add(wish->words, g_strdup("i915.enable_gvt=1"));
	g_ptr_array_add(wish->modules, g_strdup("kvmgt"));
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
	g_assert_cmpstr(text_of(plan, GRUB), ==,
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet i915.enable_gvt=1\"\n");
	g_assert_cmpstr(text_of(plan, "etc/modules-load.d/usher.conf"), ==, HEAD "kvmgt\n");
	/* Modules that are loaded later need no other initial RAM disk. */
	g_autofree char *run = commands(plan);
	g_assert_cmpstr(run, ==, "/usr/sbin/update-grub; ");
}

/* ---- what may go wrong ---- */

static void test_warnings(void)
{
	static const char *const dropbear = "etc/dropbear/initramfs/authorized_keys";
	static const char *const tpm2 = "usr/bin/clevis-decrypt-tpm2";
	static const struct {
		const char *path, *crypttab;
		bool shows_console, no_way_in, secure_boot;
		int64_t free_bytes;
		const char *warnings;
	} rows[] = {
		{ NULL, NULL, false, true, false, 100, "" },
		{ NULL, NULL, true, false, false, 100, "console-lost " },
		{ NULL, NULL, true, true, false, 100, "console-lost no-way-in " },
		{ NULL, NULL, false, false, true, 100, "secure-boot " },
		{ NULL, NULL, false, false, false, 99, "boot-room " },
		{ NULL, NULL, false, false, false, USHER_INT_NULL, "" },
		{ NULL, "root UUID=x none luks\n", false, false, false, 100, "" },
		{ NULL, "root UUID=x none tpm2-device=auto\n", false, false, false, 100,
			"tpm-seal " },
		{ NULL, "# root UUID=x none tpm2-device=auto\n", false, false, false, 100, "" },
		{ tpm2, "root UUID=x none luks\n", false, false, false, 100, "tpm-seal " },
		{ tpm2, "\n", false, false, false, 100, "" },
		{ dropbear, "root UUID=x none luks\n", false, false, false, 100, "remote-unlock " },
		{ dropbear, NULL, false, false, false, 100, "" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherBootFacts) facts = make_facts(debian);
		add_file(facts, GRUB, QUIET);
		add_file(facts, "etc/crypttab", rows[i].crypttab);
		if (rows[i].path != NULL)
			g_hash_table_add(facts->paths, g_strdup(rows[i].path));
		if (rows[i].no_way_in)
			g_ptr_array_set_size(facts->ways_in, 0);
		facts->secure_boot = rows[i].secure_boot;
		facts->boot_free_bytes = rows[i].free_bytes;
		facts->initrd_bytes = 100;
		g_autoptr(UsherBootWish) wish = make_wish();
		g_ptr_array_add(wish->unsigned_modules, g_strdup("nvidia"));
		add_hold(wish, "0000:00:02.0", "8086:3e92", "i915")->shows_console =
			rows[i].shows_console;
		g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
		g_autofree char *ids = warnings(plan);
		g_assert_cmpstr(ids, ==, rows[i].warnings);
	}
}

/* Without another initial RAM disk, too: the NIC is what matters. */
static void test_held_nic(void)
{
	static const char *const paths[] = { "usr/sbin/update-grub",
		"etc/dropbear/initramfs/authorized_keys", NULL };
	for (unsigned carries = 0; carries < 2; carries++) {
		g_autoptr(UsherBootFacts) facts = make_facts(paths);
		add_file(facts, GRUB, QUIET);
		add_file(facts, "etc/crypttab", "root UUID=x none luks\n");
		g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
		g_ptr_array_add(wish->words, g_strdup("iommu=pt"));
		if (carries == 1)
			add_hold(wish, "0000:03:00.0", "8086:10d3", "e1000e")->carries_network =
				true;
		g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
		g_autofree char *ids = warnings(plan);
		g_assert_cmpstr(ids, ==, carries == 1 ? "remote-unlock " : "");
		if (carries == 0)
			continue;
		const UsherBootWarning *warning = plan->warnings->pdata[0];
		g_assert_nonnull(strstr(warning->text, "0000:03:00.0"));
	}
}

static void test_builtin(void)
{
	g_autoptr(UsherBootFacts) facts = make_facts(debian);
	add_file(facts, GRUB, QUIET);
	g_autoptr(UsherBootWish) wish = make_wish();
	add_hold(wish, "0000:00:14.0", "8086:a36d", "xhci_hcd")->is_builtin = true;
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
	g_autofree char *ids = warnings(plan);
	g_assert_cmpstr(ids, ==, "driver-builtin ");
}

/* ---- what the host needs stays ---- */

static void test_may_hold(void)
{
	static const char world[] =
		"dev 0000:00:02.0 030000 driver=i915 group=1 boot\n"
		"dev 0000:00:1c.0 060400 driver=pcieport group=2\n"
		"dev 0000:04:00.0 010802 driver=nvme group=4\n"
		"dev 0000:05:00.0 030000 driver=nvidia group=5\n"
		"dev 0000:05:00.1 040300 driver=snd_hda_intel group=5\n"
		"dev 0000:06:00.0 020000 driver=e1000e group=6\n"
		"dev 0000:07:00.0 020000 driver=e1000e group=6\n"
		"block nvme0n1 259:0 pci=0000:04:00.0\nmount 259:0 /dev/nvme0n1 /\n"
		"net eth0 pci=0000:06:00.0\nroute eth0\niommu\n";
	static const struct {
		const char *address, *part;
	} rows[] = {
		{ "0000:05:00.0", NULL },
		{ "0000:00:02.0", NULL },
		{ "0000:04:00.0", "0000:04:00.0 holds /" },
		{ "0000:06:00.0", "0000:06:00.0 can't be kept off the host" },
		{ "0000:07:00.0", "0000:06:00.0 carries the default route" },
		{ "0000:00:1c.0", "is a bridge" },
	};
	g_autoptr(UsherInventory) inventory = inventory_of_text(world);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
		(void) add_hold(wish, rows[i].address, "8086:10d3", NULL);
		g_autoptr(GError) error = NULL;
		bool may = usher_boot_may_hold(inventory, wish, &error);
		g_assert_cmpint(may, ==, rows[i].part == NULL);
		if (rows[i].part == NULL)
			continue;
		g_assert_error(error, USHER_ERROR, USHER_ERROR_DENIED);
		if (strstr(error->message, rows[i].part) == NULL)
			g_error("%s", error->message);
	}
}

/* ---- and back ---- */

static UsherBootFacts *facts_after(const UsherBootFacts *facts, const UsherBootPlan *plan)
{
	UsherBootFacts *after = usher_boot_facts_new();
	GHashTableIter iter;
	void *path;
	g_hash_table_iter_init(&iter, facts->paths);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		g_hash_table_add(after->paths, g_strdup(path));
	g_ptr_array_unref(after->files);
	after->files = usher_boot_files_dup(plan->files);
	return after;
}

/* Two goals one after the other, through the manifest as it is written, and back at once. */
static void test_revert(void)
{
	g_autoptr(UsherBootFacts) facts = make_facts(debian);
	add_file(facts, GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=nopt\"\n");
	g_autoptr(UsherBootManifest) manifest = usher_boot_manifest_new();
	g_autoptr(UsherBootWish) first = make_wish();
	(void) add_hold(first, "0000:00:02.0", "8086:3e92", "i915");
	g_autoptr(UsherBootPlan) one = usher_boot_plan_make(facts, first, NULL);
	usher_boot_plan_note(one, manifest);

	g_autoptr(UsherBootFacts) between = facts_after(facts, one);
	g_autoptr(UsherBootWish) second = make_wish();
	(void) add_hold(second, "0000:03:00.0", "8086:10d3", "e1000e");
	g_autoptr(UsherBootPlan) two = usher_boot_plan_make(between, second, NULL);
	usher_boot_plan_note(two, manifest);
	g_assert_cmpstr(text_of(two, "etc/modprobe.d/usher.conf"), ==,
		HEAD "options vfio-pci ids=8086:3e92,8086:10d3\nsoftdep i915 pre: vfio-pci\n"
		     "softdep e1000e pre: vfio-pci\n");

	g_autofree char *json = usher_record_print(&usher_boot_manifest_type, manifest);
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherBootManifest) read =
		usher_record_parse(&usher_boot_manifest_type, json, &error);
	g_assert_no_error(error);
	g_autoptr(UsherBootFacts) after = facts_after(between, two);
	g_autoptr(UsherBootPlan) back = usher_boot_plan_revert(after, read, &error);
	g_assert_no_error(error);
	for (unsigned i = 0; i < back->files->len; i++) {
		const UsherBootFile *file = back->files->pdata[i];
		const UsherBootFile *was = usher_boot_file_find(facts->files, file->path);
		g_assert_cmpstr(file->text, ==, was != NULL ? was->text : NULL);
	}
	g_autofree char *run = commands(back);
	g_assert_cmpstr(run, ==, "/usr/sbin/update-initramfs -u -k all; /usr/sbin/update-grub; ");
	g_autofree char *diff = usher_boot_plan_diff(back);
	g_assert_nonnull(strstr(diff,
		"-GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt intel_iommu=on\"\n"
		"+GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=nopt\"\n"));
}

static void test_conflict(void)
{
	g_autoptr(UsherBootFacts) facts = make_facts(debian);
	add_file(facts, GRUB, QUIET);
	g_autoptr(UsherBootManifest) manifest = usher_boot_manifest_new();
	g_autoptr(UsherBootWish) wish = make_wish();
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
	usher_boot_plan_note(plan, manifest);
	g_autoptr(UsherBootFacts) after = make_facts(debian);
	add_file(after, GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=sm_on iommu=pt\"\n");
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_boot_plan_revert(after, manifest, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_CONFLICT);
	g_assert_nonnull(strstr(error->message,
		"/etc/default/grub: usher's 'intel_iommu=on' was changed to 'intel_iommu=sm_on'"));
}

static void test_grubby_back(void)
{
	g_autoptr(UsherBootFacts) facts = facts_of(&loaders[4]);
	g_autoptr(UsherBootWish) wish = make_wish();
	g_autoptr(UsherBootPlan) plan = usher_boot_plan_make(facts, wish, NULL);
	g_autoptr(UsherBootManifest) manifest = usher_boot_manifest_new();
	usher_boot_plan_note(plan, manifest);
	g_autoptr(UsherBootFacts) after = facts_after(facts, plan);
	g_autoptr(UsherBootPlan) back = usher_boot_plan_revert(after, manifest, NULL);
	g_autofree char *run = commands(back);
	g_assert_cmpstr(run, ==,
		"/usr/sbin/grubby --update-kernel=ALL --no-etc-grub-update "
		"--remove-args=intel_iommu=on iommu=pt --args=iommu=nopt; ");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(loaders); i++) {
		g_autofree char *path = g_strconcat("/boot-plan/loader/", loaders[i].name, NULL);
		g_test_add_data_func(path, &loaders[i], test_loader);
	}
	g_test_add_func("/boot-plan/refused", test_refused);
	g_test_add_func("/boot-plan/odd-word", test_odd_word);
	g_test_add_func("/boot-plan/alone", test_alone);
	g_test_add_func("/boot-plan/shared", test_shared);
	g_test_add_func("/boot-plan/foreign-ids", test_foreign_ids);
	g_test_add_func("/boot-plan/gvt", test_gvt);
	g_test_add_func("/boot-plan/warnings", test_warnings);
	g_test_add_func("/boot-plan/held-nic", test_held_nic);
	g_test_add_func("/boot-plan/builtin", test_builtin);
	g_test_add_func("/boot-plan/may-hold", test_may_hold);
	g_test_add_func("/boot-plan/revert", test_revert);
	g_test_add_func("/boot-plan/conflict", test_conflict);
	g_test_add_func("/boot-plan/grubby-back", test_grubby_back);
	return g_test_run();
}
