/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the perfect hash is perfect, small and quick over the keys that operators really have. */
#include "pure/phash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include "base/own.h"
#include "shunt_abi.h"

#define MANY 10000

static uint64_t keys[4 * MANY];

static uint64_t key4(uint32_t addr, uint16_t port, uint8_t proto)
{
	return shunt_key4(htonl(addr), shunt_port_proto(htons(port), proto));
}

/* Looks a key up as the packet path does. */
static uint32_t entry_of(const struct phash *p, uint64_t key)
{
	uint64_t bucket = (key * p->bucket_mul) >> p->bucket_shift;

	assert_in_range(bucket, 0, p->n_seeds - 1);
	return (key * p->seeds[bucket]) >> p->shift;
}

static void assert_perfect(const struct phash *p, size_t n)
{
	auto_free uint8_t *seen = calloc(p->n_entries, 1);

	assert_non_null(seen);
	assert_true(p->bucket_mul & 1);
	assert_true(p->n_entries >= 2 && p->n_seeds >= 2);
	for (uint32_t i = 0; i < p->n_seeds; i++)
		assert_true(p->seeds[i] & 1);
	for (size_t i = 0; i < n; i++) {
		uint32_t entry = entry_of(p, keys[i]);

		assert_int_equal(entry, p->entry_of[i]);
		assert_in_range(entry, 0, p->n_entries - 1);
		assert_false(seen[entry]);
		seen[entry] = 1;
	}
}

static void assert_builds(size_t n)
{
	uint32_t n_seeds, n_entries;
	struct phash p;

	phash_capacity(n, &n_seeds, &n_entries);
	assert_int_equal(phash_build(keys, n, &p), 0);
	assert_true(p.n_seeds <= n_seeds && p.n_entries <= n_entries);
	assert_perfect(&p, n);
	phash_fini(&p);
	assert_null(p.seeds);
}

static void one_key_and_few_keys(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 70; i++) {
		keys[i] = key4(0xcb00710a, 80 + i, IPPROTO_TCP);
		assert_builds(i + 1u);
	}
}

static void every_port_of_one_address(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		keys[i] = key4(0xcb00710a, i + 1, IPPROTO_TCP);
	for (size_t n = 1; n <= MANY; n = n * 2 + 1)
		assert_builds(n);
	assert_builds(MANY);
}

static void ports_that_differ_in_one_byte(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 256; i++)
		keys[i] = key4(0xcb00710a, 0x1f00 + i, IPPROTO_TCP);
	assert_builds(256);
	for (uint32_t i = 0; i < 256; i++)
		keys[i] = key4(0xcb00710a, i << 8 | 0x50, IPPROTO_TCP);
	assert_builds(256);
}

static void consecutive_addresses(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		keys[i] = key4(0x0a000001 + i, 443, IPPROTO_TCP);
	assert_builds(MANY);
	for (uint32_t i = 0; i < MANY; i++)
		keys[i] = key4(0x0a000001 + (i << 8), 443, IPPROTO_TCP);
	assert_builds(MANY);
}

static void tcp_and_udp_of_every_address(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		keys[i] = key4(0x0a000001 + i / 4, i & 2 ? 53 : 443,
			       i & 1 ? IPPROTO_TCP : IPPROTO_UDP);
	assert_builds(MANY);
}

static void mixed_words_of_ipv6_addresses(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		keys[i] = shunt_key6(0xb80d0120, (uint64_t)htonl(i) << 32,
				     shunt_port_proto(htons(443), IPPROTO_UDP));
	assert_builds(MANY);
}

static void powers_of_two_fill_their_tables_to_the_half(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 32768; i++)
		keys[i] = key4(0x0a000000 + i, 80, IPPROTO_TCP);
	assert_builds(32768);
}

static void equal_keys_are_refused_with_out_untouched(void **state)
{
	struct phash p, before;

	(void)state;
	memset(&p, 0x5a, sizeof(p));
	before = p;
	for (uint32_t i = 0; i < 100; i++)
		keys[i] = i;
	keys[99] = 7;
	assert_int_equal(phash_build(keys, 100, &p), -EEXIST);
	assert_memory_equal(&p, &before, sizeof(p));
}

static void the_same_keys_give_the_same_hash(void **state)
{
	struct phash a, b;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		keys[i] = key4(0x0a000000 + i, 80, IPPROTO_TCP);
	assert_int_equal(phash_build(keys, 1000, &a), 0);
	assert_int_equal(phash_build(keys, 1000, &b), 0);
	assert_int_equal(a.bucket_mul, b.bucket_mul);
	assert_int_equal(a.n_seeds, b.n_seeds);
	assert_memory_equal(a.seeds, b.seeds, a.n_seeds * sizeof(*a.seeds));
	phash_fini(&a);
	phash_fini(&b);
}

static void capacity_is_small_and_grows_with_the_keys(void **state)
{
	uint32_t seeds = 0, entries = 0, last_seeds = 0, last_entries = 0;

	(void)state;
	for (size_t n = 1; n < 70000; n++) {
		phash_capacity(n, &seeds, &entries);
		assert_true(seeds >= last_seeds && entries >= last_entries);
		assert_true(seeds <= 2 || seeds < n);
		assert_true(entries >= 2 * n && entries < 4 * n);
		last_seeds = seeds;
		last_entries = entries;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_key_and_few_keys),
		cmocka_unit_test(every_port_of_one_address),
		cmocka_unit_test(ports_that_differ_in_one_byte),
		cmocka_unit_test(consecutive_addresses),
		cmocka_unit_test(tcp_and_udp_of_every_address),
		cmocka_unit_test(mixed_words_of_ipv6_addresses),
		cmocka_unit_test(powers_of_two_fill_their_tables_to_the_half),
		cmocka_unit_test(equal_keys_are_refused_with_out_untouched),
		cmocka_unit_test(the_same_keys_give_the_same_hash),
		cmocka_unit_test(capacity_is_small_and_grows_with_the_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
