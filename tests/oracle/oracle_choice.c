/* SPDX-License-Identifier: BSD-2-Clause */
/* The backend that a service has for a packet: by its flow table, by its slots, by turn, and by what is
 * remembered of the flow alone (SHUNT_SVC_KEEP, SHUNT_SVC_KEPT). */
#include "oracle.h"

#define PROTO_UDP 17

/* A decision. */
struct choosing {
	const struct oracle_case *c;
	const struct shunt_service *svc;
	struct oracle_flow flow; /* as the service remembers it: itself, or its source */
	struct oracle_flow own; /* itself */
	struct oracle_slot slot;
	bool is_known; /* by itself, so that nothing else counts */
};

static enum shunt_verdict slot_verdict(bool is_there)
{
	return is_there ? SHUNT_GO_ON : SHUNT_DROP_BAD_TABLE;
}

static bool remembers_all(const struct choosing *q)
{
	return q->svc->flags & SHUNT_SVC_FLOWS;
}

/* Whether entries from before a transition are void. */
static bool since_counts(const struct choosing *q)
{
	return !remembers_all(q) || q->slot.base.flags & SHUNT_BASE_SINCE;
}

static void go_old(struct choosing *q, uint32_t *number, struct oracle_result *r)
{
	*number = q->slot.old;
	if (q->slot.old != q->slot.cur)
		oracle_slot_use(&q->slot, q->flow.tick, r);
}

/* A UDP packet may be its flow's first, which the service's rates are asked for before it is remembered; then
 * all is looked for again. */
static enum shunt_verdict ask_rates(const struct choosing *q, struct oracle_result *r)
{
	const struct oracle_tables *t = q->c->t;
	enum shunt_verdict verdict = oracle_new_flow(q->c, q->svc, r);

	if (verdict == SHUNT_GO_ON && t->policies[q->svc->policy].row.flags & SHUNT_POLICY_RATES)
		r->lookups += q->svc->flags & SHUNT_SVC_KEPT ? 2 : 1;
	return verdict;
}

static bool has_rates(const struct choosing *q)
{
	return q->svc->policy && q->svc->policy < q->c->t->n_policies &&
	       q->c->t->policies[q->svc->policy].row.flags & SHUNT_POLICY_RATES;
}

/* The service remembers flows: sets the backend's number.  A flow that is known stays; one that may
 * begin here, or has lost its backend, takes a turn and is remembered; any other, and one that
 * there is no place for, goes by hash.  While its slot learns, all that is not known goes by hash and is
 * remembered. */
static enum shunt_verdict choose_by_flow(struct choosing *q, uint32_t *number,
					 struct oracle_result *r)
{
	const struct oracle_case *c = q->c;
	const bool is_udp = c->p.proto == PROTO_UDP;
	enum oracle_memory memory = oracle_recall(c->t, c->s, &q->flow, number, r);
	enum shunt_verdict verdict = SHUNT_GO_ON;
	bool learns;

	if (memory == ORACLE_KNOWN)
		return SHUNT_GO_ON;
	learns = memory == ORACLE_UNKNOWN && q->slot.changed &&
		 q->slot.base.flags & SHUNT_BASE_LEARNING;
	if (memory == ORACLE_UNKNOWN && !learns && is_udp && q->svc->policy) {
		if (q->is_known && has_rates(q))
			return SHUNT_GO_ON; /* its source is not, and need not be */
		verdict = ask_rates(q, r);
	}
	if (verdict != SHUNT_GO_ON)
		return verdict;
	if (memory == ORACLE_ORPHANED || learns || c->p.is_syn || is_udp) {
		*number = q->slot.old;
		if (!learns && !oracle_slot(c, q->svc, true, 0, number, r))
			return SHUNT_DROP_BAD_TABLE;
		if (*number == 0)
			return SHUNT_GO_ON;
		if (oracle_remember(c->t, c->s, &q->flow, *number, r)) {
			if (is_udp)
				r->flows = 1;
			r->remembered++;
			return SHUNT_GO_ON;
		}
		r->no_room++;
		oracle_slot_is_full(&q->slot, r);
	}
	go_old(q, number, r);
	return SHUNT_GO_ON;
}

static enum shunt_verdict choose(struct choosing *q, uint32_t *number, struct oracle_result *r)
{
	if (!remembers_all(q)) {
		*number = oracle_by_slot(q->c, &q->flow, &q->slot, r);
		return SHUNT_GO_ON;
	}
	if (since_counts(q))
		oracle_count_since(&q->flow, &q->slot);
	if (!q->flow.is_about)
		return choose_by_flow(q, number, r);
	if (oracle_recall(q->c->t, q->c->s, &q->flow, number, r) != ORACLE_KNOWN)
		go_old(q, number, r);
	return SHUNT_GO_ON;
}

