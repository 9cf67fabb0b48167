/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "io/probe_stream.h"

#define LINE_MAX_BYTES 1024

struct agent_word {
	const char *word;
	uint8_t note;
	bool down;
};

static const struct agent_word words[] = {
	{"up", CHECK_NOTE_READY, false},
	{"ready", CHECK_NOTE_READY, false},
	{"drain", CHECK_NOTE_DRAIN, false},
	{"maint", CHECK_NOTE_MAINT, false},
	{"down", 0, true},
	{"fail", 0, true},
	{"failed", 0, true},
	{"stopped", 0, true},
};

static const struct agent_word *word_find(const char *word)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i].word, word) == 0)
			return &words[i];
	return NULL;
}

/* "50%". Returns false when it is no such thing. */
static bool read_weight(const char *word, struct check_result *r)
{
	char *end;
	unsigned long percent = strtoul(word, &end, 10);

	if (word[0] < '0' || word[0] > '9' || strcmp(end, "%") != 0 ||
	    percent > CHECK_WEIGHT_PERCENT_MAX)
		return false;
	r->notes |= CHECK_NOTE_WEIGHT;
	r->weight_percent = (uint16_t)percent;
	return true;
}

static bool read_word(const char *word, struct check_result *r)
{
	const struct agent_word *known = word_find(word);

	if (!known)
		return read_weight(word, r);
	r->notes |= known->note;
	if (known->down)
		r->code = CHECK_SAYS_DOWN;
	return true;
}

void probe_agent_judge(const char *line, size_t len, struct check_result *r)
{
	char copy[LINE_MAX_BYTES + 1], *rest = copy, *word, *why;
	bool known = false;

	*r = (struct check_result){.layer = CHECK_LAYER_7};
	len = len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES;
	memcpy(copy, line, len);
	copy[len] = '\0';
	snprintf(r->text, sizeof(r->text), "agent says \"%.100s\"", copy);
	why = strchr(copy, '#');
	if (why)
		*why = '\0';
	while ((word = strsep(&rest, " \t,")))
		known |= word[0] && read_word(word, r);
	if (!known) {
		r->code = CHECK_BAD_REPLY;
		snprintf(r->text, sizeof(r->text), "agent says \"%.*s\", no word of which is known",
			 len < 60 ? (int)len : 60, line);
	}
}

/* ---- the probe ---------------------------------------------------------------------------------- */

static bool judge_heard(struct probe_stream *s, size_t len, struct check_result *r)
{
	while (len > 0 && (s->heard[len - 1] == '\r' || s->heard[len - 1] == ' '))
		len--;
	probe_agent_judge(s->heard, len, r);
	return true;
}

static bool take_line(struct probe_stream *s, const char *data, size_t len, struct check_result *r)
{
	const char *end;

	if (len > LINE_MAX_BYTES - s->heard_len)
		len = LINE_MAX_BYTES - s->heard_len;
	memcpy(s->heard + s->heard_len, data, len);
	s->heard_len += len;
	end = memchr(s->heard, '\n', s->heard_len);
	if (end)
		return judge_heard(s, (size_t)(end - s->heard), r);
	if (s->heard_len < LINE_MAX_BYTES)
		return false;
	probe_stream_verdict(r, CHECK_BAD_REPLY);
	snprintf(r->text, sizeof(r->text), "agent says more than %d bytes in a line",
		 LINE_MAX_BYTES);
	return true;
}

/* A line may end with the connection. */
static bool closed_line(struct probe_stream *s, struct check_result *r)
{
	return s->heard_len ? judge_heard(s, s->heard_len, r)
			    : probe_stream_verdict(r, CHECK_CLOSED);
}

static bool agent_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	static const struct probe_listener listener = {take_line, closed_line};
	struct probe_stream *s = calloc(1, sizeof(*s));
	char *heard = malloc(LINE_MAX_BYTES);

	if (!s || !heard) {
		free(s);
		free(heard);
		close(fd);
		*r = probe_failure(ENOMEM);
		return false;
	}
	s->call = *call;
	s->listener = &listener;
	s->heard = heard;
	s->say = probe_question_text(call->question, CONF_TEXT_SEND);
	s->say_len = call->question->text_len[CONF_TEXT_SEND];
	return probe_stream_start(s, fd, run, r);
}

const struct probe_kind probe_kind_agent = {
	.weight = PROBE_LIGHT,
	.connects = true,
	.start = agent_start,
	.stop = probe_stream_stop,
};
