/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of the ways back: replies go by it alone, for as long as it holds and no longer. */
#include "fixture_nat.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/hashkey.h"

#define SYN_ACK (TCP_FLAG_SYN | TCP_FLAG_ACK)

/* A connection that has been answered, twice: as the records say, then by the cache if there is one. */
static void answered(struct fixture *f, uint8_t proto, struct recipe *r, struct recipe *t)
{
	*r = nat_request(proto, 40123);
	nat_forwarded(f, r, 1, t);
	nat_establish(f, r, t);
	nat_assert_returned(f, t, r);
}

/* Without the words of replies only the cache knows the way. */
static bool goes_by_cache(struct fixture *f, const struct recipe *t)
{
	struct shunt_nat_bucket words[2 * WORLD_NAT_BUCKETS];
	struct recipe a = nat_answer(t);
	struct outcome o;

	memcpy(words, f->nat_replies, sizeof(words));
	memset(f->nat_replies, 0, sizeof(words));
	a.tcp_flags = TCP_FLAG_ACK;
	nat_arrive(f, &a, &o);
	memcpy(f->nat_replies, words, sizeof(words));
	return o.verdict == SHUNT_RETURN_NAT;
}

static void segment(struct fixture *f, const struct recipe *r, const struct recipe *t, bool client,
		    uint8_t flags)
{
	struct recipe s = client ? *r : nat_answer(t);
	struct outcome o;

	s.tcp_flags = flags;
	nat_arrive(f, &s, &o);
	assert_int_equal(o.action, XDP_TX);
}

static void replies_go_by_one_line_within_a_family(void **state)
{
	struct fixture *f = *state;
	struct recipe r, t;

	for (int i = 0; i < 2; i++) {
		nat_setup_again(state);
		answered(f, nat_protos[i], &r, &t);
		assert_int_equal(nat_backs_used(f), nat_family == nat_backend_family);
		assert_int_equal(goes_by_cache(f, &t), nat_family == nat_backend_family);
		nat_assert_returned(f, &t, &r);
	}
}

/* Puts what is cached, which is the only one, where a packet of the tuple of @a looks, under its tag. */
static void misplace(struct fixture *f, const struct recipe *a)
{
	uint32_t ports = htons(a->sport) | (uint32_t)htons(a->dport) << 16, addrs[8];
	struct shunt_nat_place p;
	uint64_t hash;

	memcpy(addrs, a->src, 16);
	memcpy(addrs + 4, a->dst, 16);
	hash = a->family == 4 ? hashkey_flow4(f->hash_key, addrs[0], addrs[4], ports)
			      : hashkey_flow6(f->hash_key, addrs, addrs + 4, ports);
	p = shunt_nat_mix(hash, a->proto, 2 * WORLD_NAT_BUCKETS - 1);
	for (uint32_t i = 0; i < WORLD_NAT_BACKS; i++)
		if (f->nat_backs[i].way[0].tag) {
			struct shunt_nat_back b = f->nat_backs[i].way[0];

			f->nat_backs[i].way[0].tag = 0;
			b.tag = p.tag;
			f->nat_backs[p.first * SHUNT_NAT_BACKS + p.tag % SHUNT_NAT_BACKS].way[0] =
				b;
			return;
		}
	for (uint32_t i = 0; i < WORLD_NAT_BACKS6; i++)
		if (f->nat_backs6[i].b.tag) {
			struct shunt_nat_back6 b = f->nat_backs6[i];

			f->nat_backs6[i].b.tag = 0;
			b.b.tag = p.tag;
			f->nat_backs6[p.first * SHUNT_NAT_BACKS6 + p.tag % SHUNT_NAT_BACKS6] = b;
			return;
		}
	fail();
}

/* What differs in one place is not the connection's, should it have the same hash. */
static void the_whole_tuple_is_compared(void **state)
{
	struct fixture *f = *state;
	size_t last = nat_family == 4 ? 3 : 15;
	struct recipe r, t, other, a;

	answered(f, IPPROTO_UDP, &r, &t);
	for (int what = 0; what < 6; what++) {
		other = t;
		other.sport ^= what == 1;
		other.dport ^= what == 2;
		other.src[last] ^= what == 3;
		other.dst[last] ^= what == 4;
		other.proto = what == 5 ? IPPROTO_TCP : other.proto;
		a = nat_answer(&other);
		misplace(f, &a);
		assert_int_equal(goes_by_cache(f, &other), what == 0);
	}
}

