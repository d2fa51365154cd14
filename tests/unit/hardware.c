/* SPDX-License-Identifier: Apache-2.0 */
/* What hardware and firmware say of themselves in bytes of their own. */
#include <glib.h>
#include <string.h>

#include "host/bars.h"
#include "host/hid.h"
#include "host/smbios.h"

static void test_descriptors(void)
{
	static const struct {
		const char *name, *bytes;
		size_t length;
		bool is_power;
	} rows[] = {
		{ "ups", "\x05\x84\x09\x04\xa1\x01\xc0", 7, true },
		{ "ups-with-a-page-of-two-bytes", "\x06\x84\x00\x09\x04\xa1\x01\xc0", 8, true },
		{ "ups-with-a-usage-of-four-bytes", "\x05\x01\x0b\x04\x00\x84\x00\xa1\x01", 9,
			true },
		{ "keyboard-then-ups", "\x05\x01\x09\x06\xa1\x01\xc0\x05\x84\x09\x04\xa1\x01", 13,
			true },
		{ "mouse", "\x05\x01\x09\x02\xa1\x01\xc0", 7, false },
		{ "mouse-with-a-battery", "\x05\x01\x09\x02\xa1\x01\x05\x84\x09\x04\xa1\x01", 12,
			false },
		{ "physical-collection", "\x05\x84\x09\x04\xa1\x00", 6, false },
		{ "after-a-long-item", "\xfe\x02\x00\x05\x84\x05\x84\x09\x04\xa1\x01", 11, true },
		{ "long-item-cut", "\xfe\x09\x00\x05\x84", 5, false },
		{ "cut", "\x05\x84\x09\x04\xa1", 5, false },
		{ "nothing", "", 0, false },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree uint8_t *bytes = g_memdup2(rows[i].bytes, MAX(rows[i].length, 1));
		g_test_message("%s", rows[i].name);
		g_assert_cmpint(
			usher_hid_is_power_device(bytes, rows[i].length), ==, rows[i].is_power);
	}
}

#define SLOT_HEAD "\x09\x11\x00\x09\x01\xaa\x0d\x03\x04\x01\x00\x0c\x01"

static void test_slots(void)
{
	static const struct {
		const char *name, *bytes;
		size_t length;
		const char *label, *address;
	} rows[] = {
		{ "slot", SLOT_HEAD "\x00\x00\x01\x00PCIEX16_1\0", 28, "PCIEX16_1", "0000:01:00" },
		{ "segment", SLOT_HEAD "\x01\x00\x41\xf8 J5 \0", 23, "J5", "0001:41:1f" },
		{ "no-bus", SLOT_HEAD "\xff\xff\xff\xffM2_1\0", 23, NULL, NULL },
		{ "no-text", SLOT_HEAD "\x00\x00\x01\x00\0", 19, NULL, NULL },
		{ "old", "\x09\x0d\x00\x09\x01\xaa\x0d\x03\x04\x01\x00\x0c\x01J5\0", 17, NULL,
			NULL },
		{ "memory",
			"\x11\x11\x00\x09\x01\xaa\x0d\x03\x04\x01\x00\x0c\x01\x00\x00\x01\x00J5\0",
			21, NULL, NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree uint8_t *bytes = g_memdup2(rows[i].bytes, rows[i].length);
		g_autofree char *label = NULL, *address = NULL;
		UsherSmbios structure;
		g_test_message("%s", rows[i].name);
		g_assert_true(usher_smbios_take(bytes, rows[i].length, &structure));
		g_assert_cmpuint(structure.size, ==, rows[i].length);
		g_assert_cmpint(
			usher_smbios_slot(&structure, &label, &address), ==, rows[i].label != NULL);
		g_assert_cmpstr(label, ==, rows[i].label);
		g_assert_cmpstr(address, ==, rows[i].address);
		for (size_t length = 0; length < rows[i].length; length++)
			g_assert_false(usher_smbios_take(bytes, length, &structure));
	}
}

/* Serial numbers of boards and memory are not for others. */
static void test_slots_only(void)
{
	static const char table[] = "\x01\x04\x00\x01Maker\0SN-SECRET\0\0" SLOT_HEAD
				    "\x00\x00\x01\x00J5\0\0\x7f\x04\x00\x02\0";
	GString *slots = usher_smbios_slots_only((const uint8_t *) table, sizeof table);
	g_assert_cmpuint(slots->len, ==, 21);
	g_assert_cmpint(slots->str[0], ==, 9);
	g_string_free(slots, TRUE);
}

static void test_bars(void)
{
	static const char text[] = "0x00000000f6000000 0x00000000f6ffffff 0x0000000000040200\n"
				   "0x0000000000000000 0x00000003ffffffff 0x000000002014220c\n"
				   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
				   "nonsense\n"
				   "0x00000000ffffffff 0x0000000000000000 0x0000000000040200\n"
				   "0x000000000000e000 0x000000000000e07f 0x0000000000040101\n"
				   "0x00000000f7000000 0x00000000f707ffff 0x0000000000046200\n";
	g_autoptr(GArray) bars = usher_bars_parse(text, USHER_BARS);
	g_assert_cmpuint(bars->len, ==, 3);
	const UsherBar *registers = &g_array_index(bars, UsherBar, 0);
	g_assert_cmpuint(registers->index, ==, 0);
	g_assert_cmpuint(registers->size, ==, 16U << 20);
	g_assert_false(registers->is_prefetchable || registers->is_io || registers->is_unassigned);
	const UsherBar *memory = &g_array_index(bars, UsherBar, 1);
	g_assert_cmpuint(memory->size, ==, UINT64_C(16) << 30);
	g_assert_true(memory->is_prefetchable && memory->is_unassigned);
	const UsherBar *ports = &g_array_index(bars, UsherBar, 2);
	g_assert_cmpuint(ports->index, ==, 5);
	g_assert_cmpuint(ports->size, ==, 128);
	g_assert_true(ports->is_io && !ports->is_unassigned);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hardware/descriptors", test_descriptors);
	g_test_add_func("/hardware/slots", test_slots);
	g_test_add_func("/hardware/slots-only", test_slots_only);
	g_test_add_func("/hardware/bars", test_bars);
	return g_test_run();
}
