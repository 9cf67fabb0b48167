/* SPDX-License-Identifier: BSD-2-Clause */
/* Pins of other versions of the tables: those of version 1 are taken over, whenever a daemon that does so
 * is killed; those of a version to come are refused. */
#include "dp_stage.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "io/dp_v1.h"

static const char *v1_path(const char *name)
{
	static char path[DP_PATH_MAX];

	snprintf(path, sizeof(path), "%s/v1/%s", pin_dir, name);
	return path;
}

static void *map_in(int fd, size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(mem != MAP_FAILED);
	return mem;
}

static struct v1_service v1_of(const struct shunt_service *s)
{
	return (struct v1_service){.slots_at = s->slots_at,
				   .slot_mask = s->slot_mask,
				   .row = s->row,
				   .backends = s->backends,
				   .flags = (uint8_t)s->flags,
				   .scheduler = s->scheduler,
				   .flow_timeout = s->flow_timeout,
				   .policy = s->policy,
				   .salt = s->salt};
}

/* Pins what version 1 would have had in place of services4 or services6. */
static void pin_v1_services(const struct dp *dp, enum dp_map_id i)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	uint32_t size = i == DP_SERVICES4 ? sizeof(struct v1_service4) : sizeof(struct v1_service6);
	uint32_t n = dp->set.map[i].entries, k;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, dp_map_name(i), 4, size, n, &opts);
	void *there;

	assert_true(fd >= 0);
	there = map_in(fd, (size_t)n * size);
	for (k = 0; k < n; k++) {
		const struct shunt_service4 *s4 = dp->set.map[DP_SERVICES4].mem;
		const struct shunt_service6 *s6 = dp->set.map[DP_SERVICES6].mem;

		if (i == DP_SERVICES4) {
			((struct v1_service4 *)there)[k] =
				(struct v1_service4){.key = s4[k].key, .svc = v1_of(&s4[k].svc)};
			continue;
		}
		memcpy(&((struct v1_service6 *)there)[k], &s6[k], sizeof(s6[k]) - sizeof(s6->svc));
		((struct v1_service6 *)there)[k].svc = v1_of(&s6[k].svc);
	}
	munmap(there, (size_t)n * size);
	assert_int_equal(dp_pin_set(fd, v1_path(dp_map_name(i))), 0);
	close(fd);
}

static void move_to_v1(void *arg, const char *name)
{
	static const char *const today[] = {"services4", "services6", "bases",	   "loads",
					    "flow_rows", "nat_backs", "nat_backs6"};
	char from[DP_PATH_MAX];
	size_t i;

	(void)arg;
	snprintf(from, sizeof(from), "%s", pin_path(name));
	for (i = 0; i < sizeof(today) / sizeof(today[0]); i++)
		if (strcmp(name, today[i]) == 0) {
			assert_int_equal(unlink(from), 0);
			return;
		}
	assert_int_equal(rename(from, v1_path(name)), 0);
}

#define V1_FLOW 0xabcdef0380021234ull /* a tag that ends with 1, as all did */
#define V1_FLOW_BUCKET 5

static struct shunt_flow_bucket *flow_bucket(struct dp *dp, size_t *len)
{
	*len = (size_t)dp->set.map[DP_FLOWS].entries * sizeof(struct shunt_flow_bucket);
	return map_in(dp->set.map[DP_FLOWS].fd, *len);
}

/* Leaves what a daemon of version 1 would have left that ran all services on TWO; its program is ours. */
static uint64_t leave_v1(void)
{
	struct dp *dp = open_dp(N);
	struct shunt_flow_bucket *flows;
	uint64_t packets;
	size_t len;

	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	assert_true(has_all(dp));
	packets = row_packets(dp, 9);
	flows = flow_bucket(dp, &len);
	flows[V1_FLOW_BUCKET].word[3] = V1_FLOW;
	munmap(flows, len);
	assert_int_equal(mkdir(v1_path(""), 0700), 0);
	pin_v1_services(dp, DP_SERVICES4);
	pin_v1_services(dp, DP_SERVICES6);
	assert_int_equal(dp_dir_each(pin_path(""), move_to_v1, NULL), 0);
	assert_int_equal(rmdir(pin_path("")), 0);
	close_dp(dp);
	return packets;
}

static bool v1_is_gone(void)
{
	return access(v1_path(""), F_OK) != 0;
}

static void is_taken_over(struct dp *dp)
{
	struct shunt_flow_bucket *flows;
	size_t len;

	assert_true(dp_adopted(dp));
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	assert_true(has_all(dp));
	flows = flow_bucket(dp, &len);
	assert_true(flows[V1_FLOW_BUCKET].word[0] == (V1_FLOW & ~SHUNT_FLOW_ENDED) ||
		    flows[V1_FLOW_BUCKET].word[3] == (V1_FLOW & ~SHUNT_FLOW_ENDED));
	munmap(flows, len);
}

static void tables_of_version_1_are_taken_over(void **state)
{
	uint64_t packets = leave_v1();
	struct dp *dp = open_dp(N);

	(void)state;
	assert_true(dp_adopted(dp));
	assert_int_equal(row_packets(dp, 9), packets);
	assert_false(v1_is_gone()); /* nothing has happened yet */
	assert_true(access(v1_path("link-" TWO), F_OK) == 0);
	commit(dp);
	assert_true(v1_is_gone());
	assert_true(is_pinned("link-" TWO) && is_pinned("bases") && is_pinned("nat_backs") &&
		    !new_pins());
	assert_int_equal(row_packets(dp, 9), packets);
	is_taken_over(dp);
	close_dp(dp);
	dp = open_dp(N);
	is_taken_over(dp);
	assert_int_equal(row_packets(dp, 9), packets + 2);
	close_dp(dp);
}

