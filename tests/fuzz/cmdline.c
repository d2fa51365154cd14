/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's command line, as a recording shows it: it carries secrets. */
#include "fuzz.h"

#include "host/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[USHER_SCRUB_KEY_SIZE] = { 1 };
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	usher_scrub_learn(scrub, "proc/cmdline", (const char *) data, size);
	GString *shown = usher_scrub_content(scrub, "proc/cmdline", (const char *) data, size);
	if (shown != NULL)
		(void) g_string_free(shown, TRUE);
	return 0;
}
