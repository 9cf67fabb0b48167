/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods of connections that are never established: they take what is free, and give way to others. */
#include "fixture_nat.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* A flood takes the whole table.  Who is connected stays, and who comes finds a place. */
static void half_open_connections_give_way(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe old = nat_request(nat_protos[i], 12345), t, late[16], lt[16], flood;
		struct outcome o;

		nat_setup_again(state);
		nat_forwarded(f, &old, 1, &t);
		nat_establish(f, &old, &t);
		for (uint16_t n = 0; n < 300; n++) {
			flood = nat_request(nat_protos[i], (uint16_t)(20000 + n));
			flood.tcp_flags = TCP_FLAG_SYN;
			nat_arrive(f, &flood, &o);
			assert_int_equal(o.verdicts, 0);
		}
		assert_int_equal(nat_records(f), WORLD_NAT_RECORDS);
		for (uint16_t n = 0; n < 16; n++) {
			late[n] = nat_request(nat_protos[i], (uint16_t)(12400 + n));
			nat_forwarded(f, &late[n], 1, &lt[n]);
			nat_establish(f, &late[n], &lt[n]);
		}
		for (uint16_t n = 0; n < 300; n++) {
			flood.sport++;
			nat_arrive(f, &flood, &o);
		}
		for (uint16_t n = 0; n < 16; n++)
			nat_establish(f, &late[n], &lt[n]);
		nat_establish(f, &old, &t);
		assert_int_equal(nat_records(f), WORLD_NAT_RECORDS);
	}
}

static void the_oldest_half_open_connection_gives_way(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 20000), t;
	struct shunt_nat_conn before[WORLD_NAT_RECORDS];
	struct outcome o;
	int taken = 0;

	for (uint16_t n = 0; n < 200; n++, r.sport++)
		nat_arrive(f, &r, &o);
	assert_int_equal(nat_records(f), WORLD_NAT_RECORDS);
	for (uint16_t n = 0; n < 8; n++, r.sport++) {
		for (uint32_t i = 0; i < WORLD_NAT_RECORDS; i++)
			f->nat_conns[i].seen -= i % SHUNT_NAT_WAYS == 5;
		memcpy(before, f->nat_conns, sizeof(before));
		nat_forwarded(f, &r, 1, &t);
		for (uint32_t i = 0; i < WORLD_NAT_RECORDS; i++) {
			if (before[i].client_ports == f->nat_conns[i].client_ports)
				continue;
			assert_int_equal(i % SHUNT_NAT_WAYS, 5);
			taken++;
		}
	}
	assert_int_equal(taken, 8);
}

static void ports_of_half_open_connections_are_taken(void **state)
{
	struct fixture *f = *state;
	struct recipe old[2], t[2], flood, ft;

	f->nat_ctl->ports = 8;
	for (uint16_t n = 0; n < 2; n++) {
		old[n] = nat_request(IPPROTO_TCP, (uint16_t)(50000 + n));
		nat_forwarded(f, &old[n], 1, &t[n]);
		nat_establish(f, &old[n], &t[n]);
	}
	for (uint16_t n = 2; n < 40; n++) {
		flood = nat_request(IPPROTO_TCP, (uint16_t)(50000 + n));
		flood.tcp_flags = TCP_FLAG_SYN;
		nat_forwarded(f, &flood, 1, &ft);
		assert_in_range(nat_records(f), 3, 8);
		nat_pass_time(f, 1);
	}
	nat_assert_returned(f, &ft, &flood);
	for (uint16_t n = 0; n < 2; n++)
		nat_establish(f, &old[n], &t[n]);
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
		T(half_open_connections_give_way),
		T(the_oldest_half_open_connection_gives_way),
		T(ports_of_half_open_connections_are_taken),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
