/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that is to take over is first asked what it would do. Two that differ are made of the same
 * source with two hash keys. */
#include "dp_stage.h"

#define BACKENDS 8

/* Service @i of N, half of them TCP, with eight backends, all on TWO, told apart by their MACs; rows from
 * 10 i on, line i. */
static struct dp_service wide_service(uint32_t i)
{
	struct dp_service s = test_service(i);

	s.svc.row = 10 * i;
	s.svc.backends = BACKENDS;
	s.svc.flow_timeout = 100;
	s.protocol = i % 4 < 2 ? IPPROTO_TCP : IPPROTO_UDP;
	if (i % 8 >= 4)
		s.svc.flags = SHUNT_SVC_FLOWS;
	return s;
}

static void fill_wide(struct dp *dp)
{
	struct dp_service s[N];
	struct shunt_backend b = {.ifindex = if_nametoindex(TWO),
				  .mtu = 1500,
				  .method = SHUNT_DSR,
				  .flags = SHUNT_BE_USABLE};
	uint16_t slots[SHUNT_SLOTS_PER_LINE];
	struct shunt_owner o = {0};
	uint32_t i, k;

	for (i = 0; i < SHUNT_SLOTS_PER_LINE; i++)
		slots[i] = (uint16_t)(1 + i % BACKENDS);
	for (i = 0; i < N; i++) {
		s[i] = wide_service(i);
		dp_slots_write(dp, i, slots, SHUNT_SLOTS_PER_LINE);
		snprintf(o.service, sizeof(o.service), "service%u", i);
		for (k = 1; k <= BACKENDS; k++) {
			b.dmac[4] = (uint8_t)i;
			b.dmac[5] = (uint8_t)k;
			o.number = k;
			snprintf(o.backend, sizeof(o.backend), "b%u", k);
			dp_backend_write(dp, s[i].svc.row + k, &b);
			dp_owner_write(dp, s[i].svc.row + k, &o);
		}
		o.number = 0;
		o.backend[0] = '\0';
		dp_owner_write(dp, s[i].svc.row, &o);
	}
	assert_int_equal(dp_services_switch(dp, s, N, NULL), 0);
}

static struct dp *open_wide(uint64_t key, uint32_t rows)
{
	struct dp_options opt = options(N);
	struct dp_error err = {""};
	struct dp *dp = NULL;

	opt.sizes.rows = rows;
	opt.hash_key[1] = key;
	if (dp_open(&opt, &dp, &err))
		fail_msg("%s", err.text);
	left_open = dp;
	return dp;
}

static void leave_running(void)
{
	struct dp *dp = open_wide(3, 10 * N);

	fill_wide(dp);
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
}

struct counted {
	uint64_t rows, bytes, flows, verdicts[SHUNT_VERDICT_MAX], words;
};

static struct counted count_all(const struct dp *dp)
{
	struct counted all = {0};
	struct shunt_flow_bucket bucket;
	struct dp_counter c;
	uint32_t i, k;

	for (i = 0; i < 10 * N; i++) {
		dp_counter_read(dp, i, &c);
		all.rows += c.packets;
		all.bytes += c.bytes;
		all.flows += c.flows;
	}
	dp_verdicts_read(dp, all.verdicts);
	for (i = 0; i < dp->set.map[DP_FLOWS].entries; i++) {
		assert_int_equal(bpf_map_lookup_elem(dp->set.map[DP_FLOWS].fd, &i, &bucket), 0);
		for (k = 0; k < SHUNT_FLOWS_PER_BUCKET; k++)
			all.words += bucket.word[k] != 0;
	}
	return all;
}

static void the_same_program_does_the_same_and_leaves_no_trace(void **state)
{
	struct dp_check_result result;
	struct counted before, after;
	struct dp_error err = {""};
	struct dp *dp;

	(void)state;
	leave_running();
	dp = open_wide(3, 10 * N);
	before = count_all(dp);
	if (dp_check(dp, &result, &err))
		fail_msg("%s", err.text);
	assert_int_equal(result.services, N);
	assert_in_range(result.asked, 1,
			N); /* all, unless the machine is so busy that time is up */
	assert_true(result.packets >= 3 * N);
	after = count_all(dp);
	assert_memory_equal(&before, &after, sizeof(before));
	commit(dp);
	close_dp(dp);
}

