/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/web.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/mono.h"
#include "base/own.h"
#include "pure/msg.h"

#define BACKLOG 128
#define REQUESTS_A_TURN 4 /* a page each: the loop is for others too */
#define REQUEST_MAX 1024
#define SILENCE_US (10 * WEB_BEAT_MS * 1000LL) /* then it hangs */
#define SETTLED_US (60 * 1000000LL) /* one that lived this long starts a new count */
#define DELAY_MAX_S 30
#define ADDRESS_AGAIN_S 3
#define GRACE_MS 100 /* for the process to end by itself when its socket closes */
#define NOT_RUN 127

struct web {
	struct web_setup setup;
	int listener; /* -1: the address could not be had yet */
	struct child_process process;
	struct event *readable, *ended; /* while there is a process */
	struct event *again, *watchdog;
	mono_t started, heard;
	unsigned int failures; /* ends since it last lived long */
	uint64_t restarts;
	bool hung, mad; /* why it was ended by us: silent; a request that is none */
	char uid[16], gid[16], metrics_limit[16];
	char why[128];
	char request[REQUEST_MAX] __attribute__((aligned(8)));
	char answer[SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
};

static void start(struct web *w);

static void trouble(struct web *w, const char *words)
{
	w->setup.trouble(w->setup.arg, words);
}

static void again_in(struct web *w, unsigned int seconds)
{
	const struct timeval t = {.tv_sec = seconds};

	event_add(w->again, &t);
}

/* ---- the process ---------------------------------------------------------------------------------*/

static void forget_events(struct web *w)
{
	if (w->readable)
		event_free(w->readable);
	if (w->ended)
		event_free(w->ended);
	w->readable = w->ended = NULL;
}

/* It has ended, or is to. */
static void lost(struct web *w)
{
	char how[64], words[256];
	unsigned int delay;

	forget_events(w);
	child_words(child_end(&w->process, GRACE_MS), how, sizeof(how));
	if (mono_diff_us(w->started, mono_now()) > SETTLED_US)
		w->failures = 0;
	delay = w->failures < 5 ? 1u << w->failures : DELAY_MAX_S;
	w->failures++;
	snprintf(w->why, sizeof(w->why), "its process ended: %s",
		 w->hung  ? "it did not answer"
		 : w->mad ? "it sent what is no request"
			  : how);
	snprintf(words, sizeof(words), "%s; started again in %u s", w->why, delay);
	w->hung = w->mad = false;
	trouble(w, words);
	again_in(w, delay);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	lost(arg);
}

/* Returns false when there is nothing more to read now, or nobody who wrote it. */
static bool request_take(struct web *w)
{
	struct msg_out o = {.buf = w->answer, .size = sizeof(w->answer)};
	ssize_t n = recv(w->process.sock, w->request, sizeof(w->request), MSG_DONTWAIT | MSG_TRUNC);
	const void *data = w->request;
	const struct nlmsghdr *m;
	size_t len = n > 0 ? (size_t)n : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	m = len <= sizeof(w->request) ? msg_next(&data, &len) : NULL;
	w->heard = mono_now();
	if (m && msg_command(m) == SHUNT_MSG_HEARTBEAT)
		return true;
	w->mad = n > 0 && (!m || w->setup.answer(w->setup.arg, w->request, (size_t)n, &o) < 0);
	if (n <= 0 || w->mad) {
		lost(w);
		return false;
	}
	/* What it has no room for it asks for again. */
	(void)send(w->process.sock, o.buf, o.used, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	for (int i = 0; i < REQUESTS_A_TURN; i++)
		if (!request_take(arg))
			return;
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;
	char unread;

	(void)fd, (void)what;
	if (!w->process.pid || mono_diff_us(w->heard, mono_now()) < SILENCE_US)
		return;
	/* It may have been this process that stood still, and has not read yet what it was told. */
	if (recv(w->process.sock, &unread, 1, MSG_DONTWAIT | MSG_PEEK) >= 0)
		return;
	w->hung = true;
	lost(w);
}

static int launch(struct web *w)
{
	static char name[] = "shuntd", mode[] = "--web";
	char *argv[] = {name, mode, w->uid, w->gid, w->metrics_limit, NULL};
	const struct child_program program = {
		.path = "/proc/self/exe",
		.argv = argv,
		.given = &w->listener,
		.n_given = 1,
		.not_run = NOT_RUN,
	};
	int err = child_start(&program, &w->process);

	if (err < 0)
		return err;
	w->started = w->heard = mono_now();
	w->readable =
		event_new(w->setup.base, w->process.sock, EV_READ | EV_PERSIST, on_readable, w);
	w->ended = event_new(w->setup.base, w->process.pidfd, EV_READ, on_ended, w);
	if (!w->readable || !w->ended || event_add(w->readable, NULL) < 0 ||
	    event_add(w->ended, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* ---- the address ---------------------------------------------------------------------------------*/

static int listen_there(const struct web_setup *s)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&s->listen, s->port, &ss);
	auto_close int fd =
		socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

static bool has_address(struct web *w)
{
	char text[ADDR_PORT_TEXT_MAX], words[256];
	bool is_news = !w->why[0];

	if (w->listener >= 0)
		return true;
	w->listener = listen_there(&w->setup);
	if (w->listener >= 0)
		return true;
	snprintf(w->why, sizeof(w->why), "cannot listen on %s: %s",
		 addr_port_format(&w->setup.listen, w->setup.port, text), strerror(-w->listener));
	w->listener = -1;
	snprintf(words, sizeof(words), "%s; tried again every %d s", w->why, ADDRESS_AGAIN_S);
	if (is_news)
		trouble(w, words);
	return false;
}

static void start(struct web *w)
{
	int err;

	if (!has_address(w)) {
		again_in(w, ADDRESS_AGAIN_S);
		return;
	}
	err = launch(w);
	w->why[0] = '\0';
	if (err == 0)
		return;
	w->started = mono_now();
	lost(w);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;

	(void)fd, (void)what;
	w->restarts += w->failures > 0;
	start(w);
}

/* ---- opening -------------------------------------------------------------------------------------*/

static int read_user(struct web *w)
{
	struct identity who;
	int err = identity_of(w->setup.user, &who);

	snprintf(w->uid, sizeof(w->uid), "%u", who.uid);
	snprintf(w->gid, sizeof(w->gid), "%u", who.gid);
	return err;
}

int web_open(const struct web_setup *setup, struct web **out)
{
	const struct timeval second = {.tv_sec = 1};
	struct web *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->setup = *setup;
	w->listener = -1;
	w->process = CHILD_NONE;
	snprintf(w->metrics_limit, sizeof(w->metrics_limit), "%u", setup->metrics_limit);
	w->again = evtimer_new(setup->base, on_again, w);
	w->watchdog = event_new(setup->base, -1, EV_PERSIST, on_watchdog, w);
	err = w->again && w->watchdog && event_add(w->watchdog, &second) == 0 ? read_user(w)
									      : -ENOMEM;
	if (err < 0) {
		web_close(w);
		return err;
	}
	w->setup.user = NULL; /* the caller's, and read */
	start(w);
	*out = w;
	return 0;
}

void web_close(struct web *w)
{
	if (!w)
		return;
	forget_events(w);
	child_end(&w->process, GRACE_MS);
	if (w->listener >= 0)
		close(w->listener);
	if (w->again)
		event_free(w->again);
	if (w->watchdog)
		event_free(w->watchdog);
	free(w);
}

void web_tell(struct web *w, const void *message, size_t len)
{
	if (w->process.pid)
		(void)send(w->process.sock, message, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

const char *web_why(const struct web *w)
{
	return w->why;
}

uint64_t web_restarts(const struct web *w)
{
	return w->restarts;
}
