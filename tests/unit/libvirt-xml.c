/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain definitions: tests/data/libvirt/NAME.xml with the devices of a row below becomes
 * NAME.start.xml, or is refused with the sentence in NAME.refused. With USHER_REGENERATE=1 in the
 * environment these are written instead of compared.
 */
#include <string.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "core/guest-info.h"
#include "guests/libvirt/health.h"
#include "guests/libvirt/xml.h"

#define GPU   "l-aaaaaaaaaa=0000:01:00.0"
#define AUDIO "l-aaaaaaaaaa=0000:01:00.1"
#define NIC   "l-b2c3d4e5f6=0000:41:10.3"
#define VMD   "l-cccccccccc=10000:e1:00.0"

static const struct {
	const char *name;
	const char *devices; /* "LEASE=ADDRESS …" */
	const char *source;  /* another row's file */
} rows[] = {
	{ "q35", GPU " " NIC },
	{ "companion", GPU " " NIC " " AUDIO " " VMD, "q35" },
	{ "plain", GPU },
	{ "plain-second", GPU " " NIC, "plain" },
	{ "full", GPU " " AUDIO },
	{ "i440fx", GPU " " AUDIO " " NIC },
	{ "i440fx-bare", GPU " " NIC },
	{ "hostdevs", GPU " " NIC },
	{ "hostdevs-nvme", NIC " l-aaaaaaaaaa=0000:04:00.0", "hostdevs" },
	{ "hostdevs-managed", "l-aaaaaaaaaa=0000:02:00.0", "hostdevs" },
	{ "hostdevs-interface", "l-aaaaaaaaaa=0000:05:10.2", "hostdevs" },
	{ "multifunction", GPU " " NIC },
	{ "switch", GPU " " AUDIO " " NIC },
	{ "secret", GPU },
	{ "metadata", GPU },
	{ "commandline", GPU " " NIC " " AUDIO },
	{ "one-line", GPU },
	{ "spaces", GPU },
	{ "spaces-second", GPU " " NIC, "spaces" },
	{ "nothing-wanted", "" },
	{ "empty-devices", GPU },
	{ "no-devices", GPU },
	{ "leftover", GPU },
	{ "aliases", GPU },
	{ "network", GPU },
	{ "prefixed", GPU },
	{ "laughs", GPU },
	{ "entity", GPU },
	{ "torn", GPU },
	{ "not-xml", GPU },
	{ "empty", GPU },
	{ "twice", GPU " l-b2c3d4e5f6=0000:01:00.0", "q35" },
	{ "no-lease", "win11=0000:01:00.0", "q35" },
	{ "long-lease", "l-aaaaaaaaaa-1=0000:01:00.0", "q35" },
	{ "no-address", "l-aaaaaaaaaa=usb:1-4.2", "q35" },
};

static GPtrArray *parse_devices(const char *text)
{
	GPtrArray *devices =
		g_ptr_array_new_with_free_func((GDestroyNotify) usher_guest_device_free);
	g_auto(GStrv) words = g_strsplit_set(text, " =", -1);
	for (size_t i = 0; words[i] != NULL && words[i + 1] != NULL; i += 2) {
		UsherGuestDevice *device = usher_guest_device_new();
		device->lease = g_strdup(words[i]);
		device->address = g_strdup(words[i + 1]);
		g_ptr_array_add(devices, device);
	}
	return devices;
}

static char *data_path(const char *name, const char *suffix)
{
	g_autofree char *file = g_strconcat(name, suffix, NULL);
	return g_test_build_filename(G_TEST_DIST, "..", "data", "libvirt", file, NULL);
}

