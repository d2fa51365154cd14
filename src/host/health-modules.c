/* SPDX-License-Identifier: Apache-2.0 */
#include "host/health-parts.h"

#include <string.h>

/* As the kernel writes it: "vfio-pci" is vfio_pci. */
static char *module_name(const char *text)
{
	return g_strdelimit(g_strdup(text), "-", '_');
}

static GHashTable *name_set(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

/* "vfio_pci 16384 0 - Live 0x0": the first word of each line. NULL: there is no such file. */
static GHashTable *read_loaded(const UsherTree *tree)
{
	g_autofree char *text = usher_tree_read(tree, "proc/modules");
	if (text == NULL)
		return NULL;
	GHashTable *names = name_set();
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		lines[i][strcspn(lines[i], " ")] = '\0';
		if (lines[i][0] != '\0')
			g_hash_table_add(names, module_name(lines[i]));
	}
	return names;
}

/* "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/…": the name of the first file of each line. */
static GHashTable *read_index(const UsherTree *tree, const char *kernel, const char *file)
{
	if (kernel == NULL || strchr(kernel, '/') != NULL)
		return NULL;
	g_autofree char *path = g_strdup_printf("lib/modules/%s/%s", kernel, file);
	g_autofree char *text = usher_tree_read(tree, path);
	if (text == NULL)
		return NULL;
	GHashTable *names = name_set();
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		lines[i][strcspn(lines[i], ":")] = '\0';
		const char *slash = strrchr(lines[i], '/');
		char *dot = slash != NULL ? strstr(slash, ".ko") : NULL;
		if (dot == NULL)
			continue;
		*dot = '\0';
		g_hash_table_add(names, module_name(slash + 1));
	}
	return names;
}

static void read_parameters(const UsherTree *tree, UsherHostFacts *facts)
{
	static const char *const known[][2] = { { "i915", "enable_gvt" }, { "i915", "enable_guc" },
		{ "i915", "max_vfs" }, { "xe", "max_vfs" }, { "kvm_intel", "nested" },
		{ "kvm_amd", "nested" } };
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		g_autofree char *path =
			g_strdup_printf("sys/module/%s/parameters/%s", known[i][0], known[i][1]);
		char *value = usher_tree_read(tree, path);
		if (value != NULL)
			g_hash_table_insert(facts->parameters,
				g_strdup_printf("%s.%s", known[i][0], known[i][1]), value);
	}
}

/* ---- files that configure them ---- */

static void add_lines(const char *file, const char *text, GPtrArray *config)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		lines[i][strcspn(lines[i], "#;")] = '\0';
		g_strstrip(lines[i]);
		if (lines[i][0] == '\0')
			continue;
		UsherConfigLine *line = g_new0(UsherConfigLine, 1);
		line->file = g_strconcat("/", file, NULL);
		line->line = i + 1;
		line->text = g_strdup(lines[i]);
		g_ptr_array_add(config, line);
	}
}

static void read_config(const UsherTree *tree, UsherHostFacts *facts)
{
	static const char *const folders[] = { "etc/modules-load.d", "etc/modprobe.d" };
	g_autofree char *modules = usher_tree_read(tree, "etc/modules");
	if (modules != NULL)
		add_lines("etc/modules", modules, facts->config);
	facts->config_known = modules != NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autoptr(GPtrArray) names = usher_tree_list(tree, folders[i]);
		facts->config_known |= names != NULL;
		for (unsigned j = 0; names != NULL && j < names->len; j++) {
			g_autofree char *path =
				g_strdup_printf("%s/%s", folders[i], (char *) names->pdata[j]);
			g_autofree char *text = g_str_has_suffix(path, ".conf")
				? usher_tree_read(tree, path)
				: NULL;
			if (text != NULL)
				add_lines(path, text, facts->config);
		}
	}
}

void usher_health_modules(const UsherTree *tree, UsherHostFacts *facts)
{
	facts->modules = read_loaded(tree);
	facts->builtins = read_index(tree, facts->kernel, "modules.builtin");
	facts->available = read_index(tree, facts->kernel, "modules.dep");
	read_parameters(tree, facts);
	read_config(tree, facts);
}
