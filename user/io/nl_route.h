/* SPDX-License-Identifier: BSD-2-Clause */
/* Route messages: asking the kernel which way it would send to an address, as `ip route get` does
 * (rules, tables, metrics and the choice among several paths are the kernel's), reading its answer,
 * and seeing which addresses a change of the tables is about. Pure: no socket here. */
#ifndef SHUNT_NL_ROUTE_H
#define SHUNT_NL_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct nlmsghdr;

enum nl_route_kind {
	NL_ROUTE_UNKNOWN, /* not asked yet */
	NL_ROUTE_UNICAST,
	NL_ROUTE_NONE, /* no route, or one that says unreachable, blackhole or prohibit */
	NL_ROUTE_LOCAL, /* this host */
	NL_ROUTE_UNSUPPORTED, /* multicast, broadcast, or with an encapsulation of its own */
};

struct nl_route {
	enum nl_route_kind kind;
	uint32_t ifindex; /* 0 with NONE */
	struct addr via; /* gateway, of either family; none: on-link */
	struct addr source; /* none if the kernel named none */
	uint32_t mtu; /* of the route itself or learnt of the path; 0: the link's */
	bool expires; /* learnt, and forgotten again without a message */
};

/* Appends a request for the way to @a to @buffer, which has room for NL_ROUTE_REQUEST_MAX bytes.
 * Returns its length. The answer bears @seq. */
#define NL_ROUTE_REQUEST_MAX 48
size_t nl_route_request(void *buffer, const struct addr *a, uint32_t seq);

/* Reads an answer, a route or an error. Returns 0; -EINVAL for what is no answer; -EAGAIN for an
 * error that says nothing about the route (memory). @r is untouched unless 0 is returned. */
int nl_route_read(const struct nlmsghdr *m, struct nl_route *r) __attribute__((warn_unused_result));

/* The destinations that a message about a changed route concerns. Returns 0, or -EINVAL for a
 * message that cannot change where anything goes. */
int nl_route_prefix(const struct nlmsghdr *m, struct addr *prefix, uint8_t *length)
	__attribute__((warn_unused_result));

/* True when @a is of @prefix's family and begins with its first @length bits. */
bool nl_route_covers(const struct addr *prefix, uint8_t length, const struct addr *a);

#endif
