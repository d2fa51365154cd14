/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* libcurl's transfers in the GLib main loop: none of them blocks it. Main thread. */
#include <curl/curl.h>
#include <glib.h>
#include <stdbool.h>

typedef struct UsherCurlLoop UsherCurlLoop;
/* The transfer has ended and is no longer in the loop. Not called from within curl: everything may
 * be done in it. */
typedef void (*UsherTransferEnded)(CURL *easy, CURLcode result, void *data);

UsherCurlLoop *usher_curl_loop_new(void);
/* Transfers must have been removed. */
void usher_curl_loop_free(UsherCurlLoop *loop);
/* easy is borrowed until it has ended or is removed. Not from within curl's callbacks. */
void usher_curl_loop_add(UsherCurlLoop *loop, CURL *easy, UsherTransferEnded ended, void *data);
void usher_curl_loop_remove(UsherCurlLoop *loop, CURL *easy);
