/* SPDX-License-Identifier: BSD-2-Clause */
/* evhttp bounds the size of requests and how long a connection may be silent, but neither how many there
 * are nor those who send a byte now and then. It asks here for the bufferevent of each connection, of which
 * a reference is kept; what evhttp has given up has no callbacks any more. */
#include "web/guard.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/mono.h"

enum phase { PHASE_REQUEST, PHASE_REPLY, PHASE_STREAM };

struct connection {
	TAILQ_ENTRY(connection) link; /* in the order in which their phases began */
	struct bufferevent *bev;
	enum phase phase;
	mono_t since;
	bool closing;
};

TAILQ_HEAD(connections, connection);

struct guard {
	struct connections list;
	struct event *sweep;
	uint64_t n, requests, turned_away;
};

static bool is_gone(const struct connection *c)
{
	bufferevent_event_cb on_event;

	bufferevent_getcb(c->bev, NULL, NULL, &on_event, NULL);
	return !on_event;
}

static void forget_gone(struct guard *g)
{
	struct connection *c = TAILQ_FIRST(&g->list), *next;

	for (; c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!is_gone(c))
			continue;
		TAILQ_REMOVE(&g->list, c, link);
		g->n--;
		bufferevent_decref(c->bev);
		free(c);
	}
}

/* evhttp finds it closed, and frees it. */
static void turn_away(struct guard *g, struct connection *c)
{
	if (c->closing)
		return;
	c->closing = true;
	g->turned_away++;
	shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
}

/* The one that has not asked for anything for the longest time; if all have, that waits for a reader. */
static struct connection *most_idle(struct guard *g)
{
	struct connection *c, *second = NULL;

	TAILQ_FOREACH(c, &g->list, link)
	{
		if (c->closing || c->phase == PHASE_STREAM)
			continue;
		if (c->phase == PHASE_REQUEST)
			return c;
		if (!second)
			second = c;
	}
	return second;
}

static void enter(struct guard *g, struct connection *c, enum phase phase)
{
	c->phase = phase;
	c->since = mono_now();
	TAILQ_REMOVE(&g->list, c, link);
	TAILQ_INSERT_TAIL(&g->list, c, link);
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct guard *g = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
	struct connection *c = calloc(1, sizeof(*c)), *idle;

	if (!bev || !c) {
		free(c);
		return bev;
	}
	forget_gone(g);
	idle = g->n >= GUARD_CONNECTIONS_MAX ? most_idle(g) : NULL;
	if (idle)
		turn_away(g, idle);
	bufferevent_incref(bev);
	*c = (struct connection){.bev = bev, .since = mono_now()};
	TAILQ_INSERT_TAIL(&g->list, c, link);
	g->n++;
	return bev;
}

static bool is_too_slow(const struct connection *c, mono_t now)
{
	const int64_t us = mono_diff_us(c->since, now);

	switch (c->phase) {
	case PHASE_STREAM:
		return evbuffer_get_length(bufferevent_get_output(c->bev)) > GUARD_STREAM_BYTES;
	case PHASE_REPLY:
		return us > GUARD_REPLY_S * 1000000LL;
	default:
		return us > GUARD_IDLE_S * 1000000LL;
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct guard *g = arg;
	struct connection *c;
	mono_t now = mono_now();

	(void)fd, (void)what;
	forget_gone(g);
	TAILQ_FOREACH(c, &g->list, link)
	{
		if (is_too_slow(c, now))
			turn_away(g, c);
	}
}

static struct connection *connection_of(struct guard *g, struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct bufferevent *bev = evcon ? evhttp_connection_get_bufferevent(evcon) : NULL;
	struct connection *c;

	TAILQ_FOREACH(c, &g->list, link)
	{
		if (c->bev == bev)
			return c;
	}
	return NULL;
}

static void on_complete(struct evhttp_request *req, void *arg)
{
	struct guard *g = arg;
	struct connection *c = connection_of(g, req);

	if (c)
		enter(g, c, PHASE_REQUEST);
}

void guard_request(struct guard *g, struct evhttp_request *req)
{
	struct connection *c = connection_of(g, req);

	g->requests++;
	if (!c)
		return;
	enter(g, c, PHASE_REPLY);
	evhttp_request_set_on_complete_cb(req, on_complete, g);
}

void guard_stream(struct guard *g, struct evhttp_request *req)
{
	struct connection *c = connection_of(g, req);

	if (c)
		enter(g, c, PHASE_STREAM);
}

struct guard *guard_new(struct event_base *base, struct evhttp *http)
{
	const struct timeval second = {.tv_sec = 1};
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	TAILQ_INIT(&g->list);
	g->sweep = event_new(base, -1, EV_PERSIST, on_sweep, g);
	if (!g->sweep || event_add(g->sweep, &second) < 0) {
		guard_free(g);
		return NULL;
	}
	evhttp_set_bevcb(http, on_connection, g);
	return g;
}

void guard_free(struct guard *g)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&g->list))) {
		TAILQ_REMOVE(&g->list, c, link);
		bufferevent_decref(c->bev);
		free(c);
	}
	if (g->sweep)
		event_free(g->sweep);
	free(g);
}

uint64_t guard_connections(const struct guard *g)
{
	uint64_t n = 0;
	struct connection *c;

	TAILQ_FOREACH(c, &g->list, link)
	n += !c->closing && !is_gone(c);
	return n;
}

uint64_t guard_requests(const struct guard *g)
{
	return g->requests;
}

uint64_t guard_turned_away(const struct guard *g)
{
	return g->turned_away;
}
