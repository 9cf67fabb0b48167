/* SPDX-License-Identifier: BSD-2-Clause */
/* What is answered before a list is asked, against the slow way to ask it. */
#include "pure/source_quick.h"

#include "source_rules.h"

/* What is answered quickly is answered right. */
static void check_quickly(const struct source_list *list, const struct addr *a, uint32_t wanted)
{
	uint32_t quickly = source_quick_find(&list->quick, list->words + list->quick.at, a);
	char text[ADDR_TEXT_MAX];

	if (quickly != SHUNT_QUICK_ASK && quickly % SHUNT_QUICK_TAKEN != wanted)
		fail_msg("%s among %zu: quickly %u, wanted %u", addr_format(a, text), n_rules,
			 quickly, wanted);
}

static uint32_t quickly(const struct source_list *list, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, strlen(text), &a), 0);
	return source_quick_find(&list->quick, list->words + list->quick.at, &a);
}

static void a_few_prefixes_are_all_answered_quickly(void **state)
{
	struct source_list list;

	(void)state;
	add("10.0.0.0/8", DENIED);
	add("192.0.2.0/24", DENIED);
	add("198.51.100.7/32", DENIED);
	add("198.51.101.201/32", DENIED);
	build(4, 0, &list);
	assert_int_equal(quickly(&list, "10.255.255.255"), DENIED);
	assert_int_equal(quickly(&list, "11.0.0.0"), SHUNT_QUICK_TAKEN);
	assert_int_equal(quickly(&list, "192.0.2.255"), DENIED);
	assert_int_equal(quickly(&list, "192.0.3.0"), SHUNT_QUICK_TAKEN);
	assert_int_equal(quickly(&list, "0.0.0.0"), SHUNT_QUICK_TAKEN);
	assert_int_equal(quickly(&list, "255.255.255.255"), SHUNT_QUICK_TAKEN);
	source_list_fini(&list);
}

static void a_few_ipv6_prefixes_are_all_answered_quickly(void **state)
{
	struct source_list list;

	(void)state;
	add("2001:db8::/32", 0);
	add("2a01:4f8::/29", 0);
	add("fe80::/10", 0);
	build(6, OTHERWISE, &list);
	assert_int_equal(quickly(&list, "2001:db8:ffff:ffff::"), SHUNT_QUICK_TAKEN);
	assert_int_equal(quickly(&list, "2001:db9::"), OTHERWISE);
	assert_int_equal(quickly(&list, "2a01:4ff:ffff::1"), SHUNT_QUICK_TAKEN);
	assert_int_equal(quickly(&list, "2a01:500::"), OTHERWISE);
	assert_int_equal(quickly(&list, "febf:ffff::1"), SHUNT_QUICK_TAKEN);
	assert_int_equal(quickly(&list, "::"), OTHERWISE);
	assert_int_equal(quickly(&list, "ffff::"), OTHERWISE);
	source_list_fini(&list);
}

static void who_gets_the_same_everywhere_is_answered_without_a_word(void **state)
{
	struct source_list list;

	(void)state;
	add("0.0.0.0/0", DENIED);
	add("::/1", DENIED);
	add("8000::/1", DENIED);
	for (uint8_t family = 4; family <= 6; family += 2) {
		build(family, 0, &list);
		assert_int_equal(list.quick.n, 0);
		assert_int_equal(list.quick.out, DENIED);
		source_list_fini(&list);
	}
}

static void beyond_64_bits_the_list_is_asked(void **state)
{
	struct source_list list;

	(void)state;
	add("2001:db8::5/128", DENIED);
	add("2001:db8::6/128", DENIED);
	add("2001:db8:0:2::/64", DENIED);
	build(6, 0, &list);
	assert_int_equal(quickly(&list, "2001:db8::5"), SHUNT_QUICK_ASK);
	assert_int_equal(quickly(&list, "2001:db8::7"), SHUNT_QUICK_ASK);
	assert_int_equal(quickly(&list, "2001:db8:0:1::5"), SHUNT_QUICK_TAKEN);
	assert_int_equal(quickly(&list, "2001:db8:0:2::5"), DENIED);
	source_list_fini(&list);
}

