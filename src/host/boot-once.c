/* SPDX-License-Identifier: Apache-2.0 */
#include "host/boot-once.h"

#include "base/error.h"
#include "core/doctor/boot-once.h"

typedef struct HostLoader {
	UsherBootLoaderPort base;
	const UsherBootFiles *files;
	const UsherHostFacts *health;
	UsherBootManifest *manifest;
} HostLoader;

static HostLoader *loader_of(UsherBootLoaderPort *loader)
{
	return (HostLoader *) (void *) loader;
}

/* Where its path is remembered before it is written, it is removed whatever happens between. */
static bool arm(UsherBootLoaderPort *loader, const GPtrArray *words, GError **error)
{
	(void) words; /* those of the wish */
	HostLoader *self = loader_of(loader);
	g_autoptr(UsherBootFacts) facts = usher_bootfiles_look(self->files, self->health, error);
	g_autoptr(UsherBootOnce) once =
		facts != NULL ? usher_boot_once_make(facts, self->manifest->wish, error) : NULL;
	if (once == NULL) {
		if (error != NULL && *error == NULL)
			usher_error_set(error, USHER_ERROR_UNAVAILABLE,
				"the boot loader can't boot something once any more");
		return false;
	}
	g_free(self->manifest->once);
	self->manifest->once = g_strdup(once->path);
	return usher_bootfiles_remember(self->files, self->manifest, error) &&
		usher_bootfiles_write(self->files, once->path, once->text, 0644, error) &&
		usher_bootfiles_run(once->command, error);
}

static bool drop(UsherBootLoaderPort *loader, GError **error)
{
	HostLoader *self = loader_of(loader);
	if (self->manifest->once != NULL &&
		!usher_bootfiles_write(self->files, self->manifest->once, NULL, 0, error))
		return false;
	g_clear_pointer(&self->manifest->once, g_free);
	return usher_bootfiles_remember(self->files, self->manifest, error);
}

static bool run_all(HostLoader *self, GError **error)
{
	GPtrArray *due = self->manifest->due;
	while (due->len > 0) {
		if (!usher_bootfiles_run(due->pdata[0], error))
			return false;
		g_ptr_array_remove_index(due, 0);
		if (!usher_bootfiles_remember(self->files, self->manifest, error))
			return false;
	}
	return true;
}

static bool keep(UsherBootLoaderPort *loader, const GPtrArray *words, GError **error)
{
	(void) words; /* those of the wish */
	HostLoader *self = loader_of(loader);
	g_autoptr(UsherBootFacts) facts = usher_bootfiles_look(self->files, self->health, error);
	g_autoptr(UsherBootPlan) plan =
		facts != NULL ? usher_boot_plan_make(facts, self->manifest->wish, error) : NULL;
	if (plan == NULL)
		return false;
	usher_boot_plan_note(plan, self->manifest);
	return usher_bootfiles_remember(self->files, self->manifest, error) &&
		usher_bootfiles_apply(self->files, plan, error) && run_all(self, error) &&
		drop(loader, error);
}

static void free_loader(UsherBootLoaderPort *loader)
{
	g_free(loader_of(loader));
}

static const UsherBootLoaderPortOps ops = {
	.name = "host",
	.arm = arm,
	.keep = keep,
	.drop = drop,
	.free = free_loader,
};

UsherBootLoaderPort *usher_boot_loader_host_new(
	const UsherBootFiles *files, const UsherHostFacts *health, UsherBootManifest *manifest)
{
	HostLoader *self = g_new0(HostLoader, 1);
	self->base.ops = &ops;
	self->files = files;
	self->health = health;
	self->manifest = manifest;
	return &self->base;
}

bool usher_bootfiles_undo(const UsherBootFiles *files, const UsherHostFacts *health,
	const UsherBootManifest *manifest, GError **error)
{
	g_autoptr(UsherBootFacts) facts = usher_bootfiles_look(files, health, error);
	g_autoptr(UsherBootPlan) plan =
		facts != NULL ? usher_boot_plan_revert(facts, manifest, error) : NULL;
	if (plan == NULL || !usher_bootfiles_apply(files, plan, error))
		return false;
	for (unsigned i = 0; i < plan->commands->len; i++) {
		if (!usher_bootfiles_run(plan->commands->pdata[i], error))
			return false;
	}
	return usher_bootfiles_forget(files, manifest, error);
}
