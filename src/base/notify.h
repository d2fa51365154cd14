/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tells the service manager that started us how we are: sd_notify's protocol, one datagram. Without
 * such a manager nothing happens. Main thread.
 */
#include <stdbool.h>

/* "READY=1", "STATUS=…", "STOPPING=1". */
void usher_notify(const char *state);
/* Sends WATCHDOG=1 from the main loop as often as the manager asked for; it kills who stops. */
void usher_notify_watchdog(void);
