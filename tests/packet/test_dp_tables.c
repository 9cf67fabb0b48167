/* SPDX-License-Identifier: BSD-2-Clause */
/* dp's tables, without pins and interfaces, with packets where a packet can tell. */
#include "dp_tables.h"

#include <sys/mman.h>

static void sizes_are_at_least_what_was_asked(void **state)
{
	struct dp *dp = open_dp(100, 333, 77);
	const struct dp_sizes *s = dp_sizes(dp);

	(void)state;
	assert_true(s->services >= 100 && s->rows >= 333 && s->slot_lines >= 77 &&
		    s->flows >= 1000);
	assert_false(dp_adopted(dp));
	assert_true(dp_map_bytes(dp) > 333 * sizeof(struct shunt_backend));
	assert_true(dp_map_fd(dp, "flows") >= 0);
	assert_int_equal(dp_map_fd(dp, "nothing"), -ENOENT);
	dp_close(dp);
}

static void sizes_beyond_reason_are_refused_in_words(void **state)
{
	struct dp_options opt = {.sizes = {.services = 16, .rows = 1u << 31, .slot_lines = 1}};
	struct dp_error err = {""};
	struct dp *dp = NULL;

	(void)state;
	assert_int_equal(dp_open(&opt, &dp, &err), -E2BIG);
	assert_null(dp);
	assert_non_null(strstr(err.text, "2147483648 rows"));
}

/* At any uptime (source_rates_refresh()). */
static void buckets_of_sources_begin_full(void **state)
{
	struct dp_options opt = {.sizes = {.services = 16,
					   .rows = 16,
					   .slot_lines = 1,
					   .flows = 1000,
					   .frags = 100,
					   .rate_sources = 1000}};
	const size_t lines = 2000 / SHUNT_RATE_WAYS;
	const struct shunt_rate_line *line;
	struct dp_error err = {""};
	struct dp *dp = NULL;
	uint64_t now;

	(void)state;
	assert_int_equal(dp_open(&opt, &dp, &err), 0);
	line = mmap(NULL, lines * sizeof(*line), PROT_READ, MAP_SHARED, dp_map_fd(dp, "rates"), 0);
	assert_ptr_not_equal(line, MAP_FAILED);
	now = (uint64_t)dp_tick(dp) << (SHUNT_FLOW_TICK_SHIFT + SHUNT_RATE_SHIFT);
	for (size_t i = 0; i < lines * SHUNT_RATE_WAYS; i++)
		assert_true(((now - line[i / 8].word[i % 8]) & SHUNT_RATE_TIME) < 1ull << 40);
	munmap((void *)line, lines * sizeof(*line));
	dp_close(dp);
}

static void packets_find_each_of_many_services(void **state)
{
	struct dp *dp = open_dp(N, 2 * N, N);
	struct dp_service *s = many(N);
	uint32_t i;

	(void)state;
	fill(dp, N);
	switch_to(dp, s, N);
	for (i = 0; i < N; i++)
		assert_true(finds_service(dp, i));
	free(s);
	dp_close(dp);
}

static void a_switch_replaces_all_services(void **state)
{
	struct dp *dp = open_dp(N, 2 * N, N);
	struct dp_service *s = many(N);
	uint64_t verdicts[SHUNT_VERDICT_MAX];
	int round;

	(void)state;
	fill(dp, N);
	for (round = 0; round < 3; round++) { /* both halves, and the first one again */
		switch_to(dp, s, N);
		assert_true(finds_service(dp, 4) && finds_service(dp, 5));
		switch_to(dp, s + 6, 2);
		assert_false(finds_service(dp, 4) || finds_service(dp, 5));
		assert_true(finds_service(dp, 6) && finds_service(dp, 7));
		switch_to(dp, s + 8, 1);
		assert_false(finds_service(dp, 7));
	}
	switch_to(dp, NULL, 0);
	assert_false(finds_service(dp, 8));
	dp_verdicts_read(dp, verdicts);
	assert_int_equal(verdicts[SHUNT_PASS_NOT_VIP], 3 * 3 + 1);
	free(s);
	dp_close(dp);
}

