/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection over which something is said and a reply is heard: tcp with send and expect, agent,
 * DNS over TCP. */
#ifndef SHUNT_PROBE_STREAM_H
#define SHUNT_PROBE_STREAM_H

#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>

#include "io/probe_kind.h"

struct probe_stream;

/* What a kind makes of the reply. Both return true when @r is the verdict. */
struct probe_listener {
	bool (*take)(struct probe_stream *s, const char *data, size_t len, struct check_result *r);
	/* The peer has closed; NULL: before a whole reply. */
	bool (*closed)(struct probe_stream *s, struct check_result *r);
};

struct probe_stream {
	struct probe_call call;
	const struct probe_listener *listener; /* NULL: done when all is said */
	struct event event;
	int fd;
	const char *say; /* stays until the end */
	size_t say_len, said;
	char *heard; /* of whoever listens; freed with the stream */
	size_t heard_len;
	struct probe_match *match; /* likewise */
};

/* As start() and stop() of struct probe_kind. @s is from malloc() and filled but for event and fd; it
 * is freed with everything that it holds also on failure. */
bool probe_stream_start(struct probe_stream *s, int fd, void **run, struct check_result *r);
void probe_stream_stop(void *run);

/* The layer-7 verdict @code. Returns true. */
bool probe_stream_verdict(struct check_result *r, enum check_code code);

#endif
