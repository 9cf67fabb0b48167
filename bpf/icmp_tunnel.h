/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors to this host about what it has sent to a backend through a tunnel: of no service's address,
 * and the stack's.  What they tell of the backend is noted on the way. */
#ifndef SHUNT_ICMP_TUNNEL_H
#define SHUNT_ICMP_TUNNEL_H

#include "gue.h"
#include "rare.h"
#include "signs.h"

/* A tunnel's packet as it is quoted. */
struct quoted {
	__be32 to[4]; /* the backend; IPv4 in [0], the rest 0 */
	__u32 at; /* what follows the outer IP header */
	__u8 proto; /* of that */
};

/* Reads the outer header, which must be of a packet that the address of @pkt has sent; -1: it is not. */
static __always_inline int quoted_outer(struct xdp_md *ctx, const struct pkt *pkt, __u32 at,
					struct quoted *q)
{
	const struct ipv4_head *ip4;
	const struct ipv6_head *ip6;
	struct cursor c;

	if (cursor_at(ctx, at, &c))
		return -1;
	if (!pkt->is_v6) {
		ip4 = take(&c, sizeof(*ip4));
		if (!ip4 || ip4->version_ihl != 0x45 || ip4->saddr != (__u32)pkt->daddr[0])
			return -1;
		q->to[0] = ip4->daddr;
		q->proto = ip4->proto;
		q->at = at + sizeof(*ip4);
		return 0;
	}
	ip6 = take(&c, sizeof(*ip6));
	if (!ip6 || *(const __u64 *)ip6->saddr != pkt->daddr[0] ||
	    *(const __u64 *)&ip6->saddr[2] != pkt->daddr[1])
		return -1;
	for (int i = 0; i < 4; i++)
		q->to[i] = ip6->daddr[i];
	q->proto = ip6->next;
	q->at = at + sizeof(*ip6);
	return 0;
}

/* Bytes between the outer header and the packet within; below 0: it is none of ours. */
static __always_inline int quoted_shim(struct xdp_md *ctx, const struct quoted *q)
{
	const struct gue_head *gue;
	struct cursor c;

	if (q->proto == IPPROTO_IPIP || q->proto == IPPROTO_IPV6)
		return 0;
	if (q->proto == IPPROTO_GRE)
		return sizeof(struct gre_head);
	if (q->proto != IPPROTO_UDP || cursor_at(ctx, q->at, &c))
		return -1;
	gue = take(&c, sizeof(*gue));
	if (!gue || gue->udp.ports >> 16 != bpf_htons(SHUNT_GUE_PORT))
		return -1;
	return sizeof(*gue);
}

/* Makes @pkt's tuple that of the client's packet, @at bytes into the frame. */
static __always_inline int quoted_inner(struct xdp_md *ctx, struct pkt *pkt, __u32 at)
{
	const struct ipv4_head *ip4;
	const struct ipv6_head *ip6;
	const __u32 *ports;
	struct cursor c;

	if (cursor_at(ctx, at, &c))
		return -1;
	ip4 = take(&c, sizeof(*ip4));
	if (!ip4)
		return -1;
	pkt->is_v6 = ip4->version_ihl >> 4 == 6;
	if (!pkt->is_v6) {
		if (ip4->version_ihl != 0x45)
			return -1;
		pkt->l4_proto = ip4->proto;
		pkt->saddr[0] = ip4->saddr;
		pkt->daddr[0] = ip4->daddr;
	} else {
		if (cursor_at(ctx, at, &c))
			return -1;
		ip6 = take(&c, sizeof(*ip6));
		if (!ip6)
			return -1;
		pkt->l4_proto = ip6->next;
		for (int i = 0; i < 4; i++)
			pkt->saddr[i] = ip6->saddr[i];
		pkt->daddr[0] = *(const __u64 *)ip6->daddr;
		pkt->daddr[1] = *(const __u64 *)&ip6->daddr[2];
	}
	ports = take(&c, sizeof(*ports));
	if (!ports || (pkt->l4_proto != IPPROTO_TCP && pkt->l4_proto != IPPROTO_UDP))
		return -1;
	pkt->ports = *ports;
	pkt->tcp_flags = 0;
	return 0;
}

/* The error, which says that something cannot be reached, has its quote @at bytes into the frame.  Counted
 * for the backend that the quoted flow goes to, if that is who was sent it.  @pkt is that flow's after it. */
__noinline int icmp_tunnel(struct xdp_md *ctx, struct pkt *pkt, __u32 at)
{
	const struct shunt_backend *be;
	struct quoted q = {};
	int shim;

	if (!pkt || quoted_outer(ctx, pkt, at, &q))
		return 0;
	shim = quoted_shim(ctx, &q);
	if (shim < 0 || quoted_inner(ctx, pkt, q.at + shim) || rare_backend(pkt, 1))
		return 0;
	be = backend_at(pkt->row);
	if (!be || (be->addr[0] ^ q.to[0]) | (be->addr[1] ^ q.to[1]) | (be->addr[2] ^ q.to[2]) |
			   (be->addr[3] ^ q.to[3]))
		return 0;
	sign_add(pkt->row, SIGN_UNREACHABLE);
	return 0;
}

#endif
