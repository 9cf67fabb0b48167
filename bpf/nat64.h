/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the families, after RFC 7915: the port and checksum of what IP carries are changed in place,
 * then the IP header is replaced, which moves the frame's start.
 *
 * - Traffic class and type of service are the same byte; hop limit and TTL lose one.
 * - Towards IPv6 there is no fragment header, whatever DF says (RFC 8021), and the flow label is 0.
 *   What is too long for the path is not made in pieces: XDP cannot, so it is too big.
 * - Towards IPv4, DF is set in what is longer than 1260 bytes; the rest may be cut up on its way and
 *   has an id by chance, since no counter here could know what other translators count.  With DF the
 *   id says nothing (RFC 6864, section 4.1) and is 0.
 * - IPv4 options are left out, and so are IPv6 extension headers: DROP_NAT_FAMILY where they ask for a
 *   way (a source route that is not used up) or vouch for the header that goes (AH).
 * - Towards IPv6, UDP without a checksum gets one, from end to end. */
#ifndef SHUNT_NAT64_H
#define SHUNT_NAT64_H

#include "fwd.h"
#include "gue.h"
#include "nat_rewrite.h"

#define IPV4_ATOMIC_ABOVE 1260 /* bytes: 1280 less 20, RFC 7915 section 5.1 */
#define IPV4_OPTIONS_MAX 40
#define IPV4_OPTION_END 0
#define IPV4_OPTION_NOP 1
#define IPV4_LSRR 131
#define IPV4_SSRR 137

/* ---- what cannot be said -------------------------------------------------------------------------*/

/* Whether the @len bytes of options @at bytes into the frame hold a source route with hops to go, or
 * nothing that makes sense.  RFC 791 section 3.1. */
__noinline int nat_source_routed(struct xdp_md *ctx, __u32 at, __u32 len)
{
	struct cursor c = cursor_at_start(ctx);
	__u32 gone = 0;

	if (at > L2_LEN_MAX + sizeof(struct ipv4_head) || len > IPV4_OPTIONS_MAX || !take(&c, at))
		return 1;
	for (int i = 0; i < IPV4_OPTIONS_MAX; i++) {
		struct cursor here = c;
		const __u8 *option, *rest;

		gone = forget(gone, len); /* or the verifier would follow every sequence */
		if (gone >= len || gone >= IPV4_OPTIONS_MAX)
			return gone > len;
		if (!take(&here, gone))
			return 1;
		option = take(&here, 1);
		if (!option || option[0] == IPV4_OPTION_END)
			return !option;
		if (option[0] == IPV4_OPTION_NOP) {
			gone++;
			continue;
		}
		rest = take(&here, 2); /* length, a route's pointer: at least a byte follows */
		if (!rest || rest[0] < 2 ||
		    ((option[0] == IPV4_LSRR || option[0] == IPV4_SSRR) &&
		     (rest[0] < 3 || rest[1] <= rest[0])))
			return 1;
		gone += rest[0];
	}
	return gone > len;
}

/* Whether the extension headers @at bytes into the frame, the first a @proto, may be left out.  They
 * have been parsed, so they are whole. */
__noinline int nat_ext_may_go(struct xdp_md *ctx, __u32 at, __u32 proto)
{
	struct cursor c = cursor_at_start(ctx);
	const __u8 *ext;
	__u32 len;

	if (at > L2_LEN_MAX + sizeof(struct ipv6_head) || !take(&c, at))
		return 0;
	for (int i = 0; i < EXT_HEADERS_MAX; i++) {
		len = ext_header_len(proto, 0);
		if (!len)
			return 1;
		ext = take(&c, 8);
		if (!ext || proto == IPPROTO_AH || (proto == IPPROTO_ROUTING && ext[3]))
			return 0;
		if (!take(&c, ext[1] * 8))
			return 0;
		proto = ext[0];
	}
	return 1;
}

/* ---- what IP carries -----------------------------------------------------------------------------*/

/* The sum of the @len bytes @at bytes into the frame; SUM_UNKNOWN. */
__noinline __u32 nat_sum_bytes(struct xdp_md *ctx, __u32 at, __u32 len)
{
	return sum_by_bytes(ctx, at, len, 0);
}

