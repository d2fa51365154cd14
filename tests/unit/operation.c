/* SPDX-License-Identifier: Apache-2.0 */
/* The operation's state table, its record, and errors as they are kept. */
#include "core/operation.h"

#include <string.h>

#include "base/error.h"

static const char *const moves[USHER_OPERATION_N_STATES] = {
	[USHER_OPERATION_PROPOSED] = "queued cancelled",
	[USHER_OPERATION_QUEUED] = "running failed cancelled",
	[USHER_OPERATION_RUNNING] = "done failed undone",
	[USHER_OPERATION_DONE] = "",
	[USHER_OPERATION_FAILED] = "",
	[USHER_OPERATION_CANCELLED] = "",
	[USHER_OPERATION_UNDONE] = "",
};

static void test_moves(void)
{
	for (unsigned from = 0; from < USHER_OPERATION_N_STATES; from++) {
		g_assert_true(usher_operation_state_name(from)[0] != '\0');
		g_autoptr(GString) to_names = g_string_new(NULL);
		for (unsigned to = 0; to < USHER_OPERATION_N_STATES; to++) {
			if (usher_operation_state_may_move(from, to))
				g_string_append_printf(to_names, "%s%s",
					to_names->len > 0 ? " " : "",
					usher_operation_state_name(to));
		}
		g_assert_cmpstr(to_names->str, ==, moves[from]);
		g_assert_true(usher_operation_state_is_end(from) == (to_names->len == 0));
	}
}

/* States in reach, as bits. */
static unsigned reach(unsigned from)
{
	unsigned reached = 1U << from;
	for (unsigned i = 0; i < USHER_OPERATION_N_STATES; i++) {
		if (usher_operation_state_may_move(from, i))
			reached |= reach(i);
	}
	return reached;
}

/* The recursion ends because the table has no circle; a circle would be found as a crash. */
static void test_reach(void)
{
	g_assert_cmpuint(reach(USHER_OPERATION_PROPOSED), ==, (1U << USHER_OPERATION_N_STATES) - 1);
	for (unsigned i = 0; i < USHER_OPERATION_N_STATES; i++) {
		unsigned ends = 0;
		for (unsigned j = 0; j < USHER_OPERATION_N_STATES; j++)
			ends |= usher_operation_state_is_end(j) ? 1U << j : 0;
		g_assert_cmpuint(reach(i) & ends, !=, 0);
	}
}

static void test_names(void)
{
	/* The record reads and writes the same names as the table has. */
	for (unsigned i = 0; i < USHER_OPERATION_N_STATES; i++) {
		g_autofree char *text =
			g_strdup_printf("{\"id\":\"op-1\",\"kind\":\"vm-start\",\"state\":\"%s\"}",
				usher_operation_state_name(i));
		g_autoptr(GError) error = NULL;
		g_autoptr(UsherOperation) operation =
			usher_record_parse(&usher_operation_type, text, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(operation->state, ==, i);
	}
	for (unsigned i = 0; i < USHER_N_KINDS; i++)
		g_assert_nonnull(usher_operation_kind_names[i]);
	g_assert_null(usher_operation_kind_names[USHER_N_KINDS]);
}

static void test_record(void)
{
	static const char text[] =
		"{\"id\":\"op-aaaaaaaaaa\",\"kind\":\"vm-stop\",\"node\":\"n1\",\"object\":\"vm/"
		"win11\","
		"\"state\":\"failed\",\"steps\":[{\"text\":\"bind 0000:01:00.0 to "
		"vfio-pci\",\"state\":\"undone\","
		"\"at\":\"2026-01-01T00:00:00.000Z\"}],\"needs\":[\"reboot\"],\"based_on\":48213,"
		"\"error\":{\"code\":\"busy\",\"message\":\"it is in "
		"use\",\"object\":null,\"hint\":\"wait\"},"
		"\"actor\":\"uid "
		"0\",\"deadline\":null,\"leases\":[\"l-1\",\"l-2\"],\"arguments\":{\"force\":true},"
		"\"cancel\":true}";
	g_autoptr(GError) error = NULL;
	g_autoptr(UsherOperation) operation =
		usher_record_parse(&usher_operation_type, text, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(operation->kind, ==, USHER_KIND_VM_STOP);
	g_assert_cmpuint(operation->leases->len, ==, 2);
	g_assert_cmpstr(operation->leases->pdata[1], ==, "l-2");
	g_assert_cmpuint(((const UsherOperationStep *) operation->steps->pdata[0])->state, ==,
		USHER_STEP_UNDONE);
	g_autoptr(UsherOperation) copy = usher_operation_dup(operation);
	g_autofree char *one = usher_record_print(&usher_operation_type, operation);
	g_autofree char *other = usher_record_print(&usher_operation_type, copy);
	g_assert_cmpstr(one, ==, other);
}

static void test_problem(void)
{
	g_autoptr(GError) error = NULL;
	usher_error_set(&error, USHER_ERROR_BUSY, "it is in use");
	usher_error_set_object(error, "device/d-1");
	usher_error_set_hint(error, "usher device users d-1");
	g_autoptr(UsherProblem) problem = usher_problem_of(error);
	g_assert_cmpstr(problem->code, ==, "busy");
	g_autoptr(GError) raised = NULL;
	usher_problem_raise(problem, &raised);
	g_assert_cmpint(usher_error_code(raised), ==, USHER_ERROR_BUSY);
	g_assert_cmpstr(raised->message, ==, "it is in use");
	g_assert_cmpstr(usher_error_object(raised), ==, "device/d-1");
	g_assert_cmpstr(usher_error_hint(raised), ==, "usher device users d-1");
	usher_problem_raise(problem, NULL);
	/* A code of a newer usher. */
	g_free(problem->code);
	problem->code = g_strdup("teapot");
	g_clear_error(&raised);
	usher_problem_raise(problem, &raised);
	g_assert_cmpint(usher_error_code(raised), ==, USHER_ERROR_INTERNAL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/operation/names", test_names);
	g_test_add_func("/operation/moves", test_moves);
	g_test_add_func("/operation/reach", test_reach);
	g_test_add_func("/operation/record", test_record);
	g_test_add_func("/operation/problem", test_problem);
	return g_test_run();
}
