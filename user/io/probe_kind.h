/* SPDX-License-Identifier: BSD-2-Clause */
/* What a kind of probe is to the child that runs it. Private to user/io/probe*.c. */
#ifndef SHUNT_PROBE_KIND_H
#define SHUNT_PROBE_KIND_H

#include "io/probe.h"

struct event_base;

/* What all probes of a child share. */
struct probe_shared {
	struct event_base *base;
	struct probe_http_loop *http;
	struct probe_tls_files *tls;
	struct probe_icmp *icmp;
	struct probe_programs *programs;
};

/* Called once from the loop, never from within start(); @r has no latency, and text only if the kind
 * knows more than probe_result_words(). The owner stops the run, from here or later. */
typedef void probe_done_fn(void *arg, const struct check_result *r);

struct probe_call {
	struct probe_shared *shared;
	const struct probe_question *question; /* stays until the run is stopped */
	probe_done_fn *done;
	void *arg;
};

/* So that many of one sort do not take what the others need, each has a limit of its own. */
enum probe_weight {
	PROBE_LIGHT, /* a socket and a few hundred bytes */
	PROBE_HEAVY, /* tens of kilobytes: TLS, HTTP */
	PROBE_PROGRAM, /* a process */
	PROBE_WEIGHTS,
};

struct probe_kind {
	enum probe_weight weight;
	bool connects; /* start() gets a socket that is connected by TCP */
	/* Begins to probe; takes @fd (-1 unless the kind connects) also on failure. Returns true with
	 * *run filled when done() is to come; false when it has ended at once, as @r says. NULL: the
	 * connection is all. */
	bool (*start)(const struct probe_call *call, int fd, void **run, struct check_result *r);
	void (*stop)(void *run); /* in whatever state; frees it */
	/* Its time is over: @r says what that means. NULL: no whole reply. */
	void (*timed_out)(void *run, struct check_result *r);
};

/* Never NULL. */
const struct probe_kind *probe_kind_of(const struct probe_question *q);

/* A result for an errno that kept a probe from being made. */
struct check_result probe_failure(int error);

/* @r becomes one that says nothing of the backend, since the check itself is at fault. */
void probe_cannot_ask(struct check_result *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fills in the words of @r, and adds to them. */
void probe_result_add(struct check_result *r, const struct probe_question *q, const char *format,
		      ...) __attribute__((format(printf, 3, 4)));

extern const struct probe_kind probe_kind_http, probe_kind_tls, probe_kind_expect, probe_kind_agent,
	probe_kind_dns_tcp, probe_kind_dns_udp, probe_kind_udp, probe_kind_icmp, probe_kind_exec;

#endif
