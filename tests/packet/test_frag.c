/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments: the first one decides, the others follow. */
#include "fixture_rare.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define FIRST_LEN 512 /* bytes of transport header and payload */
#define PAYLOAD 1101

static const uint8_t families[] = {4, 6}, protos[] = {IPPROTO_TCP, IPPROTO_UDP};

/* A packet and its two pieces. */
struct cut {
	struct recipe r;
	struct piece first, second;
	struct frame whole, a, b;
};

static void cut_make(struct cut *c)
{
	frame_build(&c->r, &c->whole);
	rare_piece(&c->r, &c->whole, &c->first, &c->a);
	rare_piece(&c->r, &c->whole, &c->second, &c->b);
}

static struct cut cut_of(uint8_t family, uint8_t proto, enum world_kind kind)
{
	static uint32_t id = 0x01020304;
	struct cut c = {.r = world_recipe(family, proto, kind)};
	size_t l4_len = (proto == IPPROTO_TCP ? 20 : 8) + PAYLOAD;

	id += 0x10007;
	c.r.payload = PAYLOAD;
	c.first = (struct piece){.id = id, .len = FIRST_LEN, .more = true};
	c.second = (struct piece){.id = id, .from = FIRST_LEN, .len = l4_len - FIRST_LEN};
	cut_make(&c);
	return c;
}

static void forwarded(struct fixture *f, const struct cut *c, enum world_kind kind, uint8_t number)
{
	struct recipe flow = rare_piece_flow(&c->r, &c->first);

	rare_assert_forwarded(f, &flow, kind, number, &c->a);
	rare_assert_forwarded(f, &flow, kind, number, &c->b);
}

static void the_others_follow_the_first_by_every_method(void **state)
{
	for (int i = 0; i < 4; i++)
		for (int kind = 0; kind < WORLD_MAX; kind++) {
			struct cut c = cut_of(families[i / 2], protos[i % 2], kind);

			if (rare_is_forwarded(kind))
				forwarded(*state, &c, kind, 1);
		}
}

static void options_headers_and_tags_do_not_matter(void **state)
{
	for (int i = 0; i < 4; i++)
		for (int way = 0; way < 3; way++) {
			struct cut c = cut_of(families[i / 2], protos[i % 2], WORLD_IPIP4);

			c.r.tags = (uint8_t)way;
			c.r.option_words = (uint8_t)(3 * way);
			c.r.n_ext = (uint8_t)way;
			c.r.ext[0] = IPPROTO_HOPOPTS;
			c.r.ext[1] = IPPROTO_DSTOPTS;
			c.r.ext_units[0] = c.r.ext_units[1] = 2;
			cut_make(&c);
			forwarded(*state, &c, WORLD_IPIP4, 1);
		}
}

static void headers_inside_the_first_fragment_are_followed(void **state)
{
	struct cut c = cut_of(6, IPPROTO_UDP, WORLD_IPIP6);
	struct recipe flow;

	c.r.n_ext = 1;
	c.r.ext[0] = IPPROTO_DSTOPTS;
	c.r.ext_units[0] = 3;
	c.first.ext_inside = c.second.ext_inside = true;
	cut_make(&c);
	flow = rare_piece_flow(&c.r, &c.first);
	rare_assert_forwarded(*state, &flow, WORLD_IPIP6, 1, &c.a);
	rare_assert_forwarded(*state, &flow, WORLD_IPIP6, 1, &c.b);
}

