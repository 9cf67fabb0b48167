/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash against its paper, keys from secrets, and how evenly flows fall on slots. */
#include "pure/hashkey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void siphash_agrees_with_its_paper(void **state)
{
	/* Of the bytes 0, 1, 2, ... with the key 00 01 ... 0f; the last one is the paper's
	 * appendix A, the others are from the authors' reference implementation. */
	static const uint64_t expected[16] = {
		[0] = 0x726fdb47dd0e0e31,  [1] = 0x74f839c593dc67fd, [2] = 0x0d6c8009d9a94f5a,
		[3] = 0x85676696d7fb7e2d,  [8] = 0x93f5f5799a932462, [9] = 0x9e0082df0ba9e4b0,
		[15] = 0xa129ca6149be45e5,
	};
	uint8_t bytes[16];
	uint64_t key[2];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		bytes[i] = i;
	memcpy(key, bytes, sizeof(key));
	for (uint64_t len = 0; len < 16; len++)
		assert_true(!expected[len] || siphash24(bytes, len, key) == expected[len]);
}

static void siphash_reads_no_further_than_told(void **state)
{
	uint64_t key[2] = {1, 2}, aligned[3] = {0};
	uint8_t *bytes = (uint8_t *)aligned + 1; /* nor does it want alignment */

	(void)state;
	for (uint64_t len = 0; len < 16; len++) {
		uint64_t before = siphash24(bytes, len, key);

		bytes[len] ^= 0xff;
		assert_true(siphash24(bytes, len, key) == before);
		bytes[len] ^= 0xff;
	}
}

static void the_same_secret_gives_the_same_key(void **state)
{
	uint64_t a[SHUNT_HASH_WORDS], b[SHUNT_HASH_WORDS];

	(void)state;
	hashkey_derive("fleet", a);
	hashkey_derive("fleet", b);
	assert_memory_equal(a, b, sizeof(a));
	/* Other values here would move connections when a fleet is upgraded host by host. */
	assert_true(a[0] == 0x644a58c1a39d0e70 && a[9] == 0xb27d26001ca549e7);
	hashkey_derive("fleeu", b);
	for (int i = 0; i < SHUNT_HASH_WORDS; i++)
		assert_true(a[i] != b[i]);
}

static void no_secret_and_an_empty_one_give_the_built_in_key(void **state)
{
	uint64_t a[SHUNT_HASH_WORDS], b[SHUNT_HASH_WORDS];

	(void)state;
	hashkey_derive(NULL, a);
	hashkey_derive("", b);
	assert_memory_equal(a, b, sizeof(a));
	assert_true(a[0] == 0xa00594b1a5663d92);
}

static void multipliers_are_odd_and_differ(void **state)
{
	uint64_t key[SHUNT_HASH_WORDS];

	(void)state;
	hashkey_derive("a secret of more than eight bytes", key);
	for (int i = 1; i < SHUNT_HASH_WORDS; i++) {
		assert_true(key[i] & 1);
		for (int j = 0; j < i; j++)
			assert_true(key[i] != key[j]);
	}
}

static void every_word_of_a_flow_counts(void **state)
{
	uint64_t key[SHUNT_HASH_WORDS];
	uint32_t s[4] = {1, 2, 3, 4}, d[4] = {5, 6, 7, 8};
	uint64_t hash;

	(void)state;
	hashkey_derive(NULL, key);
	assert_true(hashkey_flow4(key, 1, 2, 3) == key[0] + key[1] + 2 * key[3] + 3 * key[2]);
	hash = hashkey_flow6(key, s, d, 9);
	assert_true(hash != hashkey_flow6(key, s, d, 10));
	for (int i = 0; i < 4; i++) {
		s[i]++;
		assert_true(hash != hashkey_flow6(key, s, d, 9));
		s[i]--;
		d[i]++;
		assert_true(hash != hashkey_flow6(key, s, d, 9));
		d[i]--;
	}
}

/* ---- evenness ----------------------------------------------------------------------------------*/

#define FLOWS 60000u
#define SECRETS 40

struct flow {
	uint32_t saddr[4], daddr[4], ports;
};

struct pattern {
	const char *says;
	void (*make)(uint32_t i, struct flow *f);
	int family;
};

static uint32_t ports(uint32_t sport, uint32_t dport)
{
	return htons(sport) | (uint32_t)htons(dport) << 16;
}

/* 64 bits that look like chance, the same in every run. */
static uint64_t chance(uint32_t i)
{
	static const uint64_t key[2] = {3, 4};

	return siphash24(&i, sizeof(i), key);
}

static void nated_client(uint32_t i, struct flow *f)
{
	f->saddr[0] = htonl(0xc6336407);
	f->ports = ports(1024 + i, 443);
}

static void slash24_with_even_ports(uint32_t i, struct flow *f)
{
	f->saddr[0] = htonl(0xc6336400 + i % 256);
	f->ports = ports(32768 + i / 256 * 2, 443);
}

static void sequential_addresses(uint32_t i, struct flow *f)
{
	f->saddr[0] = htonl(0x0a000000 + i);
	f->ports = ports(40000, 443);
}

