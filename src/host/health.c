/* SPDX-License-Identifier: Apache-2.0 */
#include "host/health-parts.h"

#include <string.h>

#include "base/text.h"

#define ACPI_TABLES  "sys/firmware/acpi/tables"
#define SECURE_BOOT  "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define FRAMEBUFFERS "sys/bus/platform/drivers"
#define NVIDIA       "proc/driver/nvidia"
#define DMAR_FLAGS   37 /* include/acpi/actbl1.h: offset in the table */
#define SSH_PORT     "0016"
#define TCP_LISTEN   "0A" /* net/tcp_states.h */

/* What is not in a folder is not there; of a part of a host nobody knows. */
static UsherFact fact_of(const UsherTree *tree, const char *folder, const char *wanted)
{
	g_autoptr(GPtrArray) names = usher_tree_list(tree, folder);
	if (names != NULL && g_ptr_array_find_with_equal_func(names, wanted, g_str_equal, NULL))
		return USHER_FACT_YES;
	return names != NULL && usher_tree_is_whole(tree) ? USHER_FACT_NO : USHER_FACT_UNKNOWN;
}

/* One byte of a binary file; −1: it can't be read. */
static int byte_of(const UsherTree *tree, const char *path, size_t offset)
{
	g_autoptr(GBytes) bytes = usher_tree_read_bytes(tree, path);
	size_t length = 0;
	const uint8_t *data = bytes != NULL ? g_bytes_get_data(bytes, &length) : NULL;
	return offset < length ? data[offset] : -1;
}

/* ---- processor ---- */

static bool has_word(const char *text, const char *word)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
	return g_strv_contains((const char *const *) words, word);
}

/* The value of the first line with that key: "flags\t\t: fpu vme". */
static char *value_of(const char *text, const char *key)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		char *colon = strchr(lines[i], ':');
		if (colon == NULL || !g_str_has_prefix(lines[i], key))
			continue;
		*colon = '\0';
		if (strcmp(g_strstrip(lines[i]), key) == 0)
			return g_strdup(g_strstrip(colon + 1));
	}
	return NULL;
}

static void read_processor(const UsherTree *tree, UsherHostFacts *facts)
{
	g_autofree char *text = usher_tree_read(tree, "proc/cpuinfo");
	g_autofree char *flags = text != NULL ? value_of(text, "flags") : NULL;
	facts->cpu_vendor = text != NULL ? value_of(text, "vendor_id") : NULL;
	if (flags == NULL)
		return;
	bool can = has_word(flags, "vmx") || has_word(flags, "svm");
	facts->cpu_virtualization = can ? USHER_FACT_YES : USHER_FACT_NO;
	facts->is_guest = has_word(flags, "hypervisor") ? USHER_FACT_YES : USHER_FACT_NO;
}

/* ---- firmware ---- */

static void read_firmware(const UsherTree *tree, UsherHostFacts *facts)
{
	facts->has_dmar = fact_of(tree, ACPI_TABLES, "DMAR");
	facts->has_ivrs = fact_of(tree, ACPI_TABLES, "IVRS");
	int flags = byte_of(tree, ACPI_TABLES "/DMAR", DMAR_FLAGS);
	if (flags >= 0)
		facts->dmar_flags = flags;
	facts->is_efi = fact_of(tree, "sys/firmware", "efi");
	int secure = byte_of(tree, SECURE_BOOT, 4);
	if (secure >= 0)
		facts->secure_boot = secure == 1 ? USHER_FACT_YES : USHER_FACT_NO;
}

/* "none [integrity] confidentiality" */
static char *read_lockdown(const UsherTree *tree)
{
	g_autofree char *text = usher_tree_read(tree, "sys/kernel/security/lockdown");
	const char *begin = text != NULL ? strchr(text, '[') : NULL;
	const char *end = begin != NULL ? strchr(begin, ']') : NULL;
	return end != NULL ? g_strndup(begin + 1, (size_t) (end - begin - 1)) : NULL;
}

static bool is_reserved_known(const UsherTree *tree)
{
	static const char folder[] = "sys/kernel/iommu_groups";
	g_autoptr(GPtrArray) groups = usher_tree_list(tree, folder);
	if (groups == NULL || groups->len == 0)
		return false;
	g_autofree char *path =
		g_strdup_printf("%s/%s/reserved_regions", folder, (const char *) groups->pdata[0]);
	g_autofree char *text = usher_tree_read(tree, path);
	return text != NULL;
}

