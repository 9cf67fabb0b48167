/* SPDX-License-Identifier: BSD-2-Clause */
/* One request: what goes out. */
#include "io/probe_http_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct probe_http *h = arg;

	(void)purpose;
	(void)address;
	return h->fd >= 0 ? take_fd(&h->fd) : CURL_SOCKET_BAD;
}

static int socket_is_connected(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* libcurl calls it for every handshake. */
static CURLcode on_context(CURL *easy, void *ctx, void *arg)
{
	struct probe_http *h = arg;

	(void)easy;
	if (probe_tls_prepare(h->call.shared->tls, ctx, h->guard, &h->verdict))
		return CURLE_OK;
	h->decided = true;
	return CURLE_SSL_CERTPROBLEM;
}

/* With TLS the URL's host is what libcurl sends as SNI; either way it connects to no other than the
 * socket that it is given. */
static int set_url(struct probe_http *h)
{
	const struct probe_question *q = h->call.question;
	const char *path = h->grpc ? PROBE_GRPC_PATH : probe_question_text(q, CONF_TEXT_PATH);
	char where[ADDR_PORT_TEXT_MAX], url[sizeof(h->guard->name) + 32],
		to[ADDR_PORT_TEXT_MAX + 8];

	addr_port_format(&q->addr, q->port, where);
	if (h->guard && !h->guard->is_address) {
		snprintf(url, sizeof(url), "https://%s:%u/", h->guard->name, q->port);
		snprintf(to, sizeof(to), "::%s", where);
		h->connect_to = curl_slist_append(NULL, to);
		if (!h->connect_to)
			return -ENOMEM;
		curl_easy_setopt(h->easy, CURLOPT_CONNECT_TO, h->connect_to);
	} else {
		snprintf(url, sizeof(url), "%s://%s/", h->guard ? "https" : "http", where);
	}
	curl_easy_setopt(h->easy, CURLOPT_URL, url);
	/* The path goes out as it was given, also where a URL would say something else. */
	curl_easy_setopt(h->easy, CURLOPT_REQUEST_TARGET, path[0] ? path : "/");
	curl_easy_setopt(h->easy, CURLOPT_PATH_AS_IS, 1L);
	return 0;
}

static int add_header(struct probe_http *h, const char *line)
{
	struct curl_slist *more = curl_slist_append(h->headers, line);

	if (!more)
		return -ENOMEM;
	h->headers = more;
	return 0;
}

/* An empty value has to be written as "Name;" for libcurl. */
static int add_configured(struct probe_http *h, const char *line)
{
	char empty[CONF_LONG_TEXT_MAX + 1];
	size_t len = strlen(line);

	if (len < 2 || strcmp(line + len - 2, ": ") != 0)
		return add_header(h, line);
	snprintf(empty, sizeof(empty), "%.*s;", (int)(len - 2), line);
	return add_header(h, empty);
}

static int set_headers(struct probe_http *h)
{
	const struct probe_question *q = h->call.question;
	const char *configured = probe_question_text(q, CONF_TEXT_HEADERS);
	char host[CONF_TEXT_MAX + 8];
	int err = 0;

	if (!h->grpc && q->kind != CONF_CHECK_HTTP2)
		err = add_header(h, "Connection: close");
	if (err == 0 && q->text_len[CONF_TEXT_HOST]) {
		snprintf(host, sizeof(host), "Host: %s", probe_question_text(q, CONF_TEXT_HOST));
		err = add_header(h, host);
	}
	for (size_t at = 0; err == 0 && at < q->text_len[CONF_TEXT_HEADERS];
	     at += strlen(configured + at) + 1)
		err = add_configured(h, configured + at);
	if (err == 0 && h->grpc)
		err = add_header(h, "Content-Type: application/grpc");
	if (err == 0 && h->grpc)
		err = add_header(h, "TE: trailers");
	curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "shunt/" SHUNT_VERSION);
	return err;
}

static void set_method(struct probe_http *h)
{
	const char *method = probe_question_text(h->call.question, CONF_TEXT_METHOD);

	if (h->grpc) {
		size_t len = probe_grpc_ask(h->call.question, h->grpc->ask);

		curl_easy_setopt(h->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE, (long)len);
		curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, h->grpc->ask);
	} else if (strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(h->easy, CURLOPT_NOBODY, 1L);
	} else if (method[0]) {
		curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, method);
	}
}

static long version_of(const struct probe_http *h)
{
	if (!h->grpc && h->call.question->kind != CONF_CHECK_HTTP2)
		return CURL_HTTP_VERSION_1_1;
	return h->guard ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

/* Nothing but this one request over this one socket. */
static void set_limits(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
}

/* What libcurl would verify the guard does, in words. */
static void set_tls(struct probe_http *h)
{
	if (!h->guard)
		return;
	curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(h->easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(h->easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(h->easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(h->easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
	curl_easy_setopt(h->easy, CURLOPT_SSL_CTX_DATA, h);
}

static int set_up(struct probe_http *h)
{
	h->easy = curl_easy_init();
	if (!h->easy || set_url(h) < 0 || set_headers(h) < 0)
		return -ENOMEM;
	set_limits(h->easy);
	set_method(h);
	set_tls(h);
	curl_easy_setopt(h->easy, CURLOPT_HTTP_VERSION, version_of(h));
	curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->words);
	curl_easy_setopt(h->easy, CURLOPT_PRIVATE, h);
	curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(h->easy, CURLOPT_SOCKOPTFUNCTION, socket_is_connected);
	curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, probe_http_on_header);
	curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, probe_http_on_body);
	curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
	if (curl_multi_add_handle(h->loop->multi, h->easy) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

/* What the kind needs beyond a request. */
static int set_parts(struct probe_http *h)
{
	const struct probe_question *q = h->call.question;

	if (q->tls) {
		h->guard = malloc(sizeof(*h->guard));
		if (!h->guard)
			return -ENOMEM;
		probe_tls_guard_init(h->guard, q);
	}
	if (q->kind == CONF_CHECK_GRPC) {
		h->grpc = calloc(1, sizeof(*h->grpc));
		if (!h->grpc)
			return -ENOMEM;
		h->grpc->status = -1;
	}
	return probe_match_new(q, &h->match);
}

static void http_stop(void *run)
{
	struct probe_http *h = run;

	if (h->watch)
		h->watch->request = NULL;
	if (h->easy) {
		curl_multi_remove_handle(h->loop->multi, h->easy);
		curl_easy_cleanup(h->easy);
	}
	curl_slist_free_all(h->headers);
	curl_slist_free_all(h->connect_to);
	probe_match_free(h->match);
	own_close(&h->fd);
	free(h->guard);
	free(h->grpc);
	free(h);
}

static bool http_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	struct probe_http *h = calloc(1, sizeof(*h));

	if (!h) {
		close(fd);
		*r = probe_failure(ENOMEM);
		return false;
	}
	h->loop = call->shared->http;
	h->call = *call;
	h->fd = fd;
	if (set_parts(h) < 0 || set_up(h) < 0) {
		http_stop(h);
		*r = probe_failure(ENOMEM);
		return false;
	}
	*run = h;
	return true;
}

static void http_timed_out(void *run, struct check_result *r)
{
	*r = (struct check_result){.code = CHECK_TIMEOUT, .layer = (uint8_t)probe_http_layer(run)};
}

const struct probe_kind probe_kind_http = {
	.weight = PROBE_HEAVY,
	.connects = true,
	.start = http_start,
	.stop = http_stop,
	.timed_out = http_timed_out,
};
