// SPDX-License-Identifier: GPL-2.0-only
/* The packet path: one frame from its first byte to its verdict.  Each header below is a step, in the
 * order in which a packet meets them; a step ends with a verdict or says SHUNT_GO_ON.
 *
 * shunt_xdp is what every packet goes through, and all that most do.  What few packets need is in
 * stages (stage.h), programs of their own to which it hands the packet over: one that is not there
 * leaves the verdict as it was.  Every program ends in finish(). */
#include "pkt.h"
#include "parse.h"
#include "maps.h"
#include "service.h"
#include "flow.h"
#include "source.h"
#include "sched.h"
#include "fwd.h"
#include "encap.h"
#include "gue.h"
#include "stage.h"
#include "nat.h"
#include "rare.h"
#include "frag.h"
#include "icmp.h"
#include "answer.h"
#include "nat_rare.h"
#include "nat_icmp.h"
#include "quic.h"
#include "finish.h"

/* To one of the service's backends, as that one's method says. */
static __always_inline enum shunt_verdict to_backend(struct xdp_md *ctx, struct pkt *pkt,
						     const struct shunt_service *service,
						     enum sched_policy policy)
{
	const struct shunt_backend *backend;
	enum shunt_verdict verdict = backend_choose(pkt, service, policy, &backend);

	if (verdict)
		return verdict;
	if (settings.nat_mask && unlikely(nat_translates(backend))) { /* since this moment */
		hand_row(pkt->row);
		if (policy == SCHED_POLICY) /* from a stage, to which all else has been handed */
			return hand_on(ctx, SHUNT_SVC_NAT);
		return hand_over(ctx, pkt, service, SHUNT_STAGE_NAT, SHUNT_DROP_BAD_TABLE);
	}
	return forward(ctx, pkt, backend, SUM_QUICKLY);
}

static __always_inline int is_staged(const struct shunt_service *service)
{
	return (service->policy && !WITHOUT(policies)) ||
	       service->flags & (settings.staged | SHUNT_SVC_OWN);
}

/* For a service that has a stage: says SHUNT_GO_ON where the packet does not need it after all, which
 * most do not whose service has no more than a list. */
static __always_inline enum shunt_verdict staged(struct xdp_md *ctx, struct pkt *pkt,
						 const struct shunt_service *service)
{
	const struct shunt_policy *p = service->policy ? element(policies, service->policy) : NULL;
	__u32 answer;

	if (p) {
		answer = source_quickly(pkt, p);
		if (answer - 1 < SHUNT_QUICK_TAKEN - 1)
			return SHUNT_DROP_DENIED + answer - 1;
		if (answer == SHUNT_QUICK_TAKEN && !(p->flags & SHUNT_POLICY_RATES) &&
		    !(service->flags & (settings.staged | SHUNT_SVC_OWN)))
			return SHUNT_GO_ON;
	}
	return hand_service(ctx, pkt, service);
}

static __always_inline enum shunt_verdict steer(struct xdp_md *ctx, struct pkt *pkt)
{
	const struct shunt_service *service = NULL;
	enum shunt_verdict verdict;

	verdict = parse(ctx, pkt);
	if (verdict)
		return verdict;
	/* or the verifier would follow every pair of layer 2 and protocol to the end */
	pkt->l2_len = forget(pkt->l2_len, pkt->ports);
	pkt->l4_proto = forget(pkt->l4_proto, pkt->ports);
	verdict = service_find(pkt, pkt->is_v6_word, &service);
	if (verdict == SHUNT_PASS_NOT_VIP && settings.nat_mask)
		return hand_over(ctx, pkt, NULL, SHUNT_STAGE_NAT, verdict);
	if (verdict)
		return verdict;
	trace_service(pkt, service);
	if (unlikely(is_staged(service))) {
		verdict = staged(ctx, pkt, service);
		if (verdict != SHUNT_GO_ON)
			return verdict;
	}
	return to_backend(ctx, pkt, service, SCHED_NO_POLICY);
}

/* Ends the packet's way, here or in shunt_rare. */
static __always_inline int end(struct xdp_md *ctx, struct pkt *pkt, enum shunt_verdict verdict)
{
	if (unlikely(RARE_VERDICTS >> verdict & 1))
		verdict = hand_verdict(ctx, pkt, verdict);
	return finish(ctx, pkt, verdict);
}

