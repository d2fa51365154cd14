/* SPDX-License-Identifier: Apache-2.0 */
/* The host's adapters: helper, host port, clock, journal. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "host/child.h"
#include "host/clock.h"
#include "host/helper.h"
#include "host/host-linux.h"
#include "host/journal-file.h"
#include "host/machine.h"

#define AT         "0000:01:00.0"
#define WHO        "8086:10d3:020000"
#define SECONDS(n) ((n) *G_USEC_PER_SEC)

typedef struct Tree {
	char *root;
	char *device; /* its folder */
} Tree;

static void put(const char *folder, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *parent = g_path_get_dirname(path);
	g_assert_true(usher_folder_make(parent, 0755, NULL));
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *get(const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static void tree_init(Tree *tree)
{
	tree->root = g_dir_make_tmp("usher-host-XXXXXX", NULL);
	tree->device = g_build_filename(tree->root, "sys/bus/pci/devices", AT, NULL);
	put(tree->device, "vendor", "0x8086\n");
	put(tree->device, "device", "0x10d3\n");
	put(tree->device, "class", "0x020000\n");
	put(tree->device, "driver_override", "(null)\n");
}

static void tree_clear(Tree *tree)
{
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	const char *args[] = { "-rf", tree->root, NULL };
	g_assert_true(usher_child_start(&child, "/bin/rm", args, NULL));
	(void) usher_child_await(&child, SECONDS(60));
	g_free(tree->root);
	g_free(tree->device);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tree, tree_clear)

/* Runs usher-helper on the tree; gives its exit status and "code: message", or "ok". */
static int run_helper(const Tree *tree, const char *words, char **out_answer)
{
	g_autofree char *line = g_strdup_printf("--root %s %s", tree->root, words);
	g_auto(GStrv) args = g_strsplit(line, " ", -1);
	g_auto(UsherChild) child = USHER_CHILD_INIT;
	g_assert_true(usher_child_start(&child, USHER_HELPER, (const char *const *) args, NULL));
	g_assert_cmpint(usher_child_await(&child, SECONDS(60)), ==, USHER_CHILD_ENDED);
	g_autoptr(UsherJson) answer = usher_json_parse(child.output->str, child.output->len, NULL);
	if (answer == NULL)
		*out_answer = g_strdup(child.output->str);
	else if (usher_json_get_bool(answer, "ok", false))
		*out_answer = g_strdup("ok");
	else
		*out_answer = g_strdup_printf("%s: %s", usher_json_get_string(answer, "code"),
			usher_json_get_string(answer, "message"));
	return child.status.si_status;
}

static void test_override(void)
{
	static const struct {
		const char *words;
		int status;
		const char *answer;
		const char *override; /* what the file has afterwards */
	} rows[] = {
		{ "override " AT " " WHO " --none", 0, "ok", "(null)\n" },
		{ "override " AT " " WHO " vfio-pci", 0, "ok", "vfio-pci\n" },
		{ "override " AT " " WHO " vfio-pci", 0, "ok", "vfio-pci\n" },
		{ "override " AT " 8086:10d3:030000 none", 1,
			"conflict: set driver_override of " AT " to none: at " AT " is " WHO
			" now, not 8086:10d3:030000",
			"vfio-pci\n" },
		{ "override 0000:01:00.1 " WHO " none", 1,
			"not-found: set driver_override of 0000:01:00.1 to none: there is no "
			"device at "
			"0000:01:00.1",
			"vfio-pci\n" },
		{ "override nonsense " WHO " none", 1,
			"invalid: set driver_override of nonsense to none: 'nonsense' is no PCI "
			"address like "
			"0000:01:00.0",
			"vfio-pci\n" },
		{ "override " AT " " WHO " ../../x", 1,
			"invalid: set driver_override of " AT
			" to ../../x: '../../x' is no name of a driver",
			"vfio-pci\n" },
		{ "override " AT " " WHO, 2, "", "vfio-pci\n" },
		{ "override " AT " " WHO " a b", 2, "", "vfio-pci\n" },
		{ "overwrite " AT " " WHO " a", 2, "", "vfio-pci\n" },
		{ "override " AT " " WHO " --none", 0, "ok", "\n" },
	};
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *answer = NULL;
		g_test_message("%s", rows[i].words);
		int status = run_helper(&tree, rows[i].words, &answer);
		g_assert_cmpstr(answer, ==, rows[i].answer);
		g_assert_cmpint(status, ==, rows[i].status);
		g_autofree char *text = get(tree.device, "driver_override");
		g_assert_cmpstr(text, ==, rows[i].override);
	}
}

static void set_driver(const Tree *tree, const char *driver)
{
	g_autofree char *link = g_build_filename(tree->device, "driver", NULL);
	g_autofree char *folder = g_build_filename(tree->root, "sys/bus/pci/drivers/e1000e", NULL);
	(void) g_unlink(link);
	put(folder, "bind", "");
	put(folder, "unbind", "");
	if (driver == NULL)
		return;
	g_autofree char *target = g_strconcat("../../drivers/", driver, NULL);
	g_assert_cmpint(symlink(target, link), ==, 0);
}

/* A plain tree does not bind: what is seen is what is asked, and that it is looked at after. */
static void test_binding(void)
{
	static const struct {
		const char *driver; /* it has */
		const char *words;
		int status;
		const char *answer;
	} rows[] = {
		{ NULL, "unbind " AT " " WHO " e1000e", 0, "ok" },
		{ "vfio-pci", "unbind " AT " " WHO " e1000e", 1,
			"conflict: unbind " AT " from e1000e: it has the driver vfio-pci" },
		{ "e1000e", "unbind " AT " " WHO " e1000e", 1,
			"host: unbind " AT
			" from e1000e: the kernel took the write and it still has the driver "
			"e1000e" },
		{ "e1000e", "bind " AT " " WHO " e1000e", 0, "ok" },
		{ "e1000e", "bind " AT " " WHO " vfio-pci", 1,
			"busy: bind " AT " to vfio-pci: it has the driver e1000e" },
		{ NULL, "bind " AT " " WHO " vfio-pci", 1,
			"host: bind " AT " to vfio-pci: the driver vfio-pci is not loaded" },
		{ NULL, "bind " AT " " WHO " e1000e", 1,
			"host: bind " AT
			" to e1000e: the kernel took the write and it has no driver" },
		{ NULL, "bind " AT " 1:2:3 e1000e", 1,
			"conflict: bind " AT " to e1000e: at " AT " is " WHO " now, not 1:2:3" },
		{ NULL, "load-module vfio-pci", 1,
			"denied: load the module vfio-pci: not under --root" },
	};
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *answer = NULL;
		set_driver(&tree, rows[i].driver);
		g_test_message("%s", rows[i].words);
		int status = run_helper(&tree, rows[i].words, &answer);
		g_assert_cmpstr(answer, ==, rows[i].answer);
		g_assert_cmpint(status, ==, rows[i].status);
	}
	g_autofree char *written = get(tree.root, "sys/bus/pci/drivers/e1000e/bind");
	g_assert_cmpstr(written, ==, "");
}

