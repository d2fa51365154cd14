/* SPDX-License-Identifier: Apache-2.0 */
#include "host/scrub.h"

#include <string.h>

#include "core/identity.h"
#include "core/pci-addr.h"
#include "host/smbios.h"

#define SHORTEST     6 /* a text that is replaced wherever it stands; shorter ones only alone */
#define MAC_TEXT     17
#define MAC_OUI      8      /* "00:1b:21": of the vendor, who is known anyway */
#define CAPABILITIES 0x100  /* PCIe 6.0, 7.6.2 */
#define SERIAL_ID    0x0003 /* PCIe 6.0, 7.9.3 */
#define SERIAL_SIZE  8
#define CONFIG_SIZE  0x1000

struct UsherScrub {
	uint8_t key[USHER_SCRUB_KEY_SIZE];
	GHashTable *pseudonyms; /* secret → pseudonym */
	GHashTable *taken;      /* pseudonyms that stand for something */
};

UsherScrub *usher_scrub_new(const uint8_t key[USHER_SCRUB_KEY_SIZE])
{
	UsherScrub *scrub = g_new0(UsherScrub, 1);
	memcpy(scrub->key, key, USHER_SCRUB_KEY_SIZE);
	scrub->pseudonyms = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	scrub->taken = g_hash_table_new(g_str_hash, g_str_equal);
	return scrub;
}

void usher_scrub_free(UsherScrub *scrub)
{
	if (scrub == NULL)
		return;
	g_hash_table_unref(scrub->taken);
	g_hash_table_unref(scrub->pseudonyms);
	g_free(scrub);
}

static bool is_mac(const char *text)
{
	if (strlen(text) != MAC_TEXT)
		return false;
	for (unsigned i = 0; i < MAC_TEXT; i++) {
		if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
			return false;
	}
	return true;
}

static bool is_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdefABCDEF-:")] == '\0';
}

/* A letter for a letter, a digit for a digit, in numbers of base 16 one digit for another. */
static char replace_char(char from, unsigned chance, bool hex)
{
	static const char digits[] = "0123456789abcdef";
	if (!g_ascii_isalnum(from))
		return from;
	if (hex && g_ascii_isupper(from))
		return g_ascii_toupper(digits[10 + chance % 6]);
	if (hex && g_ascii_isalpha(from))
		return digits[10 + chance % 6];
	if (g_ascii_isdigit(from))
		return digits[chance % 10];
	return (char) ((g_ascii_isupper(from) ? 'A' : 'a') + (int) (chance % 26));
}

static char *make_pseudonym(const UsherScrub *scrub, const char *secret, unsigned round)
{
	bool hex = is_hex(secret);
	char *text = g_strdup(secret);
	for (size_t i = is_mac(secret) ? MAC_OUI : 0; text[i] != '\0'; i++) {
		uint8_t sum[32];
		gsize size = sizeof sum;
		GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, scrub->key, sizeof scrub->key);
		g_autofree char *salt = g_strdup_printf("%u %zu ", round, i);
		g_hmac_update(hmac, (const guchar *) salt, (gssize) strlen(salt));
		g_hmac_update(hmac, (const guchar *) secret, (gssize) strlen(secret));
		g_hmac_get_digest(hmac, sum, &size);
		g_hmac_unref(hmac);
		text[i] = replace_char(secret[i], (unsigned) sum[0] << 8 | sum[1], hex);
	}
	return text;
}

/* What says nothing about a machine, or is no serial but an address on it. */
static bool is_harmless(const char *text)
{
	UsherPciAddr addr;
	return text[0] == '\0' || usher_identity_is_dummy(text) ||
		usher_pci_addr_parse(text, &addr, NULL) || text[strspn(text, "0-:fF")] == '\0' ||
		strcmp(text, "localhost") == 0;
}

static void put_pseudonym(UsherScrub *scrub, const char *secret, char *pseudonym)
{
	g_hash_table_insert(scrub->pseudonyms, g_strdup(secret), pseudonym);
	g_hash_table_add(scrub->taken, pseudonym);
}

static char *without(const char *text, char separator)
{
	g_autofree char *copy = g_strdup(text);
	char *end = copy;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at != separator)
			*end++ = *at;
	}
	*end = '\0';
	return g_steal_pointer(&copy);
}

