/* SPDX-License-Identifier: BSD-2-Clause */
/* The health rules, a sentence each: what probes say, and the state after each of them. */
#include "pure/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

struct story {
	const char *says;
	enum health_state initial;
	uint16_t rise, fall;
	const char *probes; /* '+' good, '-' bad */
	const char *states; /* after each: '?' unknown, 'U' up, 'D' down, 'N' unchecked */
};

static const struct story stories[] = {
	{"unknown goes up on the first good probe", HEALTH_UNKNOWN, 5, 3, "+", "U"},
	{"unknown goes down on the third bad probe", HEALTH_UNKNOWN, 2, 3, "---", "??D"},
	{"unknown goes up after two bad ones and a good one", HEALTH_UNKNOWN, 2, 3, "--+", "??U"},
	{"a streak of the unknown does not count when up", HEALTH_UNKNOWN, 2, 3, "--+--", "??UUU"},
	{"one lost probe changes nothing", HEALTH_UP, 2, 3, "+-+", "UUU"},
	{"up goes down on the third bad probe in a row", HEALTH_UP, 2, 3, "---", "UUD"},
	{"a good probe between starts the count again", HEALTH_UP, 2, 3, "--+--+--", "UUUUUUUU"},
	{"down goes up on the second good probe in a row", HEALTH_DOWN, 2, 3, "++", "DU"},
	{"a bad probe between starts the rise again", HEALTH_DOWN, 2, 3, "+-+-++", "DDDDDU"},
	{"with fall 1 one bad probe is enough", HEALTH_UP, 1, 1, "-+-", "DUD"},
	{"down and up again and down again", HEALTH_UP, 2, 2, "--++--", "UDDUUD"},
	{"a backend without a check ignores probes", HEALTH_UNCHECKED, 1, 1, "-+-", "NNN"},
};

static enum health_state state_of(char c)
{
	switch (c) {
	case 'U':
		return HEALTH_UP;
	case 'D':
		return HEALTH_DOWN;
	case 'N':
		return HEALTH_UNCHECKED;
	default:
		return HEALTH_UNKNOWN;
	}
}

static enum health_change note(struct health *h, bool good, uint16_t rise, uint16_t fall,
			       mono_t now)
{
	const struct health_policy p = {.rise = rise, .fall = fall, .interval_ms = 1000};

	return health_note(h, good, &p, now);
}

static void run_story(const struct story *s)
{
	struct health h;
	mono_t now = {1000}, since = now;

	health_init(&h, s->initial, now);
	for (size_t i = 0; s->probes[i]; i++) {
		enum health_state before = h.state;
		bool changed;

		now = mono_add_us(now, 1000);
		changed = note(&h, s->probes[i] == '+', s->rise, s->fall, now) != HEALTH_SAME;
		if (changed)
			since = now;
		if (h.state != state_of(s->states[i]))
			fail_msg("%s: after probe %zu the state is %s", s->says, i + 1,
				 health_name(h.state));
		assert_int_equal(changed, h.state != before);
		assert_int_equal(h.since.us, since.us);
		assert_int_equal(health_is_usable(&h), s->states[i] != 'D');
	}
}

static void the_stories_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++) {
		assert_int_equal(strlen(stories[i].probes), strlen(stories[i].states));
		run_story(&stories[i]);
	}
}

static void a_lower_fall_holds_at_the_next_bad_probe(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, (mono_t){1});
	for (int i = 0; i < 5; i++)
		assert_false(note(&h, false, 1, 10, (mono_t){2}));
	assert_true(note(&h, false, 1, 2, (mono_t){3}));
	assert_int_equal(h.state, HEALTH_DOWN);
}

static void the_longest_fall_is_reached(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, (mono_t){1});
	for (int i = 0; i < UINT16_MAX - 1; i++)
		assert_false(note(&h, false, 1, UINT16_MAX, (mono_t){2}));
	assert_true(note(&h, false, 1, UINT16_MAX, (mono_t){3}));
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(health_name(HEALTH_UNKNOWN), "unknown");
	assert_string_equal(health_name(HEALTH_UP), "up");
	assert_string_equal(health_name(HEALTH_DOWN), "down");
	assert_string_equal(health_name(HEALTH_UNCHECKED), "unchecked");
}

/* ---- every short run of results ----------------------------------------------------------------*/

/* The rule told another way: by what the last results were, not by counting. */
static enum health_state oracle(enum health_state state, uint32_t results, int n, int rise,
				int fall)
{
	bool good = results & 1;
	uint32_t last = good ? (uint32_t)rise : (uint32_t)fall, mask = (1u << last) - 1;

	if (state == HEALTH_UNKNOWN && good)
		return HEALTH_UP;
	if ((uint32_t)n < last)
		return state;
	if ((results & mask) == (good ? mask : 0))
		return good ? HEALTH_UP : HEALTH_DOWN;
	return state;
}

static void all_runs_of_twelve_results_agree_with_the_oracle(void **state)
{
	(void)state;
	for (uint16_t rise = 1; rise <= 4; rise++)
		for (uint16_t fall = 1; fall <= 4; fall++)
			for (uint32_t run = 0; run < 1u << 12; run++) {
				enum health_state wanted = HEALTH_UNKNOWN;
				struct health h;

				health_init(&h, HEALTH_UNKNOWN, (mono_t){1});
				for (int n = 1; n <= 12; n++) {
					uint32_t results = run >> (12 - n);

					wanted = oracle(wanted, results, n, rise, fall);
					note(&h, results & 1, rise, fall, (mono_t){1 + n});
					assert_int_equal(h.state, wanted);
				}
			}
}

/* ---- pace --------------------------------------------------------------------------------------*/

static const struct health_policy paced = {
	.rise = 2, .fall = 3, .interval_ms = 2000, .fast_ms = 100, .down_ms = 10000};

