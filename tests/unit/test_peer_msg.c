/* SPDX-License-Identifier: BSD-2-Clause */
/* What balancers tell each other: it comes through whole or not at all, and once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "pure/peer_msg.h"

#define NOW 1700000000000ull

static uint8_t key[PEER_KEY_LEN], other_key[PEER_KEY_LEN];

static int setup(void **state)
{
	(void)state;
	peer_key_derive("a secret of the fleet's", key);
	peer_key_derive("a secret of the fleet'S", other_key);
	return 0;
}

static struct peer_message make(size_t n, uint64_t number)
{
	struct peer_message m = {
		.type = PEER_NEWS, .number = number, .time_ms = NOW, .secret = 0xfeedbeef, .n = n};

	memset(m.session, 7, sizeof(m.session));
	for (size_t i = 0; i < n; i++)
		m.entries[i] = (struct peer_entry){
			.hash = 0x0123456789abcdef * (i + 1),
			.backend = 0xfedcba9876543210 ^ i,
			.salt = 0x12345678 + (uint32_t)i,
			.slot = (uint16_t)(0xffff - i),
			.slots_log2 = (uint8_t)(5 + i % 12),
		};
	return m;
}

static void every_message_comes_through(void **state)
{
	uint8_t data[PEER_MSG_MAX];

	(void)state;
	for (size_t n = 0; n <= PEER_ENTRIES; n++) {
		struct peer_message in = make(n, n + 1), out;
		size_t len;

		in.type = 1 + n % (PEER_TYPES - 1);
		memset(&out, 0, sizeof(out));
		len = peer_msg_seal(&in, key, data);
		assert_int_equal(len, 64 + 24 * n);
		assert_int_equal(peer_msg_open(data, len, key, &out), PEER_TAKEN);
		assert_memory_equal(&in, &out, sizeof(in));
	}
}

static void nothing_that_was_changed_is_taken(void **state)
{
	struct peer_message m = make(3, 1), out;
	uint8_t data[PEER_MSG_MAX];
	size_t len = peer_msg_seal(&m, key, data);

	(void)state;
	for (size_t i = 0; i < 8 * len; i++) {
		data[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(peer_msg_open(data, len, key, &out), PEER_TAKEN);
		if (i / 8 >= 8) /* what is before says what it is */
			assert_int_equal(peer_msg_open(data, len, key, &out), PEER_FORGED);
		data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(peer_msg_open(data, len, key, &out), PEER_TAKEN);
}

static void what_is_cut_or_too_long_is_malformed(void **state)
{
	struct peer_message m = make(3, 1), out;
	uint8_t *data = malloc(2 * PEER_MSG_MAX);
	size_t len, i;

	(void)state;
	assert_non_null(data);
	memset(data, 0, 2 * PEER_MSG_MAX);
	len = peer_msg_seal(&m, key, data);
	for (i = 0; i < 2 * PEER_MSG_MAX; i++) {
		uint8_t *exact = malloc(i + 1); /* so that a sanitizer sees a step too far */

		assert_non_null(exact);
		memcpy(exact, data, i);
		if (i != len)
			assert_int_equal(peer_msg_open(exact, i, key, &out), PEER_MALFORMED);
		free(exact);
	}
	free(data);
}

static void other_keys_and_versions_are_told_apart(void **state)
{
	struct peer_message m = make(1, 1), out;
	uint8_t data[PEER_MSG_MAX];
	size_t len = peer_msg_seal(&m, other_key, data);

	(void)state;
	assert_int_equal(peer_msg_open(data, len, key, &out), PEER_FORGED);
	data[3]++;
	assert_int_equal(peer_msg_open(data, len, key, &out), PEER_OTHER_VERSION);
	data[0] = 'x';
	assert_int_equal(peer_msg_open(data, len, key, &out), PEER_MALFORMED);
}

static void a_sealed_number_that_cannot_be_is_malformed(void **state)
{
	struct peer_message m = make(1, 1), out;
	uint8_t data[PEER_MSG_MAX];

	(void)state;
	m.entries[0].slots_log2 = 17;
	assert_int_equal(peer_msg_open(data, peer_msg_seal(&m, key, data), key, &out),
			 PEER_MALFORMED);
	m = make(1, 0);
	assert_int_equal(peer_msg_open(data, peer_msg_seal(&m, key, data), key, &out),
			 PEER_MALFORMED);
}

