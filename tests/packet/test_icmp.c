/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP and ICMPv6: errors go to the backend that has the flow, echo requests are answered. */
#include "fixture_rare.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t families[] = {4, 6}, protos[] = {IPPROTO_TCP, IPPROTO_UDP};

/* An error about what the backend has sent to the client. */
struct error {
	struct recipe flow; /* as the client sends */
	struct recipe sent; /* as the backend answers: what is quoted */
	struct recipe outer; /* from a router on the way to the service's address */
	struct icmp message;
	struct frame quoted, in;
};

static void swap(uint8_t *a, uint8_t *b)
{
	uint8_t x[16];

	memcpy(x, a, 16);
	memcpy(a, b, 16);
	memcpy(b, x, 16);
}

/* Quotes the first @len bytes, or all if that is 0. */
static void error_make(struct error *e, size_t len)
{
	frame_build(&e->sent, &e->quoted);
	e->message.body = e->quoted.bytes + e->quoted.l3;
	e->message.len = len ? len : e->quoted.l3_len;
	rare_icmp(&e->outer, &e->message, &e->in);
}

static void error_of(struct error *e, uint8_t family, uint8_t proto, enum world_kind kind)
{
	*e = (struct error){
		.flow = world_recipe(family, proto, kind),
		.message = {.type = family == 4 ? 3 : 2, .code = family == 4 ? 4 : 0, .rest = 1400},
	};
	e->sent = e->flow;
	swap(e->sent.src, e->sent.dst);
	e->sent.sport = e->flow.dport;
	e->sent.dport = e->flow.sport;
	e->outer = e->flow;
	if (family == 4)
		memcpy(e->outer.src, (uint8_t[]){192, 0, 2, 77}, 4);
	else
		memcpy(e->outer.src, (uint8_t[]){0x20, 1, 0xd, 0xb8, [15] = 77}, 16);
	error_make(e, 0);
}

static void errors_go_to_the_backend_that_has_the_flow(void **state)
{
	for (int i = 0; i < 4; i++)
		for (int kind = 0; kind < WORLD_MAX; kind++) {
			struct error e;

			if (!rare_is_forwarded(kind))
				continue;
			error_of(&e, families[i / 2], protos[i % 2], kind);
			rare_assert_forwarded(*state, &e.flow, kind, 1, &e.in);
		}
}

static void all_kinds_of_errors_go(void **state)
{
	static const uint8_t types4[] = {3, 4, 11, 12}, types6[] = {1, 2, 3, 4};

	for (int i = 0; i < 8; i++) {
		struct error e;

		error_of(&e, families[i / 4], IPPROTO_TCP, WORLD_IPIP4);
		e.message.type = i < 4 ? types4[i] : types6[i - 4];
		e.message.code = (uint8_t)i;
		error_make(&e, 0);
		rare_assert_forwarded(*state, &e.flow, WORLD_IPIP4, 1, &e.in);
	}
}

/* RFC 792 asks for eight bytes of what is behind the IP header, and many send no more. */
static void eight_bytes_of_the_transport_header_are_enough(void **state)
{
	for (int i = 0; i < 4; i++)
		for (int words = 0; words < 4; words++) {
			struct error e;
			size_t l4;

			error_of(&e, families[i / 2], protos[i % 2], WORLD_DSR);
			e.sent.option_words = (uint8_t)words;
			e.sent.n_ext = (uint8_t)words;
			memcpy(e.sent.ext, (uint8_t[]){IPPROTO_HOPOPTS, IPPROTO_ROUTING, 60}, 3);
			memset(e.sent.ext_units, words, 3);
			frame_build(&e.sent, &e.quoted);
			l4 = e.quoted.l4 - e.quoted.l3;
			error_make(&e, l4 + 8);
			rare_assert_forwarded(*state, &e.flow, WORLD_DSR, 1, &e.in);
			error_make(&e, l4 + 7);
			rare_assert(*state, &e.in, SHUNT_PASS_ICMP, XDP_PASS);
		}
}

static void what_is_in_front_of_the_error_does_not_matter(void **state)
{
	for (int i = 0; i < 2; i++)
		for (int way = 0; way < 3; way++) {
			struct error e;

			error_of(&e, families[i], IPPROTO_TCP, WORLD_GUE6);
			e.outer.tags = (uint8_t)way;
			e.outer.option_words = (uint8_t)(2 * way);
			e.outer.n_ext = (uint8_t)way;
			memcpy(e.outer.ext, (uint8_t[]){IPPROTO_HOPOPTS, IPPROTO_DSTOPTS}, 2);
			memset(e.outer.ext_units, 1, 2);
			error_make(&e, 0);
			rare_assert_forwarded(*state, &e.flow, WORLD_GUE6, 1, &e.in);
		}
}

