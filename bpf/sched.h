/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backend a packet goes to.  One slot table serves every scheduler: maglev indexes it with the
 * flow's hash and remembers nothing; rr and wrr index it with a cursor and remember the flow. */
#ifndef SHUNT_SCHED_H
#define SHUNT_SCHED_H

#include "flow.h"
#include "maps.h"
#include "source.h"

#define SLOT_BAD_TABLE 0xffffu /* no backend's number: above SHUNT_SLOT_BACKEND */
#define FLOW_IS_NEW 0x10000u /* beside a number: the flow has just been remembered */
#define SLOT_REFUSED 0x20000u /* no number: with what source_rate() says of the new flow */

/* As struct shunt_settings says. */
static __always_inline __u64 flow_hash(const struct pkt *pkt)
{
	const volatile __u64 *k = settings.hash_key;
	__u64 hash = k[0] + k[1] * pkt->saddr[0] + k[2] * pkt->ports + k[3] * (__u32)pkt->daddr[0];

	if (WITHOUT(hash_key))
		return (__u64)pkt->ports << 32 ^ pkt->saddr[0];
	if (pkt->is_v6) {
		hash += k[4] * pkt->saddr[1] + k[5] * pkt->saddr[2] + k[6] * pkt->saddr[3];
		hash += k[7] * (pkt->daddr[0] >> 32);
		hash += k[8] * (__u32)pkt->daddr[1] + k[9] * (pkt->daddr[1] >> 32);
	}
	return hash;
}

/* The backend's number in the service's slot number @slot; 0: none. */
static __always_inline __u32 slot_number(const struct shunt_service *svc, __u32 slot)
{
	__u32 line = svc->slots_at + slot / SHUNT_SLOTS_PER_LINE;
	const struct shunt_slot_line *l = element(slots, line);

	if (!l)
		return SLOT_BAD_TABLE;
	return l->slot[slot % SHUNT_SLOTS_PER_LINE] & SHUNT_SLOT_BACKEND;
}

/* The next turn of this CPU in the service; the CPUs start evenly spread over the table. */
static __always_inline __u32 cursor_next(const struct shunt_service *svc)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u32 at = cpu * settings.rows + svc->row;
	struct shunt_counter *own = element(counters, at);

	if (!own)
		return 0;
	return own->cursor++ + (__u64)cpu * (svc->slot_mask + 1) / settings.cpus;
}

/* Whom to ask whether a flow may begin: the service's rates for new ones of that source. */
struct source_question {
	__u64 source; /* source_upper() */
	__u32 policy;
};

/* The backend that the flow was given, if that holds; else one by turn, to be remembered, when the
 * packet may start a flow (@starts) or the flow has lost its backend; else, and when there is no
 * place to remember, one by hash, on which all later packets of the flow agree. */
static __always_inline __u32 flow_backend_of(const struct shunt_service *svc, __u64 hash,
					     __u32 is_syn, __u32 starts,
					     const struct source_question *q)
{
	__u32 limits, number, slot, refused;

	limits = flow_limits(svc);
	number = flow_find(hash, svc->salt, svc->row, limits, !is_syn);
	if (number != FLOW_UNKNOWN && number != FLOW_ORPHANED)
		return number;
	if (q && q->policy && number == FLOW_UNKNOWN && starts && !is_syn) {
		refused = source_rate(q->source, q->policy);
		if (refused)
			return SLOT_REFUSED | refused;
	}
	starts |= number == FLOW_ORPHANED;
	slot = starts ? cursor_next(svc) & svc->slot_mask : shunt_slot_of(hash, svc->slot_mask);
	number = slot_number(svc, slot);
	if (!starts || !number || number == SLOT_BAD_TABLE)
		return number;
	if (!flow_remember(hash, svc->salt, limits, number))
		return slot_number(svc, shunt_slot_of(hash, svc->slot_mask));
	return number | FLOW_IS_NEW;
}

/* Global functions, so that the verifier checks each once. */
__noinline __u32 flow_backend(const struct shunt_service *svc, __u64 hash, __u32 is_syn,
			      __u32 starts)
{
	return svc ? flow_backend_of(svc, hash, is_syn, starts, NULL) : SLOT_BAD_TABLE;
}

/* The same where the service may have a policy: new flows other than SYNs, which have been asked already,
 * are subject to its rates.  @source: source_upper(). */
__noinline __u32 flow_backend_asked(const struct shunt_service *svc, __u64 hash, __u32 is_syn,
				    __u32 starts, __u64 source)
{
	struct source_question q = {.source = source};

	if (!svc)
		return SLOT_BAD_TABLE;
	q.policy = svc->policy;
	return flow_backend_of(svc, hash, is_syn, starts, &q);
}

/* Whether the service may have a policy. */
enum sched_policy { SCHED_NO_POLICY, SCHED_POLICY };

static __always_inline __u32 backend_number(struct pkt *pkt, const struct shunt_service *svc,
					    enum sched_policy policy)
{
	int is_udp = pkt->l4_proto == IPPROTO_UDP;
	__u32 number;

	pkt->new_flow = pkt->is_syn;
	if (likely(!(svc->flags & SHUNT_SVC_FLOWS)) || WITHOUT(flow_table))
		return slot_number(svc, shunt_slot_of(pkt->hash, svc->slot_mask));
	if (policy == SCHED_POLICY)
		number = flow_backend_asked(svc, pkt->hash, pkt->is_syn, is_udp || pkt->is_syn,
					    source_upper(pkt));
	else
		number = flow_backend(svc, pkt->hash, pkt->is_syn, is_udp || pkt->is_syn);
	if (is_udp && number & FLOW_IS_NEW)
		pkt->new_flow = 1;
	return number & ~FLOW_IS_NEW;
}

/* The number of the backend to which a packet of the flow goes that may not start it. */
static __always_inline __u32 backend_number_now(const struct pkt *pkt,
						const struct shunt_service *svc)
{
	__u32 number = FLOW_UNKNOWN;

	if (svc->flags & SHUNT_SVC_FLOWS)
		number = flow_find(pkt->hash, svc->salt, svc->row, flow_limits(svc), 0);
	if (number != FLOW_UNKNOWN && number != FLOW_ORPHANED)
		return number;
	return slot_number(svc, shunt_slot_of(pkt->hash, svc->slot_mask));
}

/* Fills @out with the backend's row.  The service's own row, to which a slot without a backend
 * points, is never usable. */
static __always_inline enum shunt_verdict backend_numbered(struct pkt *pkt,
							   const struct shunt_service *svc,
							   __u32 number,
							   const struct shunt_backend **out)
{
	const struct shunt_backend *be;

	if (unlikely(number & SLOT_REFUSED))
		return source_verdict(number & ~SLOT_REFUSED);
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
	return backend_numbered(pkt, svc, backend_number(pkt, svc, policy), out);
}

/* The backend that has the flow, for a packet that is only about it: nothing is remembered. */
static __always_inline enum shunt_verdict
backend_of_flow(struct pkt *pkt, const struct shunt_service *svc, const struct shunt_backend **out)
{
	pkt->new_flow = 0;
	pkt->hash = flow_hash(pkt);
	return backend_numbered(pkt, svc, backend_number_now(pkt, svc), out);
}

#endif
