/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the frame what its backend's row says: the only writer of packet bytes, with encap.h.  The
 * layer-2 header is always written anew, so tags that came with the frame are gone and those of the
 * way out are there. */
#ifndef SHUNT_FWD_H
#define SHUNT_FWD_H

#include "encap.h"
#include "gue.h"
#include "pkt.h"

/* Ethernet pads short packets; that stays.  A longer tail is nobody's, and could make the frame too
 * long for the way out, so it goes. */
static __always_inline int trim(struct xdp_md *ctx, const struct pkt *pkt)
{
	__u32 frame_len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	__u32 tail = frame_len - pkt->l2_len - pkt->l3_len;

	if (likely(!tail || frame_len <= ETH_ZLEN) || WITHOUT(trimming))
		return 0;
	return bpf_xdp_adjust_tail(ctx, -(int)tail);
}

/* Destination and source as two words: by bytes or halves it costs three times as much. */
static __always_inline void write_macs(struct eth_head *eth, const struct shunt_backend *be)
{
	const __u8 *from = be->dmac;
	__u8 *to = (__u8 *)eth->mac;

	*(__u64 *)to = *(const __u64 *)from;
	*(__u32 *)(to + 8) = *(const __u32 *)(from + 8);
}

/* Writes the Ethernet header and the row's tags, of which @type is the last type. */
static __always_inline enum shunt_verdict write_l2(struct cursor *c, const struct shunt_backend *be,
						   __be16 type)
{
	struct eth_head *eth = take(c, sizeof(*eth));
	struct vlan_tag *tag;

	if (!eth)
		return SHUNT_DROP_NO_HEADROOM;
	write_macs(eth, be);
	if (likely(!be->tags) || WITHOUT(vlan_tags_out)) {
		eth->type = type;
		return SHUNT_GO_ON;
	}
	eth->type = be->tags == 1 ? bpf_htons(ETH_P_8021Q) : bpf_htons(ETH_P_8021AD);
	tag = take(c, sizeof(*tag));
	if (!tag)
		return SHUNT_DROP_NO_HEADROOM;
	if (be->tags == 1) {
		*tag = (struct vlan_tag){be->vlan_tci[0], type};
		return SHUNT_GO_ON;
	}
	*tag = (struct vlan_tag){be->vlan_tci[0], bpf_htons(ETH_P_8021Q)};
	tag = take(c, sizeof(*tag));
	if (!tag)
		return SHUNT_DROP_NO_HEADROOM;
	*tag = (struct vlan_tag){be->vlan_tci[1], type};
	return SHUNT_GO_ON;
}

/* Makes room in front for the row's layer 2 and @outer_len bytes of tunnel header. */
static __always_inline enum shunt_verdict make_room(struct xdp_md *ctx, const struct pkt *pkt,
						    const struct shunt_backend *be, __u32 outer_len)
{
	int grow = sizeof(struct eth_head) + be->tags * sizeof(struct vlan_tag) + outer_len -
		   pkt->l2_len;

	if (unlikely(trim(ctx, pkt)))
		return SHUNT_DROP_BAD_IP;
	if (grow && bpf_xdp_adjust_head(ctx, -grow))
		return SHUNT_DROP_NO_HEADROOM;
	return SHUNT_GO_ON;
}

/* Whether the packet may go on, and with @outer_len bytes in front: a router's questions (RFC 1812
 * section 5.3.1), which every method but local asks, so that a loop between balancers ends. */
static __always_inline enum shunt_verdict may_go_on(const struct pkt *pkt,
						    const struct shunt_backend *be, __u32 outer_len)
{
	if (unlikely(pkt->ttl <= 1) && !WITHOUT(hop))
		return SHUNT_DROP_TTL;
	if (unlikely(pkt->l3_len + outer_len > be->mtu) && !WITHOUT(mtu))
		return SHUNT_DROP_TOO_BIG;
	return SHUNT_GO_ON;
}

/* TTL, protocol and checksum in memory order as one word: the TTL loses one, and the checksum gains
 * what its word's first byte loses (RFC 1624), with a carry around its end. */
#define HOP_WORD (0x10000u - 1)
#define HOP_WORD_CARRIES 0xfffe0000u

/* One hop less for the packet itself, at the cursor (RFC 2003 section 3.1, RFC 2473 section 3.1). */
static __always_inline enum shunt_verdict take_hop(struct cursor *c, const struct pkt *pkt)
{
	struct ipv4_head *ip4;
	struct ipv6_head *ip6;
	__u32 word;

	if (WITHOUT(hop))
		return SHUNT_GO_ON;
	if (pkt->is_v6) {
		ip6 = take(c, sizeof(*ip6));
		if (!ip6)
			return SHUNT_DROP_NO_HEADROOM;
		ip6->hop_limit = pkt->ttl - 1;
		return SHUNT_GO_ON;
	}
	ip4 = take(c, sizeof(*ip4));
	if (!ip4)
		return SHUNT_DROP_NO_HEADROOM;
	word = *(__u32 *)&ip4->ttl;
	*(__u32 *)&ip4->ttl = word + HOP_WORD + (word >= HOP_WORD_CARRIES ? 0x10000 : 0);
	return SHUNT_GO_ON;
}

/* The IP packet's place in the frame as it will be, for which make_room() has been asked.  Written from
 * behind, layer 2 last, a frame with tags is not another way for the verifier to follow. */
static __always_inline int at_l3(struct cursor *c, const struct shunt_backend *be)
{
	barrier_var(c->pos); /* or clang leaves out the check of layer 2, which this one contains */
	return take(c, sizeof(struct eth_head) + (be->tags & 3) * sizeof(struct vlan_tag)) != NULL;
}

