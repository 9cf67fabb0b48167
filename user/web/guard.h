/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounds what connections can take: how many there are, how long they may be idle, how slowly a request may
 * come and a reply be read. */
#ifndef SHUNT_GUARD_H
#define SHUNT_GUARD_H

#include <stdint.h>

#define GUARD_CONNECTIONS_MAX 128 /* one more, and the one that has been idle longest is closed */
#define GUARD_IDLE_S 15 /* without a request that is complete */
#define GUARD_REPLY_S 30 /* for a reply to be read */
#define GUARD_STREAM_BYTES 65536 /* that a page which is told of events may leave unread */

struct event_base;
struct evhttp;
struct evhttp_request;
struct guard;

/* Guards all connections of @http. */
struct guard *guard_new(struct event_base *base, struct evhttp *http);
void guard_free(struct guard *g);

/* To be called once for each request that has come, before it is answered. */
void guard_request(struct guard *g, struct evhttp_request *req);
/* Its reply has no end. */
void guard_stream(struct guard *g, struct evhttp_request *req);

uint64_t guard_connections(const struct guard *g); /* now */
uint64_t guard_requests(const struct guard *g);
uint64_t guard_turned_away(const struct guard *g);

#endif