static enum peer_fate admit(struct peer_senders *s, uint64_t number, uint64_t time_ms,
			    uint64_t now_ms)
{
	struct peer_message m = make(0, number);

	m.time_ms = time_ms;
	return peer_admit(s, &m, now_ms);
}

static void a_message_is_taken_once_in_any_order(void **state)
{
	static struct peer_senders s;
	uint8_t taken[300] = {0};

	(void)state;
	memset(&s, 0, sizeof(s));
	srand(1);
	for (int i = 0; i < 3000; i++) {
		/* around a number that goes up, 30 to either side */
		uint64_t number = 31 + (uint64_t)i / 13 + (uint64_t)(rand() % 30);
		enum peer_fate fate = admit(&s, number, NOW, NOW);

		assert_int_equal(fate, taken[number] ? PEER_REPLAYED : PEER_TAKEN);
		taken[number] = 1;
	}
	assert_int_equal(admit(&s, 1, NOW, NOW), PEER_REPLAYED); /* too far behind to tell */
	assert_int_equal(admit(&s, UINT64_MAX, NOW, NOW), PEER_TAKEN);
	assert_int_equal(admit(&s, UINT64_MAX, NOW, NOW), PEER_REPLAYED);
	assert_int_equal(admit(&s, UINT64_MAX - 63, NOW, NOW), PEER_TAKEN);
	assert_int_equal(admit(&s, UINT64_MAX - 64, NOW, NOW), PEER_REPLAYED);
}

static void a_message_has_its_time(void **state)
{
	static struct peer_senders s;

	(void)state;
	memset(&s, 0, sizeof(s));
	assert_int_equal(admit(&s, 1, NOW - PEER_TIME_MS - 1, NOW), PEER_STALE);
	assert_int_equal(admit(&s, 1, NOW + PEER_TIME_MS + 1, NOW), PEER_STALE);
	assert_int_equal(admit(&s, 1, 0, NOW), PEER_STALE);
	assert_int_equal(admit(&s, 1, UINT64_MAX, NOW), PEER_STALE);
	assert_int_equal(admit(&s, 1, NOW - PEER_TIME_MS, NOW), PEER_TAKEN);
	assert_int_equal(admit(&s, 2, NOW + PEER_TIME_MS, NOW), PEER_TAKEN);
}

/* Whoever makes room for another cannot be replayed by that. */
static void senders_make_room_when_they_are_stale(void **state)
{
	static struct peer_senders s;
	struct peer_message m = make(0, 1);

	(void)state;
	memset(&s, 0, sizeof(s));
	for (uint8_t i = 0; i < PEER_SENDERS; i++) {
		m.session[0] = i;
		assert_int_equal(peer_admit(&s, &m, NOW), PEER_TAKEN);
	}
	m.session[0] = PEER_SENDERS;
	assert_int_equal(peer_admit(&s, &m, NOW), PEER_CROWDED);
	m.time_ms = NOW + PEER_TIME_MS + 1;
	assert_int_equal(peer_admit(&s, &m, NOW + PEER_TIME_MS + 1), PEER_TAKEN);
	m = make(0, 1);
	for (uint8_t i = 0; i < PEER_SENDERS; i++) {
		m.session[0] = i;
		assert_int_equal(peer_admit(&s, &m, NOW + PEER_TIME_MS + 1), PEER_STALE);
	}
}

static void backends_are_known_by_name_and_address(void **state)
{
	struct addr a = {.family = 4, .bytes = {10, 0, 0, 1}}, b = a;

	(void)state;
	b.bytes[3]++;
	assert_true(peer_backend_id("web1", &a) == peer_backend_id("web1", &a));
	assert_true(peer_backend_id("web1", &a) != peer_backend_id("web2", &a));
	assert_true(peer_backend_id("web1", &a) != peer_backend_id("web1", &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_through),
		cmocka_unit_test(nothing_that_was_changed_is_taken),
		cmocka_unit_test(what_is_cut_or_too_long_is_malformed),
		cmocka_unit_test(other_keys_and_versions_are_told_apart),
		cmocka_unit_test(a_sealed_number_that_cannot_be_is_malformed),
		cmocka_unit_test(a_message_is_taken_once_in_any_order),
		cmocka_unit_test(a_message_has_its_time),
		cmocka_unit_test(senders_make_room_when_they_are_stale),
		cmocka_unit_test(backends_are_known_by_name_and_address),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
