/* SPDX-License-Identifier: Apache-2.0 */
/* The lease's state table and its record. */
#include "core/lease.h"

#include <string.h>

/* The moves, one row a state: what the table in lease.c must say. */
static const char *const moves[USHER_LEASE_N_STATES] = {
	[USHER_LEASE_RESERVED] = "preparing released failed",
	[USHER_LEASE_PREPARING] = "ready returning failed",
	[USHER_LEASE_READY] = "attached returning failed",
	[USHER_LEASE_ATTACHED] = "returning failed",
	[USHER_LEASE_RETURNING] = "released failed",
	[USHER_LEASE_RELEASED] = "",
	[USHER_LEASE_FAILED] = "",
};

static void test_names(void)
{
	for (unsigned i = 0; i < USHER_LEASE_N_STATES; i++) {
		UsherLeaseState state;
		const char *name = usher_lease_state_name(i);
		g_assert_true(name != NULL && name[0] != '\0');
		g_assert_true(usher_lease_state_parse(name, &state));
		g_assert_cmpuint(state, ==, i);
	}
	UsherLeaseState state = USHER_LEASE_READY;
	g_assert_false(usher_lease_state_parse("gone", &state));
	g_assert_false(usher_lease_state_parse("", &state));
	g_assert_cmpuint(state, ==, USHER_LEASE_READY);
}

static void test_moves(void)
{
	for (unsigned from = 0; from < USHER_LEASE_N_STATES; from++) {
		g_autoptr(GString) to_names = g_string_new(NULL);
		for (unsigned to = 0; to < USHER_LEASE_N_STATES; to++) {
			if (usher_lease_state_may_move(from, to))
				g_string_append_printf(to_names, "%s%s",
					to_names->len > 0 ? " " : "", usher_lease_state_name(to));
		}
		g_assert_cmpstr(to_names->str, ==, moves[from]);
		/* Ends have no way out, all others have one. */
		g_assert_true(usher_lease_state_is_end(from) == (to_names->len == 0));
	}
}

static void test_reach(void)
{
	for (unsigned from = 0; from < USHER_LEASE_N_STATES; from++) {
		bool is_end = usher_lease_state_is_end(from);
		/* A lease always ends, one way or the other. */
		g_assert_true(is_end ||
			(usher_lease_state_may_reach(from, USHER_LEASE_RELEASED) &&
				usher_lease_state_may_reach(from, USHER_LEASE_FAILED)));
		g_assert_true(usher_lease_state_may_reach(USHER_LEASE_RESERVED, from));
		for (unsigned to = 0; to < USHER_LEASE_N_STATES; to++) {
			bool may_reach = usher_lease_state_may_reach(from, to);
			if (from == to || usher_lease_state_may_move(from, to))
				g_assert_true(may_reach);
			else if (is_end)
				g_assert_false(may_reach);
			/* No way back: a state once left does not return. */
			if (may_reach && from != to)
				g_assert_false(usher_lease_state_may_reach(to, from));
		}
	}
	g_assert_true(usher_lease_state_may_reach(USHER_LEASE_RESERVED, USHER_LEASE_ATTACHED));
	g_assert_false(usher_lease_state_may_move(USHER_LEASE_RESERVED, USHER_LEASE_ATTACHED));
}

static void test_record(void)
{
	static const char text[] =
		"{\"id\":\"l-aaaaaaaaaa\",\"guest\":{\"kind\":\"vm\",\"name\":\"win11\"},\"node\":"
		"\"n1\","
		"\"device\":{\"id\":\"d-aaaaaaaaaa\",\"address\":\"0000:01:00.0\"},"
		"\"companions\":[\"0000:01:00.1\"],\"state\":\"attached\","
		"\"was\":{\"0000:01:00.0\":{\"driver\":\"nvidia\",\"driver_override\":null},"
		"\"0000:01:00.1\":{\"driver\":null,\"driver_override\":\"vfio-pci\"}},\"revision\":"
		"3}";
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherLease) lease = usher_record_parse(&usher_lease_type, text, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(lease->state, ==, USHER_LEASE_ATTACHED);
	g_assert_cmpuint(lease->companions->len, ==, 1);
	g_assert_cmpstr(lease->companions->pdata[0], ==, "0000:01:00.1");
	g_assert_cmpuint(lease->was->len, ==, 2);
	const UsherWas *was = lease->was->pdata[1];
	g_assert_cmpstr(was->address, ==, "0000:01:00.1");
	g_assert_null(was->driver);
	g_assert_cmpstr(was->driver_override, ==, "vfio-pci");
	g_autoptr(UsherLease) copy = usher_lease_dup(lease);
	g_autofree char *one = usher_record_print(&usher_lease_type, lease);
	g_autofree char *other = usher_record_print(&usher_lease_type, copy);
	g_assert_cmpstr(one, ==, other);
	g_assert_nonnull(strstr(
		one, "\"was\":{\"0000:01:00.0\":{\"driver\":\"nvidia\",\"driver_override\":null}"));
	g_assert_null(
		usher_record_parse(&usher_lease_type, "{\"id\":\"l-1\",\"state\":\"gone\"}", NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lease/names", test_names);
	g_test_add_func("/lease/moves", test_moves);
	g_test_add_func("/lease/reach", test_reach);
	g_test_add_func("/lease/record", test_record);
	return g_test_run();
}
