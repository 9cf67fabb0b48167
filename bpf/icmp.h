/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP and ICMPv6.  An error that quotes a packet of a service's flow goes to the backend that has
 * the flow; an echo request to an address with a live backend is answered; all else is the stack's. */
#ifndef SHUNT_ICMP_H
#define SHUNT_ICMP_H

#include "csum.h"
#include "gue.h"
#include "icmp_tunnel.h"
#include "maps.h"
#include "parse.h"
#include "rare.h"

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_QUENCH 4
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER 12
#define ICMP_FRAG_NEEDED 4 /* code of ICMP_UNREACHABLE */
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PARAMETER 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

#define QUOTE_MIN 8 /* bytes of TCP or UDP that an error must quote */
#define ANSWER_TTL 64

static __always_inline int icmp_is_error(const struct pkt *pkt, __u8 type)
{
	if (pkt->is_v6)
		return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER;
	return type == ICMP_UNREACHABLE || type == ICMP_QUENCH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETER;
}

/* Whether it says that something cannot be reached: not that it is too big. */
static __always_inline int icmp_is_unreachable(const struct pkt *pkt, const struct icmp_head *icmp)
{
	if (pkt->is_v6)
		return icmp->type == ICMP6_UNREACHABLE;
	return icmp->type == ICMP_UNREACHABLE && icmp->code != ICMP_FRAG_NEEDED;
}

/* ---- whom may be answered ----------------------------------------------------------------------
 * RFC 1122 section 3.2.2, RFC 4443 section 2.4: nobody who is not one host, and nothing that came as a
 * broadcast.  An address that is its own sender would answer itself. */

static __always_inline int answerable4(__be32 saddr, __be32 daddr)
{
	__u8 first = saddr; /* the lowest byte is the first on the wire */

	return first && first != 127 && first < 224 && saddr != daddr;
}

static __always_inline int answerable6(const __be32 *saddr, const __u64 *daddr)
{
	__u64 a = saddr[0] | (__u64)saddr[1] << 32, b = saddr[2] | (__u64)saddr[3] << 32;

	if (!a) /* unspecified, loopback, IPv4 in disguise */
		return 0;
	return (__u8)a != 0xff && (a != daddr[0] || b != daddr[1]);
}

static __always_inline int answerable(const struct xdp_md *ctx, const struct pkt *pkt)
{
	struct cursor c = cursor_at_start(ctx);
	const struct eth_head *eth = take(&c, sizeof(*eth));

	if (!eth || eth->mac[0] & bpf_htons(0x0100))
		return 0;
	return pkt->is_v6 ? answerable6(pkt->saddr, pkt->daddr)
			  : answerable4(pkt->saddr[0], pkt->daddr[0]);
}

/* ---- echo --------------------------------------------------------------------------------------*/

/* The sum of ICMPv6's pseudo header (RFC 8200 section 8.1). */
static __always_inline __u32 pseudo_sum(const struct pkt *pkt, __u32 len)
{
	__u64 sum = bpf_htons(len) + bpf_htons(IPPROTO_ICMPV6);

	for (int i = 0; i < 4; i++)
		sum += pkt->saddr[i];
	for (int i = 0; i < 2; i++)
		sum += (pkt->daddr[i] & 0xffffffff) + (pkt->daddr[i] >> 32);
	return csum_add_up(sum);
}

/* Whether the message of @len bytes at @at has a right checksum. */
static __always_inline int icmp_is_whole(struct xdp_md *ctx, const struct pkt *pkt, __u32 at,
					 __u32 len)
{
	__u32 sum = packet_sum_all(ctx, at, len, 0);

	if (sum == SUM_UNKNOWN)
		return 0;
	return csum_fold(sum + (pkt->is_v6 ? pseudo_sum(pkt, len) : 0)) == 0;
}

/* Turns a checksum field's words from @was to @is (RFC 1624, equation 3). */
static __always_inline __be16 csum_replace(__be16 csum, __be16 was, __be16 is)
{
	return csum_fold((__u16)~csum + (__u16)~was + is);
}

static __always_inline void swap_macs(struct eth_head *eth)
{
	__be16 mac;

	for (int i = 0; i < 3; i++) {
		mac = eth->mac[i];
		eth->mac[i] = eth->mac[i + 3];
		eth->mac[i + 3] = mac;
	}
}