/* The interface id that IPv6 makes of it (RFC 4291, appendix A), as /proc prints it. */
static char *interface_id(const char *mac)
{
	g_autofree char *digits = without(mac, ':');
	char universal[] = { digits[1], '\0' };
	unsigned bits = (unsigned) g_ascii_xdigit_value(universal[0]) ^ 2U;
	return g_strdup_printf("%c%x%.4sfffe%s", digits[0], bits, digits + 2, digits + 6);
}

void usher_scrub_learn_secret(UsherScrub *scrub, const char *secret)
{
	if (is_harmless(secret) || g_hash_table_contains(scrub->pseudonyms, secret))
		return;
	g_autofree char *pseudonym = NULL;
	for (unsigned round = 0; round < 100; round++) {
		g_free(pseudonym);
		pseudonym = make_pseudonym(scrub, secret, round);
		if (!g_hash_table_contains(scrub->taken, pseudonym) && !is_harmless(pseudonym) &&
			strcmp(pseudonym, secret) != 0)
			break;
	}
	if (is_mac(secret)) {
		g_autofree char *plain = without(secret, ':');
		g_autofree char *id = interface_id(secret);
		put_pseudonym(scrub, plain, without(pseudonym, ':'));
		put_pseudonym(scrub, id, interface_id(pseudonym));
	}
	put_pseudonym(scrub, secret, g_steal_pointer(&pseudonym));
}

/* Files whose whole text is a secret, wherever they are. */
static bool is_secret_file(const char *path)
{
	static const char *const names[] = { "serial", "serial_number", "product_serial",
		"board_serial", "chassis_serial", "product_uuid", "wwid", "machine-id", "hostname",
		"uuid", "nguid", "eui", "phys_switch_id", "unique_id", NULL };
	g_autofree char *name = g_path_get_basename(path);
	bool is_net = strstr(path, "/net/") != NULL;
	return g_strv_contains(names, name) ||
		(is_net && (strcmp(name, "address") == 0 || strcmp(name, "perm_address") == 0));
}

/* "UUID=…" in fstab and crypttab, "host:/export", "//host/share". */
static void learn_source(UsherScrub *scrub, const char *source)
{
	static const char *const tags[] = { "UUID=", "PARTUUID=", "ID=", "/dev/disk/by-uuid/",
		"/dev/disk/by-partuuid/", "/dev/disk/by-id/" };
	for (size_t i = 0; i < G_N_ELEMENTS(tags); i++) {
		if (!g_str_has_prefix(source, tags[i]))
			continue;
		g_autofree char *value = g_strdup(source + strlen(tags[i]));
		g_strdelimit(value, "\"", ' ');
		usher_scrub_learn_secret(scrub, g_strstrip(value));
		return;
	}
	const char *end = strstr(source, ":/");
	g_autofree char *host = NULL;
	if (g_str_has_prefix(source, "//"))
		host = g_strndup(source + 2, strcspn(source + 2, "/"));
	else if (end != NULL && source[0] != '/')
		host = g_strndup(source, (size_t) (end - source));
	if (host != NULL)
		usher_scrub_learn_secret(scrub, host);
}

static void learn_sources(UsherScrub *scrub, const char *path, const char *text)
{
	bool is_mounts = g_str_has_suffix(path, "/mountinfo");
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		const char *line = lines[i];
		const char *half = is_mounts ? strstr(line, " - ") : NULL;
		g_auto(GStrv) words = g_strsplit_set(half != NULL ? half + 3 : line, " \t", -1);
		for (unsigned j = 0; words[j] != NULL; j++)
			learn_source(scrub, words[j]);
	}
}

/* "GPU UUID: \t GPU-01234567-…" of NVIDIA's driver. */
static void learn_lines(UsherScrub *scrub, const char *text)
{
	static const char *const keys[] = { "GPU UUID", "Serial" };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		const char *colon = strchr(lines[i], ':');
		for (size_t j = 0; colon != NULL && j < G_N_ELEMENTS(keys); j++) {
			if (!g_str_has_prefix(lines[i], keys[j]))
				continue;
			g_autofree char *value = g_strdup(colon + 1);
			g_strstrip(value);
			const char *dash = strstr(value, "GPU-");
			usher_scrub_learn_secret(scrub, dash != NULL ? dash + 4 : value);
		}
	}
}

