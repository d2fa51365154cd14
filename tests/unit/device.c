/* SPDX-License-Identifier: Apache-2.0 */
/* The device record, its types by class, and the table of its states. */
#include <string.h>

#include "base/error.h"
#include "core/device.h"

static void test_types(void)
{
	static const struct {
		uint32_t class_code;
		const char *name;
	} rows[] = {
		{ 0x010802, "storage" },
		{ 0x020000, "network" },
		{ 0x028000, "network" },
		{ 0x030000, "display" },
		{ 0x030200, "display" },
		{ 0x040300, "multimedia" },
		{ 0x050000, "memory" },
		{ 0x060400, "bridge" },
		{ 0x070002, "serial" },
		{ 0x0c0330, "usb" },
		{ 0x0c03fe, "usb" },
		{ 0x0c0500, "other" },
		{ 0x108000, "crypto" },
		{ 0x120000, "accelerator" },
		{ 0x088000, "other" },
		{ 0xff0000, "other" },
		{ 0x000000, "other" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_cmpstr(
			usher_device_type_names[usher_device_type_of_class(rows[i].class_code)], ==,
			rows[i].name);
	for (unsigned i = 0; i < USHER_N_TYPES; i++)
		g_assert_nonnull(usher_device_type_names[i]);
	g_assert_null(usher_device_type_names[USHER_N_TYPES]);
}

static void test_class(void)
{
	static const struct {
		const char *text;
		uint32_t class_code;
		bool is_bridge;
	} rows[] = {
		{ "060400", 0x060400, true },
		{ "060000", 0x060000, true },
		{ "060100", 0x060100, true },
		{ "030000", 0x030000, false },
		{ NULL, 0, false },
		{ "nonsense", 0, false },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherDevice) device = usher_device_new();
		device->class_code = g_strdup(rows[i].text);
		g_assert_cmphex(usher_device_class(device), ==, rows[i].class_code);
		g_assert_cmpint(usher_device_is_bridge(device), ==, rows[i].is_bridge);
	}
}

/* Every state has a name and a way out, and is reached from another. */
static void test_states(void)
{
	for (unsigned from = USHER_DEVICE_HOST; from < USHER_DEVICE_N_STATES; from++) {
		unsigned n_out = 0, n_in = 0;
		g_assert_nonnull(usher_device_state_name(from));
		g_assert_false(usher_device_state_may_move(from, from));
		for (unsigned to = 0; to < USHER_DEVICE_N_STATES; to++) {
			n_out += usher_device_state_may_move(from, to) ? 1 : 0;
			n_in += usher_device_state_may_move(to, from) ? 1 : 0;
		}
		g_assert_cmpuint(n_out, >, 0);
		g_assert_cmpuint(n_in, >, 0);
		g_assert_false(usher_device_state_may_move(from, USHER_DEVICE_UNTRACKED));
		g_assert_false(usher_device_state_may_move(USHER_DEVICE_UNTRACKED, from));
	}
}

static void test_moves(void)
{
	static const struct {
		UsherDeviceState from, to;
		bool may;
	} rows[] = {
		{ USHER_DEVICE_HOST, USHER_DEVICE_PREPARING, true },
		{ USHER_DEVICE_HOST, USHER_DEVICE_LEASED, false },
		{ USHER_DEVICE_HELD, USHER_DEVICE_RETURNING, true },
		{ USHER_DEVICE_PREPARING, USHER_DEVICE_LEASED, true },
		{ USHER_DEVICE_PREPARING, USHER_DEVICE_HOST, false },
		{ USHER_DEVICE_LEASED, USHER_DEVICE_HOST, false },
		{ USHER_DEVICE_LEASED, USHER_DEVICE_FENCED, true },
		{ USHER_DEVICE_RETURNING, USHER_DEVICE_HELD, true },
		{ USHER_DEVICE_FENCED, USHER_DEVICE_PREPARING, false },
		{ USHER_DEVICE_QUARANTINED, USHER_DEVICE_PREPARING, false },
		{ USHER_DEVICE_ABSENT, USHER_DEVICE_LEASED, false },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_cmpint(
			usher_device_state_may_move(rows[i].from, rows[i].to), ==, rows[i].may);
}

static const char whole[] =
	"{\"address\":\"0000:01:00.0\",\"kind\":\"pci\",\"id\":\"d-abcdefghij\","
	"\"identity_partial\":false,\"facts\":{\"serial\":null,\"path\":\"00:01.0/00.0\"},"
	"\"class\":\"030000\",\"class_name\":\"VGA compatible controller\",\"type\":\"display\","
	"\"vendor_id\":\"10de\",\"device_id\":\"1eb8\",\"subsystem_vendor_id\":\"10de\","
	"\"subsystem_device_id\":\"12a2\",\"revision\":\"a1\",\"vendor\":\"NVIDIA Corporation\","
	"\"device\":\"TU104GL [Tesla "
	"T4]\",\"slot_label\":null,\"serial\":null,\"driver\":\"nvidia\","
	"\"driver_override\":null,\"iommu_group\":12,\"numa_node\":null,\"parent\":\"0000:00:01."
	"0\","
	"\"companions\":[\"0000:01:00.1\"],\"physical_function\":null,\"virtual_functions\":[],"
	"\"sriov_total\":16,\"sriov_active\":0,\"mdev_types\":[\"nvidia-222\"],\"boot_display\":"
	"false,"
	"\"node\":\"n1\",\"state\":\"host\",\"lease\":null,\"groups\":[\"gpus\"],"
	"\"foreign\":[{\"kind\":\"domain\",\"name\":\"vm9\"}],"
	"\"guard\":{\"verdict\":\"refused\",\"reasons\":[{\"device\":\"0000:01:00.0\","
	"\"why\":\"holds /\",\"proof\":[\"/\",\"0000:01:00.0\"]}]},"
	"\"passthrough\":{\"whole\":\"yes\",\"vgpu\":[\"nvidia-mdev\"],\"because\":[]},"
	"\"reset_methods\":\"flr bus\",\"was\":{\"address\":\"0000:01:00.0\",\"driver\":\"nvidia\","
	"\"driver_override\":null}}";

static void test_record(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherDevice) device = usher_record_parse(&usher_device_type, whole, &error);
	g_assert_no_error(error);
	g_assert_cmpint(device->iommu_group, ==, 12);
	g_assert_cmpint(device->numa_node, ==, USHER_INT_NULL);
	g_assert_cmpuint(device->state, ==, USHER_DEVICE_HOST);
	g_autoptr(UsherDevice) copy = usher_device_dup(device);
	g_autofree char *printed = usher_record_print(&usher_device_type, copy);
	g_assert_cmpstr(printed, ==, whole);
}

/* What a scan without an agent leaves open is null, not a made-up value. */
static void test_nulls(void)
{
	g_autoptr(UsherDevice) device = usher_device_new();
	device->address = g_strdup("0000:00:00.0");
	g_autofree char *printed = usher_record_print(&usher_device_type, device);
	static const char *const parts[] = { "\"state\":null", "\"iommu_group\":null",
		"\"numa_node\":null", "\"id\":null", "\"lease\":null", "\"was\":null" };
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		g_assert_nonnull(strstr(printed, parts[i]));
	g_assert_null(strstr(printed, "driver_override_unknown"));
}

static void test_compare(void)
{
	static const char *const rows[] = { "0000:01:00.0", "0000:01:00.1", "0000:0a:00.0",
		"10000:00:00.0", "usb:1-4.2", "usb:2-1" };
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		for (size_t j = 0; j < G_N_ELEMENTS(rows); j++) {
			g_autoptr(UsherDevice) one = usher_device_new();
			g_autoptr(UsherDevice) other = usher_device_new();
			one->address = g_strdup(rows[i]);
			one->kind = g_str_has_prefix(rows[i], "usb") ? USHER_DEVICE_USB
								     : USHER_DEVICE_PCI;
			other->address = g_strdup(rows[j]);
			other->kind = g_str_has_prefix(rows[j], "usb") ? USHER_DEVICE_USB
								       : USHER_DEVICE_PCI;
			g_assert_cmpint(usher_device_compare(one, other), ==, (i > j) - (i < j));
		}
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/device/types", test_types);
	g_test_add_func("/device/class", test_class);
	g_test_add_func("/device/states", test_states);
	g_test_add_func("/device/moves", test_moves);
	g_test_add_func("/device/record", test_record);
	g_test_add_func("/device/nulls", test_nulls);
	g_test_add_func("/device/compare", test_compare);
	return g_test_run();
}
