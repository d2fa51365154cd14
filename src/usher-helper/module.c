/* SPDX-License-Identifier: Apache-2.0 */
#include "module.h"

#include <libkmod.h>
#include <string.h>

#include "base/error.h"

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

static bool insert(struct kmod_module *module, GError **error)
{
	int state = kmod_module_get_initstate(module);
	if (state == KMOD_MODULE_LIVE || state == KMOD_MODULE_BUILTIN)
		return true;
	int result = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);
	if (result == 0)
		return true;
	usher_error_errno(error, result < 0 ? -result : result, "insert it");
	return false;
}

static bool load(const char *name, GError **error)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	if (name[0] == '\0' || strspn(name, letters) != strlen(name)) {
		usher_error_set(error, USHER_ERROR_INVALID, "that is no name of a module");
		return false;
	}
	g_autoptr(Context) context = kmod_new(NULL, NULL);
	List *found = NULL;
	int result = context != NULL ? kmod_module_new_from_lookup(context, name, &found) : -1;
	g_autoptr(List) modules = found;
	if (result < 0 || modules == NULL) {
		usher_error_set(error, USHER_ERROR_HOST, "this kernel has no such module");
		return false;
	}
	struct kmod_list *item;
	kmod_list_foreach(item, modules)
	{
		struct kmod_module *module = kmod_module_get_module(item);
		bool is_in = insert(module, error);
		(void) kmod_module_unref(module);
		if (!is_in)
			return false;
	}
	return true;
}

bool usher_module_load(const UsherTree *tree, int argc, char **argv, GError **error)
{
	g_assert(argc == 1);
	bool is_loaded = false;
	if (usher_tree_is_live(tree))
		is_loaded = load(argv[0], error);
	else
		usher_error_set(error, USHER_ERROR_DENIED, "not under --root");
	if (!is_loaded)
		g_prefix_error(error, "load the module %s: ", argv[0]);
	return is_loaded;
}
