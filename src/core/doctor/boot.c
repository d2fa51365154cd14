/* SPDX-License-Identifier: Apache-2.0 */
#include "core/doctor/boot.h"

#include <string.h>

#define AT(Type, member) offsetof(Type, member)
#define TEXT(Type, member) \
	{ \
#member, USHER_FIELD_STRING, AT(Type, member), USHER_FIELD_OMIT \
	}
#define TEXTS(Type, member) \
	{ \
#member, USHER_FIELD_STRINGS, AT(Type, member), USHER_FIELD_OMIT \
	}
#define FLAG(Type, member) \
	{ \
#member, USHER_FIELD_BOOL, AT(Type, member), USHER_FIELD_OMIT \
	}
#define RECORDS(Type, member, record) \
	{ \
#member, USHER_FIELD_RECORDS, AT(Type, member), USHER_FIELD_OMIT, NULL, \
			&record##_type \
	}

static const UsherField hold_fields[] = {
	TEXT(UsherBootHold, address),
	TEXT(UsherBootHold, id),
	TEXT(UsherBootHold, driver),
	FLAG(UsherBootHold, shares_id),
	FLAG(UsherBootHold, is_builtin),
	FLAG(UsherBootHold, shows_console),
	FLAG(UsherBootHold, carries_network),
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootHold, usher_boot_hold, "hold", hold_fields)

static const UsherField wish_fields[] = {
	TEXTS(UsherBootWish, words),
	TEXTS(UsherBootWish, unwanted),
	TEXTS(UsherBootWish, modules),
	TEXTS(UsherBootWish, softdeps),
	TEXTS(UsherBootWish, options),
	RECORDS(UsherBootWish, holds, usher_boot_hold),
	TEXTS(UsherBootWish, unsigned_modules),
	TEXTS(UsherBootWish, promises),
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootWish, usher_boot_wish, "wish", wish_fields)

static const UsherField change_fields[] = {
	TEXT(UsherBootChange, was),
	TEXT(UsherBootChange, is),
	TEXT(UsherBootChange, after),
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootChange, usher_boot_change, "change", change_fields)

static const UsherField edit_fields[] = {
	{ "path", USHER_FIELD_STRING, AT(UsherBootEdit, path), USHER_FIELD_REQUIRED },
	TEXT(UsherBootEdit, variable),
	FLAG(UsherBootEdit, is_lines),
	FLAG(UsherBootEdit, is_new),
	{ "mode", USHER_FIELD_INT, AT(UsherBootEdit, mode), USHER_FIELD_OMIT },
	TEXT(UsherBootEdit, was),
	TEXT(UsherBootEdit, is),
	RECORDS(UsherBootEdit, changes, usher_boot_change),
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootEdit, usher_boot_edit, "edit", edit_fields)

static const UsherField command_fields[] = {
	TEXTS(UsherBootCommand, words),
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootCommand, usher_boot_command, "command", command_fields)

static const UsherField manifest_fields[] = {
	{ "made", USHER_FIELD_TIME, AT(UsherBootManifest, made), 0 },
	TEXT(UsherBootManifest, boot_id),
	TEXT(UsherBootManifest, goal),
	TEXT(UsherBootManifest, address),
	TEXTS(UsherBootManifest, promises),
	RECORDS(UsherBootManifest, edits, usher_boot_edit),
	RECORDS(UsherBootManifest, due, usher_boot_command),
	{ "attempt", USHER_FIELD_RECORD, AT(UsherBootManifest, attempt), USHER_FIELD_OMIT, NULL,
		&usher_boot_try_type },
	{ "wish", USHER_FIELD_RECORD, AT(UsherBootManifest, wish), USHER_FIELD_OMIT, NULL,
		&usher_boot_wish_type },
	TEXT(UsherBootManifest, once),
	TEXTS(UsherBootManifest, guests),
	{ NULL },
};
USHER_RECORD_DEFINE(UsherBootManifest, usher_boot_manifest, "manifest", manifest_fields)

UsherBootFile *usher_boot_file_new(const char *path, const char *text)
{
	UsherBootFile *file = g_new0(UsherBootFile, 1);
	file->path = g_strdup(path);
	file->text = g_strdup(text);
	file->mode = 0644;
	return file;
}

void usher_boot_file_free(UsherBootFile *file)
{
	if (file == NULL)
		return;
	g_free(file->path);
	g_free(file->text);
	g_free(file);
}

UsherBootFile *usher_boot_file_find(const GPtrArray *files, const char *path)
{
	for (unsigned i = 0; i < files->len; i++) {
		UsherBootFile *file = files->pdata[i];
		if (strcmp(file->path, path) == 0)
			return file;
	}
	return NULL;
}

GPtrArray *usher_boot_files_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify) usher_boot_file_free);
}

GPtrArray *usher_boot_files_dup(const GPtrArray *files)
{
	GPtrArray *copy = usher_boot_files_new();
	for (unsigned i = 0; i < files->len; i++) {
		const UsherBootFile *file = files->pdata[i];
		UsherBootFile *other = usher_boot_file_new(file->path, file->text);
		other->mode = file->mode;
		g_ptr_array_add(copy, other);
	}
	return copy;
}
