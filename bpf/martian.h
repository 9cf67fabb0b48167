/* SPDX-License-Identifier: GPL-2.0-only */
/* Sources that are nobody's (RFC 1812 section 5.3.7, RFC 6890, RFC 4291 sections 2.5 and 2.7): zero,
 * loopback, groups, all; and the destination itself.  Whoever answered them would harm somebody else,
 * or be heard by nobody.  240.0.0.0/4 is reserved and yet in use within networks: it may ask, but for
 * 255.0.0.0/8.
 *
 * What has such a source ends here, with one verdict or another: a packet that went on from here after a
 * second look would be followed twice by the verifier. */
#ifndef SHUNT_MARTIAN_H
#define SHUNT_MARTIAN_H

#include "pkt.h"

/* A product is 0 when a factor is: one jump for five questions.  An address's first byte is the lowest
 * of its word. */
static __always_inline int is_martian4(const struct pkt *pkt)
{
	__u32 source = pkt->saddr[0], dest = pkt->daddr[0], first = source & 0xff;
	__u32 harmless = first * (first ^ 127) * (first ^ 255) * ((first & 0xf0) ^ 0xe0);

	return !((__u64)(source ^ dest) * harmless);
}

/* A group or all: no service's address, so that the packet is the stack's business, whatever its source.
 * Hosts that have no address yet ask for one so. */
static __always_inline enum shunt_verdict martian4(const struct pkt *pkt)
{
	__u32 dest = pkt->daddr[0];

	return (dest & 0xf0) == 0xe0 || dest == 0xffffffff ? SHUNT_PASS_NOT_VIP
							   : SHUNT_DROP_BAD_SOURCE;
}

/* ::ffff:0:0/96 stands for IPv4 within hosts and is never sent; not all of the rest of ::/32 is
 * nobody's. */
static __always_inline int is_martian6(const struct pkt *pkt)
{
	const __be32 *s = pkt->saddr;
	__u64 upper = s[0] | (__u64)s[1] << 32, lower = s[2] | (__u64)s[3] << 32;
	__u64 low = upper | (__u64)(s[2] ^ bpf_htonl(0xffff)) * (s[2] | (s[3] & ~bpf_htonl(1)));

	return !((upper ^ pkt->daddr[0]) | (lower ^ pkt->daddr[1])) || !low ||
	       (s[0] & 0xff) == 0xff;
}

static __always_inline enum shunt_verdict martian6(const struct pkt *pkt)
{
	return (pkt->daddr[0] & 0xff) == 0xff ? SHUNT_PASS_NOT_VIP : SHUNT_DROP_BAD_SOURCE;
}

#endif