static char *read_data(const char *name, const char *suffix)
{
	g_autofree char *path = data_path(name, suffix);
	char *text = NULL;
	(void) g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

static void write_data(const char *name, const char *suffix, const char *text)
{
	g_autofree char *path = data_path(name, suffix);
	if (text == NULL)
		(void) g_unlink(path);
	else
		g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* Every byte but ours is as it was: without the lines from <hostdev to its end, alias and all, and
 * with an empty <devices> closed as it was, the one is the other. */
static void assert_only_added(const char *before, const char *after, const GPtrArray *devices)
{
	g_autoptr(GString) rest = g_string_new(after);
	for (unsigned i = 0; i < devices->len; i++) {
		const char *start = strstr(rest->str,
			"    <hostdev mode='subsystem' type='pci' managed='no'>\n"
			"      <driver name='vfio'/>\n"
			"      <source>\n"
			"        <address ");
		while (start != NULL) {
			const char *end =
				strstr(start, "    </hostdev>\n") + strlen("    </hostdev>\n");
			g_autofree char *one = g_strndup(start, (size_t) (end - start));
			if (strstr(one, "<alias name='ua-usher-l-") != NULL) {
				g_string_erase(rest, start - rest->str, end - start);
				break;
			}
			start = strstr(end, "    <hostdev");
		}
		g_assert_nonnull(start);
	}
	g_assert_cmpstr(rest->str, ==, before);
}

static void test_start(const void *data)
{
	const char *name = rows[GPOINTER_TO_SIZE(data)].name;
	const char *source = rows[GPOINTER_TO_SIZE(data)].source;
	g_autofree char *before = read_data(source != NULL ? source : name, ".xml");
	g_assert_nonnull(before);
	g_autoptr(GPtrArray) devices = parse_devices(rows[GPOINTER_TO_SIZE(data)].devices);
	g_autoptr(GError) error = NULL;
	g_autofree char *after = usher_domain_xml_start(name, before, devices, &error);
	g_assert_true((after == NULL) == (error != NULL));
	g_autofree char *refused = error == NULL
		? NULL
		: g_strdup_printf("%s: %s\n", usher_error_code_name(usher_error_code(error)),
			  error->message);

	if (g_getenv("USHER_REGENERATE") != NULL) {
		write_data(name, ".start.xml", after);
		write_data(name, ".refused", refused);
	}
	g_autofree char *start = read_data(name, ".start.xml");
	g_autofree char *sentence = read_data(name, ".refused");
	g_assert_cmpstr(after, ==, start);
	g_assert_cmpstr(refused, ==, sentence);
	if (after != NULL)
		assert_only_added(before, after, devices);
}

/* What was added is found again in what libvirt would show of it. */
static void test_start_read_back(void)
{
	g_autofree char *before = read_data("q35", ".xml");
	g_autoptr(GPtrArray) devices = parse_devices(GPU " " NIC " " AUDIO);
	g_autofree char *after = usher_domain_xml_start("q35", before, devices, NULL);
	bool running = true;
	g_autoptr(GPtrArray) found = usher_domain_xml_devices("q35", after, &running, NULL);
	g_assert_nonnull(found);
	g_assert_false(running);
	g_assert_cmpuint(found->len, ==, devices->len);
	static const char *const aliases[] = { "ua-usher-l-aaaaaaaaaa", "ua-usher-l-b2c3d4e5f6",
		"ua-usher-l-aaaaaaaaaa-1" };
	for (unsigned i = 0; i < found->len; i++) {
		const UsherDomainDevice *device = found->pdata[i];
		const UsherGuestDevice *given = devices->pdata[i];
		g_assert_cmpstr(device->address, ==, given->address);
		g_assert_cmpstr(device->lease, ==, given->lease);
		g_assert_cmpstr(device->alias, ==, aliases[i]);
	}
	/* A second start from it would add them twice. */
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_domain_xml_start("q35", after, devices, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_CONFLICT);
}

static void test_devices(void)
{
	static const struct {
		const char *address, *alias;
	} expected[] = {
		{ "0000:04:00.0", NULL }, /* the disk */
		{ "0000:05:10.2", NULL }, /* the interface */
		{ "0000:02:00.0", NULL },
		{ "0000:03:00.0", "ua-gpu" },
		{ "0000:03:00.1", "ua-gpu-audio" },
	};
	g_autofree char *text = read_data("hostdevs", ".xml");
	g_autoptr(GPtrArray) found = usher_domain_xml_devices("hostdevs", text, NULL, NULL);
	g_assert_cmpuint(found->len, ==, G_N_ELEMENTS(expected));
	for (unsigned i = 0; i < found->len; i++) {
		const UsherDomainDevice *device = found->pdata[i];
		g_assert_cmpstr(device->address, ==, expected[i].address);
		g_assert_cmpstr(device->alias, ==, expected[i].alias);
		g_assert_null(device->lease);
	}
}

/* As libvirt shows a running domain, written short. */
static void test_devices_live(void)
{
	static const struct {
		const char *alias, *lease;
	} cases[] = {
		{ "ua-usher-l-aaaaaaaaaa", "l-aaaaaaaaaa" },
		{ "ua-usher-l-aaaaaaaaaa-1", "l-aaaaaaaaaa" },
		{ "ua-usher-l-aaaaaaaaaa-12", "l-aaaaaaaaaa" },
		{ "ua-usher-l-2345672345", "l-2345672345" },
		{ "ua-usher-l-aaaaaaaaaa-x", NULL },
		{ "ua-usher-l-aaaaaaaaaa-123", NULL },
		{ "ua-usher-l-aaaaaaaaaab", NULL },
		{ "ua-usher-l-aaaaaaaaa", NULL },
		{ "ua-usher-l-AAAAAAAAAA", NULL },
		{ "ua-usher-", NULL },
		{ "ua-usher", NULL },
		{ "hostdev0", NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text =
			g_strdup_printf("<domain id='3'><devices><hostdev type='pci'><source>"
					"<address bus='0x01' slot='0x1f' "
					"function='0x7'/></source><alias name='%s'/>"
					"</hostdev></devices></domain>",
				cases[i].alias);
		bool running = false;
		g_autoptr(GPtrArray) found = usher_domain_xml_devices("x", text, &running, NULL);
		g_assert_true(running);
		g_assert_cmpuint(found->len, ==, 1);
		const UsherDomainDevice *device = found->pdata[0];
		g_assert_cmpstr(device->address, ==, "0000:01:1f.7");
		g_assert_cmpstr(device->alias, ==, cases[i].alias);
		g_assert_cmpstr(device->lease, ==, cases[i].lease);
	}
}

/* Addresses that are none are no devices. */
static void test_devices_odd(void)
{
	static const char *const addresses[] = {
		"",
		"<address/>",
		"<address bus='0x01'/>",
		"<address bus='0x100' slot='0' function='0'/>",
		"<address bus='1' slot='32' function='0'/>",
		"<address bus='1' slot='0' function='8'/>",
		"<address bus='-1' slot='0'/>",
		"<address bus='one' slot='0'/>",
		"<address domain='0x100000000' bus='1' slot='0'/>",
		"<address bus='99999999999999999999' slot='0'/>",
		"<x:address xmlns:x='urn:x' bus='1' slot='0' function='0'/>",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		g_autofree char *text =
			g_strdup_printf("<domain><devices><hostdev type='pci'><source>%s</source>"
					"</hostdev></devices></domain>",
				addresses[i]);
		g_autoptr(GPtrArray) found = usher_domain_xml_devices("x", text, NULL, NULL);
		g_assert_nonnull(found);
		g_assert_cmpuint(found->len, ==, 0);
	}
}

static void assert_invalid(const char *text, const char *part)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_domain_xml_devices("x", text, NULL, &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
	g_assert_true(g_str_has_prefix(error->message, "domain x: its definition "));
	g_assert_null(strchr(error->message, '\n'));
	g_assert_true(g_utf8_validate(error->message, -1, NULL));
	if (strstr(error->message, part) == NULL)
		g_error("'%s' is not in '%s'", part, error->message);
}

/* Documents too odd to be kept as files. */
static void test_hostile(void)
{
	g_autoptr(GString) deep = g_string_new("<domain><devices>");
	for (unsigned i = 0; i < 100000; i++)
		g_string_append(deep, "<a>");
	assert_invalid(deep->str, "no XML");
	g_autofree char *large = g_strnfill(USHER_DOMAIN_XML_MAX + 1, ' ');
	assert_invalid(large, "larger than 4 MiB");
	g_autofree char *blank = g_strnfill(USHER_DOMAIN_XML_MAX, ' ');
	assert_invalid(blank, "no XML");
	g_autofree char *name = g_strnfill(100000, 'n');
	g_autofree char *torn = g_strdup_printf("<domain><%s></devices></domain>", name);
	assert_invalid(torn, "no XML");
	assert_invalid("<?xml version='1.0' "
		       "encoding='ISO-8859-1'?><domain><title>B\xfcro</title></domain>",
		"not in UTF-8");
	assert_invalid("<?xml version='1.0' encoding='UTF-16'?><domain/>", "");
	assert_invalid("<domain><title>B\xfcro</title></domain>", "no XML");
	assert_invalid("<domain/><domain/>", "no XML");
	assert_invalid("<domain>&undefined;</domain>", "no XML");
	assert_invalid("<!DOCTYPE domain><domain/>", "document type");
	assert_invalid("<x:domain xmlns:x='urn:x'/>", "none of a domain");
}

static void test_mark(void)
{
	g_autofree char *text = usher_domain_mark_print("a<b>&'\"", "uuid", 7);
	g_autofree char *vm = NULL, *uuid = NULL;
	int64_t revision = 0;
	g_assert_true(usher_domain_mark_parse(text, &vm, &uuid, &revision));
	g_assert_cmpstr(vm, ==, "a<b>&'\"");
	g_assert_cmpstr(uuid, ==, "uuid");
	g_assert_cmpint(revision, ==, 7);
}

static void test_mark_odd(void)
{
	static const char *const texts[] = {
		"",
		"win11",
		"<vm/>",
		"<vm id='a' uuid='b'/>",
		"<vm id='a' revision='1'/>",
		"<vm id='a' uuid='b' revision='-1'/>",
		"<vm id='a' uuid='b' revision='9223372036854775808'/>",
		"<!DOCTYPE vm><vm id='a' uuid='b' revision='1'/>",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		char *vm = NULL, *uuid = NULL;
		int64_t revision = -1;
		g_assert_false(usher_domain_mark_parse(texts[i], &vm, &uuid, &revision));
		g_assert_null(vm);
		g_assert_null(uuid);
		g_assert_cmpint(revision, ==, -1);
	}
}

/* What the doctor is told of it. */
static void test_health(void)
{
	static const struct {
		const char *name, *machine, *cpu_mode;
		int64_t memory_kb, ports, free_ports, hostdevs;
	} cases[] = {
		{ "hostdevs", "pc-q35-7.2", "custom", 262144, 10, 4, 6 },
		{ "i440fx", "pc-i440fx-7.2", "custom", 262144, 0, 0, 0 },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = read_data(cases[i].name, ".xml");
		g_autoptr(UsherGuestHealth) health =
			usher_domain_xml_health(cases[i].name, text, NULL);
		g_assert_nonnull(health);
		g_assert_cmpstr(health->name, ==, cases[i].name);
		g_assert_cmpstr(health->machine, ==, cases[i].machine);
		g_assert_cmpstr(health->cpu_mode, ==, cases[i].cpu_mode);
		g_assert_cmpint(health->memory_kb, ==, cases[i].memory_kb);
		g_assert_cmpint(health->ports, ==, cases[i].ports);
		g_assert_cmpint(health->free_ports, ==, cases[i].free_ports);
		g_assert_cmpint(health->hostdevs, ==, cases[i].hostdevs);
		g_assert_false(health->has_efi || health->secure_boot || health->autostart);
		g_assert_cmpint(health->host_memory_kb, ==, USHER_INT_NULL);
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_domain_xml_health("vm1", "<domain", &error));
	g_assert_error(error, USHER_ERROR, USHER_ERROR_INVALID);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/libvirt-xml/start/", rows[i].name, NULL);
		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_start);
	}
	g_test_add_func("/libvirt-xml/start-read-back", test_start_read_back);
	g_test_add_func("/libvirt-xml/devices", test_devices);
	g_test_add_func("/libvirt-xml/devices-live", test_devices_live);
	g_test_add_func("/libvirt-xml/devices-odd", test_devices_odd);
	g_test_add_func("/libvirt-xml/hostile", test_hostile);
	g_test_add_func("/libvirt-xml/health", test_health);
	g_test_add_func("/libvirt-xml/mark", test_mark);
	g_test_add_func("/libvirt-xml/mark-odd", test_mark_odd);
	return g_test_run();
}
