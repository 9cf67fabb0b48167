/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_icmp.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <linux/errqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "io/probe_kind.h"
#include "io/probe_msg.h"

#define PINGS_MAX 65536 /* as many as there are sequence numbers */
#define AT_ONCE 64

/* Behind the header, which is the same in both families but for type and checksum. */
struct echo {
	uint8_t type, code;
	uint16_t checksum, id, sequence; /* network order */
	uint64_t nonce; /* so that nobody answers what was not asked */
};

struct ping {
	struct probe_call call;
	uint16_t sequence;
	uint64_t nonce;
};

struct family {
	struct probe_icmp *icmp;
	int fd; /* -1: none */
	bool raw;
	bool v6;
	struct event event;
};

struct probe_icmp {
	struct family v4, v6;
	struct ping **pings; /* by sequence number */
	uint16_t id, next; /* id of raw sockets; network order */
	size_t n;
};

/* ---- sockets ------------------------------------------------------------------------------------ */

/* The child may have taken that number for something else. */
static bool is_raw(int fd, int wanted)
{
	int type, protocol;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) < 0)
		return false;
	return type == SOCK_RAW && protocol == wanted;
}

static void family_open(struct family *f, int inherited)
{
	static const int on = 1;
	int family = f->v6 ? AF_INET6 : AF_INET, protocol = f->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	f->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (f->fd < 0 && is_raw(inherited, protocol)) {
		f->fd = inherited;
		f->raw = true;
	} else if (is_raw(inherited, protocol)) {
		close(inherited);
	}
	if (f->fd >= 0)
		(void)setsockopt(f->fd, f->v6 ? IPPROTO_IPV6 : IPPROTO_IP,
				 f->v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof(on));
}

static void family_close(struct family *f)
{
	if (f->fd < 0)
		return;
	event_del(&f->event);
	close(f->fd);
}

/* ---- replies ------------------------------------------------------------------------------------ */

static void finish(struct ping *p, struct check_result *r)
{
	p->call.done(p->call.arg, r);
}

/* The ping that @echo, as it came back, is about. */
static struct ping *ping_of(const struct family *f, const struct echo *echo)
{
	struct ping *p = f->icmp->pings[ntohs(echo->sequence)];

	if (!p || p->nonce != echo->nonce || (f->raw && echo->id != f->icmp->id))
		return NULL;
	return p;
}

/* A raw IPv4 socket gives the IP header too. */
static size_t header_length(const struct family *f, const uint8_t *data, size_t len)
{
	return f->raw && !f->v6 && len > 0 ? (size_t)(data[0] & 0xf) * 4 : 0;
}

