/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon that only restarts and grows is killed at any moment, again and again, while frames run in
 * a circle: ONE sends to TWO, where the packet path sends them back, and ONE's decap program counts
 * them. Every frame must come back. */
#include "dp_stage.h"

#include <sys/mman.h>

#include "base/own.h"
#include "io/dp_decap.h"

#define KILLS 25
#define KILLS_AT_LEAST 5 /* while frames run, on a machine that sends them fast */
#define FRAMES 60000

static struct shunt_backend mirror(enum shunt_forward method)
{
	struct shunt_backend b = {.addr = {0x0100000a},
				  .ifindex = if_nametoindex(TWO),
				  .mtu = 1500,
				  .method = method,
				  .flags = SHUNT_BE_USABLE};

	memcpy(b.dmac, "\2\1\1\1\1\1", 6);
	memcpy(b.smac, "\2\2\2\2\2\2", 6);
	return b;
}

static void fill_with_mirrors(struct dp *dp, enum shunt_forward method)
{
	struct shunt_nat_ctl nat = {.timeout = {1000, 1000, 1000, 1000, 1000}};
	struct shunt_backend b = mirror(method);
	struct dp_service s = test_service(4);
	uint32_t i;

	for (i = 0; i < N; i++)
		fill_rows(dp, i, &b);
	dp_nat_write(dp, &nat);
	if (method == SHUNT_MASQ)
		s.svc.flags |= SHUNT_SVC_NAT;
	assert_int_equal(dp_services_switch(dp, &s, 1, NULL), 0);
}

/* Counts in *@grown how often the daemon got as far as to grow. */
static void restart_for_ever(volatile uint32_t *grown)
{
	struct dp_options opt = options(N);
	struct dp_sizes more;
	struct dp *dp;

	for (;;) {
		if (dp_open(&opt, &dp, NULL) || !dp_adopted(dp) || dp_commit(dp, NULL))
			_exit(9);
		more = *dp_sizes(dp);
		more.rows += 64;
		more.services++;
		more.slot_lines += 64;
		if (dp_grow(dp, &more, NULL))
			_exit(9);
		(*grown)++;
		dp_close(dp);
	}
}

static void restart_and_be_killed(uint32_t after_us, volatile uint32_t *grown)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		restart_for_ever(grown);
	usleep(after_us);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
}

static uint64_t came_back(void)
{
	auto_free struct dp_decap *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	assert_int_equal(dp_decap_read(ONE, d, NULL), 0);
	return d->packets[SHUNT_DECAP_PASSED];
}

static void kill_under_traffic(enum shunt_forward method)
{
	struct dp_decap_wish wish = {.ifname = ONE, .mode = DP_NATIVE};
	struct dp_error why, err = {""};
	struct dp *dp = open_dp(N);
	enum dp_mode mode;
	volatile uint32_t *grown = mmap(NULL, sizeof(*grown), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t i, random = 1;
	bool sending = true;
	pid_t sender;

	assert_true(grown != MAP_FAILED);
	fill_with_mirrors(dp, method);
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
	assert_int_equal(dp_decap_attach(&wish, &mode, &why, &err), 0);
	sender = start_sender(4, FRAMES);
	for (i = 0; i < KILLS && sending; i++) {
		random = random * 1103515245 + 12345;
		restart_and_be_killed(10000 + (random >> 8) % 100000, grown);
		sending = still_runs(sender);
	}
	assert_true(i >= KILLS_AT_LEAST);
	for (i = 1; i < 10 && *grown < 2; i++) /* a busy machine did not get that far */
		restart_and_be_killed(i * 1000000, grown);
	while (sending && still_runs(sender))
		usleep(1000);
	for (i = 0; i < 1000 && came_back() < FRAMES; i++)
		usleep(1000);
	assert_int_equal(came_back(), FRAMES);

	dp = open_dp(N);
	assert_true(dp_adopted(dp));
	assert_true(getenv("SLOW") || dp_sizes(dp)->rows > 2 * N + 64);
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	assert_int_equal(new_pins(), 0);
	assert_true(row_packets(dp, 9) <= FRAMES && row_packets(dp, 9) > FRAMES / 2);
	close_dp(dp);
	assert_int_equal(dp_decap_detach(ONE, NULL), 0);
	munmap((void *)(uintptr_t)grown, sizeof(*grown));
}

static void no_kill_loses_a_frame(void **state)
{
	(void)state;
	kill_under_traffic(SHUNT_DSR);
}

/* Which takes a stage besides. */
static void no_kill_loses_a_translated_frame(void **state)
{
	(void)state;
	kill_under_traffic(SHUNT_MASQ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(no_kill_loses_a_frame),
		STAGED(no_kill_loses_a_translated_frame),
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
