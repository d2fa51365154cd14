/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot files on a disk. A writer is stopped at each of its system calls, in a process of its own:
 * what is there then is the old file or the new one.
 */
#include "host/bootfiles.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"

#define GRUB "etc/default/grub"

static char *make_root(void)
{
	char *root = g_dir_make_tmp("usher-boot-XXXXXX", NULL);
	g_assert_nonnull(root);
	return root;
}

static void remove_root(char *root)
{
	const char *argv[] = { "rm", "-rf", root, NULL };
	g_assert_true(g_spawn_sync(NULL, (char **) (void *) argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
		NULL, NULL, NULL, NULL, NULL));
	g_free(root);
}

static void put(const char *root, const char *path, const char *text)
{
	g_autofree char *whole = g_build_filename(root, path, NULL);
	g_autofree char *folder = g_path_get_dirname(whole);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(whole, text, -1, NULL));
}

/* NULL: there is none. */
static char *get(const char *root, const char *path)
{
	g_autofree char *whole = g_build_filename(root, path, NULL);
	char *text = NULL;
	return g_file_get_contents(whole, &text, NULL, NULL) ? text : NULL;
}

static void assert_text(const char *root, const char *path, const char *text)
{
	g_autofree char *seen = get(root, path);
	g_assert_cmpstr(seen, ==, text);
}

static UsherBootFiles *open_files(const char *root)
{
	g_autoptr(GError) error = NULL;
	UsherBootFiles *files = usher_bootfiles_open(root, &error);
	g_assert_no_error(error);
	return files;
}

static void test_write(void)
{
	char *root = make_root();
	g_autoptr(UsherBootFiles) files = open_files(root);
	g_autoptr(GError) error = NULL;
	put(root, GRUB, "old\n");
	g_autofree char *whole = g_build_filename(root, GRUB, NULL);
	g_assert_cmpint(g_chmod(whole, 0640), ==, 0);
	g_assert_true(usher_bootfiles_write(files, GRUB, "new", 0644, &error));
	assert_text(root, GRUB, "new");
	struct stat status;
	g_assert_cmpint(stat(whole, &status), ==, 0);
	g_assert_cmpuint(status.st_mode & 07777, ==, 0640);

	static const char hook[] = "etc/initramfs-tools/hooks/usher";
	g_assert_true(usher_bootfiles_write(files, hook, "#!/bin/sh\n", 0755, &error));
	g_autofree char *hook_path = g_build_filename(root, hook, NULL);
	g_assert_cmpint(stat(hook_path, &status), ==, 0);
	g_assert_cmpuint(status.st_mode & 07777, ==, 0755);

	g_assert_true(usher_bootfiles_write(files, hook, NULL, 0, &error));
	assert_text(root, hook, NULL);
	g_assert_true(usher_bootfiles_write(files, hook, NULL, 0, &error));
	remove_root(root);
}

/* A link to the file stays a link; one that leads out of the root ends in it. */
static void test_links(void)
{
	char *root = make_root();
	g_autoptr(UsherBootFiles) files = open_files(root);
	put(root, "etc/real", "old\n");
	g_autofree char *link = g_build_filename(root, "etc/link", NULL);
	g_assert_cmpint(symlink("/etc/real", link), ==, 0);
	g_assert_true(usher_bootfiles_write(files, "etc/link", "new\n", 0644, NULL));
	g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
	assert_text(root, "etc/real", "new\n");

	g_autofree char *outside = g_strconcat(root, "-outside", NULL);
	g_assert_true(g_file_set_contents(outside, "other\n", -1, NULL));
	g_autofree char *name = g_path_get_basename(outside);
	g_autofree char *target = g_strconcat("../../../../../tmp/", name, NULL);
	g_autofree char *leak = g_build_filename(root, "etc/leak", NULL);
	g_assert_cmpint(symlink(target, leak), ==, 0);
	(void) usher_bootfiles_write(files, "etc/leak", "new\n", 0644, NULL);
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(outside, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "other\n");
	(void) g_remove(outside);
	remove_root(root);
}

