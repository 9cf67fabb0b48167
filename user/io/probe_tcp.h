/* SPDX-License-Identifier: BSD-2-Clause */
/* A non-blocking TCP connect: all of a tcp probe, and the first layer of every other kind. */
#ifndef SHUNT_PROBE_TCP_H
#define SHUNT_PROBE_TCP_H

#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>

#include "io/probe.h"

/* Called once from the loop: @error is 0 when connected, otherwise an errno. */
typedef void probe_tcp_fn(void *arg, int error);

struct probe_tcp {
	struct event event;
	int fd; /* -1: none */
	probe_tcp_fn *done;
	void *arg;
};

/* Has @fd come from @from unless that is none: for path probes it says to which backend. Ports are the
 * kernel's choice when it connects. Returns 0 or a positive errno. */
int probe_bind_from(int fd, const struct addr *from);

/* Begins to connect to the address and port of @q; @t->done and @t->arg are set by the caller and
 * @t stays in place until the end. The socket is closed by a reset, so it leaves nothing behind in
 * the kernel; for CONF_CHECK_TCP the last packet of the handshake is withheld too, so the backend's
 * application does not see the probe. Returns 0 with @t->done to come, or an errno (positive) when
 * it ended at once; @t->fd is -1 then. */
int probe_tcp_start(struct probe_tcp *t, struct event_base *base, const struct probe_question *q);

/* Ends it in whatever state: closes the socket unless it was taken. @t may be started again. */
void probe_tcp_stop(struct probe_tcp *t);

/* Hands over the connected socket; @t has none then. */
int probe_tcp_take(struct probe_tcp *t);

/* The result of a connect that ended with @error; CHECK_OK for 0. */
struct check_result probe_tcp_result(int error);

#endif
