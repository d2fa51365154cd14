/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The connection to libvirtd: opened when somebody needs it, known to be lost when libvirtd is gone
 * or has not answered keepalives, and brought back when its socket appears again. Opening happens
 * in a thread of its own, so that a libvirtd that hangs holds up nobody for long.
 */
#include <glib.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>

typedef struct UsherConnection UsherConnection;
typedef void (*UsherConnectionFunc)(void *data);

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(virConnectPtr, virConnectClose, NULL)

/* Main thread. Opens nothing yet. INVALID: no uri. */
UsherConnection *usher_connection_new(const char *uri, GError **error);
/* Main thread, when no worker is in a call any more. func is not called from here on. Waits two
 * seconds at most. */
void usher_connection_free(UsherConnection *connection);

/* Main thread. func is called in it after domains changed, after the connection was lost and after
 * it is back; several changes at a time make one call. Begins to connect. */
void usher_connection_watch(UsherConnection *connection, UsherConnectionFunc func, void *data);

/* Workers. A counted connection, to be closed; NULL with UNAVAILABLE "libvirtd does not answer". */
virConnectPtr usher_connection_get(UsherConnection *connection, GError **error);

/* Workers. The number of events so far, and to wait until there are more or it is until_us
 * (monotonic): to wait for something without missing it, ask for the number, look, then wait. */
unsigned usher_connection_n_events(UsherConnection *connection);
void usher_connection_await(UsherConnection *connection, unsigned n_events, int64_t until_us);
