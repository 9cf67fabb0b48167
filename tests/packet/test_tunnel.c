/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunnel headers in particular: checksums for every sum that there can be, and what varies by flow. */
#include "fixture_expect.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t families[] = {4, 6};
static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};

/* So also every value of the outer checksum's carries. */
static void every_tos_and_length_has_a_right_header(void **state)
{
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);

	for (int tos = 0; tos < 256; tos++) {
		r.tos = (uint8_t)tos;
		r.payload = (uint16_t)(tos * 5);
		r.sport = (uint16_t)(tos * 257);
		assert_forwarded(*state, &r, WORLD_IPIP4);
	}
	r = world_recipe(6, IPPROTO_TCP, WORLD_IPIP6);
	for (int tos = 0; tos < 256; tos++) {
		r.tos = (uint8_t)tos;
		r.sport = (uint16_t)(tos * 257);
		assert_forwarded(*state, &r, WORLD_IPIP6);
	}
}

/* Every value of one word of the header, so every way that the sum can carry. */
static void the_outer_checksum_is_right_for_every_sum(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_IPIP4);
	struct shunt_backend *be = &f->backends[world_row(4, IPPROTO_UDP, WORLD_IPIP4) + 1];
	struct outcome o;
	struct frame in;

	frame_build(&r, &in);
	be->addr[0] = 0;
	be->outer_csum -= htons(10 << 8) + htons(WORLD_IPIP4 << 8 | 1);
	for (uint32_t word = 0; word < 65536; word++) {
		memcpy((char *)be->addr + 2, &(uint16_t){(uint16_t)word}, 2);
		be->outer_csum += word;
		fixture_run(f, &in, &o);
		be->outer_csum -= word;
		assert_int_equal(o.packets, 1);
		assert_int_equal(fold16(sum16(0, o.out.bytes + 14, 20)), 0xffff);
	}
}

/* Lengths with every remainder and from none to a full packet, of all that a UDP checksum over the
 * tunnel can be had from. */
static void the_tunnels_checksum_is_right_at_every_length(void **state)
{
	struct recipe r;
	struct frame in;

	for (int i = 0; i < 4; i++)
		for (uint16_t payload = 0; payload < 1380;
		     payload = (uint16_t)(payload + (payload < 64 ? 1 : 13))) {
			r = world_recipe(families[i / 2], protos[i % 2], WORLD_GUE6);
			r.payload = payload;
			assert_forwarded(*state, &r, WORLD_GUE6);
			r.option_words = r.family == 4 ? payload % 11 : 0;
			assert_forwarded(*state, &r, WORLD_GUE6);
			if (r.proto != IPPROTO_UDP || payload == 0)
				continue;
			frame_build(&r, &in); /* has none of its own */
			put16(in.bytes + in.l4 + 6, 0);
			assert_frame_forwarded(*state, &r, WORLD_GUE6, &in);
			frame_build(&r, &in); /* covers a part */
			put16(in.bytes + in.l4 + 4, (uint16_t)(8 + payload / 2));
			in.bytes[in.len - 1] ^= 1;
			assert_frame_forwarded(*state, &r, WORLD_GUE6, &in);
		}
}

/* Runs flows with one port after the other; each bit of @mask, in the 16 bits @at bytes into what
 * leaves, must be set in about half of them, and what is not in it in all or in none. */
static void assert_spread(struct fixture *f, enum world_kind kind, uint8_t family, size_t at,
			  uint16_t mask)
{
	struct recipe r = world_recipe(family, IPPROTO_TCP, kind);
	unsigned int set[16] = {0}, n = 1024;
	struct outcome o;
	struct frame in;

	for (unsigned int i = 0; i < n; i++) {
		r.sport = (uint16_t)(40000 + i);
		frame_build(&r, &in);
		fixture_run(f, &in, &o);
		assert_int_equal(o.packets, 1);
		for (int bit = 0; bit < 16; bit++)
			set[bit] += get16(o.out.bytes + at) >> bit & 1;
	}
	for (int bit = 0; bit < 16; bit++)
		if (mask >> bit & 1)
			assert_in_range(set[bit], n * 2 / 5, n * 3 / 5);
		else
			assert_true(set[bit] == 0 || set[bit] == n);
}

/* Every value of one word that it covers, so also the one that makes it 0, which would mean none. */
static void the_tunnels_checksum_is_right_for_every_sum(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(6, IPPROTO_UDP, WORLD_GUE6);
	struct shunt_backend *be = &f->backends[world_row(6, IPPROTO_UDP, WORLD_GUE6) + 1];
	uint32_t sum, all_ones = 0;
	struct outcome o;
	struct frame in;

	frame_build(&r, &in);
	be->outer_csum -= be->addr[1] >> 16;
	for (uint32_t word = 0; word < 65536; word++) {
		be->addr[1] = word;
		be->outer_csum += word;
		fixture_run(f, &in, &o);
		be->outer_csum -= word;
		assert_int_equal(o.packets, 1);
		assert_int_not_equal(get16(o.out.bytes + 60), 0);
		sum = 17 + 12 + (uint32_t)in.l3_len;
		assert_int_equal(fold16(sum16(sum, o.out.bytes + 22, 44 + in.l3_len)), 0xffff);
		all_ones += get16(o.out.bytes + 60) == 0xffff;
	}
	assert_int_not_equal(all_ones, 0); /* else this tested nothing */
}

static void flows_are_told_apart_on_the_way(void **state)
{
	static const struct {
		enum world_kind kind;
		size_t at; /* of 16 bits, from the frame's start on */
		uint16_t mask; /* of those that vary */
	} rows[] = {
		{WORLD_GUE4, 14 + 20, 0x3fff},	  {WORLD_GUE6, 14 + 40, 0x3fff},
		{WORLD_SPREAD4, 14 + 14, 0xfffc}, {WORLD_SPREAD6, 14 + 20, 0xffff},
		{WORLD_SPREAD6, 14 + 22, 0xfffc}, {WORLD_GRE4_SPREAD, 14 + 14, 0x000c},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (int k = 0; k < 2; k++)
			assert_spread(*state, rows[i].kind, families[k], rows[i].at, rows[i].mask);
}

static void without_headroom_a_tunnel_is_dropped(void **state)
{
	static const enum world_kind kinds[] = {WORLD_IPIP4, WORLD_IPIP6, WORLD_DSR_TAG,
						WORLD_GUE4,  WORLD_GUE6,  WORLD_GRE4};
	struct outcome o;
	struct frame in;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct recipe r = world_recipe(4, IPPROTO_TCP, kinds[i]);

		frame_build(&r, &in);
		if (!fixture_run_cramped(*state, &in, &o))
			skip(); /* the kernel takes no more than 32 bytes of metadata */
		assert_int_equal(o.action, XDP_DROP);
		assert_int_equal(o.verdicts, 1);
		assert_int_equal(o.verdict, SHUNT_DROP_NO_HEADROOM);
		assert_int_equal(o.rows, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_tos_and_length_has_a_right_header),
		TEST(the_outer_checksum_is_right_for_every_sum),
		TEST(without_headroom_a_tunnel_is_dropped),
		TEST(the_tunnels_checksum_is_right_at_every_length),
		TEST(the_tunnels_checksum_is_right_for_every_sum),
		TEST(flows_are_told_apart_on_the_way),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