static void test_recording_stays(void)
{
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	put(tree.root, ".usher-recording", "");
	g_autofree char *answer = NULL;
	g_assert_cmpint(run_helper(&tree, "override " AT " " WHO " x", &answer), ==, 1);
	g_assert_true(g_str_has_prefix(answer, "denied: "));
	g_autofree char *text = get(tree.device, "driver_override");
	g_assert_cmpstr(text, ==, "(null)\n");
}

static void test_read_overrides(void)
{
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	put(tree.device, "../0000:02:00.0/driver_override", "vfio-pci\n");
	put(tree.device, "../0000:03:00.0/driver_override", "none\n");
	g_autofree char *all = NULL, *less = NULL;
	g_assert_cmpint(run_helper(&tree, "read-overrides", &all), ==, 0);
	g_assert_cmpstr(all, ==, AT "\t\n0000:02:00.0\tvfio-pci\n0000:03:00.0\tnone\n");
	g_assert_cmpint(run_helper(&tree, "read-overrides 0000:02:00.0 " AT, &less), ==, 0);
	g_assert_cmpstr(less, ==, "0000:03:00.0\tnone\n");
}

/* A helper of our own making, in a file. */
static char *put_script(const Tree *tree, const char *text)
{
	g_autofree char *script = g_strconcat("#!/bin/sh\n", text, "\n", NULL);
	put(tree->root, "script", script);
	char *path = g_build_filename(tree->root, "script", NULL);
	g_assert_cmpint(g_chmod(path, 0755), ==, 0);
	return path;
}