static __always_inline __u64 nat_sum_addrs6(const struct nat_change *to)
{
	__u64 sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (__u64)to->saddr[i] + to->daddr[i];
	return sum;
}

/* Gives the UDP datagram @at bytes into the frame, which has no checksum, @to's ports and one for
 * @to's addresses. */
static __always_inline __u32 nat_sum_udp(struct xdp_md *ctx, __u32 at, const struct nat_change *to)
{
	struct cursor c = cursor_at_start(ctx);
	struct udp_head *udp;
	__u32 sum, len;
	__u16 csum;

	if (at > L2_LEN_MAX + 60 || !take(&c, at))
		return SHUNT_DROP_TRUNCATED;
	udp = take(&c, sizeof(*udp));
	if (!udp)
		return SHUNT_DROP_TRUNCATED;
	udp->ports = to->ports;
	len = bpf_ntohs(udp->len);
	sum = nat_sum_bytes(ctx, at, len);
	if (sum & SUM_UNKNOWN)
		return SHUNT_DROP_NAT_FAMILY;
	csum = ~csum_add_up(nat_sum_addrs6(to) + sum + bpf_htons(len) + bpf_htons(IPPROTO_UDP));
	udp->csum = csum ? csum : 0xffff;
	return NAT_DONE(0, 0);
}

static __always_inline int nat_is_unsummed(const struct cursor *c, const struct pkt *pkt)
{
	struct cursor l4 = *c;
	const struct udp_head *udp;

	if (pkt->l4_proto != IPPROTO_UDP)
		return 0;
	udp = take(&l4, sizeof(*udp));
	return udp && !udp->csum;
}

/* What an IPv4 packet carries, for IPv6 and at most @most bytes of it.  NAT_DONE(), or a verdict. */
__noinline __u32 nat_carried_by6(struct xdp_md *ctx, struct pkt *pkt, struct nat_change *to,
				 __u32 most)
{
	struct cursor c = cursor_at_start(ctx);
	__u32 header_len, l2_len, done;
	struct ipv4_head *ip;
	__u64 delta;

	if (!pkt || !to)
		return SHUNT_DROP_BAD_TABLE;
	l2_len = pkt->l2_len & 31;
	ip = nat_take_l3(&c, pkt, sizeof(*ip));
	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	header_len = (ip->version_ihl & 15) * 4;
	if (pkt->l3_len - header_len + sizeof(struct ipv6_head) > most)
		return SHUNT_DROP_TOO_BIG;
	delta = nat_sum_addrs6(to) + (__u32)~ip->saddr + (__u32)~ip->daddr;
	if (header_len != sizeof(*ip) &&
	    nat_source_routed(ctx, l2_len + sizeof(*ip), header_len - sizeof(*ip)))
		return SHUNT_DROP_NAT_FAMILY;
	if (!take(&c, (header_len - sizeof(*ip)) & 63))
		return SHUNT_DROP_TRUNCATED;
	if (unlikely(nat_is_unsummed(&c, pkt)))
		done = nat_sum_udp(ctx, l2_len + (header_len & 63), to);
	else
		done = nat_write_l4(&c, pkt, delta, to->ports);
	return NAT_VERDICT(done) ? done : done | NAT_DONE(0, header_len);
}

/* What an IPv6 packet carries, for IPv4 and at most @most bytes of it.  NAT_DONE(), or a verdict. */
__noinline __u32 nat_carried_by4(struct xdp_md *ctx, struct pkt *pkt, struct nat_change *to,
				 __u32 most)
{
	struct cursor c = cursor_at_start(ctx);
	struct ipv6_head *ip;
	__u32 ext, done;
	__u64 delta;

	if (!pkt || !to)
		return SHUNT_DROP_BAD_TABLE;
	ip = nat_take_l3(&c, pkt, sizeof(*ip));
	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	ext = nat_ext_len(ctx, pkt, ip);
	if (pkt->l3_len - ext - sizeof(*ip) + sizeof(struct ipv4_head) > most)
		return SHUNT_DROP_TOO_BIG;
	if (ext && !nat_ext_may_go(ctx, (pkt->l2_len & 31) + sizeof(*ip), ip->next))
		return SHUNT_DROP_NAT_FAMILY;
	delta = (__u64)to->saddr[0] + to->daddr[0];
	for (int i = 0; i < 4; i++)
		delta += (__u64)(__u32)~ip->saddr[i] + (__u32)~ip->daddr[i];
	if (!take(&c, ext))
		return SHUNT_DROP_TRUNCATED;
	done = nat_write_l4(&c, pkt, delta, to->ports);
	return NAT_VERDICT(done) ? done : done | NAT_DONE(0, ext + sizeof(*ip));
}

