/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of translated connections: their ports, their backends, their end.  Ages are written by hand,
 * since no test waits for a timeout. */
#include "fixture_nat.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* ---- ports --------------------------------------------------------------------------------------*/

static void the_clients_own_port_is_kept_where_it_is_free(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 12345), other = r, t1, t2;

	other.src[3]++;
	assert_int_equal(nat_forwarded(f, &r, 1, &t1), 12345);
	assert_int_not_equal(nat_forwarded(f, &other, 1, &t2), 12345);
	nat_assert_returned(f, &t1, &r);
	nat_assert_returned(f, &t2, &other);
}

static void every_connection_has_a_port_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct recipe t;
	uint16_t ports[8];

	f->nat_ctl->first_port = 20000;
	f->nat_ctl->ports = 8;
	for (uint16_t n = 0; n < 7; n++) { /* with 48 tries of 8 the last but one is found */
		struct recipe r = nat_request(IPPROTO_TCP, (uint16_t)(50000 + n));

		ports[n] = nat_forwarded(f, &r, 1, &t);
		assert_in_range(ports[n], 20000, 20007);
		for (int i = 0; i < n; i++)
			assert_int_not_equal(ports[i], ports[n]);
	}
}

static void without_a_free_port_there_is_a_verdict(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 50000), second = nat_request(IPPROTO_TCP, 50001),
		      t;

	f->nat_ctl->ports = 1;
	assert_int_equal(nat_forwarded(f, &r, 1, &t), FIRST_PORT);
	nat_establish(f, &r, &t);
	nat_assert_verdict(f, &second, SHUNT_DROP_NAT_EXHAUSTED);
	assert_int_equal(nat_records(f), 1);
	second.proto = IPPROTO_UDP; /* another tuple */
	assert_int_equal(nat_forwarded(f, &second, 1, &t), FIRST_PORT);
	/* A port whose connection is void is free. */
	nat_pass_time(f, nat_life(SHUNT_NAT_T_ESTABLISHED) + SHUNT_NAT_GRACE + 1);
	second.proto = IPPROTO_TCP;
	assert_int_equal(nat_forwarded(f, &second, 1, &t), FIRST_PORT);
	nat_assert_returned(f, &t, &second);
}

static void a_backend_without_an_address_of_ours_gets_nothing(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 50000);

	memset(f->backends[world_row(nat_family, IPPROTO_TCP, WORLD_DSR) + 1].source, 0, 16);
	nat_assert_verdict(f, &r, SHUNT_DROP_NAT_EXHAUSTED);
	assert_int_equal(nat_records(f), 0);
}

