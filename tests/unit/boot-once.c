/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that are booted once: of which boot loaders, and what they say. */
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/doctor/boot-once.h"

static const char grub_menu[] =
	"set default=\"0\"\n"
	"menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple' {\n"
	"\tload_video\n"
	"\techo\t'Loading Linux 6.1.0-18-amd64 ...'\n"
	"\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1-2 ro quiet intel_iommu=off\n"
	"\tinitrd\t/boot/initrd.img-6.1.0-18-amd64\n"
	"}\n"
	"submenu 'Advanced options' {\n"
	"\tmenuentry 'older' {\n"
	"\t\tlinux\t/boot/vmlinuz-5.10 root=UUID=1-2 ro\n"
	"\t}\n"
	"}\n";
static const char grub_once[] =
	"menuentry 'usher: tried once' --id usher-once {\n"
	"\tload_video\n"
	"\techo\t'Loading Linux 6.1.0-18-amd64 ...'\n"
	"\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1-2 ro quiet intel_iommu=on iommu=pt\n"
	"\tinitrd\t/boot/initrd.img-6.1.0-18-amd64\n"
	"}\n";
static const char older_entry[] = "title Arch\nlinux /vmlinuz-6.1\noptions root=/dev/sda2 rw\n";
static const char newer_entry[] = "title Arch\nlinux /vmlinuz-6.6\noptions root=/dev/sda2 rw\n";
static const char entry_once[] =
	"title Arch\nlinux /vmlinuz-6.6\noptions root=/dev/sda2 rw intel_iommu=on iommu=pt\n";

typedef struct File {
	const char *path;
	const char *text; /* NULL: it is there, and of no interest */
} File;

#define GRUB \
	{ "etc/default/grub", "GRUB_CMDLINE_LINUX=\"\"\n" }, { "usr/sbin/update-grub", NULL }, \
		{ "usr/sbin/grub-reboot", NULL }, \
	{ \
		"boot/grub/grubenv", NULL \
	}
#define SYSTEMD \
	{ "boot/loader/entries/arch-6.1.conf", older_entry }, \
		{ "boot/loader/entries/arch-6.6.conf", newer_entry }, \
	{ \
		"boot/loader/entries/memtest.conf", "title memtest\nefi /memtest.efi\n" \
	}

static const struct {
	const char *name;
	const char *way_in;
	File files[8];
	const char *path, *text, *command; /* NULL: none */
	const char *error;
} rows[] = {
	{ "grub", "SSH", { GRUB, { "boot/grub/grub.cfg", grub_menu } }, "boot/grub/custom.cfg",
		grub_once, "/usr/sbin/grub-reboot usher-once", NULL },
	{ "grub-no-way-in", NULL, { GRUB, { "boot/grub/grub.cfg", grub_menu } }, .path = NULL },
	{ "grub-own-menu", "SSH",
		{ GRUB, { "boot/grub/grub.cfg", grub_menu }, { "boot/grub/custom.cfg", NULL } },
		.path = NULL },
	{ "grub-no-menu", "SSH", { GRUB }, .path = NULL },
	{ "grub-odd-menu", "SSH", { GRUB, { "boot/grub/grub.cfg", "menuentry 'x' {\n}\n" } },
		.error = "does not start one kernel" },
	{ "grub-cut-menu", "SSH",
		{ GRUB, { "boot/grub/grub.cfg", "menuentry 'x' {\n\tlinux /v a\n" } },
		.error = "does not start one kernel" },
	{ "grub-no-arguments", "SSH",
		{ GRUB, { "boot/grub/grub.cfg", "menuentry 'x' {\n\tlinux /vmlinuz\n}\n" } },
		"boot/grub/custom.cfg",
		"menuentry 'usher: tried once' --id usher-once {\n"
		"\tlinux /vmlinuz intel_iommu=on iommu=pt\n}\n",
		"/usr/sbin/grub-reboot usher-once", NULL },
	{ "systemd-boot", "SSH", { SYSTEMD, { "usr/bin/bootctl", NULL } },
		"boot/loader/entries/usher-once.conf", entry_once,
		"/usr/bin/bootctl set-oneshot usher-once.conf", NULL },
	{ "no-bootctl", "SSH", { SYSTEMD }, .path = NULL },
	{ "none", "SSH", { { NULL, NULL } }, .path = NULL },
};

static UsherBootFacts *make_facts(const File *files, size_t n, const char *way_in)
{
	UsherBootFacts *facts = usher_boot_facts_new();
	for (size_t i = 0; i < n && files[i].path != NULL; i++) {
		g_hash_table_add(facts->paths, g_strdup(files[i].path));
		if (files[i].text != NULL)
			g_ptr_array_add(
				facts->files, usher_boot_file_new(files[i].path, files[i].text));
	}
	if (way_in != NULL)
		g_ptr_array_add(facts->ways_in, g_strdup(way_in));
	return facts;
}

static UsherBootWish *make_wish(void)
{
	UsherBootWish *wish = usher_boot_wish_new();
	g_ptr_array_add(wish->words, g_strdup("intel_iommu=on"));
	g_ptr_array_add(wish->words, g_strdup("iommu=pt"));
	g_ptr_array_add(wish->unwanted, g_strdup("intel_iommu=off"));
	g_ptr_array_add(wish->modules, g_strdup("vfio-pci"));
	return wish;
}

static void test_row(const void *data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(UsherBootFacts) facts =
		make_facts(rows[i].files, G_N_ELEMENTS(rows[i].files), rows[i].way_in);
	g_autoptr(UsherBootWish) wish = make_wish();
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherBootOnce) once = usher_boot_once_make(facts, wish, &error);
	if (rows[i].error != NULL) {
		g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
		g_assert_nonnull(strstr(error->message, rows[i].error));
		return;
	}
	g_assert_no_error(error);
	if (rows[i].path == NULL) {
		g_assert_null(once);
		return;
	}
	g_autofree char *command = usher_text_join_array(once->command->words, " ");
	g_assert_cmpstr(once->path, ==, rows[i].path);
	g_assert_cmpstr(once->text, ==, rows[i].text);
	g_assert_cmpstr(command, ==, rows[i].command);
}

static void test_nothing_to_try(void)
{
	static const File files[] = { GRUB, { "boot/grub/grub.cfg", grub_menu } };
	g_autoptr(UsherBootFacts) facts = make_facts(files, G_N_ELEMENTS(files), "SSH");
	g_autoptr(UsherBootWish) wish = make_wish();
	g_autoptr(UsherBootWish) rest = usher_boot_once_rest(wish);
	g_autoptr(GError) error = NULL;
	g_assert_cmpuint(rest->modules->len, ==, 1);
	g_assert_null(usher_boot_once_make(facts, rest, &error));
	g_assert_no_error(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/boot-once/", rows[i].name, NULL);
		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_row);
	}
	g_test_add_func("/boot-once/nothing-to-try", test_nothing_to_try);
	return g_test_run();
}
