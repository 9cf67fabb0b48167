/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's side of the probes: the table of asks joined to the child process by the loop. */
#include <errno.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/mono.h"
#include "io/probe_asks.h"
#include "io/probe_msg.h"

#define REPORTS_AT_ONCE 32
#define SETTLED_US (30 * 1000000LL) /* a child that lived this long starts a new count */
#define DELAY_MAX_S 30

struct probe_pool {
	struct probe_pool_setup setup;
	struct child_process process;
	struct probe_asks asks;
	struct event readable, writable, ended; /* while there is a process */
	struct event restart, replay, watchdog;
	mono_t started, heard; /* heard: the child's latest message */
	struct probe_vitals vitals;
	unsigned int failures; /* ends of the child since one last lived long */
	const char *fault; /* why the pool itself ended the child, or NULL */
	bool has_way; /* made for this child */
};

/* ---- reports ------------------------------------------------------------------------------------ */

static bool result_take(struct probe_pool *p, const struct probe_report *m)
{
	if (m->type == PROBE_MSG_ALIVE) {
		p->vitals = m->vitals;
		return true;
	}
	if (m->type != PROBE_MSG_REPORT || !check_is_sane(&m->result))
		return false;
	return probe_asks_tell(&p->asks, m->id, &m->result, p->setup.result, p->setup.arg);
}

/* Once for each child of path probes, which waits for it. */
static bool make_way(struct probe_pool *p)
{
	if (!p->setup.way || p->has_way)
		return false;
	p->has_way = p->setup.way(p->setup.arg, p->process.pid) == 0;
	if (!p->has_way)
		p->fault = "its way into the packet path could not be made";
	return p->has_way;
}

/* Returns false when it is no message that a child in its senses sends, or the child is lost. */
static bool report_take(struct probe_pool *p, const struct probe_report *m)
{
	return m->type == PROBE_MSG_SPACE ? make_way(p) : result_take(p, m);
}

/* Takes up to REPORTS_AT_ONCE reports. Returns how many, 0 when there are none now, -1 at the end
 * of the stream or after a bad message. */
