/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets packets, new flows, and how much of its share. */
#include "pure/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include "pool_world.h"

/* ---- one pool ----------------------------------------------------------------------------------*/

static void who_is_down_or_unreachable_gets_nothing(void **state)
{
	(void)state;
	pool[1].up = false;
	pool[2].reachable = false;
	decides("N..N");
	assert_int_equal(answer.takers, 2);
	assert_false(answer.failing_open);
	assert_true(mono_is_never(answer.again));
}

static void who_is_drained_or_weighs_nothing_keeps_its_flows(void **state)
{
	(void)state;
	pool[1].drained = true;
	pool[2].weight = 0;
	decides("NPPN");
	pool[1].up = false;
	decides("N.PN");
}

static void who_is_expired_gets_nothing(void **state)
{
	(void)state;
	pool[1].drained = pool[1].expired = true;
	decides("N.");
}

static void with_nobody_up_it_fails_open_if_told_to(void **state)
{
	(void)state;
	pool[0].up = pool[1].up = pool[2].up = pool[3].up = false;
	pool[1].reachable = false;
	pool[2].drained = true;
	decides("....");
	assert_false(answer.failing_open);
	policy.open_when_empty = true;
	decides("N.PN");
	assert_true(answer.failing_open);
	assert_int_equal(answer.takers, 0);
	pool[2].expired = true;
	decides("N..N");
	pool[1].up = true; /* but not reachable */
	decides("N..N");
	pool[3].up = true;
	decides("...N");
	assert_false(answer.failing_open);
}

static void nobody_at_all_is_no_harm(void **state)
{
	(void)state;
	policy.open_when_empty = true;
	decide(0);
	assert_int_equal(answer.takers, 0);
	assert_true(mono_is_never(answer.again));
}

/* ---- several pools -----------------------------------------------------------------------------*/

static void a_backup_waits_until_nobody_else_is_up(void **state)
{
	(void)state;
	pool[2].pool = POOL_BACKUP;
	decides("NNP");
	pool[0].up = false;
	decides(".NP");
	pool[1].up = false;
	decides("..N");
	assert_int_equal(answer.last_pool, POOL_BACKUP);
	pool[0].up = true; /* and goes at once */
	decides("N.P");
	assert_int_equal(answer.last_pool, 0);
}

static void below_min_healthy_backups_help_those_that_are_left(void **state)
{
	(void)state;
	policy.min_healthy = 3;
	pool[4].pool = pool[5].pool = POOL_BACKUP;
	decides("NNNNPP");
	pool[0].up = false;
	decides(".NNNPP");
	pool[1].up = false;
	decides("..NNNN");
	assert_int_equal(answer.takers, 4);
}

static void one_more_than_min_healthy_has_to_come_back(void **state)
{
	(void)state;
	policy.min_healthy = 2;
	pool[4].pool = POOL_BACKUP;
	pool[0].up = pool[1].up = pool[2].up = false;
	decides("...NN");
	pool[2].up = true;
	decides("..NNN");
	pool[2].up = false;
	decides("...NN");
	pool[2].up = true;
	pool[1].up = true;
	decides(".NNNP");
	pool[1].up = false;
	decides("..NNP");
}

static void all_of_them_are_enough_to_come_back(void **state)
{
	(void)state;
	policy.min_healthy = 2;
	pool[2].pool = POOL_BACKUP;
	pool[0].up = false;
	decides(".NN");
	pool[0].up = true;
	decides("NNP");
}

static void min_healthy_may_be_a_part_of_the_first_pool(void **state)
{
	(void)state;
	policy.min_healthy = 50;
	policy.percent = true;
	pool[5].pool = POOL_BACKUP;
	pool[0].up = pool[1].up = false;
	decides("..NNNP"); /* 3 of 5 */
	pool[2].drained = true; /* does not help either */
	decides("..PNNN");
	pool[4].weight = 0; /* and who weighs nothing is none of them: 1 of 4 */
	decides("..PNPN");
}

static void pools_follow_in_their_order(void **state)
{
	(void)state;
	policy.min_healthy = 2;
	pool[2].pool = pool[3].pool = 1;
	pool[4].pool = 7;
	pool[5].pool = POOL_BACKUP;
	decides("NNPPPP");
	pool[0].up = false;
	decides(".NNNPP");
	pool[1].up = false;
	decides("..NNPP");
	pool[2].up = false;
	decides("...NNP");
	pool[4].up = false;
	decides("...N.N");
	pool[3].up = pool[5].up = false;
	decides("......");
	policy.open_when_empty = true;
	decides("NNPPPP");
	pool[0].reachable = pool[1].reachable = false;
	decides("..NNPP");
}

