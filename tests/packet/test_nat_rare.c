/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments and ICMP errors of translated connections, byte for byte, there and back. */
#include "fixture_nat_error.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* ---- fragments ----------------------------------------------------------------------------------*/

static const struct piece pieces[] = {
	{.id = 0x12345678, .from = 0, .len = 1200, .more = true},
	{.id = 0x12345678, .from = 1200, .len = 1200, .more = true},
	{.id = 0x12345678, .from = 2400, .len = 608},
};

/* The pieces of @r come in this order, and those of @t leave. */
static void pieces_become(struct fixture *f, const struct recipe *r, const struct recipe *t,
			  bool to_client)
{
	struct frame whole_in, whole_out, in, out;

	frame_build(r, &whole_in);
	frame_build(t, &whole_out);
	for (size_t i = 0; i < 3; i++) {
		struct piece leaves = pieces[i];

		if (r->family != t->family) /* what IPv4 has of it */
			leaves.id &= 0xffff;
		rare_piece(r, &whole_in, &pieces[i], &in);
		rare_piece(t, &whole_out, &leaves, &out);
		nat_assert_leaves(f, &in, &out, to_client);
	}
}

static struct recipe long_request(uint8_t proto)
{
	struct recipe r = nat_request(proto, 12345);

	r.payload = (uint16_t)(3008 - (proto == IPPROTO_TCP ? 20 : 8));
	return r;
}

static void pieces_are_translated_both_ways(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = long_request(nat_protos[i]), t = nat_translated(&r, 1, 12345), a,
			      b;

		pieces_become(f, &r, &t, false);
		a = nat_answer(&t);
		a.payload = r.payload;
		b = nat_returned(&a, &r);
		pieces_become(f, &a, &b, true);
	}
	assert_int_equal(nat_records(f), 2);
}

static void pieces_of_masq_too(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(IPPROTO_UDP), t = nat_translated(&r, 1, 12345), a, b;

	nat_service(f, IPPROTO_UDP, SHUNT_MASQ);
	memcpy(t.src, r.src, 16);
	pieces_become(f, &r, &t, false);
	a = nat_answer(&t);
	a.payload = r.payload;
	b = nat_returned(&a, &r);
	pieces_become(f, &a, &b, true);
}

static void pieces_with_extension_headers(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(IPPROTO_UDP), t;

	r.n_ext = 2;
	memcpy(r.ext, (uint8_t[]){0, 60}, 2);
	memcpy(r.ext_units, (uint8_t[]){1, 2}, 2);
	t = nat_translated(&r, 1, 12345);
	pieces_become(f, &r, &t, false);
}

