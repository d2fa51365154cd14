/* SPDX-License-Identifier: Apache-2.0 */
/* Report descriptors of HID devices. */
#include "fuzz.h"

#include "host/hid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* More of the same doesn't take back what was said. */
	bool is_power = usher_hid_is_power_device(data, size);
	g_autofree uint8_t *longer = g_malloc0(size + 1);
	memcpy(longer, data, size);
	g_assert(!is_power || usher_hid_is_power_device(longer, size + 1));
	return 0;
}
