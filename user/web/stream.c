/* SPDX-License-Identifier: BSD-2-Clause */
#include "web/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "pure/event_text.h"
#include "pure/msg.h"
#include "web/guard.h"

#define COMMENT_EVERY_S 10 /* who has left is noticed by it */

struct stream {
	TAILQ_ENTRY(stream) link;
	struct evhttp_request *req;
	struct streams *of;
};

struct streams {
	TAILQ_HEAD(, stream) list;
	size_t n;
	struct event *comment;
	struct msg_event backlog[STREAM_BACKLOG]; /* a ring */
	size_t told; /* ever; the next one's place is told % STREAM_BACKLOG */
};

/* Also called when the reply is done, which is never before. */
static void on_closed(struct evhttp_connection *evcon, void *arg)
{
	struct stream *one = arg;

	(void)evcon;
	TAILQ_REMOVE(&one->of->list, one, link);
	one->of->n--;
	free(one);
}

/* The guard closes who leaves so much unread. */
static bool reads(const struct stream *one)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(one->req);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);

	return evbuffer_get_length(bufferevent_get_output(bev)) <= GUARD_STREAM_BYTES;
}

static void send_event(struct stream *one, const struct msg_event *e)
{
	struct evbuffer *buf = reads(one) ? evbuffer_new() : NULL;
	char json[EVENT_JSON_MAX];

	if (!buf)
		return;
	/* The JSON is one line, ended. */
	evbuffer_add_printf(buf, "id: %" PRIu64 "\ndata: %s\n", e->seq, event_json(e, json));
	evhttp_send_reply_chunk(one->req, buf);
	evbuffer_free(buf);
}

static void on_comment(evutil_socket_t fd, short what, void *arg)
{
	struct streams *s = arg;
	struct stream *one, *next;
	struct evbuffer *buf;

	(void)fd, (void)what;
	for (one = TAILQ_FIRST(&s->list); one; one = next) {
		next = TAILQ_NEXT(one, link);
		buf = reads(one) ? evbuffer_new() : NULL;
		if (!buf)
			continue;
		evbuffer_add_printf(buf, ":\n\n");
		evhttp_send_reply_chunk(one->req, buf);
		evbuffer_free(buf);
	}
}

static void send_backlog(struct streams *s, struct stream *one)
{
	const char *last =
		evhttp_find_header(evhttp_request_get_input_headers(one->req), "Last-Event-ID");
	const uint64_t seen = last ? strtoull(last, NULL, 10) : 0;
	size_t i = s->told > STREAM_BACKLOG ? s->told - STREAM_BACKLOG : 0;

	for (; i < s->told; i++)
		if (s->backlog[i % STREAM_BACKLOG].seq > seen)
			send_event(one, &s->backlog[i % STREAM_BACKLOG]);
}

int streams_add(struct streams *s, struct evhttp_request *req)
{
	struct stream *one = s->n < STREAMS_MAX ? malloc(sizeof(*one)) : NULL;

	if (!one)
		return s->n < STREAMS_MAX ? -ENOMEM : -ENOSPC;
	*one = (struct stream){.req = req, .of = s};
	TAILQ_INSERT_TAIL(&s->list, one, link);
	s->n++;
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_closed, one);
	evhttp_send_reply_start(req, 200, "OK");
	send_backlog(s, one);
	on_comment(-1, 0, s); /* so that headers go out at once */
	return 0;
}

void streams_tell(struct streams *s, const struct msg_event *e)
{
	struct stream *one, *next;

	s->backlog[s->told++ % STREAM_BACKLOG] = *e;
	for (one = TAILQ_FIRST(&s->list); one; one = next) {
		next = TAILQ_NEXT(one, link);
		send_event(one, e);
	}
}

size_t streams_count(const struct streams *s)
{
	return s->n;
}

struct streams *streams_new(struct event_base *base)
{
	const struct timeval every = {.tv_sec = COMMENT_EVERY_S};
	struct streams *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	TAILQ_INIT(&s->list);
	s->comment = event_new(base, -1, EV_PERSIST, on_comment, s);
	if (s->comment && event_add(s->comment, &every) == 0)
		return s;
	streams_free(s);
	return NULL;
}

void streams_free(struct streams *s)
{
	if (s->comment)
		event_free(s->comment);
	free(s);
}
