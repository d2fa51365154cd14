/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-scan ROOT [UPDATES]: one whole scan, with names, facts, companions and guard; then updates
 * of it, of one function each. Prints, times in microseconds of CPU,
 *
 *     DEVICES RSS-ANON-KIB SCAN UPDATE
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
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

static int64_t read_cpu_us(void)
{
	struct timespec time;
	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* Functions all over the host, one after the other. */
static bool update(const char *root, UsherInventory **inventory, unsigned index, GError **error)
{
	unsigned n_devices = (*inventory)->devices->len;
	const UsherDevice *device = (*inventory)->devices->pdata[index * 61 % n_devices];
	g_autoptr(GHashTable) changed = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_add(changed, device->address);
	UsherInventory *next = usher_scan_again(root, NULL, *inventory, changed, error);
	if (next == NULL)
		return false;
	usher_inventory_unref(*inventory);
	*inventory = next;
	return true;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	uint32_t n_updates = 0;
	if (argc < 2 ||
		(argc > 2 && !usher_text_parse_u32(argv[2], UINT16_MAX, &n_updates, NULL))) {
		fprintf(stderr, "usage: bench-scan ROOT [UPDATES]\n");
		return 2;
	}
	int64_t begin = read_cpu_us();
	g_autoptr(UsherInventory) inventory = usher_scan(argv[1], NULL, &error);
	int64_t scanned = read_cpu_us();
	long rss = read_rss();
	bool is_good = inventory != NULL;
	for (unsigned i = 0; is_good && i < n_updates; i++)
		is_good = update(argv[1], &inventory, i, &error);
	int64_t updated = read_cpu_us();
	if (!is_good) {
		fprintf(stderr, "bench-scan: %s\n", error->message);
		return 1;
	}
	printf("%u %ld %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", inventory->devices->len, rss,
		scanned - begin, n_updates > 0 ? (updated - scanned) / n_updates : 0);
	(void) fflush(stdout);
	_exit(0); /* as a scan from a shell: nothing is put away one by one before the process ends */
}