static void pools_spread_clients_and_keep_each(void **state)
{
	struct fixture *f = *state;
	struct shunt_backend *be = &f->backends[world_row(nat_family, IPPROTO_UDP, WORLD_DSR) + 1];
	uint32_t seen[3] = {0};

	f->nat_ctl->pool[7].n = 3;
	for (uint8_t i = 0; i < 3; i++)
		memcpy(f->nat_ctl->pool[7].addr[i], (uint8_t[]){192, 0, 2, i}, 4);
	be->nat_pool = 7;
	for (uint8_t n = 0; n < 90; n++) {
		struct recipe r = nat_request(IPPROTO_UDP, 40000);
		struct outcome a, b;

		if (n % 5 == 0) {
			memset(f->nat_requests, 0, WORLD_NAT_BUCKETS * 64);
			memset(f->nat_replies, 0, WORLD_NAT_BUCKETS * 128);
		}
		r.src[3] = n;
		nat_arrive(f, &r, &a);
		r.sport++;
		nat_arrive(f, &r, &b);
		assert_memory_equal(a.out.bytes + 26, b.out.bytes + 26, 4);
		assert_in_range(a.out.bytes[29], 0, 2);
		seen[a.out.bytes[29]]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(seen[i], 15, 60);
}

/* ---- a full table -------------------------------------------------------------------------------*/

static void a_full_table_takes_nobody_in_and_nothing_away(void **state)
{
	struct fixture *f = *state;
	struct recipe r[100], t[100];
	struct outcome o;
	int opened = 0;

	for (uint16_t n = 0; n < 100; n++) {
		r[opened] = nat_request(IPPROTO_TCP, (uint16_t)(20000 + n));
		nat_arrive(f, &r[opened], &o);
		if (o.verdicts) {
			assert_int_equal(o.verdict, SHUNT_DROP_NAT_FULL);
			continue;
		}
		t[opened] = nat_translated(&r[opened], 1, nat_port_of(&o, &r[opened]));
		nat_establish(f, &r[opened], &t[opened]);
		opened++;
	}
	assert_int_equal(opened, WORLD_NAT_RECORDS);
	assert_int_equal(nat_records(f), WORLD_NAT_RECORDS);
	for (int i = 0; i < opened; i++)
		nat_establish(f, &r[i], &t[i]);
	/* Void, but not long enough for others. */
	nat_pass_time(f, nat_life(SHUNT_NAT_T_ESTABLISHED) + 1);
	r[0].sport = 1;
	nat_assert_verdict(f, &r[0], SHUNT_DROP_NAT_FULL);
	nat_pass_time(f, SHUNT_NAT_GRACE);
	nat_forwarded(f, &r[0], 1, &t[0]);
	nat_assert_returned(f, &t[0], &r[0]);
	assert_int_equal(nat_records(f), WORLD_NAT_RECORDS);
}

/* With three quarters of the reply buckets full, some port has a place. */
static void a_full_bucket_of_replies_leaves_the_others(void **state)
{
	struct fixture *f = *state;
	size_t most = 6 * sizeof(*f->nat_replies);
	struct outcome o;

	for (uint16_t n = 0; n < 128; n++) {
		struct recipe r = nat_request(IPPROTO_UDP, (uint16_t)(FIRST_PORT + n));

		memset(f->nat_requests, 0, WORLD_NAT_BUCKETS * sizeof(*f->nat_requests));
		memset(f->nat_replies, 0xff, most);
		memset(f->nat_replies + 6, 0, 2 * sizeof(*f->nat_replies));
		nat_arrive(f, &r, &o);
		assert_int_equal(o.verdicts, 0);
		memset(f->nat_replies, 0xff, most + 2 * sizeof(*f->nat_replies));
		r.sport ^= 0x8000;
		nat_assert_verdict(f, &r, SHUNT_DROP_NAT_FULL);
	}
}

static void replies_alone_keep_a_connection(void **state)
{
	struct fixture *f = *state;
	struct recipe r[8], t[8], late;
	struct outcome o;

	for (uint16_t n = 0; n < 8; n++) {
		r[n] = nat_request(IPPROTO_UDP, (uint16_t)(20000 + n));
		nat_forwarded(f, &r[n], 1, &t[n]);
	}
	for (int round = 0; round < 3; round++) {
		nat_pass_time(f, nat_timeouts[SHUNT_NAT_T_UDP] - 1);
		for (int n = 0; n < 8; n++)
			nat_assert_returned(f, &t[n], &r[n]);
	}
	for (uint16_t n = 0; n < 100; n++) { /* the words of the eight seem ready to be taken */
		late = nat_request(IPPROTO_UDP, (uint16_t)(30000 + n));
		nat_arrive(f, &late, &o);
	}
	assert_int_equal(nat_records(f), WORLD_NAT_RECORDS);
	for (int n = 0; n < 8; n++)
		nat_assert_returned(f, &t[n], &r[n]);
}

/* ---- time and TCP -------------------------------------------------------------------------------*/

/* Sends a segment with the flags from the client, or the backend's answer to @t. */
static void segment(struct fixture *f, const struct recipe *r, const struct recipe *t, bool client,
		    uint8_t flags)
{
	struct recipe s = client ? *r : nat_answer(t);
	struct outcome o;

	s.tcp_flags = flags;
	nat_arrive(f, &s, &o);
	assert_int_equal(o.action, XDP_TX);
}

/* The record is alive after @type's timeout less one and void after it. */
static void assert_lives(struct fixture *f, const struct recipe *t, enum shunt_nat_timeout type)
{
	struct recipe a = nat_answer(t);
	struct shunt_nat_conn *conn = nat_only_record(f), before = *conn;
	uint32_t seen = conn->seen;
	struct outcome o;

	a.tcp_flags = TCP_FLAG_ACK;
	assert_int_equal(conn->until, seen + nat_life(type));
	/* A tick may pass while the test runs. */
	conn->until = seen + 1;
	nat_backs_clear(f);
	nat_arrive(f, &a, &o);
	assert_int_equal(o.verdict, SHUNT_RETURN_NAT);
	*conn = before;
	conn->until = seen - 1;
	nat_backs_clear(f);
	nat_arrive(f, &a, &o);
	assert_int_equal(o.verdict, SHUNT_PASS_NOT_VIP);
	*conn = before;
}

static void each_state_has_its_timeout(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), t;

	r.tcp_flags = TCP_FLAG_SYN;
	nat_forwarded(f, &r, 1, &t);
	assert_lives(f, &t, SHUNT_NAT_T_SYN);
	segment(f, &r, &t, false, SYN_ACK);
	assert_lives(f, &t, SHUNT_NAT_T_SYN);
	segment(f, &r, &t, true, TCP_FLAG_SYN); /* once more */
	assert_lives(f, &t, SHUNT_NAT_T_SYN);
	segment(f, &r, &t, true, TCP_FLAG_ACK);
	assert_lives(f, &t, SHUNT_NAT_T_ESTABLISHED);
	segment(f, &r, &t, true, TCP_FLAG_SYN); /* forged or lost: nothing is closed by it */
	assert_lives(f, &t, SHUNT_NAT_T_ESTABLISHED);
	segment(f, &r, &t, true, TCP_FLAG_FIN | TCP_FLAG_ACK);
	assert_lives(f, &t, SHUNT_NAT_T_ESTABLISHED);
	segment(f, &r, &t, false, TCP_FLAG_FIN | TCP_FLAG_ACK);
	assert_lives(f, &t, SHUNT_NAT_T_CLOSING);
	segment(f, &r, &t, true, TCP_FLAG_ACK);
	assert_lives(f, &t, SHUNT_NAT_T_CLOSING);
	segment(f, &r, &t, true, TCP_FLAG_SYN); /* the same ports once more */
	assert_lives(f, &t, SHUNT_NAT_T_SYN);
}