/* Chips that the IOMMU stands behind are "IR-PCI-MSI", others "PCI-MSI". */
static UsherFact read_remapping(const UsherTree *tree)
{
	g_autofree char *text = usher_tree_read(tree, "proc/interrupts");
	if (text == NULL)
		return USHER_FACT_UNKNOWN;
	if (strstr(text, " IR-") != NULL)
		return USHER_FACT_YES;
	return strstr(text, "PCI-MSI") != NULL ? USHER_FACT_NO : USHER_FACT_UNKNOWN;
}

static UsherFact read_switch(const UsherTree *tree, const char *path)
{
	g_autofree char *text = usher_tree_read(tree, path);
	if (text == NULL)
		return USHER_FACT_UNKNOWN;
	return text[0] == 'Y' || text[0] == '1' ? USHER_FACT_YES : USHER_FACT_NO;
}

/* ---- consoles ---- */

static void read_framebuffers(const UsherTree *tree, UsherHostFacts *facts)
{
	static const char *const drivers[] = { "efi-framebuffer", "simple-framebuffer",
		"vesa-framebuffer" };
	facts->framebuffers_known = usher_tree_is_whole(tree);
	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
		g_autofree char *path = g_strconcat(FRAMEBUFFERS "/", drivers[i], NULL);
		g_autoptr(GPtrArray) names = usher_tree_list(tree, path);
		for (unsigned j = 0; names != NULL && j < names->len; j++) {
			if (strstr(names->pdata[j], "framebuffer.") != NULL) {
				g_ptr_array_add(facts->framebuffers, g_strdup(drivers[i]));
				break;
			}
		}
	}
}

static UsherFact read_serial(const UsherTree *tree)
{
	static const char *const lines[] = { "ttyS", "ttyAMA", "hvc", "ttyUSB" };
	g_autofree char *text = usher_tree_read(tree, "proc/consoles");
	if (text == NULL)
		return USHER_FACT_UNKNOWN;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		if (strstr(text, lines[i]) != NULL)
			return USHER_FACT_YES;
	}
	return USHER_FACT_NO;
}

/* "   0: 00000000:0016 00000000:0000 0A …" */
static UsherFact read_ssh(const UsherTree *tree)
{
	static const char *const files[] = { "proc/net/tcp", "proc/net/tcp6" };
	UsherFact has = USHER_FACT_UNKNOWN;
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *text = usher_tree_read(tree, files[i]);
		g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
		if (text != NULL)
			has = MAX(has, USHER_FACT_NO);
		for (unsigned j = 0; lines[j] != NULL; j++) {
			g_auto(GStrv) words = g_strsplit(g_strstrip(lines[j]), " ", 5);
			if (g_strv_length(words) > 4 && g_str_has_suffix(words[1], ":" SSH_PORT) &&
				strcmp(words[3], TCP_LISTEN) == 0)
				return USHER_FACT_YES;
		}
	}
	return has;
}

static void read_consoles(const UsherTree *tree, UsherHostFacts *facts)
{
	read_framebuffers(tree, facts);
	facts->serial_console = read_serial(tree);
	facts->has_ssh = read_ssh(tree);
	facts->has_bmc = fact_of(tree, "sys/class", "ipmi");
	if (facts->has_bmc == USHER_FACT_YES)
		facts->has_bmc = fact_of(tree, "sys/class/ipmi", "ipmi0");
}

/* ---- memory ---- */

static int64_t number_of(const char *text)
{
	uint64_t number;
	g_autofree char *digits = text != NULL ? g_strndup(text, strspn(text, "0123456789")) : NULL;
	return digits != NULL && usher_text_parse_u64(digits, INT64_MAX, &number, NULL)
		? (int64_t) number
		: USHER_INT_NULL;
}

static int64_t read_number(const UsherTree *tree, const char *path)
{
	g_autofree char *text = usher_tree_read(tree, path);
	return number_of(text);
}

