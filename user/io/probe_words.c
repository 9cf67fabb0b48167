/* SPDX-License-Identifier: BSD-2-Clause */
/* Probe results in words, for log lines and `shunt backends`; written by the child. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/probe_http.h"
#include "io/probe_msg.h"

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
static const char *shown(const char *expect, char out[static EXPECT_SHOWN + 4])
{
	size_t n = strnlen(expect, EXPECT_SHOWN + 1);
	bool cut = n > EXPECT_SHOWN;

	n = cut ? EXPECT_SHOWN : n;
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)expect[i] < ' ' || expect[i] == 0x7f ? '.' : expect[i];
	snprintf(out + n, 4, "%s", cut ? "..." : "");
	return out;
}

static const char *fault(int32_t detail)
{
	if (detail == PROBE_FAULT_HEADERS)
		return "reply has more than 64 KiB of headers";
	if (detail == PROBE_FAULT_LENGTH)
		return "reply is longer than 512 KiB";
	return "reply is not HTTP";
}

static void http_words(const struct check_result *r, const struct probe_question *q, char *out,
		       size_t size)
{
	char list[CONF_STATUS_RANGES * 16], text[EXPECT_SHOWN + 4];

	if (r->code == CHECK_BAD_STATUS)
		snprintf(out, size, "HTTP status %d, wanted %s", r->detail,
			 ranges(q, list, sizeof(list)));
	else if (r->code == CHECK_NO_MATCH)
		snprintf(out, size, "reply does not contain \"%s\"", shown(q->expect, text));
	else
		snprintf(out, size, "%s", fault(r->detail));
}

static void success_words(const struct check_result *r, const struct probe_question *q, char *out,
			  size_t size)
{
	if (q->kind != CONF_CHECK_HTTP)
		snprintf(out, size, "connected");
	else if (q->expect[0] == '\0')
		snprintf(out, size, "HTTP status %d", r->detail);
	else
		snprintf(out, size, "HTTP status %d and the expected text", r->detail);
}

static void timeout_words(const struct check_result *r, const struct probe_question *q, char *out,
			  size_t size)
{
	char ms[24];

	snprintf(out, size, "%s within %s",
		 r->layer == CHECK_LAYER_4 ? "no answer to connect" : "no whole reply",
		 duration(q->timeout_ms, ms));
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
		snprintf(out, size, "connection refused");
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
	case CHECK_NO_RESOURCES:
		snprintf(out, size, "could not probe: %s", strerror(r->detail));
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