static void test_answers(void)
{
	static const struct {
		const char *script;
		UsherErrorCode code; /* N_CODES: success */
		const char *message;
	} rows[] = {
		{ "echo '{\"ok\":true}'", USHER_ERROR_N_CODES, NULL },
		{ "echo '{\"ok\":false,\"code\":\"busy\",\"message\":\"in use\"}'; exit 1",
			USHER_ERROR_BUSY, "in use" },
		{ "echo '{\"ok\":false,\"code\":\"odd\"}'", USHER_ERROR_INTERNAL,
			"usher-helper failed" },
		{ "exit 3", USHER_ERROR_INTERNAL,
			"usher-helper ended with status 3 and no answer" },
		{ "kill -SEGV $$", USHER_ERROR_INTERNAL,
			"usher-helper ended with signal 11 and no answer" },
		{ "exec sleep 60", USHER_ERROR_UNAVAILABLE,
			"bind " AT ": the kernel did not come back within 300 ms" },
		/* What it left running does not keep us. */
		{ "sleep 60 & echo '{\"ok\":true}'", USHER_ERROR_N_CODES, NULL },
		/* Nothing of ours is inherited. */
		{ "test -z \"$HOME$USER$LANG\" && test ! -e /proc/self/fd/9 && echo "
		  "'{\"ok\":true}'",
			USHER_ERROR_N_CODES, NULL },
	};
	int inherited = fcntl(STDERR_FILENO, F_DUPFD, 9);
	g_assert_cmpint(inherited, >=, 9);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(Tree) tree = { 0 };
		tree_init(&tree);
		g_autofree char *script = put_script(&tree, rows[i].script);
		g_autoptr(UsherHelper) helper = usher_helper_new(script);
		g_autoptr(GError) error = NULL;
		const char *args[] = { "bind", AT, WHO, "vfio-pci", NULL };
		int64_t timeout_us =
			rows[i].code == USHER_ERROR_UNAVAILABLE ? SECONDS(3) / 10 : SECONDS(30);
		bool is_done = usher_helper_run(helper, AT, args, timeout_us, &error);
		g_test_message("%s", rows[i].script);
		g_assert_cmpstr(error != NULL ? error->message : NULL, ==, rows[i].message);
		g_assert_cmpint(is_done, ==, rows[i].code == USHER_ERROR_N_CODES);
		if (error != NULL)
			g_assert_cmpuint(usher_error_code(error), ==, rows[i].code);
		g_assert_false(usher_helper_is_out(helper, AT));
	}
	usher_fd_close(inherited);
}

static void test_no_program(void)
{
	g_autoptr(UsherHelper) helper = usher_helper_new("/nonexistent/helper");
	g_autoptr(GError) error = NULL;
	const char *args[] = { "bind", AT, WHO, "vfio-pci", NULL };
	g_assert_false(usher_helper_run(helper, AT, args, SECONDS(1), &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INTERNAL);
	g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) overrides =
		usher_helper_read_overrides(helper, NULL, SECONDS(1), notes);
	g_assert_cmpuint(g_hash_table_size(overrides), ==, 0);
	g_assert_cmpuint(notes->len, ==, 1);
}