static __always_inline int packet(struct xdp_md *ctx)
{
	struct pkt pkt;

	pkt.hash = 0;
	pkt.row = 0;
	pkt.new_flow = 0;
	/* or clang would keep it in registers and spill some that hold nothing yet */
	asm volatile("" ::"r"(&pkt) : "memory");
	return end(ctx, &pkt, steer(ctx, &pkt));
}

SEC("xdp")
int shunt_xdp(struct xdp_md *ctx)
{
	trace_begin(ctx);
	return packet(ctx);
}

static __always_inline enum shunt_verdict ask_policy(struct xdp_md *ctx, struct handover *h)
{
	__u32 rates = 0;
	enum shunt_verdict verdict = SHUNT_GO_ON;

	if (h->svc.policy)
		verdict = source_check(&h->pkt, &h->svc, &rates);
	if (verdict)
		return verdict;
	h->svc.policy = rates;
	if (h->svc.flags & settings.staged)
		return hand_on(ctx, h->svc.flags);
	return to_backend(ctx, &h->pkt, &h->svc, SCHED_POLICY);
}

/* A packet for a service that does not take them from everybody, or not as many as come; or of whose flows
 * more is remembered than what shunt_xdp asks for. */
SEC("xdp")
int shunt_policy(struct xdp_md *ctx)
{
	struct handover *h = handover_here();

	return h ? end(ctx, &h->pkt, ask_policy(ctx, h)) : finish_lost();
}

/* A packet for a service that translates; or for none, and then it may be a backend's reply. */
SEC("xdp")
int shunt_nat(struct xdp_md *ctx)
{
	struct handover *h = handover_here();
	enum shunt_verdict verdict;

	if (!h)
		return finish_lost();
	if (h->verdict == SHUNT_PASS_NOT_VIP)
		verdict = nat_reply(ctx, &h->pkt);
	else
		verdict = nat_request(ctx, &h->pkt, &h->svc);
	return end(ctx, &h->pkt, verdict);
}

/* A fragment, an ICMP message, a packet whose sender is to be told what became of it, or one whose
 * tunnel needs a checksum over all of its bytes. */
SEC("xdp")
int shunt_rare(struct xdp_md *ctx)
{
	struct handover *h = handover_here();
	enum shunt_verdict verdict;
	int is_first = 1;

	if (!h)
		return finish_lost();
	verdict = h->verdict;
	if (verdict == SHUNT_PASS_ICMP)
		return finish(ctx, &h->pkt, icmp_steer(ctx, &h->pkt));
	if (verdict == SHUNT_PASS_FRAGMENT)
		verdict = frag_steer(ctx, &h->pkt, &is_first);
	else if (verdict == SHUNT_GO_ON)
		verdict = rare_go_on(ctx, &h->pkt);
	if (is_first)
		verdict = answer_sender(ctx, &h->pkt, verdict);
	return finish(ctx, &h->pkt, verdict);
}

static __always_inline enum shunt_verdict steer_quic(struct xdp_md *ctx, struct handover *h)
{
	const struct shunt_backend *backend;

	if (quic_backend(ctx, &h->pkt, &h->svc, &backend))
		return to_backend(ctx, &h->pkt, &h->svc, SCHED_POLICY);
	return forward(ctx, &h->pkt, backend, SUM_QUICKLY);
}

/* A packet for a service whose backends put their ids into connection ids. */
SEC("xdp")
int shunt_quic(struct xdp_md *ctx)
{
	struct handover *h = handover_here();

	return h ? end(ctx, &h->pkt, steer_quic(ctx, h)) : finish_lost();
}

/* A fragment or an ICMP message with NAT: of a translated connection, or else shunt_rare's. */
SEC("xdp")
int shunt_nat_rare(struct xdp_md *ctx)
{
	struct handover *h = handover_here();
	enum shunt_verdict verdict, before;
	int is_first = 0;

	if (!h)
		return finish_lost();
	before = h->verdict;
	if (before == SHUNT_PASS_ICMP)
		verdict = nat_icmp(ctx, &h->pkt);
	else
		verdict = nat_fragment(ctx, &h->pkt, &is_first);
	if (!verdict || (is_first && RARE_VERDICTS >> verdict & 1)) {
		h->verdict = verdict ? verdict : before;
		bpf_tail_call_static(ctx, &stages, SHUNT_STAGE_RARE);
		verdict = h->verdict;
	}
	return finish(ctx, &h->pkt, verdict);
}

char LICENSE[] SEC("license") = "GPL";
