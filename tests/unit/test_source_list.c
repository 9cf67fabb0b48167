/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of sources against the slow way to ask them, and the arithmetic of rates. */
#include "pure/source_list.h"
#include "shunt_abi.h"

#include <errno.h>

#include "source_rules.h"

static void assert_answer(const struct source_list *list, const char *text, uint32_t answer)
{
	struct addr a;

	assert_int_equal(addr_parse(text, strlen(text), &a), 0);
	if (source_list_find(list, &a) != answer)
		fail_msg("%s: %u, wanted %u", text, source_list_find(list, &a), answer);
}

/* ---- by hand ------------------------------------------------------------------------------------*/

static void without_a_rule_everybody_gets_the_same(void **state)
{
	struct source_list list;

	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2) {
		build(family, OTHERWISE, &list);
		assert_answer(&list, family == 4 ? "0.0.0.0" : "::", OTHERWISE);
		assert_answer(&list, family == 4 ? "255.255.255.255" : "ffff::ffff", OTHERWISE);
		source_list_fini(&list);
	}
}

static void the_longest_prefix_decides(void **state)
{
	struct source_list list;

	(void)state;
	add("10.0.0.0/8", DENIED);
	add("10.1.0.0/16", 0);
	add("10.1.2.0/24", DENIED);
	add("10.1.2.3/32", 0);
	build(4, OTHERWISE, &list);
	assert_answer(&list, "9.255.255.255", OTHERWISE);
	assert_answer(&list, "10.0.0.0", DENIED);
	assert_answer(&list, "10.0.255.255", DENIED);
	assert_answer(&list, "10.1.0.0", 0);
	assert_answer(&list, "10.1.1.255", 0);
	assert_answer(&list, "10.1.2.2", DENIED);
	assert_answer(&list, "10.1.2.3", 0);
	assert_answer(&list, "10.1.2.4", DENIED);
	assert_answer(&list, "10.1.3.0", 0);
	assert_answer(&list, "10.2.0.0", DENIED);
	assert_answer(&list, "10.255.255.255", DENIED);
	assert_answer(&list, "11.0.0.0", OTHERWISE);
	source_list_fini(&list);
}

