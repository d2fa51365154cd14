/* SPDX-License-Identifier: Apache-2.0 */
#include "client/curl-loop.h"

#include <glib-unix.h>

typedef struct Transfer {
	UsherTransferEnded ended;
	void *data;
} Transfer;

struct UsherCurlLoop {
	CURLM *multi;
	GHashTable *transfers; /* CURL → Transfer */
	GHashTable *sockets;   /* fd → source id */
	unsigned timer;
};

/* Ended ones are told after curl has returned; telling may add and remove others. */
static void tell_ended(UsherCurlLoop *loop)
{
	const CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(loop->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;
		const Transfer *transfer = g_hash_table_lookup(loop->transfers, easy);
		UsherTransferEnded ended = transfer->ended;
		void *data = transfer->data;
		usher_curl_loop_remove(loop, easy);
		ended(easy, result, data);
	}
}

static gboolean on_socket(gint fd, GIOCondition condition, gpointer data)
{
	UsherCurlLoop *loop = data;
	int events = ((condition & (G_IO_IN | G_IO_HUP)) != 0 ? CURL_CSELECT_IN : 0) |
		((condition & G_IO_OUT) != 0 ? CURL_CSELECT_OUT : 0) |
		((condition & G_IO_ERR) != 0 ? CURL_CSELECT_ERR : 0);
	int running;
	(void) curl_multi_socket_action(loop->multi, fd, events, &running);
	tell_ended(loop);
	return G_SOURCE_CONTINUE; /* curl removes it when it wants no more of it */
}

static gboolean on_timer(gpointer data)
{
	UsherCurlLoop *loop = data;
	int running;
	loop->timer = 0;
	(void) curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	tell_ended(loop);
	return G_SOURCE_REMOVE;
}

static int want_timer(CURLM *multi, long timeout_ms, void *data)
{
	(void) multi;
	UsherCurlLoop *loop = data;
	if (loop->timer != 0)
		g_source_remove(loop->timer);
	loop->timer = timeout_ms >= 0 ? g_timeout_add((unsigned) timeout_ms, on_timer, loop) : 0;
	return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	(void) easy;
	(void) socket_data;
	UsherCurlLoop *loop = data;
	gpointer key = GINT_TO_POINTER(fd);
	unsigned source = GPOINTER_TO_UINT(g_hash_table_lookup(loop->sockets, key));
	if (source != 0)
		g_source_remove(source);
	g_hash_table_remove(loop->sockets, key);
	if (what == CURL_POLL_REMOVE)
		return 0;
	GIOCondition condition = ((what & CURL_POLL_IN) != 0 ? G_IO_IN : 0) |
		((what & CURL_POLL_OUT) != 0 ? G_IO_OUT : 0) | G_IO_HUP | G_IO_ERR;
	source = g_unix_fd_add(fd, condition, on_socket, loop);
	g_hash_table_insert(loop->sockets, key, GUINT_TO_POINTER(source));
	return 0;
}

UsherCurlLoop *usher_curl_loop_new(void)
{
	(void) curl_global_init(CURL_GLOBAL_NOTHING);
	UsherCurlLoop *loop = g_new0(UsherCurlLoop, 1);
	loop->multi = curl_multi_init();
	g_assert(loop->multi != NULL);
	loop->transfers = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	loop->sockets = g_hash_table_new(NULL, NULL);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
	return loop;
}

void usher_curl_loop_free(UsherCurlLoop *loop)
{
	if (loop == NULL)
		return;
	g_assert(g_hash_table_size(loop->transfers) == 0);
	(void) curl_multi_cleanup(loop->multi); /* closes kept connections: their sockets leave */
	if (loop->timer != 0)
		g_source_remove(loop->timer);
	GHashTableIter iter;
	gpointer source;
	g_hash_table_iter_init(&iter, loop->sockets);
	while (g_hash_table_iter_next(&iter, NULL, &source))
		g_source_remove(GPOINTER_TO_UINT(source));
	g_hash_table_unref(loop->sockets);
	g_hash_table_unref(loop->transfers);
	g_free(loop);
}

void usher_curl_loop_add(UsherCurlLoop *loop, CURL *easy, UsherTransferEnded ended, void *data)
{
	Transfer *transfer = g_new0(Transfer, 1);
	transfer->ended = ended;
	transfer->data = data;
	g_hash_table_insert(loop->transfers, easy, transfer);
	CURLMcode code = curl_multi_add_handle(loop->multi, easy);
	g_assert(code == CURLM_OK);
}

void usher_curl_loop_remove(UsherCurlLoop *loop, CURL *easy)
{
	(void) curl_multi_remove_handle(loop->multi, easy);
	g_hash_table_remove(loop->transfers, easy);
}
