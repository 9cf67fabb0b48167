/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors between the families, after RFC 7915 sections 4.2, 4.3, 5.2 and 5.3: the error's header and
 * the one that it quotes are replaced; what follows stays, but for ports and a checksum.  Parameter
 * problems point at bytes that the other family does not have, and are not told.  What quotes a packet's
 * first piece quotes one in the other family too. */
#ifndef SHUNT_NAT64_ICMP_H
#define SHUNT_NAT64_ICMP_H

#include "icmp.h"
#include "nat64.h"

#define NAT64_GROWS (sizeof(struct ipv6_head) - sizeof(struct ipv4_head))
#define IPV4_MTU_MIN 68
#define IPV6_MTU_MIN 1280
#define NAT64_QUOTE6_MAX                                                                           \
	(IPV6_MTU_MIN - 2 * sizeof(struct ipv6_head) - sizeof(struct icmp_head)) /* RFC 4443 2.4 */

/* What is told: type and code, or NAT64_UNTOLD. */
#define NAT64_TOLD(type, code) ((type) | (code) << 8)
#define NAT64_UNTOLD 0xffffu
#define ICMP_CODES(list) ((list) >> code & 1)

static __always_inline __u32 nat64_told6(__u32 type, __u32 code)
{
	if (type == ICMP_TIME_EXCEEDED)
		return NAT64_TOLD(ICMP6_TIME_EXCEEDED, code);
	if (type != ICMP_UNREACHABLE || code > 15)
		return NAT64_UNTOLD;
	if (code == ICMP_FRAG_NEEDED)
		return NAT64_TOLD(ICMP6_TOO_BIG, 0);
	if (code == 3)
		return NAT64_TOLD(ICMP6_UNREACHABLE, 4);
	if (ICMP_CODES(1 << 9 | 1 << 10 | 1 << 13 | 1 << 15))
		return NAT64_TOLD(ICMP6_UNREACHABLE, 1);
	if (ICMP_CODES(1 << 2 | 1 << 14))
		return NAT64_UNTOLD;
	return NAT64_TOLD(ICMP6_UNREACHABLE, 0);
}

static __always_inline __u32 nat64_told4(__u32 type, __u32 code)
{
	if (type == ICMP6_TIME_EXCEEDED)
		return NAT64_TOLD(ICMP_TIME_EXCEEDED, code);
	if (type == ICMP6_TOO_BIG)
		return NAT64_TOLD(ICMP_UNREACHABLE, ICMP_FRAG_NEEDED);
	if (type != ICMP6_UNREACHABLE || code > 4)
		return NAT64_UNTOLD;
	return NAT64_TOLD(ICMP_UNREACHABLE, code == 1 ? 10 : code == 4 ? 3 : 1);
}

/* The ICMP header's last word, which says an MTU or nothing, towards IPv6 or IPv4.  @grows: what IPv6
 * headers are longer by. */
static __always_inline __be32 nat64_rest6(__u32 told, __be32 rest, __u32 grows)
{
	__u32 mtu = (bpf_ntohl(rest) & 0xffff) + grows;

	if (told != NAT64_TOLD(ICMP6_TOO_BIG, 0))
		return 0;
	return bpf_htonl(mtu < IPV6_MTU_MIN ? IPV6_MTU_MIN : mtu);
}

static __always_inline __be32 nat64_rest4(__u32 told, __be32 rest, __u32 grows)
{
	__u32 mtu = bpf_ntohl(rest);

	if (told != NAT64_TOLD(ICMP_UNREACHABLE, ICMP_FRAG_NEEDED))
		return 0;
	mtu = mtu > 0xffff ? 0xffff : mtu;
	return bpf_htonl(mtu < IPV4_MTU_MIN + grows ? IPV4_MTU_MIN : mtu - grows);
}

/* An error on its way. */
struct nat64_error {
	__be32 rest;
	__u32 told;
	__u32 sum; /* of what stays */
	__u32 len; /* bytes of that */
	__u8 tos, ttl; /* of the quoted packet */
	__u16 carried; /* bytes that it says that it carries */
	struct frag_head
		piece; /* where it is the first of several; IPv4 has what it says elsewhere */
	__u32 piece_len; /* of that header; 0: it is whole */
};

