/* SPDX-License-Identifier: Apache-2.0 */
/* Vital product data, whole and broken. */
#include <glib.h>
#include <string.h>

#include "host/vpd.h"

#define NAME \
	"\x82\x04\x00" \
	"Card"

static void test_serial(void)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *serial;
	} rows[] = {
		{ NAME "\x90\x10\x00"
		       "PN\x03"
		       "X-1SN\x04"
		       "S-42RV\x00"
		       "\x78",
			27, "S-42" },
		{ NAME "\x90\x07\x00"
		       "SN\x04"
		       "S-4 \x78",
			18, "S-4" },
		{ NAME "\x90\x07\x00"
		       "SN\x09"
		       "S-42",
			17, NULL }, /* longer than its part */
		{ NAME "\x90\x99\x00"
		       "SN\x04"
		       "S-42",
			17, NULL }, /* a part longer than all */
		{ NAME "\x78\x90\x07\x00"
		       "SN\x04"
		       "S-42",
			18, NULL }, /* after the end */
		{ "\x90\x07\x00"
		  "SN\x04"
		  "S\x01-2",
			10, NULL }, /* no text */
		{ "\x90\x03\x00"
		  "SN\x00",
			6, NULL },
		{ "\x90\x02\x00"
		  "SN",
			5, NULL },
		{ "\x90\x02", 2, NULL },
		{ "\xff\xff\xff\xff", 4, NULL },
		{ "\x00\x00\x00\x00", 4, NULL },
		{ "", 0, NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		/* In memory of its own, so that one byte too far is seen. */
		g_autofree uint8_t *bytes = g_memdup2(rows[i].bytes, MAX(rows[i].length, 1));
		g_autofree char *serial = usher_vpd_serial(bytes, rows[i].length);
		g_test_message("%zu", i);
		g_assert_cmpstr(serial, ==, rows[i].serial);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vpd/serial", test_serial);
	return g_test_run();
}