static __always_inline enum shunt_verdict forward_dsr(struct xdp_md *ctx, const struct pkt *pkt,
						      const struct shunt_backend *be)
{
	enum shunt_verdict verdict = may_go_on(pkt, be, 0);
	struct cursor c, l3;

	if (verdict)
		return verdict;
	verdict = make_room(ctx, pkt, be, 0);
	if (verdict)
		return verdict;
	l3 = c = cursor_at_start(ctx);
	if (!at_l3(&l3, be) || take_hop(&l3, pkt))
		return SHUNT_DROP_NO_HEADROOM;
	verdict = write_l2(&c, be, pkt->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	return verdict ? verdict : SHUNT_FORWARD_DSR;
}

static __always_inline enum shunt_verdict write_gue(struct cursor *c, const struct pkt *pkt,
						    __u16 csum)
{
	struct gue_head *gue = take(c, sizeof(*gue));
	enum shunt_verdict verdict;

	if (!gue)
		return SHUNT_DROP_NO_HEADROOM;
	shim_gue(gue, pkt, csum);
	verdict = take_hop(c, pkt);
	return verdict ? verdict : SHUNT_FORWARD_GUE;
}

static __always_inline enum shunt_verdict write_gre(struct cursor *c, const struct pkt *pkt)
{
	struct gre_head *gre = take(c, sizeof(*gre));
	enum shunt_verdict verdict;

	if (!gre)
		return SHUNT_DROP_NO_HEADROOM;
	shim_gre(gre, pkt);
	verdict = take_hop(c, pkt);
	return verdict ? verdict : SHUNT_FORWARD_GRE;
}

/* What is behind the outer IP header. */
static __always_inline enum shunt_verdict write_rest(struct cursor *c, const struct pkt *pkt,
						     const struct shunt_backend *be, __u16 csum)
{
	enum shunt_verdict verdict;

	if (unlikely(be->method != SHUNT_IPIP) && !WITHOUT(gue_and_gre))
		return be->method == SHUNT_GUE ? write_gue(c, pkt, csum) : write_gre(c, pkt);
	verdict = take_hop(c, pkt);
	return verdict ? verdict : SHUNT_FORWARD_IPIP;
}

static __always_inline enum shunt_verdict forward_over4(struct xdp_md *ctx, const struct pkt *pkt,
							const struct shunt_backend *be)
{
	__u32 len = sizeof(struct ipv4_head) + shim_len(be);
	enum shunt_verdict verdict = may_go_on(pkt, be, len), done;
	struct ipv4_head *outer;
	struct cursor c, l3;

	if (verdict)
		return verdict;
	verdict = make_room(ctx, pkt, be, len);
	if (verdict)
		return verdict;
	l3 = c = cursor_at_start(ctx);
	if (!at_l3(&l3, be))
		return SHUNT_DROP_NO_HEADROOM;
	outer = take(&l3, sizeof(*outer));
	if (!outer)
		return SHUNT_DROP_NO_HEADROOM;
	outer_ipv4(outer, pkt, be, len);
	done = write_rest(&l3, pkt, be, 0);
	verdict = write_l2(&c, be, bpf_htons(ETH_P_IP));
	return verdict ? verdict : done;
}

static __always_inline enum shunt_verdict forward_over6(struct xdp_md *ctx, const struct pkt *pkt,
							const struct shunt_backend *be,
							enum sum_how how)
{
	__u32 len = sizeof(struct ipv6_head) + shim_len(be);
	enum shunt_verdict verdict = may_go_on(pkt, be, len), done;
	struct ipv6_head *outer;
	struct cursor c, l3;
	__u32 csum = 0;

	if (verdict)
		return verdict;
	if (unlikely(be->flags & SHUNT_BE_UDP_CSUM))
		csum = gue_csum(ctx, pkt, be, how);
	if (csum == SUM_UNKNOWN)
		return SHUNT_GO_ON;
	verdict = make_room(ctx, pkt, be, len);
	if (verdict)
		return verdict;
	l3 = c = cursor_at_start(ctx);
	if (!at_l3(&l3, be))
		return SHUNT_DROP_NO_HEADROOM;
	outer = take(&l3, sizeof(*outer));
	if (!outer)
		return SHUNT_DROP_NO_HEADROOM;
	outer_ipv6(outer, pkt, be, len);
	done = write_rest(&l3, pkt, be, csum);
	verdict = write_l2(&c, be, bpf_htons(ETH_P_IPV6));
	return verdict ? verdict : done;
}

/* Bytes of an IP packet that the link of that number takes; 0: not known. */
static __always_inline __u32 link_mtu(struct xdp_md *ctx, __u32 ifindex)
{
	__u32 mtu = 0;

	return bpf_check_mtu(ctx, ifindex, &mtu, 0, 0) < 0 ? 0 : mtu;
}

/* With SUM_QUICKLY it may say SHUNT_GO_ON: nothing is done yet, and SUM_ALL will do it. */
static __always_inline enum shunt_verdict forward(struct xdp_md *ctx, struct pkt *pkt,
						  const struct shunt_backend *be, enum sum_how how)
{
	pkt->egress = be->ifindex;
	switch (be->method) {
	case SHUNT_DSR:
		return forward_dsr(ctx, pkt, be);
	case SHUNT_IPIP:
	case SHUNT_GUE:
	case SHUNT_GRE:
		return be->flags & SHUNT_BE_ADDR6 ? forward_over6(ctx, pkt, be, how)
						  : forward_over4(ctx, pkt, be);
	case SHUNT_LOCAL:
		return SHUNT_FORWARD_LOCAL;
	default:
		return SHUNT_DROP_BAD_TABLE;
	}
}

#endif