static uint32_t read_le32(const char *bytes)
{
	const uint8_t *at = (const uint8_t *) bytes;
	return (uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 |
		(uint32_t) at[3] << 24;
}

/* Where the serial number of the device is in its configuration space; 0: nowhere. */
static size_t find_serial(const char *config, size_t length)
{
	size_t at = CAPABILITIES;
	for (unsigned i = 0; i < CONFIG_SIZE / 8 && at >= CAPABILITIES; i++) {
		if (at + 4 + SERIAL_SIZE > length)
			return 0;
		uint32_t header = read_le32(config + at);
		if ((header & 0xffff) == SERIAL_ID)
			return at + 4;
		if (header == 0 || header == UINT32_MAX)
			return 0;
		at = header >> 20 & 0xffc;
	}
	return 0;
}

/* As usher prints it, the highest byte first. */
static char *print_serial(const char *bytes)
{
	const uint8_t *at = (const uint8_t *) bytes;
	return g_strdup_printf("%02x-%02x-%02x-%02x-%02x-%02x-%02x-%02x", at[7], at[6], at[5],
		at[4], at[3], at[2], at[1], at[0]);
}

static bool is_config(const char *path)
{
	return g_str_has_prefix(path, "sys/") && g_str_has_suffix(path, "/config");
}

static bool is_vpd(const char *path)
{
	return g_str_has_prefix(path, "sys/") && g_str_has_suffix(path, "/vpd");
}

typedef void (*VpdFunc)(UsherScrub *scrub, char *value, size_t length);

/* Fields of the read-only part that begin with "SN" (PCI 3.0, appendix I). */
static void each_vpd_serial(UsherScrub *scrub, GString *vpd, VpdFunc func)
{
	size_t at = 0;
	while (at + 3 <= vpd->len && ((uint8_t) vpd->str[at] & 0x80) != 0) {
		size_t size = (uint8_t) vpd->str[at + 1] | (size_t) (uint8_t) vpd->str[at + 2] << 8;
		bool has_fields = (uint8_t) vpd->str[at] != 0x82;
		size_t end = MIN(at + 3 + size, vpd->len);
		for (size_t i = at + 3; has_fields && i + 3 <= end;) {
			size_t length = MIN((uint8_t) vpd->str[i + 2], end - i - 3);
			if (memcmp(vpd->str + i, "SN", 2) == 0)
				func(scrub, vpd->str + i + 3, length);
			i += 3 + (uint8_t) vpd->str[i + 2];
		}
		at += 3 + size;
	}
}

static void learn_vpd(UsherScrub *scrub, char *value, size_t length)
{
	g_autofree char *text = g_strndup(value, length);
	usher_scrub_learn_secret(scrub, g_strstrip(text));
}

static void replace_vpd(UsherScrub *scrub, char *value, size_t length)
{
	g_autofree char *whole = g_strndup(value, length);
	g_autofree char *text = g_strdup(whole);
	const char *pseudonym = g_hash_table_lookup(scrub->pseudonyms, g_strstrip(text));
	if (pseudonym != NULL)
		memcpy(value + strspn(whole, " "), pseudonym, strlen(pseudonym));
}

/* The byte after "RV" makes the sum of all up to it zero. */
static void mend_vpd_sum(GString *vpd)
{
	size_t at = 0;
	uint8_t sum = 0;
	while (at + 3 <= vpd->len && (uint8_t) vpd->str[at] != 0x90)
		at += 3 + ((uint8_t) vpd->str[at + 1] | (size_t) (uint8_t) vpd->str[at + 2] << 8);
	for (size_t i = at + 3; i + 3 < vpd->len; i += 3 + (uint8_t) vpd->str[i + 2]) {
		if (memcmp(vpd->str + i, "RV", 2) != 0)
			continue;
		for (size_t j = 0; j < i + 3; j++)
			sum = (uint8_t) (sum + (uint8_t) vpd->str[j]);
		vpd->str[i + 3] = (char) -sum;
		return;
	}
}

/* Names that people and programs gave: of volumes, and of files that loop devices have. */
static bool is_given_name(const char *path)
{
	static const char *const names[] = { "/dm/name", "/dm/uuid", "/loop/backing_file" };
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		if (g_str_has_suffix(path, names[i]))
			return true;
	}
	return false;
}