static void take_reply(struct family *f, const uint8_t *data, size_t len,
		       const struct sockaddr_storage *from)
{
	struct check_result r = {.layer = CHECK_LAYER_3, .text = "echo reply"};
	size_t skip = header_length(f, data, len);
	struct echo echo;
	struct addr addr;
	struct ping *p;

	if (len < skip + sizeof(echo))
		return;
	memcpy(&echo, data + skip, sizeof(echo));
	if (echo.type != (f->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY))
		return;
	p = ping_of(f, &echo);
	if (f->v6) {
		addr = (struct addr){.family = 6};
		memcpy(addr.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	} else {
		addr = (struct addr){.family = 4};
		memcpy(addr.bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
	}
	if (p && addr_compare(&addr, &p->call.question->addr) == 0)
		finish(p, &r);
}

static const struct sock_extended_err *error_of(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			return (const struct sock_extended_err *)(void *)CMSG_DATA(c);
	return NULL;
}

/* An ICMP error about what was sent, which comes with that. Returns false when there is none. */
static bool take_error(struct family *f)
{
	char control[512] __attribute__((aligned(8)));
	const struct sock_extended_err *error;
	struct echo echo = {0};
	struct iovec part = {&echo, sizeof(echo)};
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	struct check_result r;
	struct ping *p;

	if (recvmsg(f->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	error = error_of(&m);
	p = ping_of(f, &echo);
	if (!p || !error || error->ee_errno == 0 || error->ee_errno == EMSGSIZE)
		return true;
	r = probe_failure((int)error->ee_errno);
	r.layer = CHECK_LAYER_3;
	finish(p, &r);
	return true;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct family *f = arg;
	struct sockaddr_storage from;
	socklen_t from_len;
	uint8_t data[512];
	ssize_t n;

	(void)what;
	for (int i = 0; i < AT_ONCE; i++) {
		from_len = sizeof(from);
		n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &from_len);
		if (n >= 0)
			take_reply(f, data, (size_t)n, &from);
		else if (!take_error(f))
			return;
	}
}

/* ---- one ping ----------------------------------------------------------------------------------- */

static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < len; i += 2) {
		memcpy(&word, p + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* Returns 0 or a positive errno. The kernel fills in the id of a ping socket and ICMPv6's checksum. */
static int ping_send(const struct family *f, const struct ping *p)
{
	struct echo echo = {.type = f->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
			    .id = f->icmp->id,
			    .sequence = htons(p->sequence),
			    .nonce = p->nonce};
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(&p->call.question->addr, 0, &to);

	echo.checksum = checksum(&echo, sizeof(echo));
	/* An error that waits is of another one; the loop sees to it. */
	for (int i = 0; i < AT_ONCE; i++) {
		if (sendto(f->fd, &echo, sizeof(echo), MSG_NOSIGNAL, (struct sockaddr *)&to, len) >=
		    0)
			return 0;
		if (errno != EHOSTUNREACH && errno != ECONNREFUSED)
			break;
	}
	return errno;
}

static void ping_stop(void *run)
{
	struct ping *p = run;
	struct probe_icmp *icmp = p->call.shared->icmp;

	icmp->pings[p->sequence] = NULL;
	icmp->n--;
	free(p);
}

static struct ping *ping_new(const struct probe_call *call)
{
	struct probe_icmp *icmp = call->shared->icmp;
	struct ping *p = icmp->n < PINGS_MAX / 2 ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	while (icmp->pings[icmp->next])
		icmp->next++;
	p->call = *call;
	p->sequence = icmp->next++;
	if (getrandom(&p->nonce, sizeof(p->nonce), GRND_NONBLOCK) != sizeof(p->nonce))
		p->nonce = (uint64_t)random() << 32 | (uint64_t)random();
	icmp->pings[p->sequence] = p;
	icmp->n++;
	return p;
}

static bool ping_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	struct probe_icmp *icmp = call->shared->icmp;
	const struct family *f = call->question->addr.family == 6 ? &icmp->v6 : &icmp->v4;
	struct ping *p;
	int error;

	(void)fd;
	if (f->fd < 0) {
		probe_cannot_ask(r, "no ping socket: net.ipv4.ping_group_range does not hold the "
				    "group of probe_user, and the daemon has no CAP_NET_RAW");
		return false;
	}
	p = ping_new(call);
	error = p ? ping_send(f, p) : ENOMEM;
	if (!error) {
		*run = p;
		return true;
	}
	if (p)
		ping_stop(p);
	*r = probe_failure(error);
	r->layer = CHECK_LAYER_3;
	return false;
}

static void ping_timed_out(void *run, struct check_result *r)
{
	(void)run;
	*r = (struct check_result){.code = CHECK_TIMEOUT, .layer = CHECK_LAYER_3};
}

const struct probe_kind probe_kind_icmp = {
	.weight = PROBE_LIGHT,
	.start = ping_start,
	.stop = ping_stop,
	.timed_out = ping_timed_out,
};

/* ---- all of them -------------------------------------------------------------------------------- */

static int family_watch(struct family *f, struct event_base *base)
{
	if (f->fd < 0)
		return 0;
	event_assign(&f->event, base, f->fd, EV_READ | EV_PERSIST, on_event, f);
	return event_add(&f->event, NULL);
}

int probe_icmp_open(struct event_base *base, struct probe_icmp **out)
{
	struct probe_icmp *icmp = calloc(1, sizeof(*icmp));

	if (!icmp)
		return -ENOMEM;
	icmp->pings = calloc(PINGS_MAX, sizeof(*icmp->pings));
	icmp->v4 = (struct family){.icmp = icmp, .fd = -1};
	icmp->v6 = (struct family){.icmp = icmp, .fd = -1, .v6 = true};
	if (getrandom(&icmp->id, sizeof(icmp->id), GRND_NONBLOCK) != sizeof(icmp->id))
		icmp->id = (uint16_t)getpid();
	family_open(&icmp->v4, PROBE_PING4_FD);
	family_open(&icmp->v6, PROBE_PING6_FD);
	if (!icmp->pings || family_watch(&icmp->v4, base) < 0 ||
	    family_watch(&icmp->v6, base) < 0) {
		probe_icmp_close(icmp);
		return -ENOMEM;
	}
	*out = icmp;
	return 0;
}

void probe_icmp_close(struct probe_icmp *icmp)
{
	if (!icmp)
		return;
	family_close(&icmp->v4);
	family_close(&icmp->v6);
	free(icmp->pings);
	free(icmp);
}
