/* SPDX-License-Identifier: BSD-2-Clause */
/* rtnetlink sockets: opening, sending, receiving, dumping. The kernel answers a request before the
 * send returns, so what is asked can be read at once. Knows messages, not what they mean. */
#ifndef SHUNT_NL_WIRE_H
#define SHUNT_NL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct nlattr;
struct nla_policy;
struct nl_sock;
struct nlmsghdr;

struct nl_wire {
	struct nl_sock *sock; /* NULL: not open */
	int fd; /* of sock */
	char *buffer; /* for one datagram */
};

/* Gets every message; @m holds at least its header and is only valid during the call. */
typedef void (*nl_wire_fn)(void *arg, const struct nlmsghdr *m);

/* Opens a socket that never blocks and is joined to @groups, RTNLGRP_* numbers ending with 0.
 * Returns 0 or -errno. */
int nl_wire_open(struct nl_wire *w, const int groups[]) __attribute__((warn_unused_result));
/* Closes what is open; harmless on a zeroed one. */
void nl_wire_close(struct nl_wire *w);

/* Sends @len bytes of whole requests. Returns 0 or -errno. */
int nl_wire_send(struct nl_wire *w, const void *requests, size_t len);

/* Hands the messages of at most @datagrams datagrams to @fn. Only the kernel's count. Returns 0
 * when nothing is left, 1 when there may be more, or -ENOBUFS when some were lost (those that were
 * not have been or can still be received). */
int nl_wire_receive(struct nl_wire *w, unsigned int datagrams, nl_wire_fn fn, void *arg);

/* Asks for all objects by @type (RTM_GET*) with a socket of its own and hands them to @fn, several
 * times if the kernel says that the list changed meanwhile. Blocks, for the time the kernel takes
 * to write the list. Returns 0, or -errno: then the list was not complete. */
int nl_wire_dump(uint16_t type, nl_wire_fn fn, void *arg) __attribute__((warn_unused_result));

/* Sorts the attributes after @header bytes of payload into @tb[@max + 1] by type. Returns 0, or
 * -EINVAL for a message that is too short or breaks @policy (by type, @max + 1 of them). */
int nl_wire_attrs(const struct nlmsghdr *m, size_t header, struct nlattr **tb, int max,
		  const struct nla_policy *policy) __attribute__((warn_unused_result));

/* The address of @family (AF_*) in @len bytes; no address if they do not fit. */
struct addr nl_wire_addr(int family, const void *bytes, size_t len);
/* The AF_* of an address, and its length in bytes. */
int nl_wire_family(const struct addr *a);
size_t nl_wire_addr_len(const struct addr *a);

#endif
