/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nl_wire.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel writes dumps in pieces of at most 32 KiB, and one message is never larger. */
#define BUFFER_SIZE (64 * 1024)
/* Room for some 8,000 route changes between two turns of the loop. */
#define RECEIVE_ROOM (4 * 1024 * 1024)
#define DUMP_TRIES 8
#define DUMP_SEQ 1
#define DUMP_WAIT_MS 2000 /* never needed: the next piece is there before the last one is read */

static int connect_socket(struct nl_wire *w, const int groups[])
{
	int room = RECEIVE_ROOM;
	int err = nl_connect(w->sock, NETLINK_ROUTE);

	if (err < 0)
		return err == -NLE_NOMEM ? -ENOMEM : -EIO;
	w->fd = nl_socket_get_fd(w->sock);
	/* Without CAP_NET_ADMIN in the first user namespace, what the system's limit allows. */
	if (setsockopt(w->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
		setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	for (; *groups; groups++) {
		if (nl_socket_add_membership(w->sock, *groups) < 0)
			return errno ? -errno : -EIO;
	}
	return nl_socket_set_nonblocking(w->sock) < 0 ? -EIO : 0;
}

int nl_wire_open(struct nl_wire *w, const int groups[])
{
	int err;

	*w = (struct nl_wire){.fd = -1};
	w->buffer = malloc(BUFFER_SIZE);
	w->sock = nl_socket_alloc();
	err = w->buffer && w->sock ? connect_socket(w, groups) : -ENOMEM;
	if (err)
		nl_wire_close(w);
	return err;
}

void nl_wire_close(struct nl_wire *w)
{
	if (w->sock)
		nl_socket_free(w->sock);
	free(w->buffer);
	*w = (struct nl_wire){.fd = -1};
}

int nl_wire_send(struct nl_wire *w, const void *requests, size_t len)
{
	if (send(w->fd, requests, len, 0) < 0)
		return -errno;
	return 0;
}

/* Returns the bytes of the next datagram, 0 for one to be ignored, or -errno. */
static ssize_t receive_one(struct nl_wire *w)
{
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(w->fd, w->buffer, BUFFER_SIZE, MSG_TRUNC, (struct sockaddr *)&from,
			     &from_len);

	if (n < 0)
		return -errno;
	if (from.nl_pid != 0)
		return 0;
	return n > BUFFER_SIZE ? -ENOBUFS : n;
}

int nl_wire_receive(struct nl_wire *w, unsigned int datagrams, nl_wire_fn fn, void *arg)
{
	bool lost = false, empty = false;

	while (!empty && datagrams-- > 0) {
		struct nlmsghdr *m = (struct nlmsghdr *)w->buffer;
		ssize_t n = receive_one(w);
		int left = (int)n;

		lost |= n == -ENOBUFS;
		empty = n < 0 && n != -EINTR && n != -ENOBUFS;
		for (; n > 0 && nlmsg_ok(m, left); m = nlmsg_next(m, &left))
			fn(arg, m);
	}
	return lost ? -ENOBUFS : !empty;
}

/* ---- dumps ------------------------------------------------------------------------------------*/

struct dump {
	nl_wire_fn fn;
	void *arg;
	bool done;
	bool interrupted;
	int error;
};

static void on_dump_message(void *arg, const struct nlmsghdr *m)
{
	struct dump *d = arg;

	if (m->nlmsg_seq != DUMP_SEQ)
		return;
	d->interrupted |= (m->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (m->nlmsg_type == NLMSG_DONE) {
		d->done = true;
	} else if (m->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = nlmsg_data(m);

		d->done = true;
		d->error = nlmsg_datalen(m) >= (int)sizeof(*e) && e->error ? e->error : -EIO;
	} else {
		d->fn(d->arg, m);
	}
}

static int dump_once(struct nl_wire *w, uint16_t type, struct dump *d)
{
	/* The longest of the fixed headers, all of them with the family first; then a filter that
	 * links alone have, and others would refuse if they checked. */
	struct {
		struct nlmsghdr h;
		struct ifinfomsg body;
		struct nlattr mask_header;
		uint32_t mask;
	} request = {
		.h = {.nlmsg_len = sizeof(request),
		      .nlmsg_type = type,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		      .nlmsg_seq = DUMP_SEQ},
		.mask_header = {.nla_len = NLA_HDRLEN + sizeof(uint32_t),
				.nla_type = IFLA_EXT_MASK},
		.mask = RTEXT_FILTER_SKIP_STATS,
	};
	int err;

	if (type != RTM_GETLINK)
		request.h.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg));
	err = nl_wire_send(w, &request, request.h.nlmsg_len);
	while (err >= 0 && !d->done) {
		struct pollfd p = {.fd = w->fd, .events = POLLIN};

		if (poll(&p, 1, DUMP_WAIT_MS) == 0)
			return -ETIMEDOUT;
		err = nl_wire_receive(w, 1, on_dump_message, d);
	}
	return err < 0 ? err : d->error;
}

int nl_wire_dump(uint16_t type, nl_wire_fn fn, void *arg)
{
	static const int none[] = {0};

	for (int i = 0; i < DUMP_TRIES; i++) {
		struct dump d = {.fn = fn, .arg = arg};
		struct nl_wire w;
		int err = nl_wire_open(&w, none);

		if (err == 0)
			err = dump_once(&w, type, &d);
		nl_wire_close(&w);
		if (err || !d.interrupted)
			return err;
	}
	return -EAGAIN;
}

/* ---- contents ---------------------------------------------------------------------------------*/

int nl_wire_attrs(const struct nlmsghdr *m, size_t header, struct nlattr **tb, int max,
		  const struct nla_policy *policy)
{
	if (nlmsg_datalen(m) < (int)header)
		return -EINVAL;
	if (nla_parse(tb, max, nlmsg_attrdata(m, (int)header), nlmsg_attrlen(m, (int)header),
		      policy) < 0)
		return -EINVAL;
	return 0;
}

struct addr nl_wire_addr(int family, const void *bytes, size_t len)
{
	struct addr a = {.family = family == AF_INET6 ? 6 : 4};

	if ((family != AF_INET && family != AF_INET6) || len != nl_wire_addr_len(&a))
		return (struct addr){0};
	memcpy(a.bytes, bytes, len);
	return a;
}

int nl_wire_family(const struct addr *a)
{
	return a->family == 6 ? AF_INET6 : AF_INET;
}

size_t nl_wire_addr_len(const struct addr *a)
{
	return a->family == 6 ? 16 : 4;
}