static void a_reset_holds_until_something_follows(void **state)
{
	struct fixture *f = *state;

	for (int client = 0; client < 2; client++) {
		struct recipe r = nat_request(IPPROTO_TCP, 40123), t;

		nat_setup_again(state);
		nat_forwarded(f, &r, 1, &t);
		segment(f, &r, &t, false, SYN_ACK);
		segment(f, &r, &t, true, TCP_FLAG_ACK);
		segment(f, &r, &t, client, TCP_FLAG_RST);
		assert_lives(f, &t, SHUNT_NAT_T_RESET);
		segment(f, &r, &t, false, TCP_FLAG_ACK);
		assert_lives(f, &t, SHUNT_NAT_T_ESTABLISHED);
	}
}

static void udp_has_its_timeout(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 40123), t;

	nat_forwarded(f, &r, 1, &t);
	assert_lives(f, &t, SHUNT_NAT_T_UDP);
}

static void a_void_connection_opens_anew(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 40123), t, t2;
	uint16_t port = nat_forwarded(f, &r, 1, &t);

	nat_pass_time(f, nat_life(SHUNT_NAT_T_UDP) + SHUNT_NAT_GRACE + 1);
	assert_int_equal(nat_forwarded(f, &r, 1, &t2),
			 port); /* the old one's, which is free again */
	nat_assert_returned(f, &t2, &r);
	assert_int_equal(nat_records(f), 1);
}

/* ---- backends -----------------------------------------------------------------------------------*/

static void all_slots(struct fixture *f, uint8_t proto, uint16_t number)
{
	struct shunt_service *svc = world_service(f, nat_family, proto, WORLD_DSR);

	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = number;
}

static void a_connection_stays_when_its_slot_moves(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), other = nat_request(IPPROTO_TCP, 40124),
		      t;

	nat_forwarded(f, &r, 1, &t);
	all_slots(f, IPPROTO_TCP, 2);
	nat_forwarded(f, &r, 1, &t);
	nat_forwarded(f, &other, 2, &t);
}

