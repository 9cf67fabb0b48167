/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backend a packet goes to.  One slot table serves every scheduler: maglev indexes it with the
 * flow's hash and remembers nothing, unless the slot is in transition; rr and wrr index it with a
 * cursor and remember the flow.  shunt_abi.h has the rules (struct shunt_slot_line). */
#ifndef SHUNT_SCHED_H
#define SHUNT_SCHED_H

#include "choice.h"
#include "maps.h"
#include "slot.h"
#include "source.h"

/* The number of the packet's backend, with HOW_* @how and what else the packet says. */
static __always_inline __u32 backend_number_how(struct pkt *pkt, const struct shunt_service *svc,
						enum sched_policy policy, __u64 how)
{
	__u64 a, b;
	__u32 number;

	if (likely(!(svc->flags & SVC_NOT_BY_HASH)) || WITHOUT(flow_table)) {
		number = slot_word(svc, shunt_slot_of(pkt->hash, svc->slot_mask));
		if (likely(!(number & SHUNT_SLOT_CHANGED)) || WITHOUT(transitions))
			return number;
	}
	if (policy == SCHED_POLICY && svc->policy && !pkt_is_syn(pkt) && !(how & HOW_ABOUT))
		how |= HOW_ASK; /* of SYNs it has been asked */
	how |= pkt->ports | (__u64)pkt->tcp_flags << HOW_TCP_SHIFT;
	how |= is_less(pkt->l4_proto ^ IPPROTO_UDP, 1) * HOW_UDP;
	source_words(pkt, &a, &b);
	number = flow_backend_by(svc, pkt->hash, how, a, b, policy);
	if (policy == SCHED_POLICY && number == SLOT_ASK) {
		number = source_rate(a, svc->policy);
		if (number)
			return SLOT_REFUSED | number;
		number = flow_backend_by(svc, pkt->hash, how & ~HOW_ASK, a, b, policy);
	}
	pkt->new_flow |= number / FLOW_IS_NEW & 1;
	return number & ~FLOW_IS_NEW;
}

static __always_inline __u32 backend_number(struct pkt *pkt, const struct shunt_service *svc,
					    enum sched_policy policy)
{
	pkt->new_flow = pkt_is_syn(pkt);
	return backend_number_how(pkt, svc, policy, 0);
}

/* Fills @out with the backend's row.  The service's own row, to which a slot without a backend
 * points, is never usable. */
static __always_inline enum shunt_verdict backend_numbered(struct pkt *pkt,
							   const struct shunt_service *svc,
							   enum sched_policy policy, __u32 number,
							   const struct shunt_backend **out)
{
	const struct shunt_backend *be;

	if (policy == SCHED_POLICY && unlikely(number & SLOT_REFUSED))
		return source_over(svc, number & ~SLOT_REFUSED);
	if (number == SLOT_BAD_TABLE)
		return SHUNT_DROP_BAD_TABLE;
	pkt->row = svc->row + number;
	be = backend_at(pkt->row);
	if (!be)
		return SHUNT_DROP_BAD_TABLE;
	if (unlikely(!(be->flags & SHUNT_BE_USABLE))) {
		pkt->row = svc->row;
		return svc->flags & SHUNT_SVC_ON_EMPTY_PASS ? SHUNT_PASS_NO_BACKEND
							    : SHUNT_DROP_NO_BACKEND;
	}
	*out = be;
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict backend_choose(struct pkt *pkt,
							 const struct shunt_service *svc,
							 enum sched_policy policy,
							 const struct shunt_backend **out)
{
	pkt->hash = flow_hash(pkt);
	return backend_numbered(pkt, svc, policy, backend_number(pkt, svc, policy), out);
}

/* The backend that has the flow, for a packet that is only about it: nothing is remembered. */
static __always_inline enum shunt_verdict
backend_of_flow(struct pkt *pkt, const struct shunt_service *svc, const struct shunt_backend **out)
{
	__u32 nat = svc->flags & (SHUNT_SVC_NAT | SHUNT_SVC_FLOWS);
	__u64 how = HOW_ABOUT | (nat == SHUNT_SVC_NAT ? HOW_NAT : 0);

	pkt->new_flow = 0;
	pkt->hash = flow_hash(pkt);
	return backend_numbered(pkt, svc, SCHED_POLICY,
				backend_number_how(pkt, svc, SCHED_POLICY, how), out);
}

#endif
