/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reply means, while it comes in. */
#include "io/probe_http_impl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_encrypted(const struct probe_http *h)
{
	curl_off_t at_us = 0;

	curl_easy_getinfo(h->easy, CURLINFO_APPCONNECT_TIME_T, &at_us);
	return at_us > 0;
}

enum check_layer probe_http_layer(const struct probe_http *h)
{
	return h->guard && !is_encrypted(h) ? CHECK_LAYER_6 : CHECK_LAYER_7;
}

size_t probe_http_decide(struct probe_http *h, enum check_code code, int32_t detail)
{
	h->decided = true;
	h->verdict = (struct check_result){
		.code = code, .layer = (uint8_t)probe_http_layer(h), .detail = detail};
	return 0;
}

static long status_of(const struct probe_http *h)
{
	long status = 0;

	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool status_wanted(const struct probe_question *q, long status)
{
	if (q->statuses == 0)
		return status >= 200 && status <= 399;
	for (size_t i = 0; i < q->statuses; i++)
		if (status >= q->status[i].from && status <= q->status[i].to)
			return true;
	return false;
}

static bool is_wanted_version(const struct probe_http *h)
{
	long version = 0;

	curl_easy_getinfo(h->easy, CURLINFO_HTTP_VERSION, &version);
	return h->call.question->kind != CONF_CHECK_HTTP2 || version == CURL_HTTP_VERSION_2_0;
}

/* The value if the header is @name (with its colon), without white space around it; or NULL. */
static const char *header_value(const char *data, size_t len, const char *name, size_t *value_len)
{
	size_t n = strlen(name);

	if (len < n || strncasecmp(data, name, n) != 0)
		return NULL;
	while (n < len && data[n] == ' ')
		n++;
	while (len > n && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	*value_len = len - n;
	return data + n;
}

/* They come as headers or as trailers. */
static void grpc_header(struct probe_http_grpc *g, const char *data, size_t len)
{
	const char *value = header_value(data, len, "grpc-status:", &len);
	int status = 0;

	if (value && len > 0 && len <= 3) {
		for (size_t i = 0; i < len; i++)
			status = value[i] >= '0' && value[i] <= '9' ? 10 * status + value[i] - '0'
								    : 1000;
		g->status = status < 1000 ? status : -1;
		return;
	}
	value = header_value(data, len, "grpc-message:", &len);
	if (value)
		snprintf(g->message, sizeof(g->message), "%.*s",
			 (int)(len < sizeof(g->message) ? len : sizeof(g->message) - 1), value);
}

static size_t headers_end(struct probe_http *h, size_t len)
{
	long status = status_of(h);

	if (status < 200) /* an interim reply: the one that counts follows */
		return len;
	h->headers_done = true;
	if (!is_wanted_version(h))
		return probe_http_decide(h, CHECK_BAD_REPLY, PROBE_FAULT_NOT_HTTP2);
	if (h->grpc)
		return status == 200 ? len
				     : probe_http_decide(h, CHECK_BAD_STATUS, (int32_t)status);
	if (!status_wanted(h->call.question, status))
		return probe_http_decide(h, CHECK_BAD_STATUS, (int32_t)status);
	if (!h->match)
		return probe_http_decide(h, CHECK_OK, (int32_t)status);
	return len;
}

size_t probe_http_on_header(char *data, size_t size, size_t count, void *arg)
{
	struct probe_http *h = arg;
	size_t len = size * count;

	h->header_bytes += len;
	if (h->header_bytes > PROBE_HEADER_MAX)
		return probe_http_decide(h, CHECK_BAD_REPLY, PROBE_FAULT_HEADERS);
	if (h->grpc)
		grpc_header(h->grpc, data, len);
	if (h->headers_done || (data[0] != '\r' && data[0] != '\n'))
		return len;
	return headers_end(h, len);
}

static size_t decide_match(struct probe_http *h, enum probe_found found)
{
	if (found == PROBE_FOUND)
		return probe_http_decide(h, CHECK_OK, (int32_t)status_of(h));
	h->decided = true;
	h->verdict = probe_match_failure(h->match);
	return 0;
}

size_t probe_http_on_body(char *data, size_t size, size_t count, void *arg)
{
	struct probe_http *h = arg;
	size_t len = size * count;
	enum probe_found found;

	if (h->grpc) {
		struct probe_http_grpc *g = h->grpc;

		if (len > sizeof(g->reply) - g->len)
			return probe_http_decide(h, CHECK_BAD_REPLY, PROBE_FAULT_LENGTH);
		memcpy(g->reply + g->len, data, len);
		g->len += len;
		return len;
	}
	found = probe_match_feed(h->match, data, len);
	return found == PROBE_NOT_YET ? len : decide_match(h, found);
}

static void decide_by_whole(struct probe_http *h)
{
	if (!h->headers_done) {
		probe_http_decide(h, CHECK_CLOSED, 0);
	} else if (h->grpc) {
		h->decided = true;
		probe_grpc_judge(h->call.question, h->grpc->status, h->grpc->message,
				 h->grpc->reply, h->grpc->len, &h->verdict);
	} else {
		decide_match(h, probe_match_end(h->match));
	}
}

static enum probe_http_fault not_the_protocol(const struct probe_http *h)
{
	bool http2 = h->grpc || h->call.question->kind == CONF_CHECK_HTTP2;

	return http2 ? PROBE_FAULT_NOT_HTTP2 : PROBE_FAULT_NOT_HTTP;
}

/* libcurl has OpenSSL's words: "error:0A00010B:SSL routines::wrong version number". */
static void decide_by_handshake(struct probe_http *h)
{
	const char *reason = strstr(h->words, "::");

	h->decided = true;
	h->verdict = probe_tls_failure(h->guard, reason ? reason + 2 : NULL);
}

/* libcurl reports bad framing as a receive error too; only a real one has an errno. */
void probe_http_decide_by_end(struct probe_http *h, CURLcode end)
{
	long error = 0;

	curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &error);
	if (end != CURLE_OK && probe_http_layer(h) == CHECK_LAYER_6) {
		decide_by_handshake(h);
		return;
	}
	switch (end) {
	case CURLE_OK:
		decide_by_whole(h);
		break;
	case CURLE_RECV_ERROR:
		if (error == 0 && !h->guard)
			probe_http_decide(h, CHECK_BAD_REPLY, not_the_protocol(h));
		else
			probe_http_decide(h, CHECK_CLOSED, (int32_t)error);
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
		probe_http_decide(h, CHECK_CLOSED, (int32_t)error);
		break;
	default:
		probe_http_decide(h, CHECK_BAD_REPLY, not_the_protocol(h));
		break;
	}
}
