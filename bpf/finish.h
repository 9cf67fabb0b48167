/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts the verdict and makes it an action: the only place with XDP_*.
 *
 * Every packet is counted once: what is forwarded in its backend's row, all else under its verdict.
 * PASS_NO_BACKEND and DROP_NO_BACKEND are counted in the service's own row besides, so that it shows
 * which service has none. */
#ifndef SHUNT_FINISH_H
#define SHUNT_FINISH_H

#include "maps.h"
#include "trace.h"
#include "syn.h"

/* Bit n: verdict n is of the class. */
#define IS_FORWARD(name, class_, words)                                                            \
	| (__u64)(SHUNT_CLASS_##class_ == SHUNT_CLASS_FORWARD) << SHUNT_##name
#define IS_REPLY(name, class_, words)                                                              \
	| (__u64)(SHUNT_CLASS_##class_ == SHUNT_CLASS_REPLY) << SHUNT_##name
#define IS_PASS(name, class_, words)                                                               \
	| (__u64)(SHUNT_CLASS_##class_ == SHUNT_CLASS_PASS) << SHUNT_##name
#define IS_RETURN(name, class_, words)                                                             \
	| (__u64)(SHUNT_CLASS_##class_ == SHUNT_CLASS_RETURN) << SHUNT_##name
#define FORWARD_VERDICTS (0 SHUNT_VERDICTS(IS_FORWARD))
#define RETURN_VERDICTS (0 SHUNT_VERDICTS(IS_RETURN))
#define FORWARDS __builtin_popcountll(FORWARD_VERDICTS) /* they come first: from 1 on */
_Static_assert(FORWARD_VERDICTS == (2ull << FORWARDS) - 2, "one comparison tells them apart");
#define RETURNS __builtin_popcountll(RETURN_VERDICTS) /* then these */
_Static_assert(RETURN_VERDICTS == ((1ull << RETURNS) - 1) << (FORWARDS + 1), "and these");
#define REPLY_VERDICTS (0 SHUNT_VERDICTS(IS_REPLY))
#define PASS_VERDICTS (0 SHUNT_VERDICTS(IS_PASS))

/* Of a verdict with which nothing is sent, without a branch for the verifier to follow. */
static __always_inline int action_of(enum shunt_verdict verdict)
{
	_Static_assert(XDP_PASS == XDP_DROP + 1 && XDP_TX == XDP_DROP + 2, "one step each");
	return XDP_DROP + (PASS_VERDICTS >> verdict & 1) + (REPLY_VERDICTS >> verdict & 1) * 2;
}

static __always_inline void count_row(const struct pkt *pkt)
{
	__u32 at = bpf_get_smp_processor_id() * settings.rows + pkt->row;
	struct shunt_counter *c = element(counters, at);

	if (!c || WITHOUT(counters))
		return;
	c->packets++;
	c->bytes += pkt->l3_len;
	if (!pkt->new_flow)
		return;
	c->flows++;
	if (settings.passive && syn_matters(pkt))
		syn_note(pkt, c);
}

static __always_inline void count_verdict(enum shunt_verdict verdict)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct shunt_verdict_line *line = element(verdicts, cpu);

	if (line)
		line->packets[verdict % SHUNT_VERDICTS_PER_CPU]++;
}

/* Out where it came in, or through another interface that shunt manages. */
static __always_inline int egress(const struct xdp_md *ctx, const struct pkt *pkt)
{
	if (likely(pkt->egress == ctx->ingress_ifindex) || WITHOUT(other_interfaces))
		return XDP_TX;
	return bpf_redirect_map(&tx_ports, pkt->egress, XDP_DROP);
}

static __always_inline int is_sent(enum shunt_verdict verdict)
{
	if (likely(verdict <= FORWARDS))
		return verdict != SHUNT_FORWARD_LOCAL;
	return verdict <= FORWARDS + RETURNS;
}

#if TRACED
/* Tells of the packet what finish() is about to find out. */
static __always_inline void finish_tell(const struct xdp_md *ctx, const struct pkt *pkt,
					enum shunt_verdict verdict)
{
	int action = XDP_PASS;

	if (is_sent(verdict)) {
		action = egress(ctx, pkt);
		if (action == XDP_DROP)
			verdict = SHUNT_DROP_NO_EGRESS;
	} else if (verdict > FORWARDS) {
		action = action_of(verdict);
	}
	trace_end(ctx, pkt, verdict, action);
}
#endif

static __always_inline int finish(const struct xdp_md *ctx, struct pkt *pkt,
				  enum shunt_verdict verdict)
{
	int action = XDP_PASS;

	finish_tell(ctx, pkt, verdict);
	if (is_sent(verdict)) {
		action = egress(ctx, pkt);
		if (unlikely(action == XDP_DROP))
			verdict = SHUNT_DROP_NO_EGRESS;
	}
	if (likely(verdict <= FORWARDS)) {
		count_row(pkt);
		return action;
	}
	/* or the verifier would follow every verdict by itself */
	verdict = forget(verdict, ctx->ingress_ifindex);
	if (verdict == SHUNT_PASS_NO_BACKEND || verdict == SHUNT_DROP_NO_BACKEND) {
		pkt->new_flow = 0;
		count_row(pkt);
	}
	count_verdict(verdict);
	if (RETURN_VERDICTS >> verdict & 1)
		return action;
	return action_of(verdict);
}

/* A stage whose packet nobody handed over. */
static __always_inline int finish_lost(void)
{
	count_verdict(SHUNT_DROP_BAD_TABLE);
	return XDP_DROP;
}

#endif
