/* SPDX-License-Identifier: BSD-2-Clause */
/* What passing packets tell of a backend: SYNs that come again, refusals, and errors. */
#include "fixture_nat_error.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t families[] = {4, 6};

/* What is remembered of SYNs is each CPU's own. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void look_at(struct fixture *f, uint32_t row)
{
	f->backends[row].flags |= SHUNT_BE_PASSIVE;
}

static uint64_t repeats(const struct fixture *f, uint32_t row)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < f->cpus; cpu++)
		sum += f->counters[cpu * WORLD_ROWS + row].repeats;
	return sum;
}

#define FIRST 1ull
#define AGAIN (1ull << 32)

/* A SYN from @sport with that sequence number comes, and leaves. */
static void syn_of(struct fixture *f, struct recipe r, uint16_t sport, uint32_t seq)
{
	struct frame in;
	struct outcome o;

	r.sport = sport;
	r.tcp_flags = TCP_FLAG_SYN;
	r.payload = 0;
	frame_build(&r, &in);
	put32(in.bytes + in.l4 + 4, seq);
	fixture_run(f, &in, &o);
	assert_int_equal(o.flows, 1);
}

/* ---- SYNs ---------------------------------------------------------------------------------------*/

static void a_syn_with_the_same_number_has_come_again(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		for (int kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
			struct recipe r = world_recipe(families[i], IPPROTO_TCP, kind);
			uint32_t row = world_row(families[i], IPPROTO_TCP, kind) + 1;

			look_at(f, row);
			syn_of(f, r, 1000, 5);
			assert_int_equal(repeats(f, row), 0);
			syn_of(f, r, 1000, 5);
			assert_int_equal(repeats(f, row), FIRST);
			syn_of(f, r, 1000, 5);
			syn_of(f, r, 1000, 5);
			assert_int_equal(repeats(f, row), FIRST + 2 * AGAIN);
		}
}

static void one_with_another_number_or_port_is_new(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = world_recipe(families[i], IPPROTO_TCP, WORLD_DSR);
		uint32_t row = world_row(families[i], IPPROTO_TCP, WORLD_DSR) + 1;

		look_at(f, row);
		for (uint32_t n = 0; n < 100; n++) {
			syn_of(f, r, 1000, n << 24);
			syn_of(f, r, (uint16_t)(2000 + n), 7);
		}
		r.src[3]++;
		syn_of(f, r, 1000, 0);
		assert_int_equal(repeats(f, row), 0);
	}
}

static void who_is_not_looked_at_is_not_counted(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	uint32_t row = world_row(4, IPPROTO_TCP, WORLD_DSR) + 1;

	syn_of(f, r, 1000, 5);
	syn_of(f, r, 1000, 5);
	assert_int_equal(repeats(f, row), 0);
	look_at(f, row);
	syn_of(f, r, 1000, 5);
	assert_int_equal(repeats(f, row), 0); /* nothing was remembered before */
}

static void other_packets_are_not_counted(void **state)
{
	static const uint8_t flags[] = {TCP_FLAG_ACK, SYN_ACK, TCP_FLAG_RST, TCP_FLAG_FIN};
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++) {
		struct recipe r = world_recipe(4, i < 4 ? IPPROTO_TCP : IPPROTO_UDP, WORLD_DSR);
		uint32_t row = world_row(4, r.proto, WORLD_DSR) + 1;
		struct frame in;
		struct outcome o;

		look_at(f, row);
		if (i < 4)
			r.tcp_flags = flags[i];
		frame_build(&r, &in);
		for (int n = 0; n < 3; n++)
			fixture_run(f, &in, &o);
		assert_int_equal(repeats(f, row), 0);
	}
}

static void udp_that_is_remembered_is_no_syn(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_DSR);
	uint32_t row = world_row(4, IPPROTO_UDP, WORLD_DSR) + 1;
	struct frame in;
	struct outcome o;

	world_service(f, 4, IPPROTO_UDP, WORLD_DSR)->flags |= SHUNT_SVC_FLOWS;
	look_at(f, row);
	frame_build(&r, &in);
	for (int n = 0; n < 3; n++) {
		memset(f->flows, 0, WORLD_FLOW_BUCKETS * sizeof(*f->flows));
		fixture_run(f, &in, &o);
		assert_int_equal(o.flows, 1);
	}
	assert_int_equal(repeats(f, row), 0);
}

