/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The file tree a host is read from: this machine's, or a folder that holds /sys, /proc, /etc, /run
 * of another (no link leads out of it). Absent files are normal and read as NULL. Any thread.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A file by which a recording is known; of one that was made of a whole host it has such a line. */
#define USHER_RECORDING_MARK  ".usher-recording"
#define USHER_RECORDING_WHOLE "whole"

typedef struct UsherTree UsherTree;
/* "", "/" and NULL: this machine. */
UsherTree *usher_tree_open(const char *root, GError **error);
void usher_tree_free(UsherTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsherTree, usher_tree_free)
/* What is read is happening now and here. */
bool usher_tree_is_live(const UsherTree *tree);

/* All that usher reads of a host is there: this machine, or a recording of usher's own. What is not in
 * it was not on that host; of other folders nobody knows. */
bool usher_tree_is_whole(const UsherTree *tree);

/* Paths begin without a slash: "sys/bus/pci/devices". −1 without an error when it is not there. To
 * open what is in it, not to list it. */
int usher_tree_open_folder(const UsherTree *tree, const char *path);
/* Names but "." and "..", sorted; NULL when there is no such folder. */
GPtrArray *usher_tree_list(const UsherTree *tree, const char *path);
/* Text of any length up to 16 MiB, without its last newline. */
char *usher_tree_read(const UsherTree *tree, const char *path);
/* The same, of what may be missing and then says that there is none: *known becomes false when it is
 * there and can't be read. */
char *usher_tree_read_known(const UsherTree *tree, const char *path, bool *known);
GPtrArray *usher_tree_list_known(const UsherTree *tree, const char *path, bool *known);
/* The same, as it is. */
GBytes *usher_tree_read_bytes(const UsherTree *tree, const char *path);
/* The target of a link. */
char *usher_tree_link(const UsherTree *tree, const char *path);

/* In an opened folder. An attribute that is empty or "(null)" reads as NULL. */
GPtrArray *usher_attr_list(int folder, const char *path);
char *usher_attr_read(int folder, const char *name);
/* A path of several names; no link in it leads out of the folder. */
char *usher_attr_read_below(int folder, const char *path);
bool usher_attr_read_hex(int folder, const char *name, uint32_t max, uint32_t *out_value);
bool usher_attr_read_int(int folder, const char *name, int64_t *out_value);
/* The last name in the target of a link: what "driver" points to. */
char *usher_attr_link_name(int folder, const char *name);
