/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe child: its process, and the socket to the daemon. It ends when the daemon closes that
 * socket or says something that is no message. What it does between is probe_check.c's. */
#include "io/probe_child_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/probe_exec.h"
#include "io/probe_http.h"
#include "io/probe_icmp.h"
#include "io/probe_tls.h"

#define SPARE_FDS 64 /* descriptors that are not for probes */
#define LIGHT_MAX 16384 /* probes at a time */
#define HEAVY_MAX 2048 /* TLS takes up to 100 KiB each */
#define PROGRAMS_MAX 32
#define COMMANDS_AT_ONCE 64 /* before the loop looks at its other events again */

void probe_child_stop(struct child *c, enum probe_exit status)
{
	c->status = status;
	event_base_loopbreak(c->shared.base);
}

/* ---- commands ----------------------------------------------------------------------------------- */

static int slots_grow(struct child *c, uint32_t slot)
{
	size_t n = c->n_slots ? c->n_slots : 64;
	struct check **grown;

	if (slot >= PROBE_CHECKS_MAX)
		return -EINVAL;
	while (n <= slot)
		n *= 2;
	if (n == c->n_slots)
		return 0;
	grown = realloc(c->checks, n * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + c->n_slots, 0, (n - c->n_slots) * sizeof(*grown));
	c->checks = grown;
	c->n_slots = n;
	return 0;
}

static void command_add(struct child *c, const struct probe_command *m)
{
	uint32_t slot = probe_slot(m->id);
	struct probe_question unused;

	if (slots_grow(c, slot) < 0 || c->checks[slot] || m->interval_ms == 0 ||
	    probe_question_normalize(&m->question, &unused) < 0) {
		probe_child_stop(c, PROBE_EXIT_MESSAGE);
		return;
	}
	c->checks[slot] = probe_check_new(c, m);
	if (!c->checks[slot])
		probe_child_stop(c, PROBE_EXIT_SETUP);
}

/* The one that @m is about, which there must be. */
static struct check *command_check(struct child *c, const struct probe_command *m)
{
	uint32_t slot = probe_slot(m->id);

	if (slot < c->n_slots && c->checks[slot] && c->checks[slot]->id == m->id)
		return c->checks[slot];
	probe_child_stop(c, PROBE_EXIT_MESSAGE);
	return NULL;
}

static void command_remove(struct child *c, const struct probe_command *m)
{
	struct check *k = command_check(c, m);

	if (!k)
		return;
	probe_check_free(k);
	c->checks[probe_slot(m->id)] = NULL;
}

static void command_pace(struct child *c, const struct probe_command *m)
{
	struct check *k = command_check(c, m);

	if (!k)
		return;
	if (m->interval_ms == 0) {
		probe_child_stop(c, PROBE_EXIT_MESSAGE);
		return;
	}
	probe_check_pace(k, m->interval_ms);
}

static void command_run(struct child *c, const struct probe_command *m)
{
	switch (m->type) {
	case PROBE_MSG_ADD:
		command_add(c, m);
		break;
	case PROBE_MSG_PACE:
		command_pace(c, m);
		break;
	case PROBE_MSG_REMOVE:
		command_remove(c, m);
		/* What it held may be what others wait for. */
		probe_check_start_waiting(c);
		break;
	default:
		probe_child_stop(c, PROBE_EXIT_MESSAGE);
		break;
	}
}

/* Sent as long as what it says: a question with its texts. */
static bool is_whole(const struct probe_command *m, size_t n)
{
	size_t least_size = offsetof(struct probe_command, identity) + sizeof(m->identity);

	if (n >= offsetof(struct probe_command, question.texts))
		least_size = n;
	return n >= least_size && n <= sizeof(*m) && n == probe_command_size(m);
}

