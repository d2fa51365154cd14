/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The environment: the only place that reads it. For programs at their start; libraries take what
 * they need as parameters. */

/* NULL when it is not set, and when it is empty. Owned by the environment. */
const char *usher_env_get(const char *name);
