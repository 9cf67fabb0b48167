/* SPDX-License-Identifier: BSD-2-Clause */
/* Which questions can be asked, and the one form of each. */
#include <errno.h>
#include <string.h>

#include "io/probe_msg.h"

static bool has_end(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* No white space and nothing that could end the line of a request. */
static bool is_one_word(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c <= ' ' || *c == 0x7f)
			return false;
	return true;
}

static bool is_http_question(const struct probe_question *q)
{
	if (!has_end(q->path, sizeof(q->path)) || !has_end(q->host, sizeof(q->host)) ||
	    !has_end(q->expect, sizeof(q->expect)))
		return false;
	if (q->path[0] != '\0' && q->path[0] != '/')
		return false;
	return is_one_word(q->path) && is_one_word(q->host) && q->statuses <= CONF_STATUS_RANGES;
}

static bool is_question(const struct probe_question *q)
{
	if ((q->addr.family != 4 && q->addr.family != 6) || q->port == 0)
		return false;
	if (q->from.family && q->from.family != q->addr.family)
		return false;
	if (q->interval_ms == 0 || q->timeout_ms == 0 || q->jitter > 50)
		return false;
	return q->kind == CONF_CHECK_TCP || (q->kind == CONF_CHECK_HTTP && is_http_question(q));
}

static void copy_addr(struct addr *to, const struct addr *from)
{
	to->family = from->family;
	if (from->family)
		memcpy(to->bytes, from->bytes, addr_bits(from) / 8);
}

int probe_question_normalize(const struct probe_question *q, struct probe_question *out)
{
	if (!is_question(q))
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	copy_addr(&out->addr, &q->addr);
	copy_addr(&out->from, &q->from);
	out->port = q->port;
	out->kind = q->kind;
	out->interval_ms = q->interval_ms;
	out->timeout_ms = q->timeout_ms;
	out->jitter = q->jitter;
	if (q->kind != CONF_CHECK_HTTP)
		return 0;
	strcpy(out->path, q->path);
	strcpy(out->host, q->host);
	strcpy(out->expect, q->expect);
	memcpy(out->status, q->status, q->statuses * sizeof(q->status[0]));
	out->statuses = q->statuses;
	return 0;
}
