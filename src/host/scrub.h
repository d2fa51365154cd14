/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Pseudonyms for what tells which machine a recording is of: serial numbers, MAC addresses, UUIDs,
 * host names. Of the same shape and under one key always the same, so that what was equal stays
 * equal; without the key nobody finds out what they stand for. Pure but for the key it is given.
 *
 * First everything is shown to it (learn), then everything is rewritten: a serial number that was
 * learnt from one file is replaced in the name of another.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define USHER_SCRUB_KEY_SIZE 32

typedef struct UsherScrub UsherScrub;
UsherScrub *usher_scrub_new(const uint8_t key[USHER_SCRUB_KEY_SIZE]);
void usher_scrub_free(UsherScrub *scrub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherScrub, usher_scrub_free)

/* path: in the tree, "sys/class/net/eth0/address". */
void usher_scrub_learn(UsherScrub *scrub, const char *path, const char *content, size_t length);
/* A text that must not be seen anywhere. */
void usher_scrub_learn_secret(UsherScrub *scrub, const char *secret);
/* The content as it may be shown; NULL: not at all. Given. */
GString *usher_scrub_content(
	UsherScrub *scrub, const char *path, const char *content, size_t length);
/* A path, or the target of a link. Given. */
char *usher_scrub_path(UsherScrub *scrub, const char *path);
