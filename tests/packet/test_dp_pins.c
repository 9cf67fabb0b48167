/* SPDX-License-Identifier: BSD-2-Clause */
/* What is left in /sys/fs/bpf when a daemon ends, and what the next one makes of it. */
#include "dp_stage.h"

#include <cap-ng.h>
#include <sys/mount.h>

static void a_closed_dataplane_is_adopted(void **state)
{
	struct dp *dp = open_dp(N);
	uint64_t packets;

	(void)state;
	assert_false(dp_adopted(dp));
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	assert_true(has_all(dp));
	packets = row_packets(dp, 1);
	close_dp(dp);

	dp = open_dp(1); /* smaller: nothing shrinks */
	assert_true(dp_adopted(dp));
	assert_true(dp_sizes(dp)->rows >= 2 * N);
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	assert_int_equal(row_packets(dp, 1), packets);
	assert_true(has_all(dp));
	commit(dp);
	assert_true(has_all(dp));
	assert_int_equal(new_pins(), 0);
	close_dp(dp);
}

static void a_second_one_is_told_that_it_is_in_use(void **state)
{
	struct dp *dp = open_dp(N), *second = NULL;
	struct dp_options opt = options(N);
	struct dp_error err = {""};

	(void)state;
	assert_int_equal(dp_open(&opt, &second, &err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(err.text, pin_dir));
	assert_non_null(strstr(err.text, "in use by another shuntd"));
	assert_int_equal(dp_remove(pin_dir, &err), -EBUSY);
	close_dp(dp);
	dp = open_dp(N);
	close_dp(dp);
}

static void a_killed_one_forwards_on_and_is_adopted(void **state)
{
	struct dp *dp;
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		dp = open_dp(N);
		fill(dp);
		attach(dp, TWO, DP_NATIVE);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	pid = start_sender(4, 100);
	while (still_runs(pid))
		usleep(1000);
	dp = open_dp(N);
	assert_true(dp_adopted(dp));
	assert_true(counts_soon(dp, 9, 100));
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	commit(dp);
	assert_true(has_all(dp));
	close_dp(dp);
}

/* ---- foreign pins -----------------------------------------------------------------------------*/

static void refuses(const char *words)
{
	struct dp_options opt = options(N);
	struct dp_error err = {""};
	struct dp *dp = NULL;

	assert_int_equal(dp_open(&opt, &dp, &err), -EINVAL);
	assert_null(dp);
	if (!strstr(err.text, words) || !strstr(err.text, pin_dir) || !strstr(err.text, "remove "))
		fail_msg("wanted \"%s\", got: %s", words, err.text);
}

static void replace_pin(const char *name, int fd)
{
	assert_true(fd >= 0);
	assert_int_equal(dp_pin_set(fd, pin_path(name)), 0);
	close(fd);
}

static void pins_that_are_not_ours_are_refused_in_words(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, mmapable, .map_flags = BPF_F_MMAPABLE);
	struct dp *dp = open_dp(N);
	int program_fd;

	(void)state;
	fill(dp);
	commit(dp);
	program_fd = dup(dp_program_fd(dp));
	close_dp(dp);
	replace_pin("slots", bpf_map_create(BPF_MAP_TYPE_ARRAY, "slots", 4, 32, 64, &mmapable));
	refuses("/slots is not a map of this shunt: it has type 2 and values of 32 bytes, wanted "
		"are type 2 and ");
	replace_pin("slots", bpf_map_create(BPF_MAP_TYPE_HASH, "slots", 4, 64, 64, NULL));
	refuses("type 1");
	replace_pin("slots", bpf_map_create(BPF_MAP_TYPE_ARRAY, "slots", 4, 64, 64, &mmapable));
	replace_pin("owners", bpf_map_create(BPF_MAP_TYPE_ARRAY, "owners", 4,
					     sizeof(struct shunt_owner), 3, &mmapable));
	refuses("the sizes of the maps in ");
	replace_pin("owners", program_fd);
	refuses("/owners is not a map");
}

static void a_foreign_link_pin_is_refused_in_words(void **state)
{
	struct dp *dp = open_dp(N);

	(void)state;
	commit(dp);
	replace_pin("link-eth0", bpf_map_create(BPF_MAP_TYPE_ARRAY, "x", 4, 4, 1, NULL));
	close_dp(dp);
	refuses("is not a link");
}

/* In a mount namespace of a child's own. */
static void a_read_only_bpffs_is_named(void **state)
{
	struct dp_options opt = options(N);
	struct dp_error err = {""};
	struct dp *dp = NULL;
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("bpf", DP_BPFFS, "bpf", MS_RDONLY, NULL))
			_exit(9);
		if (dp_open(&opt, &dp, &err) == 0 || !strstr(err.text, "Read-only file system") ||
		    !strstr(err.text, DP_BPFFS))
			printf("# got: %s\n", err.text);
		fflush(stdout);
		_exit(!strstr(err.text, "Read-only file system"));
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- removal ---*/

static void nothing_is_left_after_removal(void **state)
{
	struct dp *dp = open_dp(N);
	struct dp_error err = {""};
	struct dp_options opt = options(N);

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
	assert_int_equal(dp_remove(pin_dir, &err), 0);
	assert_int_not_equal(access(pin_dir, F_OK), 0);
	assert_int_equal(dp_remove(pin_dir, &err), 0);
	opt.pin_dir = NULL;
	assert_int_equal(dp_open(&opt, &dp, &err), 0);
	attach(dp, TWO, DP_NATIVE); /* nobody else is on the interface any more */
	dp_close(dp);
}

static void a_folder_outside_of_bpffs_is_left_alone(void **state)
{
	struct dp_error err = {""};
	char dir[] = "/tmp/dp-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(dp_remove(dir, &err), -EINVAL);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- capabilities ---*/

/* In a child that keeps only @keep (-1: none) of root's capabilities. */
static void open_says(int keep, const char *words)
{
	struct dp_options opt = options(N);
	struct dp_error err = {""};
	struct dp *dp = NULL;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		capng_clear(CAPNG_SELECT_CAPS);
		if (keep >= 0)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned)keep);
		capng_apply(CAPNG_SELECT_CAPS);
		if (dp_open(&opt, &dp, &err) == 0 || !strstr(err.text, words))
			printf("# wanted \"%s\", got: %s\n", words, err.text);
		fflush(stdout);
		_exit(!strstr(err.text, words));
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void missing_capabilities_are_named(void **state)
{
	(void)state;
	open_says(-1, "missing: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON");
	open_says(CAP_BPF, "missing: CAP_NET_ADMIN, CAP_PERFMON");
	open_says(CAP_NET_ADMIN, "missing: CAP_BPF, CAP_PERFMON");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(a_closed_dataplane_is_adopted),
		STAGED(a_second_one_is_told_that_it_is_in_use),
		STAGED(a_killed_one_forwards_on_and_is_adopted),
		STAGED(pins_that_are_not_ours_are_refused_in_words),
		STAGED(a_foreign_link_pin_is_refused_in_words),
		STAGED(a_read_only_bpffs_is_named),
		STAGED(missing_capabilities_are_named),
		STAGED(nothing_is_left_after_removal),
		STAGED(a_folder_outside_of_bpffs_is_left_alone),
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