static void a_service_for_any_port_takes_the_ports_that_no_other_has(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	struct dp_service s[2] = {test_service(0), test_service(2)};
	struct frame f;

	(void)state;
	fill(dp, 3);
	s[1].vip = s[0].vip;
	s[1].port = 0;
	switch_to(dp, s, 2);
	f = udp_frame(&s[0].vip, 1000, 1);
	run_frame(dp, &f, NULL);
	f = udp_frame(&s[0].vip, 53, 1);
	run_frame(dp, &f, NULL);
	run_frame(dp, &f, NULL);
	assert_int_equal(row_packets(dp, 1), 1);
	assert_int_equal(row_packets(dp, 5), 2);
	dp_close(dp);
}

static void the_same_service_twice_is_refused_by_name(void **state)
{
	struct dp *dp = open_dp(64, 2 * 64, 64);
	struct dp_service *s = many(64);
	struct dp_error err = {""};

	(void)state;
	fill(dp, 64);
	switch_to(dp, s, 1);
	s[60] = s[20];
	assert_int_equal(dp_services_switch(dp, s, 64, &err), -EEXIST);
	assert_non_null(
		strstr(err.text, "two services have the address 203.0.0.20:1020, protocol udp"));
	assert_true(finds_service(dp, 0)); /* what was in force still is */
	s[60] = s[21];
	assert_int_equal(dp_services_switch(dp, s, 64, &err), -EEXIST);
	assert_non_null(strstr(err.text, "[2001:db8::15]:1021, protocol udp"));
	free(s);
	dp_close(dp);
}

static void more_services_than_fit_are_refused(void **state)
{
	struct dp *dp = open_dp(16, 2 * N, N);
	struct dp_service *s = many(N);
	struct dp_error err = {""};

	(void)state;
	fill(dp, N);
	switch_to(dp, s, 2);
	assert_int_equal(dp_services_switch(dp, s, N, &err), -ENOSPC);
	assert_true(finds_service(dp, 0) && finds_service(dp, 1));
	free(s);
	dp_close(dp);
}

static void a_service_that_points_outside_of_the_tables_is_refused(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	struct dp_service s = test_service(0);
	struct dp_error err = {""};

	(void)state;
	s.svc.slots_at = 64;
	assert_int_equal(dp_services_switch(dp, &s, 1, &err), -ERANGE);
	s = test_service(0);
	s.svc.row = 63;
	assert_int_equal(dp_services_switch(dp, &s, 1, &err), -ERANGE);
	s.svc.row = 62;
	assert_int_equal(dp_services_switch(dp, &s, 1, &err), 0);
	s.svc.slot_mask = 40;
	assert_int_equal(dp_services_switch(dp, &s, 1, &err), -ERANGE);
	dp_close(dp);
}

struct seen {
	bool number[N];
	uint32_t n;
};

static void note_service(void *arg, const struct dp_service *s)
{
	struct seen *seen = arg;
	uint32_t i = s->svc.row / 2;
	struct dp_service want = test_service(i);

	assert_true(i < N && !seen->number[i]);
	assert_int_equal(addr_compare(&s->vip, &want.vip), 0);
	assert_int_equal(s->port, want.port);
	assert_int_equal(s->protocol, want.protocol);
	assert_memory_equal(&s->svc, &want.svc, sizeof(want.svc));
	seen->number[i] = true;
	seen->n++;
}

static void services_are_read_back_as_they_were_given(void **state)
{
	struct dp *dp = open_dp(N, 2 * N, N);
	struct dp_service *s = many(N);
	struct seen seen = {.n = 0};

	(void)state;
	dp_services_each(dp, note_service, &seen);
	assert_int_equal(seen.n, 0);
	switch_to(dp, s, N);
	dp_services_each(dp, note_service, &seen);
	assert_int_equal(seen.n, N);
	free(s);
	dp_close(dp);
}