static void without_a_first_pool_the_next_is_the_first(void **state)
{
	(void)state;
	policy.min_healthy = 100;
	policy.percent = true;
	pool[0].pool = pool[1].pool = 3;
	pool[2].pool = POOL_BACKUP;
	decides("NNP");
	pool[0].up = false;
	decides(".NN");
}

/* ---- climbing ----------------------------------------------------------------------------------*/

static void who_recovers_climbs_in_equal_steps(void **state)
{
	int last = POOL_STEPS;

	(void)state;
	policy.slow_start_ms = 15000;
	pool[1].up = false;
	decides("N.");
	pool[1].up = true;
	for (int step = 1; step < POOL_STEPS; step++) {
		decides("NN");
		assert_int_equal(pool[0].held_back, 0);
		assert_int_equal(pool[1].held_back, POOL_STEPS - step);
		assert_true(pool[1].held_back < last);
		assert_int_equal(answer.again.us, now.us + SECOND);
		last = pool[1].held_back;
		now = mono_add_us(now, SECOND - 1);
		decides("NN");
		assert_int_equal(pool[1].held_back, last);
		now = mono_add_us(now, 1);
	}
	decides("NN");
	assert_int_equal(pool[1].held_back, 0);
	assert_true(mono_is_never(answer.again));
	assert_true(mono_is_never(pool[1].climbs_since));
}

static void nobody_climbs_without_slow_start_or_when_the_daemon_starts(void **state)
{
	(void)state;
	pool[1].warm = false;
	decides("NN");
	assert_int_equal(pool[1].held_back, 0);
	pool[1].warm = false;
	policy.slow_start_ms = 10000;
	policy.starting = true;
	decides("NN");
	assert_int_equal(pool[1].held_back, 0);
	policy.starting = false;
	decides("NN");
	assert_int_equal(pool[1].held_back, 0);
}

static void who_climbs_alone_has_all(void **state)
{
	(void)state;
	policy.slow_start_ms = 15000;
	pool[0].up = pool[1].up = false;
	decides("..");
	pool[0].up = true;
	decides("N.");
	assert_int_equal(pool[0].held_back, 0);
	now = mono_add_us(now, 7 * SECOND);
	pool[1].up = true;
	decides("NN");
	assert_int_equal(pool[0].held_back, 0); /* at step 8 */
	assert_int_equal(pool[1].held_back, 14); /* at an eighth of that */
}

static void who_comes_after_a_common_climb_never_gets_less(void **state)
{
	int last = POOL_STEPS;

	(void)state;
	policy.slow_start_ms = 15000;
	pool[0].warm = pool[2].warm = false;
	pool[1].up = false;
	decides("N.N");
	now = mono_add_us(now, SECOND);
	decides("N.N"); /* as the answer asked to */
	assert_true(mono_is_never(pool[0].climbs_since) && mono_is_never(pool[2].climbs_since));
	pool[1].up = true;
	for (int tenth = 0; tenth <= 150; tenth++) {
		now = mono_add_us(now, SECOND / 10);
		decides("NNN");
		assert_int_equal(pool[0].held_back, 0);
		assert_true(pool[1].held_back <= last);
		last = pool[1].held_back;
	}
	assert_int_equal(last, 0);
}

static void those_who_come_within_a_step_climb_together(void **state)
{
	(void)state;
	policy.slow_start_ms = 15000;
	pool[0].warm = pool[1].warm = false;
	pool[1].reachable = false;
	decides("N.N");
	now = mono_add_us(now, SECOND / 2);
	pool[1].reachable = true;
	decides("NNN");
	now = mono_add_us(now, SECOND / 2);
	decides("NNN");
	assert_int_equal(pool[0].held_back, POOL_STEPS - 2);
	assert_int_equal(pool[1].held_back, POOL_STEPS - 2);
}

