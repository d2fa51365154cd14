/* SPDX-License-Identifier: Apache-2.0 */
/* The rule language by tables: what matches which device, what is refused where. */
#include "core/rules/filter.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "core/rules/fields.h"
#include "core/rules/regex.h"

/* Four devices, each with its letter: a network card, a display, a virtual function of another
 * card, and one of which nothing is known. */
static const struct {
	char letter;
	const char *json;
} devices[] = {
	{ 'N',
		"{\"address\":\"0000:41:00.1\",\"id\":\"d-aaaaaaaaaa\",\"class\":\"020000\","
		"\"class_name\":\"Ethernet "
		"controller\",\"type\":\"network\",\"vendor_id\":\"8086\","
		"\"device_id\":\"1572\",\"subsystem_vendor_id\":\"8086\",\"subsystem_device_id\":"
		"\"0006\","
		"\"revision\":\"02\",\"vendor\":\"Intel Corporation\","
		"\"device\":\"Ethernet Controller X710 for 10GbE "
		"SFP+\",\"serial\":\"3c-fd-fe-ff-ff-a1-b2-c3\","
		"\"slot_label\":\"PCIe Slot "
		"2\",\"driver\":\"i40e\",\"iommu_group\":31,\"numa_node\":1,"
		"\"sriov_total\":64,\"node\":\"n1\",\"state\":\"host\","
		"\"facts\":{\"serial\":null,\"path\":\"40:01.0/00.1\"}}" },
	{ 'G',
		"{\"address\":\"0000:01:00.0\",\"class\":\"030000\","
		"\"class_name\":\"VGA compatible "
		"controller\",\"type\":\"display\",\"vendor_id\":\"10de\","
		"\"device_id\":\"1eb8\",\"vendor\":\"NVIDIA Corporation\",\"device\":\"TU104GL "
		"[Tesla T4]\","
		"\"driver\":\"nvidia\",\"iommu_group\":0,\"numa_node\":0,\"boot_display\":true,"
		"\"sriov_total\":16}" },
	{ 'V',
		"{\"address\":\"10000:02:10.4\",\"class\":\"020000\",\"class_name\":\"Ethernet "
		"controller\","
		"\"type\":\"network\",\"vendor_id\":\"8086\",\"device_id\":\"154c\","
		"\"vendor\":\"Intel Corporation\",\"device\":\"It's a 'virtual' Ünit\","
		"\"physical_function\":\"10000:02:00.0\",\"driver\":\"vfio-pci\",\"state\":"
		"\"held\"}" },
	{ 'B', "{\"address\":\"0000:00:1f.6\"}" },
};

typedef struct GoodRow {
	const char *text;
	const char *matches; /* letters */
	const char *printed; /* NULL: as it is */
} GoodRow;

