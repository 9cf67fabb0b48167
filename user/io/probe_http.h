/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP over a socket that is connected already: the kinds http, https, http2 and grpc. libcurl speaks
 * the protocols, joined to the loop by its multi-socket interface; it opens nothing by itself.
 *
 * The verdict falls as soon as it is certain: at the end of the headers when the status is not wanted
 * or no text is expected, at the text, at PROBE_BODY_MAX bytes without it. */
#ifndef SHUNT_PROBE_HTTP_H
#define SHUNT_PROBE_HTTP_H

struct event_base;
struct probe_http_loop; /* libcurl joined to an event base */

/* Returns 0, or -ENOMEM. Close it after the last request was stopped. */
int probe_http_open(struct event_base *base, struct probe_http_loop **out)
	__attribute__((warn_unused_result));
void probe_http_close(struct probe_http_loop *loop);

/* Details of CHECK_BAD_REPLY. */
enum probe_http_fault {
	PROBE_FAULT_NOT_HTTP,
	PROBE_FAULT_HEADERS, /* beyond PROBE_HEADER_MAX */
	PROBE_FAULT_LENGTH, /* beyond PROBE_WIRE_MAX */
	PROBE_FAULT_NOT_HTTP2,
};

#endif
