/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-growth STORE CYCLES STEP: starts and stops one guest with one device so often, node and
 * control plane on fakes in this one process, the store in a file. Prints after each STEP of them
 *
 *     CYCLES RSS-ANON-KIB
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "sim/bed.h"

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
	uint32_t n_cycles, step;
	if (argc != 4 || !usher_text_parse_u32(argv[2], UINT16_MAX, &n_cycles, NULL) ||
		!usher_text_parse_u32(argv[3], UINT16_MAX, &step, NULL) || step == 0) {
		fprintf(stderr, "usage: bench-growth STORE CYCLES STEP\n");
		return 2;
	}
	usher_log_init("bench-growth", USHER_LOG_ERROR);
	g_autoptr(Bed) bed = bed_new_on(/* seed */ 1, argv[1]);
	printf("0 %ld\n", read_rss());
	for (unsigned i = 1; i <= n_cycles; i++) {
		bed_start_and_stop(bed, "vm1");
		if (i % step == 0)
			printf("%u %ld\n", i, read_rss());
		(void) fflush(stdout);
	}
	bed_check_at_rest(bed);
	return 0;
}