/* Whoever was moved meets another backend, which has not been asked yet. */
static void at_another_backend_it_is_new(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	struct shunt_service *svc = world_service(f, 4, IPPROTO_TCP, WORLD_DSR);
	uint32_t row = world_row(4, IPPROTO_TCP, WORLD_DSR) + 1;

	f->backends[row + 1] = f->backends[row];
	svc->backends = 2;
	look_at(f, row);
	look_at(f, row + 1);
	syn_of(f, r, 1000, 5);
	for (uint32_t i = 0; i <= svc->slot_mask; i++)
		*world_slot(f, svc, i) = 2;
	syn_of(f, r, 1000, 5);
	assert_int_equal(repeats(f, row), 0);
	assert_int_equal(repeats(f, row + 1), 0);
	syn_of(f, r, 1000, 5);
	assert_int_equal(repeats(f, row), 0);
	assert_int_equal(repeats(f, row + 1), FIRST);
}

/* SYNs of nobody do not come again, and as many as there is room for write over what there was. */
static void a_flood_counts_nothing_and_hides_what_comes_again(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	uint32_t row = world_row(4, IPPROTO_TCP, WORLD_DSR) + 1, port = 0;

	look_at(f, row);
	syn_of(f, r, 999, 5);
	for (uint32_t i = 0; i < 12 * SHUNT_SYNS; i++) {
		port = port % 60000 + 1000;
		syn_of(f, r, (uint16_t)port, i);
	}
	assert_int_equal(repeats(f, row), 0);
	syn_of(f, r, 999, 5);
	assert_int_equal(repeats(f, row), 0);
}

/* Of SYNs from 500 connections a second a second's are all but a few known when they come again. */
static void most_of_a_thousand_are_known_again(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(6, IPPROTO_TCP, WORLD_IPIP6);
	uint32_t row = world_row(6, IPPROTO_TCP, WORLD_IPIP6) + 1;

	look_at(f, row);
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 1000; i++)
			syn_of(f, r, (uint16_t)(1000 + i), i * 77777);
	assert_in_range(repeats(f, row), 900, 1000);
}

/* ---- NAT ----------------------------------------------------------------------------------------*/

/* Has the translating service, and backend 1 looked at; its row. */
static uint32_t nat_look(struct fixture *f)
{
	struct shunt_service *svc = nat_service(f, IPPROTO_TCP, SHUNT_NAT);

	look_at(f, svc->row + 1);
	return svc->row + 1;
}

static void syn_through_nat(struct fixture *f, uint16_t sport, struct recipe *r, struct recipe *t)
{
	*r = nat_request(IPPROTO_TCP, sport);
	r->tcp_flags = TCP_FLAG_SYN;
	nat_forwarded(f, r, 1, t);
}

static void answer_with(struct fixture *f, const struct recipe *t, uint8_t flags)
{
	struct recipe a = nat_answer(t);
	struct outcome o;

	a.tcp_flags = flags;
	nat_arrive(f, &a, &o);
	assert_int_equal(o.verdict, SHUNT_RETURN_NAT);
}

static void a_translated_syn_comes_again_too(void **state)
{
	struct fixture *f = *state;
	uint32_t row = nat_look(f);
	struct recipe r = nat_request(IPPROTO_TCP, 4000);

	syn_of(f, r, 4000, 5);
	syn_of(f, r, 4000, 5);
	assert_int_equal(repeats(f, row), FIRST);
	syn_of(f, r, 4000, 6);
	assert_int_equal(repeats(f, row), FIRST);
}

