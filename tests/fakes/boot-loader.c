/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes/boot-loader.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

typedef struct Fake {
	UsherBootLoaderPort base;
	char *standing; /* words of every boot */
	char *armed;    /* of the next one; NULL: none is */
	char *booted;
	unsigned fails_at;
	bool has_done_it;
} Fake;

static Fake *fake_of(UsherBootLoaderPort *loader)
{
	return (Fake *) (void *) loader;
}

static void set(char **text, char *value)
{
	g_free(*text);
	*text = value;
}

static bool fails(Fake *self)
{
	return self->fails_at > 0 && --self->fails_at == 0;
}

static bool end(bool is_failing, GError **error)
{
	if (is_failing)
		usher_error_set(error, USHER_ERROR_HOST, "the power has gone");
	return !is_failing;
}

static bool arm(UsherBootLoaderPort *loader, const GPtrArray *words, GError **error)
{
	Fake *self = fake_of(loader);
	bool is_failing = fails(self);
	if (!is_failing || self->has_done_it)
		set(&self->armed, usher_text_join_array(words, " "));
	return end(is_failing, error);
}

static bool keep(UsherBootLoaderPort *loader, const GPtrArray *words, GError **error)
{
	Fake *self = fake_of(loader);
	bool is_failing = fails(self);
	if (!is_failing || self->has_done_it)
		set(&self->standing, usher_text_join_array(words, " "));
	return end(is_failing, error);
}

static bool drop(UsherBootLoaderPort *loader, GError **error)
{
	Fake *self = fake_of(loader);
	bool is_failing = fails(self);
	if (!is_failing || self->has_done_it)
		set(&self->armed, NULL);
	return end(is_failing, error);
}

static void free_loader(UsherBootLoaderPort *loader)
{
	Fake *self = fake_of(loader);
	g_free(self->standing);
	g_free(self->armed);
	g_free(self->booted);
	g_free(self);
}

static const UsherBootLoaderPortOps ops = {
	.name = "fake",
	.arm = arm,
	.keep = keep,
	.drop = drop,
	.free = free_loader,
};

UsherBootLoaderPort *fake_boot_loader_new(void)
{
	Fake *self = g_new0(Fake, 1);
	self->base.ops = &ops;
	self->standing = g_strdup("");
	return &self->base;
}

const char *fake_boot_loader_boot(UsherBootLoaderPort *loader)
{
	Fake *self = fake_of(loader);
	const char *words = self->armed != NULL ? self->armed : self->standing;
	set(&self->booted, g_strconcat("root=/dev/sda1 ", words, NULL));
	set(&self->armed, NULL);
	return self->booted;
}

bool fake_boot_loader_is_default(UsherBootLoaderPort *loader, const char *word)
{
	return strstr(fake_of(loader)->standing, word) != NULL;
}

void fake_boot_loader_fail(UsherBootLoaderPort *loader, unsigned n, bool has_done_it)
{
	Fake *self = fake_of(loader);
	self->fails_at = n;
	self->has_done_it = has_done_it;
}
