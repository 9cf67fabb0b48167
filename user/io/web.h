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

#define WEB_FD                                                                                     \
	3 /* the process's end of the socketpair, SOCK_SEQPACKET: a message of shunt_msg.h each */
#define WEB_LISTEN_FD 4 /* non-blocking, and listens */
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

/* ---- web_process.c, for web.c alone --------------------------------------------------------------*/

struct web_process {
	int pid; /* 0: none */
	int pidfd; /* readable when it has ended */
	int sock; /* our end */
};

/* Starts @argv of this executable with @listener. 0 or -errno. */
int web_process_start(char *const argv[], int listener, struct web_process *out)
	__attribute__((warn_unused_result));
/* Ends and reaps it, in milliseconds, and writes how it ended. Nothing when there is none. */
#define WEB_WHY_MAX 96
void web_process_end(struct web_process *p, char why[static WEB_WHY_MAX]);

#endif
