/* SPDX-License-Identifier: BSD-2-Clause */
/* Senders are told what became of packets that are too big for their way or have no hop left. */
#include "fixture_rare.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t families[] = {4, 6}, protos[] = {IPPROTO_TCP, IPPROTO_UDP};

#define QUOTE4_MAX (576 - 28)
#define QUOTE6_MAX (1280 - 48)

/* Builds the error by hand: from the service's address to the sender, the way that the packet came. */
static void error_about(const struct recipe *r, const struct frame *in, struct icmp m,
			struct frame *out)
{
	size_t most = r->family == 4 ? QUOTE4_MAX : QUOTE6_MAX;
	struct recipe back = *r;

	memcpy(back.src, r->dst, 16);
	memcpy(back.dst, r->src, 16);
	memcpy(back.smac, r->dmac, 6);
	memcpy(back.dmac, r->smac, 6);
	back.tos = 0xc0;
	back.ttl = 64;
	back.frag = 0x4000;
	back.option_words = 0;
	back.n_ext = 0;
	m.body = in->bytes + in->l3;
	m.len = in->l3_len < most ? in->l3_len : most;
	rare_icmp(&back, &m, out);
}

static void told(struct fixture *f, const struct recipe *r, const struct frame *in,
		 enum shunt_verdict verdict, struct icmp m)
{
	struct frame must;
	struct outcome o;

	error_about(r, in, m, &must);
	fixture_run(f, in, &o);
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.verdict, verdict);
	assert_int_equal(o.rows, 0);
	assert_int_equal(o.action, XDP_TX);
	assert_same_frame(&o.out, &must);
	fixture_run_poisoned(f, in, 0xa5, &o);
	assert_int_equal(o.action, XDP_TX);
	assert_same_frame(&o.out, &must);
}

static void told_too_big(struct fixture *f, const struct recipe *r, const struct frame *in,
			 uint32_t mtu)
{
	bool v4 = r->family == 4;
	struct icmp m = {.type = v4 ? 3 : 2, .code = v4 ? 4 : 0, .rest = mtu};

	told(f, r, in, SHUNT_REPLY_TOO_BIG, m);
}

/* The recipe with as much payload as makes its packet @len bytes. */
static void sized(struct recipe *r, size_t len, struct frame *in)
{
	r->payload = 0;
	frame_build(r, in);
	r->payload = (uint16_t)(len - in->l3_len);
	frame_build(r, in);
}

/* What fits is sent, one byte more is answered, with what would have fitted. */
static void senders_of_what_is_too_big_are_told_what_fits(void **state)
{
	for (int i = 0; i < 4; i++)
		for (int kind = WORLD_DSR; kind <= WORLD_GUE6_ZERO; kind++) {
			struct recipe r = world_recipe(families[i / 2], protos[i % 2], kind);
			uint32_t mtu = WORLD_MTU - (uint32_t)expect_overhead(kind);
			struct frame in;

			sized(&r, mtu, &in);
			assert_forwarded(*state, &r, kind);
			sized(&r, mtu + 1, &in);
			told_too_big(*state, &r, &in, mtu);
		}
}

static void tags_and_options_are_as_they_came(void **state)
{
	for (int i = 0; i < 2; i++)
		for (int way = 0; way < 3; way++) {
			struct recipe r = world_recipe(families[i], IPPROTO_TCP, WORLD_IPIP4);
			struct frame in;

			r.tags = (uint8_t)way;
			r.option_words = (uint8_t)(3 * way);
			r.n_ext = (uint8_t)way;
			memcpy(r.ext, (uint8_t[]){IPPROTO_HOPOPTS, IPPROTO_DSTOPTS}, 2);
			memset(r.ext_units, 2, 2);
			sized(&r, 1490, &in);
			told_too_big(*state, &r, &in, WORLD_MTU - 20);
			r.padding = 9;
			frame_build(&r, &in);
			told_too_big(*state, &r, &in, WORLD_MTU - 20);
		}
}

/* A path may take less than an error quotes. */
static void short_packets_are_quoted_whole(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = world_recipe(families[i], IPPROTO_UDP, WORLD_IPIP6);
		struct frame in;

		f->backends[world_row(families[i], IPPROTO_UDP, WORLD_IPIP6) + 1].mtu = 140;
		for (size_t len = 101; len < 120; len++) {
			sized(&r, len, &in);
			told_too_big(f, &r, &in, 100);
		}
	}
}

static void senders_of_what_has_no_hop_left_are_told(void **state)
{
	for (int i = 0; i < 4; i++)
		for (uint8_t ttl = 0; ttl < 2; ttl++) {
			uint8_t type = families[i / 2] == 4 ? 11 : 3;
			struct recipe r = world_recipe(families[i / 2], protos[i % 2], WORLD_IPIP4);
			struct frame in;

			r.ttl = ttl;
			r.tags = ttl;
			frame_build(&r, &in);
			told(*state, &r, &in, SHUNT_REPLY_TTL, (struct icmp){.type = type});
		}
}