static const GoodRow good[] = {
	/* each operator on texts */
	{ "vendor eq 'Intel Corporation'", "NV" },
	{ "vendor eq 'intel corporation'", "" },
	{ "vendor eq ''", "B" },
	{ "vendor ne 'Intel Corporation'", "GB" },
	{ "vendor lt 'Intel Corporation'", "B" },
	{ "vendor le 'Intel Corporation'", "NVB" },
	{ "vendor gt 'Intel Corporation'", "G" },
	{ "vendor ge 'Intel Corporation'", "NGV" },
	{ "vendor bw 'Intel'", "NV" },
	{ "vendor bw 'intel'", "" },
	{ "vendor bw ''", "NGVB" },
	{ "vendor ew 'Corporation'", "NGV" },
	{ "vendor ew 'much longer than the name of any vendor'", "" },
	{ "vendor cs 'tel C'", "NV" },
	{ "vendor cs 'TEL C'", "" },
	{ "vendor ct 'TEL c'", "NV" },
	{ "vendor ct 'nvidia'", "G" },
	{ "vendor ct ''", "NGVB" },
	{ "vendor rx '^(Intel|NVIDIA) '", "NGV" },
	{ "vendor rx 'orp'", "NGV" },
	{ "vendor rx '^orp'", "" },
	{ "vendor rx '(?i)^intel'", "NV" },
	{ "vendor rx '^$'", "B" },
	/* absent */
	{ "serial ne 'X'", "NGVB" },
	{ "serial eq ''", "GVB" },
	{ "numa eq 0", "G" },
	{ "numa ne 0", "NVB" },
	{ "numa lt 100", "NG" },
	{ "numa ge 0", "NG" },
	{ "not numa ge 0", "VB" },
	{ "iommu_group eq -1", "" },
	/* numbers */
	{ "iommu_group eq 31", "N" },
	{ "iommu_group gt 0", "N" },
	{ "iommu_group le 0", "G" },
	{ "iommu_group gt -9223372036854775807", "NG" },
	{ "sriov_total lt 9223372036854775807", "NGVB" },
	{ "sriov_total ge 016", "NG", "sriov_total ge 16" },
	{ "function eq 1", "N" },
	{ "function gt 3", "VB" },
	/* flags */
	{ "boot_display eq true", "G" },
	{ "boot_display ne true", "NVB" },
	{ "boot_display eq false", "NVB" },
	{ "virtual_function eq true", "V" },
	/* digits in any case */
	{ "vendor_device_hex eq '10DE:1EB8'", "G" },
	{ "vendor_device_hex bw '10De'", "G" },
	{ "vendor_device_hex ew ':1EB8'", "G" },
	{ "vendor_device_hex ne '10DE:1eb8'", "NVB" },
	{ "vendor_device_hex eq ''", "B" },
	{ "class_hex bw '0200'", "NV" },
	{ "class_hex lt '030000'", "NVB" },
	{ "subsystem_hex eq '8086:0006'", "N" },
	{ "vendor_id eq '8086'", "NV" },
	{ "device_id eq '154C'", "V" },
	{ "revision eq '02'", "N" },
	/* the other fields */
	{ "slot eq '41:00.1'", "N" },
	{ "slot eq '10000:02:10.4'", "V" },
	{ "address eq '0000:41:00.1'", "N" },
	{ "name eq 'NVIDIA Corporation TU104GL [Tesla T4]'", "G" },
	{ "name eq ''", "B" },
	{ "class eq 'Ethernet controller'", "NV" },
	{ "device_type eq 'network'", "NV" },
	{ "type eq 'other'", "B" },
	{ "device ct 'x710'", "N" },
	{ "driver eq 'vfio-pci'", "V" },
	{ "physical_function eq '10000:02:00.0'", "V" },
	{ "physical_function ne ''", "V" },
	{ "physical_slot eq 'PCIe Slot 2' and slot_label eq 'PCIe Slot 2'", "N" },
	{ "path bw '40:'", "N" },
	{ "id eq 'd-aaaaaaaaaa'", "N" },
	{ "node eq 'n1'", "N" },
	{ "state eq 'held'", "V" },
	{ "state eq ''", "GB" },
	/* quotes and characters */
	{ "device eq 'It''s a ''virtual'' Ünit'", "V" },
	{ "device cs ''''", "V" },
	{ "device cs '''virtual'''", "V" },
	{ "device cs 'Ü'", "V" },
	{ "device rx 'Ü.it'", "V" },
	{ "device cs '[Tesla'", "G" },
	{ "device cs '\\'", "" },
	{ "device cs 'a\nb'", "" },
	{ "device cs 'and not ( eq'", "" },
	/* combined */
	{ "vendor ct 'Intel' and (device ct 'X710' or vendor_device_hex eq '8086:154c')", "NV" },
	{ "vendor ct 'Intel' and device ct 'X710' or vendor ct 'NVIDIA'", "NG" },
	{ "vendor ct 'NVIDIA' or vendor ct 'Intel' and device ct 'X710'", "NG" },
	{ "(vendor ct 'NVIDIA' or vendor ct 'Intel') and device ct 'X710'", "N" },
	{ "not vendor ct 'Intel' and not vendor ct 'NVIDIA'", "B" },
	{ "not (vendor ct 'Intel' or vendor ct 'NVIDIA')", "B" },
	{ "not not vendor ct 'Intel'", "NV" },
	{ "not (not vendor ct 'Intel')", "NV", "not not vendor ct 'Intel'" },
	{ "not (vendor ct 'Intel') and driver eq 'nvidia'", "G",
		"not vendor ct 'Intel' and driver eq 'nvidia'" },
	/* spaces and parentheses */
	{ "\n\t (((vendor ct'Intel')))\r\n", "NV", "vendor ct 'Intel'" },
	{ "(numa eq 0)or(numa eq 1)", "NG", "numa eq 0 or numa eq 1" },
	{ "(numa eq 0 or numa eq 1) or (numa eq 2 or type eq 'other')", "NGB",
		"numa eq 0 or numa eq 1 or numa eq 2 or type eq 'other'" },
	{ "(numa eq 1 and type eq 'network') and function eq 1", "N",
		"numa eq 1 and type eq 'network' and function eq 1" },
	{ "(numa eq 1 and type eq 'network') or type eq 'other'", "NB",
		"numa eq 1 and type eq 'network' or type eq 'other'" },
};

