/* SPDX-License-Identifier: Apache-2.0 */
#include "host/modules.h"

#include <libkmod.h>
#include <string.h>

#include "host/tree.h"

typedef struct kmod_ctx Context;
typedef struct kmod_list List;

static void context_free(Context *context)
{
	(void) kmod_unref(context);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Context, context_free)

static void list_free(List *list)
{
	(void) kmod_module_unref_list(list);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(List, list_free)

static int compare_names(const void *one, const void *other)
{
	const char *const *a = one, *const *b = other;
	return strcmp(*a, *b);
}

/* The attribute is read without a lock (drivers/pci/pci-sysfs.c, modalias_show). */
static char *read_modalias(const UsherDevice *device)
{
	if (device->kind != USHER_DEVICE_PCI)
		return NULL;
	g_autoptr(UsherTree) tree = usher_tree_open(NULL, NULL);
	g_autofree char *path =
		g_strconcat("sys/bus/pci/devices/", device->address, "/modalias", NULL);
	return usher_tree_read(tree, path);
}

GPtrArray *usher_modules_for(const UsherDevice *device)
{
	g_autofree char *modalias = read_modalias(device);
	g_autoptr(Context) context = modalias != NULL ? kmod_new(NULL, NULL) : NULL;
	List *found = NULL;
	if (context == NULL || kmod_load_resources(context) < 0 ||
		kmod_module_new_from_lookup(context, modalias, &found) < 0)
		return NULL;
	g_autoptr(List) modules = found;
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	struct kmod_list *item;
	kmod_list_foreach(item, modules)
	{
		struct kmod_module *module = kmod_module_get_module(item);
		const char *name = kmod_module_get_name(module);
		if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, g_strdup(name));
		(void) kmod_module_unref(module);
	}
	g_ptr_array_sort(names, compare_names);
	return names;
}
