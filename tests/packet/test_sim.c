/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool that changes under tens of thousands of connections (tests/sim/sim.h), with and without a flood;
 * `make prove` has 1.6 million. */
#include "../sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* The table has room for a third of the live flows. */
static struct sim_options small(uint32_t flood)
{
	return (struct sim_options){.connections = 50000,
				    .buckets = 2048,
				    .lru = 60000,
				    .flood = flood,
				    .changes = 5,
				    .every = 4,
				    .timeout = 60};
}

static void run(uint32_t flood, struct sim_result *r)
{
	const struct sim_options o = small(flood);

	assert_int_equal(sim_run(&o, r), 0);
	printf("# broken of %llu: %llu by a table alone, %llu by an LRU, %llu by slots in "
	       "transition; %.4f lookups a packet\n",
	       (unsigned long long)r->begun[SIM_OURS], (unsigned long long)r->broken[SIM_TABLE],
	       (unsigned long long)r->broken[SIM_LRU], (unsigned long long)r->broken[SIM_OURS],
	       (double)r->lookups / (r->packets + r->floods));
	assert_int_equal(r->broken[SIM_OURS], 0);
	assert_true(r->broken[SIM_TABLE] > r->begun[SIM_TABLE] / 100);
	assert_true(r->begun[SIM_OURS] > 90000);
	assert_true(r->changed_most > r->slots / 20);
}

static void no_connection_breaks_where_a_table_alone_breaks_many(void **state)
{
	struct sim_result r;

	(void)state;
	run(0, &r);
	assert_int_equal(r.no_room, 0);
	assert_true(r.remembered > 500);
	/* with one backend of 100 changed */
	assert_true(r.first_lookups > 0 && r.first_lookups * 10 < r.first_packets);
}

static void nor_with_a_flood_of_syns(void **state)
{
	struct sim_result r;

	(void)state;
	run(50000, &r);
	assert_true(r.floods > 4000000);
	assert_true(r.no_room > 0); /* the table is as full as it gets */
	assert_true(r.broken[SIM_LRU] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_connection_breaks_where_a_table_alone_breaks_many),
		cmocka_unit_test(nor_with_a_flood_of_syns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