static void pieces_that_come_first_are_not_translated(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(IPPROTO_UDP), t = nat_translated(&r, 1, 12345), a, b;
	struct frame whole, in;
	struct piece other = pieces[1];

	frame_build(&r, &whole);
	rare_piece(&r, &whole, &pieces[1], &in);
	rare_assert(f, &in, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
	pieces_become(f, &r, &t, false);
	other.id++;
	rare_piece(&r, &whole, &other, &in);
	rare_assert(f, &in, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
	a = nat_answer(&t);
	a.payload = r.payload;
	frame_build(&a, &whole);
	rare_piece(&a, &whole, &pieces[1], &in);
	rare_assert(f, &in, SHUNT_PASS_FRAGMENT, XDP_PASS);
	b = nat_returned(&a, &r);
	pieces_become(f, &a, &b, true);
	a.dport++; /* no connection's */
	frame_build(&a, &whole);
	other.id++;
	other.from = 0;
	rare_piece(&a, &whole, &other, &in);
	rare_assert(f, &in, SHUNT_PASS_FRAGMENT, XDP_PASS);
}

static void pieces_are_not_taken_from_everybody(void **state)
{
	struct fixture *f = *state;

	f->policies[1] = (struct shunt_policy){
		.root.out = SHUNT_SOURCE_DENIED,
		.flags = SHUNT_POLICY_LIST,
	};
	for (int i = 0; i < 2; i++) {
		struct recipe r = long_request(nat_protos[i]);
		struct frame whole, in;
		struct outcome o;

		world_service(f, nat_family, nat_protos[i], WORLD_DSR)->policy = 1;
		frame_build(&r, &whole);
		rare_piece(&r, &whole, &pieces[0], &in);
		fixture_run(f, &in, &o);
		assert_int_equal(o.verdict, SHUNT_DROP_DENIED);
		assert_int_equal(o.action, XDP_DROP);
	}
	assert_int_equal(nat_records(f), 0);
}

static void pieces_follow_the_record_not_the_slot(void **state)
{
	struct fixture *f = *state;
	struct recipe r = long_request(IPPROTO_UDP), t = nat_translated(&r, 1, 12345);
	struct shunt_service *svc = world_service(f, nat_family, IPPROTO_UDP, WORLD_DSR);
	struct frame whole_in, whole_out, in, out;

	frame_build(&r, &whole_in);
	frame_build(&t, &whole_out);
	for (size_t i = 0; i < 3; i++) {
		rare_piece(&r, &whole_in, &pieces[i], &in);
		rare_piece(&t, &whole_out, &pieces[i], &out);
		nat_assert_leaves(f, &in, &out, false);
		for (uint32_t k = 0; k < WORLD_SLOTS; k++)
			*world_slot(f, svc, k) = 2;
	}
	f->backends[svc->row + 1].flags = 0; /* down: its connections are void */
	rare_assert(f, &in, SHUNT_DROP_FRAGMENT_ORPHAN, XDP_DROP);
}

/* ---- ICMP ---------------------------------------------------------------------------------------*/

static void errors_about_requests_go_to_the_client(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		for (uint8_t words = 0; words < 11; words += 5) {
			struct recipe r = nat_request(nat_protos[i], 12345), t, e, back, seen;
			size_t head = nat_family == 4 ? 20u + 4 * words : 40u + 8 * words;

			if (nat_family == 4) {
				r.option_words = words;
			} else if (words) {
				r.n_ext = 1;
				r.ext[0] = 60;
				r.ext_units[0] = words;
			}
			nat_forwarded(f, &r, 1, &t);
			e = nat_router_of(&t);
			back = nat_returned(&e, &r);
			seen = r; /* as the client had sent it, with the hops of the quote */
			seen.ttl = t.ttl;
			for (size_t n = head + 8; n < head + 40; n += 2) {
				struct frame in, out;

				nat_error_about(&e, &t, n, &in);
				nat_error_about(&back, &seen, n, &out);
				nat_assert_leaves(f, &in, &out, true);
			}
		}
}

static void errors_about_replies_go_to_the_backend(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = nat_request(nat_protos[i], 12345), t, a, b, e, there;

		nat_forwarded(f, &r, 1, &t);
		a = nat_answer(&t);
		b = nat_returned(&a, &r);
		nat_assert_returned(f, &t, &r);
		a.ttl = b.ttl;
		e = nat_router_of(&b);
		memcpy(e.dmac, r.dmac, 6);
		memcpy(e.smac, r.smac, 6);
		there = nat_translated(&e, 1, 12345);
		for (size_t n = (nat_family == 4 ? 20 : 40) + 8; n < 90; n += 2) {
			struct frame in, out;

			nat_error_about(&e, &b, n, &in);
			nat_error_about(&there, &a, n, &out);
			nat_assert_leaves(f, &in, &out, false);
		}
	}
}

static void errors_without_a_checksum_in_their_quote(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t, e, back, seen;
	struct frame whole_t, whole_r, in, out;
	struct icmp m = {.type = 11};

	nat_forwarded(f, &r, 1, &t);
	e = nat_router_of(&t);
	back = nat_returned(&e, &r);
	seen = r;
	seen.ttl = t.ttl;
	frame_build(&t, &whole_t);
	frame_build(&seen, &whole_r);
	put16(whole_t.bytes + whole_t.l4 + 6, 0);
	put16(whole_r.bytes + whole_r.l4 + 6, 0);
	m.len = 28;
	m.body = whole_t.bytes + whole_t.l3;
	rare_icmp(&e, &m, &in);
	m.body = whole_r.bytes + whole_r.l3;
	rare_icmp(&back, &m, &out);
	nat_assert_leaves(f, &in, &out, true);
}

static void errors_about_nothing_of_ours_are_the_stacks(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 12345), t, e, other;
	size_t head = nat_family == 4 ? 20 : 40;
	struct frame in;

	nat_forwarded(f, &r, 1, &t);
	e = nat_router_of(&t);
	for (int i = 0; i < 5; i++) {
		other = t;
		other.sport = (uint16_t)(t.sport + (i == 0));
		other.dport = (uint16_t)(t.dport + (i == 1));
		other.src[3] = (uint8_t)(t.src[3] + (i == 2));
		other.dst[3] = (uint8_t)(t.dst[3] + (i == 3));
		other.proto = i == 4 ? IPPROTO_UDP : IPPROTO_TCP;
		nat_error_about(&e, &other, head + 8, &in);
		rare_assert(f, &in, SHUNT_PASS_ICMP, XDP_PASS);
	}
	nat_error_about(&e, &t, head + 7, &in); /* too short for ports and what tells connections */
	rare_assert(f, &in, SHUNT_PASS_ICMP, XDP_PASS);
	e.ttl = 1;
	nat_error_about(&e, &t, head + 8, &in);
	rare_assert(f, &in, SHUNT_DROP_TTL, XDP_DROP);
}

