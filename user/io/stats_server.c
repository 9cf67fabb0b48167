/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/stats_server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/own.h"
#include "io/stats_explain.h"
#include "io/stats_rows.h"
#include "io/stats_sock.h"
#include "pure/msg.h"

/* Requests answered before the loop gets its turn again: a flood must not stop the daemon. */
#define REQUESTS_A_TURN 32
#define REQUEST_MAX 5120

struct stats_server {
	int fd;
	struct stats_source source;
	struct event *readable, *heartbeat;
	uint64_t event_seq;
	char instance[32];
	char path[MSG_PATH_MAX]; /* of the file that tells our port; empty: not written */
	struct stats_server_counters counters;
	char why[512]; /* the request in hand failed, in words; empty: the code says it */
	char request[REQUEST_MAX] __attribute__((aligned(8)));
	char answer[SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
};

/* ---- answers ----------------------------------------------------------------------------------*/

static void send_answer(struct stats_server *s, uint32_t port, const struct msg_out *o)
{
	if (stats_sock_send(s->fd, port, o->buf, o->used, MSG_DONTWAIT) < 0)
		s->counters.unsent++;
}

/* Counts what became of the request. */
static int put_error(struct stats_server *s, struct msg_out *o, int err)
{
	struct msg_reply r = {.code = (uint32_t)-err, .version = SHUNT_MSG_VERSION};

	if (err == -EPROTONOSUPPORT || err == -EOPNOTSUPP)
		snprintf(r.release, sizeof(r.release), SHUNT_VERSION);
	if (err == -EPERM)
		s->counters.refused++;
	else if (err == -EBADMSG || err == -EINVAL || err == -EPROTONOSUPPORT || err == -EOPNOTSUPP)
		s->counters.malformed++;
	else
		s->counters.requests++;
	snprintf(r.text, sizeof(r.text), "%s", s->why);
	if (err == -ENOENT && !r.text[0])
		stats_rows_no_service(&s->source, r.text, sizeof(r.text));
	o->used = 0;
	return msg_put_error(o, &r);
}

static int put_page(struct stats_server *s, const struct nlmsghdr *m, struct msg_out *o)
{
	struct msg_get get;
	int err;

	if (msg_version(m) != SHUNT_MSG_VERSION)
		return -EPROTONOSUPPORT;
	if (msg_command(m) == SHUNT_MSG_GET_EXPLAIN)
		return stats_explain(&s->source, m, o, s->why, sizeof(s->why));
	err = msg_get_get(m, &get);
	if (err < 0)
		return err == -EINVAL ? -EOPNOTSUPP : err;
	if (msg_command(m) == SHUNT_MSG_GET_TRACE)
		return stats_traced(&s->source, &get, o);
	if (msg_command(m) == SHUNT_MSG_GET_FLOWS)
		return stats_flows(&s->source, &get, o, s->why, sizeof(s->why));
	return stats_rows_page(&s->source, msg_command(m), &get, o);
}

static int answer(struct stats_server *s, bool may_ask, const void *request, size_t len,
		  struct msg_out *o)
{
	const struct nlmsghdr *m = msg_next(&request, &len);
	int err;