static void sequential_networks(uint32_t i, struct flow *f)
{
	f->saddr[0] = htonl(0x0a000001 + (i << 8));
	f->ports = ports(40000, 443);
}

static void one_client_of_many_services(uint32_t i, struct flow *f)
{
	f->saddr[0] = htonl(0xc6336407);
	f->daddr[0] = htonl(0xcb007100 + i % 64);
	f->ports = ports(32768 + i / 64, 1 + i % 640);
}

static void clients_of_the_internet(uint32_t i, struct flow *f)
{
	f->saddr[0] = chance(i);
	f->ports = ports(1024 + (chance(i) >> 32) % 64512, 443);
}

static void eui64_addresses(uint32_t i, struct flow *f)
{
	f->saddr[0] = htonl(0x20010db8);
	f->saddr[1] = htonl(i >> 10);
	f->saddr[2] = htonl(0x021122ff);
	f->saddr[3] = htonl(0xfe000000 | i);
	f->ports = ports(50000, 443);
}

static void privacy_addresses(uint32_t i, struct flow *f)
{
	f->saddr[0] = htonl(0x20010db8);
	f->saddr[1] = htonl(i % 256);
	f->saddr[2] = chance(i);
	f->saddr[3] = chance(i) >> 32;
	f->ports = ports(32768 + i % 28232, 443);
}

static const struct pattern patterns[] = {
	{"one client behind NAT, sequential ports", nated_client, 4},
	{"the clients of a /24, even ports", slash24_with_even_ports, 4},
	{"sequential addresses, one port", sequential_addresses, 4},
	{"an address in each of sequential /24s", sequential_networks, 4},
	{"one client of many services", one_client_of_many_services, 4},
	{"addresses and ports by chance", clients_of_the_internet, 4},
	{"IPv6 addresses made from MACs", eui64_addresses, 6},
	{"IPv6 privacy addresses", privacy_addresses, 6},
};

static struct flow flows[FLOWS];
static uint32_t hits[65536];

static void make_flows(const struct pattern *p)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		flows[i] = (struct flow){.daddr[0] = htonl(0xcb00710a)};
		p->make(i, &flows[i]);
	}
}

/* Chi squared over the degrees of freedom: 1 by chance. */
static double unevenness(uint32_t slots)
{
	double mean = (double)FLOWS / slots, sum = 0;

	for (uint32_t s = 0; s < slots; s++)
		sum += (hits[s] - mean) * (hits[s] - mean) / mean;
	return sum / (slots - 1);
}

static double with_siphash(uint32_t slots, const uint64_t *key)
{
	memset(hits, 0, sizeof(hits));
	for (uint32_t i = 0; i < FLOWS; i++)
		hits[siphash24(&flows[i], sizeof(flows[i]), key) & (slots - 1)]++;
	return unevenness(slots);
}

static double with_ours(int family, uint32_t slots, const uint64_t *key)
{
	memset(hits, 0, sizeof(hits));
	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct flow *f = &flows[i];
		uint64_t hash = family == 6
					? hashkey_flow6(key, f->saddr, f->daddr, f->ports)
					: hashkey_flow4(key, f->saddr[0], f->daddr[0], f->ports);

		hits[shunt_slot_of(hash, slots - 1)]++;
	}
	return unevenness(slots);
}

/* Over many secrets, both in the mean and in the worst case. */
static void assert_even(const struct pattern *p, uint32_t slots)
{
	double sum = 0, worst = 0, reference = 0;
	uint64_t key[SHUNT_HASH_WORDS];
	char secret[16];

	for (int i = 0; i < SECRETS; i++) {
		double ours, sip;

		snprintf(secret, sizeof(secret), "%d", i);
		hashkey_derive(i ? secret : NULL, key);
		ours = with_ours(p->family, slots, key);
		sip = i < 10 ? with_siphash(slots, key) : 0;
		sum += ours;
		worst = ours > worst ? ours : worst;
		reference = sip > reference ? sip : reference;
	}
	/* SipHash's worst of ten is 1.2 with 256 slots; ours may be that and a quarter. */
	if (worst > reference * 1.25 || sum / SECRETS > 1.05)
		fail_msg("%s, %u slots: mean %.3f, worst %.3f, SipHash's worst %.3f", p->says,
			 slots, sum / SECRETS, worst, reference);
}

static void flows_fall_on_slots_as_evenly_as_with_siphash(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		make_flows(&patterns[i]);
		assert_even(&patterns[i], 256);
		assert_even(&patterns[i], 4096);
		assert_even(&patterns[i], 65536);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_agrees_with_its_paper),
		cmocka_unit_test(siphash_reads_no_further_than_told),
		cmocka_unit_test(the_same_secret_gives_the_same_key),
		cmocka_unit_test(no_secret_and_an_empty_one_give_the_built_in_key),
		cmocka_unit_test(multipliers_are_odd_and_differ),
		cmocka_unit_test(every_word_of_a_flow_counts),
		cmocka_unit_test(flows_fall_on_slots_as_evenly_as_with_siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