static UsherDevice *device_new(const char *json)
{
	g_autoptr(GError) error = NULL;
	UsherDevice *device = usher_record_parse(&usher_device_type, json, &error);
	g_assert_no_error(error);
	return device;
}

static UsherFilter *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	UsherFilter *filter = usher_filter_parse(text, &error);
	if (filter == NULL)
		g_error("%s: %s", text, error->message);
	return filter;
}

static char *matches_of(const UsherFilter *filter)
{
	GString *letters = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
		g_autoptr(UsherDevice) device = device_new(devices[i].json);
		g_autoptr(GError) error = NULL;
		bool matches = false;
		g_assert_true(usher_filter_match(filter, device, &matches, &error));
		g_assert_no_error(error);
		g_autoptr(GPtrArray) reasons = usher_filter_explain(filter, device, &error);
		g_assert_no_error(error);
		g_assert_true((reasons->len == 0) == matches);
		if (matches)
			g_string_append_c(letters, devices[i].letter);
	}
	return g_string_free(letters, FALSE);
}

static void test_good(const void *data)
{
	const GoodRow *row = data;
	g_autoptr(UsherFilter) filter = parse(row->text);
	g_autofree char *matches = matches_of(filter);
	g_assert_cmpstr(matches, ==, row->matches);
	g_autofree char *printed = usher_filter_print(filter);
	g_assert_cmpstr(printed, ==, row->printed != NULL ? row->printed : row->text);
	/* What is printed is the same filter, printed the same. */
	g_autoptr(UsherFilter) again = parse(printed);
	g_autofree char *printed_again = usher_filter_print(again);
	g_autofree char *matches_again = matches_of(again);
	g_assert_cmpstr(printed_again, ==, printed);
	g_assert_cmpstr(matches_again, ==, matches);
}

typedef struct BadRow {
	const char *text;
	unsigned line, column;
	const char *part;
} BadRow;

