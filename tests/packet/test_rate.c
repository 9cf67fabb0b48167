/* SPDX-License-Identifier: BSD-2-Clause */
/* How many new flows a service takes. No test waits: time passes by what the tables say of it. */
#include "source_world.h"

/* ---- rates --------------------------------------------------------------------------------------*/

static void a_source_gets_its_burst_and_then_its_rate(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		struct recipe r = world_recipe(families[i / 2], protos[i % 2], WORLD_DSR),
			      other = r;

		fixture_reset(state);
		use_rates(f, 0, 0, 2, 20);
		world_service(f, r.family, r.proto, WORLD_DSR)->policy = POLICY;
		assert_int_equal(passing(f, r, 30), 20);
		r.tcp_flags = TCP_FLAG_SYN;
		assert_verdict(f, &r, SHUNT_DROP_RATE_SOURCE);
		other.src[0]++;
		assert_int_equal(passing(f, other, 30), 20);
		time_passes(f, 3 * SECOND);
		assert_in_range(passing(f, r, 30), 6, 7);
		time_passes(f, 60 * SECOND);
		assert_int_equal(passing(f, r, 30), 20);
	}
}

static void a_service_gets_its_burst_and_then_its_rate(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		struct recipe r = world_recipe(families[i / 2], protos[i % 2], WORLD_DSR);

		fixture_reset(state);
		use_rates(f, 2, 20, 0, 0);
		world_service(f, r.family, r.proto, WORLD_DSR)->policy = POLICY;
		assert_int_equal(passing(f, r, 10), 10);
		r.src[0]++;
		assert_int_equal(passing(f, r, 30), 10);
		r.tcp_flags = TCP_FLAG_SYN;
		assert_verdict(f, &r, SHUNT_DROP_RATE_SERVICE);
		time_passes(f, 3 * SECOND);
		assert_in_range(passing(f, r, 30), 6, 7);
	}
}

/* So that it shows which service it is; also where flows are counted as they are remembered. */
static void what_is_over_is_counted_in_the_services_own_row(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 8; i++) {
		struct recipe r = world_recipe(families[i / 2 % 2], protos[i % 2], WORLD_DSR);
		struct shunt_service *svc;
		struct outcome o;
		struct frame in;

		fixture_reset(state);
		use_rates(f, 1, 1, 0, 0);
		svc = world_service(f, r.family, r.proto, WORLD_DSR);
		svc->policy = POLICY;
		svc->flags |= i < 4 ? 0 : SHUNT_SVC_FLOWS;
		assert_int_equal(passing(f, r, 1), 1);
		r.tcp_flags = r.proto == IPPROTO_TCP ? TCP_FLAG_SYN : 0;
		r.sport += 2;
		frame_build(&r, &in);
		fixture_run(f, &in, &o);
		assert_int_equal(o.verdict, SHUNT_DROP_RATE_SERVICE);
		assert_int_equal(o.rows, 1);
		assert_int_equal(o.row, svc->row);
		assert_int_equal(o.flows, 1);
		assert_int_equal(o.packets + o.bytes, 0);
	}
}

/* What a source has too many of takes nothing from the service. */
static void a_source_over_its_rate_leaves_the_service_its_own(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);

	use_rates(f, 1, 30, 1, 10);
	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	assert_int_equal(passing(f, r, 200), 10);
	for (int i = 1; i < 3; i++) {
		r.src[3]++;
		assert_int_equal(passing(f, r, 20), 10);
	}
	r.src[3]++;
	assert_int_equal(passing(f, r, 20), 0);
	r.tcp_flags = TCP_FLAG_SYN;
	r.src[3]++;
	assert_verdict(f, &r, SHUNT_DROP_RATE_SERVICE);
}

static void an_ipv6_source_is_its_first_64_bits(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(6, IPPROTO_TCP, WORLD_DSR);

	use_rates(f, 0, 0, 1, 10);
	world_service(f, 6, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	assert_int_equal(passing(f, r, 4), 4);
	r.src[8] ^= 0x80;
	assert_int_equal(passing(f, r, 4), 4);
	r.src[15] ^= 1;
	assert_int_equal(passing(f, r, 4), 2);
	for (int i = 0; i < 8; i++) {
		r.src[i] ^= 1;
		assert_int_equal(passing(f, r, 1), 1);
		r.src[i] ^= 1;
	}
}

static void services_count_a_source_apart(void **state)
{
	struct fixture *f = *state;
	struct recipe one = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	struct recipe two = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);

	use_rates(f, 0, 0, 1, 10);
	f->policies[POLICY + 1] = f->policies[POLICY];
	f->policies[POLICY + 1].salt++;
	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	world_service(f, 4, IPPROTO_TCP, WORLD_IPIP4)->policy = POLICY + 1;
	assert_int_equal(passing(f, one, 20), 10);
	assert_int_equal(passing(f, two, 20), 10);
}

static void connections_over_tcp_are_never_limited(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);

	use_rates(f, 1, 1, 1, 1);
	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	assert_in_range(passing(f, r, 2 + (int)(2000 / mono_kernel_hz())), 1, 20);
	for (unsigned int flags = 0; flags < 64; flags++) {
		r.tcp_flags = (uint8_t)flags;
		if (flags & TCP_FLAG_SYN && !(flags & TCP_FLAG_ACK))
			assert_verdict(f, &r, SHUNT_DROP_RATE_SOURCE);
		else
			assert_verdict(f, &r, SHUNT_GO_ON);
	}
}

