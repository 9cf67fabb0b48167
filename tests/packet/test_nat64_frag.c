/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments between the families: what RFC 7915 has to say beyond what test_nat_rare.c asserts of all
 * translated fragments.  Frames are written out by hand or built independently. */
#include "fixture_nat_error.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define ID 0x1234abcd
#define LAST 65512 /* offset of what may be an IPv4 packet's last three bytes */

static struct recipe long_request(uint16_t payload)
{
	struct recipe r = nat_request(IPPROTO_UDP, 12345);

	r.payload = payload;
	return r;
}

/* The piece of @r that is in bytes [@from, @from + @len). */
static struct frame cut(const struct recipe *r, size_t from, size_t len, bool more)
{
	struct piece p = {.id = ID, .from = from, .len = len, .more = more};
	struct frame whole, out;

	frame_build(r, &whole);
	rare_piece(r, &whole, &p, &out);
	return out;
}

static void assert_sent(struct fixture *f, const struct frame *in)
{
	struct outcome o;

	fixture_run(f, in, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.action, XDP_TX);
}

/* ---- every byte ---------------------------------------------------------------------------------*/

/* A datagram's two pieces: the headers that must leave, by hand. */
static void headers_are_as_written_out(void **state)
{
	struct fixture *f = *state;
	bool from6 = nat_family == 6;
	struct recipe r = long_request(100);
	struct outcome o;
	struct frame in;

	for (int i = 0; i < 2; i++) {
		in = i ? cut(&r, 64, 44, false) : cut(&r, 0, 64, true);
		fixture_run(f, &in, &o);
		assert_int_equal(o.action, XDP_TX);
		assert_int_equal(get16(o.out.bytes + 12), from6 ? 0x0800 : 0x86dd);
		if (from6) {
			const uint8_t head[] = {0x45,
						r.tos,
						0,
						(uint8_t)(20 + (i ? 44 : 64)),
						0xab,
						0xcd,
						i ? 0x00 : 0x20,
						i ? 0x08 : 0x00,
						(uint8_t)(r.ttl - 1),
						17};

			assert_int_equal(o.out.len, 14 + head[3]);
			assert_memory_equal(o.out.bytes + 14, head, sizeof(head));
			assert_int_equal(fold16(sum16(0, o.out.bytes + 14, 20)), 0xffff);
		} else {
			const uint8_t head[] = {
				0x60 | r.tos >> 4,
				(uint8_t)(r.tos << 4),
				0,
				0,
				0,
				(uint8_t)(8 + (i ? 44 : 64)),
				44,
				(uint8_t)(r.ttl - 1),
			};
			const uint8_t piece[] = {17, 0, 0, i ? 64 : 1, 0, 0, 0xab, 0xcd};

			assert_int_equal(o.out.len, 14 + 40 + head[5]);
			assert_memory_equal(o.out.bytes + 14, head, sizeof(head));
			assert_memory_equal(o.out.bytes + 14 + 40, piece, sizeof(piece));
		}
	}
}

/* What the backend makes of all pieces is the datagram, with a checksum that is right. */
static void the_pieces_make_up_the_datagram(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(3001), t = nat_translated(&r, 1, 12345);
	size_t head = nat_family == 6 ? 14 + 20 : 14 + 48, at = 0;
	struct frame whole, in;
	uint8_t got[4096];
	struct outcome o;

	for (size_t from = 0; from < 3009; from += 1024) {
		in = cut(&r, from, from + 1024 < 3009 ? 1024 : 3009 - from, from + 1024 < 3009);
		fixture_run(f, &in, &o);
		assert_int_equal(o.action, XDP_TX);
		memcpy(got + at, o.out.bytes + head, o.out.len - head);
		at += o.out.len - head;
	}
	frame_build(&t, &whole);
	assert_int_equal(at, 3009);
	assert_memory_equal(got, whole.bytes + whole.l4, at);
}

/* RFC 6946: a fragment header around all of the packet. */
static void a_whole_packet_that_is_called_a_fragment(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(50), t = nat_translated(&r, 1, 12345);
	struct frame in = cut(&r, 0, 58, false), whole, out;
	struct piece p = {.id = ID & 0xffff, .len = 58};

	frame_build(&t, &whole);
	rare_piece(&t, &whole, &p, &out);
	nat_assert_leaves(f, &in, &out, false);
}

