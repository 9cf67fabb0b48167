/* SPDX-License-Identifier: BSD-2-Clause */
/* When so few are up that all are used, and what is said of who gets what. */
#include "pool_world.h"

/* ---- panic -------------------------------------------------------------------------------------*/

static void below_the_panic_threshold_all_are_used(void **state)
{
	(void)state;
	policy.panic = 50;
	pool[0].up = pool[1].up = false;
	decides("..NN"); /* half of them is not less than half */
	assert_false(answer.panicking);
	pool[2].up = false;
	decides("NNNN");
	assert_true(answer.panicking);
	assert_int_equal(answer.up, 1);
	assert_int_equal(answer.wanted, 4);
	assert_int_equal(answer.takers, 1); /* by their own merit */
}

static void panic_ends_when_one_more_is_up_than_is_needed(void **state)
{
	(void)state;
	policy.panic = 50;
	pool[0].up = pool[1].up = pool[2].up = false;
	decides("NNNN");
	pool[2].up = true;
	decides("NNNN"); /* as many as did not begin it */
	pool[1].up = true;
	decides(".NNN");
	pool[1].up = false;
	decides("..NN");
}

static void panic_at_a_hundred_ends_when_all_are_up(void **state)
{
	(void)state;
	policy.panic = 100;
	pool[0].up = false;
	decides("NNNN");
	pool[0].up = true;
	decides("NNNN");
	assert_false(answer.panicking);
}

static void panic_leaves_who_is_drained_expired_or_unreachable(void **state)
{
	(void)state;
	policy.panic = 50;
	for (int i = 0; i < 6; i++)
		pool[i].up = false;
	pool[1].drained = true;
	pool[2].expired = pool[2].drained = true;
	pool[3].reachable = false;
	pool[4].weight = 0;
	decides("NP..PN");
	assert_int_equal(answer.wanted, 3);
}

static void panic_comes_before_on_empty(void **state)
{
	(void)state;
	policy.panic = 10;
	pool[0].up = pool[1].up = false;
	decides("NN");
	assert_true(answer.panicking);
	assert_false(answer.failing_open);
	policy.panic = 0;
	decides("..");
}

/* Two of four are down, one of them the last of its pool: the next pool helps, and nobody panics. */
static void panic_counts_all_pools(void **state)
{
	(void)state;
	policy.panic = 50;
	pool[2].pool = pool[3].pool = 1;
	pool[0].up = pool[1].up = false;
	decides("..NN");
	pool[2].up = false;
	decides("NNNN");
}

/* ---- words -------------------------------------------------------------------------------------*/

static void assert_words(size_t i, const char *wanted)
{
	char words[POOL_WORDS_MAX];

	assert_string_equal(pool_words(&pool[i], &policy, &answer, words), wanted);
}

static void what_each_gets_is_said_in_words(void **state)
{
	(void)state;
	pool[0].weight = 10;
	pool[1].up = false;
	pool[2].reachable = false;
	pool[3].drained = true;
	pool[4].weight = 0;
	pool[5].pool = 2;
	pool[6].pool = POOL_BACKUP;
	pool[7].expired = true;
	decide(8);
	assert_words(0, "weight 10");
	assert_words(1, "no packets: its check says down");
	pool[1].taken_out = true;
	assert_words(1, "no packets: its passive check has taken it out");
	pool[1].taken_out = false;
	assert_words(2, "no packets: no next hop");
	assert_words(3, "no new flows: drained");
	assert_words(4, "no new flows: weight 0");
	assert_words(
		5, "stands by: of pool 2, and of those before it as many are up as are wanted (1)");
	assert_words(
		6, "stands by: a backup, and of those before it as many are up as are wanted (1)");
	assert_words(7, "no packets: in maintenance, or the deadline of its drain has passed");
}

static void who_is_used_though_it_is_down_is_said_so(void **state)
{
	(void)state;
	policy.panic = 50;
	pool[0].up = pool[1].up = false;
	decide(3);
	assert_words(0,
		     "weight 1, though its check says down: 1 of 3 are up, less than panic: 50%");
	assert_words(2, "weight 1");
	policy.panic = 0;
	policy.open_when_empty = true;
	pool[2].up = false;
	decide(3);
	assert_words(0, "weight 1, though its check says down: nobody is up (on_empty: all)");
	pool[0].taken_out = true;
	assert_words(0, "weight 1, though its passive check has taken it out: nobody is up "
			"(on_empty: all)");
}

static void who_climbs_is_said_so(void **state)
{
	(void)state;
	policy.slow_start_ms = 16000;
	pool[1].warm = false;
	decide(2);
	assert_words(1, "weight 1, 1/16 of its share yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(below_the_panic_threshold_all_are_used, fresh),
		cmocka_unit_test_setup(panic_ends_when_one_more_is_up_than_is_needed, fresh),
		cmocka_unit_test_setup(panic_at_a_hundred_ends_when_all_are_up, fresh),
		cmocka_unit_test_setup(panic_leaves_who_is_drained_expired_or_unreachable, fresh),
		cmocka_unit_test_setup(panic_comes_before_on_empty, fresh),
		cmocka_unit_test_setup(panic_counts_all_pools, fresh),
		cmocka_unit_test_setup(what_each_gets_is_said_in_words, fresh),
		cmocka_unit_test_setup(who_is_used_though_it_is_down_is_said_so, fresh),
		cmocka_unit_test_setup(who_climbs_is_said_so, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
