/* SPDX-License-Identifier: BSD-2-Clause */
/* Larger tables and new programs under traffic, and daemons killed in the middle of a commit. */
#include "dp_stage.h"

static void larger_sizes_at_open_keep_everything(void **state)
{
	struct dp *dp = open_dp(N);
	uint64_t packets;
	pid_t sender;

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	assert_true(has_all(dp));
	packets = row_packets(dp, 9);
	close_dp(dp);

	dp = open_dp(50 * N);
	assert_true(dp_adopted(dp));
	assert_int_equal(row_packets(dp, 9), packets);
	sender = start_sender(4, 100); /* counted by the old program until the commit */
	while (still_runs(sender))
		usleep(1000);
	commit(dp);
	assert_true(counts_soon(dp, 9, packets + 100));
	assert_true(has_all(dp));
	assert_int_equal(new_pins(), 0);
	close_dp(dp);
	dp = open_dp(N);
	assert_true(dp_sizes(dp)->rows >= 100 * N);
	assert_true(row_packets(dp, 9) == packets + 101 && has_all(dp));
	close_dp(dp);
}

/* ---- killed in the middle of a commit ---------------------------------------------------------*/

/* A set in force, and a larger one on top of it of which nothing is pinned yet; @dp is the latter's. */
static struct dp *before_commit(void)
{
	struct dp *dp = open_dp(N);

	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
	return open_dp(50 * N);
}

static void adopts_rows(uint32_t at_least, uint32_t below)
{
	struct dp *dp = open_dp(N);

	assert_true(dp_adopted(dp));
	assert_true(dp_sizes(dp)->rows >= at_least && dp_sizes(dp)->rows < below);
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	assert_int_equal(new_pins(), 0);
	assert_true(has_all(dp));
	commit(dp);
	assert_true(has_all(dp));
	close_dp(dp);
}

static void killed_while_pinning_the_old_set_holds(void **state)
{
	struct dp *dp = before_commit();

	(void)state;
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	close_dp(dp);
	assert_true(is_pinned("new-program") && is_pinned("new-backends"));
	unlink(pin_path("new-program"));
	adopts_rows(2 * N, 100 * N);
}

static void killed_after_pinning_the_old_set_holds(void **state)
{
	struct dp *dp = before_commit();

	(void)state;
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	close_dp(dp);
	adopts_rows(2 * N, 100 * N);
}

static void killed_after_the_links_the_new_set_holds(void **state)
{
	struct dp *dp = before_commit();

	(void)state;
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	assert_int_equal(dp_links_update(dp, NULL), 0);
	close_dp(dp);
	assert_true(is_pinned("new-backends"));
	adopts_rows(100 * N, UINT32_MAX);
}

/* What the links run, and whether its stages are there; ONE and TWO have the same. */
static uint32_t running_with_stages(const struct dp *dp)
{
	uint32_t ids[128], ifindex, runs[2], stage = SHUNT_STAGE_NAT, id, maps = sizeof(ids) / 4;
	struct bpf_prog_info info = {.nr_map_ids = maps, .map_ids = (uint64_t)(uintptr_t)ids};
	uint32_t len = sizeof(info), filled = 0, i;
	int program;

	assert_int_equal(dp->n_links, 2);
	assert_int_equal(dp_xdp_link_info(dp->links[0].fd, &ifindex, &runs[0]), 0);
	assert_int_equal(dp_xdp_link_info(dp->links[1].fd, &ifindex, &runs[1]), 0);
	assert_int_equal(runs[0], runs[1]);
	program = bpf_prog_get_fd_by_id(runs[0]);
	assert_int_equal(bpf_obj_get_info_by_fd(program, &info, &len), 0);
	close(program);
	for (i = 0; i < info.nr_map_ids; i++) {
		struct bpf_map_info map = {0};
		int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(map);
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &map, &len), 0);
		if (map.type == BPF_MAP_TYPE_PROG_ARRAY)
			filled += bpf_map_lookup_elem(fd, &stage, &id) == 0;
		close(fd);
	}
	assert_int_equal(filled, 1);
	return runs[0];
}

