/* SPDX-License-Identifier: Apache-2.0 */
#include "host/machine.h"

#include <string.h>

#include "base/fd.h"

#define ID_DIGITS 32

static char *read_line(const UsherTree *tree, const char *path)
{
	g_autofree char *text = usher_tree_read(tree, path);
	if (text == NULL)
		return NULL;
	g_strstrip(text);
	return text[0] != '\0' ? g_utf8_make_valid(text, -1) : NULL;
}

char *usher_machine_boot_id(const UsherTree *tree)
{
	char *id = read_line(tree, "proc/sys/kernel/random/boot_id");
	return id != NULL ? id : g_strdup("unknown");
}

/* Of hardware: those of virtual devices are new at every boot. */
static char *join_addresses(const UsherTree *tree)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, "sys/class/net");
	GString *joined = g_string_new(NULL);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		g_autofree char *path = g_strconcat("sys/class/net/", names->pdata[i], NULL);
		g_autofree char *target = usher_tree_link(tree, path);
		g_auto(UsherFd) folder = usher_tree_open_folder(tree, path);
		if (target == NULL || folder < 0 || strstr(target, "/virtual/") != NULL)
			continue;
		/* linux/netdevice.h, NET_ADDR_PERM */
		g_autofree char *kind = usher_attr_read(folder, "addr_assign_type");
		g_autofree char *address = usher_attr_read(folder, "address");
		if (g_strcmp0(kind, "0") == 0 && address != NULL)
			g_string_append_printf(joined, "%s ", address);
	}
	return g_string_free(joined, joined->len == 0);
}

char *usher_machine_id(const UsherTree *tree)
{
	g_autofree char *own = read_line(tree, "etc/machine-id");
	if (own != NULL && strlen(own) == ID_DIGITS && strspn(own, "0123456789abcdef") == ID_DIGITS)
		return g_steal_pointer(&own);
	g_autofree char *source = read_line(tree, "sys/class/dmi/id/product_uuid");
	if (source == NULL)
		source = join_addresses(tree);
	if (source == NULL)
		source = read_line(tree, "proc/sys/kernel/hostname");
	g_autofree char *text = g_strconcat("usher machine ", source != NULL ? source : "", NULL);
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	return g_strndup(sum, ID_DIGITS);
}