/* "Max locked memory         67108864             67108864             bytes" */
static int64_t read_memlock(const UsherTree *tree)
{
	g_autofree char *text = usher_tree_read(tree, "proc/self/limits");
	const char *line = text != NULL ? strstr(text, "Max locked memory") : NULL;
	if (line == NULL)
		return USHER_INT_NULL;
	line += strlen("Max locked memory");
	line += strspn(line, " ");
	return g_str_has_prefix(line, "unlimited") ? INT64_MAX : number_of(line);
}

static void read_memory(const UsherTree *tree, UsherHostFacts *facts)
{
	g_autofree char *meminfo = usher_tree_read(tree, "proc/meminfo");
	g_autofree char *total = meminfo != NULL ? value_of(meminfo, "MemTotal") : NULL;
	facts->memory_kb = number_of(total);
	facts->huge_2m = read_number(tree, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
	facts->huge_1g =
		read_number(tree, "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages");
	facts->memlock_bytes = read_memlock(tree);
}

/* ---- NVIDIA ---- */

/* "gpu2" of the capabilities is the GPU with minor number 2. */
static char *address_of_minor(const UsherTree *tree, const char *minor)
{
	g_autoptr(GPtrArray) gpus = usher_tree_list(tree, NVIDIA "/gpus");
	for (unsigned i = 0; gpus != NULL && i < gpus->len; i++) {
		g_autofree char *path =
			g_strdup_printf(NVIDIA "/gpus/%s/information", (char *) gpus->pdata[i]);
		g_autofree char *text = usher_tree_read(tree, path);
		g_autofree char *own = text != NULL ? value_of(text, "Device Minor") : NULL;
		if (g_strcmp0(own, minor) == 0)
			return g_strdup(gpus->pdata[i]);
	}
	return NULL;
}

static bool has_instances(const UsherTree *tree, const char *gpu)
{
	g_autofree char *path = g_strdup_printf(NVIDIA "/capabilities/%s/mig", gpu);
	g_autoptr(GPtrArray) names = usher_tree_list(tree, path);
	for (unsigned i = 0; names != NULL && i < names->len; i++) {
		if (g_str_has_prefix(names->pdata[i], "gi"))
			return true;
	}
	return false;
}

static void read_nvidia(const UsherTree *tree, UsherHostFacts *facts)
{
	facts->nvidia = usher_tree_read(tree, NVIDIA "/version");
	if (facts->nvidia != NULL)
		facts->nvidia[strcspn(facts->nvidia, "\n")] = '\0';
	facts->nvidia_vgpu = usher_host_facts_has_module(facts, "nvidia_vgpu_vfio");
	g_autoptr(GPtrArray) gpus = usher_tree_list(tree, NVIDIA "/capabilities");
	facts->mig_known = gpus != NULL || usher_tree_is_whole(tree);
	for (unsigned i = 0; gpus != NULL && i < gpus->len; i++) {
		const char *gpu = gpus->pdata[i];
		char *address = g_str_has_prefix(gpu, "gpu") && has_instances(tree, gpu)
			? address_of_minor(tree, gpu + strlen("gpu"))
			: NULL;
		if (address != NULL)
			g_ptr_array_add(facts->mig_gpus, address);
	}
}

UsherHostFacts *usher_health_read(const UsherTree *tree, const UsherInventory *inventory)
{
	UsherHostFacts *facts = usher_host_facts_new();
	facts->kernel = usher_tree_read(tree, "proc/sys/kernel/osrelease");
	facts->cmdline = usher_tree_read(tree, "proc/cmdline");
	read_processor(tree, facts);
	read_firmware(tree, facts);
	facts->irqs_remapped = read_remapping(tree);
	facts->unsafe_interrupts =
		read_switch(tree, "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	facts->lockdown = read_lockdown(tree);
	facts->has_kvm = fact_of(tree, "sys/class/misc", "kvm");
	usher_health_modules(tree, facts);
	usher_health_bars(tree, inventory, facts);
	facts->has_iommu = inventory->has_iommu ? USHER_FACT_YES
		: inventory->iommu_unknown      ? USHER_FACT_UNKNOWN
						: USHER_FACT_NO;
	facts->reserved_known = is_reserved_known(tree);
	read_consoles(tree, facts);
	read_memory(tree, facts);
	read_nvidia(tree, facts);
	return facts;
}