static const BadRow bad[] = {
	{ "", 1, 1, "expected a field, 'not' or '(', found the end" },
	{ "  \n ", 2, 2, "expected a field, 'not' or '(', found the end" },
	{ "()", 1, 2, "expected a field, 'not' or '(', found ')'" },
	{ ")", 1, 1, "found ')'" },
	{ "'Intel'", 1, 1, "found the string 'Intel'" },
	{ "8086", 1, 1, "found '8086'" },
	{ "and", 1, 1, "found 'and'" },
	{ "eq 'x'", 1, 1, "found 'eq'" },
	{ "vendr eq 'x'", 1, 1, "found 'vendr'; did you mean 'vendor'?" },
	{ "Vendor eq 'x'", 1, 1, "found 'Vendor'; did you mean 'vendor'?" },
	{ "vendor_hex eq 'x'", 1, 1, "found 'vendor_hex'" },
	{ "temperature gt 5", 1, 1, "found 'temperature'" },
	{ "vendor", 1, 7,
		"expected an operator (eq, ne, lt, le, gt, ge, bw, ew, cs, ct, rx), found the "
		"end" },
	{ "vendor 'x'", 1, 8,
		"expected an operator (eq, ne, lt, le, gt, ge, bw, ew, cs, ct, rx), found the "
		"string 'x'" },
	{ "vendor = 'x'", 1, 8, "found '='; did you mean 'eq'?" },
	{ "vendor == 'x'", 1, 8, "found '='; did you mean 'eq'?" },
	{ "vendor contains 'x'", 1, 8, "found 'contains'; did you mean 'ct'?" },
	{ "vendor EQ 'x'", 1, 8, "found 'EQ'; did you mean 'eq'?" },
	{ "vendor not eq 'x'", 1, 8, "found 'not'" },
	{ "numa ct 1", 1, 6,
		"expected an operator for numbers (eq, ne, lt, le, gt, ge), found 'ct'" },
	{ "numa rx '1'", 1, 6, "expected an operator for numbers" },
	{ "boot_display gt true", 1, 14,
		"expected an operator for true and false (eq, ne), found 'gt'" },
	{ "vendor eq", 1, 10, "expected a string in single quotes, found the end" },
	{ "vendor eq 8086", 1, 11, "expected a string in single quotes, found '8086'" },
	{ "vendor eq true", 1, 11, "expected a string in single quotes, found 'true'" },
	{ "vendor eq Intel", 1, 11, "expected a string in single quotes, found 'Intel'" },
	{ "vendor eq \"Intel\"", 1, 11, "expected a string in single quotes, found '\"'" },
	{ "vendor eq device", 1, 11, "found 'device'" },
	{ "numa eq '0'", 1, 9, "expected a number, found the string '0'" },
	{ "numa eq true", 1, 9, "expected a number, found 'true'" },
	{ "numa eq -", 1, 9, "expected a number, found '-'" },
	{ "numa eq 0x10", 1, 9, "expected a whole number of at most 63 bits, found '0x10'" },
	{ "numa eq 1.5", 1, 9, "expected a whole number of at most 63 bits, found '1.5'" },
	{ "numa eq 9223372036854775808", 1, 9, "expected a whole number of at most 63 bits" },
	{ "boot_display eq 1", 1, 17, "expected true or false, found '1'" },
	{ "boot_display eq 'true'", 1, 17, "expected true or false, found the string 'true'" },
	{ "boot_display eq yes", 1, 17, "expected true or false, found 'yes'" },
	{ "vendor eq 'Intel", 1, 11, "expected a quote at the end of the string that begins here" },
	{ "vendor eq 'It''s", 1, 11, "expected a quote at the end" },
	{ "vendor eq 'It's'", 1, 15, "expected 'and', 'or' or the end, found 's'" },
	{ "vendor eq 'x' vendor eq 'y'", 1, 15, "expected 'and', 'or' or the end, found 'vendor'" },
	{ "vendor eq 'x' AND numa eq 1", 1, 15, "found 'AND'; did you mean 'and'?" },
	{ "vendor eq 'x' && numa eq 1", 1, 15, "expected 'and', 'or' or the end, found '&'" },
	{ "vendor eq 'x' and", 1, 18, "expected a field, 'not' or '(', found the end" },
	{ "vendor eq 'x' or or numa eq 1", 1, 18, "found 'or'" },
	{ "vendor eq 'x')", 1, 14, "expected 'and', 'or' or the end, found ')'" },
	{ "(vendor eq 'x'", 1, 15, "expected 'and', 'or' or ')', found the end" },
	{ "not", 1, 4, "expected a field, 'not' or '(', found the end" },
	{ "not and", 1, 5, "found 'and'" },
	{ "vendor eq 'x'\nand\n  vendr eq 'y'", 3, 3, "did you mean 'vendor'" },
	{ "vendor eq 'ä' and §", 1, 19, "found '§'" },
	{ "vendor eq 'a\nb' §", 2, 4, "found '§'" },
	{ "vendor eq 'x\xff'", 1, 13, "expected UTF-8, found the byte ff" },
	{ "vendor rx '('", 1, 11,
		"expected a regular expression, found a bad one: missing closing parenthesis" },
	{ "vendor rx 'a' or vendor rx '*'", 1, 28,
		"quantifier does not follow a repeatable item at its character" },
	{ "vendor rx '\\C'", 1, 11, "using \\C is disabled" },
};

static void test_bad(const void *data)
{
	const BadRow *row = data;
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_filter_parse(row->text, &error));
	g_assert_nonnull(error);
	g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_INVALID);
	g_autofree char *place =
		g_strdup_printf("line %u, column %u: expected ", row->line, row->column);
	if (!g_str_has_prefix(error->message, place) || strstr(error->message, row->part) == NULL)
		g_error("'%s' is not '%s… %s'", error->message, place, row->part);
	g_assert_null(usher_filter_parse(row->text, NULL));
}

static char *repeat(const char *before, size_t n, const char *middle, const char *after)
{
	GString *text = g_string_new(NULL);
	for (size_t i = 0; i < n; i++)
		g_string_append(text, before);
	g_string_append(text, middle);
	for (size_t i = 0; i < n; i++)
		g_string_append(text, after);
	return g_string_free(text, FALSE);
}

static void refuse(const char *text, const char *part)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(usher_filter_parse(text, &error));
	if (strstr(error->message, part) == NULL)
		g_error("'%s' is not in '%s'", part, error->message);
}