static void tags_and_padding_go(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(50), t = nat_translated(&r, 1, 12345);
	struct piece p = {.id = ID, .len = 16, .more = true};
	struct frame whole, in, out;

	r.tags = 2;
	frame_build(&r, &whole);
	rare_piece(&r, &whole, &p, &in);
	frame_put(&in, "padding", 7);
	frame_build(&t, &whole);
	p.id &= 0xffff;
	rare_piece(&t, &whole, &p, &out);
	nat_assert_leaves(f, &in, &out, false);
}

/* ---- what cannot be said ------------------------------------------------------------------------*/

/* RFC 7915 section 4.5; and the other pieces are of no use then. */
static void udp_without_a_checksum_is_not_said(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(100);
	struct frame in = cut(&r, 0, 64, true);

	put16(in.bytes + in.l4 + 6, 0);
	rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
	in = cut(&r, 64, 44, false);
	rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
	in = cut(&r, 0, 64, true); /* once more, as it should be */
	assert_sent(f, &in);
	in = cut(&r, 64, 44, false);
	assert_sent(f, &in);
}

/* RFC 7915 section 5.1.1. */
static void extension_headers_in_pieces_are_not_said(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(100);
	struct piece p = {.id = ID, .len = 64, .more = true, .ext_inside = true};
	struct frame whole, in;

	r.n_ext = 1;
	r.ext[0] = 60;
	r.ext_units[0] = 1;
	frame_build(&r, &whole);
	rare_piece(&r, &whole, &p, &in);
	rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
	p.from = 64;
	rare_piece(&r, &whole, &p, &in);
	rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
}

static void a_routing_header_is_not_left_out(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(100);
	struct frame in;

	r.n_ext = 1;
	r.ext[0] = 43;
	r.ext_units[0] = 3;
	in = cut(&r, 0, 64, true);
	in.bytes[in.l3 + 40 + 3] = 1; /* somewhere to go */
	rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
}

static void a_source_route_is_not_left_out(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(100), t = nat_translated(&r, 1, 12345);
	struct piece p = {.id = ID & 0xffff, .len = 64, .more = true};
	struct frame in, whole, out;

	r.option_words = 2;
	in = cut(&r, 0, 64, true);
	memcpy(in.bytes + in.l3 + 20, (uint8_t[]){131, 7, 4, 10, 0, 0, 1, 0}, 8);
	rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
	in = cut(&r, 0, 64, true);
	frame_build(&t, &whole);
	rare_piece(&t, &whole, &p, &out);
	nat_assert_leaves(f, &in, &out, false);
}

/* Nothing of a packet is behind them then that could be read with them. */
static void options_that_say_nothing_are_left_out_of_a_piece_of_one_byte(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(57), t = nat_translated(&r, 1, 12345);
	struct piece p = {.id = ID & 0xffff, .from = 64, .len = 1};
	struct frame in = cut(&r, 0, 64, true), whole, out;

	assert_sent(f, &in);
	frame_build(&t, &whole);
	rare_piece(&t, &whole, &p, &out);
	for (r.option_words = 0; r.option_words <= 10; r.option_words++) {
		in = cut(&r, 64, 1, false);
		nat_assert_leaves(f, &in, &out, false);
	}
}

/* IPv6 counts without its header: its longest packet in pieces ends where IPv4 has no bytes. */
static void bytes_beyond_ipv4_are_not_said(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(200);
	struct frame in = cut(&r, 0, 64, true);

	assert_sent(f, &in);
	for (size_t len = 1; len <= 15; len++) {
		bool fits = LAST + len <= 65515;

		in = cut(&r, 64, len, false);
		put16(in.bytes + in.l3 + 40 + 2, LAST);
		if (fits)
			assert_sent(f, &in);
		else
			rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
	}
}

static void a_hop_is_taken(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(100);
	struct frame in;

	r.ttl = 1;
	in = cut(&r, 0, 64, true);
	rare_assert(f, &in, SHUNT_DROP_TTL, XDP_DROP);
}

static void what_is_cut_off_is_never_translated(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(100);
	struct frame in = cut(&r, 0, 64, true), shorter;
	struct outcome o;

	for (size_t len = 14; len < in.len; len++) {
		shorter = in;
		shorter.len = len;
		fixture_run(f, &shorter, &o);
		assert_int_not_equal(o.action, XDP_TX);
	}
	fixture_run(f, &in, &o);
	assert_int_equal(o.action, XDP_TX);
}

