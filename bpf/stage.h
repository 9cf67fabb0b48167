/* SPDX-License-Identifier: GPL-2.0-only */
/* From one program to the next.  A stage is a program of its own, reached by a tail call: what it does
 * costs packets that do not need it nothing, and the verifier checks it apart.  What the stage is to
 * know of the packet is handed over in memory of this CPU; of the frame's bounds it knows nothing
 * and checks them anew. */
#ifndef SHUNT_STAGE_H
#define SHUNT_STAGE_H

#include "maps.h"

struct handover {
	struct pkt pkt; /* what hand_pkt() says */
	struct shunt_service svc; /* where the packet has a service */
	__u32 verdict; /* the packet's, if the stage does not come to another */
	__u32 pad;
};
_Static_assert(sizeof(struct handover) <= sizeof(struct shunt_handover), "it fits");

static __always_inline struct handover *handover_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return element(handover, cpu);
}

static __always_inline __u64 word_of(__u32 first, __u32 second)
{
	return first | (__u64)second << 32;
}

#define PKT_AT(field) __builtin_offsetof(struct pkt, field)

/* Writes what parse() has found, in the program that did, in whole words, so that no later load waits for several stores. */
static __always_inline void hand_pkt(struct handover *h, const struct pkt *pkt)
{
	__u64 *word = (__u64 *)&h->pkt;

	_Static_assert(PKT_AT(daddr) == 16 && PKT_AT(ports_seq) == 40 && PKT_AT(l2_len) == 56 &&
			       PKT_AT(l3_len) == 64,
		       "the order in which the words are written");
	if (pkt->is_v6_word) {
		word[0] = word_of(pkt->saddr[0], pkt->saddr[1]);
		word[1] = word_of(pkt->saddr[2], pkt->saddr[3]);
		word[2] = pkt->daddr[0];
		word[3] = pkt->daddr[1];
	} else {
		word[0] = pkt->saddr[0];
		word[2] = pkt->daddr[0];
	}
	word[5] = pkt->ports_seq;
	word[7] = pkt->l2_len | (__u32)pkt->l4_proto << 16 | (__u32)pkt->is_v6 << 24 |
		  word_of(0, pkt->tos | (__u32)pkt->tcp_flags << 8 | (__u32)pkt->ttl << 24);
	word[8] = pkt->l3_len;
}

/* What the service has chosen, for the stage to which the packet is handed over next. */
static __always_inline void hand_row(__u32 row)
{
	struct handover *h = handover_here();

	if (h)
		h->pkt.row = row;
}

/* Writes what a stage is to know of a packet that parse() has seen and, unless that is NULL, of its
 * service.  @verdict holds if there is no such stage. */
static __always_inline int hand_packet(const struct pkt *pkt, const struct shunt_service *svc,
				       enum shunt_verdict verdict)
{
	struct handover *h = handover_here();
	const __u64 *from = (const void *)svc;
	__u64 *to;

	if (WITHOUT(stages))
		return verdict;
	if (!h)
		return -1;
	hand_pkt(h, pkt);
	to = (void *)&h->svc;
	for (__u32 i = 0; svc && i < sizeof(*svc) / sizeof(*to); i++)
		to[i] = from[i];
	h->verdict = verdict;
	return 0;
}

/* Goes on in @stage, a constant.  Comes back only when there is no such stage, with @verdict. */
static __always_inline enum shunt_verdict hand_over(struct xdp_md *ctx, const struct pkt *pkt,
						    const struct shunt_service *svc,
						    enum shunt_stage stage,
						    enum shunt_verdict verdict)
{
	if (hand_packet(pkt, svc, verdict))
		return SHUNT_DROP_BAD_TABLE;
	bpf_tail_call_static(ctx, &stages, stage);
	return verdict;
}

/* Goes on in the stage that the service's flags ask for, with what has been handed over. */
static __always_inline enum shunt_verdict hand_on(struct xdp_md *ctx, __u32 flags)
{
	if (flags & SHUNT_SVC_NAT)
		bpf_tail_call_static(ctx, &stages, SHUNT_STAGE_NAT);
	else
		bpf_tail_call_static(ctx, &stages, SHUNT_STAGE_QUIC);
	return SHUNT_DROP_BAD_TABLE;
}

/* Goes on in the stage that the service's policy, or else its flags, ask for.  What has neither keeps
 * flows (SHUNT_SVC_OWN), as all stages do. */
static __always_inline enum shunt_verdict hand_service(struct xdp_md *ctx, const struct pkt *pkt,
						       const struct shunt_service *svc)
{
	__u32 policy = svc->policy, flags = svc->flags;

	if (hand_packet(pkt, svc, SHUNT_DROP_BAD_TABLE))
		return SHUNT_DROP_BAD_TABLE;
	if (!policy && flags & settings.staged)
		return hand_on(ctx, flags);
	bpf_tail_call_static(ctx, &stages, SHUNT_STAGE_POLICY);
	return SHUNT_DROP_BAD_TABLE;
}

/* Verdicts on which shunt_rare may have more to say, and SHUNT_GO_ON, where forward() has left the
 * packet to it.  It starts from the frame again, which is as it came. */
#define RARE_VERDICTS                                                                              \
	(1ull << SHUNT_GO_ON | 1ull << SHUNT_PASS_FRAGMENT | 1ull << SHUNT_PASS_ICMP |             \
	 1ull << SHUNT_DROP_TTL | 1ull << SHUNT_DROP_TOO_BIG)

/* Goes on in shunt_rare, or first, with NAT, in shunt_nat_rare, which is told hash, backend and
 * whether the flow is new, as far as that is known; comes back when there is no such stage, with what
 * is the verdict then. */
static __always_inline enum shunt_verdict hand_verdict(struct xdp_md *ctx, const struct pkt *pkt,
						       enum shunt_verdict verdict)
{
	struct handover *h = handover_here();

	if (WITHOUT(stages))
		return verdict ? verdict : SHUNT_DROP_BAD_TABLE;
	if (!h)
		return SHUNT_DROP_BAD_TABLE;
	h->pkt.hash = pkt->hash;
	h->pkt.row = pkt->row;
	h->pkt.new_flow = pkt->new_flow;
	h->verdict = verdict;
	if (settings.nat_mask &&
	    (verdict == SHUNT_PASS_FRAGMENT || verdict == SHUNT_PASS_ICMP)) /* its, or else below */
		bpf_tail_call_static(ctx, &stages, SHUNT_STAGE_NAT_RARE);
	bpf_tail_call_static(ctx, &stages, SHUNT_STAGE_RARE);
	return verdict ? verdict : SHUNT_DROP_BAD_TABLE;
}

#endif