/* ---- the header ----------------------------------------------------------------------------------*/

static __always_inline void nat_write_ipv6(struct ipv6_head *ip, const struct pkt *pkt,
					   const struct nat_change *to, __u32 l4_len)
{
	*ip = (struct ipv6_head){
		.version_class_label = bpf_htonl(6u << 28 | (__u32)pkt->tos << 20),
		.payload_len = bpf_htons(l4_len),
		.next = pkt->l4_proto,
		.hop_limit = pkt->ttl - 1,
		.saddr = {to->saddr[0], to->saddr[1], to->saddr[2], to->saddr[3]},
		.daddr = {to->daddr[0], to->daddr[1], to->daddr[2], to->daddr[3]},
	};
}

static __always_inline void nat_write_ipv4(struct ipv4_head *ip, const struct pkt *pkt,
					   const struct nat_change *to, __u32 l4_len)
{
	__u32 len = l4_len + sizeof(*ip);
	int atomic = len > IPV4_ATOMIC_ABOVE;
	__be16 id = atomic ? 0 : bpf_get_prandom_u32();
	__be16 frag = atomic ? bpf_htons(IPV4_DONT_FRAGMENT) : 0;
	__u8 ttl = pkt->ttl - 1;
	__u64 sum = (__u64)to->saddr[0] + to->daddr[0] + (0x45 | pkt->tos << 8) + bpf_htons(len) +
		    id + frag + (ttl | pkt->l4_proto << 8);

	*ip = (struct ipv4_head){
		.version_ihl = 0x45,
		.tos = pkt->tos,
		.len = bpf_htons(len),
		.id = id,
		.frag = frag,
		.ttl = ttl,
		.proto = pkt->l4_proto,
		.csum = ~csum_add_up(sum),
		.saddr = to->saddr[0],
		.daddr = to->daddr[0],
	};
}

/* Whatever is behind the packet goes: Ethernet's padding would be too much or too little. */
static __always_inline int nat_trim(struct xdp_md *ctx, const struct pkt *pkt)
{
	__u32 frame_len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	__u32 tail = frame_len - pkt->l2_len - pkt->l3_len;

	return tail ? bpf_xdp_adjust_tail(ctx, -(int)tail) : 0;
}

/* Puts @way's layer 2 and @to's header in the place of the frame's own and of @removed bytes of IP
 * header. */
static __always_inline enum shunt_verdict nat_replace(struct xdp_md *ctx, const struct pkt *pkt,
						      const struct nat_change *to, __u32 removed,
						      const struct shunt_backend *way)
{
	__u32 len = to->is_v6 ? sizeof(struct ipv6_head) : sizeof(struct ipv4_head);
	enum shunt_verdict verdict;
	struct cursor c;
	void *ip;

	if (nat_trim(ctx, pkt))
		return SHUNT_DROP_BAD_IP;
	verdict = make_room(ctx, pkt, way, len - removed);
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	verdict = write_l2(&c, way, to->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	if (verdict)
		return verdict;
	if (to->is_v6) {
		ip = take(&c, sizeof(struct ipv6_head));
		if (!ip)
			return SHUNT_DROP_NO_HEADROOM;
		nat_write_ipv6(ip, pkt, to, pkt->l3_len - removed);
		return SHUNT_GO_ON;
	}
	ip = take(&c, sizeof(struct ipv4_head));
	if (!ip)
		return SHUNT_DROP_NO_HEADROOM;
	nat_write_ipv4(ip, pkt, to, pkt->l3_len - removed);
	return SHUNT_GO_ON;
}

#endif