/* "luks-0a1b2c3d-1111-4222-8333-444455556666" */
static void learn_uuids(UsherScrub *scrub, const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t length = strlen(text), size = strlen(shape);
	for (size_t i = 0; i + size <= length; i++) {
		size_t j = 0;
		while (j < size &&
			(shape[j] == '-' ? text[i + j] == '-' : g_ascii_isxdigit(text[i + j])))
			j++;
		if (j < size)
			continue;
		g_autofree char *uuid = g_strndup(text + i, size);
		usher_scrub_learn_secret(scrub, uuid);
		i += size - 1;
	}
}

void usher_scrub_learn(UsherScrub *scrub, const char *path, const char *content, size_t length)
{
	if (is_config(path)) {
		size_t at = find_serial(content, length);
		g_autofree char *serial = at != 0 ? print_serial(content + at) : NULL;
		if (serial != NULL)
			usher_scrub_learn_secret(scrub, serial);
		return;
	}
	if (is_vpd(path)) {
		g_autoptr(GString) vpd = g_string_new_len(content, (gssize) length);
		each_vpd_serial(scrub, vpd, learn_vpd);
		return;
	}
	g_autofree char *text = g_strndup(content, length);
	if (is_given_name(path) || g_str_has_prefix(path, "etc/") ||
		strstr(path, "/mountinfo") != NULL)
		learn_uuids(scrub, text);
	if (is_secret_file(path))
		usher_scrub_learn_secret(scrub, g_strstrip(text));
	else if (g_str_has_suffix(path, "/mountinfo") || g_str_has_prefix(path, "etc/") ||
		strcmp(path, "proc/swaps") == 0)
		learn_sources(scrub, path, text);
	else if (g_str_has_prefix(path, "proc/driver/nvidia/") || strcmp(path, "proc/cpuinfo") == 0)
		learn_lines(scrub, text);
}

/* Words of the kernel's command line that tell of devices: "word", "word=value". All others stay
 * here: there are passwords among them. A name that ends with a dot stands for all that begin so. */
static bool is_cmdline_word(const char *word)
{
	static const char *const names[] = { "amd_iommu", "amdgpu.", "apparmor", "console",
		"default_hugepagesz", "hugepages", "hugepagesz", "i915.", "initcall_blacklist",
		"intel_iommu", "iommu", "iommu.", "isolcpus", "kvm.", "kvm-amd.", "kvm-intel.",
		"kvm_amd.", "kvm_intel.", "lockdown", "mem", "mitigations", "modprobe.blacklist",
		"module.sig_enforce", "module_blacklist", "nohz_full", "nomodeset", "nosmt",
		"nouveau.", "nvidia.", "nvidia-drm.", "nvidia_drm.", "pci", "pcie_acs_override",
		"pcie_aspm", "pcie_port_pm", "pcie_ports", "quiet", "radeon.", "rcu_nocbs",
		"rd.driver.blacklist", "rd.driver.pre", "ro", "rw", "selinux", "splash",
		"transparent_hugepage", "vfio.", "vfio-pci.", "vfio_iommu_type1.", "vfio_pci.",
		"video", "x2apic", "nox2apic", "xe." };
	size_t length = strcspn(word, "=");
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		size_t size = strlen(names[i]);
		if (names[i][size - 1] == '.'
				? strncmp(word, names[i], size) == 0
				: size == length && strncmp(word, names[i], size) == 0)
			return true;
	}
	return false;
}

static GString *scrub_cmdline(const char *text)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
	GString *kept = g_string_new(NULL);
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (is_cmdline_word(words[i]))
			g_string_append_printf(kept, "%s%s", kept->len > 0 ? " " : "", words[i]);
	}
	g_string_append_c(kept, '\n');
	return kept;
}

