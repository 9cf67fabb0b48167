/* SPDX-License-Identifier: BSD-2-Clause */
/* From what passing packets tell to who stands out, and what comes of it. */
#include "pure/passive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define BACKENDS 8

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
static struct passive_track tracks[BACKENDS];
static struct passive_totals totals[BACKENDS];
static struct passive_finding found[BACKENDS];

static int begin(void **state)
{
	(void)state;
	policy = defaults;
	memset(tracks, 0, sizeof(tracks));
	memset(totals, 0, sizeof(totals));
	memset(found, 0, sizeof(found));
	return 0;
}

/* A step in which backend @i got @opened connections, of which so many repeated their SYN; what comes again
 * is a SYN too. */
static void step(size_t i, uint32_t opened, uint32_t repeated)
{
	totals[i].syns += opened + repeated;
	totals[i].repeats += repeated;
	passive_note(&tracks[i], &totals[i]);
}

static void read_all(size_t n)
{
	for (size_t i = 0; i < n; i++)
		passive_note(&tracks[i], &totals[i]);
}

static enum passive_sign judge(size_t n, size_t i)
{
	const struct passive_track *all[BACKENDS];

	for (size_t k = 0; k < n; k++)
		all[k] = &tracks[k];
	assert_int_equal(passive_judge(&policy, all, n, found), 0);
	return found[i].sign;
}

/* ---- counting ----------------------------------------------------------------------------------*/

static void the_first_reading_says_nothing(void **state)
{
	(void)state;
	totals[0] = (struct passive_totals){.syns = 1000000, .repeats = 999999};
	read_all(1);
	assert_int_equal(tracks[0].n, 0);
	assert_int_equal(judge(1, 0), PASSIVE_NOTHING);
}

static void sums_are_of_the_newest_steps(void **state)
{
	(void)state;
	read_all(1);
	for (uint32_t i = 1; i <= 3 * PASSIVE_RING; i++)
		step(0, i, i / 2);
	assert_int_equal(tracks[0].n, PASSIVE_RING);
	assert_int_equal(passive_sum(&tracks[0], 0, 1).opened, 3 * PASSIVE_RING);
	assert_int_equal(passive_sum(&tracks[0], 0, 2).opened, 6 * PASSIVE_RING - 1);
	assert_int_equal(passive_sum(&tracks[0], 1, 1).opened, 3 * PASSIVE_RING - 1);
	assert_int_equal(passive_sum(&tracks[0], 0, 1).repeated, 3 * PASSIVE_RING / 2);
	assert_int_equal(passive_sum(&tracks[0], 0, 1000).opened,
			 passive_sum(&tracks[0], 0, PASSIVE_RING).opened);
	assert_int_equal(passive_sum(&tracks[0], PASSIVE_RING, 1).opened, 0);
	passive_forget(&tracks[0]);
	assert_int_equal(passive_sum(&tracks[0], 0, 1).opened, 0);
}

static void counters_may_wrap(void **state)
{
	(void)state;
	totals[0] = (struct passive_totals){.syns = UINT64_MAX - 10,
					    .repeats = UINT64_MAX - 3,
					    .refused = UINT64_MAX,
					    .unreachable = UINT64_MAX - 1};
	read_all(1);
	totals[0].syns += 100;
	totals[0].repeats += 7 + (3ull << 32);
	totals[0].refused += 2;
	totals[0].unreachable += 4;
	read_all(1);
	assert_int_equal(tracks[0].n, 1);
	assert_int_equal(tracks[0].steps[tracks[0].newest].opened, 90);
	assert_int_equal(tracks[0].steps[tracks[0].newest].repeated, 7);
	assert_int_equal(tracks[0].steps[tracks[0].newest].refused, 2);
	assert_int_equal(tracks[0].steps[tracks[0].newest].unreachable, 4);
}

static void readings_that_contradict_each_other_begin_anew(void **state)
{
	(void)state;
	read_all(1);
	step(0, 10, 0);
	assert_int_equal(tracks[0].n, 1);
	totals[0].syns = 3; /* other tables */
	read_all(1);
	assert_int_equal(tracks[0].n, 0);
	step(0, 10, 0);
	assert_int_equal(tracks[0].n, 1);
	totals[0].repeats += 5; /* more of them than SYNs */
	read_all(1);
	assert_int_equal(tracks[0].n, 0);
	step(0, 10, 0);
	totals[0].syns += 10;
	totals[0].repeats -= 1;
	read_all(1);
	assert_int_equal(tracks[0].n, 0);
}

/* ---- judging -----------------------------------------------------------------------------------*/

/* @n backends with 25 connections in each of @steps steps; backend 0 answers nobody from then on, and
 * its clients come again a second later. Returns in which step it is found; 0: not. */
