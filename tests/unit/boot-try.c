/* SPDX-License-Identifier: Apache-2.0 */
/* A boot that is tried: kept only after a way in was seen in it, whatever fails and whenever. */
#include "node/boot-try.h"

#include <string.h>

#include "base/error.h"
#include "fakes/boot-loader.h"

#define WORD "intel_iommu=on"

/* A host through its boots: what is stored of a try outlives them. */
typedef struct World {
	UsherBootLoaderPort *loader;
	UsherBootTry *attempt;
	const char *cmdline;
	char *boot_id;
	unsigned n_boots;
	bool was_mendable; /* some boot with the word had a way in */
} World;

static void boot(World *world)
{
	world->cmdline = fake_boot_loader_boot(world->loader);
	g_free(world->boot_id);
	world->boot_id = g_strdup_printf("boot-%u", ++world->n_boots);
}

static World begin(void)
{
	World world = { .loader = fake_boot_loader_new(), .attempt = usher_boot_try_new() };
	boot(&world);
	return world;
}

static void end(World *world)
{
	world->loader->ops->free(world->loader);
	usher_boot_try_free(world->attempt);
	g_free(world->boot_id);
}

static bool arm(World *world)
{
	g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
	g_ptr_array_add(wish->words, g_strdup(WORD));
	g_ptr_array_add(wish->unwanted, g_strdup("intel_iommu=off"));
	return usher_boot_try_arm(world->attempt, world->loader, wish, world->boot_id, NULL);
}

static bool look(World *world, bool has_way_in, int64_t up_us)
{
	UsherTrySeen seen = { world->boot_id, world->cmdline, has_way_in, up_us };
	world->was_mendable |= has_way_in && strstr(world->cmdline, WORD) != NULL;
	return usher_boot_try_step(world->attempt, world->loader, &seen, NULL);
}

/* Nothing is to be said, and something is not to: a boot that says it is not the one that is tried. */
static void test_unwanted(void)
{
	static const struct {
		const char *cmdline;
		UsherTryState state;
	} cases[] = { { "root=/dev/sda1 quiet", USHER_TRY_RUNNING },
		{ "root=/dev/sda1 quiet intel_iommu=off", USHER_TRY_FAILED } };
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(UsherBootTry) attempt = usher_boot_try_new();
		g_autoptr(UsherBootWish) wish = usher_boot_wish_new();
		g_ptr_array_add(wish->unwanted, g_strdup("intel_iommu=off"));
		usher_boot_try_move(attempt, USHER_TRY_ARMED, "one", wish);
		const UsherTrySeen seen = { "two", cases[i].cmdline, false, 1 };
		g_assert_cmpuint(usher_boot_try_judge(attempt, &seen), ==, cases[i].state);
	}
}

static void test_kept(void)
{
	World world = begin();
	g_assert_true(arm(&world));
	g_assert_true(look(&world, true, 0));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_ARMED);
	boot(&world);
	g_assert_true(look(&world, false, 1));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_RUNNING);
	g_assert_false(fake_boot_loader_is_default(world.loader, WORD));
	g_assert_true(look(&world, true, 2));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_KEPT);
	g_assert_true(fake_boot_loader_is_default(world.loader, WORD));
	boot(&world);
	g_assert_true(look(&world, false, 1));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_KEPT);
	end(&world);
}

/* It never came up: somebody pressed the button, and the old boot is there. */
static void test_never_up(void)
{
	World world = begin();
	g_assert_true(arm(&world));
	boot(&world);
	boot(&world);
	g_assert_null(strstr(world.cmdline, WORD));
	g_assert_true(look(&world, true, 0));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_FAILED);
	g_assert_false(fake_boot_loader_is_default(world.loader, WORD));
	end(&world);
}

static void test_no_way_in(void)
{
	World world = begin();
	g_assert_true(arm(&world));
	boot(&world);
	g_assert_true(look(&world, false, 1));
	g_assert_true(look(&world, false, USHER_TRY_DEADLINE_US));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_RUNNING);
	g_assert_true(look(&world, false, USHER_TRY_DEADLINE_US + 1));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_FAILED);
	boot(&world);
	g_assert_null(strstr(world.cmdline, WORD));
	end(&world);
}

static void test_booted_again(void)
{
	World world = begin();
	g_assert_true(arm(&world));
	boot(&world);
	g_assert_true(look(&world, false, 1));
	boot(&world);
	g_assert_true(look(&world, true, 1));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_FAILED);
	g_assert_false(fake_boot_loader_is_default(world.loader, WORD));
	/* And it may be tried once more. */
	g_assert_true(arm(&world));
	g_assert_cmpuint(world.attempt->state, ==, USHER_TRY_ARMED);
	end(&world);
}

static void assert_invariant(const World *world)
{
	bool is_default = fake_boot_loader_is_default(world->loader, WORD);
	g_assert_true(!is_default || world->was_mendable);
}

/* Random boots, looks and failures, on both sides of what counts. */
static void test_whatever_happens(void)
{
	unsigned n_kept = 0, n_failed = 0;
	for (uint32_t seed = 0; seed < 500; seed++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed);
		World world = begin();
		for (unsigned step = 0; step < 40; step++) {
			unsigned n = g_rand_int_range(random, 0, 3) == 0 ? 1 : 0;
			fake_boot_loader_fail(world.loader, n, g_rand_boolean(random));
			bool is_idle =
				usher_boot_try_may_move(world.attempt->state, USHER_TRY_ARMED);
			if (g_rand_int_range(random, 0, 4) == 0)
				boot(&world);
			else if (is_idle && !world.was_mendable)
				(void) arm(&world);
			else
				(void) look(&world, g_rand_boolean(random),
					g_rand_int_range(random, 0, 2) * 2 * USHER_TRY_DEADLINE_US);
			assert_invariant(&world);
		}
		n_kept += world.attempt->state == USHER_TRY_KEPT ? 1 : 0;
		n_failed += world.attempt->state == USHER_TRY_FAILED ? 1 : 0;
		end(&world);
	}
	g_assert_cmpuint(n_kept, >, 50);
	g_assert_cmpuint(n_failed, >, 5);
}

static void test_record(void)
{
	World world = begin();
	g_assert_true(arm(&world));
	g_autofree char *text = usher_record_print(&usher_boot_try_type, world.attempt);
	g_autoptr(UsherBootTry) read = usher_record_parse(&usher_boot_try_type, text, NULL);
	g_assert_cmpuint(read->state, ==, USHER_TRY_ARMED);
	g_assert_cmpstr(read->boot_id, ==, "boot-1");
	g_assert_cmpstr(read->words->pdata[0], ==, WORD);
	end(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/boot-try/kept", test_kept);
	g_test_add_func("/boot-try/unwanted", test_unwanted);
	g_test_add_func("/boot-try/never-up", test_never_up);
	g_test_add_func("/boot-try/no-way-in", test_no_way_in);
	g_test_add_func("/boot-try/booted-again", test_booted_again);
	g_test_add_func("/boot-try/whatever-happens", test_whatever_happens);
	g_test_add_func("/boot-try/record", test_record);
	return g_test_run();
}