static void test_limits(void)
{
	g_autofree char *deep = repeat("(", USHER_FILTER_MAX_DEPTH, "numa eq 1", ")");
	g_autoptr(UsherFilter) filter = parse(deep);
	g_autofree char *printed = usher_filter_print(filter);
	g_assert_cmpstr(printed, ==, "numa eq 1");
	g_autofree char *deeper = repeat("(", USHER_FILTER_MAX_DEPTH + 1, "numa eq 1", ")");
	refuse(deeper, "line 1, column 101: expected at most 100 levels");
	g_autofree char *nots = repeat("not ", USHER_FILTER_MAX_DEPTH + 1, "numa eq 1", "");
	refuse(nots, "line 1, column 401: expected at most 100 levels");
	g_autofree char *absurd = repeat("(", 60000, "", "");
	refuse(absurd, "at most 100 levels");

	g_autofree char *longest =
		repeat(" ", USHER_FILTER_MAX_SIZE - strlen("numa eq 1"), "numa eq 1", "");
	g_autoptr(UsherFilter) spaced = parse(longest);
	g_assert_nonnull(spaced);
	g_autofree char *longer = g_strconcat(longest, " ", NULL);
	refuse(longer, "a filter of 65537 bytes: at most 65536 are allowed");

	/* Long and flat is no nesting. */
	g_autofree char *flat = repeat("numa eq 1 or ", 4000, "numa eq 1", "");
	g_autoptr(UsherFilter) chain = parse(flat);
	g_autofree char *chain_printed = usher_filter_print(chain);
	g_assert_cmpstr(chain_printed, ==, flat);

	g_autofree char *most =
		repeat("vendor rx 'a' or ", USHER_FILTER_MAX_REGEX, "numa eq 1", "");
	g_autoptr(UsherFilter) regexes = parse(most);
	g_assert_nonnull(regexes);
	g_autofree char *more =
		repeat("vendor rx 'a' or ", USHER_FILTER_MAX_REGEX + 1, "numa eq 1", "");
	refuse(more, "at most 100 regular expressions");
}

static void test_volatile(void)
{
	static const struct {
		const char *text, *field;
	} rows[] = {
		{ "vendor eq 'x' and numa eq 1", NULL },
		{ "address eq 'x'", "address" },
		{ "vendor eq 'x' and (numa eq 1 or not iommu_group eq 1) or slot eq 'x'",
			"iommu_group" },
		{ "driver eq 'x'", "driver" },
		{ "physical_function ne ''", "physical_function" },
		{ "state eq 'host'", "state" },
		{ "serial eq 'x' and path eq 'y' and slot_label eq 'z'", NULL },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(UsherFilter) filter = parse(rows[i].text);
		g_assert_cmpstr(usher_filter_volatile_field(filter), ==, rows[i].field);
	}
}

/* Each field works with each of its operators, and has a word for the documentation. */
static void test_fields(void)
{
	size_t n;
	const UsherRuleField *fields = usher_rule_fields(&n);
	for (size_t i = 0; i < n; i++) {
		g_assert_true(usher_rule_field_find(fields[i].name) == &fields[i]);
		g_assert_cmpuint(strlen(fields[i].means), >, 0);
		const char *value = fields[i].type == USHER_RULE_NUMBER ? "1"
			: fields[i].type == USHER_RULE_FLAG             ? "true"
									: "'a'";
		for (unsigned j = 0; j < USHER_RULE_N_OPERATORS; j++) {
			g_autofree char *text = g_strdup_printf(
				"%s %s %s", fields[i].name, usher_rule_operator_names[j], value);
			g_autoptr(UsherFilter) filter = usher_filter_parse(text, NULL);
			bool may = (usher_rule_type_operators(fields[i].type) & (1U << j)) != 0;
			g_assert_true((filter != NULL) == may);
			g_free(may ? matches_of(filter) : NULL);
		}
	}
	g_assert_null(usher_rule_field_find("nothing"));
}

