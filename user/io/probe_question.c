/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions: their texts, which of them can be asked, and the one form of each. */
#include <errno.h>
#include <string.h>

#include "io/probe_msg.h"

/* ---- texts -------------------------------------------------------------------------------------- */

static size_t room_of(const struct probe_question *q, size_t which)
{
	return q->text_len[which] ? q->text_len[which] + 1u : 0;
}

/* Where a text begins, or would. */
static size_t place_of(const struct probe_question *q, size_t which)
{
	size_t at = 0;

	for (size_t i = 0; i < which; i++)
		at += room_of(q, i);
	return at;
}

size_t probe_question_size(const struct probe_question *q)
{
	return offsetof(struct probe_question, texts) + place_of(q, CONF_CHECK_TEXTS);
}

const char *probe_question_text(const struct probe_question *q, enum conf_check_text which)
{
	return q->text_len[which] ? q->texts + place_of(q, which) : "";
}

int probe_question_set(struct probe_question *q, enum conf_check_text which, const char *bytes,
		       size_t len)
{
	size_t at = place_of(q, which), end = place_of(q, CONF_CHECK_TEXTS);
	size_t before = room_of(q, which), after = len ? len + 1 : 0;

	if (end - before + after > sizeof(q->texts))
		return -ENOSPC;
	memmove(q->texts + at + after, q->texts + at + before, end - at - before);
	if (len) {
		memcpy(q->texts + at, bytes, len);
		q->texts[at + len] = '\0';
	}
	q->text_len[which] = (uint16_t)len;
	return 0;
}

size_t probe_command_size(const struct probe_command *m)
{
	if (m->type == PROBE_MSG_ADD)
		return offsetof(struct probe_command, question) + probe_question_size(&m->question);
	return offsetof(struct probe_command, identity) + sizeof(m->identity);
}

/* ---- what can be asked -------------------------------------------------------------------------- */

static bool texts_fit(const struct probe_question *q)
{
	size_t at = 0;

	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++) {
		at += room_of(q, i);
		if (at > sizeof(q->texts) || (q->text_len[i] && q->texts[at - 1] != '\0'))
			return false;
	}
	return true;
}

/* No white space and nothing that could end the line of a request. */
static bool is_one_word(const struct probe_question *q, enum conf_check_text which)
{
	const char *text = probe_question_text(q, which);

	for (size_t i = 0; i < q->text_len[which]; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool ends_with_nul(const struct probe_question *q, enum conf_check_text which)
{
	const char *text = probe_question_text(q, which);

	return q->text_len[which] == 0 || text[q->text_len[which] - 1] == '\0';
}

static bool texts_are_right(const struct probe_question *q)
{
	static const enum conf_check_text words[] = {CONF_TEXT_PATH,	CONF_TEXT_HOST,
						     CONF_TEXT_METHOD,	CONF_TEXT_SNI,
						     CONF_TEXT_SERVICE, CONF_TEXT_NAME};
	static const enum conf_check_text lists[] = {CONF_TEXT_HEADERS, CONF_TEXT_COMMAND,
						     CONF_TEXT_ENVIRONMENT};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!is_one_word(q, words[i]))
			return false;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (!ends_with_nul(q, lists[i]))
			return false;
	return q->text_len[CONF_TEXT_PATH] == 0 || probe_question_text(q, CONF_TEXT_PATH)[0] == '/';
}

static bool is_question(const struct probe_question *q)
{
	bool has_port = q->kind != CONF_CHECK_ICMP && q->kind != CONF_CHECK_EXEC;

	if ((q->addr.family != 4 && q->addr.family != 6) || (has_port && q->port == 0))
		return false;
	if (q->from.family && q->from.family != q->addr.family)
		return false;
	if (q->interval_ms == 0 || q->timeout_ms == 0 || q->jitter > 50 ||
	    q->statuses > CONF_STATUS_RANGES)
		return false;
	if (q->kind <= CONF_CHECK_NONE || q->kind >= CONF_CHECK_KIND_MAX)
		return false;
	return texts_fit(q) && texts_are_right(q);
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
	memset(out, 0, offsetof(struct probe_question, texts));
	copy_addr(&out->addr, &q->addr);
	copy_addr(&out->from, &q->from);
	out->port = q->port;
	out->kind = q->kind;
	out->interval_ms = q->interval_ms;
	out->timeout_ms = q->timeout_ms;
	out->jitter = q->jitter;
	memcpy(out->status, q->status, q->statuses * sizeof(q->status[0]));
	out->statuses = q->statuses;
	out->tls = q->tls;
	out->verify = q->verify;
	out->record = q->record;
	out->transport = q->transport;
	out->expiry_warn_days = q->expiry_warn_days;
	memcpy(out->text_len, q->text_len, sizeof(q->text_len));
	memcpy(out->texts, q->texts, place_of(q, CONF_CHECK_TEXTS));
	return 0;
}
