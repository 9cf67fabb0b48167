/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors about translated connections.  An error about what the backend was sent goes to the client
 * and is about what the client had sent, and the other way round.  It comes from the service's address, or
 * the pool's: of the routers between nobody on the other side knows. */
#ifndef SHUNT_NAT_ICMP_H
#define SHUNT_NAT_ICMP_H

#include "icmp.h"
#include "nat64_icmp.h"
#include "nat_rare.h"

/* Makes @pkt's tuple that of the flow which the quote @at bytes into the frame is about: the other way
 * round than quoted.  Where the quoted ports are; 0: it is about none. */
__noinline __u32 nat_quote(struct xdp_md *ctx, struct pkt *pkt, __u32 at)
{
	const __u32 *ports;
	struct cursor c;
	__u32 left, l4;

	if (!pkt)
		return 0;
	left = pkt->l2_len + pkt->l3_len - at;
	l4 = pkt->is_v6 ? quote_ipv6(ctx, pkt, at, left) : quote_ipv4(ctx, pkt, at, left);
	if (!l4 || cursor_at(ctx, l4, &c))
		return 0;
	ports = take(&c, sizeof(*ports));
	if (!ports || (pkt->l4_proto != IPPROTO_TCP && pkt->l4_proto != IPPROTO_UDP))
		return 0;
	pkt->ports = nat_turned(*ports);
	pkt->hash = flow_hash(pkt);
	return l4;
}

/* Translates the ports quoted @l4 bytes into the frame, and the checksum there, if that is quoted too;
 * @delta is that of the quoted addresses.  What the error's own checksum loses and gains. */
static __always_inline __u64 nat_put_ports(struct xdp_md *ctx, const struct pkt *pkt, __u32 l4,
					   __u32 delta, __u32 ports)
{
	__u32 field = l4 + (pkt->l4_proto == IPPROTO_TCP ? 16 : 6), change;
	__u32 *quoted;
	__u16 *csum, was;
	struct cursor c;

	if (cursor_at(ctx, l4, &c))
		return 0;
	quoted = take(&c, sizeof(*quoted));
	if (!quoted)
		return 0;
	change = csum_add_up((__u64)(__u32) ~*quoted + ports);
	*quoted = ports;
	if (field + sizeof(*csum) > pkt->l2_len + pkt->l3_len || cursor_at(ctx, field, &c))
		return change;
	csum = take(&c, sizeof(*csum));
	if (!csum || (pkt->l4_proto == IPPROTO_UDP && !*csum))
		return change;
	was = *csum;
	*csum = csum_change(was, (__u64)delta + change);
	if (pkt->l4_proto == IPPROTO_UDP && !*csum)
		*csum = 0xffff;
	return (__u64)change + (__u16)~was + *csum;
}

/* Translates the error whose ICMP header is @at, and its quote, of which the ports are @l4 bytes into
 * the frame. */
static __always_inline enum shunt_verdict nat_put_error(struct xdp_md *ctx, struct pkt *pkt,
							struct nat_change *to, __u32 at, __u32 l4)
{
	__u64 outer = nat_put_outer(ctx, pkt, to), quoted, delta;
	struct icmp_head *icmp;
	struct cursor c;

	quoted = nat_put_quoted(ctx, pkt, to, at + sizeof(*icmp));
	if ((outer | quoted) & NAT_NO_HEADER)
		return SHUNT_DROP_TRUNCATED;
	delta = (__u64)NAT_DELTA(quoted) + NAT_DELTA_HEADER(quoted);
	delta += nat_put_ports(ctx, pkt, l4, NAT_DELTA(quoted), nat_turned(to->ports));
	if (pkt->is_v6)
		delta += NAT_DELTA(outer);
	if (cursor_at(ctx, at, &c))
		return SHUNT_DROP_TRUNCATED;
	icmp = take(&c, sizeof(*icmp));
	if (!icmp)
		return SHUNT_DROP_TRUNCATED;
	icmp->csum = csum_change(icmp->csum, delta);
	return SHUNT_GO_ON;
}

/* Where the ICMP header of an error is; 0: it is none. */
static __always_inline __u32 nat_error_at(struct xdp_md *ctx, struct pkt *pkt)
{
	__u32 found, at;
	const struct icmp_head *icmp;
	struct cursor c;

	pkt_clear(pkt);
	found = rare_parse(ctx, pkt);
	at = RARE_FOUND(found);
	if (RARE_VERDICT(found) || cursor_at(ctx, at, &c))
		return 0;
	icmp = take(&c, sizeof(*icmp));
	if (!icmp || pkt->l2_len + pkt->l3_len < at + sizeof(*icmp) ||
	    !icmp_is_error(pkt, icmp->type))
		return 0;
	return at;
}

