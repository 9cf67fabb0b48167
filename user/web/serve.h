/* SPDX-License-Identifier: BSD-2-Clause */
/* From a request to a reply. */
#ifndef SHUNT_SERVE_H
#define SHUNT_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "web/snapshot.h"

struct event_base;
struct evhttp_request;
struct evkeyvalq;
struct guard;
struct msg_event;
struct server;
struct stream;

#define SERVE_FRESH_US 900000 /* a snapshot this old still is the latest */

/* Takes connections from @listener, with snapshots of the daemon at @daemon; @limit as metrics_own has it.
 * When the daemon is gone the loop is broken. NULL: no memory. */
struct server *server_new(struct event_base *base, int daemon, int listener, uint32_t limit);
void server_free(struct server *s);

/* ---- what replies are made of --------------------------------------------------------------------*/

/* A reply on its way, with what it is about. */
struct reply {
	const struct snapshot *snapshot;
	const struct evkeyvalq *query;
	FILE *out; /* the body */
	int status; /* 200 unless said otherwise */
};

/* The value of a parameter, or "". */
const char *reply_parameter(const struct reply *r, const char *name);
/* The same as a number up to @most; @otherwise if there is none, -1 if it is no such number. */
int64_t reply_number(const struct reply *r, const char *name, int64_t otherwise, int64_t most);

/* health.c: whether the daemon lives is known by there being a snapshot. */
void health_live(struct reply *r);
void health_ready(struct reply *r);

/* api.c */
void api_status(struct reply *r);
void api_services(struct reply *r);
void api_backends(struct reply *r);
void api_verdicts(struct reply *r);

#endif