static void only_slots_that_differ_are_written(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	uint16_t want[64], got[64];
	size_t i;

	(void)state;
	for (i = 0; i < 64; i++)
		want[i] = (uint16_t)(i + 1);
	assert_int_equal(dp_slots_write(dp, 62, want, 64), 64);
	assert_int_equal(dp_slots_write(dp, 62, want, 64), 0);
	want[5] = want[63] = 9;
	assert_int_equal(dp_slots_write(dp, 62, want, 64), 2);
	dp_slots_read(dp, 62, got, 64);
	assert_memory_equal(got, want, sizeof(want));
	dp_slots_read(dp, 61, got, 32);
	assert_int_equal(got[31], 0);
	dp_close(dp);
}

static void an_owner_keeps_the_counters_bases(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	struct dp_service s = test_service(3);
	struct shunt_owner o = {.service = "a", .backend = "b", .number = 7, .base_packets = 99};
	struct shunt_owner back;
	struct dp_counter c;

	(void)state;
	fill(dp, 4);
	switch_to(dp, &s, 1);
	assert_true(finds_service(dp, 3) && finds_service(dp, 3));
	dp_counter_read(dp, 7, &c);
	assert_int_equal(c.packets, 2);
	assert_int_equal(c.bytes, 2 * 68);
	dp_owner_reset_counters(dp, 7);
	assert_int_equal(row_packets(dp, 7), 0);
	dp_owner_write(dp, 7, &o);
	assert_int_equal(row_packets(dp, 7), 0);
	dp_owner_read(dp, 7, &back);
	assert_string_equal(back.service, "a");
	assert_string_equal(back.backend, "b");
	assert_int_equal(back.number, 7);
	assert_int_equal(back.base_packets, 2);
	dp_close(dp);
}

static void an_owner_that_moves_takes_its_counts_along(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	struct dp_service s[2] = {test_service(3), test_service(4)};

	(void)state;
	fill(dp, 5);
	switch_to(dp, s, 2);
	assert_true(finds_service(dp, 3) && finds_service(dp, 3) && finds_service(dp, 4));
	dp_owner_carry_counters(dp, 7, 9);
	assert_int_equal(row_packets(dp, 9), 2);
	assert_true(finds_service(dp, 4));
	assert_int_equal(row_packets(dp, 9), 3);
	dp_close(dp);
}

static void growing_keeps_contents_and_counts(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	struct dp_sizes more = {.services = N, .rows = 2 * N, .slot_lines = N, .flows = 90000};
	struct dp_service *s = many(N);
	struct dp_error err = {""};
	struct shunt_owner o;

	(void)state;
	fill(dp, 8);
	switch_to(dp, s, 8);
	assert_true(finds_service(dp, 2) && finds_service(dp, 3) && finds_service(dp, 3));
	dp_owner_reset_counters(dp, 5);
	assert_true(finds_service(dp, 2));
	assert_int_equal(dp_grow(dp, &more, &err), 0);
	assert_true(dp_sizes(dp)->rows >= 2 * N && dp_sizes(dp)->services >= N &&
		    dp_sizes(dp)->slot_lines >= N && dp_sizes(dp)->flows >= 90000);
	assert_int_equal(row_packets(dp, 5), 1);
	assert_int_equal(row_packets(dp, 7), 2);
	assert_true(finds_service(dp, 2) && finds_service(dp, 3));
	dp_owner_read(dp, 7, &o);
	assert_string_equal(o.service, "service3");
	fill(dp, N);
	switch_to(dp, s, N);
	assert_true(finds_service(dp, N - 1) && finds_service(dp, N - 2));
	free(s);
	dp_close(dp);
}

static void growing_to_what_there_is_does_nothing(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	int fd = dp_program_fd(dp);
	struct dp_sizes same = *dp_sizes(dp);

	(void)state;
	assert_int_equal(dp_grow(dp, &same, NULL), 0);
	assert_int_equal(dp_program_fd(dp), fd);
	dp_close(dp);
}

/* ---- flows ------------------------------------------------------------------------------------*/

#define FLOWS 400
#define SERVERS 4

