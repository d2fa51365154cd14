/* SPDX-License-Identifier: Apache-2.0 */
/* usher record: what usher reads of this machine, for who has to find out why it decides as it does. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "cli/devices.h"
#include "host/record.h"
#include "host/tree.h"

bool usher_cli_is_in_recording(const char *path)
{
	g_autofree char *whole = g_canonicalize_filename(path, NULL);
	for (char *slash = strrchr(whole, '/'); slash != NULL; slash = strrchr(whole, '/')) {
		*slash = '\0';
		g_autofree char *mark = g_strconcat(whole, "/" USHER_RECORDING_MARK, NULL);
		if (g_file_test(mark, G_FILE_TEST_EXISTS))
			return true;
	}
	return false;
}

static UsherScrub *make_scrub(GError **error)
{
	uint8_t key[USHER_SCRUB_KEY_SIZE];
	if (getrandom(key, sizeof key, 0) != (ssize_t) sizeof key) {
		usher_error_set(error, USHER_ERROR_HOST, "no random numbers for a key");
		return NULL;
	}
	return usher_scrub_new(key);
}

static void print_result(const UsherCli *cli, const char *path, const UsherRecording *recording)
{
	unsigned n_files = usher_recording_n_files(recording);
	if (cli->format != USHER_FORMAT_JSON) {
		usher_cli_say(cli, "recorded %u files into %s", n_files, path);
		return;
	}
	UsherJsonWriter *writer = usher_json_writer_new(/* pretty */ true);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "file", path);
	usher_json_put_int(writer, "files", n_files);
	usher_json_put_bool(writer, "raw", usher_cli_has(cli, "raw"));
	usher_json_end_object(writer);
	g_autofree char *text = usher_json_writer_finish(writer);
	printf("%s\n", text);
}

bool usher_cmd_record(UsherCli *cli, GError **error)
{
	const char *path = usher_cli_arg(cli, 0);
	bool is_raw = usher_cli_has(cli, "raw");
	if (!usher_recording_is_name(path))
		return usher_cli_misuse(cli, error,
			"'%s' does not end with .tar, .tar.gz, .tar.xz or .tar.zst", path);
	if (usher_cli_is_in_recording(path)) {
		usher_error_set(error, USHER_ERROR_DENIED,
			"'%s' is in a recording, and a recording is never written to", path);
		return false;
	}
	g_autofree char *program = cli->root == NULL ? usher_helper_find() : NULL;
	g_autoptr(UsherHelper) helper = program != NULL ? usher_helper_new(program) : NULL;
	g_autoptr(UsherScrub) scrub = is_raw ? NULL : make_scrub(error);
	if (!is_raw && scrub == NULL)
		return false;
	g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(UsherRecording) recording =
		usher_recording_make(cli->root, helper, scrub, notes, error);
	if (recording == NULL || !usher_recording_write(recording, path, error))
		return false;
	for (unsigned i = 0; i < notes->len && usher_cli_has(cli, "verbose"); i++)
		fprintf(stderr, "note: %s\n", (const char *) notes->pdata[i]);
	print_result(cli, path, recording);
	usher_cli_note(cli,
		is_raw ? "serial numbers, MAC addresses and all else are in it as they are"
		       : "serial numbers, MAC addresses and host names are replaced; IP "
			 "addresses and mount points are as they are");
	return true;
}