static void a_rst_as_the_first_answer_is_a_refusal(void **state)
{
	struct fixture *f = *state;
	uint32_t row = nat_look(f);
	struct recipe r, t;

	for (uint16_t i = 0; i < 3; i++) {
		syn_through_nat(f, (uint16_t)(4000 + i), &r, &t);
		answer_with(f, &t, TCP_FLAG_RST | TCP_FLAG_ACK);
		assert_int_equal(f->signs[row].refused, i + 1);
		answer_with(f, &t, TCP_FLAG_RST | TCP_FLAG_ACK);
		assert_int_equal(f->signs[row].refused, i + 1);
	}
	assert_int_equal(f->signs[row].unreachable, 0);
}

static void a_rst_after_an_answer_is_none(void **state)
{
	struct fixture *f = *state;
	uint32_t row = nat_look(f);
	struct recipe r, t;

	syn_through_nat(f, 4000, &r, &t);
	answer_with(f, &t, SYN_ACK);
	answer_with(f, &t, TCP_FLAG_RST);
	assert_int_equal(f->signs[row].refused, 0);
	f->backends[row].flags &= ~SHUNT_BE_PASSIVE;
	syn_through_nat(f, 4001, &r, &t);
	answer_with(f, &t, TCP_FLAG_RST);
	assert_int_equal(f->signs[row].refused, 0);
}

static void errors_about_translated_packets_are_counted(void **state)
{
	struct fixture *f = *state;
	uint32_t row = nat_look(f);
	struct recipe r, t, router;
	struct frame error;
	struct outcome o;

	syn_through_nat(f, 4000, &r, &t);
	router = nat_router_of(&t);
	nat_error_about(&router, &t, 200, &error);
	fixture_run(f, &error, &o);
	assert_int_equal(o.verdict, SHUNT_RETURN_NAT);
	assert_int_equal(f->signs[row].unreachable, 1);
	nat_error_of(&router, &t, 200,
		     (struct icmp){.type = t.family == 4 ? 3 : 2,
				   .code = t.family == 4 ? 4 : 0,
				   .rest = 1400},
		     &error);
	fixture_run(f, &error, &o);
	assert_int_equal(f->signs[row].unreachable, 1); /* too big: it is there */
	assert_int_equal(f->signs[row].refused, 0);
}

/* ---- tunnels ------------------------------------------------------------------------------------*/

/* What a router says of the tunnel's packet in @sent. */
static void error_about_tunnel(enum world_kind kind, const struct frame *sent, struct icmp m,
			       struct frame *out)
{
	const uint8_t family = world_way(kind)->family;
	const size_t l3 = 14 + 4u * world_way(kind)->tags;
	struct recipe from = {.family = family, .ttl = 60};

	memcpy(from.dst, sent->bytes + l3 + (family == 4 ? 12 : 8), family == 4 ? 4 : 16);
	from.src[0] = family == 4 ? 172 : 0xfd;
	from.src[1] = 0x1f;
	from.src[3] = 9;
	m.body = sent->bytes + l3;
	m.len = m.len ? m.len : sent->len - l3;
	rare_icmp(&from, &m, out);
}

static void send_syn(struct fixture *f, uint8_t family, enum world_kind kind, struct frame *sent)
{
	struct recipe r = world_recipe(family, IPPROTO_TCP, kind);
	struct frame in;
	struct outcome o;

	r.tcp_flags = TCP_FLAG_SYN;
	frame_build(&r, &in);
	fixture_run(f, &in, &o);
	*sent = o.out;
}

static const struct icmp no_protocol = {.type = 3, .code = 2};
static const struct icmp no_way6 = {.type = 1, .code = 0};

static void errors_about_tunnels_are_counted_and_passed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		for (int kind = WORLD_TUNNEL_FIRST; kind <= WORLD_TUNNEL_LAST; kind++) {
			uint32_t row = world_row(families[i], IPPROTO_TCP, kind) + 1;
			struct frame sent, error;
			struct outcome o;

			look_at(f, row);
			send_syn(f, families[i], kind, &sent);
			error_about_tunnel(kind, &sent,
					   world_way(kind)->family == 4 ? no_protocol : no_way6,
					   &error);
			fixture_run(f, &error, &o);
			assert_int_equal(o.verdict, SHUNT_PASS_ICMP);
			assert_int_equal(o.action, XDP_PASS);
			assert_int_equal(f->signs[row].unreachable, 1);
			assert_int_equal(f->signs[row].refused, 0);
			f->backends[row].flags &= ~SHUNT_BE_PASSIVE;
			fixture_run(f, &error, &o);
			assert_int_equal(f->signs[row].unreachable, 1);
		}
}