static void the_longest_ipv6_prefix_decides_at_every_depth(void **state)
{
	struct source_list list;

	(void)state;
	add("2001:db8::/32", DENIED);
	add("2001:db8:0:1::/64", 0);
	add("2001:db8:0:1::5/128", DENIED);
	add("2001:db8:8000::/33", 0);
	add("2001:db8:0:1:8000::/65", DENIED);
	build(6, OTHERWISE, &list);
	assert_answer(&list, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", OTHERWISE);
	assert_answer(&list, "2001:db8::", DENIED);
	assert_answer(&list, "2001:db8:0:1::4", 0);
	assert_answer(&list, "2001:db8:0:1::5", DENIED);
	assert_answer(&list, "2001:db8:0:1::6", 0);
	assert_answer(&list, "2001:db8:0:1:7fff:ffff:ffff:ffff", 0);
	assert_answer(&list, "2001:db8:0:1:8000::", DENIED);
	assert_answer(&list, "2001:db8:0:2::", DENIED);
	assert_answer(&list, "2001:db8:7fff:ffff::", DENIED);
	assert_answer(&list, "2001:db8:8000::", 0);
	assert_answer(&list, "2001:db9::", OTHERWISE);
	source_list_fini(&list);
}

static void denied_outweighs_allowed(void **state)
{
	struct source_list list;

	(void)state;
	add("192.0.2.0/24", 0);
	add("192.0.2.0/24", DENIED);
	add("192.0.2.0/24", 0);
	add("198.51.100.0/24", DENIED);
	add("198.51.100.0/24", 0);
	build(4, OTHERWISE, &list);
	assert_answer(&list, "192.0.2.9", DENIED);
	assert_answer(&list, "198.51.100.9", DENIED);
	source_list_fini(&list);
}

static void the_ends_of_the_address_space_are_reached(void **state)
{
	struct source_list list;

	(void)state;
	add("0.0.0.0/32", DENIED);
	add("255.255.255.255/32", DENIED);
	add("128.0.0.0/1", 0);
	build(4, OTHERWISE, &list);
	assert_answer(&list, "0.0.0.0", DENIED);
	assert_answer(&list, "0.0.0.1", OTHERWISE);
	assert_answer(&list, "127.255.255.255", OTHERWISE);
	assert_answer(&list, "128.0.0.0", 0);
	assert_answer(&list, "255.255.255.254", 0);
	assert_answer(&list, "255.255.255.255", DENIED);
	source_list_fini(&list);
	none(NULL);
	add("0.0.0.0/0", DENIED);
	build(4, 0, &list);
	assert_answer(&list, "0.0.0.0", DENIED);
	assert_answer(&list, "255.255.255.255", DENIED);
	source_list_fini(&list);
}

static void the_other_family_is_left_out(void **state)
{
	struct source_list list;

	(void)state;
	add("::/0", DENIED);
	add("192.0.2.0/24", DENIED);
	build(4, 0, &list);
	assert_answer(&list, "192.0.2.1", DENIED);
	assert_answer(&list, "192.0.3.1", 0);
	source_list_fini(&list);
}

/* A prefix or two take a few hundred bytes; a set for each prefix of its own is no cause for more. */
static void a_list_takes_little(void **state)
{
	struct source_list list;

	(void)state;
	add("192.0.2.0/24", DENIED);
	build(4, 0, &list);
	assert_in_range(list.n * 8, 1, 256);
	source_list_fini(&list);
	none(NULL);
	for (; n_rules < RULES_MAX; n_rules++) {
		for (int k = 0; k < 16; k++)
			prefixes[n_rules].addr.bytes[k] = (uint8_t)rand();
		prefixes[n_rules].addr.family = 6;
		prefixes[n_rules].bits = 128;
		rules[n_rules] = (struct source_rule){&prefixes[n_rules], DENIED};
	}
	build(6, 0, &list);
	assert_in_range(list.n * 8, 1, 24u << 20);
	source_list_fini(&list);
}

static void too_many_rules_are_refused(void **state)
{
	struct source_list list;

	(void)state;
	assert_int_equal(source_list_build(rules, SOURCE_RULES_MAX + 1, 4, 0, &list), -E2BIG);
}

/* ---- at random ----------------------------------------------------------------------------------*/

static void check_address(const struct source_list *list, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	uint32_t found = source_list_find(list, a), wanted = slowly(a, OTHERWISE);

	if (found != wanted)
		fail_msg("%s among %zu: %u, wanted %u", addr_format(a, text), n_rules, found,
			 wanted);
}

static void check_random_list(uint8_t family, size_t n, int values)
{
	struct source_list list;
	struct addr a;

	random_rules(family, n, values);
	build(family, OTHERWISE, &list);
	for (size_t i = 0; i < n_rules && i < 200; i++)
		for (int which = 0; which < 4; which++) {
			to_an_edge(&a, rules[i].prefix, which);
			check_address(&list, &a);
		}
	for (int i = 0; i < 200; i++) {
		random_address(&a, family, values);
		check_address(&list, &a);
	}
	source_list_fini(&list);
}

static void the_answer_is_that_of_a_slow_search(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 400; round++) {
		uint8_t family = round % 2 ? 4 : 6;

		check_random_list(family, (size_t)(round % 12), 2);
		check_random_list(family, (size_t)(rand() % 60), 1 + rand() % 3);
	}
	check_random_list(4, 3000, 64);
	check_random_list(6, 3000, 4);
	check_random_list(4, 3000, 2);
}

/* ---- rates --------------------------------------------------------------------------------------*/

/* How many of those that come all the time are let through in @jiffies, after the first burst. */
static uint64_t let_through(const struct shunt_rate *r, uint64_t mask, uint64_t jiffies)
{
	uint64_t full = 0, passed = 0, now, ahead;

	for (uint64_t j = 1000; j < 1000 + jiffies; j++) {
		now = j << SHUNT_RATE_SHIFT & mask;
		for (;;) {
			ahead = shunt_rate_ahead(full, now, r->limit, mask);
			if (ahead + r->cost > r->limit)
				break;
			full = (now + ahead + r->cost) & mask;
			passed++;
		}
	}
	return passed;
}

static void a_rate_lets_through_what_it_says_at_every_hz(void **state)
{
	static const uint32_t hz[] = {100, 250, 300, 1000};
	static const uint32_t rates[] = {1,    2,     3,      50,     99,     1000,
					 3333, 10000, 123456, 500000, 999999, 1000000};

	(void)state;
	for (size_t h = 0; h < 4; h++)
		for (size_t i = 0; i < 12; i++) {
			struct shunt_rate r = source_rate_of(rates[i], 1, hz[h]);
			uint64_t seconds = rates[i] < 1000 ? 1000 : 2;
			uint64_t n = let_through(&r, SHUNT_RATE_TIME, seconds * hz[h]);
			uint64_t exact = rates[i] * seconds, slack = exact / 200 + 2;

			/* one jiffy's worth is there at once */
			slack += rates[i] / hz[h] + 1;
			if (n + slack < exact || n > exact + slack)
				fail_msg("%u/s at HZ %u: %llu in %llu s", rates[i], hz[h],
					 (unsigned long long)n, (unsigned long long)seconds);
		}
}