static void test_regex_limit(void)
{
	static const struct {
		const char *pattern, *text;
	} rows[] = {
		{ "^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" },
		{ "(x+x+)+[yz]", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
		{ "^(([a-z])+.)+[A-Z]([a-z])+$",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ "^(.*)(.*)*(.*)*[=#]",
			"a network controller with a long name and a longer one behind it" },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		for (unsigned mode = USHER_REGEX_COMPILED; mode <= USHER_REGEX_INTERPRETED;
			mode++) {
			g_autoptr(GError) error = NULL;
			g_autoptr(UsherRegex) regex =
				usher_regex_new(rows[i].pattern, mode, &error);
			g_assert_no_error(error);
			bool found;
			g_assert_true(usher_regex_search(regex, "", &found, &error));
			int64_t before = g_get_monotonic_time();
			bool is_known = usher_regex_search(regex, rows[i].text, &found, &error);
			int64_t took = g_get_monotonic_time() - before;
			g_test_message("%s, mode %u: %s after %d us", rows[i].pattern, mode,
				is_known ? "answer" : error->message, (int) took);
			g_assert_cmpint(took, <, 1000000);
			if (is_known) {
				g_assert_false(found);
				continue;
			}
			g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_INVALID);
			g_assert_nonnull(strstr(error->message, "takes too long"));
		}
	}
}

/* An answer that is not known is an error of the match, unless it is not needed. */
static void test_match_limit(void)
{
	g_autoptr(UsherDevice) device = device_new(devices[0].json);
	g_free(device->device);
	device->device = g_strdup("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
	g_autoptr(GError) error = NULL;
	bool matches = true;
	g_autoptr(UsherFilter) slow = parse("vendor ct 'Intel' and not device rx '^(a+)+$'");
	g_assert_false(usher_filter_match(slow, device, &matches, &error));
	g_assert_true(matches);
	g_assert_cmpint(usher_error_code(error), ==, USHER_ERROR_INVALID);
	g_assert_nonnull(
		strstr(error->message, "device of 0000:41:00.1, regular expression '^(a+)+$': "));
	g_assert_false(usher_filter_match(slow, device, &matches, NULL));
	g_autoptr(UsherFilter) decided = parse("vendor eq 'x' and device rx '^(a+)+$'");
	g_assert_true(usher_filter_match(decided, device, &matches, NULL));
	g_assert_false(matches);
}

static void test_regex_modes(void)
{
	static const struct {
		const char *pattern, *text;
		bool found;
	} rows[] = {
		{ "b+", "abbbc", true },
		{ "^b", "abc", false },
		{ "c$", "abc", true },
		{ "", "", true },
		{ "ä.",
			"\xff"
			"ä!",
			true },
		{ "^.$", "\xff", false },
		{ "^.$", "ü", true },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		for (unsigned mode = USHER_REGEX_COMPILED; mode <= USHER_REGEX_INTERPRETED;
			mode++) {
			g_autoptr(UsherRegex) regex = usher_regex_new(rows[i].pattern, mode, NULL);
			bool found = !rows[i].found;
			g_assert_true(usher_regex_search(regex, rows[i].text, &found, NULL));
			g_assert_true(found == rows[i].found);
		}
	}
	/* Deeper than the compiled code's stack: the interpreter takes over. */
	g_autofree char *text = g_strnfill(4000, 'a');
	g_autoptr(UsherRegex) regex = usher_regex_new("^(a|b(c))*$", USHER_REGEX_COMPILED, NULL);
	bool found = false;
	g_assert_true(usher_regex_search(regex, text, &found, NULL));
	g_assert_true(found);
	usher_regex_free(NULL);
}

/* Patterns that unfold when they are compiled. */
static void test_regex_bombs(void)
{
	static const char *const patterns[] = {
		"((((a{1,200}){1,200}){1,200}){1,200}){1,200}",
		"(a{0,65535}){0,65535}",
		"((a{1,40}){1,40}){1,20}",
		"(\\p{L}{1,60}){1,60}",
	};
	int64_t before = g_get_monotonic_time();
	for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherRegex) regex =
			usher_regex_new(patterns[i], USHER_REGEX_COMPILED, &error);
		g_test_message("%s: %s, %d us", patterns[i],
			regex != NULL ? "made" : error->message,
			(int) (g_get_monotonic_time() - before));
	}
	g_assert_cmpint(g_get_monotonic_time() - before, <, 5000000);
	g_autofree char *longer = g_strnfill(1001, 'a');
	g_assert_null(usher_regex_new(longer, USHER_REGEX_COMPILED, NULL));
	g_autofree char *nested = repeat("(", 60, "a", ")");
	g_assert_null(usher_regex_new(nested, USHER_REGEX_COMPILED, NULL));
}

