/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/facts.h"

#include <string.h>

#include "base/text.h"

void usher_pci_bar_free(UsherPciBar *bar)
{
	g_free(bar->address);
	g_free(bar);
}

void usher_config_line_free(UsherConfigLine *line)
{
	g_free(line->file);
	g_free(line->text);
	g_free(line);
}

UsherHostFacts *usher_host_facts_new(void)
{
	UsherHostFacts *facts = g_new0(UsherHostFacts, 1);
	facts->dmar_flags = facts->memlock_bytes = facts->memory_kb = USHER_INT_NULL;
	facts->huge_2m = facts->huge_1g = USHER_INT_NULL;
	facts->parameters = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	facts->config = g_ptr_array_new_with_free_func((GDestroyNotify) usher_config_line_free);
	facts->framebuffers = g_ptr_array_new_with_free_func(g_free);
	facts->bars = g_ptr_array_new_with_free_func((GDestroyNotify) usher_pci_bar_free);
	facts->mig_gpus = g_ptr_array_new_with_free_func(g_free);
	return facts;
}

void usher_host_facts_free(UsherHostFacts *facts)
{
	if (facts == NULL)
		return;
	char *texts[] = { facts->kernel, facts->cmdline, facts->cpu_vendor, facts->lockdown,
		facts->nvidia };
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(texts[i]);
	GHashTable *tables[] = { facts->modules, facts->builtins, facts->available,
		facts->parameters };
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		g_clear_pointer(&tables[i], g_hash_table_unref);
	GPtrArray *arrays[] = { facts->config, facts->framebuffers, facts->bars, facts->mig_gpus };
	for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
		g_ptr_array_unref(arrays[i]);
	g_free(facts);
}

unsigned usher_host_facts_kernel(const UsherHostFacts *facts)
{
	g_auto(GStrv) parts = g_strsplit(facts->kernel != NULL ? facts->kernel : "", ".", 3);
	uint32_t major, minor;
	if (g_strv_length(parts) < 2)
		return 0;
	parts[1][strspn(parts[1], "0123456789")] = '\0';
	if (!usher_text_parse_u32(parts[0], 999, &major, NULL) ||
		!usher_text_parse_u32(parts[1], 999, &minor, NULL))
		return 0;
	return major * 1000 + minor;
}

UsherFact usher_host_facts_has_module(const UsherHostFacts *facts, const char *name)
{
	if ((facts->modules != NULL && g_hash_table_contains(facts->modules, name)) ||
		(facts->builtins != NULL && g_hash_table_contains(facts->builtins, name)))
		return USHER_FACT_YES;
	return facts->modules != NULL && facts->builtins != NULL ? USHER_FACT_NO
								 : USHER_FACT_UNKNOWN;
}

const char *usher_host_facts_parameter(const UsherHostFacts *facts, const char *name)
{
	return g_hash_table_lookup(facts->parameters, name);
}