/* Makes the error whose ICMP header is @at one of the other family, and sends it @plan's way.  @l4: where
 * the quoted ports are. */
__noinline int nat_cross_error(struct xdp_md *ctx, struct pkt *pkt, struct nat_plan *plan, __u32 at,
			       __u32 l4)
{
	const __u32 longer = sizeof(struct icmp_head) + 2 * sizeof(struct ipv6_head);
	const __u32 shorter = sizeof(struct icmp_head) + 2 * sizeof(struct ipv4_head);
	struct nat64_error e = {};
	enum shunt_verdict verdict;
	struct cursor c;
	__u32 l3_len, most;
	__u64 delta = 0;

	if (!pkt || !plan)
		return SHUNT_DROP_BAD_TABLE;
	if (nat64_read(ctx, pkt, at, l4, &e, &delta))
		return SHUNT_DROP_TRUNCATED;
	if (e.told == NAT64_UNTOLD)
		return SHUNT_DROP_NAT_FAMILY;
	delta += plan->to.is_v6 ? nat_sum_addrs6(&plan->to)
				: (__u64)plan->to.saddr[0] + plan->to.daddr[0];
	nat_put_ports(ctx, pkt, l4, csum_add_up(delta), nat_turned(plan->to.ports));
	e.len = pkt->l2_len + pkt->l3_len - l4;
	l3_len = pkt->l3_len;
	most = NAT64_QUOTE6_MAX - e.piece_len;
	if (plan->to.is_v6 && e.len > most) { /* the end of the quote goes */
		pkt->l3_len -= e.len - most;
		e.len = most;
	}
	e.sum = nat_sum_bytes(ctx, l4, e.len);
	if (e.sum == SUM_UNKNOWN || nat_trim(ctx, pkt))
		return SHUNT_DROP_NAT_FAMILY;
	verdict = make_room(ctx, pkt, &plan->way,
			    (plan->to.is_v6 ? longer + e.piece_len : shorter) - (l4 - pkt->l2_len));
	pkt->l3_len = l3_len; /* as it is counted */
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	verdict = write_l2(&c, &plan->way,
			   plan->to.is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	if (verdict)
		return verdict;
	return (plan->to.is_v6 ? nat64_write6(&c, pkt, &plan->to, &e)
			       : nat64_write4(&c, pkt, &plan->to, &e))
		       ? SHUNT_DROP_NO_HEADROOM
		       : SHUNT_GO_ON;
}

/* Whose connection the error whose ICMP header is @at is about, and whose quote has been read.  One about
 * what its backend was sent says something of that. */
static __always_inline int nat_whose(struct xdp_md *ctx, struct pkt *pkt, struct nat_of *of,
				     __u32 at)
{
	const struct icmp_head *icmp;
	struct cursor c;

	if (!nat_of_reply(pkt, of))
		return nat_of_request(pkt, of);
	if (!settings.passive || cursor_at(ctx, at, &c))
		return 1;
	icmp = take(&c, sizeof(*icmp));
	if (icmp && icmp_is_unreachable(pkt, icmp))
		nat_sign(of->rec, SIGN_UNREACHABLE);
	return 1;
}

/* SHUNT_GO_ON: the message is not about a translated connection. */
__noinline int nat_icmp(struct xdp_md *ctx, struct pkt *pkt)
{
	enum shunt_verdict verdict;
	struct nat_plan plan = {};
	__u32 at, l4, is_whole;
	struct nat_of of = {};

	if (!pkt)
		return SHUNT_DROP_BAD_TABLE;
	at = nat_error_at(ctx, pkt);
	if (!at)
		return SHUNT_GO_ON;
	is_whole = icmp_is_whole(ctx, pkt, at, pkt->l2_len + pkt->l3_len - at);
	l4 = nat_quote(ctx, pkt, at + sizeof(struct icmp_head));
	if (!l4 || !nat_whose(ctx, pkt, &of, at))
		return SHUNT_GO_ON;
	verdict = nat_plan(pkt, &of, &plan);
	if (verdict)
		return verdict;
	if (pkt->ttl <= 1)
		return SHUNT_DROP_TTL;
	if (!plan.to.is_v6 != !pkt->is_v6) {
		if (!is_whole) /* or it would be by a new checksum */
			return SHUNT_DROP_BAD_L4;
		verdict = nat_cross_error(ctx, pkt, &plan, at, l4);
		return verdict ? verdict : nat_verdict(&of, &plan);
	}
	verdict = nat_put_error(ctx, pkt, &plan.to, at, l4);
	if (!verdict)
		verdict = nat_put_l2(ctx, pkt, &plan.way);
	return verdict ? verdict : nat_verdict(&of, &plan);
}

#endif
