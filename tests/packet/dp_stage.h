/* SPDX-License-Identifier: BSD-2-Clause */
/* A stage for tests of dp with pins: a network namespace of the process's own with a pair of veth, an
 * instance of its own, and a sender of frames. */
#ifndef DP_STAGE_H
#define DP_STAGE_H

#include "dp_fixture.h"

#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/dp_impl.h"

#define N 20
#define ONE "dptest0"
#define TWO "dptest1"

static char pin_dir[64];
static struct dp *left_open; /* by a test that failed */

static inline struct dp_options options(uint32_t services)
{
	return (struct dp_options){
		.pin_dir = pin_dir,
		.sizes = {.services = services,
			  .rows = 2 * services,
			  .slot_lines = services,
			  .flows = 1000,
			  .nat = 100},
		.hash_key = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19},
	};
}

static inline struct dp *open_dp(uint32_t services)
{
	struct dp_options opt = options(services);
	struct dp_error err = {""};
	struct dp *dp = NULL;

	if (dp_open(&opt, &dp, &err))
		fail_msg("%s", err.text);
	left_open = dp;
	return dp;
}

static inline void close_dp(struct dp *dp)
{
	dp_close(dp);
	left_open = NULL;
}

static inline void commit(struct dp *dp)
{
	struct dp_error err = {""};

	if (dp_commit(dp, &err))
		fail_msg("%s", err.text);
}

static inline void attach(struct dp *dp, const char *ifname, enum dp_mode mode)
{
	struct dp_error err = {""};

	if (dp_attach(dp, ifname, if_nametoindex(ifname), mode, &err))
		fail_msg("%s", err.text);
}

/* N services, each with one local backend. */
static inline void fill(struct dp *dp)
{
	struct shunt_backend b = local_backend();
	struct dp_service s[N];
	struct dp_error err = {""};
	uint32_t i;

	for (i = 0; i < N; i++) {
		fill_rows(dp, i, &b);
		s[i] = test_service(i);
	}
	if (dp_services_switch(dp, s, N, &err))
		fail_msg("%s", err.text);
}

static inline bool has_all(struct dp *dp)
{
	struct shunt_owner o;
	char want[SHUNT_NAME_MAX];
	uint32_t i;

	for (i = 0; i < N; i++) {
		dp_owner_read(dp, 2 * i + 1, &o);
		snprintf(want, sizeof(want), "service%u", i);
		if (!finds_service(dp, i) || strcmp(o.service, want) != 0)
			return false;
	}
	return true;
}

static inline const char *pin_path(const char *name)
{
	static char path[DP_PATH_MAX];

	snprintf(path, sizeof(path), "%s/v%d/%s", pin_dir, SHUNT_ABI_VERSION, name);
	return path;
}

static inline bool is_pinned(const char *name)
{
	return access(pin_path(name), F_OK) == 0;
}

static inline void count_new(void *arg, const char *name)
{
	if (strncmp(name, "new-", 4) == 0)
		++*(int *)arg;
}

static inline int new_pins(void)
{
	int n = 0;

	assert_int_equal(dp_dir_each(pin_path(""), count_new, &n), 0);
	return n;
}

/* ---- traffic ----------------------------------------------------------------------------------*/

#define FRAMES_AT_EASE                                                                             \
	100000 /* up to so many are sent slowly enough for a few restarts meanwhile */
#define FRAMES_IN_A_ROW 64 /* veth's queue holds 256 */

/* Frames that interface @name of this namespace has taken. */
static inline uint64_t frames_received(const char *name)
{
	uint64_t frames = 0;
	char line[512], *colon;
	FILE *f = fopen("/proc/self/net/dev", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = 0;
		if (strcmp(line + strspn(line, " "), name) == 0)
			assert_int_equal(sscanf(colon + 1, "%*u %" SCNu64, &frames), 1);
	}
	fclose(f);
	return frames;
}

/* Waits until the queue has room for another row of frames; a minute at most. */
static inline void await_frames(uint64_t received)
{
	for (int i = 0; i < 600000; i++) {
		if (frames_received(TWO) + FRAMES_IN_A_ROW >= received)
			return;
		usleep(100);
	}
	_exit(9);
}

static inline void send_frames(const struct dp_service *s, uint32_t n)
{
	struct frame f = udp_frame(&s->vip, s->port, 4000);
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(ONE)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	uint64_t before = frames_received(TWO);
	uint32_t i;

	assert_true(fd >= 0);
	for (i = 0; i < n; i++) {
		if (sendto(fd, f.bytes, f.len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			_exit(9);
		if (n <= FRAMES_AT_EASE && i % 16 == 15)
			usleep(500);
		else if (n > FRAMES_AT_EASE && i % FRAMES_IN_A_ROW == FRAMES_IN_A_ROW - 1)
			await_frames(before + i + 1);
	}
	close(fd);
}

/* A process that sends @n frames for the service from ONE to TWO. */
static inline pid_t start_sender(uint32_t service, uint32_t n)
{
	struct dp_service s = test_service(service);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (left_open)
			close(left_open->lock_fd); /* or it would hold the lock too */
		send_frames(&s, n);
		_exit(0);
	}
	return pid;
}

static inline bool still_runs(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == 0)
		return true;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

static inline bool counts_soon(const struct dp *dp, uint32_t row, uint64_t packets)
{
	int i;

	for (i = 0; i < 1000 && row_packets(dp, row) < packets; i++)
		usleep(1000);
	return row_packets(dp, row) == packets;
}

/* ---- the stage --------------------------------------------------------------------------------*/

static inline int run_command(const char *command)
{
	return system(command) ? -1 : 0;
}

static inline int set_up(void **state)
{
	(void)state;
	snprintf(pin_dir, sizeof(pin_dir), DP_BPFFS "/shunt/dptest-%d", getpid());
	/* no packets but the test's */
	return run_command("ip link add " ONE " type veth peer name " TWO) ||
	       run_command("sysctl -qw net.ipv6.conf." ONE ".disable_ipv6=1 "
			   "net.ipv6.conf." TWO ".disable_ipv6=1") ||
	       run_command("ip link set " ONE " up") || run_command("ip link set " TWO " up");
}

static inline int tear_down(void **state)
{
	(void)state;
	close_dp(left_open);
	dp_remove(pin_dir, NULL);
	return run_command("ip link del " ONE);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