/* The reading of one device hangs: the others are read all the same. */
static void test_hung_reading(void)
{
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	g_autofree char *script = put_script(&tree,
		"printf '0000:01:00.0\\tvfio-pci\\n'\n"
		"case \"$*\" in *0000:02:00.0*) ;; *) printf '0000:02:00.0\\t'; exec sleep 60;; "
		"esac\n"
		"case \"$*\" in *0000:03:00.0*) ;; *) printf '0000:03:00.0\\t'; exec sleep 60;; "
		"esac\n"
		"printf '0000:04:00.0\\t\\n'");
	g_autoptr(UsherHelper) helper = usher_helper_new(script);
	g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) overrides =
		usher_helper_read_overrides(helper, NULL, SECONDS(2) / 10, notes);
	g_assert_cmpstr(g_hash_table_lookup(overrides, "0000:01:00.0"), ==, "vfio-pci");
	g_assert_cmpstr(g_hash_table_lookup(overrides, "0000:04:00.0"), ==, "");
	g_assert_cmpuint(g_hash_table_size(overrides), ==, 2);
	g_assert_cmpuint(notes->len, ==, 2);
	g_assert_cmpstr(notes->pdata[1], ==, "driver_override of 0000:03:00.0 did not answer");
}

static void test_host(void)
{
	g_autoptr(GError) error = NULL;
	UsherHost *host = usher_host_linux_new("/", USHER_HELPER, &error);
	g_assert_no_error(error);
	g_autoptr(UsherInventory) inventory = host->ops->look(host, USHER_LOOK_AFRESH, &error);
	g_assert_no_error(error);
	g_assert_nonnull(inventory);
	g_assert_cmpuint(strlen(host->ops->boot_id(host)), ==, 36);
	g_assert_cmpuint(strlen(host->ops->machine_id(host)), ==, 32);
	UsherStep step = { .kind = USHER_STEP_BIND,
		.address = (char[]){ "ffff:ff:1f.7" },
		.identity = (char[]){ WHO },
		.driver = (char[]){ "vfio-pci" } };
	g_assert_false(host->ops->apply(host, &step, SECONDS(30), &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_NOT_FOUND);
	g_assert_false(host->ops->in_flight(host, step.address));
	host->ops->free(host);
}

static void test_recorded_host(void)
{
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	g_autoptr(GError) error = NULL;
	UsherHost *host = usher_host_linux_new(tree.root, USHER_HELPER, &error);
	g_assert_no_error(error);
	g_autoptr(UsherInventory) inventory = host->ops->look(host, USHER_LOOK_AFRESH, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(inventory->devices->len, ==, 1);
	UsherStep step = { .kind = USHER_STEP_SET_OVERRIDE,
		.address = (char[]){ AT },
		.identity = (char[]){ WHO },
		.driver = (char[]){ "vfio-pci" } };
	g_assert_false(host->ops->apply(host, &step, SECONDS(30), &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_DENIED);
	g_autofree char *text = get(tree.device, "driver_override");
	g_assert_cmpstr(text, ==, "(null)\n");
	g_assert_cmpstr(host->ops->boot_id(host), ==, "unknown");
	host->ops->free(host);
}

static void test_machine_id(void)
{
	static const char own[] = "0123456789abcdef0123456789abcdef";
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	g_autoptr(UsherTree) files = usher_tree_open(tree.root, NULL);
	g_autofree char *nothing = usher_machine_id(files);
	put(tree.root, "proc/sys/kernel/hostname", "n1\n");
	g_autofree char *by_name = usher_machine_id(files);
	put(tree.root, "sys/class/dmi/id/product_uuid", "4c4c4544-0042\n");
	g_autofree char *by_board = usher_machine_id(files);
	put(tree.root, "etc/machine-id", "uninitialized\n");
	g_autofree char *uninitialized = usher_machine_id(files);
	put(tree.root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	g_autofree char *by_file = usher_machine_id(files);
	g_assert_cmpstr(nothing, !=, by_name);
	g_assert_cmpstr(by_name, !=, by_board);
	g_assert_cmpstr(by_board, ==, uninitialized);
	g_assert_cmpuint(strlen(by_board), ==, 32);
	g_assert_cmpstr(by_file, ==, own);
}

typedef struct Jobs {
	GMutex lock;
	GCond moved;
	GString *order;
	GMainLoop *loop;
	GThread *main;
	unsigned n_left;
} Jobs;

typedef struct Job {
	Jobs *jobs;
	char letter;
	char after; /* it takes as long as that other job, 0: no time */
} Job;

static void jobs_work(void *data)
{
	Job *job = data;
	g_assert_true(g_thread_self() != job->jobs->main);
	g_mutex_lock(&job->jobs->lock);
	while (job->after != '\0' && strchr(job->jobs->order->str, job->after) == NULL)
		g_cond_wait(&job->jobs->moved, &job->jobs->lock);
	g_string_append_c(job->jobs->order, job->letter);
	g_cond_broadcast(&job->jobs->moved);
	g_mutex_unlock(&job->jobs->lock);
}

static void jobs_done(void *data)
{
	Job *job = data;
	g_assert_true(g_thread_self() == job->jobs->main);
	if (--job->jobs->n_left == 0)
		g_main_loop_quit(job->jobs->loop);
}

static void test_lanes(void)
{
	UsherClock *clock = usher_clock_real_new();
	Jobs jobs = { .order = g_string_new(NULL),
		.main = g_thread_self(),
		.n_left = 5,
		.loop = g_main_loop_new(NULL, FALSE) };
	g_mutex_init(&jobs.lock);
	g_cond_init(&jobs.moved);
	Job rows[] = {
		{ &jobs, 'a', 'y' },
		{ &jobs, 'b', 0 },
		{ &jobs, 'c', 0 },
		{ &jobs, 'x', 0 },
		{ &jobs, 'y', 0 },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		clock->ops->work(clock, i < 3 ? "one" : "other", jobs_work, jobs_done, &rows[i]);
	g_main_loop_run(jobs.loop);
	/* In order in a lane, and the other lane does not wait for it. */
	g_assert_cmpstr(jobs.order->str, ==, "xyabc");
	usher_clock_real_free(clock);
	g_main_loop_unref(jobs.loop);
	g_mutex_clear(&jobs.lock);
	g_cond_clear(&jobs.moved);
	(void) g_string_free(jobs.order, TRUE);
}

typedef struct Timers {
	UsherClock *clock;
	GMainLoop *loop;
	unsigned cancelled;
	int64_t fired_at;
} Timers;

static void timers_fire(void *data)
{
	Timers *timers = data;
	timers->fired_at = timers->clock->ops->now(timers->clock);
	g_main_loop_quit(timers->loop);
}

static void timers_never(void *data)
{
	(void) data;
	g_assert_not_reached();
}

static void timers_cancel(void *data)
{
	Timers *timers = data;
	timers->clock->ops->cancel(timers->clock, timers->cancelled);
}

static void test_timers(void)
{
	UsherClock *clock = usher_clock_real_new();
	Timers timers = { clock, g_main_loop_new(NULL, FALSE), 0, 0 };
	int64_t begin = clock->ops->now(clock);
	unsigned at_once = clock->ops->after(clock, 1000, timers_never, &timers);
	clock->ops->cancel(clock, at_once);
	/* So far off that a machine which is held up does not come to it. */
	timers.cancelled = clock->ops->after(clock, SECONDS(INT64_C(3600)), timers_never, &timers);
	(void) clock->ops->after(clock, 5000, timers_cancel, &timers);
	unsigned fired = clock->ops->after(clock, 30000, timers_fire, &timers);
	g_main_loop_run(timers.loop);
	g_assert_cmpint(timers.fired_at - begin, >=, 30000);
	clock->ops->cancel(clock, fired); /* gone already */
	uint8_t one[32] = { 0 }, other[32] = { 0 };
	clock->ops->random(clock, one, sizeof one);
	clock->ops->random(clock, other, sizeof other);
	g_assert_true(memcmp(one, other, sizeof one) != 0);
	g_assert_cmpint(clock->ops->wall(clock), >, SECONDS(INT64_C(1700000000)));
	g_main_loop_unref(timers.loop);
	usher_clock_real_free(clock);
}

static UsherJournal *open_journal(const char *path)
{
	g_autoptr(GError) error = NULL;
	UsherJournal *journal = usher_journal_file_open(path, &error);
	g_assert_no_error(error);
	return journal;
}

static char *join_lines(UsherJournal *journal)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) lines = journal->ops->read(journal, &error);
	g_assert_no_error(error);
	g_ptr_array_add(lines, NULL);
	return g_strjoinv("|", (char **) lines->pdata);
}

static void assert_journal(const char *path, const char *lines)
{
	UsherJournal *journal = open_journal(path);
	g_autofree char *found = join_lines(journal);
	g_assert_cmpstr(found, ==, lines);
	journal->ops->free(journal);
}

static void test_journal(void)
{
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	g_autofree char *path = g_build_filename(tree.root, "journal", NULL);
	assert_journal(path, "");
	UsherJournal *journal = open_journal(path);
	g_autoptr(GError) error = NULL;
	g_assert_true(journal->ops->append(journal, "one", &error));
	g_assert_true(journal->ops->append(journal, "", &error));
	g_assert_true(journal->ops->append(journal, "three", &error));
	assert_journal(path, "one||three");
	g_autoptr(GPtrArray) lines = g_ptr_array_new();
	g_ptr_array_add(lines, (char[]){ "two" });
	g_assert_true(journal->ops->replace(journal, lines, &error));
	g_assert_true(journal->ops->append(journal, "four", &error));
	g_autofree char *after = join_lines(journal);
	g_assert_cmpstr(after, ==, "two|four");
	journal->ops->free(journal);
	assert_journal(path, "two|four");
	struct stat status;
	g_assert_cmpint(stat(path, &status), ==, 0);
	g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
}

/* What a crash or a power cut in the middle of a line leaves is cut off, and the next line is whole.
 * A '~' is a zero byte. */
static void test_torn_journal(void)
{
	static const char *const rows[][3] = {
		{ "one\ntw", "one", "one|next" },
		{ "tw", "", "next" },
		{ "one\n", "one", "one|next" },
		{ "", "", "next" },
		{ "one\n~~~", "one", "one|next" },
		{ "one\n~~o\n", "one", "one|next" },
		{ "one\nt~~\n", "one", "one|next" },
		{ "one\n~~~\n", "one", "one|next" },
		{ "~wo\n", "", "next" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(Tree) tree = { 0 };
		tree_init(&tree);
		g_autofree char *path = g_build_filename(tree.root, "journal", NULL);
		g_autofree char *bytes = g_strdup(rows[i][0]);
		size_t length = strlen(bytes);
		for (size_t j = 0; j < length; j++)
			bytes[j] = bytes[j] == '~' ? '\0' : bytes[j];
		g_assert_true(g_file_set_contents(path, bytes, (gssize) length, NULL));
		UsherJournal *journal = open_journal(path);
		g_autofree char *before = join_lines(journal);
		g_assert_cmpstr(before, ==, rows[i][1]);
		g_assert_true(journal->ops->append(journal, "next", NULL));
		g_autofree char *after = join_lines(journal);
		g_assert_cmpstr(after, ==, rows[i][2]);
		journal->ops->free(journal);
		assert_journal(path, rows[i][2]);
	}
}

static void test_no_folder(void)
{
	g_auto(Tree) tree = { 0 };
	tree_init(&tree);
	g_autoptr(GError) error = NULL;
	g_autofree char *path = g_build_filename(tree.root, "nowhere", "journal", NULL);
	g_assert_null(usher_journal_file_open(path, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_NOT_FOUND);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/helper/override", test_override);
	g_test_add_func("/helper/binding", test_binding);
	g_test_add_func("/helper/recording-stays", test_recording_stays);
	g_test_add_func("/helper/read-overrides", test_read_overrides);
	g_test_add_func("/helper/answers", test_answers);
	g_test_add_func("/helper/no-program", test_no_program);
	g_test_add_func("/helper/hung-reading", test_hung_reading);
	g_test_add_func("/host/this-machine", test_host);
	g_test_add_func("/host/recorded", test_recorded_host);
	g_test_add_func("/host/machine-id", test_machine_id);
	g_test_add_func("/clock/lanes", test_lanes);
	g_test_add_func("/clock/timers", test_timers);
	g_test_add_func("/journal/file", test_journal);
	g_test_add_func("/journal/torn", test_torn_journal);
	g_test_add_func("/journal/no-folder", test_no_folder);
	return g_test_run();
}
