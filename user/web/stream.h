/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as they happen, to pages that listen (server-sent events, WHATWG HTML 9.2). */
#ifndef SHUNT_STREAM_H
#define SHUNT_STREAM_H

#include <stddef.h>

#define STREAMS_MAX 32
#define STREAM_BACKLOG 50 /* the last events, which who comes is told first */

struct event_base;
struct evhttp_request;
struct msg_event;
struct streams;

struct streams *streams_new(struct event_base *base);
/* All connections are gone by then. */
void streams_free(struct streams *s);

/* Begins a reply that has no end; the caller has set its headers. It is told what it has not seen yet, by its
 * Last-Event-ID. -ENOSPC: there are too many; -ENOMEM; nothing was replied then. */
int streams_add(struct streams *s, struct evhttp_request *req) __attribute__((warn_unused_result));
void streams_tell(struct streams *s, const struct msg_event *e);
size_t streams_count(const struct streams *s);

#endif