static __always_inline enum shunt_verdict echo_ipv4(struct cursor *c)
{
	struct ipv4_head *ip = take(c, sizeof(*ip));
	struct icmp_head *icmp;
	__be16 was, is;
	__be32 addr;

	if (!ip)
		return SHUNT_PASS_ICMP;
	icmp = take(c, sizeof(*icmp));
	if (!icmp)
		return SHUNT_PASS_ICMP;
	was = *(__be16 *)&ip->ttl;
	ip->ttl = ANSWER_TTL;
	is = *(__be16 *)&ip->ttl;
	ip->csum = csum_replace(ip->csum, was, is);
	addr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	icmp->type = ICMP_ECHO_REPLY;
	icmp->csum = csum_replace(icmp->csum, bpf_htons(ICMP_ECHO << 8), 0);
	return SHUNT_REPLY_ECHO;
}

static __always_inline enum shunt_verdict echo_ipv6(struct cursor *c)
{
	struct ipv6_head *ip = take(c, sizeof(*ip));
	struct icmp_head *icmp;
	__be32 addr;

	if (!ip)
		return SHUNT_PASS_ICMP;
	icmp = take(c, sizeof(*icmp));
	if (!icmp)
		return SHUNT_PASS_ICMP;
	ip->hop_limit = ANSWER_TTL;
	for (int i = 0; i < 4; i++) {
		addr = ip->saddr[i];
		ip->saddr[i] = ip->daddr[i];
		ip->daddr[i] = addr;
	}
	icmp->type = ICMP6_ECHO_REPLY;
	icmp->csum = csum_replace(icmp->csum, bpf_htons(ICMP6_ECHO << 8),
				  bpf_htons(ICMP6_ECHO_REPLY << 8));
	return SHUNT_REPLY_ECHO;
}

/* Makes the request, whose ICMP header is @at, its own answer: everything but type, TTL and ways stays
 * as it is.  Packets with options or extension headers, and those too long to read, are the stack's. */
static __always_inline enum shunt_verdict echo_answer(struct xdp_md *ctx, const struct pkt *pkt,
						      __u32 at)
{
	__u32 head = pkt->is_v6 ? sizeof(struct ipv6_head) : sizeof(struct ipv4_head);
	struct eth_head *eth;
	struct cursor c;

	if (at != pkt->l2_len + head || !answerable(ctx, pkt) ||
	    !icmp_is_whole(ctx, pkt, at, pkt->l3_len - head))
		return SHUNT_PASS_ICMP;
	c = cursor_at_start(ctx);
	eth = take(&c, sizeof(*eth));
	if (!eth)
		return SHUNT_PASS_ICMP;
	swap_macs(eth);
	if (cursor_at(ctx, pkt->l2_len, &c))
		return SHUNT_PASS_ICMP;
	return pkt->is_v6 ? echo_ipv6(&c) : echo_ipv4(&c);
}

/* ---- errors ------------------------------------------------------------------------------------*/

/* Reads the IPv4 header quoted @at bytes into the frame; it must be of a packet that the address of
 * @pkt has sent.  @left: the bytes that are quoted.  Returns where the ports are; 0: unfit. */
static __always_inline __u32 quote_ipv4(struct xdp_md *ctx, struct pkt *pkt, __u32 at, __u32 left)
{
	const struct ipv4_head *ip;
	__u32 header_len;
	struct cursor c;

	if (cursor_at(ctx, at, &c))
		return 0;
	ip = take(&c, sizeof(*ip));
	if (!ip || ip->version_ihl >> 4 != 4 || ip->saddr != (__u32)pkt->daddr[0] ||
	    ip->frag & bpf_htons(IPV4_OFFSET))
		return 0;
	header_len = (ip->version_ihl & 0xf) * 4;
	if (header_len < sizeof(*ip) || left < header_len + QUOTE_MIN)
		return 0;
	pkt->saddr[0] = ip->daddr;
	pkt->l4_proto = ip->proto;
	return at + header_len;
}

/* Steps over a fragment header, that of the first fragment. */
static __always_inline __u32 quote_fragment(struct xdp_md *ctx, struct pkt *pkt, __u32 at)
{
	const struct frag_head *head;
	struct cursor c;

	if (cursor_at(ctx, at, &c))
		return 0;
	head = take(&c, sizeof(*head));
	if (!head || head->offset & bpf_htons(IPV6_OFFSET))
		return 0;
	pkt->l4_proto = head->next;
	return at + sizeof(*head);
}

