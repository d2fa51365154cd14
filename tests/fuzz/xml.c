/* SPDX-License-Identifier: Apache-2.0 */
/* Domain definitions, and the mark in their metadata. */
#include "fuzz.h"

#include "guests/libvirt/xml.h"
#include "ports/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = fuzz_text(data, size);
	g_autoptr(GError) error = NULL;
	bool is_running;
	g_autoptr(GPtrArray) devices = usher_domain_xml_devices("vm1", text, &is_running, &error);
	g_assert((devices == NULL) == (error != NULL));
	g_clear_error(&error);
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	g_autofree char *start = usher_domain_xml_start("vm1", text, none, &error);
	g_assert((start == NULL) == (error != NULL));
	char *vm = NULL, *uuid = NULL;
	int64_t revision;
	if (usher_domain_mark_parse(text, &vm, &uuid, &revision))
		g_assert(vm != NULL && uuid != NULL);
	g_free(vm);
	g_free(uuid);
	return 0;
}
