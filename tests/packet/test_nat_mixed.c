/* SPDX-License-Identifier: BSD-2-Clause */
/* Services some of whose backends translate and others do not, and backends that change their method. */
#include "fixture_nat_error.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* @r goes to backend @number as it is but for its layer 2 and a hop. */
static void assert_dsr(struct fixture *f, const struct recipe *r, uint8_t number)
{
	struct recipe must = nat_translated(r, number, r->sport);
	uint32_t before = nat_records(f);
	struct outcome o;

	memcpy(must.src, r->src, 16);
	memcpy(must.dst, r->dst, 16);
	must.dport = r->dport;
	nat_arrive(f, r, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.row, world_row(nat_family, r->proto, WORLD_DSR) + number);
	nat_assert_frame(&o.out, &must);
	assert_int_equal(nat_records(f), before);
}

static void a_service_may_mix_methods(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, nat_family, IPPROTO_TCP, WORLD_DSR);
	struct recipe old = nat_request(IPPROTO_TCP, 12345), new = nat_request(IPPROTO_TCP, 12346),
		      t;

	f->backends[world_row(nat_family, IPPROTO_TCP, WORLD_DSR) + 2].method = SHUNT_DSR;
	nat_forwarded(f, &old, 1, &t);
	nat_establish(f, &old, &t);
	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = 2;
	assert_dsr(f, &new, 2);
	nat_forwarded(f, &old, 1, &t);
	nat_assert_returned(f, &t, &old);
}

static void turns_of_other_methods_are_remembered(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, nat_family, IPPROTO_UDP, WORLD_DSR);
	uint32_t row = world_row(nat_family, IPPROTO_UDP, WORLD_DSR), rows[8];
	struct outcome o;

	svc->flags |= SHUNT_SVC_FLOWS;
	f->backends[row + 2].method = SHUNT_DSR;
	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = (uint16_t)(1 + i % 2);
	for (int round = 0; round < 3; round++)
		for (uint16_t n = 0; n < 8; n++) {
			struct recipe r = nat_request(IPPROTO_UDP, (uint16_t)(12345 + n));

			nat_arrive(f, &r, &o);
			assert_int_equal(o.verdicts, 0);
			assert_true(round == 0 || o.row == rows[n]);
			assert_int_equal(o.flows, round == 0);
			rows[n] = o.row;
			assert_int_equal(rows[n], rows[n & 1]); /* by turn */
		}
	assert_int_equal(nat_records(f), 4);
}

/* The pieces of a packet go to the backend that it would go to, whole, by that one's own method. */
static void pieces_follow_other_methods(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, nat_family, IPPROTO_UDP, WORLD_DSR);
	struct piece p = {.id = 77, .len = 64, .more = true};
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t;
	struct frame whole, leaves, in, out;

	f->backends[world_row(nat_family, IPPROTO_UDP, WORLD_DSR) + 2].method = SHUNT_DSR;
	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = 2;
	t = nat_translated(&r, 2, r.sport);
	memcpy(t.src, r.src, 16);
	memcpy(t.dst, r.dst, 16);
	t.dport = r.dport;
	r.payload = t.payload = 100;
	frame_build(&r, &whole);
	frame_build(&t, &leaves);
	for (int i = 0; i < 2; i++) {
		rare_piece(&r, &whole, &p, &in);
		rare_piece(&t, &leaves, &p, &out);
		nat_assert_leaves(f, &in, &out, false);
		p = (struct piece){.id = 77, .from = 64, .len = 44};
	}
	assert_int_equal(nat_records(f), 0);
}

/* An error about a flow of a backend that does not translate goes there as it came; one about a flow that
 * would be translated, and of which there is no connection, is the stack's. */
static void errors_follow_other_methods(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, nat_family, IPPROTO_TCP, WORLD_DSR);
	uint32_t row = world_row(nat_family, IPPROTO_TCP, WORLD_DSR);
	struct recipe r = nat_request(IPPROTO_TCP, 12345), sent = nat_answer(&r), router, t;
	struct frame in, out;
	struct outcome o;

	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = 2;
	router = nat_router_of(&sent);
	nat_error_about(&router, &sent, 60, &in);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdict, SHUNT_PASS_ICMP);
	f->backends[row + 2].method = SHUNT_DSR;
	t = nat_translated(&router, 2, router.sport);
	memcpy(t.src, router.src, 16);
	memcpy(t.dst, router.dst, 16);
	nat_error_about(&t, &sent, 60, &out);
	nat_assert_leaves(f, &in, &out, false);
	svc->flags = SHUNT_SVC_NAT | SHUNT_SVC_TURNS; /* all of whose backends translate */
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdict, SHUNT_PASS_ICMP);
}

/* While the daemon writes, flags and rows are those of before or those of after. */
static void nothing_is_lost_while_the_method_changes(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 12345), udp = nat_request(IPPROTO_UDP, 12345), t;
	struct shunt_service *svc = world_service(f, nat_family, IPPROTO_TCP, WORLD_DSR);
	struct shunt_backend *be = &f->backends[world_row(nat_family, IPPROTO_TCP, WORLD_DSR) + 1];

	svc->flags = 0;
	nat_forwarded(f, &r, 1, &t); /* the row first */
	nat_establish(f, &r, &t);
	svc->flags = SHUNT_SVC_NAT;
	be->method = SHUNT_DSR; /* the row first, the other way */
	assert_dsr(f, &r, 1);
	svc->flags = 0;
	assert_dsr(f, &r, 1);
	svc = world_service(f, nat_family, IPPROTO_UDP, WORLD_DSR);
	svc->flags = SHUNT_SVC_FLOWS;
	nat_forwarded(f, &udp, 1, &t);
	nat_establish(f, &udp, &t);
}

#define T4(name) cmocka_unit_test_setup(name, nat_setup)
#define T6(name)                                                                                   \
	{                                                                                          \
#name " (IPv6)", name, nat_setup6, NULL, NULL                                      \
	}
#define T(name) T4(name), T6(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_service_may_mix_methods),
		T(turns_of_other_methods_are_remembered),
		T(pieces_follow_other_methods),
		T(errors_follow_other_methods),
		T(nothing_is_lost_while_the_method_changes),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
