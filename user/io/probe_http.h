/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP over a socket that is connected already. libcurl speaks the protocol, joined to the loop by
 * its multi-socket interface; it opens nothing by itself. https and http2 are options of the same
 * transfer. */
#ifndef SHUNT_PROBE_HTTP_H
#define SHUNT_PROBE_HTTP_H

#include "io/probe.h"

struct event_base;
struct probe_http; /* one request */
struct probe_http_loop; /* libcurl joined to an event base */

/* Called once from the loop, never from within probe_http_start(); @r has no latency. The owner
 * calls probe_http_stop(), from here or later. */
typedef void probe_http_fn(void *arg, const struct check_result *r);

/* Returns 0, or -ENOMEM. Close it after the last request was stopped. */
int probe_http_open(struct event_base *base, struct probe_http_loop **out)
	__attribute__((warn_unused_result));
void probe_http_close(struct probe_http_loop *loop);

struct probe_http_call {
	const struct probe_question *question; /* stays until the request is stopped */
	probe_http_fn *done;
	void *arg;
};

/* Sends the request over @fd, which it takes also on failure. The verdict falls as soon as it is
 * certain: at the end of the headers when the status is not wanted or no text is expected, at the
 * text, at PROBE_BODY_MAX bytes without it. There is no timeout here. Returns 0, or -ENOMEM. */
int probe_http_start(struct probe_http_loop *loop, const struct probe_http_call *call, int fd,
		     struct probe_http **out) __attribute__((warn_unused_result));

/* Ends the request in whatever state, closes its socket and frees it; NULL is nothing. */
void probe_http_stop(struct probe_http *h);

/* Details of CHECK_BAD_REPLY. */
enum probe_http_fault {
	PROBE_FAULT_NOT_HTTP,
	PROBE_FAULT_HEADERS, /* beyond PROBE_HEADER_MAX */
	PROBE_FAULT_LENGTH, /* beyond PROBE_WIRE_MAX */
};

#endif