static void they_grow_on_the_way(void **state)
{
	uint64_t packets = leave_v1();
	struct dp *dp = open_dp(50 * N);

	(void)state;
	commit(dp);
	assert_true(v1_is_gone());
	assert_int_equal(row_packets(dp, 9), packets);
	assert_true(has_all(dp));
	close_dp(dp);
}

static void no_frame_is_lost_on_the_way(void **state)
{
	uint64_t packets = leave_v1();
	struct dp *dp;
	pid_t sender = start_sender(4, 20000);

	(void)state;
	usleep(10000);
	dp = open_dp(N);
	usleep(10000);
	assert_true(still_runs(sender));
	commit(dp);
	while (still_runs(sender))
		usleep(1000);
	assert_true(counts_soon(dp, 9, packets + 20000));
	close_dp(dp);
}

/* A link takes only programs with the attach type of the one that it was made with. */
static void a_link_of_version_1_takes_our_program(void **state)
{
	LIBBPF_OPTS(bpf_prog_load_opts, xdp, .expected_attach_type = BPF_XDP);
	const struct bpf_insn pass[] = {{.code = 0xb7, .imm = 2}, {.code = 0x95}};
	int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass, 2, &xdp);
	int link = bpf_link_create(program, (int)if_nametoindex(TWO), BPF_XDP, NULL);
	struct dp *dp = open_dp(N);

	(void)state;
	assert_true(program >= 0 && link >= 0);
	assert_int_equal(bpf_link_update(link, dp_program_fd(dp), NULL), 0);
	close(link);
	close(program);
	close_dp(dp);
}

/* ---- killed -----------------------------------------------------------------------------------*/

static void adopts_and_commits(void)
{
	struct dp *dp = open_dp(N);

	commit(dp);
	assert_true(v1_is_gone() && is_pinned("link-" TWO) && !new_pins());
	is_taken_over(dp);
	close_dp(dp);
}

static void killed_before_the_links_version_1_holds(void **state)
{
	struct dp *dp;

	(void)state;
	leave_v1();
	dp = open_dp(N);
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	close_dp(dp);
	dp = open_dp(N);
	assert_true(dp->old.former && new_pins() == 0);
	close_dp(dp);
	adopts_and_commits();
}

static void killed_after_the_links_ours_holds(void **state)
{
	struct dp *dp;

	(void)state;
	leave_v1();
	dp = open_dp(N);
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	assert_int_equal(dp_copy_flows(&dp->old, &dp->set), 0);
	assert_int_equal(dp_links_update(dp, NULL), 0);
	close_dp(dp);
	dp = open_dp(N);
	assert_false(dp->old.former);
	assert_true(v1_is_gone());
	close_dp(dp);
	adopts_and_commits();
}

static void killed_before_it_has_cleared_away_version_1_goes(void **state)
{
	struct dp *dp;

	(void)state;
	leave_v1();
	dp = open_dp(N);
	assert_int_equal(dp_pins_stage(dp, NULL), 0);
	assert_int_equal(dp_copy_flows(&dp->old, &dp->set), 0);
	assert_int_equal(dp_links_update(dp, NULL), 0);
	assert_int_equal(dp_pins_settle(dp, NULL), 0);
	close_dp(dp);
	adopts_and_commits();
}

/* ---- refused ----------------------------------------------------------------------------------*/

static void refuses(const char *words)
{
	struct dp_options opt = options(N);
	struct dp_error err = {""};
	struct dp *dp = NULL;

	assert_int_equal(dp_open(&opt, &dp, &err), -EINVAL);
	if (!strstr(err.text, words))
		fail_msg("wanted \"%s\", got: %s", words, err.text);
}

static void a_newer_version_is_refused_in_words(void **state)
{
	struct dp *dp = open_dp(N);
	char from[DP_PATH_MAX], to[DP_PATH_MAX];

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
	snprintf(from, sizeof(from), "%s/v%d", pin_dir, SHUNT_ABI_VERSION);
	snprintf(to, sizeof(to), "%s/v%d", pin_dir, SHUNT_ABI_VERSION + 1);
	assert_int_equal(rename(from, to), 0);
	refuses("a newer shuntd has left");
	refuses("--remove");
	assert_int_equal(access(to, F_OK), 0);
}

static void a_version_1_that_is_not_whole_is_refused_in_words(void **state)
{
	(void)state;
	leave_v1();
	assert_int_equal(unlink(v1_path("slots")), 0);
	refuses("are not whole");
	assert_int_equal(access(v1_path("link-" TWO), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(tables_of_version_1_are_taken_over),
		STAGED(they_grow_on_the_way),
		STAGED(no_frame_is_lost_on_the_way),
		STAGED(a_link_of_version_1_takes_our_program),
		STAGED(killed_before_the_links_version_1_holds),
		STAGED(killed_after_the_links_ours_holds),
		STAGED(killed_before_it_has_cleared_away_version_1_goes),
		STAGED(a_newer_version_is_refused_in_words),
		STAGED(a_version_1_that_is_not_whole_is_refused_in_words),
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
