/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scan-parts.h"

#include <string.h>

#include "core/pci-addr.h"

static UsherBlock *find_block(const UsherInventory *inventory, const char *name)
{
	for (unsigned i = 0; i < inventory->blocks->len; i++) {
		UsherBlock *block = inventory->blocks->pdata[i];
		if (strcmp(block->name, name) == 0)
			return block;
	}
	return NULL;
}

static UsherBlock *find_mapper(const UsherInventory *inventory, const char *name)
{
	for (unsigned i = 0; i < inventory->blocks->len; i++) {
		UsherBlock *block = inventory->blocks->pdata[i];
		if (g_strcmp0(block->mapper, name) == 0)
			return block;
	}
	return NULL;
}

/* "UUID=x" is "/dev/disk/by-uuid/x"; what is a path already stays. NULL: no block device. */
static char *path_of_tag(const char *tag)
{
	static const struct {
		const char *prefix, *folder;
	} tags[] = {
		{ "UUID=", "/dev/disk/by-uuid/" },
		{ "LABEL=", "/dev/disk/by-label/" },
		{ "PARTUUID=", "/dev/disk/by-partuuid/" },
		{ "PARTLABEL=", "/dev/disk/by-partlabel/" },
		{ "ID=", "/dev/disk/by-id/" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(tags); i++) {
		if (!g_str_has_prefix(tag, tags[i].prefix))
			continue;
		g_autofree char *value = g_strdup(tag + strlen(tags[i].prefix));
		g_strdelimit(value, "\"", ' ');
		return g_strconcat(tags[i].folder, g_strstrip(value), NULL);
	}
	return g_str_has_prefix(tag, "/dev/") ? g_strdup(tag) : NULL;
}

static UsherBlock *resolve(const UsherTree *tree, const char *tag, const UsherInventory *inventory)
{
	g_autofree char *path = path_of_tag(tag);
	if (path == NULL)
		return NULL;
	g_autofree char *name = g_path_get_basename(path);
	if (g_str_has_prefix(path, "/dev/mapper/"))
		return find_mapper(inventory, name);
	g_autofree char *target = usher_tree_link(tree, path + 1);
	g_autofree char *target_name = target != NULL ? g_path_get_basename(target) : NULL;
	return find_block(inventory, target_name != NULL ? target_name : name);
}

static void add_claim(UsherBlock *block, const char *path, const char *purpose)
{
	if (block != NULL && block->claim == NULL)
		block->claim = purpose != NULL ? g_strdup_printf("/%s for %s", path, purpose)
					       : g_strconcat("/", path, NULL);
}

/* A blank in a word is "\040" (fstab(5)). */
static char *unescape(const char *word)
{
	g_autofree char *plain = g_strcompress(word);
	return g_utf8_make_valid(plain, -1);
}

/* Both files have a line for each, of words: fstab names the device first and then the place,
 * crypttab the name first and then the device. */
static void read_claims(
	const UsherTree *tree, const char *path, bool is_name_first, UsherInventory *inventory)
{
	g_autofree char *text = usher_tree_read_known(tree, path, &inventory->claims_known);
	g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_strdelimit(g_strstrip(lines[i]), "\t", ' ');
		size_t length = strcspn(lines[i], " ");
		if (lines[i][0] == '#' || lines[i][length] == '\0')
			continue;
		char *rest = lines[i] + length;
		*rest++ = '\0';
		rest += strspn(rest, " ");
		rest[strcspn(rest, " ")] = '\0';
		g_autofree char *tag = unescape(is_name_first ? rest : lines[i]);
		g_autofree char *name = unescape(is_name_first ? lines[i] : rest);
		add_claim(resolve(tree, tag, inventory), path, name);
	}
}

/* The disks of a domain, the device of "<source dev='/dev/sdb' …" and of "<source file=…"; a hypervisor
 * writes it in one form. */