/* ---- by the flow itself -------------------------------------------------------------------------*/

/* Goes to @number by its own entry: elsewhere than others of the slot, perhaps. */
static void use_own(struct choosing *q, uint32_t number, struct oracle_result *r)
{
	const bool differs = remembers_all(q) ? q->slot.changed : number != q->slot.cur;

	if (differs && !(remembers_all(q) && q->svc->flags & SHUNT_SVC_LOADS))
		oracle_slot_use(&q->slot, q->flow.tick, r);
}

/* Whether the flow's own entry names a backend; @stirs: for the first time in this tick. */
static bool recall_own(struct choosing *q, uint32_t *number, bool *stirs, struct oracle_result *r)
{
	const size_t writes = r->n_flow_writes;
	const struct oracle_flow_write *w = &r->flow_write[writes];

	if (!remembers_all(q) && !q->slot.changed)
		return false;
	if (oracle_recall(q->c->t, q->c->s, &q->own, number, r) != ORACLE_KNOWN)
		return false;
	*stirs = r->n_flow_writes > writes && (uint16_t)w->was != (uint16_t)w->is;
	use_own(q, *number, r);
	return true;
}

/* The flow is backend @number's, and remembered so by itself. */
static void keep(struct choosing *q, uint32_t number, struct oracle_result *r)
{
	const struct oracle_case *c = q->c;
	const bool elsewhere = q->svc->flags & SHUNT_SVC_NAT && !remembers_all(q) &&
			       !oracle_may_have(c->t, q->svc, number);
	uint32_t there = 0;

	if (oracle_recall(c->t, c->s, &q->own, &there, r) == ORACLE_KNOWN && there == number) {
		use_own(q, number, r);
		return;
	}
	if (!elsewhere && oracle_remember(c->t, c->s, &q->own, number, r)) {
		r->remembered++;
		if (remembers_all(q))
			return;
	} else if (!elsewhere) {
		r->no_room++;
		oracle_slot_is_full(&q->slot, r);
	}
	if (number != q->slot.cur)
		oracle_slot_use(&q->slot, q->flow.tick, r);
}

/* What is remembered of the flow counts first, and its source lives as long as it does. */
static enum shunt_verdict choose_own(struct choosing *q, uint32_t *number, struct oracle_result *r)
{
	const bool keeps = q->svc->flags & SHUNT_SVC_KEEP;
	const uint64_t flows = r->flows;
	enum shunt_verdict verdict;
	uint32_t known, other;
	bool stirs = false;

	if (since_counts(q))
		oracle_count_since(&q->own, &q->slot);
	if (q->svc->flags & SHUNT_SVC_KEPT)
		q->is_known = recall_own(q, &known, &stirs, r);
	if (q->is_known) {
		if (stirs && keeps)
			choose(q, &other, r);
		r->flows = flows;
		*number = known;
		return SHUNT_GO_ON;
	}
	verdict = choose(q, number, r);
	if (verdict == SHUNT_GO_ON && keeps && !q->flow.is_about && *number)
		keep(q, *number, r);
	return verdict;
}

/* ---- all together -------------------------------------------------------------------------------*/

static enum shunt_verdict number_of(const struct oracle_case *c, const struct shunt_service *svc,
				    bool is_about, uint32_t *number, struct oracle_result *r)
{
	struct oracle_tuple tuple = oracle_tuple_of(&c->p);
	struct choosing q = {
		.c = c,
		.svc = svc,
		.flow = {.tick = (uint16_t)c->in->tick,
			 .confirms = !is_about && !c->p.is_syn,
			 .is_about = is_about,
			 .svc = svc},
	};

	oracle_flow_hashes(c, svc, &tuple, &q.flow);
	q.own = q.flow;
	q.own.hash = oracle_hash(c->t, &tuple);
	if (!oracle_slot_at(c, svc, q.flow.slot_hash, &q.slot))
		return SHUNT_DROP_BAD_TABLE;
	return svc->flags & SHUNT_SVC_OWN ? choose_own(&q, number, r) : choose(&q, number, r);
}

enum shunt_verdict oracle_number(const struct oracle_case *c, const struct shunt_service *svc,
				 uint32_t *number, struct oracle_result *r)
{
	r->flows = c->p.is_syn;
	if (svc->flags & SHUNT_SVC_TURNS && !(svc->flags & SHUNT_SVC_FLOWS))
		return slot_verdict(oracle_slot(c, svc, true, 0, number, r));
	return number_of(c, svc, false, number, r);
}

enum shunt_verdict oracle_number_about(const struct oracle_case *c, const struct shunt_service *svc,
				       uint32_t *number, struct oracle_result *r)
{
	return number_of(c, svc, true, number, r);
}
