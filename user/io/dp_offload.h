/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether what comes in on an interface may have checksums that nobody has computed: translation in XDP
 * would make them wrong for good. That is so behind veth, whose other end leaves them to a network card
 * that there is none of. */
#ifndef SHUNT_DP_OFFLOAD_H
#define SHUNT_DP_OFFLOAD_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

enum dp_offload {
	DP_OFFLOAD_NO, /* no veth, or its other end computes checksums */
	DP_OFFLOAD_YES, /* its other end, of this network namespace, does not */
	DP_OFFLOAD_UNKNOWN, /* its other end is in another network namespace */
};

struct dp_offload_peer {
	uint32_t ifindex; /* of the other end, 0 when it cannot be told */
	char ifname[IF_NAMESIZE]; /* of DP_OFFLOAD_YES */
};

/* Fills @peer unless it returns DP_OFFLOAD_NO, which it also does when the kernel does not say. */
enum dp_offload dp_offload_ask(const char *ifname, struct dp_offload_peer *peer);

/* Whether its hardware takes VLAN tags off frames before a program sees them. */
bool dp_offload_takes_tags(const char *ifname);

#endif