static void on_command(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct probe_command m;
	ssize_t n;

	(void)what;
	for (int i = 0; i < COMMANDS_AT_ONCE && !event_base_got_break(c->shared.base); i++) {
		n = recv(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			probe_child_stop(c, PROBE_EXIT_CLOSED);
		else if (!is_whole(&m, (size_t)n))
			probe_child_stop(c, PROBE_EXIT_MESSAGE);
		else
			command_run(c, &m);
	}
}

/* ---- the process -------------------------------------------------------------------------------- */

/* A stop asked of the daemon reaches the whole group or control group; the child ends when the
 * daemon closes the socket. */
static void set_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static enum probe_exit enter_jail(const struct probe_space *space)
{
	struct probe_command m;
	ssize_t n = recv(PROBE_FD, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

	if (n <= 0 || m.type != PROBE_MSG_START || (size_t)n != probe_command_size(&m))
		return PROBE_EXIT_START;
	if (probe_jail_enter(&m.identity, space) == 0)
		return PROBE_EXIT_CLOSED;
	return space ? PROBE_EXIT_SPACE : PROBE_EXIT_JAIL;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many may be under way, so that neither descriptors nor memory run out. */
static void set_bounds(struct child *c)
{
	static const size_t most[PROBE_WEIGHTS] = {LIGHT_MAX, HEAVY_MAX, PROGRAMS_MAX};
	struct rlimit files = {.rlim_cur = 1024};
	size_t room;

	getrlimit(RLIMIT_NOFILE, &files);
	room = files.rlim_cur > 2 * SPARE_FDS ? files.rlim_cur - SPARE_FDS : files.rlim_cur / 2;
	c->running_max = room;
	TAILQ_INIT(&c->unsent);
	for (int w = 0; w < PROBE_WEIGHTS; w++) {
		TAILQ_INIT(&c->queues[w].waiting);
		c->queues[w].running_max = least(most[w], room);
	}
	/* A program has four descriptors. */
	c->queues[PROBE_PROGRAM].running_max = least(PROGRAMS_MAX, room / 8 + 1);
}

static int shared_open(struct probe_shared *s)
{
	int err = 0;

	s->base = event_base_new();
	if (!s->base)
		return -ENOMEM;
	err = probe_http_open(s->base, &s->http);
	if (err == 0)
		err = probe_tls_open(&s->tls);
	if (err == 0)
		err = probe_programs_open(&s->programs);
	/* Last: what others have opened must not be taken for what was given. */
	return err < 0 ? err : probe_icmp_open(s->base, &s->icmp);
}

static void shared_close(struct probe_shared *s)
{
	probe_icmp_close(s->icmp);
	probe_programs_close(s->programs);
	probe_http_close(s->http);
	probe_tls_close(s->tls);
	if (s->base)
		event_base_free(s->base);
}

static int child_watch(struct child *c)
{
	static const struct timeval beat = {PROBE_BEAT_MS / 1000, PROBE_BEAT_MS % 1000 * 1000};
	struct event_base *base = c->shared.base;

	event_assign(&c->commands, base, PROBE_FD, EV_READ | EV_PERSIST, on_command, c);
	event_assign(&c->writable, base, PROBE_FD, EV_WRITE | EV_PERSIST, probe_check_on_writable,
		     c);
	event_assign(&c->more, base, -1, 0, probe_check_on_more, c);
	event_assign(&c->heartbeat, base, -1, EV_PERSIST, probe_check_on_heartbeat, c);
	return event_add(&c->commands, NULL) < 0 || event_add(&c->heartbeat, &beat) < 0 ? -ENOMEM
											: 0;
}

static int child_open(struct child *c)
{
	unsigned int seed = 0;
	int err;

	*c = (struct child){0};
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (unsigned int)(mono_now().us ^ getpid());
	srandom(seed);
	set_bounds(c);
	err = shared_open(&c->shared);
	return err < 0 ? err : child_watch(c);
}

static void child_close(struct child *c)
{
	for (size_t i = 0; i < c->n_slots; i++)
		if (c->checks[i])
			probe_check_free(c->checks[i]);
	free(c->checks);
	shared_close(&c->shared);
}

int probe_child_main(const struct probe_space *space)
{
	struct child c;
	enum probe_exit status;

	prctl(PR_SET_NAME, "shuntd-probe", 0, 0, 0);
	set_signals();
	status = enter_jail(space);
	if (status != PROBE_EXIT_CLOSED)
		return (int)status;
	if (child_open(&c) < 0)
		c.status = PROBE_EXIT_SETUP;
	else
		event_base_dispatch(c.shared.base);
	child_close(&c);
	return (int)c.status;
}
