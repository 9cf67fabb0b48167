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
#include "finish.h"

static __always_inline enum shunt_verdict steer(struct xdp_md *ctx, struct pkt *pkt)
{
	const struct shunt_backend *backend;
	const struct shunt_service *service = NULL;
	enum shunt_verdict verdict;

	verdict = parse(ctx, pkt);
	if (verdict)
		return verdict;
	/* or the verifier would follow every pair of layer 2 and protocol to the end */
	pkt->l2_len = forget(pkt->l2_len, pkt->ports);
	pkt->l4_proto = forget(pkt->l4_proto, pkt->ports);
	verdict = service_find(pkt, &service);
	if (verdict == SHUNT_PASS_NOT_VIP && settings.nat_mask)
		return hand_over(ctx, pkt, NULL, SHUNT_STAGE_NAT, verdict);
	if (verdict)
		return verdict;
	if (unlikely(service->policy)) {
		verdict = source_check(pkt, service);
		if (verdict)
			return verdict;
	}
	if (settings.nat_mask && unlikely(service->flags & SHUNT_SVC_NAT))
		return hand_over(ctx, pkt, service, SHUNT_STAGE_NAT, SHUNT_DROP_BAD_TABLE);
	verdict = backend_choose(pkt, service, &backend);
	if (verdict)
		return verdict;
	if (settings.nat_mask && unlikely(nat_translates(backend))) { /* since this moment */
		hand_row(pkt->row);
		return hand_over(ctx, pkt, service, SHUNT_STAGE_NAT, SHUNT_DROP_BAD_TABLE);
	}
	return forward(ctx, pkt, backend);
}

SEC("xdp")
int shunt_xdp(struct xdp_md *ctx)
{
	struct pkt pkt;

	return finish(ctx, &pkt, steer(ctx, &pkt));
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
	return finish(ctx, &h->pkt, verdict);
}

char LICENSE[] SEC("license") = "GPL";
