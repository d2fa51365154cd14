/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A recording: all that a scan read of a host, as a tree that a scan can read again. What is in it
 * is what was opened while it listened, so that it cannot differ from what the code reads.
 */
#include <glib.h>
#include <stdbool.h>

#include "host/helper.h"
#include "host/scrub.h"

typedef struct UsherRecording UsherRecording;

/* Scans root (as usher_scan) and keeps what was read. scrub: NULL keeps it as it is; what nobody can
 * say to be harmless is left out, each with a sentence in notes. */
UsherRecording *usher_recording_make(
	const char *root, UsherHelper *helper, UsherScrub *scrub, GPtrArray *notes, GError **error);
void usher_recording_free(UsherRecording *recording);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherRecording, usher_recording_free)
unsigned usher_recording_n_files(const UsherRecording *recording);

/* A tar archive, compressed as the name says: .tar, .tar.gz, .tar.xz, .tar.zst. INVALID: another
 * name. The file is there whole or not at all. */
bool usher_recording_write(const UsherRecording *recording, const char *path, GError **error);
bool usher_recording_is_name(const char *path);