	s->why[0] = '\0';
	if (!m) {
		s->counters.malformed++;
		return -EBADMSG;
	}
	o->seq = msg_seq(m);
	err = may_ask ? put_page(s, m, o) : -EPERM;
	if (err < 0)
		return put_error(s, o, err);
	s->counters.requests++;
	return 0;
}

int stats_server_answer(struct stats_server *s, const void *request, size_t len, struct msg_out *o)
{
	return answer(s, true, request, len, o);
}

static void handle(struct stats_server *s, const struct stats_sock_from *from, size_t len)
{
	struct msg_out o = {.buf = s->answer, .size = sizeof(s->answer)};
	const bool may_ask = from->uid == 0 || from->uid == geteuid();

	if (answer(s, may_ask, s->request, len, &o) == 0)
		send_answer(s, from->port, &o);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stats_server *s = arg;
	struct stats_sock_from from;
	ssize_t n;
	int i;

	(void)what;
	for (i = 0; i < REQUESTS_A_TURN; i++) {
		n = stats_sock_recv(fd, s->request, sizeof(s->request), &from);
		if (n == -EAGAIN)
			return;
		if (n >= 0)
			handle(s, &from, (size_t)n);
		else if (n == -EMSGSIZE || n == -EPERM)
			s->counters.malformed++;
	}
}

/* ---- events -----------------------------------------------------------------------------------*/

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void send_event(struct stats_server *s, enum shunt_msg_command command, struct msg_event *e)
{
	char buf[2048] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf)};

	e->seq = s->event_seq;
	e->change.time_ms = wall_ms();
	copy_text(e->instance, sizeof(e->instance), s->instance);
	/* What cannot be sent is a gap in the numbers, which is how a listener learns of it. */
	if (msg_put(&o, command, e) == 0)
		(void)stats_sock_send_group(s->fd, SHUNT_MSG_GROUP, o.buf, o.used);
}

void stats_server_event(struct stats_server *s, struct msg_event *event)
{
	s->event_seq++;
	send_event(s, SHUNT_MSG_EVENT, event);
}

static void on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
	struct msg_event e = {0};

	(void)fd, (void)what;
	send_event(arg, SHUNT_MSG_HEARTBEAT, &e);
}

uint64_t stats_server_event_seq(const struct stats_server *s)
{
	return s->event_seq;
}

const struct stats_server_counters *stats_server_counters(const struct stats_server *s)
{
	return &s->counters;
}

/* ---- opening ----------------------------------------------------------------------------------*/

/* Written beside and renamed, so that nobody reads half of it. */
static int write_file(const char *path, const char *text, size_t len)
{
	char temporary[MSG_PATH_MAX + 8];
	auto_close int fd = -1;
	ssize_t n;
	int err = 0;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len)
		err = n < 0 ? -errno : -ENOSPC;
	else if (fchmod(fd, 0644) < 0 || rename(temporary, path) < 0)
		err = -errno;
	if (err < 0)
		unlink(temporary);
	return err;
}

static int tell_port(struct stats_server *s, const char *run_dir, uint32_t port)
{
	struct msg_port p = {
		.port = port,
		.pid = (uint32_t)getpid(),
		.version = SHUNT_MSG_VERSION,
		.release = SHUNT_VERSION,
		.netns = stats_sock_netns(),
	};
	char path[MSG_PATH_MAX], text[MSG_PORT_TEXT_MAX];
	size_t len = msg_port_format(&p, text);
	int err = msg_path(run_dir, s->instance, ".stats", path);

	if (err < 0)
		return err;
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	err = write_file(path, text, len);
	if (err == 0)
		memcpy(s->path, path, sizeof(path));
	return err;
}

static int add_events(struct stats_server *s, struct event_base *base)
{
	struct timeval every = {SHUNT_MSG_HEARTBEAT_MS / 1000,
				SHUNT_MSG_HEARTBEAT_MS % 1000 * 1000};

	s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, s);
	if (!s->readable || !s->heartbeat || event_add(s->readable, NULL) < 0 ||
	    event_add(s->heartbeat, &every) < 0)
		return -ENOMEM;
	return 0;
}

int stats_server_open(struct event_base *base, const char *run_dir, const char *instance,
		      const struct stats_source *source, struct stats_server **out)
{
	struct stats_server *s = calloc(1, sizeof(*s));
	uint32_t port;
	int err;

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->source = *source;
	copy_text(s->instance, sizeof(s->instance), instance);
	err = stats_sock_open(&s->fd, &port);
	if (err == 0)
		err = add_events(s, base);
	if (err == 0)
		err = tell_port(s, run_dir, port);
	if (err < 0) {
		stats_server_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void stats_server_close(struct stats_server *s)
{
	if (!s)
		return;
	if (s->path[0])
		unlink(s->path);
	if (s->readable)
		event_free(s->readable);
	if (s->heartbeat)
		event_free(s->heartbeat);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
