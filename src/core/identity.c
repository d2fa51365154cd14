/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity.h"

#include <string.h>

/* Both known and different. */
static bool excludes(const char *one, const char *other)
{
	return one != NULL && other != NULL && strcmp(one, other) != 0;
}

static bool agrees(const char *one, const char *other)
{
	return one != NULL && other != NULL && strcmp(one, other) == 0;
}

static const char *serial_of(const UsherDevice *device)
{
	return device->facts != NULL ? device->facts->serial : NULL;
}

static bool may_be(const UsherDevice *record, const UsherDevice *seen)
{
	return !excludes(record->vendor_id, seen->vendor_id) && !excludes(record->device_id, seen->device_id) &&
	       !excludes(record->subsystem_vendor_id, seen->subsystem_vendor_id) &&
	       !excludes(record->subsystem_device_id, seen->subsystem_device_id) &&
	       !excludes(serial_of(record), serial_of(seen));
}

const UsherDevice *usher_identity_match(const GPtrArray *records, const UsherDevice *seen)
{
	const UsherDevice *at_address = NULL;
	for (unsigned i = 0; i < records->len; i++) {
		const UsherDevice *record = records->pdata[i];
		if (record->id != NULL && agrees(record->address, seen->address) && may_be(record, seen))
			at_address = record;
	}
	return at_address;
}