/* As large as UDP gets, in pieces that fit the path. */
static void every_piece_of_a_large_packet_follows(void **state)
{
	struct cut c = cut_of(4, IPPROTO_UDP, WORLD_IPIP4);
	struct recipe flow = rare_piece_flow(&c.r, &c.first);
	struct frame in;

	rare_assert_forwarded(*state, &flow, WORLD_IPIP4, 1, &c.a);
	for (size_t from = 1024; from + 1024 <= 65504; from += 1024) {
		in = c.a;
		put16(in.bytes + in.l3 + 6, (uint16_t)(0x2000 | from / 8));
		put16(in.bytes + in.l3 + 10, 0);
		put16(in.bytes + in.l3 + 10, (uint16_t)~fold16(sum16(0, in.bytes + in.l3, 20)));
		rare_assert_forwarded(*state, &flow, WORLD_IPIP4, 1, &in);
	}
}

static void an_orphan_waits_for_nobody(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct cut c = cut_of(families[i / 2], protos[i % 2], WORLD_DSR);

		rare_assert(*state, &c.b, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
		forwarded(*state, &c, WORLD_DSR, 1);
	}
}

/* Addresses, identification and, for IPv4, the protocol tell packets apart. */
static void a_fragment_of_another_packet_does_not_follow(void **state)
{
	static const size_t at4[] = {4, 5, 9, 12, 15}, at6[] = {8, 15, 23, 44, 47};

	for (int i = 0; i < 2; i++) {
		struct cut c = cut_of(families[i], IPPROTO_UDP, WORLD_DSR);

		forwarded(*state, &c, WORLD_DSR, 1);
		for (int k = 0; k < 5; k++) {
			struct frame other = c.b;
			size_t at = other.l3 + (i ? at6[k] : at4[k]);

			other.bytes[at] ^= i == 0 && at4[k] == 9 ? IPPROTO_UDP ^ IPPROTO_TCP : 1;
			rare_assert(*state, &other, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
		}
	}
}

static void make_older(struct fixture *f, uint16_t ticks)
{
	for (int i = 0; i < WORLD_FRAG_BUCKETS * SHUNT_FRAGS_PER_BUCKET; i++) {
		__u64 *w = &f->frags[i / SHUNT_FRAGS_PER_BUCKET].word[i % SHUNT_FRAGS_PER_BUCKET];

		if (*w)
			*w = (*w & ~0xffffull) | (uint16_t)(*w - ticks);
	}
}

static void half_a_minute_later_it_is_forgotten(void **state)
{
	struct cut c = cut_of(4, IPPROTO_UDP, WORLD_DSR);
	/* 100 to 1000 jiffies a second, 16 to a tick */
	uint16_t seconds29 = 29 * 100 / 16, seconds31 = 31 * 1000 / 16 + 2;

	forwarded(*state, &c, WORLD_DSR, 1);
	make_older(*state, seconds29);
	rare_assert_forwarded(*state, &(struct recipe){.family = 4, .proto = 17}, WORLD_DSR, 1,
			      &c.b);
	make_older(*state, seconds31);
	rare_assert(*state, &c.b, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
}

static void nothing_follows_to_a_backend_that_is_gone(void **state)
{
	struct fixture *f = *state;
	struct cut c = cut_of(4, IPPROTO_UDP, WORLD_DSR);

	forwarded(f, &c, WORLD_DSR, 1);
	f->backends[world_row(4, IPPROTO_UDP, WORLD_DSR) + 1].flags = 0;
	rare_assert(f, &c.b, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
	rare_assert(f, &c.a, SHUNT_DROP_NO_BACKEND, XDP_DROP);
}

/* The oldest gives way; as many as fit in the table, less what one bucket gets too many of. */
static void a_flood_replaces_the_oldest(void **state)
{
	struct cut first = cut_of(4, IPPROTO_UDP, WORLD_DSR), c;

	forwarded(*state, &first, WORLD_DSR, 1);
	make_older(*state, 5);
	for (int i = 0; i < 4 * WORLD_FRAG_BUCKETS * SHUNT_FRAGS_PER_BUCKET; i++) {
		c = cut_of(4, IPPROTO_UDP, WORLD_DSR);
		forwarded(*state, &c, WORLD_DSR, 1);
	}
	rare_assert(*state, &first.b, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
}

/* ---- rr ---*/

static void a_fragmented_packet_goes_where_its_flow_goes(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, 4, IPPROTO_UDP, WORLD_DSR);
	struct outcome o;

	svc->flags |= SHUNT_SVC_FLOWS;
	svc->backends = 7;
	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = (uint16_t)(1 + i % 7);
	for (uint16_t port = 1000; port < 1014; port++) {
		struct cut c = cut_of(4, IPPROTO_UDP, WORLD_DSR);
		struct frame plain;
		uint8_t number;

		c.r.sport = port;
		cut_make(&c);
		fixture_run(f, &c.a, &o);
		assert_int_equal(o.flows, 1);
		number = (uint8_t)(o.row - svc->row);
		rare_assert_forwarded(f, &c.r, WORLD_DSR, number, &c.b);
		c.r.payload = 10;
		frame_build(&c.r, &plain);
		rare_assert_forwarded(f, &c.r, WORLD_DSR, number, &plain);
	}
}

/* ---- what is wrong with some --------------------------------------------------------------------*/

static void bad(struct fixture *f, struct cut *c)
{
	cut_make(c);
	rare_assert(f, &c->a, SHUNT_DROP_FRAGMENT_BAD, XDP_DROP);
}

/* RFC 1858 section 3, RFC 7112: the first one has all of the header. */
static void a_first_fragment_without_all_of_the_header_is_dropped(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct cut c = cut_of(families[i], IPPROTO_TCP, WORLD_DSR);

		c.first.len = 8;
		bad(*state, &c);
		c.first.len = 16;
		bad(*state, &c);
		c.first.len = 24;
		cut_make(&c);
		c.a.bytes[c.a.l4 + 12] = 0x70; /* options that are not there */
		rare_assert(*state, &c.a, SHUNT_DROP_FRAGMENT_BAD, XDP_DROP);
		c.a.bytes[c.a.l4 + 12] = 0x60;
		rare_assert_forwarded(*state, &(struct recipe){.family = families[i], .proto = 6},
				      WORLD_DSR, 1, &c.a);
	}
}

/* RFC 3128: it could make a SYN of what was none. */
static void a_fragment_over_the_tcp_header_is_dropped(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct cut c = cut_of(families[i], IPPROTO_TCP, WORLD_DSR);

		forwarded(*state, &c, WORLD_DSR, 1);
		for (size_t from = 8; from <= 24; from += 8) {
			c.second = (struct piece){.id = c.first.id, .from = from, .len = 64};
			cut_make(&c);
			if (from < 20)
				rare_assert(*state, &c.b, SHUNT_DROP_FRAGMENT_BAD, XDP_DROP);
			else
				rare_assert_forwarded(
					*state, &(struct recipe){.family = families[i], .proto = 6},
					WORLD_DSR, 1, &c.b);
		}
	}
}

static void lengths_that_no_sender_makes_are_dropped(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct cut c = cut_of(families[i], IPPROTO_UDP, WORLD_DSR);

		c.first.len = 0;
		bad(*state, &c);
		c.first.len = 500; /* and more to come */
		bad(*state, &c);
		c.first.len = FIRST_LEN;
		c.second = (struct piece){.id = c.first.id, .from = 65528, .len = 8};
		frame_build(&c.r, &c.whole);
		memcpy(c.whole.bytes + c.whole.len, "12345678", 8);
		c.second.from = 0;
		rare_piece(&c.r, &c.whole, &c.second, &c.b);
		put16(c.b.bytes + c.b.l3 + (i ? 42 : 6), i ? 65528 : 65528 / 8);
		rare_assert(*state, &c.b, SHUNT_DROP_FRAGMENT_BAD, XDP_DROP);
	}
}