static void so_it_does_over_larger_tables(void **state)
{
	struct dp_check_result result;
	struct counted before, after;
	struct dp_error err = {""};
	struct dp *dp;

	(void)state;
	leave_running();
	dp = open_wide(3, 1000 * N);
	before = count_all(dp);
	if (dp_check(dp, &result, &err))
		fail_msg("%s", err.text);
	assert_in_range(result.asked, 1, N);
	after = count_all(dp);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(dp_stay(dp), -ENOTSUP);
	commit(dp);
	after = count_all(dp);
	assert_memory_equal(&before, &after, sizeof(before));
	close_dp(dp);
}

static void another_one_is_found_out(void **state)
{
	struct dp_check_result result;
	struct dp_error err = {""};
	struct dp *dp;

	(void)state;
	leave_running();
	dp = open_wide(4711, 10 * N);
	assert_int_equal(dp_check(dp, &result, &err), -ESTALE);
	assert_in_range(result.differ, N, 4 * N);
	assert_non_null(strstr(err.text, "service service"));
	assert_non_null(strstr(err.text, "the running program sends it, for backend b"));
	assert_non_null(strstr(err.text, ", the new one sends it"));
	close_dp(dp);
}

static uint32_t runs_on(const struct dp *dp)
{
	return dp_links_program(dp, 0);
}

static void the_running_one_stays_where_it_is_told_to(void **state)
{
	struct dp_error err = {""};
	struct dp_sizes more;
	uint32_t running;
	struct dp *dp;

	(void)state;
	leave_running();
	dp = open_wide(4711, 10 * N);
	running = runs_on(dp);
	assert_int_equal(dp->old.program_id, running);
	assert_int_equal(dp_stay(dp), 0);
	assert_int_equal(dp->set.program_id, running);
	commit(dp);
	assert_int_equal(runs_on(dp), running);
	fill_wide(dp); /* in force at once */
	more = *dp_sizes(dp);
	more.rows *= 2;
	assert_int_equal(dp_grow(dp, &more, &err), -EBUSY);
	assert_non_null(strstr(err.text, "--accept-changes"));
	assert_int_equal(new_pins(), 0);
	close_dp(dp);
	dp = open_wide(3, 10 * N);
	assert_int_equal(runs_on(dp), running);
	commit(dp);
	assert_int_not_equal(runs_on(dp), running);
	close_dp(dp);
}

static void the_former_one_is_put_back(void **state)
{
	struct dp_error err = {""};
	uint32_t former, ours;
	struct dp *dp;

	(void)state;
	leave_running();
	dp = open_wide(3, 10 * N);
	former = runs_on(dp);
	assert_false(dp_has_former(dp));
	commit(dp);
	ours = runs_on(dp);
	assert_true(dp_has_former(dp) && ours != former);
	if (dp_put_back(dp, &err))
		fail_msg("%s", err.text);
	assert_int_equal(runs_on(dp), former);
	assert_int_equal(dp->set.program_id, former);
	assert_false(dp_has_former(dp));
	assert_int_equal(new_pins(), 0);
	close_dp(dp);
	dp = open_wide(3, 10 * N);
	assert_true(dp_adopted(dp));
	assert_int_equal(dp->old.program_id, former);
	assert_true(dp->old.map[DP_STAGES].fd >= 0);
	commit(dp);
	dp_drop_former(dp);
	assert_int_equal(dp_put_back(dp, &err), -ENOENT);
	close_dp(dp);
}

static void slots_in_transition_are_left_alone(void **state)
{
	const uint16_t changed[SHUNT_SLOTS_PER_LINE] = {[0 ... 31] = SHUNT_SLOT_CHANGED | 2};
	struct dp_check_result result;
	struct dp_error err = {""};
	struct shunt_base_line bases;
	const uint32_t line = 0;
	struct dp *dp;

	(void)state;
	leave_running();
	dp = open_wide(3, 10 * N);
	memset(&bases, 0, sizeof(bases));
	bases.slot[7].base = 1;
	assert_int_equal(bpf_map_update_elem(dp_map_fd(dp, "bases"), &line, &bases, 0), 0);
	dp_slots_write(dp, 0, changed, SHUNT_SLOTS_PER_LINE);
	assert_int_equal(dp_check(dp, &result, &err), 0);
	assert_in_range(result.asked, 1, N);
	assert_int_equal(bpf_map_lookup_elem(dp_map_fd(dp, "bases"), &line, &bases), 0);
	assert_int_equal(bases.slot[7].used, 0);
	close_dp(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(the_same_program_does_the_same_and_leaves_no_trace),
		STAGED(so_it_does_over_larger_tables),
		STAGED(another_one_is_found_out),
		STAGED(the_running_one_stays_where_it_is_told_to),
		STAGED(the_former_one_is_put_back),
		STAGED(slots_in_transition_are_left_alone),
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
