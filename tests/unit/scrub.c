/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudonyms: of the same shape, the same for the same, and what stays where it is. */
#include <string.h>

#include "host/scrub.h"

static const uint8_t key[USHER_SCRUB_KEY_SIZE] = { 1, 2, 3 };

static void learn(UsherScrub *scrub, const char *path, const char *text)
{
	usher_scrub_learn(scrub, path, text, strlen(text));
}

static char *shown(UsherScrub *scrub, const char *path, const char *text)
{
	GString *content = usher_scrub_content(scrub, path, text, strlen(text));
	return content != NULL ? g_string_free(content, FALSE) : NULL;
}

/* The shape: what a letter is of. */
static char *shape_of(const char *text)
{
	char *shape = g_strdup(text);
	for (char *at = shape; *at != '\0'; at++)
		*at = (char) (g_ascii_isdigit(*at)     ? '0'
				: g_ascii_islower(*at) ? 'a'
				: g_ascii_isupper(*at) ? 'A'
						       : *at);
	return shape;
}

static void test_shape(void)
{
	static const char *const serials[] = { "S4EVNF0M123456", "0a1b2c3d-1111-4222-8333-44445555",
		"filer.example.net", "AB12", "00-1b-21-ff-ff-aa-bb-cc" };
	for (size_t i = 0; i < G_N_ELEMENTS(serials); i++) {
		g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
		static const char path[] = "sys/devices/x/serial";
		learn(scrub, path, serials[i]);
		g_autofree char *one = shown(scrub, path, serials[i]);
		g_autofree char *two = shown(scrub, path, serials[i]);
		g_strchomp(one);
		g_assert_cmpstr(one, !=, serials[i]);
		g_assert_cmpstr(one, ==, g_strchomp(two));
		g_autofree char *wanted = shape_of(serials[i]);
		g_autofree char *shape = shape_of(one);
		g_assert_cmpstr(shape, ==, wanted);
	}
}

static void test_key(void)
{
	static const uint8_t another[USHER_SCRUB_KEY_SIZE] = { 9 };
	static const char path[] = "sys/devices/x/serial", serial[] = "S4EVNF0M123456";
	g_autoptr(UsherScrub) one = usher_scrub_new(key);
	g_autoptr(UsherScrub) other = usher_scrub_new(another);
	learn(one, path, serial);
	learn(other, path, serial);
	g_autofree char *first = shown(one, path, serial);
	g_autofree char *second = shown(other, path, serial);
	g_assert_cmpstr(first, !=, second);
}

static void test_harmless(void)
{
	static const char *const texts[] = { "0000:00:14.0", "0123456789", "00000000", "ffffffff",
		"", "00:00:00:00:00:00" };
	static const char path[] = "sys/bus/usb/devices/usb1/serial";
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		learn(scrub, path, texts[i]);
		g_autofree char *text = shown(scrub, path, texts[i]);
		g_assert_cmpstr(text, ==, texts[i]);
	}
}

static void test_mac(void)
{
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	learn(scrub, "sys/class/net/eth0/address", "00:1b:21:aa:bb:cc\n");
	g_autofree char *mac = shown(scrub, "sys/class/net/eth0/address", "00:1b:21:aa:bb:cc\n");
	g_assert_true(g_str_has_prefix(mac, "00:1b:21:"));
	g_assert_cmpstr(mac, !=, "00:1b:21:aa:bb:cc\n");
	g_autofree char *routes =
		shown(scrub, "proc/net/ipv6_route", "021b21fffeaabbcc enx001b21aabbcc");
	g_assert_null(strstr(routes, "aabbcc"));
	g_assert_true(g_str_has_prefix(routes, "021b21fffe"));
	g_autofree char *path = usher_scrub_path(scrub, "sys/class/net/enx001b21aabbcc/dev_id");
	g_autofree char *name = g_strndup(strstr(routes, "enx"), 15);
	g_assert_nonnull(strstr(path, name));
}

