/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/notify_post.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/child.h"
#include "io/notify_impl.h"

#define COMPLAIN_EVERY_US 10000000
#define RESTART_MS 10000

struct line {
	STAILQ_ENTRY(line) link;
	size_t len;
	char json[];
};

/* What there is to complain of a hook. */
struct grievance {
	mono_t said; /* never: not yet */
	size_t left_out, given_up; /* events, since */
};

struct notify_post {
	struct notify_post_setup setup;
	struct identity who;
	char *urls[NOTIFY_POST_HOOKS];
	size_t n_urls;
	struct notify_rate rate;
	STAILQ_HEAD(, line) waiting; /* for room in the socket, or a process */
	size_t n_waiting;
	struct child_process process;
	mono_t started;
	struct event *hear, *room, *again;
	struct grievance grievances[NOTIFY_POST_HOOKS + 1]; /* the last is of all of them */
};

/* One that is in trouble does not keep another one's from being said. */
static void complain(struct notify_post *p, size_t hook, const char *words)
{
	struct grievance *g = &p->grievances[hook];
	char text[448], left_out[48] = "", given_up[48] = "";
	const mono_t now = mono_now();

	if (!mono_is_never(g->said) && mono_diff_us(g->said, now) < COMPLAIN_EVERY_US)
		return;
	if (g->left_out)
		snprintf(left_out, sizeof(left_out), "; events left out: %zu", g->left_out);
	if (g->given_up)
		snprintf(given_up, sizeof(given_up), "; events given up: %zu", g->given_up);
	snprintf(text, sizeof(text), "webhook%s%s%s", words, left_out, given_up);
	*g = (struct grievance){.said = now};
	p->setup.complain(p->setup.arg, text);
}

