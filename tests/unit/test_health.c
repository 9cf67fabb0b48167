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

/* ---- what needs something else -----------------------------------------------------------------*/

/* Results: '+' and '-', with the gate down 'p' and 'm'; 'g': the gate falls after a bad result. What it
 * counts as after each, and the state below it, which is frozen meanwhile. */
static void who_is_cut_off_is_down_at_once_and_back_at_once(void **state)
{
	static const struct {
		enum health_state initial;
		const char *results, *counts, *states;
	} rows[] = {
		{HEALTH_UP, "mmmmm+", "DDDDDU", "UUUUUU"}, /* never down itself */
		{HEALTH_UP, "pppp", "UUUU", "UUUU"}, /* who answers is not cut off */
		{HEALTH_UP, "mp", "DU", "UU"},
		{HEALTH_UP, "-g", "UD", "UU"},
		{HEALTH_UP, "mm---+", "DDDDDD", "UUUUDD"}, /* the gate is back, it is not */
		{HEALTH_UP, "m--+", "DDDU", "UUUU"},
		{HEALTH_UNKNOWN, "m+", "DU", "?U"},
		{HEALTH_DOWN, "mm++", "DDDU", "DDDU"},
		{HEALTH_UNCHECKED, "mg", "NN", "NN"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct health h;

		health_init(&h, rows[i].initial, (mono_t){1});
		for (size_t k = 0; rows[i].results[k]; k++) {
			char r = rows[i].results[k];
			enum health_state before = health_counts_as(&h);
			bool changed;

			if (r == 'g')
				changed = health_gate_fell(&h, true);
			else
				changed = health_note_behind(&h, r == '+' || r == 'p',
							     r == 'm' || r == 'p', &paced,
							     (mono_t){2 + k}) != HEALTH_SAME;
			assert_int_equal(health_counts_as(&h), state_of(rows[i].counts[k]));
			assert_int_equal(h.state, state_of(rows[i].states[k]));
			assert_int_equal(changed, before != health_counts_as(&h));
		}
	}
}

static void who_is_cut_off_is_probed_as_one_that_is_down(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, (mono_t){1});
	health_note_behind(&h, false, false, &paced, (mono_t){2});
	assert_int_equal(health_pace_ms(&h, &paced), paced.fast_ms);
	health_note_behind(&h, false, true, &paced, (mono_t){3});
	assert_int_equal(health_pace_ms(&h, &paced), paced.down_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_runs_of_twelve_results_agree_with_the_oracle),
		cmocka_unit_test(doubt_is_probed_fast),
		cmocka_unit_test(without_other_intervals_there_is_one_pace),
		cmocka_unit_test(loss_makes_no_more_transitions_than_the_arithmetic_says),
		cmocka_unit_test(a_backend_that_answers_never_changes),
		cmocka_unit_test(several_checks_are_joined),
		cmocka_unit_test(who_is_cut_off_is_down_at_once_and_back_at_once),
		cmocka_unit_test(who_is_cut_off_is_probed_as_one_that_is_down),
		cmocka_unit_test(the_stories_hold),
		cmocka_unit_test(a_lower_fall_holds_at_the_next_bad_probe),
		cmocka_unit_test(the_longest_fall_is_reached),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
