/* SPDX-License-Identifier: GPL-2.0-only */
/* From bytes to struct pkt.  Trusts nothing and writes nothing.  What contradicts itself or the
 * frame is dropped, so that every length used later is true: l2_len + l3_len <= frame. */
#ifndef SHUNT_PARSE_H
#define SHUNT_PARSE_H

#include "pkt.h"

#define VLAN_TAGS_MAX 2
#define L2_LEN_MAX (sizeof(struct eth_head) + VLAN_TAGS_MAX * sizeof(struct vlan_tag))
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
	for (int i = 0; !WITHOUT(vlan_tags_in) && i < VLAN_TAGS_MAX && unlikely(is_vlan(*type));
	     i++) {
		tag = take(c, sizeof(*tag));
		if (!tag)
			return SHUNT_DROP_TRUNCATED;
		*type = tag->type;
	}
	pkt->l2_len = c->pos - (const void *)eth;
	return SHUNT_GO_ON;
}

/* The frame's bytes from @l3 on. */
static __always_inline __u32 bytes_from(const struct cursor *c, const void *l3)
{
	return c->end - l3;
}

/* Takes the IPv4 header with its options; @l4_len is what it says that it carries.  After
 * PASS_FRAGMENT all of that holds too. */
static __always_inline enum shunt_verdict parse_ipv4(struct cursor *c, struct pkt *pkt,
						     __u32 *l4_len)
{
	const struct ipv4_head *ip = take(c, sizeof(*ip));
	__u32 header_len = sizeof(*ip);

	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	if (unlikely(ip->version_ihl != 0x45) && !WITHOUT(ip_options)) {
		header_len = (ip->version_ihl & 0xf) * 4;
		if (ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip))
			return SHUNT_DROP_BAD_IP;
		if (!take(c, header_len - sizeof(*ip)))
			return SHUNT_DROP_TRUNCATED;
	}
	pkt->l3_len = bpf_ntohs(ip->len);
	if (unlikely(pkt->l3_len < header_len || pkt->l3_len > bytes_from(c, ip)))
		return SHUNT_DROP_BAD_IP;
	pkt->is_v6 = pkt->is_v6_word = 0;
	pkt->tos = ip->tos;
	pkt->ttl = ip->ttl;
	pkt->l4_proto = ip->proto;
	pkt->saddr[0] = ip->saddr;
	pkt->daddr[0] = ip->daddr;
	*l4_len = pkt->l3_len - header_len;
	return unlikely(ip->frag & bpf_htons(IPV4_FRAGMENT)) ? SHUNT_PASS_FRAGMENT : SHUNT_GO_ON;
}

/* An extension header's length in bytes from its second byte; 0: not one that is followed. */
static __always_inline __u32 ext_header_len(__u8 proto, __u8 len)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
		return (len + 1) * 8;
	case IPPROTO_AH:
		return (len + 2) * 4;
	default:
		return 0;
	}
}

/* What parse_ext_headers() found, in one scalar. */
#define EXT_PROTO(r) ((__u8)(r)) /* what follows the last one */
#define EXT_VERDICT(r) ((r) >> 8 & 0xff) /* SHUNT_GO_ON, or the packet's end */
#define EXT_LEN(r) ((r) >> 16 & 0x3fff) /* bytes of all of them */
#define EXT_RESULT(proto, verdict, len) ((proto) | (verdict) << 8 | (len) << 16)
_Static_assert(EXT_HEADERS_MAX * 256 * 8 <= 0x3fff, "all extension headers' length fits");
#define EXT_AT_MAX 0x7fff

/* Follows the extension headers @at bytes into the frame, of which the first is a @proto, within
 * @left bytes.  Ends with PASS_FRAGMENT at a fragment header, which is not counted into EXT_LEN.  A
 * global function, so that the verifier checks it once, on its own. */
__noinline __u32 parse_ext_headers(struct xdp_md *ctx, __u32 at, __u32 proto, __u32 left)
{
	struct cursor c = cursor_at_start(ctx);
	__u32 len, all = 0;
	const __u8 *ext;

	if (at > EXT_AT_MAX || !take(&c, at))
		return EXT_RESULT(0, SHUNT_DROP_TRUNCATED, 0);
	for (int i = 0; i <= EXT_HEADERS_MAX; i++) {
		if (proto == IPPROTO_FRAGMENT)
			return EXT_RESULT(proto, SHUNT_PASS_FRAGMENT, all);
		if (!ext_header_len(proto, 0))
			return EXT_RESULT(proto, SHUNT_GO_ON, all);
		if (i == EXT_HEADERS_MAX)
			return EXT_RESULT(proto, SHUNT_PASS_EXT_HEADERS, 0);
		ext = take(&c, 8);
		if (!ext)
			break;
		len = ext_header_len(proto, ext[1]);
		if (len < 8 || len > left || !take(&c, len - 8))
			break;
		all += len;
		left -= len;
		proto = ext[0];
	}
	return EXT_RESULT(proto, SHUNT_DROP_BAD_IP, 0);
}

/* Takes the IPv6 header with its extensions; @l4_len is what it says that it carries.  After
 * PASS_FRAGMENT all of that holds too, and the fragment header is next. */
static __always_inline enum shunt_verdict parse_ipv6(struct xdp_md *ctx, struct cursor *c,
						     struct pkt *pkt, __u32 *l4_len)
{
	const struct ipv6_head *ip = take(c, sizeof(*ip));
	const __u64 *daddr;
	__u32 first, ext;

	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	first = bpf_ntohl(ip->version_class_label);
	*l4_len = bpf_ntohs(ip->payload_len);
	pkt->l3_len = sizeof(*ip) + *l4_len;
	if (unlikely(first >> 28 != 6 || pkt->l3_len > bytes_from(c, ip)))
		return SHUNT_DROP_BAD_IP;
	pkt->is_v6 = pkt->is_v6_word = 1;
	pkt->tos = first >> 20;
	pkt->ttl = ip->hop_limit;
	pkt->l4_proto = ip->next;
	for (int i = 0; i < 4; i++)
		pkt->saddr[i] = ip->saddr[i];
	daddr = (const void *)ip->daddr;
	pkt->daddr[0] = daddr[0];
	pkt->daddr[1] = daddr[1];
	if (likely(pkt->l4_proto == IPPROTO_TCP || pkt->l4_proto == IPPROTO_UDP))
		return SHUNT_GO_ON;
	ext = parse_ext_headers(ctx, pkt->l2_len + sizeof(*ip), pkt->l4_proto, *l4_len);
	pkt->l4_proto = EXT_PROTO(ext);
	*l4_len -= EXT_LEN(ext);
	c->pos += EXT_LEN(ext);
	return EXT_VERDICT(ext);
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
	pkt->ports_seq = *(const __u64 *)tcp;
	pkt->tcp_flags = tcp->flags;
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
	pkt->ports_seq = *(const __u64 *)udp;
	pkt->tcp_flags = 0;
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict parse(struct xdp_md *ctx, struct pkt *pkt)
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
	else if (type == bpf_htons(ETH_P_IPV6) && !WITHOUT(ipv6))
		verdict = parse_ipv6(ctx, &c, pkt, &l4_len);
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
