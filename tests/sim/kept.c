/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has ended is kept for people to look at, and makes room in the end: hundreds of starts and
 * stops, one after the other. The witness sees that nothing goes too early.
 */
#include <string.h>

#include "base/log.h"
#include "sim/bed.h"

#define KEPT     500
#define N_CYCLES 520

static unsigned count(Bed *bed, UsherObjectKind kind)
{
	const UsherListQuery query = { .all = true };
	g_autoptr(UsherJsonWriter) writer = usher_json_writer_new(/* pretty */ false);
	g_autofree char *next = NULL;
	usher_json_begin_array(writer);
	usher_cluster_list(bed_cluster(bed), kind, &query, writer, &next);
	usher_json_end_array(writer);
	g_autofree char *text = usher_json_writer_finish(g_steal_pointer(&writer));
	g_autoptr(UsherJson) list = usher_json_parse(text, strlen(text), NULL);
	return (unsigned) usher_json_length(list);
}

static void test_kept(void)
{
	g_autoptr(Bed) bed = bed_new(/* seed */ 1);
	for (unsigned i = 0; i < N_CYCLES; i++)
		bed_start_and_stop(bed, "vm1");
	bed_check_at_rest(bed);
	const UsherObjectKind kinds[] = { USHER_OBJECT_OPERATION, USHER_OBJECT_LEASE };
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_assert_cmpuint(count(bed, kinds[i]), >=, KEPT);
		g_assert_cmpuint(count(bed, kinds[i]), <, KEPT + 5);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	usher_log_init("sim", (UsherLogLevel) 0);
	g_test_add_func("/sim/kept", test_kept);
	return g_test_run();
}