/* Whatever is cut off, nothing that is not whole is translated. */
static void a_cut_error_is_never_translated(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t, e;
	struct frame in, cut;
	struct outcome o;

	nat_forwarded(f, &r, 1, &t);
	e = nat_router_of(&t);
	nat_error_about(&e, &t, 100, &in);
	for (size_t len = 14; len < in.len; len++) {
		cut = in;
		cut.len = len;
		fixture_run(f, &cut, &o);
		assert_int_not_equal(o.action, XDP_TX);
	}
}

#define T4(name) cmocka_unit_test_setup(name, nat_setup)
#define T6(name)                                                                                   \
	{                                                                                          \
#name " (IPv6)", name, nat_setup6, NULL, NULL                                      \
	}
#define T46(name)                                                                                  \
	{                                                                                          \
#name " (IPv4 to IPv6)", name, nat_setup46, NULL, NULL                             \
	}
#define T64(name)                                                                                  \
	{                                                                                          \
#name " (IPv6 to IPv4)", name, nat_setup64, NULL, NULL                             \
	}
#define T(name) T4(name), T6(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pieces_are_translated_both_ways),
		T46(pieces_are_translated_both_ways),
		T64(pieces_are_translated_both_ways),
		T(pieces_of_masq_too),
		T6(pieces_with_extension_headers),
		T64(pieces_with_extension_headers),
		T(pieces_that_come_first_are_not_translated),
		T46(pieces_that_come_first_are_not_translated),
		T64(pieces_that_come_first_are_not_translated),
		T(pieces_are_not_taken_from_everybody),
		T46(pieces_are_not_taken_from_everybody),
		T64(pieces_are_not_taken_from_everybody),
		T(pieces_follow_the_record_not_the_slot),
		T(errors_about_requests_go_to_the_client),
		T(errors_about_replies_go_to_the_backend),
		T4(errors_without_a_checksum_in_their_quote),
		T(errors_about_nothing_of_ours_are_the_stacks),
		T(a_cut_error_is_never_translated),
		T46(a_cut_error_is_never_translated),
		T64(a_cut_error_is_never_translated),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
