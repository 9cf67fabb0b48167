/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that answers browsers and Prometheus, as the daemon holds it: started with a socket that
 * listens, asked what it asks, started again when it ends. What strangers send is read by it alone, which
 * has no privileges and can open nothing; the daemon reads its requests, which are those of the stats
 * protocol. */
#ifndef SHUNT_WEB_H
#define SHUNT_WEB_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/child.h"

#define WEB_FD CHILD_FD /* the process's end of the pair: a message of shunt_msg.h each */
#define WEB_LISTEN_FD (CHILD_FD + 1) /* non-blocking, and listens */
#define WEB_BEAT_MS 1000 /* it says that it lives: a SHUNT_MSG_HEARTBEAT without content */

struct event_base;
struct msg_out;
struct web;

struct web_setup {
	struct event_base *base;
	struct addr listen;
	uint16_t port; /* host order */
	const char *user; /* whom it becomes, if we are root; not root */
	uint32_t
		metrics_limit; /* so many services, and backends, have metrics of their own, at most */
	/* Writes the answer to the request of @len bytes, which nobody is to trust, into @o, which is empty
	 * and of SHUNT_MSG_PAGE_MAX bytes. Not 0: it is none, and the process is ended. */
	int (*answer)(void *arg, const void *request, size_t len, struct msg_out *o);
	void (*trouble)(void *arg, const char *words); /* for a log line */
	void *arg;
};

/* Starts the process, which is this executable run as "shuntd --web UID GID METRICS_LIMIT". Where the
 * address cannot be had now that is tried again every few seconds. When the process ends it is started
 * again after 1, 2, 4, ... 30 s. @setup is copied. Returns 0, -ENOENT or -EPERM for the user, or another
 * -errno. */
int web_open(const struct web_setup *setup, struct web **out) __attribute__((warn_unused_result));
/* Ends the process and closes the address. NULL is fine. */
void web_close(struct web *w);

/* Passes an event on, a message of @len bytes; lost when the process does not keep up. */
void web_tell(struct web *w, const void *message, size_t len);

/* Why nobody is served now; empty: everybody is. */
const char *web_why(const struct web *w);
/* How often the process was started again. */
uint64_t web_restarts(const struct web *w);

#endif