typedef struct Card {
	const char *address, *serial, *model, *board, *label, *node;
	const char *filter;
} Card;

static UsherDevice *card_new(const Card *card)
{
	UsherDevice *device = usher_device_new();
	device->address = g_strdup(card->address);
	device->serial = g_strdup(card->serial);
	device->slot_label = g_strdup(card->label);
	device->node = g_strdup(card->node);
	if (card->model != NULL) {
		device->vendor_id = g_strdup("8086");
		device->device_id = g_strdup(card->model);
	}
	if (card->board != NULL) {
		device->subsystem_vendor_id = g_strdup("1028");
		device->subsystem_device_id = g_strdup(card->board);
	}
	return device;
}

static void test_suggestions(void)
{
	static const Card cards[] = {
		{ "0000:01:00.0", "S1", "1572", "0001", "Slot 1", "n1", "serial eq 'S1'" },
		/* two functions of one card */
		{ "0000:02:00.0", "S2", "1572", "0001", "Slot 2", "n1",
			"serial eq 'S2' and function eq 0" },
		{ "0000:02:00.1", "S2", "1572", "0001", "Slot 2", "n1",
			"serial eq 'S2' and function eq 1" },
		/* no serial, one of its model */
		{ "0000:03:00.0", NULL, "10d3", "0001", NULL, "n1",
			"vendor_device_hex eq '8086:10d3'" },
		/* the same model on two boards */
		{ "0000:04:00.0", NULL, "10fb", "0001", NULL, "n1",
			"vendor_device_hex eq '8086:10fb' and subsystem_hex eq '1028:0001'" },
		{ "0000:05:00.0", NULL, "10fb", "0002", NULL, "n1",
			"vendor_device_hex eq '8086:10fb' and subsystem_hex eq '1028:0002'" },
		/* the same board in two slots */
		{ "0000:06:00.0", NULL, "1521", "0001", "Slot 6", "n1",
			"vendor_device_hex eq '8086:1521' and slot_label eq 'Slot 6'" },
		{ "0000:07:00.0", NULL, "1521", "0001", "It's 7", "n1",
			"vendor_device_hex eq '8086:1521' and slot_label eq 'It''s 7'" },
		{ "0000:08:00.0", NULL, "1522", "0001", "Slot 8", "n1",
			"vendor_device_hex eq '8086:1522' and slot_label eq 'Slot 8' and function "
			"eq 0" },
		{ "0000:08:00.1", NULL, "1522", "0001", "Slot 8", "n1",
			"vendor_device_hex eq '8086:1522' and slot_label eq 'Slot 8' and function "
			"eq 1" },
		/* nothing but the place */
		{ "0000:09:00.0", NULL, "1523", NULL, NULL, "n1",
			"vendor_device_hex eq '8086:1523' and address eq '0000:09:00.0'" },
		{ "0000:0a:00.0", NULL, "1523", NULL, NULL, "n1",
			"vendor_device_hex eq '8086:1523' and address eq '0000:0a:00.0'" },
		{ "0000:0b:00.0", NULL, NULL, NULL, NULL, "n1", "address eq '0000:0b:00.0'" },
		/* a serial number that is no text */
		{ "0000:0c:00.0", "\xff\xfe", "1524", NULL, NULL, "n1",
			"vendor_device_hex eq '8086:1524'" },
		/* the twin of the first one on another node does not count */
		{ "0000:01:00.0", "S1", "1572", "0001", "Slot 1", "n2", "serial eq 'S1'" },
	};
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(usher_device_type.free);
	for (size_t i = 0; i < G_N_ELEMENTS(cards); i++) {
		UsherDevice *device = card_new(&cards[i]);
		g_ptr_array_add(all, device);
		g_ptr_array_add(owned, device);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(cards); i++) {
		g_autofree char *text = usher_filter_of_device(all->pdata[i], all);
		g_assert_cmpstr(text, ==, cards[i].filter);
		g_autoptr(UsherFilter) filter = parse(text);
		for (unsigned j = 0; j < all->len; j++) {
			const UsherDevice *other = all->pdata[j];
			bool matches;
			g_assert_true(usher_filter_match(filter, other, &matches, NULL));
			if (g_strcmp0(other->node, cards[i].node) == 0)
				g_assert_true(matches == (i == j));
		}
	}
	g_autofree char *like = usher_filter_like_device(all->pdata[1]);
	g_assert_cmpstr(like, ==, "vendor_device_hex eq '8086:1572'");
	g_autofree char *unknown = usher_filter_like_device(all->pdata[12]);
	g_assert_cmpstr(unknown, ==, "address eq '0000:0b:00.0'");
}

