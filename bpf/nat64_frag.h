/* SPDX-License-Identifier: GPL-2.0-only */
/* Fragments between the families, after RFC 7915 sections 4.1 and 5.1.1: each piece by itself, with the
 * other family's headers in place of its own.  Offset and "more" are the same numbers in both; of an
 * identification only the lower 16 bits fit IPv4, whose routers may cut the pieces further (no DF).
 *
 * DROP_NAT_FAMILY is what the other family cannot have: UDP without a checksum, which to make up takes
 * all pieces (section 4.5); extension headers that are in pieces themselves (section 5.1.1); bytes beyond
 * the end of an IPv4 packet.  ICMP in pieces is not translated (sections 4.2 and 5.2). */
#ifndef SHUNT_NAT64_FRAG_H
#define SHUNT_NAT64_FRAG_H

#include "frag.h"
#include "nat64.h"

/* Bytes in front of the piece's payload, as it leaves. */
static __always_inline __u32 nat64_piece_heads(const struct nat_change *to)
{
	return to->is_v6 ? sizeof(struct ipv6_head) + sizeof(struct frag_head)
			 : sizeof(struct ipv4_head);
}

/* Whether the headers in front of the IPv4 or IPv6 piece may be left out. */
static __always_inline int nat64_piece_bare(struct xdp_md *ctx, const struct pkt *pkt,
					    const struct frag *f)
{
	__u32 l2_len = pkt->l2_len & 31;
	struct cursor c = cursor_at_start(ctx);
	const struct ipv6_head *ip6;

	if (!pkt->is_v6)
		return !nat_source_routed(ctx, l2_len + sizeof(struct ipv4_head),
					  f->at - l2_len - sizeof(struct ipv4_head));
	if (f->next != IPPROTO_TCP && f->next != IPPROTO_UDP)
		return 0;
	ip6 = nat_take_l3(&c, pkt, sizeof(*ip6));
	return ip6 && nat_ext_may_go(ctx, l2_len + sizeof(*ip6), ip6->next);
}

/* SHUNT_GO_ON: the piece can be said in @to's family, in at most @most bytes.  Or the verdict. */
__noinline int nat64_piece_may(struct xdp_md *ctx, struct pkt *pkt, struct frag *f,
			       struct nat_change *to, __u32 most)
{
	struct cursor c;

	if (!pkt || !f || !to)
		return SHUNT_DROP_BAD_TABLE;
	if (nat64_piece_heads(to) + f->len > most)
		return SHUNT_DROP_TOO_BIG;
	if (!nat64_piece_bare(ctx, pkt, f) ||
	    (!to->is_v6 && sizeof(struct ipv4_head) + f->offset + f->len > IP_LEN_MAX))
		return SHUNT_DROP_NAT_FAMILY;
	if (f->offset || !to->is_v6)
		return SHUNT_GO_ON;
	if (cursor_at(ctx, f->at, &c))
		return SHUNT_DROP_TRUNCATED;
	return nat_is_unsummed(&c, pkt) ? SHUNT_DROP_NAT_FAMILY : SHUNT_GO_ON;
}

/* What the checksum of what is in the pieces loses and gains. */
static __always_inline __u64 nat64_piece_delta6(const struct pkt *pkt, const struct nat_change *to)
{
	return nat_sum_addrs6(to) + (__u32)~pkt->saddr[0] + (__u32) ~(__u32)pkt->daddr[0];
}

static __always_inline __u64 nat64_piece_delta4(const struct pkt *pkt, const struct nat_change *to)
{
	__u64 delta = (__u64)to->saddr[0] + to->daddr[0];

	for (int i = 0; i < 4; i++)
		delta += (__u32)~pkt->saddr[i];
	for (int i = 0; i < 2; i++)
		delta += (__u64)(__u32) ~(__u32)pkt->daddr[i] +
			 (__u32) ~(__u32)(pkt->daddr[i] >> 32);
	return delta;
}

static __always_inline int nat64_piece_head6(struct cursor *c, const struct pkt *pkt,
					     const struct frag *f, const struct nat_change *to)
{
	struct ipv6_head *ip = take(c, sizeof(*ip));
	struct frag_head *head;

	if (!ip)
		return -1;
	head = take(c, sizeof(*head));
	if (!head)
		return -1;
	nat_write_ipv6(ip, pkt, to, sizeof(*head) + f->len);
	ip->next = IPPROTO_FRAGMENT;
	*head = (struct frag_head){
		.next = f->next,
		.offset = bpf_htons(f->offset | f->more),
		.id = f->id << 16, /* in network order, behind 16 bits of 0 */
	};
	return 0;
}

static __always_inline int nat64_piece_head4(struct cursor *c, const struct pkt *pkt,
					     const struct frag *f, const struct nat_change *to)
{
	struct ipv4_head *ip = take(c, sizeof(*ip));
	__be16 len = bpf_htons(sizeof(*ip) + f->len), id = f->id >> 16;
	__be16 frag = bpf_htons(f->offset / 8 | (f->more ? IPV4_MORE_FRAGMENTS : 0));
	__u8 ttl = pkt->ttl - 1;

	if (!ip)
		return -1;
	*ip = (struct ipv4_head){
		.version_ihl = 0x45,
		.tos = pkt->tos,
		.len = len,
		.id = id,
		.frag = frag,
		.ttl = ttl,
		.proto = f->next,
		.csum = ~csum_add_up((__u64)to->saddr[0] + to->daddr[0] + (0x45 | pkt->tos << 8) +
				     len + id + frag + (ttl | f->next << 8)),
		.saddr = to->saddr[0],
		.daddr = to->daddr[0],
	};
	return 0;
}

/* Puts @way's layer 2 and @to's headers in the place of all that is in front of the piece's payload. */
__noinline int nat64_piece_put(struct xdp_md *ctx, struct pkt *pkt, struct frag *f,
			       struct nat_change *to, struct shunt_backend *way)
{
	enum shunt_verdict verdict;
	struct cursor c;

	if (!pkt || !f || !to || !way)
		return SHUNT_DROP_BAD_TABLE;
	if (nat_trim(ctx, pkt))
		return SHUNT_DROP_BAD_IP;
	verdict = make_room(ctx, pkt, way, nat64_piece_heads(to) - (f->at - pkt->l2_len));
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	verdict = write_l2(&c, way, to->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	if (verdict)
		return verdict;
	return (to->is_v6 ? nat64_piece_head6(&c, pkt, f, to) : nat64_piece_head4(&c, pkt, f, to))
		       ? SHUNT_DROP_NO_HEADROOM
		       : SHUNT_GO_ON;
}

#endif