static void read_disks(
	const UsherTree *tree, const char *path, const char *text, UsherInventory *inventory)
{
	g_autoptr(GRegex) source =
		g_regex_new("<source [^>]*?(?:dev|file)=['\"](/dev/[^'\"]*)", 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;
	(void) g_regex_match(source, text, 0, &match);
	for (; g_match_info_matches(match); (void) g_match_info_next(match, NULL)) {
		g_autofree char *device = g_match_info_fetch(match, 1);
		add_claim(resolve(tree, device, inventory), path, NULL);
	}
}

static void add_taker(
	UsherInventory *inventory, const char *address, const char *kind, const char *name)
{
	UsherPciAddr addr;
	char text[USHER_PCI_ADDR_TEXT];
	if (!usher_pci_addr_parse(address, &addr, NULL))
		return;
	UsherTaker *taker = g_new0(UsherTaker, 1);
	taker->address = g_strdup(usher_pci_addr_print(addr, text));
	taker->kind = g_strdup(kind);
	taker->name = g_utf8_make_valid(name, -1);
	g_ptr_array_add(inventory->takers, taker);
}

/* The functions that a domain is defined to have: "<source> <address domain='0x0000' bus='0x01'
 * slot='0x00' function='0x0'/>", of a hostdev and of an NVMe disk; where the guest sees it stands in
 * an address of its own, outside of the source. */
static void read_functions(const char *path, const char *text, UsherInventory *inventory)
{
	g_autoptr(GRegex) source =
		g_regex_new("<source[^>]*>\\s*<address domain='0x([0-9a-f]+)' bus='0x([0-9a-f]+)' "
			    "slot='0x([0-9a-f]+)' function='0x([0-7])'",
			0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;
	g_autofree char *name = g_path_get_basename(path);
	*strrchr(name, '.') = '\0';
	(void) g_regex_match(source, text, 0, &match);
	for (; g_match_info_matches(match); (void) g_match_info_next(match, NULL)) {
		g_autofree char *address =
			g_match_info_expand_references(match, "\\1:\\2:\\3.\\4", NULL);
		add_taker(inventory, address, "domain", name);
	}
}

/* What domains are defined to have and what they have now: a disk that a guest writes to is not the
 * host's to give, mounted or not. Functions that one has now are usher's as well; processes tell. */
static void read_domains(
	const UsherTree *tree, const char *folder, bool are_defined, UsherInventory *inventory)
{
	bool *known = &inventory->claims_known;
	g_autoptr(GPtrArray) names = usher_tree_list_known(tree, folder, known);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		if (!g_str_has_suffix(names->pdata[i], ".xml"))
			continue;
		g_autofree char *path = g_strconcat(folder, "/", names->pdata[i], NULL);
		g_autofree char *text = usher_tree_read_known(tree, path, known);
		if (text == NULL || !g_utf8_validate(text, -1, NULL))
			continue;
		read_disks(tree, path, text, inventory);
		if (are_defined)
			read_functions(path, text, inventory);
	}
}

/* Mediated devices that are to be made on a function: "etc/mdevctl.d/0000:00:02.0/UUID". */
static void read_mdevctl(const UsherTree *tree, UsherInventory *inventory)
{
	static const char folder[] = "etc/mdevctl.d";
	g_autoptr(GPtrArray) parents = usher_tree_list(tree, folder);
	for (unsigned i = 0; parents != NULL && i < parents->len; i++) {
		g_autofree char *path = g_strconcat(folder, "/", parents->pdata[i], NULL);
		g_autoptr(GPtrArray) uuids = usher_tree_list(tree, path);
		for (unsigned j = 0; uuids != NULL && j < uuids->len; j++) {
			g_autofree char *file = g_strconcat(path, "/", uuids->pdata[j], NULL);
			g_autofree char *definition = usher_tree_read(tree, file);
			if (definition != NULL)
				add_taker(inventory, parents->pdata[i], "mdevctl", uuids->pdata[j]);
		}
	}
}

void usher_scan_claims(const UsherTree *tree, UsherInventory *inventory)
{
	inventory->claims_known = true;
	read_claims(tree, "etc/fstab", /* is_name_first */ false, inventory);
	read_claims(tree, "etc/crypttab", /* is_name_first */ true, inventory);
	read_domains(tree, "etc/libvirt/qemu", /* are_defined */ true, inventory);
	read_domains(tree, "run/libvirt/qemu", /* are_defined */ false, inventory);
	read_mdevctl(tree, inventory);
}