/* What the quoted IPv4 header @ip, or the fragment header in front of @l4, says of pieces. */
static __always_inline void nat64_read_piece4(const struct ipv4_head *ip, struct nat64_error *e)
{
	if (!(ip->frag & bpf_htons(IPV4_MORE_FRAGMENTS)))
		return;
	e->piece.next = ip->proto;
	e->piece.offset = bpf_htons(IPV6_MORE_FRAGMENTS);
	e->piece.id = (__u32)ip->id << 16; /* behind 16 bits of 0 */
	e->piece_len = sizeof(e->piece);
}

static __always_inline int nat64_read_piece6(struct xdp_md *ctx, __u32 at, __u32 l4, __u32 next,
					     struct nat64_error *e)
{
	const struct frag_head *head;
	struct cursor c;

	if (EXT_VERDICT(parse_ext_headers(ctx, at, next, l4 - at)) != SHUNT_PASS_FRAGMENT)
		return 0;
	if (cursor_at(ctx, l4 - sizeof(*head), &c))
		return -1;
	head = take(&c, sizeof(*head));
	if (!head)
		return -1;
	e->piece = *head;
	e->piece_len = sizeof(*head);
	return 0;
}

/* Reads what is to be replaced: the ICMP header @at bytes into the frame and the quoted header, behind
 * which @l4 is.  What the checksum over the quoted addresses loses. */
static __always_inline int nat64_read(struct xdp_md *ctx, const struct pkt *pkt, __u32 at, __u32 l4,
				      struct nat64_error *e, __u64 *lost)
{
	const struct icmp_head *icmp;
	const struct ipv4_head *ip4;
	const struct ipv6_head *ip6;
	struct cursor c;
	__be32 rest;

	if (cursor_at(ctx, at, &c))
		return -1;
	icmp = take(&c, sizeof(*icmp));
	if (!icmp)
		return -1;
	e->told = pkt->is_v6 ? nat64_told4(icmp->type, icmp->code)
			     : nat64_told6(icmp->type, icmp->code);
	rest = icmp->rest;
	if (pkt->is_v6) {
		ip6 = take(&c, sizeof(*ip6));
		if (!ip6)
			return -1;
		e->tos = bpf_ntohl(ip6->version_class_label) >> 20;
		e->ttl = ip6->hop_limit;
		e->carried = bpf_ntohs(ip6->payload_len) + at + sizeof(*icmp) + sizeof(*ip6) - l4;
		for (int i = 0; i < 4; i++)
			*lost += (__u64)(__u32)~ip6->saddr[i] + (__u32)~ip6->daddr[i];
		if (nat64_read_piece6(ctx, at + sizeof(*icmp) + sizeof(*ip6), l4, ip6->next, e))
			return -1;
		e->rest = nat64_rest4(e->told, rest, NAT64_GROWS + e->piece_len);
		return 0;
	}
	ip4 = take(&c, sizeof(*ip4));
	if (!ip4)
		return -1;
	e->tos = ip4->tos;
	e->ttl = ip4->ttl;
	e->carried = bpf_ntohs(ip4->len) + at + sizeof(*icmp) - l4;
	*lost = (__u64)(__u32)~ip4->saddr + (__u32)~ip4->daddr;
	nat64_read_piece4(ip4, e);
	e->rest = nat64_rest6(e->told, rest, NAT64_GROWS + e->piece_len);
	return 0;
}

/* An IP header around @len bytes of @proto; its sum with what it adds to a checksum over it, 0 for
 * IPv4. */
static __always_inline __u32 nat64_put_ip6(struct ipv6_head *ip, const __be32 *saddr,
					   const __be32 *daddr, __u32 len, __u32 how)
{
	__u64 sum = 0;

	*ip = (struct ipv6_head){
		.version_class_label = bpf_htonl(6u << 28 | (how >> 16 & 0xff) << 20),
		.payload_len = bpf_htons(len),
		.next = how,
		.hop_limit = how >> 8,
		.saddr = {saddr[0], saddr[1], saddr[2], saddr[3]},
		.daddr = {daddr[0], daddr[1], daddr[2], daddr[3]},
	};
	for (int i = 0; i < 4; i++)
		sum += (__u64)saddr[i] + daddr[i];
	return csum_add_up(sum);
}
#define NAT64_HOW(proto, ttl, tos) ((proto) | (__u32)(ttl) << 8 | (__u32)(tos) << 16)

/* Identification and flags of IPv4, in memory order, beside what else is said. */
#define NAT64_HOW4(how, id, frag) ((how) | (__u64)((id) | (__u32)(frag) << 16) << 32)

