/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet's addresses and ports made others within its family, in place, and its checksums with them:
 * by what changes, never from the payload. */
#ifndef SHUNT_NAT_REWRITE_H
#define SHUNT_NAT_REWRITE_H

#include "csum.h"
#include "pkt.h"
#include "parse.h"

/* What becomes of a packet's tuple. */
struct nat_change {
	__be32 saddr[4], daddr[4]; /* IPv4 in [0], the rest undefined */
	__u32 ports;
	__u32 is_v6;
};

/* The ports of the other direction. */
static __always_inline __u32 nat_turned(__u32 ports)
{
	return ports >> 16 | ports << 16;
}

/* What a rewrite has to say, in one scalar. */
#define NAT_VERDICT(r) ((r)&0xff)
#define NAT_FLAGS(r) ((r) >> 8 & 0xff) /* of TCP; 0 of UDP */
#define NAT_REMOVED(r) ((r) >> 16) /* bytes of IP header to be replaced; 0: none */
#define NAT_DONE(flags, removed) ((__u32)(flags) << 8 | (__u32)(removed) << 16)

/* Where the packet's IP header is; NULL never, but for the verifier. */
static __always_inline void *nat_take_l3(struct cursor *c, const struct pkt *pkt, __u32 len)
{
	return take(c, pkt->l2_len & 31) ? take(c, len) : NULL;
}

/* Writes @ports into the TCP header at the cursor; @delta is that of the pseudo header. */
static __always_inline __u32 nat_write_tcp(struct cursor *c, __u64 delta, __u32 ports)
{
	struct tcp_head *tcp = take(c, sizeof(*tcp));

	if (!tcp)
		return SHUNT_DROP_TRUNCATED;
	tcp->csum = csum_change(tcp->csum, delta + (__u32)~tcp->ports + ports);
	tcp->ports = ports;
	return NAT_DONE(tcp->flags, 0);
}

/* The same for UDP, whose checksum 0 means that there is none (RFC 768). */
static __always_inline __u32 nat_write_udp(struct cursor *c, __u64 delta, __u32 ports)
{
	struct udp_head *udp = take(c, sizeof(*udp));
	__u16 csum;

	if (!udp)
		return SHUNT_DROP_TRUNCATED;
	csum = csum_change(udp->csum, delta + (__u32)~udp->ports + ports);
	if (udp->csum)
		udp->csum = csum ? csum : 0xffff;
	udp->ports = ports;
	return NAT_DONE(0, 0);
}

static __always_inline __u32 nat_write_l4(struct cursor *c, const struct pkt *pkt, __u64 delta,
					  __u32 ports)
{
	if (likely(pkt->l4_proto == IPPROTO_TCP))
		return nat_write_tcp(c, delta, ports);
	return nat_write_udp(c, delta, ports);
}

/* IPv4 to IPv4, in place. */
static __always_inline __u32 nat_rewrite4(struct xdp_md *ctx, const struct pkt *pkt,
					  const struct nat_change *to)
{
	struct cursor c = cursor_at_start(ctx);
	struct ipv4_head *ip = nat_take_l3(&c, pkt, sizeof(*ip));
	__u64 delta;

	if (!ip || !take(&c, ((ip->version_ihl & 15) * 4 - sizeof(*ip)) & 63))
		return SHUNT_DROP_TRUNCATED;
	delta = (__u64)(__u32)~ip->saddr + (__u32)~ip->daddr + to->saddr[0] + to->daddr[0];
	ip->csum = csum_change(ip->csum, delta + 0xfffe); /* the TTL's word: ~old + old - 1 */
	ip->ttl--;
	ip->saddr = to->saddr[0];
	ip->daddr = to->daddr[0];
	return nat_write_l4(&c, pkt, delta, to->ports);
}

/* Puts @to in the place of an address; returns what its checksum loses and gains. */
static __always_inline __u64 nat_write_addr6(__be32 addr[4], const __be32 to[4])
{
	__u64 delta = 0;

	for (int i = 0; i < 4; i++) {
		delta += (__u64)(__u32)~addr[i] + to[i];
		addr[i] = to[i];
	}
	return delta;
}

/* Bytes of the extension headers of the packet with the header @ip. */
static __always_inline __u32 nat_ext_len(struct xdp_md *ctx, const struct pkt *pkt,
					 const struct ipv6_head *ip)
{
	if (likely(ip->next == pkt->l4_proto))
		return 0;
	return EXT_LEN(parse_ext_headers(ctx, (pkt->l2_len & 31) + sizeof(*ip), ip->next,
					 bpf_ntohs(ip->payload_len)));
}

/* IPv6 to IPv6, in place. */
__noinline __u32 nat_rewrite6(struct xdp_md *ctx, struct pkt *pkt, struct nat_change *to)
{
	struct cursor c = cursor_at_start(ctx);
	struct ipv6_head *ip;
	__u64 delta;

	if (!pkt || !to)
		return SHUNT_DROP_BAD_TABLE;
	ip = nat_take_l3(&c, pkt, sizeof(*ip));
	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	delta = nat_write_addr6(ip->saddr, to->saddr);
	delta += nat_write_addr6(ip->daddr, to->daddr);
	ip->hop_limit--;
	if (!take(&c, nat_ext_len(ctx, pkt, ip)))
		return SHUNT_DROP_TRUNCATED;
	return nat_write_l4(&c, pkt, delta, to->ports);
}

#endif