static __always_inline __u32 quote_ipv6(struct xdp_md *ctx, struct pkt *pkt, __u32 at, __u32 left)
{
	const struct ipv6_head *ip;
	const __u64 *saddr;
	struct cursor c;
	__u32 ext;

	if (cursor_at(ctx, at, &c))
		return 0;
	ip = take(&c, sizeof(*ip));
	if (!ip || left < sizeof(*ip) || (*(const __u8 *)ip) >> 4 != 6)
		return 0;
	saddr = (const void *)ip->saddr;
	if (saddr[0] != pkt->daddr[0] || saddr[1] != pkt->daddr[1])
		return 0;
	for (int i = 0; i < 4; i++)
		pkt->saddr[i] = ip->daddr[i];
	at += sizeof(*ip);
	left -= sizeof(*ip);
	ext = parse_ext_headers(ctx, at, ip->next, left);
	pkt->l4_proto = EXT_PROTO(ext);
	at += EXT_LEN(ext);
	left -= EXT_LEN(ext);
	if (EXT_VERDICT(ext) != SHUNT_PASS_FRAGMENT)
		return EXT_VERDICT(ext) || left < QUOTE_MIN ? 0 : at;
	return left < sizeof(struct frag_head) + QUOTE_MIN ? 0 : quote_fragment(ctx, pkt, at);
}

/* Makes @pkt's addresses and ports those of the flow: the other way round than in the packet quoted
 * @at, which the backend had sent. */
static __always_inline int quote_flow(struct xdp_md *ctx, struct pkt *pkt, __u32 at)
{
	__u32 left = pkt->l2_len + pkt->l3_len - at;
	const __u32 *ports;
	struct cursor c;

	at = pkt->is_v6 ? quote_ipv6(ctx, pkt, at, left) : quote_ipv4(ctx, pkt, at, left);
	if (!at || cursor_at(ctx, at, &c))
		return -1;
	ports = take(&c, sizeof(*ports));
	if (!ports || (pkt->l4_proto != IPPROTO_TCP && pkt->l4_proto != IPPROTO_UDP))
		return -1;
	pkt->ports = *ports >> 16 | *ports << 16;
	pkt->tcp_flags = 0;
	return 0;
}

/* Goes to the backend that has the flow about which it is, if it is about one. */
static __always_inline enum shunt_verdict icmp_error(struct xdp_md *ctx, struct pkt *pkt, __u32 at)
{
	enum shunt_verdict verdict;

	if (pkt->is_v6 ? is_martian6(pkt) : is_martian4(pkt))
		return SHUNT_DROP_BAD_SOURCE;
	if (quote_flow(ctx, pkt, at))
		return SHUNT_PASS_ICMP;
	verdict = rare_backend(pkt, 1);
	if (verdict)
		return verdict == SHUNT_PASS_NOT_VIP ? SHUNT_PASS_ICMP : verdict;
	return rare_forward(ctx, pkt);
}

/* ---- both --------------------------------------------------------------------------------------*/

/* A message to an address without services, whose ICMP header is @at. */
static __always_inline enum shunt_verdict icmp_elsewhere(struct xdp_md *ctx, struct pkt *pkt,
							 __u32 at)
{
	const struct icmp_head *icmp;
	struct cursor c;

	if (!settings.passive || cursor_at(ctx, at, &c))
		return SHUNT_PASS_ICMP;
	icmp = take(&c, sizeof(*icmp));
	if (icmp && icmp_is_unreachable(pkt, icmp))
		icmp_tunnel(ctx, pkt, at + sizeof(*icmp));
	return SHUNT_PASS_ICMP;
}

static __always_inline enum shunt_verdict icmp_steer(struct xdp_md *ctx, struct pkt *pkt)
{
	const struct icmp_head *head;
	__u32 found, at, vip;
	struct cursor c;
	__u8 type;

	pkt_clear(pkt);
	found = rare_parse(ctx, pkt);
	at = RARE_FOUND(found);
	if (RARE_VERDICT(found))
		return RARE_VERDICT(found);
	vip = rare_vip(pkt);
	if (RARE_VERDICT(vip))
		return RARE_VERDICT(vip) == SHUNT_PASS_NOT_VIP ? icmp_elsewhere(ctx, pkt, at)
							       : RARE_VERDICT(vip);
	if (cursor_at(ctx, at, &c))
		return SHUNT_PASS_ICMP;
	head = take(&c, sizeof(*head));
	if (!head || pkt->l2_len + pkt->l3_len < at + sizeof(*head))
		return SHUNT_PASS_ICMP;
	type = head->type;
	if (type == (pkt->is_v6 ? ICMP6_ECHO : ICMP_ECHO) && !head->code)
		return RARE_FOUND(vip) & SHUNT_VIP_LIVE ? echo_answer(ctx, pkt, at)
							: SHUNT_PASS_ICMP;
	return icmp_is_error(pkt, type) ? icmp_error(ctx, pkt, at + sizeof(*head))
					: SHUNT_PASS_ICMP;
}

#endif