static void a_connection_leaves_a_backend_that_may_not_be_used(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), t1, t2;
	uint32_t row = world_row(nat_family, IPPROTO_TCP, WORLD_DSR);

	nat_forwarded(f, &r, 1, &t1);
	all_slots(f, IPPROTO_TCP, 2);
	f->backends[row + 1].flags = 0;
	nat_forwarded(f, &r, 2, &t2);
	nat_assert_returned(f, &t2, &r);
	nat_assert_returned(f, &t1, &r); /* what was on its way */
	nat_forwarded(f, &r, 2, &t2);
	f->backends[row + 2].flags = 0;
	nat_assert_verdict(f, &r, SHUNT_DROP_NO_BACKEND);
}

static void another_server_in_its_row_is_not_its_backend(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), t;
	struct shunt_backend *be = &f->backends[world_row(nat_family, IPPROTO_TCP, WORLD_DSR) + 1];
	struct outcome o;

	nat_forwarded(f, &r, 1, &t);
	memcpy(be->addr, (uint8_t[]){10, 9, 9, 9}, 4);
	nat_arrive(f, &r, &o);
	assert_memory_equal(o.out.bytes + 30, be->addr, 4);
	be->port = htons(81);
	nat_arrive(f, &r, &o);
	assert_int_equal(get16(o.out.bytes + 36), 81);
}

static void a_draining_backend_keeps_connections_but_no_new_ones(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), syn = r, t;
	uint32_t row = world_row(nat_family, IPPROTO_TCP, WORLD_DSR);

	nat_forwarded(f, &r, 1, &t);
	f->backends[row + 1].flags |= SHUNT_BE_NO_NEW;
	all_slots(f, IPPROTO_TCP, 2);
	nat_forwarded(f, &r, 1, &t);
	syn.tcp_flags = TCP_FLAG_SYN;
	nat_forwarded(f, &syn, 2, &t);
	nat_forwarded(f, &r, 2, &t);
}

static void turns_are_taken_by_connections(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, nat_family, IPPROTO_TCP, WORLD_DSR);
	struct outcome first, o;

	svc->flags |= SHUNT_SVC_TURNS;
	for (uint32_t i = 0; i < WORLD_SLOTS; i++)
		*world_slot(f, svc, i) = (uint16_t)(1 + i % 4);
	for (uint16_t n = 0; n < 8; n++) {
		struct recipe r = nat_request(IPPROTO_TCP, (uint16_t)(40000 + n));

		nat_arrive(f, &r, &first);
		for (int again = 0; again < 3; again++) {
			nat_arrive(f, &r, &o);
			assert_int_equal(o.row, first.row);
		}
	}
	assert_int_equal(nat_used((struct shunt_nat_bucket *)f->flows, WORLD_FLOW_BUCKETS), 0);
}

static void no_backend_is_a_verdict(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123);

	all_slots(f, IPPROTO_TCP, 0);
	nat_assert_verdict(f, &r, SHUNT_DROP_NO_BACKEND);
	world_service(f, nat_family, IPPROTO_TCP, WORLD_DSR)->flags |= SHUNT_SVC_ON_EMPTY_PASS;
	nat_assert_verdict(f, &r, SHUNT_PASS_NO_BACKEND);
	assert_int_equal(nat_records(f), 0);
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
		T(the_clients_own_port_is_kept_where_it_is_free),
		T(every_connection_has_a_port_of_its_own),
		T(without_a_free_port_there_is_a_verdict),
		T(a_backend_without_an_address_of_ours_gets_nothing),
		T4(pools_spread_clients_and_keep_each),
		T(a_full_table_takes_nobody_in_and_nothing_away),
		T(a_full_bucket_of_replies_leaves_the_others),
		T(replies_alone_keep_a_connection),
		T(each_state_has_its_timeout),
		T(a_reset_holds_until_something_follows),
		T(udp_has_its_timeout),
		T(a_void_connection_opens_anew),
		T(a_connection_stays_when_its_slot_moves),
		T(a_connection_leaves_a_backend_that_may_not_be_used),
		T4(another_server_in_its_row_is_not_its_backend),
		T(a_draining_backend_keeps_connections_but_no_new_ones),
		T(turns_are_taken_by_connections),
		T(no_backend_is_a_verdict),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
