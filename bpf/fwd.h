/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the frame what its backend's row says: the only writer of packet bytes, with encap.h.  The
 * layer-2 header is always written anew, so tags that came with the frame are gone and those of the
 * way out are there. */
#ifndef SHUNT_FWD_H
#define SHUNT_FWD_H

#include "encap.h"
#include "pkt.h"

/* Ethernet pads short packets; that stays.  A longer tail is nobody's, and could make the frame too
 * long for the way out, so it goes. */
static __always_inline int trim(struct xdp_md *ctx, const struct pkt *pkt)
{
	__u32 frame_len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	__u32 tail = frame_len - pkt->l2_len - pkt->l3_len;

	if (likely(!tail || frame_len <= ETH_ZLEN))
		return 0;
	return bpf_xdp_adjust_tail(ctx, -(int)tail);
}

/* Writes the Ethernet header and the row's tags, of which @type is the last type. */
static __always_inline enum shunt_verdict write_l2(struct cursor *c, const struct shunt_backend *be,
						   __be16 type)
{
	struct eth_head *eth = take(c, sizeof(*eth));
	struct vlan_tag *tag;

	if (!eth)
		return SHUNT_DROP_NO_HEADROOM;
	__builtin_memcpy(eth->mac, be->dmac, 2 * ETH_ALEN);
	if (likely(!be->tags)) {
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

static __always_inline enum shunt_verdict forward_dsr(struct xdp_md *ctx, const struct pkt *pkt,
						      const struct shunt_backend *be)
{
	enum shunt_verdict verdict;
	struct cursor c;

	if (unlikely(pkt->l3_len > be->mtu))
		return SHUNT_DROP_TOO_BIG;
	verdict = make_room(ctx, pkt, be, 0);
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	verdict = write_l2(&c, be, pkt->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	return verdict ? verdict : SHUNT_FORWARD_DSR;
}

static __always_inline enum shunt_verdict forward_ipip4(struct xdp_md *ctx, const struct pkt *pkt,
							const struct shunt_backend *be)
{
	enum shunt_verdict verdict;
	struct ipv4_head *outer;
	struct cursor c;

	if (unlikely(pkt->l3_len + sizeof(*outer) > be->mtu))
		return SHUNT_DROP_TOO_BIG;
	verdict = make_room(ctx, pkt, be, sizeof(*outer));
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	verdict = write_l2(&c, be, bpf_htons(ETH_P_IP));
	if (verdict)
		return verdict;
	outer = take(&c, sizeof(*outer));
	if (!outer)
		return SHUNT_DROP_NO_HEADROOM;
	outer_ipv4(outer, pkt, be);
	return SHUNT_FORWARD_IPIP;
}

static __always_inline enum shunt_verdict forward_ipip6(struct xdp_md *ctx, const struct pkt *pkt,
							const struct shunt_backend *be)
{
	enum shunt_verdict verdict;
	struct ipv6_head *outer;
	struct cursor c;

	if (unlikely(pkt->l3_len + sizeof(*outer) > be->mtu))
		return SHUNT_DROP_TOO_BIG;
	verdict = make_room(ctx, pkt, be, sizeof(*outer));
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	verdict = write_l2(&c, be, bpf_htons(ETH_P_IPV6));
	if (verdict)
		return verdict;
	outer = take(&c, sizeof(*outer));
	if (!outer)
		return SHUNT_DROP_NO_HEADROOM;
	outer_ipv6(outer, pkt, be);
	return SHUNT_FORWARD_IPIP;
}

static __always_inline enum shunt_verdict forward(struct xdp_md *ctx, struct pkt *pkt,
						  const struct shunt_backend *be)
{
	pkt->egress = be->ifindex;
	switch (be->method) {
	case SHUNT_DSR:
		return forward_dsr(ctx, pkt, be);
	case SHUNT_IPIP:
		return be->flags & SHUNT_BE_ADDR6 ? forward_ipip6(ctx, pkt, be)
						  : forward_ipip4(ctx, pkt, be);
	case SHUNT_LOCAL:
		return SHUNT_FORWARD_LOCAL;
	default:
		return SHUNT_DROP_BAD_TABLE;
	}
}

#endif
