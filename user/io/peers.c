/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/peers.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER (1 << 20)

struct remote {
	struct sockaddr_storage at;
	socklen_t len;
};

struct peers {
	int fd;
	struct peers_options o;
	struct remote *remotes;
	size_t n;
	struct event *readable, *again;
	struct peers_counters counters;
	uint8_t datagram[PEERS_DATAGRAM_MAX];
};

/* ---- receiving ----------------------------------------------------------------------------------*/

static bool is_from(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr && a4->sin_port == b4->sin_port;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0 && a6->sin6_port == b6->sin6_port;
}

static bool is_peer(const struct peers *p, const struct sockaddr_storage *from)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (is_from(&p->remotes[i].at, from))
			return true;
	return false;
}

/* Returns false when there was none. */
static bool receive(struct peers *p)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(p->fd, p->datagram, sizeof(p->datagram), MSG_DONTWAIT | MSG_TRUNC,
			     (struct sockaddr *)&from, &len);

	if (n < 0) /* an ICMP error about what was sent is reported here once, too */
		return errno != EAGAIN && errno != EWOULDBLOCK;
	if (!is_peer(p, &from))
		p->counters.strangers++;
	else
		p->o.heard(p->o.arg, p->datagram,
			   (size_t)n > sizeof(p->datagram) ? sizeof(p->datagram) : (size_t)n);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = {.tv_usec = PEERS_TURN_MS * 1000};
	struct peers *p = arg;
	int i;

	(void)fd, (void)what;
	for (i = 0; i < PEERS_A_TURN; i++)
		if (!receive(p))
			return;
	event_del(p->readable);
	event_add(p->again, &pause);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct peers *p = arg;

	(void)fd, (void)what;
	event_add(p->readable, NULL);
	on_readable(-1, 0, p);
}

/* ---- sending ------------------------------------------------------------------------------------*/

void peers_send(struct peers *p, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (sendto(p->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (const struct sockaddr *)&p->remotes[i].at, p->remotes[i].len) < 0)
			p->counters.unsent++;
		else
			p->counters.sent++;
}

const struct peers_counters *peers_counters(const struct peers *p)
{
	return &p->counters;
}

/* ---- opening ------------------------------------------------------------------------------------*/

static int take_list(struct peers *p)
{
	const struct peer_address *own = &p->o.listen;
	size_t i;

	p->remotes = calloc(p->o.n + 1, sizeof(*p->remotes));
	if (!p->remotes)
		return -ENOMEM;
	for (i = 0; i < p->o.n; i++) {
		const struct peer_address *a = &p->o.list[i];
		struct remote *r = &p->remotes[p->n];

		if (addr_compare(&a->addr, &own->addr) == 0 && a->port == own->port)
			continue;
		if (a->addr.family != own->addr.family)
			return -EAFNOSUPPORT;
		r->len = addr_to_sockaddr(&a->addr, a->port, &r->at);
		p->n++;
	}
	return 0;
}

static int open_socket(struct peers *p)
{
	const struct addr *own = &p->o.listen.addr;
	struct sockaddr_storage at;
	socklen_t len = addr_to_sockaddr(own, p->o.listen.port, &at);
	int roomy = BUFFER;

	p->fd = socket(own->family == 6 ? AF_INET6 : AF_INET,
		       SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	/* Best effort both: the defaults work too. */
	(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &roomy, sizeof(roomy));
	(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &roomy, sizeof(roomy));
	return bind(p->fd, (struct sockaddr *)&at, len) < 0 ? -errno : 0;
}

static int add_events(struct peers *p, struct event_base *base)
{
	p->readable = event_new(base, p->fd, EV_READ | EV_PERSIST, on_readable, p);
	p->again = evtimer_new(base, on_again, p);
	return p->readable && p->again && event_add(p->readable, NULL) == 0 ? 0 : -ENOMEM;
}

int peers_open(struct event_base *base, const struct peers_options *o, struct peers **out)
{
	struct peers *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->fd = -1;
	p->o = *o;
	err = take_list(p);
	if (!err)
		err = open_socket(p);
	if (!err)
		err = add_events(p, base);
	if (err) {
		peers_close(p);
		return err;
	}
	p->o.list = NULL; /* the caller's */
	*out = p;
	return 0;
}

void peers_close(struct peers *p)
{
	if (!p)
		return;
	if (p->readable)
		event_free(p->readable);
	if (p->again)
		event_free(p->again);
	if (p->fd >= 0)
		close(p->fd);
	free(p->remotes);
	free(p);
}