/* Options of mounts hold passwords, paths of images and names of users; nobody needs them. */
static GString *scrub_mounts(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *kept = g_string_new(NULL);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		const char *half = strstr(lines[i], " - ");
		g_auto(GStrv) words = g_strsplit(half != NULL ? half + 3 : "", " ", -1);
		if (g_strv_length(words) >= 2)
			g_string_append_printf(kept, "%.*s - %s %s rw\n", (int) (half - lines[i]),
				lines[i], words[0], words[1]);
	}
	return kept;
}

/* The first words of each line that is no comment, with "-" for what comes after. */
static GString *scrub_table(const char *text, unsigned n_words)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *kept = g_string_new(NULL);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit_set(g_strstrip(lines[i]), " \t", -1);
		if (lines[i][0] == '\0' || lines[i][0] == '#')
			continue;
		for (unsigned j = 0, n = 0; words[j] != NULL && n < n_words; j++) {
			if (words[j][0] == '\0')
				continue;
			g_string_append_printf(kept, "%s%s", n > 0 ? " " : "", words[j]);
			n++;
		}
		g_string_append(kept, " -\n");
	}
	return kept;
}

/* What udev noted of a device is full of names made of its serial number. */
static GString *scrub_udev(const char *text)
{
	static const char *const keys[] = { "E:ID_FS_TYPE=", "E:ID_FS_AMBIVALENT=",
		"E:ID_FS_USAGE=", "E:ID_FS_VERSION=", "E:ID_PART_TABLE_TYPE=", "E:ID_BUS=",
		"E:ID_TYPE=", "E:ID_INPUT", "E:DM_TYPE=", "E:MD_LEVEL=" };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *kept = g_string_new(NULL);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		for (size_t j = 0; j < G_N_ELEMENTS(keys); j++) {
			if (g_str_has_prefix(lines[i], keys[j]))
				g_string_append_printf(kept, "%s\n", lines[i]);
		}
	}
	return kept;
}

/* Of what somebody wrote down, the lines that a scan looks for. */
static GString *scrub_lines(const char *text, const char *pattern)
{
	g_autoptr(GRegex) wanted = g_regex_new(pattern, G_REGEX_RAW | G_REGEX_MULTILINE, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;
	GString *kept = g_string_new(NULL);
	(void) g_regex_match(wanted, text, 0, &match);
	for (; g_match_info_matches(match); (void) g_match_info_next(match, NULL)) {
		g_autofree char *piece = g_match_info_fetch(match, 0);
		g_string_append_printf(kept, "%s\n", piece);
	}
	return kept;
}

/* A listening socket has no peer. */
static GString *scrub_connections(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *kept = g_string_new(NULL);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		if (i == 0 || strstr(lines[i], " 01 ") != NULL)
			g_string_append_printf(kept, "%s\n", lines[i]);
	}
	return kept;
}

static void replace_all(UsherScrub *scrub, GString *text)
{
	GHashTableIter iter;
	void *secret, *pseudonym;
	g_hash_table_iter_init(&iter, scrub->pseudonyms);
	while (g_hash_table_iter_next(&iter, &secret, &pseudonym)) {
		if (strlen(secret) >= SHORTEST)
			(void) g_string_replace(text, secret, pseudonym, 0);
	}
}

static GString *scrub_binary(
	UsherScrub *scrub, const char *path, const char *content, size_t length)
{
	GString *bytes = g_string_new_len(content, (gssize) length);
	if (is_vpd(path)) {
		each_vpd_serial(scrub, bytes, replace_vpd);
		mend_vpd_sum(bytes);
		return bytes;
	}
	size_t at = find_serial(content, length);
	g_autofree char *serial = at != 0 ? print_serial(content + at) : NULL;
	const char *pseudonym =
		serial != NULL ? g_hash_table_lookup(scrub->pseudonyms, serial) : NULL;
	for (size_t i = 0; pseudonym != NULL && i < SERIAL_SIZE; i++)
		bytes->str[at + SERIAL_SIZE - 1 - i] =
			(char) (g_ascii_xdigit_value(pseudonym[3 * i]) << 4 |
				g_ascii_xdigit_value(pseudonym[3 * i + 1]));
	return bytes;
}