static __always_inline void nat64_put_ip4(struct ipv4_head *ip, __be32 saddr, __be32 daddr,
					  __u32 len, __u64 how)
{
	__be16 be_len = bpf_htons(len + sizeof(*ip)), id = how >> 32, frag = how >> 48;
	__u8 tos = how >> 16, ttl = how >> 8, proto = how;
	__u64 sum =
		(__u64)saddr + daddr + (0x45 | tos << 8) + be_len + id + frag + (ttl | proto << 8);

	*ip = (struct ipv4_head){
		.version_ihl = 0x45,
		.tos = tos,
		.len = be_len,
		.id = id,
		.frag = frag,
		.ttl = ttl,
		.proto = proto,
		.csum = ~csum_add_up(sum),
		.saddr = saddr,
		.daddr = daddr,
	};
}

static __always_inline int nat64_write6(struct cursor *c, const struct pkt *pkt,
					const struct nat_change *to, const struct nat64_error *e)
{
	__u32 len = sizeof(struct icmp_head) + sizeof(struct ipv6_head) + e->piece_len + e->len;
	struct ipv6_head *outer = take(c, sizeof(*outer)), *quoted;
	struct frag_head *piece;
	struct icmp_head *icmp;
	__u32 proto;
	__u64 sum;

	if (!outer)
		return -1;
	icmp = take(c, sizeof(*icmp));
	if (!icmp)
		return -1;
	quoted = take(c, sizeof(*quoted));
	if (!quoted)
		return -1;
	sum = nat64_put_ip6(outer, to->saddr, to->daddr, len,
			    NAT64_HOW(IPPROTO_ICMPV6, pkt->ttl - 1, pkt->tos));
	proto = e->piece_len ? IPPROTO_FRAGMENT : pkt->l4_proto;
	sum += nat64_put_ip6(quoted, to->daddr, to->saddr, e->carried + e->piece_len,
			     NAT64_HOW(proto, e->ttl, e->tos));
	if (e->piece_len) {
		piece = take(c, sizeof(*piece));
		if (!piece)
			return -1;
		*piece = e->piece;
		sum += (__u64)e->piece.next + e->piece.offset + e->piece.id;
	}
	sum += bpf_htons(len) + bpf_htons(IPPROTO_ICMPV6); /* the pseudo header's rest */
	sum += (__u64)quoted->version_class_label + quoted->payload_len +
	       (quoted->next | quoted->hop_limit << 8) + e->told + e->rest + e->sum;
	*icmp = (struct icmp_head){e->told, e->told >> 8, ~csum_add_up(sum), e->rest};
	return 0;
}

/* Of IPv4's flags: "more fragments", as the quoted fragment header has it. */
static __always_inline __be16 nat64_more4(const struct nat64_error *e)
{
	return e->piece.offset & bpf_htons(IPV6_MORE_FRAGMENTS) ? bpf_htons(IPV4_MORE_FRAGMENTS)
								: 0;
}

static __always_inline int nat64_write4(struct cursor *c, const struct pkt *pkt,
					const struct nat_change *to, const struct nat64_error *e)
{
	__u32 len = sizeof(struct icmp_head) + sizeof(struct ipv4_head) + e->len;
	struct ipv4_head *outer = take(c, sizeof(*outer)), *quoted;
	struct icmp_head *icmp;
	__u64 how;

	if (!outer)
		return -1;
	icmp = take(c, sizeof(*icmp));
	if (!icmp)
		return -1;
	quoted = take(c, sizeof(*quoted));
	if (!quoted)
		return -1;
	how = NAT64_HOW(IPPROTO_ICMP, pkt->ttl - 1, pkt->tos);
	nat64_put_ip4(outer, to->saddr[0], to->daddr[0], len,
		      NAT64_HOW4(how, 0, bpf_htons(IPV4_DONT_FRAGMENT)));
	how = NAT64_HOW(pkt->l4_proto, e->ttl, e->tos);
	if (!e->piece_len)
		how = NAT64_HOW4(how, 0, bpf_htons(IPV4_DONT_FRAGMENT));
	else
		how = NAT64_HOW4(how, e->piece.id >> 16, nat64_more4(e));
	nat64_put_ip4(quoted, to->daddr[0], to->saddr[0], e->carried, how); /* sums up to nothing */
	*icmp = (struct icmp_head){e->told, e->told >> 8,
				   ~csum_add_up((__u64)e->told + e->rest + e->sum), e->rest};
	return 0;
}

#endif
