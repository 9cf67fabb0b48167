/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/probe_match.h"
#include "io/probe_msg.h"

#define READ_MAX 4096 /* at once; then the loop looks at others */

static void finish(struct probe_stream *s, struct check_result *r)
{
	event_del(&s->event);
	s->call.done(s->call.arg, r);
}

bool probe_stream_verdict(struct check_result *r, enum check_code code)
{
	*r = (struct check_result){.code = code, .layer = CHECK_LAYER_7};
	return true;
}

/* Returns true when @r is the verdict. */
static bool say(struct probe_stream *s, struct check_result *r)
{
	ssize_t n;

	if (s->said < s->say_len) {
		n = send(s->fd, s->say + s->said, s->say_len - s->said, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return probe_stream_verdict(r, CHECK_CLOSED);
		s->said += n > 0 ? (size_t)n : 0;
	}
	if (s->said == s->say_len && !s->listener)
		return probe_stream_verdict(r, CHECK_OK);
	return false;
}

static bool hear(struct probe_stream *s, struct check_result *r)
{
	char data[READ_MAX];
	ssize_t n = recv(s->fd, data, sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0)
		return s->listener->take(s, data, (size_t)n, r);
	if (n == 0 && s->listener->closed)
		return s->listener->closed(s, r);
	return probe_stream_verdict(r, CHECK_CLOSED);
}

static void watch(struct probe_stream *s);

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct probe_stream *s = arg;
	bool was_saying = s->said < s->say_len;
	struct check_result r;

	(void)fd;
	if ((what & EV_WRITE && say(s, &r)) || (what & EV_READ && hear(s, &r)))
		finish(s, &r);
	else if (was_saying && s->said == s->say_len)
		watch(s);
}

static void watch(struct probe_stream *s)
{
	short events = EV_PERSIST | (s->said < s->say_len || !s->listener ? EV_WRITE : 0) |
		       (s->listener ? EV_READ : 0);

	if (event_initialized(&s->event))
		event_del(&s->event);
	event_assign(&s->event, s->call.shared->base, s->fd, events, on_event, s);
	event_add(&s->event, NULL);
}

bool probe_stream_start(struct probe_stream *s, int fd, void **run, struct check_result *r)
{
	(void)r;
	s->fd = fd;
	watch(s);
	*run = s;
	return true;
}

void probe_stream_stop(void *run)
{
	struct probe_stream *s = run;

	event_del(&s->event);
	close(s->fd);
	probe_match_free(s->match);
	free(s->heard);
	free(s);
}

/* ---- tcp with send and expect ------------------------------------------------------------------- */

static bool found(struct probe_stream *s, enum probe_found found, struct check_result *r)
{
	if (found == PROBE_NOT_YET)
		return false;
	if (found == PROBE_FOUND)
		return probe_stream_verdict(r, CHECK_OK);
	*r = probe_match_failure(s->match);
	return true;
}

static bool take_expected(struct probe_stream *s, const char *data, size_t len,
			  struct check_result *r)
{
	s->heard_len += len;
	return found(s, probe_match_feed(s->match, data, len), r);
}

/* Who closes without a word has closed; who has said the wrong thing has said it. */
static bool closed_expecting(struct probe_stream *s, struct check_result *r)
{
	if (s->heard_len == 0)
		return probe_stream_verdict(r, CHECK_CLOSED);
	return found(s, probe_match_end(s->match), r);
}

static bool expect_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	static const struct probe_listener listener = {take_expected, closed_expecting};
	struct probe_stream *s = calloc(1, sizeof(*s));

	if (!s || probe_match_new(call->question, &s->match) < 0) {
		free(s);
		close(fd);
		*r = probe_failure(ENOMEM);
		return false;
	}
	s->call = *call;
	s->listener = s->match ? &listener : NULL;
	s->say = probe_question_text(call->question, CONF_TEXT_SEND);
	s->say_len = call->question->text_len[CONF_TEXT_SEND];
	return probe_stream_start(s, fd, run, r);
}

const struct probe_kind probe_kind_expect = {
	.weight = PROBE_LIGHT,
	.connects = true,
	.start = expect_start,
	.stop = probe_stream_stop,
};
