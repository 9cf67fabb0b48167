/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet's addresses and ports made others, in place, and its checksums with them: by what changes,
 * never from the payload. */
#ifndef SHUNT_NAT_REWRITE_H
#define SHUNT_NAT_REWRITE_H

#include "csum.h"
#include "maps.h"
#include "parse.h"

/* What becomes of an IPv4 packet's tuple. */
struct nat_change {
	__be32 saddr, daddr;
	__u32 ports;
};

/* The ports of the other direction. */
static __always_inline __u32 nat_turned(__u32 ports)
{
	return ports >> 16 | ports << 16;
}

/* Where the packet's IP header is; NULL never, but for the verifier. */
static __always_inline void *nat_take_l3(struct cursor *c, const struct pkt *pkt, __u32 len)
{
	return take(c, pkt->l2_len & 31) ? take(c, len) : NULL;
}

/* Writes @ports into the TCP header at the cursor; @delta is that of the pseudo header. */
static __always_inline enum shunt_verdict nat_write_tcp(struct cursor *c, __u64 delta, __u32 ports,
							__u32 *flags)
{
	struct tcp_head *tcp = take(c, sizeof(*tcp));

	if (!tcp)
		return SHUNT_DROP_TRUNCATED;
	tcp->csum = csum_change(tcp->csum, delta + (__u32)~tcp->ports + ports);
	tcp->ports = ports;
	*flags = tcp->flags;
	return SHUNT_GO_ON;
}

/* The same for UDP, whose checksum 0 means that there is none (RFC 768). */
static __always_inline enum shunt_verdict nat_write_udp(struct cursor *c, __u64 delta, __u32 ports)
{
	struct udp_head *udp = take(c, sizeof(*udp));
	__u16 csum;

	if (!udp)
		return SHUNT_DROP_TRUNCATED;
	csum = csum_change(udp->csum, delta + (__u32)~udp->ports + ports);
	if (udp->csum)
		udp->csum = csum ? csum : 0xffff;
	udp->ports = ports;
	return SHUNT_GO_ON;
}

/* IPv4 to IPv4, in place. */
static __always_inline enum shunt_verdict nat_rewrite4(struct xdp_md *ctx, const struct pkt *pkt,
						       const struct nat_change *to, __u32 *flags)
{
	struct cursor c = cursor_at_start(ctx);
	struct ipv4_head *ip = nat_take_l3(&c, pkt, sizeof(*ip));
	__u64 delta;

	if (!ip || !take(&c, ((ip->version_ihl & 15) * 4 - sizeof(*ip)) & 63))
		return SHUNT_DROP_TRUNCATED;
	delta = (__u64)(__u32)~ip->saddr + (__u32)~ip->daddr + to->saddr + to->daddr;
	ip->csum = csum_change(ip->csum, delta + 0xfffe); /* the TTL's word: ~old + old - 1 */
	ip->ttl--;
	ip->saddr = to->saddr;
	ip->daddr = to->daddr;
	*flags = 0;
	if (pkt->l4_proto == IPPROTO_TCP)
		return nat_write_tcp(&c, delta, to->ports, flags);
	return nat_write_udp(&c, delta, to->ports);
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

#define NAT_VERDICT(r) ((r)&0xff)
#define NAT_FLAGS(r) ((r) >> 8) /* of TCP */

/* IPv6 to IPv6, in place, as record @rec says: a client's packet, or else a backend's.  Verdict and TCP
 * flags in one scalar. */
__noinline __u32 nat_rewrite6(struct xdp_md *ctx, struct pkt *pkt, __u32 rec, int from_client)
{
	const struct shunt_nat_conn *conn = bpf_map_lookup_elem(&nat_conns, &rec);
	const struct shunt_nat_addrs *six = bpf_map_lookup_elem(&nat_addrs, &rec);
	struct cursor c = cursor_at_start(ctx);
	__u32 ports, flags = 0, ext = 0;
	enum shunt_verdict verdict;
	struct ipv6_head *ip;
	__u64 delta;

	if (!pkt || !conn || !six)
		return SHUNT_DROP_BAD_TABLE;
	ip = nat_take_l3(&c, pkt, sizeof(*ip));
	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	delta = nat_write_addr6(ip->saddr, from_client ? six->pool : six->vip);
	delta += nat_write_addr6(ip->daddr, from_client ? six->backend : six->client);
	ip->hop_limit--;
	ports = nat_turned(from_client ? conn->backend_ports : conn->client_ports);
	if (unlikely(ip->next != pkt->l4_proto))
		ext = EXT_LEN(parse_ext_headers(ctx, (pkt->l2_len & 31) + sizeof(*ip), ip->next,
						bpf_ntohs(ip->payload_len)));
	if (!take(&c, ext & 0x3fff))
		return SHUNT_DROP_TRUNCATED;
	if (pkt->l4_proto == IPPROTO_TCP)
		verdict = nat_write_tcp(&c, delta, ports, &flags);
	else
		verdict = nat_write_udp(&c, delta, ports);
	return verdict | flags << 8;
}

#endif