/* An attribute is a secret as a whole, or holds none. */
static GString *scrub_attribute(
	UsherScrub *scrub, const char *path, const char *content, size_t length)
{
	if (is_given_name(path)) {
		GString *name = g_string_new_len(content, (gssize) length);
		replace_all(scrub, name);
		return name;
	}
	g_autofree char *text = g_strndup(content, length);
	const char *pseudonym = g_hash_table_lookup(scrub->pseudonyms, g_strstrip(text));
	if (pseudonym == NULL)
		return g_string_new_len(content, (gssize) length);
	GString *line = g_string_new(pseudonym);
	g_string_append_c(line, '\n');
	return line;
}

/* By where a file is; of a file that is in no row, nobody has looked at what it may hold. */
static GString *scrub_text(const char *path, const char *text)
{
	if (strcmp(path, "proc/cmdline") == 0)
		return scrub_cmdline(text);
	if (g_str_has_suffix(path, "/mountinfo"))
		return scrub_mounts(text);
	if (strcmp(path, "etc/fstab") == 0)
		return scrub_table(text, 3);
	if (strcmp(path, "etc/crypttab") == 0)
		return scrub_table(text, 2);
	if (g_str_has_prefix(path, "etc/libvirt/qemu/") ||
		g_str_has_prefix(path, "run/libvirt/qemu/"))
		return scrub_lines(text,
			"<source [^>]*?(?:dev|file)=['\"]/dev/[^>]*>|"
			"<source[^>]*>\\s*<address domain=[^>]*>");
	if (g_str_has_prefix(path, "etc/mdevctl.d/"))
		return scrub_lines(text, "\"mdev_type\"\\s*:\\s*\"[^\"]*\"");
	if (strcmp(path, "etc/corosync/corosync.conf") == 0)
		return scrub_lines(text, "^\\s*ring[0-9]+_addr\\s*:.*$");
	if (g_str_has_prefix(path, "etc/ssh/sshd_config"))
		return scrub_lines(text, "^\\s*[Pp][Oo][Rr][Tt][ \\t=]+[0-9]+\\s*$");
	if (g_str_has_prefix(path, "run/udev/data/"))
		return scrub_udev(text);
	if (g_str_has_prefix(path, "proc/net/tcp"))
		return scrub_connections(text);
	static const char *const plain[] = { "proc/", "etc/modules", "etc/modprobe.d/",
		"lib/modules/", "usr/lib/modules/" };
	for (size_t i = 0; i < G_N_ELEMENTS(plain); i++) {
		if (g_str_has_prefix(path, plain[i]))
			return g_string_new(text);
	}
	return NULL;
}

GString *usher_scrub_content(
	UsherScrub *scrub, const char *path, const char *content, size_t length)
{
	if (strcmp(path, "sys/firmware/dmi/tables/DMI") == 0)
		return usher_smbios_slots_only((const uint8_t *) content, length);
	if (is_config(path) || is_vpd(path))
		return scrub_binary(scrub, path, content, length);
	if (g_str_has_prefix(path, "sys/") || is_secret_file(path))
		return scrub_attribute(scrub, path, content, length);
	g_autofree char *text = g_strndup(content, length);
	GString *shown = scrub_text(path, text);
	if (shown != NULL)
		replace_all(scrub, shown);
	return shown;
}

/* "enx001b21aabbcc": twelve digits after a letter that is none. */
static void replace_in_names(UsherScrub *scrub, char *path)
{
	static const size_t n_digits = 12;
	for (char *at = path; (at = strchr(at, 'x')) != NULL; at++) {
		if (strspn(at + 1, "0123456789abcdef") != n_digits)
			continue;
		g_autofree char *digits = g_strndup(at + 1, n_digits);
		const char *pseudonym = g_hash_table_lookup(scrub->pseudonyms, digits);
		if (pseudonym != NULL)
			memcpy(at + 1, pseudonym, n_digits);
	}
}

char *usher_scrub_path(UsherScrub *scrub, const char *path)
{
	if (!g_str_has_prefix(path, "dev/")) {
		char *copy = g_strdup(path);
		replace_in_names(scrub, copy);
		return copy;
	}
	GString *text = g_string_new(path);
	replace_all(scrub, text);
	return g_string_free(text, FALSE);
}