static int reports_take(struct probe_pool *p)
{
	struct probe_report reports[REPORTS_AT_ONCE];
	struct mmsghdr messages[REPORTS_AT_ONCE];
	struct iovec parts[REPORTS_AT_ONCE];
	int n;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < REPORTS_AT_ONCE; i++) {
		parts[i] = (struct iovec){&reports[i], sizeof(reports[i])};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(p->process.sock, messages, REPORTS_AT_ONCE, MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	p->heard = mono_now();
	for (int i = 0; i < n; i++) {
		if (messages[i].msg_len == 0)
			return -1;
		if (messages[i].msg_len != sizeof(reports[i]) || !report_take(p, &reports[i])) {
			if (!p->fault)
				p->fault = "it sent what is no message";
			return -1;
		}
	}
	return n;
}

static void on_replay(evutil_socket_t fd, short what, void *arg)
{
	struct probe_pool *p = arg;

	(void)fd;
	(void)what;
	probe_asks_replay(&p->asks, p->setup.result, p->setup.arg);
}

/* ---- commands ----------------------------------------------------------------------------------- */

static bool command_send(struct probe_pool *p, const struct probe_ask *a)
{
	struct probe_command m;
	size_t size;

	/* The child is not to see this process's memory. */
	memset(&m, 0, offsetof(struct probe_command, question.texts));
	m.type = !a->n_members ? PROBE_MSG_REMOVE : a->told ? PROBE_MSG_PACE : PROBE_MSG_ADD;
	m.id = a->wire_id;
	if (a->n_members)
		m.interval_ms = probe_ask_interval_ms(a);
	if (m.type == PROBE_MSG_ADD)
		memcpy(&m.question, a->question, probe_question_size(a->question));
	size = probe_command_size(&m);
	return send(p->process.sock, &m, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

/* An error other than "no room now" is the end of the child, which the other events see. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct probe_pool *p = arg;
	struct probe_ask *a;

	(void)fd;
	(void)what;
	while ((a = TAILQ_FIRST(&p->asks.outbox))) {
		if (!command_send(p, a)) {
			if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
				event_del(&p->writable);
			return;
		}
		probe_asks_told(&p->asks, a);
	}
	event_del(&p->writable);
}

static void wake(struct probe_pool *p)
{
	if (p->process.pid && !TAILQ_EMPTY(&p->asks.outbox))
		event_add(&p->writable, NULL);
	if (!TAILQ_EMPTY(&p->asks.replays))
		event_active(&p->replay, EV_TIMEOUT, 0);
}

int probe_pool_add(struct probe_pool *p, uint64_t id, const struct probe_question *q)
{
	int err = probe_asks_add(&p->asks, id, q);

	wake(p);
	return err;
}

void probe_pool_pace(struct probe_pool *p, uint64_t id, uint32_t interval_ms)
{
	probe_asks_pace(&p->asks, id, interval_ms);
	wake(p);
}

void probe_pool_remove(struct probe_pool *p, uint64_t id)
{
	probe_asks_remove(&p->asks, id);
	wake(p);
}

/* ---- the child ---------------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_ended(evutil_socket_t fd, short what, void *arg);

static int prober_start(struct probe_pool *p)
{
	struct event_base *base = p->setup.base;
	int err = probe_process_start(&p->setup.program, &p->process);

	if (err < 0)
		return err;
	p->started = p->heard = mono_now();
	p->vitals = (struct probe_vitals){0};
	p->fault = NULL;
	p->has_way = false;
	event_assign(&p->readable, base, p->process.sock, EV_READ | EV_PERSIST, on_readable, p);
	event_assign(&p->writable, base, p->process.sock, EV_WRITE | EV_PERSIST, on_writable, p);
	event_assign(&p->ended, base, p->process.pidfd, EV_READ | EV_PERSIST, on_ended, p);
	event_add(&p->readable, NULL);
	event_add(&p->ended, NULL);
	wake(p);
	return 0;
}

static void prober_end(struct probe_pool *p, char why[static PROBE_WHY_MAX])
{
	why[0] = '\0';
	if (!p->process.pid)
		return;
	event_del(&p->readable);
	event_del(&p->writable);
	event_del(&p->ended);
	probe_process_end(&p->process, why);
	if (p->fault)
		snprintf(why, PROBE_WHY_MAX, "%s", p->fault);
	probe_asks_untold(&p->asks);
}

/* At once the first time, then after 1, 2, 4, ... seconds. */
static void prober_again(struct probe_pool *p, const char *why)
{
	unsigned int n = p->failures++;
	unsigned int delay_s = n == 0 ? 0 : n > 5 ? DELAY_MAX_S : 1U << (n - 1);
	struct timeval delay = {delay_s ? delay_s : 1, 0};
	char words[PROBE_WHY_MAX + 32];

	if (delay_s == 0 && prober_start(p) == 0) {
		snprintf(words, sizeof(words), "%s; started again", why);
	} else {
		event_add(&p->restart, &delay);
		snprintf(words, sizeof(words), "%s; starts again in %ld s", why,
			 (long)delay.tv_sec);
	}
	if (p->setup.restarted)
		p->setup.restarted(p->setup.arg, words);
}

/* The child has ended, has closed its end, or is to end. */
static void prober_over(struct probe_pool *p)
{
	char why[PROBE_WHY_MAX];

	if (p->fault)
		child_kill(&p->process);
	prober_end(p, why);
	if (mono_diff_us(p->started, mono_now()) >= SETTLED_US)
		p->failures = 0;
	prober_again(p, why);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct probe_pool *p = arg;

	(void)fd;
	(void)what;
	if (reports_take(p) < 0)
		prober_over(p);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct probe_pool *p = arg;

	(void)fd;
	(void)what;
	/* What it reported before its end counts. */
	while (reports_take(p) > 0)
		;
	prober_over(p);
}

/* A child that is stopped, or caught in a loop, would freeze what is known of every backend. What it
 * has said and nobody has read yet counts: it may be the daemon that was away. */
static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct probe_pool *p = arg;

	(void)fd;
	(void)what;
	if (!p->process.pid || mono_diff_us(p->heard, mono_now()) < PROBE_SILENCE_MS * 1000LL)
		return;
	if (reports_take(p) != 0)
		return;
	p->fault = "it said nothing for 5 s and was killed";
	prober_over(p);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct probe_pool *p = arg;
	char why[PROBE_WHY_MAX];
	int err = prober_start(p);

	(void)fd;
	(void)what;
	if (err == 0)
		return;
	snprintf(why, sizeof(why), "could not be started: %s", strerror(-err));
	prober_again(p, why);
}

struct probe_vitals probe_pool_vitals(const struct probe_pool *p)
{
	return p->vitals;
}

pid_t probe_pool_child(const struct probe_pool *p)
{
	return p->process.pid;
}

/* ---- the pool ----------------------------------------------------------------------------------- */

int probe_pool_open_as(const struct probe_pool_setup *setup, struct probe_pool **out)
{
	static const struct timeval look = {1, 0};
	struct probe_pool *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->setup = *setup;
	probe_asks_init(&p->asks);
	event_assign(&p->restart, setup->base, -1, 0, on_restart, p);
	event_assign(&p->replay, setup->base, -1, 0, on_replay, p);
	event_assign(&p->watchdog, setup->base, -1, EV_PERSIST, on_watchdog, p);
	err = prober_start(p);
	if (err < 0) {
		free(p);
		return err;
	}
	event_add(&p->watchdog, &look);
	*out = p;
	return 0;
}

static int open_mode(struct event_base *base, const char *user, const struct probe_calls *calls,
		     char *const argv[], struct probe_pool **out)
{
	struct probe_pool_setup setup = {
		.base = base,
		.result = calls->result,
		.restarted = calls->restarted,
		.way = calls->way,
		.arg = calls->arg,
		.program = {.path = "/proc/self/exe", .argv = argv},
	};
	struct identity who;
	int err = identity_of(user, &who);

	if (err < 0)
		return err;
	setup.program.identity = (struct probe_identity){who.becomes, who.uid, who.gid};
	return probe_pool_open_as(&setup, out);
}

static char name[] = "shuntd";

int probe_pool_open(struct event_base *base, const char *user, probe_result_fn *result,
		    probe_restart_fn *restarted, void *arg, struct probe_pool **out)
{
	static char mode[] = "--probe-child";
	static char *const argv[] = {name, mode, NULL};
	const struct probe_calls calls = {.result = result, .restarted = restarted, .arg = arg};

	return open_mode(base, user, &calls, argv, out);
}

int probe_pool_open_path(struct event_base *base, const char *user, const struct probe_calls *calls,
			 struct probe_pool **out)
{
	static char mode[] = "--probe-path";
	static char *const argv[] = {name, mode, NULL};

	return open_mode(base, user, calls, argv, out);
}

void probe_pool_close(struct probe_pool *p)
{
	char why[PROBE_WHY_MAX];

	if (!p)
		return;
	prober_end(p, why);
	event_del(&p->restart);
	event_del(&p->replay);
	event_del(&p->watchdog);
	probe_asks_fini(&p->asks);
	free(p);
}
