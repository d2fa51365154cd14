/* SPDX-License-Identifier: Apache-2.0 */
#include "usher-agent/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#define INSTANCE_CHARS 26 /* 130 bits */

struct UsherState {
	char *folder;
	char *instance;
	int lock;
};

char *usher_state_path(const UsherState *state, const char *name)
{
	return g_build_filename(state->folder, name, NULL);
}

const char *usher_state_instance(const UsherState *state)
{
	return state->instance;
}

void usher_state_free(UsherState *state)
{
	if (state == NULL)
		return;
	usher_fd_close(state->lock);
	g_free(state->instance);
	g_free(state->folder);
	g_free(state);
}

static bool take_lock(UsherState *state, GError **error)
{
	g_autofree char *path = usher_state_path(state, "lock");
	state->lock = usher_fd_create(AT_FDCWD, path, O_RDWR | O_CREAT, 0600, error);
	if (state->lock < 0)
		return false;
	if (flock(state->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		usher_error_set(error, USHER_ERROR_BUSY,
			"another usher-agent runs with the state in %s", state->folder);
	else
		usher_error_errno(error, errno, "lock '%s'", path);
	return false;
}

static char *new_instance(GError **error)
{
	uint8_t bytes[INSTANCE_CHARS];
	if (getrandom(bytes, sizeof bytes, 0) == (ssize_t) sizeof bytes)
		return usher_text_from_random(bytes, INSTANCE_CHARS);
	usher_error_errno(error, errno, "get random bytes");
	return NULL;
}

/* An empty or strange file is no reason to become somebody else silently. */
static bool is_instance(const char *text)
{
	return strlen(text) == INSTANCE_CHARS && usher_text_is_name(text);
}

static bool know_instance(UsherState *state, GError **error)
{
	g_autofree char *path = usher_state_path(state, "instance");
	g_autoptr(GError) problem = NULL;
	state->instance = usher_file_read(AT_FDCWD, path, &problem);
	if (state->instance != NULL && is_instance(state->instance))
		return true;
	if (state->instance != NULL) {
		usher_error_set(error, USHER_ERROR_INTERNAL,
			"'%s' is damaged: remove it to begin as a new agent", path);
		return false;
	}
	if (usher_error_code(problem) != USHER_ERROR_NOT_FOUND) {
		g_propagate_error(error, g_steal_pointer(&problem));
		return false;
	}
	state->instance = new_instance(error);
	return state->instance != NULL &&
		usher_file_replace(path, state->instance, strlen(state->instance), 0600, error);
}

UsherState *usher_state_open(const char *folder, GError **error)
{
	g_autoptr(UsherState) state = g_new0(UsherState, 1);
	state->lock = -1;
	state->folder = g_strdup(folder);
	if (!usher_folder_make(folder, 0700, error) || !take_lock(state, error) ||
		!know_instance(state, error))
		return NULL;
	return g_steal_pointer(&state);
}
