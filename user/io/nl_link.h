/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: what the kernel says of them, and which port and VLAN tags a frame leaves by.
 * A bond is its own port (its slaves are its business, and native XDP on it works); so is a bridge,
 * where XDP works in generic mode only; macvlan, veth and tap devices are ports like any other. */
#ifndef SHUNT_NL_LINK_H
#define SHUNT_NL_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "io/nl.h"
#include "io/nl_set.h"

struct nlmsghdr;

struct nl_iface {
	uint32_t ifindex; /* key; the same as seen.ifindex */
	struct nl_link seen; /* what others get to see */
	bool ethernet; /* frames have an Ethernet header and go somewhere */
	bool vlan;
	bool bond;
	uint32_t master; /* the bond, bridge or the like that it is a port of; 0: none */
	uint32_t
		lower; /* of a VLAN device: what it stands on; 0 when that is another namespace's */
	uint16_t vlan_id;
	uint16_t vlan_proto; /* host order, ETH_P_8021Q or ETH_P_8021AD */
	unsigned int round; /* of the last dump that named it */
};

/* nl_set's order of links, keyed by ifindex. */
int nl_iface_compare(const void *iface, const void *ifindex);

/* The ifindex that a link message is about; 0 for one that is not about a link itself (a bridge's
 * view of its port). */
uint32_t nl_iface_index(const struct nlmsghdr *m);

/* Writes what an RTM_NEWLINK message says over @iface; what it leaves out stays. Returns 0, or
 * -EINVAL with @iface untouched. */
int nl_iface_read(const struct nlmsghdr *m, struct nl_iface *iface)
	__attribute__((warn_unused_result));

/* Where frames leave that are routed to a link. */
struct nl_egress {
	const struct nl_iface *upper; /* the link named by the route: it owns the source MAC */
	const struct nl_iface *port; /* below its VLAN devices; the same as upper if it is none */
	uint16_t tci[2]; /* host order, outermost first */
	uint8_t tags;
	uint32_t mtu; /* the smallest of those passed */
	bool up; /* all of them */
};

/* Follows VLAN devices down. Returns 0; -ENODEV for a link that is not in @ifaces (@out untouched);
 * -ENOTSUP for one without Ethernet header, for more than two tags, for tags other than 802.1Q, or
 * 802.1Q in 802.1ad, and for a VLAN device whose lower link is not ours to use (@out has port =
 * upper = the link named). */
int nl_egress_find(const struct nl_set *ifaces, uint32_t ifindex, struct nl_egress *out)
	__attribute__((warn_unused_result));

#endif