static size_t found_after(size_t n, uint32_t a_step, uint32_t lossy)
{
	read_all(n);
	for (size_t s = 0; s < 50; s++)
		for (size_t i = 0; i < n; i++)
			step(i, a_step, a_step * lossy / 100);
	assert_int_equal(judge(n, 0), PASSIVE_NOTHING);
	for (size_t s = 1; s < 50; s++) {
		for (size_t i = 0; i < n; i++)
			step(i, a_step, s > 5 && !i ? a_step : a_step * lossy / 100);
		if (judge(n, 0)) {
			for (size_t i = 1; i < n; i++)
				assert_int_equal(found[i].sign, PASSIVE_NOTHING);
			return s;
		}
	}
	return 0;
}

static void one_that_answers_nobody_is_found_soon_after_the_first_come_again(void **state)
{
	(void)state;
	assert_in_range(found_after(4, 25, 0), 6, 8); /* of 200 ms */
	assert_int_equal(found[0].sign, PASSIVE_SYN_RETRY);
}

static void with_one_other_or_many_too(void **state)
{
	(void)state;
	assert_in_range(found_after(2, 25, 0), 6, 8);
	begin(state);
	assert_in_range(found_after(BACKENDS, 25, 0), 6, 8);
}

static void through_a_loss_that_all_have_it_is_found_too(void **state)
{
	(void)state;
	assert_in_range(found_after(4, 100, 19), 6, 10);
}

static void with_few_connections_it_takes_longer(void **state)
{
	(void)state;
	assert_in_range(found_after(4, 4, 0), 8, 30);
}

static void what_all_show_is_nobodys_fault(void **state)
{
	(void)state;
	for (uint32_t share = 0; share <= 100; share += 10) {
		begin(state);
		read_all(4);
		for (size_t s = 0; s < 100; s++) {
			for (size_t i = 0; i < 4; i++)
				step(i, 100, share);
			for (size_t i = 0; i < 4; i++)
				assert_int_equal(judge(4, i), PASSIVE_NOTHING);
		}
	}
}

static uint32_t dice(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32);
}

/* One in ten packets is lost on each of both ways: 19 of 100 SYNs have no answer. A day of 4 backends with 125
 * connections a second each, with few and with many. */
static void chance_finds_nobody(void **state)
{
	(void)state;
	for (uint32_t a_step = 2; a_step <= 50; a_step *= 5) {
		begin(state);
		read_all(4);
		for (size_t s = 0; s < 40000; s++) {
			for (size_t i = 0; i < 4; i++) {
				uint32_t lost = 0;

				for (uint32_t k = 0; k < a_step; k++)
					lost += dice() % 100 < 19;
				step(i, a_step, lost);
			}
			judge(4, 0);
			for (size_t i = 0; i < 4; i++)
				assert_int_equal(found[i].sign, PASSIVE_NOTHING);
		}
	}
}

static void less_than_min_says_nothing(void **state)
{
	(void)state;
	read_all(2);
	step(1, 1000, 0);
	step(0, 49, 49);
	assert_int_equal(judge(2, 0), PASSIVE_NOTHING);
	policy.min = 49;
	assert_int_equal(judge(2, 0), PASSIVE_SYN_RETRY);
}

static void below_the_share_says_nothing(void **state)
{
	(void)state;
	read_all(2);
	step(1, 1000, 0);
	step(0, 1000, 199);
	assert_int_equal(judge(2, 0), PASSIVE_NOTHING);
	policy.syn_retry = 19;
	assert_int_equal(judge(2, 0), PASSIVE_SYN_RETRY);
	policy.syn_retry = 0;
	assert_int_equal(judge(2, 0), PASSIVE_NOTHING);
}

/* The first @bad_ones of @n backends answer nobody; whether the first is found. */
static bool found_among(size_t n, size_t bad_ones)
{
	begin(NULL);
	read_all(n);
	for (size_t i = 0; i < n; i++)
		step(i, 500, i < bad_ones ? 500 : 0);
	judge(n, 0);
	for (size_t i = bad_ones; i < n; i++)
		assert_int_equal(found[i].sign, PASSIVE_NOTHING);
	return found[0].sign == PASSIVE_SYN_RETRY;
}

static void many_may_be_found_but_not_nearly_all(void **state)
{
	(void)state;
	assert_true(found_among(4, 2));
	assert_true(found_among(8, 6));
	assert_false(found_among(8, 7));
	assert_false(found_among(8, 8));
	assert_false(found_among(2, 2));
}

static void one_alone_is_compared_with_nobody(void **state)
{
	(void)state;
	read_all(1);
	step(0, 100, 50);
	assert_int_equal(judge(1, 0), PASSIVE_SYN_RETRY);
}

/* Fewer connections are opened with one whose weight is lowered; the SYNs that come again with it are still
 * those of before. */
