/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames for every forwarding method in every shape, each cut at every length and with everything in
 * its headers set to nothing, to all ones, to one more and one less, and to something else.  Each runs
 * over three headrooms and must come out as the oracle has it, which shares no line with bpf/: what is
 * not sound is not forwarded, no byte of what leaves is left as found, and no byte is written that is
 * not a header's. */
#include "fixture_nat.h"
#include "fixture_rare.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../oracle/fuzz_report.h"

#define HEADERS_MAX                                                                                \
	68 /* bytes from the transport header on: ICMP's, and the headers that it quotes */

static struct fuzz_bench bench;
static struct fuzz_nat nat_base; /* the connections that there are when a frame comes */

/* ---- one frame ----------------------------------------------------------------------------------*/

/* Whether the frame was forwarded or sent back. */
static bool is_sent(const struct frame *in, const char *says, size_t at)
{
	static const uint8_t headrooms[] = {0, 0xa5, 0x5a};
	bool is_taken = false;

	for (size_t i = 0; i < sizeof(headrooms); i++) {
		bench.world.nat = nat_base;
		fuzz_nat_to_maps(&bench.world);
		bench.poison = headrooms[i];
		if (!fuzz_agree(&bench, in)) {
			fuzz_report(&bench, 0, at, in);
			fail_msg("%s at byte %zu", says, at);
		}
		is_taken |= bench.result.verdict < SHUNT_PASS_NOT_IP;
	}
	return is_taken;
}

static void cut_everywhere(const struct frame *in)
{
	struct frame f = *in;

	for (f.len = 14; f.len < in->l3 + in->l3_len; f.len++)
		if (is_sent(&f, "cut", f.len))
			fail_msg("a frame of %zu bytes cut to %zu was forwarded", in->len, f.len);
}

static uint32_t read_be(const uint8_t *at, size_t width)
{
	uint32_t value = 0;

	for (size_t i = 0; i < width; i++)
		value = value << 8 | at[i];
	return value;
}

static void write_be(uint8_t *at, size_t width, uint32_t value)
{
	for (size_t i = width; i > 0; i--, value >>= 8)
		at[i - 1] = (uint8_t)value;
}

/* Every byte, every word and every double word of the headers, which is every field and more. */
static void change_everywhere(const struct frame *in, struct dice *d)
{
	size_t end = in->l4 + HEADERS_MAX < in->len ? in->l4 + HEADERS_MAX : in->len;

	for (size_t width = 1; width <= 4; width *= 2)
		for (size_t at = in->l3 % width; at + width <= end; at += width) {
			uint32_t was = read_be(in->bytes + at, width);
			uint32_t values[] = {0, UINT32_MAX, was + 1, was - 1, (uint32_t)roll64(d)};

			for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
				struct frame f = *in;

				write_be(f.bytes + at, width, values[i]);
				is_sent(&f, "changed", at);
			}
		}
}

static void damage_frame(const struct frame *in, struct dice *d)
{
	assert_true(is_sent(in, "whole", 0));
	cut_everywhere(in);
	change_everywhere(in, d);
}

static void damage(const struct recipe *r, struct dice *d)
{
	struct frame in;

	frame_build(r, &in);
	damage_frame(&in, d);
}

/* ---- shapes -------------------------------------------------------------------------------------*/

#define SHAPES 4

/* Tags and what is between IP's header and TCP's or UDP's; one is small enough to be padded. */
static void shape(struct recipe *r, int i)
{
	r->tags = (uint8_t)(i % 3);
	r->payload = i == 0 ? 0 : 5;
	r->padding = i == 0 || i == 3 ? 7 : 0;
	if (i == 0)
		return;
	r->option_words = (uint8_t)(3 * i);
	r->n_ext = (uint8_t)(2 * i);
	memcpy(r->ext, (uint8_t[]){0, 60, 43, 51, 135, 60}, 6);
	memcpy(r->ext_units, (uint8_t[]){1, 2, 1, 2, 1, 1}, 6);
}

static void every_method_takes_no_broken_frame(void **state)
{
	struct dice d = {1};

	fixture_reset(state);
	fuzz_world_copy(&bench.world);
	nat_base = bench.world.nat;
	for (int i = 0; i < 4; i++)
		for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
			struct recipe r = world_recipe(i / 2 ? 6 : 4, nat_protos[i % 2], kind);

			shape(&r, (int)kind % SHAPES);
			damage(&r, &d);
			shape(&r, (int)kind / SHAPES % SHAPES);
			damage(&r, &d);
		}
}