/* ---- the stack's --------------------------------------------------------------------------------*/

static void where_the_first_one_was_passed_so_are_the_others(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct cut c = cut_of(families[i / 2], protos[i % 2], WORLD_DSR);

		c.r.dport = 9;
		cut_make(&c);
		rare_assert(*state, &c.a, SHUNT_PASS_NOT_VIP, XDP_PASS);
		rare_assert(*state, &c.b, SHUNT_PASS_FRAGMENT, XDP_PASS);
	}
}

static void what_is_not_for_a_service_is_passed(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct cut c = cut_of(families[i], IPPROTO_UDP, WORLD_DSR);

		c.r.dst[i ? 15 : 3] ^= 0x80;
		cut_make(&c);
		rare_assert(*state, &c.a, SHUNT_PASS_FRAGMENT, XDP_PASS);
		rare_assert(*state, &c.b, SHUNT_PASS_FRAGMENT, XDP_PASS);
		c.r.dst[i ? 15 : 3] ^= 0x80;
		c.r.proto = 132; /* SCTP */
		cut_make(&c);
		rare_assert(*state, &c.a, SHUNT_PASS_FRAGMENT, XDP_PASS);
		rare_assert(*state, &c.b, SHUNT_PASS_FRAGMENT, XDP_PASS);
	}
}

