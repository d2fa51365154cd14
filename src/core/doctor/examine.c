/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/private.h"
#include "core/doctor/promise.h"

const char *const usher_goal_names[] = { "pci", "gvt-g", "intel-sriov", "nvidia-vgpu", "host-gpu",
	"kubernetes", NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(usher_goal_names) == USHER_N_GOALS + 1);

UsherGoal usher_goal_named(const char *name)
{
	for (unsigned i = 0; i < USHER_N_GOALS; i++) {
		if (g_strcmp0(usher_goal_names[i], name) == 0)
			return (UsherGoal) i;
	}
	return USHER_GOAL_PCI;
}

GPtrArray *usher_doctor_examine(const UsherHostFacts *facts, const UsherInventory *inventory,
	UsherGoal goal, const char *address)
{
	UsherDoctor doctor = {
		.facts = facts,
		.inventory = inventory,
		.goal = goal,
		.device = address != NULL ? usher_inventory_find_text(inventory, address) : NULL,
		.words = facts->cmdline != NULL ? usher_kernel_words(facts->cmdline) : NULL,
		.findings = g_ptr_array_new_with_free_func(usher_finding_type.free),
	};
	g_assert(address == NULL || doctor.device != NULL);
	usher_doctor_processor(&doctor);
	usher_doctor_iommu(&doctor);
	usher_doctor_modules(&doctor);
	usher_doctor_displays(&doctor);
	usher_doctor_vgpus(&doctor);
	usher_doctor_addresses(&doctor);
	if (doctor.words != NULL)
		g_ptr_array_unref(doctor.words);
	return doctor.findings;
}

const char *usher_doctor_verdict(const GPtrArray *findings)
{
	const char *verdict = "ready";
	for (unsigned i = 0; i < findings->len; i++) {
		const UsherFinding *finding = findings->pdata[i];
		if (finding->status != USHER_FINDING_FAIL)
			continue;
		if (finding->who == USHER_WHO_NOBODY)
			return "not-capable";
		verdict = "fixable";
	}
	return verdict;
}

static void write_all(UsherJsonWriter *writer, const char *key, const UsherRecordType *type,
	const GPtrArray *records)
{
	usher_json_key(writer, key);
	usher_json_begin_array(writer);
	for (unsigned i = 0; i < records->len; i++)
		usher_record_write(type, records->pdata[i], writer);
	usher_json_end_array(writer);
}

char *usher_doctor_print(const GPtrArray *findings, const GPtrArray *promises, bool pretty)
{
	UsherJsonWriter *writer = usher_json_writer_new(pretty);
	usher_json_begin_object(writer);
	usher_json_put_string(writer, "verdict", usher_doctor_verdict(findings));
	write_all(writer, "findings", &usher_finding_type, findings);
	if (promises != NULL)
		write_all(writer, "promises", &usher_promise_type, promises);
	usher_json_end_object(writer);
	return usher_json_writer_finish(writer);
}
