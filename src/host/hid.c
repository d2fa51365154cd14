/* SPDX-License-Identifier: Apache-2.0 */
#include "host/hid.h"

/* HID 1.11, 6.2.2: an item is a head and its value; tag and type are in the head's upper six bits. */
#define ITEM_LONG       0xfe
#define ITEM_USAGE_PAGE 0x04
#define ITEM_USAGE      0x08
#define ITEM_COLLECTION 0xa0
#define ITEM_END        0xc0

#define COLLECTION_APPLICATION 1
#define PAGE_POWER             0x84

typedef struct Item {
	uint8_t head; /* without its size */
	uint32_t value;
	size_t size;
} Item;

/* Of what is at the beginning of bytes, all of it; 0: it is not whole. */
static size_t take_item(const uint8_t *bytes, size_t length, Item *item)
{
	bool is_long = length >= 3 && bytes[0] == ITEM_LONG;
	if (is_long) {
		*item = (Item){ .head = ITEM_LONG };
		return (size_t) bytes[1] + 3 <= length ? (size_t) bytes[1] + 3 : 0;
	}
	size_t size = (bytes[0] & 3) == 3 ? 4 : bytes[0] & 3;
	if (size + 1 > length)
		return 0;
	*item = (Item){ .head = (uint8_t) (bytes[0] & ~3U), .size = size };
	for (size_t i = 0; i < size; i++)
		item->value |= (uint32_t) bytes[1 + i] << 8 * i;
	return size + 1;
}

bool usher_hid_is_power_device(const uint8_t *bytes, size_t length)
{
	uint32_t page = 0, of_usage = 0;
	unsigned depth = 0;
	Item item;
	for (size_t at = 0, taken; at < length; at += taken) {
		taken = take_item(bytes + at, length - at, &item);
		if (taken == 0)
			return false;
		if (item.head == ITEM_USAGE_PAGE)
			page = item.value;
		/* A usage of four bytes has its page in the upper two. */
		if (item.head == ITEM_USAGE)
			of_usage = item.size == 4 ? item.value >> 16 : page;
		if (item.head == ITEM_END && depth > 0)
			depth--;
		if (item.head != ITEM_COLLECTION)
			continue;
		if (depth++ == 0 && item.value == COLLECTION_APPLICATION && of_usage == PAGE_POWER)
			return true;
	}
	return false;
}
