/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC's configurations and servers' ids on their way to the packet path. */
#include "pure/quic_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/own.h"
#include "conf_memory.h"
#include "pure/conf_parse.h"

#define HEAD "interfaces: [eth0]\nservices:\n"
#define UDP "- {vip: 192.0.2.1, port: 443, protocol: udp, check: none, "

static struct conf *read_well(const char *text)
{
	struct file files[] = {{"d/x.yaml", text, 0, 0}, {.path = NULL}};
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	if (conf_parse("d/x.yaml", read_memory, files, &conf, &err))
		fail_msg("%s", err.text);
	return conf;
}

static void a_service_without_the_key_does_not_look_into_ids(void **state)
{
	struct conf *c = read_well(HEAD UDP "backends: [10.0.0.1]}\n");

	(void)state;
	assert_false(conf_is_quic(&c->services[0]));
	assert_int_equal(c->services[0].backends[0].server_ids[0].len, 0);
	conf_free(c);
}

static void configurations_and_ids_are_read_as_written(void **state)
{
	struct conf *c =
		read_well(HEAD UDP "quic_lb: [{id: 6, server_id_length: 2, nonce_length: 17},\n"
				   "  {id: 0, server_id_length: 8, nonce_length: 8,\n"
				   "   key: 000102030405060708090a0b0c0d0e0F}],\n"
				   " backends: [\"10.0.0.1 server_id=c460,0102030405060708\",\n"
				   "  {address: 10.0.0.2, server_id: C461}]}\n");
	const struct conf_service *s = &c->services[0];
	const struct conf_server_id *ids = s->backends[0].server_ids;

	(void)state;
	assert_true(conf_is_quic(s));
	assert_int_equal(s->quic.n, 2);
	assert_int_equal(s->quic.config[0].id, 6);
	assert_int_equal(s->quic.config[0].server_id_length, 2);
	assert_int_equal(s->quic.config[0].nonce_length, 17);
	assert_false(s->quic.config[0].has_key);
	assert_true(s->quic.config[1].has_key);
	for (uint8_t i = 0; i < AES_KEY_LEN; i++)
		assert_int_equal(s->quic.config[1].key[i], i);
	assert_int_equal(ids[0].len, 2);
	assert_memory_equal(ids[0].octets, "\xc4\x60", 2);
	assert_int_equal(ids[1].len, 8);
	assert_memory_equal(ids[1].octets, "\1\2\3\4\5\6\7\x8", 8);
	assert_memory_equal(s->backends[1].server_ids[0].octets, "\xc4\x61", 2);
	assert_int_equal(s->backends[1].server_ids[1].len, 0);
	conf_free(c);
}

static void the_sum_of_the_lengths_decides_how_it_is_encrypted(void **state)
{
	struct conf_quic quic = {.n = 3};
	struct shunt_quic record;

	(void)state;
	quic.config[0] =
		(struct conf_quic_config){.id = 4, .server_id_length = 8, .nonce_length = 8};
	quic.config[1] = quic.config[2] = quic.config[0];
	quic.config[1].id = 1;
	quic.config[1].has_key = true;
	quic.config[2].id = 6;
	quic.config[2].has_key = true;
	quic.config[2].nonce_length = 9;
	quic_record(&quic, &record);
	assert_int_equal(record.format, SHUNT_QUIC_LB);
	assert_int_equal(record.config[4].mode, SHUNT_QUIC_PLAIN);
	assert_int_equal(record.config[1].mode, SHUNT_QUIC_ONE_PASS);
	assert_int_equal(record.config[6].mode, SHUNT_QUIC_FOUR_PASS);
	assert_int_equal(record.config[6].id_len, 8);
	assert_int_equal(record.config[6].nonce_len, 9);
	assert_int_equal(record.config[0].mode, SHUNT_QUIC_UNUSED);
	assert_int_equal(record.config[7].mode, SHUNT_QUIC_UNUSED);
}

static const struct shunt_quic_server *find(const struct shunt_quic_server *table, uint32_t mask,
					    uint64_t a, uint64_t b)
{
	uint32_t place = shunt_quic_place(a, b, mask);

	for (uint32_t i = 0; i < SHUNT_QUIC_PROBES; i++) {
		const struct shunt_quic_server *s = &table[(place + i) & mask];

		if (!s->number)
			return NULL;
		if (s->id[0] == a && s->id[1] == b)
			return s;
	}
	return NULL;
}

static void each_of_many_ids_is_found_where_the_packet_path_looks(void **state)
{
	enum { MANY = 30000 };
	auto_free struct conf_server_id *ids = calloc(MANY, sizeof(*ids));
	auto_free struct quic_server *servers = calloc(MANY, sizeof(*servers));
	auto_free struct shunt_quic_server *table = NULL;
	uint32_t places;

	(void)state;
	assert_non_null(ids);
	assert_non_null(servers);
	for (uint32_t i = 0; i < MANY; i++) { /* numbers in a row, as operators give them */
		ids[i] = (struct conf_server_id){
			3, {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
		servers[i] = (struct quic_server){&ids[i], i + 1};
	}
	assert_int_equal(quic_table_build(servers, MANY, &table, &places), 0);
	assert_int_equal(places & (places - 1), 0);
	assert_true(places <= 16 * MANY);
	for (uint64_t i = 0; i < MANY; i++) {
		const struct shunt_quic_server *s = find(table, places - 1, i << 40, 3);

		assert_non_null(s);
		assert_int_equal(s->number, i + 1);
		assert_null(find(table, places - 1, i << 40, 4));
	}
}

static void no_ids_are_a_table_too(void **state)
{
	struct shunt_quic_server *table = NULL;
	uint32_t places = 0;

	(void)state;
	assert_int_equal(quic_table_build(NULL, 0, &table, &places), 0);
	assert_non_null(table);
	assert_null(find(table, places - 1, 0, 1));
	free(table);
}

/* FIPS 197, appendix A.1: the last round's key is d014f9a8 c9ee2589 e13f0cc8 b6630ca6. */
static void the_key_schedule_is_that_of_the_standard(void **state)
{
	static const uint8_t key[AES_KEY_LEN] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
						 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
	static const uint8_t last[AES_KEY_LEN] = {0xd0, 0x14, 0xf9, 0xa8, 0xc9, 0xee, 0x25, 0x89,
						  0xe1, 0x3f, 0x0c, 0xc8, 0xb6, 0x63, 0x0c, 0xa6};
	__u64 keys[SHUNT_AES_ROUND_KEYS][2];

	(void)state;
	aes_round_keys(key, keys);
	for (unsigned int i = 0; i < AES_KEY_LEN; i++) {
		unsigned int first = 0, tenth = 0;

		for (unsigned int bit = 0; bit < 8; bit++) {
			first |= (keys[0][bit / 4] >> (bit % 4 * 16 + i) & 1) << bit;
			tenth |= (keys[10][bit / 4] >> (bit % 4 * 16 + i) & 1) << bit;
		}
		assert_int_equal(first, key[i]);
		assert_int_equal(tenth, last[i] ^ 0x63);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_without_the_key_does_not_look_into_ids),
		cmocka_unit_test(configurations_and_ids_are_read_as_written),
		cmocka_unit_test(the_sum_of_the_lengths_decides_how_it_is_encrypted),
		cmocka_unit_test(each_of_many_ids_is_found_where_the_packet_path_looks),
		cmocka_unit_test(no_ids_are_a_table_too),
		cmocka_unit_test(the_key_schedule_is_that_of_the_standard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
