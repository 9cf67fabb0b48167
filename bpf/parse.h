/* SPDX-License-Identifier: GPL-2.0-only */
/* From bytes to struct pkt.  Trusts nothing and writes nothing.  What contradicts itself or the
 * frame is dropped, so that every length used later is true: l2_len + l3_len <= frame. */
#ifndef SHUNT_PARSE_H
#define SHUNT_PARSE_H

#include "pkt.h"

#define VLAN_TAGS_MAX 2
#define EXT_HEADERS_MAX 6

static __always_inline int is_vlan(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* Takes the Ethernet header and up to two tags; @type is that of what follows. */
static __always_inline enum shunt_verdict parse_l2(struct cursor *c, struct pkt *pkt, __be16 *type)
{
	const struct eth_head *eth = take(c, sizeof(*eth));
	const struct vlan_tag *tag;

	if (!eth)
		return SHUNT_DROP_TRUNCATED;
	*type = eth->type;
	pkt->l2_len = sizeof(*eth);
	for (int i = 0; i < VLAN_TAGS_MAX && unlikely(is_vlan(*type)); i++) {
		tag = take(c, sizeof(*tag));
		if (!tag)
			return SHUNT_DROP_TRUNCATED;
		*type = tag->type;
		pkt->l2_len += sizeof(*tag);
	}
	return SHUNT_GO_ON;
}

/* The frame's bytes from @l3 on. */
static __always_inline __u32 bytes_from(const struct cursor *c, const void *l3)
{
	return c->end - l3;
}

/* Takes the IPv4 header with its options; @l4_len is what it says that it carries. */
static __always_inline enum shunt_verdict parse_ipv4(struct cursor *c, struct pkt *pkt,
						     __u32 *l4_len)
{
	const struct ipv4_head *ip = take(c, sizeof(*ip));
	__u32 header_len;

	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	header_len = (ip->version_ihl & 0xf) * 4;
	if (unlikely(ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip)))
		return SHUNT_DROP_BAD_IP;
	if (!take(c, header_len - sizeof(*ip)))
		return SHUNT_DROP_TRUNCATED;
	pkt->l3_len = bpf_ntohs(ip->len);
	if (unlikely(pkt->l3_len < header_len || pkt->l3_len > bytes_from(c, ip)))
		return SHUNT_DROP_BAD_IP;
	if (unlikely(ip->frag & bpf_htons(IPV4_FRAGMENT)))
		return SHUNT_PASS_FRAGMENT;
	pkt->is_v6 = 0;
	pkt->tos = ip->tos;
	pkt->l4_proto = ip->proto;
	pkt->saddr[0] = ip->saddr;
	pkt->daddr[0] = ip->daddr;
	*l4_len = pkt->l3_len - header_len;
	return SHUNT_GO_ON;
}

/* An extension header's length in bytes from its second byte; 0: not one that is followed. */
static __always_inline __u32 ext_header_len(__u8 proto, __u8 len)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case 139: /* host identity protocol */
	case 140: /* shim6 */
		return (len + 1) * 8;
	case IPPROTO_AH:
		return (len + 2) * 4;
	default:
		return 0;
	}
}

/* Follows the extension headers within the *@l4_len bytes behind the IPv6 header. */
static __always_inline enum shunt_verdict parse_ext_headers(struct cursor *c, struct pkt *pkt,
							    __u32 *l4_len)
{
	const struct {
		__u8 next, len, rest[6];
	} * ext;
	__u32 len;

	for (int i = 0; i <= EXT_HEADERS_MAX; i++) {
		if (pkt->l4_proto == IPPROTO_FRAGMENT)
			return SHUNT_PASS_FRAGMENT;
		if (!ext_header_len(pkt->l4_proto, 0))
			return SHUNT_GO_ON;
		if (i == EXT_HEADERS_MAX)
			break;
		ext = take(c, sizeof(*ext));
		if (!ext)
			return SHUNT_DROP_BAD_IP;
		len = ext_header_len(pkt->l4_proto, ext->len);
		if (len < sizeof(*ext) || len > *l4_len || !take(c, len - sizeof(*ext)))
			return SHUNT_DROP_BAD_IP;
		*l4_len -= len;
		pkt->l4_proto = ext->next;
	}
	return SHUNT_PASS_EXT_HEADERS;
}

