/* SPDX-License-Identifier: BSD-2-Clause */
/* Fingerprints: equal for what does the same, different for whatever does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/fingerprint.h"
#include "pure/hashkey.h"
#include "pure/maglev.h"

#define BACKENDS 40
#define SLOTS 4096u

static struct conf_backend backends[BACKENDS];

static struct conf_service make_service(void)
{
	static struct conf_ports ports[] = {{.from = 80, .to = 80}, {.from = 8000, .to = 8099}};
	size_t i;

	for (i = 0; i < BACKENDS; i++) {
		backends[i] = (struct conf_backend){
			.addr = {.family = 4, .bytes = {10, 0, 0, (uint8_t)(i + 1)}},
			.port = 80,
			.weight = (uint16_t)(1 + i % 3),
			.forward = SHUNT_IPIP,
		};
		snprintf(backends[i].name, sizeof(backends[i].name), "web%zu", i);
	}
	return (struct conf_service){
		.name = "web",
		.vip = {.family = 4, .bytes = {203, 0, 113, 10}},
		.vip_bits = 32,
		.ports = ports,
		.n_ports = 2,
		.protocol = 6,
		.flow_timeout_ms = 300000,
		.backends = backends,
		.n_backends = BACKENDS,
	};
}

/* A host's own way to number and list the backends. */
struct host {
	uint16_t number[BACKENDS];
	size_t order[BACKENDS];
};

static void shuffle(struct host *h, unsigned int seed)
{
	size_t i, k, kept;

	srand(seed);
	for (i = 0; i < BACKENDS; i++) {
		h->order[i] = i;
		h->number[i] = (uint16_t)(1 + 700 * i % 32749 + seed);
	}
	for (i = BACKENDS - 1; seed && i > 0; i--) {
		k = (size_t)rand() % (i + 1);
		kept = h->order[i];
		h->order[i] = h->order[k];
		h->order[k] = kept;
		uint16_t number = h->number[i];
		h->number[i] = h->number[(i * 7 + seed) % BACKENDS];
		h->number[(i * 7 + seed) % BACKENDS] = number;
	}
}

/* The slots' fingerprint as a host computes it, in a table of @slots of which @repeat are one. */
static uint64_t table_of(const struct host *h, enum shunt_scheduler scheduler, uint32_t repeat)
{
	static uint64_t of[SHUNT_BACKENDS_PER_SERVICE + 1];
	static uint16_t slots[4 * SLOTS];
	struct slot_backend in[BACKENDS];
	uint32_t n = SLOTS * repeat;

	memset(of, 0, sizeof(of));
	for (size_t i = 0; i < BACKENDS; i++) {
		size_t k = h->order[i];

		in[i] = (struct slot_backend){
			.id = slot_backend_id(backends[k].name),
			.number = h->number[k],
			.weight = backends[k].weight,
			.up = k % 7 != 3,
		};
		of[h->number[k]] = fingerprint_backend(&backends[k], backends[k].weight);
	}
	if (scheduler == SHUNT_MAGLEV)
		assert_int_equal(maglev_fill(in, BACKENDS, slots, SLOTS), 0);
	else
		assert_int_equal(interleave_fill(in, BACKENDS, scheduler == SHUNT_RR, slots, SLOTS),
				 0);
	for (uint32_t i = SLOTS; i < n; i++)
		slots[i] = slots[i - SLOTS];
	for (uint32_t i = 0; i < n; i += 97)
		slots[i] |= SHUNT_SLOT_CHANGED;
	return fingerprint_slots(slots, fingerprint_period(slots, n), of);
}

static void numbers_order_growth_and_transitions_do_not_count(void **state)
{
	struct host h;

	(void)state;
	make_service();
	for (enum shunt_scheduler s = SHUNT_MAGLEV; s <= SHUNT_WRR; s++) {
		uint64_t first = 0;

		for (unsigned int seed = 0; seed < 20; seed++) {
			uint64_t now;

			shuffle(&h, seed);
			now = table_of(&h, s, 1u << seed % 3);
			first = seed ? first : now;
			assert_true(now == first);
		}
	}
}

static void the_schedulers_have_different_tables(void **state)
{
	struct host h;

	(void)state;
	make_service();
	shuffle(&h, 1);
	assert_true(table_of(&h, SHUNT_MAGLEV, 1) != table_of(&h, SHUNT_WRR, 1));
	assert_true(table_of(&h, SHUNT_RR, 1) != table_of(&h, SHUNT_WRR, 1));
}

static void one_slot_that_differs_is_seen(void **state)
{
	uint64_t of[4] = {0, 0x1234, 0x5678, 0x9abc};
	uint16_t slots[64], other[64];

	(void)state;
	for (int i = 0; i < 64; i++)
		slots[i] = (uint16_t)(1 + i % 3);
	for (int i = 0; i < 64; i++) {
		memcpy(other, slots, sizeof(slots));
		other[i] = (uint16_t)(1 + slots[i] % 3);
		assert_true(fingerprint_slots(slots, 64, of) != fingerprint_slots(other, 64, of));
	}
}