/* Service 0 with SERVERS backends in turn, each flow remembered. */
static void fill_round_robin(struct dp *dp)
{
	struct dp_service s = test_service(0);
	uint16_t slots[SHUNT_SLOTS_PER_LINE];
	struct shunt_backend b;
	size_t i;

	for (i = 0; i < SHUNT_SLOTS_PER_LINE; i++)
		slots[i] = (uint16_t)(1 + i % SERVERS);
	dp_slots_write(dp, 0, slots, SHUNT_SLOTS_PER_LINE);
	for (i = 1; i <= SERVERS; i++) {
		b = dsr_backend((uint8_t)i);
		dp_backend_write(dp, (uint32_t)i, &b);
	}
	s.svc.backends = SERVERS;
	s.svc.flags = SHUNT_SVC_FLOWS;
	s.svc.flow_timeout = 600;
	switch_to(dp, &s, 1);
}

static uint8_t server_of(const struct dp *dp, uint16_t flow)
{
	struct dp_service s = test_service(0);
	struct frame f = udp_frame(&s.vip, s.port, flow);
	uint8_t out[OUT_MAX];

	run_frame(dp, &f, out);
	return out[1];
}

static void growing_moves_no_flow(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	struct dp_sizes more = *dp_sizes(dp);
	uint8_t server[FLOWS];
	uint32_t used[SERVERS + 1] = {0};
	uint16_t i;
	int round;

	(void)state;
	fill_round_robin(dp);
	for (i = 0; i < FLOWS; i++) {
		server[i] = server_of(dp, i);
		assert_in_range(server[i], 1, SERVERS);
		used[server[i]]++;
	}
	for (i = 1; i <= SERVERS; i++)
		assert_true(used[i] > FLOWS / SERVERS / 2);
	for (round = 0; round < 3; round++) {
		more.flows *= 8;
		more.rows += 100;
		assert_int_equal(dp_grow(dp, &more, NULL), 0);
		assert_true(dp_sizes(dp)->flows >= more.flows);
		for (i = 0; i < FLOWS; i++)
			assert_int_equal(server_of(dp, i), server[i]);
	}
	dp_close(dp);
}

/* Ages wrap: what is older than half of their range is forgotten before it looks young. */
static void flows_of_half_a_wrap_ago_are_forgotten(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	const uint16_t now = dp_tick(dp);
	const uint16_t ages[SHUNT_FLOWS_PER_BUCKET] = {0,     300,   32000, 33000,
						       60000, 65530, 1,	    40000};
	const bool stays[SHUNT_FLOWS_PER_BUCKET] = {true,  true, true, false,
						    false, true, true, false};
	struct shunt_flow_bucket bucket, after;
	const uint32_t at = 5;
	size_t i;

	(void)state;
	for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++)
		bucket.word[i] =
			(i + 1) << 40 | SHUNT_FLOW_CONFIRMED | 1u << 16 | (uint16_t)(now - ages[i]);
	assert_int_equal(bpf_map_update_elem(dp_map_fd(dp, "flows"), &at, &bucket, 0), 0);
	assert_int_equal(dp_flows_forget_old(dp), 3);
	assert_int_equal(bpf_map_lookup_elem(dp_map_fd(dp, "flows"), &at, &after), 0);
	for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++)
		assert_true(after.word[i] == (stays[i] ? bucket.word[i] : 0));
	dp_close(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_at_least_what_was_asked),
		cmocka_unit_test(sizes_beyond_reason_are_refused_in_words),
		cmocka_unit_test(buckets_of_sources_begin_full),
		cmocka_unit_test(packets_find_each_of_many_services),
		cmocka_unit_test(a_switch_replaces_all_services),
		cmocka_unit_test(a_service_for_any_port_takes_the_ports_that_no_other_has),
		cmocka_unit_test(the_same_service_twice_is_refused_by_name),
		cmocka_unit_test(more_services_than_fit_are_refused),
		cmocka_unit_test(a_service_that_points_outside_of_the_tables_is_refused),
		cmocka_unit_test(services_are_read_back_as_they_were_given),
		cmocka_unit_test(only_slots_that_differ_are_written),
		cmocka_unit_test(an_owner_keeps_the_counters_bases),
		cmocka_unit_test(an_owner_that_moves_takes_its_counts_along),
		cmocka_unit_test(growing_keeps_contents_and_counts),
		cmocka_unit_test(growing_to_what_there_is_does_nothing),
		cmocka_unit_test(growing_moves_no_flow),
		cmocka_unit_test(flows_of_half_a_wrap_ago_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
