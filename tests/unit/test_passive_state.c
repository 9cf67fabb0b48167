/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes of passive checks' findings: who is marked, who is taken out, and who comes back. */
#include "pure/passive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const struct passive_policy defaults = {
	.action = PASSIVE_DOWN,
	.syn_retry = 20,
	.reset = 50,
	.unreachable = 3,
	.min = 50,
	.window_ms = 5000,
	.max_out = 25,
	.hold_ms = 10000,
};

static struct passive_policy policy;

static int begin(void **state)
{
	(void)state;
	policy = defaults;
	return 0;
}

static const struct passive_finding bad = {PASSIVE_SYN_RETRY, 50, 50, 400}, good = {0};

static mono_t second(int64_t s)
{
	return (mono_t){1 + s * 1000000};
}

static void one_is_marked_until_a_window_has_passed(void **state)
{
	struct passive_state s = {0};

	(void)state;
	policy.action = PASSIVE_MARK;
	assert_int_equal(passive_found(&s, &policy, &good, true, second(0)), PASSIVE_SAME);
	assert_int_equal(passive_found(&s, &policy, &bad, true, second(1)), PASSIVE_MARKED);
	assert_int_equal(passive_found(&s, &policy, &bad, true, second(2)), PASSIVE_SAME);
	assert_int_equal(passive_found(&s, &policy, &good, true, second(6)), PASSIVE_SAME);
	assert_int_equal(passive_found(&s, &policy, &good, true, second(7)), PASSIVE_CLEARED);
	assert_int_equal(passive_found(&s, &policy, &good, true, second(8)), PASSIVE_SAME);
	assert_false(s.out);
}

static void one_is_taken_out_when_it_may_be(void **state)
{
	struct passive_state s = {0};

	(void)state;
	assert_int_equal(passive_found(&s, &policy, &bad, false, second(1)), PASSIVE_MARKED);
	assert_false(s.out);
	assert_int_equal(passive_found(&s, &policy, &bad, false, second(2)), PASSIVE_SAME);
	assert_int_equal(passive_found(&s, &policy, &bad, true, second(3)), PASSIVE_TAKEN_OUT);
	assert_true(s.out);
}

static void it_comes_back_after_its_time_if_its_check_has_nothing_against_it(void **state)
{
	struct passive_state s = {0};

	(void)state;
	assert_int_equal(passive_found(&s, &policy, &bad, true, second(0)), PASSIVE_TAKEN_OUT);
	assert_false(passive_returns(&s, false, false, second(9)));
	assert_false(passive_returns(&s, true, false, second(11)));
	assert_true(passive_returns(&s, false, false, second(11)));
	assert_false(s.out);
	assert_false(passive_returns(&s, false, false, second(12)));
}

static void it_comes_back_at_once_when_its_check_has_seen_it_recover(void **state)
{
	struct passive_state s = {0};

	(void)state;
	passive_found(&s, &policy, &bad, true, second(0));
	assert_false(passive_returns(&s, true, true, second(1)));
	assert_true(passive_returns(&s, false, true, second(1)));
}

static void each_time_in_a_row_it_stays_out_twice_as_long(void **state)
{
	struct passive_state s = {0};
	int64_t now = 0, held = 10;

	(void)state;
	for (int i = 0; i < 10; i++) {
		passive_found(&s, &policy, &bad, true, second(now));
		assert_false(passive_returns(&s, false, false, second(now + held - 1)));
		assert_true(passive_returns(&s, false, false, second(now + held)));
		now += held + 2;
		held = held * 2 < 320 ? held * 2 : 320;
	}
	now += 320; /* it was in for as long as it would be out */
	passive_found(&s, &policy, &bad, true, second(now));
	assert_true(passive_returns(&s, false, false, second(now + 10)));
}

static void never_all_are_taken_out(void **state)
{
	struct passive_room room = {.wanted = 8, .up = 8};

	(void)state;
	assert_true(passive_may_take(&policy, &room));
	room.out = 1, room.up = 7;
	assert_true(passive_may_take(&policy, &room));
	room.out = 2, room.up = 6;
	assert_false(passive_may_take(&policy, &room)); /* max_out: 25% */
	policy.max_out = 100;
	assert_true(passive_may_take(&policy, &room));
	room.up = 1;
	assert_false(passive_may_take(&policy, &room));
	room.up = 0;
	assert_false(passive_may_take(&policy, &room));
}

static void of_few_one_may_go(void **state)
{
	struct passive_room room = {.wanted = 2, .up = 2};

	(void)state;
	assert_true(passive_may_take(&policy, &room));
	room = (struct passive_room){.wanted = 2, .up = 1, .out = 1};
	assert_false(passive_may_take(&policy, &room));
	room = (struct passive_room){.wanted = 1, .up = 1};
	assert_false(passive_may_take(&policy, &room));
}

static void it_does_not_make_a_service_panic(void **state)
{
	struct passive_room room = {.wanted = 4, .up = 3, .panic = 50};

	(void)state;
	assert_true(passive_may_take(&policy, &room)); /* 2 of 4 are left */
	room.up = 2;
	assert_false(passive_may_take(&policy, &room));
	room.panic = 0;
	assert_true(passive_may_take(&policy, &room));
}

#define T(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_is_marked_until_a_window_has_passed),
		T(one_is_taken_out_when_it_may_be),
		T(it_comes_back_after_its_time_if_its_check_has_nothing_against_it),
		T(it_comes_back_at_once_when_its_check_has_seen_it_recover),
		T(each_time_in_a_row_it_stays_out_twice_as_long),
		T(never_all_are_taken_out),
		T(of_few_one_may_go),
		T(it_does_not_make_a_service_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
