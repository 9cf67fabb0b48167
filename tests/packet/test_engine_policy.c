/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies from the configuration to the maps: which lists are one, what stays where it is, what a
 * restart finds, and what a change that fails leaves. */
#include "engine_checks.h"

#include <errno.h>
#include <time.h>

static void want_service(struct bench *b, int number, enum wanted_policy policy, uint32_t seed)
{
	b->services[number] =
		(struct wanted_service){.there = true, .policy = policy, .policy_seed = seed};
	want_backend(&b->services[number], number, true, 1);
}

static void begin(struct bench *b)
{
	want_service(b, 0, POLICY_KEEPS_OUT, 10);
	want_service(b, 1, POLICY_KEEPS_OUT, 10);
	want_service(b, 2, POLICY_ALLOWS, 0);
	want_service(b, 3, POLICY_NONE, 0);
	write_config(b);
	start(b);
	check_all(b);
}

static uint16_t number_of(const struct bench *b, int service)
{
	return b->engine->services[service]->policy;
}

static struct shunt_policy record_of(const struct bench *b, int service)
{
	struct shunt_policy p;

	dp_policy_read(b->engine->dp, number_of(b, service), &p);
	return p;
}

static void services_with_the_same_list_share_it(void **state)
{
	struct bench *b = *state;

	begin(b);
	assert_int_equal(number_of(b, 0), number_of(b, 1));
	assert_int_not_equal(number_of(b, 0), number_of(b, 2));
	assert_int_equal(number_of(b, 3), 0);
	assert_int_equal(b->engine->policies.n, 2);
	assert_int_equal(b->engine->policies.n_lists, 2);

	/* With a rate it is a policy of its own, over the same list. */
	b->services[1].policy_seed = 30;
	b->services[0].policy_seed = 30;
	write_config(b);
	reload_well(b);
	settle(b);
	check_all(b);
	assert_int_not_equal(number_of(b, 0), number_of(b, 1));
	assert_int_equal(record_of(b, 0).list_at, record_of(b, 1).list_at);
	assert_int_equal(b->engine->policies.n_lists, 2);
}

static void what_does_not_change_stays_where_it_is(void **state)
{
	struct bench *b = *state;
	struct shunt_policy before[2], after[2];

	begin(b);
	before[0] = record_of(b, 0);
	before[1] = record_of(b, 2);
	for (uint32_t seed = 100; seed < 120; seed++) {
		uint16_t kept = number_of(b, 2), former = number_of(b, 0);

		want_service(b, 1, POLICY_NONE, 0);
		b->services[0].policy_seed = 3 * seed + 1; /* without a rate */
		write_config(b);
		reload_well(b);
		settle(b);
		check_all(b);
		assert_int_equal(number_of(b, 2), kept);
		assert_int_not_equal(number_of(b, 0), former);
		after[1] = record_of(b, 2);
		assert_memory_equal(&before[1], &after[1], sizeof(after[1]));
		after[0] = record_of(b, 0);
		assert_memory_not_equal(before[0].list_key, after[0].list_key, 16);
	}
}

static void a_restart_finds_what_it_left(void **state)
{
	struct bench *b = *state;
	struct shunt_policy before[2], after;
	uint16_t numbers[2];

	begin(b);
	/* So that what is in force does not stand where a new daemon would begin to write. */
	b->services[0].policy_seed = b->services[1].policy_seed = 11;
	write_config(b);
	reload_well(b);
	for (int i = 0; i < 2; i++) {
		before[i] = record_of(b, 2 * i);
		numbers[i] = number_of(b, 2 * i);
	}
	stop(b);
	start(b);
	check_all(b);
	for (int i = 0; i < 2; i++) {
		after = record_of(b, 2 * i);
		assert_int_equal(number_of(b, 2 * i), numbers[i]);
		assert_memory_equal(&after, &before[i], sizeof(after));
	}
	stop(b);
	b->services[0].policy_seed = b->services[1].policy_seed = 12;
	write_config(b);
	start(b);
	check_all(b);
	assert_int_not_equal(number_of(b, 0), numbers[0]);
	assert_int_not_equal(record_of(b, 0).list_at, before[0].list_at);
}

/* As a daemon without quick words has left them: of another key. */
static void lists_of_an_earlier_layout_are_built_anew(void **state)
{
	struct bench *b = *state;
	struct shunt_policy wanted, older, after;
	uint16_t number;

	begin(b);
	wanted = older = record_of(b, 0);
	number = number_of(b, 0);
	older.list_key[0] ^= 1;
	older.quick = (struct shunt_source_quick){0};
	dp_policy_write(b->engine->dp, number, &older);
	stop(b);
	start(b);
	check_all(b);
	after = record_of(b, 0);
	assert_int_not_equal(number_of(b, 0), number);
	assert_int_not_equal(after.list_at, older.list_at);
	assert_memory_equal(after.list_key, wanted.list_key, sizeof(wanted.list_key));
	assert_true(after.quick.n || after.quick.out);
	assert_int_equal(after.quick.at - after.list_at, wanted.quick.at - wanted.list_at);
}

