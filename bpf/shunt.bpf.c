// SPDX-License-Identifier: GPL-2.0-only
/* The packet path: one frame from its first byte to its verdict.  Each header below is a stage, in
 * the order in which a packet meets them; a stage ends with a verdict or says SHUNT_GO_ON. */
#include "pkt.h"
#include "parse.h"
#include "maps.h"
#include "service.h"
#include "flow.h"
#include "sched.h"
#include "fwd.h"
#include "encap.h"
#include "gue.h"
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
		return nat_reply(ctx, pkt);
	if (verdict)
		return verdict;
	if (settings.nat_mask && unlikely(service->flags & SHUNT_SVC_NAT))
		return nat_request(ctx, pkt, (struct shunt_service *)service);
	verdict = backend_choose(pkt, service, &backend);
	if (verdict)
		return verdict;
	return forward(ctx, pkt, backend);
}

SEC("xdp")
int shunt_xdp(struct xdp_md *ctx)
{
	struct pkt pkt;

	return finish(ctx, &pkt, steer(ctx, &pkt));
}

char LICENSE[] SEC("license") = "GPL";