/* A prefix alone in the whole space, of every length: the block of all numbers, of half of them, of one. */
static void a_prefix_of_every_length_is_answered_quickly(void **state)
{
	static const uint8_t where[] = {0x00, 0xff, 0x20, 0xa5};
	struct source_list list;
	struct addr a;

	(void)state;
	for (int i = 0; i < 4 * 65; i++) {
		uint8_t family = i % 65 <= 32 && i / 65 % 2 ? 4 : 6;
		struct source_prefix *p = &prefixes[0];

		*p = (struct source_prefix){.addr.family = family, .bits = (uint8_t)(i % 65)};
		memset(p->addr.bytes, where[i / 65], family == 4 ? 4 : 16);
		clear_beyond(p);
		rules[0] = (struct source_rule){p, DENIED};
		n_rules = 1;
		build(family, 0, &list);
		for (int which = 0; which < 4; which++) {
			to_an_edge(&a, p, which);
			check_quickly(&list, &a, slowly(&a, 0));
			assert_int_not_equal(
				source_quick_find(&list.quick, list.words + list.quick.at, &a),
				SHUNT_QUICK_ASK);
		}
		source_list_fini(&list);
	}
}

static void most_of_a_long_list_is_answered_quickly(void **state)
{
	struct source_list list;
	size_t known = 0;

	(void)state;
	srand(5);
	for (n_rules = 0; n_rules < RULES_MAX; n_rules++) {
		for (int k = 0; k < 4; k++)
			prefixes[n_rules].addr.bytes[k] = (uint8_t)(rand() >> 7);
		prefixes[n_rules].addr.family = 4;
		prefixes[n_rules].bits = 32;
		rules[n_rules] = (struct source_rule){&prefixes[n_rules], DENIED};
	}
	build(4, 0, &list);
	for (size_t i = 0; i < n_rules; i++)
		known += source_quick_find(&list.quick, list.words + list.quick.at,
					   &rules[i].prefix->addr) == DENIED;
	assert_in_range(known, RULES_MAX * 6 / 10, RULES_MAX);
	source_list_fini(&list);
}
/* ---- at random ----------------------------------------------------------------------------------*/

static void check_random_list(uint8_t family, size_t n, int values)
{
	struct source_list list;
	struct addr a;

	random_rules(family, n, values);
	build(family, OTHERWISE, &list);
	for (size_t i = 0; i < n_rules && i < 100; i++)
		for (int which = 0; which < 4; which++) {
			to_an_edge(&a, rules[i].prefix, which);
			check_quickly(&list, &a, slowly(&a, OTHERWISE));
		}
	for (int i = 0; i < 200; i++) {
		random_address(&a, family, values);
		check_quickly(&list, &a, slowly(&a, OTHERWISE));
	}
	source_list_fini(&list);
}

static void what_is_answered_quickly_is_answered_right(void **state)
{
	(void)state;
	srand(3);
	for (int round = 0; round < 400; round++) {
		uint8_t family = round % 2 ? 4 : 6;

		check_random_list(family, (size_t)(round % 12), 2);
		check_random_list(family, (size_t)(rand() % 60), 1 + rand() % 3);
	}
	check_random_list(4, 3000, 64);
	check_random_list(6, 3000, 4);
}

#define TEST(name) cmocka_unit_test_setup(name, none)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_few_prefixes_are_all_answered_quickly),
		TEST(a_few_ipv6_prefixes_are_all_answered_quickly),
		TEST(who_gets_the_same_everywhere_is_answered_without_a_word),
		TEST(beyond_64_bits_the_list_is_asked),
		TEST(a_prefix_of_every_length_is_answered_quickly),
		TEST(most_of_a_long_list_is_answered_quickly),
		TEST(what_is_answered_quickly_is_answered_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