static void one_that_gets_less_is_not_suspected_for_that(void **state)
{
	(void)state;
	read_all(4);
	for (size_t s = 0; s < 30; s++)
		for (size_t i = 0; i < 4; i++)
			step(i, 1000, 50);
	for (size_t s = 0; s < 5; s++) {
		for (size_t i = 0; i < 4; i++)
			step(i, i ? 1000 : 50, 50);
		assert_int_equal(judge(4, 0), PASSIVE_NOTHING);
	}
}

static void a_flood_of_syns_makes_nobody_look_dead(void **state)
{
	(void)state;
	read_all(4);
	for (size_t s = 0; s < 30; s++) {
		for (size_t i = 0; i < 4; i++)
			step(i, 100000, i ? 0 : 10);
		assert_int_equal(judge(4, 0), PASSIVE_NOTHING);
	}
}

static void refusals_are_found(void **state)
{
	(void)state;
	read_all(3);
	for (size_t i = 0; i < 3; i++)
		step(i, 100, 0);
	totals[1].refused += 49;
	read_all(3);
	assert_int_equal(judge(3, 1), PASSIVE_NOTHING);
	totals[1].refused += 51;
	read_all(3);
	assert_int_equal(judge(3, 1), PASSIVE_RESET);
	assert_int_equal(found[0].sign, PASSIVE_NOTHING);
	policy.reset = 0;
	assert_int_equal(judge(3, 1), PASSIVE_NOTHING);
}

static void errors_are_counted_not_divided(void **state)
{
	(void)state;
	read_all(3);
	for (size_t i = 0; i < 3; i++)
		step(i, 100, 0);
	totals[2].unreachable += 2;
	read_all(3);
	assert_int_equal(judge(3, 2), PASSIVE_NOTHING);
	totals[2].unreachable += 1;
	read_all(3);
	assert_int_equal(judge(3, 2), PASSIVE_UNREACHABLE);
	assert_int_equal(found[2].bad, 3);
	totals[0].unreachable += 3; /* as many as it has */
	totals[1].unreachable += 3;
	read_all(3);
	assert_int_equal(judge(3, 2), PASSIVE_NOTHING);
}

static void what_is_older_than_the_window_does_not_count(void **state)
{
	(void)state;
	read_all(2);
	step(0, 100, 100);
	step(1, 100, 0);
	assert_int_equal(judge(2, 0), PASSIVE_SYN_RETRY);
	for (size_t s = 0; s < PASSIVE_STEPS; s++)
		for (size_t i = 0; i < 2; i++)
			step(i, 0, 0);
	assert_int_equal(judge(2, 0), PASSIVE_NOTHING);
}

static void steps_are_a_part_of_the_window(void **state)
{
	(void)state;
	assert_int_equal(passive_step_ms(&policy), 200);
	policy.window_ms = 1000;
	assert_int_equal(passive_step_ms(&policy), 100);
	policy.window_ms = 60000;
	assert_int_equal(passive_step_ms(&policy), 2400);
}

static void findings_are_said_in_words(void **state)
{
	char out[PASSIVE_WORDS_MAX];

	(void)state;
	assert_string_equal(
		passive_words(&(struct passive_finding){PASSIVE_SYN_RETRY, 260, 412, 5000}, out),
		"passive: 63% of 412 new connections in 5.0 s repeated their SYN");
	assert_string_equal(
		passive_words(&(struct passive_finding){PASSIVE_RESET, 50, 50, 400}, out),
		"passive: 100% of 50 new connections in 0.4 s were refused");
	assert_string_equal(
		passive_words(&(struct passive_finding){PASSIVE_UNREACHABLE, 5, 0, 5000}, out),
		"passive: 5 ICMP errors in 5.0 s say it cannot be reached");
	assert_string_equal(
		passive_words(&(struct passive_finding){PASSIVE_SYN_RETRY, UINT32_MAX, UINT32_MAX,
							600000},
			      out),
		"passive: 100% of 4294967295 new connections in 600.0 s repeated their SYN");
}

#define T(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_first_reading_says_nothing),
		T(sums_are_of_the_newest_steps),
		T(counters_may_wrap),
		T(readings_that_contradict_each_other_begin_anew),
		T(one_that_answers_nobody_is_found_soon_after_the_first_come_again),
		T(with_one_other_or_many_too),
		T(through_a_loss_that_all_have_it_is_found_too),
		T(with_few_connections_it_takes_longer),
		T(what_all_show_is_nobodys_fault),
		T(chance_finds_nobody),
		T(less_than_min_says_nothing),
		T(below_the_share_says_nothing),
		T(many_may_be_found_but_not_nearly_all),
		T(one_alone_is_compared_with_nobody),
		T(one_that_gets_less_is_not_suspected_for_that),
		T(a_flood_of_syns_makes_nobody_look_dead),
		T(refusals_are_found),
		T(errors_are_counted_not_divided),
		T(what_is_older_than_the_window_does_not_count),
		T(steps_are_a_part_of_the_window),
		T(findings_are_said_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
