/* SPDX-License-Identifier: Apache-2.0 */
/* Vital product data of a card. */
#include "fuzz.h"

#include "host/scrub.h"
#include "host/vpd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[USHER_SCRUB_KEY_SIZE] = { 1 };
	static const char path[] = "sys/devices/x/vpd";
	g_autofree char *serial = usher_vpd_serial(data, size);
	g_assert(serial == NULL || serial[0] != '\0');
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	usher_scrub_learn(scrub, path, (const char *) data, size);
	GString *shown = usher_scrub_content(scrub, path, (const char *) data, size);
	g_assert(shown->len == size);
	g_string_free(shown, TRUE);
	return 0;
}
