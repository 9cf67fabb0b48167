/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"

static int socket_open(const struct probe_question *q)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	static const int off = 0;
	auto_close int fd = -1;
	int family = q->addr.family == 6 ? AF_INET6 : AF_INET;

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		return -errno;
	/* The kernel delays the ACK of the SYN-ACK, and the reset comes first. */
	if (q->kind == CONF_CHECK_TCP)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
	return take_fd(&fd);
}

/* No interface has the address. Ports are the kernel's choice when it connects. */
int probe_bind_from(int fd, const struct addr *from)
{
	static const int on = 1;
	struct sockaddr_storage ss;
	socklen_t len;

	if (addr_is_none(from))
		return 0;
	len = addr_to_sockaddr(from, 0, &ss);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    (from->family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on))))
		return errno;
	return bind(fd, (const struct sockaddr *)&ss, len) < 0 ? errno : 0;
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct probe_tcp *t = arg;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	t->done(t->arg, error);
}

int probe_tcp_start(struct probe_tcp *t, struct event_base *base, const struct probe_question *q)
{
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(&q->addr, q->port, &to);
	auto_close int fd = socket_open(q);
	int error;

	t->fd = -1;
	if (fd < 0)
		return -fd;
	error = probe_bind_from(fd, &q->from);
	if (error)
		return error;
	/* Also a connect that succeeds at once is reported from the loop. */
	if (connect(fd, (const struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
		return errno;
	if (event_assign(&t->event, base, fd, EV_WRITE, on_connected, t) < 0 ||
	    event_add(&t->event, NULL) < 0)
		return ENOMEM;
	t->fd = take_fd(&fd);
	return 0;
}

void probe_tcp_stop(struct probe_tcp *t)
{
	if (t->fd < 0)
		return;
	event_del(&t->event);
	close(probe_tcp_take(t));
}

int probe_tcp_take(struct probe_tcp *t)
{
	return take_fd(&t->fd);
}

static enum check_code code_of(int error)
{
	switch (error) {
	case 0:
		return CHECK_OK;
	case ECONNREFUSED:
		return CHECK_REFUSED;
	case ETIMEDOUT:
		return CHECK_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return CHECK_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		return CHECK_CLOSED;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN:
	case EADDRNOTAVAIL: /* no local port left */
		return CHECK_NO_RESOURCES;
	default:
		return CHECK_CONNECT_FAILED;
	}
}

struct check_result probe_tcp_result(int error)
{
	return (struct check_result){
		.code = code_of(error), .layer = CHECK_LAYER_4, .detail = error};
}