static void doubt_is_probed_fast(void **state)
{
	/* The state before, the results, and after each the pace: n normal, f fast, d down. */
	static const struct {
		enum health_state initial;
		const char *results, *paces;
	} rows[] = {
		{HEALTH_UNKNOWN, "+-+", "nfn"},	   {HEALTH_UNKNOWN, "---", "ffd"},
		{HEALTH_UP, "--+---", "ffnffd"},   {HEALTH_DOWN, "-+-++", "dfdfn"},
		{HEALTH_DOWN, "++---+", "fnffdf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct health h;

		health_init(&h, rows[i].initial, (mono_t){1});
		for (size_t k = 0; rows[i].results[k]; k++) {
			uint32_t wanted = rows[i].paces[k] == 'f'   ? 100
					  : rows[i].paces[k] == 'd' ? 10000
								    : 2000;

			health_note(&h, rows[i].results[k] == '+', &paced, (mono_t){2});
			assert_int_equal(health_pace_ms(&h, &paced), wanted);
		}
	}
}

static void without_other_intervals_there_is_one_pace(void **state)
{
	const struct health_policy p = {.rise = 2, .fall = 3, .interval_ms = 2000};
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, (mono_t){1});
	for (int i = 0; i < 5; i++) {
		assert_int_equal(health_pace_ms(&h, &p), 2000);
		health_note(&h, false, &p, (mono_t){2});
	}
}

/* ---- loss --------------------------------------------------------------------------------------*/

/* xorshift64*, so that every machine draws the same. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 2685821657736338717ull;
}

static uint32_t transitions_at_loss(uint32_t loss_percent, uint32_t probes)
{
	uint64_t seed = 88172645463325252ull;
	uint32_t n = 0;
	struct health h;

	health_init(&h, HEALTH_UP, (mono_t){1});
	for (uint32_t i = 0; i < probes; i++)
		n += note(&h, (draw(&seed) >> 32) % 100 >= loss_percent, 2, 3, (mono_t){2 + i}) !=
		     HEALTH_SAME;
	return n;
}

/* A run of k results that each have probability x is awaited for (x^-k - 1) / (1 - x) results on
 * average: a cycle of down and up takes fall of the one and then rise of the other. */
static double cycle(double loss)
{
	double q = 1 - loss;

	return (1 / (loss * loss * loss) - 1) / q + (1 / (q * q) - 1) / loss;
}

static void loss_makes_no_more_transitions_than_the_arithmetic_says(void **state)
{
	const uint32_t probes = 4000000;
	double wanted = 2 * probes / cycle(0.10);
	/* Cycles end independently, nearly as events of a Poisson process: five deviations. */
	double cycles = wanted / 2, slack_squared = 25 * 4 * cycles;
	double got = transitions_at_loss(10, probes);

	(void)state;
	assert_true(wanted > 7190 && wanted < 7195); /* one in 556 results */
	assert_true((got - wanted) * (got - wanted) < slack_squared);
}

static void a_backend_that_answers_never_changes(void **state)
{
	(void)state;
	assert_int_equal(transitions_at_loss(0, 4000000), 0);
}

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

/* ---- several checks ----------------------------------------------------------------------------*/

static void several_checks_are_joined(void **state)
{
	enum health_state s[3] = {0};

	(void)state;
	assert_int_equal(health_joined(HEALTH_ALL, s, 0), HEALTH_UNCHECKED);
	for (int i = 0; i < 64; i++) {
		bool down = false, up = false, unknown = false, all_down = true, none = true;

		for (int k = 0; k < 3; k++) {
			s[k] = (enum health_state)(i >> 2 * k & 3);
			down |= s[k] == HEALTH_DOWN;
			all_down &= s[k] == HEALTH_DOWN;
			up |= s[k] == HEALTH_UP || s[k] == HEALTH_UNCHECKED;
			unknown |= s[k] == HEALTH_UNKNOWN;
			none &= s[k] == HEALTH_UNCHECKED;
		}
		assert_int_equal(health_joined(HEALTH_ALL, s, 3), none	    ? HEALTH_UNCHECKED
								  : down    ? HEALTH_DOWN
								  : unknown ? HEALTH_UNKNOWN
									    : HEALTH_UP);
		assert_int_equal(health_joined(HEALTH_ANY, s, 3), none	     ? HEALTH_UNCHECKED
								  : up	     ? HEALTH_UP
								  : all_down ? HEALTH_DOWN
									     : HEALTH_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_runs_of_twelve_results_agree_with_the_oracle),
		cmocka_unit_test(doubt_is_probed_fast),
		cmocka_unit_test(without_other_intervals_there_is_one_pace),
		cmocka_unit_test(loss_makes_no_more_transitions_than_the_arithmetic_says),
		cmocka_unit_test(a_backend_that_answers_never_changes),
		cmocka_unit_test(a_penalty_halves_in_a_half_life),
		cmocka_unit_test(the_penalty_never_grows_by_itself),
		cmocka_unit_test(the_third_flap_in_a_row_is_held_down_until_reuse),
		cmocka_unit_test(how_long_it_is_held_is_known),
		cmocka_unit_test(what_is_held_and_fails_is_down_as_usual),
		cmocka_unit_test(nobody_is_held_longer_than_the_longest),
		cmocka_unit_test(rare_flaps_are_never_held),
		cmocka_unit_test(a_start_is_no_flap),
		cmocka_unit_test(a_penalty_does_not_overflow),
		cmocka_unit_test(several_checks_are_joined),
		cmocka_unit_test(the_stories_hold),
		cmocka_unit_test(a_lower_fall_holds_at_the_next_bad_probe),
		cmocka_unit_test(the_longest_fall_is_reached),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