static void a_flow_over_udp_that_is_remembered_is_not_new(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_DSR);
	struct shunt_service *svc = world_service(f, 4, IPPROTO_UDP, WORLD_DSR);

	use_rates(f, 0, 0, 1, 5);
	svc->policy = POLICY;
	svc->flags |= SHUNT_SVC_FLOWS;
	for (int i = 0; i < 100; i++)
		assert_verdict(f, &r, SHUNT_GO_ON);
	assert_int_equal(passing(f, r, 20), 4);
	assert_verdict(f, &r, SHUNT_GO_ON);
	svc->flags &= (uint8_t)~SHUNT_SVC_FLOWS;
	assert_verdict(f, &r, SHUNT_DROP_RATE_SOURCE);
}

static void a_connection_over_udp_that_is_translated_is_not_new(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_DSR);

	nat_family = 4;
	use_rates(f, 0, 0, 1, 5);
	nat_service(f, IPPROTO_UDP, SHUNT_MASQ)->policy = POLICY;
	for (int i = 0; i < 50; i++)
		assert_verdict(f, &r, SHUNT_GO_ON);
	assert_int_equal(passing(f, r, 20), 4);
	assert_verdict(f, &r, SHUNT_GO_ON);
	r.sport += 100;
	assert_verdict(f, &r, SHUNT_DROP_RATE_SOURCE);
	assert_int_equal(nat_records(f), 5);
}

/* ---- the sources' table -------------------------------------------------------------------------*/

/* As the daemon begins: what a packet has written tells the time. */
static void begin_at_any_uptime(struct fixture *f, struct recipe r)
{
	uint64_t word = 0;

	r.src[0] = 9;
	assert_int_equal(passing(f, r, 1), 1);
	for (int i = 0; i < WORLD_RATE_LINES * SHUNT_RATE_WAYS; i++)
		word |= f->rates[i / 8].word[i % 8];
	word = (word & SHUNT_RATE_TIME) - f->policies[POLICY].source.cost;
	source_rates_refresh(f->rates, WORLD_RATE_LINES,
			     (uint16_t)(word >> (SHUNT_RATE_SHIFT + SHUNT_FLOW_TICK_SHIFT)));
}

static void a_flood_of_sources_does_not_free_who_is_over(void **state)
{
	struct fixture *f = *state;
	struct recipe bad = world_recipe(4, IPPROTO_TCP, WORLD_DSR), r = bad;
	mono_t from = mono_now();
	int seconds;

	use_rates(f, 0, 0, 1, 20);
	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	begin_at_any_uptime(f, r);
	assert_int_equal(passing(f, bad, 40), 20);
	for (int i = 0; i < 2000; i++) {
		r.src[0] = (uint8_t)(1 + i % 7);
		r.src[1] = (uint8_t)(i / 256);
		r.src[2] = (uint8_t)i;
		assert_int_equal(passing(f, r, 1), 1);
	}
	seconds = (int)(mono_diff_us(from, mono_now()) / 1000000);
	assert_in_range(passing(f, bad, 5 + 2 * seconds), 0,
			1 + seconds); /* what time has brought */
}

static void a_source_that_finds_no_place_takes_the_fullest(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	uint64_t far = 0x123ull << 44, least = ~0ull;
	int changed = 0;

	use_rates(f, 0, 0, 1, 100);
	world_service(f, 4, IPPROTO_TCP, WORLD_DSR)->policy = POLICY;
	assert_int_equal(passing(f, r, 1), 1); /* what the time is */
	for (int i = 0; i < WORLD_RATE_LINES * SHUNT_RATE_WAYS; i++)
		least = f->rates[i / 8].word[i % 8] ? f->rates[i / 8].word[i % 8] : least;
	for (uint64_t i = 0; i < WORLD_RATE_LINES * SHUNT_RATE_WAYS; i++)
		f->rates[i / 8].word[i % 8] =
			far | ((least + (i % 8 == 5 ? 9 : 50 + i) * SECOND) & SHUNT_RATE_TIME);
	r.src[1]++;
	assert_int_equal(passing(f, r, 1), 1);
	for (int i = 0; i < WORLD_RATE_LINES * SHUNT_RATE_WAYS; i++) {
		if (f->rates[i / 8].word[i % 8] >> 44 == 0x123)
			continue;
		assert_int_equal(i % 8, 5);
		changed++;
	}
	assert_int_equal(changed, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_source_gets_its_burst_and_then_its_rate),
		TEST(a_service_gets_its_burst_and_then_its_rate),
		TEST(what_is_over_is_counted_in_the_services_own_row),
		TEST(a_source_over_its_rate_leaves_the_service_its_own),
		TEST(an_ipv6_source_is_its_first_64_bits),
		TEST(services_count_a_source_apart),
		TEST(connections_over_tcp_are_never_limited),
		TEST(a_flow_over_udp_that_is_remembered_is_not_new),
		TEST(a_connection_over_udp_that_is_translated_is_not_new),
		TEST(a_flood_of_sources_does_not_free_who_is_over),
		TEST(a_source_that_finds_no_place_takes_the_fullest),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
