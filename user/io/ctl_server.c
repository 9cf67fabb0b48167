/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/ctl_server.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/own.h"
#include "pure/msg.h"

#define CONNECTIONS_MAX 16
#define IDLE_S 60 /* a connection that says nothing for so long is closed */
#define PACKET_MAX 8192

struct connection {
	struct ctl_server *server; /* NULL: free */
	int fd;
	uint32_t uid, pid;
	struct event *readable;
};

struct ctl_server {
	int fd;
	ctl_command_fn *command;
	void *arg;
	struct event_base *base;
	struct event *acceptable;
	struct connection connections[CONNECTIONS_MAX];
	char path[MSG_PATH_MAX]; /* empty: not bound */
	struct ctl_server_counters counters;
};

/* ---- connections ------------------------------------------------------------------------------*/

static void connection_close(struct connection *c)
{
	event_free(c->readable);
	close(c->fd);
	*c = (struct connection){0};
}

/* Returns false when the peer does not take it. */
static bool send_reply(int fd, uint32_t seq, const struct msg_reply *r)
{
	char buf[PACKET_MAX] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf), .seq = seq};

	if (msg_put_reply(&o, r) < 0)
		return false;
	return send(fd, o.buf, o.used, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)o.used;
}

static bool send_refusal(int fd, uint32_t seq, int err, const char *text)
{
	struct msg_reply r = {
		.code = (uint32_t)-err, .version = SHUNT_MSG_VERSION, .release = SHUNT_VERSION};

	snprintf(r.text, sizeof(r.text), "%s", text);
	return send_reply(fd, seq, &r);
}

static bool carry_out(struct connection *c, uint32_t seq, const struct ctl_command *command)
{
	struct ctl_server *s = c->server;
	struct ctl_reply reply = {0};
	struct msg_reply r = {.version = SHUNT_MSG_VERSION};

	s->command(s->arg, command, &reply);
	s->counters.commands++;
	r.code = reply.status < 0 ? (uint32_t)-reply.status : 0;
	r.plan = reply.plan;
	r.watch = reply.watch;
	memcpy(r.level, reply.level, sizeof(r.level));
	memcpy(r.configured, reply.configured, sizeof(r.configured));
	snprintf(r.text, sizeof(r.text), "%s", reply.text);
	return send_reply(c->fd, seq, &r);
}

/* Returns false when the connection is to be closed. */
static bool handle(struct connection *c, const void *packet, size_t len)
{
	struct ctl_command command = {.uid = c->uid, .pid = c->pid};
	const struct nlmsghdr *m = msg_next(&packet, &len);
	struct ctl_server_counters *count = &c->server->counters;
	int err;

	if (!m || len > 0) { /* one message a packet */
		count->malformed++;
		return false;
	}
	if (msg_version(m) != SHUNT_MSG_VERSION) {
		count->malformed++;
		return send_refusal(c->fd, msg_seq(m), -EPROTONOSUPPORT, "");
	}
	err = msg_get_command(m, &command);
	if (err < 0) {
		count->malformed++;
		return send_refusal(c->fd, msg_seq(m), err == -EINVAL ? -EOPNOTSUPP : -EINVAL,
				    "shuntd does not understand this");
	}
	return carry_out(c, msg_seq(m), &command);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	char packet[PACKET_MAX] __attribute__((aligned(8)));
	struct connection *c = arg;
	ssize_t n;

	if (what & EV_TIMEOUT) {
		connection_close(c);
		return;
	}
	n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c);
		return;
	}
	/* With MSG_TRUNC n is the packet's true length. */
	if ((size_t)n > sizeof(packet) || !handle(c, packet, (size_t)n))
		connection_close(c);
}

static int connection_open(struct ctl_server *s, int fd, const struct ucred *peer)
{
	const struct timeval idle = {IDLE_S, 0};
	struct connection *c = s->connections;

	while (c < s->connections + CONNECTIONS_MAX && c->server)
		c++;
	if (c == s->connections + CONNECTIONS_MAX)
		return -EBUSY;
	c->readable = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	if (!c->readable)
		return -ENOMEM;
	if (event_add(c->readable, &idle) < 0) {
		event_free(c->readable);
		c->readable = NULL;
		return -ENOMEM;
	}
	c->server = s;
	c->fd = fd;
	c->uid = peer->uid;
	c->pid = (uint32_t)peer->pid;
	return 0;
}

static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
	auto_close int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ctl_server *s = arg;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	(void)what;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return;
	if (peer.uid != 0 && peer.uid != geteuid()) {
		s->counters.refused++;
		send_refusal(fd, 0, -EPERM, "");
		return;
	}
	if (connection_open(s, fd, &peer) < 0) {
		s->counters.refused++;
		send_refusal(fd, 0, -EBUSY, "too many connections at once");
		return;
	}
	take_fd(&fd);
}

/* ---- opening ----------------------------------------------------------------------------------*/

/* 0 when nothing is in the way of a socket at @sa any more. */
static int clear_path(const struct sockaddr_un *sa)
{
	auto_close int fd = -1;
	struct stat st;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sa->sun_path) < 0 ? -errno : 0;
}

static int listen_at(struct ctl_server *s, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t before;
	int err;

	memcpy(sa.sun_path, path, MSG_PATH_MAX);
	err = clear_path(&sa);
	if (err < 0)
		return err;
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	before = umask(0177); /* mode 0600 from the first moment on */
	err = bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(before);
	if (err < 0)
		return err;
	memcpy(s->path, path, MSG_PATH_MAX);
	return listen(s->fd, CONNECTIONS_MAX) < 0 ? -errno : 0;
}

static int open_all(struct ctl_server *s, const char *run_dir, const char *instance)
{
	char path[MSG_PATH_MAX] = "";
	int err = msg_path(run_dir, instance, ".sock", path);

	if (err < 0)
		return err;
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	err = listen_at(s, path);
	if (err < 0)
		return err;
	s->acceptable = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_acceptable, s);
	return s->acceptable && event_add(s->acceptable, NULL) == 0 ? 0 : -ENOMEM;
}

int ctl_server_open(struct event_base *base, const char *run_dir, const char *instance,
		    ctl_command_fn *command, void *arg, struct ctl_server **out)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->base = base;
	s->command = command;
	s->arg = arg;
	err = open_all(s, run_dir, instance);
	if (err < 0) {
		ctl_server_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void ctl_server_close(struct ctl_server *s)
{
	size_t i;

	if (!s)
		return;
	if (s->path[0])
		unlink(s->path);
	for (i = 0; i < CONNECTIONS_MAX; i++)
		if (s->connections[i].server)
			connection_close(&s->connections[i]);
	if (s->acceptable)
		event_free(s->acceptable);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

const struct ctl_server_counters *ctl_server_counters(const struct ctl_server *s)
{
	return &s->counters;
}
