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

static void run_story(const struct story *s)
{
	struct health h;
	mono_t now = {1000}, since = now;

	health_init(&h, s->initial, now);
	for (size_t i = 0; s->probes[i]; i++) {
		enum health_state before = h.state;
		bool changed;

		now = mono_add_us(now, 1000);
		changed = health_note(&h, s->probes[i] == '+', s->rise, s->fall, now);
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
		assert_false(health_note(&h, false, 1, 10, (mono_t){2}));
	assert_true(health_note(&h, false, 1, 2, (mono_t){3}));
	assert_int_equal(h.state, HEALTH_DOWN);
}

static void the_longest_fall_is_reached(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, HEALTH_UP, (mono_t){1});
	for (int i = 0; i < UINT16_MAX - 1; i++)
		assert_false(health_note(&h, false, 1, UINT16_MAX, (mono_t){2}));
	assert_true(health_note(&h, false, 1, UINT16_MAX, (mono_t){3}));
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(health_name(HEALTH_UNKNOWN), "unknown");
	assert_string_equal(health_name(HEALTH_UP), "up");
	assert_string_equal(health_name(HEALTH_DOWN), "down");
	assert_string_equal(health_name(HEALTH_UNCHECKED), "unchecked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_stories_hold),
		cmocka_unit_test(a_lower_fall_holds_at_the_next_bad_probe),
		cmocka_unit_test(the_longest_fall_is_reached),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
