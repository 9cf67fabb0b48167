/* SPDX-License-Identifier: GPL-2.0-only */
/* Tunnel headers, from the backend's row and the packet's facts: every byte of them is written, and
 * none is read back. */
#ifndef SHUNT_ENCAP_H
#define SHUNT_ENCAP_H

#include "csum.h"
#include "pkt.h"

#define TUNNEL_TTL 64

/* RFC 2003 section 3.1, RFC 4213 section 3.5; DSCP and ECN are copied (RFC 6040 section 4.1). */
static __always_inline void outer_ipv4(struct ipv4_head *ip, const struct pkt *pkt,
				       const struct shunt_backend *be)
{
	__be16 len = bpf_htons(pkt->l3_len + sizeof(*ip));

	*ip = (struct ipv4_head){
		.version_ihl = 0x45,
		.tos = pkt->tos,
		.len = len,
		.id = 0,
		.frag = bpf_htons(IPV4_DONT_FRAGMENT),
		.ttl = TUNNEL_TTL,
		.proto = pkt->is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP,
		.csum = csum_fold(be->outer_csum + bpf_htons(pkt->tos) + len),
		.saddr = be->source[0],
		.daddr = be->addr[0],
	};
}

/* RFC 2473 section 6; the flow label lets routers spread flows (RFC 6438). */
static __always_inline void outer_ipv6(struct ipv6_head *ip, const struct pkt *pkt,
				       const struct shunt_backend *be)
{
	__u32 label = pkt->hash >> 44;

	*ip = (struct ipv6_head){
		.version_class_label = bpf_htonl(6u << 28 | (__u32)pkt->tos << 20 | label),
		.payload_len = bpf_htons(pkt->l3_len),
		.next = pkt->is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP,
		.hop_limit = TUNNEL_TTL,
		.saddr = {be->source[0], be->source[1], be->source[2], be->source[3]},
		.daddr = {be->addr[0], be->addr[1], be->addr[2], be->addr[3]},
	};
}

#endif
