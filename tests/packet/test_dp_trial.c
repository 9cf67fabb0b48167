/* SPDX-License-Identifier: BSD-2-Clause */
/* The former program while it may be put back: it outlives the daemon, wherever that one is killed, and it
 * goes when its time is over. Kills: at each system call that pins, updates or removes something, one after
 * the other. */
#include "dp_stage.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "base/mono.h"

#define HOUR_US 3600000000ll

static long steps, kill_at; /* in the daemon that is to be killed; 0: not yet */

static void step(void)
{
	if (kill_at && ++steps == kill_at)
		kill(getpid(), SIGKILL);
}

/* In place of the C library's, which dp and libbpf call. */
int rename(const char *from, const char *to)
{
	if (access(from, F_OK) == 0) /* what is not there changes nothing */
		step();
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path)
{
	if (access(path, F_OK) == 0)
		step();
	return unlinkat(AT_FDCWD, path, 0);
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define KILLS_AT_CALLS 1
static long raw(long nr, long a, long b, long c)
{
	long ret = nr;

	__asm__ volatile("syscall" : "+a"(ret) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

long syscall(long nr, ...)
{
	long arg[3], ret;
	va_list args;
	size_t i;

	va_start(args, nr);
	for (i = 0; i < 3; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (nr == SYS_bpf && (arg[0] == BPF_OBJ_PIN || arg[0] == BPF_LINK_UPDATE))
		step();
	ret = raw(nr, arg[0], arg[1], arg[2]);
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}
#endif

/* ---- daemons ----------------------------------------------------------------------------------*/

static uint32_t program_of(const struct dp *dp)
{
	return dp_program_id(dp_program_fd(dp));
}

static const struct dp_trial *trial(int64_t for_us)
{
	static struct dp_trial t;

	t = (struct dp_trial){mono_now().us + for_us, 1, 2, 3, 4};
	return &t;
}

/* Returns the program that is in force. */
static uint32_t first_daemon(void)
{
	struct dp *dp = open_dp(N);
	uint32_t id;

	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	id = program_of(dp);
	close_dp(dp);
	return id;
}

static struct dp *next_daemon(int64_t for_us)
{
	struct dp *dp = open_dp(N);

	dp_trial_begin(dp, trial(for_us));
	commit(dp);
	return dp;
}

static void count_former(void *arg, const char *name)
{
	*(int *)arg += strncmp(name, "former-", 7) == 0;
}

static int former_pins(void)
{
	int n = 0;

	assert_int_equal(dp_dir_each(pin_path(""), count_former, &n), 0);
	return n;
}

/* ---- without kills ----------------------------------------------------------------------------*/

static void it_outlives_the_daemon_and_can_be_put_back(void **state)
{
	uint32_t first = first_daemon();
	struct dp *dp = next_daemon(HOUR_US);
	struct dp_trial t;
	int64_t until;

	(void)state;
	assert_true(dp_has_former(dp));
	assert_false(dp_trial_resumed(dp, &t));
	until = dp->trial.until_us;
	close_dp(dp);
	dp = next_daemon(2 * HOUR_US);
	assert_true(dp_trial_resumed(dp, &t));
	assert_int_equal(t.until_us, until);
	assert_int_equal(t.swapped_errors, 4);
	assert_int_not_equal(program_of(dp), first);
	assert_int_equal(dp_put_back(dp, NULL), 0);
	assert_int_equal(program_of(dp), first);
	assert_int_equal(dp_links_program(dp, first), first);
	assert_true(has_all(dp));
	assert_int_equal(former_pins(), 0);
	close_dp(dp);
	dp = open_dp(N);
	assert_false(dp_has_former(dp));
	assert_int_equal(dp->old.program_id, first);
	close_dp(dp);
}

static void it_goes_when_its_time_is_over(void **state)
{
	struct dp *dp;

	(void)state;
	first_daemon();
	close_dp(next_daemon(1000));
	assert_true(former_pins() > 0);
	usleep(2000);
	dp = open_dp(N);
	assert_false(dp_has_former(dp));
	assert_int_equal(former_pins(), 0);
	close_dp(dp);
}

static void it_goes_when_tables_are_made_anew(void **state)
{
	struct dp *dp;

	(void)state;
	first_daemon();
	close_dp(next_daemon(HOUR_US));
	dp = open_dp(50 * N);
	assert_true(dp_has_former(dp));
	commit(dp);
	assert_false(dp_has_former(dp));
	assert_true(dp_is_one_way(dp));
	assert_int_equal(former_pins(), 0);
	close_dp(dp);
}

static void what_is_half_written_is_cleared_away(void **state)
{
	struct dp *dp;

	(void)state;
	first_daemon();
	close_dp(next_daemon(HOUR_US));
	assert_int_equal(unlink(pin_path("former-trial")), 0);
	dp = open_dp(N);
	assert_false(dp_has_former(dp));
	assert_int_equal(former_pins(), 0);
	commit(dp);
	assert_true(has_all(dp));
	close_dp(dp);
}

/* ---- with ------------------------------------------------------------------------------------*/

#ifdef KILLS_AT_CALLS
static void commits(struct dp *dp)
{
	dp_trial_begin(dp, trial(HOUR_US));
	commit(dp);
}

static void goes_back(struct dp *dp)
{
	assert_int_equal(dp_put_back(dp, NULL), 0);
}

static void drops(struct dp *dp)
{
	dp_drop_former(dp);
}

/* Whether the daemon was killed in @work, at its step @at. */
static bool killed(void (*before)(struct dp *dp), void (*work)(struct dp *dp), long at)
{
	pid_t pid = fork();
	struct dp *dp;
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		dp = open_dp(N);
		if (before)
			before(dp);
		kill_at = at;
		work(dp);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* One of the two runs; where it is the later one, and @may_end is false, the first is at hand. */
static void check(uint32_t first, bool may_end, long at)
{
	struct dp *dp = open_dp(N);
	uint32_t runs = dp_links_program(dp, dp->old.program_id);

	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	assert_int_equal(new_pins(), 0);
	if (runs != dp->old.program_id)
		fail_msg("killed at step %ld: %u runs, %u is pinned", at, runs, dp->old.program_id);
	if (dp_has_former(dp) != (runs != first) && !(may_end && runs != first))
		fail_msg(
			"killed at step %ld: program %u runs, of %u before, and there is %s former",
			at, runs, first, dp_has_former(dp) ? "a" : "no");
	assert_int_equal(former_pins() > 0, dp_has_former(dp));
	if (dp_has_former(dp)) {
		commit(dp);
		assert_int_equal(dp_put_back(dp, NULL), 0);
		assert_int_equal(dp_links_program(dp, first), first);
	} else {
		commit(dp);
	}
	assert_true(has_all(dp));
	close_dp(dp);
	assert_int_equal(dp_remove(pin_dir, NULL), 0);
}

static void a_commit_may_be_killed_anywhere(void **state)
{
	bool was = true;
	uint32_t first;
	long at;

	(void)state;
	for (at = 1; was; at++) {
		first = first_daemon();
		was = killed(NULL, commits, at);
		check(first, false, at);
	}
	assert_true(at > 8);
}

static void so_may_the_way_back(void **state)
{
	bool was = true;
	uint32_t first;
	long at;

	(void)state;
	for (at = 1; was; at++) {
		first = first_daemon();
		was = killed(commits, goes_back, at);
		check(first, false, at);
	}
	assert_true(at > 6);
}

static void so_may_its_end(void **state)
{
	bool was = true;
	uint32_t first;
	long at;

	(void)state;
	for (at = 1; was; at++) {
		first = first_daemon();
		was = killed(commits, drops, at);
		check(first, true, at);
	}
	assert_true(at > 3);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(it_outlives_the_daemon_and_can_be_put_back),
		STAGED(it_goes_when_its_time_is_over),
		STAGED(it_goes_when_tables_are_made_anew),
		STAGED(what_is_half_written_is_cleared_away),
#ifdef KILLS_AT_CALLS
		STAGED(a_commit_may_be_killed_anywhere),
		STAGED(so_may_the_way_back),
		STAGED(so_may_its_end),
#endif
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