static void a_table_that_repeats_itself_is_as_short_as_what_it_repeats(void **state)
{
	uint16_t slots[64];

	(void)state;
	for (int i = 0; i < 64; i++)
		slots[i] = (uint16_t)(1 + (i & 15));
	assert_int_equal(fingerprint_period(slots, 64), 16);
	slots[5] |= SHUNT_SLOT_CHANGED;
	assert_int_equal(fingerprint_period(slots, 64), 16);
	slots[63] = 1;
	assert_int_equal(fingerprint_period(slots, 64), 64);
	memset(slots, 0, sizeof(slots));
	assert_int_equal(fingerprint_period(slots, 64), 1);
}

static void the_same_ports_written_otherwise_are_the_same(void **state)
{
	struct conf_ports split[] = {
		{.from = 8050, .to = 8099}, {.from = 8000, .to = 8049}, {.from = 80, .to = 80}};
	struct conf_service s = make_service();
	uint64_t before = fingerprint_settings(&s);

	(void)state;
	s.ports = split;
	s.n_ports = 3;
	assert_true(fingerprint_settings(&s) == before);
	split[0].to = 8098;
	assert_true(fingerprint_settings(&s) != before);
}

#define DIFFERS(change)                                                                            \
	do {                                                                                       \
		struct conf_service s = make_service();                                            \
		const uint64_t before = fingerprint_settings(&s);                                  \
                                                                                                   \
		change;                                                                            \
		assert_true(fingerprint_settings(&s) != before);                                   \
	} while (0)

static void every_setting_that_decides_where_a_flow_goes_counts(void **state)
{
	(void)state;
	DIFFERS(s.name[0] = 'x');
	DIFFERS(s.vip.bytes[3]++);
	DIFFERS(s.vip_bits = 24);
	DIFFERS(s.protocol = 17);
	DIFFERS(s.scheduler = SHUNT_RR);
	DIFFERS(s.on_empty = CONF_EMPTY_PASS);
	DIFFERS(s.flow_timeout_ms++);
	DIFFERS(s.min_healthy.n = 2);
	DIFFERS(s.min_healthy.percent = true);
	DIFFERS(s.panic = 50);
	DIFFERS(s.n_ports = 0);
	DIFFERS(s.quic.katran = true);
	DIFFERS(s.quic.n = 1);
}

#define BACKEND_DIFFERS(change)                                                                    \
	do {                                                                                       \
		make_service();                                                                    \
		struct conf_backend b = backends[0];                                               \
		const uint64_t before = fingerprint_backend(&b, 5);                                \
                                                                                                   \
		change;                                                                            \
		assert_true(fingerprint_backend(&b, 5) != before);                                 \
	} while (0)

static void a_backend_is_its_name_its_address_and_the_way_to_it(void **state)
{
	(void)state;
	BACKEND_DIFFERS(b.name[0] = 'x');
	BACKEND_DIFFERS(b.addr.bytes[3]++);
	BACKEND_DIFFERS(b.port = 81);
	BACKEND_DIFFERS(b.pool = 1);
	BACKEND_DIFFERS(b.forward = SHUNT_DSR);
	BACKEND_DIFFERS(b.server_ids[0] = ((struct conf_server_id){.len = 1, .octets = {7}}));
	assert_true(fingerprint_backend(&backends[0], 5) != fingerprint_backend(&backends[0], 6));
	backends[1].weight = 99; /* of the file: what is in force counts */
	assert_true(fingerprint_backend(&backends[1], 5) != fingerprint_backend(&backends[0], 5));
}

static void the_whole_knows_each_service_in_any_order_and_the_secret(void **state)
{
	uint64_t ab = fingerprint_add_service(fingerprint_add_service(0, "a", 1), "b", 2);
	uint64_t ba = fingerprint_add_service(fingerprint_add_service(0, "b", 2), "a", 1);
	uint64_t swapped = fingerprint_add_service(fingerprint_add_service(0, "b", 1), "a", 2);

	(void)state;
	assert_true(ab == ba);
	assert_true(ab != swapped);
	assert_true(fingerprint_whole(ab, 1) != fingerprint_whole(ab, 2));
	assert_true(fingerprint_whole(ab, 1) != fingerprint_whole(swapped, 1));
}

static void secrets_are_told_apart_and_not_told(void **state)
{
	uint64_t key[SHUNT_HASH_WORDS], other[SHUNT_HASH_WORDS];

	(void)state;
	hashkey_derive("correct horse", key);
	hashkey_derive("correct house", other);
	assert_int_not_equal(fingerprint_secret(key), fingerprint_secret(other));
	for (int i = 0; i < SHUNT_HASH_WORDS; i++) {
		assert_int_not_equal(fingerprint_secret(key), (uint32_t)key[i]);
		assert_int_not_equal(fingerprint_secret(key), (uint32_t)(key[i] >> 32));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_order_growth_and_transitions_do_not_count),
		cmocka_unit_test(the_schedulers_have_different_tables),
		cmocka_unit_test(one_slot_that_differs_is_seen),
		cmocka_unit_test(a_table_that_repeats_itself_is_as_short_as_what_it_repeats),
		cmocka_unit_test(the_same_ports_written_otherwise_are_the_same),
		cmocka_unit_test(every_setting_that_decides_where_a_flow_goes_counts),
		cmocka_unit_test(a_backend_is_its_name_its_address_and_the_way_to_it),
		cmocka_unit_test(the_whole_knows_each_service_in_any_order_and_the_secret),
		cmocka_unit_test(secrets_are_told_apart_and_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