/* The record lives on as long as if every reply had been noted. */
static void what_is_not_noted_is_made_up_for(void **state)
{
	struct fixture *f = *state;
	const uint32_t timeout = nat_timeouts[SHUNT_NAT_T_UDP], lag = shunt_nat_lag(timeout);
	struct shunt_nat_conn *conn;
	struct recipe r, t;

	assert_in_range(lag, 2, SHUNT_NAT_LAG);
	answered(f, IPPROTO_UDP, &r, &t);
	conn = nat_only_record(f);
	nat_pass_time(f, lag - 1); /* a tick may pass while the test runs */
	nat_assert_returned(f, &t, &r);
	nat_pass_time(f, timeout - 1);
	nat_backs_clear(f);
	nat_assert_returned(f, &t, &r);
	nat_pass_time(f, lag + 1);
	assert_false(goes_by_cache(f, &t));
	nat_assert_returned(f, &t, &r);
	assert_int_equal(conn->until, conn->seen + timeout + lag);
	assert_true(goes_by_cache(f, &t));
}

static void a_client_that_moves_is_answered_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct recipe r, t, again;

	answered(f, IPPROTO_UDP, &r, &t);
	r.smac[5] ^= 0x55;
	nat_forwarded(f, &r, 1, &again);
	assert_false(goes_by_cache(f, &t));
	nat_assert_returned(f, &t, &r);
	assert_true(goes_by_cache(f, &t));
	r.tags = 1;
	r.tci[0] = 7;
	nat_forwarded(f, &r, 1, &again);
	nat_assert_returned(f, &t, &r);
	r.tci[0] = 8;
	nat_forwarded(f, &r, 1, &again);
	nat_assert_returned(f, &t, &r);
	nat_assert_returned(f, &t, &r);
}

/* A reset counts until something follows it, and both sides' FIN shorten a connection's life. */
static void what_ends_a_connection_is_noted_at_once(void **state)
{
	struct fixture *f = *state;
	struct shunt_nat_conn *conn;
	struct recipe r, t;

	for (int client = 0; client < 2; client++) {
		nat_setup_again(state);
		answered(f, IPPROTO_TCP, &r, &t);
		conn = nat_only_record(f);
		segment(f, &r, &t, client, TCP_FLAG_RST);
		assert_true(conn->state & SHUNT_NAT_RESET);
		assert_false(goes_by_cache(f, &t));
		segment(f, &r, &t, false, TCP_FLAG_ACK);
		assert_false(conn->state & SHUNT_NAT_RESET);
		assert_true(goes_by_cache(f, &t));
		segment(f, &r, &t, client, TCP_FLAG_FIN | TCP_FLAG_ACK);
		segment(f, &r, &t, !client, TCP_FLAG_FIN | TCP_FLAG_ACK);
		assert_int_equal(conn->until, conn->seen + nat_life(SHUNT_NAT_T_CLOSING));
	}
}

/* Of a connection that is answered but not established: its record and its port are given away. */
static void who_is_evicted_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 50000), t, late, lt;
	struct outcome o;

	f->nat_ctl->ports = 1;
	r.tcp_flags = TCP_FLAG_SYN;
	nat_forwarded(f, &r, 1, &t);
	segment(f, &r, &t, false, SYN_ACK);
	assert_true(goes_by_cache(f, &t));
	late = nat_request(IPPROTO_TCP, 50001);
	late.tcp_flags = TCP_FLAG_SYN;
	f->nat_conns[nat_only_record(f) - f->nat_conns].seen--;
	assert_int_equal(nat_forwarded(f, &late, 1, &lt), t.sport);
	assert_int_equal(nat_backs_used(f), 0);
	nat_assert_returned(f, &lt, &late);
	nat_arrive(f, &r, &o); /* the first one once more, which takes it back */
	nat_assert_returned(f, &lt, o.verdicts ? &late : &r);
}

#define T4(name) cmocka_unit_test_setup(name, nat_setup)
#define TX(name, how)                                                                              \
	{                                                                                          \
#name " (" #how ")", name, nat_setup##how, NULL, NULL                              \
	}
#define T(name) T4(name), TX(name, 6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(replies_go_by_one_line_within_a_family),
		TX(replies_go_by_one_line_within_a_family, 46),
		TX(replies_go_by_one_line_within_a_family, 64),
		T(the_whole_tuple_is_compared),
		T(what_is_not_noted_is_made_up_for),
		T(a_client_that_moves_is_answered_where_it_is),
		T(what_ends_a_connection_is_noted_at_once),
		T(who_is_evicted_is_forgotten),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