/* A volume is found by its name: it must be one name in all places. */
static void test_names(void)
{
	static const char uuid[] = "0a1b2c3d-1111-4222-8333-444455556666";
	static const char name[] = "luks-0a1b2c3d-1111-4222-8333-444455556666";
	static const char mounts[] =
		"1 2 253:0 / / rw - ext4 /dev/mapper/luks-0a1b2c3d-1111-4222-8333-444455556666 "
		"rw,x=y\n";
	static const char path[] = "sys/devices/virtual/block/dm-0/dm/name";
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	learn(scrub, path, name);
	learn(scrub, "proc/self/mountinfo", mounts);
	g_autofree char *volume = shown(scrub, path, name);
	g_autofree char *mounted = shown(scrub, "proc/self/mountinfo", mounts);
	g_assert_null(strstr(volume, uuid));
	g_assert_true(g_str_has_prefix(volume, "luks-"));
	g_assert_nonnull(strstr(mounted, volume));
	g_assert_null(strstr(mounted, "x=y"));
}

static void test_cmdline(void)
{
	static const struct {
		const char *line, *kept;
	} rows[] = {
		{ "BOOT_IMAGE=/v root=UUID=1 intel_iommu=on,sm_on quiet\n",
			"intel_iommu=on,sm_on quiet\n" },
		{ "password=x vfio-pci.ids=8086:10d3 luks.options=y", "vfio-pci.ids=8086:10d3\n" },
		{ "iommu=pt iommu.passthrough=1 iommux=1 pci=realloc",
			"iommu=pt iommu.passthrough=1 pci=realloc\n" },
		{ "ip=10.0.0.1 systemd.hostname=x", "\n" },
		{ "", "\n" },
	};
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *kept = shown(scrub, "proc/cmdline", rows[i].line);
		g_assert_cmpstr(kept, ==, rows[i].kept);
	}
}

static void test_unknown(void)
{
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	g_assert_null(shown(scrub, "etc/shadow", "root:x"));
	g_assert_null(shown(scrub, "run/secrets/token", "x"));
}

/* An id string, then fields PN, SN and the sum. */
static void test_vpd(void)
{
	static const char vpd[] = "\x82\x03\x00"
				  "abc"
				  "\x90\x14\x00"
				  "PN\x03"
				  "X12"
				  "SN\x08"
				  "AB123456"
				  "RV\x00"
				  "\x78";
	static const char path[] = "sys/devices/x/vpd";
	g_autoptr(UsherScrub) scrub = usher_scrub_new(key);
	usher_scrub_learn(scrub, path, vpd, sizeof vpd - 1);
	GString *bytes = usher_scrub_content(scrub, path, vpd, sizeof vpd - 1);
	g_assert_cmpuint(bytes->len, ==, sizeof vpd - 1);
	g_assert_cmpint(memcmp(bytes->str, vpd, 18), ==, 0);
	g_assert_cmpint(memcmp(bytes->str + 18, "AB123456", 8), !=, 0);
	g_autofree char *part = g_strndup(bytes->str + 18, 8);
	g_autofree char *shape = shape_of(part);
	g_assert_cmpstr(shape, ==, "AA000000");
	g_string_free(bytes, TRUE);
	/* Lengths that lead out of it, and none at all. */
	for (size_t length = 0; length < sizeof vpd - 1; length++) {
		usher_scrub_learn(scrub, path, vpd, length);
		bytes = usher_scrub_content(scrub, path, vpd, length);
		g_assert_cmpuint(bytes->len, ==, length);
		g_string_free(bytes, TRUE);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/scrub/shape", test_shape);
	g_test_add_func("/scrub/key", test_key);
	g_test_add_func("/scrub/harmless", test_harmless);
	g_test_add_func("/scrub/mac", test_mac);
	g_test_add_func("/scrub/names", test_names);
	g_test_add_func("/scrub/cmdline", test_cmdline);
	g_test_add_func("/scrub/unknown", test_unknown);
	g_test_add_func("/scrub/vpd", test_vpd);
	return g_test_run();
}
