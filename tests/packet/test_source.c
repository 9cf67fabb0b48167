/* SPDX-License-Identifier: BSD-2-Clause */
/* From whom a service takes packets. */
#include "source_world.h"

/* ---- lists --------------------------------------------------------------------------------------*/

static void every_method_asks_the_list(void **state)
{
	struct fixture *f = *state;

	add("198.51.100.0", 24, SHUNT_SOURCE_DENIED);
	add("2001:db8:7::", 48, SHUNT_SOURCE_DENIED);
	for (int i = 0; i < 4; i++) {
		uint8_t family = families[i / 2], proto = protos[i % 2];

		use_list(f, family, 0);
		for (enum world_kind kind = 0; kind < WORLD_MAX; kind++) {
			struct recipe r = world_recipe(family, proto, kind);

			if (kind == WORLD_ANY)
				r.dport = 7;
			world_service(f, family, proto, kind)->policy = POLICY;
			/* 198.51.100.23 and 2001:db8:7:... */
			if (family == 6)
				memcpy(r.src, (uint8_t[]){0x20, 1, 0xd, 0xb8, 0, 7, 0, 0, 9}, 9);
			assert_verdict(f, &r, SHUNT_DROP_DENIED);
			r.tcp_flags = TCP_FLAG_SYN;
			assert_verdict(f, &r, SHUNT_DROP_DENIED);
		}
	}
}

static void translation_asks_the_list(void **state)
{
	struct fixture *f = *state;

	add("198.51.100.0", 24, SHUNT_SOURCE_DENIED);
	use_list(f, 4, 0);
	for (int i = 0; i < 2; i++) {
		struct recipe r = world_recipe(4, protos[i], WORLD_DSR);
		struct shunt_service *svc;

		nat_family = 4;
		svc = nat_service(f, protos[i], SHUNT_MASQ);
		r.tcp_flags = TCP_FLAG_SYN;
		assert_verdict(f, &r, SHUNT_GO_ON);
		svc->policy = POLICY;
		assert_verdict(f, &r, SHUNT_DROP_DENIED);
		r.src[0]++;
		assert_verdict(f, &r, SHUNT_GO_ON);
	}
}

static void who_is_not_allowed_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct recipe r;

	add("10.0.0.0", 8, SHUNT_SOURCE_TAKEN);
	add("10.6.0.0", 16, SHUNT_SOURCE_DENIED);
	use_list(f, 4, SHUNT_SOURCE_NOT_ALLOWED);
	for (int i = 0; i < 2; i++) {
		world_service(f, 4, protos[i], WORLD_DSR)->policy = POLICY;
		r = packet_of(4, protos[i], WORLD_DSR, "10.5.255.255");
		assert_verdict(f, &r, SHUNT_GO_ON);
		r = packet_of(4, protos[i], WORLD_DSR, "10.6.0.0");
		assert_verdict(f, &r, SHUNT_DROP_DENIED);
		r = packet_of(4, protos[i], WORLD_DSR, "11.0.0.0");
		assert_verdict(f, &r, SHUNT_DROP_NOT_ALLOWED);
	}
	r = packet_of(4, IPPROTO_TCP, WORLD_LOCAL, "11.0.0.0");
	assert_verdict(f, &r, SHUNT_GO_ON); /* a service without */
}

static enum shunt_verdict wanted_for(const struct source_list *list, const struct recipe *r)
{
	struct addr a = {.family = r->family};

	memcpy(a.bytes, r->src, r->family == 4 ? 4 : 16);
	switch (source_list_find(list, &a)) {
	case SHUNT_SOURCE_DENIED:
		return SHUNT_DROP_DENIED;
	case SHUNT_SOURCE_NOT_ALLOWED:
		return SHUNT_DROP_NOT_ALLOWED;
	default:
		return SHUNT_GO_ON;
	}
}

/* Whether nobody sends from there: another verdict's business. */
static bool is_nobodys(const struct recipe *r)
{
	uint8_t first = r->src[0], any = 0;

	if (r->family == 4)
		return first == 0 || first == 127 || first == 255 || (first & 0xf0) == 0xe0;
	for (int i = 0; i < 15; i++)
		any |= r->src[i];
	return first == 255 || (!any && r->src[15] <= 1);
}