/* Takes the IPv6 header with its extensions; @l4_len is what it says that it carries. */
static __always_inline enum shunt_verdict parse_ipv6(struct cursor *c, struct pkt *pkt,
						     __u32 *l4_len)
{
	const struct ipv6_head *ip = take(c, sizeof(*ip));
	const __u64 *daddr;
	__u32 first;

	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	first = bpf_ntohl(ip->version_class_label);
	*l4_len = bpf_ntohs(ip->payload_len);
	pkt->l3_len = sizeof(*ip) + *l4_len;
	if (unlikely(first >> 28 != 6 || pkt->l3_len > bytes_from(c, ip)))
		return SHUNT_DROP_BAD_IP;
	pkt->is_v6 = 1;
	pkt->tos = first >> 20;
	pkt->l4_proto = ip->next;
	pkt->saddr[0] = ip->saddr[0];
	pkt->saddr[1] = ip->saddr[1];
	pkt->saddr[2] = ip->saddr[2];
	pkt->saddr[3] = ip->saddr[3];
	daddr = (const void *)ip->daddr;
	pkt->daddr[0] = daddr[0];
	pkt->daddr[1] = daddr[1];
	if (likely(pkt->l4_proto == IPPROTO_TCP || pkt->l4_proto == IPPROTO_UDP))
		return SHUNT_GO_ON;
	return parse_ext_headers(c, pkt, l4_len);
}

static __always_inline enum shunt_verdict parse_tcp(struct cursor *c, struct pkt *pkt, __u32 l4_len)
{
	const struct tcp_head *tcp;
	__u32 header_len;

	if (unlikely(l4_len < sizeof(*tcp)))
		return SHUNT_DROP_BAD_L4;
	tcp = take(c, sizeof(*tcp));
	if (!tcp)
		return SHUNT_DROP_TRUNCATED;
	header_len = (tcp->offset >> 4) * 4;
	if (unlikely(header_len < sizeof(*tcp) || header_len > l4_len))
		return SHUNT_DROP_BAD_L4;
	pkt->ports = tcp->ports;
	pkt->is_syn = (tcp->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return SHUNT_GO_ON;
}

/* A UDP length below what IP carries is legal (RFC 768, RFC 9868). */
static __always_inline enum shunt_verdict parse_udp(struct cursor *c, struct pkt *pkt, __u32 l4_len)
{
	const struct udp_head *udp;
	__u32 len;

	if (unlikely(l4_len < sizeof(*udp)))
		return SHUNT_DROP_BAD_L4;
	udp = take(c, sizeof(*udp));
	if (!udp)
		return SHUNT_DROP_TRUNCATED;
	len = bpf_ntohs(udp->len);
	if (unlikely(len < sizeof(*udp) || len > l4_len))
		return SHUNT_DROP_BAD_L4;
	pkt->ports = udp->ports;
	pkt->is_syn = 0;
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict parse(const struct xdp_md *ctx, struct pkt *pkt)
{
	struct cursor c = cursor_at_start(ctx);
	enum shunt_verdict verdict;
	__u32 l4_len;
	__be16 type;

	verdict = parse_l2(&c, pkt, &type);
	if (verdict)
		return verdict;
	if (type == bpf_htons(ETH_P_IP))
		verdict = parse_ipv4(&c, pkt, &l4_len);
	else if (type == bpf_htons(ETH_P_IPV6))
		verdict = parse_ipv6(&c, pkt, &l4_len);
	else
		verdict = SHUNT_PASS_NOT_IP;
	if (verdict)
		return verdict;
	if (likely(pkt->l4_proto == IPPROTO_TCP))
		return parse_tcp(&c, pkt, l4_len);
	if (pkt->l4_proto == IPPROTO_UDP)
		return parse_udp(&c, pkt, l4_len);
	if (pkt->l4_proto == (pkt->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return SHUNT_PASS_ICMP;
	return SHUNT_PASS_NOT_TCP_UDP;
}

#endif
