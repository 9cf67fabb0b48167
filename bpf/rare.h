/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of parse.h, service.h, sched.h and fwd.h once more, as global functions, for the stage of
 * packets that are rare: there the verifier checks each once, wherever it is called from.  A rare
 * packet starts from its frame again, with a struct pkt that is set to 0 before it is filled. */
#ifndef SHUNT_RARE_H
#define SHUNT_RARE_H

#include "fwd.h"
#include "nat_open.h"
#include "parse.h"
#include "sched.h"
#include "service.h"

/* A verdict, and above it what else a step found. */
#define RARE_VERDICT(r) ((r)&0xff)
#define RARE_FOUND(r) ((r) >> 8)
#define RARE_RESULT(verdict, found) ((verdict) | (found) << 8)

static __always_inline void pkt_clear(struct pkt *pkt)
{
	__u64 *word = (void *)pkt;

	for (__u32 i = 0; i < sizeof(*pkt) / sizeof(*word); i++)
		word[i] = 0;
}

/* Puts the cursor @at bytes into the frame, at most EXT_AT_MAX, which nothing here comes near; -1 when
 * the frame ends before.  The verifier has to see the limit, and clang not to see through it. */
static __always_inline int cursor_at(const struct xdp_md *ctx, __u32 at, struct cursor *c)
{
	*c = cursor_at_start(ctx);
	at &= EXT_AT_MAX;
	barrier_var(at);
	return take(c, at) ? 0 : -1;
}

/* Fills all of @pkt that layers 2 and 3 say.  Finds where in the frame that ends: the transport header,
 * or with PASS_FRAGMENT and IPv6 the fragment header. */
__noinline __u32 rare_parse(struct xdp_md *ctx, struct pkt *pkt)
{
	struct cursor c = cursor_at_start(ctx);
	__u32 verdict, len = 0;
	__be16 type;

	if (!pkt)
		return SHUNT_DROP_BAD_TABLE;
	verdict = parse_l2(&c, pkt, &type);
	if (verdict)
		return verdict;
	if (type == bpf_htons(ETH_P_IP))
		verdict = parse_ipv4(&c, pkt, &len);
	else
		verdict = parse_ipv6(ctx, &c, pkt, &len);
	return RARE_RESULT(verdict, pkt->l2_len + pkt->l3_len - len);
}

/* SHUNT_GO_ON when any service has the packet's destination; finds the address's flags. */
__noinline __u32 rare_vip(struct pkt *pkt)
{
	__u32 flags = 0, verdict;

	if (!pkt)
		return SHUNT_DROP_BAD_TABLE;
	verdict = vip_find(pkt, &flags);
	return RARE_RESULT(verdict, flags);
}

/* Sets pkt->row to that of the backend for a packet which may start a flow, or, if it @is_about a flow
 * only, for the flow.  What a service would have to translate is nobody's. */
static __always_inline __u32 rare_choose(struct pkt *pkt, __u32 is_about)
{
	const struct shunt_service *service = NULL;
	const struct shunt_backend *backend;
	struct shunt_service copy;
	__u32 verdict, rates = 0;

	verdict = service_find(pkt, pkt->is_v6, &service);
	if (verdict)
		return verdict;
	/* What is of a connection has been found; a flow may be that of a backend which does not translate. */
	if (service->flags & (is_about ? SHUNT_SVC_TURNS : SHUNT_SVC_NAT))
		return SHUNT_PASS_NOT_VIP;
	verdict = service->policy && !is_about ? source_check(pkt, service, &rates) : SHUNT_GO_ON;
	if (verdict)
		return verdict;
	copy = *service;
	copy.policy = rates;
	if (is_about)
		verdict = backend_of_flow(pkt, &copy, &backend);
	else
		verdict = backend_choose(pkt, &copy, SCHED_POLICY, &backend);
	if (!verdict && nat_translates(backend))
		return SHUNT_PASS_NOT_VIP;
	return verdict;
}

__noinline __u32 rare_backend(struct pkt *pkt, __u32 is_about)
{
	return pkt ? rare_choose(pkt, is_about) : SHUNT_DROP_BAD_TABLE;
}

/* Forwards to the backend whose row is pkt->row. */
__noinline __u32 rare_forward(struct xdp_md *ctx, struct pkt *pkt)
{
	const struct shunt_backend *backend;
	if (!pkt)
		return SHUNT_DROP_BAD_TABLE;
	backend = backend_at(pkt->row);
	return backend ? forward(ctx, pkt, backend, SUM_ALL) : SHUNT_DROP_BAD_TABLE;
}

/* Forwards the packet whose hash, row and flow are known. */
static __always_inline enum shunt_verdict rare_go_on(struct xdp_md *ctx, struct pkt *pkt)
{
	enum shunt_verdict verdict;
	__u8 new_flow = pkt->new_flow;
	__u64 hash = pkt->hash;
	__u32 row = pkt->row;

	pkt_clear(pkt);
	verdict = RARE_VERDICT(rare_parse(ctx, pkt));
	pkt->new_flow = new_flow;
	pkt->hash = hash;
	pkt->row = row;
	return verdict ? verdict : rare_forward(ctx, pkt);
}

#endif