static void compare(struct fixture *f, uint8_t family, const struct source_list *list, int values)
{
	struct recipe r = world_recipe(family, IPPROTO_TCP, WORLD_DSR);

	world_service(f, family, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	write_list(f, list, 556);
	for (int i = 0; i < 400; i++) {
		const struct source_prefix *near = rules[(size_t)rand() % n_rules].prefix;

		memcpy(r.src, near->addr.bytes, 16);
		for (int k = 0; i % 4 && k < (family == 4 ? 4 : 16); k++)
			if (rand() % 4 == 0)
				r.src[k] = (uint8_t)(rand() % values);
		if (!is_nobodys(&r))
			assert_verdict(f, &r, wanted_for(list, &r));
	}
}

/* The list itself is tested against a slow search; here it is the program that is. */
static void the_program_reads_lists_as_they_are_meant(void **state)
{
	struct fixture *f = *state;
	struct source_list list;
	uint8_t bytes[16];

	srand(7);
	for (int round = 0; round < 60; round++) {
		uint8_t family = families[round % 2];
		int values = 2 + round % 7, n = 1 + rand() % 300;

		n_rules = 0;
		while (n-- > 0) {
			for (int k = 0; k < 16; k++)
				bytes[k] = (uint8_t)(rand() % values);
			add_bytes(family, bytes, (uint8_t)(rand() % (family == 4 ? 33 : 129)),
				  rand() % 2 ? SHUNT_SOURCE_DENIED : SHUNT_SOURCE_TAKEN);
		}
		assert_int_equal(source_list_build(rules, n_rules, family,
						   rand() % 2 * SHUNT_SOURCE_NOT_ALLOWED, &list),
				 0);
		compare(f, family, &list, values);
		source_list_fini(&list);
	}
}

static void a_hundred_thousand_prefixes_are_looked_up(void **state)
{
	struct fixture *f = *state;
	struct source_list list;
	uint8_t bytes[4];

	srand(8);
	while (n_rules < 100000) { /* many in a few places: buckets that are searched */
		bytes[0] = (uint8_t)(10 + rand() % 3);
		bytes[1] = (uint8_t)(rand() % 8);
		bytes[2] = (uint8_t)rand();
		bytes[3] = (uint8_t)rand();
		add_bytes(4, bytes, (uint8_t)(20 + rand() % 13), SHUNT_SOURCE_DENIED);
	}
	assert_int_equal(source_list_build(rules, n_rules, 4, 0, &list), 0);
	compare(f, 4, &list, 256);
	source_list_fini(&list);
}

/* ---- quick words ----------------------------------------------------------------------------------*/

/* With nothing to be read in the list, so that what is known was known quickly. */
static void most_are_answered_without_the_list(void **state)
{
	struct fixture *f = *state;
	struct recipe r;

	for (int i = 0; i < 2; i++) {
		uint8_t family = families[i];

		reset(state);
		add("198.51.100.7", 32, SHUNT_SOURCE_DENIED);
		add("2001:db8:7::", 48, SHUNT_SOURCE_DENIED);
		use_list(f, family, SHUNT_SOURCE_TAKEN);
		f->policies[POLICY].root_at = WORLD_SOURCE_WORDS;
		f->policies[POLICY].root = (struct shunt_source_set){.last = ~0u, .shift = 31};
		world_service(f, family, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
		r = packet_of(family, IPPROTO_TCP, WORLD_DSR,
			      family == 4 ? "198.51.100.7" : "2001:db8:7:1::1");
		assert_verdict(f, &r, SHUNT_DROP_DENIED);
		r = packet_of(family, IPPROTO_TCP, WORLD_DSR,
			      family == 4 ? "198.51.100.8" : "2001:db8:8::");
		assert_verdict(f, &r, SHUNT_GO_ON);
		f->policies[POLICY].quick.n = 0;
		f->policies[POLICY].quick.out = SHUNT_QUICK_ASK;
		assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE);
	}
}

/* As what an earlier version wrote has none, or words that are not there. */
static void without_quick_words_the_list_is_asked(void **state)
{
	struct fixture *f = *state;
	struct shunt_source_quick *quick = &f->policies[POLICY].quick;
	struct recipe denied, taken;

	for (int i = 0; i < 2; i++) {
		uint8_t family = families[i];

		reset(state);
		add("198.51.100.0", 24, SHUNT_SOURCE_DENIED);
		add("2001:db8:7::", 48, SHUNT_SOURCE_DENIED);
		denied = packet_of(family, IPPROTO_TCP, WORLD_DSR,
				   family == 4 ? "198.51.100.7" : "2001:db8:7:1::1");
		taken = packet_of(family, IPPROTO_TCP, WORLD_DSR,
				  family == 4 ? "198.51.101.7" : "2001:db8:6::");
		for (int way = 0; way < 2; way++) {
			use_list(f, family, SHUNT_SOURCE_TAKEN);
			world_service(f, family, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
			if (way == 0)
				*quick = (struct shunt_source_quick){0};
			else
				*quick = (struct shunt_source_quick){
					.at = WORLD_SOURCE_WORDS, .n = ~0u, .shift = 63};
			assert_verdict(f, &denied, SHUNT_DROP_DENIED);
			assert_verdict(f, &taken, SHUNT_GO_ON);
		}
	}
}

/* What more than 64 bits are needed for. */
static void a_single_ipv6_address_is_denied_alone(void **state)
{
	struct fixture *f = *state;
	struct recipe r;

	add("2001:db8:7::5", 128, SHUNT_SOURCE_DENIED);
	use_list(f, 6, SHUNT_SOURCE_TAKEN);
	world_service(f, 6, IPPROTO_UDP, WORLD_DSR)->policy = POLICY;
	r = packet_of(6, IPPROTO_UDP, WORLD_DSR, "2001:db8:7::5");
	assert_verdict(f, &r, SHUNT_DROP_DENIED);
	r = packet_of(6, IPPROTO_UDP, WORLD_DSR, "2001:db8:7::4");
	assert_verdict(f, &r, SHUNT_GO_ON);
}

static void rates_hold_for_those_that_the_list_takes(void **state)
{
	struct fixture *f = *state;
	struct recipe r = packet_of(4, IPPROTO_TCP, WORLD_DSR, "198.51.101.7");

	add("198.51.100.0", 24, SHUNT_SOURCE_DENIED);
	use_list(f, 4, SHUNT_SOURCE_TAKEN);
	use_rates(f, 1, 3, 0, 0);
	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	assert_int_equal(passing(f, r, 20), 3);
	r.src[2] = 100;
	r.tcp_flags = TCP_FLAG_SYN;
	assert_verdict(f, &r, SHUNT_DROP_DENIED);
}

/* ---- tables that point nowhere ------------------------------------------------------------------*/

static void a_policy_that_is_not_there_is_a_bad_table(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);

	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = WORLD_POLICIES;
	assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE);
	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	assert_verdict(f, &r, SHUNT_GO_ON); /* all zero: nothing is asked */
	add("198.51.100.0", 24, SHUNT_SOURCE_DENIED);
	use_list(f, 4, 0);
	f->policies[POLICY].quick = (struct shunt_source_quick){0};
	f->policies[POLICY].root_at = WORLD_SOURCE_WORDS;
	assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE);
	use_list(f, 4, SHUNT_FORWARD_DSR + 100);
	r.src[0]++;
	assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE);
}

/* A set that leads to itself ends. */
static void a_list_in_a_circle_is_a_bad_table(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(6, IPPROTO_TCP, WORLD_DSR);

	world_service(f, 6, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	f->policies[POLICY].flags = SHUNT_POLICY_LIST;
	f->policies[POLICY].root = (struct shunt_source_set){0, 0, SHUNT_SOURCE_DEEPER, 0};
	f->sources[0] = 0;
	f->sources[1] = SHUNT_SOURCE_DEEPER;
	f->sources[2] = SHUNT_SOURCE_DEEPER;
	assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_method_asks_the_list),
		TEST(translation_asks_the_list),
		TEST(who_is_not_allowed_is_dropped),
		TEST(the_program_reads_lists_as_they_are_meant),
		TEST(a_hundred_thousand_prefixes_are_looked_up),
		TEST(most_are_answered_without_the_list),
		TEST(without_quick_words_the_list_is_asked),
		TEST(a_single_ipv6_address_is_denied_alone),
		TEST(rates_hold_for_those_that_the_list_takes),
		TEST(a_policy_that_is_not_there_is_a_bad_table),
		TEST(a_list_in_a_circle_is_a_bad_table),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
