/* SPDX-License-Identifier: GPL-2.0-only */
/* Tunnel headers, from the backend's row and the packet's facts: every byte of them is written, and
 * none is read back.
 *
 * A tunnel packet over IPv4 is atomic in RFC 6864's words: DF, no fragment, id 0.  It is never made
 * in pieces, also when the packet inside has no DF of its own: XDP cannot, the backend could not tell
 * the pieces of two hosts apart by an id of 0, and RFC 2003 (section 3.1) lets us.  What the path
 * does not take is DROP_TOO_BIG. */
#ifndef SHUNT_ENCAP_H
#define SHUNT_ENCAP_H

#include "csum.h"
#include "pkt.h"

#define TUNNEL_TTL 64
_Static_assert(SHUNT_FORWARD_MAX <= 8, "a byte each in a word");

/* By method: what is between the outer IP header and the packet, and the outer header's protocol
 * where that is not the packet's own.  Words, not switches: a packet's way does not fork here, and so
 * neither does the verifier's. */
#define SHIM_LENS                                                                                  \
	(sizeof(struct gue_head) << SHUNT_GUE * 8 | sizeof(struct gre_head) << SHUNT_GRE * 8)
#define SHIM_PROTOS ((__u64)IPPROTO_UDP << SHUNT_GUE * 8 | (__u64)IPPROTO_GRE << SHUNT_GRE * 8)

static __always_inline __u32 shim_len(const struct shunt_backend *be)
{
	return WITHOUT(gue_and_gre) ? 0 : SHIM_LENS >> (be->method & 7) * 8 & 0xff;
}

static __always_inline __u8 tunnel_proto(const struct pkt *pkt, const struct shunt_backend *be)
{
	__u8 proto = SHIM_PROTOS >> (be->method & 7) * 8 & 0xff;

	if (proto && !WITHOUT(gue_and_gre))
		return proto;
	return pkt->is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

/* Bytes that the row's method puts in front of a packet; the path's MTU has to take them too. */
static __always_inline __u32 tunnel_len(const struct shunt_backend *be)
{
	if (be->method != SHUNT_IPIP && be->method != SHUNT_GUE && be->method != SHUNT_GRE)
		return 0;
	return shim_len(be) +
	       (be->flags & SHUNT_BE_ADDR6 ? sizeof(struct ipv6_head) : sizeof(struct ipv4_head));
}

/* What the flow adds to the last word of the row's source address. */
static __always_inline __be32 source_host(const struct pkt *pkt, const struct shunt_backend *be)
{
	if (likely(!be->source_bits) || WITHOUT(source_bits))
		return 0;
	return bpf_htonl(shunt_source_host(pkt->hash, be->source_bits));
}

/* RFC 2003 section 3.1, RFC 4213 section 3.5; DSCP and ECN are copied (RFC 6040 section 4.1).
 * @tunnel: bytes of all tunnel headers. */
static __always_inline void outer_ipv4(struct ipv4_head *ip, const struct pkt *pkt,
				       const struct shunt_backend *be, __u32 tunnel)
{
	__be16 len = bpf_htons(pkt->l3_len + tunnel);
	__be32 host = source_host(pkt, be);

	*ip = (struct ipv4_head){
		.version_ihl = 0x45,
		.tos = pkt->tos,
		.len = len,
		.id = 0,
		.frag = bpf_htons(IPV4_DONT_FRAGMENT),
		.ttl = TUNNEL_TTL,
		.proto = tunnel_proto(pkt, be),
		.csum = csum_fold(be->outer_csum + bpf_htons(pkt->tos) + len + (host & 0xffff) +
				  (host >> 16)),
		.saddr = be->source[0] | host,
		.daddr = be->addr[0],
	};
}

/* struct ipv6_head with its addresses in whole words: half as many stores. */
struct ipv6_words {
	__be32 version_class_label;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	__u64 saddr[2];
	__u64 daddr[2];
};

/* @tunnel: bytes of all tunnel headers, as for outer_ipv4().  RFC 2473 section 6; the flow label lets
 * routers spread flows (RFC 6438). */
static __always_inline void outer_ipv6(struct ipv6_head *ip, const struct pkt *pkt,
				       const struct shunt_backend *be, __u32 tunnel)
{
	const __u64 *source = (const void *)be->source, *addr = (const void *)be->addr;
	__u32 label = pkt->hash >> 44;

	*(struct ipv6_words *)ip = (struct ipv6_words){
		.version_class_label = bpf_htonl(6u << 28 | (__u32)pkt->tos << 20 | label),
		.payload_len = bpf_htons(pkt->l3_len + tunnel - sizeof(*ip)),
		.next = tunnel_proto(pkt, be),
		.hop_limit = TUNNEL_TTL,
		.saddr = {source[0], source[1] | (__u64)source_host(pkt, be) << 32},
		.daddr = {addr[0], addr[1]},
	};
}

/* RFC 2784 section 2, without a checksum of its own: the packet has one. */
static __always_inline void shim_gre(struct gre_head *gre, const struct pkt *pkt)
{
	*gre = (struct gre_head){
		.flags = 0,
		.type = pkt->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP),
	};
}

/* UDP and the header of draft-ietf-intarea-gue-09, section 3.1. */
static __always_inline void shim_gue(struct gue_head *gue, const struct pkt *pkt, __u16 csum)
{
	*gue = (struct gue_head){
		.udp.ports = bpf_htons(shunt_gue_port_of(pkt->hash)) |
			     (__u32)bpf_htons(SHUNT_GUE_PORT) << 16,
		.udp.len = bpf_htons(pkt->l3_len + sizeof(*gue)),
		.udp.csum = csum,
		.hlen = 0,
		.proto = pkt->is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP,
		.flags = 0,
	};
}

#endif
