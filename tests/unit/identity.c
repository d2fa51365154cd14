/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is who: what was known of a machine, what is seen of it now, and for each that is seen the
 * record it is. Records learn as the agent's do: a row is a story of several looks.
 */
#include "core/identity.h"

#include "inventory-text.h"

#define MAX_LOOKS 4

typedef struct IdentityRow {
	const char *name;
	const char *looks
		[MAX_LOOKS]; /* one after the other; each "dev …" says who=x: who it really is */
	const char *answer;  /* after the last: "address=who", "new" or "?", with blanks between */
} IdentityRow;

#define GPU  "vendor=10de device=20b5"
#define NIC  "vendor=8086 device=1572"
#define PLUG "vendor=1234 device=0001"

/* Two cards of two functions with serials, behind ports of their own. */
#define TWO_NICS \
	"dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=a0\n" \
	"dev 0000:01:00.1 020000 " NIC " path=01.0/00.1 serial=aa who=a1\n" \
	"dev 0000:02:00.0 020000 " NIC " path=02.0/00.0 serial=bb who=b0\n" \
	"dev 0000:02:00.1 020000 " NIC " path=02.0/00.1 serial=bb who=b1\n"

/* Two cards whose display tells who it is and whose audio function does not. */
#define TWO_GPUS \
	"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 uuid=GPU-a who=a0\n" \
	"dev 0000:01:00.1 040300 vendor=10de device=10f7 path=01.0/00.1 who=a1\n" \
	"dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 uuid=GPU-b who=b0\n" \
	"dev 0000:02:00.1 040300 vendor=10de device=10f7 path=02.0/00.1 who=b1\n"

