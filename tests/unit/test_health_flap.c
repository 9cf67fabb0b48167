/* SPDX-License-Identifier: BSD-2-Clause */
/* Who comes and goes too often is held down. */
#include "pure/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* ---- flapping ----------------------------------------------------------------------------------*/

#define SECOND 1000000ll
static const struct health_policy damped = {
	.rise = 1,
	.fall = 1,
	.interval_ms = 1000,
	.flap = {.suppress = 2500,
		 .reuse = 1000,
		 .penalty = 1000,
		 .half_life_ms = 60000,
		 .max_ms = 600000},
};

static mono_t second(int64_t n)
{
	return (mono_t){1 + n * SECOND};
}

/* Down and up again at second @at and the next. */
static enum health_change flap_at(struct health *h, int64_t at)
{
	assert_int_equal(health_note(h, false, &damped, second(at)), HEALTH_GOES_DOWN);
	return health_note(h, true, &damped, second(at + 1));
}

static void a_penalty_halves_in_a_half_life(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, second(0));
	assert_int_equal(health_penalty(&h, &damped.flap, second(5)), 0);
	flap_at(&h, 0);
	assert_int_equal(health_penalty(&h, &damped.flap, second(0)), 1000);
	assert_int_equal(health_penalty(&h, &damped.flap, second(60)), 500);
	assert_int_equal(health_penalty(&h, &damped.flap, second(120)), 250);
	/* 1000 / sqrt(2), and 1000 * 2^(-1/60) */
	assert_in_range(health_penalty(&h, &damped.flap, second(30)), 706, 708);
	assert_in_range(health_penalty(&h, &damped.flap, second(1)), 987, 989);
	assert_int_equal(health_penalty(&h, &damped.flap, second(1000000)), 0);
}

static void the_penalty_never_grows_by_itself(void **state)
{
	uint32_t before = 1000;
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, second(0));
	flap_at(&h, 0);
	for (int64_t ms = 0; ms < 300000; ms += 7) {
		uint32_t now = health_penalty(&h, &damped.flap, (mono_t){1 + ms * 1000});

		assert_true(now <= before);
		before = now;
	}
}

static void the_third_flap_in_a_row_is_held_down_until_reuse(void **state)
{
	struct health h;
	int64_t at;

	(void)state;
	health_init(&h, HEALTH_UP, second(0));
	assert_int_equal(flap_at(&h, 0), HEALTH_GOES_UP);
	assert_int_equal(flap_at(&h, 2), HEALTH_GOES_UP);
	assert_int_equal(flap_at(&h, 4), HEALTH_HELD); /* once, then silence */
	assert_int_equal(h.state, HEALTH_DOWN);
	for (at = 6; health_note(&h, true, &damped, second(at)) == HEALTH_SAME; at++)
		assert_true(h.held);
	/* 2932 decay to 1000 in 60 s * log2(2.932) = 93.1 s from second 4 on. */
	assert_int_equal(at, 98);
	assert_int_equal(h.state, HEALTH_UP);
	assert_false(h.held);
}

static void how_long_it_is_held_is_known(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, second(0));
	assert_int_equal(health_held_s(&h, &damped.flap, second(0)), 0);
	flap_at(&h, 0), flap_at(&h, 2), flap_at(&h, 4);
	assert_int_equal(health_held_s(&h, &damped.flap, second(5)), 93);
	assert_int_equal(health_held_s(&h, &damped.flap, second(97)), 1);
	assert_int_equal(health_held_s(&h, &damped.flap, second(98)), 0);
}

static void what_is_held_and_fails_is_down_as_usual(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, second(0));
	flap_at(&h, 0), flap_at(&h, 2), flap_at(&h, 4);
	assert_int_equal(health_note(&h, false, &damped, second(6)), HEALTH_SAME);
	assert_false(h.held);
	assert_int_equal(health_note(&h, true, &damped, second(7)), HEALTH_HELD);
}

static void nobody_is_held_longer_than_the_longest(void **state)
{
	struct health_policy p = damped;
	struct health h;
	int64_t at = 0;

	(void)state;
	p.flap.half_life_ms = 3600000;
	health_init(&h, HEALTH_UP, second(0));
	for (int i = 0; i < 3; i++) {
		health_note(&h, false, &p, second(at++));
		health_note(&h, true, &p, second(at++));
	}
	assert_true(h.held);
	assert_int_equal(health_note(&h, true, &p, second(4 + 599)), HEALTH_SAME);
	assert_int_equal(health_note(&h, true, &p, second(4 + 600)), HEALTH_GOES_UP);
	assert_int_equal(health_penalty(&h, &p.flap, second(4 + 600)), p.flap.reuse);
}

static void rare_flaps_are_never_held(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, second(0));
	for (int i = 0; i < 100; i++)
		assert_int_equal(flap_at(&h, i * 120), HEALTH_GOES_UP);
}

static void a_start_is_no_flap(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UNKNOWN, second(0));
	health_note(&h, false, &damped, second(1));
	assert_int_equal(h.state, HEALTH_DOWN);
	assert_int_equal(health_penalty(&h, &damped.flap, second(1)), 0);
}

static void a_penalty_does_not_overflow(void **state)
{
	struct health_policy p = damped;
	struct health h;

	(void)state;
	p.flap = (struct health_flap){.suppress = UINT32_MAX,
				      .reuse = 1,
				      .penalty = UINT32_MAX,
				      .half_life_ms = 1,
				      .max_ms = 1};
	health_init(&h, HEALTH_UP, second(0));
	for (int i = 0; i < 5; i++) {
		health_note(&h, false, &p, second(1));
		assert_int_equal(health_penalty(&h, &p.flap, second(1)), UINT32_MAX);
		health_note(&h, true, &p, second(1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_penalty_halves_in_a_half_life),
		cmocka_unit_test(the_penalty_never_grows_by_itself),
		cmocka_unit_test(the_third_flap_in_a_row_is_held_down_until_reuse),
		cmocka_unit_test(how_long_it_is_held_is_known),
		cmocka_unit_test(what_is_held_and_fails_is_down_as_usual),
		cmocka_unit_test(nobody_is_held_longer_than_the_longest),
		cmocka_unit_test(rare_flaps_are_never_held),
		cmocka_unit_test(a_start_is_no_flap),
		cmocka_unit_test(a_penalty_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
