/* SPDX-License-Identifier: Apache-2.0 */
/* usher device users: which processes hold devices. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/devices.h"

static const UsherColumn columns[] = {
	{ "ADDRESS", "address" },
	{ "PID", "pid" },
	{ "NAME", "name" },
	{ "UNIT", "unit", .gives_way = true },
	{ "DOMAIN", "domain" },
	{ "NODES", "paths" },
	{ NULL },
};
static const UsherNoun noun = { "holder", NULL, "pid", columns };

GPtrArray *usher_cli_holders(UsherCli *cli, const UsherInventory *inventory, const char *address,
	unsigned *out_unseen, GError **error)
{
	g_autoptr(UsherTree) tree = usher_tree_open(cli->root, error);
	if (tree == NULL)
		return NULL;
	GPtrArray *holders = usher_holders_find(tree, inventory, out_unseen);
	for (unsigned i = 0; address != NULL && i < holders->len;) {
		const UsherHolder *holder = holders->pdata[i];
		if (strcmp(holder->address, address) == 0 ||
			g_strcmp0(holder->controller, address) == 0)
			i++;
		else
			g_ptr_array_remove_index(holders, i);
	}
	return holders;
}

static UsherJson *json_of(const UsherHolder *holder)
{
	g_autofree char *text = usher_record_print(&usher_holder_type, holder);
	return usher_json_parse(text, strlen(text), NULL);
}

char *usher_cli_unseen(const UsherCli *cli, unsigned n_unseen)
{
	if (cli->root != NULL)
		return g_strdup("who holds it is unknown: a recording has no processes");
	return g_strdup_printf("%u processes of others could not be looked into, and may hold it: "
			       "root sees all",
		n_unseen);
}

bool usher_cmd_device_users(UsherCli *cli, GError **error)
{
	const char *name = usher_cli_arg(cli, 0);
	g_autoptr(UsherInventory) inventory = usher_cli_scan(cli, error);
	const UsherDevice *device = NULL;
	if (inventory == NULL)
		return false;
	if (name != NULL && (device = usher_cli_find_here(inventory, name, error)) == NULL)
		return false;
	unsigned n_unseen;
	g_autoptr(GPtrArray) holders = usher_cli_holders(
		cli, inventory, device != NULL ? device->address : NULL, &n_unseen, error);
	if (holders == NULL)
		return false;
	g_autoptr(GPtrArray) items =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_json_unref);
	for (unsigned i = 0; i < holders->len; i++)
		g_ptr_array_add(items, json_of(holders->pdata[i]));
	if (cli->format == USHER_FORMAT_NAME) {
		for (unsigned i = 0; i < holders->len; i++)
			printf("%" G_GINT64_FORMAT "\n", ((UsherHolder *) holders->pdata[i])->pid);
	} else {
		usher_cli_print_items(cli, &noun, items);
	}
	(void) fflush(stdout);
	g_autofree char *unseen = n_unseen > 0 ? usher_cli_unseen(cli, n_unseen) : NULL;
	if (unseen != NULL)
		fprintf(stderr, "note: %s\n", unseen);
	return true;
}
