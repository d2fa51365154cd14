/* SPDX-License-Identifier: Apache-2.0 */
#include "base/env.h"

#include <glib.h>

const char *usher_env_get(const char *name)
{
	const char *value = g_getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}