/* ---- sizes --------------------------------------------------------------------------------------*/

/* A piece is longer by 28 bytes in IPv6, and its sender is told so; the last one's is not. */
static void the_sender_is_told_what_fits(void **state)
{
	struct fixture *f = *state;
	bool is4 = nat_family == 4;
	size_t most = (size_t)(is4 ? WORLD_MTU - 48 : WORLD_MTU - 20) / 8 * 8;
	struct recipe r = long_request(2000);
	struct frame in = cut(&r, 0, most, true);
	struct outcome o;

	for (uint32_t i = 0; i < f->cpus; i++)
		f->answers[i] = (struct shunt_answer){.rate = 1, .credit = 1u << 30};
	assert_sent(f, &in);
	in = cut(&r, 0, most + 8, true);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdict, SHUNT_REPLY_TOO_BIG);
	assert_int_equal(get16(o.out.bytes + (is4 ? 14 + 20 + 6 : 14 + 40 + 6)),
			 is4 ? WORLD_MTU - 28 : WORLD_MTU + 20);
	in = cut(&r, most + 8, most + 8 > 1000 ? 1000 : most, false);
	assert_sent(f, &in);
	in = cut(&r, 8, most + 8, true);
	rare_assert(f, &in, SHUNT_DROP_TOO_BIG, XDP_DROP);
}

/* ---- errors about pieces ------------------------------------------------------------------------*/

/* Fills @out with an error from @from that quotes 60 bytes and headers of the first piece of @of. */
static void error_about_piece(const struct recipe *from, const struct recipe *of, uint32_t id,
			      struct icmp m, struct frame *out)
{
	struct piece p = {.id = id, .len = 64, .more = true};
	struct frame whole, quoted;

	frame_build(of, &whole);
	rare_piece(of, &whole, &p, &quoted);
	m.body = quoted.bytes + quoted.l3;
	m.len = quoted.l4 - quoted.l3 + 60;
	rare_icmp(from, &m, out);
}

static void errors_about_pieces_quote_pieces(void **state)
{
	static const struct icmp unreachable[2] = {{3, 3, 0, NULL, 0}, {1, 4, 0, NULL, 0}};
	static const struct icmp too_big[2] = {{3, 4, 1400, NULL, 0}, {2, 0, 1428, NULL, 0}};
	struct fixture *f = *state;
	struct recipe r = long_request(100), t, e, back, sent = r;
	int there = nat_backend_family == 6, here = nat_family == 6;
	struct frame in, out;

	nat_forwarded(f, &r, 1, &t);
	t.frag = 0;
	e = nat_router_of(&t);
	back = nat_returned(&e, &r);
	back.frag = here ? 0 : 0x4000;
	sent.ttl = t.ttl;
	error_about_piece(&e, &t, ID & 0xffff, unreachable[there], &in);
	error_about_piece(&back, &sent, ID & 0xffff, unreachable[here], &out);
	nat_assert_leaves(f, &in, &out, true);
	error_about_piece(&e, &t, ID & 0xffff, too_big[there], &in);
	error_about_piece(&back, &sent, ID & 0xffff, too_big[here], &out);
	nat_assert_leaves(f, &in, &out, true);
}

#define T46(name)                                                                                  \
	{                                                                                          \
#name " (IPv4 to IPv6)", name, nat_setup46, NULL, NULL                             \
	}
#define T64(name)                                                                                  \
	{                                                                                          \
#name " (IPv6 to IPv4)", name, nat_setup64, NULL, NULL                             \
	}
#define T(name) T46(name), T64(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(headers_are_as_written_out),
		T(the_pieces_make_up_the_datagram),
		T64(a_whole_packet_that_is_called_a_fragment),
		T(tags_and_padding_go),
		T46(udp_without_a_checksum_is_not_said),
		T64(extension_headers_in_pieces_are_not_said),
		T64(a_routing_header_is_not_left_out),
		T46(a_source_route_is_not_left_out),
		T46(options_that_say_nothing_are_left_out_of_a_piece_of_one_byte),
		T64(bytes_beyond_ipv4_are_not_said),
		T(a_hop_is_taken),
		T(what_is_cut_off_is_never_translated),
		T(the_sender_is_told_what_fits),
		T(errors_about_pieces_quote_pieces),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