/* A first fragment has the ports, a later one has not. */
static void a_quoted_fragment_counts_if_it_is_the_first(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct piece first = {.id = 7, .len = 24, .more = true};
		struct piece later = {.id = 7, .from = 8, .len = 24};
		struct frame piece;
		struct error e;

		error_of(&e, families[i], IPPROTO_UDP, WORLD_DSR);
		rare_piece(&e.sent, &e.quoted, &first, &piece);
		e.message.body = piece.bytes + piece.l3;
		e.message.len = piece.l3_len;
		rare_icmp(&e.outer, &e.message, &e.in);
		rare_assert_forwarded(*state, &e.flow, WORLD_DSR, 1, &e.in);
		rare_piece(&e.sent, &e.quoted, &later, &piece);
		e.message.len = piece.l3_len;
		rare_icmp(&e.outer, &e.message, &e.in);
		rare_assert(*state, &e.in, SHUNT_PASS_ICMP, XDP_PASS);
	}
}

static void an_error_follows_a_remembered_flow_and_starts_none(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, 4, IPPROTO_TCP, WORLD_DSR);
	struct outcome o;
	struct error e;

	svc->flags |= SHUNT_SVC_FLOWS;
	svc->backends = 7;
	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = (uint16_t)(1 + i % 7);
	error_of(&e, 4, IPPROTO_TCP, WORLD_DSR);
	fixture_run(f, &e.in, &o);
	assert_int_equal(o.rows, 1);
	assert_int_equal(o.flows, 0);
	for (int i = 0; i < WORLD_FLOW_BUCKETS * SHUNT_FLOWS_PER_BUCKET; i++)
		assert_int_equal(
			f->flows[i / SHUNT_FLOWS_PER_BUCKET].word[i % SHUNT_FLOWS_PER_BUCKET], 0);
	for (uint16_t port = 2000; port < 2014; port++) {
		struct frame syn;

		e.flow.sport = e.sent.dport = port;
		e.flow.tcp_flags = TCP_FLAG_SYN;
		frame_build(&e.flow, &syn);
		fixture_run(f, &syn, &o);
		assert_int_equal(o.rows, 1);
		error_make(&e, 28);
		rare_assert_forwarded(f, &e.flow, WORLD_DSR, (uint8_t)(o.row - svc->row), &e.in);
	}
}

static void passes(struct fixture *f, struct error *e)
{
	error_make(e, 0);
	rare_assert(f, &e->in, SHUNT_PASS_ICMP, XDP_PASS);
}

static void errors_about_nothing_of_a_service_are_the_stacks(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct error e;

		error_of(&e, families[i], IPPROTO_TCP, WORLD_DSR);
		e.sent.sport = 9;
		passes(*state, &e);
		error_of(&e, families[i], IPPROTO_TCP, WORLD_DSR);
		e.sent.src[i ? 15 : 3] ^= 1; /* another of our addresses */
		passes(*state, &e);
		error_of(&e, families[i], IPPROTO_TCP, WORLD_DSR);
		e.outer.dst[i ? 15 : 3] ^= 0x40; /* to nobody */
		passes(*state, &e);
		error_of(&e, families[i], 132, WORLD_DSR);
		passes(*state, &e);
		error_of(&e, families[i], i ? IPPROTO_ICMPV6 : IPPROTO_ICMP, WORLD_DSR);
		passes(*state, &e); /* an error about an error, or an echo */
		error_of(&e, families[i], IPPROTO_TCP, WORLD_DSR);
		e.message.type = i ? 137 : 5; /* a redirect */
		passes(*state, &e);
	}
}

static void without_a_backend_it_is_as_with_any_packet(void **state)
{
	struct error e;

	error_of(&e, 4, IPPROTO_UDP, WORLD_EMPTY_DROP);
	rare_assert(*state, &e.in, SHUNT_DROP_NO_BACKEND, XDP_DROP);
	error_of(&e, 6, IPPROTO_UDP, WORLD_EMPTY_PASS);
	rare_assert(*state, &e.in, SHUNT_PASS_NO_BACKEND, XDP_PASS);
	error_of(&e, 6, IPPROTO_UDP, WORLD_UNUSABLE);
	rare_assert(*state, &e.in, SHUNT_DROP_NO_BACKEND, XDP_DROP);
}