/* RFC 6946: all of a packet that is called a fragment. */
static void a_whole_packet_with_a_fragment_header_is_forwarded(void **state)
{
	struct fixture *f = *state;
	struct cut c = cut_of(6, IPPROTO_UDP, WORLD_DSR);

	c.first.len = 8 + PAYLOAD;
	c.first.more = false;
	cut_make(&c);
	rare_assert_forwarded(f, &c.r, WORLD_DSR, 1, &c.a);
	for (int i = 0; i < WORLD_FRAG_BUCKETS; i++)
		for (int k = 0; k < SHUNT_FRAGS_PER_BUCKET; k++)
			assert_int_equal(f->frags[i].word[k], 0);
}

/* ---- every length -------------------------------------------------------------------------------*/

static void no_length_of_a_frame_is_forwarded_but_its_own(void **state)
{
	struct outcome o;

	for (int i = 0; i < 4; i++) {
		struct cut c = cut_of(families[i / 2], protos[i % 2], WORLD_GUE6);

		forwarded(*state, &c, WORLD_GUE6, 1);
		for (size_t len = 14; len < c.a.len; len++) {
			struct frame in = c.a;

			in.len = len;
			fixture_run(*state, &in, &o);
			assert_int_equal(o.verdicts, 1);
			assert_int_equal(o.action, XDP_DROP);
			in = c.b;
			in.len = len < in.len ? len : in.len - 1;
			fixture_run(*state, &in, &o);
			assert_int_equal(o.verdicts, 1);
			assert_int_equal(o.action, XDP_DROP);
		}
	}
}

#define CASE(test) cmocka_unit_test_setup(test, rare_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_others_follow_the_first_by_every_method),
		CASE(options_headers_and_tags_do_not_matter),
		CASE(headers_inside_the_first_fragment_are_followed),
		CASE(every_piece_of_a_large_packet_follows),
		CASE(an_orphan_waits_for_nobody),
		CASE(a_fragment_of_another_packet_does_not_follow),
		CASE(half_a_minute_later_it_is_forgotten),
		CASE(nothing_follows_to_a_backend_that_is_gone),
		CASE(a_flood_replaces_the_oldest),
		CASE(a_fragmented_packet_goes_where_its_flow_goes),
		CASE(a_first_fragment_without_all_of_the_header_is_dropped),
		CASE(a_fragment_over_the_tcp_header_is_dropped),
		CASE(lengths_that_no_sender_makes_are_dropped),
		CASE(where_the_first_one_was_passed_so_are_the_others),
		CASE(what_is_not_for_a_service_is_passed),
		CASE(a_whole_packet_with_a_fragment_header_is_forwarded),
		CASE(no_length_of_a_frame_is_forwarded_but_its_own),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
