/* SPDX-License-Identifier: BSD-2-Clause */
/* What has become of a backend: no part of snapshots, but asked of the daemon for who wants to know. */
#ifndef SHUNT_WEB_PAST_H
#define SHUNT_WEB_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct evhttp_request;
struct past;

/* How such requests' numbers differ from those of others over the same socket. */
#define PAST_SEQ 0x80000000u

/* Asks over @fd, as io/web.h says. NULL: no memory. */
struct past *past_new(struct event_base *base, int fd);
/* After the HTTP server; NULL is fine. */
void past_free(struct past *p);

/* Answers @req with the newest @limit (1 to HISTORY_MAX) changes of the backend, as shunt history --json
 * has them: at once with 503 where too many ask already, else when the daemon has answered. */
void past_ask(struct past *p, struct evhttp_request *req, const char *const names[static 2],
	      size_t limit);
/* The daemon's answer of @len bytes to the request of number @seq: of those with PAST_SEQ. */
void past_answer(struct past *p, uint32_t seq, const void *answer, size_t len);

#endif