static void a_failure_ends_the_climb(void **state)
{
	(void)state;
	policy.slow_start_ms = 15000;
	pool[1].warm = false;
	decides("NN");
	now = mono_add_us(now, 10 * (int64_t)SECOND);
	pool[1].up = false;
	decides("N.");
	assert_true(mono_is_never(answer.again));
	pool[1].up = true;
	decides("NN");
	assert_int_equal(pool[1].held_back, POOL_STEPS - 1);
}

static void a_drain_taken_back_midway_climbs_only_when_its_flows_had_ended(void **state)
{
	(void)state;
	policy.slow_start_ms = 15000;
	pool[1].drained = pool[2].drained = pool[3].drained = true;
	decides("NPPP");
	pool[2].idle = true;
	pool[3].expired = true;
	decides("NPP.");
	pool[1].drained = pool[2].drained = pool[3].drained = false;
	pool[2].idle = pool[3].expired = false;
	decides("NNNN");
	assert_int_equal(pool[1].held_back, 0);
	assert_int_equal(pool[2].held_back, POOL_STEPS - 1);
	assert_int_equal(pool[3].held_back, POOL_STEPS - 1);
}

static void a_backup_that_has_to_help_does_not_climb(void **state)
{
	(void)state;
	policy.slow_start_ms = 15000;
	pool[1].pool = POOL_BACKUP;
	decides("NP");
	pool[0].up = false;
	decides(".N");
	assert_int_equal(pool[1].held_back, 0);
}

static void backups_help_until_who_recovered_has_climbed(void **state)
{
	(void)state;
	policy.slow_start_ms = 15000;
	pool[1].pool = POOL_BACKUP;
	pool[0].up = false;
	decides(".N");
	pool[0].up = true;
	decides("NN");
	assert_int_equal(pool[0].held_back, POOL_STEPS - 1);
	now = mono_add_us(now, 15 * (int64_t)SECOND - 1);
	decides("NN");
	now = mono_add_us(now, 1);
	decides("NP");
	assert_int_equal(pool[0].held_back, 0);
}

static void slow_start_switched_off_ends_all_climbs(void **state)
{
	(void)state;
	policy.slow_start_ms = 15000;
	pool[1].warm = false;
	decides("NN");
	policy.slow_start_ms = 0;
	decides("NN");
	assert_int_equal(pool[1].held_back, 0);
	assert_true(mono_is_never(answer.again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_is_down_or_unreachable_gets_nothing, fresh),
		cmocka_unit_test_setup(who_is_drained_or_weighs_nothing_keeps_its_flows, fresh),
		cmocka_unit_test_setup(who_is_expired_gets_nothing, fresh),
		cmocka_unit_test_setup(with_nobody_up_it_fails_open_if_told_to, fresh),
		cmocka_unit_test_setup(nobody_at_all_is_no_harm, fresh),
		cmocka_unit_test_setup(a_backup_waits_until_nobody_else_is_up, fresh),
		cmocka_unit_test_setup(below_min_healthy_backups_help_those_that_are_left, fresh),
		cmocka_unit_test_setup(one_more_than_min_healthy_has_to_come_back, fresh),
		cmocka_unit_test_setup(all_of_them_are_enough_to_come_back, fresh),
		cmocka_unit_test_setup(min_healthy_may_be_a_part_of_the_first_pool, fresh),
		cmocka_unit_test_setup(pools_follow_in_their_order, fresh),
		cmocka_unit_test_setup(without_a_first_pool_the_next_is_the_first, fresh),
		cmocka_unit_test_setup(who_recovers_climbs_in_equal_steps, fresh),
		cmocka_unit_test_setup(nobody_climbs_without_slow_start_or_when_the_daemon_starts,
				       fresh),
		cmocka_unit_test_setup(who_climbs_alone_has_all, fresh),
		cmocka_unit_test_setup(who_comes_after_a_common_climb_never_gets_less, fresh),
		cmocka_unit_test_setup(those_who_come_within_a_step_climb_together, fresh),
		cmocka_unit_test_setup(a_failure_ends_the_climb, fresh),
		cmocka_unit_test_setup(
			a_drain_taken_back_midway_climbs_only_when_its_flows_had_ended, fresh),
		cmocka_unit_test_setup(a_backup_that_has_to_help_does_not_climb, fresh),
		cmocka_unit_test_setup(backups_help_until_who_recovered_has_climbed, fresh),
		cmocka_unit_test_setup(slow_start_switched_off_ends_all_climbs, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