/* Runs the error, which says nothing of anybody. */
static void says_nothing(struct fixture *f, const struct frame *error)
{
	struct outcome o;

	fixture_run(f, error, &o);
	assert_int_equal(o.verdict, SHUNT_PASS_ICMP);
	for (uint32_t row = 0; row < WORLD_ROWS; row++)
		assert_int_equal(f->signs[row].unreachable, 0);
}

static void other_errors_about_tunnels_say_nothing(void **state)
{
	struct fixture *f = *state;
	struct frame sent, error, cut;

	look_at(f, world_row(4, IPPROTO_TCP, WORLD_IPIP4) + 1);
	send_syn(f, 4, WORLD_IPIP4, &sent);
	error_about_tunnel(WORLD_IPIP4, &sent, (struct icmp){.type = 3, .code = 4}, &error);
	says_nothing(f, &error); /* too big */
	error_about_tunnel(WORLD_IPIP4, &sent, (struct icmp){.type = 11}, &error);
	says_nothing(f, &error);
	error_about_tunnel(WORLD_IPIP4, &sent, (struct icmp){.type = 3, .len = 28}, &error);
	says_nothing(f, &error); /* whose flow it is it does not say */
	sent.bytes[14 + 19] ^= 1; /* another receiver */
	error_about_tunnel(WORLD_IPIP4, &sent, no_protocol, &error);
	says_nothing(f, &error);
	sent.bytes[14 + 19] ^= 1;
	error_about_tunnel(WORLD_IPIP4, &sent, no_protocol, &error);
	for (size_t len = 14; len < error.l4 + 8 + 20 + 24; len++) { /* up to the quoted ports */
		struct outcome o;

		cut = error;
		cut.len = len;
		fixture_run(f, &cut, &o);
		assert_int_equal(f->signs[world_row(4, IPPROTO_TCP, WORLD_IPIP4) + 1].unreachable,
				 0);
	}
	error.bytes[error.l3 + 19] ^= 1; /* to somebody who has not sent it */
	says_nothing(f, &error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_syn_with_the_same_number_has_come_again, fixture_reset),
		cmocka_unit_test_setup(one_with_another_number_or_port_is_new, fixture_reset),
		cmocka_unit_test_setup(who_is_not_looked_at_is_not_counted, fixture_reset),
		cmocka_unit_test_setup(other_packets_are_not_counted, fixture_reset),
		cmocka_unit_test_setup(udp_that_is_remembered_is_no_syn, fixture_reset),
		cmocka_unit_test_setup(at_another_backend_it_is_new, fixture_reset),
		cmocka_unit_test_setup(a_flood_counts_nothing_and_hides_what_comes_again,
				       fixture_reset),
		cmocka_unit_test_setup(most_of_a_thousand_are_known_again, fixture_reset),
		cmocka_unit_test_setup(a_translated_syn_comes_again_too, nat_setup),
		cmocka_unit_test_setup(a_translated_syn_comes_again_too, nat_setup6),
		cmocka_unit_test_setup(a_translated_syn_comes_again_too, nat_setup46),
		cmocka_unit_test_setup(a_rst_as_the_first_answer_is_a_refusal, nat_setup),
		cmocka_unit_test_setup(a_rst_as_the_first_answer_is_a_refusal, nat_setup6),
		cmocka_unit_test_setup(a_rst_as_the_first_answer_is_a_refusal, nat_setup64),
		cmocka_unit_test_setup(a_rst_after_an_answer_is_none, nat_setup),
		cmocka_unit_test_setup(errors_about_translated_packets_are_counted, nat_setup),
		cmocka_unit_test_setup(errors_about_translated_packets_are_counted, nat_setup6),
		cmocka_unit_test_setup(errors_about_tunnels_are_counted_and_passed, rare_setup),
		cmocka_unit_test_setup(other_errors_about_tunnels_say_nothing, rare_setup),
	};

	stay_on_one_cpu();
	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
