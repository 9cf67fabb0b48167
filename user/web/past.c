/* SPDX-License-Identifier: BSD-2-Clause */
#include "web/past.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "main/json.h"
#include "main/words.h"
#include "pure/msg.h"
#include "web/reply.h"

#define ASKING_MAX 32 /* requests that wait at a time */
#define WITHIN_S 3 /* the daemon answers, or it is said that it has not */
#define RESTARTS 4

/* A request, and what has come for it. */
struct asking {
	TAILQ_ENTRY(asking) link;
	struct past *of;
	struct evhttp_request *req;
	struct msg_get get;
	size_t limit, n;
	int restarts;
	struct history_event rows[HISTORY_MAX];
};

/* The first of the list is what the daemon is asked about. */
struct past {
	int fd;
	struct event *late;
	uint32_t seq;
	size_t n;
	TAILQ_HEAD(, asking) list;
};

/* ---- replies -------------------------------------------------------------------------------------*/

static void write_rows(FILE *out, const struct asking *a)
{
	struct json j;
	size_t i;

	json_open(&j, out, false);
	json_list(&j, "history");
	for (i = 0; i < a->n; i++)
		words_json_change(&j, &a->rows[i]);
	json_list_end(&j);
	json_close(&j);
}

static void reply_rows(struct asking *a)
{
	struct body *b = calloc(1, sizeof(*b));
	FILE *out = b ? open_memstream(&b->text, &b->len) : NULL;

	if (!out) {
		free(b);
		reply_words(a->req, 503, "no memory");
		return;
	}
	b->users = 1;
	write_rows(out, a);
	if (fclose(out) == 0)
		reply_body(a->req, 200, REPLY_JSON, b);
	else
		reply_words(a->req, 503, "no memory");
	reply_body_release(b);
}

static void reply_error(struct asking *a, int err)
{
	if (err == -ENOENT || err == -ESRCH || err == -EINVAL)
		reply_words(a->req, 404, "there is no backend of that name in that service");
	else if (err == -ETIMEDOUT)
		reply_words(a->req, 503, "shuntd has not answered for 3 s");
	else
		reply_words(a->req, 503, "shuntd's answer could not be read");
}

/* ---- asking --------------------------------------------------------------------------------------*/

static void send_first(struct past *p)
{
	const struct timeval within = {.tv_sec = WITHIN_S};
	struct asking *a = TAILQ_FIRST(&p->list);
	char buf[512] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf), .flags = 1};

	event_del(p->late);
	if (!a)
		return;
	o.seq = PAST_SEQ | ++p->seq;
	/* What cannot be sent is late. */
	if (msg_put_get(&o, SHUNT_MSG_GET_HISTORY, &a->get) == 0)
		(void)send(p->fd, o.buf, o.used, MSG_DONTWAIT | MSG_NOSIGNAL);
	event_add(p->late, &within);
}

static void drop(struct asking *a)
{
	struct past *p = a->of;
	const bool is_first = a == TAILQ_FIRST(&p->list);

	TAILQ_REMOVE(&p->list, a, link);
	p->n--;
	free(a);
	if (is_first)
		send_first(p);
}

static void end_first(struct past *p, int err)
{
	struct asking *a = TAILQ_FIRST(&p->list);

	evhttp_connection_set_closecb(evhttp_request_get_connection(a->req), NULL, NULL);
	if (err)
		reply_error(a, err);
	else
		reply_rows(a);
	drop(a);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct past *p = arg;

	(void)fd, (void)what;
	if (!TAILQ_EMPTY(&p->list))
		end_first(p, -ETIMEDOUT);
}

/* evhttp frees a connection's request with it. */
static void on_closed(struct evhttp_connection *evcon, void *arg)
{
	(void)evcon;
	drop(arg);
}

void past_ask(struct past *p, struct evhttp_request *req, const char *const names[static 2],
	      size_t limit)
{
	struct asking *a = p->n < ASKING_MAX ? calloc(1, sizeof(*a)) : NULL;

	if (!a) {
		reply_words(req, 503, "too many ask already");
		return;
	}
	a->of = p;
	a->req = req;
	a->limit = limit;
	snprintf(a->get.service, sizeof(a->get.service), "%s", names[0]);
	snprintf(a->get.backend, sizeof(a->get.backend), "%s", names[1]);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_closed, a);
	TAILQ_INSERT_TAIL(&p->list, a, link);
	if (p->n++ == 0)
		send_first(p);
}

/* ---- answers -------------------------------------------------------------------------------------*/

static int error_of(const struct nlmsghdr *m)
{
	struct msg_reply r;

	return msg_get_error(m, &r) < 0 ? -EBADMSG : -(int)r.code;
}

/* Takes the rows of one answer; a->get becomes what to ask next, with cursor 0 after the last. */
static int take_page(struct asking *a, const void *data, size_t len)
{
	const struct nlmsghdr *m;
	struct msg_get page;

	while ((m = msg_next(&data, &len))) {
		if (msg_command(m) == SHUNT_MSG_ERROR)
			return error_of(m);
		if (msg_command(m) == SHUNT_MSG_PAGE) {
			if (msg_get_page(m, &page))
				return -EBADMSG;
			a->get.cursor = page.cursor;
			a->get.generation = page.generation;
			return 0;
		}
		if (msg_command(m) == SHUNT_MSG_HISTORY && a->n < a->limit &&
		    msg_get_history(m, &a->rows[a->n++]))
			return -EBADMSG;
	}
	return -EBADMSG;
}

void past_answer(struct past *p, uint32_t seq, const void *answer, size_t len)
{
	struct asking *a = TAILQ_FIRST(&p->list);
	int err;

	if (!a || seq != (PAST_SEQ | p->seq))
		return; /* of one that has gone */
	err = take_page(a, answer, len);
	if (err == -ESTALE && ++a->restarts < RESTARTS) {
		a->get.cursor = a->n = 0;
		send_first(p);
	} else if (err == 0 && a->get.cursor && a->n < a->limit) {
		send_first(p);
	} else {
		end_first(p, err);
	}
}

/* ---- all of it -----------------------------------------------------------------------------------*/

struct past *past_new(struct event_base *base, int fd)
{
	struct past *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = fd;
	TAILQ_INIT(&p->list);
	p->late = evtimer_new(base, on_late, p);
	if (p->late)
		return p;
	free(p);
	return NULL;
}

void past_free(struct past *p)
{
	struct asking *a;

	if (!p)
		return;
	while ((a = TAILQ_FIRST(&p->list))) {
		TAILQ_REMOVE(&p->list, a, link);
		free(a);
	}
	event_free(p->late);
	free(p);
}
