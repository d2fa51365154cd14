/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pci-addr.h"

#include <string.h>

#include "base/error.h"

#define DOMAIN_DIGITS_MIN 4 /* as the kernel prints: %04x */
#define DOMAIN_DIGITS_MAX 8

/* Reads from min to max digits that are followed by end; *text moves behind it. */
static bool take_hex(const char **text, unsigned min, unsigned max, char end, uint32_t *out_value)
{
	uint32_t value = 0;
	unsigned n = 0;
	for (; n < max && g_ascii_isxdigit((*text)[n]); n++)
		value = value << 4 | (uint32_t) g_ascii_xdigit_value((*text)[n]);
	if (n < min || (*text)[n] != end)
		return false;
	*text += n + (end != '\0' ? 1 : 0);
	*out_value = value;
	return true;
}

bool usher_pci_addr_parse(const char *text, UsherPciAddr *out_addr, GError **error)
{
	const char *rest = text;
	uint32_t domain = 0, bus, slot, function;
	/* Without a domain the second colon is missing. */
	const char *colon = strchr(text, ':');
	bool has_domain = colon != NULL && strchr(colon + 1, ':') != NULL;
	if ((!has_domain || take_hex(&rest, DOMAIN_DIGITS_MIN, DOMAIN_DIGITS_MAX, ':', &domain)) &&
		take_hex(&rest, 2, 2, ':', &bus) && take_hex(&rest, 2, 2, '.', &slot) &&
		slot < 32 && take_hex(&rest, 1, 1, '\0', &function) && function < 8) {
		*out_addr =
			(UsherPciAddr){ domain, (uint8_t) bus, (uint8_t) slot, (uint8_t) function };
		return true;
	}
	usher_error_set(
		error, USHER_ERROR_INVALID, "'%s' is no PCI address like 0000:01:00.0", text);
	return false;
}

static char *put_hex(char *at, uint32_t value, unsigned n_digits)
{
	for (unsigned i = n_digits; i-- > 0; value >>= 4)
		at[i] = "0123456789abcdef"[value & 0xf];
	return at + n_digits;
}

/* By hand: a scan prints tens of thousands. */
char *usher_pci_addr_print(UsherPciAddr addr, char *text)
{
	g_assert(addr.slot < 32 && addr.function < 8);
	unsigned n_digits = DOMAIN_DIGITS_MIN;
	while (n_digits < DOMAIN_DIGITS_MAX && addr.domain >> (4 * n_digits) != 0)
		n_digits++;
	char *at = put_hex(text, addr.domain, n_digits);
	*at++ = ':';
	at = put_hex(at, addr.bus, 2);
	*at++ = ':';
	at = put_hex(at, addr.slot, 2);
	*at++ = '.';
	at = put_hex(at, addr.function, 1);
	*at = '\0';
	g_assert(at - text < USHER_PCI_ADDR_TEXT);
	return text;
}

static uint64_t as_number(UsherPciAddr addr)
{
	return (uint64_t) addr.domain << 16 | (uint64_t) addr.bus << 8 | (uint64_t) addr.slot << 3 |
		addr.function;
}

int usher_pci_addr_compare(UsherPciAddr one, UsherPciAddr other)
{
	uint64_t a = as_number(one), b = as_number(other);
	return (a > b) - (a < b);
}

bool usher_pci_addr_is_same_slot(UsherPciAddr one, UsherPciAddr other)
{
	return as_number(one) >> 3 == as_number(other) >> 3;
}
