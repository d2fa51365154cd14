/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/why.h"

#include <stdbool.h>
#include <string.h>

#define NAME_WIDTH 28U
#define WORD_MAX   10 /* that is cut off whole */

/* The first row that fits. */
static const struct {
	const char *begin; /* of the sentence */
	const char *part;  /* what comes later in it; NULL: anything */
	const char *word;
	bool is_all; /* the sentence is no longer than begin */
} words[] = {
	{ "holds /", NULL, "root-fs", .is_all = true },
	{ "holds /boot/efi", NULL, "esp", .is_all = true },
	{ "holds /efi", NULL, "esp", .is_all = true },
	{ "holds /boot", NULL, "boot-fs" },
	{ "holds active swap", NULL, "swap" },
	{ "holds ", NULL, "mounted" },
	{ "has ", "named in /etc/fstab", "fstab" },
	{ "has ", "named in /etc/crypttab", "crypttab" },
	{ "has ", "named in ", "domain-disk" },
	{ "has the last keyboard", NULL, "last-keyboard" },
	{ "has memory that firmware ", NULL, "firmware-memory" },
	{ "has live mediated devices", NULL, "mdevs-live" },
	{ "has ", " on ", "has-data" },
	{ "is part of ", NULL, "part-of-volume" },
	{ "carries the default route", NULL, "default-route" },
	{ "carries an SSH session", NULL, "ssh" },
	{ "carries iSCSI", NULL, "iscsi" },
	{ "carries NFS", NULL, "nfs" },
	{ "carries Ceph", NULL, "ceph" },
	{ "carries DRBD", NULL, "drbd" },
	{ "carries corosync", NULL, "corosync" },
	{ "carries the network of a guest", NULL, "guests" },
	{ "carries ", NULL, "network" },
	{ "brings ", NULL, "shared-folder" },
	{ "is the boot display", NULL, "boot-display" },
	{ "is the host's TPM", NULL, "tpm" },
	{ "watches the host's UPS", NULL, "ups" },
	{ "is a hub", NULL, "hub" },
	{ "is the IOMMU", NULL, "iommu" },
	{ "is the SMBus", NULL, "smbus" },
	{ "is the management", NULL, "bmc" },
	{ "is a function of the management", NULL, "bmc" },
	{ "is a memory controller", NULL, "memory" },
	{ "is a system peripheral", NULL, "chipset" },
	{ "is ", "bridge", "bridge" },
	{ "may hold ", NULL, "disks-unknown" },
	{ "may have a disk ", NULL, "disks-unknown" },
	{ "may have the last keyboard", NULL, "inputs-unknown" },
	{ "may be anything", NULL, "unknown" },
	{ "may carry ", NULL, "routes-unknown" },
	{ "may be the boot display", NULL, "display-unknown" },
	{ "no IOMMU ", NULL, "no-iommu" },
	{ "nobody can tell whether an IOMMU", NULL, "iommu-unknown" },
	{ "is in no IOMMU group", NULL, "no-group" },
	{ "", "in its IOMMU group", "shared-group" },
	{ "", "virtual functions are active", "vfs-active" },
	{ "vfio-pci refuses it", NULL, "vfio-denylist" },
};

char *usher_cli_why_word(const char *sentence)
{
	if (g_str_has_prefix(sentence, "it "))
		sentence += strlen("it ");
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		size_t length = strlen(words[i].begin);
		if (strncmp(sentence, words[i].begin, length) != 0 ||
			(words[i].is_all && sentence[length] != '\0') ||
			(words[i].part != NULL && strstr(sentence, words[i].part) == NULL))
			continue;
		return g_strdup(words[i].word);
	}
	return g_strdelimit(g_strdup(sentence), " ", '-');
}

/* Applied in this order, each wherever it stands. */
static const struct {
	const char *from, *to;
} shorter[] = {
	{ " Network Connection", "" },
	{ " Ethernet Controller", "" },
	{ "Ethernet Controller ", "" },
	{ " Ethernet Adapter", "" },
	{ " Network Adapter", "" },
	{ " PCI Express Root Port", " Root Port" },
	{ " PCI Express Gigabit", " Gigabit" },
	{ "PCI Express ", "PCIe " },
	{ "PCI-Express ", "PCIe " },
	{ "High Definition Audio", "HD Audio" },
	{ "Serial Attached SCSI", "SAS" },
	{ " Core Processor", "" },
	{ " Processor", "" },
	{ " Chipset Family", "" },
	{ " Series Family", " Series" },
	{ " Family", "" },
	{ "Host Bridge/DRAM Registers", "Host Bridge" },
	{ "SATA Controller [AHCI mode]", "SATA" },
	{ " SSD Controller", " SSD" },
	{ "USB Controller", "USB" },
	{ " xHCI Host Controller", " xHCI" },
	{ " Host Controller", "" },
	{ " Integrated Graphics Controller", " Graphics" },
	{ " Integrated Graphics", " Graphics" },
	{ " Graphics Controller", " Graphics" },
	{ " for 10GbE", " 10GbE" },
};

static const char *const alternatives = "/"; /* "Matisse/Starship GPP Bridge": the first does */

static char *replace(const char *text, const char *from, const char *to)
{
	g_auto(GStrv) parts = g_strsplit(text, from, -1);
	return g_strjoinv(to, parts);
}

/* Of many chips that one id stands for the first is named. */
static char *keep_first(const char *name)
{
	g_auto(GStrv) words_of = g_strsplit(name, " ", -1);
	for (unsigned i = 0; words_of[i] != NULL; i++) {
		size_t length = strcspn(words_of[i], alternatives);
		if (strchr(words_of[i], '[') == NULL && length >= 4 &&
			strlen(words_of[i]) > length + 3)
			words_of[i][length] = '\0';
	}
	return g_strjoinv(" ", words_of);
}

char *usher_cli_cut(const char *text, unsigned width)
{
	if ((unsigned long) g_utf8_strlen(text, -1) <= width)
		return g_strdup(text);
	bool has_dots = g_get_charset(NULL);
	g_autofree char *head = g_utf8_substring(text, 0, width - 1);
	char *space = strrchr(head, ' ');
	if (space != NULL && space > head && strlen(space) <= WORD_MAX)
		*space = '\0';
	return g_strconcat(head, has_dots ? "…" : "~", NULL);
}

char *usher_cli_short_name(const char *name)
{
	g_autofree char *text = g_strdup(name);
	for (size_t i = 0; i < G_N_ELEMENTS(shorter); i++) {
		g_autofree char *next = replace(text, shorter[i].from, shorter[i].to);
		g_strstrip(next);
		if (next[0] == '\0')
			continue;
		g_free(text);
		text = g_steal_pointer(&next);
	}
	g_autofree char *first = keep_first(text);
	return usher_cli_cut(first, NAME_WIDTH);
}