/* Nobody is told of an error that could not be delivered. */
static void an_error_about_an_error_is_never_sent(void **state)
{
	struct fixture *f = *state;
	struct error e;

	for (int i = 0; i < 2; i++) {
		error_of(&e, families[i], IPPROTO_TCP, WORLD_IPIP4);
		e.outer.ttl = 1;
		error_make(&e, 0);
		rare_assert(f, &e.in, SHUNT_DROP_TTL, XDP_DROP);
		e.outer.ttl = 64;
		error_make(&e, 0);
		f->backends[world_row(families[i], IPPROTO_TCP, WORLD_IPIP4) + 1].mtu = 90;
		rare_assert(f, &e.in, SHUNT_DROP_TOO_BIG, XDP_DROP);
	}
}

static void an_error_from_nobody_is_dropped(void **state)
{
	struct error e;

	error_of(&e, 4, IPPROTO_TCP, WORLD_DSR);
	e.outer.src[0] = 127;
	error_make(&e, 0);
	rare_assert(*state, &e.in, SHUNT_DROP_BAD_SOURCE, XDP_DROP);
	error_of(&e, 6, IPPROTO_TCP, WORLD_DSR);
	e.outer.src[0] = 0xff;
	error_make(&e, 0);
	rare_assert(*state, &e.in, SHUNT_DROP_BAD_SOURCE, XDP_DROP);
}

/* ---- echo ---------------------------------------------------------------------------------------*/

static struct recipe asks(uint8_t family)
{
	return world_recipe(family, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, WORLD_DSR);
}

static struct icmp request(uint8_t family, const uint8_t *body, size_t len)
{
	return (struct icmp){
		.type = family == 4 ? 8 : 128, .rest = 0x12340001, .body = body, .len = len};
}

/* The answer, built anew: from the address asked, all else as it was. */
static void answered(struct fixture *f, const struct recipe *r, const struct icmp *m,
		     const struct frame *in)
{
	struct recipe back = *r;
	struct icmp reply = *m;
	struct frame must;
	struct outcome o;

	swap(back.src, back.dst);
	memcpy(back.smac, r->dmac, 6);
	memcpy(back.dmac, r->smac, 6);
	back.ttl = 64;
	reply.type = r->family == 4 ? 0 : 129;
	rare_icmp(&back, &reply, &must);
	fixture_run(f, in, &o);
	assert_int_equal(o.verdict, SHUNT_REPLY_ECHO);
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.rows, 0);
	assert_int_equal(o.action, XDP_TX);
	assert_same_frame(&o.out, &must);
	fixture_run_poisoned(f, in, 0xa5, &o);
	assert_same_frame(&o.out, &must);
}

static void an_echo_request_to_a_live_address_is_answered(void **state)
{
	static const size_t lengths[] = {0, 1, 2, 3, 17, 56, 57, 1400, 1472, 3000};
	uint8_t body[3000];
	struct frame in;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 31 + 7);
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 10; k++)
			for (uint8_t tags = 0; tags < 3; tags++) {
				struct recipe r = asks(families[i]);
				struct icmp m = request(families[i], body, lengths[k]);

				r.tags = tags;
				rare_icmp(&r, &m, &in);
				answered(*state, &r, &m, &in);
			}
}

static void not_answered(struct fixture *f, const struct recipe *r, const struct icmp *m)
{
	struct outcome o;
	struct frame in;

	rare_icmp(r, m, &in);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdict, SHUNT_PASS_ICMP);
	assert_int_equal(o.action, XDP_PASS);
	assert_same_frame(&o.out, &in);
}

static void otherwise_it_is_left_to_the_stack(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct recipe r = asks(families[i]), other;
		struct icmp m = request(families[i], NULL, 0);

		other = r;
		other.dst[i ? 15 : 3] ^= 0x40; /* no service's */
		not_answered(*state, &other, &m);
		other = r;
		other.option_words = 1;
		other.n_ext = 1;
		other.ext[0] = IPPROTO_DSTOPTS;
		other.ext_units[0] = 1;
		not_answered(*state, &other, &m);
		m.code = 1;
		not_answered(*state, &r, &m);
		m.code = 0;
		m.type = i ? 129 : 0;
		not_answered(*state, &r, &m);
		m.type = i ? 135 : 13; /* who has, what time is it */
		not_answered(*state, &r, &m);
		world_vip(*state, families[i], WORLD_DSR, false);
		m = request(families[i], NULL, 0);
		not_answered(*state, &r, &m);
	}
}