static void test_odd_files(void)
{
	char *root = make_root();
	g_autoptr(UsherBootFiles) files = open_files(root);
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_bootfiles_read(files, GRUB, &error));
	g_assert_no_error(error);
	g_autofree char *huge = g_strnfill(65 * 1024, 'x');
	put(root, GRUB, huge);
	g_assert_null(usher_bootfiles_read(files, GRUB, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
	g_clear_error(&error);
	g_autofree char *whole = g_build_filename(root, GRUB, NULL);
	g_assert_true(g_file_set_contents(whole, "a\0b", 3, NULL));
	g_assert_null(usher_bootfiles_read(files, GRUB, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
	remove_root(root);
}

/* ---- in a process that dies ---- */

/* The child waits until it is traced, writes, and ends with 0 when that went well. */
static pid_t start_writer(const char *root, rlim_t size_limit)
{
	pid_t pid = fork();
	g_assert_cmpint(pid, >=, 0);
	if (pid > 0)
		return pid;
	const struct rlimit limit = { size_limit, size_limit };
	(void) signal(SIGXFSZ, SIG_IGN);
	if (size_limit != RLIM_INFINITY)
		(void) setrlimit(RLIMIT_FSIZE, &limit);
	else if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
		_exit(2);
	UsherBootFiles *files = usher_bootfiles_open(root, NULL);
	_exit(files != NULL && usher_bootfiles_write(files, GRUB, "new\n", 0644, NULL) ? 0 : 1);
}

/* Kills the writer when it has entered or left the k-th system call. False: it ended before. */
static bool kill_at(const char *root, unsigned k)
{
	pid_t pid = start_writer(root, RLIM_INFINITY);
	int status;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFSTOPPED(status));
	for (unsigned i = 0; i < k; i++) {
		g_assert_cmpint(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), ==, 0);
		g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
		if (WIFEXITED(status)) {
			g_assert_cmpint(WEXITSTATUS(status), ==, 0);
			return false;
		}
	}
	g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	return true;
}

static void test_killed(void)
{
	char *root = make_root();
	unsigned n_old = 0, n_new = 0;
	bool is_killed = true;
	for (unsigned k = 1; is_killed; k++) {
		put(root, GRUB, "old\n");
		is_killed = kill_at(root, k);
		g_autofree char *text = get(root, GRUB);
		g_assert_true(g_str_equal(text, "old\n") || g_str_equal(text, "new\n"));
		n_old += g_str_equal(text, "old\n") ? 1 : 0;
		n_new += g_str_equal(text, "new\n") ? 1 : 0;
		/* What was left behind is in nobody's way. */
		g_autoptr(UsherBootFiles) files = open_files(root);
		g_assert_true(usher_bootfiles_write(files, GRUB, "third\n", 0644, NULL));
		assert_text(root, GRUB, "third\n");
	}
	g_assert_cmpuint(n_old, >, 10);
	g_assert_cmpuint(n_new, >, 4);
	remove_root(root);
}

static void test_full_disk(void)
{
	char *root = make_root();
	put(root, GRUB, "old\n");
	pid_t pid = start_writer(root, 2);
	int status;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, 1);
	assert_text(root, GRUB, "old\n");
	g_autofree char *folder = g_build_filename(root, "etc/default", NULL);
	g_autoptr(GDir) left = g_dir_open(folder, 0, NULL);
	g_assert_cmpstr(g_dir_read_name(left), ==, "grub");
	g_assert_null(g_dir_read_name(left));
	remove_root(root);
}

/* ---- plans ---- */

static UsherBootPlan *make_plan(const UsherBootFiles *files)
{
	g_autoptr(UsherHostFacts) health = usher_host_facts_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherBootFacts) facts = usher_bootfiles_look(files, health, &error);
	g_assert_no_error(error);
	g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
	g_ptr_array_add(wish->words, g_strdup("iommu=pt"));
	g_ptr_array_add(wish->modules, g_strdup("vfio-pci"));
	UsherBootPlan *plan = usher_boot_plan_make(facts, wish, &error);
	g_assert_no_error(error);
	return plan;
}

static void test_plan(void)
{
	char *root = make_root();
	put(root, GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	put(root, "etc/default/grub.d/zz.cfg",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT more\"\n");
	put(root, "usr/sbin/update-grub", "");
	g_autoptr(UsherBootFiles) files = open_files(root);
	g_autoptr(UsherBootPlan) plan = make_plan(files);
	g_autoptr(GError) error = NULL;
	g_assert_true(usher_bootfiles_apply(files, plan, &error));
	assert_text(root, "etc/default/grub.d/zz.cfg",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT more iommu=pt\"\n");
	assert_text(root, "etc/default/grub.d/zz.cfg.usher-backup",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT more\"\n");
	assert_text(root, GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");

	g_autoptr(UsherBootManifest) manifest = usher_boot_manifest_new();
	usher_boot_plan_note(plan, manifest);
	manifest->boot_id = g_strdup("then");
	g_ptr_array_add(manifest->promises, g_strdup("iommu-active"));
	g_assert_true(usher_bootfiles_remember(files, manifest, &error));
	g_autoptr(UsherBootManifest) read = usher_bootfiles_manifest(files, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(read->edits->len, ==, manifest->edits->len);
	bool is_rebooted = false;
	const GPtrArray *promises = usher_bootfiles_promises(files, read, &is_rebooted);
	g_assert_cmpuint(promises->len, ==, 1);
	g_assert_true(is_rebooted);
	g_assert_true(usher_bootfiles_forget(files, read, &error));
	assert_text(root, "etc/default/grub.d/zz.cfg.usher-backup", NULL);
	assert_text(root, USHER_BOOT_MANIFEST, NULL);
	remove_root(root);
}

/* Somebody edits a file while we ask whether it may be changed. */
static void test_meanwhile(void)
{
	char *root = make_root();
	put(root, GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	put(root, "usr/sbin/update-grub", "");
	g_autoptr(UsherBootFiles) files = open_files(root);
	g_autoptr(UsherBootPlan) plan = make_plan(files);
	g_autoptr(GError) error = NULL;
	g_assert_true(usher_bootfiles_is_current(files, plan, &error));
	put(root, GRUB, "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\n");
	g_assert_false(usher_bootfiles_is_current(files, plan, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_CONFLICT);
	remove_root(root);
}

static void test_run(void)
{
	g_autoptr(UsherBootCommand) command = usher_boot_command_new();
	g_ptr_array_add(command->words, g_strdup("/bin/sh"));
	g_ptr_array_add(command->words, g_strdup("-c"));
	g_ptr_array_add(command->words, g_strdup("echo no room >&2; exit 3"));
	g_autoptr(GError) error = NULL;
	g_assert_false(usher_bootfiles_run(command, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_HOST);
	g_assert_nonnull(strstr(error->message, "no room"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bootfiles/write", test_write);
	g_test_add_func("/bootfiles/links", test_links);
	g_test_add_func("/bootfiles/odd-files", test_odd_files);
	g_test_add_func("/bootfiles/killed", test_killed);
	g_test_add_func("/bootfiles/full-disk", test_full_disk);
	g_test_add_func("/bootfiles/plan", test_plan);
	g_test_add_func("/bootfiles/meanwhile", test_meanwhile);
	g_test_add_func("/bootfiles/run", test_run);
	return g_test_run();
}
