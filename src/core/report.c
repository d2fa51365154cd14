/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report.h"

static const UsherField report_fields[] = {
	{ "node", USHER_FIELD_STRING, offsetof(UsherReport, node), USHER_FIELD_REQUIRED },
	{ "session", USHER_FIELD_STRING, offsetof(UsherReport, session) },
	{ "machine_id", USHER_FIELD_STRING, offsetof(UsherReport, machine_id),
		USHER_FIELD_REQUIRED },
	{ "boot_id", USHER_FIELD_STRING, offsetof(UsherReport, boot_id), USHER_FIELD_REQUIRED },
	{ "instance", USHER_FIELD_STRING, offsetof(UsherReport, instance), USHER_FIELD_REQUIRED },
	{ "kernel", USHER_FIELD_STRING, offsetof(UsherReport, kernel) },
	{ "agent_version", USHER_FIELD_STRING, offsetof(UsherReport, agent_version) },
	{ "ready", USHER_FIELD_BOOL, offsetof(UsherReport, ready) },
	{ "devices_total", USHER_FIELD_INT, offsetof(UsherReport, devices_total) },
	{ "devices", USHER_FIELD_RECORDS, offsetof(UsherReport, devices), USHER_FIELD_OMIT, NULL,
		&usher_device_type },
	{ "gone", USHER_FIELD_STRINGS, offsetof(UsherReport, gone), USHER_FIELD_OMIT },
	{ "has_guests", USHER_FIELD_BOOL, offsetof(UsherReport, has_guests), USHER_FIELD_OMIT },
	{ "guests", USHER_FIELD_RECORDS, offsetof(UsherReport, guests), USHER_FIELD_OMIT, NULL,
		&usher_guest_info_type },
	{ "operations", USHER_FIELD_RECORDS, offsetof(UsherReport, operations), USHER_FIELD_OMIT,
		NULL, &usher_operation_type },
	{ "leases", USHER_FIELD_RECORDS, offsetof(UsherReport, leases), USHER_FIELD_OMIT, NULL,
		&usher_lease_type },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherReport, usher_report, "report", report_fields)

static const UsherField wants_fields[] = {
	{ "session", USHER_FIELD_STRING, offsetof(UsherWants, session), USHER_FIELD_REQUIRED },
	{ "revision", USHER_FIELD_INT, offsetof(UsherWants, revision) },
	{ "operations", USHER_FIELD_RECORDS, offsetof(UsherWants, operations), 0, NULL,
		&usher_operation_type },
	{ "leases", USHER_FIELD_RECORDS, offsetof(UsherWants, leases), 0, NULL, &usher_lease_type },
	{ "has_records", USHER_FIELD_BOOL, offsetof(UsherWants, has_records), USHER_FIELD_OMIT },
	{ "records", USHER_FIELD_RECORDS, offsetof(UsherWants, records), USHER_FIELD_OMIT, NULL,
		&usher_device_type },
	{ NULL },
};
USHER_RECORD_DEFINE(UsherWants, usher_wants, "wants", wants_fields)