static void killed_between_the_links_all_get_the_new_set(void **state)
{
	struct dp *dp = open_dp(N);
	uint32_t new_id;

	(void)state;
	fill(dp);
	attach(dp, ONE, DP_NATIVE);
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
	dp = open_dp(50 * N);
	running_with_stages(dp);
	new_id = dp->set.program_id;
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	assert_int_equal(bpf_link_update(dp->links[0].fd, dp->set.program_fd, NULL), 0);
	close_dp(dp);

	dp = open_dp(N);
	assert_int_equal(running_with_stages(dp), new_id);
	assert_true(dp_sizes(dp)->rows >= 100 * N);
	commit(dp);
	assert_int_not_equal(running_with_stages(dp), new_id);
	close_dp(dp);
}

static void killed_while_renaming_the_new_set_holds(void **state)
{
	struct dp *dp = before_commit();
	char from[DP_PATH_MAX];

	(void)state;
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	assert_int_equal(dp_links_update(dp, NULL), 0);
	close_dp(dp);
	snprintf(from, sizeof(from), "%s", pin_path("new-ctl"));
	assert_int_equal(rename(from, pin_path("ctl")), 0);
	snprintf(from, sizeof(from), "%s", pin_path("new-backends"));
	assert_int_equal(rename(from, pin_path("backends")), 0);
	adopts_rows(100 * N, UINT32_MAX);
}

static void a_lost_pin_is_found_again_in_the_running_program(void **state)
{
	struct dp *dp = open_dp(N);

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
	assert_int_equal(unlink(pin_path("slots")), 0);
	adopts_rows(2 * N, UINT32_MAX);
	assert_true(is_pinned("slots"));
}

static void without_a_link_a_lost_pin_starts_anew(void **state)
{
	struct dp *dp = open_dp(N);

	(void)state;
	fill(dp);
	commit(dp);
	close_dp(dp);
	assert_int_equal(unlink(pin_path("slots")), 0);
	dp = open_dp(N);
	assert_false(dp_adopted(dp));
	assert_false(has_all(dp));
	fill(dp);
	commit(dp);
	close_dp(dp);
	dp = open_dp(N);
	assert_true(dp_adopted(dp) && has_all(dp));
	close_dp(dp);
}

/* ---- traffic through swaps --------------------------------------------------------------------*/

#define GROWTHS 200

/* LIVE_FRAMES: how many are sent meanwhile. */
static uint64_t live_frames(void)
{
	const char *text = getenv("LIVE_FRAMES");

	return text ? strtoull(text, NULL, 10) : 40000;
}

/* A second sender and more, while there have been few restarts: how long one takes is the machine's affair.  In a
 * guest they take far longer than frames. */
static bool is_under_traffic(pid_t *sender, uint64_t *sent, int restarts)
{
	if (still_runs(*sender))
		return true;
	if (restarts > 3 || (restarts > 0 && getenv("SLOW")))
		return false;
	*sender = start_sender(4, 10000);
	*sent += 10000;
	return true;
}

static void swaps_under_traffic_lose_no_packet(void **state)
{
	struct dp *dp = open_dp(N);
	struct dp_sizes more;
	struct dp_error err = {""};
	int restarts = 0, growths = 0;
	uint64_t sent = live_frames();
	pid_t sender;

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	sender = start_sender(4, (uint32_t)sent);
	while (is_under_traffic(&sender, &sent, restarts)) {
		close_dp(dp);
		dp = open_dp(N);
		commit(dp);
		restarts++;
		if (growths >= GROWTHS)
			continue;
		more = *dp_sizes(dp);
		more.rows += 64;
		more.slot_lines += 64;
		more.flows *= growths < 3 ? 4 : 1;
		if (dp_grow(dp, &more, &err))
			fail_msg("%s", err.text);
		growths++;
	}
	assert_true(counts_soon(dp, 9, sent));
	print_message("# %llu frames, %d restarts, %d growths, none lost\n",
		      (unsigned long long)sent, restarts, growths);
	close_dp(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(larger_sizes_at_open_keep_everything),
		STAGED(killed_while_pinning_the_old_set_holds),
		STAGED(killed_after_pinning_the_old_set_holds),
		STAGED(killed_after_the_links_the_new_set_holds),
		STAGED(killed_between_the_links_all_get_the_new_set),
		STAGED(killed_while_renaming_the_new_set_holds),
		STAGED(a_lost_pin_is_found_again_in_the_running_program),
		STAGED(without_a_link_a_lost_pin_starts_anew),
		STAGED(swaps_under_traffic_lose_no_packet),
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
