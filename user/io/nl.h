/* SPDX-License-Identifier: BSD-2-Clause */
/* The only user of rtnetlink (libnl): follows links, routes and neighbours, and keeps a next hop for
 * every address it is told to watch. No policy and no log: it reports, the engine decides. */
#ifndef SHUNT_NL_H
#define SHUNT_NL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct event_base;
struct nl;

struct nl_link {
	char name[16];
	uint32_t ifindex;
	uint8_t mac[6];
	uint32_t mtu;
	bool up; /* administratively up and with a carrier */
};

enum nl_state {
	NL_RESOLVING, /* asked, not yet answered */
	NL_RESOLVED,
	NL_NO_ROUTE, /* none, or unreachable, blackhole, prohibit */
	NL_NO_NEIGHBOUR, /* the neighbour does not answer */
	NL_LINK_DOWN,
	NL_LOCAL, /* the address is this host's own */
	NL_UNSUPPORTED, /* the egress link has no Ethernet header (tun, loopback, ...) */
};

/* Where packets for an address go. What is below `state` is only meaningful where noted. */
struct nl_nexthop {
	enum nl_state state;
	uint32_t ifindex; /* physical egress, below VLAN devices; from LINK_DOWN on and RESOLVED */
	char ifname[16]; /* of ifindex */
	uint8_t dmac[6]; /* RESOLVED */
	uint8_t smac[6]; /* RESOLVED */
	uint16_t vlan_tci[2]; /* host order, outermost first */
	uint8_t tags; /* how many of them */
	uint32_t mtu; /* of the path, by the route and the link */
	struct addr via; /* the router that they are sent to; none: the address itself */
	struct addr source; /* this host's address towards it; none if the route names none */
};

struct nl_events {
	/* A watched address's next hop differs from what was reported before (also the first time).
	 * Never called from within nl_watch. */
	void (*nexthop)(void *arg, const struct addr *a, const struct nl_nexthop *nh);
	/* A link appeared, vanished (@up false, ifindex as it was, @gone true) or changed. */
	void (*link)(void *arg, const struct nl_link *link, bool gone);
	void *arg;
};

/* Opens sockets, fills the caches, joins the event groups of @base's loop. */
int nl_open(struct event_base *base, const struct nl_events *ev, struct nl **out)
	__attribute__((warn_unused_result));
/* Ends every watch, without reports; not from within a report. Not called nl_close, which is
 * libnl's. */
void nl_shutdown(struct nl *nl);

/* Returns 0 with @out filled, or -ENODEV. */
int nl_link_by_name(const struct nl *nl, const char *name, struct nl_link *out);

/* What a link stands on. */
struct nl_port {
	struct nl_link link; /* the link itself, or what is below a VLAN device */
	uint8_t tags; /* VLAN devices on the way */
	char bond[16]; /* the bond that @link is a port of; empty: none */
	bool has_vlans; /* there are VLAN devices on it */
};

/* Follows @name's VLAN devices down. Returns 0 with @out filled, -ENODEV, or -ENOTSUP where they
 * cannot be followed (io/nl_link.h says when; then @out has the VLAN device itself). */
int nl_port_of(const struct nl *nl, const char *name, struct nl_port *out)
	__attribute__((warn_unused_result));

/* Watches an address (counted: as many nl_unwatch end it). The first report comes from the loop,
 * within milliseconds. From then on its neighbour is asked every 0.5 to 0.7 s whether it is still
 * there, every second when it is not; a changed route or announced MAC is reported at once, a MAC
 * changed in silence within a second (with up to some 300 neighbours). 10,000 addresses are fine:
 * routes are asked of the kernel only on a change that could concern them, at 2.5 us each. A link
 * without carrier is LINK_DOWN; one set down loses its routes, so the end of it is NO_ROUTE. */
int nl_watch(struct nl *nl, const struct addr *a) __attribute__((warn_unused_result));
void nl_unwatch(struct nl *nl, const struct addr *a);

/* The last report; -ENOENT when not watched. */
int nl_nexthop(const struct nl *nl, const struct addr *a, struct nl_nexthop *out);

#endif
