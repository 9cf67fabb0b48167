/* SPDX-License-Identifier: BSD-2-Clause */
/* Probe results in words, for log lines and `shunt backends`; written by the child. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/probe_http.h"
#include "io/probe_kind.h"
#include "io/probe_msg.h"
#include "io/probe_tcp.h"

#define EXPECT_SHOWN 40 /* characters of the expected text */

static const char *duration(uint32_t ms, char out[static 24])
{
	if (ms < 1000)
		snprintf(out, 24, "%u ms", ms);
	else if (ms % 1000 == 0)
		snprintf(out, 24, "%u s", ms / 1000);
	else
		snprintf(out, 24, "%g s", ms / 1000.0);
	return out;
}

/* "200-399", "200, 204-206" */
static const char *ranges(const struct probe_question *q, char *out, size_t size)
{
	size_t at = 0;

	if (q->statuses == 0)
		return "200-399";
	out[0] = '\0';
	for (size_t i = 0; i < q->statuses && i < CONF_STATUS_RANGES && at < size; i++) {
		const struct conf_status_range *r = &q->status[i];

		at += (size_t)snprintf(out + at, size - at, "%s%u", i ? ", " : "", r->from);
		if (r->to != r->from && at < size)
			at += (size_t)snprintf(out + at, size - at, "-%u", r->to);
	}
	return out;
}

/* The text with what is not printable as dots, cut to EXPECT_SHOWN. */
static const char *shown(const struct probe_question *q, enum conf_check_text which,
			 char out[static EXPECT_SHOWN + 4])
{
	const char *expect = probe_question_text(q, which);
	size_t n = q->text_len[which];
	bool cut = n > EXPECT_SHOWN;

	n = cut ? EXPECT_SHOWN : n;
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)expect[i] < ' ' || expect[i] == 0x7f ? '.' : expect[i];
	snprintf(out + n, 4, "%s", cut ? "..." : "");
	return out;
}

static void miss_words(const struct check_result *r, const struct probe_question *q, char *out,
		       size_t size)
{
	char text[EXPECT_SHOWN + 4];

	if (r->detail == PROBE_MISS_TEXT)
		snprintf(out, size, "reply does not contain \"%s\"",
			 shown(q, CONF_TEXT_EXPECT, text));
	else if (r->detail == PROBE_MISS_PATTERN)
		snprintf(out, size, "reply does not match \"%s\"",
			 shown(q, CONF_TEXT_EXPECT_REGEX, text));
	else
		snprintf(out, size, "\"%s\" takes too many steps on this reply",
			 shown(q, CONF_TEXT_EXPECT_REGEX, text));
}

static const char *fault(int32_t detail)
{
	if (detail == PROBE_FAULT_HEADERS)
		return "reply has more than 64 KiB of headers";
	if (detail == PROBE_FAULT_LENGTH)
		return "reply is longer than 512 KiB";
	if (detail == PROBE_FAULT_NOT_HTTP2)
		return "reply is not HTTP/2";
	return "reply is not HTTP";
}

static void http_words(const struct check_result *r, const struct probe_question *q, char *out,
		       size_t size)
{
	char list[CONF_STATUS_RANGES * 16];

	if (r->code == CHECK_BAD_STATUS && q->kind == CONF_CHECK_GRPC)
		snprintf(out, size, "HTTP status %d, wanted 200", r->detail);
	else if (r->code == CHECK_BAD_STATUS)
		snprintf(out, size, "HTTP status %d, wanted %s", r->detail,
			 ranges(q, list, sizeof(list)));
	else
		snprintf(out, size, "%s", fault(r->detail));
}

static bool is_http(const struct probe_question *q)
{
	return q->kind == CONF_CHECK_HTTP || q->kind == CONF_CHECK_HTTPS ||
	       q->kind == CONF_CHECK_HTTP2;
}

static void success_words(const struct check_result *r, const struct probe_question *q, char *out,
			  size_t size)
{
	bool expects = q->text_len[CONF_TEXT_EXPECT] || q->text_len[CONF_TEXT_EXPECT_REGEX];

	if (is_http(q))
		snprintf(out, size, "HTTP status %d%s", r->detail,
			 expects ? " and the expected text" : "");
	else
		snprintf(out, size, "%s", expects ? "reply as expected" : "connected");
}

static void timeout_words(const struct check_result *r, const struct probe_question *q, char *out,
			  size_t size)
{
	char ms[24];

	static const char *const what[] = {
		[CHECK_LAYER_PROGRAM] = "the program did not end",
		[CHECK_LAYER_3] = "no echo reply",
		[CHECK_LAYER_4] = "no answer to connect",
		[CHECK_LAYER_6] = "no end of the TLS handshake",
		[CHECK_LAYER_7] = "no whole reply",
	};

	snprintf(out, size, "%s within %s", what[r->layer] ? what[r->layer] : "no answer",
		 duration(q->timeout_ms, ms));
}

static bool is_datagram(const struct probe_question *q)
{
	return q->kind == CONF_CHECK_UDP ||
	       (q->kind == CONF_CHECK_DNS && q->transport == CONF_DNS_UDP);
}

static void words(const struct check_result *r, const struct probe_question *q, char *out,
		  size_t size)
{
	switch (r->code) {
	case CHECK_OK:
		success_words(r, q, out, size);
		break;
	case CHECK_TIMEOUT:
		timeout_words(r, q, out, size);
		break;
	case CHECK_REFUSED:
		snprintf(out, size, "%s",
			 is_datagram(q) ? "port unreachable: nobody listens"
					: "connection refused");
		break;
	case CHECK_UNREACHABLE:
		snprintf(out, size, "%s unreachable",
			 r->detail == ENETUNREACH || r->detail == ENETDOWN ? "network" : "host");
		break;
	case CHECK_CONNECT_FAILED:
		snprintf(out, size, "connect failed: %s", strerror(r->detail));
		break;
	case CHECK_CLOSED:
		snprintf(out, size, "connection closed before a whole reply");
		break;
	case CHECK_NO_MATCH:
		miss_words(r, q, out, size);
		break;
	case CHECK_NO_RESOURCES:
		snprintf(out, size, "could not probe: %s",
			 r->detail ? strerror(r->detail)
				   : "no room beside others for an interval; make it longer");
		break;
	default:
		http_words(r, q, out, size);
		break;
	}
}

static void make_printable(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < ' ' || *c >= 0x7f)
			*c = '.';
}

void probe_result_words(struct check_result *r, const struct probe_question *q)
{
	if (r->text[0] == '\0')
		words(r, q, r->text, sizeof(r->text));
	make_printable(r->text);
}

void probe_result_add(struct check_result *r, const struct probe_question *q, const char *format,
		      ...)
{
	size_t at;
	va_list args;

	probe_result_words(r, q);
	at = strlen(r->text);
	va_start(args, format);
	vsnprintf(r->text + at, sizeof(r->text) - at, format, args);
	va_end(args);
}

void probe_cannot_ask(struct check_result *r, const char *format, ...)
{
	va_list args;

	*r = (struct check_result){.code = CHECK_CANNOT_ASK};
	va_start(args, format);
	vsnprintf(r->text, sizeof(r->text), format, args);
	va_end(args);
}

struct check_result probe_failure(int error)
{
	return probe_tcp_result(error);
}