/* The stack drops it, and counts it where people look. */
static void a_bad_checksum_is_not_answered(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct recipe r = asks(families[i]);
		struct icmp m = request(families[i], (const uint8_t *)"abcdefg", 7);
		struct frame in;

		rare_icmp(&r, &m, &in);
		for (size_t at = in.l4 + 2; at < in.len; at++) {
			struct frame broken = in;

			broken.bytes[at] ^= 0x10;
			rare_assert(*state, &broken, SHUNT_PASS_ICMP, XDP_PASS);
		}
	}
}

/* RFC 1122 section 3.2.2.6, RFC 4443 section 4.2: not to what is not one host, nor to ourselves. */
static void nobody_in_particular_is_not_answered(void **state)
{
	static const uint8_t sources4[][4] = {
		{0, 0, 0, 0},	{0, 1, 2, 3},	      {127, 0, 0, 1},	{224, 0, 0, 1},
		{240, 1, 1, 1}, {255, 255, 255, 255}, {203, 0, 113, 10}};
	static const uint8_t sources6[][16] = {{0},
					       {[15] = 1},
					       {[10] = 0xff, 0xff, 192, 0, 2, 1},
					       {0xff, 2, [15] = 1},
					       {0x20, 1, 0xd, 0xb8, [15] = 0x10}};
	struct icmp m4 = request(4, NULL, 0), m6 = request(6, NULL, 0);
	struct recipe r = asks(4);

	for (int i = 0; i < 7; i++) {
		memcpy(r.src, sources4[i], 4);
		not_answered(*state, &r, &m4);
	}
	r = asks(4);
	r.dmac[0] |= 1; /* came as a broadcast */
	not_answered(*state, &r, &m4);
	r = asks(6);
	for (int i = 0; i < 5; i++) {
		memcpy(r.src, sources6[i], 16);
		not_answered(*state, &r, &m6);
	}
}

/* ---- every length -------------------------------------------------------------------------------*/

static void no_length_of_a_frame_is_sent_but_its_own(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct icmp m = request(families[i / 2], (const uint8_t *)"abcdefghij", 10);
		struct recipe r = asks(families[i / 2]);
		struct outcome o;
		struct error e;

		error_of(&e, families[i / 2], IPPROTO_TCP, WORLD_IPIP4);
		if (i % 2)
			rare_icmp(&r, &m, &e.in);
		for (size_t len = 14; len < e.in.len; len++) {
			struct frame in = e.in;

			in.len = len;
			fixture_run(*state, &in, &o);
			assert_int_equal(o.verdicts, 1);
			assert_int_equal(o.action, XDP_DROP);
		}
	}
}

/* A message whose IP header ends it anywhere: never sent on with less than is needed. */
static void short_messages_are_the_stacks(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct error e;

		error_of(&e, families[i], IPPROTO_TCP, WORLD_DSR);
		for (size_t len = 1; len < (i ? 48u : 28u); len++) {
			error_make(&e, len);
			rare_assert(*state, &e.in, SHUNT_PASS_ICMP, XDP_PASS);
		}
		for (size_t len = 0; len < 8; len++) {
			error_make(&e, 40);
			put16(e.in.bytes + e.in.l3 + (i ? 4 : 2), (uint16_t)(len + (i ? 0 : 20)));
			rare_assert(*state, &e.in, SHUNT_PASS_ICMP, XDP_PASS);
		}
	}
}

#define CASE(test) cmocka_unit_test_setup(test, rare_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(errors_go_to_the_backend_that_has_the_flow),
		CASE(all_kinds_of_errors_go),
		CASE(eight_bytes_of_the_transport_header_are_enough),
		CASE(what_is_in_front_of_the_error_does_not_matter),
		CASE(a_quoted_fragment_counts_if_it_is_the_first),
		CASE(an_error_follows_a_remembered_flow_and_starts_none),
		CASE(errors_about_nothing_of_a_service_are_the_stacks),
		CASE(without_a_backend_it_is_as_with_any_packet),
		CASE(an_error_from_nobody_is_dropped),
		CASE(an_error_about_an_error_is_never_sent),
		CASE(an_echo_request_to_a_live_address_is_answered),
		CASE(otherwise_it_is_left_to_the_stack),
		CASE(a_bad_checksum_is_not_answered),
		CASE(nobody_in_particular_is_not_answered),
		CASE(no_length_of_a_frame_is_sent_but_its_own),
		CASE(short_messages_are_the_stacks),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