static const IdentityRow rows[] = {
	{ "first-look", { TWO_NICS }, "01:00.0=new 01:00.1=new 02:00.0=new 02:00.1=new" },
	{ "again", { TWO_NICS, TWO_NICS }, "01:00.0=a0 01:00.1=a1 02:00.0=b0 02:00.1=b1" },
	{ "buses-shift",
		{ TWO_NICS,
			"dev 0000:01:00.0 010802 " PLUG " path=00.1/00.0 who=n\n"
			"dev 0000:02:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=a0\n"
			"dev 0000:02:00.1 020000 " NIC " path=01.0/00.1 serial=aa who=a1\n"
			"dev 0000:03:00.0 020000 " NIC " path=02.0/00.0 serial=bb who=b0\n"
			"dev 0000:03:00.1 020000 " NIC " path=02.0/00.1 serial=bb who=b1\n" },
		"01:00.0=new 02:00.0=a0 02:00.1=a1 03:00.0=b0 03:00.1=b1" },
	{ "buses-shift-without-root",
		{ TWO_NICS,
			"dev 0000:01:00.0 020000 " NIC " path=00.1/00.0 who=n\n"
			"dev 0000:02:00.0 020000 " NIC " path=01.0/00.0 who=a0\n"
			"dev 0000:02:00.1 020000 " NIC " path=01.0/00.1 who=a1\n"
			"dev 0000:03:00.0 020000 " NIC " path=02.0/00.0 who=b0\n"
			"dev 0000:03:00.1 020000 " NIC " path=02.0/00.1 who=b1\n" },
		"01:00.0=new 02:00.0=a0 02:00.1=a1 03:00.0=b0 03:00.1=b1" },
	{ "swapped-cards",
		{ TWO_NICS,
			"dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 serial=bb who=b0\n"
			"dev 0000:01:00.1 020000 " NIC " path=01.0/00.1 serial=bb who=b1\n"
			"dev 0000:02:00.0 020000 " NIC " path=02.0/00.0 serial=aa who=a0\n"
			"dev 0000:02:00.1 020000 " NIC " path=02.0/00.1 serial=aa who=a1\n" },
		"01:00.0=b0 01:00.1=b1 02:00.0=a0 02:00.1=a1" },
	{ "swapped-with-audio",
		{ TWO_GPUS,
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 uuid=GPU-b who=b0\n"
			"dev 0000:01:00.1 040300 vendor=10de device=10f7 path=01.0/00.1 who=b1\n"
			"dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 uuid=GPU-a who=a0\n"
			"dev 0000:02:00.1 040300 vendor=10de device=10f7 path=02.0/00.1 who=a1\n" },
		"01:00.0=b0 01:00.1=b1 02:00.0=a0 02:00.1=a1" },
	{ "driver-unbound",
		{ TWO_GPUS,
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=a0\n"
			"dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 uuid=GPU-b who=b0\n" },
		"01:00.0=a0 02:00.0=b0" },
	{ "unbound-then-swapped", /* what was known of the unbound is not forgotten */
		{ TWO_GPUS,
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=a0\n"
			"dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 who=b0\n",
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 uuid=GPU-b who=b0\n"
			"dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 uuid=GPU-a who=a0\n" },
		"01:00.0=b0 02:00.0=a0" },
	{ "moved-alone", /* the only one of its kind can be nobody else */
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 uuid=GPU-a who=a\n",
			"dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 who=a\n" },
		"02:00.0=a" },
	{ "two-moved", /* two that do not tell */
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=a\n"
		  "dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 who=b\n",
			"dev 0000:03:00.0 030000 " GPU " path=03.0/00.0 who=a\n"
			"dev 0000:04:00.0 030000 " GPU " path=04.0/00.0 who=b\n" },
		"03:00.0=? 04:00.0=?" },
	{ "one-record-two-seen",
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=a\n",
			"dev 0000:03:00.0 030000 " GPU " path=03.0/00.0 who=a\n"
			"dev 0000:04:00.0 030000 " GPU " path=04.0/00.0 who=b\n" },
		"03:00.0=? 04:00.0=?" },
	{ "ambiguity-ends", /* one of them is put back */
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=a\n"
		  "dev 0000:02:00.0 030000 " GPU " path=02.0/00.0 who=b\n",
			"dev 0000:03:00.0 030000 " GPU " path=03.0/00.0 who=a\n"
			"dev 0000:04:00.0 030000 " GPU " path=04.0/00.0 who=b\n",
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=a\n"
			"dev 0000:04:00.0 030000 " GPU " path=04.0/00.0 who=b\n" },
		"01:00.0=a 04:00.0=b" },
	{ "replaced", /* another card of the same make in the same slot */
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 serial=aa who=a\n",
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 serial=cc who=c\n" },
		"01:00.0=new" },
	{ "replaced-then-silent", /* the one that was there last */
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 serial=aa who=a\n",
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 serial=cc who=c\n",
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=c\n" },
		"01:00.0=c" },
	{ "put-back",
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 serial=aa who=a\n",
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 serial=cc who=c\n",
			"dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 serial=aa who=a\n" },
		"01:00.0=a" },
	{ "other-model",
		{ "dev 0000:01:00.0 030000 " GPU " path=01.0/00.0 who=a\n",
			"dev 0000:01:00.0 030000 " PLUG " path=01.0/00.0 who=n\n" },
		"01:00.0=new" },
	{ "shared-serial", /* is none: the slot tells */
		{ "dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=a\n"
		  "dev 0000:02:00.0 020000 " NIC " path=02.0/00.0 serial=aa who=b\n",
			"dev 0000:02:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=a\n"
			"dev 0000:03:00.0 020000 " NIC " path=02.0/00.0 serial=aa who=b\n" },
		"02:00.0=a 03:00.0=b" },
	{ "zero-serial",
		{ "dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 serial=00-00-00-00-00-00-00-00 "
		  "who=a\n",
			"dev 0000:01:00.0 020000 " NIC
			" path=01.0/00.0 serial=ff-ff-ff-ff-ff-ff-ff-ff who=a\n" },
		"01:00.0=a" },
	{ "switch-on-the-card", /* shares its serial with what is behind it */
		{ "dev 0000:01:00.0 060400 vendor=10b5 device=8747 path=01.0/00.0 serial=aa who=s\n"
		  "dev 0000:02:00.0 020000 " NIC " path=01.0/00.0/00.0 serial=aa who=a\n",
			"dev 0000:05:00.0 060400 vendor=10b5 device=8747 path=05.0/00.0 serial=aa "
			"who=s\n"
			"dev 0000:06:00.0 020000 " NIC " path=05.0/00.0/00.0 serial=aa who=a\n" },
		"05:00.0=s 06:00.0=a" },
	{ "mac", /* of the card, read once under its driver */
		{ "dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 mac=02:00:00:00:00:01 who=a\n"
		  "dev 0000:02:00.0 020000 " NIC " path=02.0/00.0 mac=02:00:00:00:00:02 who=b\n",
			"dev 0000:01:00.0 020000 " NIC
			" path=01.0/00.0 mac=02:00:00:00:00:02 who=b\n"
			"dev 0000:02:00.0 020000 " NIC
			" path=02.0/00.0 mac=02:00:00:00:00:01 who=a\n" },
		"01:00.0=b 02:00.0=a" },
	{ "vpd",
		{ "dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 vpd=S1 who=a\n",
			"dev 0000:02:00.0 020000 " NIC " path=02.0/00.0 vpd=S1 who=a\n"
			"dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 vpd=S2 who=n\n" },
		"01:00.0=new 02:00.0=a" },
	{ "label",
		{ "dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 label=LOM1 who=a\n"
		  "dev 0000:02:00.0 020000 " NIC " path=02.0/00.0 label=LOM2 who=b\n",
			"dev 0000:03:00.0 020000 " NIC " path=03.0/00.0 label=LOM2 who=b\n"
			"dev 0000:04:00.0 020000 " NIC " path=04.0/00.0 label=LOM1 who=a\n" },
		"03:00.0=b 04:00.0=a" },
	{ "virtual-functions",
		{ "dev 0000:05:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=p\n"
		  "dev 0000:05:10.0 020000 vendor=8086 device=154c pf=0000:05:00.0 who=v0\n"
		  "dev 0000:05:10.1 020000 vendor=8086 device=154c pf=0000:05:00.0 who=v1\n",
			"dev 0000:06:00.0 020000 " NIC " path=03.0/00.0 serial=aa who=p\n"
			"dev 0000:06:10.0 020000 vendor=8086 device=154c pf=0000:06:00.0 who=v0\n"
			"dev 0000:06:10.1 020000 vendor=8086 device=154c pf=0000:06:00.0 who=v1\n"
			"dev 0000:06:10.2 020000 vendor=8086 device=154c pf=0000:06:00.0 "
			"who=v2\n" },
		"06:00.0=p 06:10.0=v0 06:10.1=v1 06:10.2=new" },
	{ "virtual-functions-off-and-on",
		{ "dev 0000:05:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=p\n"
		  "dev 0000:05:10.0 020000 vendor=8086 device=154c pf=0000:05:00.0 who=v0\n",
			"dev 0000:05:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=p\n",
			"dev 0000:06:00.0 020000 " NIC " path=01.0/00.0 serial=aa who=p\n"
			"dev 0000:06:10.0 020000 vendor=8086 device=154c pf=0000:06:00.0 "
			"who=v0\n" },
		"06:00.0=p 06:10.0=v0" },
	{ "functions-of-the-ambiguous",
		{ "dev 0000:05:00.0 020000 " NIC " path=01.0/00.0 who=p\n"
		  "dev 0000:06:00.0 020000 " NIC " path=02.0/00.0 who=q\n"
		  "dev 0000:05:10.0 020000 vendor=8086 device=154c pf=0000:05:00.0 who=v0\n",
			"dev 0000:07:00.0 020000 " NIC " path=03.0/00.0 who=p\n"
			"dev 0000:08:00.0 020000 " NIC " path=04.0/00.0 who=q\n"
			"dev 0000:07:10.0 020000 vendor=8086 device=154c pf=0000:07:00.0 "
			"who=v0\n" },
		"07:00.0=? 08:00.0=? 07:10.0=?" },
	{ "usb",
		{ "dev usb:1-4 000000 vendor=046d device=c52b path=14.0/usb2/4 serial=S1 who=a\n"
		  "dev usb:1-5 000000 vendor=046d device=c52b path=14.0/usb2/5 serial=S2 who=b\n",
			"dev usb:3-4 000000 vendor=046d device=c52b path=14.0/usb2/4 serial=S2 "
			"who=b\n"
			"dev usb:3-9 000000 vendor=046d device=c52b path=14.0/usb2/9 serial=S1 "
			"who=a\n" },
		"usb:3-4=b usb:3-9=a" },
	{ "without-paths", /* records of before there were any */
		{ "dev 0000:01:00.0 020000 " NIC " who=a\ndev 0000:02:00.0 020000 " NIC " who=b\n",
			"dev 0000:01:00.0 020000 " NIC " path=01.0/00.0 who=a\n"
			"dev 0000:02:00.0 020000 " NIC " path=02.0/00.0 who=b\n" },
		"01:00.0=a 02:00.0=b" },
};