/* Its host: paths and users of URLs are secrets at times. */
static void name_of(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://") + 3, *at;
	size_t len = strcspn(host, "/?#");

	at = memchr(host, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	snprintf(out, size, "%.*s", (int)len, host);
}

/* ---- the process --------------------------------------------------------------------------------*/

static bool become(const void *who)
{
	if (!identity_become(who))
		return false;
	notify_signals();
	return true;
}

static int say(const struct notify_post *p, enum notify_post_type type, const char *text,
	       size_t len)
{
	struct notify_post_message m = {.type = type, .timeout_ms = p->setup.timeout_ms};

	if (len > sizeof(m.text))
		return 0; /* no event is as long */
	memcpy(m.text, text, len);
	if (send(p->process.sock, &m, NOTIFY_POST_HEADER + len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

static void on_report(evutil_socket_t fd, short what, void *arg);
static void on_room(evutil_socket_t fd, short what, void *arg);

static int follow(struct notify_post *p)
{
	int err = 0;

	p->hear = event_new(p->setup.base, p->process.sock, EV_READ | EV_PERSIST, on_report, p);
	p->room = event_new(p->setup.base, p->process.sock, EV_WRITE, on_room, p);
	if (!p->hear || !p->room || event_add(p->hear, NULL) || event_add(p->room, NULL))
		return -ENOMEM;
	for (size_t i = 0; i < p->n_urls && !err; i++)
		err = say(p, NOTIFY_POST_HOOK, p->urls[i], strlen(p->urls[i]));
	return err;
}

static int start(struct notify_post *p)
{
	static char self[] = "/proc/self/exe", mode[] = "--post";
	static char *const argv[] = {self, mode, NULL};
	const struct child_program program = {
		.path = self,
		.argv = argv,
		.silent = true,
		.become = become,
		.arg = &p->who,
		.not_run = 1,
	};
	int err;

	p->started = mono_now();
	err = child_start(&program, &p->process);
	return err ? err : follow(p);
}

/* What it posts now is given up. */
static void end(struct notify_post *p)
{
	if (p->hear)
		event_free(p->hear);
	if (p->room)
		event_free(p->room);
	p->hear = p->room = NULL;
	child_end(&p->process, 0);
}

static void start_again(struct notify_post *p)
{
	const int64_t us = RESTART_MS * 1000 - mono_diff_us(p->started, mono_now());
	const struct timeval wait = {us > 0 ? us / 1000000 : 0, us > 0 ? us % 1000000 : 0};

	end(p);
	event_add(p->again, &wait);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct notify_post *p = arg;

	(void)fd, (void)what;
	if (start(p) == 0)
		return;
	complain(p, NOTIFY_POST_HOOKS, "s: the process that posts cannot be started");
	start_again(p);
}

/* ---- what it says -------------------------------------------------------------------------------*/

static void take_report(struct notify_post *p, struct notify_post_report *r)
{
	char text[320], name[128];

	if (r->hook >= p->n_urls)
		return;
	r->why[sizeof(r->why) - 1] = '\0';
	name_of(p->urls[r->hook], name, sizeof(name));
	p->grievances[r->hook].given_up += r->tries > 0;
	p->grievances[r->hook].left_out += r->tries == 0;
	if (r->tries > 1)
		snprintf(text, sizeof(text), " %s: %s, tried %u times", name, r->why, r->tries);
	else
		snprintf(text, sizeof(text), " %s: %s", name, r->why);
	complain(p, r->hook, text);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct notify_post *p = arg;
	struct notify_post_report r;
	ssize_t n = recv(fd, &r, sizeof(r), MSG_DONTWAIT);

	(void)what;
	if (n == sizeof(r)) {
		take_report(p, &r);
	} else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
		complain(p, NOTIFY_POST_HOOKS,
			 "s: the process that posts has ended, and is started again");
		start_again(p);
	}
}

/* ---- what it is told ----------------------------------------------------------------------------*/

static void on_room(evutil_socket_t fd, short what, void *arg)
{
	struct notify_post *p = arg;
	struct line *l;
	int err = 0;

	(void)fd, (void)what;
	while (!err && (l = STAILQ_FIRST(&p->waiting))) {
		err = say(p, NOTIFY_POST_EVENT, l->json, l->len);
		if (err)
			break;
		STAILQ_REMOVE_HEAD(&p->waiting, link);
		p->n_waiting--;
		free(l);
	}
	if (err == -EAGAIN) /* else on_report() sees that it is gone */
		event_add(p->room, NULL);
}

void notify_post_send(struct notify_post *p, const char *json)
{
	const size_t len = strlen(json);
	struct line *l = NULL;

	if (p->n_waiting < NOTIFY_POST_QUEUE && notify_rate_allows(&p->rate, p->setup.a_minute))
		l = malloc(sizeof(*l) + len + 1);
	if (!l) {
		p->grievances[NOTIFY_POST_HOOKS].left_out++;
		complain(p, NOTIFY_POST_HOOKS, "s: too many events at once");
		return;
	}
	l->len = len;
	memcpy(l->json, json, len + 1);
	STAILQ_INSERT_TAIL(&p->waiting, l, link);
	p->n_waiting++;
	if (p->room && !event_pending(p->room, EV_WRITE, NULL))
		event_add(p->room, NULL);
}

/* ---- opening ------------------------------------------------------------------------------------*/

static int copy_urls(struct notify_post *p)
{
	for (; p->n_urls < NOTIFY_POST_HOOKS && p->setup.urls[p->n_urls]; p->n_urls++) {
		p->urls[p->n_urls] = strdup(p->setup.urls[p->n_urls]);
		if (!p->urls[p->n_urls])
			return -ENOMEM;
	}
	p->setup.urls = NULL;
	return 0;
}

int notify_post_open(const struct notify_post_setup *setup, struct notify_post **out)
{
	struct notify_post *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->setup = *setup;
	p->process = CHILD_NONE;
	STAILQ_INIT(&p->waiting);
	p->again = evtimer_new(setup->base, on_again, p);
	err = p->again ? copy_urls(p) : -ENOMEM;
	if (!err)
		err = identity_of(setup->user, &p->who);
	if (!err)
		err = start(p);
	if (err) {
		notify_post_close(p);
		return err;
	}
	*out = p;
	return 0;
}

void notify_post_close(struct notify_post *p)
{
	struct line *l;

	if (!p)
		return;
	end(p);
	while ((l = STAILQ_FIRST(&p->waiting))) {
		STAILQ_REMOVE_HEAD(&p->waiting, link);
		free(l);
	}
	for (size_t i = 0; i < NOTIFY_POST_HOOKS; i++)
		free(p->urls[i]);
	if (p->again)
		event_free(p->again);
	free(p);
}
