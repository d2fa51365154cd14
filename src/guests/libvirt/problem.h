/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What libvirt says went wrong, as errors of ours. Any thread: libvirt keeps one error a thread. */
#include <glib.h>
#include <libvirt/virterror.h>

#include "base/error.h"

/* Once, before anything else of libvirt: it would print its errors to standard error. */
void usher_libvirt_be_quiet(void);

/* The thread's last libvirt error as "what: libvirt's sentence". When the connection is dead,
 * UNAVAILABLE "libvirtd does not answer: …", whatever was tried. Call it right after the call that
 * failed: the next one forgets the error. connection NULL: none was opened. */
void usher_libvirt_problem(GError **error, virConnectPtr connection, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* The last error's number is this one. */
#define usher_libvirt_failed_with(number) (virGetLastErrorCode() == (number))