/* ---- fragments */

static void only_the_first_fragments_sender_is_told(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = world_recipe(families[i], IPPROTO_UDP, WORLD_IPIP4);
		struct piece first = {.id = 5, .len = 800, .more = true};
		struct piece later = {.id = 5, .from = 800, .len = 800};
		struct frame whole, in;

		r.payload = 2000;
		frame_build(&r, &whole);
		f->backends[world_row(families[i], IPPROTO_UDP, WORLD_IPIP4) + 1].mtu = 700;
		rare_piece(&r, &whole, &first, &in);
		told_too_big(f, &r, &in, 680);
		rare_piece(&r, &whole, &later, &in);
		rare_assert(f, &in, SHUNT_DROP_TOO_BIG, XDP_DROP);
		r.ttl = 1;
		frame_build(&r, &whole);
		rare_piece(&r, &whole, &later, &in);
		rare_assert(f, &in, SHUNT_DROP_TTL, XDP_DROP);
	}
}

/* ---- who is not told */

static void untold(struct fixture *f, struct recipe r)
{
	struct outcome o;
	struct frame in;

	r.ttl = 1;
	frame_build(&r, &in);
	fixture_run(f, &in, &o);
	assert_true(o.verdict == SHUNT_DROP_TTL || o.verdict == SHUNT_DROP_BAD_SOURCE);
	assert_int_equal(o.action, XDP_DROP);
	r.ttl = 9;
	sized(&r, 1490, &in);
	fixture_run(f, &in, &o);
	assert_true(o.verdict == SHUNT_DROP_TOO_BIG || o.verdict == SHUNT_DROP_BAD_SOURCE);
	assert_int_equal(o.action, XDP_DROP);
}

/* RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 section 2.4. */
static void nobody_in_particular_is_not_told(void **state)
{
	static const uint8_t sources4[][4] = {
		{0, 0, 0, 0},	{0, 1, 2, 3},	      {127, 0, 0, 1},	{224, 0, 0, 1},
		{240, 1, 1, 1}, {255, 255, 255, 255}, {203, 0, 113, 10}};
	static const uint8_t sources6[][16] = {{0},
					       {[15] = 1},
					       {[10] = 0xff, 0xff, 192, 0, 2, 1},
					       {0xff, 2, [15] = 1},
					       {0x20, 1, 0xd, 0xb8, [15] = 0x10}};
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);

	for (int i = 0; i < 7; i++) {
		memcpy(r.src, sources4[i], 4);
		untold(*state, r);
	}
	r = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);
	r.dmac[0] |= 1; /* came as a broadcast */
	untold(*state, r);
	r = world_recipe(6, IPPROTO_TCP, WORLD_IPIP4);
	for (int i = 0; i < 5; i++) {
		memcpy(r.src, sources6[i], 16);
		untold(*state, r);
	}
}

/* ---- how often */

static enum shunt_verdict verdict_of(struct fixture *f, const struct frame *in)
{
	struct outcome o;

	fixture_run(f, in, &o);
	return o.verdict;
}

static void so_many_a_second_are_told_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);
	uint32_t told = 0, spared = 0;
	struct frame in;

	sized(&r, 1490, &in);
	for (uint32_t cpu = 0; cpu < f->cpus; cpu++)
		f->answers[cpu].rate = 3;
	for (int i = 0; i < 300; i++) {
		enum shunt_verdict v = verdict_of(f, &in);

		told += v == SHUNT_REPLY_TOO_BIG;
		spared += v == SHUNT_DROP_TOO_BIG;
	}
	assert_int_equal(told + spared, 300);
	assert_in_range(told, 3, 3 * f->cpus + 3); /* and what a busy second gives */
	for (uint32_t cpu = 0; cpu < f->cpus; cpu++)
		f->answers[cpu].refilled = 0; /* long ago: a second's worth again, no more */
	told = 0;
	for (int i = 0; i < 300; i++)
		told += verdict_of(f, &in) == SHUNT_REPLY_TOO_BIG;
	assert_in_range(told, 3, 3 * f->cpus + 3);
}

static void with_a_rate_of_0_nobody_is_told(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(6, IPPROTO_UDP, WORLD_IPIP4);

	for (uint32_t cpu = 0; cpu < f->cpus; cpu++)
		f->answers[cpu].rate = 0;
	untold(f, r);
}

#define CASE(test) cmocka_unit_test_setup(test, rare_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(senders_of_what_is_too_big_are_told_what_fits),
		CASE(tags_and_options_are_as_they_came),
		CASE(short_packets_are_quoted_whole),
		CASE(senders_of_what_has_no_hop_left_are_told),
		CASE(only_the_first_fragments_sender_is_told),
		CASE(nobody_in_particular_is_not_told),
		CASE(so_many_a_second_are_told_and_no_more),
		CASE(with_a_rate_of_0_nobody_is_told),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