static void free_device(void *device)
{
	usher_device_free(device);
}

/* "who" is taken for the id when the device is new, so that records have names. */
static GHashTable *names_of(const char *look)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) lines = g_strsplit(look, "\n", -1);
	for (unsigned i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);
		if (words[0] != NULL)
			g_hash_table_insert(
				names, g_strdup(words[1]), g_strdup(text_option(words, "who", 0)));
	}
	return names;
}

static const char *short_address(const char *address)
{
	return g_str_has_prefix(address, "0000:") ? address + 5 : address;
}

static void learn(
	GPtrArray *records, const GPtrArray *identities, GHashTable *names, GString *answer)
{
	g_autoptr(GPtrArray) devices = g_ptr_array_new_with_free_func(free_device);
	g_string_truncate(answer, 0);
	for (unsigned i = 0; i < identities->len; i++) {
		const UsherIdentity *identity = identities->pdata[i];
		UsherDevice *device = usher_device_dup(identity->seen);
		const char *who = g_hash_table_lookup(names, device->address);
		const char *found = identity->kind == USHER_IDENTITY_AMBIGUOUS ? "?"
			: identity->kind == USHER_IDENTITY_NEW                 ? "new"
							       : identity->record->id;
		g_string_append_printf(
			answer, "%s%s=%s", i > 0 ? " " : "", short_address(device->address), found);
		if (identity->kind == USHER_IDENTITY_KNOWN)
			usher_identity_keep_facts(device, identity->record);
		device->id = identity->kind == USHER_IDENTITY_AMBIGUOUS ? NULL
			: identity->kind == USHER_IDENTITY_NEW          ? g_strdup(who)
							       : g_strdup(identity->record->id);
		g_assert_true(
			(identity->why != NULL) == (identity->kind == USHER_IDENTITY_AMBIGUOUS));
		g_ptr_array_add(devices, device);
	}
	usher_identity_remember(devices);
	for (unsigned i = 0; i < records->len; i++)
		((UsherDevice *) records->pdata[i])->state = USHER_DEVICE_ABSENT;
	for (unsigned i = 0; i < devices->len; i++) {
		const UsherDevice *device = devices->pdata[i];
		for (unsigned j = records->len; device->id != NULL && j-- > 0;) {
			if (strcmp(((UsherDevice *) records->pdata[j])->id, device->id) == 0)
				g_ptr_array_remove_index(records, j);
		}
		if (device->id != NULL)
			g_ptr_array_add(records, usher_device_dup(device));
	}
}

