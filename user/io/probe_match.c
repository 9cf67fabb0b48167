/* SPDX-License-Identifier: BSD-2-Clause */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "io/probe_match.h"

#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/probe_msg.h"

/* A pattern costs at most about a millisecond a try, and twenty tries: the first pieces of a reply
 * are each looked at as they come, later ones only when the reply has doubled. */
#define STEPS_MAX 20000
#define DEPTH_MAX 1000
#define HEAP_KIB_MAX 1024
#define EAGER_TRIES 8

struct probe_match {
	const char *text; /* expected */
	size_t len; /* 0: no text is */
	bool text_found;
	/* Knuth, Morris, Pratt: how much of the text the reply ends with so far, and for each length
	 * matched the next shorter one to fall back to. */
	uint8_t matched;
	uint8_t fallback[256];
	pcre2_code *pattern; /* NULL: none */
	pcre2_match_data *data;
	pcre2_match_context *limits;
	bool pattern_found, gave_up;
	char *reply; /* for the pattern */
	size_t size, n, next_try;
	unsigned int tries;
	size_t fed;
};

static void text_prepare(struct probe_match *m)
{
	size_t k = 0;

	for (size_t i = 1; i < m->len; i++) {
		while (k > 0 && m->text[i] != m->text[k])
			k = m->fallback[k];
		if (m->text[i] == m->text[k])
			k++;
		m->fallback[i + 1] = (uint8_t)k;
	}
}

static void text_feed(struct probe_match *m, const char *data, size_t len)
{
	size_t k = m->matched;

	for (size_t i = 0; i < len && k < m->len; i++) {
		while (k > 0 && data[i] != m->text[k])
			k = m->fallback[k];
		if (data[i] == m->text[k])
			k++;
	}
	m->matched = (uint8_t)k;
	m->text_found = k == m->len;
}

static int pattern_prepare(struct probe_match *m, const char *pattern, size_t len)
{
	PCRE2_SIZE where;
	int error;

	m->pattern =
		pcre2_compile((PCRE2_SPTR)pattern, len, CONF_REGEX_OPTIONS, &error, &where, NULL);
	m->limits = pcre2_match_context_create(NULL);
	if (!m->pattern || !m->limits)
		return -ENOMEM;
	m->data = pcre2_match_data_create(1, NULL);
	if (!m->data)
		return -ENOMEM;
	pcre2_set_match_limit(m->limits, STEPS_MAX);
	pcre2_set_depth_limit(m->limits, DEPTH_MAX);
	pcre2_set_heap_limit(m->limits, HEAP_KIB_MAX);
	return 0;
}

static void pattern_try(struct probe_match *m, const char *text, size_t len)
{
	int found = pcre2_match(m->pattern, (PCRE2_SPTR)text, len, 0, 0, m->data, m->limits);

	m->pattern_found = found >= 0;
	m->gave_up = found < 0 && found != PCRE2_ERROR_NOMATCH;
}

static bool reply_grow(struct probe_match *m, size_t len)
{
	size_t size = m->size ? m->size : 1024;
	char *grown;

	while (size < m->n + len)
		size *= 2;
	if (size == m->size)
		return true;
	grown = realloc(m->reply, size);
	if (!grown)
		return false;
	m->reply = grown;
	m->size = size;
	return true;
}

static void pattern_feed(struct probe_match *m, const char *data, size_t len)
{
	if (!m->pattern || m->pattern_found)
		return;
	if (!reply_grow(m, len)) {
		m->gave_up = true;
		return;
	}
	memcpy(m->reply + m->n, data, len);
	m->n += len;
	if (m->tries >= EAGER_TRIES && m->n < m->next_try)
		return;
	m->tries++;
	m->next_try = 2 * m->n;
	pattern_try(m, m->reply, m->n);
}

int probe_match_new(const struct probe_question *q, struct probe_match **out)
{
	size_t pattern = q->text_len[CONF_TEXT_EXPECT_REGEX];
	struct probe_match *m;

	*out = NULL;
	if (!q->text_len[CONF_TEXT_EXPECT] && !pattern)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->text = probe_question_text(q, CONF_TEXT_EXPECT);
	m->len = q->text_len[CONF_TEXT_EXPECT];
	m->text_found = m->len == 0;
	m->pattern_found = pattern == 0;
	text_prepare(m);
	if (pattern &&
	    pattern_prepare(m, probe_question_text(q, CONF_TEXT_EXPECT_REGEX), pattern) < 0) {
		probe_match_free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void probe_match_free(struct probe_match *m)
{
	if (!m)
		return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->limits);
	pcre2_code_free(m->pattern);
	free(m->reply);
	free(m);
}

enum probe_found probe_match_feed(struct probe_match *m, const char *data, size_t len)
{
	size_t room = PROBE_BODY_MAX - m->fed;
	size_t n = len < room ? len : room;

	m->fed += n;
	if (!m->text_found)
		text_feed(m, data, n);
	pattern_feed(m, data, n);
	if (m->text_found && m->pattern_found)
		return PROBE_FOUND;
	return n == room ? probe_match_end(m) : PROBE_NOT_YET;
}

enum probe_found probe_match_end(struct probe_match *m)
{
	if (m->pattern && !m->pattern_found)
		pattern_try(m, m->reply ? m->reply : "", m->n);
	return m->text_found && m->pattern_found ? PROBE_FOUND : PROBE_NOT_FOUND;
}

struct check_result probe_match_failure(const struct probe_match *m)
{
	struct check_result r = {.code = CHECK_NO_MATCH, .layer = CHECK_LAYER_7};

	if (m->text_found)
		r.detail = m->gave_up ? PROBE_MISS_GAVE_UP : PROBE_MISS_PATTERN;
	return r;
}

bool probe_match_whole(struct probe_match *m, const char *text)
{
	size_t len = strlen(text);
	bool same = m->len == 0 || (m->len == len && strncasecmp(m->text, text, len) == 0);

	m->text_found = m->text_found || same;
	if (same && m->pattern)
		pattern_try(m, text, len);
	return same && m->pattern_found;
}
