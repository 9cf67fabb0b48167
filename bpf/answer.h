/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes of a packet the ICMP or ICMPv6 error that answers it, in the name of the service's address,
 * so many a second and no more. */
#ifndef SHUNT_ANSWER_H
#define SHUNT_ANSWER_H

#include "csum.h"
#include "gue.h"
#include "icmp.h"
#include "maps.h"
#include "parse.h"

#define ANSWER_TOS 0xc0 /* network control, as routers mark errors (RFC 1812 section 4.3.2.5) */
#define IPV6_LONGER (sizeof(struct ipv6_head) - sizeof(struct ipv4_head))
#define ANSWER4_MAX 576 /* bytes: RFC 1812 section 4.3.2.3 */
#define ANSWER6_MAX 1280 /* RFC 4443 section 2.4 */

/* An error on its way out. */
struct answer {
	__u8 l2[L2_LEN_MAX]; /* Ethernet header and tags as they came */
	__u32 quote_len; /* bytes of the packet that are quoted */
	__u8 type, code, type6; /* for IPv6, where the code is 0 */
	__be32 rest; /* the last four bytes of the ICMP header */
	__u32 row; /* of the backend whose path is too narrow; 0: that is not why */
	__u32 ifindex; /* behind which the client's path is that is too narrow; 0: that is not why */
};

/* Takes a token; 0 when there is none. */
static __always_inline int answer_allowed(struct shunt_answer *a)
{
	__u64 now = bpf_jiffies64(), most = (__u64)a->rate * settings.hz;
	__u64 credit = a->credit + (now - a->refilled) * a->rate;

	if (credit > most)
		credit = most;
	a->refilled = now;
	a->credit = credit < settings.hz ? credit : credit - settings.hz;
	return credit >= settings.hz;
}

/* Cuts the frame behind what is quoted, keeps its layer 2 in @a, and makes room in front for
 * @heads bytes more. */
static __always_inline int answer_room(struct xdp_md *ctx, const struct pkt *pkt, struct answer *a,
				       __u32 heads)
{
	__u32 frame_len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	struct cursor c = cursor_at_start(ctx);
	const __u8 *l2 = take(&c, L2_LEN_MAX);

	barrier_var(
		frame_len); /* or clang subtracts the pointers the other way round, in 32 bits */
	if (!l2)
		return -1;
	__builtin_memcpy(a->l2, l2, L2_LEN_MAX);
	return bpf_xdp_adjust_tail(ctx, (int)(pkt->l2_len + a->quote_len - frame_len)) ||
	       bpf_xdp_adjust_head(ctx, -(int)heads);
}

/* Writes the kept layer 2 back, the other way. */
static __always_inline int answer_l2(struct cursor *c, const struct pkt *pkt,
				     const struct answer *a)
{
	struct eth_head *eth = take(c, sizeof(*eth));
	struct vlan_tag *tag;

	if (!eth)
		return -1;
	__builtin_memcpy(eth, a->l2, sizeof(*eth));
	swap_macs(eth);
	for (__u32 i = 0; i < VLAN_TAGS_MAX; i++) {
		if (sizeof(*eth) + i * sizeof(*tag) >= pkt->l2_len)
			break;
		tag = take(c, sizeof(*tag));
		if (!tag)
			return -1;
		__builtin_memcpy(tag, a->l2 + sizeof(*eth) + i * sizeof(*tag), sizeof(*tag));
	}
	return 0;
}

/* The checksum of the message with the sum of its quote and of its pseudo header. */
static __always_inline __be16 answer_csum(const struct answer *a, __u32 quote, __u32 pseudo)
{
	return csum_fold(quote + pseudo + bpf_htons(a->type << 8 | a->code) + (a->rest & 0xffff) +
			 (a->rest >> 16));
}

static __always_inline int answer_ipv4(struct xdp_md *ctx, const struct pkt *pkt, struct answer *a)
{
	__u32 heads = sizeof(struct ipv4_head) + sizeof(struct icmp_head);
	__u32 vip = pkt->daddr[0], words;
	struct ipv4_head *ip;
	struct icmp_head *icmp;
	struct cursor c;
	__u32 quote;
	__be16 len;

	a->quote_len = pkt->l3_len < ANSWER4_MAX - heads ? pkt->l3_len : ANSWER4_MAX - heads;
	if (answer_room(ctx, pkt, a, heads))
		return -1;
	quote = packet_sum_all(ctx, pkt->l2_len + heads, a->quote_len, 0);
	len = bpf_htons(heads + a->quote_len);
	c = cursor_at_start(ctx);
	if (quote == SUM_UNKNOWN || answer_l2(&c, pkt, a))
		return -1;
	ip = take(&c, sizeof(*ip));
	if (!ip)
		return -1;
	icmp = take(&c, sizeof(*icmp));
	if (!icmp)
		return -1;
	words = bpf_htons(0x4500 | ANSWER_TOS) + len + bpf_htons(IPV4_DONT_FRAGMENT) +
		bpf_htons(ANSWER_TTL << 8 | IPPROTO_ICMP) + (vip & 0xffff) + (vip >> 16) +
		(pkt->saddr[0] & 0xffff) + (pkt->saddr[0] >> 16);
	*ip = (struct ipv4_head){
		.version_ihl = 0x45,
		.tos = ANSWER_TOS,
		.len = len,
		.id = 0,
		.frag = bpf_htons(IPV4_DONT_FRAGMENT),
		.ttl = ANSWER_TTL,
		.proto = IPPROTO_ICMP,
		.csum = csum_fold(words),
		.saddr = vip,
		.daddr = pkt->saddr[0],
	};
	*icmp = (struct icmp_head){a->type, a->code, answer_csum(a, quote, 0), a->rest};
	return 0;
}