static void test_row(const void *data)
{
	const IdentityRow *row = data;
	g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func(free_device);
	g_autoptr(GString) answer = g_string_new(NULL);
	for (unsigned i = 0; i < MAX_LOOKS && row->looks[i] != NULL; i++) {
		g_autoptr(UsherInventory) inventory = inventory_of_text(row->looks[i]);
		g_autoptr(GPtrArray) identities =
			usher_identity_match_all(records, inventory->devices);
		g_autoptr(GHashTable) names = names_of(row->looks[i]);
		learn(records, identities, names, answer);
	}
	/* The inventory sorts; so does the answer. */
	g_auto(GStrv) wanted = g_strsplit(row->answer, " ", -1);
	g_auto(GStrv) got = g_strsplit(answer->str, " ", -1);
	g_assert_cmpuint(g_strv_length(wanted), ==, g_strv_length(got));
	for (unsigned i = 0; wanted[i] != NULL; i++) {
		if (!g_strv_contains((const char *const *) got, wanted[i]))
			g_test_message("got %s", answer->str);
		g_assert_true(g_strv_contains((const char *const *) got, wanted[i]));
	}
}

static void test_why(void)
{
	g_autoptr(UsherInventory) before =
		inventory_of_text("dev 0000:01:00.0 030000 " GPU " path=a id=d-a\n"
				  "dev 0000:02:00.0 030000 " GPU " path=b id=d-b\n");
	g_autoptr(UsherInventory) now =
		inventory_of_text("dev 0000:03:00.0 030000 " GPU " path=c\n");
	g_autoptr(GPtrArray) identities = usher_identity_match_all(before->devices, now->devices);
	const UsherIdentity *identity = identities->pdata[0];
	g_assert_cmpstr(identity->why, ==, "it may be d-a or d-b: they match equally well");
	g_assert_cmpuint(identity->candidates->len, ==, 2);
}

static void test_dummies(void)
{
	static const struct {
		const char *serial;
		bool is_dummy;
	} serials[] = {
		{ "00-00-00-00-00-00-00-00", true },
		{ "ff-ff-ff-ff-ff-ff-ff-ff", true },
		{ "", true },
		{ "0123456789", true },
		{ "123456789ABC", false },
		{ "To Be Filled By O.E.M.", true },
		{ "N/A", true },
		{ "00-1b-21-ff-ff-00-00-00", true },
		{ "00-1b-21-ff-ff-00-00-01", false },
		{ "0000:00:14.0", false },
		{ "S4EWNX0R", false },
	};
	for (size_t i = 0; i < G_N_ELEMENTS(serials); i++) {
		g_test_message("%s", serials[i].serial);
		g_assert_cmpint(
			usher_identity_is_dummy(serials[i].serial), ==, serials[i].is_dummy);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strconcat("/identity/", rows[i].name, NULL);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/identity/why", test_why);
	g_test_add_func("/identity/dummies", test_dummies);
	return g_test_run();
}
