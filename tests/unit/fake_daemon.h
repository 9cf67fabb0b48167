/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon without a dataplane: the real stats and control servers in a process of their own, over
 * rows that are made up. */
#ifndef SHUNT_FAKE_DAEMON_H
#define SHUNT_FAKE_DAEMON_H

#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/ctl_server.h"
#include "io/stats_server.h"
#include "pure/msg.h"

/* Shared by the test and its daemon. */
struct fake {
	/* Set by the test. */
	char run_dir[64];
	struct stats_source source;
	ctl_command_fn *command;
	uint32_t services, backends_each;
	uint64_t generation;
	int64_t rows_until_change; /* the generation grows after so many rows; 0: never */
	int64_t rows_between_changes; /* and again after so many */
	int events_to_send;
	/* Set by the daemon. */
	pid_t pid;
	int failed; /* -errno of opening */
	struct stats_server_counters stats;
	struct ctl_server_counters ctl;
	struct ctl_command last;
	uint32_t ticks; /* how often it has copied these */
};

static struct fake *fake;

struct fake_servers {
	struct stats_server *stats;
	struct ctl_server *ctl;
};

static inline void fake_tick(evutil_socket_t fd, short what, void *arg)
{
	struct fake_servers *s = arg;

	(void)fd, (void)what;
	fake->stats = *stats_server_counters(s->stats);
	fake->ctl = *ctl_server_counters(s->ctl);
	for (; fake->events_to_send > 0; fake->events_to_send--) {
		struct msg_event down = {
			.kind = SHUNT_EVENT_HEALTH,
			.service = "web",
			.backend = "web1",
			.text = "down: refused",
			.change = {.from = STANDING_UP,
				   .to = STANDING_DOWN,
				   .code = "L4CON",
				   .latency_us = 400,
				   .check = "http",
				   .reason = "refused"},
		};

		stats_server_event(s->stats, &down);
	}
	__atomic_fetch_add(&fake->ticks, 1, __ATOMIC_RELEASE);
}

static inline void fake_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(arg);
}

static inline int fake_serve(struct event_base *base, struct fake_servers *s)
{
	int err = stats_server_open(base, fake->run_dir, "test", &fake->source, &s->stats);

	if (err < 0)
		return err;
	return ctl_server_open(base, fake->run_dir, "test", fake->command, NULL, &s->ctl);
}

static inline void fake_daemon_main(int ready)
{
	struct event_base *base = event_base_new();
	struct fake_servers s = {0};
	struct event *tick, *stop;
	const struct timeval every = {0, 5000};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fake->failed = fake_serve(base, &s);
	if (fake->failed == 0) {
		tick = event_new(base, -1, EV_PERSIST, fake_tick, &s);
		stop = evsignal_new(base, SIGTERM, fake_stop, base);
		event_add(tick, &every);
		event_add(stop, NULL);
		if (write(ready, "", 1) == 1)
			event_base_dispatch(base);
		event_free(tick);
		event_free(stop);
	}
	ctl_server_close(s.ctl);
	stats_server_close(s.stats);
	event_base_free(base);
	_exit(fake->failed ? 1 : 0);
}

/* Returns 0 once the daemon answers, or its -errno. */
static inline int fake_start(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready) < 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		fake_daemon_main(ready[1]);
	}
	fake->pid = pid;
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		waitpid(fake->pid, NULL, 0);
		fake->pid = 0;
	}
	close(ready[0]);
	return fake->failed;
}

/* Returns true when the daemon ended as it should. */
static inline bool fake_end(int signal)
{
	int status = -1;

	if (!fake->pid)
		return false;
	kill(fake->pid, signal);
	waitpid(fake->pid, &status, 0);
	fake->pid = 0;
	return signal == SIGTERM ? status == 0 : WIFSIGNALED(status);
}

/* Allocates `fake` and a folder of its own. */
static inline int fake_setup(void)
{
	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fake == MAP_FAILED)
		return -1;
	snprintf(fake->run_dir, sizeof(fake->run_dir), "/tmp/shunt-test.XXXXXX");
	if (!mkdtemp(fake->run_dir))
		return -1;
	return chmod(fake->run_dir, 0755);
}

static inline void fake_teardown(void)
{
	static const char *const files[] = {"stats", "sock"};
	char path[128];
	size_t i;

	if (fake->pid)
		fake_end(SIGKILL);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/test.%s", fake->run_dir, files[i]);
		unlink(path);
	}
	rmdir(fake->run_dir);
	munmap(fake, sizeof(*fake));
}

/* Waits until the daemon has copied what happened so far into `fake`. */
static inline void fake_settle(void)
{
	const uint32_t begun = __atomic_load_n(&fake->ticks, __ATOMIC_ACQUIRE);

	poll(NULL, 0, 60);
	/* Where it had to wait for its turn, until it has read and copied. */
	for (int i = 0; i < 1000 && __atomic_load_n(&fake->ticks, __ATOMIC_ACQUIRE) - begun < 3;
	     i++)
		poll(NULL, 0, 10);
}

#endif