static __always_inline int answer_ipv6(struct xdp_md *ctx, const struct pkt *pkt, struct answer *a)
{
	__u32 heads = sizeof(struct ipv6_head) + sizeof(struct icmp_head), len;
	struct ipv6_head *ip;
	struct icmp_head *icmp;
	struct cursor c;
	__u32 quote;

	a->quote_len = pkt->l3_len < ANSWER6_MAX - heads ? pkt->l3_len : ANSWER6_MAX - heads;
	len = sizeof(*icmp) + a->quote_len;
	if (answer_room(ctx, pkt, a, heads))
		return -1;
	quote = packet_sum_all(ctx, pkt->l2_len + heads, a->quote_len, 0);
	c = cursor_at_start(ctx);
	if (quote == SUM_UNKNOWN || answer_l2(&c, pkt, a))
		return -1;
	ip = take(&c, sizeof(*ip));
	if (!ip)
		return -1;
	icmp = take(&c, sizeof(*icmp));
	if (!icmp)
		return -1;
	*ip = (struct ipv6_head){
		.version_class_label = bpf_htonl(6u << 28 | ANSWER_TOS << 20),
		.payload_len = bpf_htons(len),
		.next = IPPROTO_ICMPV6,
		.hop_limit = ANSWER_TTL,
		.saddr = {pkt->daddr[0], pkt->daddr[0] >> 32, pkt->daddr[1], pkt->daddr[1] >> 32},
		.daddr = {pkt->saddr[0], pkt->saddr[1], pkt->saddr[2], pkt->saddr[3]},
	};
	*icmp = (struct icmp_head){a->type, a->code, answer_csum(a, quote, pseudo_sum(pkt, len)),
				   a->rest};
	return 0;
}

/* What an IPv6 header is longer by than the IPv4 header of a packet, or of one in pieces. */
static __always_inline __u32 answer_longer(int in_pieces)
{
	return IPV6_LONGER + (in_pieces ? sizeof(struct frag_head) : 0);
}

/* What the path to the backend takes of a packet as it came, of that family; 0: not known.  A header of
 * the other family is longer or shorter (RFC 7915 sections 4.2 and 5.2). */
static __always_inline __u32 answer_mtu(__u32 row, int is_v6, int in_pieces)
{
	const struct shunt_backend *be = backend_at(row);
	__u32 front, mtu;

	if (!be)
		return 0;
	front = tunnel_len(be);
	mtu = be->mtu;
	if (be->method == SHUNT_NAT && !(be->flags & SHUNT_BE_ADDR6) != !is_v6) {
		front = is_v6 ? 0 : answer_longer(in_pieces);
		mtu += is_v6 ? IPV6_LONGER : 0;
	}
	return mtu > front ? mtu - front : 0;
}

/* What the way to a client of IPv6 takes of an IPv4 backend's packet as it came; 0: not known.  Only what
 * grows is too big for it. */
static __always_inline __u32 answer_mtu_back(struct xdp_md *ctx, __u32 ifindex, int in_pieces)
{
	__u32 mtu = link_mtu(ctx, ifindex);

	return mtu > answer_longer(in_pieces) ? mtu - answer_longer(in_pieces) : 0;
}

/* Makes the frame the error @a about the packet in it; -1 when nobody may be told, or not now. */
static __always_inline int answer(struct xdp_md *ctx, struct pkt *pkt, struct answer *a)
{
	__u32 cpu = bpf_get_smp_processor_id(), verdict;
	struct shunt_answer *allow = bpf_map_lookup_elem(&answers, &cpu);

	pkt_clear(pkt);
	verdict = RARE_VERDICT(rare_parse(ctx, pkt));
	if (verdict && verdict != SHUNT_PASS_FRAGMENT)
		return -1;
	if (a->row || a->ifindex) {
		a->rest = bpf_htonl(a->row ? answer_mtu(a->row, pkt->is_v6, !!verdict)
					   : answer_mtu_back(ctx, a->ifindex, !!verdict));
		if (!a->rest)
			return -1;
	}
	if (!allow || !answerable(ctx, pkt) || !answer_allowed(allow))
		return -1;
	if (!pkt->is_v6)
		return answer_ipv4(ctx, pkt, a);
	a->type = a->type6;
	a->code = 0;
	return answer_ipv6(ctx, pkt, a);
}

/* A packet whose way has ended with @verdict, and whose frame is as it came: tells the sender why, if
 * it is one of the reasons that senders are told.  Returns the verdict that it has then.  Not for ICMP
 * errors, nor for any but the first fragment (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
 *
 * IPv4 packets that any router might have cut are answered too: nothing here can cut them, and common
 * stacks send smaller pieces when told so. */
static __always_inline enum shunt_verdict answer_sender(struct xdp_md *ctx, struct pkt *pkt,
							enum shunt_verdict verdict)
{
	struct answer a = {
		.type = ICMP_TIME_EXCEEDED, .code = 0, .type6 = ICMP6_TIME_EXCEEDED, .rest = 0};

	if (verdict == SHUNT_DROP_TTL)
		return answer(ctx, pkt, &a) ? verdict : SHUNT_REPLY_TTL;
	if (verdict != SHUNT_DROP_TOO_BIG)
		return verdict;
	a.row = pkt->row;
	a.ifindex = a.row ? 0 : pkt->egress; /* as nat_reply() has left it */
	if (!a.row && !a.ifindex)
		return verdict;
	a.type = ICMP_UNREACHABLE;
	a.code = ICMP_FRAG_NEEDED;
	a.type6 = ICMP6_TOO_BIG;
	return answer(ctx, pkt, &a) ? verdict : SHUNT_REPLY_TOO_BIG;
}

#endif
