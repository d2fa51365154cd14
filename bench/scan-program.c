/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-scan ROOT: one whole scan, with names, facts, companions and guard, and prints
 *
 *     DEVICES RSS-ANON-KIB
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "host/scan.h"
#include "host/tree.h"

static long read_rss(void)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
		return -1;
	const char *line = strstr(text, "RssAnon:");
	return line != NULL ? (long) g_ascii_strtoll(line + strlen("RssAnon:"), NULL, 10) : -1;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherInventory) inventory = usher_scan(argc == 2 ? argv[1] : NULL, NULL, &error);
	if (inventory == NULL) {
		fprintf(stderr, "bench-scan: %s\n", error->message);
		return 1;
	}
	printf("%u %ld\n", inventory->devices->len, read_rss());
	return 0;
}
