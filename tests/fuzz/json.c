/* SPDX-License-Identifier: Apache-2.0 */
/* JSON, as bodies of requests and as values in the store: what is read writes, and reads again. */
#include "fuzz.h"

#include "core/device.h"
#include "core/lease.h"
#include "core/operation.h"
#include "core/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const UsherRecordType *const types[] = { &usher_device_type, &usher_lease_type,
		&usher_operation_type, &usher_vm_type };
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherJson) json = usher_json_parse((const char *) data, size, &error);
	g_assert((json == NULL) == (error != NULL));
	for (size_t i = 0; json != NULL && i < G_N_ELEMENTS(types); i++) {
		g_clear_error(&error);
		void *record = usher_record_read(types[i], json, &error);
		g_assert((record == NULL) == (error != NULL));
		if (record == NULL)
			continue;
		g_autofree char *text = usher_record_print(types[i], record);
		void *again = usher_record_parse(types[i], text, NULL);
		g_assert_nonnull(again);
		g_autofree char *text_again = usher_record_print(types[i], again);
		g_assert_cmpstr(text, ==, text_again);
		usher_record_free(types[i], again);
		usher_record_free(types[i], record);
	}
	return 0;
}