/* A client's packets, with a connection and without, and a backend's. */
static void translation_takes_no_broken_frame(void **state, enum shunt_forward method)
{
	struct dice d = {2};

	for (int i = 0; i < 2 * SHAPES; i++) {
		struct recipe r = nat_request(nat_protos[i % 2], 12345), t, a;
		struct outcome o;

		nat_setup_again(state);
		nat_service(*state, r.proto, method);
		fuzz_world_copy(&bench.world);
		nat_base = bench.world.nat;
		shape(&r, i / 2);
		if (nat_family != nat_backend_family && r.n_ext > 3)
			r.n_ext = 3; /* AH vouches for the header that goes */
		damage(&r, &d);
		nat_arrive(*state, &r, &o);
		t = nat_translated(&r, 1, r.sport);
		if (method == SHUNT_MASQ)
			memcpy(t.src, r.src, 16);
		a = nat_answer(&t);
		a.payload = 5;
		fuzz_world_copy(&bench.world);
		nat_base = bench.world.nat;
		damage(&r, &d);
		damage(&a, &d);
	}
}

static void nat_takes_no_broken_frame(void **state)
{
	translation_takes_no_broken_frame(state, SHUNT_NAT);
}

static void masq_takes_no_broken_frame(void **state)
{
	translation_takes_no_broken_frame(state, SHUNT_MASQ);
}

/* ---- what is rare -------------------------------------------------------------------------------*/

/* The first piece of a packet, and, when that has come, the next one. */
static void damage_pieces(const struct recipe *r, struct dice *d)
{
	struct piece first = {.id = 0x01020304, .len = 32, .more = true};
	struct piece next = {.id = 0x01020304, .from = 32, .len = 16};
	struct frame whole, in;

	frame_build(r, &whole);
	rare_piece(r, &whole, &first, &in);
	damage_frame(&in, d);
	assert_true(is_sent(&in, "first", 0));
	rare_piece(r, &whole, &next, &in);
	damage_frame(&in, d);
}

/* An error about what the backend has sent, and an echo request. */
static void damage_icmp(const struct recipe *r, struct dice *d)
{
	struct recipe sent = *r;
	struct frame quoted, in;
	struct icmp m = {.type = r->family == 4 ? 3 : 1};

	memcpy(sent.src, r->dst, 16);
	memcpy(sent.dst, r->src, 16);
	sent.sport = r->dport;
	sent.dport = r->sport;
	frame_build(&sent, &quoted);
	m.body = quoted.bytes + quoted.l3;
	m.len = quoted.l3_len;
	rare_icmp(r, &m, &in);
	damage_frame(&in, d);
	m = (struct icmp){.type = r->family == 4 ? 8 : 128, .rest = 7, .body = m.body, .len = 9};
	rare_icmp(r, &m, &in);
	damage_frame(&in, d);
}

static void what_is_rare_is_not_taken_broken(void **state)
{
	static const enum world_kind kinds[] = {WORLD_DSR, WORLD_IPIP6, WORLD_GUE6_TAG};
	struct dice d = {3};

	rare_setup(state);
	fuzz_world_copy(&bench.world);
	nat_base = bench.world.nat;
	for (int i = 0; i < 12; i++) {
		struct recipe r = world_recipe(i % 2 ? 6 : 4, nat_protos[i / 2 % 2], kinds[i / 4]);

		r.tags = (uint8_t)(i % 3);
		r.payload = 40;
		damage_pieces(&r, &d);
		damage_icmp(&r, &d);
	}
}

/* ---- an oracle that is wrong must be noticed ------------------------------------------------------*/

static void damage_is_compared(void **state)
{
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);
	struct frame in;

	fixture_reset(state);
	fuzz_world_copy(&bench.world);
	bench.world.backends[world_row(4, IPPROTO_TCP, WORLD_IPIP4) + 1].addr[0] ^= 1;
	frame_build(&r, &in);
	assert_false(fuzz_agree(&bench, &in));
}

static int open_bench(void **state)
{
	fixture_open(state);
	return fuzz_bench_open(&bench, *state);
}

static int close_bench(void **state)
{
	fuzz_bench_close(&bench);
	return fixture_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_takes_no_broken_frame),
		cmocka_unit_test_setup(nat_takes_no_broken_frame, nat_setup),
		cmocka_unit_test_setup(masq_takes_no_broken_frame, nat_setup),
		{"nat_takes_no_broken_frame (IPv4 to IPv6)", nat_takes_no_broken_frame, nat_setup46,
		 NULL, NULL},
		{"nat_takes_no_broken_frame (IPv6 to IPv4)", nat_takes_no_broken_frame, nat_setup64,
		 NULL, NULL},
		{"nat_takes_no_broken_frame (IPv6)", nat_takes_no_broken_frame, nat_setup6, NULL,
		 NULL},
		{"masq_takes_no_broken_frame (IPv6)", masq_takes_no_broken_frame, nat_setup6, NULL,
		 NULL},
		cmocka_unit_test(what_is_rare_is_not_taken_broken),
		cmocka_unit_test(damage_is_compared),
	};

	return cmocka_run_group_tests(tests, open_bench, close_bench);
}
