/* SPDX-License-Identifier: BSD-2-Clause */
/* One request and libcurl's loop, as the files of probe_http share them. */
#ifndef SHUNT_PROBE_HTTP_IMPL_H
#define SHUNT_PROBE_HTTP_IMPL_H

#include <curl/curl.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>

#include "io/probe_grpc.h"
#include "io/probe_http.h"
#include "io/probe_kind.h"
#include "io/probe_match.h"
#include "io/probe_msg.h"
#include "io/probe_tls.h"

struct probe_http_loop {
	struct event_base *base;
	CURLM *multi;
	struct event timer; /* the one that libcurl asks for */
};

/* A socket that libcurl wants watched. It may outlive its request: libcurl decides when to close. */
struct probe_http_watch {
	struct event event;
	struct probe_http_loop *loop;
	struct probe_http *request; /* NULL once that has ended */
	bool added;
};

struct probe_http {
	struct probe_http_loop *loop;
	struct probe_call call;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct probe_http_watch *watch;
	int fd; /* until libcurl takes it, then -1 */
	bool decided, headers_done;
	struct check_result verdict; /* when decided */
	size_t header_bytes;
	struct probe_match *match; /* NULL: no text is expected */
	struct probe_tls_guard *guard; /* NULL: no TLS */
	struct probe_http_grpc *grpc; /* NULL: not that */
	char words[CURL_ERROR_SIZE]; /* of libcurl, of an error */
};

struct probe_http_grpc {
	int status; /* -1: not said */
	char message[64];
	uint8_t ask[PROBE_GRPC_ASK_MAX], reply[PROBE_GRPC_REPLY_MAX];
	size_t len;
};

/* ---- probe_http_judge.c ------------------------------------------------------------------------- */

/* Below the end of the TLS handshake, or above. */
enum check_layer probe_http_layer(const struct probe_http *h);

/* Sets the verdict. Returns 0, which makes libcurl stop when a callback of it returns that. */
size_t probe_http_decide(struct probe_http *h, enum check_code code, int32_t detail);

/* libcurl's callbacks for header lines and body, with the struct probe_http as @arg. */
size_t probe_http_on_header(char *data, size_t size, size_t count, void *arg);
size_t probe_http_on_body(char *data, size_t size, size_t count, void *arg);

/* What the end of the transfer means when no callback has decided. */
void probe_http_decide_by_end(struct probe_http *h, CURLcode end);

#endif