/* Whatever comes in, either it is refused with a place or it prints and parses to itself. */
static void test_scrambled(void)
{
	static const char *const words[] = {
		"vendor",
		"numa",
		"boot_display",
		"eq",
		"ct",
		"rx",
		"lt",
		"'a'",
		"'('",
		"''''",
		"'",
		"1",
		"-2",
		"true",
		"and",
		"or",
		"not",
		"(",
		")",
		"§",
		"\n",
		"\xc3",
		"vendor eq 'x'",
		"numa eq 3",
	};
	GRand *rand = g_rand_new_with_seed(1);
	unsigned n_good = 0;
	for (unsigned i = 0; i < 20000; i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		for (int n = g_rand_int_range(rand, 1, 9); n > 0; n--)
			g_string_append_printf(
				text, "%s ", words[g_rand_int_range(rand, 0, G_N_ELEMENTS(words))]);
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherFilter) filter = usher_filter_parse(text->str, &error);
		if (filter == NULL) {
			g_assert_true(g_str_has_prefix(error->message, "line "));
			continue;
		}
		n_good++;
		g_autofree char *printed = usher_filter_print(filter);
		g_autoptr(UsherFilter) again = parse(printed);
		g_autofree char *printed_again = usher_filter_print(again);
		g_assert_cmpstr(printed, ==, printed_again);
	}
	g_assert_cmpuint(n_good, >, 100);
	g_rand_free(rand);
}

/* What N, a network card, fails in. */
static void test_explain(void)
{
	static const struct {
		const char *filter, *reasons;
	} cases[] = {
		{ "vendor ct 'intel'", "" },
		{ "vendor ct 'amd'", "vendor ct 'amd': its vendor is 'Intel Corporation'" },
		{ "vendor ct 'amd' or vendor ct 'intel'", "" },
		{ "vendor eq 'a' or iommu_group eq 1",
			"vendor eq 'a': its vendor is 'Intel Corporation'|"
			"iommu_group eq 1: its iommu_group is 31" },
		{ "vendor eq 'a' and iommu_group eq 31 and boot_display eq true",
			"vendor eq 'a': its vendor is 'Intel Corporation'|"
			"boot_display eq true: its boot_display is false" },
		{ "not iommu_group eq 31", "not iommu_group eq 31: its iommu_group is 31" },
		{ "not (vendor ct 'intel' and iommu_group eq 31)",
			"not vendor ct 'intel': its vendor is 'Intel Corporation'|"
			"not iommu_group eq 31: its iommu_group is 31" },
		{ "not (vendor ct 'amd' and iommu_group eq 31)", "" },
		{ "not not vendor eq 'it''s'",
			"vendor eq 'it''s': its vendor is 'Intel Corporation'" },
	};
	g_assert_cmpint(devices[0].letter, ==, 'N');
	g_autoptr(UsherDevice) device = device_new(devices[0].json);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherFilter) filter = usher_filter_parse(cases[i].filter, &error);
		g_assert_no_error(error);
		g_autoptr(GPtrArray) reasons = usher_filter_explain(filter, device, &error);
		g_assert_no_error(error);
		g_autofree char *all = usher_text_join_array(reasons, "|");
		g_assert_cmpstr(all, ==, cases[i].reasons);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *path = g_strdup_printf("/rules/good/%zu", i + 1);
		g_test_add_data_func(path, &good[i], test_good);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *path = g_strdup_printf("/rules/bad/%zu", i + 1);
		g_test_add_data_func(path, &bad[i], test_bad);
	}
	g_test_add_func("/rules/limits", test_limits);
	g_test_add_func("/rules/volatile", test_volatile);
	g_test_add_func("/rules/fields", test_fields);
	g_test_add_func("/rules/regex/limit", test_regex_limit);
	g_test_add_func("/rules/regex/match", test_match_limit);
	g_test_add_func("/rules/regex/modes", test_regex_modes);
	g_test_add_func("/rules/regex/bombs", test_regex_bombs);
	g_test_add_func("/rules/suggestions", test_suggestions);
	g_test_add_func("/rules/scrambled", test_scrambled);
	g_test_add_func("/rules/explain", test_explain);
	return g_test_run();
}
