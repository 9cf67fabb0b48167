/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/lookup.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RULES 24

static struct lookup_rule rule(const char *vip, uint8_t bits, uint16_t from, uint16_t to,
			       uint32_t service)
{
	struct lookup_rule r = {.vip_bits = bits,
				.protocol = IPPROTO_TCP,
				.from = from,
				.to = to,
				.service = service};

	assert_int_equal(addr_parse(vip, strlen(vip), &r.vip), 0);
	return r;
}

static bool is_in(const struct addr *prefix, uint8_t bits, const struct addr *a)
{
	if (prefix->family != a->family)
		return false;
	for (uint8_t i = 0; i < bits; i++)
		if ((prefix->bytes[i / 8] ^ a->bytes[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* What the packet path does with the tables. */
static uint32_t find(const struct lookup *l, const struct addr *a, uint8_t protocol, uint16_t port)
{
	const struct lookup_prefix *longest = NULL;
	uint32_t any = LOOKUP_NOBODY, found = LOOKUP_NOBODY;

	for (size_t i = 0; i < l->n_exact; i++) {
		const struct lookup_exact *e = &l->exact[i];

		if (e->protocol != protocol || addr_compare(e->vip, a) != 0)
			continue;
		if (e->port == port && port)
			return e->service;
		if (e->port == 0)
			any = e->service;
	}
	if (any != LOOKUP_NOBODY)
		return any;
	for (size_t i = 0; i < l->n_prefixes; i++) {
		const struct lookup_prefix *p = &l->prefixes[i];

		if (p->protocol == protocol && is_in(p->vip, p->vip_bits, a) &&
		    (!longest || p->vip_bits > longest->vip_bits))
			longest = p;
	}
	for (uint32_t i = 0; longest && i < longest->n_spans; i++)
		if (l->spans[longest->spans_at + i].from <= port)
			found = l->spans[longest->spans_at + i].service;
	return found;
}

/* What the header says: the longest prefix, and of equal ones ports before any port. */
static uint32_t find_plainly(const struct lookup_rule rules[], size_t n, const struct addr *a,
			     uint8_t protocol, uint16_t port)
{
	uint32_t found = LOOKUP_NOBODY;
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		const struct lookup_rule *r = &rules[i];
		bool any = r->from == 0;
		int score = r->vip_bits * 2 + !any;

		if (r->protocol != protocol || !is_in(&r->vip, r->vip_bits, a) ||
		    (!any && (port < r->from || port > r->to)) || score <= best)
			continue;
		best = score;
		found = r->service;
	}
	return found;
}

static void a_list_and_a_small_range_are_written_out(void **state)
{
	struct lookup_rule rules[] = {rule("192.0.2.1", 32, 80, 80, 3),
				      rule("192.0.2.1", 32, 8000, 8002, 3),
				      rule("192.0.2.1", 32, 0, 0, 9)};
	size_t clash[2];
	struct lookup l;

	(void)state;
	assert_int_equal(lookup_build(rules, 3, &l, clash), 0);
	assert_int_equal(l.n_exact, 5);
	assert_int_equal(l.n_prefixes, 0);
	assert_int_equal(l.n_spans, 0);
	assert_int_equal(find(&l, &rules[0].vip, IPPROTO_TCP, 8002), 3);
	assert_int_equal(find(&l, &rules[0].vip, IPPROTO_TCP, 8003), 9);
	lookup_fini(&l);
}

static void the_last_port_that_is_written_out_is_the_bound(void **state)
{
	struct lookup_rule rules[] = {rule("192.0.2.1", 32, 80, 80, 0),
				      rule("192.0.2.1", 32, 1000, 1000, 0)};
	size_t clash[2];
	struct lookup l;

	(void)state;
	rules[1].to = 1000 + LOOKUP_WRITTEN_OUT - 2;
	assert_int_equal(lookup_build(rules, 2, &l, clash), 0);
	assert_int_equal(l.n_exact, LOOKUP_WRITTEN_OUT);
	assert_int_equal(l.n_prefixes, 0);
	lookup_fini(&l);
	rules[1].to++;
	assert_int_equal(lookup_build(rules, 2, &l, clash), 0);
	assert_int_equal(l.n_exact, 1); /* port 80: a single one costs nothing */
	assert_int_equal(l.n_prefixes, 1);
	assert_int_equal(l.prefixes[0].vip_bits, 32);
	assert_int_equal(l.n_spans, 3);
	lookup_fini(&l);
}

/* In the exact table any port would come before the range. */
static void any_port_follows_its_address_into_the_spans(void **state)
{
	struct lookup_rule rules[] = {rule("2001:db8::1", 128, 0, 0, 1),
				      rule("2001:db8::1", 128, 2000, 60000, 2)};
	size_t clash[2];
	struct lookup l;

	(void)state;
	assert_int_equal(lookup_build(rules, 2, &l, clash), 0);
	assert_int_equal(l.n_exact, 0);
	assert_int_equal(find(&l, &rules[0].vip, IPPROTO_TCP, 1999), 1);
	assert_int_equal(find(&l, &rules[0].vip, IPPROTO_TCP, 2000), 2);
	assert_int_equal(find(&l, &rules[0].vip, IPPROTO_TCP, 60000), 2);
	assert_int_equal(find(&l, &rules[0].vip, IPPROTO_TCP, 60001), 1);
	lookup_fini(&l);
}

static void what_a_prefix_leaves_open_its_outer_one_has(void **state)
{
	struct lookup_rule rules[] = {rule("10.0.0.0", 8, 0, 0, 1), rule("10.1.0.0", 16, 80, 80, 2),
				      rule("10.1.1.0", 24, 443, 443, 3)};
	struct addr a = {4, {10, 1, 1, 7}};
	size_t clash[2];
	struct lookup l;

	(void)state;
	assert_int_equal(lookup_build(rules, 3, &l, clash), 0);
	assert_int_equal(find(&l, &a, IPPROTO_TCP, 443), 3);
	assert_int_equal(find(&l, &a, IPPROTO_TCP, 80), 2);
	assert_int_equal(find(&l, &a, IPPROTO_TCP, 65535), 1);
	assert_int_equal(find(&l, &a, IPPROTO_UDP, 80), LOOKUP_NOBODY);
	lookup_fini(&l);
}

static void overlaps_are_named(void **state)
{
	struct lookup_rule rules[] = {
		rule("10.0.0.0", 8, 0, 0, 0),	     rule("10.0.0.0", 8, 100, 200, 1),
		rule("10.0.0.0", 9, 100, 200, 2),    rule("10.0.0.0", 8, 201, 300, 3),
		rule("10.0.0.1", 32, 1000, 9000, 4), rule("10.0.0.1", 32, 0, 0, 5),
		rule("10.0.0.0", 8, 1, 1, 6),
	};
	struct lookup l = {0};
	size_t clash[2];

	(void)state;
	assert_int_equal(lookup_build(rules, 7, &l, clash), 0);
	lookup_fini(&l);
	rules[6].to = 100;
	assert_int_equal(lookup_build(rules, 7, &l, clash), -EEXIST);
	assert_int_equal(clash[0], 1);
	assert_int_equal(clash[1], 6);
	rules[6] = rules[5];
	assert_int_equal(lookup_build(rules, 7, &l, clash), -EEXIST);
	assert_int_equal(clash[0], 5);
	assert_int_equal(clash[1], 6);
	rules[6] = rules[4];
	rules[6].from = rules[6].to;
	assert_int_equal(lookup_build(rules, 7, &l, clash), -EEXIST);
	assert_int_equal(clash[0], 4);
}

/* ---- against the plain reading of the rules -----------------------------------------------------*/

static struct addr random_addr(bool v6)
{
	struct addr a = {.family = v6 ? 6 : 4};

	/* few values in few bytes, so that prefixes nest */
	for (int i = 0; i < 4; i++)
		a.bytes[i] = (uint8_t)(rand() % 3 << (rand() % 2 * 6));
	if (v6)
		a.bytes[15] = (uint8_t)(rand() % 3);
	return a;
}

static struct lookup_rule random_rule(uint32_t service)
{
	bool v6 = rand() % 2;
	uint8_t full = v6 ? 128 : 32;
	struct lookup_rule r = {
		.vip = random_addr(v6),
		.vip_bits = rand() % 2 ? full : (uint8_t)(rand() % (full + 1)),
		.protocol = rand() % 4 ? IPPROTO_TCP : IPPROTO_UDP,
		.service = service,
	};

	for (uint8_t i = r.vip_bits; i < full; i++)
		r.vip.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	if (rand() % 3 == 0)
		return r;
	r.from = (uint16_t)(1 + rand() % (rand() % 2 ? 5 : 65535));
	r.to = r.from;
	if (rand() % 2)
		r.to = (uint16_t)(r.from + rand() % (rand() % 2 ? 4 : 65536 - r.from));
	return r;
}

static uint16_t random_port(const struct lookup_rule rules[], size_t n)
{
	const struct lookup_rule *r = &rules[rand() % n];

	if (rand() % 8 == 0)
		return (uint16_t)rand();
	return (uint16_t)((rand() % 2 ? r->from : r->to) + rand() % 3 - 1);
}

static void the_tables_say_what_the_rules_say(void **state)
{
	struct lookup_rule rules[RULES];
	size_t clash[2], clashes = 0, found = 0;
	struct lookup l;

	(void)state;
	srand(3);
	for (int round = 0; round < 20000; round++) {
		size_t n = 1 + (size_t)rand() % RULES;

		for (size_t i = 0; i < n; i++)
			rules[i] = random_rule(
				(uint32_t)(i && rand() % 3 == 0 ? rules[i - 1].service : i));
		if (lookup_build(rules, n, &l, clash)) {
			clashes++;
			continue;
		}
		for (int i = 0; i < 50; i++) {
			struct addr a = rand() % 2 ? random_addr(rand() % 2)
						   : rules[(size_t)rand() % n].vip;
			uint8_t protocol = rand() % 4 ? IPPROTO_TCP : IPPROTO_UDP;
			uint16_t port = random_port(rules, n);
			uint32_t want = find_plainly(rules, n, &a, protocol, port);

			assert_int_equal(find(&l, &a, protocol, port), want);
			found += want != LOOKUP_NOBODY;
		}
		lookup_fini(&l);
	}
	assert_true(clashes > 100 && clashes < 15000 && found > 100000);
}

static void nothing_gives_empty_tables(void **state)
{
	size_t clash[2];
	struct lookup l;

	(void)state;
	assert_int_equal(lookup_build(NULL, 0, &l, clash), 0);
	assert_int_equal(l.n_exact + l.n_prefixes + l.n_spans, 0);
	lookup_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_and_a_small_range_are_written_out),
		cmocka_unit_test(the_last_port_that_is_written_out_is_the_bound),
		cmocka_unit_test(any_port_follows_its_address_into_the_spans),
		cmocka_unit_test(what_a_prefix_leaves_open_its_outer_one_has),
		cmocka_unit_test(overlaps_are_named),
		cmocka_unit_test(the_tables_say_what_the_rules_say),
		cmocka_unit_test(nothing_gives_empty_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
