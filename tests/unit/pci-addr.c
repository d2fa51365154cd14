/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of PCI functions as text, and in order. */
#include "base/error.h"
#include "core/pci-addr.h"

static void test_good(const void *data)
{
	const char *const *row = data;
	char text[USHER_PCI_ADDR_TEXT];
	UsherPciAddr addr;
	g_assert_true(usher_pci_addr_parse(row[0], &addr, NULL));
	g_assert_cmpstr(usher_pci_addr_print(addr, text), ==, row[1]);
}

static void test_bad(const void *data)
{
	g_autoptr(GError) error = NULL;
	UsherPciAddr addr = { .domain = 7 };
	g_assert_false(usher_pci_addr_parse(data, &addr, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
	g_assert_cmpuint(addr.domain, ==, 7);
}

static void test_order(void)
{
	static const char *const rows[] = { "0000:00:00.0", "0000:00:00.7", "0000:00:01.0",
		"0000:00:1f.7", "0000:01:00.0", "0000:ff:1f.7", "0001:00:00.0", "10000:00:00.0",
		"ffffffff:ff:1f.7" };
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		for (size_t j = 0; j < G_N_ELEMENTS(rows); j++) {
			UsherPciAddr one, other;
			g_assert_true(usher_pci_addr_parse(rows[i], &one, NULL));
			g_assert_true(usher_pci_addr_parse(rows[j], &other, NULL));
			g_assert_cmpint(usher_pci_addr_compare(one, other), ==, (i > j) - (i < j));
		}
	}
}

static void test_slot(void)
{
	UsherPciAddr one = { 0, 1, 2, 0 }, same = { 0, 1, 2, 7 }, next = { 0, 1, 3, 0 };
	UsherPciAddr elsewhere = { 1, 1, 2, 0 };
	g_assert_true(usher_pci_addr_is_same_slot(one, same));
	g_assert_true(usher_pci_addr_is_same_slot(one, one));
	g_assert_false(usher_pci_addr_is_same_slot(one, next));
	g_assert_false(usher_pci_addr_is_same_slot(one, elsewhere));
}

int main(int argc, char **argv)
{
	static const char *const good[][2] = {
		{ "0000:01:00.0", "0000:01:00.0" },
		{ "01:00.0", "0000:01:00.0" },
		{ "00:1f.7", "0000:00:1f.7" },
		{ "0000:AB:1F.3", "0000:ab:1f.3" },
		{ "10000:e1:00.0", "10000:e1:00.0" },
		{ "00010000:e1:00.0", "10000:e1:00.0" },
		{ "ffffffff:ff:1f.7", "ffffffff:ff:1f.7" },
	};
	static const char *const bad[] = {
		"",
		"0",
		"00:00",
		"0000:01:00",
		"0000:01:00.8",
		"0000:01:20.0",
		"0000:1:00.0",
		"0000:01:0.0",
		"0000:01:00.00",
		"0000:01:00.0 ",
		" 0000:01:00.0",
		"000:01:00.0",
		"1:00.0",
		"0000:01:00.g",
		"0000:0x:00.0",
		"0000:01:00,0",
		"0000::01:00.0",
		":01:00.0",
		"100000000:01:00.0",
		"usb:1-4.2",
		"0000:01:00.-0",
		"+000:01:00.0",
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *path = g_strdup_printf("/pci-addr/good/%s", good[i][0]);
		g_test_add_data_func(path, good[i], test_good);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *path = g_strdup_printf("/pci-addr/bad/%zu", i);
		g_test_add_data_func(path, bad[i], test_bad);
	}
	g_test_add_func("/pci-addr/order", test_order);
	g_test_add_func("/pci-addr/slot", test_slot);
	return g_test_run();
}