static void a_burst_comes_at_once_and_no_more(void **state)
{
	(void)state;
	for (uint32_t burst = 1; burst < 100000; burst = burst * 3 + 1) {
		struct shunt_rate r = source_rate_of(100, burst, 250);

		assert_int_equal(let_through(&r, SHUNT_RATE_TIME, 1), burst < 1 ? 1 : burst);
		assert_int_equal(let_through(&r, ~0ull, 1), burst);
	}
}

static void the_longest_burst_fits_the_word(void **state)
{
	struct shunt_rate r = source_rate_of(1, SOURCE_BURST_SECONDS, 1000);

	(void)state;
	assert_true(r.limit < 1ull << 42);
	r = source_rate_of(SOURCE_RATE_MAX, (uint64_t)SOURCE_RATE_MAX * SOURCE_BURST_SECONDS, 1000);
	assert_true(r.limit < 1ull << 42);
}

static void what_was_written_long_ago_is_a_full_bucket(void **state)
{
	struct shunt_rate r = source_rate_of(10, 20, 250);
	const uint64_t mask = SHUNT_RATE_TIME, now = 5;

	(void)state;
	assert_int_equal(shunt_rate_ahead(now, now, r.limit, mask), 0);
	assert_int_equal(shunt_rate_ahead(now + 7, now, r.limit, mask), 7);
	assert_int_equal(shunt_rate_ahead(now + r.limit, now, r.limit, mask), r.limit);
	assert_int_equal(shunt_rate_ahead(now + r.limit + 1, now, r.limit, mask), 0);
	assert_int_equal(shunt_rate_ahead((now - 6) & mask, now, r.limit, mask), 0);
}

/* At every uptime: a bucket keeps what it knows for as long as it is not full, and no full one looks as if
 * it were not, however long ago it was. */
static void full_buckets_never_look_as_if_they_were_to_be_full_in_hours(void **state)
{
	const uint64_t tick = 1ull << (SHUNT_RATE_SHIFT + SHUNT_FLOW_TICK_SHIFT);
	const uint64_t tag = 0xabcdeull << 44, ahead = 3600ull * 1000 << SHUNT_RATE_SHIFT;
	struct shunt_rate_line line[2];

	(void)state;
	for (uint32_t now = 0; now < 65536; now += 13) {
		const uint64_t time = now * tick;

		line[0] = line[1] = (struct shunt_rate_line){{0}};
		line[0].word[1] = tag | ((time + ahead) & SHUNT_RATE_TIME);
		line[0].word[2] = tag | ((time + 5) & SHUNT_RATE_TIME);
		line[1].word[7] = tag | ((time - 3000 * tick) & SHUNT_RATE_TIME);
		line[1].word[5] = tag | ((time - 5 * tick) & SHUNT_RATE_TIME);
		line[1].word[6] = tag | ((time + (SHUNT_RATE_TIME >> 1) - 9) & SHUNT_RATE_TIME);
		source_rates_refresh(line, 2, (uint16_t)now);
		assert_int_equal(line[0].word[1], tag | ((time + ahead) & SHUNT_RATE_TIME));
		assert_int_equal(line[0].word[2], tag | ((time + 5) & SHUNT_RATE_TIME));
		assert_int_equal(line[1].word[5], tag | ((time - 5 * tick) & SHUNT_RATE_TIME));
		for (int i = 6; i < 8; i++)
			assert_int_equal(line[1].word[i], time);
		for (int i = 3; i < 8; i++)
			assert_true(((line[0].word[i] - time) & SHUNT_RATE_TIME) <= ahead);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, none)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_rule_everybody_gets_the_same),
		TEST(the_longest_prefix_decides),
		TEST(the_longest_ipv6_prefix_decides_at_every_depth),
		TEST(denied_outweighs_allowed),
		TEST(the_ends_of_the_address_space_are_reached),
		TEST(the_other_family_is_left_out),
		TEST(a_list_takes_little),
		TEST(too_many_rules_are_refused),
		TEST(the_answer_is_that_of_a_slow_search),
		TEST(a_rate_lets_through_what_it_says_at_every_hz),
		TEST(a_burst_comes_at_once_and_no_more),
		TEST(the_longest_burst_fits_the_word),
		TEST(what_was_written_long_ago_is_a_full_bucket),
		TEST(full_buckets_never_look_as_if_they_were_to_be_full_in_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