static void what_cannot_be_applied_leaves_nothing(void **state)
{
	struct bench *b = *state;
	struct engine_error text = {0};
	struct shunt_policy before, after;
	FILE *f;

	begin(b);
	before = record_of(b, 0);
	b->services[0].policy_seed = 77;
	write_config(b);
	f = fopen(b->config,
		  "a"); /* two services whose keys have the same hash: found at the end */
	assert_non_null(f);
	fprintf(f, "  - {name: s7, vip: \"2001:db8::1\", port: 80, check: none, "
		   "backends: [10.9.0.20]}\n"
		   "  - {name: s8, vip: \"202e:7e4e:18b9:f526:1::1\", port: 80, check: none, "
		   "backends: [10.9.0.21], deny: [\"2001:db8:7::/48\"]}\n");
	fclose(f);
	for (int i = 0; i < 50; i++)
		assert_int_equal(reload_now(b->engine, &text), -EEXIST);
	after = record_of(b, 0);
	assert_memory_equal(&before, &after, sizeof(after));
	b->services[0].policy_seed = 10;
	check_all(b); /* nothing that was taken is still held */
}

static int accepted(const struct bench *b, int service, int n)
{
	uint8_t out[256];
	uint32_t len;
	int passed = 0;

	while (n-- > 0)
		passed += send_syn(dp_program_fd(b->engine->dp), service, PORTS_ONE, out, &len) !=
			  XDP_DROP;
	return passed;
}

static void write_rate(struct bench *b, const char *rate)
{
	uint8_t vip[4];
	uint16_t port = pick_target(PORTS_ONE, 4, vip);
	FILE *f;

	write_config(b);
	f = fopen(b->config, "a");
	assert_non_null(f);
	fprintf(f,
		"  - {name: s4, vip: %d.%d.%d.%d, port: %d, check: none, rate: {%s}, "
		"backends: [10.9.0.20]}\n",
		vip[0], vip[1], vip[2], vip[3], port, rate);
	fclose(f);
}

static void how_full_a_bucket_is_outlives_a_change(void **state)
{
	struct bench *b = *state;

	begin(b);
	write_rate(b, "new_flows: 1, burst: 20");
	reload_well(b);
	settle(b);
	assert_in_range(accepted(b, 4, 30), 20, 22);
	write_rate(b, "new_flows: 1, burst: 21, per_source: 9");
	reload_well(b);
	settle(b);
	assert_in_range(accepted(b, 4, 30), 0, 3);
	stop(b);
	start(b);
	assert_in_range(accepted(b, 4, 30), 0, 3);
	write_rate(b, "new_flows: 1000, burst: 500");
	reload_well(b);
	settle(b);
	assert_int_equal(accepted(b, 4, 30), 30);
}

/* ---- size --------------------------------------------------------------------------------------*/

static void write_many(const struct bench *b, uint32_t seed)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/denied", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	srand(seed);
	for (uint32_t i = 0; i < 99999; i++)
		fprintf(f, "%u.%u.%u.%u\n", 1u + (uint32_t)rand() % 90, (uint32_t)rand() % 256,
			(uint32_t)rand() % 256, (uint32_t)rand() % 256);
	fprintf(f, "99.0.0.0/8\n");
	fclose(f);
}

static double reload_ms(struct bench *b)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	reload_well(b);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
}

static void a_hundred_thousand_prefixes_are_in_force_soon(void **state)
{
	struct bench *b = *state;
	FILE *f;

	begin(b);
	write_many(b, 1);
	f = fopen(b->config, "a");
	assert_non_null(f);
	for (int i = 5; i < 8; i++)
		fprintf(f,
			"  - {name: s%d, vip: 192.0.2.%d, port: 80, check: none, deny_file: "
			"denied, "
			"backends: [10.9.0.20]}\n",
			i, i);
	fclose(f);
	print_message("# for the first time, with room made: %.0f ms\n", reload_ms(b));
	write_many(b, 2);
	print_message("# changed: %.0f ms\n", reload_ms(b));
	print_message("# unchanged: %.0f ms\n", reload_ms(b));
	print_message("# in %u words\n", b->engine->policies.lists[0].words +
						 b->engine->policies.lists[1].words +
						 b->engine->policies.lists[2].words);
	assert_int_equal(b->engine->policies.n_lists, 3);
	check_policies(b->engine);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(services_with_the_same_list_share_it),
		TEST(what_does_not_change_stays_where_it_is),
		TEST(a_restart_finds_what_it_left),
		TEST(lists_of_an_earlier_layout_are_built_anew),
		TEST(what_cannot_be_applied_leaves_nothing),
		TEST(how_full_a_bucket_is_outlives_a_change),
		TEST(a_hundred_thousand_prefixes_are_in_force_soon),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
