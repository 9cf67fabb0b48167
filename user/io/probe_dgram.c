/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes by one datagram, udp and dns, and DNS over TCP, which asks the same. Their sockets are
 * connected: the kernel drops what others send, and tells of ICMP errors. */
#include <errno.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "io/probe_dns.h"
#include "io/probe_kind.h"
#include "io/probe_match.h"
#include "io/probe_msg.h"
#include "io/probe_stream.h"
#include "io/probe_tcp.h"

struct dgram {
	struct probe_call call;
	struct event event;
	int fd;
	uint16_t id; /* of a DNS query */
	struct probe_match *match;
};

static uint16_t random_id(void)
{
	uint16_t id = 0;

	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint16_t)random();
	return id;
}

static void dgram_stop(void *run)
{
	struct dgram *d = run;

	if (d->fd >= 0) {
		event_del(&d->event);
		close(d->fd);
	}
	probe_match_free(d->match);
	free(d);
}

/* What a datagram means. Returns true when that is the verdict. */
static bool judge(struct dgram *d, const char *data, size_t len, struct check_result *r)
{
	if (d->call.question->kind == CONF_CHECK_DNS)
		return probe_dns_judge(d->call.question, d->id, (const uint8_t *)data, len,
				       d->match, r);
	*r = (struct check_result){.code = CHECK_OK, .layer = CHECK_LAYER_7};
	if (d->match && probe_match_feed(d->match, data, len) != PROBE_FOUND)
		*r = probe_match_failure(d->match);
	return true;
}

static void on_datagram(evutil_socket_t fd, short what, void *arg)
{
	struct dgram *d = arg;
	struct check_result r;
	char data[PROBE_BODY_MAX];
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		r = probe_failure(errno);
	else if (!judge(d, data, (size_t)n, &r))
		return;
	event_del(&d->event);
	d->call.done(d->call.arg, &r);
}

/* Returns 0 or a positive errno. */
static int dgram_open(struct dgram *d, const void *say, size_t len)
{
	const struct probe_question *q = d->call.question;
	struct sockaddr_storage to;
	socklen_t to_len = addr_to_sockaddr(&q->addr, q->port, &to);
	auto_close int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	int error = fd < 0 ? errno : probe_bind_from(fd, &q->from);

	if (error)
		return error;
	if (connect(fd, (const struct sockaddr *)&to, to_len) < 0 ||
	    send(fd, say, len, MSG_NOSIGNAL) < 0)
		return errno;
	event_assign(&d->event, d->call.shared->base, fd, EV_READ | EV_PERSIST, on_datagram, d);
	if (event_add(&d->event, NULL) < 0)
		return ENOMEM;
	d->fd = take_fd(&fd);
	return 0;
}

static bool dgram_start(struct dgram *d, const void *say, size_t len, void **run,
			struct check_result *r)
{
	int error = probe_match_new(d->call.question, &d->match) < 0 ? ENOMEM : 0;

	if (!error)
		error = dgram_open(d, say, len);
	if (error) {
		dgram_stop(d);
		*r = probe_failure(error);
		return false;
	}
	*run = d;
	return true;
}

static struct dgram *dgram_new(const struct probe_call *call)
{
	struct dgram *d = calloc(1, sizeof(*d));

	if (d) {
		d->call = *call;
		d->fd = -1;
	}
	return d;
}

/* ---- udp ---------------------------------------------------------------------------------------- */

static bool udp_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	struct dgram *d = dgram_new(call);

	(void)fd;
	if (!d) {
		*r = probe_failure(ENOMEM);
		return false;
	}
	return dgram_start(d, probe_question_text(call->question, CONF_TEXT_SEND),
			   call->question->text_len[CONF_TEXT_SEND], run, r);
}

/* Who expects no reply takes silence for health: a port where nobody listens is not silent. */
static void udp_timed_out(void *run, struct check_result *r)
{
	const struct dgram *d = run;

	*r = (struct check_result){.code = CHECK_TIMEOUT, .layer = CHECK_LAYER_7};
	if (d->match)
		return;
	r->code = CHECK_OK;
	r->layer = CHECK_LAYER_4;
	snprintf(r->text, sizeof(r->text), "no ICMP error within the timeout");
}

const struct probe_kind probe_kind_udp = {
	.weight = PROBE_LIGHT,
	.start = udp_start,
	.stop = dgram_stop,
	.timed_out = udp_timed_out,
};

/* ---- dns ---------------------------------------------------------------------------------------- */

static bool dns_udp_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	uint8_t query[PROBE_DNS_QUERY_MAX];
	struct dgram *d;
	size_t len;
	uint16_t id = random_id();

	(void)fd;
	len = probe_dns_query(call->question, id, query, r);
	if (len == 0)
		return false;
	d = dgram_new(call);
	if (!d) {
		*r = probe_failure(ENOMEM);
		return false;
	}
	d->id = id;
	return dgram_start(d, query, len, run, r);
}

const struct probe_kind probe_kind_dns_udp = {
	.weight = PROBE_LIGHT,
	.start = dns_udp_start,
	.stop = dgram_stop,
};

/* Over TCP two bytes of length come first (RFC 1035, 4.2.2), both ways; @heard is those and the message,
 * and behind it the query. */
#define TCP_HEARD_MAX (2 + 65535)

struct dns_tcp_room {
	uint8_t heard[TCP_HEARD_MAX];
	uint8_t query[2 + PROBE_DNS_QUERY_MAX];
};

static bool take_message(struct probe_stream *s, const char *data, size_t len,
			 struct check_result *r)
{
	struct dns_tcp_room *room = (struct dns_tcp_room *)(void *)s->heard;
	size_t whole;
	uint16_t id;

	if (len > TCP_HEARD_MAX - s->heard_len)
		len = TCP_HEARD_MAX - s->heard_len;
	memcpy(room->heard + s->heard_len, data, len);
	s->heard_len += len;
	if (s->heard_len < 2)
		return false;
	whole = (size_t)room->heard[0] << 8 | room->heard[1];
	if (s->heard_len < 2 + whole)
		return false;
	id = (uint16_t)(room->query[2] << 8 | room->query[3]);
	if (!probe_dns_judge(s->call.question, id, room->heard + 2, whole, s->match, r)) {
		probe_stream_verdict(r, CHECK_BAD_REPLY);
		snprintf(r->text, sizeof(r->text), "reply is not to what was asked");
	}
	return true;
}

static bool dns_tcp_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	static const struct probe_listener listener = {take_message, NULL};
	auto_free struct dns_tcp_room *room = malloc(sizeof(*room));
	auto_free struct probe_stream *s = calloc(1, sizeof(*s));
	auto_close int mine = fd;
	struct probe_match *match;
	size_t len;

	if (!room || !s || probe_match_new(call->question, &match) < 0) {
		*r = probe_failure(ENOMEM);
		return false;
	}
	s->match = match;
	len = probe_dns_query(call->question, random_id(), room->query + 2, r);
	if (len == 0) {
		probe_match_free(match);
		return false;
	}
	room->query[0] = (uint8_t)(len >> 8);
	room->query[1] = (uint8_t)len;
	s->call = *call;
	s->listener = &listener;
	s->say = (const char *)room->query;
	s->say_len = 2 + len;
	s->heard = (char *)take_ptr(room);
	return probe_stream_start(take_ptr(s), take_fd(&mine), run, r);
}

const struct probe_kind probe_kind_dns_tcp = {
	.weight = PROBE_HEAVY,
	.connects = true,
	.start = dns_tcp_start,
	.stop = probe_stream_stop,
};
