/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A program run to its end or to a deadline: spawned, never forked from a process with threads;
 * with an empty environment, no descriptor but its output, and a session of its own. Any thread.
 */
#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum {
	USHER_CHILD_ENDED,  /* by itself: status says how */
	USHER_CHILD_KILLED, /* by us, at the deadline */
	USHER_CHILD_LEFT,   /* killed, and still there: it hangs in the kernel */
} UsherChildEnding;

typedef struct UsherChild {
	pid_t pid;
	int pidfd; /* becomes readable when it has ended */
	int pipe;
	GString *output;
	siginfo_t status;
} UsherChild;
#define USHER_CHILD_INIT \
	{ \
		.pidfd = -1, .pipe = -1 \
	}

/* args: the command line after the program, ends with NULL. */
bool usher_child_start(
	UsherChild *child, const char *path, const char *const *args, GError **error);
/* Reads its output meanwhile. All but one that is LEFT is waited for. */
UsherChildEnding usher_child_await(UsherChild *child, int64_t timeout_us);
void usher_child_clear(UsherChild *child);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UsherChild, usher_child_clear)

bool usher_child_is_ended(int pidfd);
